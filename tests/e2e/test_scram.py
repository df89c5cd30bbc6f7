"""SCRAM over IMAP and POP3: keys, plain passwords, failures, channel binding, and another implementation's client."""

import base64
import hashlib
import shutil
import ssl
import subprocess

import pytest

from harness import Raw, Server
from scram import Scram

MECHANISMS = "auth_mechanisms = plain scram-sha-256 scram-sha-1\n"


def b64(data):
    return base64.b64encode(data)


def tls_client(port):
    c = Raw(port)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    c.sock = context.wrap_socket(c.sock)
    return c


def imap(c, mechanism, scram, initial=False):
    """The tagged answer; the server's proof is checked on the way."""
    if initial:
        c.send(b"t AUTHENTICATE %s %s\r\n" % (mechanism.encode(), b64(scram.first())))
    else:
        c.send(b"t AUTHENTICATE %s\r\n" % mechanism.encode())
        assert c.line() == b"+ \r\n"
        c.send(b64(scram.first()) + b"\r\n")
    line = c.line()
    if not line.startswith(b"+ "):
        return line
    c.send(b64(scram.final(base64.b64decode(line[2:]))) + b"\r\n")
    line = c.line()
    if not line.startswith(b"+ "):
        return line
    assert base64.b64decode(line[2:]) == scram.expected
    c.send(b"\r\n")
    return c.until(b"^t ")[-1]


def pop3(c, mechanism, scram):
    c.send(b"AUTH %s %s\r\n" % (mechanism.encode(), b64(scram.first())))
    line = c.line()
    if not line.startswith(b"+ "):
        return line
    c.send(b64(scram.final(base64.b64decode(line[2:]))) + b"\r\n")
    line = c.line()
    if not line.startswith(b"+ "):
        return line
    assert base64.b64decode(line[2:]) == scram.expected
    c.send(b"\r\n")
    return c.line()


def hashed(server, password, scheme):
    return server.ctl("hash-password", scheme, input=password + "\n").stdout.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def server():
    s = Server(users=[], extra=MECHANISMS)
    s.write_passwd([f"alice:{hashed(s, 'päss wörd', 'SCRAM-SHA-256')}::::::",
                    f"anna:{hashed(s, 'old hash', 'SCRAM-SHA-1')}::::::",
                    "bob:{PLAIN}plain pw::::::",
                    f"carol:{hashed(s, 'other', 'SHA512-CRYPT')}::::::",
                    f"dora:{hashed(s, 'shut', 'SCRAM-SHA-256')}::::::nologin"])
    with s:
        yield s


def test_capabilities(server):
    with Raw(server.ports["imap"]) as c:
        c.line()
        line = c.ask("CAPABILITY")[0]
        assert b"AUTH=PLAIN" in line and b"AUTH=SCRAM-SHA-256 " in line and b"AUTH=SCRAM-SHA-1 " in line
        assert b"AUTH=LOGIN" not in line and b"PLUS" not in line and b"LOGINDISABLED" not in line
    with tls_client(server.ports["imaps"]) as c:
        line = c.line()
        assert b"AUTH=SCRAM-SHA-256-PLUS" in line and b"AUTH=SCRAM-SHA-1-PLUS" in line
    with Raw(server.ports["pop3"]) as c:
        c.line()
        c.send("CAPA\r\n")
        assert b"SASL SCRAM-SHA-256 SCRAM-SHA-1 PLAIN\r\n" in c.until(rb"^\.\r")


@pytest.mark.parametrize("user,password,mechanism", [("alice", "päss wörd", "SCRAM-SHA-256"), ("anna", "old hash", "SCRAM-SHA-1"),
                                                     ("bob", "plain pw", "SCRAM-SHA-256"), ("bob", "plain pw", "SCRAM-SHA-1")])
def test_log_in(server, user, password, mechanism):
    for initial in (True, False):
        with Raw(server.ports["imap"]) as c:
            c.line()
            assert imap(c, mechanism, Scram(mechanism, user.upper(), password), initial).startswith(b"t OK")
            assert c.ask("SELECT INBOX")[-1].startswith(b"t OK")
    with Raw(server.ports["pop3"]) as c:
        c.line()
        assert pop3(c, mechanism, Scram(mechanism, user, password)).startswith(b"+OK")
        c.send("STAT\r\n")
        assert c.line() == b"+OK 0 0\r\n"
    # The same password the other way; PLAIN checks keys too.
    with Raw(server.ports["imap"]) as c:
        c.line()
        c.send(b"t AUTHENTICATE PLAIN " + b64(f"\0{user}\0{password}".encode()) + b"\r\n")
        assert c.until(b"^t ")[-1].startswith(b"t OK")


def test_failures(server):
    for user, password, authzid in (("alice", "wrong", ""), ("nobody", "x", ""), ("carol", "other", ""), ("anna", "old hash", ""),
                                    ("al/ice", "x", ""), ("alice", "päss wörd", "bob"), ("dora", "wrong", "")):
        with Raw(server.ports["imap"]) as c:
            c.line()
            s = Scram("SCRAM-SHA-256", user, password, authzid=authzid)
            assert imap(c, "SCRAM-SHA-256", s, True) == b"t NO [AUTHENTICATIONFAILED] Authentication failed.\r\n", user
            assert len(s.salt) == 16
    with Raw(server.ports["imap"]) as c:
        c.line()
        assert imap(c, "SCRAM-SHA-256", Scram("SCRAM-SHA-256", "dora", "shut"), True).startswith(b"t NO [EXPIRED]")
    log = server.log_text()
    assert 'reason="stored password is no use to this mechanism"' in log and 'reason="not allowed to act as another user"' in log


def test_final_answer_must_be_empty(server):
    for answer, want in ((b"*\r\n", b"t BAD"), (b"AAAA\r\n", b"t BAD"), (b"\r\n", b"t OK")):
        with Raw(server.ports["imap"]) as c:
            c.line()
            s = Scram("SCRAM-SHA-256", "alice", "päss wörd")
            c.send(b"t AUTHENTICATE SCRAM-SHA-256 %s\r\n" % b64(s.first()))
            c.send(b64(s.final(base64.b64decode(c.line()[2:]))) + b"\r\n")
            assert base64.b64decode(c.line()[2:]) == s.expected
            c.send(answer)
            assert c.until(b"^t ")[-1].startswith(want)


def end_point(c):
    return hashlib.sha256(c.sock.getpeercert(binary_form=True)).digest()


def test_channel_binding(server):
    good = ("SCRAM-SHA-256-PLUS", "p=tls-server-end-point", None, b"t OK")
    rows = [good, ("SCRAM-SHA-256", "n", b"", b"t OK"),
            # Somebody in the middle: other data, or the -PLUS taken out of what the client saw.
            ("SCRAM-SHA-256-PLUS", "p=tls-server-end-point", bytes(32), b"t NO [AUTHENTICATIONFAILED]"),
            ("SCRAM-SHA-256", "y", b"", b"t BAD"), ("SCRAM-SHA-256", "p=tls-server-end-point", None, b"t BAD"),
            ("SCRAM-SHA-256-PLUS", "n", b"", b"t BAD"), ("SCRAM-SHA-256-PLUS", "y", b"", b"t BAD"),
            ("SCRAM-SHA-256-PLUS", "p=tls-unique", b"x", b"t BAD")]
    for mechanism, flag, data, want in rows:
        with tls_client(server.ports["imaps"]) as c:
            c.line()
            s = Scram(mechanism, "alice", "päss wörd", flag, end_point(c) if data is None else data)
            assert imap(c, mechanism, s, True).startswith(want), (mechanism, flag)
    # After STARTTLS there is binding, before it there is none, and "y" is the truth.
    with Raw(server.ports["imap"]) as c:
        c.line()
        s = Scram("SCRAM-SHA-256-PLUS", "alice", "päss wörd", "p=tls-server-end-point", bytes(32))
        assert imap(c, "SCRAM-SHA-256-PLUS", s, True).startswith(b"t NO [CANNOT]")
        assert imap(c, "SCRAM-SHA-256", Scram("SCRAM-SHA-256", "alice", "päss wörd", "y"), True).startswith(b"t OK")
    with tls_client(server.ports["pop3s"]) as c:
        c.line()
        s = Scram("SCRAM-SHA-256-PLUS", "alice", "päss wörd", "p=tls-server-end-point", end_point(c))
        assert pop3(c, "SCRAM-SHA-256-PLUS", s).startswith(b"+OK")


@pytest.mark.skipif(shutil.which("gsasl") is None, reason="needs GNU SASL's client")
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"])
def test_gnu_sasl(server, mechanism):
    user, password = ("bob", "plain pw")
    args = ["gsasl", "--imap", "--mechanism", mechanism, "--authentication-id", user, "--password", password, "--no-client-first",
            "--connect", f"127.0.0.1:{server.ports['imap']}", f"--x509-ca-file={server.folder}/etc/tls.crt", "--hostname", "localhost"]
    if not mechanism.endswith("PLUS"):
        args.append("--no-starttls")
    r = subprocess.run(args, input="", capture_output=True, text=True, timeout=30)
    assert r.returncode == 0, r.stdout + r.stderr
    assert "OK" in r.stdout.splitlines()[-1] or "authenticated" in (r.stdout + r.stderr), r.stdout + r.stderr


def test_without_plain():
    with Server(extra="auth_mechanisms = scram-sha-256\n") as server:
        with Raw(server.ports["imap"]) as c:
            c.line()
            assert b"LOGINDISABLED" in c.ask("CAPABILITY")[0]
            assert c.ask("LOGIN alice pw-alice")[-1].startswith(b"t NO [CANNOT]")
            assert imap(c, "SCRAM-SHA-256", Scram("SCRAM-SHA-256", "alice", "pw-alice"), True).startswith(b"t OK")
        with Raw(server.ports["pop3"]) as c:
            c.line()
            c.send("CAPA\r\n")
            assert b"USER\r\n" not in c.until(rb"^\.\r")
