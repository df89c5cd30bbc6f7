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


# --- what is announced (RFC 2449 6, 6856, 5034) ----------------------------------------------------------------------------

def capabilities(client):
    client.send("CAPA\r\n")
    lines = [line.decode().rstrip() for line in client.until(rb"^\.\r\n")]
    assert lines[0].startswith("+OK")
    return lines[1:-1]


def test_capabilities_are_the_same_after_log_in():
    with Server(tls=False, extra="pop3_expire = 60\npop3_login_delay = 90s\npop3_login_wait = 0\n") as server:
        with server.raw("pop3") as client:
            client.line()
            before = capabilities(client)
            assert {"EXPIRE 60", "LOGIN-DELAY 90", "UTF8", "LANG", "USER", "TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE",
                    "PIPELINING"} <= set(before)
            assert any(c.startswith("SASL ") and "PLAIN" in c for c in before)
            client.send("USER alice\r\nPASS pw-alice\r\n")
            assert client.line().startswith(b"+OK") and client.line().startswith(b"+OK")
            assert capabilities(client) == before


def test_utf8_lang_and_stls(server):
    with server.raw("pop3") as client:
        client.line()
        assert "STLS" in capabilities(client)
        for command, wanted in (("UTF8 x", "-ERR"), ("UTF8", "+OK"), ("STLS", "-ERR"), ("LANG en", "+OK en "), ("LANG", "+OK"),
                                ("LANG xx", "-ERR"), ("USER alice", "+OK"), ("PASS pw-alice", "+OK"), ("UTF8", "-ERR"),
                                ("LANG *", "+OK en ")):
            client.send(command + "\r\n")
            assert client.line().decode().startswith(wanted), command
            if command == "LANG":
                client.until(rb"^\.\r\n")


def test_utf8_is_needed_for_headers_in_utf8():
    with Server(extra="pop3_8bit_headers = refuse\n") as server:
        server.deliver("alice", "Subject: \u00e4\r\n\r\nb\r\n".encode())
        with pytest.raises(poplib.error_proto, match=r"\[UTF8\]"):
            log_in(server, "alice", "pw-alice").retr(1)
        client = poplib.POP3("127.0.0.1", server.ports["pop3"], timeout=20)
        client.utf8()
        client.user("alice")
        client.pass_("pw-alice")
        assert "Subject: \u00e4".encode() in client.retr(1)[1]


def test_a_client_that_comes_back_too_early_waits():
    import time
    with Server(extra="pop3_login_delay = 1h\npop3_login_wait = 700ms\n") as server:
        log_in(server, "alice", "pw-alice").quit()
        start = time.monotonic()
        log_in(server, "alice", "pw-alice").quit()
        assert time.monotonic() - start >= 0.6
        server.imap("alice")
        assert "log-in delayed" in server.log_text()
        with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
            log_in(server, "alice", "wrong")


def test_sasl(server):
    """RFC 5034 4: initial response, none, an empty one, cancelled, not base64; then a good one."""
    plain = base64.b64encode(b"\0alice\0pw-alice").decode()
    with server.raw("pop3") as client:
        client.line()
        for command, wanted in (("AUTH PLAIN", b"+ \r\n"), ("*", b"-ERR"), ("AUTH PLAIN =", b"-ERR"), ("AUTH FROB", b"-ERR"),
                                ("auth plain", b"+ \r\n"), (plain, b"+OK"), ("AUTH PLAIN " + plain, b"-ERR"), ("STAT", b"+OK 1 ")):
            client.send(command + "\r\n")
            assert client.line().startswith(wanted), command
    with server.raw("pop3") as client:
        client.line()
        for command, wanted in (("AUTH PLAIN", b"+ \r\n"), ("=AAA", b"-ERR"), ("AUTH PLAIN AAA=BBB", b"-ERR"),
                                ("AUTH PLAIN " + plain, b"+OK")):
            client.send(command + "\r\n")
            assert client.line().startswith(wanted), command


# --- maildrops ----------------------------------------------------------------------------------------------------------------

def test_deleted_messages_are_hidden():
    with Server(extra="pop3_delete = hide\n") as server:
        for n in range(3):
            server.deliver("alice", MESSAGE % str(n).encode())
        client = server.pop3("alice")
        uidls = [line.split()[1] for line in client.uidl()[1]]
        client.dele(2)
        client.quit()
        client = server.pop3("alice")
        assert client.stat()[0] == 2
        assert [line.split()[1] for line in client.uidl()[1]] == [uidls[0], uidls[2]]
        assert b"Subject: 2" in client.retr(2)[1]
        imap = server.imap("alice")
        assert imap.select("INBOX")[1] == [b"3"]
        assert imap.search(None, "KEYWORD", "$POP3Deleted")[1] == [b"2"]


@pytest.mark.parametrize("fmt, pattern", [("dovecot", rb"[0-9a-f]{16}"), ("cyrus", rb"\d+\.1"), ("courier", rb"UID1-\d+"), ("uid", rb"1"),
                                          ("%{guid}.%u", rb"[0-9a-f]{32}\.1")])
def test_unique_ids(fmt, pattern):
    import re
    with Server(extra=f"pop3_uidl_format = {fmt}\n") as server:
        server.deliver("alice", MESSAGE % b"x")
        assert re.fullmatch(pattern, server.pop3("alice").uidl()[1][0].split()[1])


def test_unique_ids_from_names_of_files():
    with Server(extra="mail_format = maildir\npop3_uidl_format = file\n") as server:
        server.deliver("alice", MESSAGE % b"x")
        name = next(iter((server.folder / "mail/alice").glob("*/[0-9]*"))).name.split(":")[0]
        assert server.pop3("alice").uidl()[1][0].split()[1] == name.encode()


def test_a_format_that_is_not_unique_is_refused():
    server = Server(extra="pop3_uidl_format = %v\n")
    try:
        with pytest.raises(AssertionError, match="pop3_uidl_format"):
            server.start()
    finally:
        server.close()


@pytest.mark.parametrize("store", ["culver", "maildir"])
def test_sizes_are_those_of_what_is_sent(store):
    """RFC 1939 11, with messages that IMAP clients put there: bare LF, no final line end, dots, nothing at all."""
    bodies = [b"", b"x", b".", b"a: 1\n\n.\n..\nlast", b"a: 1\r\n\r\n.\r\n", b"a: 1", b"\r\n", b"a: 1\r\n\r\n" + b"." * 300000]
    with Server(extra=f"mail_format = {store}\n") as server:
        imap = server.imap("alice")
        put = [b for b in bodies if imap.append("INBOX", None, None, b)[0] == "OK"]
        assert len(put) >= len(bodies) - 1
        server.deliver("alice", MESSAGE % b"x")
        client = server.pop3("alice")
        sizes = [int(line.split()[1]) for line in client.list()[1]]
        assert len(sizes) == len(put) + 1
        assert client.stat() == (len(sizes), sum(sizes))
        client = server.raw("pop3")
        client.line()
        client.send("USER alice\r\nPASS pw-alice\r\n")
        client.line(), client.line()
        for n, size in enumerate(sizes, 1):
            client.send(f"RETR {n}\r\n")
            assert client.line().startswith(b"+OK %d " % size)
            lines = client.until(rb"^\.\r\n")[:-1]
            assert all(line.endswith(b"\r\n") for line in lines)
            assert sum(len(line) - line.startswith(b".") for line in lines) == size


def test_imap_and_pop3_at_the_same_time():
    with Server() as server:
        server.deliver("alice", MESSAGE % b"one")
        server.deliver("alice", MESSAGE % b"two")
        first, imap = server.pop3("alice"), server.imap("alice")
        second = server.pop3("alice")
        imap.select("INBOX")
        imap.store("1", "+FLAGS", "\\Deleted")
        imap.expunge()
        assert first.stat()[0] == 2 and b"Subject: one" in first.retr(1)[1]
        first.dele(1), first.dele(2)
        assert first.quit().startswith(b"+OK")
        assert b"Subject: two" in second.retr(2)[1]
        imap.noop()
        assert imap.select("INBOX")[1] == [b"0"]
        assert second.quit().startswith(b"+OK")
        assert len(server.pids_of("culver-worker")) == 1
