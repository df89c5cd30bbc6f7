"""Processes that die, and what their death may not touch."""

import os
import signal
import time

from harness import Raw, Server, wait_for
from messages import simple


def append(raw, n, tag):
    message = simple(n)
    raw.send(f"{tag} APPEND INBOX {{{len(message)}+}}\r\n".encode() + message + b"\r\n")


def logged_in(server):
    """A raw session, or None: a client that was handed to the worker in the moment of its death has to come again."""
    c = server.raw("imap")
    try:
        c.line()
        c.ask("LOGIN alice pw-alice")
        return c
    except (OSError, AssertionError):
        c.close()
        return None


def log_in(server, user="alice"):
    try:
        return server.imap(user)
    except Exception:
        return None


def test_kill_worker_during_appends():
    """Every acknowledged message is there, once, with the UID that was announced."""
    with Server() as server:
        bob = server.imap("bob")
        bob.select("INBOX")
        acknowledged = {}
        sent = 0
        for _ in range(5):
            with wait_for(lambda: logged_in(server), 10, "log-in") as c:
                worker = next(int(line.split()[-1]) for line in server.ctl("who").stdout.splitlines() if line.startswith("alice"))
                for i in range(20):
                    append(c, sent + i, f"a{sent + i}")
                seen = 0
                while True:
                    try:
                        line = c.line()
                    except OSError:
                        break
                    if not line:
                        break
                    words = line.split()
                    if words[1:2] == [b"OK"] and b"APPENDUID" in line:
                        acknowledged[int(words[0][1:])] = int(line.split(b"APPENDUID")[1].split()[1].rstrip(b"]"))
                        seen += 1
                        if seen == 3:  # in the middle, however fast the machine is
                            os.kill(worker, signal.SIGKILL)
                sent += 20
            assert bob.noop()[0] == "OK"  # others do not notice
        client = wait_for(lambda: log_in(server), 10, "log-in")
        client.select("INBOX")
        data = client.uid("FETCH", "1:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        found = {}
        for item in data:
            if isinstance(item, tuple):
                uid = int(item[0].split(b"UID ")[1].split()[0])
                number = int(item[1].split(b"Message ")[1].split()[0])
                found.setdefault(number, []).append(uid)
        for number, uid in acknowledged.items():
            assert found.get(number) == [uid], (number, uid, found.get(number))
        assert all(len(uids) == 1 for uids in found.values())
        assert acknowledged, "no append was ever acknowledged: the test has shown nothing"


def test_kill_auth():
    """Open sessions go on; new log-ins work again within two seconds."""
    with Server() as server:
        client = server.imap()
        client.select("INBOX")
        auth = server.pids_of("culver-auth")[0]
        os.kill(auth, signal.SIGKILL)
        assert client.append("INBOX", "", None, simple(1))[0] == "OK"
        start = time.monotonic()
        wait_for(lambda: can_log_in(server), 5, "log-ins after auth was killed")
        assert time.monotonic() - start < 2
        assert client.noop()[0] == "OK"


def can_log_in(server):
    client = log_in(server, "bob")
    if client is not None:
        client.logout()
    return client is not None


def test_kill_each_service():
    with Server() as server:
        client = server.imap()
        client.select("INBOX")
        for program in ("culver-keys", "culver-imap-login", "culver-pop3-login", "culver-lmtp"):
            parent = min(server.pids_of(program))
            os.kill(parent, signal.SIGKILL)
            wait_for(lambda: server.pids_of(program) and parent not in server.pids_of(program), 5, f"{program} to come back")
            assert client.noop()[0] == "OK", program
            assert server.proc.poll() is None
        wait_for(lambda: can_log_in(server), 5, "log-ins")
        wait_for(lambda: tls_works(server), 5, "TLS log-ins")
        wait_for(lambda: lmtp_works(server), 5, "LMTP")


def tls_works(server):
    try:
        server.imaps("bob").logout()
        return True
    except Exception:
        return False


def lmtp_works(server):
    try:
        return server.deliver("bob", simple(1)) == {}
    except Exception:
        return False


def test_stopped_auth_fails_closed():
    with Server(extra="login_timeout = 3s\ntls_handshake_timeout = 2s\n") as server:
        client = server.imap()
        auth = server.pids_of("culver-auth")[0]
        os.kill(auth, signal.SIGSTOP)
        try:
            with Raw(server.ports["imap"], timeout=10) as c:
                c.line()
                c.send("a LOGIN bob pw-bob\r\n")
                lines = c.until(rb"^\* BYE|^a |^$")
                assert b"a OK" not in b"".join(lines)
            assert client.noop()[0] == "OK"
        finally:
            os.kill(auth, signal.SIGCONT)
        wait_for(lambda: can_log_in(server), 5, "log-ins")


def test_session_ends_with_master():
    """Without master nobody can supervise: workers finish and leave, nothing stays behind."""
    server = Server().start()
    try:
        client = server.imap()
        client.append("INBOX", "", None, simple(1))
        pids = list(server.pids())
        os.kill(server.proc.pid, signal.SIGKILL)
        server.proc.wait()
        wait_for(lambda: not any(os.path.exists(f"/proc/{p}/exe") and alive(p) for p in pids), 15, "all processes to leave")
        server.start()
        again = server.imap()
        assert again.select("INBOX")[1] == [b"1"]
    finally:
        server.close()


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False
