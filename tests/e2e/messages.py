"""Messages for tests."""

import random
from email.message import EmailMessage


def simple(n, body="Hello.\r\n"):
    return (f"From: sender{n}@example.org\r\nTo: alice@example.org\r\nSubject: Message {n}\r\n"
            f"Date: Mon, 23 Nov 2026 10:{n % 60:02}:00 +0000\r\nMessage-ID: <m{n}@example.org>\r\n\r\n{body}").encode()


def with_attachment(n):
    """8-bit text and a binary attachment, the same for the same n."""
    rng = random.Random(n)
    m = EmailMessage()
    m["From"], m["To"], m["Subject"] = f"Größe {n} <sender{n}@example.org>", "alice@example.org", f"Anhang №{n} — grüße"
    m["Date"], m["Message-ID"] = "Mon, 23 Nov 2026 10:00:00 +0000", f"<a{n}@example.org>"
    m.set_content(f"Zeile eins: äöü €.\n.Punkt am Anfang\n..\n{'x' * rng.randrange(1, 200)}\n", cte="8bit")
    m.add_attachment(rng.randbytes(rng.randrange(1, 60000)), maintype="application", subtype="octet-stream", filename=f"d{n}.bin")
    m.set_boundary(f"=_part_{n}")
    return m.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
