"""Many, slow, rude and vanishing clients; processes that end at the worst moment. Nothing grows, nothing is lost, nobody waits.

CULVER_LOGINS and CULVER_ABORTS raise the number of rounds for a long run.
"""

import os
import random
import signal
import smtplib
import socket
import struct
import threading
import time

import pytest
from harness import BIN, Server, wait_for
from messages import simple

LOGINS = int(os.environ.get("CULVER_LOGINS", "300"))
ABORTS = int(os.environ.get("CULVER_ABORTS", "600"))
SANITIZED = "/san-" in str(BIN)  # freed memory is kept for a while there
SERVICES = ("culver", "culver-auth", "culver-keys", "culver-imap-login", "culver-pop3-login", "culver-lmtp")


@pytest.fixture(scope="module")
def server():
    with Server(extra="connections_per_address = 1000\nmessage_size_max = 1M\n") as s:
        yield s


def parents(server):
    pids = server.pids()
    return {n: min(p for p, m in pids.items() if m == n) for n in SERVICES}


def rss(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def usage(server):
    return {n: (rss(p), len(os.listdir(f"/proc/{p}/fd"))) for n, p in parents(server).items()}


def settled(server):
    """Usage once the connections of a round are gone, also those that were still waiting to be accepted."""
    def quiet():
        counts = []
        for _ in range(3):
            counts.append((len(server.pids()) - len(server.pids_of("culver-worker")), {n: u[1] for n, u in usage(server).items()}))
            time.sleep(0.2)
        return counts[0][0] == len(SERVICES) and counts[0] == counts[1] == counts[2]
    wait_for(quiet, 20, "connections to end")
    return usage(server)


def assert_stable(before, after):
    for name, (memory, fds) in before.items():
        assert SANITIZED or after[name][0] <= memory * 1.03 + 256, (name, before, after)
        assert after[name][1] <= fds, (name, before, after)


def log_in_and_out(server, n):
    kind = n % 4
    if kind == 0:
        server.imap("alice").logout()
    elif kind == 1:
        server.imaps("bob").logout()
    elif kind == 2:
        server.pop3("alice").quit()
    else:
        with server.raw("imap") as c:
            c.line()
            assert c.ask("LOGIN alice wrong")[-1].startswith(b"t NO") if n % 40 == 3 else c.ask("LOGIN alice pw-alice")[-1].startswith(b"t OK")


def test_log_ins_leave_nothing():
    with Server(extra="worker_linger = 1s\n") as server:
        for n in range(120):
            log_in_and_out(server, n)
        before = settled(server)
        for n in range(LOGINS):
            log_in_and_out(server, n)
        assert_stable(before, settled(server))


def alive(pid):
    """Also false for one that nobody has reaped."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def reset(sock):
    """Closes with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


PIECES = {
    "imap": [b"", b"a ", b"a LOGIN alice", b"a LOGIN alice pw-alice\r\n", b"a LOGIN {5}\r\n", b"a AUTHENTICATE PLAIN\r\n", b"a STARTTLS\r\n",
             b"a LOGIN alice pw-alice\r\nb SELECT INBOX\r\n", b"a AUTHENTICATE PLAIN AGFsaWNlAHB3LWFsaWNl\r\n", b"\xff" * 100],
    "imaps": [b"", b"\x16\x03\x01", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 100, b"GET / HTTP/1.0\r\n\r\n"],
    "pop3": [b"", b"USER alice\r\n", b"USER alice\r\nPASS pw-alice\r\n", b"STLS\r\n", b"AUTH PLAIN\r\n", b"AUTH PLAIN\r\n*\r\n"],
    "lmtp": [b"", b"LHLO x\r\n", b"LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<alice>\r\n", b"LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<alice>\r\nDATA\r\nhalf",
             b"LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<alice>\r\nBDAT 1000\r\nhalf"],
}


def abort(server, rng):
    name = rng.choice(list(PIECES))
    s = socket.create_connection(("127.0.0.1", server.ports[name]), 5)
    try:
        piece = rng.choice(PIECES[name])
        s.sendall(piece[:rng.randrange(len(piece) + 1)] if rng.random() < 0.3 else piece)
        if rng.random() < 0.3:
            time.sleep(rng.random() * 0.01)
        if rng.random() < 0.5:
            reset(s)
    except OSError:
        pass  # the server was first
    finally:
        s.close()


def test_aborted_connections_leave_nothing(server):
    rng = random.Random(7)
    bystander = server.imap("bob")
    for _ in range(300):
        abort(server, rng)
    before = settled(server)
    for _ in range(ABORTS):
        abort(server, rng)
    assert_stable(before, settled(server))
    assert bystander.noop()[0] == "OK"
    bystander.logout()


# --- slow and hanging ones -------------------------------------------------------------------------------------------------

def test_slow_clients_keep_nobody(server):
    """Half handshakes, half lines, clients that never read: others log in as if they were not there."""
    slow = []
    for n in range(60):
        s = socket.create_connection(("127.0.0.1", server.ports[("imap", "imaps", "pop3", "lmtp")[n % 4]]))
        s.sendall((b"a LOGIN alice", b"\x16\x03\x01\x02\x00\x01", b"USER al", b"LHLO x\r\nMAIL FR")[n % 4])
        slow.append(s)
    client = server.imap("alice")
    client.append("INBOX", "", None, b"Subject: big\r\n\r\n" + b"x" * 70 + b"\r\n" * 30000)
    glutton = server.raw("imap")
    glutton.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    glutton.send(b"a LOGIN alice pw-alice\r\nb SELECT INBOX\r\n" + b"c FETCH * BODY.PEEK[]\r\n" * 300)
    start = time.monotonic()
    for user in ("alice", "bob"):
        c = server.imap(user)
        c.select("INBOX")
        assert c.noop()[0] == "OK"
        c.logout()
        server.imaps(user).logout()
        assert server.deliver(user, simple(1)) == {}
    assert time.monotonic() - start < 5
    glutton.close()
    client.logout()
    for s in slow:
        s.close()


def test_process_that_does_not_keep_its_time_is_killed():
    """A connection's process that was taken over would ignore its own timers."""
    with Server(extra="login_timeout = 1s\ntls_handshake_timeout = 1s\n") as server:
        parent, = wait_for(lambda: len(server.pids_of("culver-imap-login")) == 1 and server.pids_of("culver-imap-login"), 5, "a quiet service")
        held = server.imap("bob")  # clear text: its process has gone
        relay = server.imaps("bob")  # its process stays, and is not before log-in
        wait_for(lambda: len(server.pids_of("culver-imap-login")) == 2, 5, "the first process to end")
        before = set(server.pids_of("culver-imap-login"))
        c = server.raw("imap")
        c.line()
        child, = set(server.pids_of("culver-imap-login")) - before
        os.kill(child, signal.SIGSTOP)
        wait_for(lambda: child not in server.pids(), 14, "the process to be killed")
        assert "does not keep its time" in server.log_text()
        assert parent in server.pids() and relay.noop()[0] == "OK" and held.noop()[0] == "OK"
        c.close()


def test_last_words_reach_a_client_that_talks_on(server):
    """Closing with input unread resets a connection, and takes the farewell with it."""
    for _ in range(10):
        c = server.raw("imap")
        c.line()
        c.ask("LOGIN alice pw-alice")
        c.send(b"a LOGOUT\r\n" + b"b NOOP\r\n" * 20000)
        time.sleep(0.02)
        lines = c.until(rb"^a OK")
        assert any(line.startswith(b"* BYE") for line in lines)
        assert c.eof() and not c.pending
        c.close()


# --- workers that leave or die ---------------------------------------------------------------------------------------------

def worker_of(server, user):
    return next((int(line.split()[-1]) for line in server.ctl("who").stdout.splitlines() if line.startswith(user)), None)


def test_log_in_while_the_worker_leaves(server):
    for n in range(8):
        client = server.imap("alice")
        worker = worker_of(server, "alice")
        client.logout()
        os.kill(worker, signal.SIGTERM)
        if n % 2:
            time.sleep(0.002 * n)
        again = server.imap("alice")
        try:
            assert again.noop()[0] == "OK"
        except again.abort:
            pass  # it came to the old worker, which said good-bye
        again.shutdown()
        wait_for(lambda: not alive(worker), 10, "the worker to leave")


def test_session_survives_the_death_of_a_worker_that_had_not_read_it(server):
    for _ in range(3):
        first = server.imap("alice")
        worker = worker_of(server, "alice")
        os.kill(worker, signal.SIGSTOP)
        c = server.raw("imap")
        c.line()
        c.send(b"a LOGIN alice pw-alice\r\n")
        answers = {}

        def deliver():
            answers["lmtp"] = server.deliver("alice", simple(5))
        thread = threading.Thread(target=deliver)
        thread.start()
        time.sleep(0.2)
        os.kill(worker, signal.SIGKILL)
        assert c.line().startswith(b"a OK")
        assert c.ask("NOOP")[-1].startswith(b"t OK")
        thread.join()
        assert answers["lmtp"] == {}
        c.close()
        first.shutdown()


def count(server, user):
    client = server.imap(user)
    n = int(client.select("INBOX")[1][0])
    client.logout()
    return n


def test_worker_death_during_a_delivery(server):
    """The client is told to try again, and never that a lost message was kept."""
    before = count(server, "bob")
    kept = failed = 0
    for n in range(8):
        client = server.imap("bob")
        worker = worker_of(server, "bob")
        killer = threading.Timer(0.0005 * n, os.kill, (worker, signal.SIGKILL))
        killer.start()
        try:
            server.deliver("bob", simple(n))
            kept += 1
        except (smtplib.SMTPDataError, smtplib.SMTPRecipientsRefused) as e:
            text = str(e)
            assert "451" in text, text
            failed += 1
        killer.join()
        client.shutdown()
        wait_for(lambda: not alive(worker), 5, "the worker to die")
    after = count(server, "bob")
    assert kept <= after - before <= kept + failed


# --- LMTP ---------------------------------------------------------------------------------------------------------------

def lmtp(server):
    c = server.raw("lmtp")
    c.line()
    c.send(b"LHLO x\r\n")
    c.until(rb"^250 ")
    return c


def test_a_thousand_recipients(server):
    before = count(server, "alice"), count(server, "bob")
    with lmtp(server) as c:
        c.send(b"MAIL FROM:<a@b>\r\n")
        c.line()
        names = [b"alice" if n % 3 else b"bob" for n in range(1000)]
        c.send(b"".join(b"RCPT TO:<%s>\r\n" % n for n in names))
        assert all(c.line().startswith(b"250") for _ in names)
        c.send(b"RCPT TO:<alice>\r\n")
        assert c.line().startswith(b"452 4.5.3")
        c.send(b"DATA\r\n")
        assert c.line().startswith(b"354")
        c.send(b"Subject: to all\r\n\r\nx\r\n.\r\n")
        for n in names:
            line = c.line()
            assert line.startswith(b"250 2.1.5 <" + n), line
        c.send(b"QUIT\r\n")
        assert c.line().startswith(b"221")
    bobs = len([n for n in range(1000) if n % 3 == 0])
    assert (count(server, "alice"), count(server, "bob")) == (before[0] + 1000 - bobs, before[1] + bobs)


def test_recipients_that_are_reset_for_ever(server):
    with lmtp(server) as c:
        for _ in range(40):
            c.send(b"MAIL FROM:<a@b>\r\n" + b"RCPT TO:<alice>\r\n" * 100 + b"RSET\r\n")
            for _ in range(102):
                assert c.line().startswith(b"250")
    server.imap("alice").logout()


@pytest.mark.parametrize("command", ["DATA", "BDAT"])
def test_message_size_limit(server, command):
    limit = 1024 * 1024
    before = count(server, "alice")
    for size, code in ((limit, b"250"), (limit + 1, b"552 5.3.4"), (1, b"250")):
        body = (b"Subject: x\r\n\r\n" + b"y" * limit)[:size]
        if size > 2:
            body = body[:-2] + b"\r\n"
        with lmtp(server) as c:
            c.send(b"MAIL FROM:<a@b>\r\nRCPT TO:<alice>\r\n")
            c.line(), c.line()
            if command == "DATA":
                if size == 1:
                    body = b"\r\n"
                c.send(b"DATA\r\n" + body + b".\r\n")
                assert c.line().startswith(b"354")
            else:
                half = len(body) // 2
                c.send(b"BDAT %d\r\n" % half + body[:half] + b"BDAT %d LAST\r\n" % (len(body) - half) + body[half:])
                assert c.line().startswith(b"250")
            assert c.line().startswith(code), size
            c.send(b"NOOP\r\n")
            assert c.line().startswith(b"250")
    assert count(server, "alice") == before + 2


ENDS = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\r\n.\r\r\n", b"\r\n..\r\n",
        b"\r\n. \r\n"]


@pytest.mark.parametrize("end", ENDS, ids=[repr(e)[2:-1] for e in ENDS])
def test_only_one_end_of_data(server, end):
    before = count(server, "alice")
    smuggled = b"MAIL FROM:<evil@x>\r\nRCPT TO:<alice>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n"
    with lmtp(server) as c:
        c.send(b"MAIL FROM:<a@b>\r\nRCPT TO:<alice>\r\nDATA\r\nSubject: one\r\n\r\nbody" + end + smuggled + b".\r\nQUIT\r\n")
        codes = [c.line()[:3] for _ in range(5)]
        assert codes == [b"250", b"250", b"354", b"250", b"221"]
    assert count(server, "alice") == before + 1


def test_client_vanishes_at_each_stage(server):
    dialogue = [b"LHLO x\r\n", b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<alice>\r\n", b"RCPT TO:<bob>\r\n", b"DATA\r\n", b"Subject: x\r\n\r\n", b"body\r\n", b".\r\n"]
    before = count(server, "alice")
    for stage in range(len(dialogue) + 1):
        for how in (reset, socket.socket.close):
            s = socket.create_connection(("127.0.0.1", server.ports["lmtp"]))
            for line in dialogue[:stage]:
                s.sendall(line)
                time.sleep(0.002)
            how(s)
    wait_for(lambda: len(server.pids_of("culver-lmtp")) == 1, 10, "connections to end")
    after = count(server, "alice")
    assert before <= after <= before + 2
    assert server.deliver("alice", simple(3)) == {}


# --- reload and end ------------------------------------------------------------------------------------------------------------

def test_log_ins_during_reloads(server):
    failures, done = [], threading.Event()

    def client(kind):
        n = 0
        while not done.is_set() or n == 0:
            try:
                log_in_and_out(server, kind)
                n += 1
            except Exception as e:
                failures.append(repr(e))
    held = server.imap("bob")
    threads = [threading.Thread(target=client, args=(k,)) for k in (0, 1, 2)]
    for t in threads:
        t.start()
    for _ in range(6):
        server.ctl("reload")
        time.sleep(0.4)
    done.set()
    for t in threads:
        t.join()
    assert held.noop()[0] == "OK"
    held.logout()
    assert not failures, failures[:5]
    wait_for(lambda: len(server.pids_of("culver-imap-login")) == 1, 15, "old generations to leave")


@pytest.mark.parametrize("seed", range(3))
def test_end_in_the_middle_of_everything(seed):
    rng = random.Random(seed)
    with Server(extra="shutdown_grace = 5s\n") as server:
        sent, done = [], threading.Event()

        def work(kind):
            n = 0
            while not done.is_set():
                try:
                    if kind == 0:
                        number = 1000 * seed + n
                        server.deliver("alice", simple(number))
                        sent.append(number)
                    else:
                        log_in_and_out(server, kind)
                    n += 1
                except Exception:
                    time.sleep(0.01)
        threads = [threading.Thread(target=work, args=(k,)) for k in (0, 1, 2)]
        for t in threads:
            t.start()
        idle = server.imap("bob")
        waiting = [server.raw(name) for name in ("imap", "imaps", "pop3", "lmtp")]
        wait_for(lambda: len(sent) > 5, 10, "deliveries")
        time.sleep(rng.random() * 0.2)
        pids = server.pids()
        start = time.monotonic()
        server.proc.send_signal(signal.SIGTERM)
        assert server.proc.wait(10) == 0
        assert time.monotonic() - start < 7
        done.set()
        for t in threads:
            t.join()
        wait_for(lambda: not [p for p in pids if alive(p)], 3, "all processes to end")
        with pytest.raises(idle.abort):
            idle.noop()
        for c in waiting:
            c.close()
        accepted = len(sent)
        server.start()
        assert count(server, "alice") in (accepted, accepted + 1)
