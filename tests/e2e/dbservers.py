"""Private database servers for tests: PostgreSQL and slapd, on sockets in a folder and random ports of 127.0.0.1."""

import glob
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from harness import ROOT, free_port, wait_for


def _run_as(user):
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--"] if ROOT else []


class Postgres:
    """A cluster of its own. As root it runs as the package's account: PostgreSQL refuses root."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="culver-pg-"))
        os.chmod(self.folder, 0o755)
        self.bin = Path(sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1])
        self.port = free_port()
        if ROOT:
            shutil.chown(self.folder, "postgres", "postgres")
        self.proc = None
        pw = self.folder / "pw"
        pw.write_text("super secret\n")
        os.chmod(pw, 0o644)
        self._command("initdb", "-D", f"{self.folder}/data", "-U", "admin", "-A", "scram-sha-256", f"--pwfile={pw}", "-E", "UTF8",
                      "--locale=C", "--no-sync")

    def _command(self, name, *args):
        subprocess.run([*_run_as("postgres"), str(self.bin / name), *args], check=True, capture_output=True, cwd="/")

    def start(self):
        args = [str(self.bin / "postgres"), "-D", f"{self.folder}/data", "-p", str(self.port), "-k", str(self.folder), "-c",
                "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "shared_buffers=8MB", "-c", "max_connections=20"]
        self.proc = subprocess.Popen([*_run_as("postgres"), *args], cwd="/", stdout=subprocess.DEVNULL,
                                     stderr=open(self.folder / "log", "ab") if not ROOT else subprocess.DEVNULL)
        wait_for(lambda: self.sql("select 1", check=False).returncode == 0, 30, "postgres")
        return self

    def sql(self, text, check=True):
        env = {"PGPASSWORD": "super secret", "PATH": "/usr/bin:/bin"}
        return subprocess.run([str(self.bin / "psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "admin", "-d", "postgres", "-v",
                               "ON_ERROR_STOP=1", "-q", "-A", "-t", "-c", text], env=env, check=check, capture_output=True, text=True)

    def processes(self):
        out = [self.proc.pid]
        for path in glob.glob("/proc/[0-9]*/stat"):
            try:
                rest = Path(path).read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(rest[1]) == self.proc.pid:
                out.append(int(path.split("/")[2]))
        return out

    def signal_all(self, sig):
        for pid in self.processes():
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                pass

    def kill(self):
        """As a crash: nobody says good-bye to a client."""
        if self.proc is not None:
            self.signal_all(signal.SIGCONT)
            self.signal_all(signal.SIGKILL)
            self.proc.wait()
            self.proc = None
            time.sleep(0.1)

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.close()


class Slapd:
    """A directory with the suffix dc=test, an administrator, and TLS when there is a certificate."""

    ADMIN = "cn=admin,dc=test"

    def __init__(self, certificate=None):
        self.folder = Path(tempfile.mkdtemp(prefix="culver-ldap-"))
        (self.folder / "db").mkdir()
        self.port, self.tls_port = free_port(), free_port()
        self.certificate = certificate
        self.proc = None
        tls = f"TLSCertificateFile {certificate[0]}\nTLSCertificateKeyFile {certificate[1]}\n" if certificate else ""
        (self.folder / "slapd.conf").write_text(
            "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\ninclude /etc/ldap/schema/nis.schema\n"
            f"include /etc/ldap/schema/inetorgperson.schema\npidfile {self.folder}/pid\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n{tls}"
            f"database mdb\nsuffix dc=test\nrootdn {self.ADMIN}\nrootpw admin-secret\ndirectory {self.folder}/db\n"
            "access to attrs=userPassword by anonymous auth by * none\naccess to * by * read\n")

    def start(self):
        urls = f"ldap://127.0.0.1:{self.port}/" + (f" ldaps://127.0.0.1:{self.tls_port}/" if self.certificate else "")
        self.proc = subprocess.Popen(["/usr/sbin/slapd", "-d", "0", "-f", f"{self.folder}/slapd.conf", "-h", urls],
                                     stdout=subprocess.DEVNULL, stderr=open(self.folder / "log", "ab"))
        wait_for(lambda: self.proc.poll() is None and self._tool("ldapsearch", "-b", "", "-s", "base", check=False).returncode == 0, 30,
                 "slapd")
        return self

    def _tool(self, name, *args, text="", check=True):
        r = subprocess.run([name, "-x", "-H", f"ldap://127.0.0.1:{self.port}/", "-D", self.ADMIN, "-w", "admin-secret", *args], input=text,
                           text=True, capture_output=True, timeout=30)
        assert not check or r.returncode == 0, r.stdout + r.stderr
        return r

    def add(self, ldif):
        self._tool("ldapadd", text=ldif)

    def modify(self, ldif):
        self._tool("ldapmodify", text=ldif)

    def kill(self):
        if self.proc is not None:
            self.proc.send_signal(signal.SIGCONT)
            self.proc.kill()
            self.proc.wait()
            self.proc = None

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.close()
