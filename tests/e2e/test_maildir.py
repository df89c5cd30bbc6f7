"""mail_format = maildir: a Maildir that Debian's Dovecot filled keeps everything, and other programs' changes reach sessions at once."""

import imaplib
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from harness import ROOT, ROOTLESS_UID, Server, free_port, wait_for

UID = ROOTLESS_UID if ROOT else os.getuid()
GID = ROOTLESS_UID if ROOT else os.getgid()


class Dovecot:
    """A private Dovecot over one Maildir, log-in without a password."""

    def __init__(self, folder, maildir):
        self.folder, self.port = folder, free_port()
        for name in ("run", "state", "home"):
            (folder / name).mkdir(parents=True)
        os.chmod(folder, 0o755)
        maildir.mkdir(parents=True, exist_ok=True)
        if ROOT:
            for path in (folder / "home", maildir):
                os.chown(path, UID, GID)
        me = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()
        group = subprocess.run(["id", "-gn"], capture_output=True, text=True).stdout.strip()
        internal = "nobody" if ROOT else me
        self.conf = folder / "dovecot.conf"
        self.conf.write_text(f"""
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
mail_location = maildir:{maildir}
ssl = no
disable_plaintext_auth = no
default_internal_user = {internal}
default_login_user = {internal}
default_internal_group = {"nogroup" if ROOT else group}
first_valid_uid = 0
service imap-login {{
  chroot =
  inet_listener imap {{
    address = 127.0.0.1
    port = {self.port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={UID} gid={GID} home={folder}/home
}}
""")
        self.proc = subprocess.Popen(["dovecot", "-F", "-c", str(self.conf)], stderr=subprocess.DEVNULL)
        wait_for(lambda: Server._greets(self.port), 15, "Dovecot")

    def imap(self):
        client = imaplib.IMAP4("127.0.0.1", self.port, timeout=20)
        client.login("alice", "x")
        return client

    def stop(self):
        self.proc.terminate()
        self.proc.wait(20)


def text(i):
    if i == 3:
        return b"Subject: odd\r\n\r\n" + b"\xc3\xa9 \x80 long " * 50 + b"\r\n.\r\n\r\n"
    return b"From: a@example.org\r\nSubject: message %d\r\n\r\n" % i + b"line of text\r\n" * (i * 3 + 1)


def good(answer):
    assert answer[0] == "OK", answer
    return answer[1]


FOLDERS = ["INBOX", "Work", "Work.Projects", "&AOk-t&AOk-", "Empty"]


def fill(client):
    for folder in FOLDERS[1:]:
        good(client.create(folder))
    for folder in FOLDERS[:4]:
        for i in range(8):
            flags = ["", r"(\Seen)", r"(\Seen \Flagged $Forwarded)", r"(\Draft)", "(Label1)", r"(\Answered Label2)", r"(\Deleted)", ""][i]
            good(client.append(folder, flags, f'"1{i}-Mar-2021 10:0{i}:00 +0000"', text(i)))
        good(client.select(folder))
        good(client.uid("STORE", "2,7", "+FLAGS", r"(\Deleted)"))
        good(client.expunge())
        good(client.uid("STORE", "5", "+FLAGS", r"(\Seen NonJunk)"))
        good(client.close())
    good(client.subscribe("Work.Projects"))
    good(client.subscribe("&AOk-t&AOk-"))
    good(client.subscribe("INBOX"))


def names(lines):
    return sorted(line.rsplit(b" ", 1)[1].strip(b'"') for line in lines if line and b"\\NonExistent" not in line)


def contents(client, folder):
    status = good(client.status(folder, "(UIDVALIDITY UIDNEXT MESSAGES)"))[0]
    good(client.select(folder, readonly=True))
    out = {"status": sorted(re.findall(rb"(UIDVALIDITY|UIDNEXT|MESSAGES) (\d+)", status))}
    count = int(dict(out["status"])[b"MESSAGES"])
    if count == 0:
        return out
    for item in good(client.fetch("1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")):
        if not isinstance(item, tuple):
            continue
        head, body = item
        flags = re.search(rb"FLAGS \(([^)]*)\)", head).group(1).split()
        out[int(re.search(rb"UID (\d+)", head).group(1))] = (
            sorted(f for f in flags if f != rb"\Recent"),
            re.search(rb'INTERNALDATE "([^"]*)"', head).group(1),
            int(re.search(rb"RFC822.SIZE (\d+)", head).group(1)),
            body,
        )
    assert len(out) == count + 1
    return out


def culver(**kwargs):
    return Server(extra="mail_format = maildir\nhierarchy_separator = .\n" + kwargs.pop("extra", ""), **kwargs)


@pytest.fixture(scope="module")
def migrated():
    """A server over a Maildir that Dovecot made, and what Dovecot said of it."""
    if shutil.which("dovecot") is None:
        pytest.skip("no dovecot")
    server = culver(rootless=True)
    maildir = server.folder / "mail/alice"
    dovecot = Dovecot(server.folder / "dovecot", maildir)
    try:
        client = dovecot.imap()
        fill(client)
        client.logout()
        client = dovecot.imap()
        before = {"LIST": names(good(client.list())), "LSUB": names(good(client.lsub()))}
        before.update({folder: contents(client, folder) for folder in FOLDERS})
        client.logout()
    finally:
        dovecot.stop()
    with server:
        yield server, maildir, before


def test_dovecot_maildir_keeps_everything(migrated):
    server, _, before = migrated
    for _ in range(2):
        client = server.imap()
        assert names(good(client.list())) == before["LIST"]
        assert names(good(client.lsub())) == before["LSUB"]
        for folder in FOLDERS:
            assert contents(client, folder) == before[folder], folder
        client.logout()


def owner_of(path):
    st = os.stat(path)
    return st.st_uid, st.st_gid


def deliver(maildir, message, folder=""):
    """As a delivery agent that knows nothing of us: written in tmp, renamed to new."""
    name = f"{time.time_ns() // 10**9}.M{time.time_ns() % 10**9}P{os.getpid()}.mta"
    tmp = Path(maildir, folder, "tmp", name)
    tmp.write_bytes(message)
    if ROOT:
        os.chown(tmp, *owner_of(Path(maildir, "cur")))
    os.rename(tmp, Path(maildir, folder, "new", name))
    return name


def test_idle_sees_what_others_do(migrated):
    server, maildir, before = migrated
    with server.raw("imap") as idle:
        idle.until(rb"^\* OK")
        idle.ask(f"LOGIN alice {server.password('alice')}")
        count = int(re.search(rb"(\d+) EXISTS", b"".join(idle.ask("SELECT INBOX"))).group(1))
        idle.send("i IDLE\r\n")
        idle.until(rb"^\+")
        start = time.monotonic()
        name = deliver(maildir, b"Subject: by an MTA\n\nhello\n")
        idle.until(rb"^\* %d EXISTS" % (count + 1))
        assert time.monotonic() - start < 2
        # Told of: the file leaves new/. Then another program marks it and the session is told.
        moved = wait_for(lambda: list(Path(maildir, "cur").glob(f"{name}:2,*")), 10, "the file in cur")[0]
        os.rename(moved, str(moved) + "FS")
        idle.until(rb"^\* %d FETCH .*FLAGS \((\\Recent )?\\(Seen|Flagged)" % (count + 1))
        os.unlink(str(moved) + "FS")
        idle.until(rb"^\* %d EXPUNGE" % (count + 1))
        idle.send("DONE\r\n")
        idle.until(rb"^i OK")
    client = server.imap()
    after = contents(client, "INBOX")
    client.logout()
    assert {k: v for k, v in after.items() if k != "status"} == {k: v for k, v in before["INBOX"].items() if k != "status"}


@pytest.mark.parametrize("mode", ["root", "rootless"] if ROOT else ["rootless"])
def test_files_are_as_others_expect(mode):
    with culver(rootless=mode == "rootless") as server:
        server.deliver("alice", "Subject: one\r\n\r\nby LMTP\r\n")
        maildir = server.folder / "mail/alice"
        assert len(list((maildir / "new").iterdir())) == 1
        assert b"\r" not in next((maildir / "new").iterdir()).read_bytes()
        client = server.imap()
        good(client.append("INBOX", r"(\Seen Label)", None, b"Subject: two\r\n\r\nby APPEND\r\n"))
        good(client.create("Work.Old"))
        good(client.select("INBOX"))
        good(client.copy("2", "Work.Old"))
        assert [f.name[-5:] for f in (maildir / ".Work.Old/cur").iterdir()] == [":2,Sa"]
        good(client.uid("MOVE", "1", "Work"))
        assert len(list((maildir / "new").iterdir())) == 0
        deliver(maildir, b"Subject: three\n\nby an MTA\n", ".Work")
        good(client.select("Work"))
        assert good(client.fetch("1:*", "(BODY.PEEK[TEXT])"))[0::2] == [
            (b"1 (BODY[TEXT] {9}", b"by LMTP\r\n"), (b"2 (BODY[TEXT] {11}", b"by an MTA\r\n")]
        good(client.store("1", "+FLAGS", r"(\Flagged)"))
        wait_for(lambda: any(f.name.endswith(":2,F") for f in (maildir / ".Work/cur").iterdir()), 10, "the flag in the name")
        good(client.store("1", "+FLAGS", r"(\Deleted)"))
        good(client.expunge())
        assert len(list((maildir / ".Work/cur").iterdir())) + len(list((maildir / ".Work/new").iterdir())) == 1
        good(client.rename("Work", "Play"))
        assert (maildir / ".Play.Old/cur").is_dir() and not (maildir / ".Work").exists()
        good(client.delete("Play.Old"))
        assert not (maildir / ".Play.Old").exists()
        client.logout()
        pop3 = server.pop3()
        assert pop3.stat()[0] == 1
        pop3.quit()
        for _ in range(2):
            client = server.imap()
            good(client.select("Play"))
            assert b"by an MTA" in good(client.fetch("1", "(BODY.PEEK[])"))[0][1]
            client.logout()
            server.stop()
            server.start()
        assert "panic" not in server.log_text().lower()


def test_planted_links(tmp_path):
    """Links in place of directories are not followed, and a folder that cannot be read does not take the others with it."""
    with culver(rootless=True) as server:
        client = server.imap()
        maildir = server.folder / "mail/alice"
        good(client.create("Bad"))
        client.logout()
        server.stop()
        secret = tmp_path / "secret"
        secret.mkdir()
        (secret / "1.x:2,").write_bytes(b"Subject: secret\n\n")
        shutil.rmtree(maildir / ".Bad/cur")
        os.symlink(secret, maildir / ".Bad/cur")
        deliver(maildir, b"Subject: good\n\n")
        server.start()
        client = server.imap()
        good(client.select("INBOX"))
        assert b"good" in good(client.fetch("1", "(BODY.PEEK[])"))[0][1]
        answer = client.status("Bad", "(MESSAGES)")
        assert answer[0] == "NO" or b"MESSAGES 0" in answer[1][0]
        client.logout()
