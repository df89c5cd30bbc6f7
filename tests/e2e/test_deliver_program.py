"""culver-deliver: the exit codes that MTAs go by, what becomes of odd messages, and real programs that call it."""

import os
import subprocess

import pytest

from harness import ROOT, Server

EX_OK, EX_USAGE, EX_NOUSER, EX_UNAVAILABLE, EX_CANTCREAT, EX_TEMPFAIL = 0, 64, 67, 69, 73, 75


@pytest.fixture(scope="module")
def server():
    with with_socket("") as s:
        yield s


def with_socket(extra):
    s = Server(extra=extra)
    s.sock = str(s.folder / "run/lmtp")
    s.listeners = s.default_listeners() + f"listener local {{\n    protocol = lmtp\n    address = {s.sock}\n}}\n"
    s.write_conf()
    s._up = lambda: s.proc.poll() is None and s._greets(s.ports["imap"]) and os.path.exists(s.sock)
    return s


def deliver(server, *args, message=b"Subject: x\n\nbody\n", stdin=None):
    argv = server.command("culver-deliver", "-S", server.sock, *args)
    return subprocess.run(argv, input=None if stdin else message, stdin=stdin, capture_output=True, timeout=60)


def stored(server, user, folder="INBOX"):
    client = server.imap(user)
    assert client.select(f'"{folder}"')[0] == "OK"
    n = client.search(None, "ALL")[1][0].split()[-1]
    return client.fetch(n, "BODY.PEEK[]")[1][0][1]


def body_of(message):
    return message.split(b"\r\n\r\n", 1)[1]


def test_delivers(server):
    r = deliver(server, "-d", "alice", "-f", "sender@example.org")
    assert (r.returncode, r.stdout, r.stderr) == (EX_OK, b"", b"")
    message = stored(server, "alice")
    assert message.startswith(b"Return-Path: <sender@example.org>\r\nDelivered-To: alice\r\n")
    assert message.endswith(b"Subject: x\r\n\r\nbody\r\n")


@pytest.mark.parametrize("text, body", [
    (b"a: b\n\n.\n..\n.x\n", b".\r\n..\r\n.x\r\n"), (b"a: b\r\n\r\nx\r\n.\r\ny\r\n", b"x\r\n.\r\ny\r\n"), (b"a: b\n\nno end", b"no end\r\n"),
    (b"From x@y Mon Nov 23\na: b\n\nFrom z\n", b"From z\r\n"), (b"a: b\n\n\xff\xe4\n", b"\xff\xe4\r\n"), (b"a: b\n\n", b""),
    (b"From: a\n\nx\n", b"x\r\n"), (b"a: b\n\n" + b"x" * 300000 + b"\n", b"x" * 300000 + b"\r\n")], ids=range(8))
def test_bytes(server, text, body):
    assert deliver(server, "-d", "bob", message=text).returncode == EX_OK
    assert body_of(stored(server, "bob")) == body


def test_folder_and_recipient(server):
    server.imap("alice").create("Lists")
    for args in (["-d", "alice", "-m", "Lists"], ["-a", "alice+lists@"[:-1]], ["-d", "alice", "-a", "somebody+Lists@example.org"],
                 ["-a", "alice", "-m", "Lists"], ["-a", "alice+other", "-m", "Lists"]):
        assert deliver(server, *args).returncode == EX_OK
    client = server.imap("alice")
    assert client.select("Lists")[1] == [b"5"]


@pytest.mark.parametrize("sender", ["", "<>", "MAILER-DAEMON"])
def test_null_sender(server, sender):
    assert deliver(server, "-d", "alice", "-f", sender).returncode == EX_OK
    assert stored(server, "alice").startswith(b"Return-Path: <>\r\n")


def test_refusals(server):
    assert deliver(server, "-d", "nobody").returncode == EX_NOUSER
    assert deliver(server, "-d", "nobody").stderr.startswith(b"5.1.1 ")
    for user in ("al ice", "alice\nRCPT TO:<bob>", "", "a" * 2000, "@", "alice>"):
        assert deliver(server, "-d", user).returncode == EX_NOUSER, user
    assert deliver(server, "-d", "alice", "-f", "a\r\nDATA").returncode == EX_USAGE
    for args in (["-x"], ["-d"], ["-d", "alice", "more"], ["-s", "ab"]):
        assert deliver(server, *args).returncode == EX_USAGE
    assert deliver(server, "-d", "alice", "-S", "/nonexistent/socket").returncode == EX_TEMPFAIL
    assert deliver(server, "-d", "alice", "-S", "/" + "x" * 200).returncode == EX_TEMPFAIL


def test_a_message_that_cannot_be_read_is_not_delivered(server):
    before = len(server.imap("bob").select("INBOX")[1][0])
    fd = os.open("/", os.O_RDONLY)
    try:
        assert deliver(server, "-d", "bob", stdin=fd).returncode == EX_TEMPFAIL
    finally:
        os.close(fd)
    assert len(server.imap("bob").select("INBOX")[1][0]) == before


@pytest.mark.parametrize("how, status", [("reject", EX_CANTCREAT), ("defer", EX_TEMPFAIL)])
def test_over_quota(how, status):
    with with_socket(f"quota_messages = 1\nquota_full = {how}\n") as server:
        assert deliver(server, "-d", "alice").returncode == EX_OK
        r = deliver(server, "-d", "alice")
        assert r.returncode == status and b".2.2 " in r.stderr


@pytest.mark.skipif(not ROOT, reason="Postfix's master needs root to start its daemons")
@pytest.mark.parametrize("how", ["pipe", "mailbox_command"])
def test_postfix_calls_it(tmp_path, how):
    """A real Postfix: pipe(8) for a transport, and local(8) with mailbox_command for an account of the system."""
    import smtplib
    from harness import wait_for
    from test_postfix import Postfix

    with with_socket("") as server:
        os.chmod(server.sock, 0o666)
        for folder in (tmp_path, *tmp_path.parents[:2]):
            os.chmod(folder, 0o755)
        postfix = Postfix(tmp_path, 1)
        program = f"{server.bin}/culver-deliver -S {server.sock}"
        main = (tmp_path / "etc/main.cf").read_text().replace("lmtp:inet:127.0.0.1:1", "culver")
        if how == "mailbox_command":
            main = main.replace("mailbox_transport = culver", "").replace("local_transport = culver", "local_transport = local")
            main += f'mailbox_command = {program} -d alice -f "$SENDER" -m "$EXTENSION"\n'
        (tmp_path / "etc/main.cf").write_text(main)
        with open(tmp_path / "etc/master.cf", "a") as f:
            f.write(f"culver unix - n n - - pipe user=nobody null_sender= argv={program} -f ${{sender}} -a ${{user}}\n")
        to = "alice@mta.test" if how == "pipe" else "games@mta.test"
        with postfix:
            with smtplib.SMTP("127.0.0.1", postfix.port) as client:
                client.sendmail("sender@example.org", [to], b"Subject: piped\r\n\r\n.\r\nend\r\n")
                client.sendmail("sender@example.org", ["nosuch@mta.test"], b"Subject: nobody\r\n\r\n")
            wait_for(lambda: server.pop3("alice").stat()[0] == 1, 30, f"the delivery:\n{postfix.log()}")
            message = stored(server, "alice")
            assert message.startswith(b"Return-Path: <sender@example.org>\r\n") and message.endswith(b"\r\n\r\n.\r\nend\r\n")
            if how == "pipe":
                wait_for(lambda: "dsn=5.1.1" in postfix.log(), 30, "the bounce")


def test_fetchmail_with_an_mda(server, tmp_path):
    server.deliver("alice", b"Subject: fetched\r\n\r\n.dot\r\n")
    rc = tmp_path / "rc"
    agent = " ".join(server.command("culver-deliver", "-S", server.sock, "-d", "bob", "-f", "%F")[-7:])
    rc.write_text(f'poll 127.0.0.1 protocol pop3 port {server.ports["pop3"]}: user alice password pw-alice keep\n'
                  f'    sslproto "" mda "{agent}"\n')
    rc.chmod(0o600)
    if ROOT:
        os.chown(rc, 0, 0)
    r = subprocess.run(["fetchmail", "-f", rc, "-N", "--nosyslog", "-i", tmp_path / "ids", "--pidfile", tmp_path / "pid"],
                       capture_output=True, text=True, timeout=60, env={**os.environ, "HOME": str(tmp_path)})
    assert r.returncode == 0, r.stdout + r.stderr
    assert b"Subject: fetched\r\n" in stored(server, "bob") and stored(server, "bob").endswith(b".dot\r\n")
