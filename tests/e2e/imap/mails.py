"""The messages of the dialogues, by name."""

import base64


def crlf(text):
    return text.lstrip("\n").replace("\n", "\r\n").encode()


def part(boundary, *parts):
    return "".join(f"--{boundary}\n{p}\n" for p in parts) + f"--{boundary}--\n"


SIMPLE = {
    f"m{i}": crlf(f"""
From: Sender {i} <sender{i}@example.org>
To: alice@example.org
Subject: Message {i}
Date: Mon, {i:02} Nov 2021 10:0{i}:00 +0000
Message-ID: <m{i}@example.org>

Body of message {i}.
""") for i in range(1, 6)
}

# RFC 3501 section 8.
TERRY = crlf("""
Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)
From: Terry Gray <gray@cac.washington.edu>
Subject: IMAP4rev1 WG mtg summary and minutes
To: imap@cac.washington.edu
cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>
Message-Id: <B27397-0100000@cac.washington.edu>
MIME-Version: 1.0
Content-Type: TEXT/PLAIN; CHARSET=US-ASCII

Three lines
of text
here.
""")

# The part numbers of RFC 3501 6.4.5.
INNER = ("From: inner@example.org\nSubject: Inner\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b3\n\n" +
         part("b3", "Content-Type: text/plain\n\n3.1 text", "Content-Type: application/octet-stream\n\n3.2 octets"))
DEEP = ("From: deep@example.org\nSubject: Deep\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b42\n\n" +
        part("b42", "Content-Type: text/plain\n\n4.2.1 text",
             "Content-Type: multipart/alternative; boundary=b422\n\n" +
             part("b422", "Content-Type: text/plain\n\n4.2.2.1 plain", "Content-Type: text/richtext\n\n4.2.2.2 rich")))
NUMBERED = crlf(
    "From: outer@example.org\nTo: alice@example.org\nSubject: Numbered\nMIME-Version: 1.0\n"
    "Content-Type: multipart/mixed; boundary=b0\n\npreamble\n" +
    part("b0", "Content-Type: text/plain\nContent-ID: <one@example.org>\n\n1 text", "Content-Type: application/octet-stream\n\n2 octets",
         "Content-Type: message/rfc822\n\n" + INNER,
         "Content-Type: multipart/mixed; boundary=b4\n\n" +
         part("b4", "Content-Type: image/gif\nContent-Transfer-Encoding: base64\n\nR0lGODlh",
              "Content-Type: message/rfc822\n\n" + DEEP)))

ENCODED = crlf(
    "From: =?utf-8?q?J=C3=BCrgen?= <juergen@example.org>\nTo: alice@example.org\nSubject: =?utf-8?b?" +
    base64.b64encode("Grüße aus Köln".encode()).decode() + "?=\n"
    "Date: Tue, 02 Nov 2021 12:00:00 +0100\nMessage-ID: <enc@example.org>\nMIME-Version: 1.0\n"
    "Content-Type: multipart/mixed; boundary=eb\n\n" +
    part("eb", "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nStra=C3=9Fe =3D ok",
         "Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=\"n.bin\"\n\n" +
         base64.b64encode(bytes(range(6))).decode(),
         "Content-Type: text/plain\nContent-Transfer-Encoding: x-rot13\n\nnop"))

# Two conversations for THREAD, and subjects for SORT.
THREADS = {
    name: crlf(f"""
From: {who}@example.org
To: {to}@example.org
Cc: {cc}@example.org
Subject: {subject}
Date: {date}
Message-ID: <{name}@example.org>
{refs}
Text.
""") for name, who, to, cc, subject, date, refs in (
        ("t1", "carol", "bob", "zoe", "Plans", "Mon, 01 Mar 2021 10:00:00 +0000", ""),
        ("t2", "bob", "carol", "yan", "Re: Plans", "Tue, 02 Mar 2021 10:00:00 +0000", "References: <t1@example.org>\n"),
        ("t3", "alice", "dave", "xav", "apples", "Wed, 03 Mar 2021 10:00:00 +0000", ""),
        ("t4", "dave", "alice", "wim", "Re: Re: plans (fwd)", "Thu, 04 Mar 2021 10:00:00 +0000",
         "References: <t1@example.org> <t2@example.org>\n"),
        ("t5", "erin", "alice", "ann", "Other plans", "Sun, 28 Feb 2021 10:00:00 +0000", "In-Reply-To: <t1@example.org>\n"),
        ("t6", "fay", "alice", "bo", "Re: Plans", "Sat, 06 Mar 2021 10:00:00 +0000", ""),
        ("t7", "gil", "alice", "cy", "PLANS", "Sun, 07 Mar 2021 10:00:00 +0000", ""),
        ("t8", "hal", "alice", "di", "Loop", "Mon, 08 Mar 2021 10:00:00 +0000", "References: <t9@example.org> <t8@example.org>\n"),
        ("t9", "ian", "alice", "ed", "Loop", "Tue, 09 Mar 2021 10:00:00 +0000", "References: <t8@example.org> <t9@example.org>\n"),
    )
}

MAILS = {
    **SIMPLE,
    **THREADS,
    "terry": TERRY,
    "numbered": NUMBERED,
    "encoded": ENCODED,
    "utf8": "From: Jörg <joerg@exämple.org>\r\nSubject: Ünïcode\r\n\r\nText ä.\r\n".encode(),
    "param": crlf("From: a@example.org\nSubject: Parameters\nMIME-Version: 1.0\n"
                  "Content-Type: text/plain; charset=us-ascii; name*=iso-8859-1''Fr%F6sche.txt\n"
                  "Content-Disposition: attachment; filename*0=\"long \"; filename*1=\"name\"\n\nx\n"),
    "headeronly": b"From: a@example.org\r\nSubject: No body\r\n",
    "folded": b"From: a@example.org\r\nSubject: A folded\r\n subject line\r\nX-Long: one\r\n\ttwo\r\nX-Long: three\r\n\r\nBody.\r\n",
    "big": b"From: a@example.org\r\nSubject: Big\r\n\r\n" + b"0123456789abcdef" * 8192 + b"\r\n",
    "lf": b"From: a@example.org\nSubject: LF only\n\nBody.\n",
    "html": b"From: a@example.org\r\nSubject: HTML\r\nContent-Type: text/html\r\n\r\n<html><body><p>Hello <b>you</b></p></body></html>\r\n",
    "empty": b"From: a@example.org\r\nSubject: Empty\r\n\r\n",
    "quoted": b'From: "A \\"quoted\\" name" <a@example.org>\r\nSubject: say "hi" \\ bye\r\n\r\nx\r\n',
    "group": b"From: a@example.org\r\nTo: Friends: b@example.org, c@example.org;, undisclosed:;\r\nSubject: Group\r\n\r\nx\r\n",
}
