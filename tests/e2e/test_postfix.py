"""A real MTA: Debian's Postfix with a configuration of its own relays to Culver by LMTP."""

import os
import shutil
import smtplib
import subprocess

import pytest

from harness import ROOT, Server, free_port, wait_for
from messages import with_attachment

pytestmark = pytest.mark.skipif(not ROOT, reason="Postfix's master needs root to start its daemons")


class Postfix:
    def __init__(self, folder, lmtp_port):
        self.folder = folder
        self.port = free_port()
        for name in ("queue", "data", "etc"):
            (folder / name).mkdir()
        os.chmod(folder, 0o755)
        shutil.chown(folder / "data", "postfix")
        (folder / "etc/main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mta.test
mydestination = mta.test
local_recipient_maps =
mailbox_transport = lmtp:inet:127.0.0.1:{lmtp_port}
local_transport = lmtp:inet:127.0.0.1:{lmtp_port}
mynetworks = 127.0.0.0/8
recipient_delimiter =
smtputf8_enable = yes
message_size_limit = 50000000
alias_maps =
alias_database =
""")
        (folder / "etc/master.cf").write_text(self.services())

    def services(self):
        """Debian's services, none in a chroot, with our own port instead of 25."""
        path = "/etc/postfix/master.cf" if os.path.exists("/etc/postfix/master.cf") else "/usr/share/postfix/master.cf.dist"
        out = [f"127.0.0.1:{self.port} inet n - n - - smtpd"]
        for line in open(path).read().splitlines():
            words = line.split()
            if line and not line[0].isspace() and not line.startswith("#") and len(words) >= 8:
                if words[0] == "smtp" and words[1] == "inet":
                    continue
                words[4] = "n"
                line = " ".join(words)
            out.append(line)
        return "\n".join(out) + "\n"

    def command(self, *args):
        return subprocess.run(["postfix", "-c", str(self.folder / "etc"), *args], capture_output=True, text=True, timeout=60)

    def __enter__(self):
        r = self.command("start")
        assert r.returncode == 0, r.stdout + r.stderr
        wait_for(self._up, 20, "Postfix")
        return self

    def _up(self):
        try:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=2):
                return True
        except OSError:
            return False

    def __exit__(self, *exc):
        self.command("stop")

    def log(self):
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""


def test_twenty_messages_arrive_unchanged(tmp_path):
    os.chmod(tmp_path, 0o755)
    for parent in tmp_path.parents[:2]:
        os.chmod(parent, 0o755)
    with Server(users=["alice@mta.test", "bob@mta.test"]) as server, Postfix(tmp_path, server.ports["lmtp"]) as postfix:
        with smtplib.SMTP("127.0.0.1", postfix.port) as smtp:
            for n in range(20):
                smtp.sendmail("sender@example.org", ["alice@mta.test"] if n % 2 else ["alice@mta.test", "bob@mta.test"],
                              with_attachment(n), mail_options=["BODY=8BITMIME"])
            refused = smtp.sendmail("sender@example.org", ["alice@mta.test"], with_attachment(20))
            assert refused == {}
        client = server.imap("alice@mta.test", server.password("alice@mta.test"))

        def arrived():
            client.select("INBOX")
            return len(client.search(None, "ALL")[1][0].split()) == 21

        wait_for(arrived, 60, f"21 messages; {postfix.log()[-3000:]}")
        bodies = set()
        for n in range(1, 22):
            data = client.fetch(str(n), "(BODY.PEEK[])")[1][0][1]
            assert data.startswith(b"Return-Path: <sender@example.org>\r\nDelivered-To: alice@mta.test\r\nReceived: from ")
            original = data[data.index(b"From: "):] if b"\r\nFrom: " in data else data
            bodies.add(original)
        assert bodies == {with_attachment(n) for n in range(21)}
