"""Users in SQLite, PostgreSQL and LDAP: log-ins, recipients, hostile names and passwords, servers that stop, die and come back."""

import base64
import os
import shutil
import signal
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dbservers import Postgres, Slapd
from harness import ROOT, ROOTLESS_UID, Raw, Server, make_certificate, wait_for
from scram import Scram
from test_scram import hashed, imap as scram_imap, pop3 as scram_pop3

# What may go wrong when text becomes part of a query, a filter or a name.
HOSTILE = ["' OR '1'='1", "alice'--", "alice' UNION SELECT '{PLAIN}x'--", '"; DROP TABLE users; --', "*", "a*", "(uid=*)", "alice)(uid=*",
           "alice)(|(uid=*", "\\2a", "$1", ":user", "%s", "alice\\", "al\x01ice", "alice\x7f", "ålice"]

TABLE = """CREATE TABLE users (name text primary key, domain text, password text, uid bigint, gid bigint, home text, mail text,
 quota_bytes bigint, nologin boolean, allow_nets text)"""
QUERY = "SELECT password, nologin, allow_nets FROM users WHERE name = :name"
USER_QUERY = "SELECT uid, gid, home, mail, quota_bytes FROM users WHERE name = :name"


def plain(server, user, password, authzid=b""):
    """The tagged answer to AUTHENTICATE PLAIN, which carries any octets."""
    with Raw(server.ports["imap"]) as c:
        c.line()
        c.send("t AUTHENTICATE PLAIN\r\n")
        c.line()
        c.send(base64.b64encode(authzid + b"\0" + user.encode() + b"\0" + (password if isinstance(password, bytes) else password.encode())) + b"\r\n")
        return c.until(b"^t ")[-1]


def good(server, user, password):
    return plain(server, user, password).startswith(b"t OK")


def wrong(server, user, password):
    return plain(server, user, password).startswith(b"t NO [AUTHENTICATIONFAILED]")


def down(server, user, password):
    return plain(server, user, password).startswith(b"t NO [UNAVAILABLE]")


def sections(database, ask="sql", passdb="", userdb="", static=False):
    users = "driver = static" if static else f"driver = {ask}\n    database = db\n    {userdb or f'query = {USER_QUERY}'}"
    return (f"database db {{\n{database}\n}}\npassdb db {{\n    driver = {ask}\n    database = db\n    {passdb or f'query = {QUERY}'}\n}}\n",
            f"userdb db {{\n    {users}\n    uid = virtual\n    gid = virtual\n    mail_path = /tmp/culver-none/%u\n}}\n")


def serve(parts, folder=None, **more):
    passdbs, userdbs = parts
    server = Server(users=[], passdbs=passdbs, userdbs="userdb x {\n    driver = static\n}\n", folder=folder, **more)
    server.userdbs = userdbs.replace("/tmp/culver-none", f"{server.folder}/mail")
    server.write_conf()
    if server.rootless and ROOT:
        os.chown(server.conf, ROOTLESS_UID, ROOTLESS_UID)
    return server


def readable(server, path):
    """For the account of culver-auth, whichever that is."""
    os.chmod(path, 0o644)


def fill(run, user="alice", **values):
    row = {"name": user, "password": f"{{PLAIN}}pw-{user}", **values}
    marks = ", ".join("'" + str(v).replace("'", "''") + "'" for v in row.values())
    run(f"INSERT INTO users ({', '.join(row)}) VALUES ({marks})")


class SqliteFile:
    def __init__(self, path):
        self.path = path
        self.run(TABLE)

    def run(self, text):
        db = sqlite3.connect(self.path)
        with db:
            db.execute(text)
        db.close()
        os.chmod(self.path, 0o644)


@pytest.fixture
def sqlite_server():
    server = serve(sections("    driver = sqlite\n    file = accounts/users.db"))
    (server.folder / "etc/accounts").mkdir()
    server.db = SqliteFile(server.folder / "etc/accounts/users.db")
    fill(server.db.run)
    yield server
    server.close()


def test_sqlite(sqlite_server):
    server = sqlite_server
    fill(server.db.run, "bob", nologin=1)
    fill(server.db.run, "carol", allow_nets="192.0.2.0/24")
    fill(server.db.run, "dave", password="")
    fill(server.db.run, "erin", password=server.ctl("hash-password", input="slow\n").stdout.strip().splitlines()[-1])
    fill(server.db.run, "frank", mail=f"{server.folder}/mail/elsewhere", quota_bytes=100000)
    with server:
        assert good(server, "alice", "pw-alice") and wrong(server, "alice", "pw-Alice") and wrong(server, "nobody", "x")
        assert not good(server, "bob", "pw-bob") and wrong(server, "bob", "x")
        assert wrong(server, "carol", "pw-carol") and wrong(server, "dave", "") and wrong(server, "dave", "x")
        assert good(server, "erin", "slow") and wrong(server, "erin", "fast")
        with server.lmtp() as c:
            c.ehlo("x")
            c.mail("a@b")
            assert c.rcpt("alice")[0] == 250 and c.rcpt("nobody")[0] == 550
        assert good(server, "frank", "pw-frank") and (server.folder / "mail/elsewhere").is_dir()
        with Raw(server.ports["imap"]) as c:
            c.line()
            c.ask("LOGIN frank pw-frank")
            c.send("t APPEND INBOX {120000+}\r\n" + "x" * 120000 + "\r\n")
            assert c.until(b"^t ")[-1].startswith(b"t NO [OVERQUOTA]"), "quota of the database"
        # culver-auth itself knows no database's code.
        for pid in server.pids_of("culver-auth"):
            assert not ROOT or "sqlite" not in open(f"/proc/{pid}/maps").read()
        assert len(server.pids_of("culver-auth-sqlite")) in range(1, 5)


def test_sqlite_changes(sqlite_server):
    server = sqlite_server
    with server:
        assert good(server, "alice", "pw-alice")
        server.db.run("UPDATE users SET password = '{PLAIN}new' WHERE name = 'alice'")
        assert wrong(server, "alice", "pw-alice") and good(server, "alice", "new")
        # Another file in its place.
        other = SqliteFile(server.folder / "etc/accounts/other.db")
        fill(other.run, "alice", password="{PLAIN}other")
        os.rename(other.path, server.db.path)
        assert wrong(server, "alice", "new") and good(server, "alice", "other")
        # Gone, and no database: for now, never a wrong password. Back again.
        os.rename(server.db.path, server.folder / "etc/away")
        assert down(server, "alice", "other") and down(server, "alice", "wrong")
        with server.lmtp() as c:
            c.ehlo("x")
            c.mail("a@b")
            assert c.rcpt("alice")[0] == 451
        with Raw(server.ports["pop3"]) as c:
            c.line()
            c.send("USER alice\r\n")
            c.line()
            c.send("PASS other\r\n")
            assert c.line().startswith(b"-ERR [SYS/TEMP]")
        os.rename(server.folder / "etc/away", server.db.path)
        wait_for(lambda: good(server, "alice", "other"), what="the database again")


@pytest.mark.parametrize("kind", ["sqlite", "pgsql", "ldap", "ldap-bind"])
def test_hostile_names(kind, request, any_chars="auth_name_chars = \"!#$&'()+,-.0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\\\]^_`abcdefghijklmnopqrstuvwxyz{|}~\\\"\"\n"):
    """Also where the administrator allows nearly every character in a name."""
    server = request.getfixturevalue({"sqlite": "sqlite_server", "pgsql": "pg_server", "ldap": "ldap_server", "ldap-bind": "bind_server"}[kind])
    server.extra += any_chars
    server.write_conf()
    with server:
        tries = [pair for text in HOSTILE for pair in ((text, "pw-alice"), ("alice", text))]
        with ThreadPoolExecutor(8) as pool:  # each waits for its delay
            refused = list(pool.map(lambda pair: wrong(server, *pair), tries))
        assert all(refused), [pair for pair, ok in zip(tries, refused) if not ok]
        # No NUL in a password, and RFC 4616 has none in a name.
        assert not good(server, "alice", b"pw-alice\0x") and not good(server, "ali\0ce", "pw-alice")
        assert wrong(server, "alice", "") and wrong(server, "alice", "x" * 1100)
        assert good(server, "alice", "pw-alice")


# --- PostgreSQL ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgres():
    with Postgres() as pg:
        pg.sql("CREATE USER culver PASSWORD 'db secret'")
        pg.sql(TABLE + "; GRANT SELECT ON users TO culver")
        fill(pg.sql)
        fill(pg.sql, "bob", nologin="true")
        yield pg


@pytest.fixture
def pg_server(postgres):
    if postgres.proc is None:
        postgres.start()
    server = serve(sections(f"    driver = pgsql\n    connect = host=127.0.0.1 port={postgres.port} dbname=postgres user=culver\n"
                            "    password_file = db.secret\n    connections = 3\n    timeout = 1s"))
    secret = server.folder / "etc/db.secret"
    secret.write_text("db secret\n")
    os.chmod(secret, 0o600)
    if server.rootless and ROOT:
        os.chown(secret, ROOTLESS_UID, ROOTLESS_UID)
    yield server
    server.close()


def test_pgsql(postgres, pg_server):
    server = pg_server
    with server:
        assert good(server, "alice", "pw-alice") and wrong(server, "alice", "x") and wrong(server, "nobody", "x")
        assert not good(server, "bob", "pw-bob")
        # More at once than connections: they wait for one another.
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(good(server, "alice", "pw-alice"))) for _ in range(12)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert answers == [True] * 12
        assert 1 <= len(server.pids_of("culver-auth-pgsql")) <= 3
        assert "db secret" not in server.log_text() and "pw-alice" not in server.log_text()


def test_pgsql_dies_and_comes_back(postgres, pg_server):
    server = pg_server
    with server:
        assert good(server, "alice", "pw-alice")
        # Idle connections that the server has closed are made again within the log-in.
        postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'culver'")
        assert good(server, "alice", "pw-alice")
        postgres.kill()
        for password in ("pw-alice", "wrong"):
            assert down(server, "alice", password)
        with server.lmtp() as c:
            c.ehlo("x")
            c.mail("a@b")
            assert c.rcpt("alice")[0] == 451
        postgres.start()
        wait_for(lambda: good(server, "alice", "pw-alice"), 20, "recovery")
        assert wrong(server, "alice", "wrong")


def test_pgsql_stops(postgres, pg_server):
    """A server that neither answers nor closes."""
    server = pg_server
    with server:
        assert good(server, "alice", "pw-alice")
        auth = server.pids_of("culver-auth")
        postgres.signal_all(signal.SIGSTOP)
        try:
            assert down(server, "alice", "pw-alice") and down(server, "alice", "wrong")
        finally:
            postgres.signal_all(signal.SIGCONT)
        wait_for(lambda: good(server, "alice", "pw-alice"), 20, "recovery")
        # A helper that is killed, and one that stops, cost their own question.
        for sig in (signal.SIGKILL, signal.SIGSTOP):
            helpers = server.pids_of("culver-auth-pgsql")
            for pid in helpers:
                os.kill(pid, sig)
            wait_for(lambda: good(server, "alice", "pw-alice"), 30, "recovery")
            for pid in helpers:
                try:
                    os.kill(pid, signal.SIGCONT)
                except ProcessLookupError:
                    pass
        assert server.pids_of("culver-auth") == auth


# --- LDAP ------------------------------------------------------------------------------------------------------------------

PEOPLE = """dn: dc=test
objectClass: domain
dc: test

dn: ou=people,dc=test
objectClass: organizationalUnit
ou: people

dn: uid=alice,ou=people,dc=test
objectClass: inetOrgPerson
objectClass: posixAccount
cn: Alice
sn: A
uid: alice
uidNumber: 63001
gidNumber: 63001
homeDirectory: /home/alice
userPassword: pw-alice
description: {PLAIN}pw-alice

dn: uid=bob,ou=people,dc=test
objectClass: inetOrgPerson
cn: Bob
sn: B
uid: bob
uid: bobby
description: {PLAIN}pw-bob

dn: uid=twin1,ou=people,dc=test
objectClass: inetOrgPerson
cn: Twin
sn: T
uid: twin1
uid: twin
userPassword: pw-twin
description: {PLAIN}pw-twin

dn: uid=twin2,ou=people,dc=test
objectClass: inetOrgPerson
cn: Twin
sn: T
uid: twin2
uid: twin
userPassword: pw-twin
description: {PLAIN}pw-twin
"""
SEARCH = "base = ou=people,dc=test\n    filter = (&(objectClass=inetOrgPerson)(uid=:name))\n    "


@pytest.fixture(scope="module")
def slapd(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ldaptls")
    with Slapd(make_certificate(folder)) as s:
        s.folder_tls = folder
        s.add(PEOPLE)
        yield s


def ldap_sections(slapd, connect, bind, more="", folder=None):
    who = f"    bind_dn = {Slapd.ADMIN}\n    password_file = ldap.secret\n" if not bind else ""
    return sections(f"    driver = ldap\n    connect = {connect}\n{who}    timeout = 1s\n    connections = 2\n{more}", "ldap",
                    SEARCH + ("bind = yes" if bind else "attributes = description=password"),
                    SEARCH + "attributes = uid=user homeDirectory=home")


def ldap_serve(slapd, bind, connect=None, more=""):
    if slapd.proc is None:
        slapd.start()
    server = serve(ldap_sections(slapd, connect or f"ldap://127.0.0.1:{slapd.port}", bind, more))
    (server.folder / "etc/ldap.secret").write_text("admin-secret\n")
    shutil.copy(slapd.folder_tls / "tls.crt", server.folder / "etc/ca.pem")
    readable(server, server.folder / "etc/ca.pem")
    if server.rootless and ROOT:
        os.chown(server.folder / "etc/ldap.secret", ROOTLESS_UID, ROOTLESS_UID)
    return server


@pytest.fixture
def ldap_server(slapd):
    server = ldap_serve(slapd, False)
    yield server
    server.close()


@pytest.fixture
def bind_server(slapd):
    server = ldap_serve(slapd, True)
    yield server
    server.close()


def test_ldap_compare(ldap_server):
    with ldap_server as server:
        assert good(server, "alice", "pw-alice") and wrong(server, "alice", "x") and wrong(server, "nobody", "x")
        # The directory's name for the user is who it is.
        assert good(server, "bobby", "pw-bob")
        assert " user=bob " in server.log_text() and not (server.folder / "mail/bobby").exists()
        # Two entries: neither may be taken.
        assert down(server, "twin", "pw-twin")


def test_ldap_bind(bind_server):
    with bind_server as server:
        for _ in range(3):
            assert good(server, "alice", "pw-alice") and wrong(server, "alice", "x") and wrong(server, "nobody", "pw-alice")
        # An entry without a password, and a bind that would be anonymous.
        assert wrong(server, "bob", "pw-bob") and wrong(server, "alice", "") and wrong(server, "bob", "")
        assert down(server, "twin", "pw-twin")
        with server.lmtp() as c:
            c.ehlo("x")
            c.mail("a@b")
            assert c.rcpt("alice")[0] == 250 and c.rcpt("nobody")[0] == 550


@pytest.mark.parametrize("way", ["ldaps", "starttls"])
def test_ldap_tls(slapd, way):
    connect = f"ldaps://127.0.0.1:{slapd.tls_port}" if way == "ldaps" else f"ldap://127.0.0.1:{slapd.port}"
    start = "    start_tls = yes\n" if way == "starttls" else ""
    server = ldap_serve(slapd, True, connect, start + "    ca_file = ca.pem\n")
    with server:
        assert good(server, "alice", "pw-alice") and wrong(server, "alice", "x")
    # A certificate of nobody that is trusted: no log-in, and no password sent.
    server = ldap_serve(slapd, True, connect, start)
    with server:
        assert down(server, "alice", "pw-alice")


def test_ldap_dies_and_stops(slapd, bind_server):
    with bind_server as server:
        assert good(server, "alice", "pw-alice")
        slapd.kill()
        assert down(server, "alice", "pw-alice") and down(server, "alice", "wrong")
        slapd.start()
        wait_for(lambda: good(server, "alice", "pw-alice"), 20, "recovery")
        slapd.proc.send_signal(signal.SIGSTOP)
        assert down(server, "alice", "pw-alice") and down(server, "alice", "wrong")
        slapd.proc.send_signal(signal.SIGCONT)
        wait_for(lambda: good(server, "alice", "pw-alice"), 20, "recovery")
        assert wrong(server, "alice", "wrong")


# --- SCRAM -----------------------------------------------------------------------------------------------------------------

KEY_TABLE = "CREATE TABLE keyed (name text primary key, password text, scram256 text, scram1 text, nologin boolean)"
KEY_QUERY = "SELECT password, scram256 AS password, scram1 AS password, nologin FROM keyed WHERE name = :name"
KEY_USERS = ("ada", "ben", "cyd", "dan")


def key_values(server):
    """ada: three forms of her password; ben: keys only; cyd: nothing for SCRAM; dan: keys, and may not log in."""
    k256 = {u: hashed(server, f"pw-{u}", "SCRAM-SHA-256") for u in KEY_USERS}
    k1, sha = hashed(server, "pw-ada", "SCRAM-SHA-1"), {u: hashed(server, f"pw-{u}", "SHA512-CRYPT") for u in KEY_USERS}
    return {"ada": (sha["ada"], k256["ada"], k1, None), "ben": (k256["ben"], None, None, None), "cyd": (sha["cyd"], None, None, None),
            "dan": (k256["dan"], None, None, "1")}


def fill_keys(run, server):
    run(KEY_TABLE)
    for user, values in key_values(server).items():
        run("INSERT INTO keyed VALUES ({})".format(", ".join("NULL" if v is None else f"'{v}'" for v in (user, *values))))


def key_sections(database):
    return sections(database, passdb=f"query = {KEY_QUERY}", static=True)


def scram(server, user, password, mechanism="SCRAM-SHA-256"):
    with Raw(server.ports["imap"]) as c:
        c.line()
        s = Scram(mechanism, user, password)
        return scram_imap(c, mechanism, s, True), s


def scram_rows(server):
    """As for users of a passwd-file, RFC 5802 section 5 and RFC 7677."""
    no = b"t NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"
    rows = [("ada", "pw-ada", "SCRAM-SHA-256", b"t OK"), ("ada", "pw-ada", "SCRAM-SHA-1", b"t OK"), ("ben", "pw-ben", "SCRAM-SHA-256", b"t OK"),
            ("ben", "pw-ben", "SCRAM-SHA-1", no), ("cyd", "pw-cyd", "SCRAM-SHA-256", no), ("dan", "pw-dan", "SCRAM-SHA-256", b"t NO [EXPIRED]"),
            ("dan", "x", "SCRAM-SHA-256", no), ("ada", "pw-Ada", "SCRAM-SHA-256", no), ("nobody", "x", "SCRAM-SHA-256", no)]
    rounds = 0
    for user, password, mechanism, want in rows:
        answer, s = scram(server, user, password, mechanism)
        assert answer.startswith(want), (user, mechanism, answer)
        # What an unknown user is shown looks as what known ones are, and is the same again.
        if user in ("cyd", "nobody"):
            again = scram(server, user, "y", mechanism)[1]
            assert s.rounds == rounds and len(s.salt) == 16 and (s.rounds, s.salt) == (again.rounds, again.salt), user
        rounds = s.rounds
    for user in KEY_USERS[:3]:
        assert good(server, user, f"pw-{user}") and wrong(server, user, "x"), "PLAIN beside it"
    with Raw(server.ports["pop3"]) as c:
        c.line()
        assert scram_pop3(c, "SCRAM-SHA-256", Scram("SCRAM-SHA-256", "ben", "pw-ben")).startswith(b"+OK")
    assert 'reason="stored password is no use to this mechanism"' in server.log_text()


SCRAM_ON = "auth_mechanisms = plain scram-sha-256 scram-sha-1\n"


def test_scram_sqlite():
    server = serve(key_sections("    driver = sqlite\n    file = accounts/users.db"), extra=SCRAM_ON)
    (server.folder / "etc/accounts").mkdir()
    db = SqliteFile(server.folder / "etc/accounts/users.db")
    fill_keys(db.run, server)
    with server:
        scram_rows(server)
        # A form that locks a user does so for every mechanism.
        db.run("UPDATE keyed SET scram1 = '!' WHERE name = 'ada'")
        assert scram(server, "ada", "pw-ada")[0].startswith(b"t NO [AUTH") and wrong(server, "ada", "pw-ada")
        os.rename(db.path, server.folder / "etc/away")
        assert scram(server, "ben", "pw-ben")[0].startswith(b"t NO [UNAVAILABLE]")
        assert scram(server, "nobody", "x")[0].startswith(b"t NO [UNAVAILABLE]")
        os.rename(server.folder / "etc/away", db.path)
        wait_for(lambda: scram(server, "ben", "pw-ben")[0].startswith(b"t OK"), what="the database again")


def test_scram_pgsql(postgres, pg_server):
    server = pg_server
    server.extra += SCRAM_ON
    fill_keys(postgres.sql, server)
    postgres.sql("GRANT SELECT ON keyed TO culver")
    server.passdbs = server.passdbs.replace(f"query = {QUERY}", f"query = {KEY_QUERY}")
    server.userdbs = f"userdb s {{\n    driver = static\n    mail_path = {server.folder}/mail/%u\n}}\n"
    server.write_conf()
    with server:
        scram_rows(server)
        postgres.kill()
        assert scram(server, "ben", "pw-ben")[0].startswith(b"t NO [UNAVAILABLE]")
        postgres.start()
        wait_for(lambda: scram(server, "ben", "pw-ben")[0].startswith(b"t OK"), 20, "recovery")


def test_scram_ldap(slapd, ldap_server):
    """userPassword has any number of values (RFC 4519 section 2.41)."""
    server = ldap_server
    server.extra += SCRAM_ON
    server.passdbs = server.passdbs.replace("attributes = description=password", "attributes = userPassword=password employeeType=nologin")
    server.userdbs = f"userdb s {{\n    driver = static\n    mail_path = {server.folder}/mail/%u\n}}\n"
    server.write_conf()
    for user, values in key_values(server).items():
        forms = "".join(f"userPassword: {v}\n" for v in values[:3] if v is not None)
        locked = "employeeType: 1\n" if values[3] else ""
        slapd.add(f"dn: uid={user},ou=people,dc=test\nobjectClass: inetOrgPerson\ncn: {user}\nsn: {user}\nuid: {user}\n{forms}{locked}")
    with server:
        scram_rows(server)
        slapd.kill()
        assert scram(server, "ben", "pw-ben")[0].startswith(b"t NO [UNAVAILABLE]")
        slapd.start()
        wait_for(lambda: scram(server, "ben", "pw-ben")[0].startswith(b"t OK"), 20, "recovery")


def test_scram_several(sqlite_server):
    """Databases in their order: what one cannot say, and who has no keys, as result_internalfail and result_failure have it."""
    server = sqlite_server
    keys = hashed(server, "second", "SCRAM-SHA-256")
    (server.folder / "etc/users2").write_text(f"alice:{keys}::::::\nzoe:{keys}::::::\n")
    readable(server, server.folder / "etc/users2")
    second = "passdb second {\n    driver = passwd-file\n    file = users2\n}\n"
    first, away = server.passdbs, server.folder / "etc/away"
    server.extra += SCRAM_ON
    server.userdbs = f"userdb s {{\n    driver = static\n    mail_path = {server.folder}/mail/%u\n}}\n"
    server.db.run("UPDATE users SET password = '{SSHA}+RsuSTrEcIi8C6kPYWVF79KkcYVzYWx0c2FsdA==' WHERE name = 'alice'")
    for settings, there, gone in (("", b"t NO [AUTH", b"t NO [UNAV"), ("result_failure = continue", b"t OK", b"t NO [UNAV"),
                                  ("result_internalfail = continue", b"t NO [AUTH", b"t OK")):
        server.passdbs = first.rstrip().rstrip("}") + f"    {settings}\n}}\n" + second
        server.write_conf()
        server.start()
        assert scram(server, "alice", "second")[0].startswith(there), settings
        assert scram(server, "zoe", "second")[0].startswith(b"t OK"), settings
        os.rename(server.db.path, away)
        assert scram(server, "alice", "second")[0].startswith(gone), settings
        server.stop()
        os.rename(away, server.db.path)


# --- several ---------------------------------------------------------------------------------------------------------------


def test_order_and_results(sqlite_server):
    """A database that is down never makes another one's no the answer; who says yes after it may be heard where so configured."""
    server = sqlite_server
    (server.folder / "etc/users2").write_text("alice:{PLAIN}second::::::\nzoe:{PLAIN}pw-zoe::::::\n")
    readable(server, server.folder / "etc/users2")
    second = "passdb second {\n    driver = passwd-file\n    file = users2\n}\n"
    first = server.passdbs
    table = [  # settings of the first, then (password of alice; the file there?; answer)
        ("", [("pw-alice", True, "good"), ("second", True, "wrong"), ("second", False, "down")]),
        ("result_failure = continue", [("pw-alice", True, "good"), ("second", True, "good"), ("x", True, "wrong"), ("second", False, "down")]),
        ("result_internalfail = continue", [("second", False, "good"), ("second", True, "wrong"), ("pw-alice", False, "wrong")]),
        ("result_failure = continue\n    result_internalfail = continue", [("second", False, "good"), ("second", True, "good")]),
        ("result_success = continue\n    result_failure = continue", [("second", True, "good"), ("pw-alice", True, "wrong")]),
        ("result_success = return-fail", [("pw-alice", True, "wrong"), ("x", True, "wrong")]),
    ]
    away = server.folder / "etc/away"
    for settings, rows in table:
        server.passdbs = first.rstrip().rstrip("}") + f"    {settings}\n}}\n" + second
        server.write_conf()
        server.start()
        for password, there, answer in rows:
            if there == away.exists():
                os.rename(away if there else server.db.path, server.db.path if there else away)
            # Users come from the same database: where it is down, the password is what is looked at.
            check = {"good": good, "wrong": wrong, "down": down}[answer]
            if answer == "good" and not there:
                assert down(server, "alice", password) and "user look-up failed" in server.log_text(), (settings, password)
            else:
                wait_for(lambda: check(server, "alice", password), 10, f"{answer} of {settings} {password} {there}")
        server.stop()
        if away.exists():
            os.rename(away, server.db.path)
