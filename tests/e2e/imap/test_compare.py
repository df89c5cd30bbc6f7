"""ENVELOPE, BODYSTRUCTURE and sections of real and of nasty messages, against Dovecot and against themselves.

The real messages are those of the folder CULVER_CORPUS. Where the two servers differ, the RFC decides; what is left is in DIFFER.
"""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from compare import Dovecot, Nasty, fetch, is_body, parts, reachable  # noqa: E402
from dialogue import Session  # noqa: E402
from harness import Server  # noqa: E402

NASTY = 200

# Messages of the corpus that Dovecot sees otherwise, and why ours stands.
DIFFER = {
    "legacy-049.eml": "has a bare CR, which Dovecot's store does not keep",
    "malformed-001.eml": "a multipart without parts is text",
    "malformed-002.eml": "a multipart without parts is text",
    "malformed-007.eml": "a multipart without parts is text",
    "malformed-016.eml": "boundaries above 70 octets that begin with each other",
    "malformed-017.eml": "a missing semicolon before the boundary is overlooked",
    "malformed-019.eml": "two Date fields: the first one counts",
    "malformed-020.eml": "a part of a blank line only has that for its header",
    "malformed-021.eml": "a part of a blank line only has that for its header",
    "malformed-022.eml": "a message within that has no header",
    "rfc-001.eml": "Dovecot loses a parameter behind a folded one",
    "rfc-008.eml": "RFC 2046 5.2.1 forbids base64 for message/rfc822: what is below cannot have part numbers",
    "thirdparty-004.eml": "an encoding of two words is its first word",
    "thirdparty-007.eml": "the line end before a boundary belongs to it (RFC 2046 5.1.1)",
    "thirdparty-008.eml": "the line end before a boundary belongs to it (RFC 2046 5.1.1)",
    "thirdparty-015.eml": "a multipart without parts is text",
}


@pytest.fixture(scope="module")
def server():
    with Server(users=["u", "nasty"], tls=False, log_level="warn") as s:
        yield s


def crlf(data):
    return re.sub(rb"(?<!\r)\n", b"\r\n", data).replace(b"\0", b"")


def load(server, user, messages):
    session = Session(server, user)
    for message in messages:
        session.command(b"APPEND INBOX {%d+}\r\n" % len(message) + message)
        assert b" OK " in session.answer()[-1]
    session.command(b"SELECT INBOX")
    session.answer()
    return session


def same_addresses(value):
    """A host that is missing is an empty string in one, and has a name in the other."""
    if isinstance(value, list):
        return [same_addresses(v) for v in value]
    return b"" if value in (b"MISSING_DOMAIN", b"MISSING_MAILBOX") else value


def same_params(params):
    """Without the default charset, which Dovecot adds, and what is encoded by RFC 2231, where charsets may differ."""
    pairs = [(k.lower(), v) for k, v in zip((params or [])[::2], (params or [])[1::2])]
    return [(k, v) for k, v in pairs if not k.endswith(b"*") and (k, v.lower()) != (b"charset", b"us-ascii")]


def same_body(body):
    """Without line counts: whether an unfinished last line is one, RFC 3501 does not say."""
    if isinstance(body[0], list):
        children = [same_body(b) for b in body if isinstance(b, list) and b and is_body(b)]
        rest = body[len(children):]
        return [children, rest[0].lower(), same_params(rest[1])]
    out = [body[0].lower(), body[1].lower(), same_params(body[2]), *body[3:5], body[5].lower(), body[6]]
    if out[0] == b"message" and len(body) > 8 and isinstance(body[8], list):
        out += [same_addresses(body[7]), same_body(body[8])]
    return out


def sections(fetched):
    yield from ("HEADER", "TEXT", "HEADER.FIELDS (FROM SUBJECT)", "HEADER.FIELDS.NOT (FROM)", "")
    for number, kind in parts(fetched["BODYSTRUCTURE"]):
        yield from (number, number + ".MIME")
        if kind == "message":
            yield from (number + ".HEADER", number + ".TEXT")


def section(session, number, name):
    value = list(fetch(session, number, f"BODY.PEEK[{name}]").values())[0]
    # A header that its part ends without a blank line: its line end is of the header here and of the boundary there.
    if name.endswith(("HEADER", "MIME")):
        return (value or b"").rstrip(b"\r\n")
    return value or b""


@pytest.mark.skipif(not os.environ.get("CULVER_CORPUS"), reason="CULVER_CORPUS is not set")
@pytest.mark.skipif(shutil.which("dovecot") is None, reason="there is no Dovecot")
def test_corpus_against_dovecot(server, tmp_path):
    reachable(tmp_path)
    files = sorted(Path(os.environ["CULVER_CORPUS"]).glob("*.eml"))
    messages = [crlf(f.read_bytes()) for f in files]
    files = [f for f, m in zip(files, messages) if m]
    messages = [m for m in messages if m]
    other = Dovecot(tmp_path / "dovecot", ["u"])
    differ = {}
    try:
        ours, theirs = load(server, "u", messages), load(other, "u", messages)
        for number, file in enumerate(files, 1):
            a, b = (fetch(s, number, "ENVELOPE BODYSTRUCTURE") for s in (ours, theirs))
            wrong = []
            if same_addresses(a["ENVELOPE"]) != same_addresses(b["ENVELOPE"]):
                wrong.append(("ENVELOPE", a["ENVELOPE"], b["ENVELOPE"]))
            if same_body(a["BODYSTRUCTURE"]) != same_body(b["BODYSTRUCTURE"]):
                wrong.append(("BODYSTRUCTURE", a["BODYSTRUCTURE"], b["BODYSTRUCTURE"]))
            for name in sections(b):
                pair = section(ours, number, name), section(theirs, number, name)
                if pair[0] != pair[1]:
                    wrong.append((name, *pair))
            if wrong and file.name not in DIFFER:
                differ[file.name] = wrong
    finally:
        other.close()
    assert not differ, "\n".join(f"{f} {name}\n  ours   {a}\n  theirs {b}" for f, wrong in differ.items() for name, a, b in wrong)


def test_nasty_messages_are_consistent(server):
    """Whatever a message is: its structure can be read, each part it names is there with the size it says, where it says."""
    messages = [Nasty(seed).message() for seed in range(NASTY)]
    session = load(server, "nasty", messages)
    for number, message in enumerate(messages, 1):
        whole = fetch(session, number, "ENVELOPE BODYSTRUCTURE RFC822.SIZE BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT]")
        assert whole["BODY[]"] == crlf(message) and int(whole["RFC822.SIZE"]) == len(whole["BODY[]"])
        assert (whole["BODY[HEADER]"] or b"") + (whole["BODY[TEXT]"] or b"") == whole["BODY[]"], number
        assert len(whole["ENVELOPE"]) == 10
        check_body(session, number, whole["BODYSTRUCTURE"], whole["BODY[]"])


def check_body(session, number, body, whole):
    for name, kind in parts(body):
        got = fetch(session, number, f"BODY.PEEK[{name}] BODY.PEEK[{name}.MIME]")
        data, mime = got[f"BODY[{name}]"], got[f"BODY[{name}.MIME]"]
        assert data is not None and mime is not None, (number, name)
        assert mime + data in whole, (number, name)
        size = size_of(body, name)
        assert size is None or size == len(data), (number, name, size, len(data))
        if kind == "message":
            inner = fetch(session, number, f"BODY.PEEK[{name}.HEADER] BODY.PEEK[{name}.TEXT]")
            assert (inner[f"BODY[{name}.HEADER]"] or b"") + (inner[f"BODY[{name}.TEXT]"] or b"") == data, (number, name)


def size_of(body, name):
    """What the structure says of a part's size; None for a multipart."""
    first = True
    for n in map(int, name.split(".")):
        if not first and not isinstance(body[0], list) and len(body) > 8 and isinstance(body[8], list) and body[0].lower() == b"message":
            body = body[8]
        if isinstance(body[0], list):
            body = body[n - 1]
        first = False
    return None if isinstance(body[0], list) else int(body[6])
