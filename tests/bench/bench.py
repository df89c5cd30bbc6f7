"""Culver and Debian's Dovecot on the same machine in one run: absolute figures and ratios.

Each server runs with defaults (but for limits on connections that one address would reach) in a folder of its own and on random
ports; nothing else of the machine is touched. The client is the same for all and speaks over plain sockets. A figure is a rate,
where more is better, or a time or size, where less is better; the ratio is above 1 where Culver is better.
"""

import argparse
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from harness import BIN, ROOT, Server, free_port, wait_for  # noqa: E402

USERS = [f"user{i:02}" for i in range(50)]
SECONDS = 3.0  # for each rate
MAILDROP = 100000  # messages of the large one of POP3


def message(size, number=0):
    head = (f"From: Sender <sender@example.org>\r\nTo: user@example.org\r\nSubject: Message {number} of many\r\n"
            f"Date: Fri, 02 Jan 2026 10:00:00 +0000\r\nMessage-ID: <{number}@example.org>\r\n\r\n").encode()
    line = b"The quick brown fox jumps over the lazy dog, and then does it again.\r\n"
    return (head + line * (size // len(line) + 1))[:size - 2] + b"\r\n"


class Imap:
    def __init__(self, port, user=None):
        self.sock = socket.create_connection(("127.0.0.1", port), 60)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tail = b""
        self.line()
        if user:
            self.ask(f"LOGIN {user} {Server.password(user)}")

    def line(self):
        while b"\r\n" not in self.tail:
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError("the server closed the connection")
            self.tail += data
        line, self.tail = self.tail.split(b"\r\n", 1)
        return line

    def finish(self, tag=b"t"):
        """Reads up to the tagged answer, which is the last thing the server says; returns the octets read."""
        n, end, data = len(self.tail), self.tail, None
        while True:
            at = end.rfind(b"\r\n" + tag + b" ") if not end.startswith(tag + b" ") else -2
            if (at >= 0 or at == -2) and end.endswith(b"\r\n"):
                answer = end[at + 2:]
                if not answer.startswith(tag + b" OK"):
                    raise RuntimeError(answer.decode(errors="replace"))
                self.tail = b""
                return n
            data = self.sock.recv(1 << 18)
            if not data:
                raise ConnectionError("the server closed the connection")
            n += len(data)
            end = end[-2000:] + data

    def ask(self, command):
        self.sock.sendall(b"t " + command.encode() + b"\r\n")
        return self.finish()

    def append(self, mailbox, data, times=1):
        """As many pipelined APPEND commands, each of one message."""
        one = b" APPEND %s {%d+}\r\n%s\r\n" % (mailbox, len(data), data)
        self.sock.sendall(b"".join(b"%c" % (0x61 + i) + one for i in range(times)))
        for _ in range(times):
            line = self.line()
            while line.startswith(b"*"):
                line = self.line()
            if b" OK" not in line[:5]:
                raise RuntimeError(line.decode(errors="replace"))

    def fill(self, mailbox, size, count, step):
        for first in range(0, count, step):
            parts = [b"t APPEND " + mailbox]
            for i in range(first, min(first + step, count)):
                data = message(size, i)
                parts.append(b" {%d+}\r\n%s" % (len(data), data))
            self.sock.sendall(b"".join(parts) + b"\r\n")
            self.finish()

    def close(self):
        self.sock.close()


class Lmtp:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), 60)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb")
        self.expect(b"220")
        self.say(b"LHLO client\r\n", b"250")

    def expect(self, code):
        line = self.file.readline()
        while line[3:4] == b"-":
            line = self.file.readline()
        if not line.startswith(code):
            raise RuntimeError(line.decode(errors="replace"))

    def say(self, data, *codes):
        self.sock.sendall(data)
        for code in codes:
            self.expect(code)

    def deliver(self, user, data):
        self.say(b"MAIL FROM:<sender@example.org>\r\nRCPT TO:<%s>\r\nDATA\r\n" % user.encode(), b"250", b"250", b"354")
        self.say(data + b".\r\n", b"250")

    def close(self):
        self.sock.close()


def maildrop(port, user, count):
    """A POP3 client that leaves its mail on the server: log-in, STAT, UIDL and LIST."""
    sock = socket.create_connection(("127.0.0.1", port), 120)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(command, end=b"\r\n"):
        sock.sendall(command)
        answer = bytearray()
        while not answer.endswith(end):
            data = sock.recv(1 << 18)
            if not data:
                raise ConnectionError("the server closed the connection")
            answer += data
        if not answer.startswith(b"+OK"):
            raise RuntimeError(answer[:200].decode(errors="replace"))
        return answer

    ask(b"")
    ask(b"USER %s\r\n" % user.encode())
    ask(b"PASS %s\r\n" % Server.password(user).encode())
    if ask(b"STAT\r\n").split()[1] != b"%d" % count:
        raise RuntimeError("not all messages are in the maildrop")
    for command in (b"UIDL\r\n", b"LIST\r\n"):
        if ask(command, b"\r\n.\r\n").count(b"\n") != count + 2:
            raise RuntimeError("not all messages were listed")
    ask(b"QUIT\r\n")
    sock.close()


def large_maildrop(server, user):
    """None for Dovecot, which would need minutes to be given so many messages."""
    if server.pop3 is None:
        return None
    drop = Imap(server.imap, user)
    drop.fill(b"INBOX", 300, MAILDROP, 1000)
    drop.close()
    maildrop(server.pop3, user, MAILDROP)
    return duration(lambda _: maildrop(server.pop3, user, MAILDROP), 5)


# --- servers ---------------------------------------------------------------------------------------------------------
class Culver:
    name = "Culver"

    def __init__(self, folder):
        self.server = Server(folder=str(folder), users=USERS, tls=False, log_level="info", extra=(
            "sessions_per_user = 1000\nsessions_per_user_address = 1000\nconnections_per_address = 1000\n"))
        self.server.start()
        self.imap, self.lmtp, self.pop3 = (self.server.ports[n] for n in ("imap", "lmtp", "pop3"))
        self.pid = self.server.proc.pid

    def stop(self):
        self.server.stop()

    def restart(self):
        self.server.stop()
        self.server.start()
        self.pid = self.server.proc.pid


class Dovecot:
    pop3 = None

    def __init__(self, folder, mail_format):
        self.name = f"Dovecot {mail_format}"
        folder.mkdir(parents=True)
        os.chmod(folder, 0o755)
        self.imap, self.lmtp = free_port(), free_port()
        (folder / "users").write_text("".join(f"{u}:{{PLAIN}}{Server.password(u)}::::::\n" for u in USERS))
        (folder / "mail").mkdir()
        owner = pwd.getpwuid(65534 if ROOT else os.getuid())
        os.chown(folder / "mail", owner.pw_uid, owner.pw_gid)
        me = pwd.getpwuid(os.getuid()).pw_name
        users = "" if ROOT else f"default_internal_user = {me}\ndefault_login_user = {me}\n" \
            f"default_internal_group = {grp.getgrgid(os.getgid()).gr_name}\n"
        free = "" if ROOT else "chroot =\n"
        location = {"maildir": "maildir:~/Maildir", "mdbox": "mdbox:~/mdbox", "sdbox": "sdbox:~/sdbox"}[mail_format]
        conf = folder / "dovecot.conf"
        conf.write_text(f"""
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = {location}
mail_max_userip_connections = 1000
{users}
service imap-login {{
  {free}
  inet_listener imap {{
    port = {self.imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {self.lmtp}
  }}
}}
service anvil {{
  {free}
}}
service stats {{
  {free}
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={folder}/mail/%u allow_all_users=yes
}}
""")
        self.folder = folder
        self.start()

    def start(self):
        folder = self.folder
        self.proc = subprocess.Popen(["dovecot", "-F", "-c", str(folder / "dovecot.conf")], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=open(folder / "stderr", "wb"))
        self.pid = self.proc.pid
        try:
            wait_for(lambda: all(Server._greets(p) for p in (self.imap, self.lmtp)), 15, "Dovecot")
        except AssertionError:
            self.stop()
            sys.exit(f"Dovecot does not start:\n{(folder / 'stderr').read_text()}")

    def stop(self):
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
            self.proc.wait(20)

    def restart(self):
        self.stop()
        self.start()


# --- measuring -------------------------------------------------------------------------------------------------------
def rate(action, seconds=SECONDS, threads=1):
    """How often a second action(thread number, turn) can be done, by so many threads."""
    counts, errors = [0] * threads, []
    begin = time.monotonic()

    def run(thread):
        try:
            while time.monotonic() < begin + seconds:
                action(thread, counts[thread])
                counts[thread] += 1
        except Exception as e:  # shown after the join
            errors.append(e)

    all_threads = [threading.Thread(target=run, args=(i,)) for i in range(threads)]
    for t in all_threads:
        t.start()
    for t in all_threads:
        t.join()
    if errors:
        raise errors[0]
    return sum(counts) / (time.monotonic() - begin)


def duration(action, times):
    """The median in milliseconds."""
    taken = []
    for i in range(times):
        begin = time.monotonic()
        action(i)
        taken.append((time.monotonic() - begin) * 1000)
    return sorted(taken)[len(taken) // 2]


def memory(pid):
    """KiB of all processes from pid down, shared pages counted in parts (PSS); None where the kernel does not show it."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parents[int(entry)] = int(Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                pass
    mine, grown = {pid}, True
    while grown:
        more = {p for p, parent in parents.items() if parent in mine} - mine
        mine |= more
        grown = bool(more)
    total = 0
    for p in mine:
        try:
            for line in Path(f"/proc/{p}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except (FileNotFoundError, ProcessLookupError):
            pass
        except PermissionError:
            return None
    return total


def sync_rate(folder):
    path = folder / "sync"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    data = message(4096)

    def step(*_):
        os.write(fd, data)
        os.fdatasync(fd)
    result = rate(step, 1.0)
    os.close(fd)
    path.unlink()
    return result


def idle_sessions(server, users):
    """KiB for each of these sessions, all in IDLE with INBOX selected."""
    before = memory(server.pid)
    sessions = []
    for user in users:
        s = Imap(server.imap, user)
        s.ask("SELECT INBOX")
        s.sock.sendall(b"t IDLE\r\n")
        s.line()
        sessions.append(s)
    time.sleep(1)
    after = memory(server.pid)
    for s in sessions:
        s.close()
    return None if before is None or after is None else (after - before) / len(users)


def drop_caches():
    """Everything leaves the page cache; False where that is not permitted."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        return False
    return True


def cold_select(server, user, times=5):
    """Median of log-in and SELECT of "many" by a server that has just been started, with nothing of the mail in memory; None where
    the page cache cannot be dropped. Another user's session has brought the programs into memory, and mapped they stay there."""
    taken = []
    for _ in range(times):
        server.restart()
        warm = Imap(server.imap, USERS[6])
        warm.ask("SELECT INBOX")
        if not drop_caches():
            return None
        begin = time.monotonic()
        session = Imap(server.imap, user)
        session.ask("SELECT many")
        taken.append((time.monotonic() - begin) * 1000)
        session.close()
        warm.close()
    return sorted(taken)[len(taken) // 2]


def log_ins(server):
    def once(thread, turn):
        Imap(server.imap, USERS[10 + (thread + turn * 8) % 10]).close()
    return rate(once, threads=8)


def measure(server):
    """Yields the label, whether more is better, and the figure."""
    small = message(4096)
    yield "log-ins/s, 8 clients, 10 users", True, log_ins(server)
    first = Imap(server.imap, USERS[0])
    yield "APPEND/s, one after the other, 4 KiB", True, rate(lambda *_: first.append(b"INBOX", small))
    yield "APPEND/s, 20 pipelined", True, 20 * rate(lambda *_: first.append(b"INBOX", small, 20))
    one = Lmtp(server.lmtp)
    yield "LMTP deliveries/s, one connection", True, rate(lambda *_: one.deliver(USERS[1], small))
    one.close()
    many = [Lmtp(server.lmtp) for _ in range(8)]
    yield "LMTP deliveries/s, 8 connections and users", True, rate(lambda t, _: many[t].deliver(USERS[20 + t], small), threads=8)
    yield "LMTP deliveries/s, 8 connections, one user", True, rate(lambda t, _: many[t].deliver(USERS[2], small), threads=8)
    for c in many:
        c.close()

    first.ask("CREATE large")
    first.fill(b"large", 20000, 1000, 100)
    first.ask("SELECT large")
    begin, octets = time.monotonic(), 0
    for _ in range(5):
        octets += first.ask("FETCH 1:* (BODY.PEEK[])")
    taken = time.monotonic() - begin
    if octets < 5 * 1000 * 20000:
        raise RuntimeError("not all messages came")
    yield "FETCH of 1000 whole messages, MB/s", True, octets / 1e6 / taken
    yield "FETCH of 1000 ENVELOPEs, ms", False, duration(lambda _: first.ask("FETCH 1:* (ENVELOPE)"), 5)

    first.ask("CREATE many")
    begin = time.monotonic()
    first.fill(b"many", 1000, 10000, 500)
    yield "10 000 messages by MULTIAPPEND of 500, ms", False, (time.monotonic() - begin) * 1000
    other = Imap(server.imap, USERS[0])

    def select(_):
        other.ask("SELECT many")
        other.ask("CLOSE")
    yield "SELECT and CLOSE of 10 000 messages, ms", False, duration(select, 10)

    def fresh(_):
        session = Imap(server.imap, USERS[0])
        session.ask("SELECT many")
        session.close()
    yield "log-in and SELECT of 10 000 messages, ms", False, duration(fresh, 10)
    other.ask("SELECT many")
    if other.ask("FETCH 1:* (FLAGS)") < 10000 * len("* 1 FETCH (FLAGS ())"):
        raise RuntimeError("not all flags came")
    yield "FETCH of 10 000 FLAGS, ms", False, duration(lambda _: other.ask("FETCH 1:* (FLAGS)"), 5)
    yield "STORE of 10 000 flags, ms", False, duration(
        lambda i: other.ask(f"STORE 1:* {'+-'[i % 2]}FLAGS (\\Flagged)"), 6)
    begin = time.monotonic()
    other.ask('SEARCH HEADER SUBJECT "7 of many"')
    yield "SEARCH of 10 000 subjects, first, ms", False, (time.monotonic() - begin) * 1000
    yield "SEARCH of 10 000 subjects, again, ms", False, duration(lambda _: other.ask('SEARCH HEADER SUBJECT "8 of many"'), 3)
    other.close()
    first.close()
    yield "log-in and SELECT of 10 000 messages, cold, ms", False, cold_select(server, USERS[0])
    yield "POP3 log-in, STAT, UIDL and LIST of 100 000 messages, ms", False, large_maildrop(server, USERS[7])


def measure_memory(server):
    base = memory(server.pid)
    yield "memory at start, KiB (PSS)", False, base
    yield "each of 50 idle sessions of one user, KiB", False, idle_sessions(server, [USERS[5]] * 50)
    yield "each of 50 idle sessions of 50 users, KiB", False, idle_sessions(server, USERS)


# --- a huge mailbox ----------------------------------------------------------------------------------------------------
def beyond_files(pid):
    """KiB of a process that are not pages of mapped files: what it has for itself; None where the kernel does not show it."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except PermissionError:
        return None
    return sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith(("Private_Dirty:", "Swap:")))


def cpu_ms(pid):
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


def huge_account(server, user, count):
    """Gives a user of a server that does not run yet an INBOX of that many messages."""
    server.start()
    Imap(server.ports["imap"], user).close()  # makes the folder, with its owner
    server.stop()
    folder = server.folder / "mail" / user
    owner = folder.stat()
    shutil.rmtree(folder)
    subprocess.run([BIN.parent / "tests/bench/bench_storage", "--make", folder, str(count)], check=True)
    for path in [folder, *folder.iterdir()]:
        os.chown(path, owner.st_uid, owner.st_gid)
    server.start()


def measure_huge(folder, count):
    """Culver alone: each command's median time warm, the processor time of the worker, and the worker's memory after all."""
    folder.mkdir()
    server = Server(folder=str(folder), users=USERS[:1], tls=False, log_level="info")
    try:
        huge_account(server, USERS[0], count)
        client = Imap(server.ports["imap"], USERS[0])
        pid = server.pids_of("culver-worker")[0]
        print(f"\na mailbox of {count} messages (each command in less than 50 ms, warm){'':10}ms   of processor   octets")

        def show_command(label, command, times=9):
            before, octets = None, []

            def once(i):
                nonlocal before
                if i == 1:  # the first is not warm
                    before = cpu_ms(pid)
                octets.append(client.ask(command[i % len(command)]))
            taken = duration(once, times)
            print(f"  {label:60}{taken:10.1f}{(cpu_ms(pid) - before) / (times - 1):15.1f}{octets[-1]:9}", flush=True)

        show_command("SELECT", ["SELECT INBOX"])
        show_command("FETCH of the last 50 envelopes", [f"FETCH {count - 49}:* (UID FLAGS ENVELOPE)"])
        show_command("STORE of one flag", [f"STORE {count // 2} {sign}FLAGS (\\Flagged)" for sign in "+-"])
        show_command("SEARCH UNSEEN", ["SEARCH UNSEEN"])
        show_command("UID SEARCH RETURN (PARTIAL -1:-50) UNDELETED", ["UID SEARCH RETURN (PARTIAL -1:-50) UNDELETED"])
        client.ask("ENABLE UIDONLY")
        show_command("UID SEARCH RETURN (PARTIAL 1:50) SEEN, UIDONLY", ["UID SEARCH RETURN (PARTIAL 1:50) SEEN"])
        show_command("UID FETCH 1:* (FLAGS) (PARTIAL -1:-50), UIDONLY", ["UID FETCH 1:* (FLAGS) (PARTIAL -1:-50)"])
        show_command("UID FETCH 1:* (FLAGS) (PARTIAL 500001:500050), UIDONLY", ["UID FETCH 1:* (FLAGS) (PARTIAL 500001:500050)"])
        size = beyond_files(pid)
        print(f"  memory of the worker beyond mapped files, KiB (less than 65536){'-' if size is None else size:>9}", flush=True)
        client.close()
    finally:
        server.stop()


def run_suite(make):
    server = make("memory")
    try:
        results = list(measure_memory(server))
    finally:
        server.stop()
    server = make("speed")
    try:
        results += list(measure(server))
    finally:
        server.stop()
    return server.name, results


def show(suites):
    names = [name for name, _ in suites]
    width = max(len(label) for label, _, _ in suites[0][1])
    print(f"{'':{width}}" + "".join(f"{name:>17}" + (f"{'ratio':>8}" if i else "") for i, name in enumerate(names)))
    for row in range(len(suites[0][1])):
        label, more, ours = suites[0][1][row]
        text = f"{label:{width}}"
        for i, (_, results) in enumerate(suites):
            value = results[row][2]
            text += f"{'-':>17}" if value is None else f"{value:17.1f}" if value < 1000 else f"{value:17.0f}"
            if i:
                good = value and ours
                text += f"{(ours / value if more else value / ours):8.2f}" if good else f"{'-':>8}"
        print(text)
    print("ratio: above 1 is Culver better; cold: after a restart and with the page cache dropped (-: only root can drop it)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", help="where the mail lies while it runs (default: the folder for temporary files)")
    parser.add_argument("--formats", default="maildir,mdbox", help="Dovecot's formats to compare with (default: maildir,mdbox)")
    parser.add_argument("--huge", type=int, default=1000000, metavar="N", help="messages of the huge mailbox; 0: none (default: %(default)s)")
    args = parser.parse_args()
    begin = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="culver-bench-", dir=args.dir))
    os.chmod(folder, 0o755)

    def culver(part):
        (folder / f"culver-{part}").mkdir()
        return Culver(folder / f"culver-{part}")

    try:
        before = sync_rate(folder)
        suites = [run_suite(culver)]
        for mail_format in filter(None, args.formats.split(",")):
            suites.append(run_suite(lambda part: Dovecot(folder / f"{mail_format}-{part}", mail_format)))
        after = sync_rate(folder)
        show(suites)
        print(f"write and fdatasync of 4 KiB on this disk: {before:.0f}/s before, {after:.0f}/s after; "
              f"{os.cpu_count()} processors; {time.monotonic() - begin:.0f} s in all")
        if args.huge > 0:
            measure_huge(folder / "huge", args.huge)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()
