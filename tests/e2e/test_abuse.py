"""Guessing, aborting and strange bytes: what they cost the one who does it, and nobody else."""

import base64
import time
from pathlib import Path

import pytest

from harness import ROOT, Server, wait_for
from test_auth import hashed
from test_smtp_auth import Mta, smtp_server, socket_of


@pytest.fixture(scope="module")
def server():
    with smtp_server(extra="auth_mechanisms = plain login scram-sha-256\n") as s:
        yield s


def test_guesses_of_one_address(server):
    """After the fifth failure the guesses of an address wait for each other and most are refused; another address does not wait."""
    with Mta(socket_of(server)) as guesser, Mta(socket_of(server)) as other:
        for n in range(6):
            assert guesser.plain("alice", f"guess {n}", n, "\tsecured\trip=198.51.100.1").startswith(f"FAIL\t{n}")
        texts = [base64.b64encode(f"\0alice\0more {n}".encode()).decode() for n in range(60)]
        guesser.say(*(f"AUTH\t{100 + n}\tPLAIN\tsecured\trip=198.51.100.1\tresp={t}" for n, t in enumerate(texts)))
        assert other.plain("alice", "pw-alice", 1, "\tsecured\trip=198.51.100.2") == "OK\t1\tuser=alice"
        answers = [guesser.line() for _ in texts]
        assert sum("Too many failed log-ins" in a for a in answers) >= 56
        assert all(a.startswith("FAIL") for a in answers)


def test_guesses_at_once():
    """Guesses that are all there before the first one has been found wrong, over many connections and a slow hash: the failures that an
    address has free are looked at, then its turns. Its /64 makes no difference; a user elsewhere notices nothing, nor do many log-ins of one
    address."""
    slow = smtp_server(extra="auth_mechanisms = plain\nauth_helpers_max = 8\n", users=[])
    with slow as server:
        server.write_passwd([f"alice:{hashed(server, 'pw-alice', 'ARGON2ID')}::::::"])
        begun = time.monotonic()
        mtas = [Mta(socket_of(server)) for _ in range(20)]
        for k, mta in enumerate(mtas):
            mta.say(*(f"AUTH\t{n}\tPLAIN\tsecured\trip={'198.51.100.7' if k % 2 else f'2001:db8::{k:x}:{n:x}'}\tresp="
                      + base64.b64encode(f"\0alice\0guess {k}/{n}".encode()).decode() for n in range(20)))
        with Mta(socket_of(server)) as other:
            assert other.plain("alice", "pw-alice", 1, "\tsecured\trip=198.51.100.8") == "OK\t1\tuser=alice"
        for mta in mtas:
            answers = [mta.line() for _ in range(20)]
            # Where the last one is a temporary failure the connection ends instead.
            assert all(a.startswith("FAIL") for a in answers[:-1]) and answers[-1][:4] in ("FAIL", ""), answers
            mta.sock.close()
        lines = [line for line in server.log_text().splitlines() if 'reason="wrong password"' in line]
        turns = (time.monotonic() - begun) / 2 + 1
        for peer in ("198.51.100.7", "2001:db8::"):
            assert 5 <= sum(f"peer={peer}" in line for line in lines) <= 5 + turns
        mtas = [Mta(socket_of(server)) for _ in range(8)]
        for mta in mtas:
            mta.say("AUTH\t77\tPLAIN\tsecured\trip=203.0.113.1\tresp=" + base64.b64encode(b"\0alice\0pw-alice").decode())
        assert [mta.line() for mta in mtas] == ["OK\t77\tuser=alice"] * len(mtas)


def test_every_byte(server):
    """A byte that no name or password may change the meaning of anything with: never another user, never a line of the log of its own."""
    messages = [m for n in range(256) for m in (b"\0alice" + bytes([n]) + b"\0pw-alice", b"\0alice\0pw-alice" + bytes([n]),
                                                bytes([n]) + b"\0alice\0pw-alice")]
    with Mta(socket_of(server)) as mta:
        for first in range(0, len(messages), 60):
            batch = messages[first:first + 60]
            mta.say(*(f"AUTH\t{n}\tPLAIN\tsecured\tno-penalty\trip=127.0.0.1\tresp={base64.b64encode(m).decode()}" for n, m in enumerate(batch)))
            answers = sorted(int(mta.line().removeprefix("FAIL\t").split("\t")[0]) for _ in batch)
            assert answers == list(range(len(batch)))
    for line in server.log_text().splitlines():
        assert line.startswith("ts="), line


@pytest.mark.skipif(not ROOT, reason="memory of the services is for root to see")
def test_aborted_exchanges_cost_nothing(server):
    """Exchanges given up at each step, by CANCEL and by hanging up: auth holds nothing of them afterwards."""
    (pid,) = server.pids_of("culver-auth")

    def resident():
        return int(next(line.split()[1] for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")))

    def abort(times):
        for _ in range(times):
            with Mta(socket_of(server)) as mta:
                mta.say("AUTH\t1\tLOGIN\tsecured", "AUTH\t2\tPLAIN\tsecured", "AUTH\t3\tSCRAM-SHA-256\tsecured",
                        "AUTH\t4\tSCRAM-SHA-256\tsecured\tresp=" + base64.b64encode(b"n,,n=alice,r=abcdefghijklmnopqrstuv").decode())
                for _ in range(4):
                    mta.line()
                mta.say("CONT\t1\tYWxpY2U=", "CANCEL\t2", "CONT\t3\t!", "CANCEL\t4")
                mta.line()

    abort(100)
    before = resident()
    abort(400)
    wait_for(lambda: resident() <= before + 256, 5, "memory to be as it was")
    with Mta(socket_of(server)) as mta:
        assert mta.plain("alice", "pw-alice").startswith("OK")
