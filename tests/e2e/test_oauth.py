"""OAUTHBEARER (RFC 7628) and XOAUTH2: tokens of every kind of key that is accepted, and tokens that must not be good."""

import base64
import hashlib
import hmac
import json
import os
import shutil
import subprocess
import time

import pytest

from harness import ROOT, ROOTLESS_UID, Raw, Server

ISSUER, AUDIENCE = "https://id.test/", "mail"
CONF = ("auth_mechanisms = plain oauthbearer xoauth2\noauth2_jwks = keys.json\noauth2_issuer = https://id.test/\noauth2_audience = other mail\n"
        "oauth2_scope = imap\noauth2_openid_configuration = https://id.test/.well-known/openid-configuration\nauth_default_domain = test\n")


def b64u(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data, check=True, capture_output=True).stdout


class Key:
    """A key pair, made and used by the openssl command."""

    def __init__(self, folder, kid, kind):
        self.kid, self.kind, self.path = kid, kind, f"{folder}/{kid}.pem"
        args = {"RS": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "weak": ["RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
                "ES": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "Ed": ["ED25519"]}[kind]
        openssl("genpkey", "-algorithm", *args, "-out", self.path)
        self.public = openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")

    def jwk(self, **more):
        if self.kind in ("RS", "weak"):
            text = openssl("pkey", "-in", self.path, "-noout", "-text_pub").decode()
            modulus = bytes.fromhex("".join(text.split("Modulus:")[1].split("Exponent:")[0].split()).replace(":", ""))
            return {"kty": "RSA", "kid": self.kid, "n": b64u(modulus.lstrip(b"\0")), "e": "AQAB", **more}
        if self.kind == "ES":
            return {"kty": "EC", "crv": "P-256", "kid": self.kid, "x": b64u(self.public[-64:-32]), "y": b64u(self.public[-32:]), **more}
        return {"kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": b64u(self.public[-32:]), **more}

    def sign(self, data, alg):
        with open(self.path + ".in", "wb") as f:
            f.write(data)
        if alg == "EdDSA":
            return openssl("pkeyutl", "-sign", "-inkey", self.path, "-rawin", "-in", self.path + ".in")
        sig = openssl("dgst", "-sha" + alg[2:], "-sign", self.path, self.path + ".in")
        if alg == "ES256":
            r_len = sig[3]
            r, s = sig[4:4 + r_len], sig[6 + r_len:]
            sig = r[-32:].rjust(32, b"\0") + s[-32:].rjust(32, b"\0")
        return sig


def claims(**change):
    now = int(time.time())
    out = {"iss": ISSUER, "aud": AUDIENCE, "exp": now + 300, "nbf": now - 5, "iat": now - 5, "scope": "openid imap", "email": "alice@test", **change}
    return {k: v for k, v in out.items() if v is not None}


def token(key, alg, payload, header=None, sign=None):
    head = {"alg": alg, "typ": "JWT", "kid": key.kid, **(header or {})}
    head = {k: v for k, v in head.items() if v is not None}
    data = f"{b64u(json.dumps(head).encode())}.{b64u(payload if isinstance(payload, bytes) else json.dumps(payload).encode())}"
    return f"{data}.{b64u((sign or key.sign)(data.encode(), alg))}"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return {k: Key(folder, k, k) for k in ("RS", "ES", "Ed", "weak")} | {"stranger": Key(folder, "stranger", "RS")}


@pytest.fixture(scope="module")
def server(keys):
    server = Server(users=["alice", "bob"], extra=CONF)
    jwks = {"keys": [{"kty": "oct", "kid": "RS", "k": "AAAA"}, {"kty": "RSA", "use": "enc", **keys["stranger"].jwk(use="enc")},
                     keys["RS"].jwk(use="sig"), keys["ES"].jwk(alg="ES256"), keys["Ed"].jwk(), keys["weak"].jwk()]}
    path = server.folder / "etc/keys.json"
    path.write_text(json.dumps(jwks))
    os.chmod(path, 0o644)
    with server:
        yield server


def bearer(value, user="alice@test", flag="n"):
    return f"{flag},{'a=' + user if user else ''},\x01host=x\x01port=143\x01auth=Bearer {value}\x01\x01".encode()


def xoauth2(value, user="alice@test"):
    return f"user={user}\x01auth=Bearer {value}\x01\x01".encode()


def attempt(server, mech, message):
    """The tagged answer, and the error that came before it."""
    error = None
    with Raw(server.ports["imap"]) as c:
        c.line()
        c.send(f"t AUTHENTICATE {mech} {base64.b64encode(message).decode()}\r\n")
        line = c.line()
        if line.startswith(b"+ "):
            error = json.loads(base64.b64decode(line[2:]))
            c.send((base64.b64encode(b"\x01") if mech == "OAUTHBEARER" else b"") + b"\r\n")
            line = c.until(b"^t ")[-1]
        elif not line.startswith(b"t "):
            line = c.until(b"^t ")[-1]
        return line, error


@pytest.mark.parametrize("kind,alg", [("RS", "RS256"), ("RS", "RS384"), ("RS", "RS512"), ("ES", "ES256"), ("Ed", "EdDSA")])
def test_good_tokens(server, keys, kind, alg):
    for mech, make in (("OAUTHBEARER", bearer), ("XOAUTH2", xoauth2)):
        for payload in (claims(), claims(aud=["x", AUDIENCE]), claims(email="ALICE@Test"), claims(email_verified=True, nbf=None)):
            answer, error = attempt(server, mech, make(token(keys[kind], alg, payload)))
            assert answer.startswith(b"t OK") and error is None, (mech, payload, answer, error)
    # Without kid any key of the kind; without a user the token's own.
    assert attempt(server, "OAUTHBEARER", bearer(token(keys[kind], alg, claims(), {"kid": None}), user=""))[0].startswith(b"t OK")
    assert attempt(server, "OAUTHBEARER", bearer(token(keys[kind], alg, claims()), flag="y"))[0].startswith(b"t OK")


def test_bad_tokens(server, keys):
    now, rs, es = int(time.time()), keys["RS"], keys["ES"]
    public_as_secret = [rs.public, openssl("pkey", "-in", rs.path, "-pubout")]
    good = token(rs, "RS256", claims())
    bad = {
        "expired": token(rs, "RS256", claims(exp=now - 60)), "no exp": token(rs, "RS256", claims(exp=None)),
        "exp as text": token(rs, "RS256", claims(exp=str(now + 300))), "negative exp": token(rs, "RS256", claims(exp=-1)),
        "not yet": token(rs, "RS256", claims(nbf=now + 120)), "of the future": token(rs, "RS256", claims(iat=now + 120)),
        "issuer": token(rs, "RS256", claims(iss="https://id.test")), "no issuer": token(rs, "RS256", claims(iss=None)),
        "audience": token(rs, "RS256", claims(aud="mai")), "audiences": token(rs, "RS256", claims(aud=["x", ["mail"]])),
        "no audience": token(rs, "RS256", claims(aud=None)), "scope": token(rs, "RS256", claims(scope="openid imaps")),
        "no scope": token(rs, "RS256", claims(scope=None)), "no name": token(rs, "RS256", claims(email=None)),
        "empty name": token(rs, "RS256", claims(email="")), "name": token(rs, "RS256", claims(email="al/ice@test")),
        "unverified": token(rs, "RS256", claims(email_verified=False)), "other user": token(rs, "RS256", claims(email="bob@test")),
        "stranger": token(keys["stranger"], "RS256", claims()), "stranger as ours": token(keys["stranger"], "RS256", claims(), {"kid": "RS"}),
        "weak": token(keys["weak"], "RS256", claims()), "kid of another": token(rs, "RS256", claims(), {"kid": "ES"}),
        "kid as path": token(rs, "RS256", claims(), {"kid": "../../../etc/passwd"}), "kid as number": token(rs, "RS256", claims(), {"kid": 1}),
        "crit": token(rs, "RS256", claims(), {"crit": ["x"]}), "claim twice": token(rs, "RS256", json.dumps(claims(email=None))[:-1].encode()
                                                                                   + b',"email":"alice@test","\\u0065mail":"bob@test"}'),
        "none": token(rs, "none", claims(), sign=lambda d, a: b""), "None": token(rs, "None", claims(), sign=lambda d, a: b"x"),
        "no alg": token(rs, None, claims(), sign=lambda d, a: rs.sign(d, "RS256")),
        "other alg": token(rs, "RS384", claims(), sign=lambda d, a: rs.sign(d, "RS256")),
        "ES as RS": token(es, "RS256", claims(), sign=lambda d, a: es.sign(d, "ES256")),
        "ES in zeroes": token(es, "ES256", claims(), sign=lambda d, a: b"\0" * 64), "ES short": token(es, "ES256", claims(), sign=lambda d, a: b"\1" * 63),
        "ES in DER": token(es, "ES256", claims(), sign=lambda d, a: openssl("dgst", "-sha256", "-sign", es.path, es.path + ".in")),
        "changed": good[:-6] + ("AAAAAA" if good[-6:] != "AAAAAA" else "BBBBBB"), "cut": good.rsplit(".", 1)[0] + ".", "two parts": good.rsplit(".", 1)[0],
        "four parts": good + ".x", "padding": good + "=", "empty": "..", "text": "token", "depth": token(rs, "RS256", b'{"a":' + b"[" * 40 + b"]" * 40 + b"}"),
    }
    for i, secret in enumerate(public_as_secret):
        bad[f"key as secret {i}"] = token(rs, "HS256", claims(), sign=lambda d, a, s=secret: hmac.new(s, d, hashlib.sha256).digest())
    for what, value in bad.items():
        answer, error = attempt(server, "OAUTHBEARER", bearer(value))
        assert answer.startswith(b"t NO [AUTHENTICATIONFAILED]"), (what, answer)
        assert error == {"status": "invalid_token", "schemes": "bearer", "scope": "imap",
                         "openid-configuration": "https://id.test/.well-known/openid-configuration"}, what
    answer, error = attempt(server, "XOAUTH2", xoauth2(bad["expired"]))
    assert answer.startswith(b"t NO [AUTHENTICATIONFAILED]") and error["status"] == "401"
    assert good not in server.log_text() and good.split(".")[2] not in server.log_text()


def test_grammar(server, keys):
    good = token(keys["RS"], "RS256", claims())
    for message in (b"", b"n,,", b"n,,\x01\x01", b"p=tls-exporter,,\x01auth=Bearer " + good.encode() + b"\x01\x01", b"n,alice,\x01auth=Bearer x\x01\x01",
                    bearer(good)[:-1], bearer(good) + b"\x01", bearer(good).replace(b"Bearer", b"Basic"), bearer("a b"), bearer(""), bearer("a\0b"),
                    bearer(good, user="al=ice"), bearer(good).replace(b"host=x", b"auth=Bearer x"), xoauth2(good)):
        assert not attempt(server, "OAUTHBEARER", message)[0].startswith(b"t OK"), message
    for message in (b"", b"user=alice@test\x01\x01", b"auth=Bearer x\x01", bearer(good)):
        assert not attempt(server, "XOAUTH2", message)[0].startswith(b"t OK"), message
    # The client may give up in place of its empty reply; that is a failure all the same.
    with Raw(server.ports["imap"]) as c:
        c.line()
        c.send(b"t AUTHENTICATE OAUTHBEARER " + base64.b64encode(bearer("nonsense")) + b"\r\n")
        assert c.line().startswith(b"+ ")
        c.send("*\r\n")
        assert c.until(b"^t ")[-1].startswith(b"t NO [AUTHENTICATIONFAILED]")


def test_pop3(server, keys):
    with Raw(server.ports["pop3"]) as c:
        c.line()
        c.send("CAPA\r\n")
        assert any(line.startswith(b"SASL ") and b"OAUTHBEARER XOAUTH2" in line for line in c.until(rb"^\.\r\n"))
        c.send(b"AUTH OAUTHBEARER " + base64.b64encode(bearer("nonsense")) + b"\r\n")
        assert c.line().startswith(b"+ ")
        c.send(b"AQ==\r\n")
        assert c.line().startswith(b"-ERR [AUTH]")
        c.send(b"AUTH XOAUTH2 " + base64.b64encode(xoauth2(token(keys["ES"], "ES256", claims()))) + b"\r\n")
        assert c.line().startswith(b"+OK")


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_curl(server, keys):
    for url in (f"imap://127.0.0.1:{server.ports['imap']}/", f"pop3://127.0.0.1:{server.ports['pop3']}/"):
        for value, good in ((token(keys["Ed"], "EdDSA", claims()), True), ("nonsense", False)):
            r = subprocess.run(["curl", "-s", "-S", url, "--oauth2-bearer", value, "-u", "alice@test:", "--login-options", "AUTH=OAUTHBEARER"],
                               capture_output=True, text=True, timeout=30)
            assert (r.returncode == 0) == good, r.stderr


def test_keys_that_are_not_there(keys):
    """Keys that cannot be read make no token wrong."""
    server = Server(users=["alice"], extra=CONF)
    (server.folder / "etc/keys.json").write_text("{}")
    if server.rootless and ROOT:
        os.chown(server.folder / "etc/keys.json", ROOTLESS_UID, ROOTLESS_UID)
    with server:
        for change in (lambda p: None, lambda p: p.write_text('{"keys": ['), lambda p: p.unlink()):
            change(server.folder / "etc/keys.json")
            answer, error = attempt(server, "OAUTHBEARER", bearer(token(keys["RS"], "RS256", claims())))
            assert answer.startswith(b"t NO [UNAVAILABLE]") and error is None
