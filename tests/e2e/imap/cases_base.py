"""IMAP4rev1 (RFC 3501), where IMAP4rev2 (RFC 9051) says the same."""

from dialogue import case

SESSION = [
    case("RFC 3501 6.1.1", "CAPABILITY names the base protocol", r"""
        C: CAPABILITY
        S: * CAPABILITY (.* )?IMAP4rev1( .*)?
        S: OK .*
    """),
    case("RFC 3501 6.1.1", "CAPABILITY takes no argument", r"""
        C: CAPABILITY all
        S: BAD .*
    """),
    case("RFC 3501 6.1.2", "NOOP tells what another session has done", r"""
        I1: m1 m2
        I2:
        C2: STORE 1 +FLAGS (\Deleted \Seen)
        S2: OK .*
        C1: NOOP
        S1: * 1 FETCH \(FLAGS \(.*\\Deleted.*\\Seen.*\)\)
        S1: OK .*
        C2: EXPUNGE
        S2: * 1 EXPUNGE
        S2: OK .*
        C1: NOOP
        S1: * 1 EXPUNGE
        S1: OK .*
        C2: APPEND INBOX {msg m3}
        S2: * 2 EXISTS
        S2: OK .*
        C1: NOOP
        S1: * 2 EXISTS
        S1: * \d RECENT
        S1: OK .*
    """),
    case("RFC 3501 6.1.3", "LOGOUT says BYE before its answer", r"""
        C: LOGOUT
        S: * BYE .*
        S: OK .*
        E:
    """),
    case("RFC 3501 2.2.1", "an unknown command", r"""
        C: FROBNICATE
        S: BAD .*
        C: NOOP
        S: OK .*
    """),
    case("RFC 3501 2.2.1", "a line that is no command is answered without a tag", r"""
        c: (
        S: * BAD .*
        C: NOOP
        S: OK .*
    """),
    case("RFC 3501 2.2.1", "an empty line is answered without a tag", r"""
        c:
        S: * BAD .*
        C: NOOP
        S: OK .*
    """),
    case("RFC 3501 2.2.1", "a tag alone", r"""
        c: lonely
        S: (lonely|\*) BAD .*
    """),
    case("RFC 3501 9", "a tag may not have a plus", r"""
        c: a+b NOOP
        S: * BAD .*
    """),
    case("RFC 3501 9", "a tag may have unusual characters", r"""
        c: ]~.1/=?x NOOP
        S: ]~\.1/=\?x OK .*
    """),
    case("RFC 3501 9", "command names are case-insensitive", r"""
        C: nOoP
        S: OK .*
    """),
    case("RFC 3501 9", "NOOP takes no argument", r"""
        C: NOOP x
        S: BAD .*
    """),
    case("RFC 3501 3", "commands of the selected state are refused without a mailbox", r"""
        C: FETCH 1 FLAGS
        S: BAD .*
        C: STORE 1 FLAGS ()
        S: BAD .*
        C: SEARCH ALL
        S: BAD .*
        C: COPY 1 INBOX
        S: BAD .*
        C: EXPUNGE
        S: BAD .*
        C: CLOSE
        S: BAD .*
        C: CHECK
        S: BAD .*
        C: UID FETCH 1 FLAGS
        S: BAD .*
        C: NOOP
        S: OK .*
    """),
    case("RFC 3501 3", "logging in twice is refused", r"""
        C: LOGIN a b
        S: BAD .*
        C: AUTHENTICATE PLAIN
        S: BAD .*
        C: STARTTLS
        S: BAD .*
    """),
    case("RFC 3501 5.5", "pipelined commands are answered in their order", r"""
        I: m1
        c: x1 NOOP{nl}x2 FETCH 1 UID{nl}x3 STORE 1 +FLAGS \Seen{nl}x4 FETCH 1 FLAGS{nl}x5 NOOP
        S: x1 OK .*
        S: * 1 FETCH \(UID 1\)
        S: x2 OK .*
        S: * 1 FETCH \(FLAGS \(\\Seen( \\Recent)?\)\)
        S: x3 OK .*
        S: * 1 FETCH \(FLAGS \(\\Seen( \\Recent)?\)\)
        S: x4 OK .*
        S: x5 OK .*
    """),
    case("RFC 3501 4.3", "a synchronizing literal is asked for", r"""
        C: SELECT {sync INBOX}
        S: OK .*
    """),
    case("RFC 3501 4.3", "an empty literal is an empty string", r"""
        C: LIST {sync } {sync INBOX}
        S: * LIST \(.*\) "/" "?INBOX"?
        S: OK .*
    """),
    case("RFC 3501 4.3", "a quoted string with escapes", r"""
        C: CREATE "quo\"te\\back"
        S: OK .*
        C: LIST "" quo*
        S: * LIST \(.*\) "/" "quo\\"te\\\\back"
        S: OK .*
    """),
    case("RFC 3501 4.3", "a quoted string with a wrong escape", r"""
        C: SELECT "a\b"
        S: BAD .*
    """),
    case("RFC 3501 4.3", "an unclosed quoted string", r"""
        C: SELECT "INBOX
        S: BAD .*
        C: NOOP
        S: OK .*
    """),
    case("RFC 3501 4.3", "NUL in a literal is refused", r"""
        C: SELECT {lit a\x00b}
        S: BAD .*
    """),
    case("RFC 9051 7.1", "many mistakes in a row end the session, but not many over time", r"""
        C: BAD1
        S: BAD .*
        C: NOOP
        S: OK .*
    """ + "C: X\nS: BAD .*\nC: X\nS: BAD .*\nC: NOOP\nS: OK .*\n" * 15),
]

SELECT = [
    case("RFC 3501 6.3.1", "SELECT", r"""
        C: APPEND INBOX {msg m1}
        S: OK .*
        C: SELECT INBOX
        S: * FLAGS \(\\Answered \\Flagged \\Deleted \\Seen \\Draft\)
        S: * OK \[PERMANENTFLAGS \(\\Answered \\Flagged \\Deleted \\Seen \\Draft \\\*\)\] .*
        S: * 1 EXISTS
        S: * 1 RECENT
        S: * OK \[UNSEEN 1\] .*
        S: * OK \[UIDVALIDITY [1-9]\d*\] .*
        S: * OK \[UIDNEXT 2\] .*
        S: OK \[READ-WRITE\] .*
    """),
    case("RFC 3501 6.3.1", "an empty mailbox has no UNSEEN", r"""
        C: SELECT INBOX
        S: * 0 EXISTS
        S: * 0 RECENT
        S: OK \[READ-WRITE\] .*
        N: * OK \[UNSEEN .*
    """),
    case("RFC 3501 5.1", "INBOX in any case", r"""
        C: SELECT inBoX
        S: OK \[READ-WRITE\] .*
    """),
    case("RFC 3501 6.3.1", "SELECT of what does not exist leaves nothing selected", r"""
        I: m1
        C: SELECT nosuch
        S: NO \[NONEXISTENT\] .*
        C: FETCH 1 FLAGS
        S: BAD .*
    """),
    case("RFC 7162 3.2.11", "CLOSED comes between the old mailbox and the new one", r"""
        C: CREATE other
        S: OK .*
        I: m1
        C: SELECT other
        S: * OK \[CLOSED\].*
        S: * FLAGS .*
        S: OK .*
    """),
    case("RFC 3501 6.3.2", "EXAMINE is read-only", r"""
        I: m1
        C: EXAMINE INBOX
        S: * OK \[PERMANENTFLAGS \(\)\] .*
        S: OK \[READ-ONLY\] .*
        C: STORE 1 +FLAGS \Seen
        S: NO .*
        C: EXPUNGE
        S: NO .*
        C: FETCH 1 BODY[]
        S: OK .*
        C: FETCH 1 FLAGS
        S: * 1 FETCH \(FLAGS \((\\Recent)?\)\)
        S: OK .*
        C: MOVE 1 INBOX
        S: NO .*
    """),
    case("RFC 3501 2.3.2", "RECENT is given once", r"""
        C: APPEND INBOX {msg m1}
        S: OK .*
        C: EXAMINE INBOX
        S: * 1 RECENT
        S: OK .*
        C: SELECT INBOX
        S: * 1 RECENT
        S: OK .*
        C: SELECT INBOX
        S: * 0 RECENT
        S: OK .*
    """),
    case("RFC 3501 6.3.1", "unknown parameters are refused", r"""
        C: SELECT INBOX (FROBNICATE)
        S: BAD .*
    """),
    case("RFC 3501 6.3.1", "SELECT needs a name", r"""
        C: SELECT
        S: BAD .*
        C: SELECT a b
        S: BAD .*
    """),
    case("RFC 3501 6.4.2", "CLOSE removes without a word", r"""
        I: m1 m2
        C: STORE 1 +FLAGS \Deleted
        S: OK .*
        C: CLOSE
        S: OK .*
        N: * \d EXPUNGE
        C: SELECT INBOX
        S: * 1 EXISTS
        S: OK .*
    """),
    case("RFC 3501 6.4.2", "CLOSE of an examined mailbox removes nothing", r"""
        I: m1
        C: STORE 1 +FLAGS \Deleted
        S: OK .*
        C: EXAMINE INBOX
        S: OK .*
        C: CLOSE
        S: OK .*
        C: STATUS INBOX (MESSAGES)
        S: * STATUS "?INBOX"? \(MESSAGES 1\)
        S: OK .*
    """),
    case("RFC 3691 2", "UNSELECT removes nothing", r"""
        I: m1
        C: STORE 1 +FLAGS \Deleted
        S: OK .*
        C: UNSELECT
        S: OK .*
        C: UNSELECT
        S: BAD .*
        C: STATUS INBOX (MESSAGES)
        S: * STATUS "?INBOX"? \(MESSAGES 1\)
        S: OK .*
    """),
    case("RFC 3501 6.4.1", "CHECK", r"""
        I:
        C: CHECK
        S: OK .*
    """),
]

MAILBOXES = [
    case("RFC 3501 6.3.3", "CREATE makes the levels above", r"""
        C: CREATE owatagusiam/blurdybloop
        S: OK .*
        C: LIST "" owatagusiam*
        S: * LIST \(.*\) "/" "?owatagusiam"?
        S: * LIST \(.*\) "/" "?owatagusiam/blurdybloop"?
        S: OK .*
    """),
    case("RFC 3501 6.3.3", "a separator at the end of CREATE", r"""
        C: CREATE owatagusiam/
        S: OK .*
        C: CREATE owatagusiam/blurdybloop
        S: OK .*
    """),
    case("RFC 3501 6.3.3", "CREATE of what exists", r"""
        C: CREATE twice
        S: OK .*
        C: CREATE twice
        S: NO \[ALREADYEXISTS\] .*
        C: CREATE INBOX
        S: NO \[ALREADYEXISTS\] .*
        C: CREATE inbox
        S: NO \[ALREADYEXISTS\] .*
    """),
    case("RFC 3501 6.3.3", "names that cannot be", r"""
        C: CREATE ""
        S: NO .*
        C: CREATE a//b
        S: NO .*
        C: CREATE /a
        S: NO .*
        C: CREATE
        S: BAD .*
        C: CREATE a%b
        S: BAD .*
    """),
    case("RFC 3501 6.3.4", "DELETE", r"""
        C: CREATE foo
        S: OK .*
        C: DELETE foo
        S: OK .*
        C: DELETE foo
        S: NO \[NONEXISTENT\] .*
        C: DELETE INBOX
        S: NO .*
    """),
    case("RFC 3501 6.3.4", "DELETE of a name with children keeps them", r"""
        C: CREATE foo
        S: OK .*
        C: CREATE foo/bar
        S: OK .*
        C: DELETE foo
        S: OK .*
        C: LIST "" *
        S: * LIST \(.*\\Noselect.*\) "/" "?foo"?
        S: * LIST \(.*\) "/" "?foo/bar"?
        S: OK .*
        C: SELECT foo
        S: NO .*
        C: DELETE foo
        S: NO .*
    """),
    case("RFC 3501 6.3.4", "a name is used again with another UIDVALIDITY or higher UIDs", r"""
        C: CREATE foo
        S: OK .*
        C: APPEND foo {msg m1}
        S: OK \[APPENDUID (?P<v>\d+) 1\] .*
        C: DELETE foo
        S: OK .*
        C: CREATE foo
        S: OK .*
        C: STATUS foo (UIDVALIDITY)
        S: * STATUS "?foo"? \(UIDVALIDITY \d+\)
        S: OK .*
        N: * STATUS "?foo"? \(UIDVALIDITY <<v>>\)
    """),
    case("RFC 2180 3", "the selected mailbox is deleted by another session", r"""
        C1: CREATE doomed
        S1: OK .*
        C1: APPEND doomed {msg m1}
        S1: OK .*
        C1: SELECT doomed
        S1: OK .*
        C2: DELETE doomed
        S2: OK .*
        C1: NOOP
        S1: OK .*
        C1: FETCH 1 BODY.PEEK[TEXT]
        S1: OK .*
        C1: STORE 1 +FLAGS \Seen
        S1: NO .*
        C1: UNSELECT
        S1: OK .*
        C1: SELECT doomed
        S1: NO .*
    """),
    case("RFC 3501 6.3.5", "RENAME takes the children along", r"""
        C: CREATE blurdybloop
        S: OK .*
        C: CREATE foo
        S: OK .*
        C: CREATE foo/bar
        S: OK .*
        C: RENAME blurdybloop sarasoop
        S: OK .*
        C: RENAME foo zowie
        S: OK .*
        C: LIST "" *
        S: * LIST \(.*\) "/" "?sarasoop"?
        S: * LIST \(.*\) "/" "?zowie"?
        S: * LIST \(.*\) "/" "?zowie/bar"?
        S: OK .*
        N: * LIST .*(blurdybloop|foo).*
    """),
    case("RFC 3501 6.3.5", "RENAME of INBOX moves its messages and leaves it empty", r"""
        C: APPEND INBOX {msg m1}
        S: OK .*
        C: CREATE INBOX/bar
        S: OK .*
        C: RENAME INBOX old-mail
        S: OK .*
        C: STATUS INBOX (MESSAGES)
        S: * STATUS "?INBOX"? \(MESSAGES 0\)
        S: OK .*
        C: STATUS old-mail (MESSAGES)
        S: * STATUS "?old-mail"? \(MESSAGES 1\)
        S: OK .*
        C: LIST "" INBOX/*
        S: * LIST \(.*\) "/" "?INBOX/bar"?
        S: OK .*
    """),
    case("RFC 3501 6.3.5", "RENAME that cannot be", r"""
        C: CREATE a
        S: OK .*
        C: CREATE b
        S: OK .*
        C: RENAME a b
        S: NO \[ALREADYEXISTS\] .*
        C: RENAME nosuch c
        S: NO \[NONEXISTENT\] .*
        C: RENAME a a
        S: NO .*
        C: RENAME a a/sub
        S: NO .*
        C: RENAME a INBOX
        S: NO .*
        C: RENAME a
        S: BAD .*
    """),
    case("RFC 3501 6.3.5", "RENAME makes the levels above the new name", r"""
        C: CREATE a
        S: OK .*
        C: RENAME a x/y/z
        S: OK .*
        C: LIST "" x*
        S: * LIST \(.*\) "/" "?x"?
        S: * LIST \(.*\) "/" "?x/y"?
        S: * LIST \(.*\) "/" "?x/y/z"?
        S: OK .*
    """),
    case("RFC 3501 6.3.6", "SUBSCRIBE, UNSUBSCRIBE, LSUB", r"""
        C: CREATE list/one
        S: OK .*
        C: SUBSCRIBE list/one
        S: OK .*
        C: LSUB "" list/*
        S: * LSUB \(.*\) "/" "?list/one"?
        S: OK .*
        C: UNSUBSCRIBE list/one
        S: OK .*
        C: LSUB "" list/*
        S: OK .*
        N: * LSUB .*
    """),
    case("RFC 3501 6.3.9", "LSUB with % shows the parent of a subscription as Noselect", r"""
        C: CREATE foo/bar
        S: OK .*
        C: SUBSCRIBE foo/bar
        S: OK .*
        C: LSUB "" foo%
        S: * LSUB \(\\Noselect\) "/" "?foo"?
        S: OK .*
        N: * LSUB .*foo/bar.*
    """),
    case("RFC 3501 6.3.9", "a subscription outlives its mailbox", r"""
        C: CREATE gone
        S: OK .*
        C: SUBSCRIBE gone
        S: OK .*
        C: DELETE gone
        S: OK .*
        C: LSUB "" gone
        S: * LSUB \(.*\) "/" "?gone"?
        S: OK .*
        C: LIST "" gone
        S: OK .*
        N: * LIST .*
    """),
    case("RFC 3501 6.3.10", "STATUS", r"""
        C: CREATE blurdybloop
        S: OK .*
        C: APPEND blurdybloop (\Seen) {msg m1}
        S: OK .*
        C: APPEND blurdybloop {msg m2}
        S: OK .*
        C: STATUS blurdybloop (UIDNEXT MESSAGES)
        S: * STATUS "?blurdybloop"? \((MESSAGES 2 UIDNEXT 3|UIDNEXT 3 MESSAGES 2)\)
        S: OK .*
        C: STATUS blurdybloop (UNSEEN RECENT UIDVALIDITY)
        S: * STATUS "?blurdybloop"? \(RECENT 2 UIDVALIDITY \d+ UNSEEN 1\)
        S: OK .*
    """),
    case("RFC 3501 6.3.10", "STATUS that cannot be", r"""
        C: STATUS nosuch (MESSAGES)
        S: NO \[NONEXISTENT\] .*
        C: STATUS INBOX ()
        S: BAD .*
        C: STATUS INBOX (FROBS)
        S: BAD .*
        C: STATUS INBOX MESSAGES
        S: BAD .*
        C: STATUS INBOX
        S: BAD .*
    """),
    case("RFC 3501 6.3.10", "STATUS of the selected mailbox", r"""
        I: m1 m2
        C: STATUS INBOX (MESSAGES UNSEEN)
        S: * STATUS "?INBOX"? \(MESSAGES 2 UNSEEN 2\)
        S: OK .*
    """),
    case("RFC 3501 5.1.3", "names in modified UTF-7", r"""
        C: CREATE "~peter/mail/&U,BTFw-/&ZeVnLIqe-"
        S: OK .*
        C: LIST "" "~peter/mail/%/%"
        S: * LIST \(.*\) "/" "?~peter/mail/&U,BTFw-/&ZeVnLIqe-"?
        S: OK .*
        C: CREATE "Jim &- Sons"
        S: OK .*
        C: LIST "" "Jim*"
        S: * LIST \(.*\) "/" "Jim &- Sons"
        S: OK .*
    """),
    case("RFC 3501 5.1.3", "names that are no modified UTF-7", r"""
        C: CREATE "&Jjo"
        S: NO .*
        C: CREATE "&AGE-"
        S: NO .*
        C: CREATE "&U,BTFw-&ZeVnLIqe-"
        S: NO .*
    """),
    case("RFC 2342 5", "NAMESPACE", r"""
        C: NAMESPACE
        S: * NAMESPACE \(\("" "/"\)\) NIL NIL
        S: OK .*
    """),
]

LIST = [
    case("RFC 3501 6.3.8", "LIST of nothing gives the separator", r"""
        C: LIST "" ""
        S: * LIST \(\\Noselect\) "/" ""
        S: OK .*
    """),
    case("RFC 3501 6.3.8", "% stays within a level, * does not", r"""
        C: CREATE a/b/c
        S: OK .*
        C: LIST "" %
        S: * LIST \(.*\) "/" "?a"?
        S: OK .*
        N: * LIST .* "?a/b.*
        C: LIST "" a/%
        S: * LIST \(.*\) "/" "?a/b"?
        S: OK .*
        N: * LIST .* "?a/b/c"?
        C: LIST "" a*
        S: * LIST \(.*\) "/" "?a"?
        S: * LIST \(.*\) "/" "?a/b"?
        S: * LIST \(.*\) "/" "?a/b/c"?
        S: OK .*
        C: LIST "" a/*c
        S: * LIST \(.*\) "/" "?a/b/c"?
        S: OK .*
        N: * LIST .* "?a/b"?
    """),
    case("RFC 3501 6.3.8", "the reference comes before the pattern", r"""
        C: CREATE x/y/z
        S: OK .*
        C: LIST x/ %
        S: * LIST \(.*\) "/" "?x/y"?
        S: OK .*
        N: * LIST .* "?x/y/z"?
        C: LIST x/y/ *
        S: * LIST \(.*\) "/" "?x/y/z"?
        S: OK .*
    """),
    case("RFC 3501 6.3.8", "INBOX is listed, in capitals", r"""
        C: LIST "" inb*
        S: * LIST \(.*\) "/" "?INBOX"?
        S: OK .*
        C: LIST "" INBOX
        S: * LIST \(.*\) "/" "?INBOX"?
        S: OK .*
    """),
    case("RFC 3501 6.3.8", "nothing matches", r"""
        C: LIST "" nosuch
        S: OK .*
        N: * LIST .*
    """),
    case("RFC 3501 6.3.8", "LIST with wrong arguments", r"""
        C: LIST
        S: BAD .*
        C: LIST ""
        S: BAD .*
        C: LIST "" * extra
        S: BAD .*
    """),
    case("RFC 3348 4", "HasChildren and HasNoChildren", r"""
        C: CREATE a/b
        S: OK .*
        C: LIST "" a*
        S: * LIST \(.*\\HasChildren.*\) "/" "?a"?
        S: * LIST \(.*\\HasNoChildren.*\) "/" "?a/b"?
        S: OK .*
    """),
]

APPEND = [
    case("RFC 3501 6.3.11", "APPEND of the RFC's example", r"""
        C: CREATE saved-messages
        S: OK .*
        C: APPEND saved-messages (\Seen) {sync Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)\r\nFrom: Fred Foobar <foobar@Blurdybloop.COM>\r\nSubject: afternoon meeting\r\n\r\nHello Joe, do you think we can meet at 3:30 tomorrow?\r\n}
        S: OK \[APPENDUID \d+ 1\] .*
        C: STATUS saved-messages (MESSAGES UNSEEN)
        S: * STATUS "?saved-messages"? \(MESSAGES 1 UNSEEN 0\)
        S: OK .*
    """),
    case("RFC 3501 6.3.11", "flags, keywords and date are kept", r"""
        C: APPEND INBOX (\Flagged \Draft $Work) "17-Jul-1996 02:44:25 -0700" {msg m1}
        S: OK .*
        C: SELECT INBOX
        S: * FLAGS \(.*\$Work.*\)
        S: OK .*
        C: FETCH 1 (FLAGS INTERNALDATE)
        S: * 1 FETCH \(FLAGS \(\\Flagged \\Draft( \\Recent)? \$Work\) INTERNALDATE "17-Jul-1996 02:44:25 -0700"\)
        S: OK .*
    """),
    case("RFC 3501 9", "a day of one digit has a blank before it", r"""
        C: APPEND INBOX " 1-Feb-2020 00:00:00 +0000" {msg m1}
        S: OK .*
        I:
        C: FETCH 1 INTERNALDATE
        S: * 1 FETCH \(INTERNALDATE " 1-Feb-2020 00:00:00 \+0000"\)
        S: OK .*
    """),
    case("RFC 3501 6.3.11", "TRYCREATE, before the literal is sent", r"""
        C: APPEND nosuch {10}
        S: NO \[TRYCREATE\] .*
        C: NOOP
        S: OK .*
    """),
    case("RFC 7888 3", "TRYCREATE, when the literal is sent all the same", r"""
        C: APPEND nosuch {msg m1}
        S: NO \[TRYCREATE\] .*
        C: NOOP
        S: OK .*
    """),
    case("RFC 3501 6.3.11", "APPEND with wrong arguments", r"""
        C: APPEND INBOX
        S: BAD .*
        C: APPEND INBOX (\Recent) {msg m1}
        S: BAD .*
        C: APPEND INBOX "not a date" {msg m1}
        S: BAD .*
        C: APPEND INBOX "31-Feb-2020 00:00:00 +0000" {msg m1}
        S: BAD .*
        C: APPEND INBOX (\Seen {msg m1}
        S: BAD .*
        C: APPEND INBOX {lit one}{lit two}
        S: BAD .*
        C: APPEND INBOX {sync one}{lit two} {lit three}
        S: BAD .*
        C: STATUS INBOX (MESSAGES)
        S: * STATUS "?INBOX"? \(MESSAGES 0\)
        S: OK .*
    """),
    case("RFC 3501 6.3.11", "APPEND to the selected mailbox is told before its answer", r"""
        I:
        C: APPEND INBOX {msg m1}
        S: * 1 EXISTS
        S: OK .*
    """),
    case("RFC 3501 6.3.11", "bare line feeds become line ends", r"""
        I: lf
        C: FETCH 1 BODY.PEEK[]
        S: * 1 FETCH \(BODY\[\] \{48\}\r\nFrom: a@example.org\r\nSubject: LF only\r\n\r\nBody.\r\n\)
        S: OK .*
    """),
    case("RFC 3501 6.3.11", "a mailbox named by a literal", r"""
        C: APPEND {sync INBOX} {msg m1}
        S: OK .*
        C: APPEND {lit INBOX} (\Seen) {msg m2}
        S: OK .*
    """),
]

FETCH = [
    case("RFC 3501 6.4.5", "the RFC's example", r"""
        I: m1 m2 m3 m4
        C: FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])
        S: * 2 FETCH \(FLAGS \(.*\) BODY\[HEADER.FIELDS \(DATE FROM\)\] \{\d+\}\r\nFrom: Sender 2 <sender2@example.org>\r\nDate: Mon, 02 Nov 2021 10:02:00 \+0000\r\n\r\n\)
        S: * 3 FETCH .*
        S: * 4 FETCH .*
        S: OK .*
        N: * 1 FETCH .*
    """),
    case("RFC 3501 8", "the envelope of the RFC's sample session", r"""
        I: terry
        C: FETCH 1 ENVELOPE
        L: * 1 FETCH (ENVELOPE ("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev1 WG mtg summary and minutes" (("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) ((NIL NIL "imap" "cac.washington.edu")) ((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL "<B27397-0100000@cac.washington.edu>"))
        S: OK .*
    """),
    case("RFC 3501 8", "FETCH FULL of the RFC's sample session", r"""
        I: terry
        C: FETCH 1 FULL
        S: * 1 FETCH \(FLAGS \(.*\) INTERNALDATE ".*" RFC822.SIZE \d+ ENVELOPE \(.*\) BODY \("(?i:text)" "(?i:plain)" \("(?i:charset)" "US-ASCII"\) NIL NIL "(?i:7bit)" 29 3\)\)
        S: OK .*
    """),
    case("RFC 3501 6.4.5", "the macros ALL and FAST", r"""
        I: m1
        C: FETCH 1 ALL
        S: * 1 FETCH \(FLAGS \(.*\) INTERNALDATE ".*" RFC822.SIZE \d+ ENVELOPE \(.*\)\)
        S: OK .*
        C: FETCH 1 FAST
        S: * 1 FETCH \(FLAGS \(.*\) INTERNALDATE ".*" RFC822.SIZE \d+\)
        S: OK .*
        C: FETCH 1 (ALL)
        S: BAD .*
    """),
    case("RFC 3501 6.4.5", "the part numbers of the RFC: whole parts", r"""
        I: numbered
        C: FETCH 1 (BODY.PEEK[1] BODY.PEEK[2] BODY.PEEK[3.1] BODY.PEEK[3.2] BODY.PEEK[4.1])
        S: * 1 FETCH \(BODY\[1\] \{6\}\r\n1 text BODY\[2\] \{8\}\r\n2 octets BODY\[3.1\] \{8\}\r\n3.1 text BODY\[3.2\] \{10\}\r\n3.2 octets BODY\[4.1\] \{8\}\r\nR0lGODlh\)
        S: OK .*
        C: FETCH 1 (BODY.PEEK[4.2.1] BODY.PEEK[4.2.2.1] BODY.PEEK[4.2.2.2])
        S: * 1 FETCH \(BODY\[4.2.1\] \{10\}\r\n4.2.1 text BODY\[4.2.2.1\] \{13\}\r\n4.2.2.1 plain BODY\[4.2.2.2\] \{12\}\r\n4.2.2.2 rich\)
        S: OK .*
    """),
    case("RFC 3501 6.4.5", "the part numbers of the RFC: headers and texts", r"""
        I: numbered
        C: FETCH 1 BODY.PEEK[3.HEADER]
        S: * 1 FETCH \(BODY\[3.HEADER\] \{\d+\}\r\nFrom: inner@example.org\r\nSubject: Inner\r\n.*boundary=b3\r\n\r\n\)
        S: OK .*
        C: FETCH 1 BODY.PEEK[3.TEXT]
        S: * 1 FETCH \(BODY\[3.TEXT\] \{\d+\}\r\n--b3\r\n.*--b3--\r\n\)
        S: OK .*
        C: FETCH 1 BODY.PEEK[4.2.HEADER]
        S: * 1 FETCH \(BODY\[4.2.HEADER\] \{\d+\}\r\nFrom: deep@example.org.*\)
        S: OK .*
        C: FETCH 1 BODY.PEEK[4.1.MIME]
        S: * 1 FETCH \(BODY\[4.1.MIME\] \{\d+\}\r\nContent-Type: image/gif\r\nContent-Transfer-Encoding: base64\r\n\r\n\)
        S: OK .*
        C: FETCH 1 BODY.PEEK[3.HEADER.FIELDS (Subject)]
        S: * 1 FETCH \(BODY\[3.HEADER.FIELDS \(Subject\)\] \{18\}\r\nSubject: Inner\r\n\r\n\)
        S: OK .*
    """),
    case("RFC 3501 6.4.5", "parts that are not there are NIL", r"""
        I: m1 numbered
        C: FETCH 1 BODY.PEEK[2]
        S: * 1 FETCH \(BODY\[2\] NIL\)
        S: OK .*
        C: FETCH 1 BODY.PEEK[1.1]
        S: * 1 FETCH \(BODY\[1.1\] NIL\)
        S: OK .*
        C: FETCH 2 (BODY.PEEK[5] BODY.PEEK[1.HEADER] BODY.PEEK[3.3])
        S: * 2 FETCH \(BODY\[5\] NIL BODY\[1.HEADER\] NIL BODY\[3.3\] NIL\)
        S: OK .*
    """),
    case("RFC 3501 6.4.5", "part 1 of a message that is no multipart", r"""
        I: m1
        C: FETCH 1 (BODY.PEEK[1] BODY.PEEK[TEXT])
        S: * 1 FETCH \(BODY\[1\] \{20\}\r\nBody of message 1.\r\n BODY\[TEXT\] \{20\}\r\nBody of message 1.\r\n\)
        S: OK .*
    """),
    case("RFC 3501 6.4.5", "header fields: case, order, repetition, folding", r"""
        I: folded
        C: FETCH 1 BODY.PEEK[HEADER.FIELDS (x-long SUBJECT)]
        S: * 1 FETCH \(BODY\[HEADER.FIELDS \(x-long SUBJECT\)\] \{\d+\}\r\nSubject: A folded\r\n subject line\r\nX-Long: one\r\n\ttwo\r\nX-Long: three\r\n\r\n\)
        S: OK .*
        C: FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (Subject X-Long)]
        S: * 1 FETCH \(BODY\[HEADER.FIELDS.NOT \(Subject X-Long\)\] \{23\}\r\nFrom: a@example.org\r\n\r\n\)
        S: OK .*
        C: FETCH 1 BODY.PEEK[HEADER.FIELDS (Nosuch)]
        S: * 1 FETCH \(BODY\[HEADER.FIELDS \(Nosuch\)\] \{2\}\r\n\r\n\)
        S: OK .*
        C: FETCH 1 BODY.PEEK[HEADER.FIELDS ("From")]
        S: * 1 FETCH \(BODY\[HEADER.FIELDS \("?From"?\)\] \{23\}\r\nFrom: a@example.org\r\n\r\n\)
        S: OK .*
    """),
    case("RFC 3501 6.4.5", "partial", r"""
        I: m1
        C: FETCH 1 BODY.PEEK[TEXT]<0.4>
        S: * 1 FETCH \(BODY\[TEXT\]<0> \{4\}\r\nBody\)
        S: OK .*
        C: FETCH 1 BODY.PEEK[TEXT]<5.2>
        S: * 1 FETCH \(BODY\[TEXT\]<5> \{2\}\r\nof\)
        S: OK .*
        C: FETCH 1 BODY.PEEK[TEXT]<18.2000>
        S: * 1 FETCH \(BODY\[TEXT\]<18> \{2\}\r\n\r\n\)
        S: OK .*
        C: FETCH 1 BODY.PEEK[TEXT]<1000.5>
        S: * 1 FETCH \(BODY\[TEXT\]<1000> (\{0\}\r\n|"")\)
        S: OK .*
        C: FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]<9.7>
        S: * 1 FETCH \(BODY\[HEADER.FIELDS \(SUBJECT\)\]<9> \{7\}\r\nMessage\)
        S: OK .*
        C: FETCH 1 BODY.PEEK[]<0.0>
        S: BAD .*
        C: FETCH 1 BODY.PEEK[]<0>
        S: BAD .*
    """),
    case("RFC 9051 6.4.5", "partial with 63-bit numbers", r"""
        I: m1
        C: FETCH 1 BODY.PEEK[TEXT]<0.9223372036854775807>
        S: * 1 FETCH \(BODY\[TEXT\]<0> \{20\}\r\nBody.*\)
        S: OK .*
        C: FETCH 1 BODY.PEEK[TEXT]<9223372036854775806.1>
        S: * 1 FETCH \(BODY\[TEXT\]<9223372036854775806> (\{0\}\r\n|"")\)
        S: OK .*
    """),
    case("RFC 3501 6.4.5", "a large part of a large message", r"""
        I: big
        C: FETCH 1 BODY.PEEK[TEXT]<131056.20>
        S: * 1 FETCH \(BODY\[TEXT\]<131056> \{18\}\r\n0123456789abcdef\r\n\)
        S: OK .*
        C: FETCH 1 (BODY.PEEK[] UID)
        S: * 1 FETCH \(BODY\[\] \{131111\}\r\nFrom.*abcdef\r\n UID 1\)
        S: OK .*
    """),
    case("RFC 3501 6.4.5", "reading sets Seen, and the answer says so", r"""
        I: m1 m2 m3
        C: FETCH 1 BODY[TEXT]
        S: * 1 FETCH \(BODY\[TEXT\] .* FLAGS \(\\Seen( \\Recent)?\)\)
        S: OK .*
        C: FETCH 1 BODY[TEXT]
        S: * 1 FETCH \(BODY\[TEXT\] [^F]*\)
        S: OK .*
        C: FETCH 2 RFC822
        S: * 2 FETCH \(RFC822 \{\d+\}.* FLAGS \(\\Seen( \\Recent)?\)\)
        S: OK .*
        C: FETCH 3 (RFC822.HEADER BODY.PEEK[] RFC822.SIZE)
        S: * 3 FETCH .*
        S: OK .*
        N: * 3 FETCH .*FLAGS.*
        C: FETCH 3 RFC822.TEXT
        S: * 3 FETCH \(RFC822.TEXT .* FLAGS \(\\Seen( \\Recent)?\)\)
        S: OK .*
    """),
    case("RFC 3501 6.4.5", "Seen by reading reaches another session", r"""
        I1: m1
        I2:
        C1: FETCH 1 BODY[]
        S1: OK .*
        C2: NOOP
        S2: * 1 FETCH \(FLAGS \(.*\\Seen.*\)\)
        S2: OK .*
    """),
    case("RFC 3501 7.4.2", "a header without body or blank line", r"""
        I: headeronly
        C: FETCH 1 (BODY.PEEK[HEADER] BODY.PEEK[TEXT])
        S: * 1 FETCH \(BODY\[HEADER\] \{\d+\}\r\nFrom: a@example.org\r\nSubject: No body\r\n BODY\[TEXT\] (\{0\}\r\n|"")\)
        S: OK .*
    """),
    case("RFC 3501 7.4.2", "BODY and BODYSTRUCTURE of a multipart", r"""
        I: encoded
        C: FETCH 1 BODY
        S: * 1 FETCH \(BODY \(\("text" "plain" \("charset" "utf-8"\) NIL NIL "quoted-printable" 18 1\)\("application" "octet-stream" NIL NIL NIL "base64" 8\)\("text" "plain" .* "x-rot13" 3 1\) "mixed"\)\)
        S: OK .*
        C: FETCH 1 BODYSTRUCTURE
        S: * 1 FETCH \(BODYSTRUCTURE \(\("text" "plain" \("charset" "utf-8"\) NIL NIL "quoted-printable" 18 1 NIL NIL NIL NIL\)\("application" "octet-stream" NIL NIL NIL "base64" 8 NIL \("attachment" \("filename" "n.bin"\)\) NIL NIL\).* "mixed" \("boundary" "eb"\) NIL NIL NIL\)\)
        S: OK .*
    """),
    case("RFC 3501 7.4.2", "BODYSTRUCTURE of a message within a message", r"""
        I: numbered
        C: FETCH 1 BODYSTRUCTURE
        S: * 1 FETCH \(BODYSTRUCTURE \(\("text" "plain" .*\)\("application" "octet-stream" .*\)\("message" "rfc822" NIL NIL NIL "7bit" \d+ \(NIL "Inner" \(\(NIL NIL "inner" "example.org"\)\) .*\) \(\("text" .*\)\("application" .*\) "mixed" .*\) \d+ NIL NIL NIL NIL\)\(.*"message" "rfc822" .* "mixed" .*\) "mixed" \("boundary" "b0"\) NIL NIL NIL\)\)
        S: OK .*
    """),
    case("RFC 2231 6", "continuations are joined, 8-bit parameters stay encoded", r"""
        I: param
        C: FETCH 1 BODYSTRUCTURE
        L: * 1 FETCH (BODYSTRUCTURE ("text" "plain" ("charset" "us-ascii" "name*" "utf-8''Fr%C3%B6sche.txt") NIL NIL "7bit" 3 1 NIL ("attachment" ("filename" "long name")) NIL NIL))
        S: OK .*
        C: ENABLE UTF8=ACCEPT
        S: OK .*
        C: FETCH 1 BODYSTRUCTURE
        S: * 1 FETCH .*"name" "Frösche.txt".*
        S: OK .*
    """),
    case("RFC 3501 7.4.2", "quotes and backslashes in an envelope", r"""
        I: quoted
        C: FETCH 1 ENVELOPE
        S: * 1 FETCH \(ENVELOPE \(NIL "say \\"hi\\" \\\\ bye" \(\("A \\"quoted\\" name" NIL "a" "example.org"\)\).*
        S: OK .*
    """),
    case("RFC 3501 7.4.2", "groups in an envelope", r"""
        I: group
        C: FETCH 1 ENVELOPE
        S: * 1 FETCH \(ENVELOPE .* \(\(NIL NIL "Friends" NIL\)\(NIL NIL "b" "example.org"\)\(NIL NIL "c" "example.org"\)\(NIL NIL NIL NIL\)\(NIL NIL "undisclosed" NIL\)\(NIL NIL NIL NIL\)\) NIL NIL NIL NIL\)\)
        S: OK .*
    """),
    case("RFC 3501 9", "what is no FETCH item", r"""
        I: m1
        C: FETCH 1 FROB
        S: BAD .*
        C: FETCH 1 (FLAGS
        S: BAD .*
        C: FETCH 1 ()
        S: BAD .*
        C: FETCH 1
        S: BAD .*
        C: FETCH 1 BODY[MIME]
        S: BAD .*
        C: FETCH 1 BODY[0]
        S: BAD .*
        C: FETCH 1 BODY[1.]
        S: BAD .*
        C: FETCH 1 BODY[HEADER.FIELDS ()]
        S: BAD .*
        C: FETCH 1 BODY[
        S: BAD .*
        C: FETCH 1 FLAGS UID
        S: BAD .*
        C: FETCH x FLAGS
        S: BAD .*
        C: FETCH 0 FLAGS
        S: BAD .*
        C: FETCH 1, FLAGS
        S: BAD .*
        C: FETCH 1:2:3 FLAGS
        S: BAD .*
    """),
    case("RFC 3501 9", "message sets", r"""
        I: m1 m2 m3 m4 m5
        C: FETCH 2,4:5,1 UID
        S: OK .*
        N: * 3 FETCH .*
        C: FETCH 5:3 UID
        S: * 3 FETCH \(UID 3\)
        S: * 4 FETCH \(UID 4\)
        S: * 5 FETCH \(UID 5\)
        S: OK .*
        C: FETCH * UID
        S: * 5 FETCH \(UID 5\)
        S: OK .*
        C: FETCH *:4 UID
        S: * 4 FETCH \(UID 4\)
        S: * 5 FETCH \(UID 5\)
        S: OK .*
        C: FETCH 6 UID
        S: BAD .*
        C: FETCH 4294967296 UID
        S: BAD .*
    """),
    case("RFC 3501 6.4.8", "UID FETCH adds the UID and passes over what is not there", r"""
        I: m1 m2
        C: UID FETCH 2:* FLAGS
        S: * 2 FETCH \(UID 2 FLAGS \(.*\)\)
        S: OK .*
        C: UID FETCH 100 FLAGS
        S: OK .*
        N: * .* FETCH .*
        C: UID FETCH 100:* FLAGS
        S: * 2 FETCH \(UID 2 FLAGS \(.*\)\)
        S: OK .*
    """),
    case("RFC 3501 6.4.8", "UID FETCH and implicit Seen", r"""
        I: m1
        C: UID FETCH 1 BODY[TEXT]
        S: * 1 FETCH \(UID 1 BODY\[TEXT\] .* FLAGS \(\\Seen.*\)\)
        S: OK .*
    """),
    case("RFC 3501 7.4.1", "no EXPUNGE during FETCH, STORE and SEARCH", r"""
        I1: m1 m2 m3
        I2:
        C2: STORE 1 +FLAGS.SILENT \Deleted
        S2: OK .*
        C2: EXPUNGE
        S2: OK .*
        C1: FETCH 3 UID
        S1: * 3 FETCH \(UID 3\)
        S1: OK .*
        N1: * 1 EXPUNGE
        C1: SEARCH ALL
        S1: OK .*
        N1: * 1 EXPUNGE
        C1: STORE 3 +FLAGS \Flagged
        S1: * 3 FETCH \(FLAGS \(.*\\Flagged.*\)\)
        S1: OK .*
        N1: * 1 EXPUNGE
        C1: UID SEARCH ALL
        S1: * SEARCH 2 3
        S1: OK .*
    """),
    case("RFC 2180 4.1", "a message that another session removed", r"""
        I1: m1 m2
        I2:
        C2: STORE 1 +FLAGS.SILENT \Deleted
        S2: OK .*
        C2: EXPUNGE
        S2: OK .*
        C1: FETCH 1 (UID BODY.PEEK[TEXT])
        S1: (OK|NO) .*
        C1: COPY 1 INBOX
        S1: NO \[EXPUNGEISSUED\] .*
    """),
]

STORE = [
    case("RFC 3501 6.4.6", "the RFC's example", r"""
        I: m1 m2 m3 m4
        C: STORE 2:4 +FLAGS (\Deleted)
        S: * 2 FETCH \(FLAGS \(\\Deleted.*\)\)
        S: * 3 FETCH \(FLAGS \(\\Deleted.*\)\)
        S: * 4 FETCH \(FLAGS \(\\Deleted.*\)\)
        S: OK .*
    """),
    case("RFC 3501 6.4.6", "replace, add, remove", r"""
        I: m1
        C: STORE 1 FLAGS (\Seen \Flagged)
        S: * 1 FETCH \(FLAGS \(\\Flagged \\Seen( \\Recent)?\)\)
        S: OK .*
        C: STORE 1 -FLAGS \Seen
        S: * 1 FETCH \(FLAGS \(\\Flagged( \\Recent)?\)\)
        S: OK .*
        C: STORE 1 +FLAGS (\Answered kw)
        S: * 1 FETCH \(FLAGS \(\\Answered \\Flagged( \\Recent)? kw\)\)
        S: OK .*
        C: STORE 1 FLAGS ()
        S: * 1 FETCH \(FLAGS \((\\Recent)?\)\)
        S: OK .*
    """),
    case("RFC 3501 6.4.6", ".SILENT says nothing to the session itself", r"""
        I1: m1
        I2:
        C1: STORE 1 +FLAGS.SILENT \Seen
        S1: OK .*
        N1: * 1 FETCH .*
        C1: NOOP
        S1: OK .*
        N1: * 1 FETCH .*
        C2: NOOP
        S2: * 1 FETCH \(FLAGS \(\\Seen.*\)\)
        S2: OK .*
    """),
    case("RFC 3501 6.4.6", "flags without parentheses", r"""
        I: m1
        C: STORE 1 +FLAGS \Seen \Flagged
        S: * 1 FETCH \(FLAGS \(\\Flagged \\Seen.*\)\)
        S: OK .*
    """),
    case("RFC 3501 2.3.2", "new keywords are announced", r"""
        I: m1
        C: STORE 1 +FLAGS ($Forwarded NonJunk)
        S: * FLAGS \(.*\$Forwarded.*NonJunk.*\)
        S: OK .*
    """),
    case("RFC 3501 2.3.2", "keywords are case-insensitive and keep their first spelling", r"""
        I: m1
        C: STORE 1 +FLAGS (MyKey)
        S: OK .*
        C: STORE 1 +FLAGS (mykey)
        S: * 1 FETCH \(FLAGS \(.*MyKey\)\)
        S: OK .*
        C: SEARCH KEYWORD MYKEY
        S: * SEARCH 1
        S: OK .*
    """),
    case("RFC 3501 6.4.6", "what cannot be stored", r"""
        I: m1
        C: STORE 1 +FLAGS \Recent
        S: BAD .*
        C: STORE 1 +FLAGS \Frob
        S: BAD .*
        C: STORE 1 FLAGGS ()
        S: BAD .*
        C: STORE 2 +FLAGS \Seen
        S: BAD .*
        C: STORE 1 +FLAGS
        S: BAD .*
        C: STORE 1 +FLAGS (a (b))
        S: BAD .*
    """),
    case("RFC 3501 6.4.8", "UID STORE", r"""
        I: m1 m2
        C: UID STORE 2 +FLAGS \Seen
        S: * 2 FETCH \(UID 2 FLAGS \(\\Seen.*\)\)
        S: OK .*
        C: UID STORE 77 +FLAGS \Seen
        S: OK .*
    """),
    case("RFC 3501 6.4.3", "EXPUNGE of the RFC's example", r"""
        I: m1 m2 m3 m4
        C: STORE 1,3,4 +FLAGS.SILENT \Deleted
        S: OK .*
        C: EXPUNGE
        S: * \d EXPUNGE
        S: * \d EXPUNGE
        S: * \d EXPUNGE
        S: OK .*
        C: FETCH 1:* UID
        S: * 1 FETCH \(UID 2\)
        S: OK .*
    """),
    case("RFC 3501 6.4.3", "EXPUNGE of nothing", r"""
        I: m1
        C: EXPUNGE
        S: OK .*
        N: * \d EXPUNGE
        C: EXPUNGE 1
        S: BAD .*
    """),
    case("RFC 3501 6.4.7", "COPY keeps flags and date", r"""
        C: CREATE MEETING
        S: OK .*
        C: APPEND INBOX (\Flagged kw) "17-Jul-1996 02:44:25 -0700" {msg m1}
        S: OK .*
        I: m2 m3
        C: COPY 1:2 MEETING
        S: OK \[COPYUID \d+ 1:2 1:2\] .*
        C: SELECT MEETING
        S: * 2 EXISTS
        S: OK .*
        C: FETCH 1 (FLAGS INTERNALDATE)
        S: * 1 FETCH \(FLAGS \(\\Flagged( \\Recent)? kw\) INTERNALDATE "17-Jul-1996 02:44:25 -0700"\)
        S: OK .*
    """),
    case("RFC 3501 6.4.7", "COPY that cannot be", r"""
        I: m1
        C: COPY 1 nosuch
        S: NO \[TRYCREATE\] .*
        C: COPY 2 INBOX
        S: BAD .*
        C: COPY 1
        S: BAD .*
        C: UID COPY 99 nosuch
        S: (OK|NO) .*
        C: UID COPY 99 INBOX
        S: OK .*
    """),
    case("RFC 3501 6.4.7", "COPY into the same mailbox", r"""
        I: m1
        C: COPY 1 INBOX
        S: * 2 EXISTS
        S: OK \[COPYUID \d+ 1 2\] .*
    """),
]

HALF_CLOSE = [
    case("RFC 3501 2.2", "a client that only listens any more still gets its answers", r"""
        C: APPEND INBOX {msg big}
        S: OK .*
        I: m1
        c: b1 STORE 2 +FLAGS \Seen{nl}b2 FETCH 1:2 BODY[]{nl}b3 SEARCH SEEN{nl}b4 NOOP
        F:
        S: * 2 FETCH .*
        S: b1 OK .*
        S: * 1 FETCH .*
        S: * 2 FETCH .*
        S: b2 OK .*
        S: * SEARCH 1 2
        S: b3 OK .*
        S: b4 OK .*
        E:
    """),
    case("RFC 3501 2.2", "a command that never ends is dropped", r"""
        I:
        c~: b1 STATUS INBOX (MESS
        F:
        E:
    """),
    case("RFC 2177 3", "IDLE ends with its client", r"""
        I:
        C: IDLE
        S: \+ .*
        F:
        E:
    """),
]
