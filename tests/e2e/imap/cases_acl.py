"""Access rights: RFC 4314, RFC 8440."""

from dialogue import case

ACL = [
    case("RFC 4314 5.1.1", "the capabilities", r"""
        C: CAPABILITY
        S: * CAPABILITY .* ACL RIGHTS=texk LIST-MYRIGHTS .*
        S: OK .*
    """),
    case("RFC 4314 3.5", "an owner has all rights, with the virtual ones", r"""
        C: MYRIGHTS INBOX
        S: * MYRIGHTS "?INBOX"? lrswipkxtecda
        S: OK .*
        C: GETACL INBOX
        S: * ACL "?INBOX"? "u\d+" lrswipkxtecda
        S: OK .*
        C: MYRIGHTS nowhere
        S: NO \[NONEXISTENT\] .*
    """),
    case("RFC 4314 3.1", "the RFC's examples of SETACL: replaced, added, unknown rights", r"""
        C: CREATE Drafts/x
        S: OK .*
        C: SETACL Drafts/x Chris lrswi
        S: OK .*
        C: GETACL Drafts/x
        S: * ACL "?Drafts/x"? "u\d+" lrswipkxtecda "Chris" lrswi
        S: OK .*
        C: SETACL Drafts/x Chris +cda
        S: OK .*
        C: GETACL Drafts/x
        S: * ACL "?Drafts/x"? "u\d+" lrswipkxtecda "Chris" lrswikxtecda
        S: OK .*
        C: SETACL Drafts/x John lrQswicda
        S: BAD .*
        C: SETACL Drafts/x John lrqswicda
        S: BAD .*
        C: SETACL Drafts/x John lr5
        S: BAD .*
        C: SETACL Drafts/x David lrswida
        S: OK .*
        C: SETACL Drafts/x Byron lrswikda
        S: OK .*
        C: GETACL Drafts/x
        S: * ACL .* "Byron" lrswiktecda "Chris" lrswikxtecda "David" lrswiteda
        S: OK .*
        C: SETACL Drafts/x Chris -rikxte
        S: OK .*
        C: SETACL Drafts/x Byron ""
        S: OK .*
        C: GETACL Drafts/x
        S: * ACL "?Drafts/x"? "u\d+" lrswipkxtecda "Chris" lswa "David" lrswiteda
        S: OK .*
    """),
    case("RFC 4314 3.2", "DELETEACL", r"""
        C: SETACL INBOX fred lr
        S: OK .*
        C: DELETEACL INBOX fred
        S: OK .*
        C: DELETEACL INBOX fred
        S: OK .*
        C: GETACL INBOX
        S: * ACL "?INBOX"? "u\d+" lrswipkxtecda
        S: OK .*
        C: DELETEACL nowhere fred
        S: NO \[NONEXISTENT\] .*
    """),
    case("RFC 4314 3.4", "LISTRIGHTS: of the owner, of others, of everybody", r"""
        C: GETACL INBOX
        S: * ACL \S+ (?P<me>\S+) .*
        S: OK .*
        C: LISTRIGHTS INBOX <<me>>
        S: * LISTRIGHTS "?INBOX"? <<me>> a l r s w i p k x t e c d
        S: OK .*
        C: LISTRIGHTS INBOX smith
        S: * LISTRIGHTS "?INBOX"? "smith" "" l r s w i p k x t e c d a
        S: OK .*
        C: LISTRIGHTS INBOX anyone
        S: * LISTRIGHTS "?INBOX"? "anyone" ""
        S: OK .*
    """),
    case("RFC 4314 3", "identifiers: everybody is refused, so are negative ones and what is none", r"""
        C: SETACL INBOX anyone lr
        S: NO \[NOPERM\] .*
        C: SETACL INBOX anonymous lr
        S: NO \[NOPERM\] .*
        C: SETACL INBOX {lit \xef\xbd\x81nyone} lr
        S: NO \[NOPERM\] .*
        C: SETACL INBOX -fred lr
        S: NO \[CANNOT\] .*
        C: SETACL INBOX "" lr
        S: BAD .*
        C: SETACL INBOX {lit \xc2\xad} lr
        S: BAD .*
        C: SETACL INBOX {lit a\x07b} lr
        S: BAD .*
        C: SETACL INBOX {lit \xff} lr
        S: BAD .*
        C: SETACL INBOX "a b" lr
        S: OK .*
        C: SETACL INBOX {lit A\xcc\x88} lr
        S: OK .*
        C: GETACL INBOX
        S: * ACL "?INBOX"? "u\d+" lrswipkxtecda "a b" lr \{2\}\r\n\xc3\x84 lr
        S: OK .*
    """),
    case("RFC 4314 3.1", "the owner keeps the right to administer, whatever he does", r"""
        C: GETACL INBOX
        S: * ACL \S+ (?P<me>\S+) .*
        S: OK .*
        C: SETACL INBOX <<me>> ""
        S: OK .*
        C: MYRIGHTS INBOX
        S: * MYRIGHTS "?INBOX"? a
        S: OK .*
        C: SELECT INBOX
        S: NO \[NOPERM\] .*
        C: SETACL INBOX <<me>> -a
        S: OK .*
        C: SETACL INBOX <<me>> +lr
        S: OK .*
        C: SELECT INBOX
        S: * OK \[PERMANENTFLAGS \(\)\] .*
        S: OK \[READ-ONLY\] .*
        C: DELETEACL INBOX <<me>>
        S: OK .*
        C: GETACL INBOX
        S: * ACL "?INBOX"? <<me>> a
        S: OK .*
        C: SETACL INBOX <<me>> lrswipcda
        S: OK .*
        C: MYRIGHTS INBOX
        S: * MYRIGHTS "?INBOX"? lrswipkxtecda
        S: OK .*
    """),
    case("RFC 4314 4", "without l a mailbox is not listed, nor is it a child", r"""
        C: CREATE top/hidden/below
        S: OK .*
        C: CREATE lone/hidden
        S: OK .*
        C: GETACL INBOX
        S: * ACL \S+ (?P<me>\S+) .*
        S: OK .*
        C: SETACL top/hidden <<me>> -l
        S: OK .*
        C: SETACL lone/hidden <<me>> -l
        S: OK .*
        C: LIST "" (top* lone*) RETURN (CHILDREN MYRIGHTS)
        S: * LIST \(\\HasNoChildren\) "/" "?lone"?
        S: * MYRIGHTS "?lone"? lrswipkxtecda
        S: * LIST \(\\HasChildren\) "/" "?top"?
        S: * MYRIGHTS "?top"? lrswipkxtecda
        S: * LIST \(\\NonExistent \\HasChildren\) "/" "?top/hidden"?
        S: * LIST \(\\HasNoChildren\) "/" "?top/hidden/below"?
        S: * MYRIGHTS "?top/hidden/below"? lrswipkxtecda
        S: OK .*
        N: * LIST .*lone/hidden.*
        N: * MYRIGHTS "?top/hidden"? .*
    """),
    case("RFC 4314 4", "without r neither SELECT nor STATUS; without i neither APPEND nor COPY", r"""
        I: m1
        C: CREATE box
        S: OK .*
        C: GETACL INBOX
        S: * ACL \S+ (?P<me>\S+) .*
        S: OK .*
        C: SETACL box <<me>> -ri
        S: OK .*
        C: STATUS box (MESSAGES)
        S: NO \[NOPERM\] .*
        C: LIST "" box RETURN (STATUS (MESSAGES))
        S: * LIST \(\\Noselect \\HasNoChildren\) "/" "?box"?
        S: OK .*
        N: * STATUS .*
        C: APPEND box {msg m1}
        S: NO \[NOPERM\] .*
        C: COPY 1 box
        S: NO \[NOPERM\] .*
        C: MOVE 1 box
        S: NO \[NOPERM\] .*
        C: EXAMINE box
        S: NO \[NOPERM\] .*
    """),
    case("RFC 4314 4", "COPY and APPEND: only those flags that may be set come with a message", r"""
        I: m1 m2 m3
        C: GETACL INBOX
        S: * ACL \S+ (?P<me>\S+) .*
        S: OK .*
        C: STORE 1 FLAGS.SILENT (\Draft \Deleted)
        S: OK .*
        C: STORE 2 FLAGS.SILENT (\Answered)
        S: OK .*
        C: STORE 3 FLAGS.SILENT ($Forwarded \Seen)
        S: OK .*
        C: CREATE no-t
        S: OK .*
        C: CREATE no-w
        S: OK .*
        C: SETACL no-t <<me>> -t
        S: OK .*
        C: SETACL no-w <<me>> -w
        S: OK .*
        C: COPY 1:3 no-t
        S: OK .*
        C: COPY 1:3 no-w
        S: OK .*
        C: APPEND no-w (\Flagged \Seen \Deleted k) {msg m1}
        S: OK .*
        C: SELECT no-t
        S: OK .*
        C: FETCH 1:* FLAGS
        S: * 1 FETCH \(FLAGS \(\\Draft \\Recent\)\)
        S: * 2 FETCH \(FLAGS \(\\Answered \\Recent\)\)
        S: * 3 FETCH \(FLAGS \(\\Seen \\Recent \$Forwarded\)\)
        S: OK .*
        C: SELECT no-w
        S: * OK \[PERMANENTFLAGS \(\\Deleted \\Seen\)\] .*
        S: OK \[READ-WRITE\] .*
        C: FETCH 1:* FLAGS
        S: * 1 FETCH \(FLAGS \(\\Deleted \\Recent\)\)
        S: * 2 FETCH \(FLAGS \(\\Recent\)\)
        S: * 3 FETCH \(FLAGS \(\\Seen \\Recent\)\)
        S: * 4 FETCH \(FLAGS \(\\Deleted \\Seen \\Recent\)\)
        S: OK .*
    """),
    case("RFC 4314 4", "STORE changes what may be changed, and fails when nothing may be", r"""
        I: m1
        C: GETACL INBOX
        S: * ACL \S+ (?P<me>\S+) .*
        S: OK .*
        C: STORE 1 FLAGS (\Deleted \Answered kept)
        S: OK .*
        C: SETACL INBOX <<me>> -tw
        S: * FLAGS .*
        S: * OK \[PERMANENTFLAGS \(\\Seen\)\] .*
        S: OK .*
        C: STORE 1 FLAGS (\Seen \Flagged)
        S: * 1 FETCH \(FLAGS \(\\Answered \\Deleted \\Seen \\Recent kept\)\)
        S: OK .*
        C: STORE 1 +FLAGS (\Flagged)
        S: NO \[NOPERM\] .*
        C: STORE 1 -FLAGS (kept)
        S: NO \[NOPERM\] .*
        C: STORE 1 -FLAGS (\Seen \Deleted kept)
        S: * 1 FETCH \(FLAGS \(\\Answered \\Deleted \\Recent kept\)\)
        S: OK .*
        C: SETACL INBOX <<me>> -s
        S: OK .*
        C: FETCH 1 BODY[TEXT]
        S: OK .*
        C: FETCH 1 FLAGS
        S: * 1 FETCH \(FLAGS \(\\Answered \\Deleted \\Recent kept\)\)
        S: OK .*
    """),
    case("RFC 4314 4", "without e EXPUNGE fails, and CLOSE only closes", r"""
        I: m1
        C: GETACL INBOX
        S: * ACL \S+ (?P<me>\S+) .*
        S: OK .*
        C: STORE 1 FLAGS.SILENT (\Deleted)
        S: OK .*
        C: SETACL INBOX <<me>> -e
        S: OK .*
        C: EXPUNGE
        S: NO \[NOPERM\] .*
        C: UID EXPUNGE 1
        S: NO \[NOPERM\] .*
        C: CREATE other
        S: OK .*
        C: MOVE 1 other
        S: NO \[NOPERM\] .*
        C: CLOSE
        S: OK .*
        C: STATUS INBOX (MESSAGES)
        S: * STATUS "?INBOX"? \(MESSAGES 1\)
        S: OK .*
    """),
    case("RFC 4314 4", "CREATE, RENAME and DELETE; a new mailbox inherits, a renamed one keeps, a deleted one loses its list", r"""
        C: CREATE top
        S: OK .*
        C: GETACL top
        S: * ACL \S+ (?P<me>\S+) .*
        S: OK .*
        C: SETACL top fred lr
        S: OK .*
        C: CREATE top/a/b
        S: OK .*
        C: GETACL top/a/b
        S: * ACL \S+ \S+ lrswipkxtecda "fred" lr
        S: OK .*
        C: SETACL top <<me>> -k
        S: OK .*
        C: CREATE top/c
        S: NO \[NOPERM\] .*
        C: CREATE other
        S: OK .*
        C: RENAME other top/other
        S: NO \[NOPERM\] .*
        C: CREATE top/a/c
        S: OK .*
        C: SETACL top/a/b <<me>> -x
        S: OK .*
        C: DELETE top/a/b
        S: NO \[NOPERM\] .*
        C: RENAME top/a/b away
        S: NO \[NOPERM\] .*
        C: SETACL top/a/b <<me>> +x
        S: OK .*
        C: RENAME top/a/b away
        S: OK .*
        C: GETACL away
        S: * ACL \S+ \S+ lrswipkxtecda "fred" lr
        S: OK .*
        C: DELETE away
        S: OK .*
        C: CREATE away
        S: OK .*
        C: GETACL away
        S: * ACL \S+ \S+ lrswipkxtecda
        S: OK .*
    """),
    case("RFC 5464 3.3", "annotations want l and one of r, s, w, i, p; lists of rights are none of them", r"""
        C: CREATE box
        S: OK .*
        C: GETACL box
        S: * ACL \S+ (?P<me>\S+) .*
        S: OK .*
        C: SETACL box fred lr
        S: OK .*
        C: SETMETADATA box (/private/x "y")
        S: OK .*
        C: GETMETADATA (DEPTH infinity) box (/private /shared)
        S: * METADATA "?box"? \(/private/x "y"\)
        S: OK .*
        C: GETMETADATA box /acl/fred
        S: BAD .*
        C: SETACL box <<me>> lka
        S: OK .*
        C: GETMETADATA box /private/x
        S: NO \[NOPERM\] .*
        C: SETMETADATA box (/private/x NIL)
        S: NO \[NOPERM\] .*
        C: LIST "" box RETURN (METADATA (/private/x))
        S: OK .*
        N: * METADATA .*
        C: SETACL box <<me>> +p
        S: OK .*
        C: GETMETADATA box /private/x
        S: * METADATA "?box"? \(/private/x "y"\)
        S: OK .*
    """),
    case("RFC 4314 5.1.1", "another session is told what flags it may change now", r"""
        I1: m1
        I2:
        C2: GETACL INBOX
        S2: * ACL \S+ (?P<me>\S+) .*
        S2: OK .*
        C2: SETACL INBOX <<me>> -w
        S2: OK .*
        C1: NOOP
        S1: * FLAGS .*
        S1: * OK \[PERMANENTFLAGS \(\\Deleted \\Seen\)\] .*
        S1: OK .*
        C1: NOOP
        S1: OK .*
        N1: * FLAGS .*
    """),
    case("RFC 5258 4, RFC 8440 4", "what is listed for its children only has neither rights nor STATUS", r"""
        C: CREATE foo/bar
        S: OK .*
        C: SUBSCRIBE foo/bar
        S: OK .*
        C: LIST (SUBSCRIBED RECURSIVEMATCH) "" "foo%" RETURN (MYRIGHTS STATUS (MESSAGES))
        S: * LIST \(.*\) "/" "?foo"? \("?CHILDINFO"? \("SUBSCRIBED"\)\)
        S: OK .*
        N: * MYRIGHTS .*
        N: * STATUS .*
    """),
]
