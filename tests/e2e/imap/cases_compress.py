"""COMPRESS=DEFLATE (RFC 4978). What needs more than a dialogue is in test_compress.py."""

from dialogue import case

COMPRESS = [
    case("RFC 4978 3", "everything behind the OK is compressed", r"""
        C: CAPABILITY
        S: * CAPABILITY (.* )?COMPRESS=DEFLATE( .*)?
        S: OK .*
        C: compress deflate
        S: OK .*
        Z:
        C: NOOP
        S: OK .*
        C: LOGOUT
        S: * BYE .*
        S: OK .*
        E:
    """),
    case("RFC 4978 3", "compressing twice is refused, and not offered", r"""
        C: COMPRESS DEFLATE
        S: OK .*
        Z:
        C: COMPRESS DEFLATE
        S: BAD \[COMPRESSIONACTIVE\] .*
        C: CAPABILITY
        S: * CAPABILITY .*
        N: .*COMPRESS=.*
        S: OK .*
    """),
    case("RFC 4978 3", "unknown mechanisms and arguments leave the connection as it is", r"""
        C: COMPRESS
        S: BAD .*
        C: COMPRESS LZ4
        S: BAD .*
        C: COMPRESS DEFLATE 9
        S: BAD .*
        C: COMPRESS "DEFLATE"
        S: BAD .*
        C: NOOP
        S: OK .*
        C: COMPRESS DEFLATE
        S: OK .*
        Z:
        C: NOOP
        S: OK .*
    """),
    case("RFC 4978 3", "in a selected mailbox, with literals both ways", r"""
        I: m1
        C: COMPRESS DEFLATE
        S: OK .*
        Z:
        C: APPEND INBOX {sync Subject: packed\r\n\r\nbody\r\n}
        S: * 2 EXISTS
        S: OK \[APPENDUID .*
        C: APPEND INBOX {lit Subject: again\r\n\r\nbody\r\n}
        S: * 3 EXISTS
        S: OK \[APPENDUID .*
        C: FETCH 2 BODY[HEADER.FIELDS (SUBJECT)]
        S: * 2 FETCH \(BODY\[HEADER.FIELDS \(SUBJECT\)\] \{19\}\r\nSubject: packed\r\n\r\n( FLAGS .*)?\)
        S: OK .*
        C: FETCH 1:3 RFC822.SIZE
        S: * 3 FETCH \(RFC822.SIZE \d+\)
        S: OK .*
    """),
    case("RFC 4978 3, RFC 2177", "IDLE in a compressed session", r"""
        I1: m1
        C1: COMPRESS DEFLATE
        S1: OK .*
        Z1:
        C1: IDLE
        S1: + .*
        C2: APPEND INBOX {msg m2}
        S2: OK .*
        S1: * 2 EXISTS
        c1: DONE
        S1: OK .*
    """),
]
