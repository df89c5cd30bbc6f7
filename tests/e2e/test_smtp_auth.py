"""The socket for mail servers: its protocol, and the real Postfix and Exim, whose clients send mail after SMTP AUTH."""

import base64
import contextlib
import os
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

import scram
from harness import ROOT, Server, free_port, make_certificate, wait_for
from test_auth import fail2ban
from test_postfix import Postfix

EXIM = Path(os.environ.get("CULVER_EXIM", Path(__file__).resolve().parents[2] / "build/exim"))
MECHANISMS = "auth_mechanisms = plain login scram-sha-256 scram-sha-1\n"


def smtp_listener(folder, more=""):
    return f"listener smtp-auth {{\n    protocol = smtp-auth\n    address = {folder}/run/auth\n{more}}}\n"


@contextlib.contextmanager
def smtp_server(listener_more="", extra=MECHANISMS, **more):
    server = Server(extra=extra, **more)
    server.listeners = server.default_listeners() + smtp_listener(server.folder, listener_more)
    server.write_conf()
    server.listeners = None  # all of the usual ones are there
    try:
        server.start()
        wait_for(lambda: os.path.exists(socket_of(server)), what="the socket")
        yield server
    finally:
        server.close()


def socket_of(server):
    return str(server.folder / "run/auth")


class Mta:
    """What a mail server says on the socket."""

    def __init__(self, path, hello=True):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(15)
        self.sock.connect(path)
        self.file = self.sock.makefile("rb")
        self.greeting = [self.line()]
        while self.greeting[-1] != "DONE":
            self.greeting.append(self.line())
        if hello:
            self.say("VERSION\t1\t1", "CPID\t4711")

    def line(self):
        return self.file.readline().decode().rstrip("\n")

    def say(self, *lines):
        self.sock.sendall("".join(line + "\n" for line in lines).encode())

    def plain(self, user, password, number=1, more="\tsecured\trip=192.0.2.1"):
        text = base64.b64encode(b"\0" + user.encode() + b"\0" + password.encode()).decode()
        self.say(f"AUTH\t{number}\tPLAIN\tservice=smtp\tnologin\tlip=192.0.2.9{more}\tresp={text}")
        return self.line()

    def ended(self):
        try:
            return self.file.readline() == b""
        except ConnectionResetError:
            return True

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.file.close()
        self.sock.close()


@pytest.fixture(scope="module")
def sasl():
    with smtp_server() as server:
        yield server


def test_greeting_comes_at_once(sasl):
    """Exim says nothing before it has read DONE."""
    with Mta(socket_of(sasl), hello=False) as mta:
        words = [line.split("\t")[0] for line in mta.greeting]
        assert mta.greeting[0] == "VERSION\t1\t2"
        assert words == ["VERSION", "MECH", "MECH", "MECH", "MECH", "SPID", "CUID", "COOKIE", "DONE"]
        assert "MECH\tPLAIN\tplaintext" in mta.greeting and "MECH\tSCRAM-SHA-256\tmutual-auth" in mta.greeting
        assert re.fullmatch(r"COOKIE\t[0-9a-f]{32}", mta.greeting[-2])


def test_right_and_wrong(sasl):
    with Mta(socket_of(sasl)) as mta:
        assert mta.plain("alice", "pw-alice") == "OK\t1\tuser=alice"
        assert mta.plain("ALICE", "pw-alice", 2) == "OK\t2\tuser=alice"
        assert mta.plain("alice", "PW-ALICE", 3) == "FAIL\t3"
        assert mta.plain("nobody", "pw-alice", 4) == "FAIL\t4"
        assert mta.plain("alice", "pw-alice", 5, "\trip=192.0.2.1") == "FAIL\t5\treason=This mechanism needs TLS"
        assert mta.plain("alice", "pw-alice", 6, "\trip=127.0.0.1") == "OK\t6\tuser=alice"


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-1"])
def test_scram(sasl, mechanism):
    for password, good in (("pw-bob", True), ("wrong", False)):
        client = scram.Scram(mechanism, "bob", password)
        with Mta(socket_of(sasl)) as mta:
            mta.say(f"AUTH\t1\t{mechanism}\tservice=smtp\tsecured\tresp=" + base64.b64encode(client.first()).decode())
            word, number, data = mta.line().split("\t")
            assert (word, number) == ("CONT", "1")
            mta.say("CONT\t1\t" + base64.b64encode(client.final(base64.b64decode(data))).decode())
            answer = mta.line().split("\t")
            if not good:
                assert answer == ["FAIL", "1"]
                continue
            assert answer[0] == "CONT" and base64.b64decode(answer[2]) == client.expected
            mta.say("CONT\t1\t")
            assert mta.line() == "OK\t1\tuser=bob"


def test_no_session_comes_of_it(sasl):
    workers = len(sasl.pids_of("culver-worker"))
    with Mta(socket_of(sasl)) as mta:
        assert mta.plain("alice", "pw-alice").startswith("OK")
        assert len(sasl.pids_of("culver-worker")) == workers


def test_garbage_costs_its_connection_only(sasl):
    with Mta(socket_of(sasl)) as good:
        for garbage in (b"\n", b"AUTH\n", b"AUTH\tx\tPLAIN\n", b"CONT\n", b"\0\0\0\n", b"GET / HTTP/1.1\r\n\r\nx" + b"A" * 30000, b"VERSION\t1\t1\n"):
            with Mta(socket_of(sasl)) as bad:
                bad.sock.sendall(garbage)
                assert garbage.startswith((b"\0", b"GET")) or bad.ended()
        assert good.plain("alice", "pw-alice") == "OK\t1\tuser=alice"
    # A client's garbage is no reason to end the mail server's connection.
    with Mta(socket_of(sasl)) as mta:
        for n, text in enumerate(["x", "====", "AAA", "A" * 16384]):
            mta.say(f"AUTH\t{n}\tPLAIN\tsecured\tresp={text}")
            assert mta.line().split("\t")[:2] == ["FAIL", str(n)]
        assert mta.plain("alice", "pw-alice", 9) == "OK\t9\tuser=alice"


def test_failures_are_logged_with_the_clients_address(tmp_path):
    """... and fail2ban finds it; the address is slowed down for IMAP too, unless the mail server says that it must not count."""
    with smtp_server() as server, Mta(socket_of(server)) as mta:
        for n, more in enumerate(["\trip=203.0.113.5\tsecured", "\trip=2001:db8::77\tsecured"]):
            assert mta.plain("alice", f"wrong {n}", n, more) == f"FAIL\t{n}"
        wait_for(lambda: "2001:db8::77" in server.log_text(), what="log")
        lines = [line for line in server.log_text().splitlines() if '"authentication failed"' in line]
        assert all("protocol=smtp" in line for line in lines)
        assert fail2ban(lines, tmp_path) == ["203.0.113.5", "2001:db8::77"]


@pytest.mark.skipif(not ROOT, reason="another owner needs root")
def test_permissions_of_the_socket():
    with smtp_server("    socket_user = nobody\n    socket_group = nogroup\n    socket_mode = 0660\n") as server:
        st = os.stat(socket_of(server))
        assert (st.st_mode & 0o7777, st.st_uid) == (0o660, 65534)
        server.ctl("reload")
        wait_for(lambda: can_auth(server), what="the socket after a reload")
        assert os.stat(socket_of(server)).st_uid == 65534


def can_auth(server):
    try:
        with Mta(socket_of(server)) as mta:
            return mta.plain("alice", "pw-alice") == "OK\t1\tuser=alice"
    except OSError:
        return False


def test_its_process_is_confined(sasl):
    (pid,) = sasl.pids_of("culver-smtp-auth")
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2" and int(status["CapEff"], 16) == 0
    if ROOT:
        assert os.listdir(f"/proc/{pid}/root/") == []
        uids = {Path(f"/proc/{p}").stat().st_uid for p, name in sasl.pids().items() if name != "culver-smtp-auth"}
        assert int(status["Uid"].split()[0]) not in uids | {0}


def test_stopped_and_killed():
    """Stopped or killed auth, killed socket service: closed, never open; sessions go on; all is well again within two seconds."""
    with smtp_server() as server:
        session = server.imap()
        session.select("INBOX")
        for program in ("culver-smtp-auth", "culver-auth"):
            (pid,) = server.pids_of(program)
            os.kill(pid, signal.SIGSTOP)
            try:
                with contextlib.suppress(OSError, IndexError):
                    mta = Mta.__new__(Mta)
                    mta.sock = socket.socket(socket.AF_UNIX)
                    mta.sock.settimeout(1)
                    mta.sock.connect(socket_of(server))
                    mta.file = mta.sock.makefile("rb")
                    mta.say("VERSION\t1\t1", "AUTH\t1\tPLAIN\tsecured\tresp=AGFsaWNlAHB3LWFsaWNl")
                    while line := mta.line():
                        assert not line.startswith("OK")
                assert session.noop()[0] == "OK"
            finally:
                os.kill(pid, signal.SIGCONT)
            wait_for(lambda: can_auth(server), 5, f"authentication after {program} was stopped")
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: server.pids_of(program) not in ([], [pid]) and can_auth(server), 5, f"authentication after {program} was killed")
            assert session.noop()[0] == "OK"


def test_reload_lets_mail_servers_go_on():
    with smtp_server() as server, Mta(socket_of(server)) as idle, Mta(socket_of(server)) as busy:
        assert idle.plain("alice", "pw-alice").startswith("OK")
        busy.say("AUTH\t1\tPLAIN\tsecured")
        assert busy.line() == "CONT\t1\t"
        server.ctl("reload")
        assert idle.ended()  # it comes again, as both mail servers do
        busy.say("CONT\t1\t" + base64.b64encode(b"\0alice\0pw-alice").decode())
        assert busy.line() == "OK\t1\tuser=alice"
        wait_for(lambda: can_auth(server), what="the new process")


# --- real mail servers ------------------------------------------------------------------------------------------------------------

def smtp_client(port):
    smtp = smtplib.SMTP("127.0.0.1", port, timeout=30)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    smtp.ehlo("client.test")
    smtp.starttls(context=context)
    smtp.ehlo("client.test")
    return smtp


def auth_scram(smtp, mechanism, user, password):
    """smtplib has no SCRAM. Returns the last reply's code."""
    client = scram.Scram(mechanism, user, password)
    code, text = smtp.docmd("AUTH", f"{mechanism} {base64.b64encode(client.first()).decode()}")
    assert code == 334
    code, text = smtp.docmd(base64.b64encode(client.final(base64.b64decode(text))).decode())
    if code != 334:
        return code
    assert base64.b64decode(text) == client.expected
    return smtp.docmd("")[0]


def check_mail_server(server, port, scram_mechanisms=("SCRAM-SHA-256", "SCRAM-SHA-1")):
    """Right passwords may send mail to anybody, wrong ones may not, whatever the mechanism."""
    for mechanism, user in (("plain", "alice"), ("login", "bob@mta.test")):
        with smtp_client(port) as smtp:
            smtp.user, smtp.password = user, server.password(user)
            code, _ = smtp.auth(mechanism.upper(), getattr(smtp, f"auth_{mechanism}"))
            assert code == 235
            assert smtp.sendmail("alice@mta.test", ["alice@mta.test"], f"Subject: {mechanism}\r\n\r\nx\r\n") == {}
        with smtp_client(port) as smtp:
            smtp.user, smtp.password = user, "wrong"
            with pytest.raises(smtplib.SMTPAuthenticationError) as e:
                smtp.auth(mechanism.upper(), getattr(smtp, f"auth_{mechanism}"))
            assert e.value.smtp_code == 535
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                smtp.sendmail("alice@mta.test", ["alice@mta.test"], "Subject: no\r\n\r\nx\r\n")
    for mechanism in scram_mechanisms:
        with smtp_client(port) as smtp:
            assert mechanism in smtp.esmtp_features["auth"]
            assert auth_scram(smtp, mechanism, "alice", server.password("alice")) == 235
            assert smtp.sendmail("alice@mta.test", ["alice@mta.test"], f"Subject: {mechanism}\r\n\r\nx\r\n") == {}
        with smtp_client(port) as smtp:
            assert auth_scram(smtp, mechanism, "alice", "wrong") == 535
    # A database that is down is no wrong password.
    os.rename(server.folder / "etc/users", server.folder / "etc/away")
    try:
        with smtp_client(port) as smtp:
            smtp.user, smtp.password = "alice", server.password("alice")
            with pytest.raises((smtplib.SMTPAuthenticationError, smtplib.SMTPServerDisconnected)) as e:
                smtp.auth("PLAIN", smtp.auth_plain)
            assert e.value.smtp_code // 100 == 4
    finally:
        os.rename(server.folder / "etc/away", server.folder / "etc/users")
    with smtp_client(port) as smtp:
        assert smtp.login("alice", server.password("alice"))[0] == 235


def reachable(folder):
    for path in (folder, *folder.parents[:2]):
        os.chmod(path, 0o755)


class SaslPostfix(Postfix):
    def __init__(self, folder, lmtp_port, auth_socket):
        super().__init__(folder, lmtp_port)
        make_certificate(folder / "etc")
        with open(folder / "etc/main.cf", "a") as f:
            f.write(f"""
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {auth_socket}
smtpd_sasl_security_options = noanonymous
smtpd_tls_cert_file = {folder}/etc/tls.crt
smtpd_tls_key_file = {folder}/etc/tls.key
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
mynetworks =
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
""")


USERS = ["alice", "bob@mta.test", "alice@mta.test"]


@pytest.mark.skipif(not ROOT, reason="Postfix's master needs root to start its daemons")
def test_postfix(tmp_path):
    reachable(tmp_path)
    with smtp_server("    socket_user = postfix\n    socket_group = postfix\n", users=USERS) as server:
        with SaslPostfix(tmp_path, server.ports["lmtp"], socket_of(server)) as postfix:
            check_mail_server(server, postfix.port)
            client = server.imap("alice@mta.test")

            def arrived():
                client.select("INBOX")
                return len(client.search(None, "ALL")[1][0].split()) == 4

            wait_for(arrived, 60, f"messages; {postfix.log()[-2000:]}")
            assert "sasl_username=alice" in postfix.log() and "sasl_username=bob@mta.test" in postfix.log()


class Exim:
    """Debian's Exim, unpacked beside the machine's Postfix (tests/tools/exim.sh), in a namespace with an account for it."""

    def __init__(self, server, folder):
        self.folder, self.port = folder, free_port()
        for name in ("spool", "log", "etc"):
            (folder / name).mkdir()
            shutil.chown(folder / name, 61100, 61100)
        cert, key = make_certificate(folder / "etc")
        for path in (cert, key):
            shutil.chown(path, 61100, 61100)
        authenticators = "".join(f"""
auth_{n}:
  driver = dovecot
  public_name = {mechanism}
  server_socket = {socket_of(server)}
  server_set_id = $auth1
  server_advertise_condition = ${{if def:tls_in_cipher}}
""" for n, mechanism in enumerate(["PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-1"]))
        (folder / "etc/exim.conf").write_text(f"""
exim_path = {EXIM}/usr/sbin/exim4
primary_hostname = mta.test
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/spool/exim.pid
never_users =
deliver_drop_privilege = true
keep_environment = LD_LIBRARY_PATH
daemon_smtp_ports = {self.port}
local_interfaces = 127.0.0.1
tls_advertise_hosts = *
tls_certificate = {cert}
tls_privatekey = {key}
auth_advertise_hosts = *
acl_smtp_rcpt = check
smtp_accept_queue_per_connection = 100
begin acl
check:
  accept authenticated = *
  deny message = not authenticated
begin routers
all:
  driver = manualroute
  route_list = * 127.0.0.1 byname
  self = send
  transport = lmtp
begin transports
lmtp:
  driver = smtp
  protocol = lmtp
  port = {server.ports["lmtp"]}
  allow_localhost
begin authenticators
{authenticators}""")
        os.chmod(folder / "etc/exim.conf", 0o644)
        (folder / "etc/passwd").write_text(Path("/etc/passwd").read_text() + "Debian-exim:x:61100:61100::/nonexistent:/usr/sbin/nologin\n")
        (folder / "etc/group").write_text(Path("/etc/group").read_text() + "Debian-exim:x:61100:\n")
        self.proc = None

    def __enter__(self):
        etc = self.folder / "etc"
        libraries = f"{EXIM}/usr/lib/x86_64-linux-gnu:{EXIM}/usr/lib/aarch64-linux-gnu:{EXIM}/usr/lib"
        self.proc = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c",
             f"mount --bind {etc}/passwd /etc/passwd && mount --bind {etc}/group /etc/group && "
             f'exec "{EXIM}/usr/sbin/exim4" -C {etc}/exim.conf -bdf -q1m'],
            env={"LD_LIBRARY_PATH": libraries, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, stdin=subprocess.DEVNULL,
            stdout=open(self.folder / "out", "wb"), stderr=subprocess.STDOUT)
        wait_for(self._up, 20, f"Exim: {(self.folder / 'out').read_text()}")
        return self

    def _up(self):
        assert self.proc.poll() is None, (self.folder / "out").read_text() + self.log()
        try:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=2):
                return True
        except OSError:
            return False

    def __exit__(self, *exc):
        self.proc.terminate()
        self.proc.wait(10)

    def log(self):
        return "".join(p.read_text() for p in sorted((self.folder / "log").glob("*log")))


@pytest.mark.skipif(not ROOT, reason="Exim must change its user")
@pytest.mark.skipif(not (EXIM / "done").exists(), reason="Exim could not be had (tests/tools/exim.sh)")
def test_exim(tmp_path):
    reachable(tmp_path)
    with smtp_server("    socket_mode = 0666\n", users=USERS) as server, Exim(server, tmp_path) as exim:
        check_mail_server(server, exim.port)
        client = server.imap("alice@mta.test")

        def arrived():
            client.select("INBOX")
            return len(client.search(None, "ALL")[1][0].split()) == 4

        wait_for(arrived, 60, f"messages; {exim.log()[-2000:]}")
        assert re.search(r"A=auth_0:alice\b", exim.log()) and "A=auth_1:bob@mta.test" in exim.log()
