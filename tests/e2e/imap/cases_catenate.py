"""CATENATE (RFC 4469), URL-PARTIAL (RFC 5550 5.7.1, RFC 5092), REPLACE (RFC 8508), the literals of APPEND."""

from dialogue import case

CATENATE = [
    case("RFC 4469 3", "literals and URLs make one message", r"""
        I: m1
        C: CAPABILITY
        S: * CAPABILITY .* CATENATE URL-PARTIAL .*
        S: OK .*
        C: STATUS INBOX (UIDVALIDITY)
        S: * STATUS "?INBOX"? \(UIDVALIDITY (?P<v>\d+)\)
        S: OK .*
        C: APPEND INBOX (\Flagged) CATENATE (TEXT {lit Subject: new\r\n\r\n} URL "/INBOX;UIDVALIDITY=<<v>>/;UID=1/;SECTION=TEXT" TEXT {sync the end\r\n})
        S: * 2 EXISTS
        S: OK \[APPENDUID <<v>> 2\] .*
        C: FETCH 1:2 (FLAGS BODY.PEEK[])
        S: * 1 FETCH \(FLAGS \((\\Recent)?\) .*
        S: * 2 FETCH \(FLAGS \(\\Flagged( \\Recent)?\) BODY\[\] \{45\}\r\nSubject: new\r\n\r\nBody of message 1\.\r\nthe end\r\n\)
        S: OK .*
    """),
    case("RFC 4469 3", "URLs alone, without a literal in the command", r"""
        I: m1 m2
        C: APPEND INBOX CATENATE (URL "/INBOX/;UID=1/;SECTION=HEADER" URL /INBOX/;UID=2/;section=text)
        S: * 3 EXISTS
        S: OK \[APPENDUID \d+ 3\] .*
        C: FETCH 3 BODY.PEEK[TEXT]
        S: * 3 FETCH \(BODY\[TEXT\] \{20\}\r\nBody of message 2\.\r\n\)
        S: OK .*
        C: FETCH 3 BODY.PEEK[HEADER.FIELDS (SUBJECT)]
        S: * 3 FETCH \(BODY\[HEADER.FIELDS \(SUBJECT\)\] .*Subject: Message 1\r\n\r\n\)
        S: OK .*
    """),
    case("RFC 4469 3", "the whole message, a URL as a literal, no literal at the end", r"""
        I: m1
        C: APPEND INBOX CATENATE (TEXT {lit X-First: 1\r\n} URL {lit /inbox/;uid=1})
        S: OK \[APPENDUID .*\] .*
        C: FETCH 2 BODY.PEEK[HEADER.FIELDS (X-FIRST SUBJECT)]
        S: * 2 FETCH .*X-First: 1\r\nSubject: Message 1\r\n\r\n\)
        S: OK .*
        C: APPEND INBOX CATENATE (URL {sync /INBOX/;UID=1})
        S: OK \[APPENDUID .*\] .*
    """),
    case("RFC 4469 3, RFC 5092 7", "relative to the selected mailbox", r"""
        I: m1
        C: APPEND INBOX CATENATE (URL ";UID=1")
        S: OK .*
        C: APPEND INBOX CATENATE (URL ";UID=1/;SECTION=HEADER" TEXT {lit x})
        S: OK .*
        C: CREATE a/b
        S: OK .*
        C: CREATE a/c
        S: OK .*
        C: APPEND a/c {msg m2}
        S: OK .*
        C: SELECT a/b
        S: OK .*
        C: APPEND a/b CATENATE (URL "c/;UID=1")
        S: * 1 EXISTS
        S: OK .*
        C: APPEND a/b CATENATE (URL ";UID=1")
        S: * 2 EXISTS
        S: OK .*
        C: UNSELECT
        S: OK .*
        C: APPEND a/b CATENATE (URL ";UID=1")
        S: NO \[BADURL ;UID=1\] .*
        C: APPEND a/b CATENATE (URL "a/c/;UID=1")
        S: OK .*
    """),
    case("RFC 5092 8", "names are percent-encoded UTF-8", r"""
        C: CREATE "Entw&APw-rfe 1;2"
        S: OK .*
        C: APPEND "Entw&APw-rfe 1;2" {msg m1}
        S: OK .*
        C: APPEND INBOX CATENATE (URL "/Entw%C3%BCrfe%201%3b2/;UID=1/;SECTION=HEADER" TEXT {lit x})
        S: OK .*
        C: APPEND INBOX CATENATE (URL "/Entw%C3rfe/;UID=1")
        S: NO \[BADURL .*\] .*
    """),
    case("RFC 5092 6, RFC 9051 6.4.5", "sections as FETCH has them", r"""
        I: numbered
        C: APPEND INBOX CATENATE (URL "/INBOX/;UID=1/;SECTION=1.MIME" URL "/INBOX/;UID=1/;SECTION=1")
        S: OK .*
        C: APPEND INBOX CATENATE (URL "/INBOX/;UID=1/;SECTION=HEADER.FIELDS%20(Subject)" TEXT {lit x\r\n})
        S: OK .*
        C: FETCH 3 BODY.PEEK[]
        S: * 3 FETCH \(BODY\[\] \{\d+\}\r\nSubject: .*\r\n\r\nx\r\n\)
        S: OK .*
        C: APPEND INBOX CATENATE (URL "/INBOX/;UID=1/;SECTION=9")
        S: NO \[BADURL /INBOX/;UID=1/;SECTION=9\] .*
        C: APPEND INBOX CATENATE (URL "/INBOX/;UID=1/;SECTION=NONE")
        S: NO \[BADURL .*\] .*
    """),
    case("RFC 5550 5.7.1, RFC 5092 6", "PARTIAL", r"""
        I: m1
        C: APPEND INBOX CATENATE (TEXT {lit S: x\r\n\r\n} URL "/INBOX/;UID=1/;SECTION=TEXT/;PARTIAL=5.2" URL ";UID=1/;SECTION=TEXT/;PARTIAL=17")
        S: OK .*
        C: FETCH 2 BODY.PEEK[TEXT]
        S: * 2 FETCH \(BODY\[TEXT\] \{5\}\r\nof\.\r\n\)
        S: OK .*
        C: APPEND INBOX CATENATE (TEXT {lit S: x\r\n\r\n} URL "/INBOX/;UID=1/;PARTIAL=99999.5")
        S: OK .*
        C: APPEND INBOX CATENATE (URL "/INBOX/;UID=1/;PARTIAL=99999.5")
        S: NO .*
        C: APPEND INBOX CATENATE (URL "/INBOX/;UID=1/;PARTIAL=1.0")
        S: NO \[BADURL .*\] .*
    """),
    case("RFC 4469 4.1", "BADURL names the first URL that fails; nothing is appended", r"""
        I: m1
        C: APPEND INBOX CATENATE (URL "/INBOX/;UID=1" URL "/INBOX/;UID=77" URL "/none/;UID=1")
        S: NO \[BADURL /INBOX/;UID=77\] .*
        C: APPEND INBOX CATENATE (URL "/INBOX;UIDVALIDITY=1/;UID=1")
        S: NO \[BADURL /INBOX;UIDVALIDITY=1/;UID=1\] .*
        C: APPEND INBOX CATENATE (URL "/none/;UID=1")
        S: NO \[BADURL /none/;UID=1\] .*
        C: APPEND INBOX CATENATE (URL "imap://localhost/INBOX/;UID=1")
        S: NO \[BADURL imap://localhost/INBOX/;UID=1\] .*
        C: APPEND INBOX CATENATE (URL "//localhost/INBOX/;UID=1")
        S: NO \[BADURL .*\] .*
        C: APPEND INBOX CATENATE (URL "/INBOX")
        S: NO \[BADURL /INBOX\] .*
        C: APPEND INBOX CATENATE (URL "/INBOX/;UID=1;URLAUTH=anonymous:internal:abc")
        S: NO \[BADURL .*\] .*
        C: APPEND INBOX CATENATE (URL "/a]b c/;UID=1")
        S: NO \[BADURL /a%5Db%20c/;UID=1\] .*
        C: STATUS INBOX (MESSAGES)
        S: * STATUS "?INBOX"? \(MESSAGES 1\)
        S: OK .*
    """),
    case("RFC 4469 4.1", "a URL that fails in front of literals that come unasked", r"""
        I: m1
        C: APPEND INBOX CATENATE (URL "bad" TEXT {lit Subject: x\r\n\r\n} TEXT {lit y})
        S: NO \[BADURL bad\] .*
        C: APPEND INBOX CATENATE (TEXT {lit Subject: x\r\n\r\n} URL "bad")
        S: NO \[BADURL bad\] .*
        C: NOOP
        S: OK .*
    """),
    case("RFC 4469 5", "what is not of the grammar", r"""
        C: APPEND INBOX CATENATE ()
        S: BAD .*
        C: APPEND INBOX CATENATE (URL)
        S: BAD .*
        C: APPEND INBOX CATENATE (TEXT "x")
        S: BAD .*
        C: APPEND INBOX CATENATE (HTML "x")
        S: BAD .*
        C: APPEND INBOX CATENATE (URL "/INBOX/;UID=1"
        S: BAD .*
        C: APPEND INBOX CATENATE (URL "/INBOX/;UID=1"))
        S: BAD .*
        C: APPEND INBOX CATENATE (TEXT {lit Subject: x\r\n\r\n}
        S: BAD .*
        C: APPEND INBOX CATENATE (TEXT {lit Subject: x\r\n\r\n}) x
        S: BAD .*
        C: APPEND INBOX CATENATE URL "/INBOX/;UID=1"
        S: BAD .*
        C: STATUS INBOX (MESSAGES)
        S: * STATUS "?INBOX"? \(MESSAGES 0\)
        S: OK .*
    """),
    case("RFC 4469 3, RFC 3502", "several messages, some of parts", r"""
        I: m1
        C: APPEND INBOX (\Seen) CATENATE (URL ";UID=1") (\Draft) {msg m2} (\Flagged) CATENATE (TEXT {lit Subject: 3\r\n\r\n} URL ";UID=1/;SECTION=TEXT")
        S: * 4 EXISTS
        S: OK \[APPENDUID \d+ 2:4\] .*
        C: FETCH 2:4 (FLAGS RFC822.SIZE)
        S: * 2 FETCH \(FLAGS \(\\Seen \\Recent\) .*\)
        S: * 3 FETCH \(FLAGS \(\\Draft \\Recent\) .*\)
        S: * 4 FETCH \(FLAGS \(\\Flagged \\Recent\) RFC822.SIZE 34\)
        S: OK .*
    """),
    case("RFC 4469 3", "mailbox that is not there", r"""
        I: m1
        C: APPEND none CATENATE (URL "/INBOX/;UID=1")
        S: NO \[TRYCREATE\] .*
    """),
    case("RFC 3516 4.4", "binary literals in APPEND and CATENATE", r"""
        C: APPEND INBOX ~{16+}{nl}Subject: x{nl}{nl}y{nl}
        S: OK \[APPENDUID .*
        C: APPEND INBOX CATENATE (TEXT ~{14+}{nl}Subject: x{nl}{nl} TEXT {lit y\r\n})
        S: OK \[APPENDUID .*
        C: APPEND INBOX ~{lit Subject: x\r\n\r\n\x00}
        S: NO \[UNKNOWN-CTE\] .*
    """),
]

REPLACE = [
    case("RFC 8508 3.2", "a message takes the place of another", r"""
        I: m1 m2 m3
        C: CAPABILITY
        S: * CAPABILITY (.* )?REPLACE( .*)?
        S: OK .*
        C: REPLACE 2 INBOX (\Seen \Draft) {msg m4}
        S: * OK \[APPENDUID \d+ 4\] .*
        S: * 2 EXPUNGE
        S: * 3 EXISTS
        S: OK .*
        C: UID FETCH 1:* FLAGS
        S: * 1 FETCH \(UID 1 .*\)
        S: * 2 FETCH \(UID 3 .*\)
        S: * 3 FETCH \(UID 4 FLAGS \(.*\\Seen.*\\Draft.*\)\)
        S: OK .*
    """),
    case("RFC 8508 3.3", "by UID", r"""
        I: m1 m2
        C: UID REPLACE 1 INBOX {msg m3}
        S: * OK \[APPENDUID \d+ 3\] .*
        S: * 1 EXPUNGE
        S: OK .*
        C: UID REPLACE 1 INBOX {msg m3}
        S: NO .*
        C: UID REPLACE 99 INBOX {sync Subject: x\r\n\r\n}
        S: NO .*
        C: FETCH 1:* UID
        S: * 1 FETCH \(UID 2\)
        S: * 2 FETCH \(UID 3\)
        S: OK .*
    """),
    case("RFC 8508 3.4", "into another mailbox; only that message goes", r"""
        I: m1 m2 m3
        C: CREATE Sent2
        S: OK .*
        C: STORE 1 +FLAGS.SILENT (\Deleted)
        S: OK .*
        C: REPLACE 3 Sent2 (\Seen) {msg m4}
        S: * OK \[APPENDUID \d+ 1\] .*
        S: * 3 EXPUNGE
        N: * \d+ EXISTS
        S: OK .*
        C: STATUS Sent2 (MESSAGES)
        S: * STATUS "?Sent2"? \(MESSAGES 1\)
        S: OK .*
        C: STATUS INBOX (MESSAGES)
        S: * STATUS "?INBOX"? \(MESSAGES 2\)
        S: OK .*
    """),
    case("RFC 8508 3.4", "when the append fails nothing is expunged", r"""
        I: m1
        C: REPLACE 1 none {msg m2}
        S: NO \[TRYCREATE\] .*
        C: REPLACE 1 INBOX {0+}{nl}
        S: NO .*
        C: REPLACE 1 INBOX ~{lit Subject: x\r\n\r\n\x00}
        S: NO \[UNKNOWN-CTE\] .*
        C: FETCH 1 UID
        S: * 1 FETCH \(UID 1\)
        S: OK .*
    """),
    case("RFC 8508 4.2", "with CATENATE", r"""
        I: m1
        C: UID REPLACE 1 INBOX CATENATE (TEXT {sync To: x@example.org\r\n} URL "/INBOX/;UID=1")
        S: * OK \[APPENDUID \d+ 2\] .*
        S: * 1 EXPUNGE
        S: OK .*
        C: REPLACE 1 INBOX CATENATE (URL ";UID=2/;SECTION=HEADER" URL ";UID=2/;SECTION=TEXT")
        S: * OK \[APPENDUID \d+ 3\] .*
        S: OK .*
        C: REPLACE 1 INBOX CATENATE (URL ";UID=2")
        S: NO \[BADURL ;UID=2\] .*
        C: FETCH 1 (UID BODY.PEEK[HEADER.FIELDS (TO)])
        S: * 1 FETCH \(UID 3 .*To: x@example.org.*\)
        S: OK .*
    """),
    case("RFC 8508 4.5, RFC 7162 3.2.10", "with QRESYNC", r"""
        C: ENABLE QRESYNC
        S: OK .*
        I: m1 m2
        C: UID REPLACE 1 INBOX {msg m3}
        S: * OK \[APPENDUID \d+ 3\] .*
        S: * VANISHED 1
        S: OK \[HIGHESTMODSEQ \d+\] .*
    """),
    case("RFC 8508 3.5, 5", "states and arguments", r"""
        C: REPLACE 1 INBOX {lit Subject: x\r\n\r\n}
        S: BAD .*
        I: m1
        C: REPLACE 2 INBOX {lit Subject: x\r\n\r\n}
        S: BAD .*
        C: REPLACE 1:1 INBOX {lit Subject: x\r\n\r\n}
        S: BAD .*
        C: REPLACE 1 INBOX
        S: BAD .*
        C: REPLACE 1 INBOX {lit Subject: x\r\n\r\n} {lit Subject: y\r\n\r\n}
        S: BAD .*
        C: REPLACE 1 INBOX {lit Subject: x\r\n\r\n}{lit Subject: y\r\n\r\n}
        S: BAD .*
        C: UID REPLACE INBOX {lit Subject: x\r\n\r\n}
        S: BAD .*
        C: REPLACE * INBOX {lit Subject: x\r\n\r\n}
        S: OK .*
        C: EXAMINE INBOX
        S: OK .*
        C: REPLACE 1 INBOX {lit Subject: x\r\n\r\n}
        S: NO \[READ-ONLY\] .*
        C: REPLACE 1 {lit INBOX} {lit Subject: x\r\n\r\n}
        S: NO \[READ-ONLY\] .*
    """),
    case("RFC 8508, RFC 9586 3.1", "numbers are refused after ENABLE UIDONLY", r"""
        I: m1
        C: ENABLE UIDONLY
        S: OK .*
        C: REPLACE 1 INBOX {lit Subject: x\r\n\r\n}
        S: BAD \[UIDREQUIRED\] .*
        C: UID REPLACE 1 INBOX {lit Subject: x\r\n\r\n}
        S: * OK \[APPENDUID .*
        S: OK .*
    """),
    case("RFC 8508 3.4", "other sessions see both at once", r"""
        I1: m1 m2
        I2:
        C1: REPLACE 1 INBOX {msg m3}
        S1: OK .*
        C2: NOOP
        S2: * 1 EXPUNGE
        S2: * 2 EXISTS
        S2: OK .*
    """),
]
