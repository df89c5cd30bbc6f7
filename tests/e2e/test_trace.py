"""System calls of the real processes: when a client reads OK (or 250), what it was told is on the disk, and so is every new name."""

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from harness import ROOT, Server
from messages import simple

pytestmark = pytest.mark.skipif(not ROOT or shutil.which("strace") is None, reason="needs root and strace")

WRITES = ["write", "writev", "pwrite64", "pwritev", "pwritev2", "ftruncate", "fallocate", "copy_file_range", "sendfile", "splice"]
NAMES = ["openat", "openat2", "mkdir", "mkdirat", "renameat", "renameat2", "linkat", "symlinkat", "unlinkat"]
SYNCS = ["fsync", "fdatasync"]
CALLS = WRITES + NAMES + SYNCS + ["sendmsg", "sendto"]


def parent(pid):
    """0 where the process is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


class Trace:
    """strace of every process of a server, and of all that they start from now on: workers from their first instruction. Or of
    some only."""

    def __init__(self, server, pids=None):
        self.server = server
        self.path = server.folder / "trace"
        if pids is None:
            pids = [p for p in server.pids() if p == server.proc.pid or parent(p) == server.proc.pid]
        self.proc = subprocess.Popen(["strace", "-f", "-yy", "-s", "300", "-e", "trace=" + ",".join(CALLS), "-e", "signal=none", "-o",
                                      str(self.path), *[a for pid in pids for a in ("-p", str(pid))]],
                                     stderr=subprocess.PIPE, text=True)
        for _ in pids:
            line = self.proc.stderr.readline()
            if "attached" not in line:
                self.proc.terminate()
                pytest.skip(f"cannot trace here: {line.strip()}")

    def calls(self):
        """(pid, name, arguments, result, call has only begun, call had begun in an earlier line), in order."""
        begun = {}
        for line in self.path.read_text(errors="replace").splitlines():
            m = re.match(r"(\d+) +(\w+)\((.*) <unfinished \.\.\.>$", line)
            if m:
                begun[m[1]] = m[3]
                yield m[1], m[2], m[3], None, True, False
                continue
            m = re.match(r"(\d+) +<\.\.\. (\w+) resumed>(.*?)\) += (-?\d+)", line)
            if m:
                yield m[1], m[2], begun.pop(m[1], "") + m[3], int(m[4]), False, True
                continue
            m = re.match(r"(\d+) +(\w+)\((.*)\) += (-?\d+)", line)
            if m:
                yield m[1], m[2], m[3], int(m[4]), False, False

    def stop(self):
        size = -1
        while self.path.stat().st_size != size:  # what happened is written down a little later
            size = self.path.stat().st_size
            time.sleep(0.2)
        self.proc.terminate()
        self.proc.wait(20)
        self.proc.stderr.close()


def path_of(args):
    """The file of the call's first descriptor."""
    m = re.match(r"\d+<([^>]*)>", args)
    return m[1] if m else ""


def made(name, args, result):
    """The folder in which this call changed an entry that matters, or None."""
    if name == "mkdirat":
        return path_of(args)
    if name in ("openat", "openat2") and "O_CREAT" in args and result is not None and result >= 0:
        file = re.search(r'>, "([^"]*)"', args)
        return path_of(args) if file and file[1] != "lock" else None
    if name in ("renameat", "renameat2", "linkat", "symlinkat", "mkdir"):
        raise AssertionError(f"the checker does not know {name}")
    return None


class Checker:
    """Follows what is not on the disk yet. Files and folders count below the mail folder only; files without a name do not."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.dirty = {}     # path -> the line that made it so
        self.syncing = {}   # pid -> what was dirty when its sync began
        self.answers = []   # (text, syncs since the last answer)
        self.syncs = 0

    def feed(self, pid, name, args, result, begins, resumed):
        path = path_of(args)
        ours = path.startswith(self.folder) and "/#" not in path
        if name in SYNCS and ours:
            if begins:
                self.syncing[pid] = path in self.dirty, self.dirty.get(path)
            elif result == 0:
                known = self.syncing.pop(pid, (path in self.dirty, self.dirty.get(path)))
                if known[0] and self.dirty.get(path) is known[1]:
                    del self.dirty[path]
                self.syncs += 1
        elif name in WRITES and ours and not resumed:
            self.dirty[path] = object()
        elif name == "unlinkat":
            gone = self.folder in path and re.search(r'>, "([^"]*)"', args)
            if gone and not begins:
                pending = [p for p in self.dirty if p != f"{path}/{gone[1]}"]
                assert not pending, f"{gone[1]} is removed while {pending} are not on the disk"
                self.dirty.pop(f"{path}/{gone[1]}", None)
        elif not begins and ours and made(name, args, result) is not None:
            self.dirty[path] = object()
        elif name in ("sendmsg", "sendto", "write", "writev") and path.startswith("TCP") and not resumed:
            told = re.search(r'"(?:[^"\\]|\\.)*?((?:t\d* OK|250 2|250 OK|\+OK)(?:[^"\\]|\\.)*)', args)
            if told:
                assert not self.dirty, f"{told[1]!r} was said before {sorted(self.dirty)} was on the disk"
                self.answers.append((told[1], self.syncs))
                self.syncs = 0


def check(server, trace):
    trace.stop()
    checker = Checker(server.folder / "mail")
    for call in trace.calls():
        checker.feed(*call)
    return checker


def append(raw, tag, mailbox, message):
    raw.send(f"{tag} APPEND {mailbox} {{{len(message)}+}}\r\n".encode() + message + b"\r\n")
    return raw.until(rf"^{tag} ".encode())


# Each changes something; n is the number of the command.
COMMANDS = ["CREATE Work", "SUBSCRIBE Work", "SELECT INBOX", "COPY 1 Work", "UID MOVE 2 Work", "STORE 1 +FLAGS (\\Seen)",
            "STORE 1 +FLAGS (kw)", "STORE 1 FLAGS (\\Deleted)", "EXPUNGE", "UID STORE 3 +FLAGS.SILENT (\\Deleted)", "UID EXPUNGE 3",
            "MOVE 1 Work", "STORE 1:* +FLAGS (\\Deleted)", "CLOSE", "RENAME Work Done", "UNSUBSCRIBE Work", "CREATE a/b/c", "RENAME a x",
            "DELETE Done"]
NO_CHANGE = {"SELECT INBOX"}


def test_durable_before_ok():
    with Server(extra="flag_sync = 0\n", log_level="info") as server:
        trace = Trace(server)
        with server.raw("imap") as c:
            c.line()
            c.ask("LOGIN alice pw-alice", b"t0")
            expected = []
            for n in range(6):
                assert b"OK" in append(c, f"t{n + 1}", "INBOX", simple(n))[-1]
                expected.append(f"t{n + 1}")
            for n, command in enumerate(COMMANDS, 100):
                answer = c.ask(command, b"t%d" % n)[-1]
                assert b" OK" in answer, (command, answer)
                if command not in NO_CHANGE:
                    expected.append(f"t{n}")
        server.deliver("bob", simple(1))  # his first: folder, log and all
        server.deliver("bob", simple(2))
        pop = server.pop3("bob")
        pop.dele(1)
        pop.quit()
        checker = check(server, trace)
        answers = dict((text.split()[0], syncs) for text, syncs in checker.answers)
        by_number = dict(enumerate(COMMANDS, 100))
        for tag in expected:
            assert answers.get(tag, 0) >= 1, f"{tag} {by_number.get(int(tag[1:]), 'APPEND')}: OK without a sync"
        delivered = [syncs for text, syncs in checker.answers if text.startswith("250 2.0.0") or "elivered" in text]
        assert len([s for s in delivered if s >= 1]) >= 2, checker.answers
        quit_ = [syncs for text, syncs in checker.answers if text.startswith("+OK")][-1]
        assert quit_ >= 1, f"POP3 QUIT: +OK without a sync: {checker.answers[-12:]}"


def test_new_segments_of_the_log():
    """Messages that fill a segment: the next one, with its name, is on the disk before the OK."""
    with Server(log_level="info") as server:
        trace = Trace(server)
        with server.raw("imap") as c:
            c.line()
            c.ask("LOGIN alice pw-alice", b"t0")
            message = simple(1) + b"x" * 70 + b"\r\n"
            message += (b"y" * 70 + b"\r\n") * ((24 << 20) // 72)
            for n in range(4):
                assert b"OK" in append(c, f"t{n + 1}", "INBOX", message)[-1]
        checker = check(server, trace)
        answers = dict((text.split()[0], syncs) for text, syncs in checker.answers)
        assert all(answers.get(f"t{n + 1}", 0) >= 1 for n in range(4)), answers
        assert len(list((server.folder / "mail/alice").glob("log.*"))) > 1


def test_flags_within_a_second():
    with Server(log_level="info") as server:
        trace = Trace(server)
        with server.raw("imap") as c:
            c.line()
            c.ask("LOGIN alice pw-alice", b"t0")
            append(c, "t1", "INBOX", simple(1))
            c.ask("SELECT INBOX", b"t2")
            c.ask("STORE 1 +FLAGS (\\Seen)", b"t3")
            c.ask("STORE 1 +FLAGS (\\Flagged)", b"t4")
            time.sleep(1.5)
            trace.stop()
        dirty = False
        for _, name, args, result, begins, _ in trace.calls():
            if "/log." in path_of(args):
                dirty = dirty and not (name in SYNCS and result == 0) or name in WRITES
        assert not dirty


def test_whole_messages_by_sendfile():
    """A plain session's FETCH of a large message: its octets go from the page cache to the socket and through no buffer."""
    message = simple(1) + (b"y" * 70 + b"\r\n") * ((8 << 20) // 72)
    with Server(log_level="info", tls=False) as server:
        with server.raw("imap") as c:
            c.line()
            c.ask("LOGIN alice pw-alice", b"t0")
            append(c, "t1", "INBOX", message)
            c.ask("SELECT INBOX", b"t2")
            trace = Trace(server, server.pids_of("culver-worker"))
            c.send(b"t3 FETCH 1 (BODY.PEEK[])\r\nt4 STORE 1 +FLAGS.SILENT (\\Seen)\r\nt5 FETCH 1 (FLAGS)\r\n")
            line = c.line()
            assert line == b"* 1 FETCH (BODY[] {%d}\r\n" % len(message)
            assert c.read(len(message)) == message
            assert c.line() == b")\r\n"
            assert [x[:5] for x in c.until(rb"^t5 ")] == [b"t3 OK", b"t4 OK", b"* 1 F", b"t5 OK"]
            trace.stop()
        sent = {"sendfile": 0, "other": 0}
        for _, name, args, result, begins, _ in trace.calls():
            if path_of(args).startswith("TCP") and not begins and result > 0 and name in ("sendfile", "sendto", "sendmsg", "write", "writev"):
                sent["sendfile" if name == "sendfile" else "other"] += result
        assert sent["sendfile"] == len(message), sent
        assert 0 < sent["other"] < 1000, sent
