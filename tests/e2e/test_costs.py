"""What hostile mail and hostile commands cost a user's worker: time of the processor and memory, measured in the real process.

CPU time is what the kernel counts for the process, so other load of the machine hardly shows; memory is the highest resident set of
the step above what there was before it, mapped files included.
"""

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from harness import ROOT, Raw, Server, wait_for

SANITIZED = "ASAN_OPTIONS" in os.environ
TICK = os.sysconf("SC_CLK_TCK")
pytestmark = pytest.mark.skipif(not ROOT or SANITIZED, reason="measures processes of other users, as they are built for use")


class Cost:
    """with Cost(pid) as c: …; then c.cpu (seconds) and c.kib, and limits in one go by c.within()."""

    def __init__(self, pid):
        self.pid = pid

    def field(self, name):
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{name}:\s+(\d+)", text, re.M).group(1))

    def used(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def __enter__(self):
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")  # the peak begins anew
        self.before_kib, self.before_cpu = self.field("VmRSS"), self.used()
        return self

    def __exit__(self, *exc):
        self.cpu = self.used() - self.before_cpu
        self.kib = self.field("VmHWM") - self.before_kib

    def within(self, what, cpu, kib):
        print(f"{what}: {self.cpu:.2f} s, {self.kib} KiB")
        assert self.cpu < cpu and self.kib < kib, (what, self.cpu, self.kib)


def log_in(server, user="alice"):
    raw = Raw(server.ports["imap"], timeout=60)
    raw.line()
    assert raw.ask(f"LOGIN {user} pw-{user}")[-1].startswith(b"t OK")
    return raw


def worker_of(server, user="alice"):
    uid = (server.folder / "mail" / user).stat().st_uid
    pid, = (p for p in server.pids_of("culver-worker") if os.stat(f"/proc/{p}").st_uid == uid)
    return pid


def answered(raw, command):
    """The answer with its literals; the tagged line is the last one."""
    raw.send(b"t " + command + b"\r\n")
    got = []
    while not got or not got[-1].startswith(b"t "):
        line = raw.line()
        literal = re.search(rb"\{(\d+)\}\r\n$", line)
        got.append(line + (raw.read(int(literal.group(1))) if literal else b""))
        assert line, got[-3:]
    return got


def append(raw, messages):
    """All in one command (RFC 3502), and one sync."""
    command = b"APPEND INBOX" + b"".join(b" {%d+}\r\n" % len(m) + m for m in messages)
    assert answered(raw, command)[-1].startswith(b"t OK")


# --- before log-in -----------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def shared():
    """One process for all clients before log-in, so that all they cost shows in one place."""
    with Server(users=["alice"], tls=False, log_level="warn", extra="login_isolation = shared\nconnections_per_address = 2000\n"
                "connections_max = 2000\nlogin_timeout = 5min\nlogin_bad_commands = 100\n") as s:
        yield s


POSITIONS = {"tag": b"", "name": b"a ", "argument": b"a LOGIN ", "second argument": b"a LOGIN x ", "mechanism": b"a AUTHENTICATE ",
             "response": b"a AUTHENTICATE PLAIN ", "ID": b"a ID (", "literal": b"a LOGIN {64+}\r\n"}


@pytest.mark.parametrize("position", POSITIONS)
def test_junk_before_log_in(shared, position):
    """64 KiB of each kind of junk in each position of a command: answered or closed, at 128 KiB at most."""
    pid, = shared.pids_of("culver-imap-login")
    for junk in (b"(", b"{", b'"', b"\\", b"\0", b"\xff", b"\r", b"\n", b"a", b" ", b"\r\n", b"{1}\r\n", b"{4294967295+}\r\n"):
        with Cost(pid) as cost:
            with shared.raw("imap") as c:
                c.line()
                try:
                    c.send(POSITIONS[position] + junk * (65536 // len(junk)) + b"\r\n")
                except ConnectionError:
                    pass
                assert c.line()
        cost.within(f"{position}: {junk!r}", 0.5, 128)


def test_literals_before_log_in(shared):
    """Sizes that nobody can mean are refused where they are read; none is allocated."""
    pid, = shared.pids_of("culver-imap-login")
    with Cost(pid) as cost:
        for size in [b"4294967295"] * 100 + [b"4294967296", b"-1", b"00000000000000000000001", b"9" * 100, b"", b"+", b"0x10"]:
            for plus in (b"", b"+"):
                with shared.raw("imap") as c:
                    c.line()
                    c.send(b"a LOGIN {" + size + plus + b"}\r\n")
                    assert b"BAD" in c.line(), size
    cost.within("214 literals", 0.5, 512)


def test_idle_connections_before_log_in(shared):
    """A thousand that say nothing, or half a line, cost 100 KiB each at most, and a log-in among them works."""
    pid, = shared.pids_of("culver-imap-login")
    with Cost(pid) as cost:
        idle = [Raw(shared.ports["imap"]) for _ in range(1000)]
        for n, c in enumerate(idle):
            assert c.line().startswith(b"* OK")
            if n % 2:
                c.send(b"a LOGIN alice " + b"x" * 8000)
        log_in(shared).close()
    cost.within("1000 connections", 5.0, 1000 * 100)
    for c in idle:
        c.close()


# --- messages ------------------------------------------------------------------------------------------------------------------

def nested_multiparts(n):
    part = b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n"
    return b"".join(part % (i, i) for i in range(n)) + b"\r\nx\r\n"


def parameters(n):
    return b"Content-Type: text/plain" + b"".join(b";\r\n name*%d*=utf-8''%d" % (i, i) for i in range(n)) + b"\r\n\r\nx\r\n"


PART = b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n"
MESSAGES = {
    "500 000 To fields": lambda: b"To: someone@example.org\r\n" * 500_000 + b"\r\nx\r\n",
    "one To field of 500 000 addresses": lambda: b"To: " + b"someone@example.org,\r\n " * 500_000 + b"x@example.org\r\n\r\nx\r\n",
    "1 000 000 header lines": lambda: b"X-Y: z\r\n" * 1_000_000 + b"\r\nx\r\n",
    "a header field of 10 MiB": lambda: b"Subject: " + b"x" * (10 << 20) + b"\r\n\r\nx\r\n",
    "a folded header field of 10 MiB": lambda: b"Subject: " + b"x\r\n " * (10 << 18) + b"\r\n\r\nx\r\n",
    "1 000 000 nested multiparts": lambda: nested_multiparts(1_000_000),
    "100 000 nested messages": lambda: b"Content-Type: message/rfc822\r\n\r\n" * 100_000 + b"Subject: x\r\n\r\nx\r\n",
    "100 000 boundaries of one": lambda: b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + PART * 100_000 + b"--b--\r\n",
    "1 000 000 lines that begin as boundaries": lambda: (b"Content-Type: multipart/mixed; boundary=" + b"b" * 70 + b"\r\n\r\n--"
                                                         + b"b" * 70 + b"\r\n\r\n" + (b"--" + b"b" * 30 + b"\r\n") * 1_000_000),
    "100 000 parts of a parameter": lambda: parameters(100_000),
    "an encoded word without end": lambda: b"Subject: " + b"=?utf-8?q?" * 500_000 + b"\r\n\r\nx\r\n",
    "brackets, quotes and comments": lambda: b"From: " + b"(" * 500_000 + b'"\\' * 500_000 + b"<" * 500_000 + b"\r\n\r\nx\r\n",
    "100 000 references": lambda: b"Message-ID: <a@b>\r\nReferences: " + b"".join(b"<%d@b>\r\n " % i for i in range(100_000)) + b"\r\n\r\nx\r\n",
}


@pytest.fixture(scope="module")
def server():
    with Server(users=["alice", "bob", "carol"], tls=False, log_level="info", extra="sessions_per_user = 200\n"
                "sessions_per_user_address = 200\nconnections_per_address = 200\nworker_linger = 1h\nimap_bad_commands = 100\n") as s:
        yield s


@pytest.mark.parametrize("name", MESSAGES)
def test_hostile_messages(server, name):
    """Each is delivered by LMTP, and its envelope and structure fetched, for less than a second and 64 MiB each; whole it is as it came."""
    message = MESSAGES[name]()
    raw = log_in(server)
    assert answered(raw, b"SELECT INBOX")[-1].startswith(b"t OK")
    cost = Cost(worker_of(server))
    with cost:
        with server.lmtp() as lmtp:
            lmtp.sendmail("sender@example.org", ["alice"], message)
    cost.within(f"{name}, {len(message) >> 20} MiB, delivered", 1.0, (64 << 10) + (len(message) >> 10))
    assert answered(raw, b"NOOP")[-1].startswith(b"t OK")
    with cost:
        got = answered(raw, b"UID FETCH * (ENVELOPE BODYSTRUCTURE)")
    assert got[-1].startswith(b"t OK") and b"ENVELOPE" in b"".join(got[:-1])
    cost.within(f"{name}, fetched", 1.0, 64 << 10)
    with cost:
        assert answered(raw, b"UID SEARCH HEADER Subject nothing TO nobody BODY nowhere")[-1].startswith(b"t OK")
        assert answered(raw, b"UID THREAD REFERENCES utf-8 ALL")[-1].startswith(b"t OK")
    cost.within(f"{name}, searched and threaded", 1.0, (64 << 10) + (len(message) >> 10))
    size = int(re.search(rb"RFC822.SIZE (\d+)", b"".join(answered(raw, b"UID FETCH * RFC822.SIZE"))).group(1))
    assert size >= len(message)
    assert answered(raw, b"UID STORE 1:* +FLAGS.SILENT (\\Deleted)")[-1].startswith(b"t OK")
    assert answered(raw, b"EXPUNGE")[-1].startswith(b"t OK")
    raw.close()


# --- commands ------------------------------------------------------------------------------------------------------------------

def chunks(values, n):
    return [values[i:i + n] for i in range(0, len(values), n)]


def test_chosen_keys(server):
    """A hundred thousand keywords, header names and thread references of a client's choice: nothing becomes slow by what they are."""
    raw = log_in(server, "bob")
    message = b"Message-ID: <m@b>\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(20_000)) + b"\r\nx\r\n"
    append(raw, [b"Message-ID: <%d@b>\r\nReferences: %s\r\n\r\nx\r\n" % (i, b" ".join(b"<%d.%d@b>" % (i, n) for n in range(200)))
                 for i in range(20)] + [message])
    assert answered(raw, b"SELECT INBOX")[-1].startswith(b"t OK")
    cost = Cost(worker_of(server, "bob"))
    with cost:
        refused = 0
        for some in chunks(range(100_000), 200):
            keywords = b" ".join(b"k%d" % i for i in some)
            refused += not answered(raw, b"STORE 1 +FLAGS.SILENT (%s)" % keywords)[-1].startswith(b"t OK")
    assert refused == 499  # a mailbox has 256
    cost.within("100 000 new keywords", 0.2 + 0.5, 16 << 10)
    with cost:
        for some in chunks(range(100_000), 200):
            names = b" ".join(b"X-%d" % i for i in some)
            assert answered(raw, b"FETCH 1 BODY.PEEK[HEADER.FIELDS (%s)]" % names)[-1].startswith(b"t OK")
    cost.within("100 000 header names", 0.2 + 0.5, 16 << 10)
    with cost:
        assert answered(raw, b"THREAD REFERENCES utf-8 ALL")[-1].startswith(b"t OK")
    cost.within("4 000 references threaded", 0.2, 16 << 10)
    with cost:
        for some in chunks(range(20_000), 1_000):
            raw.send(b"".join(b"n STATUS box%d (MESSAGES)\r\n" % i for i in some))
            for _ in some:
                assert raw.line().startswith(b"n NO")
    cost.within("20 000 names that do not exist", 0.5, 16 << 10)
    raw.close()


def depth(key, n):
    return b"NOT " * n + key


SEARCHES = {
    "64 nested NOT": lambda: depth(b"SUBJECT x", 64),
    "64 nested OR": lambda: b"OR SEEN " * 64 + b"BODY x",
    "64 pairs of parentheses": lambda: b"(" * 62 + b"TEXT x" + b")" * 62,
    "1000 keys": lambda: b" ".join([b"NOT SUBJECT x%d" % i for i in range(480)]),
    "1000 keys in bodies": lambda: b" ".join([b"NOT BODY y%d" % i for i in range(480)]),
    "1000 header names": lambda: b" ".join([b"NOT HEADER X-%d x" % i for i in range(480)]),
    "a set of 10000 ranges": lambda: b",".join(b"%d:%d" % (2 * i + 1, 2 * i + 2) for i in range(5_000)),
    "too deep": lambda: depth(b"ALL", 10_000),
}


@pytest.fixture(scope="module")
def searched(server):
    raw = log_in(server, "carol")
    append(raw, [b"Subject: number %d\r\n\r\n" % i + b"some text of which there is more\r\n" * 30 for i in range(200)])
    assert answered(raw, b"SELECT INBOX")[-1].startswith(b"t OK")
    yield raw
    raw.close()


@pytest.mark.parametrize("name", SEARCHES)
def test_searches(server, searched, name):
    """Nested and long searches end or are refused at once, in little memory, and the session goes on."""
    with Cost(worker_of(server, "carol")) as cost:
        answer = answered(searched, b"SEARCH " + SEARCHES[name]())[-1]
    assert answer.startswith((b"t OK", b"t BAD", b"t NO")), answer
    cost.within(f"{name}: {answer[:20]}", 1.0, 16 << 10)
    assert answered(searched, b"NOOP")[-1].startswith(b"t OK")


# --- many mailboxes --------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def many():
    """A user with ten thousand mailboxes: as many as one may have."""
    with Server(users=["alice", "bob"], tls=False, log_level="warn", extra="sessions_per_user = 200\nsessions_per_user_address = 200\n"
                "connections_per_address = 200\nworker_linger = 1h\n") as s:
        raw = log_in(s)
        trees = 310  # of 32 levels each
        raw.send(b"".join(b"n CREATE %s\r\n" % b"/".join([b"aaaaaaaaaaaaaaaaaaaaaaaaa%d" % i] * 32) for i in range(trees)))
        for _ in range(trees):
            assert raw.line().startswith(b"n OK")
        assert len(raw.ask('LIST "" *')) > trees * 32
        yield s, raw
        raw.close()


def test_patterns(many):
    """Wildcards over ten thousand names, from one who wants many matches tried: less than a second, and another user is served."""
    server, raw = many
    pid = worker_of(server)
    other = log_in(server, "bob")
    for pattern in (b"*%" * 500, b"*%" * 500 + b"z", b"*a" * 500, b"%a" * 500, b"a*" * 500 + b"z", b"*" * 1000):
        with Cost(pid) as cost:
            raw.send(b't LIST "" ' + b'"' + pattern + b'"\r\n')
            begun = time.monotonic()
            assert other.ask(b"NOOP")[-1].startswith(b"t OK")
            waited = time.monotonic() - begun
            assert raw.until(rb"^t ")[-1].startswith(b"t OK")
        cost.within(f"LIST {pattern[:4].decode()}… (the other waited {waited * 1000:.0f} ms)", 1.0, 16 << 10)
    assert raw.ask(b'LIST "" "' + b"*%" * 4096 + b'"')[-1].startswith(b"t BAD")
    other.close()


def test_notify_costs_what_changes(many):
    """RFC 5465: sessions that want to hear of ten thousand mailboxes look at those few that change."""
    server, raw = many
    watchers = [log_in(server) for _ in range(20)]
    for w in watchers:
        assert w.ask("NOTIFY SET (PERSONAL (MessageNew MessageExpunge FlagChange MailboxName))")[-1].startswith(b"t OK")
    pid = worker_of(server)
    message = b"Subject: x\r\n\r\nx\r\n"
    with Cost(pid) as cost:
        for _ in range(100):
            append(raw, [message])
        for w in watchers:
            w.until(rb"MESSAGES 100 ")
    # 2 000 times 10 000 names would be many seconds.
    cost.within("20 sessions told of 100 messages", 2.0, 16 << 10)
    for w in watchers:
        w.close()


# --- output and input that is not taken -------------------------------------------------------------------------------------------

def test_slow_readers(server):
    """A client that takes no output is cut after output_stall_timeout; meanwhile the user's other sessions go on, also in its mailbox, and
    its answers wait unmade."""
    with Server(users=["alice"], tls=False, log_level="info", extra="output_stall_timeout = 10s\nworker_linger = 1h\n") as s:
        message = b"Subject: x\r\n\r\n" + (b"y" * 78 + b"\r\n") * 1_000
        other = log_in(s)
        append(other, [message] * 3)
        assert answered(other, b"SELECT INBOX")[-1].startswith(b"t OK")
        pid = worker_of(s)
        stalled = []
        with Cost(pid) as cost:
            for _ in range(10):
                c = Raw(s.ports["imap"], timeout=60)
                c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                c.line()
                assert c.ask("LOGIN alice pw-alice")[-1].startswith(b"t OK")
                assert c.ask("SELECT INBOX")[-1].startswith(b"t OK")
                c.sock.setblocking(False)
                fetch = b"".join(b"f%d FETCH 1:3 (BODY.PEEK[] BODYSTRUCTURE ENVELOPE)\r\n" % i for i in range(2_000))
                at = 0
                try:
                    while at < len(fetch):
                        at += c.sock.send(fetch[at:])
                except BlockingIOError:
                    pass
                stalled.append(c)
            for _ in range(5):
                assert answered(other, b"STORE 1 FLAGS (\\Seen)")[-1].startswith(b"t OK")
                append(other, [message])
            wait_for(lambda: s.log_text().count('reason="output stalled"') == 10, 30, "the slow readers' ends")
        cost.within("10 readers that do not read", 3.0, 16 << 10)
        assert answered(other, b"EXPUNGE")[-1].startswith(b"t OK")
        for c in [*stalled, other]:
            c.close()


def test_one_limit_for_all_sessions():
    """Compressed, idle and pipelining sessions of one user share the worker's memory limit, and stay far below it: 30 sessions within
    what one may have."""
    with Server(users=["alice", "bob"], tls=False, log_level="info", extra="worker_memory = 64M\nsessions_per_user = 100\n"
                "sessions_per_user_address = 100\nconnections_per_address = 100\nworker_linger = 1h\n") as s:
        first = log_in(s)
        message = b"Subject: x\r\n\r\n" + b"x" * 70 + b"\r\n"
        append(first, [message] * 20)
        pid = worker_of(s)
        limit = re.search(r"^Max data size\s+(\d+)", Path(f"/proc/{pid}/limits").read_text(), re.M).group(1)
        assert int(limit) == 64 << 20  # the kernel's
        sessions = []
        with Cost(pid) as cost:
            for i in range(30):
                c = log_in(s)
                assert c.ask("SELECT INBOX")[-1].startswith(b"t OK")
                if i % 3 == 0:
                    assert c.ask("COMPRESS DEFLATE")[-1].startswith(b"t OK")
                    c.deflate()
                if i % 3 == 1:
                    c.send(b"i IDLE\r\n")
                    assert c.line().startswith(b"+")
                    c.send(b"x" * 200_000)  # a line that never ends
                else:
                    getattr(c.sock, "sock", c.sock).settimeout(0.2)
                    try:
                        c.send(b"".join(b"p%d FETCH 1:* (FLAGS BODY.PEEK[] ENVELOPE)\r\n" % n for n in range(1_000)))
                    except OSError:
                        pass
                sessions.append(c)
            assert answered(first, b"NOOP")[-1].startswith(b"t OK")
        cost.within("30 sessions that take nothing and say much", 20.0, 64 << 10)
        assert worker_of(s) == pid
        bob = log_in(s, "bob")
        assert answered(bob, b"SELECT INBOX")[-1].startswith(b"t OK")
        for c in [*sessions, first, bob]:
            c.close()


def limit_memory(pid, octets):
    """As the user the worker runs as: root without CAP_SYS_RESOURCE may not."""
    who = os.stat(f"/proc/{pid}")
    subprocess.run(["prlimit", f"--pid={pid}", f"--data={octets}:{octets}"], check=True, user=who.st_uid, group=who.st_gid, extra_groups=[])


def test_memory_used_up():
    """A worker that meets its limit ends with a farewell: RFC 9051 7.1.5 and RFC 5530 (UNAVAILABLE) to those whom a line can be told,
    the log says how much it was, others notice nothing, and the user comes back to all that was acknowledged. It takes many sessions to
    get there, so here the limit comes down to what the worker has."""
    with Server(users=["alice", "bob"], log_level="info", extra="sessions_per_user = 1000\nsessions_per_user_address = 1000\n"
                "connections_per_address = 1000\nworker_linger = 1h\n") as s:
        bob = log_in(s, "bob")
        idle, quiet, packed, pop = log_in(s), log_in(s), log_in(s), Raw(s.ports["pop3"], timeout=60)
        append(quiet, [b"Subject: before\r\n\r\nx\r\n"])
        for c in (idle, packed):
            assert c.ask("SELECT INBOX")[-1].startswith(b"t OK")
        idle.send(b"i IDLE\r\n")
        assert idle.line().startswith(b"+")
        assert packed.ask("COMPRESS DEFLATE")[-1].startswith(b"t OK")
        packed.deflate()
        assert pop.line().startswith(b"+OK")
        for command in (b"USER alice\r\n", b"PASS pw-alice\r\n"):
            pop.send(command)
            assert pop.line().startswith(b"+OK")
        secure = s.imaps()  # the worker's end is that of a pair
        pid, bobs = worker_of(s), worker_of(s, "bob")
        has = Cost(pid).field("VmData") << 10
        limit_memory(pid, has)
        more, answers = [], []
        for n in range(900):  # each new session takes a little, until there is nothing
            c = Raw(s.ports["imap"], timeout=60)
            c.line()
            c.send(b"t LOGIN alice pw-alice\r\n")
            answers.append(c.line())
            more.append(c)
            if not answers[-1].startswith(b"t OK") or "used up" in s.log_text():
                break
        wait_for(lambda: "the worker's memory is used up" in s.log_text(), 30, "the worker's end")
        farewell = rb"^\* BYE \[UNAVAILABLE\] [ -~]+\r\n$"
        for c in (idle, quiet):
            assert re.match(farewell, c.line())
            assert c.line() == b""
        assert packed.line() == b"" and pop.line() == b""
        assert re.match(farewell, secure.readline()) and secure.readline() == b""
        line, = (t for t in s.log_text().splitlines() if "the worker's memory is used up" in t)
        assert " level=error " in line and f" limit={has} " in line and " user=alice " in line, line
        assert int(re.search(r" told=(\d+)", line).group(1)) >= 3, line
        assert s.log_text().count('msg=panic what="out of memory"') == 1
        again = log_in(s)
        assert worker_of(s) != pid
        assert any(t.startswith(b"* 1 EXISTS") for t in answered(again, b"SELECT INBOX"))
        assert answered(bob, b"SELECT INBOX")[-1].startswith(b"t OK") and worker_of(s, "bob") == bobs
        secure.shutdown()
        for c in [*more, idle, quiet, packed, pop, again, bob]:
            getattr(c.sock, "sock", c.sock).close()


@pytest.mark.parametrize("room", [0, 16, 64, 128, 512, 2048])
def test_acknowledged_with_little_memory(room):
    """Whatever of a session's commands cannot be had for want of memory, what was answered with OK is there afterwards."""
    with Server(users=["alice"], tls=False, log_level="info", extra="worker_linger = 1h\n") as s:
        raw = log_in(s)
        append(raw, [b"Subject: 0\r\n\r\nx\r\n"])
        pid = worker_of(s)
        has = (Cost(pid).field("VmData") + room) << 10
        limit_memory(pid, has)
        there, refused = 1, 0
        for n in range(1, 40):
            message = b"Subject: %d\r\nTo: %s\r\n\r\n" % (n, b", ".join(b"a%d@example.org" % i for i in range(n * 50))) + b"x" * (n << 14)
            try:
                raw.send(b"t APPEND INBOX {%d+}\r\n" % len(message) + message + b"\r\n")
                answer = raw.line()
                while answer and not answer.startswith((b"t ", b"* BYE")):
                    answer = raw.line()
                if answer.startswith(b"t OK"):
                    there += 1
                    answered(raw, b"SELECT INBOX")
                    answered(raw, b"FETCH 1:* (ENVELOPE BODYSTRUCTURE)")
                    answered(raw, b"SORT (SUBJECT) utf-8 ALL")
                    continue
            except (OSError, AssertionError):
                pass
            refused += 1
            raw.close()
            raw = log_in(s)
        print(f"{room} KiB: {there} acknowledged, {refused} refused")
        raw.close()
        assert refused > 0 or room > 128
        died = [t for t in s.log_text().splitlines() if 'msg="worker died"' in t]
        assert all(" signal=6 " in t for t in died) and len(died) == s.log_text().count("the worker's memory is used up"), died
        for pid in s.pids_of("culver-worker"):
            os.kill(pid, signal.SIGKILL)  # the last one may still have no more than that
        after = log_in(s)
        text = b"".join(answered(after, b"STATUS INBOX (MESSAGES)"))
        assert int(re.search(rb"MESSAGES (\d+)", text).group(1)) >= there
        assert answered(after, b"SELECT INBOX")[-1].startswith(b"t OK")
        subjects = b"".join(answered(after, b"FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]"))
        assert subjects.count(b"Subject:") >= there
        after.close()
