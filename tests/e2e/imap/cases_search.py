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
