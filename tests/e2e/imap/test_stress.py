"""Many sessions of one user change few mailboxes at once; at checkpoints all must have been told the same, and so must a client that
was away and comes back with QRESYNC from any earlier checkpoint (RFC 7162 3.2.5).

CULVER_STRESS: rounds, CULVER_SEED: the decisions of the sessions (not their timing).
"""

import os
import random
import threading

from client import Client, flag_set
from compare import parse
from harness import Server
from messages import simple

ROUNDS = int(os.environ.get("CULVER_STRESS", "3"))
SEED = int(os.environ.get("CULVER_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
SESSIONS = 20
COMMANDS = 25  # of a session in a round
BOXES = ("INBOX", "Work", "Work/Deep")
FLAGS = (b"\\Seen", b"\\Answered", b"\\Flagged", b"\\Deleted", b"\\Draft", b"$Work", b"Later", b"$Junk")
KINDS = ("plain", "condstore", "qresync", "rev2", "uidonly")


class Actor(threading.Thread):
    def __init__(self, server, number):
        super().__init__(daemon=True)
        self.rng = random.Random(SEED * 1000 + number)
        self.client = Client(server, "alice", KINDS[number % len(KINDS)])
        self.number, self.error = number, None
        self.go, self.done = threading.Event(), threading.Event()
        self.ending = False

    def run(self):
        while True:
            self.go.wait()
            self.go.clear()
            if self.ending:
                return
            try:
                if self.client.box is None or self.rng.random() < 0.3:
                    self.client.select(self.rng.choice(BOXES))
                for _ in range(COMMANDS):
                    self.step()
            except BaseException as e:
                self.error = e
            self.done.set()

    # --- commands ---------------------------------------------------------------------------------------------------
    def some(self):
        """A message set and the word that makes its command one by UID, or nothing where there are no messages."""
        c = self.client
        uids = [m.uid for m in c.messages if m.uid is not None]
        if c.kind == "uidonly" or self.rng.random() < 0.5:
            if not uids:
                return None
            chosen = self.rng.sample(uids, min(len(uids), self.rng.randrange(1, 6)))
            return b"UID ", ",".join(map(str, chosen)).encode()
        if not c.messages:
            return None
        first = self.rng.randrange(1, len(c.messages) + 1)
        last = min(len(c.messages), first + self.rng.randrange(4))
        return b"", b"%d:%d" % (first, last)

    def step(self):
        weights = {"store": 8, "append": 4, "fetch": 3, "search": 2, "copy": 2, "move": 2, "expunge": 1, "noop": 3, "idle": 1,
                   "unchangedsince": 2, "pipeline": 2, "select": 1}
        getattr(self, self.rng.choices(list(weights), list(weights.values()))[0])()

    def good(self, result, also=()):
        assert result[1] == "OK" or any(code in result[2] for code in also), result

    def append(self):
        message = simple(self.rng.randrange(1000))
        flags = b" ".join(self.rng.sample(FLAGS, self.rng.randrange(3)))
        self.good(self.client.run(b'APPEND "%s" (%s) {%d+}\r\n%s' % (self.rng.choice(BOXES).encode(), flags, len(message), message)))

    def store(self, more=b""):
        some = self.some()
        if some is None:
            return
        silent = b".SILENT" if self.rng.random() < 0.4 else b""
        sign = self.rng.choice((b"+", b"-", b"-", b""))
        flags = b" ".join(self.rng.sample(FLAGS, self.rng.randrange(1, 4)))
        if silent:
            # Not told, so not known any more, until it is asked for again.
            for m in self.client.messages:
                m.flags = None
        # Messages that another session removed (RFC 2180 section 4.2), besides those that another changed (RFC 7162 section 3.1.3).
        self.good(self.client.run(b"%sSTORE %s %s%sFLAGS%s (%s)" % (*some, more, sign, silent, flags)), also=(b"[EXPUNGEISSUED]", b"[MODIFIED "))

    def unchangedsince(self):
        if self.client.kind in ("condstore", "qresync", "uidonly"):
            since = max(1, self.client.highest - self.rng.randrange(20))
            for m in self.client.messages:
                m.flags = None
            self.store(b"(UNCHANGEDSINCE %d) " % since)

    def fetch(self):
        some = self.some()
        if some:
            items = self.rng.choice((b"FLAGS", b"(UID FLAGS)", b"(UID ENVELOPE)", b"(UID BODY.PEEK[])", b"(UID BODYSTRUCTURE FLAGS)"))
            self.good(self.client.run(b"%sFETCH %s %s" % (*some, items)), also=(b"[EXPUNGEISSUED]",))

    def search(self):
        by_uid = b"UID " if self.client.kind == "uidonly" or self.rng.random() < 0.5 else b""
        key = self.rng.choice((b"ALL", b"UNSEEN", b"DELETED", b"KEYWORD $Work", b"SUBJECT 7", b"OR FLAGGED BODY Hello"))
        self.good(self.client.run(by_uid + b"SEARCH " + key))

    def transfer(self, word):
        some = self.some()
        if some:
            target = self.rng.choice([b for b in BOXES if b != self.client.box])
            self.good(self.client.run(b'%s%s %s "%s"' % (some[0], word, some[1], target.encode())), also=(b"[EXPUNGEISSUED]",))

    def copy(self):
        self.transfer(b"COPY")

    def move(self):
        self.transfer(b"MOVE")

    def expunge(self):
        self.good(self.client.run(b"EXPUNGE"))

    def noop(self):
        self.client.sync()

    def idle(self):
        c = self.client
        c.command(b"IDLE")
        while not (lines := c.answer())[-1].startswith(b"+"):
            raise AssertionError(lines)
        for line in lines[:-1]:
            c.told(line)
        c.send(b"DONE\r\n")
        c.finish()

    def pipeline(self):
        """Several commands at once; their answers come in their order."""
        c = self.client
        uids = [m.uid for m in c.messages if m.uid is not None]
        if not uids:
            return
        tags = []
        for _ in range(self.rng.randrange(2, 5)):
            uid = self.rng.choice(uids)
            c.command(self.rng.choice((b"UID STORE %d +FLAGS (\\Seen)" % uid, b"UID STORE %d -FLAGS (Later $Work)" % uid,
                                       b"UID FETCH %d FLAGS" % uid, b"NOOP")))
            tags.append(c.tag)
        for c.tag in tags:
            c.finish()

    def select(self):
        self.good(self.client.select(self.rng.choice(BOXES)))


def snapshot(server, box):
    """What a client sees that opens the mailbox now: UIDVALIDITY, HIGHESTMODSEQ, {uid: (flags, modseq)}."""
    c = Client(server, "alice", "condstore")
    c.select(box)
    if c.messages:
        c.run(b"FETCH 1:* (UID FLAGS MODSEQ)")
    c.run(b"LOGOUT")
    c.raw.close()
    return c.uidvalidity, c.highest, {m.uid: (m.flags, m.modseq) for m in c.messages}


def returns(server, box, uidvalidity, modseq, known, complete=True):
    """What a client makes of it that knew `known` as of modseq. complete: it knew of all new messages too."""
    c = Client(server, "alice", "qresync")
    c.messages = []
    c.command(b'SELECT "%s" (QRESYNC (%d %d))' % (box.encode(), uidvalidity, modseq))
    lines = c.answer()
    assert b" OK " in lines[-1], lines[-1]
    now, exists = dict(known), None
    for line in lines[:-1]:
        words = line.split(b" ")
        if words[1] == b"VANISHED":
            assert words[2] == b"(EARLIER)"
            for piece in words[3].split(b","):
                first, _, last = piece.partition(b":")
                for uid in range(int(first), int(last or first) + 1):
                    now.pop(uid, None)
        elif words[-1] == b"EXISTS":
            exists = int(words[1])
        elif len(words) > 2 and words[2] == b"FETCH":
            flat = parse(line.split(b" FETCH ", 1)[1])[0]
            values = dict(zip(flat[::2], flat[1::2]))
            now[int(values["UID"])] = (flag_set(values["FLAGS"]), int(values["MODSEQ"][0]))
    c.raw.close()
    assert not complete or exists == len(now), f"{exists} messages, the client has {len(now)}"
    return now


def test_sessions_agree_at_checkpoints():
    print(f"CULVER_SEED={SEED}")
    rng = random.Random(SEED)
    with Server(users=["alice"]) as server:
        maker = Client(server, "alice")
        for box in BOXES[1:]:
            maker.run(b'CREATE "' + box.encode() + b'"')
        for n in range(40):
            m = simple(n)
            maker.run(b'APPEND "%s" {%d+}\r\n%s' % (BOXES[n % 3].encode(), len(m), m))
        earlier = {box: [snapshot(server, box)] for box in BOXES}
        actors = [Actor(server, n) for n in range(SESSIONS)]
        for a in actors:
            a.start()
        for _ in range(ROUNDS):
            for a in actors:
                a.done.clear()
                a.go.set()
            for a in actors:
                a.done.wait()
            for a in actors:
                if a.error is not None:
                    raise a.error
            now = {box: snapshot(server, box) for box in BOXES}
            for a in actors:
                c = a.client
                uidvalidity, highest, state = now[c.box]
                if c.kind == "qresync":  # as if its connection had been cut: it must miss no expunge (RFC 7162 3.2)
                    known = {m.uid: None for m in c.messages if m.uid is not None}
                    left = returns(server, c.box, uidvalidity, c.highest, known, complete=False)
                    assert known.keys() & left.keys() <= state.keys(), f"session {a.number} of {c.box} since {c.highest}"
                c.sync()
                assert c.state() == {u: f for u, (f, _) in state.items()}, f"session {a.number} ({c.kind}) of {c.box}"
                if c.kind in ("condstore", "qresync"):
                    assert {m.uid: m.modseq for m in c.messages} == {u: m for u, (_, m) in state.items()}, f"session {a.number}"
                    assert c.highest <= highest
            for box in BOXES:
                uidvalidity, highest, state = now[box]
                for old in [earlier[box][0], *rng.sample(earlier[box], min(3, len(earlier[box])))]:
                    assert old[0] == uidvalidity
                    assert returns(server, box, *old) == state, f"{box} since {old[1]}"
                earlier[box].append(now[box])
        for a in actors:
            a.ending = True
            a.go.set()
            a.client.raw.close()
