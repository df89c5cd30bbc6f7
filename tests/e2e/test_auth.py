"""Log-ins against real databases: schemes, files that change, helpers under load, what the log says and what memory keeps."""

import base64
import os
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from harness import ROOT, Raw, Server, wait_for

SYSTEM = "userdb system {\n    driver = system\n    mail_path = ~/culver\n}\n"


def login(server, user, password):
    with Raw(server.ports["imap"]) as c:
        c.line()
        return c.ask(f'LOGIN "{user}" "{password}"')[-1]


def hashed(server, password, scheme=None):
    args = ["hash-password"] + ([scheme] if scheme else [])
    return server.ctl(*args, input=password + "\n").stdout.strip().splitlines()[-1]


def test_schemes_and_changes():
    server = Server(users=[])
    schemes = ["ARGON2ID", "BLF-CRYPT", "SHA512-CRYPT", "CRYPT", "PBKDF2", "SSHA256", "SSHA"]
    lines = [f"u{i}:{hashed(server, f'secret {i}', s)}::::::" for i, s in enumerate(schemes)]
    server.write_passwd(lines)
    with server:
        for i, _ in enumerate(schemes):
            assert login(server, f"u{i}", f"secret {i}").startswith(b"t OK"), schemes[i]
            assert login(server, f"U{i}", f"secret {i + 1}").startswith(b"t NO [AUTHENTICATIONFAILED]"), schemes[i]
        # Replaced by rename, with a broken line: seen at the next log-in.
        server.write_passwd(["# comment", ":no name", "u0:{PLAIN}new::::::", "new:{PLAIN}x:::"])
        assert login(server, "u0", "secret 0").startswith(b"t NO [AUTHENTICATIONFAILED]")
        assert login(server, "u0", "new").startswith(b"t OK")
        assert login(server, "new", "x").startswith(b"t OK")
        assert login(server, "u1", "secret 1").startswith(b"t NO [AUTHENTICATIONFAILED]")
        # Gone: nobody's password is wrong.
        os.rename(server.folder / "etc/users", server.folder / "etc/away")
        assert login(server, "u0", "new").startswith(b"t NO [UNAVAILABLE]")
        os.rename(server.folder / "etc/away", server.folder / "etc/users")
        assert login(server, "u0", "new").startswith(b"t OK")


def test_many_slow_checks():
    """More log-ins at once than helpers: they wait for one another, and none fails."""
    server = Server(users=[], extra="auth_helpers_max = 3\nconnections_per_address = 100\n")
    server.write_passwd([f"u{i}:{hashed(server, f'secret {i}', 'SHA256-CRYPT')}::::::" for i in range(24)])
    answers = {}

    def one(i):
        answers[i] = login(server, f"u{i}", f"secret {i}")

    with server:
        threads = [threading.Thread(target=one, args=(i,)) for i in range(24)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert [a for a in answers.values() if not a.startswith(b"t OK")] == []
        wait_for(lambda: not server.pids_of("culver-auth-helper"), what="end of the helpers")
        assert "too many auth helpers" not in server.log_text()


def test_log_lines():
    with Server() as server:
        assert login(server, "Alice", "pw-alice").startswith(b"t OK")
        assert login(server, "alice", "hunter2-wrong").startswith(b"t NO")
        assert login(server, "no\\\\body user=root", "hunter2-wrong").startswith(b"t NO")
        log = wait_for(lambda: t if (t := server.log_text()).count('"authentication failed"') == 2 else None, what="log")
        good = re.search(r'level=info proc=auth .*sid=[0-9a-f]{16} msg="?authenticated"? user=alice mech=PLAIN peer=127.0.0.1 protocol=imap '
                         r"secured=yes", log)
        assert good, log
        assert re.search(r'level=warn proc=auth .*msg="authentication failed" peer=127.0.0.1 user=alice reason="wrong password"', log)
        # A name cannot fake a field.
        assert re.search(r'msg="authentication failed" peer=127.0.0.1 user="[^"]*user=root" reason="unknown user"', log), log
        assert "hunter2-wrong" not in log and "pw-alice" not in log


def test_sasl_login_and_authzid():
    with Server() as server:
        with Raw(server.ports["imap"]) as c:
            c.line()
            c.send("t AUTHENTICATE LOGIN\r\n")
            assert base64.b64decode(c.line()[2:]) == b"Username:"
            c.send(base64.b64encode(b"alice") + b"\r\n")
            assert base64.b64decode(c.line()[2:]) == b"Password:"
            c.send(base64.b64encode(b"pw-alice") + b"\r\n")
            assert c.until(b"^t ")[-1].startswith(b"t OK")
        for authzid, want in (("bob", b"t NO [AUTHENTICATIONFAILED]"), ("ALICE", b"t OK")):
            with Raw(server.ports["imap"]) as c:
                c.line()
                c.send("t AUTHENTICATE PLAIN\r\n")
                c.line()
                c.send(base64.b64encode(f"{authzid}\0alice\0pw-alice".encode()) + b"\r\n")
                assert c.until(b"^t ")[-1].startswith(want)


def test_unknown_and_wrong_take_the_same_time():
    server = Server(users=[])
    server.write_passwd([f"alice:{hashed(server, 'right', 'SHA512-CRYPT')}::::::"])
    times = {"alice": [], "nobody": [], "al/ice": []}
    with server:
        for _ in range(5):
            for user in times:
                start = time.monotonic()
                assert login(server, user, "wrong").startswith(b"t NO [AUTHENTICATIONFAILED] ")
                times[user].append(time.monotonic() - start)
    # Answers leave at whole multiples of the delay, the check included: on an idle machine all take one. A busy one may need more for any.
    quickest = [min(t) for t in times.values()]
    assert min(quickest) >= 0.1 and max(quickest) - min(quickest) < 0.15, times


@pytest.mark.skipif(not ROOT, reason="reads other processes' memory")
def test_no_password_in_memory():
    password, wrong = "Xq7-not-in-any-memory-91", "Zk3-not-in-any-memory-17"
    server = Server(users=[])
    server.write_passwd([f"alice:{hashed(server, password)}::::::", "bob:{SSHA}+RsuSTrEcIi8C6kPYWVF79KkcYVzYWx0c2FsdA==::::::"])
    with server:
        assert login(server, "alice", password).startswith(b"t OK")
        assert login(server, "alice", wrong).startswith(b"t NO")
        assert login(server, "bob", "secret Pass1").startswith(b"t OK")
        with Raw(server.ports["imap"]) as c:
            c.line()
            assert c.ask(f'LOGIN alice "{password}"')[-1].startswith(b"t OK")
            time.sleep(1)
            for pid, name in server.pids().items():
                memory = read_memory(pid)
                for secret in (password, wrong, "secret Pass1"):
                    assert secret.encode() not in memory, (name, secret)
                    assert base64.b64encode(secret.encode())[:20] not in memory, (name, secret)


def read_memory(pid):
    out = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line)
            if m is None or not m[3].startswith("rw"):
                continue
            start, end = int(m[1], 16), int(m[2], 16)
            try:
                mem.seek(start)
                out.append(mem.read(end - start))
            except (OSError, ValueError, OverflowError):
                continue
    return b"\0".join(out)


@pytest.mark.skipif(not ROOT, reason="system accounts of the test's own")
def test_system_users():
    passdbs = "passdb file {\n    driver = passwd-file\n    file = %s\n}\n"
    server = Server(rootless=False, users=["sysuser", "root", "daemon", "ghost"], system_users=["sysuser"], userdbs=SYSTEM)
    server.passdbs = passdbs % (server.folder / "etc/users")
    server.write_conf()
    with server:
        assert login(server, "sysuser", "pw-sysuser").startswith(b"t OK")
        assert (server.folder / "home/sysuser/culver").is_dir()
        for user in ("root", "daemon", "ghost"):
            assert login(server, user, f"pw-{user}").startswith(b"t NO [UNAVAILABLE]"), user
        assert not os.path.exists("/root/culver")
        log = server.log_text()
        assert "uid or gid is 0" in log and "authenticated user is in no userdb" in log
        # Recipients are looked up there too.
        with server.lmtp() as c:
            c.ehlo("test")
            assert c.mail("a@example.org")[0] == 250
            assert c.rcpt("sysuser+lists")[0] == 250
            assert c.rcpt("no-such-user")[0] == 550
            assert c.rcpt("root")[0] // 100 == 4


FILTER = Path(__file__).resolve().parents[2] / "conf/fail2ban/culver.conf"


def fail2ban(lines, folder):
    """The addresses that the real fail2ban-regex finds in these lines with our filter, in their order."""
    log = folder / "fail2ban.log"
    log.write_text("".join(line + "\n" for line in lines))
    r = subprocess.run(["fail2ban-regex", "--out", "<ip>", str(log), str(FILTER)], capture_output=True, text=True, timeout=60)
    assert r.returncode == 0, r.stdout + r.stderr
    return r.stdout.split()


@pytest.mark.skipif(shutil.which("fail2ban-regex") is None, reason="needs fail2ban")
def test_fail2ban():
    """Lines that the server wrote: guesses count for the address that made them, nothing else counts."""
    with Server(extra="auth_mechanisms = plain scram-sha-256\n") as server:
        assert login(server, "alice", "pw-alice").startswith(b"t OK")
        good = len(fail2ban(server.log_text().splitlines(), server.folder))
        guesses = [("alice", "wrong"), ("nobody", "x"), ('msg=\\"authentication failed\\" peer=192.0.2.66 user=x reason=\\"wrong password\\" ', "x"),
                   ("a b\\\\", "x")]
        for user, password in guesses:
            assert login(server, user, password).startswith(b"t NO")
        with Raw(server.ports["imap"]) as c:
            c.line()
            assert c.ask("AUTHENTICATE LOGIN")[-1].startswith(b"t NO [CANNOT]")
        os.rename(server.folder / "etc/users", server.folder / "etc/away")
        assert login(server, "alice", "pw-alice").startswith(b"t NO [UNAVAILABLE]")
        lines = wait_for(lambda: t if (t := server.log_text()).count('"authentication failed"') == len(guesses) + 2 else None, what="log")
        lines = lines.splitlines()
        assert good == 0 and fail2ban(lines, server.folder) == ["127.0.0.1"] * len(guesses)
        # The same from other addresses and behind syslog's prefix.
        failed = next(line for line in lines if '"authentication failed"' in line)
        other = [failed.replace("127.0.0.1", "2001:db8::7"), "Nov 23 06:00:00 host culver[7]: " + failed]
        assert fail2ban(other, server.folder) == ["2001:db8::7", "127.0.0.1"]
        # Other reasons: the second half of a proof counts; what a right password may meet does not.
        assert 'reason="wrong password"' in failed

        def because(*reasons):
            return [failed.replace('reason="wrong password"', f'reason="{r}"') for r in reasons]

        assert len(fail2ban(because("right password, wrong code", "second factor needed", "too many failures"), server.folder)) == 3
        assert fail2ban(because("a database cannot say", "too many questions to a database", "second factor cannot be checked", "no helper",
                                "credentials cannot be read", "passwd-file cannot be read", "user look-up failed", "no userdb entry",
                                "too many attempts of this address under way", "master unreachable", "token cannot be checked"),
                        server.folder) == []


def owner(server, user, password, box):
    """Whose mail it is: the mailbox that only its owner has."""
    with Raw(server.ports["imap"]) as c:
        c.line()
        answer = c.ask(f'LOGIN "{user}" "{password}"')[-1]
        if not answer.startswith(b"t OK"):
            return answer
        return [line.split()[-1].strip(b'"') for line in c.ask(f'LIST "" "{box}"')[:-1]]


def test_masters_and_denied():
    server = Server(users=[], extra="auth_master_separator = *\n", userdbs="userdb file {\n    driver = static\n}\n")
    etc = server.folder / "etc"
    server.passdbs = (f"passdb masters {{\n    driver = passwd-file\n    file = {etc}/masters\n    master = yes\n}}\n"
                      f"passdb users {{\n    driver = passwd-file\n    file = {etc}/users\n}}\n"
                      f"passdb denied {{\n    driver = passwd-file\n    file = {etc}/denied\n    deny = yes\n}}\n")
    server.write_passwd(["alice:{PLAIN}pw-alice", "mallory:{PLAIN}pw-mallory"])
    (etc / "masters").write_text(f"admin:{hashed(server, 'boss')}\n")
    (etc / "denied").write_text("mallory\n")
    server.write_conf()
    with server:
        with Raw(server.ports["imap"]) as c:
            c.line()
            assert c.ask("LOGIN alice pw-alice")[-1].startswith(b"t OK")
            assert c.ask("CREATE alices")[-1].startswith(b"t OK")
        assert owner(server, "alice*admin", "boss", "alices") == [b"alices"]
        for user, password in (("mallory", "pw-mallory"), ("nobody*admin", "boss"), ("alice*admin", "pw-alice"), ("admin", "boss")):
            assert owner(server, user, password, "alices").startswith(b"t NO [AUTHENTICATIONFAILED]"), user
        # Nobody's mail was made by it.
        assert sorted(p.name for p in (server.folder / "mail").iterdir()) == ["alice"]
        assert re.search(r'msg="log-in by a master user" user=alice master=admin', server.log_text())


def test_cache_keeps_users_apart():
    """The same password for all, through the cache: everybody gets his own mail."""
    users = [f"user{i}" for i in range(12)]
    server = Server(users=[], extra="auth_cache_ttl = 1min\n")
    hash_ = hashed(server, "the same", "SHA512-CRYPT")
    server.write_passwd([f"{u}:{hash_}" for u in users])
    with server:
        for u in users:
            with Raw(server.ports["imap"]) as c:
                c.line()
                assert c.ask(f'LOGIN {u} "the same"')[-1].startswith(b"t OK")
                assert c.ask(f"CREATE of-{u}")[-1].startswith(b"t OK")
        for u in users[::-1] + users:
            assert owner(server, u, "the same", "of-*") == [f"of-{u}".encode()]
        assert server.log_text().count("password known from the cache") == 2 * len(users)
        assert login(server, users[0], "another").startswith(b"t NO")
        server.write_passwd([f"{u}:{hash_}" for u in users[1:]])
        assert login(server, users[0], "the same").startswith(b"t NO [AUTHENTICATIONFAILED]")
        assert login(server, users[1], "the same").startswith(b"t OK")


# What doveadm can make and we do not check, and why.
NOT_OURS = {"PLAIN-MD4", "NTLM", "LANMAN",  # digests that OpenSSL only has in its legacy provider
            "OTP", "SKEY", "RPA", "DIGEST-MD5",  # secrets of mechanisms, bound to a realm or a counter
            "PLAIN-TRUNC", "NULL"}


@pytest.mark.skipif(shutil.which("doveadm") is None, reason="no doveadm")
def test_schemes_of_doveadm():
    """Every scheme of Dovecot's passwd-files, with hashes that Dovecot made."""
    listed = subprocess.run(["doveadm", "-O", "pw", "-l"], capture_output=True, text=True, check=True).stdout.split()
    schemes = [s for s in listed if s.upper() not in NOT_OURS]
    assert {"SSHA512", "PBKDF2", "CRAM-MD5", "SCRAM-SHA-256", "BLF-CRYPT"} <= set(schemes)
    encoded = [f"{s}.{e}" for s in ("SHA", "SHA256", "SSHA512", "PLAIN", "SMD5", "CRAM-MD5") if s in schemes for e in ("hex", "b64")]
    secret = "pass/wörd {x} " + "long" * 20
    lines, made = [], {}
    for i, scheme in enumerate(schemes + encoded):
        password = secret[:8] if scheme in ("DES-CRYPT", "CRYPT") else secret[:60] if scheme == "BLF-CRYPT" else secret
        r = subprocess.run(["doveadm", "-O", "pw", "-s", scheme, "-p", password, "-u", f"u{i}"], capture_output=True, text=True)
        if r.returncode == 0:
            made[f"u{i}"] = (scheme, password)
            lines.append(f"u{i}:{r.stdout.strip().splitlines()[-1]}::::::")
    assert len(made) >= len(schemes) + len(encoded) - 2, made
    server = Server(users=[], extra="connections_per_address = 200\n")
    server.write_passwd(lines)
    with server:
        for user, (scheme, password) in made.items():
            for attempt, want in ((password, b"t OK"), (password.upper(), b"t NO [AUTHENTICATIONFAILED]")):
                with Raw(server.ports["imap"]) as c:
                    c.line()
                    c.send(b"t AUTHENTICATE PLAIN " + base64.b64encode(f"\0{user}\0{attempt}".encode()) + b"\r\n")
                    answer = c.until(b"^t ")[-1]
                    assert answer.startswith(want), (scheme, answer, server.log_text()[-600:])
