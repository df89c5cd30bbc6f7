"""What a server has acknowledged to one user, and what it may have done besides: the model that test_kills and test_powercut hold a
restarted server to.

A message (an instance: one UID in one mailbox) has a list of states that it may be in, oldest first: its flags, or GONE. A
command that is sent adds a state, its OK removes those before. Whatever was sent without an answer may have happened or not, but whole
commands only, and what was once seen stays so. Sessions own the messages they work on, so their commands do not race for one message;
mailboxes, UIDs and the log they share.
"""

import random
import re
import threading
import time

GONE = "gone"
FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "$Work", "later"]


def text(content):
    """The message named `content`: as many octets as its name wants."""
    rng = random.Random(content)
    size = rng.choice([40, 300, 300, 3000, 3000, 20000])
    line = "".join(rng.choice("abcdefghij .") for _ in range(70))
    return (f"From: a@example.org\r\nSubject: {content}\r\nMessage-ID: <{content}@example.org>\r\n\r\n"
            + f"{line}\r\n" * (size // 72 + 1)).encode()


class Message:
    def __init__(self, box, uid, content, flags, owner):
        self.box, self.uid, self.content, self.owner = box, uid, content, owner
        self.be(flags)

    def be(self, state):
        self.states = [state]
        self.since = [0.0]  # when each state was acknowledged; the first: long ago
        self.dropped = 0    # states before these

    @property
    def last(self):
        return self.states[-1]

    def may(self, state):
        """A command is about to be sent that makes it so. Returns the number for yes()."""
        self.states.append(state)
        self.since.append(None)
        return self.dropped + len(self.states) - 1

    def drop(self, n):
        del self.states[:n], self.since[:n]
        self.dropped += n

    def yes(self, number, lazily):
        """The OK for change `number`. lazily: what was before may still come back for a while."""
        self.since[number - self.dropped] = time.monotonic()
        if not lazily:
            self.drop(number - self.dropped)
        if self.states == [GONE]:
            self.box.messages.pop(self.uid, None)


class Box:
    def __init__(self, name):
        self.names = [name]  # that it may have; None: it may not be there
        self.uidvalidity = None
        self.uidnext = 1     # as of the last look; what comes later must be at or above
        self.messages = {}   # uid -> Message, of those that may be there
        self.ever = {}       # uid -> content, for ever
        self.owner = None    # the session that may rename and delete it; None: none may

    @property
    def name(self):
        return self.names[-1]


class Pending:
    """Instances that a command may make: one of each content in `box`, all or none."""

    def __init__(self, box, items, must=False, sources=(), owner=None):
        self.box, self.items, self.must, self.sources, self.owner = box, items, must, list(sources), owner


class Ledger:
    def __init__(self, lazy_flags=None):
        """lazy_flags: seconds for which an acknowledged change of flags may still be lost; None: not at all."""
        self.lock = threading.RLock()
        self.lazy_flags = lazy_flags
        self.boxes = [Box("INBOX")]
        self.pending = []
        self.subscribed = {}  # name -> states
        self.counts = {}
        self.surprises = 0    # unacknowledged changes that were there all the same
        self.serial = 0

    def count(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def new_content(self, who):
        with self.lock:
            self.serial += 1
            return f"c{self.serial}-{who}"

    def box(self, name):
        return next(b for b in self.boxes if b.name == name)

    def bind(self, box, uid, content, flags, owner):
        assert box.ever.get(uid, content) == content, f"UID {uid} of {box.name} names {content} and {box.ever[uid]}"
        assert uid not in box.ever or uid not in box.messages, f"UID {uid} of {box.name} was given twice"
        assert uid >= box.uidnext, f"UID {uid} of {box.name} was given below UIDNEXT {box.uidnext}"
        box.ever[uid] = content
        m = box.messages[uid] = Message(box, uid, content, flags, owner)
        return m

    # --- looking at a restarted server ---------------------------------------------------------------------------
    def settle(self, look, ended):
        """Holds what a client sees (see look()) to the facts, and takes what it sees for the new facts. ended: when the server died."""
        listed, subscribed, boxes = look
        self._settle_names(listed, subscribed)
        fresh = {}
        for box in self.boxes:
            uidvalidity, uidnext, found = boxes[box.name]
            assert box.uidvalidity in (None, uidvalidity), f"UIDVALIDITY of {box.name} was {box.uidvalidity}, is {uidvalidity}"
            box.uidvalidity = uidvalidity
            top = max(box.ever, default=0)
            assert uidnext > max(top, max(found, default=0)), f"UIDNEXT {uidnext} of {box.name} after UID {top}"
            assert uidnext >= box.uidnext, f"UIDNEXT of {box.name} went from {box.uidnext} to {uidnext}"
            self._settle_known(box, found, ended)
            for uid, (content, flags) in found.items():
                if uid in box.messages:
                    continue
                assert uid not in box.ever, f"UID {uid} of {box.name} ({box.ever[uid]}) is back"
                assert uid >= box.uidnext, f"UID {uid} of {box.name} appeared below UIDNEXT {box.uidnext}"
                key = (box, content)
                assert key not in fresh, f"{content} is twice in {box.name}: UIDs {fresh[key][0]} and {uid}"
                fresh[key] = (uid, flags)
        new = self._settle_pending(fresh)
        assert not fresh, f"nobody sent {[(b.name, c, u) for (b, c), u in fresh.items()]}"
        for box in self.boxes:
            box.uidnext = boxes[box.name][1]
        return new

    def _settle_names(self, listed, subscribed):
        for box in list(self.boxes):
            there = [n for n in box.names if n is not None and n in listed]
            if None in box.names and not there:
                self.boxes.remove(box)
                continue
            assert len(there) == 1, f"mailbox {box.names}: of these there are {there}"
            self.surprises += len(box.names) > 1 and there[0] == box.names[-1]
            box.names = there
        names = {b.name for b in self.boxes}
        assert listed == names, f"mailboxes: {listed ^ names}"
        for name, states in self.subscribed.items():
            assert (name in subscribed) in states, f"subscription of {name}: {name in subscribed}, not {states}"
            self.subscribed[name] = [name in subscribed]

    def _settle_known(self, box, found, ended):
        for uid, m in list(box.messages.items()):
            if self.lazy_flags is not None:
                sure = [i for i, t in enumerate(m.since) if t is not None and t < ended - self.lazy_flags]
                m.drop(max(sure, default=0))
            is_now = GONE
            if uid in found:
                content, is_now = found[uid]
                assert content == m.content, f"UID {uid} of {box.name} was {m.content}, is {content}"
            assert is_now in m.states, f"{m.content}, UID {uid} of {box.name}: {show(is_now)}, not {[show(s) for s in m.states]}"
            m.be(is_now)
            if is_now == GONE:
                del box.messages[uid]

    def _settle_pending(self, fresh):
        new = []
        for p in self.pending:
            there = [(p.box, c) in fresh for c, _ in p.items]
            assert all(there) or not any(there), f"half of a command happened in {p.box.name}: {p.items} {there}"
            happened = bool(there) and there[0]
            assert happened or not p.must, f"acknowledged, and lost: {[c for c, _ in p.items]} in {p.box.name}"
            for m in p.sources:
                assert (m.last == GONE) == happened, f"half of a MOVE: {m.content} {m.box.name} to {p.box.name}, {happened}"
            self.surprises += happened and not p.must
            for content, flags in p.items if happened else ():
                uid, now = fresh.pop((p.box, content))
                assert now == flags, f"{content} in {p.box.name}: {show(now)}, not {show(flags)}"
                new.append(self.bind(p.box, uid, content, now, p.owner))
        self.pending.clear()
        return new

    def messages(self):
        return [m for box in self.boxes for m in box.messages.values()]


def show(state):
    return state if state == GONE else "(" + " ".join(sorted(state)) + ")"


# --- a client ------------------------------------------------------------------------------------------------------------
class Session:
    """A raw IMAP session, logged in; OSError or Lost when the server goes away."""

    def __init__(self, server, user):
        self.raw = server.raw("imap")
        self.n = 0
        if not self.raw.line().startswith(b"* OK"):
            raise Lost
        try:
            self.run([b"LOGIN " + f"{user} {server.password(user)}".encode()])
        except Refused as e:
            raise Lost from e  # no mail for the moment

    def send(self, commands):
        tags = []
        out = b""
        for c in commands:
            self.n += 1
            tags.append(b"t%d" % self.n)
            out += tags[-1] + b" " + c + b"\r\n"
        self.raw.send(out)
        return tags

    def answer(self, tag):
        """All until the tagged line, literals included."""
        data = b""
        while True:
            line = self.raw.line()
            if not line.endswith(b"\n"):
                raise Lost
            data += line
            literal = re.search(rb"\{(\d+)\}\r\n$", line)
            if literal:
                data += self.raw.read(int(literal[1]))
            elif line.startswith(tag + b" "):
                if not line.startswith(tag + b" OK"):
                    raise Refused(line)
                return data
            elif line.startswith(b"* BYE"):
                raise Lost

    def run(self, commands):
        return [self.answer(tag) for tag in self.send(commands)]

    def close(self):
        self.raw.close()


class Lost(OSError):
    """The server is gone."""


class Refused(Exception):
    """NO or BAD where OK was due."""


def quoted(name):
    return b'"' + name.encode() + b'"'


def look(session, whole=()):
    """What this client sees: names, subscriptions, and of each mailbox (UIDVALIDITY, UIDNEXT, {uid: (content, flags)}). whole: mailboxes
    whose messages are fetched in full and compared; of the others the size is."""
    listed = names(session.run([b'LIST "" "*"'])[0], b"LIST")
    subscribed = names(session.run([b'LSUB "" "*"'])[0], b"LSUB")
    boxes = {}
    for name in listed:
        selected = session.run([b"EXAMINE " + quoted(name)])[0]
        exists = int(re.search(rb"\* (\d+) EXISTS", selected)[1])
        validity, uidnext = (int(re.search(rb"\[%s (\d+)\]" % w, selected)[1]) for w in (b"UIDVALIDITY", b"UIDNEXT"))
        full = name in whole
        item = b"BODY.PEEK[]" if full else b"BODY.PEEK[HEADER.FIELDS (SUBJECT)]"
        data = session.run([b"UID FETCH 1:* (UID FLAGS RFC822.SIZE " + item + b")"])[0] if exists else b""
        found = {}
        at = 0
        for m in iter(lambda: re.compile(rb"\* \d+ FETCH \(([^{]*)\{(\d+)\}\r\n").search(data, at), None):
            body = data[m.end():m.end() + int(m[2])]
            at = m.end() + len(body)
            content = re.search(rb"Subject: (\S+)", body)[1].decode()
            expected = text(content)
            size = int(re.search(rb"RFC822.SIZE (\d+)", m[1])[1])
            if content.endswith("-lmtp"):  # with trace fields in front
                assert size > len(expected) and (not full or body.endswith(expected)), f"text of {content}"
            else:
                assert size == len(expected) and (not full or body == expected), f"text of {content}"
            flags = frozenset(re.search(rb"FLAGS \(([^)]*)\)", m[1])[1].decode().split()) - {"\\Recent"}
            uid = int(re.search(rb"UID (\d+)", m[1])[1])
            assert uid not in found
            found[uid] = (content, flags)
        assert len(found) == exists, f"{name}: {exists} messages, {len(found)} fetched"
        boxes[name] = (validity, uidnext, found)
    return listed, subscribed, boxes


def names(data, kind):
    found = set()
    for m in re.finditer(rb"\* %s \(([^)]*)\) \S+ (?:\"([^\"]*)\"|(\S+))\r\n" % kind, data):
        if b"\\NonExistent" not in m[1] and b"\\Noselect" not in m[1]:
            found.add((m[2] or m[3]).decode())
    return found


def uid_list(text_):
    out = []
    for part in text_.split(b","):
        a, _, b = part.partition(b":")
        out += range(int(a), int(b or a) + 1)
    return out
