"""OAUTHBEARER and XOAUTH2 with tokens that their issuer is asked about (RFC 7662), over HTTP and HTTPS."""

import base64
import json
import os
import shutil
import socket
import ssl
import tempfile
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness import BIN, ROOT, Server, make_certificate
from test_oauth import attempt, bearer, xoauth2

pytestmark = pytest.mark.skipif(not (BIN / "culver-auth-oauth2").exists(), reason="built without libcurl")
CLIENT, SECRET = "mail & more", "s3cret:+/ö"
GOOD = {"active": True, "username": "alice", "scope": "openid imap", "aud": "mail", "iss": "https://id.test/"}


class Issuer:
    """Answers what is in `answers`: for each token a dictionary, or (status, headers, bytes)."""

    def __init__(self, certificate=None, account=None):
        issuer = self
        self.answers, self.asked, self.hang = {}, [], threading.Event()
        form = f"{urllib.parse.quote(CLIENT, safe='')}:{urllib.parse.quote(SECRET, safe='')}"
        self.account = account or "Basic " + base64.b64encode(form.encode()).decode()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_POST(self):
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                token = form["token"][0]
                issuer.asked.append(token)
                answer = issuer.answers.get(token, {"active": False})
                if answer == "hang" or issuer.hang.is_set():
                    issuer.hang.wait(30)
                    self.close_connection = True
                    return
                if self.headers["Authorization"] != issuer.account or self.path != "/introspect":
                    answer = (401, {}, b"{}")
                if isinstance(answer, dict):
                    answer = (200, {"Content-Type": "application/json"}, json.dumps(answer).encode())
                status, headers, body = answer
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # the reader has had enough

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.hang.set()
        self.http.shutdown()
        self.http.server_close()


def serve(folder, url, settings="", database="", client=f"client_id = {CLIENT}"):
    os.chmod(folder, 0o755)
    password = folder / "password"
    password.write_text(SECRET + "\n")
    os.chmod(password, 0o600 if ROOT else 0o644)
    return Server(users=["alice", "bob"], extra=(
        "auth_mechanisms = plain oauthbearer xoauth2\noauth2_database = tokens\noauth2_user_claim = username\noauth2_scope = imap\n"
        f"{settings}\ndatabase tokens {{\n    driver = oauth2\n    connect = {url}\n    password_file = {password}\n    {client}\n    {database}\n}}\n"))


def outcome(server, token, user="alice", mech="OAUTHBEARER"):
    answer, error = attempt(server, mech, (bearer if mech == "OAUTHBEARER" else xoauth2)(token, user=user))
    if answer.startswith(b"t OK"):
        assert error is None
        return "good"
    if answer.startswith(b"t NO [AUTHENTICATIONFAILED]"):
        assert error["status"] in ("invalid_token", "401")
        return "wrong"
    assert answer.startswith(b"t NO [UNAVAILABLE]") and error is None, answer
    return "down"


def test_answers(tmp_path):
    issuer, now = Issuer(), int(time.time())
    huge = json.dumps({**GOOD, "x": "y" * 40000}).encode()
    issuer.answers = {
        "good": GOOD, "a-._~+/=": {**GOOD, "exp": now + 300, "nbf": now - 5}, "list": {**GOOD, "aud": ["x", "mail"]}, "bob": {**GOOD, "username": "bob"},
        "inactive": {**GOOD, "active": False}, "expired": {**GOOD, "exp": now - 60}, "exp-text": {**GOOD, "exp": "never"},
        "not-yet": {**GOOD, "nbf": now + 120}, "issuer": {**GOOD, "iss": "https://other.test/"}, "no-issuer": {k: v for k, v in GOOD.items() if k != "iss"},
        "audience": {**GOOD, "aud": "web"}, "no-audience": {k: v for k, v in GOOD.items() if k != "aud"}, "scope": {**GOOD, "scope": "imaps"},
        "no-name": {k: v for k, v in GOOD.items() if k != "username"}, "name": {**GOOD, "username": "al/ice"}, "long-name": {**GOOD, "username": "a" * 3000},
        "text": (200, {}, b"true"), "no-active": {"username": "alice"}, "active-text": {**GOOD, "active": "true"}, "empty": (200, {}, b""),
        "twice": (200, {}, json.dumps(GOOD)[:-1].encode() + b',"active":false}'), "huge": (200, {}, huge), "error": (500, {}, json.dumps(GOOD).encode()),
        "elsewhere": (307, {"Location": "/introspect"}, json.dumps(GOOD).encode()), "deep": (200, {}, b'{"a":' + b"[" * 40 + b"]" * 40 + b"}"),
    }
    down = {"text", "no-active", "active-text", "empty", "twice", "huge", "error", "elsewhere", "deep"}
    with serve(tmp_path, f"http://127.0.0.1:{issuer.port}/introspect", "oauth2_issuer = https://id.test/\noauth2_audience = mail post\n") as server:
        for token in ("good", "a-._~+/=", "list"):
            assert outcome(server, token) == "good", token
            assert outcome(server, token, mech="XOAUTH2") == "good", token
        assert outcome(server, "good", user="") == "good"
        assert outcome(server, "bob", user="bob") == "good"
        assert outcome(server, "bob") == "wrong"
        assert outcome(server, "unknown") == "wrong"
        for token in issuer.answers:
            if token not in ("good", "a-._~+/=", "list", "bob"):
                assert outcome(server, token) == ("down" if token in down else "wrong"), token
        assert outcome(server, "x" * 5000) == "wrong"
        assert issuer.asked[-1] == "x" * 5000 and "a-._~+/=" in issuer.asked
        assert SECRET not in server.log_text() and "a-._~+/=" not in server.log_text()
        # It comes and goes.
        issuer.close()
        assert outcome(server, "after") == "down"
        assert outcome(server, "good") == "good", "known from before"


def test_cache(tmp_path):
    issuer = Issuer()
    issuer.answers = {"good": GOOD, "bad": {"active": False}, "ends": {**GOOD, "exp": int(time.time()) - 5}}
    url = f"http://127.0.0.1:{issuer.port}/introspect"
    with serve(tmp_path, url, database="connections = 1") as server:
        for _ in range(3):
            assert outcome(server, "good") == "good"
            assert outcome(server, "bad") == "wrong"
            assert outcome(server, "ends") == "good", "clocks may differ"
        assert issuer.asked.count("good") == 1 and issuer.asked.count("bad") == 3 and issuer.asked.count("ends") == 3
        assert outcome(server, "good", user="bob") == "wrong"
    issuer.asked.clear()
    with serve(tmp_path, url, "oauth2_cache_ttl = 0") as server:
        assert [outcome(server, "good") for _ in range(2)] == ["good", "good"] and issuer.asked == ["good", "good"]
        issuer.answers["good"] = {"active": False}
        assert outcome(server, "good") == "wrong"
    issuer.close()


def test_account(tmp_path):
    """As a bearer of a token of its own, and with an account that is not accepted."""
    issuer = Issuer(account="Bearer " + SECRET.replace("ö", "o"))
    issuer.answers = {"good": GOOD}
    url = f"http://127.0.0.1:{issuer.port}/introspect"
    server = serve(tmp_path, url, client="")
    (tmp_path / "password").write_text(SECRET.replace("ö", "o") + "\n")
    with server:
        assert outcome(server, "good") == "good"
    with serve(tmp_path, url) as server:
        assert outcome(server, "good") == "down"
    issuer.close()


def test_slow(tmp_path):
    issuer = Issuer()
    issuer.answers = {"slow": "hang", "good": GOOD}
    with serve(tmp_path, f"http://127.0.0.1:{issuer.port}/introspect", database="timeout = 1s\n    connections = 1") as server:
        assert outcome(server, "slow") == "down"
        assert outcome(server, "good") == "good"
    issuer.close()


@pytest.fixture
def folder():
    """Into which everybody can look: the program reads ca_file as the account that it runs as."""
    path = Path(tempfile.mkdtemp(prefix="culver-oauth-"))
    yield path
    shutil.rmtree(path)


def test_tls(folder):
    os.chmod(folder, 0o755)
    host = socket.gethostname()
    try:
        named = socket.gethostbyname(host) == "127.0.0.1"
    except OSError:
        named = False
    certificate = make_certificate(folder, host if named else "localhost")
    stranger = make_certificate(folder, "localhost", stem="stranger")
    for path in (certificate[0], stranger[0]):
        os.chmod(path, 0o644)
    issuer = Issuer(certificate)
    issuer.answers = {"good": GOOD}
    url = f"https://{{}}:{issuer.port}/introspect"
    good = [url.format(host if named else "localhost"), url.format("127.0.0.1")]
    cases = [(u, certificate[0], "good") for u in good] + [(good[1], stranger[0], "down"), (good[1], None, "down")]
    if named:
        cases.append((url.format("localhost"), certificate[0], "down"))
    for where, ca, want in cases:
        with serve(folder, where, database=f"ca_file = {ca}" if ca else "") as server:
            assert outcome(server, "good") == want, (where, ca, [line for line in server.log_text().splitlines() if "token" in line])
    issuer.close()
