/* Dialogues: what a client sends, what it gets, byte for byte where that matters. */
#include "tests/unit/imap/imap_fixture.h"

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    fixture_open(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_close(*state);
    free(*state);
    return 0;
}

static void test_greeting(void **state)
{
    struct client c;

    client_open(&c, *state);
    expect_has_at(&c, "l1 OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ ", __FILE__, __LINE__);
    EXPECT(&c, "a NOOP", "a OK NOOP completed\r\n");
    EXPECT(&c, "b XYZZY", "b BAD Unknown command\r\n");
    EXPECT(&c, "c FETCH 1 FLAGS", "c BAD No mailbox is selected\r\n");
    EXPECT(&c, "", "* BAD Invalid tag\r\n");
    EXPECT(&c, "+ NOOP", "* BAD Invalid tag\r\n");
    EXPECT(&c, "d NAMESPACE", "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\nd OK NAMESPACE completed\r\n");
    EXPECT(&c, "e ID NIL", "* ID (\"name\" \"Culver\")\r\ne OK ID completed\r\n");
    EXPECT(&c, "f ENABLE CONDSTORE X-NONE", "* ENABLED CONDSTORE\r\nf OK ENABLE completed\r\n");
    EXPECT(&c, "g LOGOUT", "* BYE Logging out\r\ng OK LOGOUT completed\r\n");
    assert_int_equal(c.run, SESSION_CLOSE);
    client_close(&c);
}

static void test_unavailable(void **state)
{
    struct fixture *f = *state;
    struct account *acc = f->acc;
    struct client c;

    (void)acc;
    client_open(&c, f);
    imap_session_free(&c.session);
    buf_reset(&c.out);
    c.session = imap_session_new(&c.host, NULL, VIEW("t"), (struct view){NULL, 0});
    client_settle(&c);
    expect_has_at(&c, "t NO [UNAVAILABLE] ", __FILE__, __LINE__);
    assert_int_equal(c.run, SESSION_CLOSE);
    client_close(&c);
}

static void test_append_select_fetch(void **state)
{
    struct client c;

    client_open(&c, *state);
    client_received(&c);
    client_append(&c, "INBOX (\\Flagged) \"01-Feb-2026 03:04:05 +0130\"", MESSAGE_1);
    client_send(&c, "s SELECT inbox\r\n");
    {
        const char *got = client_received(&c);

        assert_non_null(strstr(got, "* 1 EXISTS\r\n* 1 RECENT\r\n* OK [UNSEEN 1] "));
        assert_non_null(strstr(got, "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)]"));
        assert_non_null(strstr(got, "s OK [READ-WRITE] SELECT completed\r\n"));
    }
    EXPECT(&c, "f FETCH 1 (UID FLAGS INTERNALDATE RFC822.SIZE)",
           "* 1 FETCH (UID 1 FLAGS (\\Flagged \\Recent) INTERNALDATE \" 1-Feb-2026 03:04:05 +0130\" RFC822.SIZE 179)\r\nf OK "
           "FETCH completed\r\n");
    EXPECT(&c, "g FETCH 1 BODY.PEEK[TEXT]<6.4>", "* 1 FETCH (BODY[TEXT]<6> {4}\r\nline)\r\ng OK FETCH completed\r\n");
    EXPECT(&c, "h FETCH 1 BODY[HEADER.FIELDS (subject Date)]",
           "* 1 FETCH (BODY[HEADER.FIELDS (subject Date)] {63}\r\nSubject: Hello world\r\nDate: Mon, 23 Nov 2026 10:00:00 "
           "+0100\r\n\r\n FLAGS (\\Flagged "
           "\\Seen \\Recent))\r\nh OK FETCH completed\r\n");
    EXPECT(&c, "i UID FETCH 1:* ENVELOPE",
           "* 1 FETCH (UID 1 ENVELOPE (\"Mon, 23 Nov 2026 10:00:00 +0100\" \"Hello world\" ((\"Alice Example\" NIL \"alice\" "
           "\"example.org\")) "
           "((\"Alice Example\" NIL \"alice\" \"example.org\")) ((\"Alice Example\" NIL \"alice\" \"example.org\")) ((NIL NIL "
           "\"bob\" \"example.net\")) "
           "NIL NIL NIL \"<1@example.org>\"))\r\ni OK FETCH completed\r\n");
    EXPECT(&c, "j FETCH 1 (BODYSTRUCTURE BODY)",
           "* 1 FETCH (BODYSTRUCTURE (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 25 2 NIL NIL NIL NIL) BODY "
           "(\"text\" \"plain\" "
           "(\"charset\" \"us-ascii\") NIL NIL \"7bit\" 25 2))\r\nj OK FETCH completed\r\n");
    EXPECT(&c, "k FETCH 2 FLAGS", "k BAD Invalid message set\r\n");
    EXPECT(&c, "l UID FETCH 7 FLAGS", "l OK FETCH completed\r\n");
    EXPECT_HAS(&c, "m FETCH 1 BODY[]", "* 1 FETCH (BODY[] {179}\r\n" MESSAGE_1 ")\r\nm OK");
    EXPECT(
        &c, "n FETCH 1 (BINARY.SIZE[1] BINARY[1]<0.5> PREVIEW)",
        "* 1 FETCH (BINARY.SIZE[1] 25 BINARY[1]<0> {5}\r\nFirst PREVIEW \"First line Second line\")\r\nn OK FETCH completed\r\n");
    EXPECT_HAS(&c, "o FETCH 1 (EMAILID THREADID SAVEDATE)", " THREADID (T");
    EXPECT(&c, "p FETCH 1 BODY[1]<30.5>", "* 1 FETCH (BODY[1]<30> {0}\r\n)\r\np OK FETCH completed\r\n");
    EXPECT(&c, "q FETCH 1 BODY[2]", "* 1 FETCH (BODY[2] NIL)\r\nq OK FETCH completed\r\n");
    client_close(&c);
}

#define MULTIPART                                                                                                            \
    "Subject: outer\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\npreamble\r\n--q\r\n\r\none\r\n--q\r\nContent-Type: " \
    "message/rfc822\r\n"                                                                                                     \
    "Content-Disposition: attachment; filename=\"a \\\"b.eml\"\r\n\r\nSubject: inner\r\nFrom: x@y\r\n\r\ninner "             \
    "body\r\n--q\r\nContent-Type: "                                                                                          \
    "application/x; name=z\r\nContent-Transfer-Encoding: base64\r\nContent-ID: "                                             \
    "<i@d>\r\n\r\nAAEC\r\n--q\r\nContent-Transfer-Encoding: x-odd\r\n\r\n"                                                   \
    "odd\r\n--q--\r\n"

static void test_mime(void **state)
{
    struct client c;

    client_open(&c, *state);
    client_append(&c, "INBOX", MULTIPART);
    client_send(&c, "s EXAMINE INBOX\r\n");
    client_received(&c);
    EXPECT(&c, "a FETCH 1 (BODY[1] BODY[1.MIME] BODY[2.MIME]<0.13>)",
           "* 1 FETCH (BODY[1] {3}\r\none BODY[1.MIME] {2}\r\n\r\n BODY[2.MIME]<0> {13}\r\nContent-Type:)\r\na OK FETCH "
           "completed\r\n");
    EXPECT(&c, "b FETCH 1 (BODY[2.HEADER] BODY[2.TEXT] BODY[2.1] BODY[2.HEADER.FIELDS.NOT (From)])",
           "* 1 FETCH (BODY[2.HEADER] {29}\r\nSubject: inner\r\nFrom: x@y\r\n\r\n BODY[2.TEXT] {10}\r\ninner body BODY[2.1] "
           "{10}\r\ninner body "
           "BODY[2.HEADER.FIELDS.NOT (From)] {18}\r\nSubject: inner\r\n\r\n)\r\nb OK FETCH completed\r\n");
    EXPECT(&c, "c FETCH 1 (BODY[1.HEADER] BODY[1.1] BODY[5] BODY[2.2])",
           "* 1 FETCH (BODY[1.HEADER] NIL BODY[1.1] NIL BODY[5] NIL BODY[2.2] NIL)\r\nc OK FETCH completed\r\n");
    client_send(&c, "d FETCH 1 (BINARY.SIZE[3] BINARY[3])\r\n");
    assert_true(
        view_eq(buf_view(&c.out), VIEW("* 1 FETCH (BINARY.SIZE[3] 3 BINARY[3] ~{3}\r\n\0\1\2)\r\nd OK FETCH completed\r\n")));
    client_received(&c);
    EXPECT(&c, "e FETCH 1 BINARY.PEEK[4]", "* 1 FETCH (BINARY[4] NIL)\r\ne NO [UNKNOWN-CTE] Unknown transfer encoding\r\n");
    EXPECT(&c, "f FETCH 1 BODYSTRUCTURE",
           "* 1 FETCH (BODYSTRUCTURE ((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1 NIL NIL NIL "
           "NIL)(\"message\" \"rfc822\" NIL NIL "
           "NIL \"7bit\" 39 (NIL \"inner\" ((NIL NIL \"x\" \"y\")) ((NIL NIL \"x\" \"y\")) ((NIL NIL \"x\" \"y\")) NIL NIL NIL "
           "NIL NIL) (\"text\" "
           "\"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 1 NIL NIL NIL NIL) 4 NIL (\"attachment\" (\"filename\" \"a "
           "\\\"b.eml\")) NIL "
           "NIL)(\"application\" \"x\" (\"name\" \"z\") \"<i@d>\" NIL \"base64\" 4 NIL NIL NIL NIL)(\"text\" \"plain\" "
           "(\"charset\" \"us-ascii\") NIL "
           "NIL \"x-odd\" 3 1 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"q\") NIL NIL NIL))\r\nf OK FETCH completed\r\n");
    EXPECT(&c, "g SEARCH BODY \"inner b\" NOT TEXT preamble", "* SEARCH 1\r\ng OK SEARCH completed\r\n");
    EXPECT(&c, "h SEARCH BODY \"Subject: inner\"", "* SEARCH 1\r\nh OK SEARCH completed\r\n");
    EXPECT(&c, "i SEARCH BODY outer", "* SEARCH\r\ni OK SEARCH completed\r\n");
    client_close(&c);
}

static void test_store_expunge(void **state)
{
    struct client c;

    client_open(&c, *state);
    for (int i = 0; i < 4; i++)
        client_append(&c, "INBOX", MESSAGE_1);
    client_send(&c, "s SELECT INBOX\r\n");
    client_received(&c);
    EXPECT(&c, "a STORE 1:2 +FLAGS (\\Deleted $Work)",
           "* 1 FETCH (FLAGS (\\Deleted \\Recent $Work))\r\n* 2 FETCH (FLAGS (\\Deleted \\Recent $Work))\r\n"
           "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)\r\n* OK [PERMANENTFLAGS (\\Answered \\Flagged "
           "\\Deleted \\Seen "
           "\\Draft $Work \\*)] Flags permitted\r\na OK STORE completed\r\n");
    EXPECT(&c, "b STORE 4 FLAGS.SILENT \\Deleted", "b OK STORE completed\r\n");
    EXPECT(&c, "c NOOP", "c OK NOOP completed\r\n");
    EXPECT(&c, "d UID STORE 3 +FLAGS \\Seen", "* 3 FETCH (UID 3 FLAGS (\\Seen \\Recent))\r\nd OK STORE completed\r\n");
    EXPECT(&c, "e STORE 9 +FLAGS \\Seen", "e BAD Invalid message set\r\n");
    EXPECT(&c, "f STORE 1 +FLAGS \\Recent", "f BAD No such system flag\r\n");
    EXPECT(&c, "g UID EXPUNGE 2:3", "* 2 EXPUNGE\r\ng OK EXPUNGE completed\r\n");
    EXPECT(&c, "h EXPUNGE", "* 3 EXPUNGE\r\n* 1 EXPUNGE\r\nh OK EXPUNGE completed\r\n");
    EXPECT(&c, "i FETCH 1 UID", "* 1 FETCH (UID 3)\r\ni OK FETCH completed\r\n");
    EXPECT(&c, "j STORE 1 +FLAGS.SILENT \\Deleted", "j OK STORE completed\r\n");
    EXPECT(&c, "k CLOSE", "k OK CLOSE completed\r\n");
    EXPECT(&c, "l STATUS INBOX (MESSAGES UIDNEXT UNSEEN SIZE)",
           "* STATUS \"INBOX\" (MESSAGES 0 UIDNEXT 5 UNSEEN 0 SIZE 0)\r\nl OK STATUS completed\r\n");
    client_close(&c);
}

static void test_examine(void **state)
{
    struct client c;

    client_open(&c, *state);
    client_append(&c, "INBOX", MESSAGE_1);
    EXPECT_HAS(&c, "s EXAMINE INBOX", "s OK [READ-ONLY] EXAMINE completed\r\n");
    EXPECT(&c, "a STORE 1 +FLAGS \\Seen", "a NO [READ-ONLY] Mailbox is read-only\r\n");
    EXPECT(&c, "b EXPUNGE", "b NO [READ-ONLY] Mailbox is read-only\r\n");
    EXPECT(&c, "c FETCH 1 BODY[TEXT]<0.5>", "* 1 FETCH (BODY[TEXT]<0> {5}\r\nFirst)\r\nc OK FETCH completed\r\n");
    EXPECT(&c, "d FETCH 1 FLAGS", "* 1 FETCH (FLAGS (\\Recent))\r\nd OK FETCH completed\r\n");
    EXPECT(&c, "e SELECT nothing", "* OK [CLOSED] Previous mailbox closed\r\ne NO [NONEXISTENT] No such mailbox\r\n");
    EXPECT(&c, "f CHECK", "f BAD No mailbox is selected\r\n");
    client_close(&c);
}

static void test_copy_move(void **state)
{
    struct client c;
    const char *got;

    client_open(&c, *state);
    client_append(&c, "INBOX", MESSAGE_1);
    client_append(&c, "INBOX", MESSAGE_1);
    client_send(&c, "s SELECT INBOX\r\n");
    client_received(&c);
    EXPECT(&c, "a COPY 1 Nowhere", "a NO [TRYCREATE] No such mailbox\r\n");
    EXPECT_HAS(&c, "b COPY 1:2 Trash", " 1:2 1:2] COPY completed\r\n");
    client_send(&c, "c MOVE 1 Trash\r\n");
    got = client_received(&c);
    assert_true(strncmp(got, "* OK [COPYUID ", 14) == 0);
    assert_non_null(strstr(got, " 1 3] Moved\r\n* 1 EXPUNGE\r\nc OK MOVE completed\r\n"));
    EXPECT(&c, "d UID MOVE 99 Trash", "d OK No messages found\r\n");
    EXPECT(&c, "e STATUS Trash (MESSAGES)", "* STATUS \"Trash\" (MESSAGES 3)\r\ne OK STATUS completed\r\n");
    client_close(&c);
}

static void test_mailboxes(void **state)
{
    struct client c;

    client_open(&c, *state);
    client_received(&c);
    EXPECT_HAS(&c, "a CREATE Work/2026/", "a OK [MAILBOXID (");
    EXPECT(&c, "b CREATE inbox", "b NO [ALREADYEXISTS] Mailbox already exists\r\n");
    EXPECT(&c, "c CREATE \"a&b\"", "c NO [CANNOT] Invalid mailbox name\r\n");
    EXPECT_HAS(&c, "d CREATE Arch (USE (\\Archive))", "d OK [MAILBOXID (");
    EXPECT(&c, "e CREATE Bad (USE (\\Foo))", "e NO [USEATTR] No such special use\r\n");
    EXPECT(&c, "f LIST \"\" %",
           "* LIST (\\HasNoChildren) \"/\" \"INBOX\"\r\n* LIST (\\HasNoChildren \\Archive) \"/\" \"Arch\"\r\n* LIST "
           "(\\HasNoChildren \\Sent) \"/\" "
           "\"Sent\"\r\n* LIST (\\HasNoChildren \\Trash) \"/\" \"Trash\"\r\n* LIST (\\HasChildren) \"/\" \"Work\"\r\nf OK LIST "
           "completed\r\n");
    EXPECT(&c, "g LIST \"Work/\" *", "* LIST (\\HasNoChildren) \"/\" \"Work/2026\"\r\ng OK LIST completed\r\n");
    EXPECT(&c, "h LIST \"\" \"\"", "* LIST (\\Noselect) \"/\" \"\"\r\nh OK LIST completed\r\n");
    EXPECT(&c, "i LIST (SPECIAL-USE) \"\" (a* S*) RETURN (SUBSCRIBED STATUS (MESSAGES))",
           "* LIST (\\HasNoChildren \\Subscribed \\Sent) \"/\" \"Sent\"\r\n* STATUS \"Sent\" (MESSAGES 0)\r\ni OK LIST "
           "completed\r\n");
    EXPECT(&c, "j RENAME Work Jobs", "j OK RENAME completed\r\n");
    EXPECT(&c, "k RENAME Work Other", "k NO [NONEXISTENT] No such mailbox\r\n");
    EXPECT(&c, "l SUBSCRIBE Jobs/2026", "l OK SUBSCRIBE completed\r\n");
    EXPECT(&c, "m LSUB \"\" %",
           "* LSUB () \"/\" \"INBOX\"\r\n* LSUB (\\Noselect) \"/\" \"Jobs\"\r\n* LSUB () \"/\" \"Sent\"\r\n* LSUB () \"/\" "
           "\"Trash\"\r\nm OK LSUB completed\r\n");
    client_close(&c);
}

static void test_subscribed_recursive(void **state)
{
    struct client c;

    client_open(&c, *state);
    client_received(&c);
    EXPECT(&c, "a SUBSCRIBE gone/deep/leaf", "a OK SUBSCRIBE completed\r\n");
    EXPECT(&c, "b LIST (SUBSCRIBED RECURSIVEMATCH) \"\" g%",
           "* LIST (\\NonExistent \\HasNoChildren) \"/\" \"gone\" (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\nb OK LIST completed\r\n");
    EXPECT(&c, "c LIST (SUBSCRIBED) \"\" *leaf",
           "* LIST (\\NonExistent \\HasNoChildren \\Subscribed) \"/\" \"gone/deep/leaf\"\r\nc OK LIST completed\r\n");
    EXPECT(&c, "d LIST (RECURSIVEMATCH) \"\" *", "d BAD RECURSIVEMATCH needs another selection option\r\n");
    EXPECT(&c, "e UNSUBSCRIBE gone/deep/leaf", "e OK UNSUBSCRIBE completed\r\n");
    EXPECT(&c, "f LSUB \"\" g*", "f OK LSUB completed\r\n");
    client_close(&c);
}

static void test_names(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_open(&c, f);
    client_received(&c);
    EXPECT_HAS(&c, "a CREATE \"Entw&APw-rfe\"", "a OK");
    EXPECT_HAS(&c, "b LIST \"\" Entw*", "\"/\" \"Entw&APw-rfe\"\r\n");
    EXPECT(&c, "c ENABLE UTF8=ACCEPT", "* ENABLED UTF8=ACCEPT\r\nc OK ENABLE completed\r\n");
    EXPECT_HAS(&c, "d LIST \"\" Entw*", "\"/\" \"Entw\xc3\xbcrfe\"\r\n");
    EXPECT_HAS(&c, "e DELETE \"Entw\xc3\xbcrfe\"", "e OK DELETE completed\r\n");
    f->set.hierarchy_separator = '.';
    EXPECT_HAS(&c, "f CREATE one.t/wo", "f OK");
    EXPECT(&c, "g LIST \"one.\" *", "* LIST (\\HasNoChildren) \".\" \"one.t/wo\"\r\ng OK LIST completed\r\n");
    f->set.hierarchy_separator = '/';
    EXPECT(&c, "h LIST \"one/\" *", "* LIST (\\HasNoChildren) \"/\" \"one/t.wo\"\r\nh OK LIST completed\r\n");
    client_close(&c);
}

static void test_idle_two_sessions(void **state)
{
    struct client a, b;

    client_open(&a, *state);
    client_open(&b, *state);
    client_send(&a, "s SELECT INBOX\r\n");
    client_received(&a);
    EXPECT(&a, "i IDLE", "+ idling\r\n");
    assert_true(imap_session_idle(a.session));
    client_append(&b, "INBOX", MESSAGE_1);
    assert_true(a.woken);
    client_settle(&a);
    expect_at(&a, "* 1 EXISTS\r\n* 1 RECENT\r\n", __FILE__, __LINE__);
    client_send(&b, "s SELECT INBOX\r\n");
    client_received(&b);
    client_send(&b, "x STORE 1 +FLAGS (\\Deleted)\r\n");
    client_received(&b);
    client_settle(&a);
    expect_at(&a, "* 1 FETCH (FLAGS (\\Deleted \\Recent))\r\n", __FILE__, __LINE__);
    EXPECT(&a, "DONE", "i OK IDLE completed\r\n");
    EXPECT(&b, "y EXPUNGE", "* 1 EXPUNGE\r\ny OK EXPUNGE completed\r\n");
    EXPECT(&a, "f FETCH 1 UID", "* 1 FETCH (UID 1)\r\nf OK FETCH completed\r\n");
    EXPECT(&a, "g COPY 1 Trash", "* 1 EXPUNGE\r\ng NO [EXPUNGEISSUED] Some of the messages were removed\r\n");
    EXPECT(&a, "n NOOP", "n OK NOOP completed\r\n");
    EXPECT(&a, "o IDLE", "+ idling\r\n");
    EXPECT(&a, "nonsense", "o BAD Expected DONE\r\n");
    client_close(&a);
    client_close(&b);
}

static void test_search(void **state)
{
    struct client c;

    client_open(&c, *state);
    client_append(&c, "INBOX (\\Seen)", MESSAGE_1);
    client_append(&c, "INBOX",
                  "From: =?utf-8?q?J=C3=BCrgen?= <j@x.de>\r\nSubject: =?iso-8859-1?q?Gr=FC=DFe?=\r\nContent-Type: text/plain; "
                  "charset=utf-8\r\n"
                  "Content-Transfer-Encoding: base64\r\n\r\nw4RwZmVsIHVuZCBCaXJuZW4K\r\n");
    client_send(&c, "s SELECT INBOX\r\n");
    client_received(&c);
    EXPECT(&c, "a SEARCH ALL", "* SEARCH 1 2\r\na OK SEARCH completed\r\n");
    EXPECT(&c, "b SEARCH UNSEEN", "* SEARCH 2\r\nb OK SEARCH completed\r\n");
    EXPECT(&c,
           "c SEARCH CHARSET UTF-8 SUBJECT \"GR\xc3\x9c\xc3\x9f"
           "E\"",
           "* SEARCH 2\r\nc OK SEARCH completed\r\n");
    EXPECT(&c, "d SEARCH BODY {6+}\r\n\xc3\xa4pfel", "* SEARCH 2\r\nd OK SEARCH completed\r\n");
    EXPECT(&c, "e SEARCH FROM j\xc3\xbcrgen", "e BAD Unexpected text after the arguments\r\n");
    EXPECT(&c, "f SEARCH FROM \"j\xc3\xbcrgen\"", "* SEARCH 2\r\nf OK SEARCH completed\r\n");
    EXPECT(&c, "g SEARCH OR FROM alice@example.org (TEXT \"birnen\" NOT SEEN)", "* SEARCH 1 2\r\ng OK SEARCH completed\r\n");
    EXPECT(&c, "h UID SEARCH RETURN (MIN MAX COUNT ALL) 1:*",
           "* ESEARCH (TAG \"h\") UID MIN 1 MAX 2 COUNT 2 ALL 1:2\r\nh OK SEARCH completed\r\n");
    EXPECT(&c, "i SEARCH RETURN () KEYWORD none", "* ESEARCH (TAG \"i\")\r\ni OK SEARCH completed\r\n");
    EXPECT(&c, "j SEARCH HEADER Subject \"\" SENTON 23-Nov-2026", "* SEARCH 1\r\nj OK SEARCH completed\r\n");
    EXPECT(&c, "k SEARCH LARGER 170 SMALLER 180", "* SEARCH 1\r\nk OK SEARCH completed\r\n");
    EXPECT(&c, "l SEARCH CHARSET KLINGON ALL", "l NO [BADCHARSET (US-ASCII UTF-8)] Charset is not supported\r\n");
    EXPECT(&c, "m SEARCH", "m BAD Missing argument\r\n");
    EXPECT(&c, "n SEARCH UID 2:* NOT UID 1", "* SEARCH 2\r\nn OK SEARCH completed\r\n");
    client_close(&c);
}

static void test_multiappend_pipelined(void **state)
{
    struct client c;

    client_open(&c, *state);
    client_received(&c);
    client_send(&c, "a APPEND INBOX {12+}\r\nA: b\r\n\r\nxx\r\n (\\Seen) {6+}\r\nB\n\ny\r\n\r\n");
    expect_has_at(&c, " 1:2] APPEND completed\r\n", __FILE__, __LINE__);
    client_send(&c, "b APPEND INBOX {3+}\r\nX\r\n\r\nc APPEND INBOX {3+}\r\nY\r\n\r\nd NOOP\r\n");
    {
        const char *got = client_received(&c);

        assert_non_null(strstr(got, " 3] APPEND completed\r\nc OK"));
        assert_non_null(strstr(got, " 4] APPEND completed\r\nd OK NOOP completed\r\n"));
    }
    EXPECT(&c, "e APPEND Nowhere {10}", "e NO [TRYCREATE] No such mailbox\r\n");
    EXPECT(&c, "f APPEND Nowhere {4+}\r\nabcd", "f NO [TRYCREATE] No such mailbox\r\n");
    EXPECT(&c, "g APPEND INBOX {99999999}", "g NO [TOOBIG] Message too large\r\n");
    EXPECT(&c, "h APPEND INBOX {4}", "+ OK\r\n");
    EXPECT_HAS(&c, "1234", "h OK [APPENDUID ");
    EXPECT(&c, "i APPEND INBOX NIL", "i BAD Missing message literal\r\n");
    EXPECT(&c, "j APPEND {5}", "+ OK\r\n");
    EXPECT_HAS(&c, "INBOX {2+}\r\nhi", "j OK [APPENDUID ");
    client_send(&c, "s SELECT INBOX\r\n");
    client_received(&c);
    EXPECT(&c, "k FETCH 2 BODY[]", "* 2 FETCH (BODY[] {8}\r\nB\r\n\r\ny\r\n)\r\nk OK FETCH completed\r\n");
    /* A literal behind a literal: no message of its own (RFC 3502 4, RFC 4469 5, RFC 6855 4). */
    EXPECT(&c, "l APPEND INBOX {3+}\r\nabc{3+}\r\nxyz", "l BAD Missing argument\r\n");
    EXPECT(&c, "m APPEND INBOX CATENATE (TEXT {3+}\r\nabc){3+}\r\nxyz", "m BAD Missing argument\r\n");
    EXPECT(&c, "n APPEND INBOX CATENATE (TEXT {3+}\r\nabc{3+}\r\nxyz)", "n BAD Missing argument\r\n");
    EXPECT(&c, "o REPLACE 2 INBOX {3+}\r\nabc{3+}\r\nxyz", "o BAD Only one message can take the place of another\r\n");
    EXPECT(&c, "p NOOP", "p OK NOOP completed\r\n");
    client_close(&c);
}

/* Of large messages the structure is found while they come, of one of a command. */
static void test_append_structure(void **state)
{
    static const char mail[] =
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n%s\r\n--b\r\nContent-Type: %s/y\r\n\r\n"
        "%s\r\n--b--\r\n";
    struct buf text, cmd, filler;
    struct client c;

    client_open(&c, *state);
    client_received(&c);
    buf_init(&filler, 1 << 20);
    while (buf_len(&filler) < 300000)
        buf_put_str(&filler, "--c 012345678901234567890123456789\r\n");
    buf_put_byte(&filler, '\0');
    buf_init(&cmd, 8 << 20);
    buf_init(&text, 2 << 20);
    buf_put_str(&cmd, "a APPEND INBOX");
    for (unsigned i = 0; i < 3; i++) {
        buf_reset(&text);
        buf_put_fmt(&text, mail, i == 1 ? "small" : (const char *)filler.data, i == 2 ? "image" : "audio", "z");
        buf_put_fmt(&cmd, " {%zu+}\r\n", buf_len(&text));
        buf_put_view(&cmd, buf_view(&text));
    }
    buf_put_str(&cmd, "\r\n");
    client_send_view(&c, buf_view(&cmd), 1013);
    expect_has_at(&c, "a OK [APPENDUID ", __FILE__, __LINE__);
    client_send(&c, "s SELECT INBOX\r\n");
    client_received(&c);
    EXPECT(&c, "f FETCH 1:* BODY",
           "* 1 FETCH (BODY ((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 300024 8334)"
           "(\"audio\" \"y\" NIL NIL NIL \"7bit\" 1) \"mixed\"))\r\n"
           "* 2 FETCH (BODY ((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 1)"
           "(\"audio\" \"y\" NIL NIL NIL \"7bit\" 1) \"mixed\"))\r\n"
           "* 3 FETCH (BODY ((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 300024 8334)"
           "(\"image\" \"y\" NIL NIL NIL \"7bit\" 1) \"mixed\"))\r\nf OK FETCH completed\r\n");
    buf_free(&cmd);
    buf_free(&text);
    buf_free(&filler);
    client_close(&c);
}

static void test_append_large(void **state)
{
    size_t size = 700 * 1024;
    char *cmd = malloc(size + 200);
    struct client c;
    int head;

    client_open(&c, *state);
    client_received(&c);
    head = snprintf(cmd, 200, "a APPEND INBOX {%zu+}\r\nSubject: big\r\n\r\n", size);
    memset(cmd + head, 'x', size - 16);
    memcpy(cmd + head + size - 16, "\r\n", 3);
    client_send_view(&c, view_str(cmd), 10000);
    expect_has_at(&c, "a OK [APPENDUID ", __FILE__, __LINE__);
    client_send(&c, "s SELECT INBOX\r\n");
    client_received(&c);
    client_send(&c, "f FETCH 1 BODY.PEEK[TEXT]\r\n");
    assert_true(buf_len(&c.out) > size - 16 && buf_len(&c.out) < size + 100);
    client_close(&c);
    free(cmd);
}

static void test_limits(void **state)
{
    char *big = malloc(200000);
    struct client c;

    client_open(&c, *state);
    client_received(&c);
    memset(big, 'x', 200000);
    memcpy(big, "a NOOP ", 7);
    memcpy(big + 199980, "\r\nb NOOP\r\n", 11);
    client_send_view(&c, view_str(big), 5000);
    expect_at(&c, "a BAD [TOOBIG] Command line too long\r\nb OK NOOP completed\r\n", __FILE__, __LINE__);
    EXPECT(&c, "c LIST \"\" {4294967296}", "c BAD [TOOBIG] Literal too large\r\n");
    EXPECT(&c, "d LIST \"\" {300000}", "d BAD [TOOBIG] Literals too large\r\n");
    EXPECT(&c, "e LIST \"\" {3+}\r\na\x01z", "e OK LIST completed\r\n");
    EXPECT(&c, "f NOPE {5}", "f BAD Unknown command\r\n");
    EXPECT(&c, "g NOPE {5+}\r\nhello more\r\nh NOOP", "g BAD Unknown command\r\nh OK NOOP completed\r\n");
    EXPECT(&c, "i LIST \"\" {300000000+}", "i BAD [TOOBIG] Literals too large\r\n* BYE [TOOBIG] Literal too large\r\n");
    assert_int_equal(c.run, SESSION_CLOSE);
    client_close(&c);
    free(big);
}

static void test_bad_commands(void **state)
{
    struct client c;

    client_open(&c, *state);
    client_received(&c);
    for (int i = 0; i < 19; i++)
        client_send(&c, "a WHAT\r\n");
    client_received(&c);
    EXPECT(&c, "a WHAT", "a BAD Unknown command\r\n* BYE Too many invalid commands\r\n");
    assert_int_equal(c.run, SESSION_CLOSE);
    client_close(&c);
}

static void test_condstore(void **state)
{
    struct client c;
    const char *got;

    client_open(&c, *state);
    client_append(&c, "INBOX", MESSAGE_1);
    client_append(&c, "INBOX", MESSAGE_1);
    EXPECT_HAS(&c, "s SELECT INBOX (CONDSTORE)", "* OK [HIGHESTMODSEQ ");
    client_send(&c, "a STORE 1 (UNCHANGEDSINCE 1) +FLAGS \\Seen\r\n");
    got = client_received(&c);
    assert_non_null(strstr(got, "a OK [MODIFIED 1] "));
    client_send(&c, "b UID STORE 1:2 (UNCHANGEDSINCE 9999999) +FLAGS.SILENT \\Seen\r\n");
    got = client_received(&c);
    assert_non_null(strstr(got, "* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent) MODSEQ ("));
    EXPECT(&c, "c FETCH 1:2 FLAGS (CHANGEDSINCE 9999999)", "c OK FETCH completed\r\n");
    EXPECT_HAS(&c, "d SEARCH MODSEQ 1", "* SEARCH 1 2 (MODSEQ ");
    EXPECT_HAS(&c, "e STATUS INBOX (HIGHESTMODSEQ)", "(HIGHESTMODSEQ ");
    client_close(&c);
}

static void test_condstore_first_use(void **state)
{
    struct client c;

    client_open(&c, *state);
    client_append(&c, "INBOX", MESSAGE_1);
    client_send(&c, "s SELECT INBOX\r\n");
    client_received(&c);
    EXPECT_HAS(&c, "a FETCH 1 MODSEQ", "* OK [HIGHESTMODSEQ ");
    EXPECT_HAS(&c, "b FETCH 1 BODY[TEXT]<0.5>",
               "First FLAGS (\\Seen \\Recent))\r\n* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent) MODSEQ (");
    EXPECT(&c, "c ENABLE CONDSTORE", "* ENABLED\r\nc OK ENABLE completed\r\n");
    client_close(&c);
}

/* Two pipelined APPENDs and a STORE are staged in one turn and share its commit. */
static void test_shared_commit(void **state)
{
    struct client c;
    const char *got;

    client_open(&c, *state);
    client_append(&c, "INBOX", MESSAGE_1);
    client_send(&c, "s SELECT INBOX\r\n");
    client_received(&c);
    buf_put_str(&c.in,
                "a APPEND INBOX {3+}\r\nX\r\n\r\nb APPEND INBOX {3+}\r\nY\r\n\r\nc STORE 1 +FLAGS.SILENT (\\Seen)\r\nd NOOP\r\n");
    assert_int_equal(imap_session_run(c.session), SESSION_WAIT);
    assert_int_equal(outq_len(c.host.out), 0); /* nothing is answered before the commit */
    assert_int_equal(account_commit(c.f->acc), 0);
    assert_true(c.woken);
    client_settle(&c);
    got = client_received(&c);
    assert_non_null(strstr(got, "APPEND completed\r\nb OK"));
    assert_non_null(strstr(got, "APPEND completed\r\nc OK STORE completed\r\nd OK NOOP completed\r\n"));
    client_close(&c);
}

static void test_utf8_append(void **state)
{
    struct client c;

    client_open(&c, *state);
    client_received(&c);
    EXPECT(&c, "a APPEND INBOX UTF8 (~{3+}\r\nabc)", "a BAD Missing message literal\r\n");
    EXPECT(&c, "b ENABLE UTF8=ACCEPT", "* ENABLED UTF8=ACCEPT\r\nb OK ENABLE completed\r\n");
    EXPECT_HAS(&c, "c APPEND INBOX (\\Seen) UTF8 (~{16+}\r\nSubject: \xc3\xbc\r\n\r\nx)", "c OK [APPENDUID ");
    EXPECT_HAS(&c, "d APPEND INBOX {3+}\r\nabc", "d OK [APPENDUID ");
    client_send(&c, "s EXAMINE INBOX\r\n");
    client_received(&c);
    EXPECT_HAS(&c, "e FETCH 1 ENVELOPE", "(ENVELOPE (NIL \"\xc3\xbc\" ");
    EXPECT(&c, "f SEARCH CHARSET UTF-8 ALL", "f BAD CHARSET is not allowed with UTF8=ACCEPT\r\n");
    client_close(&c);
}

static void test_nul_and_binary(void **state)
{
    struct client c;

    client_open(&c, *state);
    client_received(&c);
    client_send_view(&c, VIEW("a APPEND INBOX {3+}\r\na\0b\r\n"), SIZE_MAX);
    expect_at(&c, "a BAD Messages with NUL octets cannot be stored\r\n", __FILE__, __LINE__);
    client_send_view(&c, VIEW("b APPEND INBOX ~{3+}\r\na\0b\r\n"), SIZE_MAX);
    expect_at(&c, "b NO [UNKNOWN-CTE] Messages with NUL octets cannot be stored\r\n", __FILE__, __LINE__);
    EXPECT_HAS(&c, "c APPEND INBOX ~{3+}\r\nabc", "c OK [APPENDUID ");
    client_send_view(&c, VIEW("d NO\0OP\r\ne LIST \"\" {2+}\r\na\0\r\n"), SIZE_MAX);
    expect_at(&c, "d BAD Unknown command\r\ne BAD NUL in a literal\r\n", __FILE__, __LINE__);
    client_close(&c);
}

/* The server's last SASL data need an answer of the client before the tagged OK. */
static void test_final_sasl(void **state)
{
    struct client c;

    client_open(&c, *state);
    imap_session_free(&c.session);
    client_received(&c);
    c.session = imap_session_new(&c.host, c.f->acc, VIEW("t"), VIEW("v=1"));
    client_settle(&c);
    expect_at(&c, "+ dj0x\r\n", __FILE__, __LINE__);
    EXPECT_HAS(&c, "\r\nn NOOP", "t OK [CAPABILITY IMAP4rev1");
    client_close(&c);
}

/* A damaged message costs itself only. */
static void test_damaged(void **state)
{
    struct fixture *f = *state;
    char path[128], *log;
    struct client c;
    const char *got;
    size_t n;
    FILE *file;

    client_open(&c, f);
    client_append(&c, "INBOX", MESSAGE_1);
    client_append(&c, "INBOX", "Subject: two\r\n\r\nUNIQUE-TEXT\r\n");
    client_append(&c, "INBOX", MESSAGE_1);
    snprintf(path, sizeof(path), "%s/log.00000001", f->dir);
    file = fopen(path, "r+");
    assert_non_null(file);
    log = calloc(1, 1 << 20);
    n = fread(log, 1, 1 << 20, file);
    {
        char *at = memmem(log, n, "\r\n\r\nUNIQUE-TEXT", 15); /* not the preview in the digest */

        assert_non_null(at);
        assert_int_equal(fseek(file, at + 4 - log, SEEK_SET), 0);
        assert_int_equal(fputc('X', file), 'X');
    }
    fclose(file);
    free(log);
    client_send(&c, "s EXAMINE INBOX\r\n");
    client_received(&c);
    client_send(&c, "a FETCH 1:3 BODY.PEEK[]\r\n");
    got = client_received(&c);
    assert_non_null(strstr(got, "* 1 FETCH (BODY[] {179}\r\n"));
    assert_non_null(strstr(got, "* 2 FETCH (BODY[] NIL)\r\n"));
    assert_non_null(strstr(got, "* 3 FETCH (BODY[] {179}\r\n"));
    assert_non_null(strstr(got, "a NO [SERVERBUG] "));
    EXPECT_HAS(&c, "b FETCH 2 ENVELOPE", "\"two\"");
    client_close(&c);
}

static void test_timeout_and_bye(void **state)
{
    struct client c;

    client_open(&c, *state);
    client_received(&c);
    assert_int_equal(c.timeout, 1800000);
    imap_session_timeout(c.session);
    client_settle(&c);
    expect_at(&c, "* BYE Disconnected for inactivity\r\n", __FILE__, __LINE__);
    assert_int_equal(c.run, SESSION_CLOSE);
    client_close(&c);
    client_open(&c, *state);
    client_received(&c);
    imap_session_bye(c.session, "UNAVAILABLE", "Server shutting down");
    client_settle(&c);
    expect_at(&c, "* BYE [UNAVAILABLE] Server shutting down\r\n", __FILE__, __LINE__);
    client_close(&c);
}

static void test_eof(void **state)
{
    struct client c;

    client_open(&c, *state);
    client_received(&c);
    c.host.eof = true;
    EXPECT(&c, "a NOOP", "a OK NOOP completed\r\n");
    assert_int_equal(c.run, SESSION_CLOSE);
    client_close(&c);
}

/* A session that goes while its transaction is queued leaves nothing behind that the commit could trip over. */
static void test_free_while_staged(void **state)
{
    struct client c;

    client_open(&c, *state);
    client_received(&c);
    buf_put_str(&c.in, "a APPEND INBOX {3+}\r\nX\r\n\r\n");
    assert_int_equal(imap_session_run(c.session), SESSION_WAIT);
    assert_true(account_has_pending(c.f->acc));
    imap_session_free(&c.session);
    assert_int_equal(account_commit(c.f->acc), 0);
    client_close(&c);
}

/* The same dialogue in one piece and byte by byte gives the same answers. */
static void test_bytewise(void **state)
{
    static const char dialogue[] =
        "a CREATE x\r\nb LIST \"\" {1}\r\n*\r\nc APPEND x (\\Seen) {6+}\r\nA: b\r\n\r\nd SELECT x\r\ne FETCH 1 (FLAGS "
        "BODY.PEEK[])\r\n"
        "f SEARCH TEXT {1+}\r\nb\r\ng UNSELECT\r\nh DELETE x\r\ni NONSENSE {3+}\r\nabc def\r\nj IDLE\r\nDONE\r\nk LOGOUT\r\n";
    struct client a, b;
    char *first;

    client_open(&a, *state);
    client_received(&a);
    client_send(&a, dialogue);
    first = strdup(client_received(&a));
    client_close(&a);
    client_open(&b, *state);
    client_received(&b);
    client_send_view(&b, view_str(dialogue), 1);
    {
        const char *second = client_received(&b);
        const char *x = strstr(first, "f OK"), *y = strstr(second, "f OK");

        assert_non_null(x);
        assert_non_null(y);
        assert_string_equal(x, y);
        assert_non_null(strstr(first, "* 1 FETCH (FLAGS (\\Seen \\Recent) BODY[] {6}\r\nA: b\r\n)\r\n"));
        assert_non_null(strstr(second, "* 1 FETCH (FLAGS (\\Seen \\Recent) BODY[] {6}\r\nA: b\r\n)\r\n"));
    }
    free(first);
    client_close(&b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_greeting),
        T(test_unavailable),
        T(test_append_select_fetch),
        T(test_mime),
        T(test_store_expunge),
        T(test_examine),
        T(test_copy_move),
        T(test_mailboxes),
        T(test_subscribed_recursive),
        T(test_names),
        T(test_idle_two_sessions),
        T(test_search),
        T(test_multiappend_pipelined),
        T(test_append_structure),
        T(test_append_large),
        T(test_limits),
        T(test_bad_commands),
        T(test_condstore),
        T(test_condstore_first_use),
        T(test_shared_commit),
        T(test_utf8_append),
        T(test_nul_and_binary),
        T(test_final_sasl),
        T(test_damaged),
        T(test_timeout_and_bye),
        T(test_eof),
        T(test_free_while_staged),
        T(test_bytewise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
