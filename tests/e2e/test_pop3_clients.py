"""Real POP3 clients: getmail, mpop, and curl with several SASL mechanisms."""

import os
import shutil
import subprocess

import pytest

from harness import Server


@pytest.fixture(scope="module")
def server():
    with Server(extra="auth_mechanisms = plain login scram-sha-256 scram-sha-1\n") as s:
        for n in range(3):
            s.deliver("alice", b"From: a@b.example\r\nSubject: n%d\r\n\r\n.dot\r\n" % n)
        yield s


def run(*argv, home, check=True):
    r = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=60, env={**os.environ, "HOME": str(home)})
    assert not check or r.returncode == 0, r.stdout + r.stderr
    return r


def files(maildir):
    return sorted(p.read_bytes() for p in (maildir / "new").iterdir())


def make_maildir(path):
    for name in ("cur", "new", "tmp"):
        (path / name).mkdir(parents=True)
    return path


def test_getmail_fetches_once(server, tmp_path):
    maildir = make_maildir(tmp_path / "mail")
    (tmp_path / "rc").write_text(f"[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\nport = {server.ports['pop3']}\n"
                                 f"username = alice\npassword = pw-alice\n[destination]\ntype = Maildir\npath = {maildir}/\n"
                                 "[options]\nread_all = false\ndelete = false\n")
    os.chmod(tmp_path / "rc", 0o600)
    user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"] if os.geteuid() == 0 else []
    if user:
        for path in (tmp_path, *tmp_path.parents[:2]):
            os.chmod(path, 0o755)
        for path in [tmp_path, *tmp_path.rglob("*")]:
            shutil.chown(path, "nobody", "nogroup")
    for _ in range(2):
        run(*user, "getmail", "--getmaildir", tmp_path, "--rcfile", tmp_path / "rc", home=tmp_path)
    assert len(files(maildir)) == 3
    assert all(f.replace(b"\r\n", b"\n").endswith(b"\n\n.dot\n") for f in files(maildir))


@pytest.mark.parametrize("auth", ["user", "plain", "login", "scram-sha-256"])
def test_mpop(server, tmp_path, auth):
    maildir = make_maildir(tmp_path / "mail")
    (tmp_path / "rc").write_text(f"account default\nhost 127.0.0.1\nport {server.ports['pop3']}\nuser alice\npassword pw-alice\n"
                                 f"auth {auth}\ntls off\ndelivery maildir {maildir}\nkeep on\nuidls_file {tmp_path}/uidls\n")
    os.chmod(tmp_path / "rc", 0o600)
    for _ in range(2):
        run("mpop", "-C", tmp_path / "rc", home=tmp_path)
    assert len(files(maildir)) == 3


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256"])
def test_curl(server, tmp_path, mechanism):
    r = run("curl", "-s", "--insecure", "--login-options", f"AUTH={mechanism}", "-u", "alice:pw-alice",
            f"pop3s://127.0.0.1:{server.ports['pop3s']}/1", home=tmp_path, check=False)
    if r.returncode != 0 and mechanism.startswith("SCRAM") and "gsasl" not in run("curl", "-V", home=tmp_path).stdout.lower():
        pytest.skip("this curl has no SCRAM")
    assert r.returncode == 0 and "Subject: n0" in r.stdout
