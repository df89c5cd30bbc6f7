"""What settings change in the protocol: dialogues as in test_dialogues.py, each group with a server of its own settings."""

import base64
import os
import re
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

import dialogue  # noqa: E402
from dialogue import case  # noqa: E402
from harness import Server  # noqa: E402
from mails import MAILS  # noqa: E402

LONG = "x" * 4097
FITS = "x" * 4096
LITERAL_MINUS = [
    case("RFC 7888 5", "LITERAL- is announced, and LITERAL+ is not", r"""
        C: CAPABILITY
        S: * CAPABILITY (.* )?LITERAL-( .*)?
        N: .*LITERAL\+.*
        S: OK .*
    """),
    case("RFC 7888 5", "a literal up to 4096 octets may come unasked", rf"""
        C: STATUS {{lit {FITS}}} (MESSAGES)
        S: NO .*
        C: APPEND INBOX {{lit {FITS}}}
        S: OK \[APPENDUID .*
    """),
    case("RFC 7888 5, RFC 4469 4.3", "a larger one is refused and read over", rf"""
        C: STATUS {{lit {LONG}}} (MESSAGES)
        S: BAD \[TOOBIG\] .*
        C: APPEND INBOX {{lit {LONG}}}
        S: BAD \[TOOBIG\] .*
        C: STATUS INBOX (MESSAGES)
        S: * STATUS "?INBOX"? \(MESSAGES 0\)
        S: OK .*
    """),
    case("RFC 7888 5, RFC 3502", "a larger one behind another message refuses both", rf"""
        C: APPEND INBOX {{lit {FITS}}} {{lit {LONG}}}
        S: BAD \[TOOBIG\] .*
        C: STATUS INBOX (MESSAGES)
        S: * STATUS "?INBOX"? \(MESSAGES 0\)
        S: OK .*
    """),
    case("RFC 7888 5", "a larger one that is asked for is taken", rf"""
        C: STATUS {{sync {LONG}}} (MESSAGES)
        S: NO .*
        C: APPEND INBOX {{sync {LONG}}}
        S: OK \[APPENDUID .*
    """),
    case("RFC 7888 6", "the same for literals with NUL", rf"""
        c: x1 APPEND INBOX ~{{{{4097+}}}}
        c: {LONG}
        S: x1 BAD \[TOOBIG\] .*
        C: NOOP
        S: OK .*
    """.replace("{{", "{").replace("}}", "}")),
]
CASES = [(f"u{number}", one) for number, one in enumerate(LITERAL_MINUS)]


@pytest.fixture(scope="module")
def literal_minus():
    with Server(users=[user for user, _ in CASES], tls=False, extra="imap_literal_minus = yes\nworker_linger = 0\n") as s:
        yield s


@pytest.mark.parametrize("user, one", CASES, ids=[f"{c.rfc} {c.name}".replace(" ", "-") for _, c in CASES])
def test_literal_minus(literal_minus, user, one):
    dialogue.run(literal_minus, user, MAILS, one)


def test_literal_minus_before_login(literal_minus):
    """RFC 7888 5. The password is not read over: the connection ends."""
    with literal_minus.raw("imap") as raw:
        assert b" LITERAL- " in raw.line()
        answer = b"".join(raw.ask(b"CAPABILITY"))
        assert b" LITERAL- " in answer and b"LITERAL+" not in answer
        password = literal_minus.password("u0").encode()
        assert raw.ask(b"LOGIN u0 {%d+}\r\n%s" % (len(password), password))[-1].startswith(b"t OK")
    with literal_minus.raw("imap") as raw:
        raw.line()
        raw.send(b"t LOGIN u0 {4097+}\r\n")
        assert raw.line().startswith(b"t BAD [TOOBIG]") and raw.line().startswith(b"* BYE")


COUNT = 30
BIG = b"Subject: big\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(
    b"what is not here " * 50000).replace(b"\n", b"\r\n")


def fill(raw, server):
    raw.line()
    raw.ask(b"LOGIN alice " + server.password("alice").encode())
    assert b" OK " in raw.ask(b"APPEND INBOX" + b" {%d+}\r\n%s" % (len(BIG), BIG) * COUNT)[-1]
    raw.ask(b"SELECT INBOX")


def progress(lines, tag=b"t"):
    """(done, goal) of each INPROGRESS."""
    found = [re.fullmatch(rb'\* OK \[INPROGRESS \("%s" (\d+) (\d+)\)\] .*\r\n' % tag, line) for line in lines if b"INPROGRESS" in line]
    assert all(found), lines
    return [(int(m.group(1)), int(m.group(2))) for m in found]


def test_progress():
    """RFC 9585 3, 4: a command that takes several turns is told of, between whole responses, with rising numbers and one goal."""
    with Server(users=["alice"], tls=False, extra="imap_progress_interval = 1ms\n") as server, server.raw("imap") as raw:
        fill(raw, server)
        assert b" INPROGRESS" in b"".join(raw.ask(b"CAPABILITY"))
        for command, response in ((b'SEARCH BODY "nowhere"', b"* SEARCH\r\n"), (b'SORT (SUBJECT) UTF-8 BODY "nowhere"', b"* SORT\r\n"),
                                  (b'UID SEARCH RETURN (COUNT) BODY "nowhere"', b'* ESEARCH (TAG "t") UID COUNT 0\r\n'),
                                  (b'THREAD REFERENCES UTF-8 BODY "nowhere"', b"* THREAD\r\n")):
            lines = raw.ask(command)
            told = progress(lines)
            assert told and told == sorted(told) and {goal for _, goal in told} == {COUNT}
            assert all(done <= COUNT for done, _ in told) and response in lines


def test_progress_never():
    """Neither with the setting at 0, nor for clients that do not see the capability."""
    for extra in ("imap_progress_interval = 0\n", "imap_progress_interval = 1ms\ncapability_disable = INPROGRESS\n"):
        with Server(users=["alice"], tls=False, extra=extra) as server, server.raw("imap") as raw:
            fill(raw, server)
            assert b"INPROGRESS" not in b"".join(raw.ask(b"CAPABILITY"))
            assert progress(raw.ask(b'SEARCH BODY "nowhere"')) == []
