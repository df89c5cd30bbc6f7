"""A disk that is really full: clean refusals, nothing half, everything else goes on, and no hand is needed when there is space again."""

import os
import re
import smtplib

import pytest

from harness import Raw, wait_for
from messages import simple
from test_powercut import machine  # noqa: F401

BIG = simple(1, "x" * 70 + "\r\n") + (b"y" * 70 + b"\r\n") * 14000


def fill(machine):
    """Takes all blocks, also those that root keeps for itself."""
    path = f"/proc/{machine.disk.holder.pid}/root{machine.disk.point}/filler"
    with open(path, "ab", buffering=0) as f:
        try:
            os.posix_fallocate(f.fileno(), 0, os.fstatvfs(f.fileno()).f_bavail * 4096)
        except OSError:
            pass
        try:
            f.seek(0, os.SEEK_END)
            while f.write(b"\0" * 65536) > 0:
                pass
        except OSError:
            pass
        os.fsync(f.fileno())
    return path


def append(c, tag, message):
    c.send(f"{tag} APPEND INBOX {{{len(message)}+}}\r\n".encode() + message + b"\r\n")
    return c.until(rf"^{tag} ".encode())[-1]


def exists(c):
    return int(re.search(rb"\* (\d+) EXISTS", b"".join(c.ask("EXAMINE INBOX")))[1])


@pytest.mark.parametrize("machine", [(None, "culver")], indirect=True)  # noqa: F811
def test_disk_full(machine):  # noqa: F811
    with machine.raw("imap") as c, machine.raw("imap") as other:
        for s in (c, other):
            s.line()
            s.ask("LOGIN alice pw-alice")
        for n in range(3):
            assert b" OK" in append(c, "a", simple(n))
        c.ask("SELECT INBOX")
        filler = fill(machine)
        accepted = 0
        for n in range(20):  # there may be room for a few at the end of the log's last block
            answer = append(c, "b", BIG)
            if b" OK" in answer:
                accepted += 1
                continue
            assert answer.startswith(b"b NO"), answer
            break
        else:
            raise AssertionError("the disk is not full")
        print(answer)
        with pytest.raises((smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused)) as refused:
            machine.deliver("alice", BIG)
        code = getattr(refused.value, "smtp_code", None) or list(refused.value.recipients.values())[0][0]
        assert 400 <= code < 500, refused.value
        # Reading goes on; what changes something is done or refused, and the session stays.
        assert exists(other) == 3 + accepted
        assert b"Message 2" in b"".join(other.ask("FETCH 3 BODY.PEEK[]"))
        for command in ("STORE 1 +FLAGS (\\Seen)", "COPY 1 INBOX", "CREATE Full"):
            assert re.match(rb"t (OK|NO) ", c.ask(command)[-1]), command
        count = exists(other)
        assert b" OK" in other.ask("NOOP")[-1]
        os.unlink(filler)
        wait_for(lambda: b" OK" in append(c, "d", BIG), 10, "space again")
        assert machine.deliver("alice", simple(9)) == {}
        assert exists(other) >= count + 2
    machine.stop()
    machine.start()
    with Raw(machine.ports["imap"]) as c:
        c.line()
        c.ask("LOGIN alice pw-alice")
        n = exists(c)
        assert n >= count + 2
        c.send("f FETCH 1:* BODY.PEEK[]\r\n")
        assert c.until(rb"^f ")[-1].startswith(b"f OK")
    assert "level=fatal" not in machine.log_text() and "worker died" not in machine.log_text()
