"""What a hostile or broken client sends gets a clear answer and disturbs nobody."""

import socket
import ssl

import pytest

from harness import Raw, Server


@pytest.fixture(scope="module")
def server():
    with Server(extra="login_bad_commands = 3\n") as s:
        yield s


@pytest.fixture
def bystander(server):
    """Another user's session that must not notice."""
    client = server.imap("bob")
    client.select("INBOX")
    yield client
    assert client.noop()[0] == "OK"
    client.logout()


def logged_in(server):
    c = server.raw("imap")
    c.line()
    assert b"OK" in c.ask("LOGIN alice pw-alice")[-1]
    return c


BAD_BEFORE = {
    "unknown command": b"a FROBNICATE\r\n",
    "no command": b"a\r\n",
    "empty tag": b" NOOP\r\n",
    "a NUL": b"a NO\0OP\r\n",
    "huge literal": b"a LOGIN {4294967296}\r\n",
    "negative literal": b"a LOGIN {-1}\r\n",
    "literal over the budget": b"a LOGIN {100000}\r\n",
    "64 KiB of (": b"(" * 65536 + b"\r\n",
    "64 KiB of {": b"{" * 65536 + b"\r\n",
    "64 KiB of quotes": b'a LOGIN "' + b'"' * 65536 + b"\r\n",
    "8-bit": b"\xff" * 5000 + b"\r\n",
    "command of another state": b"a SELECT INBOX\r\n",
    "ID with 40 fields": b"a ID (" + b" ".join(b'"k%d" "v"' % n for n in range(40)) + b")\r\n",
    "nested ID": b"a ID ((((\r\n",
}


@pytest.mark.parametrize("name", BAD_BEFORE)
def test_before_log_in(server, bystander, name):
    with server.raw("imap") as c:
        c.line()
        c.send(BAD_BEFORE[name])
        line = c.line()
        assert line.startswith((b"a BAD", b"* BAD", b"* BYE", b"a NO")), line


def test_three_bad_commands_end_the_connection(server, bystander):
    with server.raw("imap") as c:
        c.line()
        c.send(b"a X\r\nb X\r\nc X\r\nd NOOP\r\n")
        lines = c.until(rb"^\* BYE")
        assert [l[:5] for l in lines] == [b"a BAD", b"b BAD", b"c BAD", b"* BYE"]
        assert c.eof()


BAD_AFTER = {
    "unknown command": (b"a FROBNICATE\r\n", rb"^a BAD"),
    "a NUL": (b"a NO\0OP\r\n", rb"BAD"),
    "1 MB line": (b"a " + b"x" * 1048576 + b"\r\n", rb"BAD"),
    "literal of 4294967296": (b"a SELECT {4294967296}\r\n", rb"^(a|\*) BAD"),
    "literal+ of 4294967295": (b"a APPEND INBOX {4294967295+}\r\n", rb"^(a (BAD|NO)|\* (BAD|BYE))"),
    "64 KiB of (": (b"a SEARCH " + b"(" * 65536 + b"\r\n", rb"BAD"),
    "deep search": (b"a SEARCH " + b"NOT " * 5000 + b"ALL\r\n", rb"^a (BAD|NO)"),
    "bad sequence set": (b"a FETCH 1:* FLAGS\r\n", rb"^a BAD"),
}


@pytest.mark.parametrize("name", BAD_AFTER)
def test_after_log_in(server, bystander, name):
    data, answer = BAD_AFTER[name]
    with logged_in(server) as c:
        c.send(data)
        c.until(answer)
    assert server.proc.poll() is None


def test_the_session_goes_on_after_a_long_line(server, bystander):
    with logged_in(server) as c:
        c.send(b"a " + b"x" * 1048576 + b"\r\nb NOOP\r\n")
        c.until(rb"^b OK")


def test_pop3_bad_input(server, bystander):
    for data in (b"FROB\r\n", b"USER\r\n", b"\0\r\n", b"PASS x\r\n", b"x" * 9000 + b"\r\n", b"AUTH PLAIN !!!\r\n"):
        with server.raw("pop3") as c:
            c.line()
            c.send(data)
            assert c.line().startswith(b"-ERR"), data
    with server.raw("pop3") as c:
        c.line()
        c.send(b"USER alice\r\nPASS pw-alice\r\nRETR 99999999999999999999\r\nDELE 0\r\nTOP 1\r\nLIST x\r\n" + b"y" * 100000 + b"\r\nNOOP\r\n")
        answers = [c.line()[:4] for _ in range(8)]
        assert answers == [b"+OK\r", b"+OK "] + [b"-ERR"] * 5 + [b"+OK\r"]


def test_lmtp_bad_input(server, bystander):
    for data, code in ((b"FROB\r\n", b"500"), (b"EHLO x\r\n", b"500"), (b"MAIL FROM:<a@b>\r\n", b"503"), (b"RCPT TO:<a@b>\r\n", b"503"),
                       (b"DATA\r\n", b"503"), (b"LHLO\r\n", b"501"), (b"x" * 100000 + b"\r\n", b"500"), (b"BDAT x\r\n", b"501")):
        with server.raw("lmtp") as c:
            c.line()
            c.send(data)
            assert c.line().startswith(code), data
    with server.raw("lmtp") as c:
        c.line()
        c.send(b"LHLO x\r\n")
        c.until(rb"^250 ")
        for data, code in ((b'MAIL FROM:<"">x\r\n', b"5"), (b"MAIL FROM:<a b@c>\r\n", b"501"), (b"MAIL FROM:<> SIZE=99999999999999\r\n", b"552"),
                           (b"MAIL FROM:<> FROB=1\r\n", b"555"), (b"MAIL FROM:<>\r\n", b"250"), (b'RCPT TO:<"">\r\n', b"5"),
                           (b"RCPT TO:<" + b"a" * 2000 + b"@b>\r\n", b"501"), (b"RCPT TO:<..>\r\n", b"5"), (b"RCPT TO:<a/../b>\r\n", b"5"),
                           (b"DATA\r\n", b"503")):
            c.send(data)
            assert c.line().startswith(code), data


@pytest.mark.parametrize("together", [True, False])
def test_bytes_behind_starttls_end_the_connection(server, bystander, together):
    for name, command in (("imap", b"a STARTTLS\r\n"), ("pop3", b"STLS\r\n")):
        with server.raw(name) as c:
            c.line()
            injected = b"b CAPABILITY\r\n"
            if together:
                c.send(command + injected)
            else:
                c.send(command)
                c.until(rb"OK")
                c.send(injected)
            assert c.eof()
            assert b"CAPABILITY" not in c.pending and b"b OK" not in c.pending


def test_clear_text_is_refused_without_tls():
    """PRIVACYREQUIRED outside loopback: shown through the PROXY protocol, which names another client address."""
    folder_listener = "proxy_networks = 127.0.0.0/8\n"
    with Server(extra=folder_listener) as server:
        text = server.conf.read_text().replace(f"    port = {server.ports['imap']}\n", f"    port = {server.ports['imap']}\n    proxy_protocol = yes\n")
        server.stop()
        server.conf.write_text(text)
        server.start(wait=False)
        from harness import wait_for

        def proxied():
            try:
                c = Raw(server.ports["imap"])
            except OSError:
                return None
            c.send(b"PROXY TCP4 203.0.113.9 192.0.2.1 40000 143\r\n")
            return c
        c = wait_for(proxied, 10)
        greeting = c.line()
        assert b"LOGINDISABLED" in greeting and b"AUTH=" not in greeting and b"STARTTLS" in greeting
        assert c.ask("LOGIN alice pw-alice")[-1].startswith(b"t NO [PRIVACYREQUIRED]")
        assert c.ask("LOGIN alice {8}")[-1].startswith(b"t NO [PRIVACYREQUIRED]")  # not even asked for
        c.send(b"a STARTTLS\r\n")
        c.until(rb"^a OK")
        context = ssl._create_unverified_context()
        tls = context.wrap_socket(c.sock)
        tls.sendall(b"b LOGIN alice pw-alice\r\n")
        assert b"b OK" in tls.recv(10000)
        assert "203.0.113.9" in server.log_text()
        tls.close()
        # Without the header nothing is served.
        with Raw(server.ports["imap"], timeout=5) as plain:
            plain.send(b"a CAPABILITY\r\n")
            assert plain.eof() and b"OK" not in plain.pending


def test_connection_limit_is_answered(server):
    with Server(extra="connections_per_address = 3\n") as limited:
        held = []
        for _ in range(3):
            c = limited.raw("imap")
            c.line()
            held.append(c)
        with limited.raw("imap") as c:
            assert c.line().startswith(b"* BYE")
        for c in held:
            c.close()


def test_half_open_clients_do_not_hold_the_server(server, bystander):
    socks = [socket.create_connection(("127.0.0.1", server.ports["imap"])) for _ in range(10)]
    for s in socks:
        s.sendall(b"a LOGIN al")
    for s in socks:
        s.close()
