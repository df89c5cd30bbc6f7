"""NOTIFY (RFC 5465)."""

from dialogue import case

NOTIFY = [
    case("RFC 5465 3.1", "news of the selected mailbox while no command is in progress", r"""
        C1: CAPABILITY
        S1: * CAPABILITY (.* )?NOTIFY( .*)?
        S1: OK .*
        I1: m1
        C1: NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange))
        S1: OK .*
        I2:
        C2: APPEND INBOX {msg m2}
        S2: OK .*
        S1: * 2 EXISTS
        S1: * \d+ RECENT
        C2: STORE 1 +FLAGS (\Seen)
        S2: OK .*
        S1: * 1 FETCH \(UID 1 FLAGS \(.*\\Seen.*\)\)
        C2: STORE 1 +FLAGS (\Deleted)
        S2: OK .*
        S1: * 1 FETCH \(UID 1 FLAGS \(.*\\Deleted.*\)\)
        C2: EXPUNGE
        S2: OK .*
        S1: * 1 EXPUNGE
        C1: UID FETCH 2 FLAGS
        S1: * 1 FETCH \(UID 2 .*\)
        S1: OK .*
    """),
    case("RFC 5465 5.2", "new messages are fetched", r"""
        I1: m1
        C1: NOTIFY SET (SELECTED (MessageNew (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge))
        S1: OK .*
        C2: APPEND INBOX {msg m2} {msg m3}
        S2: OK .*
        S1: * 3 EXISTS
        S1: * \d+ RECENT
        S1: * 2 FETCH \(UID 2 FLAGS \(.*\) BODY\[HEADER.FIELDS \(SUBJECT\)\] \{22\}\r\nSubject: Message 2\r\n\r\n\)
        S1: * 3 FETCH \(UID 3 FLAGS \(.*\) BODY\[HEADER.FIELDS \(SUBJECT\)\] \{22\}\r\nSubject: Message 3\r\n\r\n\)
        C1: NOOP
        N1: * .*
        S1: OK .*
        C1: IDLE
        S1: + .*
        C2: APPEND INBOX {msg m4}
        S2: OK .*
        S1: * 4 EXISTS
        S1: * \d+ RECENT
        S1: * 4 FETCH \(UID 4 .*
        c1: DONE
        S1: OK .*
    """),
    case("RFC 5465 5.2", "fetching for NOTIFY marks nothing as seen", r"""
        I1: m1
        C1: NOTIFY SET (SELECTED (MessageNew (BODY[TEXT]) MessageExpunge))
        S1: OK .*
        C2: APPEND INBOX {msg m2}
        S2: OK .*
        S1: * 2 EXISTS
        S1: * \d+ RECENT
        S1: * 2 FETCH \(UID 2 BODY\[TEXT\] .*\)
        C1: FETCH 2 FLAGS
        S1: * 2 FETCH \(FLAGS \((\\Recent)?\)\)
        S1: OK .*
    """),
    case("RFC 5465 6.1.2", "SELECTED-DELAYED keeps expunges for a command", r"""
        I1: m1 m2
        C1: NOTIFY SET (SELECTED-DELAYED (MessageNew MessageExpunge FlagChange))
        S1: OK .*
        I2:
        C2: STORE 1 +FLAGS.SILENT (\Deleted)
        S2: OK .*
        S1: * 1 FETCH .*
        C2: EXPUNGE
        S2: OK .*
        C2: APPEND INBOX {msg m3}
        S2: OK .*
        S1: * 3 EXISTS
        S1: * \d+ RECENT
        C1: NOOP
        S1: * 1 EXPUNGE
        S1: OK .*
    """),
    case("RFC 5465 3.1", "without SELECTED, with NONE, nothing is told of the selected mailbox", r"""
        I1: m1
        C1: NOTIFY SET (SELECTED NONE)
        S1: OK .*
        C2: APPEND INBOX {msg m2}
        S2: OK .*
        C1: NOOP
        N1: * .*
        S1: OK .*
        C1: NOTIFY SET (SELECTED (MessageNew MessageExpunge))
        S1: * 2 EXISTS
        S1: OK .*
        C1: NOTIFY NONE
        S1: OK .*
        C2: APPEND INBOX {msg m2}
        S2: OK .*
        C1: NOOP
        N1: * .*
        S1: OK .*
    """),
    case("RFC 5465 3.1, 5.1", "without FlagChange flags are not told", r"""
        I1: m1
        C1: NOTIFY SET (SELECTED (MessageNew MessageExpunge))
        S1: OK .*
        I2:
        C2: STORE 1 +FLAGS (\Seen)
        S2: OK .*
        C1: NOOP
        N1: * .*
        S1: OK .*
    """),
    case("RFC 5465 3.1", "STATUS of what is watched comes before OK", r"""
        I1: m1
        C1: CREATE Lists/a
        S1: OK .*
        C1: CREATE Lists/b
        S1: OK .*
        C1: NOTIFY SET STATUS (SELECTED (MessageNew MessageExpunge)) (SUBTREE Lists (MessageNew MessageExpunge))
        S1: * STATUS "?Lists/a"? \(.*MESSAGES 0.*\)
        S1: * STATUS "?Lists/b"? \(MESSAGES 0 UIDNEXT 1 UIDVALIDITY \d+\)
        N1: * STATUS "?INBOX"? .*
        S1: OK .*
        C1: NOTIFY SET (MAILBOXES Lists/a (MessageNew MessageExpunge FlagChange))
        N1: * STATUS .*
        S1: OK .*
        C1: ENABLE CONDSTORE
        S1: OK .*
        C1: NOTIFY SET STATUS (MAILBOXES (Lists/a none) (MessageNew MessageExpunge FlagChange))
        S1: * STATUS "?Lists/a"? \(.*HIGHESTMODSEQ \d+.*\)
        S1: OK .*
    """),
    case("RFC 5465 6.5, 6.6", "several names, in any order", r"""
        C1: CREATE Lists/z/deep
        S1: OK .*
        C1: CREATE Lists/z2
        S1: OK .*
        C1: CREATE "Lists/z!"
        S1: OK .*
        C1: CREATE a
        S1: OK .*
        C1: NOTIFY SET STATUS (SUBTREE (none Lists/z a none) (MessageNew MessageExpunge))
        S1: * STATUS "?Lists/z/deep"? .*
        S1: * STATUS "?a"? .*
        N1: * STATUS "?Lists/z[2!]"? .*
        S1: OK .*
        C1: NOTIFY SET STATUS (MAILBOXES (none Lists/z2 "Lists/z!" Lists/z2 a) (MessageNew MessageExpunge))
        S1: * STATUS "?Lists/z!"? .*
        S1: * STATUS "?Lists/z2"? .*
        S1: * STATUS "?a"? .*
        N1: * STATUS "?Lists/z/deep"? .*
        S1: OK .*
        C2: APPEND Lists/z2 {msg m1}
        S2: OK .*
        S1: * STATUS "?Lists/z2"? \(MESSAGES 1 UIDNEXT 2\)
        C2: SUBSCRIBE nothing/there
        S2: OK .*
        C1: NOTIFY SET (PERSONAL (SubscriptionChange MailboxName))
        S1: OK .*
        C2: UNSUBSCRIBE nothing/there
        S2: OK .*
        S1: * LIST \(.*\\NonExistent.*\) "/" "?nothing/there"?
    """),
    case("RFC 5465 5.2, 5.3", "messages of other mailboxes", r"""
        C1: CREATE a
        S1: OK .*
        C1: CREATE b
        S1: OK .*
        C1: NOTIFY SET (MAILBOXES (a) (MessageNew MessageExpunge))
        S1: OK .*
        C2: APPEND b {msg m1}
        S2: OK .*
        C2: APPEND a {msg m1}
        S2: OK .*
        S1: * STATUS "?a"? \(MESSAGES 1 UIDNEXT 2\)
        C2: SELECT a
        S2: OK .*
        C2: STORE 1 +FLAGS (\Deleted)
        S2: OK .*
        C2: EXPUNGE
        S2: OK .*
        S1: * STATUS "?a"? \(MESSAGES 0 UIDNEXT 2\)
        C1: NOOP
        N1: * .*
        S1: OK .*
    """),
    case("RFC 5465 5.1", "flags of other mailboxes: UNSEEN, and HIGHESTMODSEQ with CONDSTORE", r"""
        C1: APPEND INBOX {msg m1}
        S1: OK .*
        C1: NOTIFY SET (INBOXES (MessageNew MessageExpunge FlagChange))
        S1: OK .*
        I2:
        C2: STORE 1 +FLAGS (\Seen)
        S2: OK .*
        S1: * STATUS "?INBOX"? \(UIDVALIDITY \d+ UNSEEN 0\)
        C1: ENABLE CONDSTORE
        S1: OK .*
        C2: STORE 1 +FLAGS (\Flagged)
        S2: OK .*
        S1: * STATUS "?INBOX"? \(UIDVALIDITY \d+ HIGHESTMODSEQ \d+\)
        C2: APPEND INBOX {msg m2}
        S2: OK .*
        S1: * STATUS "?INBOX"? \((?=.*MESSAGES 2)(?=.*UIDNEXT 3)(?=.*HIGHESTMODSEQ \d+).*\)
    """),
    case("RFC 5465 3.1", "SELECTED says what is told of the selected mailbox, whatever names it otherwise", r"""
        I1: m1
        C1: NOTIFY SET (SELECTED (MessageNew MessageExpunge)) (PERSONAL (MessageNew MessageExpunge))
        S1: OK .*
        C2: APPEND INBOX {msg m2}
        S2: OK .*
        S1: * 2 EXISTS
        S1: * \d+ RECENT
        C1: NOOP
        N1: * STATUS .*
        S1: OK .*
        C1: UNSELECT
        S1: OK .*
        C2: APPEND INBOX {msg m3}
        S2: OK .*
        S1: * STATUS "?INBOX"? \(MESSAGES 3 UIDNEXT 4\)
    """),
    case("RFC 5465 5.4", "names come and go", r"""
        C1: NOTIFY SET (PERSONAL (MailboxName))
        S1: OK .*
        C2: CREATE x
        S2: OK .*
        S1: * LIST \(.*\\HasNoChildren.*\) "/" "?x"?
        C2: CREATE x/y
        S2: OK .*
        S1: * LIST \(.*\\HasNoChildren.*\) "/" "?x/y"?
        S1: * LIST \(.*\\HasChildren.*\) "/" "?x"?
        C2: DELETE x/y
        S2: OK .*
        S1: * LIST \(\\NonExistent\) "/" "?x/y"?
        S1: * LIST \(.*\\HasNoChildren.*\) "/" "?x"?
        C2: RENAME x z
        S2: OK .*
        S1: * LIST \(.*\) "/" "?z"? \("?OLDNAME"? \("?x"?\)\)
        C1: CREATE own
        N1: * LIST .*
        S1: OK .*
        C1: RENAME own own2
        N1: * LIST .*
        S1: OK .*
        C1: DELETE own2
        N1: * LIST .*
        S1: OK .*
    """),
    case("RFC 5465 5.4", "of a tree that is renamed only its top is told", r"""
        C2: CREATE t
        S2: OK .*
        C2: CREATE t/a
        S2: OK .*
        C1: NOTIFY SET (PERSONAL (MailboxName))
        S1: OK .*
        C2: RENAME t u
        S2: OK .*
        S1: * LIST \(.*\\HasChildren.*\) "/" "?u"? \("?OLDNAME"? \("?t"?\)\)
        C1: NOOP
        N1: * LIST .*
        S1: OK .*
    """),
    case("RFC 5465 5.5", "subscriptions", r"""
        C2: CREATE x
        S2: OK .*
        C1: NOTIFY SET (PERSONAL (SubscriptionChange))
        S1: OK .*
        C2: SUBSCRIBE x
        S2: OK .*
        S1: * LIST \(.*\\Subscribed.*\) "/" "?x"?
        C2: UNSUBSCRIBE x
        S2: OK .*
        S1: * LIST \((?!.*\\Subscribed).*\) "/" "?x"?
        C1: SUBSCRIBE x
        N1: * LIST .*
        S1: OK .*
    """),
    case("RFC 5465 6.4", "SUBSCRIBED follows the subscriptions", r"""
        C1: CREATE x
        S1: OK .*
        C1: NOTIFY SET (SUBSCRIBED (MessageNew MessageExpunge))
        S1: OK .*
        C2: APPEND x {msg m1}
        S2: OK .*
        C1: NOOP
        N1: * STATUS .*
        S1: OK .*
        C2: SUBSCRIBE x
        S2: OK .*
        C2: APPEND x {msg m1}
        S2: OK .*
        S1: * STATUS "?x"? \(MESSAGES 2 UIDNEXT 3\)
    """),
    case("RFC 5465 5.6, 5.7, RFC 5464 4.4.2", "annotations of mailboxes and of the server", r"""
        C1: NOTIFY SET (MAILBOXES INBOX (MailboxMetadataChange ServerMetadataChange))
        S1: OK .*
        C2: SETMETADATA INBOX (/private/comment "x")
        S2: OK .*
        S1: * METADATA "?INBOX"? /private/comment
        C2: SETMETADATA "" (/private/comment "y")
        S2: OK .*
        S1: * METADATA "" /private/comment
        C1: CREATE x
        S1: OK .*
        C2: SETMETADATA x (/private/comment "x")
        S2: OK .*
        C1: NOOP
        N1: * METADATA .*
        S1: OK .*
    """),
    case("RFC 5465 5, 8", "what is not of the grammar", r"""
        C: NOTIFY
        S: BAD .*
        C: NOTIFY ALL
        S: BAD .*
        C: NOTIFY SET
        S: BAD .*
        C: NOTIFY SET STATUS
        S: BAD .*
        C: NOTIFY SET (SELECTED)
        S: BAD .*
        C: NOTIFY SET (SELECTED ())
        S: BAD .*
        C: NOTIFY SET (SELECTED (MessageNew))
        S: BAD .*
        C: NOTIFY SET (SELECTED (MessageExpunge))
        S: BAD .*
        C: NOTIFY SET (PERSONAL (FlagChange))
        S: BAD .*
        C: NOTIFY SET (SELECTED (MailboxName))
        S: BAD .*
        C: NOTIFY SET (SELECTED NONE) (SELECTED-DELAYED NONE)
        S: BAD .*
        C: NOTIFY SET (PERSONAL (MessageNew (UID) MessageExpunge))
        S: BAD .*
        C: NOTIFY SET (EVERYWHERE (MessageNew MessageExpunge))
        S: BAD .*
        C: NOTIFY SET (SELECTED (MessageNew (NONSENSE) MessageExpunge))
        S: BAD .*
        C: NOTIFY SET (MAILBOXES (MessageNew MessageExpunge))
        S: BAD .*
    """),
    case("RFC 5465 3.1", "events that are not supported", r"""
        C: NOTIFY SET (PERSONAL (MessageNew MessageExpunge AnnotationChange))
        S: NO \[BADEVENT \(MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange\)\] .*
        C: NOTIFY SET (PERSONAL (Unheard))
        S: NO \[BADEVENT \(.*\)\] .*
        C: NOTIFY SET (MAILBOXES none (MessageNew MessageExpunge))
        S: OK .*
    """),
    case("RFC 5465 5.3, RFC 7162 3.2.10", "with QRESYNC", r"""
        C1: ENABLE QRESYNC
        S1: OK .*
        I1: m1 m2
        C1: NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange))
        S1: OK .*
        I2:
        C2: STORE 1 +FLAGS.SILENT (\Deleted)
        S2: OK .*
        S1: * 1 FETCH \(UID 1 FLAGS \(.*\) MODSEQ \(\d+\)\)
        C2: EXPUNGE
        S2: OK .*
        S1: * VANISHED 1
    """),
    case("RFC 5465, RFC 9586", "with UIDONLY", r"""
        C1: ENABLE UIDONLY
        S1: OK .*
        I1: m1
        C1: NOTIFY SET (SELECTED (MessageNew (FLAGS) MessageExpunge))
        S1: OK .*
        C2: APPEND INBOX {msg m2}
        S2: OK .*
        S1: * 2 EXISTS
        S1: * \d+ RECENT
        S1: * 2 UIDFETCH \(FLAGS \(.*\)\)
    """),
    case("RFC 5465 3.1", "lasts over SELECT", r"""
        C1: CREATE x
        S1: OK .*
        I1: m1
        C1: NOTIFY SET (SELECTED (MessageNew (UID) MessageExpunge))
        S1: OK .*
        C1: SELECT x
        S1: OK .*
        C2: APPEND x {msg m2}
        S2: OK .*
        S1: * 1 EXISTS
        S1: * \d+ RECENT
        S1: * 1 FETCH \(UID 1\)
    """),
]
