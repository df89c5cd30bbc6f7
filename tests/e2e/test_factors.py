"""App passwords and second factors, as an administrator makes them and as clients use them, over files and PAM."""

import base64
import hashlib
import hmac
import os
import re
import signal
import struct
import time

import pytest

from harness import ROOT, Server, wait_for
from scram import Scram
from test_auth import login
from test_scram import imap
from test_smtp_auth import Mta, smtp_server, socket_of


def code(secret, steps=0):
    """RFC 6238, of its own."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.new(key, struct.pack(">Q", int(time.time()) // 30 + steps), hashlib.sha1).digest()
    at = mac[19] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7FFFFFFF) % 1000000:06d}"


def ok(server, user, password, protocol="imap"):
    if protocol == "imap":
        return login(server, user, password).startswith(b"t OK")
    with server.raw(protocol) as c:
        c.line()
        c.send(f"USER {user}\r\n")
        c.line()
        c.send(f"PASS {password}\r\n")
        return c.line().startswith(b"+OK")


def scram_ok(server, user, password):
    with server.raw("imap") as c:
        c.line()
        return imap(c, "SCRAM-SHA-256", Scram("SCRAM-SHA-256", user, password)).startswith(b"t OK")


@pytest.fixture(scope="module")
def server():
    with smtp_server(extra="auth_mechanisms = plain scram-sha-256\nauth_cache_ttl = 1h\n", users=["alice", "bob", "carol", "dan"]) as s:
        yield s


def test_app_password(server):
    text = server.ctl("app-password", "add", "alice", "phone").stdout.strip()
    assert re.fullmatch(r"([a-z2-7]{4}-){7}[a-z2-7]{4}", text)
    assert ok(server, "alice", text) and ok(server, "Alice", text.upper().replace("-", ""))
    assert ok(server, "alice", text, "pop3")
    with Mta(socket_of(server)) as mta:
        assert mta.plain("alice", text) == "OK\t1\tuser=alice"
    assert ok(server, "alice", "pw-alice")  # without a second factor the main password stays as good as it was
    assert not ok(server, "bob", text)
    assert not ok(server, "alice", text[:-1] + ("a" if text[-1] != "a" else "b"))
    listed = server.ctl("app-password", "list", "alice").stdout
    assert re.search(r"^phone\timap pop3 smtp\tcreated \S+Z\tnever expires\tlast used \S+Z from 192.0.2.1\n$", listed)
    assert text not in server.log_text() and text.replace("-", "") not in server.log_text()
    folder = server.folder / "state/auth"
    assert all(text.encode() not in p.read_bytes() for p in folder.iterdir())
    assert server.ctl("app-password", "revoke", "alice", "phone").stdout == "1 app password revoked\n"
    assert not ok(server, "alice", text)
    assert server.ctl("app-password", "list", "alice").stdout == ""


def test_scopes_and_expiry(server):
    text = server.ctl("app-password", "add", "-s", "pop3,smtp", "-e", "7", "bob", "fetcher").stdout.strip()
    assert ok(server, "bob", text, "pop3") and not ok(server, "bob", text)
    assert re.search(r"^fetcher\tpop3 smtp\tcreated .*\texpires \S+Z\t", server.ctl("app-password", "list", "bob").stdout)
    for args, status in (((), 64), (("bob",), 64), (("bob", "x", "-s", "lmtp"), 64), (("bob", "x", "-e", "0"), 64), (("bob", "fetcher"), 1),
                         (("b/b", "x"), 1), (("b/b", "x", "-F"), 1), (("bob", "x\ny"), 69)):
        assert server.ctl("app-password", "add", *args, check=False).returncode in (status, 1), args
    assert server.ctl("app-password", "revoke", "bob", "none", check=False).returncode == 1
    assert server.ctl("app-password", "revoke", "bob", check=False).returncode == 64
    assert server.ctl("app-password", "revoke", "bob", "-a").returncode == 0
    assert not ok(server, "bob", text, "pop3")


def test_unknown_user():
    """Nothing is kept for a name that nobody has, or of which nobody can say, unless it is forced."""
    with Server(users=["alice"]) as server:
        for command in (("app-password", "add", "nobody", "phone"), ("totp", "enrol", "nobody")):
            r = server.ctl(*command, check=False)
            assert r.returncode == 1 and r.stdout == "" and "nobody: no such user\n" in r.stderr and "-F" in r.stderr
        assert server.ctl("app-password", "list", "nobody").stdout == "" and not list((server.folder / "state").rglob("*nobody*"))
        assert len(server.ctl("app-password", "add", "nobody", "phone", "-F").stdout) > 30
        assert server.ctl("app-password", "list", "-F", "nobody", check=False).returncode == 64
        os.rename(server.folder / "etc/users", server.folder / "etc/away")
        r = server.ctl("app-password", "add", "alice", "phone", check=False)
        assert r.returncode == 75 and "cannot be looked up" in r.stderr
        assert "secret: " in server.ctl("totp", "enrol", "-F", "alice").stdout
        os.rename(server.folder / "etc/away", server.folder / "etc/users")


def test_totp(server):
    app = server.ctl("app-password", "add", "carol", "phone").stdout.strip()
    out = server.ctl("totp", "enrol", "carol").stdout
    secret = re.search(r"^secret: ([A-Z2-7]{32})$", out, re.M).group(1)
    assert f"otpauth://totp/Culver:carol?secret={secret}&issuer=Culver&algorithm=SHA1&digits=6&period=30\n" in out
    assert ok(server, "carol", "pw-carol")  # not confirmed yet
    assert server.ctl("totp", "confirm", "carol", "000000" if code(secret) != "000000" else "000001", check=False).returncode == 1
    server.ctl("totp", "confirm", "carol", code(secret, -1))
    assert not ok(server, "carol", "pw-carol")
    good = code(secret)
    assert not ok(server, "carol", good) and not ok(server, "carol", "wrong" + good)
    assert ok(server, "carol", "pw-carol" + good)
    assert not ok(server, "carol", "pw-carol" + good)  # once
    assert ok(server, "carol", "pw-carol" + code(secret, 1), "pop3")
    assert ok(server, "carol", app)
    assert "in use" in server.ctl("app-password", "list", "carol").stdout
    assert server.ctl("totp", "enrol", "carol", check=False).returncode == 1
    # SCRAM cannot carry a code; for its client it is a wrong password.
    assert not scram_ok(server, "carol", "pw-carol")
    assert scram_ok(server, "dan", "pw-dan")
    # Killed and restarted: what was used stays used, and the factor stays.
    (pid,) = server.pids_of("culver-auth")
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: server.pids_of("culver-auth") not in ([], [pid]), what="auth")
    wait_for(lambda: ok(server, "dan", "pw-dan"), what="log-ins")
    assert not ok(server, "carol", "pw-carol" + code(secret, 1))
    assert ok(server, "carol", app)
    server.ctl("totp", "remove", "carol")
    assert ok(server, "carol", "pw-carol")
    assert server.ctl("totp", "remove", "carol", check=False).returncode == 1


def test_damage_does_not_take_a_factor_away(server):
    out = server.ctl("totp", "enrol", "dan").stdout
    secret = re.search(r"^secret: ([A-Z2-7]{32})$", out, re.M).group(1)
    server.ctl("totp", "confirm", "dan", code(secret))
    (path,) = [p for p in (server.folder / "state/auth").iterdir() if b"user dan\n" in p.read_bytes()]
    text = path.read_bytes()
    path.write_bytes(text[:-5])
    assert login(server, "dan", "pw-dan").startswith(b"t NO [UNAVAILABLE]")
    assert ok(server, "alice", "pw-alice")
    path.write_bytes(text)
    assert not ok(server, "dan", "pw-dan") and ok(server, "dan", "pw-dan" + code(secret, 1))


@pytest.mark.skipif(not ROOT, reason="owners need root")
def test_whose_files_they_are(server):
    """culver-auth alone comes to them."""
    folder = server.folder / "state/auth"
    (pid,) = server.pids_of("culver-auth")
    uid = os.stat(f"/proc/{pid}").st_uid
    assert uid != 0 and folder.stat().st_uid == uid and folder.stat().st_mode & 0o777 == 0o700
    assert {(p.stat().st_uid, p.stat().st_mode & 0o777) for p in folder.iterdir()} == {(uid, 0o600)}


@pytest.mark.skipif(not ROOT, reason="PAM with accounts of its own needs root")
def test_over_pam():
    """An account of the host, whose password PAM alone knows; and an expired one, into which no password leads."""
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import crypt
        good = crypt.crypt("system secret", crypt.mksalt(crypt.METHOD_SHA256))
    with Server(system_users=[("sysuser", good, ""), ("gone", good, "10000")], passdbs="passdb system {\n    driver = pam\n}\n") as server:
        assert ok(server, "sysuser", "system secret")
        app = server.ctl("app-password", "add", "sysuser", "laptop").stdout.strip()
        assert ok(server, "sysuser", app)
        secret = re.search(r"^secret: (\S+)$", server.ctl("totp", "enrol", "sysuser").stdout, re.M).group(1)
        server.ctl("totp", "confirm", "sysuser", code(secret, -1))
        assert not ok(server, "sysuser", "system secret")
        assert ok(server, "sysuser", f"system secret{code(secret)}")
        assert ok(server, "sysuser", app)
        expired = server.ctl("app-password", "add", "gone", "laptop").stdout.strip()
        assert not ok(server, "gone", expired)
