"""POP3 with the real processes: the choice of a folder at log-in, what is announced, and how maildrops are shown."""

import base64
import poplib

import pytest

from harness import Server

MESSAGE = b"Subject: %s\r\n\r\nbody\r\n"


@pytest.fixture(scope="module")
def server():
    with Server() as s:
        s.imap("alice").create("Lists/Kernel")
        s.deliver("alice", MESSAGE % b"inbox")
        s.deliver("alice+Lists/Kernel", MESSAGE % b"lists")
        yield s


def log_in(server, user, password):
    client = poplib.POP3("127.0.0.1", server.ports["pop3"], timeout=20)
    client.user(user)
    client.pass_(password)
    return client


# --- user+folder --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("user, subject", [("alice", b"inbox"), ("alice+INBOX", b"inbox"), ("alice+Lists/Kernel", b"lists"),
                                           ("ALICE+lists/kernel", b"lists")])
def test_folder_at_log_in(server, user, subject):
    client = log_in(server, user, "pw-alice")
    assert client.stat()[0] == 1
    assert b"Subject: " + subject in client.retr(1)[1]


def test_folder_with_sasl(server):
    with server.raw("pop3") as client:
        client.line()
        client.send(b"AUTH PLAIN " + base64.b64encode(b"\0alice+Lists/Kernel\0pw-alice") + b"\r\nSTAT\r\nRETR 1\r\n")
        assert client.line().startswith(b"+OK")
        assert client.line().startswith(b"+OK 1 ")
        assert b"Subject: lists\r\n" in client.until(rb"^\.\r\n")


def test_folder_that_does_not_exist(server):
    """Never INBOX in its place: the client may delete what it has fetched."""
    with pytest.raises(poplib.error_proto, match=r"\[SYS/PERM\]"):
        log_in(server, "alice+nosuch", "pw-alice")


def test_folder_needs_the_password(server):
    with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
        log_in(server, "alice+Lists/Kernel", "wrong")
    with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
        log_in(server, "bob+Lists/Kernel", "pw-alice")


def test_names_with_a_plus():
    with Server(users=("jo+lists", "jo"), extra="pop3_login_detail = no\n") as server:
        assert log_in(server, "jo+lists", "pw-jo+lists").stat() == (0, 0)
