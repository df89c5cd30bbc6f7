"""Whole sessions with Python's own clients, in the clear on loopback, over STARTTLS/STLS and over implicit TLS."""

import imaplib
import poplib
import ssl
import time

import pytest

from harness import Raw, Server, wait_for
from messages import simple, with_attachment


def imap_session(client):
    assert "IMAP4REV1" in client.capabilities
    typ, _ = client.create("Work")
    assert typ == "OK"
    typ, data = client.append("Work", "(\\Flagged)", imaplib.Time2Internaldate(1700000000), simple(1))
    assert typ == "OK" and b"APPENDUID" in data[0]
    typ, data = client.select("Work")
    assert (typ, data) == ("OK", [b"1"])
    typ, data = client.fetch("1", "(FLAGS UID RFC822.SIZE INTERNALDATE ENVELOPE BODYSTRUCTURE)")
    assert typ == "OK" and b"\\Flagged" in data[0] and b'"Message 1"' in data[0] and b'14-Nov-2023' in data[0]
    typ, data = client.fetch("1", "(BODY.PEEK[])")
    assert data[0][1] == simple(1)
    typ, data = client.fetch("1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    assert data[0][1] == b"Subject: Message 1\r\n\r\n"
    assert client.search(None, "SUBJECT", '"message"')[1] == [b"1"]
    assert client.store("1", "+FLAGS", "(\\Deleted)")[0] == "OK"
    assert client.copy("1", "INBOX")[0] == "OK"
    assert client.expunge()[1] == [b"1"]
    assert client.close()[0] == "OK"
    assert client.delete("Work")[0] == "OK"
    assert client.logout()[0] == "BYE"


def test_imap_clear(any_server):
    imap_session(any_server.imap())


def test_imap_starttls(any_server):
    client = any_server.imap(login=False)
    context = any_server.tls_context()
    context.check_hostname = False
    assert client.starttls(context)[0] == "OK"
    client.login("alice", any_server.password("alice"))
    imap_session(client)


def test_imap_implicit_tls(any_server):
    imap_session(any_server.imaps())


def pop3_session(client, server):
    count, size = client.stat()
    assert count >= 2
    listing = client.list()[1]
    assert len(listing) == count and sum(int(l.split()[1]) for l in listing) == size
    uidls = [l.split()[1] for l in client.uidl()[1]]
    assert len(set(uidls)) == count and all(1 <= len(u) <= 70 for u in uidls)
    n = count
    lines = client.retr(n)[1]
    message = b"\r\n".join(lines) + b"\r\n"
    assert message.endswith(with_attachment(7))
    assert client.top(n, 1)[1][-1].startswith(b"Content-Type") or len(client.top(n, 1)[1]) < len(lines)
    client.dele(n)
    assert client.stat()[0] == count - 1
    client.rset()
    assert client.stat()[0] == count
    client.dele(1)
    client.quit()
    again = server.pop3()
    assert [l.split()[1] for l in again.uidl()[1]] == uidls[1:]
    again.quit()


@pytest.fixture
def two_messages(any_server):
    any_server.deliver("alice", simple(1))
    any_server.deliver("alice", with_attachment(7))
    return any_server


def test_pop3_clear(two_messages):
    pop3_session(two_messages.pop3(), two_messages)


def test_pop3_stls(two_messages):
    client = two_messages.pop3(login=False)
    context = two_messages.tls_context()
    context.check_hostname = False
    client.stls(context)
    client.user("alice")
    client.pass_(two_messages.password("alice"))
    pop3_session(client, two_messages)


def test_pop3_implicit_tls(two_messages):
    context = two_messages.tls_context()
    context.check_hostname = False
    client = poplib.POP3_SSL("127.0.0.1", two_messages.ports["pop3s"], context=context, timeout=20)
    client.user("alice")
    client.pass_(two_messages.password("alice"))
    pop3_session(client, two_messages)


def test_pop3_dele_without_quit_removes_nothing(two_messages):
    client = two_messages.pop3()
    before = client.stat()
    client.dele(1)
    client.close()
    assert two_messages.pop3().stat() == before


def test_wrong_password_and_unknown_user_look_the_same(any_server):
    answers = []
    for user in ("alice", "nobody-here"):
        with Raw(any_server.ports["imap"]) as c:
            c.line()
            answers.append(c.ask(f"LOGIN {user} wrong"))
    assert answers[0] == answers[1] == [b"t NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"]
    client = any_server.pop3(login=False)
    client.user("alice")
    with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
        client.pass_("wrong")


def test_authenticate_plain_and_login(any_server):
    for mechanism, responses in (("PLAIN", [b"\0alice\0pw-alice"]), ("LOGIN", [b"alice", b"pw-alice"])):
        client = any_server.imap(login=False)
        given = iter(responses)
        assert client.authenticate(mechanism, lambda _: next(given))[0] == "OK"
        client.logout()


def test_sasl_initial_response(any_server):
    import base64
    with Raw(any_server.ports["imap"]) as c:
        c.line()
        ir = base64.b64encode(b"\0alice\0pw-alice").decode()
        assert b"OK" in c.ask(f"AUTHENTICATE PLAIN {ir}")[-1]
    with Raw(any_server.ports["pop3"]) as c:
        c.line()
        c.send(f"AUTH PLAIN {ir}\r\n")
        assert c.line().startswith(b"+OK")
        c.send("STAT\r\n")
        assert c.line().startswith(b"+OK")


def test_pipelined_after_login(any_server):
    """What a client sends behind its log-in is passed on with the hand-over."""
    with Raw(any_server.ports["imap"]) as c:
        c.send("a LOGIN alice pw-alice\r\nb SELECT INBOX\r\nc NOOP\r\nd LOGOUT\r\n")
        lines = c.until(rb"^d ")
        assert [l[:4] for l in lines if l[:1] in b"abcd"] == [b"a OK", b"b OK", b"c OK", b"d OK"]
    with Raw(any_server.ports["pop3"]) as c:
        c.send("USER alice\r\nPASS pw-alice\r\nSTAT\r\nQUIT\r\n")
        assert all(c.line().startswith(b"+OK") for _ in range(5))


def test_idle_sees_the_other_session_at_once(any_server):
    a, b = any_server.raw("imap"), any_server.imap()
    with a:
        a.line()
        a.ask("LOGIN alice pw-alice")
        b.select("INBOX")
        lines = a.ask("SELECT INBOX")
        count = next(int(l.split()[1]) for l in lines if l.endswith(b" EXISTS\r\n"))
        a.send("i IDLE\r\n")
        a.until(rb"^\+ ")
        start = time.monotonic()
        b.append("INBOX", "", None, simple(3))
        a.until(rb"^\* %d EXISTS" % (count + 1))
        b.select("INBOX")
        b.store(str(count + 1), "+FLAGS", "(\\Answered)")
        a.until(rb"^\* %d FETCH .*\\Answered" % (count + 1))
        assert time.monotonic() - start < 2
        a.send("DONE\r\n")
        a.until(rb"^i OK")
        assert len(any_server.pids_of("culver-worker")) >= 1
        who = any_server.ctl("who").stdout
        workers = {line.split()[-1] for line in who.splitlines() if "alice" in line}
        assert len([l for l in who.splitlines() if "alice" in l]) >= 2 and len(workers) == 1, who
    b.logout()


def test_message_sizes_through_lmtp(any_server):
    for size in (0, 1, 4000, 70000, 3000000):
        body = ("y" * 70 + "\r\n") * (size // 72)
        any_server.deliver("bob", simple(size, body))
    client = any_server.imap("bob")
    n = int(client.select("INBOX")[1][0])
    _, data = client.fetch(str(n), "(BODY.PEEK[])")
    assert data[0][1].endswith(simple(3000000, ("y" * 70 + "\r\n") * (3000000 // 72)))
    client.logout()


def test_lmtp_one_reply_per_recipient(any_server):
    with any_server.raw("lmtp") as c:
        c.line()
        c.send("LHLO test\r\n")
        c.until(rb"^250 ")
        c.send("MAIL FROM:<s@example.org>\r\nRCPT TO:<alice>\r\nRCPT TO:<nobody-here>\r\nRCPT TO:<bob>\r\nDATA\r\n")
        assert [c.line()[:3] for _ in range(5)] == [b"250", b"250", b"550", b"250", b"354"]
        c.send(simple(1) + b".\r\nQUIT\r\n")
        assert [c.line()[:3] for _ in range(3)] == [b"250", b"250", b"221"]


def test_server_stop_says_bye():
    with Server() as server:
        with server.raw("imap") as c:
            c.line()
            c.ask("LOGIN alice pw-alice")
            server.proc.terminate()
            lines = c.until(rb"^\* BYE|^$")
            assert lines[-1].startswith(b"* BYE")
        wait_for(lambda: server.proc.poll() is not None, 10, "the end of the server")
        assert server.proc.returncode == 0


def test_tls_versions(any_server):
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        context = ssl._create_unverified_context()
        context.minimum_version = context.maximum_version = version
        with pytest.raises(OSError):
            imaplib.IMAP4_SSL("127.0.0.1", any_server.ports["imaps"], ssl_context=context, timeout=5)
