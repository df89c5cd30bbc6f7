"""Starts real Culver processes for a test: own folder, random ports, own users; as root inside a private mount namespace.

A test asks for the `server` fixture (conftest.py) or builds a Server itself with other settings. Nothing outside the test's folder is
changed: as root, /etc/passwd, /etc/group, /etc/shadow and /etc/pam.d are bind-mounted copies that only the server's processes see.
"""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import zlib
from pathlib import Path

BIN = Path(os.environ.get("CULVER_BIN", Path(__file__).resolve().parents[2] / "build/release-cc/bin"))
ROOT = os.geteuid() == 0
SERVICE_USERS = ["_culver_auth", "_culver_keys", "_culver_imap", "_culver_pop3", "_culver_lmtp", "_culver_smtp"]
# An account of no one, for tests of the rootless mode that run as root.
ROOTLESS_UID = 61234


def free_port(used=set()):
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        if port not in used:
            used.add(port)
            return port


def wait_for(condition, timeout=10.0, what="condition"):
    """Polls until condition() gives something true, and returns that."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"timed out waiting for {what}")
        time.sleep(0.02)


def make_certificate(folder, name="localhost", stem="tls", key="rsa:2048"):
    args = ["openssl", "req", "-x509", "-newkey", key, "-nodes", "-days", "30", "-subj", f"/CN={name}",
            "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1",
            "-keyout", f"{folder}/{stem}.key", "-out", f"{folder}/{stem}.crt"]
    if key == "ec":
        args[args.index("ec")] = "ec"
        args[args.index("-nodes"):args.index("-nodes")] = ["-pkeyopt", "ec_paramgen_curve:prime256v1"]
    subprocess.run(args, check=True, capture_output=True)
    os.chmod(f"{folder}/{stem}.key", 0o600)
    return f"{folder}/{stem}.crt", f"{folder}/{stem}.key"


class Server:
    """One running Culver. Settings given as `extra` are put before the listeners of the configuration file."""

    def __init__(self, folder=None, users=("alice", "bob"), rootless=not ROOT, extra="", tls=True, passdbs=None, userdbs=None,
                 listeners=None, system_users=(), env=None, log_level="debug"):
        self.own_folder = folder is None
        self.folder = Path(folder or tempfile.mkdtemp(prefix="culver-e2e-"))
        self.rootless = rootless
        self.users = list(users)
        self.extra = extra + os.environ.get("CULVER_EXTRA", "")
        self.tls = tls
        self.env = env or {}
        self.system_users = list(system_users)
        self.log_level = log_level
        self.proc = None
        self.ports = {n: free_port() for n in ("imap", "imaps", "pop3", "pop3s", "lmtp")}
        self.bin = BIN
        self.passdbs, self.userdbs, self.listeners = passdbs, userdbs, listeners
        self._prepare()

    # --- files ---------------------------------------------------------------------------------------------------
    @staticmethod
    def password(user):
        return f"pw-{user}"

    def _prepare(self):
        os.chmod(self.folder, 0o755)
        for name in ("state", "run", "mail", "etc"):
            (self.folder / name).mkdir(exist_ok=True)
            os.chmod(self.folder / name, 0o755)
        if self.rootless and ROOT:
            # Programs where another user can reach them.
            self.bin = self.folder / "bin"
            if not self.bin.exists():
                shutil.copytree(BIN, self.bin)
        if self.tls and not (self.folder / "etc/tls.crt").exists():
            make_certificate(self.folder / "etc")
        self.write_passwd()
        self.conf = self.folder / "etc/culver.conf"
        self.write_conf()
        if ROOT and not self.rootless:
            self._prepare_accounts()
        if self.rootless and ROOT:
            for path in [self.folder, *self.folder.rglob("*")]:
                os.lchown(path, ROOTLESS_UID, ROOTLESS_UID)

    def write_passwd(self, lines=None):
        if lines is None:
            lines = [f"{u}:{{PLAIN}}{self.password(u)}::::::" for u in self.users]
        path = self.folder / "etc/users"
        tmp = self.folder / "etc/users.new"
        tmp.write_text("".join(line + "\n" for line in lines))
        os.chmod(tmp, 0o644)
        os.rename(tmp, path)

    def _prepare_accounts(self):
        """Copies of the account files with the service users (and test users) added."""
        etc = self.folder / "etc"
        passwd, group, shadow = (Path(f"/etc/{n}").read_text() for n in ("passwd", "group", "shadow"))
        uid = 61000
        for name in SERVICE_USERS:
            passwd += f"{name}:x:{uid}:{uid}::/nonexistent:/usr/sbin/nologin\n"
            group += f"{name}:x:{uid}:\n"
            shadow += f"{name}:*:20000:0:99999:7:::\n"
            uid += 1
        for entry in self.system_users:
            name, crypted, expire = (list(entry) + ["*", ""])[:3] if not isinstance(entry, str) else (entry, "*", "")
            home = self.folder / f"home/{name}"
            home.mkdir(parents=True, exist_ok=True)
            os.chown(home, uid, uid)
            os.chmod(home, 0o700)
            passwd += f"{name}:x:{uid}:{uid}::{home}:/bin/sh\n"
            group += f"{name}:x:{uid}:\n"
            shadow += f"{name}:{crypted}:20000:0:99999:7::{expire}:\n"
            uid += 1
        (etc / "passwd").write_text(passwd)
        (etc / "group").write_text(group)
        (etc / "shadow").write_text(shadow)
        os.chmod(etc / "shadow", 0o600)
        pam = etc / "pam.d"
        if not pam.exists():
            shutil.copytree("/etc/pam.d", pam, symlinks=True)
            (pam / "culver").write_text("auth required pam_unix.so\naccount required pam_unix.so\n")

    def default_listeners(self):
        out = []
        for name, protocol, tls in (("imap", "imap", "starttls"), ("imaps", "imap", "implicit"), ("pop3", "pop3", "starttls"),
                                    ("pop3s", "pop3", "implicit"), ("lmtp", "lmtp", "none")):
            if not self.tls:
                if tls == "implicit":
                    continue
                tls = "none"
            out.append(f"listener {name} {{\n    protocol = {protocol}\n    address = 127.0.0.1\n    port = {self.ports[name]}\n"
                       f"    tls = {tls}\n}}\n")
        return "".join(out)

    def write_conf(self):
        f = self.folder
        tls = f"tls_certificate = {f}/etc/tls.crt\ntls_key = {f}/etc/tls.key\n" if self.tls else ""
        passdbs = self.passdbs or f"passdb file {{\n    driver = passwd-file\n    file = {f}/etc/users\n}}\n"
        userdbs = self.userdbs or f"userdb file {{\n    driver = static\n    uid = virtual\n    gid = virtual\n}}\n"
        first = "" if self.rootless else "virtual_uid_first = 62000\nvirtual_uid_last = 62999\n"
        self.conf.write_text(
            f"log = file\nlog_file = {f}/log\nlog_level = {self.log_level}\nhostname = mail.test\nstate_dir = {f}/state\nrun_dir = {f}/run\n"
            f"mail_path = {f}/mail/%u\nauth_failure_delay = 100ms\nauth_allow_weak_schemes = yes\n{first}{tls}{self.extra}\n"
            f"{self.listeners or self.default_listeners()}{passdbs}{userdbs}")

    # --- life ----------------------------------------------------------------------------------------------------
    def command(self, *args):
        """The command line of one of our programs, as this server's owner and in its namespace."""
        argv = [str(self.bin / args[0]), *args[1:]]
        if self.rootless:
            if ROOT:
                return ["setpriv", f"--reuid={ROOTLESS_UID}", f"--regid={ROOTLESS_UID}", "--clear-groups", "--", *argv]
            return argv
        etc = self.folder / "etc"
        mounts = "".join(f"mount --bind {etc}/{n} /etc/{n} && " for n in ("passwd", "group", "shadow", "pam.d"))
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'{mounts}exec "$@"', "sh", *argv]

    def start(self, wait=True):
        sanitizers = {n: os.environ[n] for n in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS") if n in os.environ}
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **sanitizers, **self.env}
        self.proc = subprocess.Popen(self.command("culver", "-c", str(self.conf)), env=env, stdin=subprocess.DEVNULL,
                                     stdout=open(self.folder / "stdout", "ab"), stderr=open(self.folder / "stderr", "ab"))
        if wait:
            wait_for(self._up, 15, f"server start; log:\n{self.log_text()[-3000:]}\n{self._stderr()}")
        return self

    def _up(self):
        if self.proc.poll() is not None:
            raise AssertionError(f"culver ended with {self.proc.returncode}:\n{self._stderr()}\n{self.log_text()[-3000:]}")
        names = ("imap", "pop3", "lmtp") if self.listeners is None else ()
        return all(self._greets(self.ports[n]) for n in names)

    @staticmethod
    def _greets(port):
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as s:
                s.settimeout(1)
                return bool(s.recv(100))
        except OSError:
            return False

    def stop(self):
        if self.proc is not None and self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(20)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
                raise AssertionError("culver did not end within 20 s of SIGTERM")

    def close(self):
        try:
            self.stop()
        finally:
            if self.own_folder and not os.environ.get("CULVER_KEEP"):
                shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *exc):
        self.close()

    # --- looking -------------------------------------------------------------------------------------------------
    def log_text(self):
        try:
            return (self.folder / "log").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def _stderr(self):
        path = self.folder / "stderr"
        return path.read_text(errors="replace") if path.exists() else ""

    def ctl(self, *args, check=True, input=None):
        r = subprocess.run(self.command("culverctl", "-c", str(self.conf), *args), capture_output=True, text=True, input=input, timeout=30)
        if check and r.returncode != 0:
            raise AssertionError(f"culverctl {args}: {r.returncode} {r.stdout}{r.stderr}")
        return r

    def pids(self):
        """All processes of this server: pid -> program name. Only /proc/<pid>/stat is for everyone to read: the services are not
        dumpable."""
        programs = {name[:15]: name for name in os.listdir(self.bin)}
        out = {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                stat = Path(f"/proc/{entry}/stat").read_text(errors="replace")
            except OSError:
                continue
            comm, rest = stat.split("(", 1)[1].rsplit(")", 1)
            if comm in programs and rest.split()[0] not in "ZX":
                out[int(entry)] = (programs[comm], int(rest.split()[1]))
        mine = {self.proc.pid}
        grown = True
        while grown:
            grown = False
            for pid, (_, parent) in out.items():
                if parent in mine and pid not in mine:
                    mine.add(pid)
                    grown = True
        return {pid: name for pid, (name, _) in out.items() if pid in mine}

    def pids_of(self, program):
        return sorted(p for p, n in self.pids().items() if n == program)

    # --- clients -------------------------------------------------------------------------------------------------
    def tls_context(self):
        context = ssl.create_default_context(cafile=str(self.folder / "etc/tls.crt"))
        return context

    def imap(self, user="alice", password=None, login=True, port="imap"):
        import imaplib
        client = imaplib.IMAP4("127.0.0.1", self.ports[port], timeout=20)
        if login:
            client.login(user, password or self.password(user))
        return client

    def imaps(self, user="alice", login=True):
        import imaplib
        context = self.tls_context()
        context.check_hostname = False
        client = imaplib.IMAP4_SSL("127.0.0.1", self.ports["imaps"], ssl_context=context, timeout=20)
        if login:
            client.login(user, self.password(user))
        return client

    def pop3(self, user="alice", login=True):
        import poplib
        client = poplib.POP3("127.0.0.1", self.ports["pop3"], timeout=20)
        if login:
            client.user(user)
            client.pass_(self.password(user))
        return client

    def lmtp(self):
        import smtplib
        return smtplib.LMTP("127.0.0.1", self.ports["lmtp"])

    def deliver(self, user, message, sender="sender@example.org"):
        with self.lmtp() as client:
            return client.sendmail(sender, [user], message)

    def raw(self, name):
        return Raw(self.ports[name])


class Deflated:
    """The socket of a connection that is compressed from now on (RFC 4978); received: what came behind the OK."""

    def __init__(self, sock, received=b""):
        self.sock = sock
        self.packer, self.unpacker = zlib.compressobj(wbits=-15), zlib.decompressobj(-15)
        self.ready = self.unpacker.decompress(received)

    def sendall(self, data):
        self.sock.sendall(self.packer.compress(data) + self.packer.flush(zlib.Z_SYNC_FLUSH))

    def recv(self, size):
        while not self.ready:
            data = self.sock.recv(size)
            if not data:
                return data
            self.ready = self.unpacker.decompress(data)
        data, self.ready = self.ready, b""
        return data

    def shutdown(self, how):
        self.sock.shutdown(how)

    def close(self):
        self.sock.close()


class Raw:
    """A client that says exactly the bytes a test wants."""

    def __init__(self, port, timeout=15):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout)
        self.pending = b""

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def deflate(self):
        self.sock, self.pending = Deflated(self.sock, self.pending), b""

    def line(self):
        while b"\n" not in self.pending:
            data = self.sock.recv(65536)
            if not data:
                line, self.pending = self.pending, b""
                return line
            self.pending += data
        line, self.pending = self.pending.split(b"\n", 1)
        return line + b"\n"

    def until(self, pattern):
        """Lines up to and including the first that matches; AssertionError when the connection ends before."""
        lines = []
        while True:
            line = self.line()
            lines.append(line)
            if re.search(pattern, line):
                return lines
            if not line:
                raise AssertionError(f"connection ended before {pattern!r}: {lines}")

    def read(self, n):
        while len(self.pending) < n:
            data = self.sock.recv(65536)
            if not data:
                break
            self.pending += data
        data, self.pending = self.pending[:n], self.pending[n:]
        return data

    def ask(self, command, tag=b"t"):
        """Sends an IMAP command and returns all lines up to its tagged answer."""
        command = command if isinstance(command, bytes) else command.encode()
        self.send(tag + b" " + command + b"\r\n")
        return self.until(rb"^" + re.escape(tag) + rb" ")

    def eof(self):
        """True when the server closes (what it still says is read)."""
        try:
            while True:
                data = self.sock.recv(65536)
                if not data:
                    return True
                self.pending += data
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
