"""culverctl verify, export, import, compact, salvage: through the command, as root and without, beside a running server."""

import imaplib
import mailbox
import os
import shutil
import subprocess

import pytest

from harness import ROOT, ROOTLESS_UID, Server, wait_for
from test_maildir import FOLDERS, GID, UID, Dovecot, contents
from test_maildir import fill as fill_folders

TEXT = "From: a@example.org\r\nTo: b@example.org\r\nSubject: number %d\r\nDate: Mon, 23 Nov 2026 06:00:00 +0000\r\n\r\nBody %d\r\nFrom here\r\n"


def fill(server, user="alice", count=12):
    client = server.imap(user)
    client.create("Lists/culver")
    for i in range(count):
        flags = r"(\Seen \Flagged $Forwarded)" if i % 3 == 0 else "()"
        typ, _ = client.append("INBOX" if i % 2 == 0 else "Lists/culver", flags, '"22-Nov-2026 12:00:%02d +0100"' % (i % 60),
                               (TEXT % (i, i)).encode())
        assert typ == "OK"
    client.subscribe("Lists/culver")
    return client


def content(server, user, name):
    """What a client sees of a mailbox: UIDVALIDITY and, by UID, flags, date and bytes."""
    client = server.imap(user)
    typ, _ = client.select(name, readonly=True)
    assert typ == "OK"
    validity = int(client.response("UIDVALIDITY")[1][0])
    _, data = client.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")
    out = {}
    for part in data:
        if isinstance(part, tuple):
            head = part[0].decode()
            uid = int(head.split("UID ")[1].split()[0].rstrip(")"))
            flags = sorted(f for f in head.split("FLAGS (")[1].split(")")[0].split() if f != r"\Recent")
            out[uid] = (flags, part[1])
    client.logout()
    return validity, out


def worker_gone(server, user):
    server.ctl("kick", user, check=False)
    wait_for(lambda: not any(user in line for line in server.ctl("who").stdout.splitlines()), 10)


def shared(server, name):
    """A folder that the users may write to."""
    path = server.folder / name
    path.mkdir()
    os.chmod(path, 0o1777)
    if server.rootless and ROOT:
        os.chown(path, ROOTLESS_UID, ROOTLESS_UID)
    return path


@pytest.fixture(params=["root", "rootless"])
def tool_server(request):
    if request.param == "root" and not ROOT:
        pytest.skip("needs root")
    with Server(users=("alice", "bob", "carol", "dave"), rootless=request.param == "rootless") as server:
        yield server


def test_verify_and_round_trip(tool_server):
    server = tool_server
    client = fill(server)
    # In use: verify and export look at the files as they are, and the session goes on.
    r = server.ctl("verify", "-u", "alice")
    assert "good" in r.stdout, r.stdout
    out = shared(server, "out")
    r = server.ctl("export", "-u", "alice", str(out / "md"))
    assert "exported: 12 messages" in r.stdout
    assert client.noop()[0] == "OK"
    client.logout()
    uidlist = (out / "md/dovecot-uidlist").read_text() if os.access(out / "md", os.R_OK) else None
    inbox, lists = content(server, "alice", "INBOX"), content(server, "alice", "Lists/culver")
    if uidlist is not None:
        assert uidlist.startswith(f"3 V{inbox[0]} N7\n")
        assert (out / "md/.Lists.culver/cur").is_dir()
    r = server.ctl("export", "-u", "alice", str(out / "md"))
    assert "exported: 0 messages" in r.stdout and "12 were there" in r.stdout
    os.system(f"chmod -R a+rX {out}")
    r = server.ctl("import", "-u", "bob", str(out / "md"))
    assert "imported: 12 messages" in r.stdout, r.stdout
    assert content(server, "bob", "INBOX") == inbox
    assert content(server, "bob", "Lists/culver") == lists
    r = server.ctl("import", "-u", "bob", str(out / "md"))
    assert "imported: 0 messages" in r.stdout and "12 were there" in r.stdout
    bob = server.imap("bob")
    assert any(b"Lists/culver" in line for line in bob.lsub()[1])
    bob.logout()
    server.ctl("export", "-u", "alice", "-f", "mbox", str(out / "mb"))
    os.system(f"chmod -R a+rX {out}")
    assert len(mailbox.mbox(out / "mb/INBOX.mbox", create=False)) == 6 if ROOT else True
    server.ctl("import", "-u", "carol", str(out / "mb"))
    validity, messages = content(server, "carol", "INBOX")
    assert validity == inbox[0] and {u: m[1] for u, m in messages.items()} == {u: m[1] for u, m in inbox[1].items()}
    assert {u: m[0] for u, m in messages.items()} == {u: m[0] for u, m in inbox[1].items()}
    assert "good" in server.ctl("verify", "-u", "carol").stdout


def test_import_holds_the_mail(tool_server):
    """A session that is open when an import begins gets its farewell; later ones wait and then see what was imported."""
    server = tool_server
    source = server.folder / "big.mbox"
    source.write_text("".join(f"From x Mon Nov 23 06:00:{i % 60:02d} 2026\nSubject: {i}\n\nx\n\n" for i in range(2000)))
    os.chmod(source, 0o644)
    with server.raw("imap") as c:
        c.line()
        c.ask("LOGIN alice pw-alice")
        tool = subprocess.Popen(server.command("culverctl", "-c", str(server.conf), "import", "-u", "alice", str(source)),
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert c.until(rb"^\* BYE|^$")[-1].startswith(b"* BYE")
    client = server.imap("alice")
    text, _ = tool.communicate(timeout=60)
    assert tool.returncode == 0 and "imported: 2000 messages" in text, text
    assert client.select("INBOX")[1] == [b"2000"]
    client.logout()


def dovecot_maildir(path):
    """As Dovecot leaves one behind."""
    for sub in ("cur", "new", "tmp", ".Sent/cur", ".Sent/new", ".Sent/tmp", ".Entw&APw-rfe.2026/cur", ".Entw&APw-rfe.2026/new"):
        (path / sub).mkdir(parents=True)
    names = {7: "1716000000.M1P2.host,S=40,W=44:2,FSab", 9: "1716000100.M2P2.host,S=40,W=44:2,", 12: "1716000200.M3P2.host,S=40,W=44:2,RST"}
    for uid, name in names.items():
        (path / "cur" / name).write_text(f"From: a@example.org\nSubject: dovecot {uid}\n\nx\n")
        os.utime(path / "cur" / name, (1716000000 + uid, 1716000000 + uid))
    (path / "new/1716009999.M9P9.host").write_text("Subject: fresh\n\ny\n")
    (path / "cur/1716000300.M4P2.host:2,S").symlink_to("/etc/passwd")
    (path / "dovecot-uidlist").write_text("3 V1700000123 N15 Gabcdef0123456789abcdef0123456789\n"
                                          "7 P0123ab :1716000000.M1P2.host,S=40,W=44\n9 W44 :1716000100.M2P2.host,S=40,W=44\n"
                                          "12 :1716000200.M3P2.host,S=40,W=44\n")
    (path / "dovecot-keywords").write_text("0 $Forwarded\n1 project\n")
    (path / "subscriptions").write_text("V\t2\n\nSent\nEntw&APw-rfe\t2026\n")
    (path / ".Sent/cur/1716000500.M5P2.host:2,S").write_text("Subject: sent\n\nz\n")
    (path / ".Sent/dovecot-uidlist").write_text("3 V1700000200 N3\n2 :1716000500.M5P2.host\n")


def test_import_from_dovecot(tool_server):
    server = tool_server
    source = server.folder / "dovecot"
    dovecot_maildir(source)
    os.system(f"chmod -R a+rX {source}")
    r = server.ctl("import", "-u", "dave", str(source), check=False)
    # The link is left out, and that is said.
    assert r.returncode == 2 and "imported: 5 messages" in r.stdout, r.stdout + r.stderr
    validity, messages = content(server, "dave", "INBOX")
    assert validity == 1700000123 and sorted(messages) == [7, 9, 12, 15]
    assert messages[7][0] == sorted(["$Forwarded", r"\Flagged", r"\Seen", "project"])
    assert messages[12][0] == sorted([r"\Answered", r"\Seen", r"\Deleted"])
    assert messages[9][1] == b"From: a@example.org\r\nSubject: dovecot 9\r\n\r\nx\r\n"
    assert content(server, "dave", "Sent")[0] == 1700000200
    dave = server.imap("dave")
    assert any("Entw&APw-rfe/2026" in line.decode() for line in dave.lsub()[1])
    dave.select("INBOX")
    assert b"18-May-2024" in dave.uid("FETCH", "7", "INTERNALDATE")[1][0]
    # POP3 unique ids are Dovecot's: UIDL is made of UID and UIDVALIDITY.
    dave.logout()
    pop3 = server.pop3("dave")
    assert pop3.uidl(1).split()[-1] == b"0123ab"
    assert pop3.uidl(2).split()[-1] == b"%08x%08x" % (9, 1700000123)
    pop3.quit()


@pytest.mark.skipif(shutil.which("dovecot") is None, reason="needs Dovecot")
def test_from_dovecot_and_back(tmp_path):
    """What Debian's Dovecot serves, Culver serves after an import; and Dovecot again, after an export."""
    os.chmod(tmp_path, 0o755)
    for parent in list(tmp_path.parents)[:3]:
        os.system(f"chmod a+x {parent} 2>/dev/null")
    dovecot = Dovecot(tmp_path / "one", tmp_path / "maildir")
    client = dovecot.imap()
    fill_folders(client)
    before = {folder: contents(client, folder) for folder in FOLDERS}
    client.logout()
    dovecot.stop()
    with Server(extra="hierarchy_separator = .\n") as server:
        os.system(f"chmod -R a+rX {tmp_path / 'maildir'}")
        r = server.ctl("import", "-u", "alice", str(tmp_path / "maildir"))
        assert "24 messages" in r.stdout, r.stdout + r.stderr
        client = server.imap("alice")
        assert {folder: contents_utc(contents(client, folder)) for folder in FOLDERS} == {f: contents_utc(c) for f, c in before.items()}
        out = shared(server, "out")
        server.ctl("export", "-u", "alice", str(out / "md"))
        client.logout()
        os.system(f"cp -a {out}/md {tmp_path}/back && chown -R {UID}:{GID} {tmp_path}/back")
        dovecot = Dovecot(tmp_path / "two", tmp_path / "back")
        client = dovecot.imap()
        for folder in FOLDERS:
            assert contents_utc(contents(client, folder)) == contents_utc(before[folder])
        client.logout()
        dovecot.stop()


def contents_utc(found):
    """A Maildir keeps the moment of INTERNALDATE, not its zone."""
    return {k: (v[0], imaplib.Internaldate2tuple(b'INTERNALDATE "' + v[1] + b'"'), v[2], v[3]) if isinstance(k, int) else v
            for k, v in found.items()}


def test_mail_format_maildir():
    with Server(extra="mail_format = maildir\n", users=("alice", "bob")) as server:
        source = server.folder / "dovecot"
        dovecot_maildir(source)
        (source / "cur/1716000300.M4P2.host:2,S").unlink()
        os.system(f"chmod -R a+rX {source}")
        assert "imported: 5 messages" in server.ctl("import", "-u", "alice", str(source)).stdout
        assert (server.folder / "mail/alice/culver").is_dir()
        validity, messages = content(server, "alice", "INBOX")
        assert validity == 1700000123 and sorted(messages) == [7, 9, 12, 15]
        r = server.ctl("verify", "-u", "alice")
        assert "good" in r.stdout and "5 messages" in r.stdout, r.stdout
        out = shared(server, "out")
        server.ctl("export", "-u", "alice", "-f", "mbox", str(out / "mb"))
        os.system(f"chmod -R a+rX {out}")
        server.ctl("import", "-u", "bob", str(out / "mb"))
        assert {u: m[1] for u, m in content(server, "bob", "INBOX")[1].items()} == {u: m[1] for u, m in messages.items()}
        server.ctl("compact", "-u", "alice")
        assert server.ctl("salvage", "-u", "alice", str(out / "x"), check=False).returncode == 1


def test_damage(tool_server):
    """Verify says which message is hurt, the server serves the others, salvage gets them out."""
    server = tool_server
    fill(server, count=6).logout()
    worker_gone(server, "alice")
    server.stop()
    store = server.folder / "mail/alice"
    log = store / "log.00000001"
    data = bytearray(log.read_bytes())
    at = data.find(b"\r\n\r\nBody 2") + 4  # not in its digest, which has a preview
    data[at] ^= 1
    log.write_bytes(data)
    server.start()
    r = server.ctl("verify", "-u", "alice", check=False)
    assert r.returncode == 2 and "LOSS: message cannot be read: log.00000001" in r.stdout and "INBOX, UID 2" in r.stdout, r.stdout
    out = shared(server, "out")
    r = server.ctl("salvage", "-u", "alice", str(out / "md"), check=False)
    assert r.returncode == 2 and "salvaged: 5 messages" in r.stdout, r.stdout + r.stderr
    client = server.imap("alice")
    client.select("INBOX")
    assert b"number 4" in client.uid("FETCH", "3", "BODY.PEEK[]")[1][0][1]
    client.logout()


def test_compact(tool_server):
    server = tool_server
    client = fill(server, count=2)
    client.select("INBOX")
    client.store("1", "+FLAGS", r"\Deleted")
    client.expunge()
    client.logout()
    r = server.ctl("compact", "-u", "alice")
    assert "octets before" in r.stdout
    assert "good" in server.ctl("verify", "-u", "alice").stdout


def test_refusals(tool_server):
    server = tool_server
    assert server.ctl("verify", "-u", "nobody-here", check=False).returncode != 0
    assert server.ctl("verify", check=False).returncode == 64
    assert server.ctl("verify", "-u", "alice", "-p", "/tmp", check=False).returncode == 64
    assert server.ctl("export", "-u", "alice", check=False).returncode == 64
    assert server.ctl("verify", "-p", "/nonexistent", check=False).returncode == 1
    fill(server, count=2).logout()
    client = server.imap("alice")
    r = server.ctl("compact", "-p", str(server.folder / "mail/alice"), check=False)
    assert r.returncode == 75 and "in use" in r.stderr
    client.logout()
    assert server.ctl("verify", "-p", str(server.folder / "mail/alice")).returncode == 0
    help_text = subprocess.run(server.command("culverctl", "--help"), capture_output=True, text=True).stdout
    for word in ("verify", "compact", "export", "import", "salvage"):
        assert word in help_text
