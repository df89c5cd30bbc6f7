"""Names of mailboxes: both hierarchy separators, hostile names by every way in, patterns of the worst kind over many mailboxes."""

import os
import random

import pytest

from harness import Server, wait_for

HOSTILE = [b"..", b"../../etc/passwd", b"/etc/passwd", b"a/../b", b"./a", b"a//b", b"/", b"~", b"~root", b".", b".a", b"-rf", b"*", b"%", b"a*b",
           b"INBOX/../x", b"inbox", b"INBOX/", b"cur", b"new", b"tmp", b"log.00000001", b"state.00000001", b"lock", b"con", b"a b", b"\"", b"\\",
           b"\\Noselect", b"(", b")", b"{5}", b"NIL", b"&", b"&-", b"&AAo-", b"&AA0-", b"&AAA-", b"&2AA-", b"&!", b"&ACMA", b"\xff", b"\xc3\x28",
           b"\xed\xa0\x80", b"\xc2\x80", b"\xe2\x80\xae", b"a\tb", b"a\x01b", b"a\x7fb", b"x" * 1000, b"x" * 1001, b"/".join([b"d"] * 33), b"$HOME", b"`id`",
           b";ls", b"|ls", b"%s%n", b"a\xcc\x88", b"\xf0\x9f\x95\x8a", b"#news", b"Other Users/bob", b"/acl/x"]


def literal(name):
    return b"{%d+}\r\n%s" % (len(name), name)


def names(seed):
    rng = random.Random(seed)
    made = list(HOSTILE)
    while len(made) < 500:
        parts = [rng.choice(HOSTILE)[:60] for _ in range(rng.randint(1, 4))]
        made.append(rng.choice([b"/", b"", b".", b"\\", b"&"]).join(parts))
    return made


def open_session(server, user="alice"):
    raw = server.raw("imap")
    raw.line()
    assert b" OK " in raw.ask(b"LOGIN %s %s" % (user.encode(), server.password(user).encode()))[-1]
    return raw


def files(folder):
    return sorted(str(p) for p in folder.rglob("*"))


@pytest.mark.parametrize("separator", ["/", "."])
def test_hostile_names(separator):
    seed = int(os.environ.get("CULVER_SEED", "1"))
    with Server(users=["alice", "bob"], tls=False, log_level="warn",
                extra=f"hierarchy_separator = {separator}\nimap_bad_commands = 1000\n") as server:
        raw, bob = open_session(server), open_session(server, "bob")
        before = files(server.folder / "mail")
        for name in names(seed):
            given = literal(name)
            for command in (b"CREATE " + given, b"SUBSCRIBE " + given, b"STATUS " + given + b" (MESSAGES)", b'LIST "" ' + given,
                            b"LIST " + given + b" *", b"RENAME " + given + b" " + literal(name + b"x"), b"GETACL " + given,
                            b"GETMETADATA " + given + b" /private/x", b"APPEND " + given + b" {6+}\r\na: b\r\n", b"EXAMINE " + given,
                            b"UNSELECT", b"UNSUBSCRIBE " + given, b"DELETE " + given):
                assert raw.ask(command)[-1].split()[1] in (b"OK", b"NO", b"BAD"), command
        assert raw.ask(b"NOOP")[-1].startswith(b"t OK")
        listed = [line for line in bob.ask(b'LIST "" *') if line.startswith(b"* LIST")]
        assert len(listed) == 6  # nothing of it got to somebody else
        made = set(files(server.folder / "mail")) - set(before)
        assert all(str(server.folder / "mail") in path and ".." not in path and os.path.basename(path).split(".")[0] in
                   ("log", "mbox", "state", "digest", "lock") for path in made), made
        raw.close()
        bob.close()


def test_hostile_details():
    """The folder that an address asks for (LMTP) is a name as any other."""
    with Server(users=["alice"], tls=False, log_level="warn") as server:
        delivered = 0
        with server.lmtp() as lmtp:
            lmtp.ehlo_or_helo_if_needed()
            for name in HOSTILE:
                if not name.isascii() or any(c <= 32 or c == 127 or c in b'"\\<>(){}' for c in name) or len(name) > 200:
                    continue
                lmtp.docmd("MAIL FROM:<a@b>")
                code, _ = lmtp.docmd(f'RCPT TO:<"alice+{name.decode()}">')
                assert 200 <= code < 600
                if code == 250:
                    assert lmtp.data(b"a: b\r\n\r\n")[0] == 250
                    delivered += 1
                lmtp.docmd("RSET")
        assert delivered > 10
        client = server.imap("alice")
        found = sum(int(client.select(line.split(b'"/" ')[1].decode(), readonly=True)[1][0]) for line in client.list()[1])
        assert found == delivered  # each is somewhere, and nowhere but in mailboxes


@pytest.mark.parametrize("separator,other", [("/", "."), (".", "/")])
def test_separators(separator, other):
    """Names with the character that is not the separator, through all that looks at levels (RFC 9051 5.1.1, 6.3.9)."""
    with Server(users=["alice"], tls=False, extra=f"hierarchy_separator = {separator}\nworker_linger = 0\n") as server:
        raw = open_session(server)
        s, o = separator.encode(), other.encode()
        assert b'* NAMESPACE (("" "%s")) NIL NIL\r\n' % s in raw.ask(b"NAMESPACE")
        assert b'* LIST (\\Noselect) "%s" ""\r\n' % s in raw.ask(b'LIST "" ""')
        child, sibling = b"top" + s + b"v1" + o + b"2", b"top" + o + b"x"
        for name in (child, sibling):
            assert raw.ask(b"CREATE " + name)[-1].startswith(b"t OK")
            assert raw.ask(b"SUBSCRIBE " + name)[-1].startswith(b"t OK")

        def listed(command):
            return sorted(line.split(b'"')[-2] for line in raw.ask(command) if line.startswith((b"* LIST", b"* LSUB")))

        assert listed(b'LIST "" top%') == sorted([b"top", sibling])
        assert listed(b'LIST "" top' + s + b"%") == [child]
        assert listed(b'LIST "top' + s + b'" %') == [child]
        assert listed(b'LSUB "" top*') == sorted([child, sibling])
        assert listed(b'LSUB "" top%') == sorted([b"top", sibling])
        assert raw.ask(b"RENAME top " + b"new" + s + b"place")[-1].startswith(b"t OK")
        moved = b"new" + s + b"place" + s + b"v1" + o + b"2"
        assert listed(b'LIST "" new*') == sorted([b"new", b"new" + s + b"place", moved])
        raw.close()
        wait_for(lambda: not server.pids_of("culver-worker"), what="the worker's end")
        raw = open_session(server)
        assert listed(b'LIST "" new' + s + b"*") == sorted([b"new" + s + b"place", moved])
        assert raw.ask(b"STATUS " + moved + b" (MESSAGES)")[-1].startswith(b"t OK")
        raw.close()


def test_patterns_over_many_mailboxes():
    """Wildcards cost time in proportion to the names, not to what they could match: another session is served meanwhile."""
    with Server(users=["alice"], tls=False, log_level="warn") as server:
        raw, other = open_session(server), open_session(server)
        for i in range(300):
            raw.send(b"t CREATE %s\r\n" % b"/".join([b"aaaaaaaaaaaaaaaa%d" % i] * 8))
        for i in range(300):
            assert raw.line().startswith(b"t OK")
        assert b"BAD" in raw.ask(b'LIST "" ' + literal(b"*%" * 4096))[-1]  # 8 KiB
        for pattern in (b"*%" * 500 + b"z", b"*a" * 500, b"%a" * 500, b"*/" * 8 + b"%" * 900, b"*" * 1000):
            raw.send(b't LIST "" (%s)\r\n' % b" ".join([pattern] * 20))
            assert other.ask(b"NOOP")[-1].startswith(b"t OK")
            assert raw.until(rb"^t ")[-1].startswith(b"t OK")
        raw.close()
        other.close()
