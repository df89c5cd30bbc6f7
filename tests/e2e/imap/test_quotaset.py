"""SETQUOTA by administrators (RFC 9208 4.1.3): sessions that a master user opens for another, beside the user's own."""

import os
import re
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

import dialogue  # noqa: E402
from dialogue import case  # noqa: E402
from harness import Server  # noqa: E402
from mails import MAILS  # noqa: E402

SETTINGS = """auth_master_separator = ~
mailboxes_max = 40
quota_bytes = 1M
quota_messages = 100
quota_warnings = 80%
worker_linger = 0
auto_mailboxes =
"""
CASES = [
    case("RFC 9208 3.1.2, 4.1.3", "QUOTASET is announced", r"""
        C: CAPABILITY
        S: * CAPABILITY .* QUOTASET( .*)?
        S: OK .*
    """),
    case("RFC 9208 4.1.3", "limits that are not listed are discarded", r"""
        C: GETQUOTA user
        S: * QUOTA user \(STORAGE 0 1024 MESSAGE 0 100 MAILBOX \d+ 40 ANNOTATION-STORAGE 0 4096\)
        S: OK .*
        C: SETQUOTA user (STORAGE 2048)
        S: * QUOTA user \(STORAGE 0 2048 MAILBOX \d+ 40 ANNOTATION-STORAGE 1 4096\)
        S: OK .*
        C: SETQUOTA user (message 7 MAILBOX 30)
        S: * QUOTA user \(MESSAGE 0 7 MAILBOX \d+ 30 ANNOTATION-STORAGE 1 4096\)
        S: OK .*
        C: GETQUOTAROOT INBOX
        S: * QUOTAROOT "?INBOX"? user
        S: * QUOTA user \(MESSAGE 0 7 MAILBOX \d+ 30 ANNOTATION-STORAGE 1 4096\)
        S: OK .*
    """),
    case("RFC 9208 4.1.3", "an empty list gives back the configured limits", r"""
        C: SETQUOTA user (STORAGE 1 MESSAGE 1)
        S: OK .*
        C: SETQUOTA "user" ()
        S: * QUOTA user \(STORAGE 0 1024 MESSAGE 0 100 MAILBOX \d+ 40 ANNOTATION-STORAGE 0 4096\)
        S: OK .*
        C: SETQUOTA user ()
        S: OK .*
    """),
    case("RFC 9208 4.1.3, 4.3.1", "a limit holds at once, 0 too, and in both directions", r"""
        C: SETQUOTA user (STORAGE 0 MESSAGE 0)
        S: * QUOTA user \(STORAGE 0 0 MESSAGE 0 0 .*\)
        S: OK .*
        C: APPEND INBOX {lit Subject: x}
        S: NO \[OVERQUOTA\] .*
        C: SETQUOTA user (MESSAGE 1)
        S: OK .*
        C: APPEND INBOX {lit Subject: x}
        S: OK .*
        C: APPEND INBOX {lit Subject: x}
        S: NO \[OVERQUOTA\] .*
        C: SELECT INBOX
        S: OK .*
        C: COPY 1 INBOX
        S: NO \[OVERQUOTA\] .*
        C: MOVE 1 INBOX
        S: OK .*
        C: SETQUOTA user (MAILBOX 0)
        S: OK .*
        C: CREATE more
        S: NO \[LIMIT\] .*
        C: SETQUOTA user (MAILBOX 2)
        S: OK .*
        C: CREATE more
        S: OK .*
    """),
    case("RFC 9208 4.1.3", "below what is used: nothing is lost, and nothing more fits in", r"""
        I: m1 m2 m3
        C: SETQUOTA user (STORAGE 0 MESSAGE 2)
        S: * QUOTA user \(STORAGE [1-9]\d* 0 MESSAGE 3 2 .*\)
        S: OK .*
        C: FETCH 1:* UID
        S: * 3 FETCH .*
        S: OK .*
        C: STORE 1 +FLAGS (\Deleted)
        S: OK .*
        C: EXPUNGE
        S: OK .*
        C: APPEND INBOX {lit Subject: x}
        S: NO \[OVERQUOTA\] .*
    """),
    case("RFC 9208 4.1.3", "a user is warned who is near the new limit", r"""
        I: m1 m2 m3
        C: SETQUOTA user (MESSAGE 4)
        S: OK .*
        C: NOOP
        S: OK .*
        C: SETQUOTA user (MESSAGE 3)
        S: OK .*
        C: SETQUOTA user ()
        S: OK .*
        C: APPEND INBOX {lit Subject: x}
        S: OK .*
        C: FETCH 4 (ENVELOPE)
        S: * 4 FETCH \(ENVELOPE \(NIL "x".*
        S: OK .*
        C: SETQUOTA user (MESSAGE 5)
        S: OK .*
        C: NOOP
        S: OK .*
        C: FETCH 5 (ENVELOPE)
        S: * 5 FETCH \(ENVELOPE \("[^"]*" "Your mailbox is 80 % full".*
        S: OK .*
    """),
    case("RFC 9208 4.1.3", "pipelined, what follows sees it", r"""
        c: x1 SETQUOTA user (MESSAGE 0){nl}x2 APPEND INBOX {lit Subject: x}{nl}x3 SETQUOTA user (){nl}x4 APPEND INBOX {lit Subject: x}
        S: * QUOTA user \(MESSAGE 0 0 .*\)
        S: x1 OK .*
        S: x2 NO \[OVERQUOTA\] .*
        S: * QUOTA user \(STORAGE 0 1024 MESSAGE 0 100 .*\)
        S: x3 OK .*
        S: x4 OK .*
        C: NOOP
        S: OK .*
    """),
    case("RFC 9208 4.1.3", "what cannot be set changes nothing", r"""
        C: SETQUOTA user (MESSAGE 50)
        S: OK .*
        C: SETQUOTA "" (STORAGE 1)
        S: NO \[NONEXISTENT\] .*
        C: SETQUOTA other (STORAGE 1)
        S: NO \[NONEXISTENT\] .*
        C: SETQUOTA user (STORAGE 1 ANNOTATION-STORAGE 1)
        S: NO \[CANNOT\] .*
        C: SETQUOTA user (STORAGE 1 X-COFFEE 1)
        S: NO \[CANNOT\] .*
        C: SETQUOTA user (MAILBOX 41)
        S: NO \[LIMIT\] .*
        C: SETQUOTA user (STORAGE 9223372036854775807)
        S: NO \[LIMIT\] .*
        C: SETQUOTA user (STORAGE 9223372036854775808)
        S: BAD .*
        C: SETQUOTA user (STORAGE 1 STORAGE 2)
        S: BAD .*
        C: SETQUOTA user (STORAGE -1)
        S: BAD .*
        C: SETQUOTA user (STORAGE)
        S: BAD .*
        C: SETQUOTA user STORAGE 1
        S: BAD .*
        C: SETQUOTA user
        S: BAD .*
        C: GETQUOTA user
        S: * QUOTA user \(MESSAGE 0 50 MAILBOX \d+ 40 .*\)
        S: OK .*
    """),
    case("RFC 9208 4.1.3, RFC 5464", "what keeps the limits is no annotation", r"""
        C: SETQUOTA user (MESSAGE 50)
        S: OK .*
        C: GETMETADATA (DEPTH infinity) "" (/private /shared)
        N: .*(limits|quota).*
        S: OK .*
        C: GETMETADATA "" /quota/limits
        S: BAD .*
        C: SETMETADATA "" (/quota/limits NIL)
        S: BAD .*
        C: SETMETADATA "" (/quota/limits "x")
        S: BAD .*
        C: GETQUOTA user
        S: * QUOTA user \(MESSAGE 0 50 .*\)
        S: OK .*
    """),
]
USERS = [(f"u{number}", one) for number, one in enumerate(CASES)]


class Administered(Server):
    """With a master user, "admin"."""

    @staticmethod
    def password(user):
        return "boss" if user.endswith("~admin") else f"pw-{user}"

    def write_passwd(self, lines=None):
        super().write_passwd(lines)
        path = self.folder / "etc/masters"
        path.write_text("admin:{PLAIN}boss\n")
        os.chmod(path, 0o644)


def administered(users, **kwargs):
    server = Administered(users=users, tls=False, **kwargs)
    etc = server.folder / "etc"
    server.passdbs = (f"passdb masters {{\n    driver = passwd-file\n    file = {etc}/masters\n    master = yes\n}}\n"
                      f"passdb users {{\n    driver = passwd-file\n    file = {etc}/users\n}}\n")
    server.write_conf()
    return server


@pytest.fixture(scope="module")
def server():
    with administered([user for user, _ in USERS] + ["alice", "bob"], extra=SETTINGS) as s:
        yield s


@pytest.mark.parametrize("user, one", USERS, ids=[f"{c.rfc} {c.name}".replace(" ", "-") for _, c in USERS])
def test_quotaset(server, user, one):
    dialogue.run(server, f"{user}~admin", MAILS, one)


def quota(client):
    return re.search(rb"\((.*) MAILBOX", client.getquota("user")[1][0]).group(1)


def test_the_user_may_not(server):
    """The user's own session beside the administrator's: bound by what that sets, and told of it, but no more."""
    admin, own = server.imap("alice~admin"), server.imap("alice")
    assert "QUOTASET" in admin.capabilities or b"QUOTASET" in admin.capability()[1][0]
    assert b"QUOTASET" not in own.capability()[1][0]
    typ, data = own.setquota("user", "(STORAGE 99999)")
    assert typ == "NO" and data[0].startswith(b"[NOPERM]")
    assert admin.setquota("user", "(MESSAGE 1)")[0] == "OK"
    assert quota(own) == b"MESSAGE 0 1"
    assert own.append("INBOX", None, None, b"Subject: x\r\n\r\n")[0] == "OK"
    assert own.append("INBOX", None, None, b"Subject: x\r\n\r\n")[0] == "NO"
    assert re.search(r'msg="quota set" user=alice bytes=-1 messages=1 mailboxes=40', server.log_text())


def test_it_lasts(server):
    """Over the end of the worker, a crash, its successor under the sessions, and until it is taken back."""
    admin = server.imap("bob~admin")
    assert admin.setquota("user", "(STORAGE 5 MESSAGE 6)")[0] == "OK"
    assert server.ctl("upgrade-worker", "bob").returncode == 0
    assert quota(admin) == b"STORAGE 0 5 MESSAGE 0 6"
    assert b"QUOTASET" in admin.capability()[1][0]
    assert admin.setquota("user", "(STORAGE 7)")[0] == "OK"
    own = server.imap("bob")
    assert server.ctl("upgrade-worker", "bob").returncode == 0
    assert own.setquota("user", "(STORAGE 99999)")[0] == "NO"
    pid = int(server.ctl("who").stdout.split()[-1])
    os.kill(pid, 9)
    again = server.imap("bob")
    assert quota(again) == b"STORAGE 0 7"
    again.logout()
    assert server.ctl("compact", "-u", "bob").returncode == 0
    again = server.imap("bob~admin")
    assert quota(again) == b"STORAGE 0 7"
    assert again.setquota("user", "()")[0] == "OK"
    assert quota(again) == b"STORAGE 0 1024 MESSAGE 0 100"


def test_mail_of_the_administrator_fits_in(server):
    """culverctl import asks no quota, whoever has set it."""
    admin = server.imap("bob~admin")
    assert admin.setquota("user", "(STORAGE 0 MESSAGE 0)")[0] == "OK"
    mbox = server.folder / "mbox"
    mbox.write_bytes(b"From x Thu Jan  1 00:00:00 2026\nSubject: imported\n\nx\n")
    admin.logout()
    server.ctl("import", "-u", "bob", "-f", "mbox", "-m", "imported", str(mbox))
    again = server.imap("bob~admin")
    assert again.select("imported")[1] == [b"1"]
    assert again.append("INBOX", None, None, b"Subject: x\r\n\r\n")[0] == "NO"
    assert again.setquota("user", "()")[0] == "OK"
