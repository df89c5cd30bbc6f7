"""COMPRESS=DEFLATE (RFC 4978) with what a dialogue cannot show: pieces, floods, bombs, slow readers, memory."""

import os
import random
import zlib

import pytest
from harness import BIN, Server, wait_for

SANITIZED = "/san-" in str(BIN)
ROUNDS = 60
SESSIONS = 100
RESTING_KIB = 24


@pytest.fixture(scope="module")
def server():
    with Server(users=["alice", "bob", "carol", "dave"], log_level="info") as s:
        yield s


def log_in(server, user, port="imap"):
    c = server.raw(port)
    c.line()
    assert c.ask(f"LOGIN {user} {server.password(user)}")[-1].startswith(b"t OK")
    return c


def compressed(server, user):
    c = log_in(server, user)
    assert c.ask("COMPRESS DEFLATE")[-1].startswith(b"t OK")
    c.deflate()
    return c


def big_message(size):
    rng = random.Random(4978)
    lines = ["Subject: big", ""]
    total = 0
    while total < size:
        lines.append("%064x" % rng.getrandbits(256) if rng.random() < 0.5 else "the same line over and over again")
        total += len(lines[-1]) + 2
    return "\r\n".join(lines).encode() + b"\r\n"


def fetch_whole(c, number):
    c.send(b"f FETCH %d BODY.PEEK[]\r\n" % number)
    line = c.line()
    size = int(line[line.index(b"{") + 1:line.index(b"}")])
    data = c.read(size)
    assert c.until(rb"^f ")[-1].startswith(b"f OK")
    return data


def test_whole_messages_and_ranges_of_files(server):
    message = big_message(3_000_000)
    c = compressed(server, "alice")
    c.send(b"a APPEND INBOX {%d+}\r\n" % len(message) + message + b"\r\n")
    assert c.until(rb"^a ")[-1].startswith(b"a OK")
    assert c.ask("SELECT INBOX")[-1].startswith(b"t OK")
    for _ in range(3):
        assert fetch_whole(c, 1) == message
    c.send(b"x LOGOUT\r\n")
    assert c.until(rb"^x ")[-1].startswith(b"x OK")
    assert c.line() == b""
    c.close()


def test_every_flush_and_piece(server):
    """A client may flush as it likes and send in any pieces."""
    c = log_in(server, "bob")
    assert c.ask("COMPRESS DEFLATE")[-1].startswith(b"t OK")
    c.deflate()
    packer = zlib.compressobj(9, wbits=-15)
    rng = random.Random(1)
    for n in range(ROUNDS):
        data = packer.compress(b"n%d NOOP\r\n" % n) + packer.flush(rng.choice([zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH]))
        for i in range(0, len(data), 1 + n % 3):
            c.sock.sock.sendall(data[i:i + 1 + n % 3])
        assert c.line() == b"n%d OK NOOP completed\r\n" % n
    # Pipelined, without any flush but the last, far more than the buffers hold.
    data = packer.compress(b"".join(b"p%d NOOP\r\n" % n for n in range(50_000))) + packer.flush(zlib.Z_SYNC_FLUSH)
    c.sock.sock.sendall(data)
    for n in range(50_000):
        assert c.line() == b"p%d OK NOOP completed\r\n" % n
    c.close()


def test_commands_before_the_clients_end_are_answered(server):
    """The connection's end, or the stream's, comes behind what was sent before it."""
    for last in (zlib.Z_SYNC_FLUSH, zlib.Z_FINISH):
        c = compressed(server, "bob")
        packer = zlib.compressobj(wbits=-15)
        c.sock.sock.sendall(packer.compress(b"".join(b"p%d NOOP\r\n" % n for n in range(5000))) + packer.flush(last))
        if last == zlib.Z_SYNC_FLUSH:
            c.sock.shutdown(1)
        for n in range(5000):
            assert c.line() == b"p%d OK NOOP completed\r\n" % n
        assert c.line() == b""
        c.close()


def test_garbage_ends_the_session_only(server):
    other = compressed(server, "bob")
    c = compressed(server, "bob")
    c.sock.sock.sendall(b"\xff" * 1000)
    assert c.line() == b"* BYE Invalid compressed data\r\n"
    assert c.line() == b""
    c.close()
    assert other.ask("NOOP")[-1].startswith(b"t OK")
    other.close()


def test_what_follows_the_command_at_once_is_compressed_data(server):
    c = log_in(server, "bob")
    packer = zlib.compressobj(wbits=-15)
    c.send(b"z COMPRESS DEFLATE\r\n" + packer.compress(b"n NOOP\r\n") + packer.flush(zlib.Z_SYNC_FLUSH))
    assert c.line().startswith(b"z OK")
    c.deflate()
    assert c.line() == b"n OK NOOP completed\r\n"
    c.close()


def kib(pid, field):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(field))


def test_bomb():
    """256 MiB of one line in 256 KiB: refused as a line that is too long, without its memory."""
    with Server(users=["alice"], log_level="info") as server:
        c = compressed(server, "alice")
        pid, = server.pids_of("culver-worker")
        before = peak = kib(pid, "VmData")
        packer = zlib.compressobj(9, wbits=-15)
        for _ in range(256):
            c.sock.sock.sendall(packer.compress(b"x" * (1 << 20)) + packer.flush(zlib.Z_SYNC_FLUSH))
            peak = max(peak, kib(pid, "VmData"))
        c.sock.sock.sendall(packer.compress(b"\r\nn NOOP\r\n") + packer.flush(zlib.Z_SYNC_FLUSH))
        lines = c.until(rb"^n ")
        assert b"BAD [TOOBIG]" in lines[0] and lines[-1] == b"n OK NOOP completed\r\n"
        print(f"bomb: VmData {before} KiB before, {peak} KiB at most")
        assert SANITIZED or peak - before < 4 * 1024
        c.close()


def test_slow_reader(server):
    """Answers that are not read are neither compressed nor kept: the session waits, and others go on."""
    message = big_message(2_000_000)
    c = compressed(server, "dave")
    c.send(b"a APPEND INBOX {%d+}\r\n" % len(message) + message + b"\r\n")
    assert c.until(rb"^a ")[-1].startswith(b"a OK")
    assert c.ask("SELECT INBOX")[-1].startswith(b"t OK")
    c.send(b"".join(b"f%d FETCH 1 BODY.PEEK[]\r\n" % n for n in range(40)))
    other = log_in(server, "dave")
    assert other.ask("STATUS INBOX (MESSAGES)")[-1].startswith(b"t OK")
    for n in range(40):
        line = c.line()
        assert c.read(int(line[line.index(b"{") + 1:line.index(b"}")])) == message
        assert c.until(rb"^f")[-1].startswith(b"f%d OK" % n)
    other.close()
    c.close()


def test_memory_of_resting_sessions():
    """Compressed sessions that rest cost kilobytes: no compressor, and only the window of what the client has said."""
    with Server(users=["alice"], log_level="info", extra="sessions_per_user = 1000\nsessions_per_user_address = 1000\n"
                "connections_per_address = 1000\n") as server:
        first = log_in(server, "alice")
        pid, = server.pids_of("culver-worker")
        plain = [log_in(server, "alice") for _ in range(SESSIONS)]
        between = kib(pid, "VmRSS")
        packed = [compressed(server, "alice") for _ in range(SESSIONS)]
        for c in packed:
            assert c.ask("SELECT INBOX")[-1].startswith(b"t OK")
        awake = kib(pid, "VmRSS")

        def rested():
            return kib(pid, "VmRSS") < between + SESSIONS * RESTING_KIB
        if not SANITIZED:
            wait_for(rested, 20, "compressors to be given back")
        print(f"{SESSIONS} compressed sessions: {(awake - between) / SESSIONS:.1f} KiB each at work, "
              f"{(kib(pid, 'VmRSS') - between) / SESSIONS:.1f} KiB at rest")
        for c in packed:
            assert c.ask("NOOP")[-1].startswith(b"t OK")
        for c in [first, *plain, *packed]:
            c.close()
