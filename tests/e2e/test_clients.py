"""Real clients: mbsync, fetchmail, curl, mutt."""

import os
import re
import subprocess

import pytest

from harness import Server
from messages import simple, with_attachment


def run(*args, home, check=True, env=None, timeout=60):
    r = subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=timeout,
                       env={**os.environ, "HOME": str(home), "LC_ALL": "C.UTF-8", **(env or {})}, cwd=home)
    if check:
        assert r.returncode == 0, f"{args}: {r.returncode}\n{r.stdout}\n{r.stderr}"
    return r


@pytest.fixture(scope="module")
def server():
    with Server() as s:
        yield s


@pytest.fixture
def home(tmp_path):
    return tmp_path


# --- mbsync ---------------------------------------------------------------------------------------------------------

def mbsync_config(server, home):
    (home / "mail").mkdir()
    path = home / "mbsyncrc"
    path.write_text(f"""
IMAPAccount culver
Host localhost
Port {server.ports['imaps']}
User bob
Pass {server.password('bob')}
SSLType IMAPS
CertificateFile {server.folder}/etc/tls.crt

IMAPStore far
Account culver

MaildirStore near
Path {home}/mail/
Inbox {home}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
""")
    return path


def maildir(folder):
    return {p.name: p for d in ("cur", "new") for p in (folder / d).iterdir()}


def test_mbsync_both_ways(server, home):
    config = mbsync_config(server, home)
    client = server.imap("bob")
    for n in range(100):
        client.append("INBOX", "(\\Seen)" if n % 3 == 0 else "(\\Flagged)" if n % 3 == 1 else "", None, simple(n))
    run("mbsync", "-c", config, "-a", home=home)
    inbox = home / "mail/INBOX"
    assert len(maildir(inbox)) == 100
    # 100 more from this side, with flags.
    for n in range(100, 200):
        flags = "S" if n % 2 else "RF"
        (inbox / "cur" / f"{n}.local:2,{''.join(sorted(flags))}").write_bytes(simple(n).replace(b"\r\n", b"\n"))
    run("mbsync", "-c", config, "-a", home=home)
    client.select("INBOX")
    assert len(client.search(None, "ALL")[1][0].split()) == 200
    assert len(client.search(None, "ANSWERED", "FLAGGED")[1][0].split()) == 50
    # Flags and deletions travel in both directions.
    client.store("1:10", "+FLAGS", "(\\Deleted)")
    client.expunge()
    client.store("1:5", "+FLAGS", "(\\Draft)")
    victims = sorted(p for n, p in maildir(inbox).items() if ".local" in n)[:10]  # none of those deleted on the server
    for path in victims:
        path.unlink()
    run("mbsync", "-c", config, "-a", home=home)
    assert len(maildir(inbox)) == 180
    client.noop()
    assert len(client.search(None, "ALL")[1][0].split()) == 180
    # Nothing is left to do: the second run changes nothing.
    before = {n: p.stat().st_mtime_ns for n, p in maildir(inbox).items()}
    uids = client.uid("SEARCH", None, "ALL")[1]
    run("mbsync", "-c", config, "-a", home=home)
    r = run("mbsync", "-c", config, "-V", "-a", home=home)
    assert {n: p.stat().st_mtime_ns for n, p in maildir(inbox).items()} == before
    assert client.uid("SEARCH", None, "ALL")[1] == uids
    assert not re.search(r"\+[1-9]", r.stdout.splitlines()[-1]), r.stdout
    client.logout()


# --- fetchmail ------------------------------------------------------------------------------------------------------

def test_fetchmail_keeps_and_does_not_fetch_twice(server, home):
    for n in range(5):
        server.deliver("alice", with_attachment(n))
    out = home / "delivered"
    mda = home / "mda"
    mda.write_text(f"#!/bin/sh\ncat >> {out}\necho >> {out}\necho x >> {out}.count\n")
    mda.chmod(0o755)
    rc = home / "fetchmailrc"
    rc.write_text(f"poll localhost service {server.ports['pop3s']} protocol pop3 uidl user alice password {server.password('alice')}"
                  f" ssl sslcertck sslcertfile {server.folder}/etc/tls.crt keep mda {mda}\n")
    rc.chmod(0o600)
    fetch = ["fetchmail", "-f", rc, "-N", "--nosyslog", "-i", home / "ids", "--pidfile", home / "pid"]
    run(*fetch, home=home)
    assert (home / "delivered.count").read_text().count("x") == 5
    again = run(*fetch, home=home, check=False)
    assert again.returncode == 1, again.stdout + again.stderr  # 1: no new mail
    server.deliver("alice", simple(9))
    run(*fetch, home=home)
    assert (home / "delivered.count").read_text().count("x") == 6
    assert server.pop3().stat()[0] == 6


# --- curl -----------------------------------------------------------------------------------------------------------

def curl(server, home, url, *args, check=True):
    return run("curl", "-sS", "--cacert", f"{server.folder}/etc/tls.crt", "--resolve", f"localhost:{server.ports['imaps']}:127.0.0.1",
               "--resolve", f"localhost:{server.ports['pop3s']}:127.0.0.1", "-u", f"alice:{server.password('alice')}", url, *args,
               home=home, check=check)


def test_curl_imaps(server, home):
    base = f"imaps://localhost:{server.ports['imaps']}"
    assert "INBOX" in curl(server, home, base + "/").stdout
    message = home / "message"
    message.write_bytes(with_attachment(42))
    curl(server, home, base + "/INBOX", "-T", message)
    n = re.search(r"\* (\d+) EXISTS", curl(server, home, base + "/", "-X", "EXAMINE INBOX").stdout).group(1)
    got = home / "got"
    curl(server, home, f"{base}/INBOX;MAILINDEX={n}", "-o", got)
    assert got.read_bytes() == with_attachment(42)
    assert "* SEARCH" in curl(server, home, base + "/INBOX?SUBJECT%20Anhang").stdout


def test_curl_pop3s(server, home):
    server.deliver("alice", with_attachment(43))
    base = f"pop3s://localhost:{server.ports['pop3s']}"
    listing = curl(server, home, base + "/").stdout.splitlines()
    last = [l for l in listing if l.strip()][-1].split()[0]
    got = home / "got"
    curl(server, home, f"{base}/{last}", "-o", got)
    assert got.read_bytes().endswith(with_attachment(43))


# --- mutt -----------------------------------------------------------------------------------------------------------

def test_mutt_reads_a_mailbox(server, home):
    server.deliver("alice", simple(77))
    rc = home / "muttrc"
    (home / "Mail").mkdir()
    rc.write_text(f"set ssl_force_tls=yes\nset ssl_ca_certificates_file={server.folder}/etc/tls.crt\nset certificate_file={home}/certificates\n"
                  f"set imap_user=alice\nset imap_pass={server.password('alice')}\nset sort=date\nset quit=yes\nset wait_key=no\n"
                  "set delete=no\nset move=no\nset pipe_decode=no\n"
                  f"folder-hook . 'push <last-entry><pipe-message>cat>{home}/piped<enter><quit>'\n")
    # script(1) gives mutt the terminal that it insists on.
    r = subprocess.run(["script", "-qec", f"mutt -n -F {rc} -f imaps://localhost:{server.ports['imaps']}/INBOX", "/dev/null"],
                       env={**os.environ, "HOME": str(home), "TERM": "vt100", "LC_ALL": "C.UTF-8"}, capture_output=True, timeout=60)
    piped = home / "piped"
    assert piped.exists(), r.stdout[-2000:]
    assert b"Subject: " in piped.read_bytes()
