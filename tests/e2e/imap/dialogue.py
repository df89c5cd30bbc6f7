"""IMAP dialogues as text: what the client says, and what the server must say and must not.

A script is a list of lines, each a letter (with the number of a session, from 1, when there is more than one), a colon and text:

    I: m1 m2            appends these messages (messages.py) to INBOX and SELECTs it; "I:" alone only SELECTs it
    C: text             sends a command with a tag of its own
    c: text             sends a line as it is (DONE, a part of a command); "c~:" the same without a line end
    S: regex            a line of the answer, whole; several are found in this order, others may come between. "* " stands for itself
    L: text             the same, but not a regex
    N: regex            a line that must not be in the answer
    F:                  half-closes the connection; E: the server closes the connection
    Z:                  compresses from now on (RFC 4978)

An S line that begins with OK, NO or BAD is the tagged answer, one that begins with + is a continuation. A line of the answer holds its
literals: "{5}", a line end and the octets. Within C and c, {msg NAME} is a message and {lit TEXT} some text as a non-synchronizing
literal, {sync TEXT} as a synchronizing one, {nl} is a line end. In S a group (?P<name>…) keeps what it matched, <<name>> puts it into a later line.
"""

import re
from collections import namedtuple

from harness import Raw

WAIT = b"\0\xfe\0"  # marks where a continuation is waited for
TAGGED = r"(OK|NO|BAD|\(OK\|NO\))(\b| )"
Case = namedtuple("Case", "rfc name script")


def case(rfc, name, script):
    return Case(rfc, name, [line.strip() for line in script.strip("\n").split("\n") if line.strip()])


class Session:
    """One connection; collects whole response lines."""

    def __init__(self, server, user, port="imap"):
        self.raw = Raw(server.ports[port], timeout=10)
        self.count = 0
        self.tag = b""
        self.greeting = self.response()
        if user is not None:
            self.command(f"LOGIN {user} {server.password(user)}".encode())
            self.answer()

    def response(self):
        """One response with its literals, without the last line end; b"" at the end of the connection."""
        whole = b""
        while True:
            line = self.raw.line()
            whole += line
            literal = re.search(rb"\{(\d+)\}\r\n$", line)
            if literal is None:
                return whole[:-2] if whole.endswith(b"\r\n") else whole
            whole += self.raw.read(int(literal.group(1)))

    def answer(self):
        """Responses up to the tagged one, a continuation, or the end of the connection."""
        lines = []
        while True:
            line = self.response()
            lines.append(line)
            if line == b"" or line.startswith((self.tag + b" ", b"+")):
                return lines

    def command(self, text):
        self.count += 1
        self.tag = b"a%03d" % self.count
        self.send(self.tag + b" " + text + b"\r\n")

    def send(self, data):
        """Sends; behind the header of a synchronizing literal waits for the continuation."""
        first, *rest = data.split(WAIT)
        self.raw.send(first)
        for piece in rest:
            answer = self.answer()
            assert answer[-1].startswith(b"+"), f"no continuation but {answer}"
            self.raw.send(piece)


def literally(text):
    """A regex for just this text; <<names>> stay."""
    return "".join(part if part.startswith("<<") else re.escape(part) for part in re.split(r"(<<\w+>>)", text))


def to_regex(pattern, kept, tag):
    for name, value in kept.items():
        pattern = pattern.replace(f"<<{name}>>", re.escape(value))
    if re.match(TAGGED, pattern):
        pattern = tag.decode() + " " + pattern
    elif pattern.startswith(("+", "* ")):  # so that they need no escape
        pattern = "\\" + pattern
    return re.compile(pattern.encode(), re.S)


class Dialogue:
    def __init__(self, server, user, messages):
        self.server, self.user, self.messages = server, user, messages
        self.sessions, self.kept = {}, {}

    def session(self, number):
        if number not in self.sessions:
            self.sessions[number] = Session(self.server, self.user)
        return self.sessions[number]

    def expand(self, text):
        def literal(m):
            kind, arg = m.group(1), m.group(2)
            data = self.messages[arg] if kind == "msg" else arg.encode("utf-8").decode("unicode_escape").encode("latin-1")
            head = b"{%d}\r\n" % len(data) + WAIT if kind == "sync" else b"{%d+}\r\n" % len(data)
            return (head + data).decode("latin-1")

        for name, value in self.kept.items():
            text = text.replace(f"<<{name}>>", value)
        text = text.replace("{nl}", "\r\n").encode("utf-8").decode("latin-1")
        return re.sub(r"\{(msg|lit|sync) (.*?)\}", literal, text, flags=re.S).encode("latin-1")

    def expect(self, lines, wanted, unwanted, tag):
        shown = "\n".join("  " + line.decode(errors="replace")[:1000] for line in lines)
        at = 0
        for pattern in wanted:
            regex = to_regex(pattern, self.kept, tag)
            while at < len(lines) and regex.fullmatch(lines[at]) is None:
                at += 1
            assert at < len(lines), f"wanted: {pattern}\nin the answer:\n{shown}"
            self.kept.update({n: v.decode() for n, v in regex.fullmatch(lines[at]).groupdict().items() if v is not None})
            at += 1
        for pattern in unwanted:
            regex = to_regex(pattern, self.kept, tag)
            for line in lines:
                assert regex.fullmatch(line) is None, f"unwanted: {pattern}\nin the answer:\n{shown}"

    def setup(self, session, names):
        for name in names.split():
            session.command(b"APPEND INBOX " + self.expand("{msg %s}" % name))
            assert b" OK " in session.answer()[-1]
        session.command(b"SELECT INBOX")
        assert b" OK " in session.answer()[-1]

    def run(self, script):
        i = 0
        while i < len(script):
            m = re.match(r"([A-Za-z]~?)(\d?): ?(.*)$", script[i], re.S)
            assert m, f"not a line of a dialogue: {script[i]}"
            letter, number, text = m.groups()
            session = self.session(number)
            i += 1
            if letter == "I":
                self.setup(session, text)
                continue
            if letter == "C":
                session.command(self.expand(text))
            elif letter == "c":
                session.send(self.expand(text) + b"\r\n")
            elif letter == "c~":
                session.send(self.expand(text))
            elif letter == "F":
                session.raw.sock.shutdown(1)
            elif letter == "Z":
                session.raw.deflate()
            elif letter == "E":
                assert session.answer()[-1] == b"", "the server did not close"
            elif letter in "SLN":
                i -= 1
            wanted, unwanted = [], []
            while i < len(script) and script[i][0] in "SLN" and script[i].split(":", 1)[0][1:] == number:
                text = script[i].split(": ", 1)[1]
                if script[i][0] == "N":
                    unwanted.append(text)
                else:
                    wanted.append(text if script[i][0] == "S" else literally(text))
                i += 1
            if wanted or unwanted:
                self.check(session, wanted, unwanted)

    def check(self, session, wanted, unwanted):
        """Reads what is needed: a tagged answer or continuation if one is wanted, else as many lines as are wanted."""
        if len(wanted) > 1 and re.match(r"\\?\+", wanted[0]):
            self.expect(session.answer(), wanted[:1], unwanted, session.tag)
            wanted = wanted[1:]
        if any(re.match(TAGGED + r"|\\?\+", w) for w in wanted):
            self.expect(session.answer(), wanted, unwanted, session.tag)
            return
        lines = []
        while len(lines) < len(wanted):
            lines.append(session.response())
        self.expect(lines, wanted, unwanted, session.tag)

    def close(self):
        for session in self.sessions.values():
            session.raw.close()


def run(server, user, messages, one):
    dialogue = Dialogue(server, user, messages)
    try:
        dialogue.run(one.script)
    finally:
        dialogue.close()
