"""culverctl upgrade-worker: a fresh worker process under the sessions of a user, in any state, and no client notices. What clients receive is
compared with what the same dialogue gives without. CULVER_SEED repeats the decisions of the random ones."""

import os
import random
import re
import signal
import threading
import time
import zlib

import pytest

from harness import ROOT, Raw, Server, wait_for
from ledger import Lost
from load import Actor, Rounds
from messages import simple

SEED = int(os.environ.get("CULVER_SEED", "0")) or random.randrange(1 << 30)
ROUNDS = int(os.environ.get("CULVER_UPGRADES", "12"))
LIMITS = "sessions_per_user = 200\nsessions_per_user_address = 200\nconnections_per_address = 200\nconnections_max = 400\n"


class Client(Raw):
    """Notes everything that it receives."""

    def __init__(self, server, protocol="imap", tls=False, user="alice"):
        port = server.ports[protocol + ("s" if tls else "")]
        super().__init__(port, 30)
        if tls:
            context = server.tls_context()
            context.check_hostname = False
            self.sock = context.wrap_socket(self.sock)
        self.notes = []
        if protocol == "imap":
            assert self.line().startswith(b"* OK")
            assert b" OK" in self.ask(f"LOGIN {user} {server.password(user)}")[-1]
        else:
            self.line()
            for command in (f"USER {user}\r\n", f"PASS {server.password(user)}\r\n"):
                self.send(command)
                assert self.line().startswith(b"+OK")
        self.notes.clear()

    def line(self):
        line = super().line()
        if hasattr(self, "notes"):
            self.notes.append(line)
        return line

    def read(self, n):
        data = super().read(n)
        self.notes.append(data)
        return data

    def rest(self, end=None):
        """Everything up to these last words, or to the end of the connection."""
        while end is None or not self.pending.endswith(end):
            more = self.sock.recv(65536)
            if not more:
                assert end is None
                break
            self.pending += more
        return self.read(len(self.pending))

    def ok(self, command):
        lines = self.ask(command)
        assert lines[-1].startswith(b"t OK"), lines
        return lines

    def literals(self, tag):
        """Lines up to the tagged one, with what literals hold."""
        while True:
            line = self.line()
            literal = re.search(rb"\{(\d+)\}\r\n$", line)
            if literal:
                self.read(int(literal[1]))
            elif line.startswith(tag + b" ") or not line:
                return line


def normal(notes):
    """Without what differs from server to server."""
    data = b"".join(notes)
    data = re.sub(rb"UIDVALIDITY \d+|(APPENDUID|COPYUID) \d+|MAILBOXID \([^)]*\)", rb"\1#", data)
    data = re.sub(rb"\b([0-9a-f]{8})[0-9a-f]{8}\r\n", rb"\1#\r\n", data)  # POP3 unique ids
    return re.sub(rb"INTERNALDATE \"[^\"]*\"", b"#", data)


def message(n, size=60):
    return simple(n, "x" * 70 + "\r\n" + "line of text\r\n" * (size // 14))


def fill(c, box, n, size=60):
    c.ok(f"CREATE {box}")
    for i in range(n):
        m = message(i, size)
        c.ok(b"APPEND %s {%d+}\r\n%s" % (box.encode(), len(m), m))


# --- dialogues: at each yield the worker is replaced ----------------------------------------------------------------

def between_commands(c, box, other):
    c.ok("NOOP")
    yield
    fill(c, box, 3)
    yield
    c.ok(f"SELECT {box}")
    yield
    c.ok("FETCH 1:* (UID FLAGS ENVELOPE)")
    yield
    c.ok("STORE 2 +FLAGS (\\Deleted $word)")
    yield
    c.ok("EXPUNGE")
    c.ok("LOGOUT")


def half_a_line(c, box, other):
    fill(c, box, 2)
    c.send(b"a SEL")
    yield
    c.send(b"ECT " + box.encode() + b"\r\nb FETCH 1 (UI")
    c.until(rb"^a ")
    yield
    c.send(b"D)\r")
    yield
    c.send(b"\n")
    c.until(rb"^b OK")


def half_a_literal(c, box, other):
    fill(c, box, 2)
    c.ok(f"SELECT {box}")
    c.send(b"a SEARCH SUBJECT {9}\r\n")
    c.line()
    yield
    c.send(b"Mess")
    yield
    c.send(b"age 1 UNSEEN\r\nb STATUS {%d+}\r\n%s" % (len(box), box.encode()[:2]))
    c.until(rb"^a OK")
    yield
    c.send(box.encode()[2:] + b" (MESSAGES UIDNEXT)\r\n")
    c.until(rb"^b OK")


def half_an_append(c, box, other):
    m = message(1, 2000)
    c.ok(f"CREATE {box}")
    c.send(b"a APPEND %s (\\Flagged kw) \"23-Nov-2026 10:00:00 +0100\" {%d}\r\n" % (box.encode(), len(m)))
    c.line()
    yield
    c.send(m[:100])
    yield
    c.send(m[100:] + b" (\\Seen) {%d+}\r\n%s" % (len(m), m[:50]))  # MULTIAPPEND
    yield
    c.send(m[50:])
    yield
    c.send(b"\r\n")
    c.until(rb"^a OK")
    c.ok(f"EXAMINE {box}")
    c.send(b"b FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])\r\n")
    c.literals(b"b")


def half_a_large_append(c, box, other):
    m = message(1, 600000)
    c.ok(f"CREATE {box}")
    c.send(b"a APPEND %s {%d+}\r\n" % (box.encode(), len(m)) + m[:300000])
    yield
    c.send(m[300000:300007])
    yield
    c.send(m[300007:] + b"\r\nb NOOP\r\n")
    c.until(rb"^b OK")
    c.ok(f"EXAMINE {box}")
    c.send(b"c FETCH 1 (BODY.PEEK[])\r\n")
    c.literals(b"c")


def refused_append(c, box, other):
    c.send(b"a APPEND missing {500000+}\r\n" + b"x" * 1000)
    c.until(rb"^a NO")
    yield
    c.send(b"y" * 499000 + b"\r\nb NOOP\r\n")
    c.until(rb"^b OK")


def pipelined(c, box, other):
    fill(c, box, 5)
    out = [b"SELECT " + box.encode()]
    for i in range(150):
        out += [b"FETCH 1:* (FLAGS UID)", b"STORE %d FLAGS (w%d)" % (i % 5 + 1, i % 40), b"UID SEARCH KEYWORD w%d" % (i % 40)]
    c.send(b"".join(b"p%d %s\r\n" % (i, o) for i, o in enumerate(out)))
    yield
    c.send(b"last NOOP\r\n")
    c.until(rb"^last OK")


def idle(c, box, other):
    fill(other, box, 2)
    c.ok("ENABLE CONDSTORE")
    c.ok(f"SELECT {box}")
    other.ok(f"SELECT {box}")
    c.send(b"i IDLE\r\n")
    c.until(rb"^\+")
    yield
    other.ok("STORE 1 +FLAGS (\\Answered)")
    c.until(rb"FETCH")
    yield
    other.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
    c.until(rb"FETCH")
    other.ok("EXPUNGE")
    c.until(rb"EXPUNGE")
    c.send(b"DO")
    yield
    c.send(b"NE\r\n")
    c.until(rb"^i OK")
    other.ok("LOGOUT")


def not_told_yet(c, box, other):
    """Expunges, new messages and flags that the client could not be told of: its message numbers stay, then it is told."""
    fill(other, box, 6)
    c.ok(f"SELECT {box}")
    other.ok(f"SELECT {box}")
    other.ok("STORE 2,4 +FLAGS.SILENT (\\Deleted)")
    other.ok("EXPUNGE")
    other.ok("STORE 1 +FLAGS (\\Flagged)")
    m = message(9)
    other.ok(b"APPEND %s {%d+}\r\n%s" % (box.encode(), len(m), m))
    yield
    c.ok("FETCH 1:6 (UID)")
    yield
    c.send(b"g FETCH 4 (BODY.PEEK[])\r\n")
    c.literals(b"g")
    c.ok("FETCH 4:* (UID FLAGS)")
    yield
    c.ok("NOOP")
    yield
    c.ok("FETCH 1:* (UID FLAGS)")


def qresync(c, box, other):
    fill(c, box, 8)
    c.ok("ENABLE QRESYNC")
    c.ok(f"SELECT {box}")
    yield
    c.ok("STORE 1:3 (UNCHANGEDSINCE 9) +FLAGS (\\Seen)")
    yield
    c.ok("UID STORE 5:6 +FLAGS.SILENT (\\Deleted)")
    c.ok("EXPUNGE")
    yield
    c.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 9 VANISHED)")
    validity = re.search(rb"UIDVALIDITY (\d+)", b"".join(other.ask(f"STATUS {box} (UIDVALIDITY)")))[1].decode()
    yield
    c.ok(f"SELECT {box} (QRESYNC ({validity} 9 1:8))")


def saved_search(c, box, other):
    fill(c, box, 6)
    c.ok(f"SELECT {box}")
    c.ok("STORE 2,3,6 +FLAGS.SILENT (\\Flagged)")
    c.ok("SEARCH RETURN (SAVE) FLAGGED")
    yield
    c.ok("FETCH $ (UID)")
    yield
    c.ok("UID COPY $ " + box)
    c.ok("SEARCH RETURN (COUNT) $")


def enabled(c, box, other):
    c.ok("ENABLE IMAP4rev2")
    yield
    c.ok("CREATE \"" + box + "/Grüße\"")
    c.ok("LIST \"\" \"" + box + "/*\"")
    c.ok("ENABLE UIDONLY")
    c.ok("SELECT \"" + box + "/Grüße\"")
    yield
    c.ask("FETCH 1 (FLAGS)")
    c.ok("UID FETCH 1:* (FLAGS)")


def slow_reader(c, box, other):
    fill(c, box, 6, 400000)
    c.ok(f"SELECT {box}")
    c.send(b"f FETCH 1:* (UID BODY[])\r\ng FETCH 1:* (FLAGS)\r\n")
    yield
    c.read(300000)
    yield
    c.read(900000)
    yield
    assert b"\r\nf OK" in c.rest(b"\r\ng OK FETCH completed\r\n")


def logout_unread(c, box, other):
    fill(c, box, 4, 400000)
    c.ok(f"SELECT {box}")
    c.send(b"f FETCH 1:* (BODY.PEEK[])\r\ng LOGOUT\r\n")
    yield
    assert b"\r\nf OK FETCH completed\r\n* BYE" in c.rest()


def mistakes(c, box, other):
    c.ask("NONSENSE")
    yield
    for _ in range(10):
        c.ask("FETCH")
    yield
    for _ in range(8):
        c.ask("FETCH")
    c.send(b"u NONSENSE\r\n")
    while c.line():
        pass


def deleted_mailbox(c, box, other):
    fill(other, box, 2)
    c.ok(f"SELECT {box}")
    other.ok(f"DELETE {box}")
    yield
    c.ok("FETCH 1:* (UID FLAGS)")
    yield
    c.ask("STORE 1 +FLAGS (\\Seen)")
    c.ok("CLOSE")


class Compressed:
    """The same client behind COMPRESS=DEFLATE (RFC 4978)."""

    def __init__(self, raw):
        self.sock, self.out, self.back = raw, zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)

    def sendall(self, data):
        self.sock.sendall(self.out.compress(data) + self.out.flush(zlib.Z_SYNC_FLUSH))

    def recv(self, n):
        while True:
            data = self.sock.recv(n)
            if not data:
                return data
            plain = self.back.decompress(data)
            if plain:
                return plain

    def close(self):
        self.sock.close()


def compressed(c, box, other):
    fill(c, box, 4, 200000)
    c.ok("COMPRESS DEFLATE")
    c.sock = Compressed(c.sock)
    c.ok(f"SELECT {box}")
    yield
    c.send(b"f FETCH 1:* (UID BODY.PEEK[])\r\ng FETCH 2 (FL")
    yield
    c.send(b"AGS)\r\n")
    assert b"\r\nf OK" in c.rest(b"\r\ng OK FETCH completed\r\n")
    yield
    c.send(b"i IDLE\r\n")
    c.until(rb"^\+")
    yield
    c.send(b"DONE\r\n")
    c.until(rb"^i OK")
    assert b"COMPRESSIONACTIVE" in c.ask("COMPRESS DEFLATE")[-1]


def metadata(c, box, other):
    fill(c, box, 1)
    c.ok("ENABLE METADATA")
    c.ok(f"SELECT {box}")
    other.ok(f"SETMETADATA {box} (/shared/comment \"first\")")
    yield
    c.ok("NOOP")
    yield
    c.ok(f"GETMETADATA {box} /shared/comment")


def append(c, box, n):
    m = message(n)
    c.ok(b"APPEND %s {%d+}\r\n%s" % (box.encode(), len(m), m))


def notify(c, box, other):
    """RFC 5465: what was asked for, what was told."""
    fill(other, box, 2)
    other.ok(f"CREATE {box}/sub")
    c.ok(f"SELECT {box}")
    c.ok("NOTIFY SET (SELECTED (MessageNew (UID) MessageExpunge FlagChange)) "
         f"(MAILBOXES {box}/sub (MessageNew MessageExpunge MailboxName))")
    yield
    append(other, f"{box}/sub", 1)
    c.until(rb"^\* STATUS ")
    yield
    append(other, box, 2)
    c.until(rb"FETCH \(UID 3\)")
    c.send(b"a NO")
    yield
    other.ok(f"RENAME {box}/sub {box}/sup")
    c.until(rb"OLDNAME")
    c.send(b"OP\r\n")
    c.until(rb"^a OK")
    c.ok("NOTIFY NONE")
    yield
    append(other, box, 3)
    c.ok("NOOP")


def sorted_context(c, box, other):
    """RFC 5267 4.3.3: the order is known, and the filter that the search uses stays what it was (RFC 5466)."""
    fill(other, box, 3)
    c.ok(f"SELECT {box}")
    c.ok("COMPARATOR -i;octet")
    c.ok(f'SETMETADATA "" (/private/filters/values/{box} "UNFLAGGED")')
    c.send(b"s UID SORT RETURN (UPDATE ALL) (REVERSE ARRIVAL SUBJECT) UTF-8 FILTER %s\r\n" % box.encode())
    c.until(rb"^s OK")
    c.ok(f'SETMETADATA "" (/private/filters/values/{box} NIL)')
    other.ok(f"SELECT {box}")
    other.ok("STORE 2 +FLAGS (\\Flagged)")
    yield
    c.ok("NOOP")
    yield
    other.ok("STORE 1:* FLAGS ()")
    yield
    c.ok("NOOP")
    assert re.search(rb'TAG "s"\) UID REMOVEFROM \(\d 2\)', b"".join(c.notes))
    assert re.search(rb'TAG "s"\) UID ADDTO \(\d 2\)', b"".join(c.notes))
    assert b"* COMPARATOR -i;octet\r\n" in c.ok("COMPARATOR")
    c.ok('CANCELUPDATE "s"')


def context(c, box, other):
    """RFC 5267 4.3: message numbers stay what they stood for, results are known."""
    fill(other, box, 4)
    c.ok(f"SELECT {box}")
    c.ok("SEARCH RETURN (UPDATE ALL) 2:3 UNFLAGGED")
    other.ok(f"SELECT {box}")
    yield
    other.ok("STORE 3 +FLAGS (\\Flagged)")
    c.ok("NOOP")
    yield
    other.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
    other.ok("EXPUNGE")
    yield
    c.ok("NOOP")
    yield
    other.ok("STORE 2 -FLAGS (\\Flagged)")
    c.ok("NOOP")
    assert b"ADDTO (0 2)" in b"".join(c.notes)
    c.ok('CANCELUPDATE "t"')


IMAP = [notify, context, sorted_context, compressed, metadata, between_commands, half_a_line, half_a_literal, half_an_append, half_a_large_append, refused_append, pipelined, idle, not_told_yet,
        qresync, saved_search, enabled, slow_reader, logout_unread, mistakes, deleted_mailbox]


def pop3_marks(c, owner):
    for command in (b"STAT", b"DELE 2", b"LIST 1"):
        c.send(command + b"\r\n")
        c.line()
    yield
    c.send(b"DELE 1\r\nRSET\r\nDELE 3\r\nSTAT\r\n")
    for _ in range(4):
        c.line()
    yield
    c.send(b"LIST\r\nUI")
    c.until(rb"^\.\r\n")
    yield
    c.send(b"DL 1\r\nRETR 3\r\nQUIT\r\n")
    c.line()
    c.line()  # deleted, so there is none
    assert c.line().startswith(b"+OK Logging out")


def pop3_slow(c, owner):
    c.send(b"RETR 4\r\nTOP 5 20000\r\nUIDL\r\nNOOP\r\n")
    yield
    c.read(1000)
    yield
    c.until(rb"^\.\r\n")
    c.until(rb"^\.\r\n")
    c.until(rb"^\.\r\n")
    c.line()


def pop3_expunged(c, owner):
    """Another session has removed a message: it stays in the maildrop."""
    owner.ok("SELECT INBOX")
    owner.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    owner.ok("EXPUNGE")
    yield
    c.send(b"STAT\r\nRETR 1\r\n")
    c.line()
    if c.line().startswith(b"+OK"):  # the file of a Maildir is gone
        c.until(rb"^\.\r\n")
    yield
    c.send(b"UIDL 1\r\nDELE 1\r\nQUIT\r\n")
    for _ in range(3):
        c.line()


POP3 = [pop3_marks, pop3_slow, pop3_expunged]


def play(server, upgrade):
    """All of them at once, step by step; what each client got, by name."""
    playing, clients = {}, {}
    others = {}
    for tls in (False, True):
        for d in IMAP:
            name = d.__name__ + ("_tls" if tls else "")
            clients[name], others[name] = Client(server, tls=tls), Client(server)
            playing[name] = d(clients[name], name, others[name])
    for d in POP3:
        for tls in (False, True):
            name = d.__name__ + ("_tls" if tls else "")
            user = name
            others[name] = Client(server, user=user)
            for i in range(6):
                m = message(i, 300000 if i > 2 else 100)
                others[name].ok(b"APPEND INBOX {%d+}\r\n%s" % (len(m), m))
            clients[name] = Client(server, "pop3", tls, user)
            playing[name] = d(clients[name], others[name])
    count = len(clients) + len(others)
    step = 0
    while playing:
        for name in list(playing):
            try:
                next(playing[name])
            except StopIteration:
                del playing[name]
            except Exception as e:
                raise AssertionError(f"{name}, step {step}: {e!r}; received {b''.join(clients[name].notes)[-600:]!r}") from e
        upgrade()
        step += 1
    for c in (*clients.values(), *others.values()):
        c.close()
    return count, {name: normal(c.notes) for name, c in clients.items()}


def differences(want, got):
    for name in want:
        if want[name] != got[name]:
            at = next((i for i, (x, y) in enumerate(zip(want[name], got[name])) if x != y), min(len(want[name]), len(got[name])))
            yield f"{name}: {want[name][max(at - 300, 0):at + 100]!r}\n  became {got[name][max(at - 300, 0):at + 100]!r}"


USERS = ["alice"] + [d.__name__ + t for d in POP3 for t in ("", "_tls")]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("extra", ["", "mail_format = maildir\n"], ids=["culver", "maildir"])
def test_no_client_notices(extra):
    with Server(users=USERS, extra=LIMITS + extra, log_level="info") as server:
        _, want = play(server, lambda: None)
    with Server(users=USERS, extra=LIMITS + extra, log_level="info") as server:
        def upgrade():
            before = set(server.pids_of("culver-worker"))
            answer = server.ctl("upgrade-worker", "--all").stdout
            assert "lost" not in answer, answer
            assert not before & set(server.pids_of("culver-worker"))
        count, got = play(server, upgrade)
        log = server.log_text()
    assert count >= 50
    assert not list(differences(want, got)), "\n".join(differences(want, got))
    assert log.count("session taken over") > 200
    assert "level=error" not in log


# --- random dialogues ---------------------------------------------------------------------------------------------------

COMMANDS = ["SELECT INBOX", "SELECT work", "EXAMINE INBOX", "NOOP", "FETCH {n}:* (UID FLAGS)", "UID FETCH {n}:{m} (BODY.PEEK[])",
            "FETCH {n} (BODY[TEXT])", "STORE {n}:{m} +FLAGS (\\Deleted k{n})", "STORE {n} FLAGS.SILENT (\\Seen)", "EXPUNGE",
            "UID EXPUNGE {n}:{m}", "COPY {n}:{m} work", "UID MOVE {n}:{m} INBOX", "SEARCH RETURN (SAVE) UNSEEN", "FETCH $ (UID)",
            "UID SEARCH DELETED", "STATUS work (MESSAGES UIDNEXT UNSEEN)", "CREATE new", "RENAME new work/new", "DELETE work/new",
            "LIST \"\" *", "CLOSE", "UNSELECT", "NONSENSE", "FETCH", "ENABLE QRESYNC"]


def say(rng):
    if rng.random() < 0.15:
        m = message(rng.randrange(100), rng.choice([20, 3000, 400000]))
        return b"APPEND %s {%d+}\r\n%s" % (rng.choice([b"INBOX", b"work", b"none"]), len(m), m)
    return rng.choice(COMMANDS).format(n=rng.randrange(1, 12), m=rng.randrange(1, 20)).encode()


def random_dialogue(server, seed, disturb):
    """Four clients, one after the other, each a few commands in pieces."""
    rng = random.Random(seed)
    clients = [Client(server, tls=i == 3) for i in range(4)]
    clients[0].ok("CREATE work")
    for _ in range(120):
        c = rng.choice(clients)
        # With NOOP between them no two changes share a commit, which would let the answers depend on the moment.
        out = b"".join(b"r%d %s\r\nn NOOP\r\n" % (i, say(rng)) for i in range(rng.randrange(1, 5))) + b"r NOOP\r\n"
        cut = sorted(rng.randrange(len(out)) for _ in range(2))
        for piece in (out[:cut[0]], out[cut[0]:cut[1]], out[cut[1]:]):
            c.send(piece)
            disturb()
        c.literals(b"r")
    notes = [normal(c.notes) for c in clients]
    for c in clients:
        c.close()
    return notes


@pytest.mark.timeout(300)
def test_random_instants():
    rng = random.Random(SEED)
    print(f"CULVER_SEED={SEED}")
    extra = LIMITS + "imap_bad_commands = 1000\n"
    with Server(users=["alice"], extra=extra) as server:
        want = random_dialogue(server, SEED, lambda: None)
    with Server(users=["alice"], extra=extra, log_level="info") as server:
        stop = threading.Event()
        answers = []

        def upgrades():
            while not stop.wait(rng.random() * 0.1):
                answers.append(server.ctl("upgrade-worker", "alice", check=False).stdout)
        thread = threading.Thread(target=upgrades)
        thread.start()
        got = random_dialogue(server, SEED, lambda: time.sleep(rng.random() * 0.03))
        stop.set()
        thread.join()
        log = server.log_text()
    assert not list(differences(dict(enumerate(want)), dict(enumerate(got)))), "\n".join(differences(dict(enumerate(want)), dict(enumerate(got))))
    assert log.count("session taken over") > 40, answers
    assert "level=error" not in log


# --- under load, and when processes die ------------------------------------------------------------------------------------

@pytest.mark.timeout(200)
def test_under_load():
    """Sessions that change the mail in every way, deliveries, new sessions: none is lost, nothing that was acknowledged either."""
    rng = random.Random(SEED)
    print(f"CULVER_SEED={SEED}")
    with Server(users=["alice"], extra=LIMITS, log_level="info") as server:
        rounds = Rounds(server, rng)
        rounds.first_look()
        go, threads = wait_for(rounds.start, 15, "sessions")
        go.set()
        for _ in range(ROUNDS):
            time.sleep(rng.random() * 0.3)
            answer = server.ctl("upgrade-worker", "alice").stdout
            assert "taken over" in answer and "lost" not in answer
            c = Client(server)  # a new one finds its way
            c.ok("NOOP")
            c.close()
            assert all(t.is_alive() for t in threads), [t.error for t in threads]
        assert log_errors(server) == []
        kill_workers(server)
        ended = time.monotonic()
        rounds.finish(threads)
        rounds.check(ended, {b.name for b in rounds.ledger.boxes})
        counts = rounds.ledger.counts
        print(f"{ROUNDS} upgrades, acknowledged {counts}")
        assert rounds.has_seen(("APPEND", "STORE", "LMTP"))


def kill_workers(server):
    for pid in server.pids_of("culver-worker"):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it went by itself


def log_errors(server):
    return [l for l in server.log_text().splitlines() if "level=error" in l]


@pytest.mark.timeout(300)
def test_kill_anybody():
    """SIGKILL of the old worker, of the new one, in between: every session goes on or ends, none hangs, and what was acknowledged is there."""
    rng = random.Random(SEED)
    print(f"CULVER_SEED={SEED}")
    outcomes = set()
    with Server(users=["alice"], extra=LIMITS, log_level="info") as server:
        rounds = Rounds(server, rng)
        rounds.first_look()
        for n in range(ROUNDS):
            go, threads = wait_for(rounds.start, 20, "sessions")
            go.set()
            time.sleep(rng.random() * 0.1)
            upgrade = threading.Thread(target=lambda: outcomes.add(server.ctl("upgrade-worker", "alice", check=False).stdout), daemon=True)
            upgrade.start()
            for _ in range(rng.randrange(1, 3)):
                time.sleep(rng.random() * 0.12)
                kill_workers(server)
            upgrade.join(60)
            assert not upgrade.is_alive(), "culverctl hangs"
            kill_workers(server)  # those that went on end now
            ended = time.monotonic()
            rounds.finish(threads)
            rounds.check(ended, {rng.choice(rounds.ledger.boxes).name})
        rounds.check(ended, {b.name for b in rounds.ledger.boxes})
    print(outcomes)


def replace(server, program, text):
    path = server.bin / program
    path.unlink()
    path.write_text(text)
    os.chmod(path, 0o755)


@pytest.fixture
def copied():
    """A server whose programs the test may replace."""
    import shutil
    server = Server(users=["alice"], extra=LIMITS, log_level="info")
    programs = server.folder / "bin"
    if server.bin != programs:
        shutil.copytree(server.bin, programs)
        os.chmod(programs, 0o755)
        server.bin = programs
    with server:
        yield server


@pytest.mark.timeout(120)
def test_new_program_cannot_start(copied):
    """The client is told, and later sessions are served once there is a program again."""
    good = (copied.bin / "culver-worker").read_bytes()
    idle, half, pop3 = Client(copied), Client(copied), Client(copied, "pop3")
    idle.ok("SELECT INBOX")
    idle.send(b"i IDLE\r\n")
    idle.until(rb"^\+")
    half.send(b"a NO")
    replace(copied, "culver-worker", "#!/bin/false\n")
    answer = copied.ctl("upgrade-worker", "alice", check=False)
    assert answer.returncode == 1 and "3 lost" in answer.stderr, answer
    for c in (idle, half):
        assert c.until(rb"^\* BYE \[UNAVAILABLE\]")
        assert c.eof()
    assert pop3.eof()
    (copied.bin / "culver-worker").unlink()
    (copied.bin / "culver-worker").write_bytes(good)
    os.chmod(copied.bin / "culver-worker", 0o755)
    c = wait_for(lambda: again(copied), 60, "a session")
    c.ok("SELECT INBOX")


def again(server):
    try:
        return Client(server)
    except (AssertionError, OSError):
        return None


def test_new_program_is_used(copied):
    """The program file as it is now on disk."""
    c = Client(copied)
    before = os.stat(copied.bin / "culver-worker").st_ino
    good = (copied.bin / "culver-worker").read_bytes()
    (copied.bin / "culver-worker").rename(copied.bin / "old")
    (copied.bin / "culver-worker").write_bytes(good)
    os.chmod(copied.bin / "culver-worker", 0o755)
    assert os.stat(copied.bin / "culver-worker").st_ino != before
    assert copied.ctl("upgrade-worker", "alice").stdout == "alice: 1 session taken over\n"
    if ROOT:
        pid = copied.pids_of("culver-worker")[0]
        assert os.stat(f"/proc/{pid}/exe").st_ino == os.stat(copied.bin / "culver-worker").st_ino
    c.ok("NOOP")


def test_nothing_to_do(any_server):
    assert any_server.ctl("upgrade-worker", "nobody-here").stdout == "no worker runs for this user\n"
    assert any_server.ctl("upgrade-worker", check=False).returncode != 0
    c = any_server.imap()
    c.logout()
    answer = any_server.ctl("upgrade-worker", "--all").stdout
    assert re.search(r"^\d+ workers?$", answer.splitlines()[-1])


def test_stop_meanwhile(copied):
    """A server that is stopped while sessions are between two workers tells them."""
    c = Client(copied)
    c.ok("SELECT INBOX")
    replace(copied, "culver-worker", "#!/bin/sh\nexec sleep 5\n")
    upgrade = threading.Thread(target=lambda: copied.ctl("upgrade-worker", "alice", check=False), daemon=True)
    upgrade.start()
    wait_for(lambda: "session handed over" in copied.log_text(), 10, "the hand-over")
    copied.ctl("stop", check=False)
    assert c.until(rb"^\* BYE \[UNAVAILABLE\]")
    upgrade.join(30)
