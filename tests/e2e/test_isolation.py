"""What a hijacked process can do beyond its job: nothing, and its attempts disturb nobody."""

import base64
import fcntl
import os
import random
import socket
import ssl
import struct
import time

import pytest
from harness import BIN, ROOT, Server, wait_for
from hostile import HostileServer, KIND, addr, deliver, memfd, plain, take, view
from messages import simple

MODES = [pytest.param(False, marks=pytest.mark.skipif(not ROOT, reason="needs root"), id="root"), pytest.param(True, id="rootless")]
GO, OK, FAIL = "IPC_AUTH_PASS", "IPC_MASTER_TAKE_OK", "IPC_MASTER_TAKE_FAIL"
MESSAGE = b"Subject: hi\r\n\r\nbody\r\n"


@pytest.fixture(scope="module")
def server():
    with HostileServer(users=("alice", "bob", "carol"), extra="proxy_networks = 127.0.0.0/8\n") as s:
        yield s


@pytest.fixture
def bystander(server):
    """Another user, through the honest POP3 service: nothing of what goes on may reach this session, or its server's processes."""
    before = {p: n for p, n in server.pids().items() if n in ("culver", "culver-auth", "culver-keys", "culver-pop3-login")}
    parents = {n: min(p for p, m in before.items() if m == n) for n in before.values()}
    client = server.pop3("bob")
    yield client
    assert client.noop().startswith(b"+OK")
    client.quit()
    now = server.pids()
    assert all(parents[n] in now for n in parents), "a service ended"
    again = server.pop3("carol")
    assert again.stat()[0] >= 0
    again.quit()


@pytest.fixture
def conn(server):
    c = server.imap_service.conn()
    yield c
    c.close()


@pytest.fixture
def lconn(server):
    c = server.lmtp_service.conn()
    yield c
    c.close()


def granted(conn, user="alice"):
    assert conn.log_in(user)[0] == GO


def refused(answer):
    """A TAKE that got nothing: refused in words, or the channel was closed."""
    return answer is None or answer[0] == FAIL


def sessions(server):
    return server.ctl("who").stdout.count("imap")


# --- TAKE -----------------------------------------------------------------------------------------------------------

def test_honest_take(server, bystander, conn):
    """The stand-in itself works: what is refused below is refused for its reason."""
    granted(conn)
    conn.master.send("IPC_CONN_TAKE", take(tag="x1"), [conn.peer.fileno()])
    assert conn.master.recv()[0] == OK
    conn.peer.close()
    conn.client.settimeout(5)
    assert conn.client.recv(1000).startswith(b"x1 OK")


def test_take_without_grant(server, bystander, conn):
    conn.master.send("IPC_CONN_TAKE", take(), [conn.peer.fileno()])
    assert refused(conn.master.recv())
    assert sessions(server) == 0


def test_take_before_its_grant_waits_for_it(server, bystander, conn):
    conn.master.send("IPC_CONN_TAKE", take(tag="x2"), [conn.peer.fileno()])
    assert conn.master.silent(0.3)
    granted(conn)
    assert conn.master.recv()[0] == OK


def test_take_after_a_failed_log_in(server, bystander, conn):
    assert conn.log_in("alice", "wrong")[0] == "IPC_AUTH_FAIL"
    conn.master.send("IPC_CONN_TAKE", take(), [conn.peer.fileno()])
    assert refused(conn.master.recv())


@pytest.mark.parametrize("again", ["at once", "after the answer"])
def test_take_is_not_replayed(server, bystander, conn, again):
    granted(conn)
    conn.master.send("IPC_CONN_TAKE", take(), [conn.peer.fileno()])
    if again == "at once":
        other = socket.socketpair()
        conn.master.send("IPC_CONN_TAKE", take(), [other[1].fileno()])
    assert conn.master.recv()[0] == OK
    if again != "at once":
        other = socket.socketpair()
        conn.master.send("IPC_CONN_TAKE", take(), [other[1].fileno()])
    assert conn.master.closed()
    other[1].close()
    other[0].settimeout(5)
    assert other[0].recv(100) == b""
    assert len([l for l in server.ctl("who").stdout.splitlines() if f"{conn.id:016x}" in l]) <= 1


def test_take_of_another_connection(server, bystander, conn):
    """The grant belongs to the channel, and no message names one."""
    other = server.imap_service.conn()
    granted(conn)
    other.master.send("IPC_CONN_TAKE", take(), [other.peer.fileno()])
    assert refused(other.master.recv())
    other.close()


def descriptors(server):
    tcp = socket.socket()
    tcp.bind(("127.0.0.1", 0))
    tcp.listen()
    udp = socket.socket(type=socket.SOCK_DGRAM)
    seq = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    regular = open(server.conf)
    pipe = os.pipe()
    return {"a listening socket": [tcp], "a UDP socket": [udp], "a SEQPACKET socket": [seq[0]], "a regular file": [regular],
            "a pipe": [pipe[0]], "a memfd": [memfd(b"x")], "a folder": [os.open("/", os.O_RDONLY | os.O_DIRECTORY)]}


NAMES = ["a listening socket", "a UDP socket", "a SEQPACKET socket", "a regular file", "a pipe", "a memfd", "a folder"]


@pytest.mark.parametrize("what", NAMES)
def test_take_with_a_wrong_descriptor(server, bystander, conn, what):
    granted(conn)
    fds = descriptors(server)[what]
    conn.master.send("IPC_CONN_TAKE", take(), [f if isinstance(f, int) else f.fileno() for f in fds])
    assert refused(conn.master.recv())
    # The grant is gone with it.
    try:
        conn.master.send("IPC_CONN_TAKE", take(), [conn.peer.fileno()])
    except OSError:
        pass
    assert refused(conn.master.recv())


@pytest.mark.parametrize("n", [0, 2, 3, 10])
def test_take_with_a_wrong_number_of_descriptors(server, bystander, conn, n):
    granted(conn)
    before = len(os.listdir(f"/proc/{server.pids_of('culver')[0]}/fd"))
    conn.master.send("IPC_CONN_TAKE", take(), [conn.peer.fileno()] * n)
    assert conn.master.closed()
    assert len(os.listdir(f"/proc/{server.pids_of('culver')[0]}/fd")) <= before


@pytest.mark.parametrize("body", [b"", b"\xff" * 100, take()[:-1], take() + b"x", take(tag="x\r\ny"), take(tls=2)],
                         ids=["empty", "0xff", "short", "long", "a tag with CRLF", "no boolean"])
def test_malformed_take(server, bystander, conn, body):
    granted(conn)
    conn.master.send("IPC_CONN_TAKE", body, [conn.peer.fileno()])
    assert conn.master.closed()
    assert sessions(server) == 0 or f"{conn.id:016x}" not in server.ctl("who").stdout


def test_connection_closes_at_each_stage(server, bystander):
    for stage in range(5):
        c = server.imap_service.conn()
        if stage == 1:
            c.auth.send("IPC_CONN_AUTH", plain("alice", "pw-alice"))
        if stage == 2:
            granted(c)
        if stage == 3:
            c.master.send("IPC_CONN_TAKE", take(), [c.peer.fileno()])
        if stage == 4:
            granted(c)
            c.master.send("IPC_CONN_TAKE", take(), [c.peer.fileno()])
        c.close()
    wait_for(lambda: sessions(server) == 0, 5, "sessions to end")


# --- PROXIED --------------------------------------------------------------------------------------------------------

def proxied(ip="203.0.113.5"):
    return addr(ip) + addr("127.0.0.1", 143) + b"\0"


def test_proxied_where_it_is_not_due(server, bystander, conn):
    conn.master.send("IPC_CONN_PROXIED", proxied())
    assert conn.master.closed()
    conn.auth.send("IPC_CONN_PROXIED", proxied())
    assert conn.auth.closed()


def test_proxied_comes_once_and_first(server, bystander):
    for first in (True, False):
        c = server.imap_service.conn(proxy=1)
        for end in (c.auth, c.master):
            if first:
                end.send("IPC_CONN_PROXIED", proxied())
                end.send("IPC_CONN_PROXIED", proxied("203.0.113.6"))
                assert end.closed()
        if not first:
            c.auth.send("IPC_CONN_AUTH", plain("alice", "pw-alice"))
            assert c.auth.closed()
            c.master.send("IPC_CONN_TAKE", take(), [c.peer.fileno()])
            assert c.master.closed()
        c.close()


# --- DELIVER --------------------------------------------------------------------------------------------------------

class Reply:
    def __init__(self):
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ours.settimeout(5)

    def code(self):
        self.theirs.close()
        data = self.ours.recv(1000)
        return struct.unpack("<H", data[4:6])[0] if data else None


def inbox(server, user):
    client = server.pop3(user)
    n = client.stat()[0]
    client.quit()
    return n


def test_honest_delivery(server, bystander, lconn):
    assert lconn.rcpt(1, "alice") == 1
    before = inbox(server, "alice")
    r = Reply()
    lconn.master.send("IPC_LCONN_DELIVER", deliver(1, len(MESSAGE)), [memfd(MESSAGE), r.theirs.fileno()])
    assert r.code() == 250
    assert inbox(server, "alice") == before + 1
    # The grant is used up.
    r = Reply()
    lconn.master.send("IPC_LCONN_DELIVER", deliver(1, len(MESSAGE)), [memfd(MESSAGE), r.theirs.fileno()])
    assert r.code() in (451, None)
    assert inbox(server, "alice") == before + 1


def test_delivery_to_a_foreign_recipient(server, bystander, lconn):
    other = server.lmtp_service.conn()
    assert other.rcpt(7, "carol") == 1
    before = inbox(server, "carol")
    r = Reply()
    lconn.master.send("IPC_LCONN_DELIVER", deliver(7, len(MESSAGE)), [memfd(MESSAGE), r.theirs.fileno()])
    assert r.code() in (451, None)
    assert inbox(server, "carol") == before
    other.close()


def test_deliveries_without_grants_are_cut_off(server, bystander, lconn):
    size = os.stat(server.folder / "log").st_size
    r = Reply()
    r.ours.setblocking(False)
    message = memfd(MESSAGE)
    with pytest.raises(OSError):
        for n in range(20000):
            lconn.master.send("IPC_LCONN_DELIVER", deliver(n + 1, len(MESSAGE)), [message, r.theirs.fileno()])
    assert lconn.master.closed()
    assert os.stat(server.folder / "log").st_size - size < 500_000
    os.close(message)


@pytest.mark.parametrize("what", ["unsealed", "half sealed", "wrong size", "a file", "a pipe", "too large"])
def test_delivery_with_a_wrong_message(server, bystander, lconn, what):
    assert lconn.rcpt(1, "alice") == 1
    size = len(MESSAGE)
    if what == "unsealed":
        fd = memfd(MESSAGE, 0)
    elif what == "half sealed":
        fd = memfd(MESSAGE, 0x2 | 0x4)  # it can still be written to
    elif what == "a file":
        fd = os.open(server.conf, os.O_RDONLY)
        size = os.stat(server.conf).st_size
    elif what == "a pipe":
        fd = os.pipe()[0]
    elif what == "too large":
        fd = os.memfd_create("m", os.MFD_ALLOW_SEALING)
        size = 65 * 1024 * 1024
        os.ftruncate(fd, size)
        fcntl.fcntl(fd, 1033, 0xF)
    else:
        fd, size = memfd(MESSAGE), size + 1
    before = inbox(server, "alice")
    r = Reply()
    lconn.master.send("IPC_LCONN_DELIVER", deliver(1, size), [fd, r.theirs.fileno()])
    assert r.code() in (451, None)
    assert inbox(server, "alice") == before


@pytest.mark.parametrize("what", ["a stream", "unconnected", "its own channel", "a file"])
def test_delivery_with_a_wrong_reply_channel(server, bystander, lconn, what):
    assert lconn.rcpt(1, "alice") == 1
    keep = {"a stream": socket.socketpair()[0], "unconnected": socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET),
            "its own channel": lconn.auth.sock, "a file": open(server.conf)}[what]
    lconn.master.send("IPC_LCONN_DELIVER", deliver(1, len(MESSAGE)), [memfd(MESSAGE), keep.fileno()])
    time.sleep(0.1)


def test_prefix_cannot_name_a_session(server, bystander, lconn):
    assert lconn.rcpt(1, "alice") == 1
    r = Reply()
    lconn.master.send("IPC_LCONN_DELIVER", deliver(1, len(MESSAGE), prefix="a" * 4097), [memfd(MESSAGE), r.theirs.fileno()])
    assert lconn.master.closed()


# --- everything else ---------------------------------------------------------------------------------------------------

def test_messages_of_other_roles(server, bystander):
    """No connection can say what only a parent, auth, a worker or master may."""
    for name, number in KIND.items():
        if name in ("IPC_KIND_COUNT", "IPC_CONN_TAKE", "IPC_CONN_AUTH", "IPC_LOGIN_CONN"):
            continue
        c = server.imap_service.conn()
        for end in (c.auth, c.master):
            end.send(number, b"\0" * 30)
            assert end.closed(), name
        c.close()


def hostile_messages(server, n, seed):
    """n random messages; every channel that is closed for one is replaced."""
    rng = random.Random(seed)
    pair = socket.socketpair()
    bodies = [take(), plain("alice", "wrong"), proxied(), deliver(1, 10), struct.pack("<I", 1) + view("alice"), b""]
    numbers = list(KIND.values()) + [0, 999, 65535]
    conn = None
    sent = 0
    while sent < n:
        if conn is None:
            service = rng.choice([server.imap_service, server.lmtp_service])
            conn = service.conn(proxy=rng.randrange(2), ip=f"198.51.100.{rng.randrange(1, 250)}")
            ends = [conn.auth, conn.master]
        end = rng.choice(ends)
        body = bytearray(rng.choice(bodies))
        for _ in range(rng.randrange(4)):
            if body:
                body[rng.randrange(len(body))] = rng.randrange(256)
        if rng.random() < 0.1:
            body = rng.randbytes(rng.randrange(200))
        fds = [pair[1].fileno()] * rng.choice([0, 0, 0, 1, 1, 2, 3])
        number = rng.choice([KIND["IPC_CONN_TAKE"], KIND["IPC_CONN_AUTH"], KIND["IPC_LCONN_RCPT"], KIND["IPC_LCONN_DELIVER"],
                             KIND["IPC_CONN_PROXIED"]]) if rng.random() < 0.6 else rng.choice(numbers)
        try:
            end.sock.setblocking(False)
            end.send(number, bytes(body), fds)
            sent += 1
        except BlockingIOError:
            time.sleep(0.001)
        except OSError:
            ends.remove(end)
            if not ends:
                conn.close()
                conn = None
        if conn is not None and rng.random() < 0.35:  # what comes behind a refused message is never read
            conn.close()
            conn = None
    if conn is not None:
        conn.close()
    for s in pair:
        s.close()


def fd_count(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_random_messages(server, bystander):
    master, = server.pids_of("culver")
    auth, = server.pids_of("culver-auth")
    before = fd_count(master), fd_count(auth)
    hostile_messages(server, int(os.environ.get("CULVER_HOSTILE_MESSAGES", "20000")), 1)
    assert sessions(server) == 0
    wait_for(lambda: (fd_count(master), fd_count(auth)) <= before, 8, "descriptors to be given back")
    # The honest way still works.
    c = server.imap_service.conn()
    granted(c)
    c.master.send("IPC_CONN_TAKE", take(), [c.peer.fileno()])
    assert c.master.recv()[0] == OK
    c.close()


def test_parent_that_breaks_the_table_is_replaced(server, bystander):
    """Of the parent master expects more than of a connection: it is killed and started again. Others go on."""
    server.imap_service.master.send("IPC_AUTH_GRANT", b"\0" * 60)
    assert server.imap_service.master.closed()
    server.imap_service = server.next_service(1)
    c = server.imap_service.conn()
    granted(c)
    c.close()


# --- what processes hold -------------------------------------------------------------------------------------------------

def held(pid):
    """Descriptor -> what it is."""
    out = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            out[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            pass
    return out


def listening():
    inodes = set()
    for table in ("tcp", "tcp6"):
        with open(f"/proc/net/{table}") as f:
            inodes |= {l.split()[9] for l in list(f)[1:] if l.split()[3] == "0A"}
    return {f"socket:[{i}]" for i in inodes}


@pytest.mark.parametrize("rootless", MODES)
def test_descriptors(rootless):
    """Every process has its log, its channels and its clients: no file, listener or channel of another's."""
    with Server(rootless=rootless) as server:
        imap, imaps = server.imap(), server.imaps("bob")
        clients = [imap.sock, imaps.sock, server.pop3("alice"), server.lmtp(), server.raw("imap"), server.raw("imaps")]
        clients[4].line()
        server.deliver("bob", simple(1))
        time.sleep(0.3)
        log, listeners = str(server.folder / "log"), listening()
        # The worker its user's mail, auth the folder of app passwords and second factors.
        own = {"culver-worker": str(server.folder / "mail"), "culver-auth": str(server.folder / "state/auth")}
        sockets = {}
        pids = server.pids()
        parents = {n: min(p for p, m in pids.items() if m == n) for n in set(pids.values())}
        for pid, name in pids.items():
            if name in ("culver", "culver-auth-helper"):
                continue
            fds = held(pid)
            assert fds.pop(0) == fds.pop(1) == "/dev/null" and fds.pop(2) == log, (name, fds)
            files = [t for t in fds.values() if t.startswith("/")]
            assert all(name in own and (t + "/").startswith(f"{own[name]}/") for t in files), (name, files)
            is_parent = name.endswith(("login", "lmtp")) and pid == parents[name]
            assert is_parent or not listeners & set(fds.values()), name
            # fds of a connection: loop, client, auth, master, keys; of a worker: loop, signals, master, its mail, one client
            if name.endswith(("login", "lmtp")) and not is_parent:
                assert len(fds) <= 6, (name, fds)
            if name == "culver-worker":
                assert len(fds) <= 9, fds
            for t in fds.values():
                if t.startswith("socket:") and t not in listeners:
                    assert t not in sockets, f"{name} shares {t} with {sockets[t]}"
                    sockets[t] = name
        for c in clients:
            c.close()


SECRETS = {n: f"Wq8-{n}-in-no-memory" for n in ("login", "literal", "plain", "pop3", "imaps", "pop3s", "pipelined", "wrong", "slow", "halfway")}


def memory(pid):
    out = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            where, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            start, end = (int(n, 16) for n in where.split("-"))
            try:
                mem.seek(start)
                out.append(mem.read(end - start))
            except (OSError, ValueError, OverflowError):
                continue
    return b"\0".join(out)


@pytest.mark.skipif(not ROOT, reason="reads other processes' memory")
@pytest.mark.skipif("/san-" in str(BIN), reason="freed memory is kept there, and shadow memory is too large to read")
@pytest.mark.parametrize("rootless", MODES)
def test_passwords_stay_in_no_process(rootless):
    """One second after log-ins of every kind, also with the sessions and the TLS ends still there."""
    with Server(rootless=rootless, users=[]) as server:
        users = []
        for name, secret in SECRETS.items():
            hashed = server.ctl("hash-password", "ARGON2ID", input=secret + "\n").stdout.strip().splitlines()[-1]
            users.append(f"{name}:{hashed}::::::")
        server.write_passwd(users)
        context = ssl._create_unverified_context()
        held = []

        def imap():
            c = server.raw("imap")
            c.line()
            held.append(c)
            return c

        c = imap()
        assert c.ask(f'LOGIN login "{SECRETS["login"]}"')[-1].startswith(b"t OK")
        c = imap()
        c.send("a LOGIN literal {%d}\r\n" % len(SECRETS["literal"]))
        c.until(rb"^\+")
        c.send(SECRETS["literal"] + "\r\n")
        c.until(rb"^a OK")
        c = imap()
        token = base64.b64encode(f"\0plain\0{SECRETS['plain']}".encode()).decode()
        assert c.ask(f"AUTHENTICATE PLAIN {token}")[-1].startswith(b"t OK")
        c = imap()
        c.send(f"a LOGIN pipelined {SECRETS['pipelined']}\r\nb NOOP\r\nc SELECT INBOX\r\n")
        c.until(rb"^c OK")
        c = imap()
        for byte in f"a LOGIN slow {SECRETS['slow']}\r\n":
            c.send(byte)
        c.until(rb"^a OK")
        c = imap()
        assert c.ask(f"LOGIN login {SECRETS['wrong']}")[-1].startswith(b"t NO")
        c = imap()
        c.send(f"a LOGIN login {SECRETS['halfway']}")
        time.sleep(0.1)
        c.close()
        c = server.raw("pop3")
        c.line()
        c.send(f"USER pop3\r\nPASS {SECRETS['pop3']}\r\n")
        c.until(rb"Logged in")
        held.append(c)
        for port, line in (("imaps", f"a LOGIN imaps {SECRETS['imaps']}\r\n"), ("pop3s", f"USER pop3s\r\nPASS {SECRETS['pop3s']}\r\n")):
            s = context.wrap_socket(socket.create_connection(("127.0.0.1", server.ports[port])))
            s.recv(1000)
            for part in line.splitlines(True):
                s.sendall(part.encode())
                answer = s.recv(1000)
            assert b"OK" in answer
            held.append(s)
        time.sleep(1)
        found = []
        for pid, name in server.pids().items():
            text = memory(pid)
            for which, secret in SECRETS.items():
                forms = [secret.encode(), base64.b64encode(secret.encode())[:16], secret.encode()[4:]]
                if any(f in text for f in forms):
                    found.append((name, pid, which))
        assert not found, found
        log = server.log_text()
        assert not [w for w, s in SECRETS.items() if s in log or base64.b64encode(s.encode())[:16].decode() in log]
        for c in held:
            c.close()


CHARSETS = {"gb18030": "你好", "big5": "你好", "big5hkscs": "你好", "euc-kr": "한국", "shift_jis": "日本", "euc-jp": "日本", "iso-2022-jp": "日本",
            "iso-2022-kr": "한국", "utf-7": "grün", "utf-16": "grün", "utf-16le": "grün", "utf-32": "grün"}


def test_charsets_inside_the_sandbox():
    """Converters are loaded before the worker is confined; afterwards each can be opened again and again, and no file with it."""
    with Server(log_level="info", tls=False) as server, server.raw("imap") as c:
        c.line()
        c.ask("LOGIN alice pw-alice")
        for charset, text in CHARSETS.items():
            body = base64.b64encode(text.encode(charset)).decode()
            message = f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: base64\r\n\r\n{body}\r\n"
            c.send(f"a APPEND INBOX {{{len(message)}+}}\r\n{message}\r\n")
            assert b"a OK" in c.until(b"^a ")[-1]
        c.ask("SELECT INBOX")
        for _ in range(3):
            for text in set(CHARSETS.values()):
                want = [str(i + 1) for i, t in enumerate(CHARSETS.values()) if t == text]
                octets = text.encode()
                c.send(b"b SEARCH CHARSET UTF-8 BODY {%d+}\r\n%s\r\n" % (len(octets), octets))
                assert c.until(b"^b ")[0].decode().split()[2:] == want, text
