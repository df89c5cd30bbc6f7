"""EXTERNAL (RFC 4422 appendix A) with client certificates: who is let in, who is not, and that nobody else notices."""

import base64
import os
import shutil
import ssl
import subprocess

import pytest

from harness import ROOT, ROOTLESS_UID, Raw, Server
from pki import Authority, install_client_ca

CONF = ("auth_mechanisms = plain external\ntls_client_ca = client-ca.pem\ntls_client_crl = client-crl.pem\ntls_client_name = common-name\n"
        "auth_default_domain = test\nauth_master_separator = *\n")


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    class Pki:
        folder = tmp_path_factory.mktemp("pki")
        ca = Authority(folder, "ca")
        middle = Authority(folder, "middle", above=ca)
        stranger = Authority(folder, "stranger")

    return Pki


def make_server(pki, conf=CONF, users=("alice", "bob", "mallory"), **kwargs):
    server = Server(users=users, extra=conf, **kwargs)
    install_client_ca(server, client_ca=pki.ca.crt.read_text(), client_crl=pki.ca.crl() + pki.middle.crl())
    return server


@pytest.fixture(scope="module")
def server(pki):
    etc_passdbs = ("passdb file {{\n    driver = passwd-file\n    file = {0}/etc/users\n}}\npassdb masters {{\n    driver = passwd-file\n"
                   "    file = {0}/etc/masters\n    master = yes\n}}\npassdb bad {{\n    driver = passwd-file\n    file = {0}/etc/denied\n"
                   "    deny = yes\n}}\n")
    server = make_server(pki)
    server.passdbs = etc_passdbs.format(server.folder)
    lines = [f"{u}:{{PLAIN}}{server.password(u)}::::::" for u in ("alice", "bob", "mallory", "barred")]
    server.write_passwd(lines + [f"far:{{PLAIN}}x::::::allow_nets=192.0.2.0/24", "locked:!::::::", "nologin:{PLAIN}x::::::nologin"])
    (server.folder / "etc/masters").write_text("root@test:{PLAIN}x::::::\n")
    (server.folder / "etc/denied").write_text("barred:::::::\n")
    server.write_conf()
    if server.rootless and ROOT:
        for path in (server.folder / "etc").iterdir():
            os.chown(path, ROOTLESS_UID, ROOTLESS_UID)
    with server:
        yield server


def context(server, certificate=None, version=ssl.TLSVersion.TLSv1_3):
    c = ssl.create_default_context(cafile=str(server.folder / "etc/tls.crt"))
    c.minimum_version = c.maximum_version = version
    if certificate is not None:
        c.load_cert_chain(certificate.crt, certificate.key)
    return c


class Client(Raw):
    def __init__(self, server, port, certificate=None, version=ssl.TLSVersion.TLSv1_3, starttls=None):
        super().__init__(server.ports[port])
        if starttls is not None:
            self.line()
            self.send(starttls)
            self.line()
        self.sock = context(server, certificate, version).wrap_socket(self.sock, server_hostname="localhost")
        if starttls is None:
            self.greeting = self.line()


def imap(server, certificate, **kwargs):
    return Client(server, "imaps", certificate, **kwargs)


def external(server, certificate, authzid=b"", **kwargs):
    """The tagged answer to AUTHENTICATE EXTERNAL with an initial response (RFC 4959)."""
    with imap(server, certificate, **kwargs) as c:
        return c.ask(b"AUTHENTICATE EXTERNAL " + (base64.b64encode(authzid) or b"="))[-1]


def whoami(server, certificate, authzid=b""):
    """Whose session it is, as the server's administrator sees it."""
    with imap(server, certificate) as c:
        answer = c.ask(b"AUTHENTICATE EXTERNAL " + (base64.b64encode(authzid) or b"="))[-1]
        assert answer.startswith(b"t OK"), answer
        who = server.ctl("who").stdout
    return [field for line in who.splitlines() if "imap" in line for field in line.split()]


OK, REFUSED, UNAVAILABLE = b"t OK", b"t NO [AUTHENTICATIONFAILED]", b"t NO [UNAVAILABLE]"


@pytest.mark.parametrize("kind", ["rsa", "ec", "ec384", "ed"])
def test_kinds_of_keys(server, pki, kind):
    certificate = pki.ca.issue("/CN=alice", kind=kind)
    assert external(server, certificate).startswith(OK)
    assert "alice@test" in whoami(server, certificate)


def test_announced_only_with_a_certificate(server, pki):
    """RFC 9051 6.1.1, RFC 5034 6: only where it can be used: TLS 1.3, and the client has shown a certificate, whatever it is worth."""
    alice = pki.ca.issue("/CN=alice")
    for port, pattern, command, end in (("imaps", b"AUTH=EXTERNAL", b"c CAPABILITY\r\n", rb"^c "), ("pop3s", b"EXTERNAL", b"CAPA\r\n", rb"^\.\r\n")):
        for certificate, version, there in ((alice, ssl.TLSVersion.TLSv1_3, True), (pki.stranger.issue("/CN=x"), ssl.TLSVersion.TLSv1_3, True),
                                            (None, ssl.TLSVersion.TLSv1_3, False), (alice, ssl.TLSVersion.TLSv1_2, False)):
            with Client(server, port, certificate, version) as c:
                c.send(command)
                assert (pattern in b"".join(c.until(end))) == there, (port, version, there)
    with Raw(server.ports["imap"]) as c:
        assert b"EXTERNAL" not in c.line()
        assert b"EXTERNAL" not in b"".join(c.ask("CAPABILITY"))
        assert c.ask("AUTHENTICATE EXTERNAL =")[-1].startswith(b"t NO")


def test_without_one_everything_is_as_before(server, pki):
    """A client without a certificate, or with one that nobody knows, logs in with its password."""
    for certificate in (None, pki.stranger.issue("/CN=alice")):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with imap(server, certificate, version=version) as c:
                assert c.ask("LOGIN alice pw-alice")[-1].startswith(OK)
    with imap(server, None) as c:
        assert c.ask("AUTHENTICATE EXTERNAL =")[-1].startswith(b"t NO")
    with imap(server, pki.ca.issue("/CN=alice"), version=ssl.TLSVersion.TLSv1_2) as c:
        assert c.ask("AUTHENTICATE EXTERNAL =")[-1].startswith(b"t NO")


def test_starttls_and_challenge(server, pki):
    alice = pki.ca.issue("/CN=alice")
    with Client(server, "imap", alice, starttls="s STARTTLS\r\n") as c:
        c.send("a AUTHENTICATE EXTERNAL\r\n")
        assert c.line().strip() == b"+"
        c.send(b"\r\n")
        assert c.until(rb"^a ")[-1].startswith(b"a OK")
    with Client(server, "pop3", alice, starttls="STLS\r\n") as c:
        c.send("CAPA\r\n")
        assert any(l.startswith(b"SASL ") and b"EXTERNAL" in l for l in c.until(rb"^\.\r\n"))
        c.send("AUTH EXTERNAL\r\n")
        assert c.line().strip() == b"+"
        c.send(base64.b64encode(b"alice") + b"\r\n")
        assert c.line().startswith(b"+OK")
        c.send("STAT\r\n")
        assert c.line().startswith(b"+OK 0 ")


def test_pop3(server, pki):
    for certificate, answer in ((pki.ca.issue("/CN=alice"), b"+OK"), (pki.stranger.issue("/CN=alice"), b"-ERR [AUTH]"), (None, b"-ERR")):
        with Client(server, "pop3s", certificate) as c:
            c.send("AUTH EXTERNAL =\r\n")
            assert c.line().startswith(answer)


def test_authorisation_identity(server, pki):
    """RFC 4422 A.2: none, or the certificate's own; somebody else's only where master users may."""
    alice = pki.ca.issue("/CN=alice")
    for authzid in (b"", b"alice", b"alice@test", b"ALICE"):
        assert external(server, alice, authzid).startswith(OK), authzid
    for authzid in (b"bob", b"bob*alice", b"alice*root", b"nobody", b" ", b"al/ice"):
        assert external(server, alice, authzid).startswith(REFUSED), authzid
    for authzid in (b"a\0b", b"\xff", b"a" * 256):
        assert not external(server, alice, authzid).startswith(OK), authzid
    # One that is refused does not spoil the next.
    with imap(server, alice) as c:
        assert c.ask(b"AUTHENTICATE EXTERNAL " + base64.b64encode(b"bob"))[-1].startswith(REFUSED)
        assert c.ask("AUTHENTICATE EXTERNAL =")[-1].startswith(OK)


def test_master_user(server, pki):
    root = pki.ca.issue("/CN=root")
    assert "bob@test" in whoami(server, root, b"bob")
    # A separator in a certificate is part of the name, and no name has one.
    assert external(server, pki.ca.issue("/CN=bob*root")).startswith(REFUSED)
    assert external(server, pki.ca.issue("/CN=bob*root"), b"bob").startswith(REFUSED)


def test_limits_of_the_account(server, pki):
    """Deny lists, networks, locked accounts and those without log-in are heeded as for everybody."""
    for name, answer in (("barred", REFUSED), ("far", REFUSED), ("locked", REFUSED), ("nologin", b"t NO")):
        assert external(server, pki.ca.issue(f"/CN={name}")).startswith(answer), name
    # Who is in no passdb needs none: the name is the authority's word.
    assert external(server, pki.ca.issue("/CN=guest")).startswith(OK)


def test_certificates_that_are_refused(server, pki):
    revoked = pki.ca.issue("/CN=alice")
    later = pki.middle.issue("/CN=alice")
    pki.ca.revoke(revoked)
    install_client_ca(server, client_crl=pki.ca.crl() + pki.middle.crl())
    bad = {
        "unable to get local issuer": pki.stranger.issue("/CN=alice"),
        "certificate has expired": pki.ca.issue("/CN=alice", start="20200101000000Z", end="20210101000000Z"),
        "certificate is not yet valid": pki.ca.issue("/CN=alice", start="20990101000000Z", end="20991231000000Z"),
        "certificate revoked": revoked,
        "unsuitable certificate purpose": pki.ca.issue("/CN=alice", "extendedKeyUsage = serverAuth\n"),
        "it has no name": pki.ca.issue("/O=Example"),
        "its name is no name, or it has two": pki.ca.issue("/CN=alice/CN=bob"),
        "unhandled critical extension": pki.ca.issue("/CN=alice", "1.2.3.4=critical,ASN1:NULL\n"),
        "no possible name": pki.ca.issue("/CN=al ice"),
    }
    for reason, certificate in bad.items():
        before = len(server.log_text())
        answer = external(server, certificate)
        assert answer.startswith(REFUSED), (reason, answer)
        said = server.log_text()[before:]
        assert reason in said, (reason, said)
        assert "authentication failed" in said and "mech=EXTERNAL" in said
    assert external(server, later).startswith(OK)


def test_chain(server, pki):
    """An authority below ours counts when its certificate comes along, and not once it is revoked."""
    below = pki.middle.issue("/CN=bob")
    assert external(server, below).startswith(OK)
    alone = type(below)(pki.folder / "alone.crt", below.key)
    alone.crt.write_text(below.crt.read_text().split("-----END CERTIFICATE-----\n")[0] + "-----END CERTIFICATE-----\n")
    assert external(server, alone).startswith(REFUSED)


def test_files_are_read_anew(pki):
    """Authorities and revocation lists hold from the next log-in on; what cannot be read makes no certificate wrong."""
    alice = pki.ca.issue("/CN=alice")
    with make_server(pki) as server:
        assert external(server, alice).startswith(OK)
        install_client_ca(server, client_ca=pki.stranger.crt.read_text())
        assert external(server, alice).startswith(REFUSED)
        install_client_ca(server, client_ca=pki.stranger.crt.read_text() + pki.ca.crt.read_text())
        assert external(server, alice).startswith(OK)
        install_client_ca(server, client_crl=pki.middle.crl())  # none of the authority itself
        assert external(server, alice).startswith(REFUSED)
        install_client_ca(server, client_crl=pki.ca.crl("-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200102000000Z"))
        assert external(server, alice).startswith(REFUSED)
        for ca in ("", "nonsense", pki.ca.crt.read_text() + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
            install_client_ca(server, client_ca=ca, client_crl=pki.ca.crl())
            assert external(server, alice).startswith(UNAVAILABLE), ca
        install_client_ca(server, client_ca=pki.ca.crt.read_text())
        assert external(server, alice).startswith(OK)


@pytest.mark.parametrize("field,good,bad", [
    ("user-id", ("/CN=x/UID=alice", ""), ("/CN=alice", "")),
    ("email-address", ("/CN=x/emailAddress=Alice@Test", ""), ("/CN=alice", "subjectAltName=email:alice@test")),
    ("san-email", ("/CN=x", "subjectAltName=DNS:x,email:alice@test"), ("/CN=alice", "subjectAltName=email:alice@test,email:bob@test")),
    ("san-upn", ("/CN=x", "subjectAltName=otherName:1.3.6.1.4.1.311.20.2.3;UTF8:alice"),
     ("/CN=alice/emailAddress=alice@test", "subjectAltName=email:alice@test")),
])
def test_fields(pki, field, good, bad):
    conf = CONF.replace("common-name", field).replace("tls_client_crl = client-crl.pem\n", "")
    with make_server(pki, conf) as server:
        assert external(server, pki.ca.issue(*good)).startswith(OK)
        assert external(server, pki.ca.issue(*bad)).startswith(REFUSED)


def test_s_client(server, pki):
    """With OpenSSL's own client: the hash of each cipher suite, groups, signatures and server names."""
    alice = pki.ca.issue("/CN=alice", kind="rsa")
    for options in ([], ["-groups", "X448:P-384"], ["-groups", "ffdhe2048:X25519"], ["-ciphersuites", "TLS_AES_128_GCM_SHA256"], ["-ciphersuites", "TLS_AES_256_GCM_SHA384"],
                    ["-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"], ["-groups", "P-521:X25519", "-ciphersuites", "TLS_AES_256_GCM_SHA384"],
                    ["-servername", "other.test"], ["-sigalgs", "rsa_pss_rsae_sha512"]):
        for port, start, command, answer in (("imaps", [], b"t AUTHENTICATE EXTERNAL =\r\nx LOGOUT\r\n", b"t OK"),
                                             ("pop3", ["-starttls", "pop3"], b"AUTH EXTERNAL =\r\nSTAT\r\nQUIT\r\n", b"+OK 0 0"),
                                             ("imap", ["-starttls", "imap"], b"t AUTHENTICATE EXTERNAL =\r\nx LOGOUT\r\n", b"t OK")):
            r = subprocess.run(["openssl", "s_client", "-quiet", "-ign_eof", "-connect", f"127.0.0.1:{server.ports[port]}", "-cert", alice.crt, "-key",
                                alice.key, "-CAfile", server.folder / "etc/tls.crt", "-tls1_3", *start, *options], input=command,
                               capture_output=True, timeout=30)
            assert answer in r.stdout, (options, port, r.stdout, r.stderr)


def test_no_resumption(server, pki):
    """A session that is taken up again would have no certificate in its handshake: there is nothing to take up."""
    with imap(server, pki.ca.issue("/CN=alice")) as c:
        assert not c.sock.session_reused and not c.sock.session.has_ticket


def test_large_chain(server, pki):
    """A chain that nobody can need ends the handshake; the largest that may pass is checked."""
    alice = pki.ca.issue("/CN=alice")
    one = alice.crt.read_text()
    filler = pki.ca.crt.read_text()
    many = type(alice)(pki.folder / "many.crt", alice.key)
    many.crt.write_text(one + filler * 9)
    assert external(server, many).startswith(OK)
    many.crt.write_text(one + filler * 10)
    assert external(server, many).startswith(REFUSED)
    many.crt.write_text(one + filler * 60)
    with pytest.raises((OSError, AssertionError)):
        external(server, many)
    assert external(server, alice).startswith(OK)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_curl(server, pki):
    for authority, good in ((pki.ca, True), (pki.stranger, False)):
        certificate = authority.issue("/CN=alice")
        r = subprocess.run(["curl", "-s", "-S", f"imaps://localhost:{server.ports['imaps']}/", "--cacert", server.folder / "etc/tls.crt", "--cert",
                            certificate.crt, "--key", certificate.key, "-u", "alice:", "--login-options", "AUTH=EXTERNAL"], capture_output=True,
                           text=True, timeout=30)
        assert (r.returncode == 0) == good, r.stderr


def test_shared_isolation(pki):
    with make_server(pki, CONF + "login_isolation = shared\n") as server:
        assert external(server, pki.ca.issue("/CN=alice")).startswith(OK)
        assert external(server, pki.stranger.issue("/CN=alice")).startswith(REFUSED)


def test_behind_a_proxy(pki):
    """With a PROXY header, and TLS that ends here: the proof is between the client and this server."""
    server = make_server(pki, CONF + "proxy_networks = 127.0.0.0/8\n")
    server.conf.write_text(server.conf.read_text().replace(f"    port = {server.ports['imaps']}\n",
                                                           f"    port = {server.ports['imaps']}\n    proxy_protocol = yes\n"))
    with server, Raw(server.ports["imaps"]) as c:
        c.send("PROXY TCP4 192.0.2.77 127.0.0.1 1000 993\r\n")
        c.sock = context(server, pki.ca.issue("/CN=alice")).wrap_socket(c.sock, server_hostname="localhost")
        assert b"AUTH=EXTERNAL" in c.line()
        assert c.ask("AUTHENTICATE EXTERNAL =")[-1].startswith(OK)
        assert "mech=EXTERNAL peer=192.0.2.77" in server.log_text()
