"""Capabilities that some clients do not get: everybody's, those of a network, those of one user. Their commands are then unknown."""

import re

from harness import Server

NETWORK = """client_network here {
    networks = 127.0.0.0/8
    capability_disable = ID IDLE IMAP4rev2
}
client_network elsewhere {
    networks = 192.0.2.0/24
    capability_disable = MOVE SORT
}
"""


def ask(raw, command):
    return b"".join(raw.ask(command))


def capabilities(raw):
    return set(re.search(rb"\* CAPABILITY (.*)\r\n", ask(raw, b"CAPABILITY")).group(1).decode().split())


def answer(raw, command):
    return raw.ask(command)[-1].split()[1]


def login(server, raw, user):
    raw.ask(b"LOGIN %s %s" % (user.encode(), server.password(user).encode()))


def test_network_before_and_after_login():
    with Server(users=["alice"], extra="capability_disable = NAMESPACE\n" + NETWORK) as server, server.raw("imap") as raw:
        raw.line()
        before = capabilities(raw)
        assert not before & {"ID", "IDLE", "IMAP4rev2", "NAMESPACE"} and {"IMAP4rev1", "LITERAL+", "ENABLE"} <= before
        assert answer(raw, b"ID NIL") == b"BAD"
        login(server, raw, "alice")
        after = capabilities(raw)
        assert not after & {"ID", "IDLE", "IMAP4rev2", "NAMESPACE"} and {"IMAP4rev1", "MOVE", "SORT"} <= after
        for command in (b"ID NIL", b"IDLE", b"NAMESPACE"):
            assert answer(raw, command) == b"BAD"
        assert b"* ENABLED\r\n" in ask(raw, b"ENABLE IMAP4rev2")


def test_user():
    server = Server(users=["alice", "bob"])
    server.userdbs = f"userdb file {{\n    file = {server.folder}/etc/users\n    driver = passwd-file\n}}\n"
    server.write_conf()
    with server:
        names = {u: f"{u}:{{PLAIN}}{server.password(u)}::::::" for u in server.users}
        server.write_passwd([names["alice"] + "userdb_capability_disable=move,COMPRESS=DEFLATE", names["bob"]])
        for user, has in (("alice", False), ("bob", True)):
            with server.raw("imap") as raw:
                raw.line()
                login(server, raw, user)
                assert ({"MOVE", "COMPRESS=DEFLATE"} <= capabilities(raw)) == has and "IDLE" in capabilities(raw)
                raw.ask(b"SELECT INBOX")
                assert answer(raw, b"MOVE 1 Trash") == b"BAD"  # there is no message
                assert (b"Unknown command" in ask(raw, b"MOVE 1 Trash")) != has


def test_language_before_login():
    """RFC 5255 3.1: LANGUAGE is valid in all states, and announced in the greeting."""
    with Server(users=["alice"]) as server, server.raw("imap") as raw:
        assert b" LANGUAGE" in raw.line() and "LANGUAGE" in capabilities(raw)
        assert raw.ask(b"LANGUAGE")[0] == b"* LANGUAGE (en i-default)\r\n"
        assert raw.ask(b"LANGUAGE fr {5+}\r\nen-CA")[0] == b"* LANGUAGE (en)\r\n"
        assert raw.ask(b'LANGUAGE "i-default"')[0] == b"* LANGUAGE (i-default)\r\n"
        assert answer(raw, b"LANGUAGE mul") == b"NO"
        assert answer(raw, b"LANGUAGE e:n") == b"BAD"
        login(server, raw, "alice")
        assert raw.ask(b"LANGUAGE default")[:2] == [b"* LANGUAGE (en)\r\n", b'* NAMESPACE (("" "/")) NIL NIL\r\n']
    with Server(users=["alice"], extra="capability_disable = LANGUAGE\n") as server, server.raw("imap") as raw:
        assert b"LANGUAGE" not in raw.line() and answer(raw, b"LANGUAGE") == b"BAD"
        login(server, raw, "alice")
        assert "LANGUAGE" not in capabilities(raw) and answer(raw, b"LANGUAGE") == b"BAD"
