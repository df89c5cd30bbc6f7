"""LMTP and POP3 in tables: what a client says, and how the last line of the answer begins."""

import pytest

from harness import Server

LMTP = {
    "RFC 2033 4.1 LHLO comes first": [
        ("MAIL FROM:<a@b.example>", "503"), ("EHLO x", "500"), ("HELO x", "500"), ("LHLO", "501"), ("LHLO a b", "501"),
        ("LHLO [127.0.0.1]", "250 SIZE"), ("lhlo x.example", "250 SIZE")],
    "RFC 5321 4.1.1.2 MAIL": [
        ("LHLO x", "250"), ("MAIL", "501"), ("MAIL FROM:a@b", "501"), ("MAIL FROM:<a@b", "501"), ("MAIL FROM:<a b@c>", "501"),
        ("MAIL FROM:<a@b> FOO", "555"), ("MAIL FROM:<a@b> SIZE=x", "501"), ("MAIL FROM:<a@b> SIZE=99999999999", "552"),
        ("MAIL FROM:<a@b> BODY=BINARYMIME", "555"), ("mail from:<@r.example:a@b.example> body=8bitmime size=5", "250"),
        ("MAIL FROM:<a@b>", "503"), ("RSET", "250"), ("MAIL FROM:<@r.example:>", "501 5.1.7"), ("MAIL FROM:<>", "250")],
    "RFC 5321 4.1.1.3 RCPT": [
        ("LHLO x", "250"), ("RCPT TO:<alice>", "503"), ("MAIL FROM:<>", "250"), ("RCPT TO:<>", "501"), ("RCPT TO:alice", "501"),
        ("RCPT TO:<alice> FOO=1", "555"), ("RCPT TO:<nosuch>", "550"), ("RCPT TO:<alice>", "250")],
    "RFC 2033 4.2 DATA without a recipient": [
        ("LHLO x", "250"), ("DATA", "503"), ("MAIL FROM:<>", "250"), ("DATA", "503"), ("RCPT TO:<nosuch>", "550"), ("DATA", "503")],
    "RFC 3030 2 BDAT": [
        ("LHLO x", "250"), ("MAIL FROM:<>", "250"), ("RCPT TO:<alice>", "250"), (b"BDAT 10\r\nSubject: x", "250"),
        ("RCPT TO:<alice>", "503"), ("DATA", "503"), (b"BDAT 4 LAST\r\n\r\n\r\n", "250 2.1.5"), (b"BDAT 3 LAST\r\nabc", "503")],
    "RFC 3030 2 BDAT without recipients": [
        ("LHLO x", "250"), (b"BDAT 3\r\nabc", "503"), ("MAIL FROM:<>", "250"), (b"BDAT 3\r\nabc", "503"), ("RCPT TO:<alice>", "503"),
        ("NOOP", "250")],
    "RFC 3207 4 STARTTLS where there is no TLS": [
        ("LHLO x", "250"), ("STARTTLS now", "501"), ("STARTTLS", "502")],
    "RFC 6531 3.5 addresses beyond ASCII": [
        ("LHLO x", "250"), ("MAIL FROM:<j\u00f6@b>", "550 5.6.7"), ("MAIL FROM:<a@b>", "250"), ("RCPT TO:<j\u00f6>", "553 5.6.7"), ("RSET", "250"),
        ("MAIL FROM:<j\u00f6@b> SMTPUTF8", "250"), ("RCPT TO:<j\u00f6>", "550 5.1.1"), ("RCPT TO:<alice+\u00f6>", "250"), ("RSET", "250"),
        ("MAIL FROM:<a@b> SMTPUTF8=1", "555"), (b"MAIL FROM:<\xff@b> SMTPUTF8\r\n", "501")],
    "RFC 1870 6.1 SIZE": [
        ("LHLO x", "250"), ("MAIL FROM:<> SIZE=", "501"), ("MAIL FROM:<> SIZE=-1", "501"), ("MAIL FROM:<> SIZE=1000000000000", "552 5.3.4"),
        ("MAIL FROM:<> SIZE=99999999999999999999999", "5"), ("MAIL FROM:<> SIZE=0", "250 2.1.0")],
    "RFC 3030 2 BDAT of nothing, and without an argument": [
        ("LHLO x", "250"), ("MAIL FROM:<>", "250"), ("RCPT TO:<alice>", "250"), (b"BDAT 0\r\n", "250"), (b"BDAT 0 LAST\r\n", "250 2.1.5"),
        (b"BDAT 0 LAST\r\n", "503"), ("BDAT", "501"), ("NOOP", "")],
    "RFC 5321 4.1.1 arguments": [
        ("LHLO x", "250"), ("MAIL FROM:<a@b>SIZE=1", "501 5.5.4"), ("MAIL FROM:<a@b> =1", "501 5.5.4"), ("MAIL FROM:<a@b> SIZE=1 SIZE=2 ", "250 2.1.0"),
        ("RCPT TO:<alice>x", "555"), ("RCPT TO:<@r.example:alice>", "250 2.1.5"), ("RCPT TO:<alice@b@c>", "550 5.1.1"), ("DATA x", "501 5.5.4"),
        ("MAIL\tFROM:<a@b>", "500 5.5.1"), ("NOOP\0", "500 5.5.2"), (b"NOOP " + b"x" * 5000 + b"\r\n", "500 5.5.2"), ("NOOP", "250 2.0.0"),
        ("LHLO y", "250"), ("DATA", "503 5.5.1")],
    "RFC 5321 4.5.3.1 an address as long as can be": [
        ("LHLO x", "250"), ("MAIL FROM:<>", "250"), ("RCPT TO:<%s>" % ("a" * 998), "550 5.1.1"), ("RCPT TO:<%s>" % ("a" * 999), "501 5.1.3")],
    "RFC 5233 1 an address extension": [
        ("LHLO x", "250"), ("MAIL FROM:<>", "250"), ("RCPT TO:<alice+Folder>", "250"), ('RCPT TO:<"alice+a b">', "250"),
        ("RCPT TO:<nosuch+Folder>", "550"), ('RCPT TO:<"">', "550"), ("RCPT TO:<alice%example.org>", "550")],
    "RFC 5321 4.1.1 the others": [
        ("NOOP", "250"), ("NOOP any text", "250"), ("VRFY alice", "252"), ("VRFY", "501 5.5.4"), ("RSET x", "501 5.5.4"), ("RSET", "250"),
        ("FROB", "500"), ("", "500"), ("QUIT x", "501 5.5.4"), ("QUIT ", "221")],
}

POP3 = {
    "RFC 1939 4 AUTHORIZATION": [
        ("STAT", "-ERR"), ("PASS x", "-ERR"), ("USER", "-ERR")],
    "RFC 1939 4 a wrong password": [
        ("USER alice", "+OK"), ("PASS wrong", "-ERR [AUTH]"), ("USER alice", "+OK"), ("PASS pw-alice", "+OK")],
    "RFC 1939 5 TRANSACTION": [
        ("USER bob", "+OK"), ("PASS pw-bob", "+OK"), ("STAT", "+OK 2 "), ("LIST 1", "+OK 1 "), ("LIST 3", "-ERR"), ("LIST 0", "-ERR"),
        ("LIST x", "-ERR"), ("LIST 1 2", "-ERR"), ("UIDL 2", "+OK 2 "), ("TOP 1", "-ERR"), ("TOP 1 x", "-ERR"), ("TOP 1 -1", "-ERR"),
        ("RETR", "-ERR"), ("RETR 3", "-ERR"), ("NOOP", "+OK"), ("NOOP x", "-ERR"), ("noop", "+OK"), ("USER bob", "-ERR"),
        ("FROB", "-ERR"), ("QUIT", "+OK")],
    "RFC 1939 5 DELE and RSET": [
        ("USER bob", "+OK"), ("PASS pw-bob", "+OK"), ("DELE 1", "+OK"), ("DELE 1", "-ERR"), ("RETR 1", "-ERR"), ("LIST 1", "-ERR"),
        ("STAT", "+OK 1 "), ("RSET", "+OK"), ("STAT", "+OK 2 "), ("DELE 3", "-ERR"), ("QUIT", "+OK")],
    "RFC 6856 2 and 3 UTF8 and LANG": [
        ("UTF8 x", "-ERR"), ("UTF8", "+OK"), ("LANG *", "+OK en "), ("LANG en-US", "+OK en "), ("LANG tlh", "-ERR"), ("STLS", "-ERR"),
        ("USER alice", "+OK"), ("PASS pw-alice", "+OK"), ("UTF8", "-ERR"), ("LANG en", "+OK en "), ("LANG tlh", "-ERR")],
    "RFC 1939 5 arguments": [
        ("USER bob", "+OK"), ("PASS pw-bob", "+OK"), ("STAT x", "-ERR"), ("RSET x", "-ERR"), ("QUIT x", "-ERR"), ("LIST 4294967297", "-ERR"),
        ("LIST 99999999999999999999", "-ERR"), ("DELE -1", "-ERR"), ("DELE", "-ERR"), ("UIDL 0", "-ERR"), ("UIDL 1 2", "-ERR"), ("TOP 1 2 3", "-ERR"),
        ("TOP 1 4294967296", "-ERR"), ("CAPA x", "-ERR"), ("STAT", "+OK 2 "), (b"STAT\0\r\n", "-ERR"), (b"NOOP" + b" " * 600 + b"\r\n", "-ERR"),
        (b"STAT\n", "+OK 2 "), ("QUIT", "+OK")],
    "RFC 2449 5, RFC 1939 4 arguments before log-in": [
        ("CAPA x", "-ERR"), ("USER alice", "+OK"), ("PASS", "-ERR [AUTH]"), ("AUTH PLAIN =", "-ERR"),
        (b"USER al\0ice\r\n", "-ERR"), ("USER alice", "+OK"), ("USER bob", "+OK"), ("PASS pw-bob", "+OK"), ("STAT", "+OK 2 ")],
    "RFC 1939 7 user+folder": [
        ("USER alice+INBOX", "+OK"), ("PASS pw-alice", "+OK"), ("STAT", "+OK "), ("QUIT", "+OK")],
    "RFC 2449 8.1.2 a folder that does not exist": [
        ("USER alice+nosuch", "+OK"), ("PASS pw-alice", "-ERR [SYS/PERM]")],
    "RFC 5034 4 AUTH cancelled, and not base64": [
        ("AUTH PLAIN", "+ "), ("*", "-ERR"), ("AUTH PLAIN", "+ "), ("=AAA", "-ERR"), ("AUTH PLAIN AAA=BBB", "-ERR")],
    "RFC 3206 5 names that nobody can have": [
        ("USER " + "x" * 400, "+OK"), ("PASS y", "-ERR [AUTH]"), (b"USER \xff\r\n", "+OK"), ("PASS y", "-ERR [AUTH]"),
        ("AUTH PLAIN AAAA", "-ERR Invalid"), ("USER alice", "+OK"), ("PASS pw-alice", "+OK")],
    "RFC 3206 4 a line that is too long is no error of the system": [
        (b"x" * 8192, "-ERR The line")],
    "RFC 5034 4 AUTH": [
        ("AUTH FROB", "-ERR"), ("AUTH PLAIN !!!", "-ERR"), ("AUTH PLAIN AGFsaWNlAHB3LWFsaWNl", "+OK")],
}


@pytest.fixture(scope="module")
def server():
    with Server(tls=False) as s:
        for _ in range(2):
            s.deliver("bob", b"Subject: x\r\n\r\nbody\r\n")
        yield s


def run(client, dialogue):
    assert client.line()
    for said, wanted in dialogue:
        try:
            client.send(said if isinstance(said, bytes) else said + "\r\n")
            line = client.line()
        except ConnectionError:
            line = b""  # closed before it was said
        while line[3:4] == b"-" and line[:3].isdigit():
            line = client.line()
        assert line.decode().startswith(wanted), f"{said!r}: {line!r}, not {wanted}"


@pytest.mark.parametrize("name", LMTP)
def test_lmtp(server, name):
    with server.raw("lmtp") as client:
        run(client, LMTP[name])


@pytest.mark.parametrize("name", POP3)
def test_pop3(server, name):
    with server.raw("pop3") as client:
        run(client, POP3[name])
