"""Extensions, each by its own RFC."""

from dialogue import case

UIDPLUS = [
    case("RFC 4315 2.1", "UID EXPUNGE removes only what is named", r"""
        I: m1 m2 m3
        C: STORE 1:3 +FLAGS.SILENT \Deleted
        S: OK .*
        C: UID EXPUNGE 2:3
        S: * \d EXPUNGE
        S: * \d EXPUNGE
        S: OK .*
        C: FETCH 1:* UID
        S: * 1 FETCH \(UID 1\)
        S: OK .*
    """),
    case("RFC 4315 2.1", "UID EXPUNGE spares what is not marked", r"""
        I: m1 m2
        C: UID EXPUNGE 1:2
        S: OK .*
        N: * \d EXPUNGE
        C: UID EXPUNGE
        S: BAD .*
    """),
    case("RFC 4315 3", "APPENDUID", r"""
        I:
        C: APPEND INBOX {msg m1}
        S: OK \[APPENDUID (?P<v>\d+) 1\] .*
        C: APPEND INBOX {msg m1}
        S: OK \[APPENDUID <<v>> 2\] .*
        C: FETCH 2 UID
        S: * 2 FETCH \(UID 2\)
        S: OK .*
    """),
    case("RFC 4315 3", "COPYUID pairs the messages in order", r"""
        C: CREATE dest
        S: OK .*
        I: m1 m2 m3 m4
        C: UID COPY 4,1:2 dest
        S: OK \[COPYUID \d+ 1:2,4 1:3\] .*
        C: UID COPY 3,99 dest
        S: OK \[COPYUID \d+ 3 4\] .*
        C: UID COPY 99 dest
        S: OK [^\[].*
    """),
    case("RFC 3502 6.3.11", "the RFC's example of several messages in one APPEND", r"""
        C: CREATE saved-messages
        S: OK .*
        C: APPEND saved-messages (\Seen) {sync Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)\r\nFrom: Fred Foobar <foobar@Blurdybloop.example.COM>\r\n\r\nHello Joe\r\n} (\Seen) " 7-Feb-1994 22:43:04 -0800" {sync Date: Mon, 7 Feb 1994 22:43:04 -0800 (PST)\r\n\r\nHello Fred\r\n}
        S: OK \[APPENDUID \d+ 1:2\] .*
        C: STATUS saved-messages (MESSAGES UNSEEN)
        S: * STATUS "?saved-messages"? \(MESSAGES 2 UNSEEN 0\)
        S: OK .*
    """),
    case("RFC 3502 6.3.11", "an empty message ends it, and nothing is appended", r"""
        C: APPEND INBOX {msg m1} {lit }
        S: NO .*
        C: STATUS INBOX (MESSAGES)
        S: * STATUS "?INBOX"? \(MESSAGES 0\)
        S: OK .*
    """),
    case("RFC 3502 6.3.11", "a mistake in the second message appends none", r"""
        C: APPEND INBOX {msg m1} "bad date" {msg m2}
        S: BAD .*
        C: STATUS INBOX (MESSAGES)
        S: * STATUS "?INBOX"? \(MESSAGES 0\)
        S: OK .*
    """),
]

MOVE = [
    case("RFC 6851 3.1", "MOVE", r"""
        C: CREATE foo
        S: OK .*
        I: m1 m2 m3
        C: UID MOVE 2:3 foo
        S: * OK \[COPYUID \d+ 2:3 1:2\].*
        S: * \d EXPUNGE
        S: * \d EXPUNGE
        S: OK .*
        C: FETCH 1:* UID
        S: * 1 FETCH \(UID 1\)
        S: OK .*
        C: MOVE 1 foo
        S: * OK \[COPYUID \d+ 1 3\].*
        S: * 1 EXPUNGE
        S: OK .*
        C: STATUS foo (MESSAGES)
        S: * STATUS "?foo"? \(MESSAGES 3\)
        S: OK .*
    """),
    case("RFC 6851 3.3", "MOVE that cannot be", r"""
        I: m1
        C: MOVE 1 nosuch
        S: NO \[TRYCREATE\] .*
        C: MOVE 2 INBOX
        S: BAD .*
        C: UID MOVE 99 INBOX
        S: OK .*
        C: FETCH 1 UID
        S: * 1 FETCH \(UID 1\)
        S: OK .*
    """),
    case("RFC 6851 3.3", "MOVE takes Deleted along and other marked messages stay", r"""
        C: CREATE foo
        S: OK .*
        I: m1 m2
        C: STORE 1:2 +FLAGS.SILENT \Deleted
        S: OK .*
        C: MOVE 1 foo
        S: * 1 EXPUNGE
        S: OK .*
        C: FETCH 1:* (UID FLAGS)
        S: * 1 FETCH \(UID 2 FLAGS \(\\Deleted.*\)\)
        S: OK .*
        C: SELECT foo
        S: OK .*
        C: FETCH 1 FLAGS
        S: * 1 FETCH \(FLAGS \(\\Deleted.*\)\)
        S: OK .*
    """),
    case("RFC 6851 3.3", "MOVE into the same mailbox", r"""
        I: m1 m2
        C: MOVE 1 INBOX
        S: * OK \[COPYUID \d+ 1 3\].*
        S: * 1 EXPUNGE
        S: * 2 EXISTS
        S: OK .*
        C: FETCH 1:* UID
        S: * 1 FETCH \(UID 2\)
        S: * 2 FETCH \(UID 3\)
        S: OK .*
    """),
]

IDLE = [
    case("RFC 2177 3", "IDLE tells what others do", r"""
        I1: m1 m2
        C1: IDLE
        S1: \+ .*
        I2:
        C2: STORE 1 +FLAGS \Flagged
        S2: OK .*
        S1: * 1 FETCH \(FLAGS \(\\Flagged.*\)\)
        C2: APPEND INBOX {msg m3}
        S2: OK .*
        S1: * 3 EXISTS
        S1: * \d RECENT
        C2: STORE 2 +FLAGS.SILENT \Deleted
        S2: OK .*
        S1: * 2 FETCH \(FLAGS \(\\Deleted.*\)\)
        C2: EXPUNGE
        S2: OK .*
        S1: * 2 EXPUNGE
        c1: DONE
        S1: OK .*
    """),
    case("RFC 2177 3", "IDLE without a mailbox", r"""
        C: IDLE
        S: \+ .*
        c: done
        S: OK .*
    """),
    case("RFC 2177 3", "something else than DONE", r"""
        C: IDLE
        S: \+ .*
        c: x NOOP
        S: BAD .*
        C: NOOP
        S: OK .*
    """),
    case("RFC 2177 3", "DONE in the same breath", r"""
        c: i1 IDLE{nl}DONE{nl}i2 NOOP
        S: \+ .*
        L: i1 OK IDLE completed
        L: i2 OK NOOP completed
    """),
]

ENABLE = [
    case("RFC 5161 3.1", "ENABLE names what is new", r"""
        C: ENABLE CONDSTORE X-GOOD-IDEA
        S: * ENABLED CONDSTORE
        S: OK .*
        C: ENABLE CONDSTORE
        S: * ENABLED
        S: OK .*
        C: ENABLE
        S: BAD .*
    """),
    case("RFC 2971 3.1", "ID", r"""
        C: ID ("name" "sodr" "version" "19.34" "vendor" "Pink Floyd Music Limited")
        S: * ID \("name" "Culver"\)
        S: OK .*
        C: ID NIL
        S: * ID .*
        S: OK .*
        C: ID ("a" NIL)
        S: OK .*
        C: ID
        S: BAD .*
        C: ID (a)
        S: BAD .*
        C: ID ("a")
        S: BAD .*
    """),
    case("RFC 7888 4", "non-synchronizing literals", r"""
        C: CREATE {lit one two}
        S: OK .*
        C: RENAME {lit one two} {lit three}
        S: OK .*
    """),
    case("RFC 7888 4", "a literal that is too large is read over", r"""
        C: SELECT {lit """ + "x" * 300000 + r"""}
        S: BAD \[TOOBIG\] .*
        C: NOOP
        S: OK .*
    """),
    case("RFC 7888 4", "a synchronizing literal that is too large is not asked for", r"""
        C: SELECT {300000}
        S: BAD \[TOOBIG\] .*
        C: NOOP
        S: OK .*
    """),
    case("RFC 7889 5", "APPENDLIMIT", r"""
        C: CAPABILITY
        S: * CAPABILITY .*APPENDLIMIT=(?P<limit>\d+).*
        S: OK .*
        C: STATUS INBOX (APPENDLIMIT)
        S: * STATUS "?INBOX"? \(APPENDLIMIT <<limit>>\)
        S: OK .*
        C: APPEND INBOX {<<limit>>0}
        S: NO \[TOOBIG\] .*
    """),
]

CONDSTORE = [
    case("RFC 7162 3.1.2.1", "SELECT tells HIGHESTMODSEQ", r"""
        C: SELECT INBOX
        S: * OK \[HIGHESTMODSEQ [1-9]\d*\].*
        S: OK .*
        C: SELECT INBOX (CONDSTORE)
        S: * OK \[HIGHESTMODSEQ [1-9]\d*\].*
        S: OK .*
    """),
    case("RFC 7162 3.1.3", "STORE with UNCHANGEDSINCE", r"""
        I: m1 m2
        C: FETCH 1:2 MODSEQ
        S: * 1 FETCH \(MODSEQ \((?P<a>\d+)\)\)
        S: * 2 FETCH \(MODSEQ \((?P<b>\d+)\)\)
        S: OK .*
        C: STORE 1 (UNCHANGEDSINCE <<b>>) +FLAGS.SILENT \Seen
        S: * 1 FETCH \(.*MODSEQ \((?P<c>\d+)\).*\)
        S: OK .*
        C: STORE 1:2 (UNCHANGEDSINCE <<b>>) +FLAGS \Flagged
        S: * 2 FETCH \(.*FLAGS \(\\Flagged.*\) MODSEQ \(\d+\)\)
        S: OK \[MODIFIED 1\] .*
        N: * 1 FETCH .*Flagged.*
        C: UID STORE 1 (UNCHANGEDSINCE 0) +FLAGS \Answered
        S: OK \[MODIFIED 1\] .*
    """),
    case("RFC 7162 3.1.3", "a modifier that is not known", r"""
        I: m1
        C: STORE 1 (FROB 1) +FLAGS \Seen
        S: BAD .*
        C: STORE 1 (UNCHANGEDSINCE -1) +FLAGS \Seen
        S: BAD .*
        C: STORE 1 (UNCHANGEDSINCE 99999999999999999999) +FLAGS \Seen
        S: BAD .*
        C: FETCH 1 FLAGS (FROB 1)
        S: BAD .*
    """),
    case("RFC 7162 3.1.4.1", "CHANGEDSINCE", r"""
        I: m1 m2 m3
        C: FETCH 3 MODSEQ
        S: * 3 FETCH \(MODSEQ \((?P<m>\d+)\)\)
        S: OK .*
        C: STORE 2 +FLAGS.SILENT \Seen
        S: OK .*
        C: UID FETCH 1:* (FLAGS) (CHANGEDSINCE <<m>>)
        S: * 2 FETCH \(UID 2 FLAGS \(\\Seen.*\) MODSEQ \(\d+\)\)
        S: OK .*
        N: * [13] FETCH .*
    """),
    case("RFC 7162 3.1.4", "MODSEQ follows every flag change afterwards", r"""
        I: m1
        C: ENABLE CONDSTORE
        S: * OK \[HIGHESTMODSEQ \d+\].*
        S: OK .*
        C: STORE 1 +FLAGS \Seen
        S: * 1 FETCH \(.*FLAGS \(\\Seen.*\) MODSEQ \(\d+\)\)
        S: OK .*
        C: FETCH 1 BODY[]
        S: OK .*
    """),
    case("RFC 7162 3.1.5", "SEARCH MODSEQ", r"""
        I: m1 m2
        C: FETCH 2 MODSEQ
        S: * 2 FETCH \(MODSEQ \((?P<m>\d+)\)\)
        S: OK .*
        C: SEARCH MODSEQ <<m>>
        S: * SEARCH 2 \(MODSEQ <<m>>\)
        S: OK .*
        C: SEARCH MODSEQ "/flags/\\draft" all <<m>>
        S: * SEARCH 2 \(MODSEQ <<m>>\)
        S: OK .*
        C: SEARCH MODSEQ <<m>>0
        S: * SEARCH
        S: OK .*
    """),
    case("RFC 7162 3.1.7", "STATUS HIGHESTMODSEQ", r"""
        C: STATUS INBOX (HIGHESTMODSEQ)
        S: * STATUS "?INBOX"? \(HIGHESTMODSEQ \d+\)
        S: OK .*
    """),
    case("RFC 7162 3.1.10", "ESEARCH with MODSEQ: of what is returned", r"""
        I: m1 m2 m3
        C: STORE 2 +FLAGS.SILENT \Seen
        S: OK .*
        C: FETCH 1:3 MODSEQ
        S: * 1 FETCH \(MODSEQ \((?P<a>\d+)\)\)
        S: * 2 FETCH \(MODSEQ \((?P<b>\d+)\)\)
        S: * 3 FETCH \(MODSEQ \((?P<c>\d+)\)\)
        S: OK .*
        C: SEARCH RETURN (ALL) MODSEQ 1
        S: * ESEARCH \(TAG "a\d+"\) MODSEQ <<b>> ALL 1:3
        S: OK .*
        C: SEARCH RETURN (MIN) MODSEQ 1
        S: * ESEARCH \(TAG "a\d+"\) MIN 1 MODSEQ <<a>>
        S: OK .*
        C: SEARCH RETURN (MAX) MODSEQ 1
        S: * ESEARCH \(TAG "a\d+"\) MAX 3 MODSEQ <<c>>
        S: OK .*
        C: SEARCH RETURN (MIN MAX) MODSEQ 1
        S: * ESEARCH \(TAG "a\d+"\) MIN 1 MAX 3 MODSEQ <<c>>
        S: OK .*
        C: SEARCH RETURN (MIN COUNT) MODSEQ 1
        S: * ESEARCH \(TAG "a\d+"\) MIN 1 COUNT 3 MODSEQ <<b>>
        S: OK .*
    """),
]

QRESYNC = [
    case("RFC 7162 3.2.3", "QRESYNC must be enabled first", r"""
        C: SELECT INBOX (QRESYNC (1 1))
        S: BAD .*
        I: m1
        C: UID FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)
        S: BAD .*
        C: ENABLE QRESYNC
        S: * ENABLED QRESYNC
        S: OK .*
        C: FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)
        S: BAD .*
        C: UID FETCH 1 FLAGS (VANISHED)
        S: BAD .*
        C: SELECT INBOX (QRESYNC (1))
        S: BAD .*
        C: SELECT INBOX (QRESYNC (0 1))
        S: BAD .*
        C: SELECT INBOX (QRESYNC 1 1)
        S: BAD .*
    """),
    case("RFC 7162 3.2.10", "VANISHED instead of EXPUNGE", r"""
        C: ENABLE QRESYNC CONDSTORE
        S: OK .*
        I: m1 m2 m3 m4
        I2:
        C2: STORE 2,4 +FLAGS.SILENT \Deleted
        S2: OK .*
        C2: EXPUNGE
        S2: * \d EXPUNGE
        S2: OK .*
        C: NOOP
        S: * VANISHED 2,4
        S: OK .*
        N: * \d EXPUNGE
        C: STORE 1 +FLAGS \Deleted
        S: * 1 FETCH \(UID 1 FLAGS \(\\Deleted.*\) MODSEQ \(\d+\)\)
        S: OK .*
        C: EXPUNGE
        S: * VANISHED 1
        S: OK \[HIGHESTMODSEQ \d+\] .*
        C: CREATE other
        S: OK .*
        C: MOVE 1 other
        S: * OK \[COPYUID \d+ 3 1\].*
        S: * VANISHED 3
        S: OK \[HIGHESTMODSEQ \d+\] .*
    """),
    case("RFC 7162 3.2.5.1", "SELECT tells what has changed", r"""
        C: ENABLE QRESYNC
        S: OK .*
        I: m1 m2 m3 m4 m5
        C: SELECT INBOX
        S: * OK \[UIDVALIDITY (?P<v>\d+)\] .*
        S: * OK \[HIGHESTMODSEQ (?P<m>\d+)\].*
        S: OK .*
        C2: SELECT INBOX
        S2: OK .*
        C2: STORE 1,3 +FLAGS.SILENT \Deleted
        S2: OK .*
        C2: EXPUNGE
        S2: OK .*
        C2: STORE 1 +FLAGS.SILENT \Flagged
        S2: OK .*
        C2: STORE 3 +FLAGS.SILENT \Seen
        S2: OK .*
        C: SELECT INBOX (QRESYNC (<<v>> <<m>>))
        S: * OK \[CLOSED\].*
        S: * 3 EXISTS
        S: * VANISHED \(EARLIER\) 1,3
        S: * 1 FETCH \(UID 2 FLAGS \(\\Flagged.*\) MODSEQ \(\d+\)\)
        S: * 3 FETCH \(UID 5 FLAGS \(\\Seen.*\) MODSEQ \(\d+\)\)
        S: OK \[READ-WRITE\] .*
        N: * 2 FETCH .*
        C: SELECT INBOX (QRESYNC (<<v>> <<m>> 2:4))
        S: * VANISHED \(EARLIER\) 3
        S: * 1 FETCH \(UID 2 .*
        S: OK .*
        N: * 3 FETCH .*
        C: SELECT INBOX (CONDSTORE QRESYNC (<<v>> <<m>> 1:5 (1 2)))
        S: * VANISHED \(EARLIER\) 3
        S: OK .*
        C: SELECT INBOX (QRESYNC (<<v>> <<m>> (1,2 2,4)))
        S: OK .*
        N: * VANISHED .*
        C: SELECT INBOX (QRESYNC (77 <<m>>))
        S: OK .*
        N: * VANISHED .*
        N: * \d FETCH .*
    """),
    case("RFC 7162 3.2.6", "UID FETCH VANISHED", r"""
        C: ENABLE QRESYNC
        S: OK .*
        I: m1 m2 m3 m4
        C: FETCH 4 MODSEQ
        S: * 4 FETCH \(MODSEQ \((?P<m>\d+)\)\)
        S: OK .*
        C: STORE 2:3 +FLAGS.SILENT \Deleted
        S: OK .*
        C: UID EXPUNGE 2
        S: * VANISHED 2
        S: OK .*
        C: UID FETCH 1:4 FLAGS (CHANGEDSINCE <<m>> VANISHED)
        S: * VANISHED \(EARLIER\) 2
        S: * 2 FETCH \(UID 3 FLAGS \(.*\) MODSEQ \(\d+\)\)
        S: OK .*
        C: UID FETCH 3:4 FLAGS (VANISHED CHANGEDSINCE <<m>>)
        S: OK .*
        N: * VANISHED .*
    """),
    case("RFC 7162 3.2.10.2", "VANISHED (EARLIER) does not name what the session still sees", r"""
        C: ENABLE QRESYNC
        S: OK .*
        I: m1 m2
        C: FETCH 2 MODSEQ
        S: * 2 FETCH \(MODSEQ \((?P<m>\d+)\)\)
        S: OK .*
        I2:
        C2: STORE 1 +FLAGS.SILENT \Deleted
        S2: OK .*
        C2: EXPUNGE
        S2: OK .*
        C: UID FETCH 1:* FLAGS (CHANGEDSINCE <<m>> VANISHED)
        S: * VANISHED 1
        S: OK .*
        N: * VANISHED \(EARLIER\) .*
    """),
    case("RFC 9051 7.5.1", "no EXPUNGE during UID SEARCH with message numbers", r"""
        I: m1 m2 m3
        I2:
        C2: STORE 1 +FLAGS.SILENT \Deleted
        S2: OK .*
        C2: EXPUNGE
        S2: OK .*
        C: UID SEARCH 2:3
        S: * SEARCH 2 3
        S: OK .*
        N: * 1 EXPUNGE
        C: UID SEARCH UID 2:3
        S: * SEARCH 2 3
        S: * 1 EXPUNGE
        S: OK .*
    """),
]

ESEARCH = [
    case("RFC 4731 3.1", "RETURN options", r"""
        I: m1 m2 m3 m4 m5
        C: STORE 1,3:5 +FLAGS.SILENT \Flagged
        S: OK .*
        C: SEARCH RETURN (MIN COUNT) FLAGGED
        S: * ESEARCH \(TAG "a\d+"\) MIN 1 COUNT 4
        S: OK .*
        C: UID SEARCH RETURN (MIN MAX) FLAGGED
        S: * ESEARCH \(TAG "a\d+"\) UID MIN 1 MAX 5
        S: OK .*
        C: SEARCH RETURN () FLAGGED
        S: * ESEARCH \(TAG "a\d+"\) ALL 1,3:5
        S: OK .*
        C: SEARCH RETURN (ALL) UNFLAGGED
        S: * ESEARCH \(TAG "a\d+"\) ALL 2
        S: OK .*
    """),
    case("RFC 4731 3.1", "nothing found", r"""
        I: m1
        C: SEARCH RETURN (MIN MAX ALL) DELETED
        S: * ESEARCH \(TAG "a\d+"\)
        S: OK .*
        C: SEARCH RETURN (COUNT) DELETED
        S: * ESEARCH \(TAG "a\d+"\) COUNT 0
        S: OK .*
        C: SEARCH RETURN (FROB) ALL
        S: BAD .*
        C: SEARCH RETURN ALL
        S: BAD .*
    """),
]

SEARCHRES = [
    case("RFC 5182 2.2", "SAVE, and $ in other commands", r"""
        C: CREATE Other
        S: OK .*
        I: m1 m2 m3 m4
        C: STORE 2,4 +FLAGS.SILENT \Flagged
        S: OK .*
        C: SEARCH RETURN (SAVE) FLAGGED
        S: OK .*
        N: * E?SEARCH.*
        C: FETCH $ UID
        S: * 2 FETCH \(UID 2\)
        S: * 4 FETCH \(UID 4\)
        S: OK .*
        N: * [13] FETCH .*
        C: UID SEARCH UID $ 1:3
        S: * SEARCH 2
        S: OK .*
        C: SEARCH (OR $ 1)
        S: * SEARCH 1 2 4
        S: OK .*
        C: UID COPY $ Other
        S: OK \[COPYUID \d+ 2,4 1:2\] .*
        C: STORE $ +FLAGS.SILENT \Deleted
        S: OK .*
        C: UID EXPUNGE $
        S: * \d EXPUNGE
        S: * \d EXPUNGE
        S: OK .*
        C: FETCH $ UID
        S: OK .*
        N: * .* FETCH .*
    """),
    case("RFC 5182 2.1", "the result is adjusted when messages go", r"""
        I: m1 m2 m3
        C: UID SEARCH RETURN (SAVE) 2:3
        S: OK .*
        C: STORE 1:2 +FLAGS.SILENT \Deleted
        S: OK .*
        C: EXPUNGE
        S: OK .*
        C: FETCH $ UID
        S: * 1 FETCH \(UID 3\)
        S: OK .*
        C: APPEND INBOX {msg m4}
        S: OK .*
        C: SEARCH $
        S: * SEARCH 1
        S: OK .*
        C: SELECT INBOX
        S: OK .*
        C: SEARCH $
        S: * SEARCH
        S: OK .*
    """),
    case("RFC 5182 2.1", "what does and what does not change the result", r"""
        I: m1 m2 m3
        C: SEARCH RETURN (SAVE) 2
        S: OK .*
        C: SEARCH ALL
        S: OK .*
        C: SEARCH RETURN (SAVE) FROB
        S: BAD .*
        C: SEARCH CHARSET X-NO ALL
        S: NO .*
        C: SEARCH $
        S: * SEARCH 2
        S: OK .*
        C: SEARCH RETURN (SAVE) CHARSET X-NO ALL
        S: NO .*
        C: COPY $ INBOX
        S: OK .*
        C: SEARCH $
        S: * SEARCH
        S: OK .*
    """),
    case("RFC 5182 2.4", "SAVE with other options", r"""
        I: m1 m2 m3
        C: SEARCH RETURN (SAVE MIN) ALL
        S: * ESEARCH \(TAG "a\d+"\) MIN 1
        S: OK .*
        C: SEARCH $
        S: * SEARCH 1
        S: OK .*
        C: SEARCH RETURN (SAVE MIN MAX) ALL
        S: * ESEARCH \(TAG "a\d+"\) MIN 1 MAX 3
        S: OK .*
        C: SEARCH $
        S: * SEARCH 1 3
        S: OK .*
        C: SEARCH RETURN (SAVE MAX COUNT) ALL
        S: * ESEARCH \(TAG "a\d+"\) MAX 3 COUNT 3
        S: OK .*
        C: SEARCH RETURN (ALL) $
        S: * ESEARCH \(TAG "a\d+"\) ALL 1:3
        S: OK .*
        C: FETCH $,1 UID
        S: BAD .*
    """),
    case("RFC 5182 2.3", "pipelined", r"""
        I: m1 m2
        c: p1 SEARCH RETURN (SAVE) 2{nl}p2 STORE $ +FLAGS.SILENT \Seen{nl}p3 FETCH $ UID
        L: p1 OK SEARCH completed
        L: p2 OK STORE completed
        L: * 2 FETCH (UID 2)
        L: p3 OK FETCH completed
    """),
]

SEARCH = [
    case("RFC 3501 6.4.4", "flags", r"""
        I: m1 m2 m3 m4
        C: STORE 1 FLAGS (\Seen \Answered \Flagged \Deleted \Draft kw)
        S: OK .*
        C: SEARCH SEEN ANSWERED FLAGGED DELETED DRAFT KEYWORD kw
        S: * SEARCH 1
        S: OK .*
        C: SEARCH UNSEEN UNANSWERED UNFLAGGED UNDELETED UNDRAFT UNKEYWORD kw
        S: * SEARCH 2 3 4
        S: OK .*
        C: SEARCH KEYWORD never
        S: * SEARCH
        S: OK .*
        C: SEARCH NEW
        S: * SEARCH 2 3 4
        S: OK .*
        C: SEARCH RECENT
        S: * SEARCH 1 2 3 4
        S: OK .*
        C: SEARCH OLD
        S: * SEARCH
        S: OK .*
    """),
    case("RFC 3501 6.4.4", "ALL, NOT, OR, parentheses, sets", r"""
        I: m1 m2 m3 m4 m5
        C: SEARCH ALL
        S: * SEARCH 1 2 3 4 5
        S: OK .*
        C: SEARCH NOT 2:3
        S: * SEARCH 1 4 5
        S: OK .*
        C: SEARCH OR 1 (UID 4:* NOT 5)
        S: * SEARCH 1 4
        S: OK .*
        C: SEARCH (2) (1:3 NOT 3)
        S: * SEARCH 2
        S: OK .*
        C: SEARCH UID 4,2
        S: * SEARCH 2 4
        S: OK .*
        C: SEARCH NOT NOT OR OR 1 2 3
        S: * SEARCH 1 2 3
        S: OK .*
        C: SEARCH *
        S: * SEARCH 5
        S: OK .*
    """),
    case("RFC 3501 6.4.4", "addresses and subject", r"""
        I: terry encoded m1
        C: SEARCH FROM gray
        S: * SEARCH 1
        S: OK .*
        C: SEARCH FROM "Terry Gray"
        S: * SEARCH 1
        S: OK .*
        C: SEARCH TO imap@cac
        S: * SEARCH 1
        S: OK .*
        C: SEARCH CC klensin
        S: * SEARCH 1
        S: OK .*
        C: SEARCH BCC x
        S: * SEARCH
        S: OK .*
        C: SEARCH SUBJECT minutes
        S: * SEARCH 1
        S: OK .*
        C: SEARCH CHARSET UTF-8 SUBJECT {lit gr\xc3\xbc\xc3\x9fe}
        S: * SEARCH 2
        S: OK .*
        C: SEARCH CHARSET UTF-8 FROM {lit J\xc3\x9cRGEN}
        S: * SEARCH 2
        S: OK .*
    """),
    case("RFC 3501 6.4.4", "header, body, text", r"""
        I: terry encoded folded
        C: SEARCH HEADER Message-ID B27397
        S: * SEARCH 1
        S: OK .*
        C: SEARCH HEADER X-Long ""
        S: * SEARCH 3
        S: OK .*
        C: SEARCH HEADER X-Long three
        S: * SEARCH 3
        S: OK .*
        C: SEARCH SUBJECT "folded subject"
        S: * SEARCH 3
        S: OK .*
        C: SEARCH BODY "of text"
        S: * SEARCH 1
        S: OK .*
        C: SEARCH BODY Terry
        S: * SEARCH
        S: OK .*
        C: SEARCH TEXT Terry
        S: * SEARCH 1
        S: OK .*
        C: SEARCH CHARSET UTF-8 BODY {lit stra\xc3\x9fe}
        S: * SEARCH 2
        S: OK .*
        C: SEARCH BODY "= ok"
        S: * SEARCH 2
        S: OK .*
    """),
    case("RFC 3501 6.4.4", "dates", r"""
        C: APPEND INBOX "01-Feb-1994 23:59:59 -0800" {msg m1}
        S: OK .*
        C: APPEND INBOX "02-Feb-1994 00:00:00 +0000" {msg m2}
        S: OK .*
        I:
        C: SEARCH BEFORE 2-Feb-1994
        S: * SEARCH 1
        S: OK .*
        C: SEARCH ON 1-Feb-1994
        S: * SEARCH 1
        S: OK .*
        C: SEARCH SINCE "2-Feb-1994"
        S: * SEARCH 2
        S: OK .*
        C: SEARCH SENTBEFORE 2-Nov-2021
        S: * SEARCH 1
        S: OK .*
        C: SEARCH SENTON 02-Nov-2021
        S: * SEARCH 2
        S: OK .*
        C: SEARCH SENTSINCE 1-Nov-2021
        S: * SEARCH 1 2
        S: OK .*
        C: SEARCH ON 31-Feb-1994
        S: BAD .*
        C: SEARCH ON yesterday
        S: BAD .*
    """),
    case("RFC 3501 6.4.4", "sizes", r"""
        I: m1 big
        C: SEARCH LARGER 1000
        S: * SEARCH 2
        S: OK .*
        C: SEARCH SMALLER 1000
        S: * SEARCH 1
        S: OK .*
        C: SEARCH LARGER x
        S: BAD .*
    """),
    case("RFC 3501 6.4.4", "charsets", r"""
        I: m1
        C: SEARCH CHARSET X-NOSUCH ALL
        S: NO \[BADCHARSET .*\] .*
        C: SEARCH CHARSET US-ASCII FROM sender
        S: * SEARCH 1
        S: OK .*
    """),
    case("RFC 3501 6.4.4", "what is no SEARCH", r"""
        I: m1
        C: SEARCH
        S: BAD .*
        C: SEARCH FROB
        S: BAD .*
        C: SEARCH (ALL
        S: BAD .*
        C: SEARCH OR ALL
        S: BAD .*
        C: SEARCH NOT
        S: BAD .*
        C: SEARCH ()
        S: BAD .*
        C: SEARCH HEADER From
        S: BAD .*
    """),
    case("RFC 3501 6.4.8", "UID SEARCH", r"""
        I: m1 m2
        C: STORE 1 +FLAGS.SILENT \Deleted
        S: OK .*
        C: EXPUNGE
        S: OK .*
        C: UID SEARCH ALL
        S: * SEARCH 2
        S: OK .*
        C: SEARCH ALL
        S: * SEARCH 1
        S: OK .*
    """),
    case("RFC 5032 3", "OLDER and YOUNGER", r"""
        C: APPEND INBOX "17-Jul-1996 02:44:25 -0700" {msg m1}
        S: OK .*
        I: m2
        C: SEARCH OLDER 86400
        S: * SEARCH 1
        S: OK .*
        C: SEARCH YOUNGER 86400
        S: * SEARCH 2
        S: OK .*
        C: SEARCH YOUNGER 0
        S: BAD .*
    """),
]

SORT = [
    case("RFC 5256 3", "the criteria of SORT", r"""
        I: t1 t2 t3 t4 t5
        C: SORT (FROM) UTF-8 ALL
        S: * SORT 3 2 1 4 5
        S: OK .*
        C: SORT (SUBJECT) US-ASCII ALL
        S: * SORT 3 5 1 2 4
        S: OK .*
        C: SORT (REVERSE DATE) UTF-8 ALL
        S: * SORT 4 3 2 1 5
        S: OK .*
        C: SORT (SUBJECT REVERSE DATE) UTF-8 ALL
        S: * SORT 3 5 4 2 1
        S: OK .*
        C: SORT (TO) UTF-8 ALL
        S: * SORT 4 5 1 2 3
        S: OK .*
        C: SORT (CC) UTF-8 ALL
        S: * SORT 5 4 3 2 1
        S: OK .*
        C: SORT (DATE) UTF-8 NOT 2:4
        S: * SORT 5 1
        S: OK .*
        C: SORT (DATE) UTF-8 DELETED
        S: * SORT
        S: OK .*
    """),
    case("RFC 5256 3", "SIZE and ARRIVAL", r"""
        C: APPEND INBOX "03-Feb-2020 00:00:00 +0000" {msg big}
        S: OK .*
        C: APPEND INBOX "03-Feb-2020 00:00:00 +0100" {msg m1}
        S: OK .*
        C: APPEND INBOX "02-Feb-2020 12:00:00 +0000" {msg empty}
        S: OK .*
        I:
        C: SORT (SIZE) UTF-8 ALL
        S: * SORT 3 2 1
        S: OK .*
        C: SORT (ARRIVAL) UTF-8 ALL
        S: * SORT 3 2 1
        S: OK .*
        C: SORT (REVERSE SIZE REVERSE ARRIVAL) UTF-8 ALL
        S: * SORT 1 2 3
        S: OK .*
    """),
    case("RFC 5256 BASE.6.4.SORT", "UID SORT, and what cannot be sorted", r"""
        I: t1 t2 t3
        C: STORE 1 +FLAGS.SILENT \Deleted
        S: OK .*
        C: EXPUNGE
        S: OK .*
        C: UID SORT (REVERSE DATE) UTF-8 ALL
        S: * SORT 3 2
        S: OK .*
        C: SORT (REVERSE DATE) UTF-8 UID 2
        S: * SORT 1
        S: OK .*
        C: SORT (DATE) X-NOSUCH ALL
        S: NO \[BADCHARSET .*\] .*
        C: SORT (FROB) UTF-8 ALL
        S: BAD .*
        C: SORT () UTF-8 ALL
        S: BAD .*
        C: SORT DATE UTF-8 ALL
        S: BAD .*
        C: SORT (REVERSE) UTF-8 ALL
        S: BAD .*
        C: SORT (DATE) UTF-8
        S: BAD .*
        C: SORT (DATE) ALL
        S: BAD .*
    """),
    case("RFC 5957 3", "SORT by what is displayed", r"""
        I: m1 encoded terry
        C: SORT (DISPLAYFROM) UTF-8 ALL
        S: * SORT 2 1 3
        S: OK .*
        C: SORT (DISPLAYTO) UTF-8 ALL
        S: * SORT 1 2 3
        S: OK .*
    """),
    case("RFC 5267 3", "SORT with result options", r"""
        I: t1 t2 t3 t4 t5
        C: SORT RETURN (MIN MAX COUNT) (FROM) UTF-8 ALL
        S: * ESEARCH \(TAG "a\d+"\) MIN 3 MAX 5 COUNT 5
        S: OK .*
        C: UID SORT RETURN () (FROM) UTF-8 ALL
        S: * ESEARCH \(TAG "a\d+"\) UID ALL 3,2,1,4:5
        S: OK .*
        C: SORT RETURN (ALL COUNT) (FROM) UTF-8 DELETED
        S: * ESEARCH \(TAG "a\d+"\) COUNT 0
        S: OK .*
    """),
    case("RFC 7162 3.1.6", "SORT with MODSEQ", r"""
        I: t1 t2
        C: SORT (REVERSE DATE) UTF-8 MODSEQ 1
        S: * SORT 2 1 \(MODSEQ \d+\)
        S: OK .*
    """),
]

THREAD = [
    case("RFC 5256 BASE.6.4.THREAD", "ORDEREDSUBJECT", r"""
        I: t1 t2 t3 t4 t5
        C: THREAD ORDEREDSUBJECT UTF-8 ALL
        L: * THREAD (5)(1 (2)(4))(3)
        S: OK .*
        C: UID THREAD ORDEREDSUBJECT UTF-8 1,2
        L: * THREAD (1 2)
        S: OK .*
        C: THREAD ORDEREDSUBJECT US-ASCII TEXT "gewp"
        L: * THREAD
        S: OK .*
    """),
    case("RFC 5256 BASE.6.4.THREAD", "REFERENCES", r"""
        I: t1 t2 t3 t4 t5
        C: THREAD REFERENCES UTF-8 ALL
        L: * THREAD (1 (5)(2 4))(3)
        S: OK .*
        C: THREAD REFERENCES UTF-8 2,4:5
        L: * THREAD ((5)(2 4))
        S: OK .*
        C: THREAD REFERENCES UTF-8 4
        L: * THREAD (4)
        S: OK .*
        C: THREAD REFERENCES UTF-8 1,4
        L: * THREAD (1 4)
        S: OK .*
        C: THREAD REFERENCES UTF-8 DELETED
        L: * THREAD
        S: OK .*
    """),
    case("RFC 5256 BASE.6.4.THREAD", "step 5: a reply joins the thread of its subject", r"""
        I: t1 t6
        C: THREAD REFERENCES UTF-8 ALL
        L: * THREAD (1 2)
        S: OK .*
    """),
    case("RFC 5256 BASE.6.4.THREAD", "step 5: two heads of one subject get one above", r"""
        I: t1 t7 t6 t3
        C: THREAD REFERENCES UTF-8 ALL
        L: * THREAD ((1 3)(2))(4)
        S: OK .*
        C: THREAD REFERENCES UTF-8 1:2
        L: * THREAD ((1)(2))
        S: OK .*
        C: THREAD REFERENCES UTF-8 3,2
        L: * THREAD (2 3)
        S: OK .*
    """),
    case("RFC 5256 BASE.6.4.THREAD", "references in a circle", r"""
        I: t8 t9
        C: THREAD REFERENCES UTF-8 ALL
        S: * THREAD .*1.*2.*
        S: OK .*
    """),
    case("RFC 5256 BASE.6.4.THREAD", "the same message twice", r"""
        I: t1 t1 t2
        C: THREAD REFERENCES UTF-8 ALL
        S: * THREAD .*
        S: OK .*
    """),
    case("RFC 5256 BASE.6.4.THREAD", "what cannot be threaded", r"""
        I: t1
        C: THREAD FROB UTF-8 ALL
        S: BAD .*
        C: THREAD REFERENCES X-NOSUCH ALL
        S: NO \[BADCHARSET .*\] .*
        C: THREAD REFERENCES
        S: BAD .*
    """),
]

LIST = [
    case("RFC 5258 3.1", "LIST (SUBSCRIBED)", r"""
        C: CREATE Fruit/Apple
        S: OK .*
        C: SUBSCRIBE Fruit/Apple
        S: OK .*
        C: SUBSCRIBE Fruit/Peach
        S: OK .*
        C: LIST (SUBSCRIBED) "" Fruit/*
        S: * LIST \(.*\\Subscribed.*\) "/" "?Fruit/Apple"?
        S: * LIST \(.*\\NonExistent.*\\Subscribed.*\) "/" "?Fruit/Peach"?
        S: OK .*
    """),
    case("RFC 5258 3.2", "RETURN (SUBSCRIBED CHILDREN)", r"""
        C: CREATE Fruit/Apple
        S: OK .*
        C: SUBSCRIBE Fruit/Apple
        S: OK .*
        C: LIST () "" (Fruit Fruit/%) RETURN (SUBSCRIBED CHILDREN)
        S: * LIST \(.*\\HasChildren.*\) "/" "?Fruit"?
        S: * LIST \(.*\\HasNoChildren.*\\Subscribed.*\) "/" "?Fruit/Apple"?
        S: OK .*
    """),
    case("RFC 5258 4", "RECURSIVEMATCH gives CHILDINFO", r"""
        C: CREATE foo2/bar2
        S: OK .*
        C: SUBSCRIBE foo2/bar2
        S: OK .*
        C: LIST (RECURSIVEMATCH SUBSCRIBED) "" foo%
        S: * LIST \(.*\) "/" "?foo2"? \("CHILDINFO" \("SUBSCRIBED"\)\)
        S: OK .*
        N: * LIST .*bar2.*
        C: LIST (RECURSIVEMATCH) "" foo%
        S: BAD .*
        C: LIST (RECURSIVEMATCH REMOTE) "" foo%
        S: BAD .*
        C: LIST (FROB) "" foo%
        S: BAD .*
    """),
    case("RFC 5258 5", "several patterns, each name once", r"""
        C: CREATE abc
        S: OK .*
        C: LIST "" (INBOX "ab*" "a%")
        S: * LIST \(.*\) "/" "?INBOX"?
        S: * LIST \(.*\) "/" "?abc"?
        S: OK .*
    """),
    case("RFC 5258 3", "levels that are no mailboxes are NonExistent", r"""
        C: CREATE top/sub
        S: OK .*
        C: DELETE top
        S: OK .*
        C: LIST "" (top) RETURN (CHILDREN)
        S: * LIST \(.*\\NonExistent.*\\HasChildren.*\) "/" "?top"?
        S: OK .*
    """),
    case("RFC 9051 6.3.9, RFC 5258 3.5", "a subscription below such a level does not hide it", r"""
        C: CREATE top/sub/x
        S: OK .*
        C: DELETE top/sub
        S: OK .*
        C: DELETE top
        S: OK .*
        C: SUBSCRIBE top/sub/a
        S: OK .*
        C: LIST "" %
        S: * LIST \(\\Noselect \\HasChildren\) "/" "?top"?
        S: OK .*
        C: LIST "" top/%
        S: * LIST \(\\Noselect \\HasChildren\) "/" "?top/sub"?
        S: OK .*
        C: LIST (SUBSCRIBED RECURSIVEMATCH) "" %
        S: * LIST \(\\NonExistent \\HasChildren\) "/" "?top"? \("CHILDINFO" \("SUBSCRIBED"\)\)
        S: OK .*
    """),
    case("RFC 5819 4", "LIST RETURN (STATUS)", r"""
        C: CREATE foo
        S: OK .*
        C: APPEND foo {msg m1}
        S: OK .*
        C: LIST "" foo RETURN (STATUS (MESSAGES UNSEEN))
        S: * LIST \(.*\) "/" "?foo"?
        S: * STATUS "?foo"? \(MESSAGES 1 UNSEEN 1\)
        S: OK .*
        C: LIST "" foo RETURN (STATUS)
        S: BAD .*
        C: LIST "" foo RETURN (FROB)
        S: BAD .*
    """),
    case("RFC 6154 5", "special uses", r"""
        C: LIST "" Sent
        S: * LIST \(.*\\Sent.*\) "/" "?Sent"?
        S: OK .*
        C: LIST (SPECIAL-USE) "" *
        S: * LIST \(.*\\Drafts.*\) "/" "?Drafts"?
        S: * LIST \(.*\\Trash.*\) "/" "?Trash"?
        S: OK .*
        N: * LIST .*INBOX.*
        C: LIST "" % RETURN (SPECIAL-USE)
        S: * LIST \(.*\\Sent.*\) "/" "?Sent"?
        S: OK .*
    """),
    case("RFC 6154 3", "CREATE with USE", r"""
        C: CREATE Everything (USE (\All))
        S: OK .*
        C: LIST (SPECIAL-USE) "" Every*
        S: * LIST \(.*\\All.*\) "/" "?Everything"?
        S: OK .*
        C: CREATE Frobs (USE (\Frob))
        S: NO \[USEATTR\] .*
        C: CREATE Nothing (USE ())
        S: OK .*
        C: CREATE Bad (FROB (\All))
        S: BAD .*
    """),
    case("RFC 8438 3", "STATUS SIZE", r"""
        C: APPEND INBOX {msg m1}
        S: OK .*
        C: APPEND INBOX {msg big}
        S: OK .*
        C: SELECT INBOX
        S: OK .*
        C: FETCH 1 RFC822.SIZE
        S: * 1 FETCH \(RFC822.SIZE 172\)
        S: OK .*
        C: STATUS INBOX (SIZE)
        S: * STATUS "?INBOX"? \(SIZE 131283\)
        S: OK .*
    """),
    case("RFC 9051 6.3.11", "STATUS DELETED", r"""
        I: m1 m2
        C: STORE 1 +FLAGS.SILENT \Deleted
        S: OK .*
        C: STATUS INBOX (DELETED)
        S: * STATUS "?INBOX"? \(DELETED 1\)
        S: OK .*
    """),
]

DATA = [
    case("RFC 3516 4.2", "BINARY decodes", r"""
        I: encoded
        C: FETCH 1 BINARY.PEEK[1]
        S: * 1 FETCH \(BINARY\[1\] \{12\}\r\nStraße = ok\)
        S: OK .*
        C: FETCH 1 BINARY.PEEK[2]
        S: * 1 FETCH \(BINARY\[2\] ~\{6\}\r\n\x00\x01\x02\x03\x04\x05\)
        S: OK .*
        C: FETCH 1 BINARY.SIZE[2]
        S: * 1 FETCH \(BINARY.SIZE\[2\] 6\)
        S: OK .*
        C: FETCH 1 BINARY.PEEK[1]<0.3>
        S: * 1 FETCH \(BINARY\[1\]<0> \{3\}\r\nStr\)
        S: OK .*
    """),
    case("RFC 3516 4.3", "an encoding that is not known", r"""
        I: encoded
        C: FETCH 1 BINARY.PEEK[3]
        S: NO \[UNKNOWN-CTE\] .*
        C: FETCH 1 BINARY.SIZE[3]
        S: NO \[UNKNOWN-CTE\] .*
    """),
    case("RFC 3516 4.2", "BINARY sets Seen, BINARY.PEEK does not", r"""
        I: encoded
        C: FETCH 1 BINARY.PEEK[1]
        S: OK .*
        N: * 1 FETCH .*FLAGS.*
        C: FETCH 1 BINARY[1]
        S: * 1 FETCH .* FLAGS \(\\Seen.*\)\)
        S: OK .*
        C: FETCH 1 BINARY[TEXT]
        S: BAD .*
        C: FETCH 1 BINARY.SIZE[1]<0.1>
        S: BAD .*
    """),
    case("RFC 3516 4.4", "APPEND of a literal8", r"""
        C: APPEND INBOX ~{lit From: a@example.org\r\n\r\nok\r\n}
        S: OK .*
        C: APPEND INBOX ~{lit From: a@example.org\r\n\r\n\x00\r\n}
        S: NO \[UNKNOWN-CTE\] .*
        C: APPEND INBOX {lit From: a@example.org\r\n\r\n\x00\r\n}
        S: BAD .*
    """),
    case("RFC 8970 3.1", "PREVIEW", r"""
        I: m1 html empty
        C: FETCH 1:3 (UID PREVIEW)
        S: * 1 FETCH \(UID 1 PREVIEW "Body of message 1."\)
        S: * 2 FETCH \(UID 2 PREVIEW "Hello you"\)
        S: * 3 FETCH \(UID 3 PREVIEW ""\)
        S: OK .*
        C: FETCH 1 (PREVIEW (LAZY))
        S: * 1 FETCH \(PREVIEW ".*"\)
        S: OK .*
        C: FETCH 1 PREVIEW (FROB)
        S: BAD .*
    """),
    case("RFC 8514 4", "SAVEDATE", r"""
        C: APPEND INBOX "17-Jul-1996 02:44:25 -0700" {msg m1}
        S: OK .*
        C: SELECT INBOX
        S: OK .*
        C: FETCH 1 SAVEDATE
        S: * 1 FETCH \(SAVEDATE ".*20\d\d .*"\)
        S: OK .*
        C: SEARCH SAVEDSINCE 1-Jan-2020
        S: * SEARCH 1
        S: OK .*
        C: SEARCH SAVEDBEFORE 1-Jan-2020
        S: * SEARCH
        S: OK .*
        C: SEARCH SAVEDATESUPPORTED
        S: * SEARCH 1
        S: OK .*
    """),
    case("RFC 8474 4", "MAILBOXID stays with RENAME and differs after DELETE", r"""
        C: CREATE foo
        S: OK \[MAILBOXID \((?P<id>[A-Za-z0-9_-]+)\)\] .*
        C: STATUS foo (MAILBOXID)
        S: * STATUS "?foo"? \(MAILBOXID \(<<id>>\)\)
        S: OK .*
        C: RENAME foo bar
        S: OK .*
        C: SELECT bar
        S: * OK \[MAILBOXID \(<<id>>\)\].*
        S: OK .*
        C: CREATE foo
        S: OK \[MAILBOXID \(.*\)\] .*
        N: OK \[MAILBOXID \(<<id>>\)\] .*
    """),
    case("RFC 8474 5", "EMAILID stays with COPY and MOVE", r"""
        C: CREATE foo
        S: OK .*
        I: m1 m2
        C: FETCH 1:2 (EMAILID THREADID)
        S: * 1 FETCH \(EMAILID \((?P<id>[A-Za-z0-9_-]+)\) THREADID (NIL|\(.*\))\)
        S: * 2 FETCH \(EMAILID \((?P<id2>[A-Za-z0-9_-]+)\) THREADID (NIL|\(.*\))\)
        S: OK .*
        C: SEARCH EMAILID <<id>>
        S: * SEARCH 1
        S: OK .*
        C: COPY 1 foo
        S: OK .*
        C: MOVE 2 foo
        S: OK .*
        C: SELECT foo
        S: OK .*
        C: FETCH 1:2 EMAILID
        S: * 1 FETCH \(EMAILID \(<<id>>\)\)
        S: * 2 FETCH \(EMAILID \(<<id2>>\)\)
        S: OK .*
    """),
]

UTF8 = [
    case("RFC 6855 3", "names in UTF-8 after ENABLE", r"""
        C: ENABLE UTF8=ACCEPT
        S: * ENABLED UTF8=ACCEPT
        S: OK .*
        C: CREATE "Entwürfe"
        S: OK .*
        C: LIST "" "Entw*"
        S: * LIST \(.*\) "/" "Entwürfe"
        S: OK .*
        C: CREATE "a&b"
        S: OK .*
        C: LIST "" "a&*"
        S: * LIST \(.*\) "/" "?a&b"?
        S: OK .*
        C2: LIST "" "Entw*"
        S2: * LIST \(.*\) "/" "?Entw&APw-rfe"?
        S2: OK .*
        C2: LIST "" "a&-*"
        S2: * LIST \(.*\) "/" "?a&-b"?
        S2: OK .*
    """),
    case("RFC 6855 3", "SEARCH with CHARSET is refused", r"""
        C: ENABLE UTF8=ACCEPT
        S: OK .*
        I: utf8
        C: SEARCH CHARSET UTF-8 SUBJECT x
        S: BAD .*
        C: SEARCH SUBJECT "ünïcode"
        S: * SEARCH 1
        S: OK .*
        C: FETCH 1 ENVELOPE
        S: * 1 FETCH \(ENVELOPE \(NIL "Ünïcode" \(\("Jörg" NIL "joerg" "exämple.org"\)\).*
        S: OK .*
    """),
    case("RFC 6855 4", "APPEND UTF8", r"""
        C: APPEND INBOX UTF8 (~{msg utf8})
        S: BAD .*
        C: ENABLE UTF8=ACCEPT
        S: OK .*
        C: APPEND INBOX (\Seen) UTF8 (~{msg utf8})
        S: OK \[APPENDUID \d+ 1\] .*
        C: APPEND INBOX UTF8 ({msg utf8})
        S: BAD .*
        C: NOOP
        S: OK .*
    """),
    case("RFC 3501 9", "8-bit text is a literal for a client without UTF8=ACCEPT", r"""
        I: utf8
        C: FETCH 1 ENVELOPE
        S: * 1 FETCH \(ENVELOPE \(NIL \{9\}\r\nÜnïcode .*
        S: OK .*
    """),
]

REV2 = [
    case("RFC 9051 appendix A", "both revisions are announced; ENABLE chooses", r"""
        C: CAPABILITY
        S: * CAPABILITY IMAP4rev1 IMAP4rev2 .*
        S: OK .*
        C: ENABLE IMAP4rev2
        S: * ENABLED IMAP4rev2
        S: OK .*
    """),
    case("RFC 9051 6.3.2", "SELECT gives LIST, and nothing of Recent", r"""
        C: ENABLE IMAP4rev2
        S: OK .*
        C: APPEND INBOX {msg m1}
        S: OK .*
        C: SELECT INBOX
        S: * FLAGS .*
        S: * OK \[PERMANENTFLAGS .*
        S: * 1 EXISTS
        S: * LIST \(\) "/" "INBOX"
        S: OK \[READ-WRITE\] .*
        N: * \d RECENT
        N: * OK \[UNSEEN .*
        C: FETCH 1 FLAGS
        S: * 1 FETCH \(FLAGS \(\)\)
        S: OK .*
        C: APPEND INBOX {msg m2}
        S: * 2 EXISTS
        S: OK .*
        N: * \d RECENT
        C: SELECT Sent
        S: * OK \[CLOSED\].*
        S: * LIST \(\\Sent\) "/" "Sent"
        S: OK .*
    """),
    case("RFC 9051 6.4.4", "SEARCH answers with ESEARCH", r"""
        C: ENABLE IMAP4rev2
        S: OK .*
        I: m1 m2 m3
        C: SEARCH 1,3
        S: * ESEARCH \(TAG "a\d+"\) ALL 1,3
        S: OK .*
        C: UID SEARCH UNSEEN
        S: * ESEARCH \(TAG "a\d+"\) UID ALL 1:3
        S: OK .*
        C: SEARCH DELETED
        S: * ESEARCH \(TAG "a\d+"\)
        S: OK .*
        C: SEARCH RETURN (COUNT) ALL
        S: * ESEARCH \(TAG "a\d+"\) COUNT 3
        S: OK .*
        C: SEARCH CHARSET UTF-8 SUBJECT "message"
        S: * ESEARCH \(TAG "a\d+"\) ALL 1:3
        S: OK .*
    """),
    case("RFC 9051 5.1", "names in UTF-8", r"""
        C: ENABLE IMAP4rev2
        S: OK .*
        C: CREATE "Entwürfe"
        S: OK .*
        C: LIST "" "Entw%"
        S: * LIST \(.*\) "/" "Entwürfe"
        S: OK .*
        C: STATUS "Entwürfe" (MESSAGES SIZE DELETED)
        S: * STATUS "Entwürfe" \(MESSAGES 0 SIZE 0 DELETED 0\)
        S: OK .*
        I: utf8
        C: FETCH 1 ENVELOPE
        S: * 1 FETCH \(ENVELOPE \(NIL "Ünïcode" .*
        S: OK .*
    """),
    case("RFC 9051 7.5.2", "unsolicited FETCH responses have the UID", r"""
        C: ENABLE IMAP4rev2
        S: OK .*
        I: m1
        I2:
        C2: STORE 1 +FLAGS \Flagged
        S2: * 1 FETCH \(FLAGS \(\\Flagged.*\)\)
        S2: OK .*
        C: NOOP
        S: * 1 FETCH \(UID 1 FLAGS \(\\Flagged\)\)
        S: OK .*
        C: STORE 1 +FLAGS \Seen
        S: * 1 FETCH \(UID 1 FLAGS \(\\Flagged \\Seen\)\)
        S: OK .*
    """),
    case("RFC 9051 6.3.9", "LIST with everything of the base protocol", r"""
        C: ENABLE IMAP4rev2
        S: OK .*
        C: CREATE a/b
        S: OK .*
        C: SUBSCRIBE a/b
        S: OK .*
        C: LIST (SUBSCRIBED RECURSIVEMATCH) "" a RETURN (CHILDREN STATUS (MESSAGES))
        S: * LIST \(.*\\HasChildren.*\) "/" "a" \("CHILDINFO" \("SUBSCRIBED"\)\)
        S: OK .*
        N: * STATUS "a" .*
        C: LIST (SUBSCRIBED RECURSIVEMATCH) "" a/b RETURN (CHILDREN STATUS (MESSAGES))
        S: * STATUS "a/b" \(MESSAGES 0\)
        S: OK .*
        C: LIST "" "" RETURN ()
        S: OK .*
    """),
]
