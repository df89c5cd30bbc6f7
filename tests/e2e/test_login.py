"""What stands before log-in: PROXY headers, limits, crashes, certificates, and where the private key is."""

import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import time

import pytest
from harness import ROOT, Server, free_port, make_certificate, wait_for

V2 = b"\r\n\r\n\0\r\nQUIT\n"


def imap_server(extra="", more_listeners="", **kwargs):
    """A server with the IMAP listeners only."""
    server = Server(extra=extra, listeners="later", **kwargs)
    default = server.default_listeners()
    server.listeners = default[:default.index("listener pop3 ")] + more_listeners
    server.write_conf()
    if server.rootless and ROOT:
        st = os.stat(server.folder)
        os.chown(server.conf, st.st_uid, st.st_gid)
    server.start()
    wait_for(lambda: server._greets(server.ports["imap"]), 15, "IMAP listener")
    time.sleep(0.3)  # until the server has seen the end of that connection
    return server


def connect(port, source="127.0.0.1"):
    s = socket.create_connection(("127.0.0.1", port), 10, (source, 0))
    s.settimeout(10)
    return s


def talk(sock, *lines):
    f = sock.makefile("rb")
    answers = []
    for line in lines:
        if line is not None:
            sock.sendall(line)
        answers.append(f.readline())
    return answers


@pytest.fixture(scope="module")
def proxied():
    port = free_port()
    listener = f"listener px {{\n    protocol = imap\n    address = *\n    port = {port}\n    tls = none\n    proxy_protocol = yes\n}}\n"
    server = imap_server("proxy_networks = 127.0.0.1/32\n", listener)
    server.proxy_port = port
    yield server
    server.close()


def v2_header(peer, tls=False):
    body = socket.inet_aton(peer) + socket.inet_aton("192.0.2.9") + struct.pack(">HH", 4711, 143)
    if tls:
        body += b"\x20" + struct.pack(">H", 5) + b"\x01\0\0\0\0"
    return V2 + b"\x21\x11" + struct.pack(">H", len(body)) + body


@pytest.mark.parametrize("header", [b"PROXY TCP4 127.0.0.9 192.0.2.9 4711 143\r\n", v2_header("127.0.0.9")])
def test_proxy_header(proxied, header):
    with connect(proxied.proxy_port) as s:
        for byte in header[:-1]:
            s.sendall(bytes([byte]))
        s.settimeout(0.3)
        with pytest.raises(TimeoutError):
            s.recv(1)
        s.settimeout(10)
        greeting, answer = talk(s, header[-1:], b"a login alice pw-alice\r\n")
        assert greeting.startswith(b"* OK") and b"LOGINDISABLED" not in greeting
        assert answer.startswith(b"a OK")
        assert "127.0.0.9" in proxied.ctl("who").stdout


def test_proxy_tells_of_tls(proxied):
    for tls in (False, True):
        with connect(proxied.proxy_port) as s:
            greeting, = talk(s, v2_header("192.0.2.77", tls))
            assert (b"LOGINDISABLED" in greeting) == (not tls)


def test_proxy_header_is_required_and_checked(proxied):
    for bad in (b"a NOOP\r\n", b"PROXY TCP4 1.2.3 4.5.6.7 1 2\r\n", V2 + b"\x21\x11\xff\xff"):
        with connect(proxied.proxy_port) as s:
            s.sendall(bad)
            assert s.recv(100) == b""
    with connect(proxied.proxy_port, "127.0.0.2") as s:  # not one of proxy_networks
        try:
            s.sendall(v2_header("127.0.0.9"))
            assert s.recv(100) == b""
        except ConnectionResetError:
            pass


def test_many_clients_behind_a_proxy(proxied):
    """The limit on an address is about clients, not about the proxy."""
    open_ones = []
    for n in range(40):
        s = connect(proxied.proxy_port)
        greeting, = talk(s, v2_header(f"192.0.2.{n + 1}"))
        assert greeting.startswith(b"* OK")
        open_ones.append(s)
    for s in open_ones:
        s.close()


@pytest.mark.parametrize("isolation", ["connection", "shared"])
def test_limit_of_an_address(isolation):
    server = imap_server(f"connections_per_address = 5\nlogin_isolation = {isolation}\n")
    try:
        wait_for(lambda: connections(server) == 0, what="no connections")
        held = [connect(server.ports["imap"]) for _ in range(5)]
        for s in held:
            assert talk(s, None)[0].startswith(b"* OK")
        with connect(server.ports["imap"]) as s:
            assert talk(s, None)[0].startswith(b"* BYE [UNAVAILABLE] Too many connections from your address")
        with connect(server.ports["imaps"]) as s:
            assert s.recv(100) == b""  # no clear text where TLS is spoken
        with connect(server.ports["imap"], "127.0.0.2") as s:
            assert talk(s, None)[0].startswith(b"* OK")
        # Logged in, it counts no longer.
        assert talk(held[0], b"a login alice pw-alice\r\n")[0].startswith(b"a OK")
        wait_for(lambda: greets(server.ports["imap"]), what="a place after a log-in")
        held[1].close()
        for s in (held[0], *held[2:]):
            s.close()
    finally:
        server.close()


def greets(port):
    with connect(port) as s:
        return talk(s, None)[0].startswith(b"* OK")


def connections(server):
    """Children of the login service (0 in shared mode)."""
    return max(0, len(server.pids_of("culver-imap-login")) - 1)


@pytest.mark.skipif(not ROOT, reason="must signal another user's process")
def test_crash_of_a_connection():
    """The client whose process died is not served for a while; nobody else notices."""
    server = imap_server()
    try:
        wait_for(lambda: connections(server) == 0, what="no connections")
        parent, = server.pids_of("culver-imap-login")
        bystander = connect(server.ports["imap"], "127.0.0.3")
        assert talk(bystander, None)[0].startswith(b"* OK")
        before = set(server.pids_of("culver-imap-login"))
        with connect(server.ports["imap"], "127.0.0.2") as victim:
            assert talk(victim, None)[0].startswith(b"* OK")
            child, = set(server.pids_of("culver-imap-login")) - before
            os.kill(child, signal.SIGSEGV)
            assert victim.recv(10) == b""
        wait_for(lambda: "connection's process was killed" in server.log_text(), what="a log line")
        assert re.search(r"level=error.*connection's process was killed.*signal=11.*peer=127.0.0.2", server.log_text())
        with connect(server.ports["imap"], "127.0.0.2") as s:
            assert talk(s, None)[0].startswith(b"* BYE [UNAVAILABLE] Not served for the moment")
        assert greets(server.ports["imap"])
        assert talk(bystander, b"a login alice pw-alice\r\n")[0].startswith(b"a OK")
        assert server.pids_of("culver-imap-login")[0] == parent
        bystander.close()
    finally:
        server.close()


@pytest.mark.parametrize("key", ["ec", "ed25519", "rsa:4096"])
def test_certificate_types(key):
    server = Server(tls=True, listeners="later")
    default = server.default_listeners()
    server.listeners = default[:default.index("listener pop3 ")]
    make_certificate(server.folder / "etc", key=key)
    server.write_conf()
    server.start()
    try:
        wait_for(lambda: server._greets(server.ports["imap"]), 15, "IMAP listener")
        client = server.imaps()
        assert client.select("INBOX")[0] == "OK"
        client.logout()
        context = server.tls_context()
        context.check_hostname = False
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        raw = socket.create_connection(("127.0.0.1", server.ports["imaps"]), 10)
        if key == "ed25519":  # signed with in TLS 1.3 only
            with pytest.raises(ssl.SSLError):
                context.wrap_socket(raw)
        else:
            with context.wrap_socket(raw) as s:
                assert s.recv(100).startswith(b"* OK")
        raw.close()
    finally:
        server.close()


def test_wrong_protocol_name_is_refused():
    server = imap_server()
    try:
        for names, good in ((["imap"], True), (["http/1.1"], False), (["h2", "imap"], True)):
            context = server.tls_context()
            context.check_hostname = False
            context.set_alpn_protocols(names)
            with socket.create_connection(("127.0.0.1", server.ports["imaps"]), 10) as raw:
                if good:
                    with context.wrap_socket(raw) as s:
                        assert s.selected_alpn_protocol() == "imap"
                else:
                    with pytest.raises(ssl.SSLError):
                        context.wrap_socket(raw)
    finally:
        server.close()


def key_parts(path):
    """Pieces of the private key as they could lie in memory: PEM text, primes and exponent in both byte orders."""
    text = subprocess.run(["openssl", "rsa", "-in", path, "-text", "-noout"], capture_output=True, text=True, check=True).stdout
    parts = {"PEM": path.read_bytes().splitlines()[5]}
    for name in ("prime1", "prime2", "privateExponent"):
        digits = re.search(name + r":\n((?:\s+[0-9a-f:]+\n)+)", text).group(1)
        number = bytes.fromhex(re.sub(r"[\s:]", "", digits)).lstrip(b"\0")
        parts[name] = number[:32]
        parts[name + " reversed"] = number[::-1][:32]
    return parts


def memory_has(pid, parts):
    found = set()
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            bounds, mode = line.split()[:2]
            start, end = (int(n, 16) for n in bounds.split("-"))
            if "r" not in mode:
                continue
            try:
                memory.seek(start)
                data = memory.read(end - start)
            except (OSError, OverflowError, ValueError):
                continue  # secret memory, vvar
            found |= {name for name, part in parts.items() if part in data}
    return found


@pytest.mark.skipif(not ROOT, reason="reads other processes' memory")
def test_private_key_is_in_no_readable_memory():
    server = imap_server()
    try:
        parts = key_parts(server.folder / "etc/tls.key")
        client = server.imaps()
        waiting = server.imaps(login=False)
        time.sleep(0.2)
        for pid, program in server.pids().items():
            found = memory_has(pid, parts)
            if program == "culver-keys" and "kind=secret" not in server.log_text():
                continue  # a kernel without secret memory
            assert not found, (program, found)
        client.logout()
        waiting.shutdown()
    finally:
        server.close()
