"""What /proc shows of every process: uid, groups, capabilities, seccomp, no_new_privs, root folder, descriptors."""

import os
import pwd
import re
from pathlib import Path

import pytest

from harness import ROOT, Server, wait_for
from messages import simple


def status(pid):
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def descriptors(pid):
    out = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            out[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            pass
    return out


@pytest.fixture(scope="module", params=["root", "rootless"] if ROOT else ["rootless"])
def busy(request):
    """A server with a session of each kind open."""
    with Server(rootless=request.param == "rootless") as server:
        clients = [server.imap("alice"), server.imaps("alice"), server.imap("bob"), server.pop3("alice")]
        waiting = [server.raw(n) for n in ("imap", "pop3", "lmtp")]
        for w in waiting:
            w.line()
        clients[0].select("INBOX")
        yield server


def test_every_service_runs(busy):
    names = set(busy.pids().values())
    assert names == {"culver", "culver-auth", "culver-keys", "culver-imap-login", "culver-pop3-login", "culver-lmtp", "culver-worker"}


def test_one_worker_a_user_each_with_its_uid(busy):
    workers = busy.pids_of("culver-worker")
    assert len(workers) == 2
    uids = {status(p)["Uid"].split()[0] for p in workers}
    if busy.rootless:
        assert len(uids) == 1
    else:
        assert len(uids) == 2 and all(62000 <= int(u) <= 62999 for u in uids)
        for pid in workers:
            mail = next(t for t in descriptors(pid).values() if "/mail/" in t)
            assert os.stat(mail).st_uid == int(status(pid)["Uid"].split()[0])


def test_ids(busy):
    by_role = {}
    for pid, name in busy.pids().items():
        s = status(pid)
        uids, gids = set(s["Uid"].split()), set(s["Gid"].split())
        assert len(uids) == 1 and len(gids) == 1, (name, s["Uid"], s["Gid"])
        if name != "culver":
            assert s["Groups"].strip() in ("", *gids) if not busy.rootless else True, (name, s["Groups"])
        by_role.setdefault(name, set()).add(uids.pop())
    if busy.rootless:
        return
    assert by_role["culver"] == {"0"}
    others = [u for name, us in by_role.items() if name != "culver" for u in us]
    assert "0" not in others
    assert len(set(others)) == sum(len(us) for name, us in by_role.items() if name != "culver"), by_role  # no uid for two roles


def test_confinement(busy):
    for pid, name in busy.pids().items():
        s = status(pid)
        if name == "culver":
            continue
        assert s["NoNewPrivs"].strip() == "1", name
        assert s["Seccomp"].strip() == "2", name
        assert int(s["CapEff"], 16) == 0 and int(s["CapPrm"], 16) == 0 and int(s["CapInh"], 16) == 0, name
        if not busy.rootless:
            assert int(s["CapBnd"], 16) == 0, name
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits), name


@pytest.mark.skipif(not ROOT, reason="chroot needs root")
def test_empty_root_folders(busy):
    if busy.rootless:
        pytest.skip("no chroot in rootless mode")
    for pid, name in busy.pids().items():
        if name in ("culver-imap-login", "culver-pop3-login", "culver-lmtp", "culver-keys"):
            assert os.readlink(f"/proc/{pid}/root") != "/", name
            assert os.listdir(f"/proc/{pid}/root/") == [], name


@pytest.mark.skipif(not ROOT, reason="descriptors of others are for root to see")
def test_descriptors(busy):
    """Nobody holds more than its job needs; only login parents listen; workers have no listener and a handful of descriptors."""
    listening = {line.split()[9] for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
                 if line.split()[3] == "0A"}
    for pid, name in busy.pids().items():
        sockets = [t[8:-1] for t in descriptors(pid).values() if t.startswith("socket:")]
        listeners = [s for s in sockets if s in listening]
        if name in ("culver-worker", "culver-auth", "culver-keys"):
            assert listeners == [], name
        if name == "culver-worker":
            files = [t for t in descriptors(pid).values() if t.startswith("/") and not t.startswith(("/dev/", str(busy.folder / "log")))]
            assert all(f"{busy.folder}/mail/" in f or "gconv" in f for f in files), files


@pytest.mark.skipif(not ROOT, reason="descriptors of others are for root to see")
def test_a_connection_before_log_in_holds_only_itself(busy):
    with busy.raw("imap") as c:
        c.line()
        parents = {p: status(p)["PPid"].strip() for p in busy.pids_of("culver-imap-login")}
        children = [p for p, parent in parents.items() if int(parent) in parents]
        assert children
        for pid in children:
            kinds = [t for fd, t in descriptors(pid).items() if fd > 2 and t.startswith("socket:")]
            assert len(kinds) <= 5, descriptors(pid)  # the client, auth, master, keys; or the client and the pair


def test_session_without_tls_leaves_no_login_process(busy):
    before = len(busy.pids_of("culver-imap-login"))
    client = busy.imap("bob")
    wait_for(lambda: len(busy.pids_of("culver-imap-login")) <= before, 5, "the login process to leave")
    client.noop()
    client.logout()


@pytest.mark.skipif(not ROOT, reason="needs root")
def test_virtual_uids_are_kept():
    with Server(rootless=False) as server:
        server.imap("alice").logout()
        server.imap("bob").logout()
        uids = (server.folder / "state/uids").read_text()
        server.stop()
        server.start()
        server.imap("bob").logout()
        server.imap("alice").logout()
        assert (server.folder / "state/uids").read_text() == uids


@pytest.mark.skipif(not ROOT, reason="needs root")
def test_system_users_get_their_own_uid():
    with Server(rootless=False, users=[], system_users=["sysuser"],
                userdbs="userdb system {\n    driver = system\n}\n", extra="") as server:
        text = server.conf.read_text().replace(f"mail_path = {server.folder}/mail/%u", "mail_path = ~/culver")
        server.conf.write_text(text)
        server.write_passwd(["sysuser:{PLAIN}secret::::::"])
        server.ctl("reload")
        server.deliver("sysuser", simple(1))
        client = wait_for(lambda: try_login(server), 10, "log-in")
        client.select("INBOX")
        home = server.folder / "home/sysuser"
        uid = os.stat(home).st_uid
        assert os.stat(home / "culver").st_uid == uid
        assert {status(p)["Uid"].split()[0] for p in server.pids_of("culver-worker")} == {str(uid)}
        assert uid not in {e.pw_uid for e in pwd.getpwall() if e.pw_name != "sysuser"}


def try_login(server):
    try:
        return server.imap("sysuser", "secret")
    except Exception:
        return None
