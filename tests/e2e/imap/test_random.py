"""The same random commands, given to Culver and to a private Dovecot by several sessions at once, leave the same mail behind and are
answered the same.

Each command is said in terms that mean the same on both: before it both servers' session is brought up to date with NOOP, after which
a sequence number names the same message. Answers are reduced to what they say (`reduced`); where the two may say different things
with a reason, KNOWN has it.

CULVER_RANDOM: commands, CULVER_SEED: which. Random runs of some thousand commands end at an error of Dovecot's own now and then; that is a
skip.
"""

import os
import random
import re
import shutil
import time

import pytest

from client import Client, flag_set
from compare import Dovecot, parse, reachable
from harness import Server

COMMANDS = int(os.environ.get("CULVER_RANDOM", "400"))
SEED = int(os.environ.get("CULVER_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
SESSIONS = 4
FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "$Work", "Later"]
WORDS = ["alpha", "beta", "Gamma", "GRÜN", "grün", "delta@example.org", "re: ", "日本"]
# (command, what one says, what the other says): why both are right.
KNOWN = [
    # RFC 9051 6.3.7 and 6.3.8: whether a name that is not there can be (un)subscribed is the server's to say.
    ("SUBSCRIBE", "OK", "NO"),
    ("UNSUBSCRIBE", "NO", "OK"),
    ("UNSUBSCRIBE", "OK", "NO"),
]


def message(rng, n):
    subject = rng.choice(["", "Re: ", "Fwd: ", "re: [list] "]) + rng.choice(WORDS[:3]) + f" {rng.randrange(6)}"
    sender = rng.choice(["Ann <ann@example.org>", "bob@example.com", '"C, D" <cd@example.net>'])
    lines = [f"From: {sender}", f"To: x{rng.randrange(4)}@example.org", f"Subject: {subject}", f"Message-ID: <r{n}@example.org>",
             f"Date: {rng.randrange(1, 28):02} {rng.choice(['Jan', 'Jun', 'Nov'])} {rng.randrange(2019, 2026)} 1{rng.randrange(10)}:00:00 +0000"]
    if n and rng.random() < 0.4:
        lines.append(f"In-Reply-To: <r{rng.randrange(n)}@example.org>")
    body = "\r\n".join(" ".join(rng.choice(WORDS) for _ in range(rng.randrange(8))) for _ in range(rng.randrange(12)))
    if rng.random() < 0.3:
        lines += ["MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="q"']
        body = f"--q\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n\r\n--q\r\nContent-Type: image/png\r\n" \
               "Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--q--"
    elif not body.isascii():
        lines += ["MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"]
    return ("\r\n".join(lines) + "\r\n\r\n" + body + "\r\n").encode()


def plain(value):
    """Parsed values in a form to compare. A day of one digit may have a blank or a zero before it (RFC 9051 9, date-day-fixed)."""
    if isinstance(value, bytes) and re.fullmatch(rb" \d-[A-Z][a-z]{2}-\d{4} .*", value):
        return b"0" + value[1:]
    if isinstance(value, list):
        return tuple(plain(v) for v in value)
    return value


def as_bytes(name):
    """An astring: an atom and a string say the same."""
    return name if isinstance(name, bytes) else name.encode()


def reduced(lines):
    """What the untagged lines say, without what depends on the moment: EXISTS, flags of other messages, response codes."""
    out = []
    for line in lines:
        words = line.split(b" ")
        if len(words) > 2 and words[2] == b"FETCH":
            flat = parse(line.split(b" FETCH ", 1)[1])[0]
            items = {k.upper(): v for k, v in zip(flat[::2], flat[1::2])}
            items.pop("UID", None)
            items.pop("FLAGS", None)  # compared as a state, after each command
            # A part that is not there: NIL or nothing, RFC 9051 6.4.5 leaves it open.
            items = {k: None if k.startswith("BODY[") and v == b"" else v for k, v in items.items()}
            if items:
                out.append(("FETCH", int(words[1]), tuple(sorted((k, plain(v)) for k, v in items.items()))))
        elif words[1] in (b"SEARCH", b"SORT"):
            out.append((words[1], tuple(int(w) for w in words[2:])))
        elif words[1] == b"ESEARCH":
            out.append((b"ESEARCH", re.sub(rb'^\* ESEARCH \(TAG "[^"]*"\) ?', b"", line)))
        elif words[1] == b"THREAD":
            out.append((b"THREAD", threads(line[9:])))
        elif words[1] in (b"LIST", b"LSUB"):
            flags, _, name = parse(line)[2:5]
            keep = {"\\noselect", "\\nonexistent"} & {f.lower() for f in flags}
            out.append((words[1], bool(keep), as_bytes(name)))
        elif words[1] == b"STATUS":
            name, items = parse(line)[2:4]
            out.append((words[1], as_bytes(name), tuple(sorted(zip(items[::2], items[1::2])))))
    return sorted(out, key=repr) if all(o[0] in (b"LIST", b"LSUB", "FETCH") for o in out) else out


def threads(text):
    """Threads in any order among themselves where they stand side by side at the top."""
    return tuple(sorted(re.findall(rb"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)", text)))


class Pair:
    """One session on each server."""

    def __init__(self, number, servers):
        self.number = number
        self.clients = [Client(s, "alice") for s in servers]
        self.box = None

    def both(self, texts):
        """Gives the command to both; checks that they answer alike."""
        if isinstance(texts, bytes):
            texts = [texts, texts]
        answers = [c.run(t) for c, t in zip(self.clients, texts)]
        status = [a[1] for a in answers]
        print(self.number, self.box, *texts, *(a[2] for a in answers))
        name = texts[0].split(b" ")[0].decode()
        if b"[SERVERBUG]" in answers[1][2]:
            pytest.skip(f"the other server is at its end: {answers[1][2]}")
        if status[0] != status[1]:
            assert (name, status[0], status[1]) in KNOWN, f"{texts}: {answers[0][2]} / {answers[1][2]}"
        return answers

    def compare(self, texts):
        answers = self.both(texts)
        said = [reduced(a[0]) for a in answers]
        assert said[0] == said[1], f"{texts}:\n{said[0]}\n{said[1]}\n{answers[0][0]}\n{answers[1][0]}\n{self.odd_ones(said)}"

    def odd_ones(self, said):
        """The messages that only one of the two speaks of, for the report."""
        numbers = [{n for o in one if o[0] in (b"SEARCH", b"SORT") for n in o[1]} |
                   {o[1:] for o in one if o[0] == "FETCH"} for one in said]
        client = self.clients[0]
        return [client.run(b"FETCH %d BODY.PEEK[]" % n)[0] for n in
                sorted({n[0] if isinstance(n, tuple) else n for n in numbers[0] ^ numbers[1]})[:2]]

    def sync(self):
        """Afterwards both sessions know the same. Dovecot may need a while for what its other sessions did; Culver may not."""
        if self.box is None:
            return
        self.clients[0].sync()
        ours = [m.flags for m in self.clients[0].messages]
        for _ in range(20):
            self.clients[1].sync()
            theirs = [m.flags for m in self.clients[1].messages]
            if ours == theirs:
                return
            time.sleep(0.1)
        raise AssertionError(f"{self.box}:\n{ours}\n{theirs}")

    def select(self, box):
        for c in self.clients:
            lines, status, last = c.select(box)
            assert status == "OK", last
        self.box = box

    @property
    def count(self):
        return len(self.clients[0].messages)


class Play:
    def __init__(self, servers):
        self.rng = random.Random(SEED)
        self.pairs = [Pair(n, servers) for n in range(SESSIONS)]
        self.boxes = ["INBOX", "a", "a/b", "c"]
        self.written = 0
        announced = [set(c.run(b"CAPABILITY")[0][0].split()) for c in self.pairs[0].clients]
        # Not ORDEREDSUBJECT: Dovecot 2.3 puts a later message before an earlier one at times, against RFC 5256 4. Not REFS: no RFC says
        # how siblings are ordered.
        self.algorithms = [w[7:] for w in sorted(announced[0] & announced[1]) if w == b"THREAD=REFERENCES"]
        self.pairs[0].both(b"SUBSCRIBE INBOX")  # Culver has it so from the beginning
        for box in self.boxes[1:]:
            self.pairs[0].both(b"CREATE " + box.encode())
        for _ in range(20):
            self.append(self.pairs[0])
        for p in self.pairs:
            p.select(self.rng.choice(self.boxes))
            p.sync()

    # --- pieces -----------------------------------------------------------------------------------------------------
    def seqs(self, pair):
        """The same messages as the two servers name them: a set of numbers, or of their UIDs. None where there are none."""
        if pair.count == 0:
            return None
        chosen = sorted(self.rng.sample(range(pair.count), min(pair.count, self.rng.randrange(1, 5))))
        if self.rng.random() < 0.5:
            text = ",".join(str(n + 1) for n in chosen).encode()
            return b"", [text, text]
        return b"UID ", [",".join(str(c.messages[n].uid) for n in chosen).encode() for c in pair.clients]

    def flags(self, least=0):
        return " ".join(self.rng.sample(FLAGS, self.rng.randrange(least, 4))).encode()

    def key(self, depth=0):
        rng = self.rng
        if depth < 2 and rng.random() < 0.25:
            a, b = self.key(depth + 1), self.key(depth + 1)
            return rng.choice([b"OR %s %s" % (a, b), b"NOT (%s)" % a, b"(%s %s)" % (a, b)])
        word = rng.choice(WORDS)
        text = b'"%s"' % word.encode() if word.isascii() else b"{%d+}\r\n%s" % (len(word.encode()), word.encode())
        day = b"%d-%s-%d" % (rng.randrange(1, 28), rng.choice([b"Jan", b"Jun", b"Nov"]), rng.randrange(2019, 2026))
        return rng.choice([
            b"ALL", b"SEEN", b"UNSEEN", b"ANSWERED", b"UNANSWERED", b"FLAGGED", b"DELETED", b"UNDELETED", b"DRAFT", b"KEYWORD $Work",
            b"UNKEYWORD Later", b"SMALLER 400", b"LARGER 300", b"SENTBEFORE " + day, b"SENTON " + day, b"SENTSINCE " + day,
            b"FROM " + text, b"TO " + text, b"SUBJECT " + text, b"BODY " + text, b"TEXT " + text, b"HEADER Message-ID r1",
            b"FROM ann" if depth else b"HEADER In-Reply-To \"\"", b"FROM ann", b"TO x1@", b"1,*", b"*",
        ])

    # --- commands ---------------------------------------------------------------------------------------------------
    def append(self, pair):
        m = message(self.rng, self.written)
        self.written += 1
        pair.both(b'APPEND %s (%s) "%2d-Jan-2025 1%d:00:00 +0000" {%d+}\r\n%s' % (
            self.rng.choice(self.boxes).encode(), self.flags(), self.rng.randrange(1, 28), self.rng.randrange(10), len(m), m))

    def store(self, pair):
        chosen = self.seqs(pair)
        if chosen:
            what = self.rng.choice([b"FLAGS", b"+FLAGS", b"-FLAGS"])
            flags = self.flags(1)
            pair.both([b"%sSTORE %s %s (%s)" % (chosen[0], s, what, flags) for s in chosen[1]])

    def fetch(self, pair):
        chosen = self.seqs(pair)
        if chosen:
            items = self.rng.choice([b"(FLAGS INTERNALDATE RFC822.SIZE)", b"ENVELOPE", b"BODYSTRUCTURE", b"BODY.PEEK[]", b"BODY[TEXT]",
                                     b"BODY.PEEK[HEADER.FIELDS (SUBJECT FROM X-NONE)]", b"BODY.PEEK[1]", b"BODY.PEEK[HEADER]<5.40>",
                                     b"RFC822.HEADER", b"BODY", b"BODY.PEEK[1.MIME]", b"FAST", b"BODY.PEEK[2]"])
            pair.compare([b"%sFETCH %s %s" % (chosen[0], s, items) for s in chosen[1]])

    def search(self, pair):
        charset = b"CHARSET UTF-8 "
        returns = self.rng.choice([b"", b"", b"RETURN (MIN MAX COUNT) ", b"RETURN (ALL) "])
        if returns and pair.count == 0:
            returns = b""
        pair.compare(b"SEARCH " + returns + charset + self.key())

    def sort(self, pair):
        # Not by text: Dovecot 2.3 does not always take equal texts for equal (RFC 5256 3).
        order = self.rng.choice([b"ARRIVAL", b"DATE", b"REVERSE SIZE", b"SIZE DATE", b"SIZE", b"REVERSE DATE SIZE"])
        pair.compare(b"SORT (%s) UTF-8 %s" % (order, self.key()))

    def thread(self, pair):
        pair.compare(b"THREAD %s UTF-8 ALL" % self.rng.choice(self.algorithms))

    def copy(self, pair, word=b"COPY"):
        chosen = self.seqs(pair)
        others = [b for b in self.boxes if b != pair.box]
        if chosen and others:
            target = self.rng.choice(others + (["nowhere"] if self.rng.random() < 0.1 else [])).encode()
            pair.both([b"%s%s %s %s" % (chosen[0], word, s, target) for s in chosen[1]])

    def move(self, pair):
        self.copy(pair, b"MOVE")

    def expunge(self, pair):
        pair.both(b"EXPUNGE")

    def uid_expunge(self, pair):
        chosen = self.seqs(pair)
        if chosen and chosen[0]:
            pair.both([b"UID EXPUNGE " + s for s in chosen[1]])

    def close(self, pair):
        pair.both(self.rng.choice([b"CLOSE", b"UNSELECT", b"CLOSE"]))
        pair.select(self.rng.choice(self.boxes))

    def select(self, pair):
        pair.select(self.rng.choice(self.boxes))

    def status(self, pair):
        pair.compare(b"STATUS %s (MESSAGES UNSEEN)" % self.rng.choice(self.boxes).encode())

    def list(self, pair):
        pair.compare(b'LIST "" "%s"' % self.rng.choice([b"*", b"%", b"a*", b"a/%", b"%/b", b"n*", b"x"]))
        pair.compare(b'LSUB "" "*"')

    def subscribe(self, pair):
        pair.both(b"%s %s" % (self.rng.choice([b"SUBSCRIBE", b"UNSUBSCRIBE"]), self.rng.choice(self.boxes).encode()))

    def create(self, pair):
        name = self.rng.choice(["new", "new/x", "c/d", "a/b", "INBOX", "n2"])
        parent = name.rpartition("/")[0]
        if parent and parent not in self.boxes:
            return  # whether it becomes a mailbox is the server's to say (RFC 9051 6.3.4)
        answers = pair.both(b"CREATE " + name.encode())
        if answers[0][1] == "OK":
            self.boxes.append(name)

    def selected(self, name):
        return any(p.box == name or p.box.startswith(name + "/") for p in self.pairs)

    def delete(self, pair):
        name = self.rng.choice(self.boxes[3:] + ["nowhere"])
        if not self.selected(name) and not any(b.startswith(name + "/") for b in self.boxes):
            if pair.both(b"DELETE " + name.encode())[0][1] == "OK":
                self.boxes.remove(name)

    def rename(self, pair):
        old = self.rng.choice(self.boxes[1:])
        new = self.rng.choice(["r1", "r2", "r3", "a/z", "c"])
        if new == "a/z" and "a" not in self.boxes or self.selected(old) or new.startswith(old + "/") or self.selected(new):
            return
        if pair.both(b"RENAME %s %s" % (old.encode(), new.encode()))[0][1] == "OK":
            self.boxes = [new + b[len(old):] if b == old or b.startswith(old + "/") else b for b in self.boxes]

    WEIGHTS = {"append": 8, "store": 12, "fetch": 10, "search": 12, "sort": 4, "thread": 3, "copy": 4, "move": 4, "expunge": 2,
               "uid_expunge": 2, "close": 1, "select": 3, "status": 3, "list": 2, "subscribe": 2, "create": 1, "delete": 1, "rename": 1}

    def step(self):
        pair = self.rng.choice(self.pairs)
        pair.sync()
        getattr(self, self.rng.choices(list(self.WEIGHTS), list(self.WEIGHTS.values()))[0])(pair)

    def final(self):
        """Everything that is there in the end, the same on both."""
        pair = self.pairs[0]
        for p in self.pairs:
            p.sync()
        pair.compare(b'LIST "" "*"')
        pair.compare(b'LSUB "" "*"')
        for box in self.boxes:
            pair.select(box)
            pair.sync()
            if pair.count:
                pair.compare(b"FETCH 1:* (INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[])")


@pytest.mark.timeout(max(120, COMMANDS))
@pytest.mark.skipif(shutil.which("dovecot") is None, reason="no dovecot")
def test_same_commands_same_mail(tmp_path):
    print(f"CULVER_SEED={SEED}")
    reachable(tmp_path)
    with Server(users=["alice"], extra="auto_mailboxes =\n") as culver:
        dovecot = Dovecot(tmp_path / "dovecot", ["alice"])
        try:
            play = Play([culver, dovecot])
            for _ in range(COMMANDS):
                play.step()
            play.final()
        finally:
            dovecot.close()
