"""PAM: a real stack. As root pam_unix with a shadow file of the test's own; otherwise pam_wrapper with a service folder."""

import crypt
import glob
import os
import time

import pytest

from harness import ROOT, Raw, Server

PASSDB = "passdb pam {\n    driver = pam\n    service = culver\n}\n"


def answer(server, user, password):
    with Raw(server.ports["imap"]) as c:
        c.line()
        return c.ask(f"LOGIN {user} {password}")[-1]


@pytest.mark.skipif(not ROOT, reason="pam_unix needs root to read the shadow file")
def test_pam_unix():
    good = crypt.crypt("right", crypt.mksalt(crypt.METHOD_SHA512, rounds=1000))
    yesterday = str(int(time.time() // 86400) - 1)
    users = [("pamuser", good, ""), ("expired", good, yesterday)]
    with Server(rootless=False, system_users=users, passdbs=PASSDB) as server:
        assert answer(server, "pamuser", "right").startswith(b"t OK")
        assert answer(server, "pamuser", "wrong").startswith(b"t NO [AUTHENTICATIONFAILED]")
        assert answer(server, "nobody-here", "right").startswith(b"t NO [AUTHENTICATIONFAILED]")
        assert answer(server, "expired", "right").startswith(b"t NO [EXPIRED]")
        assert answer(server, "expired", "wrong").startswith(b"t NO [AUTHENTICATIONFAILED]")
        assert "right" not in server.log_text()


def wrapper_library():
    found = glob.glob("/usr/lib/*/libpam_wrapper.so*") + glob.glob("/usr/lib/libpam_wrapper.so*")
    return found[0] if found else None


def pam_module(name):
    found = glob.glob(f"/usr/lib/*/security/{name}") + glob.glob(f"/lib/*/security/{name}")
    return found[0] if found else None


@pytest.mark.skipif(wrapper_library() is None or pam_module("pam_pwdfile.so") is None, reason="libpam-wrapper, libpam-pwdfile")
def test_pam_wrapper_rootless(tmp_path):
    server = Server(rootless=True, passdbs=PASSDB, users=["pamuser"])
    services = server.folder / "services"
    services.mkdir()
    passwords = server.folder / "etc/pwdfile"
    passwords.write_text(f"pamuser:{crypt.crypt('right', crypt.mksalt(crypt.METHOD_SHA512, rounds=1000))}\n")
    (services / "culver").write_text(f"auth required {pam_module('pam_pwdfile.so')} pwdfile={passwords}\naccount required pam_permit.so\n")
    for p in (services, services / "culver", passwords):
        os.chmod(p, 0o755)
    server.env = {"LD_PRELOAD": wrapper_library(), "PAM_WRAPPER": "1", "PAM_WRAPPER_SERVICE_DIR": str(services)}
    with server:
        assert answer(server, "pamuser", "right").startswith(b"t OK")
        assert answer(server, "pamuser", "wrong").startswith(b"t NO [AUTHENTICATIONFAILED]")
