"""What two IMAP servers say of the same messages: a private Dovecot of the host, a parser of responses, generated nasty messages."""

import os
import pwd
import random
import signal
import subprocess
from pathlib import Path

from harness import ROOT, Server, free_port, wait_for

# --- another server ------------------------------------------------------------------------------------------------


def reachable(folder):
    """Lets a server's other users through to a test's folder."""
    for each in (folder, *folder.parents):
        if each.stat().st_uid == os.geteuid() and each not in (Path("/tmp"), Path("/")):
            os.chmod(each, 0o755)


class Dovecot:
    """Debian's Dovecot in a folder of its own, on a port of its own; nothing else of the machine is touched."""

    def __init__(self, folder, users):
        self.ports = {"imap": free_port()}
        folder.mkdir()
        os.chmod(folder, 0o755)
        (folder / "mail").mkdir()
        owner = pwd.getpwuid(65534 if ROOT else os.getuid())
        os.chown(folder / "mail", owner.pw_uid, owner.pw_gid)
        (folder / "users").write_text("".join(f"{u}:{{PLAIN}}{Server.password(u)}::::::\n" for u in users))
        me = pwd.getpwuid(os.getuid()).pw_name
        same = "" if ROOT else f"default_internal_user = {me}\ndefault_login_user = {me}\ndefault_internal_group = {me}\n"
        free = "" if ROOT else "chroot =\n"
        (folder / "conf").write_text(f"""
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:~/Maildir
{same}service imap-login {{
  {free}
  inet_listener imap {{
    port = {self.ports["imap"]}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  {free}
}}
service stats {{
  {free}
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={folder}/mail/%u allow_all_users=yes
}}
""")
        self.proc = subprocess.Popen(["dovecot", "-F", "-c", str(folder / "conf")], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=open(folder / "stderr", "wb"))
        wait_for(lambda: Server._greets(self.ports["imap"]), 15, "Dovecot")

    @staticmethod
    def password(user):
        return Server.password(user)

    def close(self):
        self.proc.send_signal(signal.SIGTERM)
        self.proc.wait(20)


# --- responses ---------------------------------------------------------------------------------------------------------
def parse(data):
    """The values of a response as lists, bytes for strings, None for NIL, str for atoms."""
    at = 0

    def value():
        nonlocal at
        c = data[at:at + 1]
        if c == b"(":
            at += 1
            out = []
            while data[at:at + 1] != b")":
                if data[at:at + 1] == b" ":
                    at += 1
                    continue
                out.append(value())
            at += 1
            return out
        if c == b'"':
            at += 1
            out = bytearray()
            while data[at:at + 1] != b'"':
                if data[at:at + 1] == b"\\":
                    at += 1
                out += data[at:at + 1]
                at += 1
            at += 1
            return bytes(out)
        if c in (b"{", b"~"):
            start = data.index(b"{", at) + 1
            end = data.index(b"}", start)
            size = int(data[start:end])
            at = end + 3 + size
            return data[end + 3:at]
        start, depth = at, 0
        while at < len(data) and (depth or data[at:at + 1] not in (b" ", b")")):
            depth += (data[at:at + 1] == b"[") - (data[at:at + 1] == b"]")
            at += 1
        word = data[start:at].decode("latin-1")
        return None if word.upper() == "NIL" else word

    values = []
    while at < len(data):
        if data[at:at + 1] == b" ":
            at += 1
            continue
        values.append(value())
    return values


def fetch(session, number, items):
    """{item: value} of one message; the text of the answer when the server refuses."""
    session.command(f"FETCH {number} ({items})".encode())
    lines = session.answer()
    if b" OK " not in lines[-1][:20]:
        return {"refused": lines[-1]}
    for line in lines:
        if line.startswith(b"* %d FETCH " % number):
            flat = parse(line)[3]
            return dict(zip(flat[::2], flat[1::2]))
    return {}


def parts(structure, prefix=""):
    """The section numbers that a BODYSTRUCTURE allows, each with "leaf", "multipart" or "message"."""
    if structure and isinstance(structure[0], list):
        for n, child in enumerate((c for c in structure if isinstance(c, list) and c and isinstance(c[0], (list, bytes)) and
                                   is_body(c)), 1):
            yield from parts_of(child, f"{prefix}{n}")
    else:
        yield from parts_of(structure, f"{prefix}1")


def is_body(value):
    return isinstance(value[0], list) or (len(value) >= 7 and isinstance(value[0], bytes))


def parts_of(body, number):
    multipart = isinstance(body[0], list)
    message = not multipart and body[0].lower() == b"message" and body[1].lower() in (b"rfc822", b"global")
    yield number, "message" if message else "multipart" if multipart else "leaf"
    if multipart:
        yield from parts(body, number + ".")
    elif message:
        yield from parts(body[8], number + ".")


# --- nasty messages --------------------------------------------------------------------------------------------------
HEADERS = [
    "From: a@b", "From: \"A B\" <a@b.example>", "From: A B <a@b.example> (comment)", "From: <@r1.example,@r2.example:a@b.example>",
    "From: a@b.example, , c@d.example", "From: broken <a@b.example", "From: \"unclosed <a@b.example>", "From:", "From: a b c",
    "From: =?utf-8?q?caf=C3=A9?= <a@b.example>", "From: a@[127.0.0.1]", "From: (c (n) c) a@b.example", "From: a . b @ c . example",
    "To: g: a@b.example, c@d.example;", "To: g:;", "To: g: a@b.example", "To: undisclosed-recipients:;, x@y.example",
    "Cc: \"x\\\"y\\\\z\" <q@r.example>", "Bcc: b@c.example", "Reply-To: r@s.example", "Sender: s@t.example",
    "Subject: simple", "Subject:", "Subject: folded\r\n more", "Subject:\r\n only the second line", "Subject: =?utf-8?b?w6Q=?=",
    "Subject: 8-bit \xe4", "Subject: tab\tin it", "Subject: \"quoted\" \\back", "Subject: one\r\nSubject: two",
    "Date: Mon, 1 Jan 2024 00:00:00 +0000", "Date: nonsense", "Date: folded\r\n date",
    "Message-ID: <a@b>", "Message-ID: a@b", "Message-ID:\r\n <folded@example.org>", "In-Reply-To: <x@y> <z@w>", "In-Reply-To: text",
    "References: <x@y>\r\n <z@w>", "X-Empty:", "X Y: blank in a name", "no colon here", "MIME-Version: 1.0",
]
TYPES = [
    "Content-Type: text/plain", "Content-Type: text/plain; charset=us-ascii", "Content-Type: TEXT/HTML; charset=\"utf-8\"",
    "Content-Type: text", "Content-Type: text/", "Content-Type: /plain", "Content-Type:", "Content-Type: garbage garbage",
    "Content-Type: text/plain; name=\"a b\"; x=y;", "Content-Type: text/plain; name*=utf-8''%c3%a4", "Content-Type: text/plain (c); a=b (d)",
    "Content-Type: text/plain; name*0=\"a\"; name*1=\"b\"", "Content-Type: application/octet-stream; name=a\\b",
    "Content-Type: image/png; name=\"=?utf-8?q?x=C3=A4?=\"", "Content-Type: text/plain;\r\n charset=utf-8", "Content-Type: text/plain; =x",
    "Content-Type: text/plain; charset=", "Content-Type: message/rfc822", "Content-Type: message/delivery-status",
    "Content-Type: message/partial; id=\"a\"; number=1", "Content-Type: text/plain; a=b; a=c",
]
FIELDS = [
    "Content-Transfer-Encoding: base64", "Content-Transfer-Encoding: QUOTED-PRINTABLE", "Content-Transfer-Encoding: 8bit",
    "Content-Transfer-Encoding: x-odd", "Content-Transfer-Encoding:", "Content-Transfer-Encoding: base64 (comment)",
    "Content-Transfer-Encoding: base64; x=y", "Content-ID: <i@d>", "Content-ID: i d", "Content-Description: some words",
    "Content-Description: folded\r\n words", "Content-Disposition: attachment", "Content-Disposition: attachment; filename=a.b",
    "Content-Disposition: inline; filename=\"a b.c\"; size=5", "Content-Disposition:", "Content-Disposition: attachment; filename*=utf-8''%41",
    "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==", "Content-Language: en", "Content-Language: en, de", "Content-Language:",
    "Content-Location: http://example.org/", "Content-Location:\r\n http://example.org/\r\n a",
]
BOUNDARIES = ["b", "b b", "=_x.y", "b:c", "(b)", "a" * 70]


class Nasty:
    """Messages that are wrong in many ways, the same for the same seed."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def some(self, items, most):
        return [self.rng.choice(items) for _ in range(self.rng.randint(0, most))]

    def body(self):
        lines = self.some(["text", "", "--", "--b", ".", "From x", "  blanks  ", "x" * 200, "Content-Type: text/plain", "--b--"], 5)
        return "".join(line + "\r\n" for line in lines) + self.rng.choice(["", "no line end"])

    def entity(self, depth, head):
        kind = self.rng.random()
        fields = head + self.some(FIELDS, 2)
        if depth < 4 and kind < 0.4:
            boundary = self.rng.choice(BOUNDARIES) + str(depth)
            quoted = self.rng.random() < 0.8 or not boundary.isalnum()
            fields.append(f"Content-Type: multipart/{self.rng.choice(['mixed', 'digest', 'alternative', 'x'])}; boundary=" +
                          (f'"{boundary}"' if quoted else boundary))
            return self.join(fields, self.children(boundary, depth))
        if depth < 4 and kind < 0.55:
            fields = head + ["Content-Type: message/rfc822"]
            return self.join(fields, self.entity(depth + 1, self.some(HEADERS, 4)))
        fields += self.some(TYPES, 1)
        return self.join(fields, self.body())

    def join(self, fields, body):
        self.rng.shuffle(fields)
        return "".join(f + "\r\n" for f in fields) + self.rng.choice(["\r\n"] * 9 + [""]) + body

    def children(self, boundary, depth):
        out = self.rng.choice(["", "preamble\r\n", "\r\n"])
        for _ in range(self.rng.randint(0, 3)):
            out += f"--{boundary}{self.rng.choice(['', '', ' ', chr(9)])}\r\n" + self.entity(depth + 1, []) + self.rng.choice(["\r\n"] * 5 + [""])
        return out + self.rng.choice([f"--{boundary}--\r\n", f"--{boundary}--", f"--{boundary}--\r\nepilogue\r\n", ""])

    def message(self):
        return (self.entity(0, self.some(HEADERS, 8)).encode("latin-1") or b"\r\n").replace(b"\0", b"")
