"""MESSAGELIMIT and SAVELIMIT (RFC 9738): dialogues as in test_dialogues.py, against servers that limit commands to three messages."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

import dialogue  # noqa: E402
from dialogue import case  # noqa: E402
from harness import Server  # noqa: E402
from mails import MAILS  # noqa: E402

MESSAGE_LIMIT = [
    case("RFC 9738 3", "announced with its value; nothing is said where nothing is left out", r"""
        I: m1 m2 m3
        C: CAPABILITY
        S: * CAPABILITY .*\bMESSAGELIMIT=3\b.*
        N: .*SAVELIMIT.*
        S: OK .*
        C: FETCH 1:* (UID)
        S: * 1 FETCH \(UID 1\)
        S: * 2 FETCH \(UID 2\)
        S: * 3 FETCH \(UID 3\)
        S: OK FETCH .*
        C: SEARCH ALL
        S: * SEARCH 1 2 3
        S: OK SEARCH .*
        C: COPY 1:3 Sent
        S: OK \[COPYUID .*
        C: SORT (REVERSE DATE) UTF-8 ALL
        S: * SORT 3 2 1
        S: OK SORT .*
    """),
    case("RFC 9738 3.1", "FETCH works on the highest UIDs, downwards, and says how far it came", r"""
        I: m1 m2 m3 m4 m5
        C: FETCH 1:* (FLAGS)
        S: * 5 FETCH .*
        S: * 4 FETCH .*
        S: * 3 FETCH .*
        N: * [12] FETCH .*
        S: OK \[MESSAGELIMIT 3 3\] .*
        C: UID FETCH 1:2,4:5 (BODY[TEXT])
        S: * 5 FETCH \(UID 5 BODY\[TEXT\].* FLAGS \(\\Seen.*\)\)
        S: * 4 FETCH \(UID 4 BODY.*
        S: * 2 FETCH \(UID 2 BODY.*
        S: OK \[MESSAGELIMIT 3 2\] .*
        C: UID FETCH 1:2 (FLAGS)
        S: * 1 FETCH \(UID 1 FLAGS .*
        S: * 2 FETCH \(UID 2 FLAGS .*
        S: OK FETCH .*
        C: UID SEARCH SEEN
        S: * SEARCH 4 5
        S: OK \[MESSAGELIMIT 3 3\] .*
    """),
    case("RFC 9738 3.1, RFC 9394 3.4", "a PARTIAL of more messages is refused", r"""
        I: m1 m2 m3 m4 m5
        C: UID FETCH 1:* (FLAGS) (PARTIAL -1:-4)
        S: NO \[MESSAGELIMIT 3\] .*
        N: * \d FETCH .*
        C: UID FETCH 1:* (FLAGS) (PARTIAL 3:1)
        S: * 1 FETCH .*
        S: * 2 FETCH .*
        S: * 3 FETCH .*
        S: OK FETCH .*
    """),
    case("RFC 9738 3.1", "STORE, and what goes into an untagged NO", r"""
        I: m1 m2 m3 m4 m5
        C: STORE 1:* +FLAGS (\Flagged)
        S: * 5 FETCH \(FLAGS \(\\Flagged.*
        S: * 4 FETCH \(FLAGS \(\\Flagged.*
        S: * 3 FETCH \(FLAGS \(\\Flagged.*
        S: OK \[MESSAGELIMIT 3 3\] .*
        C: UID STORE 1:2 +FLAGS.SILENT (\Answered)
        S: OK STORE .*
        C: UID STORE 1:* (UNCHANGEDSINCE 1) +FLAGS.SILENT (\Seen)
        S: * NO \[MESSAGELIMIT 3 3\] .*
        S: OK \[MODIFIED 3:5\] .*
        C: UID FETCH 1:3 (FLAGS)
        S: * 1 FETCH \(UID 1 FLAGS \(\\Answered.*
        S: * 2 FETCH \(UID 2 FLAGS \(\\Answered.*
        S: * 3 FETCH \(UID 3 FLAGS \(\\Flagged.*
        S: OK .*
    """),
    case("RFC 9738 3.1", "COPY is all or nothing, MOVE can be given again", r"""
        I: m1 m2 m3 m4 m5
        C: UID COPY 1:* Sent
        S: NO \[MESSAGELIMIT 3 3\] .*
        C: COPY 1:3,5 Sent
        S: NO \[MESSAGELIMIT 3 2\] .*
        C: STATUS Sent (MESSAGES)
        S: * STATUS .* \(MESSAGES 0\)
        S: OK .*
        C: UID MOVE 1:* Sent
        S: * OK \[COPYUID \d+ 3:5 1:3\] .*
        S: * 5 EXPUNGE
        S: * 4 EXPUNGE
        S: * 3 EXPUNGE
        S: OK \[MESSAGELIMIT 3 3\] .*
        C: ENABLE QRESYNC
        S: OK .*
        C: MOVE 1:* Sent
        S: * OK \[COPYUID \d+ 1:2 4:5\] .*
        S: * VANISHED 1:2
        S: OK \[HIGHESTMODSEQ \d+\] .*
        N: .*MESSAGELIMIT.*
    """),
    case("RFC 9738 3.1", "UID EXPUNGE counts what it removes; EXPUNGE and CLOSE are not limited", r"""
        I: m1 m2 m3 m4 m5
        C: UID STORE 1:3 +FLAGS.SILENT (\Deleted)
        S: OK .*
        C: UID STORE 5 +FLAGS.SILENT (\Deleted)
        S: OK .*
        C: UID EXPUNGE 1:*
        S: * 5 EXPUNGE
        S: * 3 EXPUNGE
        S: * 2 EXPUNGE
        S: OK \[MESSAGELIMIT 3 2\] .*
        C: SEARCH DELETED
        S: * SEARCH 1
        S: OK SEARCH .*
        C: APPEND INBOX (\Deleted) {msg m1} (\Deleted) {msg m2}
        S: OK .*
        C: APPEND INBOX (\Deleted) {msg m3}
        S: OK .*
        C: EXPUNGE
        S: * 5 EXPUNGE
        S: * 4 EXPUNGE
        S: * 3 EXPUNGE
        S: * 1 EXPUNGE
        S: OK EXPUNGE .*
    """),
    case("RFC 9738 3.1, 3.4", "SEARCH counts the messages that it looks at", r"""
        I: m1 m2 m3 m4 m5
        C: STORE 1 +FLAGS.SILENT (\Flagged)
        S: OK .*
        C: STORE 4 +FLAGS.SILENT (\Flagged)
        S: OK .*
        C: SEARCH FLAGGED
        S: * SEARCH 4
        S: OK \[MESSAGELIMIT 3 3\] .*
        C: UID SEARCH UID 1:3 FLAGGED
        S: * SEARCH 1
        S: OK SEARCH .*
        C: SEARCH 1:2 (3:4 ALL)
        S: * SEARCH
        S: OK SEARCH .*
        C: SEARCH 1,2,4,5 FLAGGED
        S: * SEARCH 4
        S: OK \[MESSAGELIMIT 3 2\] .*
        C: SEARCH RETURN (MIN MAX COUNT) NOT DELETED
        S: * ESEARCH \(TAG "a\d+"\) MIN 3 MAX 5 COUNT 3
        S: OK \[MESSAGELIMIT 3 3\] .*
        C: SEARCH RETURN (MAX) UNFLAGGED TO alice SMALLER 10
        S: * ESEARCH \(TAG "a\d+"\)
        S: OK \[MESSAGELIMIT 3 3\] .*
        C: UID SEARCH RETURN (PARTIAL -1:-2) OR FLAGGED ALL
        S: * ESEARCH \(TAG "a\d+"\) UID PARTIAL \(-1:-2 4:5\)
        S: OK \[MESSAGELIMIT 3 3\] .*
        C: SEARCH RETURN (SAVE) ALL
        S: OK \[MESSAGELIMIT 3 3\] .*
        C: FETCH $ (UID)
        S: * 3 FETCH .*
        S: * 4 FETCH .*
        S: * 5 FETCH .*
        S: OK FETCH .*
        c: U1 SEARCH RETURN (UPDATE COUNT) ALL
        S: * NO \[NOUPDATE "U1"\] .*
        S: * ESEARCH \(TAG "U1"\) COUNT 3
        L: U1 OK [MESSAGELIMIT 3 3] SEARCH completed
    """),
    case("RFC 9738 3.2", "UIDAFTER and UIDBEFORE", r"""
        I: m1 m2 m3 m4 m5
        C: UID SEARCH UIDAFTER 3
        S: * SEARCH 4 5
        S: OK SEARCH .*
        C: UID SEARCH UIDBEFORE 3
        S: * SEARCH 1 2
        S: OK SEARCH .*
        C: UID SEARCH UIDBEFORE 1
        S: * SEARCH
        S: OK SEARCH .*
        C: UID SEARCH UIDAFTER 4294967295
        S: * SEARCH
        S: OK SEARCH .*
        C: UID SEARCH (UIDAFTER 1 UIDBEFORE 4) UNSEEN
        S: * SEARCH 2 3
        S: OK SEARCH .*
        C: UID SEARCH NOT UIDAFTER 4
        S: * SEARCH 3 4
        S: OK \[MESSAGELIMIT 3 3\] .*
        C: UID SEARCH UIDAFTER 0
        S: BAD .*
        C: UID SEARCH UIDBEFORE 1:2
        S: BAD .*
        C: UID SEARCH UIDAFTER
        S: BAD .*
    """),
    case("RFC 9738 3.3", "SORT and THREAD of more messages are refused", r"""
        I: m1 m2 m3 m4 m5
        C: UID SORT (DATE) UTF-8 ALL
        S: NO \[MESSAGELIMIT 3\] .*
        C: THREAD REFERENCES UTF-8 ALL
        S: NO \[MESSAGELIMIT 3\] .*
        C: UID SORT (REVERSE DATE) UTF-8 UIDAFTER 3
        S: * SORT 5 4
        S: OK .*
        C: THREAD REFERENCES UTF-8 2:4
        S: * THREAD \(2\)\(3\)\(4\)
        S: OK .*
    """),
    case("RFC 9738 3.1, RFC 3502", "APPEND of more messages: none is stored", r"""
        C: APPEND INBOX {msg m1} {msg m2} {msg m3} {msg m4}
        S: NO \[MESSAGELIMIT 3\] .*
        C: APPEND INBOX {msg m1} {msg m2} {msg m3} CATENATE (URL "/INBOX/;UID=1")
        S: NO \[MESSAGELIMIT 3\] .*
        C: STATUS INBOX (MESSAGES)
        S: * STATUS .* \(MESSAGES 0\)
        S: OK .*
        C: APPEND INBOX {msg m1} {msg m2} {msg m3}
        S: OK \[APPENDUID \d+ 1:3\] .*
    """),
    case("RFC 9738 3.1, RFC 9586", "with UIDONLY", r"""
        I: m1 m2 m3 m4 m5
        C: ENABLE UIDONLY
        S: OK .*
        C: UID FETCH 1:* (FLAGS)
        S: * 5 UIDFETCH .*
        S: * 4 UIDFETCH .*
        S: * 3 UIDFETCH .*
        S: OK \[MESSAGELIMIT 3 3\] .*
        C: UID FETCH 1:2 (FLAGS)
        S: * 1 UIDFETCH .*
        S: * 2 UIDFETCH .*
        S: OK FETCH .*
    """),
]
SAVE_LIMIT = [
    case("RFC 9738 3", "SAVELIMIT is for COPY and APPEND alone", r"""
        I: m1 m2 m3 m4 m5
        C: CAPABILITY
        S: * CAPABILITY .*\bSAVELIMIT=3\b.*
        N: .*MESSAGELIMIT.*
        S: OK .*
        C: FETCH 1:* (UID)
        S: * 1 FETCH .*
        S: * 5 FETCH .*
        S: OK FETCH .*
        C: SORT (DATE) UTF-8 ALL
        S: * SORT 1 2 3 4 5
        S: OK .*
        C: COPY 1:* Sent
        S: NO \[MESSAGELIMIT 3 3\] .*
        C: APPEND INBOX {msg m1} {msg m2} {msg m3} {msg m4}
        S: NO \[MESSAGELIMIT 3\] .*
        C: UID COPY 3:5 Sent
        S: OK \[COPYUID .*
        C: UID MOVE 1:4 Sent
        S: * OK \[COPYUID .*
        S: OK MOVE .*
    """),
]
CASES = [(f"u{n}", one) for n, one in enumerate(MESSAGE_LIMIT)]


def ids(cases):
    return [f"{one.rfc} {one.name}".replace(" ", "-") for one in cases]


@pytest.fixture(scope="module", params=["culver", "maildir"])
def limited(request):
    with Server(users=[user for user, _ in CASES], tls=False,
                extra=f"imap_message_limit = 3\nworker_linger = 0\nmail_format = {request.param}\n") as server:
        yield server


@pytest.mark.parametrize("user, one", CASES, ids=ids(MESSAGE_LIMIT))
def test_message_limit(limited, user, one):
    dialogue.run(limited, user, MAILS, one)


@pytest.mark.parametrize("one", SAVE_LIMIT, ids=ids(SAVE_LIMIT))
def test_save_limit(one):
    with Server(users=["alice"], tls=False, extra="imap_save_limit = 3\n") as server:
        dialogue.run(server, "alice", MAILS, one)


def test_hidden():
    """Clients that do not see the capability are not limited: they could not know what was left out."""
    with Server(users=["alice"], tls=False, extra="imap_message_limit = 3\ncapability_disable = MESSAGELIMIT\n") as server:
        dialogue.run(server, "alice", MAILS, case("RFC 9738 3", "hidden", r"""
            I: m1 m2 m3 m4 m5
            C: FETCH 1:* (UID)
            S: * 1 FETCH .*
            S: * 5 FETCH .*
            S: OK FETCH .*
            C: COPY 1:* Sent
            S: OK .*
        """))


def test_one_of_both():
    with pytest.raises(AssertionError, match="imap_save_limit"):
        with Server(users=["alice"], tls=False, extra="imap_message_limit = 3\nimap_save_limit = 3\n"):
            pass
