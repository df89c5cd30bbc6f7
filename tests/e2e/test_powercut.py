"""Power cuts: the mail is on an ext4 file system of its own in a loop device; at random instants under load the file system is told to
stop as a machine without power does, with nothing flushed. Mounted again, everything that was acknowledged is there.

What clients read after the cut has begun does not count: a sync that is under way in that moment may return success though nothing was
written (a plain loop of write and fdatasync loses its last round in the same way in one cut of ten).

CULVER_POWERCUTS=100 for the long run, CULVER_SEED to repeat one. Only the mount namespace of the test sees the mount."""

import fcntl
import os
import random
import shutil
import signal
import smtplib
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest

from harness import ROOT, Server, wait_for
from ledger import Session, text
from load import Rounds

CUTS = int(os.environ.get("CULVER_POWERCUTS", "5"))
SEED = int(os.environ.get("CULVER_SEED", "0")) or random.randrange(1 << 30)
EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2


class Disk:
    """A file system that can lose its power. Mounted at `point`, in the mount namespace of a process that does nothing else."""

    def __init__(self, image, point):
        self.image, self.point = str(image), str(point)
        with open(self.image, "wb") as f:
            f.truncate(512 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True)
        self.holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", "echo ready; exec sleep 100000"],
                                       stdout=subprocess.PIPE)
        assert self.holder.stdout.readline() == b"ready\n"

    def inside(self, *argv):
        return ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", *argv]

    def mount(self):
        # A long commit interval: what nobody syncs is not there after a cut.
        return subprocess.run(self.inside("mount", "-o", "loop,commit=300", self.image, self.point), capture_output=True, text=True)

    def cut(self):
        fd = os.open(f"/proc/{self.holder.pid}/root{self.point}", os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(fd)

    def unmount(self):
        subprocess.run(self.inside("umount", self.point), check=True)
        # The servers' namespaces had it too; it is gone when the last of them is, and then so is the loop device.
        wait_for(lambda: not subprocess.run(["losetup", "-j", self.image], capture_output=True).stdout, 10, "the loop device")

    def close(self):
        self.holder.kill()
        self.holder.wait()
        wait_for(lambda: not subprocess.run(["losetup", "-j", self.image], capture_output=True).stdout, 10, "the loop device")


class Machine(Server):
    """A server whose mail is on such a disk."""

    def __init__(self, **args):
        self.disk = None
        super().__init__(**args)
        self.disk = Disk(self.folder / "disk", self.folder / "mail")

    def command(self, *args):
        return self.disk.inside(*super().command(*args))

    def power_off(self):
        self.disk.cut()
        ended = time.monotonic()
        pids = list(self.pids())
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.proc.wait()
        wait_for(lambda: not any(os.path.exists(f"/proc/{p}") for p in pids), 10, "the processes to be gone")
        self.disk.unmount()
        return ended

    def power_on(self):
        r = self.disk.mount()
        assert r.returncode == 0, r.stderr
        self.start()

    def close(self):
        try:
            self.stop()
        finally:
            self.disk.close()
            super().close()


@pytest.fixture
def machine(request):
    if not ROOT:
        pytest.skip("needs root: mounts a file system")
    if not Path("/dev/loop-control").exists() or shutil.which("mkfs.ext4") is None:
        pytest.skip("needs loop devices and mkfs.ext4")
    flag_sync, mail_format = request.param
    extra = f"mail_format = {mail_format}\n" + ("" if flag_sync is None else f"flag_sync = {flag_sync}\n")
    newcomers = [f"new{n}" for n in range(2000)]
    m = Machine(users=["alice", *newcomers], extra=extra, log_level="info")
    try:
        r = m.disk.mount()
        if r.returncode != 0:
            pytest.skip(f"no loop mounts here: {r.stderr.strip()}")
        m.start()
        yield m
    finally:
        m.close()


class Newcomers(threading.Thread):
    """First messages of users who had none: their folders must be there afterwards, too."""

    def __init__(self, rounds, go, users):
        super().__init__(daemon=True)
        self.rounds, self.go, self.users = rounds, go, users
        self.delivered = []

    def run(self):
        self.go.wait()
        try:
            with self.rounds.server.lmtp() as client:
                for user in self.users:
                    client.sendmail("sender@example.org", [user], text(f"c1-{user}"))
                    if self.rounds.ending.is_set():
                        return
                    self.delivered.append(user)
        except (OSError, smtplib.SMTPException):
            pass


def check_newcomers(server, users):
    for user in users:
        session = Session(server, user)
        data = session.run([b"SELECT INBOX", b"UID FETCH 1 (BODY.PEEK[])"])[1]
        assert text(f"c1-{user}") in data, f"the first message of {user}, acknowledged, is lost"
        session.close()


def first_select(server):
    start = time.monotonic()
    session = Session(server, "alice")
    session.run([b"SELECT INBOX"])
    session.close()
    return time.monotonic() - start


MACHINES = {"flags_at_once": ("0", "culver"), "flags_in_a_second": (None, "culver"), "maildir": (None, "maildir")}


@pytest.mark.parametrize("machine", MACHINES.values(), indirect=True, ids=MACHINES)
@pytest.mark.timeout(120 + 10 * CUTS)
def test_power_cuts(machine, request):
    at_once = "flags_at_once" in request.node.name
    rng = random.Random(SEED)
    print(f"CULVER_SEED={SEED}")
    rounds = Rounds(machine, rng, None if at_once else 2.0)
    rounds.first_look()
    newcomers, slowest, arrived = iter(machine.users[1:]), 0, 0
    for n in range((CUTS + 1) // 2):
        rounds.ending.clear()
        go, threads = wait_for(rounds.start, 15, "sessions")
        new = Newcomers(rounds, go, [next(newcomers) for _ in range(5)])
        new.start()
        go.set()
        time.sleep(rng.random() * (0.3 if rng.random() < 0.7 else 3))
        if n % 2 == 0:
            rounds.only_flags.set()
            time.sleep(0.05 + rng.random() * 0.2)
        rounds.ending.set()
        ended = machine.power_off()
        rounds.finish(threads)
        new.join(20)
        machine.power_on()
        slowest = max(slowest, first_select(machine))
        rounds.check(ended, {b.name for b in rounds.ledger.boxes})
        check_newcomers(machine, new.delivered)
        arrived += len(new.delivered)
    counts = rounds.ledger.counts
    # How much a few rounds on a slow machine see of each kind is up to it.
    assert n < 10 or rounds.has_seen(("APPEND", "COPY", "MOVE", "STORE", "EXPUNGE", "LMTP", "CREATE"))
    print(f"{n + 1} cuts, acknowledged {counts}, there though unacknowledged: {rounds.ledger.surprises}, first messages of {arrived} users, "
          f"slowest log-in with SELECT after a cut {slowest:.3f} s")
    assert slowest < 15
