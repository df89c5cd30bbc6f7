"""What is about mailboxes and the account rather than messages: annotations, quota, access rights."""

from dialogue import case

many = " ".join(f'/private/n{i} "x"' for i in range(100))

METADATA = [
    case("RFC 5464 4", "the capabilities", r"""
        C: CAPABILITY
        S: * CAPABILITY .* METADATA LIST-METADATA .*
        S: OK .*
    """),
    case("RFC 5464 4.2", "the RFC's examples of GETMETADATA", r"""
        C: SETMETADATA "INBOX" (/shared/comment "Shared comment" /private/comment "My own comment")
        S: OK .*
        C: GETMETADATA "INBOX" /private/comment
        S: * METADATA "?INBOX"? \(/private/comment "My own comment"\)
        S: OK .*
        C: GETMETADATA "INBOX" (/shared/comment /private/comment)
        S: * METADATA "?INBOX"? \(/shared/comment "Shared comment" /private/comment "My own comment"\)
        S: OK .*
    """),
    case("RFC 5464 4.2.1", "MAXSIZE leaves out what is longer, and says how long the longest is", r"""
        C: SETMETADATA INBOX (/shared/comment {lit 0123456789abcdef} /private/comment "short" /private/other "0123456789")
        S: OK .*
        C: GETMETADATA "INBOX" (MAXSIZE 5) (/shared/comment /private/comment /private/other)
        S: * METADATA "?INBOX"? \(/private/comment "short"\)
        S: OK \[METADATA LONGENTRIES 16\] .*
        C: GETMETADATA (MAXSIZE 16) "INBOX" (/shared/comment /private/comment)
        S: * METADATA "?INBOX"? \(/shared/comment "0123456789abcdef" /private/comment "short"\)
        S: OK [^\[].*
        C: GETMETADATA (MAXSIZE 0) INBOX /private/comment
        S: OK \[METADATA LONGENTRIES 5\] .*
        N: * METADATA .*
    """),
    case("RFC 5464 4.2.2", "DEPTH: the RFC's example, its grandchildren, and names that only begin alike", r"""
        C: SETMETADATA INBOX (/private/filters/values/small "SMALLER 5000" /private/filters/values/boss "FROM \"boss@example.com\"")
        S: OK .*
        C: SETMETADATA INBOX (/private/filters/values "top" /private/filters/values/boss/deep "x" /private/filters/values2 "other")
        S: OK .*
        C: GETMETADATA "INBOX" (DEPTH 1) (/private/filters/values)
        S: * METADATA "?INBOX"? \(/private/filters/values "top" /private/filters/values/boss "FROM \\"boss@example\.com\\"" /private/filters/values/small "SMALLER 5000"\)
        S: OK .*
        C: GETMETADATA (DEPTH 0) "INBOX" (/private/filters/values)
        S: * METADATA "?INBOX"? \(/private/filters/values "top"\)
        S: OK .*
        C: GETMETADATA (DEPTH infinity) "INBOX" (/private/filters/values)
        S: * METADATA "?INBOX"? \(/private/filters/values "top" /private/filters/values/boss "FROM .*" /private/filters/values/boss/deep "x" /private/filters/values/small "SMALLER 5000"\)
        S: OK .*
        C: GETMETADATA (MAXSIZE 4 DEPTH infinity) "INBOX" (/private)
        S: * METADATA "?INBOX"? \(/private/filters/values "top" /private/filters/values/boss/deep "x"\)
        S: OK \[METADATA LONGENTRIES 23\] .*
    """),
    case("RFC 5464 4.2.2", "what several names include is answered once", r"""
        C: SETMETADATA INBOX (/private/a/b "1" /private/a/c "2")
        S: OK .*
        C: GETMETADATA (DEPTH infinity) INBOX (/private/a/c /private/a /private)
        S: * METADATA "?INBOX"? \(/private/a/c "2" /private/a/b "1"\)
        S: OK .*
    """),
    case("RFC 5464 4.2", "an entry that does not exist is NIL, one below a DEPTH is not answered", r"""
        C: GETMETADATA INBOX /private/none
        S: * METADATA "?INBOX"? \(/private/none NIL\)
        S: OK .*
        C: GETMETADATA (DEPTH 1) INBOX /private/none
        S: OK .*
        N: * METADATA .*
        C: GETMETADATA nowhere /private/none
        S: NO \[NONEXISTENT\] .*
    """),
    case("RFC 5464 4.3", "several lines", r"""
        C: SETMETADATA INBOX (/private/comment {sync My new comment across\r\ntwo lines.\r\n})
        S: OK .*
        C: GETMETADATA INBOX /private/comment
        S: * METADATA "?INBOX"? \(/private/comment \{35\}\r\nMy new comment across\r\ntwo lines\.\r\n\)
        S: OK .*
    """),
    case("RFC 5464 4.3", "NIL removes, an empty string does not, names are without case", r"""
        C: SETMETADATA INBOX (/PRIVATE/Comment "x" /private/empty "")
        S: OK .*
        C: GETMETADATA INBOX (/private/comment /private/empty)
        S: * METADATA "?INBOX"? \(/private/comment "x" /private/empty ""\)
        S: OK .*
        C: SETMETADATA INBOX (/private/comment NIL /private/never NIL)
        S: OK .*
        C: GETMETADATA (DEPTH infinity) INBOX /private
        S: * METADATA "?INBOX"? \(/private/empty ""\)
        S: OK .*
    """),
    case("RFC 5464 3.2", "values of any octets", r"""
        C: SETMETADATA INBOX (/private/binary ~{3+}{nl}a{nl})
        S: OK .*
        C: GETMETADATA INBOX /private/binary
        S: * METADATA "?INBOX"? \(/private/binary \{3\}\r\na\r\n\)
        S: OK .*
        C: SETMETADATA INBOX (/private/text {lit \xff\xfe})
        S: OK .*
        C: GETMETADATA INBOX /private/text
        S: * METADATA "?INBOX"? \(/private/text \{2\}\r\n\xff\xfe\)
        S: OK .*
    """),
    case("RFC 5464 3.2", "names that cannot be", r"""
        C: SETMETADATA INBOX (/private "x")
        S: BAD .*
        C: SETMETADATA INBOX (/private/ "x")
        S: BAD .*
        C: SETMETADATA INBOX (/private//a "x")
        S: BAD .*
        C: SETMETADATA INBOX ("/private/*" "x")
        S: BAD .*
        C: SETMETADATA INBOX ("/private/%" "x")
        S: BAD .*
        C: SETMETADATA INBOX (/comment "x")
        S: BAD .*
        C: SETMETADATA INBOX (/privateer/comment "x")
        S: BAD .*
        C: SETMETADATA INBOX ({lit /private/\xe4} "x")
        S: BAD .*
        C: GETMETADATA INBOX "/private/*"
        S: BAD .*
        C: GETMETADATA INBOX ()
        S: BAD .*
        C: SETMETADATA INBOX ()
        S: BAD .*
        C: SETMETADATA INBOX (/private/comment)
        S: BAD .*
        C: GETMETADATA (DEPTH 2) INBOX /private/x
        S: BAD .*
        C: GETMETADATA (SIZE 2) INBOX /private/x
        S: BAD .*
    """),
    case("RFC 5464 4.3", "as many as there may be: TOOMANY, and nothing else of the command is set", r"""
        C: SETMETADATA INBOX (""" + many + r""")
        S: OK .*
        C: SETMETADATA INBOX (/private/n0 "changed" /private/more "x")
        S: NO \[METADATA TOOMANY\] .*
        C: GETMETADATA INBOX (/private/n0 /private/more)
        S: * METADATA "?INBOX"? \(/private/n0 "x" /private/more NIL\)
        S: OK .*
        C: SETMETADATA INBOX (/private/n0 NIL)
        S: OK .*
        C: SETMETADATA INBOX (/private/more "x")
        S: OK .*
    """),
    case("RFC 5464 4.3", "a value that is too large: MAXSIZE", r"""
        C: SETMETADATA INBOX (/private/small "x" /private/large {lit """ + 65537 * "x" + r"""})
        S: NO \[METADATA MAXSIZE 65536\] .*
        C: GETMETADATA INBOX /private/small
        S: * METADATA "?INBOX"? \(/private/small NIL\)
        S: OK .*
        C: SETMETADATA INBOX (/private/large {lit """ + 65536 * "x" + r"""})
        S: OK .*
        C: GETMETADATA (MAXSIZE 65535) INBOX /private/large
        S: OK \[METADATA LONGENTRIES 65536\] .*
    """),
    case("RFC 5464 3.2.1.1", "the server's annotations: the administrator's are read only, private ones are the user's", r"""
        C: GETMETADATA "" /shared/admin
        S: * METADATA "" \(/shared/admin "mailto:admin@example\.org"\)
        S: OK .*
        C: GETMETADATA "" (/shared/comment)
        S: * METADATA "" \(/shared/comment NIL\)
        S: OK .*
        C: SETMETADATA "" (/shared/admin "mailto:me@example.org")
        S: NO \[NOPERM\] .*
        C: SETMETADATA "" (/private/vendor/x/y "mine")
        S: OK .*
        C: GETMETADATA (DEPTH infinity) "" (/shared /private)
        S: * METADATA "" \(/shared/admin "mailto:admin@example\.org" /private/vendor/x/y "mine"\)
        S: OK .*
    """),
    case("RFC 5464 4.1", "annotations follow their mailbox, and go with it", r"""
        C: CREATE one
        S: OK .*
        C: SETMETADATA one (/private/comment "x")
        S: OK .*
        C: RENAME one two
        S: OK .*
        C: GETMETADATA two /private/comment
        S: * METADATA "?two"? \(/private/comment "x"\)
        S: OK .*
        C: DELETE two
        S: OK .*
        C: CREATE two
        S: OK .*
        C: GETMETADATA two /private/comment
        S: * METADATA "?two"? \(/private/comment NIL\)
        S: OK .*
    """),
    case("RFC 5464 4.1", "a rename of INBOX copies them", r"""
        C: SETMETADATA INBOX (/private/comment "x")
        S: OK .*
        C: RENAME INBOX old
        S: OK .*
        C: GETMETADATA old /private/comment
        S: * METADATA "?old"? \(/private/comment "x"\)
        S: OK .*
        C: GETMETADATA INBOX /private/comment
        S: * METADATA "?INBOX"? \(/private/comment "x"\)
        S: OK .*
    """),
    case("RFC 5464 4.4.2", "others are told what changed, without values, once they enabled it", r"""
        C1: ENABLE METADATA
        S1: * ENABLED METADATA
        S1: OK .*
        C2: NOOP
        S2: OK .*
        C2: SETMETADATA INBOX (/shared/comment "new" /private/comment "new")
        S2: OK .*
        N2: * METADATA .*
        C2: SETMETADATA "" (/private/x "new")
        S2: OK .*
        C1: NOOP
        S1: * METADATA "?INBOX"? /shared/comment /private/comment
        S1: * METADATA "" /private/x
        S1: OK .*
        C1: NOOP
        S1: OK .*
        N1: * METADATA .*
        C1: SETMETADATA INBOX (/shared/comment NIL)
        S1: OK .*
        N1: * METADATA .*
        C2: NOOP
        S2: OK .*
        N2: * METADATA .*
    """),
    case("RFC 5464 4.4.2", "during IDLE at once, with no mailbox selected", r"""
        C1: ENABLE METADATA
        S1: OK .*
        C1: IDLE
        S1: + .*
        C2: SETMETADATA INBOX (/private/comment "new")
        S2: OK .*
        S1: * METADATA "?INBOX"? /private/comment
        c1: DONE
        S1: OK .*
    """),
    case("RFC 5464 4.2", "in both states, and with a mailbox name in modified UTF-7", r"""
        I:
        C: CREATE &AOQ-
        S: OK .*
        C: SETMETADATA &AOQ- (/private/comment "x")
        S: OK .*
        C: GETMETADATA &AOQ- /private/comment
        S: * METADATA "&AOQ-" \(/private/comment "x"\)
        S: OK .*
    """),
]

LISTMETADATA = [
    case("RFC 9590 4", "the annotations of what is listed, behind each", r"""
        C: CREATE foo
        S: OK .*
        C: SETMETADATA INBOX (/shared/vendor/cmu/cyrus-imapd/color "#b71c1c")
        S: OK .*
        C: LIST "" (INBOX foo) RETURN (METADATA ("/shared/vendor/cmu/cyrus-imapd/color"))
        S: * LIST \(.*\) "/" "?INBOX"?
        S: * METADATA "?INBOX"? \(/shared/vendor/cmu/cyrus-imapd/color "#b71c1c"\)
        S: * LIST \(.*\) "/" "?foo"?
        S: * METADATA "?foo"? \(/shared/vendor/cmu/cyrus-imapd/color NIL\)
        S: OK .*
    """),
    case("RFC 9590 4", "none for a name that is no mailbox; together with STATUS", r"""
        C: CREATE foo/bar
        S: OK .*
        C: DELETE foo
        S: OK .*
        C: LIST "" "foo*" RETURN (STATUS (MESSAGES) METADATA (/private/a /private/b))
        S: * LIST \(\\NonExistent \\HasChildren\) "/" "?foo"?
        S: * LIST \(\\HasNoChildren\) "/" "?foo/bar"?
        S: * STATUS "?foo/bar"? \(MESSAGES 0\)
        S: * METADATA "?foo/bar"? \(/private/a NIL /private/b NIL\)
        S: OK .*
        N: * METADATA "?foo"? .*
        C: LIST "" "*" RETURN (METADATA)
        S: BAD .*
        C: LIST "" "*" RETURN (METADATA ())
        S: BAD .*
        C: LIST "" "*" RETURN (METADATA (/wrong))
        S: BAD .*
    """),
]

QUOTA = [
    case("RFC 9208 3", "the capabilities: resources, and no QUOTASET", r"""
        C: CAPABILITY
        S: * CAPABILITY .* QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE QUOTA=RES-MAILBOX QUOTA=RES-ANNOTATION-STORAGE .*
        S: OK .*
        N: .*QUOTASET.*
    """),
    case("RFC 9208 4.1.1, 4.1.2", "the root of a mailbox and its resources with limits", r"""
        C: GETQUOTAROOT INBOX
        S: * QUOTAROOT "?INBOX"? (?P<root>\S+)
        S: * QUOTA <<root>> \(MAILBOX 6 10000 ANNOTATION-STORAGE 0 4096\)
        S: OK .*
        C: CREATE more
        S: OK .*
        C: SETMETADATA more (/private/a "0123456789")
        S: OK .*
        C: GETQUOTA <<root>>
        S: * QUOTA <<root>> \(MAILBOX 7 10000 ANNOTATION-STORAGE 1 4096\)
        S: OK .*
    """),
    case("RFC 9208 4.1.2", "the mailbox does not need to exist; the root does", r"""
        C: GETQUOTAROOT not/there
        S: * QUOTAROOT "?not/there"? \S+
        S: * QUOTA \S+ \(.*\)
        S: OK .*
        C: GETQUOTA nowhere
        S: NO \[NONEXISTENT\] .*
        C: GETQUOTAROOT ""
        S: NO .*
        C: GETQUOTA
        S: BAD .*
        C: GETQUOTAROOT a b
        S: BAD .*
    """),
    case("RFC 9208 4.1.3", "SETQUOTA is refused, and its grammar is read", r"""
        C: SETQUOTA user (STORAGE 510)
        S: NO \[NOPERM\] .*
        C: SETQUOTA user ()
        S: NO \[NOPERM\] .*
        C: SETQUOTA "" (STORAGE 510 MESSAGE 9223372036854775807)
        S: NO \[NOPERM\] .*
        C: SETQUOTA user (STORAGE 9223372036854775808)
        S: BAD .*
        C: SETQUOTA user (STORAGE)
        S: BAD .*
        C: SETQUOTA user STORAGE 1
        S: BAD .*
    """),
    case("RFC 9208 4.1.4", "DELETED and DELETED-STORAGE", r"""
        I: m1 m2 m3
        C: FETCH 1:2 RFC822.SIZE
        S: * 1 FETCH \(RFC822\.SIZE (?P<one>\d+)\)
        S: OK .*
        C: STATUS INBOX (DELETED DELETED-STORAGE)
        S: * STATUS "?INBOX"? \(DELETED 0 DELETED-STORAGE 0\)
        S: OK .*
        C: STORE 1 +FLAGS.SILENT (\Deleted)
        S: OK .*
        C: STATUS INBOX (MESSAGES DELETED DELETED-STORAGE)
        S: * STATUS "?INBOX"? \(MESSAGES 3 DELETED 1 DELETED-STORAGE <<one>>\)
        S: OK .*
        C: EXPUNGE
        S: OK .*
        C: STATUS INBOX (DELETED DELETED-STORAGE)
        S: * STATUS "?INBOX"? \(DELETED 0 DELETED-STORAGE 0\)
        S: OK .*
    """),
]

NAMES = [
    case("RFC 9051 6.3.4", "a name in UTF-8 must be normalized to be created", r"""
        C: ENABLE IMAP4rev2
        S: OK .*
        C: CREATE {lit A\xcc\x88}
        S: NO \[CANNOT\] .*
        C: CREATE {lit \xc3\x84}
        S: OK .*
        C: RENAME {lit \xc3\x84} {lit O\xcc\x88}
        S: NO \[CANNOT\] .*
        C: STATUS {lit \xc3\x84} (MESSAGES)
        S: * STATUS "..?" \(MESSAGES 0\)
        S: OK .*
    """),
    case("RFC 3501 5.1.3", "in modified UTF-7 names are taken as they are", r"""
        C: CREATE A&Awg-
        S: OK .*
        C: LIST "" "A*"
        S: * LIST \(.*\) "/" "?A&Awg-"?
        S: OK .*
    """),
]

I18N = [
    case("RFC 5255 4.3", "I18NLEVEL=1: SEARCH and SORT by i;unicode-casemap", r"""
        C: CAPABILITY
        S: * CAPABILITY .* I18NLEVEL=1 .*
        S: OK .*
        C: APPEND INBOX {lit Subject: =?utf-8?q?=C3=84pfel?=\r\n\r\nb\r\n}
        S: OK .*
        C: APPEND INBOX {lit Subject: =?utf-8?q?=C3=A4ffchen?=\r\n\r\nb\r\n}
        S: OK .*
        C: APPEND INBOX {lit Subject: =?utf-8?q?=EF=BC=A1rk?=\r\n\r\nb\r\n}
        S: OK .*
        C: SELECT INBOX
        S: OK .*
        C: SEARCH CHARSET UTF-8 SUBJECT {lit \xc3\xa4PF}
        S: * SEARCH 1
        S: OK .*
        C: SEARCH SUBJECT ark
        S: * SEARCH 3
        S: OK .*
        C: SORT (SUBJECT) UTF-8 ALL
        S: * SORT 2 1 3|\* SORT 3 2 1
        S: OK .*
    """),
]
