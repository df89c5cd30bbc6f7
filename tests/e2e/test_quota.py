"""Quotas as IMAP sees them (RFC 9208): what is used is exactly what a recount finds, and limits hold."""

import os
import random
import re

from harness import Server

MESSAGE = b"Subject: x\r\n\r\n"


def quota(client):
    typ, data = client.getquotaroot("INBOX")
    assert typ == "OK"
    listed = re.search(rb"\((.*)\)", data[1][0]).group(1).split()
    return {listed[i].decode(): (int(listed[i + 1]), int(listed[i + 2])) for i in range(0, len(listed), 3)}


def recount(client):
    octets = messages = mailboxes = 0
    for line in client.list()[1]:
        name = re.search(rb'"/" (.*)$', line).group(1)
        if b"\\NonExistent" in line or b"\\Noselect" in line:
            continue
        mailboxes += 1
        if client.select(name.decode(), readonly=True)[1] == [b"0"]:
            continue  # no number names a message then (RFC 9051 section 9, seq-number)
        for item in client.fetch("1:*", "(RFC822.SIZE)")[1]:
            if item is not None:
                messages += 1
                octets += int(re.search(rb"RFC822.SIZE (\d+)", item).group(1))
    return octets, messages, mailboxes


def change(client, rng, names):
    name, other = rng.choice(names), rng.choice(names)
    what = rng.randrange(6)
    if what < 3:
        client.append(name, None, None, MESSAGE + b"x" * rng.randrange(3000))
        return
    client.select(name)
    count = int(client.response("EXISTS")[1][0] or 0)
    if what == 5 and name != "INBOX":
        client.close()
        client.delete(name)
        client.create(name)
    elif count > 0:
        number = str(rng.randint(1, count))
        if what == 3:
            client.copy(number, other)
        else:
            client.store(number, "+FLAGS", "\\Deleted")
            client.expunge()


def test_usage_is_exact():
    seed = int(os.environ.get("CULVER_SEED", random.randrange(1 << 30)))
    print("seed", seed)
    rng = random.Random(seed)
    with Server(users=["alice"], extra="quota_bytes = 10M\nquota_messages = 1000\nmailboxes_max = 50\n") as server:
        client = server.imap("alice")
        names = ["INBOX", "one", "two/three"]
        for name in names[1:]:
            client.create(name)
        for _ in range(5):
            for _ in range(25):
                change(client, rng, names)
            octets, messages, mailboxes = recount(client)
            used = quota(client)
            assert used["STORAGE"] == ((octets + 1023) // 1024, 10240)
            assert used["MESSAGE"] == (messages, 1000)
            assert used["MAILBOX"] == (mailboxes, 50)


def test_limits():
    with Server(users=["alice"], extra="quota_bytes = 8K\nquota_messages = 4\nmailboxes_max = 8\n") as server:
        client = server.imap("alice")
        assert client.append("INBOX", None, None, MESSAGE + b"x" * 4000)[0] == "OK"
        typ, data = client.append("INBOX", None, None, MESSAGE + b"x" * 5000)
        assert typ == "NO" and data[0].startswith(b"[OVERQUOTA]")
        client.select("INBOX")
        assert client.copy("1", "Sent")[0] == "OK"
        typ, data = client.copy("1", "Sent")
        assert typ == "NO" and data[0].startswith(b"[OVERQUOTA]")
        assert quota(client)["STORAGE"] == (8, 8)
        client.select("Sent")
        client.store("1", "+FLAGS", "\\Deleted")
        client.expunge()
        for _ in range(3):
            assert client.append("INBOX", None, None, MESSAGE)[0] == "OK"
        typ, data = client.append("INBOX", None, None, MESSAGE)
        assert typ == "NO" and data[0].startswith(b"[OVERQUOTA]")
        assert quota(client)["MESSAGE"] == (4, 4)
        created = [client.create(f"box{i}")[0] for i in range(3)]
        assert created == ["OK", "OK", "NO"] and quota(client)["MAILBOX"] == (8, 8)
