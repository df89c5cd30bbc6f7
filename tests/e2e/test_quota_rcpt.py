"""Quota told at RCPT (RFC 1870 section 6.1, RFC 3463 x.2.2): as far as the user's worker has said, and never as the last word."""

import os
import signal

import pytest

from harness import Server, wait_for


def open_lmtp(server):
    c = server.lmtp()
    assert c.ehlo("x")[0] == 250
    return c


def rcpt(server, user="alice", size=None):
    """The answers to MAIL and RCPT as one pair of code and text."""
    with open_lmtp(server) as c:
        code, text = c.docmd("MAIL", "FROM:<a@example.org>" + (f" SIZE={size}" if size is not None else ""))
        assert code == 250, text
        return c.docmd("RCPT", f"TO:<{user}>")


def deliver(server, user="alice", size=100):
    with open_lmtp(server) as c:
        c.docmd("MAIL", "FROM:<a@example.org>")
        code, text = c.docmd("RCPT", f"TO:<{user}>")
        if code != 250:
            return code
        assert c.docmd("DATA")[0] == 354
        c.send(b"Subject: x\r\n\r\n" + b"y" * size + b"\r\n.\r\n")
        return c.getreply()[0]


@pytest.mark.parametrize("full,code,enhanced", [("reject", 552, b"5.2.2"), ("defer", 452, b"4.2.2")])
def test_at_rcpt(full, code, enhanced):
    with Server(users=["alice", "bob"], extra=f"quota_bytes = 20K\nquota_messages = 3\nquota_full = {full}\nworker_linger = 30s\n") as server:
        # Nobody has a worker: nothing is known, and the worker answers when the message is there.
        assert rcpt(server)[0] == 250 and rcpt(server, size=100000)[0] == 250
        assert deliver(server, size=30000) == code and deliver(server) == 250
        # Now it is: a size that was declared (RFC 1870 section 5), the last octets, and the number of messages.
        wait_for(lambda: rcpt(server, size=100000)[0] == code, what="the worker's word")
        answer = rcpt(server, size=100000)
        assert answer[1].startswith(enhanced)
        assert rcpt(server, size=1000)[0] == 250 and rcpt(server)[0] == 250 and rcpt(server, "bob", 100000)[0] == 250
        with server.imap("alice") as client:
            assert [deliver(server) for _ in range(2)] == [250, 250]
            wait_for(lambda: rcpt(server)[0] == code, what="three messages of three")
            # Where there is no valid recipient there is no message (RFC 2033 section 4.2); another one is not touched by it.
            with open_lmtp(server) as c:
                c.docmd("MAIL", "FROM:<a@example.org>")
                assert c.docmd("RCPT", "TO:<alice>")[0] == code and c.docmd("DATA")[0] == 503
                assert c.docmd("RCPT", "TO:<bob>")[0] == 250 and c.docmd("DATA")[0] == 354
                c.send(b"Subject: x\r\n\r\n.\r\n")
                assert c.getreply()[0] == 250
                # In a pipeline (RFC 2920), in their order.
                c.send(b"MAIL FROM:<a@example.org>\r\nRCPT TO:<alice>\r\nRCPT TO:<bob>\r\nRCPT TO:<nobody>\r\nRSET\r\n")
                assert [c.getreply()[0] for _ in range(5)] == [250, code, 250, 550, 250]
            # Room that is made counts at once.
            client.select("INBOX")
            client.store("1", "+FLAGS", "(\\Deleted)")
            client.expunge()
            wait_for(lambda: rcpt(server)[0] == 250, what="room again")
            assert deliver(server) == 250


def test_worker_gone():
    """A full mailbox costs no worker; what a killed worker said last is not believed, nor what was before a restart."""
    with Server(users=["alice"], extra="quota_messages = 1\nworker_linger = 0\n") as server:
        assert deliver(server) == 250
        wait_for(lambda: not server.pids_of("culver-worker"), what="the worker's leave")
        assert rcpt(server)[0] == 552 and deliver(server) == 552 and not server.pids_of("culver-worker")
        # culverctl's tools have the mail to themselves, and may change it.
        assert server.ctl("import", "-u", "alice", "-f", "mbox", "/dev/null").returncode in (0, 1)
        assert rcpt(server)[0] == 250 and deliver(server) == 552
    with Server(users=["alice"], extra="quota_messages = 1\nworker_linger = 30s\n") as server:
        assert deliver(server) == 250
        wait_for(lambda: rcpt(server)[0] == 552, what="the worker's word")
        os.kill(server.pids_of("culver-worker")[0], signal.SIGKILL)
        wait_for(lambda: rcpt(server)[0] == 250, what="the worker's death")
        wait_for(lambda: deliver(server) == 552, what="its successor")


def test_maildir_gone():
    """Others may empty a Maildir while nobody looks."""
    with Server(users=["alice"], extra="quota_messages = 1\nworker_linger = 0\nmail_format = maildir\n") as server:
        assert deliver(server) == 250
        wait_for(lambda: not server.pids_of("culver-worker"), what="the worker's leave")
        for path in list((server.folder / "mail/alice").glob("*/*")):
            if path.parent.name in ("cur", "new"):
                path.unlink()
        assert rcpt(server)[0] == 250 and deliver(server) == 250
