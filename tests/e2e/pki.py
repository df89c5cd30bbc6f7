"""Certificates for clients, made by the openssl command: authorities, what they issue, what they revoke."""

import os
import subprocess
from pathlib import Path

from harness import ROOT, ROOTLESS_UID

CONFIG = """
[ca]
default_ca = own
[own]
dir = {folder}
database = {folder}/index
new_certs_dir = {folder}
serial = {folder}/serial
crlnumber = {folder}/crlnumber
certificate = {folder}/ca.crt
private_key = {folder}/ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
unique_subject = no
copy_extensions = none
email_in_dn = yes
[any]
countryName = optional
organizationName = optional
commonName = optional
userId = optional
emailAddress = optional
[req]
distinguished_name = dn
[dn]
"""
KEYS = {"rsa": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "weak": ["RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
        "ec": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "ec384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "ed": ["ED25519"]}


def openssl(*args):
    return subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True).stdout


class Certificate:
    def __init__(self, crt, key):
        self.crt, self.key = crt, key


class Authority:
    """A certification authority; above: the one that has issued its certificate, or none."""

    def __init__(self, folder, name, above=None):
        self.folder, self.name, self.above = Path(folder) / name, name, above
        self.folder.mkdir()
        (self.folder / "index").write_text("")
        (self.folder / "serial").write_text("1000\n")
        (self.folder / "crlnumber").write_text("01\n")
        self.config = self.folder / "config"
        self.config.write_text(CONFIG.format(folder=self.folder))
        extensions = "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign, cRLSign\nsubjectKeyIdentifier = hash\n"
        self.crt, self.key = self.folder / "ca.crt", self.folder / "ca.key"
        openssl("genpkey", "-algorithm", *KEYS["ec"], "-out", self.key)
        if above is None:
            openssl("req", "-x509", "-new", "-config", self.config, "-key", self.key, "-subj", f"/CN={name}", "-days", "60", "-out", self.crt,
                    *(x for line in extensions.splitlines() for x in ("-addext", line)))
        else:
            self.crt.write_text(above.issue(f"/CN={name}", extensions=extensions, key=self.key, chain=False).crt.read_text())

    def issue(self, subject, extensions="", kind="ec", key=None, start=None, end=None, chain=True):
        """Dates as 20200101000000Z. chain: the file has the certificates of the authorities below the highest behind it."""
        stem = self.folder / os.urandom(4).hex()
        if key is None:
            key = stem.with_suffix(".key")
            openssl("genpkey", "-algorithm", *KEYS[kind], "-out", key)
        request, ext, crt = stem.with_suffix(".csr"), stem.with_suffix(".ext"), stem.with_suffix(".crt")
        openssl("req", "-new", "-config", self.config, "-key", key, "-subj", subject, "-out", request, "-utf8")
        ext.write_text("[default]\n" + (extensions or "extendedKeyUsage = clientAuth\n"))
        openssl("ca", "-batch", "-notext", "-config", self.config, "-in", request, "-out", crt, "-extfile", ext, "-extensions", "default",
                *(["-startdate", start] if start else []), *(["-enddate", end] if end else []))
        if chain and self.above is not None:
            crt.write_text(crt.read_text() + self.crt.read_text())
        return Certificate(crt, key)

    def revoke(self, certificate):
        openssl("ca", "-config", self.config, "-revoke", certificate.crt)

    def crl(self, *more):
        return openssl("ca", "-config", self.config, "-gencrl", *more).decode()


def install_client_ca(server, **files):
    """client_ca=text: the file etc/client-ca.pem, put in the place of an earlier one."""
    for name, text in files.items():
        path = server.folder / "etc" / (name.replace("_", "-") + ".pem")
        new = path.with_suffix(".new")
        new.write_text(text)
        os.chmod(new, 0o600)
        if server.rootless and ROOT:
            os.chown(new, ROOTLESS_UID, ROOTLESS_UID)
        os.rename(new, path)
