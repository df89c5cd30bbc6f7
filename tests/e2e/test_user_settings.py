"""What a user database says of one user: folder, format, quota, limits, capabilities, networks; the same over every database."""

import os
import shutil
import smtplib

import pytest

from harness import ROOT, ROOTLESS_UID, Raw, Server, make_certificate
from dbservers import Postgres, Slapd
from test_databases import SqliteFile, good, sections, serve, wrong

FIELDS = ("mail", "mail_format", "quota_bytes", "quota_messages", "sessions_max", "sessions_per_address", "capability_disable", "allow_nets")
USERS = {
    "plain": {},
    "mia": {"mail_format": "maildir"},
    "moe": {"mail": "FOLDER/elsewhere/%n", "mail_format": "Maildir"},
    "ned": {"mail": "maildir:FOLDER/elsewhere/%n"},
    "pia": {"mail": "FOLDER/elsewhere/%n"},
    "quinn": {"quota_messages": "1"},
    "quin2": {"quota_bytes": "50000"},
    "max": {"sessions_max": "2"},
    "ann": {"sessions_per_address": "1"},
    "cap": {"capability_disable": "IDLE,NAMESPACE"},
    "net": {"allow_nets": "192.0.2.0/24"},
    "bad": {"sessions_max": "many"},
    "odd": {"mail": "maildir:FOLDER/elsewhere/%n", "mail_format": "culver"},
}


def values(server):
    return {u: {k: v.replace("FOLDER", f"{server.folder}/mail") for k, v in row.items()} for u, row in USERS.items()}


def columns(text):
    return ", ".join(f"{f} {text}".strip() for f in FIELDS)



def fill(run, server):
    run(f"CREATE TABLE settings (name text primary key, password text, {columns('text')})")
    for user, row in values(server).items():
        row = {"name": user, "password": f"{{PLAIN}}pw-{user}", **row}
        run(f"INSERT INTO settings ({', '.join(row)}) VALUES ({', '.join(repr(v) for v in row.values())})")


def sql_parts(database):
    return sections(database, passdb="query = SELECT password, allow_nets FROM settings WHERE name = :name",
                    userdb=f"query = SELECT {', '.join(f for f in FIELDS if f != 'allow_nets')} FROM settings WHERE name = :name")


@pytest.fixture
def passwd_server():
    server = Server(users=[])
    server.userdbs = f"userdb file {{\n    driver = passwd-file\n    file = {server.folder}/etc/users\n}}\n"
    server.write_conf()
    lines = []
    for user, row in values(server).items():
        extra = " ".join(f"{'' if k == 'allow_nets' else 'userdb_'}{k}={v}" for k, v in row.items())
        extra = extra.replace("userdb_quota_bytes=", "userdb_quota_rule=*:bytes=").replace("userdb_quota_messages=", "userdb_quota_rule=*:messages=")
        lines.append(f"{user}:{{PLAIN}}pw-{user}::::::{extra}")
    server.write_passwd(lines)
    with server:
        yield server


@pytest.fixture
def sqlite_server():
    server = serve(sql_parts("    driver = sqlite\n    file = accounts/users.db"))
    (server.folder / "etc/accounts").mkdir()
    db = SqliteFile(server.folder / "etc/accounts/users.db")
    fill(db.run, server)
    with server:
        yield server


@pytest.fixture
def pgsql_server():
    with Postgres() as pg:
        server = serve(sql_parts(f"    driver = pgsql\n    connect = host=127.0.0.1 port={pg.port} dbname=postgres user=admin\n    password_file = db.secret\n"))
        secret = server.folder / "etc/db.secret"
        secret.write_text("super secret\n")
        os.chmod(secret, 0o600)
        if server.rootless and ROOT:
            os.chown(secret, ROOTLESS_UID, ROOTLESS_UID)
        fill(pg.sql, server)
        with server:
            yield server


# Attributes that every directory has, for want of a schema of our own.
ATTRIBUTES = {"mail": "labeledURI", "mail_format": "carLicense", "quota_bytes": "employeeNumber", "quota_messages": "title",
              "sessions_max": "departmentNumber", "sessions_per_address": "roomNumber", "capability_disable": "employeeType",
              "allow_nets": "businessCategory"}


@pytest.fixture
def ldap_server(tmp_path):
    with Slapd(make_certificate(tmp_path)) as slapd:
        search = "base = dc=test\n    filter = (uid=:name)\n    attributes = "
        server = serve(sections(f"    driver = ldap\n    connect = ldap://127.0.0.1:{slapd.port}\n    bind_dn = {Slapd.ADMIN}\n    password_file = ldap.secret\n",
                                "ldap", search + "userPassword=password businessCategory=allow_nets",
                                search + " ".join(f"{a}={f}" for f, a in ATTRIBUTES.items() if f != "allow_nets")))
        secret = server.folder / "etc/ldap.secret"
        secret.write_text("admin-secret\n")
        if server.rootless and ROOT:
            os.chown(secret, ROOTLESS_UID, ROOTLESS_UID)
        slapd.add("dn: dc=test\nobjectClass: domain\ndc: test\n")
        for user, row in values(server).items():
            more = "".join(f"{ATTRIBUTES[k]}: {v}\n" for k, v in row.items())
            slapd.add(f"dn: uid={user},dc=test\nobjectClass: inetOrgPerson\ncn: {user}\nsn: {user}\nuid: {user}\nuserPassword: {{PLAIN}}pw-{user}\n{more}")
        with server:
            yield server


def deliver(server, user, size=100):
    with server.lmtp() as c:
        try:
            c.sendmail("a@example.org", [user], f"Subject: x\r\n\r\n{'x' * size}\r\n")
            return 250
        except smtplib.SMTPRecipientsRefused as e:
            return next(iter(e.recipients.values()))[0]
        except smtplib.SMTPDataError as e:
            return e.smtp_code


def log_in(server, user):
    """The answer, and the session."""
    c = Raw(server.ports["imap"])
    c.line()
    return c.ask(f"LOGIN {user} pw-{user}")[-1], c


def check_folders(server):
    mail = server.folder / "mail"
    for user in ("plain", "mia", "moe", "ned", "pia"):
        assert deliver(server, user) == 250
    for path, maildir in ((mail / "plain", False), (mail / "mia", True), (mail / "elsewhere/moe", True), (mail / "elsewhere/ned", True),
                          (mail / "elsewhere/pia", False)):
        files = list(path.glob("cur/*")) + list(path.glob("new/*"))
        assert len(files) == (1 if maildir else 0) and path.is_dir(), path
    for user in ("mia", "plain"):
        answer, c = log_in(server, user)
        assert answer.startswith(b"a") or b" OK" in answer
        assert b"* 1 EXISTS\r\n" in c.ask("SELECT INBOX")
        c.close()
    # The administrator's tools know the user's format; a Maildir cannot be exported beside its worker, so that they hold it.
    out = server.folder / "out"
    for user in ("mia", "plain"):
        assert server.ctl("verify", "-u", user).returncode == 0
        target = out / user
        out.mkdir(exist_ok=True)
        os.chmod(out, 0o777)
        r = server.ctl("export", "-u", user, str(target))
        assert r.returncode == 0, r.stdout + r.stderr
        assert len(list(target.glob("cur/*")) + list(target.glob("new/*"))) == 1
    shutil.rmtree(out)
    # What contradicts itself, or cannot be read, is nobody's guess.
    assert deliver(server, "odd") == 451 and b" NO [UNAVAILABLE]" in log_in(server, "odd")[0]


def check_limits(server):
    assert [deliver(server, "quinn") for _ in range(2)] == [250, 552]
    assert deliver(server, "quin2", 1000) == 250 and deliver(server, "quin2", 60000) == 552
    held = [log_in(server, "max") for _ in range(3)]
    assert [b" OK " in h[0] for h in held] == [True, True, False] and b"Too many sessions of this user" in held[2][0]
    held = [log_in(server, "ann") for _ in range(2)]
    assert [b" OK " in h[0] for h in held] == [True, False]
    held = [log_in(server, "plain") for _ in range(5)]
    assert all(b" OK " in h[0] for h in held)


def check_rest(server):
    with Raw(server.ports["imap"]) as c:
        c.line()
        c.ask("LOGIN cap pw-cap")
        line = c.ask("CAPABILITY")[0]
        assert b" IDLE" not in line and b" NAMESPACE" not in line and b" UIDPLUS" in line
    assert wrong(server, "net", "pw-net") and good(server, "plain", "pw-plain")


@pytest.mark.parametrize("kind", ["passwd", "sqlite", "pgsql", "ldap"])
def test_user_settings(kind, request):
    server = request.getfixturevalue(f"{kind}_server")
    check_folders(server)
    check_limits(server)
    check_rest(server)
    # A number that is none: a line of a file is left out (and complained of), a record is a failure for now.
    answer = log_in(server, "bad")[0]
    assert b" NO [UNAVAILABLE]" in answer if kind != "passwd" else b" NO [AUTHENTICATIONFAILED]" in answer
    assert "sessions" in server.log_text()
