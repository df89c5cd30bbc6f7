"""What a hijacked log-in process can do with client certificates: nothing to who is not connecting through it."""

import hashlib
import os
import socket
import ssl
import struct

import pytest

from hostile import Channel, HostileServer, addr, view
from pki import Authority, install_client_ca

FAIL, MECHANISM, CREDENTIALS, TEMPORARY = "IPC_AUTH_FAIL", 4, 1, 2
PIECE, HANDSHAKE = 12288, 49152


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    class Pki:
        folder = tmp_path_factory.mktemp("pki")
        ca = Authority(folder, "ca")
        alice = ca.issue("/CN=alice")
        mallory = ca.issue("/CN=mallory")

    return Pki


@pytest.fixture(scope="module")
def server(pki):
    s = HostileServer(users=("alice", "bob", "mallory"), extra="auth_mechanisms = plain external\ntls_client_ca = client-ca.pem\n")
    install_client_ca(s, client_ca=pki.ca.crt.read_text())
    with s:
        yield s


def context(server, certificate):
    c = ssl.create_default_context(cafile=str(server.folder / "etc/tls.crt"))
    c.minimum_version = ssl.TLSVersion.TLSv1_3
    c.load_cert_chain(certificate.crt, certificate.key)
    return c


def recorded(server, certificate):
    """The handshake of a client that really is connecting, to another service, with a process that is honest: as that client sees it."""
    messages = []

    def saw(conn, direction, version, content_type, msg_type, data):
        if int(content_type) == 22:  # handshake
            messages.append((direction, bytes(data)))

    c = context(server, certificate)
    c._msg_callback = saw
    with socket.create_connection(("127.0.0.1", server.ports["pop3s"]), 10) as sock, c.wrap_socket(sock, server_hostname="localhost") as s:
        assert s.recv(100).startswith(b"+OK")
        proof = b""
        for direction, data in messages:
            proof += data
            if direction == "write" and data[0] == 15:  # the client's CertificateVerify
                break
        assert proof[0] == 1
        s.sendall(b"AUTH EXTERNAL =\r\n")
        assert s.recv(1000).startswith(b"+OK")  # it is a good one, there
    return proof


@pytest.fixture
def conn(server):
    c = server.imap_service.conn()
    yield c
    c.close()


def ask_nonce(conn):
    conn.auth.send("IPC_CONN_NONCE")
    kind, body = conn.auth.recv()
    assert kind == "IPC_AUTH_NONCE" and len(body) == 34
    return body[2:]


def external(conn, proof, authzid=b""):
    for at in range(0, len(proof), PIECE):
        conn.auth.send("IPC_CONN_HANDSHAKE", view(proof[at:at + PIECE]))
    conn.auth.send("IPC_CONN_AUTH", struct.pack("<BB", 1, 1) + view("EXTERNAL") + view(authzid) + view(b"") + view(b"") + view(b""))
    return conn.auth.recv()


def refused(server, conn, proof, reason, authzid=b""):
    before = len(server.log_text())
    answer = external(conn, proof, authzid)
    assert answer[0] == FAIL and answer[1][0] == CREDENTIALS, answer
    assert reason in server.log_text()[before:]
    assert server.ctl("who").stdout.count("imap") == 0


def split(proof):
    """[(type, whole message)]"""
    out = []
    while proof:
        n = 4 + int.from_bytes(proof[1:4], "big")
        out.append((proof[0], proof[:n]))
        proof = proof[n:]
    return out


def nonce_of(messages):
    at = messages[3][1].index(b"\xff\x6e\x00\x20") + 4
    return messages[3][1][at:at + 32]


def join(messages):
    return b"".join(data for _, data in messages)


def resigned(server, conn, messages, upto):
    """The server's CertificateVerify over messages[:upto], signed by culver-keys: it signs what a connection asks for."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    facts = struct.pack("<QBIB", conn.id, 1, 0, 0) + addr("192.0.2.7") + addr("127.0.0.1", 143)
    server.imap_service.keys.send("IPC_LOGIN_CONN", facts, [theirs.fileno()])
    theirs.close()
    keys = Channel(ours)
    suite = messages[1][1][4 + 2 + 32 + 1 + messages[1][1][38]:][:2]
    hash_ = hashlib.sha384 if suite == b"\x13\x02" else hashlib.sha256
    tbs = b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + hash_(join(messages[:upto])).digest()
    keys.send("IPC_CONN_SIGN", struct.pack("<IBB", 0, 2, 2) + view(hashlib.sha256(tbs).digest()))  # RSA-PSS, SHA-256
    kind, body = keys.recv()
    keys.close()
    assert kind == "IPC_KEYS_SIGNED" and len(body) > 100
    verify = struct.pack(">H", 0x0804) + struct.pack(">H", len(body) - 2) + body[2:]
    return 15, b"\x0f" + len(verify).to_bytes(3, "big") + verify


def test_a_claim_alone(server, conn):
    """A name that is claimed without a proof is nobody's."""
    ask_nonce(conn)
    for name in (b"", b"alice"):
        answer = external(conn, b"", name)
        assert answer[0] == FAIL and answer[1][0] == MECHANISM


def test_certificate_without_its_key(server, pki, conn):
    """Only the certificate, which is no secret, in a handshake that was one."""
    nonce = ask_nonce(conn)
    mallory, alice = split(recorded(server, pki.mallory)), split(recorded(server, pki.alice))
    assert [t for t, _ in mallory] == [1, 2, 8, 13, 11, 15, 20, 11, 15]
    mixed = mallory[:7] + [alice[7]] + [mallory[8]]
    refused(server, conn, join(mixed), "a handshake of another connection")
    fresh = [(t, d.replace(nonce_of(mallory), nonce)) for t, d in mixed]
    refused(server, conn, join(fresh), "the signature of the server is wrong")
    fresh[5] = resigned(server, conn, fresh, 5)
    refused(server, conn, join(fresh), "the signature of the client is wrong")


def test_replay(server, pki, conn):
    """A handshake that was good: a moment ago, on a connection of an honest process; and with everything that can be made new in it."""
    nonce = ask_nonce(conn)
    proof = recorded(server, pki.alice)
    refused(server, conn, proof, "a handshake of another connection")
    refused(server, conn, proof, "a handshake of another connection", b"alice")
    messages = split(proof)
    old = nonce_of(messages)
    assert old != nonce
    fresh = [(t, d.replace(old, nonce)) for t, d in messages]
    refused(server, conn, join(fresh), "the signature of the server is wrong")
    fresh[5] = resigned(server, conn, fresh, 5)
    refused(server, conn, join(fresh), "the signature of the client is wrong")
    # Both nonces in one request.
    request = messages[3][1]
    body = request[4:]
    n = struct.unpack(">H", body[1:3])[0]
    body = body[:1] + struct.pack(">H", n + 36) + body[3:] + b"\xff\x6e\x00\x20" + nonce
    double = list(messages)
    double[3] = (13, b"\x0d" + len(body).to_bytes(3, "big") + body)
    refused(server, conn, join(double), "no nonce in the CertificateRequest")


def test_nonce_of_another_connection(server, pki, conn):
    """Nonces belong to channels: that of one connection is none on another."""
    other = server.imap_service.conn()
    mine, others = ask_nonce(conn), ask_nonce(other)
    assert mine != others
    refused(server, conn, recorded(server, pki.alice), "a handshake of another connection")
    other.close()


def test_nonce_only_once(server, conn):
    ask_nonce(conn)
    conn.auth.send("IPC_CONN_NONCE")
    assert conn.auth.closed()


def test_no_nonce(server, pki, conn):
    """Who has asked for none, so that it would be all zeroes, has nothing to prove."""
    conn.auth.send("IPC_CONN_HANDSHAKE", view(b"x"))
    assert conn.auth.closed()


def test_pieces_and_lengths(server, pki, conn):
    ask_nonce(conn)
    proof = recorded(server, pki.alice)
    for cut in (1, 3, 4, 100, len(proof) // 2, len(proof) - 1):
        answer = external(conn, proof[:cut])
        assert answer[0] == FAIL and answer[1][0] == CREDENTIALS
    for junk in (proof + b"\0", b"\0" * 100, b"\xff" * PIECE, b"\x01\xff\xff\xff" + proof, os.urandom(HANDSHAKE)):
        answer = external(conn, junk)
        assert answer[0] == FAIL and answer[1][0] == CREDENTIALS
    for _ in range(HANDSHAKE // PIECE):
        conn.auth.send("IPC_CONN_HANDSHAKE", view(b"x" * PIECE))
    conn.auth.send("IPC_CONN_HANDSHAKE", view(b"x"))
    assert conn.auth.closed()
    for body in (view(b""), view(b"x" * (PIECE + 1)), view(b"xx")[:-1], b""):
        other = server.imap_service.conn()
        ask_nonce(other)
        other.auth.send("IPC_CONN_HANDSHAKE", body)
        assert other.auth.closed()
        other.close()


def test_bystanders(server, pki, conn):
    """All of this disturbs nobody: a client with a certificate logs in before, between and after."""
    for _ in range(3):
        recorded(server, pki.alice)
        ask = server.imap_service.conn()
        ask_nonce(ask)
        assert external(ask, os.urandom(5000))[0] == FAIL
        ask.close()
    assert "helper ended" not in server.log_text() and "was killed" not in server.log_text()
