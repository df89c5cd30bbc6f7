"""Unknown user against wrong password: whether the time of the answer tells them apart.

Only by knob, on a quiet machine: CULVER_TIMING=2000 is the number of samples of each mechanism, half of them of a user whom nobody knows, in random order.
The delay of failures, which would hide the difference, is off. What is printed and held is the area under the ROC curve: 0.5 is no difference at all.
"""

import base64
import bisect
import hashlib
import hmac
import os
import random
import socket
import subprocess
import time

import pytest

from harness import Raw
from scram import Scram
from test_databases import SqliteFile, sections, serve

SAMPLES = int(os.environ.get("CULVER_TIMING", "0"))
USER, NOBODY = "margaret", "marjorie"
# Cheap forms of the schemes that a helper checks: what differs must not drown in what is the same.
ARGON = "{ARGON2ID}$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
# crypt(3) of "right".
CRYPT = "{SHA512-CRYPT}" + subprocess.run(["openssl", "passwd", "-6", "-salt", "saltsalt", "right"], capture_output=True, text=True).stdout.strip()
EXTRA = "auth_mechanisms = plain login scram-sha-256\nlogin_failures = 100\nlogin_bad_commands = 100\nconnections_per_address = 1000\n"


def area(unknown, wrong):
    """The probability that an answer about an unknown user takes longer than one about a wrong password, ties counted half."""
    ordered = sorted(wrong)
    wins = sum(bisect.bisect_left(ordered, t) + bisect.bisect_right(ordered, t) for t in unknown)
    return wins / (2 * len(unknown) * len(wrong))


def scram_keys():
    """As `culverctl hash-password SCRAM-SHA-256` has them, with the fewest rounds."""
    salted = hashlib.pbkdf2_hmac("sha256", b"right", b"sixteen bytes of", 4096)
    client = hashlib.sha256(hmac.new(salted, b"Client Key", "sha256").digest()).digest()
    server_key = hmac.new(salted, b"Server Key", "sha256").digest()
    return "{SCRAM-SHA-256}4096," + ",".join(b64(x).decode() for x in (b"sixteen bytes of", client, server_key))


def b64(data):
    return base64.b64encode(data)


def connect(server, protocol, n):
    """From an address of its own, so that what is counted for one never slows another."""
    c = Raw.__new__(Raw)
    c.pending = b""
    c.sock = socket.create_connection(("127.0.0.1", server.ports[protocol]), 30, source_address=(f"127.1.{n // 250 % 250}.{n % 250 + 1}", 0))
    c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    c.line()
    return c


def ask(c, data):
    start = time.perf_counter()
    c.send(data)
    line = c.line()
    return time.perf_counter() - start, line


def plain(server, user, n):
    with connect(server, "imap", n) as c:
        spent, line = ask(c, b"t AUTHENTICATE PLAIN " + b64(f"\0{user}\0wrong".encode()) + b"\r\n")
        assert line.startswith(b"t NO [AUTHENTICATIONFAILED]"), line
        return [spent]


def login(server, user, n):
    with connect(server, "imap", n) as c:
        c.send(b"t AUTHENTICATE LOGIN\r\n")
        c.line()
        first, _ = ask(c, b64(user.encode()) + b"\r\n")
        second, line = ask(c, b64(b"wrong") + b"\r\n")
        assert line.startswith(b"t NO [AUTHENTICATIONFAILED]"), line
        return [first, second]


def scram(server, user, n):
    with connect(server, "imap", n) as c:
        s = Scram("SCRAM-SHA-256", user, "wrong")
        first, line = ask(c, b"t AUTHENTICATE SCRAM-SHA-256 " + b64(s.first()) + b"\r\n")
        second, line = ask(c, b64(s.final(base64.b64decode(line[2:]))) + b"\r\n")
        assert line.startswith(b"t NO [AUTHENTICATIONFAILED]"), line
        return [first, second]


def user_pass(server, user, n):
    with connect(server, "pop3", n) as c:
        first, _ = ask(c, f"USER {user}\r\n")
        second, line = ask(c, b"PASS wrong\r\n")
        assert line.startswith(b"-ERR [AUTH]"), line
        return [first, second]


MECHANISMS = {"PLAIN": plain, "LOGIN": login, "SCRAM-SHA-256": scram, "USER": user_pass}


@pytest.fixture(params=["argon2id", "sha512-crypt", "scram keys", "sqlite"])
def server(request):
    s = serve(sections("    driver = sqlite\n    file = accounts/users.db", static=True), extra=EXTRA)
    # The delay is set by the harness.
    write = s.write_conf

    def write_conf():
        write()
        s.conf.write_text(s.conf.read_text().replace("auth_failure_delay = 100ms", "auth_failure_delay = 0"))

    s.write_conf = write_conf
    others = [f"user{i}" for i in range(20)] + [USER]
    if request.param == "sqlite":
        (s.folder / "etc/accounts").mkdir()
        db = SqliteFile(s.folder / "etc/accounts/users.db")
        keys = scram_keys()
        for user in others:
            db.run(f"INSERT INTO users (name, password) VALUES ('{user}', '{keys}')")
    else:
        s.passdbs = None
        form = {"argon2id": ARGON, "sha512-crypt": CRYPT, "scram keys": scram_keys()}[request.param]
        s.write_passwd([f"{user}:{form}::::::" for user in others])
    s.write_conf()
    with s:
        yield s


@pytest.mark.skipif(SAMPLES == 0, reason="CULVER_TIMING is not set")
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_unknown_user_takes_as_long(server, mechanism, request):
    sample = MECHANISMS[mechanism]
    for n in range(10):  # what is learned at first use, such as the hash that stands in for none
        sample(server, USER, n)
    order = [USER, NOBODY] * (SAMPLES // 2)
    random.shuffle(order)
    spent = {USER: [], NOBODY: []}
    for n, user in enumerate(order):
        spent[user].append(sample(server, user, 10 + n))
    for step in range(len(spent[USER][0])):
        wrong, unknown = ([s[step] for s in spent[u]] for u in (USER, NOBODY))
        auc = area(unknown, wrong)
        print(f"\n{request.node.callspec.params['server']} {mechanism} step {step + 1}: AUC {auc:.3f}, medians {sorted(unknown)[len(unknown) // 2] * 1000:.2f} "
              f"and {sorted(wrong)[len(wrong) // 2] * 1000:.2f} ms")
        assert SAMPLES < 1000 or 0.45 <= auc <= 0.55
