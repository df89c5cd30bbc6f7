"""Searching extensions, each by its own RFC."""

from dialogue import case

PARTIAL = [
    case("RFC 9394 3.1", "PARTIAL from the start and from the end", r"""
        I: m1 m2 m3 m4 m5
        C: STORE 1,3:5 +FLAGS.SILENT (\Flagged)
        S: OK .*
        C: SEARCH RETURN (PARTIAL 1:2) FLAGGED
        S: * ESEARCH \(TAG "a\d+"\) PARTIAL \(1:2 1,3\)
        S: OK .*
        C: UID SEARCH RETURN (PARTIAL -1:-2) FLAGGED
        S: * ESEARCH \(TAG "a\d+"\) UID PARTIAL \(-1:-2 4:5\)
        S: OK .*
        C: UID SEARCH RETURN (PARTIAL -3:-4) FLAGGED
        S: * ESEARCH \(TAG "a\d+"\) UID PARTIAL \(-3:-4 1,3\)
        S: OK .*
        C: SEARCH RETURN (PARTIAL 2:3) ALL
        S: * ESEARCH \(TAG "a\d+"\) PARTIAL \(2:3 2:3\)
        S: OK .*
    """),
    case("RFC 9394 4", "a range is the same the other way round, and answered as it was given", r"""
        I: m1 m2 m3
        C: SEARCH RETURN (PARTIAL 3:2) ALL
        S: * ESEARCH \(TAG "a\d+"\) PARTIAL \(3:2 2:3\)
        S: OK .*
        C: SEARCH RETURN (PARTIAL -2:-1) ALL
        S: * ESEARCH \(TAG "a\d+"\) PARTIAL \(-2:-1 2:3\)
        S: OK .*
    """),
    case("RFC 9394 3.1", "beyond the results: what there is, or NIL", r"""
        I: m1 m2 m3
        C: SEARCH RETURN (PARTIAL 2:4000000000) ALL
        S: * ESEARCH \(TAG "a\d+"\) PARTIAL \(2:4000000000 2:3\)
        S: OK .*
        C: SEARCH RETURN (PARTIAL 4:9) ALL
        S: * ESEARCH \(TAG "a\d+"\) PARTIAL \(4:9 NIL\)
        S: OK .*
        C: SEARCH RETURN (PARTIAL -4:-4294967295) ALL
        S: * ESEARCH \(TAG "a\d+"\) PARTIAL \(-4:-4294967295 NIL\)
        S: OK .*
        C: SEARCH RETURN (COUNT PARTIAL 1:1) DELETED
        S: * ESEARCH \(TAG "a\d+"\) COUNT 0 PARTIAL \(1:1 NIL\)
        S: OK .*
        C: UID SEARCH RETURN (PARTIAL -1:-5000) UID 2:*
        S: * ESEARCH \(TAG "a\d+"\) UID PARTIAL \(-1:-5000 2:3\)
        S: OK .*
    """),
    case("RFC 9394 3.1", "with other options; not with ALL, not twice", r"""
        I: m1 m2 m3 m4
        C: SEARCH RETURN (MIN MAX COUNT PARTIAL 2:3) ALL
        S: * ESEARCH \(TAG "a\d+"\) MIN 1 MAX 4 COUNT 4 PARTIAL \(2:3 2:3\)
        S: OK .*
        C: SEARCH RETURN (ALL PARTIAL 1:2) ALL
        S: BAD .*
        C: SEARCH RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL
        S: BAD .*
        C: SEARCH RETURN (PARTIAL) ALL
        S: BAD .*
        C: SEARCH RETURN (PARTIAL 0:2) ALL
        S: BAD .*
        C: SEARCH RETURN (PARTIAL -1:2) ALL
        S: BAD .*
        C: SEARCH RETURN (PARTIAL 1:-2) ALL
        S: BAD .*
        C: SEARCH RETURN (PARTIAL 1:*) ALL
        S: BAD .*
    """),
    case("RFC 9394 3.2", "PARTIAL and SAVE: what is returned is saved, with COUNT everything", r"""
        I: m1 m2 m3 m4 m5
        C: SEARCH RETURN (SAVE PARTIAL 2:3) ALL
        S: * ESEARCH \(TAG "a\d+"\) PARTIAL \(2:3 2:3\)
        S: OK .*
        C: SEARCH $
        S: * SEARCH 2 3
        S: OK .*
        C: SEARCH RETURN (SAVE PARTIAL -2:-3 MIN) ALL
        S: * ESEARCH \(TAG "a\d+"\) MIN 1 PARTIAL \(-2:-3 3:4\)
        S: OK .*
        C: SEARCH $
        S: * SEARCH 1 3 4
        S: OK .*
        C: SEARCH RETURN (SAVE PARTIAL 2:2 MIN MAX) ALL
        S: * ESEARCH \(TAG "a\d+"\) MIN 1 MAX 5 PARTIAL \(2:2 2\)
        S: OK .*
        C: SEARCH $
        S: * SEARCH 1 2 5
        S: OK .*
        C: SEARCH RETURN (SAVE PARTIAL 2:2 COUNT) ALL
        S: * ESEARCH \(TAG "a\d+"\) COUNT 5 PARTIAL \(2:2 2\)
        S: OK .*
        C: SEARCH $
        S: * SEARCH 1 2 3 4 5
        S: OK .*
        C: SEARCH RETURN (SAVE PARTIAL 8:9) ALL
        S: * ESEARCH \(TAG "a\d+"\) PARTIAL \(8:9 NIL\)
        S: OK .*
        C: SEARCH $
        S: * SEARCH
        S: OK .*
    """),
    case("RFC 9394 3.1", "PARTIAL of a SORT is in the order of the sort", r"""
        I: t3 t1 t5 t4
        C: SORT RETURN (PARTIAL 1:3) (REVERSE DATE) UTF-8 ALL
        S: * ESEARCH \(TAG "a\d+"\) PARTIAL \(1:3 4,1:2\)
        S: OK .*
        C: UID SORT RETURN (PARTIAL -1:-2 COUNT) (REVERSE DATE) UTF-8 ALL
        S: * ESEARCH \(TAG "a\d+"\) UID COUNT 4 PARTIAL \(-1:-2 2:3\)
        S: OK .*
        C: SORT RETURN (PARTIAL 5:6) (DATE) UTF-8 ALL
        S: * ESEARCH \(TAG "a\d+"\) PARTIAL \(5:6 NIL\)
        S: OK .*
    """),
    case("RFC 9394 3.3", "FETCH with PARTIAL: positions among the messages that the set names", r"""
        I: m1 m2 m3 m4 m5
        C: STORE 2 +FLAGS.SILENT (\Deleted)
        S: OK .*
        C: EXPUNGE
        S: * 2 EXPUNGE
        S: OK .*
        C: UID FETCH 1:100 (UID) (PARTIAL 2:3)
        S: * 2 FETCH \(UID 3\)
        S: * 3 FETCH \(UID 4\)
        S: OK .*
        N: * [14] FETCH .*
        C: UID FETCH 2:* (UID) (PARTIAL -1:-2)
        S: * 3 FETCH \(UID 4\)
        S: * 4 FETCH \(UID 5\)
        S: OK .*
        N: * [12] FETCH .*
        C: FETCH 1:4 (UID) (PARTIAL 1:1)
        S: * 1 FETCH \(UID 1\)
        S: OK .*
        N: * [234] FETCH .*
        C: UID FETCH 1:5 (UID) (PARTIAL 9:10)
        S: OK .*
        N: * \d FETCH .*
        C: UID FETCH 1:5 (UID) (PARTIAL 1:2 PARTIAL 1:2)
        S: BAD .*
        C: UID FETCH 1:5 (UID) (PARTIAL -1:2)
        S: BAD .*
    """),
    case("RFC 9394 3.4", "PARTIAL chooses before CHANGEDSINCE looks", r"""
        I: m1 m2 m3 m4
        C: FETCH 4 (MODSEQ)
        S: * 4 FETCH \(MODSEQ \((?P<m>\d+)\)\)
        S: OK .*
        C: STORE 1,3 +FLAGS.SILENT (\Seen)
        S: OK .*
        C: UID FETCH 1:4 (FLAGS) (PARTIAL -1:-3 CHANGEDSINCE <<m>>)
        S: * 3 FETCH \(UID 3 FLAGS \(.*\) MODSEQ \(\d+\)\)
        S: OK .*
        N: * [124] FETCH .*
        C: UID FETCH 1:4 (FLAGS) (CHANGEDSINCE <<m>> PARTIAL 1:1)
        S: * 1 FETCH \(UID 1 FLAGS \(.*\) MODSEQ \(\d+\)\)
        S: OK .*
        N: * [234] FETCH .*
    """),
    case("RFC 7162 3.1.10", "MODSEQ of a partial result is that of its messages", r"""
        I: m1 m2 m3
        C: STORE 1 +FLAGS (\Seen)
        S: OK .*
        C: FETCH 1:2 (MODSEQ)
        S: * 1 FETCH \(MODSEQ \((?P<a>\d+)\)\)
        S: * 2 FETCH \(MODSEQ \((?P<b>\d+)\)\)
        S: OK .*
        C: UID SEARCH RETURN (PARTIAL 2:2) MODSEQ 1
        S: * ESEARCH \(TAG "a\d+"\) UID MODSEQ <<b>> PARTIAL \(2:2 2\)
        S: OK .*
        C: SEARCH RETURN (PARTIAL -1:-3 COUNT) MODSEQ 1
        S: * ESEARCH \(TAG "a\d+"\) COUNT 3 MODSEQ <<a>> PARTIAL \(-1:-3 1:3\)
        S: OK .*
    """),
]

UIDONLY = [
    case("RFC 9586 3.1", "commands with message numbers are refused", r"""
        C: CREATE dest
        S: OK .*
        I: m1 m2
        C: ENABLE UIDONLY
        S: * ENABLED UIDONLY
        S: OK .*
        C: FETCH 1 FLAGS
        S: BAD \[UIDREQUIRED\] .*
        C: STORE 1 +FLAGS (\Seen)
        S: BAD \[UIDREQUIRED\] .*
        C: SEARCH ALL
        S: BAD \[UIDREQUIRED\] .*
        C: SORT (DATE) UTF-8 ALL
        S: BAD \[UIDREQUIRED\] .*
        C: THREAD REFERENCES UTF-8 ALL
        S: BAD \[UIDREQUIRED\] .*
        C: COPY 1 dest
        S: BAD \[UIDREQUIRED\] .*
        C: MOVE 1 dest
        S: BAD \[UIDREQUIRED\] .*
        C: STATUS dest (MESSAGES)
        S: * STATUS "?dest"? \(MESSAGES 0\)
        S: OK .*
    """),
    case("RFC 9586 3.2", "message numbers are no search keys; $ is", r"""
        I: m1 m2 m3
        C: ENABLE UIDONLY
        S: OK .*
        C: UID SEARCH 1:2
        S: BAD \[UIDREQUIRED\] .*
        C: UID SEARCH OR SEEN (NOT 1)
        S: BAD \[UIDREQUIRED\] .*
        C: UID SORT (DATE) UTF-8 1
        S: BAD \[UIDREQUIRED\] .*
        C: UID SEARCH RETURN (SAVE) UID 2:3
        S: OK .*
        C: UID SEARCH RETURN () $
        S: * ESEARCH \(TAG "a\d+"\) UID ALL 2:3
        S: OK .*
        C: UID SEARCH UID 1:2
        S: * SEARCH 1 2
        S: OK .*
        C: UID FETCH $ (FLAGS)
        S: * 2 UIDFETCH \(FLAGS \(.*\)\)
        S: * 3 UIDFETCH \(FLAGS \(.*\)\)
        S: OK .*
    """),
    case("RFC 9586 3.3", "UIDFETCH, with the UID item only where it was asked for", r"""
        I: m1 m2
        C: UID STORE 1 +FLAGS.SILENT (\Deleted)
        S: OK .*
        C: EXPUNGE
        S: * 1 EXPUNGE
        S: OK .*
        C: ENABLE UIDONLY
        S: OK .*
        C: UID FETCH 1:* (RFC822.SIZE BODY[HEADER.FIELDS (SUBJECT)])
        S: * 2 UIDFETCH \(RFC822.SIZE \d+ BODY\[HEADER.FIELDS \(SUBJECT\)\] \{22\}.* FLAGS \(\\Seen \\Recent\)\)
        S: OK .*
        C: UID FETCH 2 (UID FLAGS)
        S: * 2 UIDFETCH \(UID 2 FLAGS \(\\Seen \\Recent\)\)
        S: OK .*
        C: UID STORE 2 +FLAGS (\Answered)
        S: * 2 UIDFETCH \(FLAGS \(\\Answered \\Seen \\Recent\)\)
        S: OK .*
        N: * \d FETCH .*
    """),
    case("RFC 9586 3.4", "VANISHED instead of EXPUNGE, without QRESYNC", r"""
        C: CREATE dest
        S: OK .*
        I: m1 m2 m3 m4
        C: ENABLE UIDONLY
        S: OK .*
        C: UID STORE 1:2 +FLAGS.SILENT (\Deleted)
        S: OK .*
        C: UID EXPUNGE 2
        S: * VANISHED 2
        S: OK .*
        N: * \d EXPUNGE
        C: EXPUNGE
        S: * VANISHED 1
        S: OK .*
        N: * \d EXPUNGE
        C: UID MOVE 3 dest
        S: * OK \[COPYUID \d+ 3 1\] .*
        S: * VANISHED 3
        S: OK .*
        N: * \d EXPUNGE
        C: UID COPY 4 dest
        S: OK \[COPYUID \d+ 4 2\] .*
        C: UID FETCH 1:4 (FLAGS) (CHANGEDSINCE 1 VANISHED)
        S: BAD .*
    """),
    case("RFC 9586 3.4", "what others do is told with UIDs, in IDLE too", r"""
        I1: m1 m2 m3
        C1: UID STORE 1 +FLAGS.SILENT (\Deleted)
        S1: OK .*
        C1: EXPUNGE
        S1: OK .*
        I2:
        C2: ENABLE UIDONLY
        S2: OK .*
        C1: UID STORE 3 +FLAGS (\Flagged)
        S1: OK .*
        C1: UID STORE 2 +FLAGS (\Deleted)
        S1: OK .*
        C1: UID EXPUNGE 2
        S1: OK .*
        C1: APPEND INBOX {msg m4}
        S1: OK .*
        C2: NOOP
        S2: * VANISHED 2
        S2: * 2 EXISTS
        S2: * 3 UIDFETCH \(FLAGS \(.*\\Flagged.*\)\)
        S2: OK .*
        N2: * \d (EXPUNGE|FETCH .*)
        C2: IDLE
        S2: + idling
        C1: UID STORE 3:4 +FLAGS (\Deleted)
        S1: OK .*
        S2: * 3 UIDFETCH \(FLAGS \(.*\\Deleted.*\)\)
        S2: * 4 UIDFETCH \(FLAGS \(.*\\Deleted.*\)\)
        C1: EXPUNGE
        S1: OK .*
        S2: * VANISHED 3:4
        c2: DONE
        S2: OK .*
    """),
    case("RFC 9586 3.6", "SELECT tells no message number, and QRESYNC takes none", r"""
        C: ENABLE UIDONLY QRESYNC
        S: * ENABLED QRESYNC UIDONLY
        S: OK .*
        I: m1 m2 m3
        C: UID STORE 1:2 +FLAGS.SILENT (\Seen)
        S: * 1 UIDFETCH \(FLAGS \(.*\) MODSEQ \(\d+\)\)
        S: OK .*
        C: SELECT INBOX
        S: * OK \[UIDVALIDITY (?P<v>\d+)\] .*
        S: * OK \[HIGHESTMODSEQ (?P<h>\d+)\] .*
        S: OK .*
        N: * OK \[UNSEEN .*
        C: UID STORE 2 +FLAGS (\Deleted)
        S: OK .*
        C: UID EXPUNGE 2
        S: * VANISHED 2
        S: OK .*
        C: UID STORE 3 +FLAGS (\Flagged)
        S: OK .*
        C: SELECT INBOX (QRESYNC (<<v>> <<h>> 1:3))
        S: * VANISHED \(EARLIER\) 2
        S: * 3 UIDFETCH \(FLAGS \(.*\\Flagged.*\) MODSEQ \(\d+\)\)
        S: OK .*
        C: SELECT INBOX (QRESYNC (<<v>> <<h>> 1:3 (1:2 1:2)))
        S: BAD \[UIDREQUIRED\] .*
        C: UID FETCH 1:3 (FLAGS) (CHANGEDSINCE <<h>> VANISHED)
        S: * VANISHED \(EARLIER\) 2
        S: * 3 UIDFETCH \(FLAGS \(.*\) MODSEQ \(\d+\)\)
        S: OK .*
    """),
    case("RFC 9586 3.5", "a conditional STORE names UIDs", r"""
        I: m1 m2
        C: UID STORE 1 +FLAGS.SILENT (\Deleted)
        S: OK .*
        C: EXPUNGE
        S: OK .*
        C: ENABLE UIDONLY
        S: OK .*
        C: UID STORE 2 (UNCHANGEDSINCE 1) +FLAGS (\Flagged)
        S: OK \[MODIFIED 2\] .*
        C: UID FETCH 2 (FLAGS) (PARTIAL -1:-1)
        S: * 2 UIDFETCH \(FLAGS \(.*\)\)
        S: OK .*
    """),
]

MULTISEARCH = [
    case("RFC 7377 3", "named mailboxes and subtrees", r"""
        C: CREATE folder1
        S: OK .*
        C: CREATE folder2/banana
        S: OK .*
        C: CREATE folder2/peach/pit
        S: OK .*
        C: CREATE folder2/salmon
        S: OK .*
        C: APPEND folder1 (\Seen) {msg m1}
        S: OK .*
        C: APPEND folder1 {msg m2}
        S: OK .*
        C: APPEND folder1 {msg m3}
        S: OK \[APPENDUID (?P<v>\d+) 3\] .*
        C: APPEND folder2/banana {msg m3}
        S: OK \[APPENDUID (?P<b>\d+) 1\] .*
        C: APPEND folder2/peach/pit {msg m3}
        S: OK \[APPENDUID (?P<p>\d+) 1\] .*
        C: ESEARCH IN (mailboxes "folder1" subtree "folder2") UNSEEN
        S: * ESEARCH \(TAG "a\d+" MAILBOX "?folder1"? UIDVALIDITY <<v>>\) UID ALL 2:3
        S: * ESEARCH \(TAG "a\d+" MAILBOX "?folder2/banana"? UIDVALIDITY <<b>>\) UID ALL 1
        S: * ESEARCH \(TAG "a\d+" MAILBOX "?folder2/peach/pit"? UIDVALIDITY <<p>>\) UID ALL 1
        S: OK .*
        N: * ESEARCH .*salmon.*
        C: ESEARCH IN (mailboxes folder1 subtree-one folder2) SUBJECT "message 3"
        S: * ESEARCH \(TAG "a\d+" MAILBOX "?folder1"? UIDVALIDITY <<v>>\) UID ALL 3
        S: * ESEARCH \(TAG "a\d+" MAILBOX "?folder2/banana"? UIDVALIDITY <<b>>\) UID ALL 1
        S: OK .*
        N: * ESEARCH .*pit.*
        C: ESEARCH IN (mailboxes (folder1 folder2/banana none)) RETURN (COUNT MIN MAX) BODY "body of"
        S: * ESEARCH \(TAG "a\d+" MAILBOX "?folder1"? UIDVALIDITY <<v>>\) UID MIN 1 MAX 3 COUNT 3
        S: * ESEARCH \(TAG "a\d+" MAILBOX "?folder2/banana"? UIDVALIDITY <<b>>\) UID MIN 1 MAX 1 COUNT 1
        S: OK .*
    """),
    case("RFC 7377 2.2", "the selected mailbox by default, which stays selected", r"""
        C: CREATE other
        S: OK .*
        C: APPEND other {msg m5}
        S: OK .*
        I: m1 m2
        C: ESEARCH RETURN () ALL
        S: * ESEARCH \(TAG "a\d+" MAILBOX "?INBOX"? UIDVALIDITY \d+\) UID ALL 1:2
        S: OK .*
        C: ESEARCH UNSEEN
        S: * ESEARCH \(TAG "a\d+" MAILBOX "?INBOX"? UIDVALIDITY \d+\) UID ALL 1:2
        S: OK .*
        C: ESEARCH IN (selected mailboxes other) RETURN (COUNT) ALL
        S: * ESEARCH \(TAG "a\d+" MAILBOX "?INBOX"? UIDVALIDITY \d+\) UID COUNT 2
        S: * ESEARCH \(TAG "a\d+" MAILBOX "?other"? UIDVALIDITY \d+\) UID COUNT 1
        S: OK .*
        C: ESEARCH IN (mailboxes other) ALL
        S: * ESEARCH \(TAG "a\d+" MAILBOX "?other"? UIDVALIDITY \d+\) UID ALL 1
        S: OK .*
        C: FETCH 1:2 (UID)
        S: * 1 FETCH \(UID 1\)
        S: * 2 FETCH \(UID 2\)
        S: OK .*
    """),
    case("RFC 7377 2.2", "personal, inboxes, subscribed; each mailbox once", r"""
        C: CREATE one
        S: OK .*
        C: CREATE two
        S: OK .*
        C: SUBSCRIBE two
        S: OK .*
        C: APPEND one {msg m4}
        S: OK .*
        C: APPEND two {msg m4}
        S: OK .*
        C: ESEARCH IN (personal mailboxes one) SUBJECT "Message 4"
        S: * ESEARCH \(TAG "a\d+" MAILBOX "?one"? UIDVALIDITY \d+\) UID ALL 1
        S: * ESEARCH \(TAG "a\d+" MAILBOX "?two"? UIDVALIDITY \d+\) UID ALL 1
        S: OK .*
        C: ESEARCH IN (inboxes) SUBJECT "Message 4"
        S: * ESEARCH \(TAG "a\d+" MAILBOX "?one"? UIDVALIDITY \d+\) UID ALL 1
        S: * ESEARCH \(TAG "a\d+" MAILBOX "?two"? UIDVALIDITY \d+\) UID ALL 1
        S: OK .*
        C: ESEARCH IN (subscribed) SUBJECT "Message 4"
        S: * ESEARCH \(TAG "a\d+" MAILBOX "?two"? UIDVALIDITY \d+\) UID ALL 1
        S: OK .*
        N: * ESEARCH .*one.*
    """),
    case("RFC 7377 2.1", "no response without results, whatever is to be returned", r"""
        C: CREATE empty
        S: OK .*
        I: m1
        C: ESEARCH IN (personal) RETURN (COUNT MIN MAX) DELETED
        S: OK .*
        N: * ESEARCH .*
        C: ESEARCH IN (mailboxes nowhere) ALL
        S: OK .*
        N: * ESEARCH .*
        C: ESEARCH 5:7
        S: OK .*
        N: * ESEARCH .*
        C: ESEARCH IN (personal) RETURN (PARTIAL 5:9) ALL
        S: * ESEARCH \(TAG "a\d+" MAILBOX "?INBOX"? UIDVALIDITY \d+\) UID PARTIAL \(5:9 NIL\)
        S: OK .*
    """),
    case("RFC 7377 2", "pipelined, and with numbers of each mailbox", r"""
        C: CREATE b1
        S: OK .*
        C: APPEND b1 {msg m1}
        S: OK .*
        C: APPEND b1 {msg m2}
        S: OK .*
        I: m1 m2 m3
        c: p1 ESEARCH IN (mailboxes b1 selected) 2:*{nl}p2 ESEARCH IN (mailboxes b1) RETURN (COUNT) TEXT m1@{nl}p3 NOOP
        S: * ESEARCH \(TAG "p1" MAILBOX "?INBOX"? UIDVALIDITY \d+\) UID ALL 2:3
        S: * ESEARCH \(TAG "p1" MAILBOX "?b1"? UIDVALIDITY \d+\) UID ALL 2
        L: p1 OK ESEARCH completed
        S: * ESEARCH \(TAG "p2" MAILBOX "?b1"? UIDVALIDITY \d+\) UID COUNT 1
        L: p2 OK ESEARCH completed
        L: p3 OK NOOP completed
    """),
    case("RFC 7377 2.2", "what is refused", r"""
        C: ESEARCH UNSEEN
        S: BAD .*
        C: ESEARCH IN (selected) ALL
        S: BAD .*
        C: ESEARCH IN (selected-delayed) ALL
        S: BAD .*
        C: ESEARCH IN (personal) RETURN (SAVE) ALL
        S: BAD .*
        C: ESEARCH IN (personal (depth 3)) ALL
        S: BAD .*
        C: ESEARCH IN () ALL
        S: BAD .*
        C: ESEARCH IN (mailboxes) ALL
        S: BAD .*
        C: ESEARCH IN (mailboxes ()) ALL
        S: BAD .*
        C: ESEARCH IN (personal) CHARSET X-NO ALL
        S: NO \[BADCHARSET .*\] .*
        C: ESEARCH IN (personal)
        S: BAD .*
        I: m1
        C: ESEARCH IN (selected personal) RETURN (SAVE) ALL
        S: BAD .*
        C: ESEARCH RETURN (SAVE) ALL
        S: OK .*
        C: SEARCH $
        S: * SEARCH 1
        S: OK .*
    """),
    case("RFC 9586", "ESEARCH with UIDONLY; names in UTF-8", r"""
        C: ENABLE UTF8=ACCEPT UIDONLY
        S: OK .*
        C: CREATE "Grüße"
        S: OK .*
        C: APPEND "Grüße" {msg m1}
        S: OK .*
        C: ESEARCH IN (mailboxes "Grüße") ALL
        S: * ESEARCH \(TAG "a\d+" MAILBOX "Grüße" UIDVALIDITY \d+\) UID ALL 1
        S: OK .*
        C: ESEARCH IN (personal) 1:5
        S: BAD \[UIDREQUIRED\] .*
    """),
]

FILTERS = [
    case("RFC 5466 3.1", "a filter stands for its keys", r"""
        I: m1 m2 m3
        C: SETMETADATA "" ("/private/filters/values/on-the-road" "OR SUBJECT \"message 1\" FROM \"sender3\"")
        S: OK .*
        C: SEARCH FILTER on-the-road
        S: * SEARCH 1 3
        S: OK .*
        C: SEARCH UID 2:900 FILTER On-The-Road SINCE 3-Dec-2002
        S: * SEARCH 3
        S: OK .*
        C: SEARCH NOT FILTER on-the-road
        S: * SEARCH 2
        S: OK .*
        C: SORT (REVERSE SUBJECT) UTF-8 FILTER on-the-road
        S: * SORT 3 1
        S: OK .*
        C: ESEARCH IN (personal) FILTER on-the-road
        S: * ESEARCH \(TAG .* MAILBOX "?INBOX"? UIDVALIDITY \d+\) UID ALL 1,3
        S: OK .*
    """),
    case("RFC 5466 3.1", "a filter that is not there", r"""
        I: m1
        C: SEARCH FILTER nowhere
        S: NO \[UNDEFINED-FILTER nowhere\] .*
        C: SEARCH RETURN (COUNT) OR SEEN FILTER No
        S: NO \[UNDEFINED-FILTER No\] .*
        N: * ESEARCH .*
        C: SEARCH FILTER
        S: BAD .*
        C: SEARCH FILTER a/b
        S: BAD .*
        C: SEARCH FILTER "x"
        S: BAD .*
    """),
    case("RFC 5466 3.2", "changed and removed", r"""
        I: m1 m2
        C: SETMETADATA "" ("/private/filters/values/f" "UID 1")
        S: OK .*
        C: SEARCH FILTER f
        S: * SEARCH 1
        S: OK .*
        C: SETMETADATA "" ("/private/filters/values/f" "UID 2")
        S: OK .*
        C: SEARCH FILTER f
        S: * SEARCH 2
        S: OK .*
        C: SETMETADATA "" ("/private/filters/values/f" NIL)
        S: OK .*
        C: SEARCH FILTER f
        S: NO \[UNDEFINED-FILTER f\] .*
    """),
    case("RFC 5466 3.1", "filters in filters, and circles", r"""
        I: m1 m2 m3
        C: SETMETADATA "" ("/private/filters/values/f1" "FILTER f2 UNSEEN" "/private/filters/values/f2" "OR FILTER f3 UID 3" "/private/filters/values/f3" "UID 1")
        S: OK .*
        C: SEARCH FILTER f1
        S: * SEARCH 1 3
        S: OK .*
        C: SETMETADATA "" ("/private/filters/values/f3" "FILTER f1")
        S: OK .*
        C: SEARCH FILTER f1
        S: NO \[UNDEFINED-FILTER f[123]\] .*
        C: SETMETADATA "" ("/private/filters/values/f3" "NOT")
        S: OK .*
        C: SEARCH FILTER f3
        S: NO \[UNDEFINED-FILTER f3\] .*
    """),
    case("RFC 5466 3.1", "FILTER is for UTF-8", r"""
        I: m1 encoded
        C: SETMETADATA "" ("/private/filters/values/u" {lit SUBJECT "K\xc3\xb6ln"})
        S: OK .*
        C: SEARCH FILTER u
        S: * SEARCH 2
        S: OK .*
        C: SEARCH CHARSET UTF-8 FILTER u
        S: * SEARCH 2
        S: OK .*
        C: SEARCH CHARSET ISO-8859-1 FILTER u
        S: BAD \[BADCHARSET \(.*\)\] .*
    """),
]

REFS = [
    case("draft-ietf-morg-inthread", "by references alone, in the order of the latest message", r"""
        C: APPEND INBOX "01-Jan-2021 00:00:00 +0000" {msg t1}
        S: OK .*
        C: APPEND INBOX "02-Jan-2021 00:00:00 +0000" {msg t3}
        S: OK .*
        C: APPEND INBOX "05-Jan-2021 00:00:00 +0000" {msg t4}
        S: OK .*
        C: APPEND INBOX "03-Jan-2021 00:00:00 +0000" {msg t6}
        S: OK .*
        C: APPEND INBOX "04-Jan-2021 00:00:00 +0000" {msg t5}
        S: OK .*
        C: SELECT INBOX
        S: OK .*
        C: THREAD REFS UTF-8 ALL
        S: * THREAD \(2\)\(4\)\(1 \(5\)\(3\)\)
        S: OK .*
        C: UID THREAD REFS UTF-8 UID 1:2
        S: * THREAD \(1\)\(2\)
        S: OK .*
        C: THREAD REFS UTF-8 DELETED
        S: * THREAD
        S: OK .*
        C: THREAD REF UTF-8 ALL
        S: BAD .*
    """),
]

LIMITS = [
    case("RFC 9051 6.4.4", "64 nested NOT, OR and parentheses; not more, nor more than 1024 keys", "\n".join((
        "I: m1 m2", "C: SEARCH " + "NOT " * 64 + "UID 1", r"S: * SEARCH 1", "S: OK .*",
        "C: SEARCH " + "OR SEEN " * 64 + "UID 2", r"S: * SEARCH 2", "S: OK .*",
        "C: SEARCH " + "(" * 64 + "UID 2" + ")" * 64, r"S: * SEARCH 2", "S: OK .*",
        "C: SEARCH " + "(" * 65 + "UID 2" + ")" * 65, "S: BAD .*",
        "C: SEARCH" + " ALL" * 1000, r"S: * SEARCH 1 2", "S: OK .*",
        "C: SEARCH" + " ALL" * 1025, "S: BAD .*"))),
    case("RFC 9051 6.4.4", "an unknown charset", r"""
        I: m1
        C: SEARCH CHARSET X-UNKNOWN ALL
        S: NO \[BADCHARSET \(US-ASCII UTF-8\)\] .*
        C: SORT (DATE) X-UNKNOWN ALL
        S: NO \[BADCHARSET \(US-ASCII UTF-8\)\] .*
        C: THREAD REFS X-UNKNOWN ALL
        S: NO \[BADCHARSET \(US-ASCII UTF-8\)\] .*
        C: SEARCH CHARSET us-ascii CHARSET utf-8 ALL
        S: BAD .*
    """),
]

CONTEXT = [
    case("RFC 5267 4.3", "what comes into and leaves the result is told", r"""
        I: m1 m2 m3
        c: B01 UID SEARCH RETURN (UPDATE COUNT) FLAGGED
        S: * ESEARCH \(TAG "B01"\) UID COUNT 0
        L: B01 OK SEARCH completed
        C: STORE 2:3 +FLAGS (\Flagged)
        S: * 2 FETCH \(FLAGS .*\)
        S: * 3 FETCH \(FLAGS .*\)
        S: * ESEARCH \(TAG "B01"\) UID ADDTO \(0 2:3\)
        S: OK .*
        C: STORE 2 +FLAGS.SILENT (\Seen)
        S: OK .*
        N: * ESEARCH .*
        C: STORE 2 -FLAGS.SILENT (\Flagged)
        S: * ESEARCH \(TAG "B01"\) UID REMOVEFROM \(0 2\)
        S: OK .*
        C: APPEND INBOX (\Flagged) {msg m4}
        S: * 4 EXISTS
        S: * ESEARCH \(TAG "B01"\) UID ADDTO \(0 4\)
        S: OK .*
        C: APPEND INBOX {msg m5}
        S: * 5 EXISTS
        S: OK .*
        N: * ESEARCH .*
    """),
    case("RFC 5267 4.3.4", "REMOVEFROM with message numbers before the EXPUNGE, ADDTO after the EXISTS", r"""
        I: m1 m2 m3 m4
        c: B02 SEARCH RETURN (UPDATE ALL) UNDELETED
        S: * ESEARCH \(TAG "B02"\) ALL 1:4
        L: B02 OK SEARCH completed
        C: STORE 2 +FLAGS.SILENT (\Deleted)
        S: * ESEARCH \(TAG "B02"\) REMOVEFROM \(0 2\)
        S: OK .*
        C: EXPUNGE
        S: * 2 EXPUNGE
        S: OK .*
        N: * ESEARCH .*
        c: B03 SEARCH RETURN (UPDATE) ALL
        S: * ESEARCH \(TAG "B03"\)
        L: B03 OK SEARCH completed
        C: UID MOVE 3 INBOX
        S: * ESEARCH \(TAG "B03"\) REMOVEFROM \(0 2\)
        S: * 2 EXPUNGE
        S: * 3 EXISTS
        S: * ESEARCH \(TAG "B03"\) ADDTO \(0 3\)
        S: OK .*
    """),
    case("RFC 5267 4.3.2", "what others do, in IDLE; VANISHED with UIDONLY", r"""
        I1: m1 m2 m3
        I2:
        C2: ENABLE UIDONLY
        S2: OK .*
        c2: X1 UID SEARCH RETURN (UPDATE COUNT) UNSEEN
        S2: * ESEARCH \(TAG "X1"\) UID COUNT 3
        L2: X1 OK SEARCH completed
        C2: IDLE
        S2: + idling
        C1: STORE 1 +FLAGS (\Seen)
        S1: OK .*
        S2: * 1 UIDFETCH .*
        S2: * ESEARCH \(TAG "X1"\) UID REMOVEFROM \(0 1\)
        C1: STORE 2 +FLAGS (\Deleted)
        S1: OK .*
        S2: * 2 UIDFETCH .*
        C1: EXPUNGE
        S1: OK .*
        S2: * ESEARCH \(TAG "X1"\) UID REMOVEFROM \(0 2\)
        S2: * VANISHED 2
        C1: APPEND INBOX {msg m4}
        S1: OK .*
        S2: * 3 EXISTS
        S2: * \d RECENT
        S2: * ESEARCH \(TAG "X1"\) UID ADDTO \(0 4\)
        c2: DONE
        S2: OK .*
        C2: UID FETCH 4 (BODY[])
        S2: * 4 UIDFETCH .*
        S2: * ESEARCH \(TAG "X1"\) UID REMOVEFROM \(0 4\)
        S2: OK .*
    """),
    case("RFC 5267 4.3", "a tag that is in use, and message numbers as of the command", r"""
        I: m1 m2 m3
        c: T1 SEARCH RETURN (UPDATE COUNT) 1:2 UNSEEN
        S: * ESEARCH \(TAG "T1"\) COUNT 2
        L: T1 OK SEARCH completed
        c: T1 UID SEARCH RETURN (UPDATE) FLAGGED
        L: T1 BAD Tag reuse
        C: STORE 1 +FLAGS.SILENT (\Deleted)
        S: OK .*
        C: EXPUNGE
        S: * ESEARCH \(TAG "T1"\) REMOVEFROM \(0 1\)
        S: * 1 EXPUNGE
        S: OK .*
        C: STORE 2 +FLAGS.SILENT (\Seen)
        S: OK .*
        N: * ESEARCH .*
        C: STORE 1 +FLAGS.SILENT (\Seen)
        S: * ESEARCH \(TAG "T1"\) REMOVEFROM \(0 1\)
        S: OK .*
    """),
    case("RFC 5267 4.3.5", "CANCELUPDATE, and the end with the mailbox", r"""
        I: m1
        c: U1 SEARCH RETURN (UPDATE COUNT) UNSEEN
        S: * ESEARCH \(TAG "U1"\) COUNT 1
        L: U1 OK SEARCH completed
        c: U2 SEARCH RETURN (UPDATE COUNT) SEEN
        S: * ESEARCH \(TAG "U2"\) COUNT 0
        L: U2 OK SEARCH completed
        C: CANCELUPDATE "U1"
        S: OK .*
        C: STORE 1 +FLAGS.SILENT (\Seen)
        S: * ESEARCH \(TAG "U2"\) ADDTO \(0 1\)
        S: OK .*
        N: * ESEARCH \(TAG "U1"\).*
        C: CANCELUPDATE "U1"
        S: NO .*
        C: CANCELUPDATE U1
        S: BAD .*
        C: SELECT INBOX
        S: OK .*
        C: STORE 1 -FLAGS.SILENT (\Seen)
        S: OK .*
        N: * ESEARCH .*
        C: CLOSE
        S: OK .*
        C: CANCELUPDATE "U2"
        S: BAD .*
    """),
    case("RFC 5267 4.3.1", "too many contexts: NOUPDATE, everything else as asked for", "\n".join(
        ["I: m1"] + [f'c: L{i} SEARCH RETURN (UPDATE COUNT) ALL\nS: * ESEARCH \\(TAG "L{i}"\\) COUNT 1\nL: L{i} OK SEARCH completed'
                     for i in range(8)] +
        ['c: L8 SEARCH RETURN (UPDATE COUNT) ALL', 'S: * NO \\[NOUPDATE "L8"\\] .*', 'S: * ESEARCH \\(TAG "L8"\\) COUNT 1',
         'L: L8 OK SEARCH completed', 'C: CANCELUPDATE "L0" "L1"', 'S: OK .*', 'c: L9 SEARCH RETURN (UPDATE COUNT) ALL',
         'S: * ESEARCH \\(TAG "L9"\\) COUNT 1', 'N: * NO .*', 'L: L9 OK SEARCH completed'])),
    case("RFC 5267 4.2", "CONTEXT is a hint; with other options; not for several mailboxes", r"""
        I: m1 m2
        C: SEARCH RETURN (CONTEXT COUNT) ALL
        S: * ESEARCH \(TAG "a\d+"\) COUNT 2
        S: OK .*
        C: SEARCH RETURN (UPDATE PARTIAL 1:1 MIN) ALL
        S: * ESEARCH \(TAG "(?P<t>a\d+)"\) MIN 1 PARTIAL \(1:1 1\)
        S: OK .*
        C: STORE 2 +FLAGS.SILENT (\Deleted)
        S: OK .*
        C: EXPUNGE
        S: * ESEARCH \(TAG "<<t>>"\) REMOVEFROM \(0 2\)
        S: * 2 EXPUNGE
        S: OK .*
        C: ESEARCH IN (personal) RETURN (UPDATE COUNT) ALL
        S: * NO \[NOUPDATE "a\d+"\] .*
        S: * ESEARCH \(TAG .*\) UID COUNT 1
        S: OK .*
    """),
]

CONTEXT_SORT = [
    case("RFC 5267 4.3.3", "ADDTO says where each result belongs in the order", r"""
        I: t1 t2 t3 t5
        C: CAPABILITY
        S: * CAPABILITY .*\bCONTEXT=SORT\b.*
        S: OK .*
        c: C01 UID SORT RETURN (UPDATE ALL) (SUBJECT) UTF-8 UNSEEN
        S: * ESEARCH \(TAG "C01"\) UID ALL 3:4,1:2
        L: C01 OK SORT completed
        C: APPEND INBOX {msg t8}
        S: * 5 EXISTS
        S: * ESEARCH \(TAG "C01"\) UID ADDTO \(2 5\)
        S: OK .*
        C: APPEND INBOX {msg t6} {msg t9} {msg t7}
        S: * 8 EXISTS
        S: * ESEARCH \(TAG "C01"\) UID ADDTO \(3 7 7 6,8\)
        S: OK .*
        C: APPEND INBOX (\Seen) {msg t4}
        S: * 9 EXISTS
        S: OK .*
        N: * ESEARCH .*
        C: UID SORT (SUBJECT) UTF-8 UNSEEN
        L: * SORT 3 5 7 4 1 2 6 8
        S: OK .*
    """),
    case("RFC 5267 4.3.4", "REMOVEFROM names the place, each as it is when those before it are gone", r"""
        I: t1 t2 t3 t5 t8
        c: C02 SORT RETURN (UPDATE) (SUBJECT) UTF-8 UNSEEN
        S: * ESEARCH \(TAG "C02"\)
        L: C02 OK SORT completed
        C: STORE 3,5,2 +FLAGS.SILENT (\Seen)
        S: * ESEARCH \(TAG "C02"\) REMOVEFROM \(1 3,5 3 2\)
        S: OK .*
        C: STORE 1:* -FLAGS.SILENT (\Seen)
        S: * ESEARCH \(TAG "C02"\) ADDTO \(1 3,5 5 2\)
        S: OK .*
        C: STORE 1,3,4 +FLAGS.SILENT (\Deleted)
        S: OK .*
        N: * ESEARCH .*
        C: EXPUNGE
        S: * ESEARCH \(TAG "C02"\) REMOVEFROM \(1 3 2 4,1\)
        S: * 4 EXPUNGE
        S: * 3 EXPUNGE
        S: * 1 EXPUNGE
        S: OK .*
        C: STORE 1 +FLAGS.SILENT (\Seen)
        S: * ESEARCH \(TAG "C02"\) REMOVEFROM \(2 1\)
        S: OK .*
    """),
    case("RFC 5267 4.3.3", "several criteria, backwards; equal ones in the order of the mailbox", r"""
        I: t1 t2 t3
        c: C03 UID SORT RETURN (UPDATE PARTIAL 1:1) (SUBJECT REVERSE DATE) UTF-8 ALL
        S: * ESEARCH \(TAG "C03"\) UID PARTIAL \(1:1 3\)
        L: C03 OK SORT completed
        c: C04 UID SORT RETURN (UPDATE COUNT) (REVERSE SUBJECT) UTF-8 ALL
        S: * ESEARCH \(TAG "C04"\) UID COUNT 3
        L: C04 OK SORT completed
        C: APPEND INBOX {msg t4} {msg t3}
        S: * 5 EXISTS
        S: * ESEARCH \(TAG "C04"\) UID ADDTO \(3 4 5 5\)
        S: * ESEARCH \(TAG "C03"\) UID ADDTO \(2 5,4\)
        S: OK .*
        C: UID SORT (SUBJECT REVERSE DATE) UTF-8 ALL
        L: * SORT 3 5 4 2 1
        S: OK .*
        C: UID SORT (REVERSE SUBJECT) UTF-8 ALL
        L: * SORT 1 2 4 3 5
        S: OK .*
        C: UID MOVE 3 INBOX
        S: * ESEARCH \(TAG "C04"\) UID REMOVEFROM \(4 3\)
        S: * ESEARCH \(TAG "C03"\) UID REMOVEFROM \(1 3\)
        S: * 3 EXPUNGE
        S: * ESEARCH \(TAG "C04"\) UID ADDTO \(5 6\)
        S: * ESEARCH \(TAG "C03"\) UID ADDTO \(2 6\)
        S: OK .*
    """),
    case("RFC 5267 4.3.2", "what others do, in IDLE, with UIDONLY", r"""
        I1: t1 t3
        I2:
        C2: ENABLE UIDONLY
        S2: OK .*
        c2: X1 UID SORT RETURN (UPDATE COUNT) (SUBJECT) UTF-8 UNDELETED
        S2: * ESEARCH \(TAG "X1"\) UID COUNT 2
        L2: X1 OK SORT completed
        C2: IDLE
        S2: + idling
        C1: APPEND INBOX {msg t5}
        S1: OK .*
        S2: * 3 EXISTS
        S2: * \d RECENT
        S2: * ESEARCH \(TAG "X1"\) UID ADDTO \(2 3\)
        C1: STORE 2 +FLAGS (\Deleted)
        S1: OK .*
        S2: * 2 UIDFETCH .*
        S2: * ESEARCH \(TAG "X1"\) UID REMOVEFROM \(1 2\)
        C1: UID MOVE 1 INBOX
        S1: OK .*
        S2: * ESEARCH \(TAG "X1"\) UID REMOVEFROM \(2 1\)
        S2: * VANISHED 1
        S2: * 3 EXISTS
        S2: * \d RECENT
        S2: * ESEARCH \(TAG "X1"\) UID ADDTO \(2 4\)
        c2: DONE
        S2: OK .*
    """),
    case("RFC 5267 4.3.5", "tags and CANCELUPDATE are shared with SEARCH", r"""
        I: t1 t3
        c: B01 SEARCH RETURN (UPDATE COUNT) UNSEEN
        S: * ESEARCH \(TAG "B01"\) COUNT 2
        L: B01 OK SEARCH completed
        c: B01 SORT RETURN (UPDATE) (DATE) UTF-8 FLAGGED
        L: B01 BAD Tag reuse
        c: B02 SORT RETURN (UPDATE CONTEXT MIN) (SUBJECT) UTF-8 1:2
        S: * ESEARCH \(TAG "B02"\) MIN 2
        L: B02 OK SORT completed
        C: CANCELUPDATE "B01"
        S: OK .*
        C: STORE 2 +FLAGS.SILENT (\Seen \Deleted)
        S: OK .*
        N: * ESEARCH .*
        C: EXPUNGE
        S: * ESEARCH \(TAG "B02"\) REMOVEFROM \(1 2\)
        S: * 2 EXPUNGE
        S: OK .*
        C: CANCELUPDATE "B02"
        S: OK .*
        C: STORE 1 +FLAGS.SILENT (\Deleted)
        S: OK .*
        C: EXPUNGE
        S: OK .*
        N: * ESEARCH .*
        C: SORT RETURN (UPDATE SAVE) (DATE) UTF-8 ALL
        S: BAD .*
        C: SORT RETURN (UPDATE) (DATE) X-NONE ALL
        S: NO \[BADCHARSET .*
    """),
    case("RFC 5466 3.1", "a filter stays what it was for a search that goes on", r"""
        I: t1 t3
        C: SETMETADATA "" (/private/filters/values/wanted "UNSEEN NOT KEYWORD done")
        S: OK .*
        c: F1 SORT RETURN (UPDATE ALL) (SUBJECT) UTF-8 FILTER wanted
        S: * ESEARCH \(TAG "F1"\) ALL 2,1
        L: F1 OK SORT completed
        C: SETMETADATA "" (/private/filters/values/wanted NIL)
        S: OK .*
        C: STORE 1 +FLAGS.SILENT (done)
        S: * ESEARCH \(TAG "F1"\) REMOVEFROM \(2 1\)
        S: OK .*
    """),
    case("RFC 5267 4.3.1", "too many contexts, of SEARCH and SORT together: NOUPDATE", "\n".join(
        ["I: m1"] + [f'c: L{i} {"SORT" if i % 2 else "SEARCH"} RETURN (UPDATE COUNT) {"(DATE) UTF-8 " if i % 2 else ""}ALL\n'
                     f'S: * ESEARCH \\(TAG "L{i}"\\) COUNT 1\nL: L{i} OK {"SORT" if i % 2 else "SEARCH"} completed' for i in range(8)] +
        ['c: L8 SORT RETURN (UPDATE ALL) (DATE) UTF-8 ALL', 'S: * NO \\[NOUPDATE "L8"\\] .*', 'S: * ESEARCH \\(TAG "L8"\\) ALL 1',
         'L: L8 OK SORT completed'])),
]
