"""An IMAP client that keeps what it was told of the selected mailbox, as RFC 4549 has clients do: from untagged responses only."""

import re

from compare import parse
from dialogue import Session


class Message:
    """What the client knows of a message. None: nothing yet."""

    def __init__(self, uid=None):
        self.uid, self.flags, self.modseq = uid, None, None


def flag_set(values):
    """Flags as clients compare them: \\Recent is of the session (RFC 3501 2.3.2), system flags are in any case."""
    return frozenset(v.lower() if v.startswith("\\") else v for v in values if v.lower() != "\\recent")


class Client(Session):
    """kind: "plain", "condstore", "qresync", "rev2" or "uidonly": what it enables, so what forms it must be told changes in."""

    ENABLE = {"plain": b"", "condstore": b"CONDSTORE", "qresync": b"QRESYNC", "rev2": b"IMAP4rev2", "uidonly": b"QRESYNC UIDONLY"}

    def __init__(self, server, user, kind="plain", port="imap"):
        super().__init__(server, user, port)
        self.kind = kind
        self.box = None
        self.messages = []
        self.highest = 0
        self.code = None  # HIGHESTMODSEQ since the last tagged response, and the highest MODSEQ
        self.modseq = 0
        self.uidvalidity = None
        self.log = []
        if self.ENABLE[kind]:
            self.run(b"ENABLE " + self.ENABLE[kind])

    # --- commands ---------------------------------------------------------------------------------------------------
    def run(self, text):
        """Sends one command, takes over what its answer tells; gives the untagged lines and the status of the tagged one."""
        self.command(text)
        return self.finish()

    def finish(self):
        lines = self.answer()
        assert lines[-1].startswith(self.tag + b" "), f"{self.log[-3:]}: {lines[-1]}"
        self.log.append((self.tag, lines))
        self.log[:-20] = []
        status = lines[-1].split(b" ")[1]
        for line in lines[:-1]:
            self.told(line)
        self.codes(lines[-1])
        # RFC 7162 section 6: the code counts even if it is lower than what was seen.
        self.highest = self.code if self.code is not None else max(self.highest, self.modseq)
        self.code, self.modseq = None, 0
        return lines[:-1], status.decode(), lines[-1]

    def select(self, box, more=b""):
        self.messages, self.highest, self.box = [], 0, None
        lines, status, last = self.run(b'SELECT "' + box.encode() + b'"' + more)
        if status == "OK":
            self.box = box
        return lines, status, last

    def sync(self):
        """After this all that other sessions did is known, with the UID and the flags of every message."""
        self.run(b"NOOP")
        self.complete()

    def complete(self):
        """Asks for what was not told. While it is answered, more may come: other sessions are at work."""
        for _ in range(50):
            unknown = [n for n, m in enumerate(self.messages, 1) if m.uid is None or m.flags is None or
                       (self.kind in ("condstore", "qresync") and m.modseq is None)]
            if not unknown:
                return
            if self.kind == "uidonly":
                self.messages = []
                self.run(b"UID FETCH 1:* (FLAGS MODSEQ)")
            else:
                items = b"(UID FLAGS MODSEQ)" if self.kind in ("condstore", "qresync") else b"(UID FLAGS)"
                self.run(b"FETCH %s %s" % (",".join(map(str, unknown)).encode(), items))
        raise AssertionError(f"still not known: {unknown}, {self.log[-3:]}")

    def state(self):
        """{uid: flags} in the order of UIDs."""
        return {m.uid: m.flags for m in sorted(self.messages, key=lambda m: m.uid)}

    # --- what is told -----------------------------------------------------------------------------------------------
    def codes(self, line):
        found = re.search(rb"\[HIGHESTMODSEQ (\d+)\]", line)
        if found:
            self.code = int(found.group(1))
        found = re.search(rb"\[UIDVALIDITY (\d+)\]", line)
        if found:
            self.uidvalidity = int(found.group(1))

    def told(self, line):
        found = re.match(rb"\* (\d+) (EXISTS|EXPUNGE|FETCH|UIDFETCH)(?: |$)", line)
        if found:
            number, what = int(found.group(1)), found.group(2)
            getattr(self, "told_" + what.decode().lower())(number, line)
        elif line.startswith(b"* VANISHED "):
            self.told_vanished(line)
        else:
            self.codes(line)

    def told_exists(self, number, line):
        if self.kind == "uidonly":
            # Only the count is told; who is new is found out by UID.
            while len(self.messages) < number:
                self.messages.append(Message())
            assert number >= len(self.messages), f"{line} with {len(self.messages)} messages: {self.log[-3:]}"
            return
        assert number >= len(self.messages), f"EXISTS takes away: {line} of {len(self.messages)}"
        self.messages += [Message() for _ in range(number - len(self.messages))]

    def told_expunge(self, number, line):
        assert self.kind not in ("qresync", "uidonly"), f"EXPUNGE with QRESYNC (RFC 7162 3.2.10): {line}"
        assert 1 <= number <= len(self.messages), f"{line} of {len(self.messages)}"
        del self.messages[number - 1]

    def told_vanished(self, line):
        assert self.kind in ("qresync", "uidonly"), line
        earlier = b"(EARLIER)" in line
        gone = set()
        for piece in line.split()[-1].split(b","):
            first, _, last = piece.partition(b":")
            gone |= set(range(int(first), int(last or first) + 1))
        known = {m.uid for m in self.messages}
        self.messages = [m for m in self.messages if m.uid not in gone]
        for uid in sorted(gone - known if not earlier else ()):
            self.remove_unknown(uid, line)

    def remove_unknown(self, uid, line):
        """It was one of those whose UID was not told yet: by the order of UIDs one between its neighbours (with UIDONLY any: there
        the order was not told)."""
        low = 0
        for n, m in enumerate(self.messages):
            if m.uid is not None:
                low = m.uid
            elif self.kind == "uidonly" or low < uid < min((x.uid for x in self.messages[n:] if x.uid is not None), default=1 << 32):
                del self.messages[n]
                return
        raise AssertionError(f"{line}: {uid} was not there: {[m.uid for m in self.messages]}, {self.log[-3:]}")

    def take(self, message, items):
        flat = parse(items)[0]
        values = {k.upper(): v for k, v in zip(flat[::2], flat[1::2]) if isinstance(k, str)}
        if "UID" in values:
            uid = int(values["UID"])
            assert message.uid in (None, uid), f"UID {message.uid} became {uid}"
            message.uid = uid
        if "MODSEQ" in values:
            modseq = int(values["MODSEQ"][0])
            assert message.modseq is None or modseq >= message.modseq, f"MODSEQ {message.modseq} became {modseq}"
            message.modseq = modseq
            self.modseq = max(self.modseq, message.modseq)
        if "FLAGS" in values:
            message.flags = flag_set(values["FLAGS"])

    def told_fetch(self, number, line):
        assert self.kind != "uidonly", f"FETCH with UIDONLY (RFC 9586 3.4): {line}"
        assert 1 <= number <= len(self.messages), f"{line} of {len(self.messages)}: {self.log[-3:]}"
        self.take(self.messages[number - 1], line.split(b" FETCH ", 1)[1])

    def told_uidfetch(self, uid, line):
        assert self.kind == "uidonly", line
        message = next((m for m in self.messages if m.uid == uid), None) or next((m for m in self.messages if m.uid is None), None)
        if message is None:
            message = Message()
            self.messages.append(message)
        message.uid = uid
        self.take(message, line.split(b" UIDFETCH ", 1)[1])
