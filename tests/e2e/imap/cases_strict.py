"""Single statements and productions of the RFCs that no example shows: what clients may not send, and what servers must say then."""

from dialogue import case

SYNTAX = [
    case("RFC 9051 7.1.3", "a line that is only a tag is answered with it", r"""
        c: abc
        S: abc BAD .*
        c: a+c NOOP
        S: * BAD .*
        c: a]c NOOP
        S: a]c OK .*
    """),
    case("RFC 9051 9", "dates have days of one or two digits, years of four", r"""
        I: terry
        C: SEARCH SENTON 17-Jul-1996
        S: * SEARCH 1
        S: OK .*
        C: SEARCH SENTSINCE "01-Jul-1996"
        S: * SEARCH 1
        S: OK .*
        C: SEARCH SENTON 017-Jul-1996
        S: BAD .*
        C: SEARCH SENTON 17-Jul-96
        S: BAD .*
        C: SEARCH SENTON 17-Jul-01996
        S: BAD .*
        C: SEARCH SENTON 0-Jul-1996
        S: BAD .*
    """),
    case("RFC 9051 9", "numbers of messages are not zero, nor do they begin with it", r"""
        I: m1
        C: FETCH 01 UID
        S: BAD .*
        C: FETCH 0:1 UID
        S: BAD .*
        C: UID FETCH 01 UID
        S: BAD .*
        C: SEARCH 1,01
        S: BAD .*
    """),
    case("RFC 9051 9", "in an empty mailbox there is no message number, but *, as a UID, is UIDNEXT", r"""
        I:
        C: FETCH 1:* FLAGS
        S: BAD .*
        C: STORE * +FLAGS (\Seen)
        S: BAD .*
        C: COPY 1:* INBOX
        S: BAD .*
        C: MOVE 1:* INBOX
        S: BAD .*
        C: UID FETCH 1:* FLAGS
        S: OK .*
        C: UID STORE * +FLAGS (\Seen)
        S: OK .*
        C: UID SEARCH UID 1:*
        S: * SEARCH
        S: OK .*
    """),
    case("RFC 9051 5.1", "no separators of lines and paragraphs in the names of mailboxes", r"""
        C: CREATE "x&ICg-y"
        S: NO \[CANNOT\] .*
        C: CREATE x&ICo-y
        S: OK .*
        C: RENAME x&ICo-y &ICk-
        S: NO \[CANNOT\] .*
        C: ENABLE IMAP4rev2
        S: OK .*
        C: CREATE {lit x\xe2\x80\xa8y}
        S: NO \[CANNOT\] .*
        C: CREATE {lit x\xe2\x80\xa9y}
        S: NO \[CANNOT\] .*
        C: CREATE {lit x\xe2\x80\xa7y}
        S: OK .*
    """),
]

LISTING = [
    case("RFC 5258 3", "an empty pattern of an extended LIST asks for nothing, and is ignored among others", r"""
        C: CREATE foo
        S: OK .*
        C: LIST "" ""
        S: * LIST \(\\Noselect\) "/" ""
        S: OK .*
        C: LIST () "" ""
        S: OK .*
        N: * LIST .*
        C: LIST "" ("")
        S: OK .*
        N: * LIST .*
        C: LIST "" "" RETURN (CHILDREN)
        S: OK .*
        N: * LIST .*
        C: LIST (SUBSCRIBED) "" ""
        S: OK .*
        N: * LIST .*
        C: LIST "foo" ("" "x")
        S: OK .*
        N: * LIST .*
        C: LIST "" ("" "foo")
        S: * LIST \(\\HasNoChildren\) "/" "foo"
        S: OK .*
    """),
]

RESYNC = [
    case("RFC 7162 7", "what a client knows of UIDs and message numbers is said without *", r"""
        C: ENABLE QRESYNC
        S: OK .*
        C: SELECT INBOX (QRESYNC (1 1 1:*))
        S: BAD .*
        C: SELECT INBOX (QRESYNC (1 1 $))
        S: BAD .*
        C: SELECT INBOX (QRESYNC (1 1 1:2 (1:* 1:2)))
        S: BAD .*
        C: SELECT INBOX (QRESYNC (1 1 1:2 (1:2 1:*)))
        S: BAD .*
        C: SELECT INBOX (QRESYNC (1 1 1:2 (1:2 1:2)))
        S: OK .*
    """),
    case("RFC 7162 3.2.6", "UID FETCH 1:* (CHANGEDSINCE VANISHED) has the expunges behind the last message, and all of an emptied mailbox", r"""
        C: ENABLE QRESYNC
        S: OK .*
        I: m1 m2 m3 m4
        C: STORE 2,4 +FLAGS.SILENT (\Deleted)
        S: OK .*
        C: EXPUNGE
        S: OK .*
        C: UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)
        S: * VANISHED \(EARLIER\) 2,4
        S: * 2 FETCH \(UID 3 .*
        S: OK .*
        C: UID FETCH 3:* (FLAGS) (CHANGEDSINCE 1 VANISHED)
        S: * VANISHED \(EARLIER\) 4
        S: OK .*
        C: STORE 1:2 +FLAGS.SILENT (\Deleted)
        S: OK .*
        C: EXPUNGE
        S: OK .*
        C: UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)
        S: * VANISHED \(EARLIER\) 1:4
        S: OK .*
    """),
    case("RFC 7162 3.2", "while expunges are held back, HIGHESTMODSEQ is lower than theirs, whatever MODSEQ was told", r"""
        C1: ENABLE QRESYNC
        S1: OK .*
        C2: ENABLE QRESYNC
        S2: OK .*
        I1: m1 m2 m3
        I2:
        C1: STORE 2 +FLAGS (\Deleted)
        S1: * 2 FETCH .* MODSEQ \((?P<deleted>\d+)\)\)
        S1: OK .*
        C1: EXPUNGE
        S1: OK .*
        C1: STORE 1 +FLAGS (\Seen)
        S1: * 1 FETCH .* MODSEQ \((?P<seen>\d+)\)\)
        S1: OK .*
        C2: FETCH 3 UID
        S2: * 1 FETCH .* MODSEQ \(<<seen>>\)\)
        S2: * OK \[HIGHESTMODSEQ <<deleted>>\] .*
        S2: OK .*
        C2: STORE 3 +FLAGS.SILENT (\Answered)
        S2: * 3 FETCH .* MODSEQ \((?P<answered>\d+)\)\)
        S2: * OK \[HIGHESTMODSEQ <<deleted>>\] .*
        S2: OK .*
        C2: NOOP
        S2: * VANISHED 2
        S2: * OK \[HIGHESTMODSEQ <<answered>>\] .*
        S2: OK .*
        C2: FETCH 1 UID
        S2: OK .*
        N2: * OK .*HIGHESTMODSEQ.*
    """),
    case("RFC 7162 3.2", "SETMETADATA raises the mailbox's mod-sequence", r"""
        C: STATUS INBOX (HIGHESTMODSEQ)
        S: * STATUS "INBOX" \(HIGHESTMODSEQ (?P<before>\d+)\)
        S: OK .*
        C: SETMETADATA INBOX (/private/comment "x")
        S: OK .*
        C: STATUS INBOX (HIGHESTMODSEQ)
        S: * STATUS "INBOX" \(HIGHESTMODSEQ (?P<after>\d+)\)
        S: OK .*
        N: * STATUS "INBOX" \(HIGHESTMODSEQ <<before>>\)
        C: SETMETADATA "" (/private/comment "x")
        S: OK .*
        C: STATUS INBOX (HIGHESTMODSEQ)
        S: * STATUS "INBOX" \(HIGHESTMODSEQ <<after>>\)
        S: OK .*
    """),
    case("RFC 7162 3.1.3", "a conditional STORE tells MODSEQ, silent or not, changed or not", r"""
        I: m1 m2
        C: FETCH 1:2 (MODSEQ)
        S: * 1 FETCH \(MODSEQ \((?P<one>\d+)\)\)
        S: * 2 FETCH \(MODSEQ \((?P<two>\d+)\)\)
        S: OK .*
        C: STORE 1 (UNCHANGEDSINCE <<one>>) -FLAGS.SILENT (\Seen)
        S: * 1 FETCH \(UID 1 .*MODSEQ \(<<one>>\)\)
        S: OK .*
        C: STORE 1:2 (UNCHANGEDSINCE <<one>>) +FLAGS.SILENT (\Seen)
        S: * 1 FETCH \(UID 1 .*MODSEQ \(\d+\)\)
        S: OK \[MODIFIED 2\] .*
        N: * 2 FETCH .*
    """),
    case("RFC 7162 3.1.3", "a conditional STORE on messages that are gone, and one that changed", r"""
        I1: m1 m2 m3
        I2:
        C1: STORE 3 +FLAGS.SILENT (\Deleted)
        S1: OK .*
        C1: EXPUNGE
        S1: OK .*
        C2: FETCH 1 MODSEQ
        S2: * 1 FETCH \(MODSEQ \((?P<one>\d+)\)\)
        S2: OK .*
        C2: STORE 1:3 (UNCHANGEDSINCE <<one>>) +FLAGS (\Seen)
        S2: * 1 FETCH .*
        S2: NO \[MODIFIED 2\] .*
    """),
    case("RFC 2180 4.2", "STORE on messages that another session removed", r"""
        I1: m1 m2 m3
        I2:
        C1: STORE 2:3 +FLAGS.SILENT (\Deleted)
        S1: OK .*
        C1: EXPUNGE
        S1: OK .*
        C2: STORE 1:3 +FLAGS.SILENT (\Flagged)
        S2: OK .*
        C2: STORE 2:3 +FLAGS (\Flagged)
        S2: NO \[EXPUNGEISSUED\] .*
        N2: * \d FETCH .*
        C2: STORE 1:3 -FLAGS (\Flagged)
        S2: * 1 FETCH \(FLAGS \(\)\)
        S2: NO \[EXPUNGEISSUED\] .*
        N2: * \d EXPUNGE
        C2: UID STORE 1:3 +FLAGS (\Flagged)
        S2: * 1 FETCH \(UID 1 FLAGS \(\\Flagged\)\)
        S2: * 3 EXPUNGE
        S2: * 2 EXPUNGE
        S2: OK .*
    """),
]

RIGHTS = [
    case("RFC 4315 3", "no UIDs are told of a mailbox that may not be selected", r"""
        I: m1 m2
        C: GETACL Sent
        S: * ACL "Sent" "(?P<me>.*)" .*
        S: OK .*
        C: SETACL Sent <<me>> -r
        S: OK .*
        C: COPY 1 Sent
        S: OK COPY completed
        C: APPEND Sent {msg m1}
        S: OK APPEND completed
        C: MOVE 1 Sent
        S: * 1 EXPUNGE
        S: OK MOVE completed
        N: * OK .*
        C: REPLACE 1 Sent {msg m1}
        S: * 1 EXPUNGE
        S: OK REPLACE completed
        N: .*APPENDUID.*
        C: SETACL Sent <<me>> +r
        S: OK .*
        C: STATUS Sent (MESSAGES)
        S: * STATUS "Sent" \(MESSAGES 4\)
        S: OK .*
    """),
]

METADATA = [
    case("RFC 6154 4", "/private/specialuse is what LIST says, and nothing else is taken for it", r"""
        C: CREATE one (USE (\Archive \Sent))
        S: OK .*
        C: SETMETADATA one (/private/comment "c" /private/z "z")
        S: OK .*
        C: GETMETADATA one /private/specialuse
        S: * METADATA "one" \(/private/specialuse "\\\\Archive \\\\Sent"\)
        S: OK .*
        C: GETMETADATA (DEPTH infinity) one /private
        S: * METADATA "one" \(/private/comment "c" /private/specialuse "\\\\Archive \\\\Sent" /private/z "z"\)
        S: OK .*
        C: GETMETADATA (MAXSIZE 5) one (/private/specialuse /private/z)
        S: * METADATA "one" \(/private/z "z"\)
        S: OK \[METADATA LONGENTRIES 14\] .*
        C: SETMETADATA one (/private/z NIL)
        S: OK .*
        C: GETMETADATA (DEPTH infinity) one /private
        S: * METADATA "one" \(/private/comment "c" /private/specialuse "\\\\Archive \\\\Sent"\)
        S: OK .*
        C: GETMETADATA INBOX /private/specialuse
        S: * METADATA "INBOX" \(/private/specialuse NIL\)
        S: OK .*
        C: GETMETADATA (DEPTH infinity) INBOX /private
        S: OK .*
        N: * METADATA .*
        C: SETMETADATA INBOX (/private/x "1" /Private/SpecialUse "\\Frob")
        S: NO \[CANNOT\] .*
        C: SETMETADATA one (/private/specialuse NIL)
        S: NO \[CANNOT\] .*
        C: GETMETADATA INBOX /private/x
        S: * METADATA "INBOX" \(/private/x NIL\)
        S: OK .*
        C: LIST "" one
        S: * LIST \(\\HasNoChildren \\Archive \\Sent\) "/" "one"
        S: OK .*
    """),
]
