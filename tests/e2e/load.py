"""Clients that change one user's mail in every way until the server goes away, and keep a ledger of it."""

import random
import re
import smtplib
import threading
import time

from harness import wait_for
from ledger import FLAGS, GONE, Box, Ledger, Lost, Pending, Refused, Session, look, quoted, text, uid_list

SESSIONS = 3
KINDS = "APPEND COPY MOVE STORE EXPUNGE LMTP CREATE RENAME DELETE SUBSCRIBE UNSUBSCRIBE".split()
KEEP = 25  # messages of a session; above that it rather removes some


class Actor(threading.Thread):
    """One IMAP session for one round."""

    def __init__(self, rounds, number, seed, go):
        super().__init__(daemon=True)
        self.rounds, self.ledger, self.number, self.go = rounds, rounds.ledger, number, go
        self.rng = random.Random(seed)
        self.session = Session(rounds.server, "alice")
        self.selected = None
        self.error = None

    def run(self):
        try:
            self.select()
            self.go.wait()
            while True:
                if self.rng.random() < 0.1:
                    self.select()
                self.step()
        except OSError:
            pass
        except BaseException as e:
            self.error = e if not (isinstance(e, Refused) and self.rounds.ending.is_set()) else None
        finally:
            self.session.close()

    # --- what is mine ------------------------------------------------------------------------------------------
    def boxes(self):
        return [b for b in self.ledger.boxes if b.owner in (None, self.number)]

    def mine(self, box):
        return [m for m in box.messages.values() if m.owner == self.number]

    def select(self):
        with self.ledger.lock:
            box = self.rng.choice(sorted(self.boxes(), key=lambda b: -len(self.mine(b)))[:3])
        self.session.run([b"SELECT " + quoted(box.name)])
        self.selected = box

    # --- commands ------------------------------------------------------------------------------------------------
    def step(self):
        """A few commands at once, each on messages of its own, then their answers."""
        with self.ledger.lock:
            if self.rng.random() < 0.25 and not self.rounds.only_flags.is_set():
                ops = self.name_ops()
            else:
                self.free = self.mine(self.selected)
                self.rng.shuffle(self.free)
                self.taken = set()
                ops = [op for _ in range(self.rng.randrange(1, 5)) for op in self.message_ops()]
        self.do(ops)

    def do(self, ops):
        tags = self.session.send([command for command, _ in ops])
        for tag, (_, done) in zip(tags, ops):
            answer = self.session.answer(tag)
            if self.rounds.ending.is_set():
                raise Lost
            with self.ledger.lock:
                done(answer)

    def tour(self):
        """Every kind of change once."""
        self.select()
        for make in [lambda: self.append(self.selected)] * 10 + [self.copy, self.move, self.store, self.expunge]:
            with self.ledger.lock:
                self.free, self.taken = self.mine(self.selected), set()
                ops = make()
            assert ops
            self.do(ops)
        with self.ledger.lock:
            create = self.create()
        self.do([create])
        box = self.ledger.boxes[-1]
        for make in (self.rename, self.subscribe, self.subscribe, self.delete):
            with self.ledger.lock:
                ops = [make(box)]
            self.do(ops)

    def take(self, most=3):
        out = []
        n = self.rng.randrange(1, most + 1)
        while self.free and len(out) < n:
            m = self.free.pop()
            if m.content not in self.taken and m.last != GONE:
                self.taken.add(m.content)
                out.append(m)
        return out

    def message_ops(self):
        if self.rounds.only_flags.is_set():
            return self.store()
        total = sum(len(self.mine(b)) for b in self.boxes())
        kinds = [self.append, self.copy, self.move, self.store] + [self.expunge] * (5 if total > KEEP else 1)
        return self.rng.choice(kinds)()

    def flags(self):
        return frozenset(self.rng.sample(FLAGS, self.rng.randrange(0, 4)))

    def bind(self, box, uidvalidity, uid, content, flags):
        assert box.uidvalidity in (None, uidvalidity), f"UIDVALIDITY of {box.name}: {box.uidvalidity} and {uidvalidity}"
        box.uidvalidity = uidvalidity
        self.ledger.bind(box, uid, content, flags, self.number)

    def append(self, box=None):
        box, content, flags = box or self.rng.choice(self.boxes()), self.ledger.new_content(f"a{self.number}"), self.flags()
        p = Pending(box, [(content, flags)], owner=self.number)
        self.ledger.pending.append(p)
        self.taken.add(content)

        def done(answer):
            m = re.search(rb"\[APPENDUID (\d+) (\d+)\]", answer)
            self.ledger.pending.remove(p)
            self.bind(box, int(m[1]), int(m[2]), content, flags)
            self.ledger.count("APPEND")

        message = text(content)
        return [(b"APPEND " + quoted(box.name) + b" (" + " ".join(flags).encode() + b") {%d+}\r\n" % len(message) + message, done)]

    def place(self, messages):
        """A mailbox that has none of these, so that a content names one message of a mailbox."""
        contents = {m.content for m in messages}
        boxes = [b for b in self.boxes() if b is not self.selected and not contents & {m.content for m in b.messages.values()}]
        return self.rng.choice(boxes) if boxes and messages else None

    def copy(self, move=False):
        messages = self.take()
        to = self.place(messages)
        if to is None:
            return []
        by_uid = {m.uid: (m.content, m.last) for m in messages}
        numbers = [(m, m.may(GONE)) for m in messages] if move else []
        p = Pending(to, list(by_uid.values()), sources=messages if move else (), owner=self.number)
        self.ledger.pending.append(p)

        def done(answer):
            m = re.search(rb"\[COPYUID (\d+) (\S+) (\S+)\]", answer)
            pairs = list(zip(uid_list(m[2]), uid_list(m[3])))
            assert {a for a, _ in pairs} == set(by_uid), (answer, by_uid)
            self.ledger.pending.remove(p)
            for a, b in pairs:
                self.bind(to, int(m[1]), b, *by_uid[a])
            for message, number in numbers:
                message.yes(number, False)
            self.ledger.count("MOVE" if move else "COPY")

        return [((b"UID MOVE " if move else b"UID COPY ") + uids(messages) + b" " + quoted(to.name), done)]

    def move(self):
        return self.copy(move=True)

    def change(self, messages, kind, flags):
        new = {"": lambda old: flags, "+": lambda old: old | flags, "-": lambda old: old - flags}[kind]
        numbers = [(m, m.may(new(m.last))) for m in messages]
        silent = self.rng.choice([b"", b".SILENT"])

        def done(answer):
            for m, number in numbers:
                m.yes(number, self.ledger.lazy_flags is not None)
            self.ledger.count("STORE")

        names = " ".join(flags).encode()
        return (b"UID STORE " + uids(messages) + b" " + kind.encode() + b"FLAGS" + silent + b" (" + names + b")", done)

    def store(self):
        messages = self.take()
        return [self.change(messages, self.rng.choice(["", "+", "-"]), self.flags())] if messages else []

    def expunge(self):
        messages = self.take(3 if len(self.free) < KEEP else 20)
        if not messages:
            return []
        first = self.change(messages, "+", frozenset(["\\Deleted"]))
        numbers = [(m, m.may(GONE)) for m in messages]

        def done(answer):
            for m, number in numbers:
                m.yes(number, False)
            self.ledger.count("EXPUNGE")

        # The plain command does the same where nobody else deletes, and nothing is left to be deleted since an earlier death.
        left = [m for m in self.selected.messages.values() if m.last != GONE and "\\Deleted" in m.last and m not in messages]
        plain = self.selected.owner == self.number and not left and self.rng.random() < 0.5
        return [first, (b"EXPUNGE" if plain else b"UID EXPUNGE " + uids(messages), done)]

    # --- names ---------------------------------------------------------------------------------------------------
    def name_ops(self):
        own = [b for b in self.ledger.boxes if b.owner == self.number and b is not self.selected]
        if not own or (len(own) < 4 and self.rng.random() < 0.5):
            return [self.create()]
        box = self.rng.choice(own)
        return [self.rng.choice([self.rename, self.rename, self.delete, self.subscribe, self.subscribe])(box)]

    def new_name(self):
        return self.ledger.new_content(f"box{self.number}")

    def create(self):
        box = Box(self.new_name())
        box.names, box.owner = [None, box.name], self.number

        def done(answer):
            box.names = [box.name]
            self.ledger.count("CREATE")

        self.ledger.boxes.append(box)
        return b"CREATE " + quoted(box.name), done

    def rename(self, box):
        old, new = box.name, self.new_name()
        box.names = [old, new]

        def done(answer):
            box.names = [new]
            self.ledger.count("RENAME")

        return b"RENAME " + quoted(old) + b" " + quoted(new), done

    def delete(self, box):
        name = box.name
        box.names = [name, None]

        def done(answer):
            self.ledger.boxes.remove(box)
            self.ledger.count("DELETE")

        return b"DELETE " + quoted(name), done

    def subscribe(self, box):
        states = self.ledger.subscribed.setdefault(box.name, [False])
        new = not states[-1]
        states.append(new)

        def done(answer):
            del states[:-1]
            self.ledger.count("SUBSCRIBE" if new else "UNSUBSCRIBE")

        return (b"SUBSCRIBE " if new else b"UNSUBSCRIBE ") + quoted(box.name), done


def uids(messages):
    return ",".join(str(m.uid) for m in messages).encode()


class Delivery(threading.Thread):
    """One LMTP client for one round. It does not try again what got no 250: that would be a second message by right."""

    def __init__(self, rounds, go):
        super().__init__(daemon=True)
        self.rounds, self.ledger, self.server, self.go = rounds, rounds.ledger, rounds.server, go
        self.stopping = threading.Event()
        self.error = None

    def run(self):
        try:
            self.go.wait()
            while not self.stopping.is_set() and not self.rounds.only_flags.is_set():
                self.deliver()
        except (OSError, smtplib.SMTPException):
            pass
        except BaseException as e:
            self.error = e

    def deliver(self):
        with self.server.lmtp() as client:
            while not self.stopping.is_set() and not self.rounds.only_flags.is_set():
                self.send(client)

    def send(self, client):
        content = self.ledger.new_content("lmtp")
        p = Pending(self.ledger.boxes[0], [(content, frozenset())])
        with self.ledger.lock:
            self.ledger.pending.append(p)
        client.sendmail("sender@example.org", ["alice"], text(content))
        if self.rounds.ending.is_set():
            return
        with self.ledger.lock:
            p.must = True
            self.ledger.count("LMTP")


def log_in(server, user):
    try:
        return Session(server, user)
    except OSError:
        return None


class Rounds:
    """Load on alice's mail until the server goes away, then a look at what is there, again and again."""

    def __init__(self, server, rng, lazy_flags=None):
        self.server, self.rng = server, rng
        self.ending = threading.Event()  # the machine is about to fail: from here NO is an answer, and OK does not count
        self.only_flags = threading.Event()  # from here nothing but STORE, whose sync no other change brings along
        self.ledger = Ledger(lazy_flags)
        self.longest = 0  # from the kill to the first log-in that works

    def first_look(self):
        session = Session(self.server, "alice")
        session.run([b'CREATE "Work"'])
        session.close()
        self.check(0, set())
        self.tour()

    def tour(self):
        """One change of each kind before the first round: however few rounds there are, none is without acknowledged ones."""
        actor = Actor(self, 0, self.rng.random(), None)
        actor.tour()
        actor.session.close()
        with self.server.lmtp() as client:
            Delivery(self, None).send(client)
        self.toured = dict(self.ledger.counts)
        assert all(self.toured.get(kind) for kind in KINDS), self.toured

    def has_seen(self, kinds):
        """Under load, too."""
        return all(self.ledger.counts[kind] > self.toured[kind] for kind in kinds)

    def check(self, ended, whole):
        session = wait_for(lambda: log_in(self.server, "alice"), 15, "a session after the kill")
        self.longest = max(self.longest, time.monotonic() - ended) if ended else 0
        seen = look(session, whole)
        session.close()
        known = {b.name for b in self.ledger.boxes}
        if not ended:
            self.ledger.boxes += [Box(name) for name in seen[0] - known]
            self.ledger.subscribed = {name: [True] for name in seen[1]}
        for m in self.ledger.settle(seen, ended):
            if m.owner is None:
                m.owner = self.rng.randrange(SESSIONS)

    def start(self):
        """The load of one round, about to go; None where the worker was not there yet."""
        go = threading.Event()
        self.only_flags.clear()
        actors = []
        try:
            for n in range(SESSIONS):
                actors.append(Actor(self, n, self.rng.random(), go))
        except Lost:
            for a in actors:
                a.session.close()
            return None
        threads = actors + [Delivery(self, go) for _ in range(2)]
        for t in threads:
            t.start()
        return go, threads

    def finish(self, threads):
        for t in threads:
            if isinstance(t, Delivery):
                t.stopping.set()
        for t in threads:
            t.join(20)
            assert not t.is_alive(), "a session neither went on nor ended"
            if t.error is not None:
                raise t.error
