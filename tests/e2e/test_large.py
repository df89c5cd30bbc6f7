"""Messages nearly as large as all the memory that a worker may use: they are staged and stored from where they came in."""

import hashlib
import re

import pytest

from harness import Server

SIZE = 60 << 20
LINE = b"0123456789" * 7 + b"\r\n"


@pytest.fixture(scope="module")
def server():
    with Server(users=["alice"], tls=False, extra="worker_memory = 64M\nmessage_size_max = 62M\n") as s:
        yield s


def large(subject):
    return b"Subject: %s\r\n\r\n" % subject + LINE * (SIZE // len(LINE))


def fetched(client, number):
    status, data = client.fetch(str(number), "(EMAILID RFC822.SIZE BODY.PEEK[])")
    assert status == "OK"
    line, body = data[0]
    assert int(re.search(rb"RFC822.SIZE (\d+)", line)[1]) == len(body)
    return re.search(rb"EMAILID \(([^)]+)\)", line)[1], body


def test_large_messages_in_little_memory(server):
    message = large(b"one")
    client = server.imap("alice")
    # RFC 3502, RFC 7888: both are in one transaction.
    client.send(b"t1 APPEND INBOX {%d+}\r\n" % len(message) + message + b" {%d+}\r\n" % len(message) + message + b"\r\n")
    assert client.readline().startswith(b"t1 OK")
    assert client.select("INBOX")[1] == [b"2"]
    email_id, body = fetched(client, 1)
    assert hashlib.sha256(body).digest() == hashlib.sha256(message).digest()
    assert fetched(client, 2) == (email_id, body)
    # Put together from a part in memory and another message, or from that as a whole: RFC 8474 5.1, the same bytes have one id.
    assert client.xatom("APPEND", 'INBOX CATENATE (URL "/INBOX/;UID=1/;SECTION=HEADER" URL "/INBOX/;UID=1/;SECTION=TEXT")')[0] == "OK"
    client.noop()
    again, body = fetched(client, 3)
    assert again == email_id and body == message
    client.logout()


def test_large_delivery_in_little_memory(server):
    message = large(b"delivered")
    with server.lmtp() as lmtp:
        lmtp.sendmail("sender@example.org", ["alice"], message)
    client = server.imap("alice")
    number = int(client.select("INBOX")[1][0])
    email_id, body = fetched(client, number)
    assert body.endswith(message) and body.startswith(b"Return-Path:")
    # The id that the delivery got in slices is that of the bytes.
    assert client.xatom("APPEND", f'Drafts CATENATE (URL "/INBOX/;UID={number}")')[0] == "OK"
    client.select("Drafts")
    assert fetched(client, 1)[0] == email_id
    client.logout()
