"""Local delivery: address extensions, mail loops, duplicates, full mailboxes, over LMTP with the real processes."""

import pytest

from harness import Server

MESSAGE = b"Subject: x\r\nMessage-ID: <%d@x.example>\r\n\r\nbody\r\n"


def subjects(client, folder):
    status, data = client.select(f'"{folder}"')
    assert status == "OK", data
    return int(data[0])


# --- address extensions (RFC 5233 1) -------------------------------------------------------------------------------------

def test_detail_into_an_existing_folder():
    with Server() as server:
        client = server.imap("alice")
        client.create("Lists/Kernel")
        for address in ("alice+Lists/Kernel", "Alice+lists/kernel", "alice+nosuch", "alice"):
            server.deliver(address, MESSAGE % 1)
        assert subjects(client, "Lists/Kernel") == 2
        assert subjects(client, "INBOX") == 2
        assert "550" in str(refused(server, "nobody+Lists"))


def test_detail_creates_and_subscribes():
    with Server(extra="detail_mailbox = create\n") as server:
        for address in ("alice+a.b/c", "alice+Trash", "alice+../../x", 'alice+%', "alice+*", "alice+INBOX"):
            server.deliver(address, MESSAGE % 1)
        client = server.imap("alice")
        assert subjects(client, "a.b/c") == 1
        assert subjects(client, "Trash") == 1
        assert subjects(client, "INBOX") == 3 + 1
        assert b"a.b/c" in b"".join(client.lsub()[1])
        assert b".." not in b"".join(client.list()[1])


def test_detail_ignored_and_another_delimiter():
    with Server(extra="detail_mailbox = ignore\nrecipient_delimiter = -\n") as server:
        client = server.imap("alice")
        client.create("Lists")
        server.deliver("alice-Lists", MESSAGE % 1)
        assert subjects(client, "Lists") == 0
        assert subjects(client, "INBOX") == 1
        assert "550" in str(refused(server, "alice+Lists"))


def refused(server, address):
    import smtplib
    with pytest.raises(smtplib.SMTPRecipientsRefused) as e:
        server.deliver(address, MESSAGE % 1)
    return e.value


# --- what the header says -------------------------------------------------------------------------------------------------

def test_mail_loop_is_refused():
    import smtplib
    with Server() as server:
        server.deliver("alice", MESSAGE % 1)
        client = server.pop3("alice")
        stored = b"\r\n".join(client.retr(1)[1]) + b"\r\n"
        assert b"Delivered-To: alice\r\n" in stored
        with pytest.raises(smtplib.SMTPDataError, match="5.4.6"):
            server.deliver("alice", stored)
        server.deliver("bob", stored)
        hops = b"Received: from a by b; Mon, 23 Nov 2026 05:11:34 +0000\r\n" * 101
        with pytest.raises(smtplib.SMTPDataError, match="5.4.6"):
            server.deliver("alice", hops + MESSAGE % 2)


def test_duplicates_are_discarded_for_a_time():
    with Server(extra="duplicate_window = 1h\n") as server:
        for n in (1, 1, 2, 1):
            server.deliver("alice", MESSAGE % n)
        server.deliver("bob", MESSAGE % 1)
        assert subjects(server.imap("alice"), "INBOX") == 2
        assert subjects(server.imap("bob"), "INBOX") == 1


# --- quota ------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("how, code", [("reject", "552"), ("defer", "452")])
def test_full_mailbox(how, code):
    import smtplib
    with Server(extra=f"quota_messages = 1\nquota_full = {how}\n") as server:
        server.deliver("alice", MESSAGE % 1)
        with pytest.raises((smtplib.SMTPDataError, smtplib.SMTPRecipientsRefused), match=code):
            server.deliver("alice", MESSAGE % 2)
        server.deliver("bob", MESSAGE % 2)
