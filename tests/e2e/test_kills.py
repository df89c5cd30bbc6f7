"""SIGKILL at random instants, while several sessions and deliveries change one user's mail: what was acknowledged is there, once, under its
UID, and nobody else notices. CULVER_KILLS=1000 for the long run, CULVER_SEED to repeat one."""

import os
import random
import signal
import threading
import time

import pytest

from harness import Server, wait_for
from ledger import Session
from load import Actor, Rounds, log_in
from messages import simple

KILLS = {"culver": int(os.environ.get("CULVER_KILLS", "30")), "maildir": int(os.environ.get("CULVER_KILLS", "8"))}
SEED = int(os.environ.get("CULVER_SEED", "0")) or random.randrange(1 << 30)


class Other(threading.Thread):
    """Another user, whose session must not notice anything."""

    def __init__(self, server, user):
        super().__init__(daemon=True)
        self.session = Session(server, user)
        self.session.run([b"SELECT INBOX"])
        self.stopping = threading.Event()
        self.error = None
        self.slowest = self.done = 0

    def run(self):
        try:
            while not self.stopping.wait(0.05):
                start = time.monotonic()
                message = simple(self.done)
                self.session.run([b"APPEND INBOX {%d+}\r\n" % len(message) + message, b"NOOP", b"UID FETCH 1:* (FLAGS)",
                                  b"STORE 1:* +FLAGS.SILENT (\\Deleted)", b"EXPUNGE"])
                self.done += 1
                self.slowest = max(self.slowest, time.monotonic() - start)
        except BaseException as e:
            self.error = e


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


@pytest.mark.parametrize("mail_format", KILLS)
@pytest.mark.timeout(100 + 2 * max(KILLS.values()))
def test_kill_worker_under_load(mail_format):
    rng = random.Random(SEED)
    print(f"CULVER_SEED={SEED}")
    with Server(users=["alice", "bob"], log_level="info", extra=f"mail_format = {mail_format}\n") as server:
        bob = Other(server, "bob")
        bobs = set(server.pids_of("culver-worker"))
        bob.start()
        rounds = Rounds(server, rng)
        rounds.first_look()
        kills = 0
        while kills < KILLS[mail_format]:
            started = wait_for(rounds.start, 15, "sessions")
            victims = set(server.pids_of("culver-worker")) - bobs
            assert len(victims) == 1
            started[0].set()
            time.sleep(rng.random() * 0.12)
            kill(victims.pop())
            kills += 1
            ended = time.monotonic()
            rounds.finish(started[1])
            if rng.random() < 0.2:  # once more while the next one is reading the log
                kills += kill_next(server, bobs, rng)
            rounds.check(ended, {rng.choice(rounds.ledger.boxes).name})
            assert bob.error is None, repr(bob.error)
        rounds.check(ended, {b.name for b in rounds.ledger.boxes})
        bob.stopping.set()
        bob.join(20)
        assert bob.error is None and bob.done > 0, repr(bob.error)
        assert set(server.pids_of("culver-worker")) & bobs == bobs
        counts = rounds.ledger.counts
        # How much a few rounds on a slow machine see of each kind is up to it.
        assert kills < 30 or rounds.has_seen(("APPEND", "COPY", "MOVE", "STORE", "EXPUNGE", "LMTP", "CREATE", "RENAME"))
        print(f"{kills} kills, acknowledged {counts}, there though unacknowledged: {rounds.ledger.surprises}, longest time until a "
              f"session again {rounds.longest:.3f} s; the other user: {bob.done} rounds, slowest {bob.slowest:.3f} s")


def kill_next(server, bobs, rng):
    knocking = threading.Thread(target=lambda: log_in(server, "alice"), daemon=True)
    knocking.start()
    victim = wait_for(lambda: set(server.pids_of("culver-worker")) - bobs, 10, "the next worker")
    time.sleep(rng.random() * 0.02)
    kill(victim.pop())
    knocking.join(20)
    return 1


SERVICES = ["culver-auth", "culver-keys", "culver-imap-login", "culver-pop3-login", "culver-lmtp"]


@pytest.mark.timeout(100 + 2 * KILLS["culver"])
def test_kill_services_under_load():
    """Sessions go on whichever service dies; without master everything ends, and what was acknowledged is there."""
    rng = random.Random(SEED)
    print(f"CULVER_SEED={SEED}")
    with Server(users=["alice"], log_level="info") as server:
        rounds = Rounds(server, rng)
        rounds.first_look()
        for role in (SERVICES + ["culver"]) * max(1, KILLS["culver"] // 30):
            go, threads = wait_for(rounds.start, 15, "sessions")
            go.set()
            time.sleep(rng.random() * 0.12)
            if role == "culver":
                everybody = list(server.pids())
                kill(server.proc.pid)
                server.proc.wait()
                wait_for(lambda: not any(os.path.exists(f"/proc/{p}/exe") and alive(p) for p in everybody), 20, "all processes to leave")
                ended = time.monotonic()
                rounds.finish(threads)
                server.start()
            else:
                victim = min(server.pids_of(role))
                kill(victim)
                wait_for(lambda: set(server.pids_of(role)) - {victim}, 10, f"{role} to come back")
                assert all(t.is_alive() for t in threads if isinstance(t, Actor)), f"a session ended with {role}"
                for pid in server.pids_of("culver-worker"):
                    kill(pid)
                ended = time.monotonic()
                rounds.finish(threads)
            rounds.check(ended, {rng.choice(rounds.ledger.boxes).name})
        rounds.check(ended, {b.name for b in rounds.ledger.boxes})
        print(f"acknowledged {rounds.ledger.counts}")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False
