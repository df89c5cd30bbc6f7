"""CATENATE and REPLACE where limits matter: sizes, quotas, the disk, other sessions meanwhile."""

import threading
import time

from harness import Server
from messages import simple


def log_in(server, user="alice"):
    c = server.raw("imap")
    c.line()
    assert c.ask(f"LOGIN {user} {server.password(user)}")[-1].startswith(b"t OK")
    return c


def append(c, message, mailbox=b"INBOX"):
    c.send(b"a APPEND %s {%d+}\r\n" % (mailbox, len(message)) + message + b"\r\n")
    assert c.until(rb"^a ")[-1].startswith(b"a OK")


def test_what_urls_bring_is_bounded():
    """RFC 4469 4.2: a message, and what one command copies, up to message_size_max."""
    with Server(users=["alice"], extra="message_size_max = 64K\n") as server:
        c = log_in(server)
        append(c, b"Subject: x\r\n\r\n" + b"y" * 30_000 + b"\r\n")
        url = b'URL "/INBOX/;UID=1"'
        assert c.ask(b"APPEND INBOX CATENATE (%s %s)" % (url, url))[-1].startswith(b"t OK")
        assert c.ask(b"APPEND INBOX CATENATE (%s)" % b" ".join([url] * 3))[-1].startswith(b"t NO [TOOBIG]")
        assert c.ask(b"APPEND INBOX CATENATE (%s) CATENATE (%s) CATENATE (%s)" % (url, url, url))[-1].startswith(b"t NO [TOOBIG]")
        assert c.ask(b"APPEND INBOX CATENATE (%s TEXT {40000+}\r\n%s)" % (url, b"z" * 40_000))[-1].startswith(b"t NO [TOOBIG]")
        assert c.ask(b"APPEND INBOX CATENATE (TEXT {40000+}\r\n%s TEXT {40000+}\r\n%s)" % (b"z" * 40_000, b"z" * 40_000))[-1].startswith(
            b"t NO [TOOBIG]")
        assert c.ask("STATUS INBOX (MESSAGES)")[0].strip().endswith(b"(MESSAGES 2)")
        c.close()


def test_the_net_quota_of_replace():
    """RFC 8508 3.4: the quota is that of the append less that of the message that goes."""
    with Server(users=["alice"], extra="quota_messages = 2\nquota_bytes = 20K\n") as server:
        c = log_in(server)
        append(c, simple(1, "x" * 9000 + "\r\n"))
        append(c, simple(2, "x" * 9000 + "\r\n"))
        c.ask("SELECT INBOX")
        message = simple(3, "y" * 9500 + "\r\n")
        assert c.ask(b"APPEND INBOX {%d+}\r\n" % len(message) + message)[-1].startswith(b"t NO [OVERQUOTA]")
        assert c.ask(b"REPLACE 1 INBOX {%d+}\r\n" % len(message) + message)[-1].startswith(b"t OK")
        message = simple(4, "y" * 15000 + "\r\n")
        assert c.ask(b"REPLACE 1 INBOX {%d+}\r\n" % len(message) + message)[-1].startswith(b"t NO [OVERQUOTA]")
        assert c.ask("UID SEARCH ALL")[0] == b"* SEARCH 2 3\r\n"
        c.close()


def test_large_copies_are_done_in_slices():
    """While one session puts 60 MB together another is answered."""
    with Server(users=["alice"], log_level="info") as server:
        c = log_in(server)
        append(c, b"Subject: big\r\n\r\n" + (b"0123456789" * 6 + b"\r\n") * 250_000)
        other = log_in(server)
        c.send(b"b APPEND INBOX CATENATE (%s)\r\n" % b" ".join([b'URL "/INBOX/;UID=1/;PARTIAL=0.3000000"'] * 20))
        answers = []

        def ask():
            while not answers:
                start = time.monotonic()
                other.ask("NOOP")
                longest.append(time.monotonic() - start)
        longest = []
        thread = threading.Thread(target=ask)
        thread.start()
        answers += c.until(rb"^b ")
        thread.join()
        assert answers[-1].startswith(b"b OK") and len(longest) > 3
        print(f"{len(longest)} answers meanwhile, the slowest after {max(longest) * 1000:.1f} ms")
        c.ask("SELECT INBOX")
        assert c.ask("FETCH 2 RFC822.SIZE")[0] == b"* 2 FETCH (RFC822.SIZE 60000000)\r\n"
        c.close()
        other.close()
