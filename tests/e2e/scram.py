"""A SCRAM client (RFC 5802, RFC 7677) of its own, on nothing but Python's library."""

import base64
import hashlib
import hmac
import os


class Scram:
    def __init__(self, mechanism, user, password, flag="n", binding=b"", authzid=""):
        self.digest = "sha1" if "SHA-1" in mechanism else "sha256"
        self.password = password.encode()
        name = user.replace("=", "=3D").replace(",", "=2C")
        self.header = f"{flag},{'a=' + authzid if authzid else ''},"
        self.binding = binding
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        self.bare = f"n={name},r={self.nonce}"

    def _hmac(self, key, text):
        return hmac.new(key, text if isinstance(text, bytes) else text.encode(), self.digest).digest()

    def first(self):
        return (self.header + self.bare).encode()

    def final(self, server_first):
        server_first = server_first.decode()
        parts = dict(p.split("=", 1) for p in server_first.split(","))
        assert parts["r"].startswith(self.nonce) and len(parts["r"]) > len(self.nonce) + 16
        self.rounds, self.salt = int(parts["i"]), base64.b64decode(parts["s"], validate=True)
        salted = hashlib.pbkdf2_hmac(self.digest, self.password, self.salt, self.rounds)
        client_key = self._hmac(salted, "Client Key")
        bound = base64.b64encode(self.header.encode() + self.binding).decode()
        without_proof = f"c={bound},r={parts['r']}"
        message = ",".join((self.bare, server_first, without_proof))
        signature = self._hmac(hashlib.new(self.digest, client_key).digest(), message)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.expected = b"v=" + base64.b64encode(self._hmac(self._hmac(salted, "Server Key"), message))
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()
