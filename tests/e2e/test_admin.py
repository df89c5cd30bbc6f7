"""culver's options, culverctl, reload."""

import subprocess

import pytest

from harness import ROOT, Server, free_port, make_certificate, wait_for


def test_check_and_print(any_server):
    run = lambda *a: subprocess.run(any_server.command("culver", "-c", str(any_server.conf), *a), capture_output=True, text=True)
    assert run("-t").returncode == 0
    r = run("-n")
    assert r.returncode == 0 and "hostname = mail.test" in r.stdout and f"port = {any_server.ports['imap']}" in r.stdout


def test_all_errors_at_once(tmp_path):
    with Server() as server:
        bad = server.folder / "bad.conf"
        bad.write_text("log_levle = info\nlogin_timeout = fast\nlistener imap {\n    port = 70000\n    protocol = smtp\n}\nfrob {\n}\n")
        r = subprocess.run(server.command("culver", "-c", str(bad), "-t"), capture_output=True, text=True)
        assert r.returncode != 0
        for line, word in ((1, "log_level"), (2, "login_timeout"), (4, "port"), (5, "protocol"), (7, "frob")):
            assert any(f"bad.conf:{line}:" in l and word in l for l in r.stderr.splitlines()), r.stderr


def test_status_and_who(any_server):
    client = any_server.imap()
    status = any_server.ctl("status").stdout
    for name in ("auth", "keys", "imap-login", "pop3-login", "lmtp"):
        assert name in status
    who = any_server.ctl("who").stdout
    assert any("alice" in l and "imap" in l and "127.0.0.1" in l for l in who.splitlines())
    client.logout()


def test_kick(any_server):
    with any_server.raw("imap") as c:
        c.line()
        c.ask("LOGIN alice pw-alice")
        any_server.ctl("kick", "alice")
        assert c.until(rb"^\* BYE|^$")[-1].startswith(b"* BYE")
    assert any_server.ctl("kick", "nobody-here", check=False).returncode != 0


def test_hash_password(any_server):
    out = any_server.ctl("hash-password", input="secret\n").stdout.strip()
    assert out.startswith("{ARGON2ID}$argon2id$")
    any_server.write_passwd([f"{u}:{{PLAIN}}{any_server.password(u)}::::::" for u in any_server.users] + [f"carol:{out}::::::"])
    client = wait_for(lambda: login(any_server, "carol", "secret"), 10)
    client.logout()
    assert login(any_server, "carol", "Secret") is None


def login(server, user, password):
    try:
        return server.imap(user, password)
    except Exception:
        return None


def test_reload_keeps_sessions_and_serves_new_settings():
    with Server() as server:
        client = server.imap()
        client.select("INBOX")
        tls_client = server.imaps()
        tls_client.select("INBOX")
        port = free_port()
        old = server.conf.read_text()
        server.conf.write_text(f"greeting = Second life.\n{old}\nlistener extra {{\n    protocol = imap\n    address = 127.0.0.1\n    port = {port}\n}}\n")
        assert server.ctl("reload").returncode == 0

        def greeting():
            try:
                with server.raw("imap") as c:
                    return b"Second life" in c.line()
            except OSError:
                return False
        wait_for(greeting, 10, "the new greeting")
        server.ports["extra"] = port
        wait_for(lambda: server._greets(port), 5, "the new listener")
        assert client.noop()[0] == "OK" and tls_client.noop()[0] == "OK"
        # A bad file changes nothing and is reported.
        server.conf.write_text("no_such_setting = 1\n" + old)
        r = server.ctl("reload", check=False)
        assert r.returncode != 0 and "no_such_setting" in r.stdout + r.stderr
        assert greeting() and client.noop()[0] == "OK"
        # Back again: the extra listener goes away.
        server.conf.write_text(old)
        server.ctl("reload")
        wait_for(lambda: not server._greets(port), 10, "the extra listener to go")
        assert client.noop()[0] == "OK" and tls_client.noop()[0] == "OK"
        login(server, "bob", "pw-bob").logout()


def test_stop():
    with Server() as server:
        server.ctl("stop")
        wait_for(lambda: server.proc.poll() is not None, 15, "the end")
        assert server.proc.returncode == 0


def test_several_certificates_by_name():
    import socket
    import ssl
    with Server() as server:
        make_certificate(server.folder / "etc", "mail.example.org", "second", "ec")
        if server.rootless and ROOT:
            import os
            for n in ("second.key", "second.crt"):
                os.chown(server.folder / "etc" / n, 61234, 61234)
        server.conf.write_text(server.conf.read_text() + f"tls_host mail.example.org {{\n    certificate = {server.folder}/etc/second.crt\n"
                               f"    key = {server.folder}/etc/second.key\n}}\n")
        server.ctl("reload")

        def certificate(name):
            context = ssl.create_default_context(cafile=str(server.folder / ("etc/second.crt" if name != "localhost" else "etc/tls.crt")))
            with socket.create_connection(("127.0.0.1", server.ports["imaps"])) as s:
                with context.wrap_socket(s, server_hostname=name) as t:
                    return dict(x[0] for x in t.getpeercert()["subject"])["commonName"]

        def works():
            try:
                return certificate("mail.example.org") == "mail.example.org"
            except (OSError, ssl.SSLError):
                return False
        wait_for(works, 10, "the second certificate")
        assert certificate("localhost") == "localhost"


@pytest.mark.parametrize("isolation", ["connection", "shared"])
def test_login_isolation(isolation):
    with Server(extra=f"login_isolation = {isolation}\n") as server:
        clients = [server.imap(), server.imaps(), server.imaps("bob")]
        for c in clients:
            assert c.select("INBOX")[0] == "OK"
            c.logout()
        login_count = len(server.pids_of("culver-imap-login"))
        assert login_count == 1 or isolation == "connection"
