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
