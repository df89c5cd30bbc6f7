"""Client libraries of other languages, and clients that keep folders in step: imapflow (Node.js), Mail::IMAPClient (Perl), offlineimap, neomutt."""

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import Server
from messages import simple, with_attachment
from test_clients import maildir, run

HERE = Path(__file__).parent / "clients"
# Kept from run to run, beside what is built.
NODE = HERE.parents[2] / "build/node"


@pytest.fixture(scope="module")
def server():
    with Server(users=["alice", "bob", "carol", "dave"]) as s:
        yield s


@pytest.fixture(scope="module")
def node_modules():
    """imapflow, installed once from the npm registry."""
    if shutil.which("npm") is None:
        pytest.skip("no npm")
    NODE.mkdir(parents=True, exist_ok=True)
    with open(NODE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = (HERE / "package.json").read_bytes()
        done = NODE / "done"
        if not done.exists() or done.read_bytes() != wanted:
            (NODE / "package.json").write_bytes(wanted)
            r = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"], cwd=NODE,
                               capture_output=True, text=True, timeout=110, stdin=subprocess.DEVNULL)
            if r.returncode != 0:
                pytest.skip("npm cannot install imapflow: " + r.stderr.strip().splitlines()[-1])
            done.write_bytes(wanted)
    return NODE


def test_imapflow(server, node_modules):
    r = subprocess.run(["node", HERE / "imapflow.mjs", str(server.ports["imaps"]), server.folder / "etc/tls.crt", "alice",
                        server.password("alice")], cwd=node_modules, capture_output=True, text=True, timeout=90)
    assert r.returncode == 0, r.stdout + r.stderr
    seen = json.loads(r.stdout)
    assert set(seen["enabled"]) >= {"CONDSTORE", "QRESYNC"}
    assert {"INBOX", "Ablage", "Ablage/Größe"} <= set(seen["folders"])
    assert seen["appendUid"] == 1 and seen["exists"] == 5
    assert seen["condstore"] == "bigint"
    assert seen["subject"] == "Nummer 1 €"
    assert seen["from"] == {"name": "Sören", "address": "s1@example.org"} and seen["to"] == 2
    assert seen["flags"] == ["$Label1", "\\Seen"]
    assert seen["structure"] == ["multipart/mixed", "text/plain", "application/pdf"]
    assert seen["disposition"] == "x.pdf" and seen["attachment"] == "00010203"
    assert seen["date"] == "2026-11-20T10:00:00.000Z"
    assert seen["emailId"] and seen["source"]
    assert seen["idleExists"] == 6
    assert seen["idleFlags"] == ["\\Flagged"]
    assert seen["moved"] == [[3, 1]] and seen["idleExpunge"] == 3
    assert seen["search"] == [5]
    assert seen["unflagged"] == 4
    assert seen["status"] == [1, 2, "bigint"]
    assert seen["left"] == 3 and seen["changed"] == 3


def test_perl_imapclient(server, tmp_path):
    r = run("perl", HERE / "imapclient.pl", server.ports["imaps"], "bob", server.password("bob"), home=tmp_path)
    assert r.stdout == "good\n", r.stdout + r.stderr


def test_offlineimap_both_ways(server, tmp_path):
    client = server.imap("carol")
    client.create("Lists/culver")
    for n in range(20):
        client.append("Lists/culver" if n % 2 else "INBOX", "(\\Seen)" if n % 3 else "", None, with_attachment(n))
    config = tmp_path / "offlineimaprc"
    config.write_text(f"""
[general]
accounts = culver
metadata = {tmp_path}/meta
ui = quiet
[Account culver]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {tmp_path}/mail
[Repository far]
type = IMAP
remotehost = localhost
remoteport = {server.ports['imaps']}
ssl = yes
sslcacertfile = {server.folder}/etc/tls.crt
remoteuser = carol
remotepass = {server.password('carol')}
""")
    run("offlineimap", "-o", "-c", config, home=tmp_path, timeout=100)
    near = tmp_path / "mail"
    assert len(maildir(near / "INBOX")) == 10
    assert len(maildir(near / "Lists.culver")) == 10
    # A message and a flag from this side, another flag and a deletion from the other.
    (near / "INBOX/cur/900.local:2,S").write_bytes(simple(900).replace(b"\r\n", b"\n"))
    victim = next(p for n, p in sorted(maildir(near / "Lists.culver").items()) if n.endswith(":2,"))
    victim.rename(str(victim) + "F")
    client.select("INBOX")
    client.store("1", "+FLAGS", "(\\Answered)")
    client.store("2", "+FLAGS", "(\\Deleted)")
    client.expunge()
    run("offlineimap", "-o", "-c", config, home=tmp_path, timeout=100)
    client.noop()
    assert len(client.search(None, "ALL")[1][0].split()) == 10
    assert len(client.search(None, "SUBJECT", '"Message 900"', "SEEN")[1][0].split()) == 1
    client.select("Lists/culver")
    assert len(client.search(None, "FLAGGED")[1][0].split()) == 1
    names = maildir(near / "INBOX")
    assert len(names) == 10 and sum("R" in n.partition(":2,")[2] for n in names) == 1
    client.logout()


def test_neomutt_reads_tags_and_moves(server, tmp_path):
    client = server.imap("dave")
    client.create("Archive2")
    for n in range(5):
        client.append("INBOX", "", None, simple(n))
    rc = tmp_path / "neomuttrc"
    rc.write_text(f"""
set folder="imaps://dave@localhost:{server.ports['imaps']}/"
set spoolfile="+INBOX"
set imap_pass="{server.password('dave')}"
set certificate_file="{server.folder}/etc/tls.crt"
set ssl_force_tls=yes
set ssl_usesystemcerts=no
set header_cache="{tmp_path}/cache"
set imap_qresync=yes
set imap_condstore=yes
set imap_deflate=yes
set confirmappend=no
set delete=yes
set move=no
set wait_key=no
push "<search>Message 2<enter><save-message>=Archive2<enter><search>Message 3<enter><flag-message><sync-mailbox><exit><exit>"
""")
    screen = ["script", "-qec", f"neomutt -F {rc}", "/dev/null"]
    r = subprocess.run(screen, cwd=tmp_path, capture_output=True, timeout=60, stdin=subprocess.DEVNULL,
                       env={**os.environ, "HOME": str(tmp_path), "TERM": "xterm", "LC_ALL": "C.UTF-8"})
    assert r.returncode == 0, r.stdout[-2000:]
    client.select("INBOX")
    assert len(client.search(None, "ALL")[1][0].split()) == 4
    assert client.search(None, "FLAGGED")[1][0] == client.search(None, "SUBJECT", '"Message 3"')[1][0] != b""
    client.select("Archive2")
    assert len(client.search(None, "SUBJECT", '"Message 2"')[1][0].split()) == 1
    client.logout()
