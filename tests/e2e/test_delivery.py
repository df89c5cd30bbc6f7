"""Local delivery: address extensions, mail loops, duplicates, full mailboxes, over LMTP with the real processes."""

import pytest

from harness import ROOT, Server

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


# --- TLS (RFC 3207) ------------------------------------------------------------------------------------------------------------

def with_tls(tls, **args):
    server = Server(**args)
    server.listeners = server.default_listeners().replace(f"port = {server.ports['lmtp']}\n    tls = none",
                                                          f"port = {server.ports['lmtp']}\n    tls = {tls}")
    server.write_conf()
    server._up = lambda: server.proc.poll() is None and server._greets(server.ports["imap"])
    return server


@pytest.mark.parametrize("rootless", [True, False])
def test_starttls(rootless):
    if not rootless and not ROOT:
        pytest.skip("needs root")
    with with_tls("starttls", rootless=rootless) as server:
        context = server.tls_context()
        context.check_hostname = False
        with server.lmtp() as client:
            client.ehlo_or_helo_if_needed()
            assert client.has_extn("starttls")
            client.mail("a@b.example")
            assert client.starttls(context=context)[0] == 220
            assert client.docmd("MAIL", "FROM:<a@b.example>")[0] == 503  # all that was said before is forgotten
            client.ehlo_or_helo_if_needed()
            assert not client.has_extn("starttls")
            assert client.docmd("STARTTLS")[0] == 503
            big = b"Subject: big\r\n\r\n" + b"".join(b"%06d .......................................\r\n" % n for n in range(60000))
            assert client.sendmail("sender@example.org", ["alice"], big) == {}
        imap = server.imap("alice")
        imap.select("INBOX")
        stored = imap.fetch("1", "BODY.PEEK[]")[1][0][1]
        assert stored.endswith(big) and b" with LMTPS id " in stored


def test_implicit_tls():
    import smtplib
    import ssl
    with with_tls("implicit") as server:
        context = server.tls_context()
        context.check_hostname = False

        class Client(smtplib.LMTP):
            def _get_socket(self, host, port, timeout):
                return context.wrap_socket(super(smtplib.LMTP, self)._get_socket(host, port, timeout), server_hostname=host)

        with Client("127.0.0.1", server.ports["lmtp"]) as client:
            assert client.sendmail("sender@example.org", ["alice"], MESSAGE % 1) == {}
        with server.raw("lmtp") as client:  # no TLS at all
            client.send("LHLO x\r\n")
            assert b"220" not in client.line()[:3]
        assert ssl


def test_nothing_may_stand_behind_starttls():
    with with_tls("starttls") as server:
        with server.raw("lmtp") as client:
            client.line()
            client.send("LHLO x\r\nSTARTTLS\r\nMAIL FROM:<a@b.example>\r\n")
            client.until(rb"^250 SIZE")
            assert client.line()[:3] in (b"220", b"")
            assert client.eof() and b"250" not in client.pending
    with Server(tls=False) as server, server.raw("lmtp") as client:
        client.line()
        client.send("LHLO x\r\nSTARTTLS\r\n")
        assert not any(b"STARTTLS" in line for line in client.until(rb"^250 SIZE"))
        assert client.line().startswith(b"502 ")


def tls_raw(server):
    """STARTTLS by hand, for bytes that smtplib would not send."""
    client = server.raw("lmtp")
    client.line()
    client.send("LHLO x\r\n")
    client.until(rb"^250 SIZE")
    client.send("STARTTLS\r\n")
    client.until(rb"^220 ")
    context = server.tls_context()
    context.check_hostname = False
    client.sock = context.wrap_socket(client.sock, server_hostname="localhost")
    client.send("LHLO x\r\n")
    client.until(rb"^250 SIZE")
    return client


def test_everything_pipelined_is_answered_with_more_answers_than_fit():
    """RFC 2920 3.2: nothing more comes from the client, and all of it gets its answer, before and after the end of its stream."""
    import socket
    with Server(tls=False) as server:
        for shut in (False, True):
            with server.raw("lmtp") as client:
                client.line()
                client.send(b"NOOP\r\n" * 10000)
                if shut:
                    client.sock.shutdown(socket.SHUT_WR)
                assert all(client.line().startswith(b"250 ") for _ in range(10000))


def test_pipelined_under_tls_with_more_than_the_buffers_take():
    """What came while a recipient was looked up is taken up again, though no further byte comes."""
    with with_tls("starttls") as server:
        for size in (66000, 80000, 96000, 110000, 200000):
            with tls_raw(server) as client:
                message = b"Subject: x\r\n\r\n" + b"y" * (size - 16) + b"\r\n"
                client.send(b"MAIL FROM:<>\r\nRCPT TO:<alice>\r\nBDAT %d LAST\r\n" % len(message) + message)
                assert [client.line()[:3] for _ in range(3)] == [b"250"] * 3
            with tls_raw(server) as client:
                client.send(b"NOOP\r\n" * (size // 8))
                assert all(client.line().startswith(b"250 ") for _ in range(size // 8))


def test_tls_that_ends_in_a_message():
    """RFC 5246 7.2.1: close_notify in the middle of a chunk or of DATA ends the session, and nothing is delivered."""
    with with_tls("starttls") as server:
        for said in (b"BDAT 1000\r\nSubject: x", b"BDAT 1000 LAST\r\nSubject: x", b"DATA\r\nSubject: x\r\n\r\n"):
            with tls_raw(server) as client:
                client.send(b"MAIL FROM:<>\r\nRCPT TO:<alice>\r\n" + said)
                client.line()
                assert client.line().startswith(b"250 ")
                client.sock = client.sock.unwrap()
                client.pending = b""
                assert client.eof()
        assert server.pop3("alice").stat()[0] == 0


def test_client_gone_in_a_message():
    """RFC 5321 4.1.1.4, RFC 3030 2: what has no end is no message."""
    with Server(tls=False) as server:
        for said in (b"BDAT 1000\r\nSubject: x", b"BDAT 1000 LAST\r\nSubject: x", b"BDAT 12\r\nSubject: x\r\n", b"DATA\r\nSubject: x\r\n\r\nx\r\n."):
            with server.raw("lmtp") as client:
                client.line()
                client.send(b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<alice>\r\n" + said)
                client.until(rb"^250 2.1.5")
        server.deliver("alice", b"Subject: whole\r\n\r\nx\r\n")
        assert server.pop3("alice").stat()[0] == 1


def test_domains_that_are_not_ours():
    with Server(tls=False, extra="lmtp_domains = example.org, other.example\nauth_default_domain = example.org\n") as server:
        with server.raw("lmtp") as client:
            client.line()
            client.send("LHLO x\r\nMAIL FROM:<>\r\n")
            client.until(rb"^250 2.1.0")
            for address, wanted in (("alice", b"250 "), ("alice@Example.ORG", b"250 "), ("nobody@other.example", b"550 5.1.1"),
                                    ("alice@example.com", b"550 5.7.1"), ("alice@sub.example.org", b"550 5.7.1"), ("alice@[127.0.0.1]", b"550 5.7.1"),
                                    ('"alice@example.org"@evil.example', b"550 5.7.1")):
                client.send(f"RCPT TO:<{address}>\r\n")
                assert client.line().startswith(wanted), address


def test_alias():
    with Server(tls=False) as server:
        server.write_passwd((server.folder / "etc/users").read_text().splitlines() + ["info:::::::alias=alice", "loop:::::::alias=loop"])
        server.deliver("info", b"Subject: x\r\n\r\nx\r\n")
        assert server.pop3("alice").stat()[0] == 1
        with server.lmtp() as client:
            client.ehlo_or_helo_if_needed()
            client.mail("a@b.example")
            assert client.rcpt("loop")[0] == 451


# --- the end of DATA (RFC 5321 4.1.1.4) --------------------------------------------------------------------------------------------

ENDS = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n", b"\r\n\x00.\r\n", b"\r\r\n.\n", b"\n\n.\r\n",
        b"\r\n..\r\n"]


@pytest.mark.parametrize("end", ENDS)
def test_only_one_sequence_ends_a_message(end):
    smuggled = b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<bob>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n"
    with Server(tls=False) as server:
        with server.raw("lmtp") as client:
            client.line()
            client.send("LHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<alice>\r\nDATA\r\n")
            client.until(rb"^354 ")
            client.send(b"Subject: one\r\n\r\nbody" + end + smuggled + b".\r\nQUIT\r\n")
            assert client.line().startswith(b"250 2.1.5")
            assert client.line().startswith(b"221 ")
        assert server.pop3("bob").stat()[0] == 0
        assert server.pop3("alice").stat()[0] == 1


# --- warnings (quota_warnings) -------------------------------------------------------------------------------------------------------

def test_quota_warning():
    extra = 'quota_bytes = 100000\nquota_warnings = 80%, 95%\nquota_warning_subject = "\u00e4 %p %%"\nquota_warning_text = "%u: %p%%%n\u00f6"\n'
    with Server(extra=extra) as server:
        client = server.imap("alice")
        client.select("INBOX")
        client.append("INBOX", None, None, b"Subject: big\r\n\r\n" + b"x" * 50000 + b"\r\n")
        assert client.select("INBOX")[1] == [b"1"]
        server.deliver("alice", b"Subject: big\r\n\r\n" + (b"x" * 900 + b"\r\n") * 40)
        assert client.select("INBOX")[1] == [b"3"]
        warning = client.fetch("3", "BODY.PEEK[]")[1][0][1]
        assert warning.endswith("\r\n\r\nalice: 80%\r\n\u00f6\r\n".encode())
        assert b"Auto-Submitted: auto-generated\r\n" in warning and b"Subject: =?utf-8?b?w6QgODAgJQ==?=\r\n" in warning
        server.deliver("alice", MESSAGE % 1)
        assert client.select("INBOX")[1] == [b"4"]
