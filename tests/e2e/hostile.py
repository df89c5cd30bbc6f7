"""Puts a test in the place of a login or LMTP service: it then holds that service's channels and can say what a hijacked one could.

The service's program is replaced by a small one that takes the start sequence from master and hands everything, descriptors
included, to the test. As the parent the test is honest (it announces connections); as a connection it is what the test wants.
"""

import array
import os
import re
import select
import shutil
import socket
import struct
import time
from pathlib import Path

from harness import BIN, ROOT, Server, wait_for

ROOT_DIR = Path(__file__).resolve().parents[2]


def kinds():
    text = (ROOT_DIR / "common/ipc/kinds.h").read_text()
    body = text[text.index("enum ipc_kind {"):]
    body = re.sub(r"/\*.*?\*/", "", body[:body.index("};")], flags=re.S)
    return {name: n for n, name in enumerate(re.findall(r"IPC_[A-Z_]+", body), 1)}


KIND = kinds()
NAME = {n: name for name, n in KIND.items()}
IMAP, POP3, LMTP = 1, 2, 3

STUB = """#!/usr/bin/python3 -I
import array, signal, socket, sys
master = socket.socket(fileno=3)
master.setblocking(True)
test = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
test.connect({path!r})
while True:
    data, control, flags, addr = master.recvmsg(20000, socket.CMSG_SPACE(8))
    if not data:
        sys.exit(0)
    fds = array.array("i")
    for level, kind, bytes in control:
        fds.frombytes(bytes[:len(bytes) - len(bytes) % 4])
    test.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else [])
    if data[0] == {go}:
        test.sendmsg([b"master"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [3]))])
        break
master.close()
signal.pause()
"""


def view(data):
    data = data if isinstance(data, bytes) else data.encode()
    return struct.pack("<H", len(data)) + data


def addr(ip="192.0.2.7", port=4000):
    return struct.pack("<B16sH", 4, socket.inet_aton(ip), port)


def take(tag="a", info="", data=b"", tls=0, final=b""):
    return struct.pack("<B", tls) + view(info) + view(tag) + view(data) + view(final)


def plain(user, password, secured=1):
    return struct.pack("<BB", secured, 1) + view("PLAIN") + view(b"\0" + user.encode() + b"\0" + password.encode()) + view(b"") + view(b"") + view(b"")


def deliver(rcpt_id, size, sender="s@example.org", prefix="X-Trace: 1\r\n", detail="", session=0):
    return struct.pack("<QIQ", session, rcpt_id, size) + view(sender) + view(prefix) + view(detail)


def memfd(data, seals=0xF, name="message"):
    import fcntl
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    if seals:
        fcntl.fcntl(fd, 1033, seals)  # F_ADD_SEALS
    return fd


class Channel:
    """One end of an internal channel."""

    def __init__(self, sock):
        self.sock = sock
        sock.settimeout(5)

    def send(self, kind, body=b"", fds=()):
        number = KIND[kind] if isinstance(kind, str) else kind
        self.send_raw(struct.pack("<HH", number, 0) + body, fds)

    def send_raw(self, packet, fds=()):
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sock.sendmsg([packet], control)

    def recv(self):
        """(kind's name, body), or None when the channel was closed."""
        try:
            data, control, flags, _ = self.sock.recvmsg(20000, socket.CMSG_SPACE(8))
        except ConnectionError:
            return None
        for level, kind, fds in control:
            for fd in array.array("i", fds[:len(fds) - len(fds) % 4]):
                os.close(fd)
        if not data:
            return None
        return NAME[struct.unpack("<H", data[:2])[0]], data[4:]

    def closed(self):
        """True when the other end closes it; what that still says is read."""
        while self.recv() is not None:
            pass
        return True

    def silent(self, seconds=0.2):
        return not select.select([self.sock], [], [], seconds)[0]

    def close(self):
        self.sock.close()


class Conn:
    """A connection as its process has it: a channel to auth and one to master."""

    def __init__(self, service, proxy=0, ip="192.0.2.7"):
        self.id = int.from_bytes(os.urandom(8), "little") or 1
        self.client, self.peer = socket.socketpair()  # peer: what would be the client's socket
        facts = struct.pack("<QBIB", self.id, service.protocol, 0, proxy) + addr(ip) + addr("127.0.0.1", 143)
        ends = []
        for to in (service.auth, service.master):
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            to.send("IPC_LOGIN_CONN", facts, [theirs.fileno()])
            theirs.close()
            ends.append(Channel(ours))
        self.auth, self.master = ends

    def log_in(self, user, password=None):
        self.auth.send("IPC_CONN_AUTH", plain(user, password or Server.password(user)))
        return self.auth.recv()

    def rcpt(self, rcpt_id, address):
        self.auth.send("IPC_LCONN_RCPT", struct.pack("<I", rcpt_id) + view(address))
        kind, body = self.auth.recv()
        assert kind == "IPC_AUTH_RCPT"
        return body[4]

    def close(self):
        for end in (self.auth, self.master, self.client, self.peer):
            end.close()


class Service:
    """What one run of the replaced program was given."""

    def __init__(self, control, protocol):
        self.protocol = protocol
        self.peers = {}
        self.control = control
        master = None
        while master is None:
            data, ancillary, _, _ = control.recvmsg(20000, socket.CMSG_SPACE(8))
            assert data, "the service ended in its start sequence"
            fds = array.array("i")
            for _, _, received in ancillary:
                fds.frombytes(received)
            kind = NAME.get(struct.unpack("<H", data[:2])[0]) if data != b"master" else None
            if data == b"master":
                master = Channel(socket.socket(fileno=fds[0]))
            elif kind == "IPC_MASTER_PEER":
                self.peers[data[4]] = Channel(socket.socket(fileno=fds[0]))
            else:
                for fd in fds:
                    os.close(fd)
        self.master = master
        self.auth = self.peers[1]  # ROLE_AUTH
        self.keys = self.peers.get(3)
        self.master.send("IPC_SERVICE_READY")

    def conn(self, **kwargs):
        return Conn(self, **kwargs)

    def close(self):
        for end in (self.master, *self.peers.values()):
            end.close()


class HostileServer(Server):
    """A server whose IMAP log-in and LMTP services are the test's. POP3 is served by the real programs."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        if self.bin == BIN:
            self.bin = self.folder / "bin"
            shutil.copytree(BIN, self.bin)
            os.chmod(self.bin, 0o755)
        self.control = {}
        for program, protocol in (("culver-imap-login", IMAP), ("culver-lmtp", LMTP)):
            path = str(self.folder / f"{program}.sock")
            s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            s.bind(path)
            s.listen(8)
            s.settimeout(15)
            os.chmod(path, 0o777)
            self.control[protocol] = s
            target = self.bin / program
            target.unlink()
            target.write_text(STUB.format(path=path, go=KIND["IPC_MASTER_GO"]))
            os.chmod(target, 0o755)
        self.services = []

    def start(self, wait=True):
        super().start(wait=False)
        self.imap_service = self.next_service(IMAP)
        self.lmtp_service = self.next_service(LMTP)
        wait_for(lambda: self._greets(self.ports["pop3"]), 15, "POP3")
        return self

    def next_service(self, protocol):
        control, _ = self.control[protocol].accept()
        control.settimeout(10)
        service = Service(control, protocol)
        self.services.append(service)
        return service

    def close(self):
        for service in self.services:
            service.close()
        super().close()
        for s in self.control.values():
            s.close()
