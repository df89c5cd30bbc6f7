/*
 * Sessions that are frozen and thawed on the account opened anew, at any moment: whatever they then answer is what they would
 * have answered without. The same seeded dialogue of several clients, sent in pieces, is played with and without.
 */
#include "imap_fixture.h"

#include "storage/mailbox_view.h"

#define CLIENTS 4
#define STEPS 260

struct world {
    struct fixture f;
    struct client c[CLIENTS];
    struct buf pending[CLIENTS]; /* of a command, not sent yet */
    unsigned tag[CLIENTS];
    bool idle[CLIENTS];
    struct buf script[CLIENTS]; /* all that was received */
    uint64_t rng, when;         /* what is said, and when they are frozen */
    unsigned renewed, records;
};

static uint64_t roll(uint64_t *rng, uint64_t below)
{
    *rng ^= *rng << 13;
    *rng ^= *rng >> 7;
    *rng ^= *rng << 17;
    return (*rng * 0x2545f4914f6cdd1du >> 20) % below;
}

/* --- freezing and thawing ------------------------------------------------------------------------------------------------- */

static void freeze(struct client *c, struct buf *record, int *spool)
{
    unsigned turns = 0;

    imap_session_park(c->session);
    while (!imap_session_parked(c->session)) {
        client_tick(c);
        assert_true(++turns < 10000);
    }
    buf_init(record, 16 << 20);
    assert_int_equal(imap_session_freeze(c->session, record, spool), 0);
    imap_session_free(&c->session);
}

/* Damaged ones are refused, or give a session that may be anything but takes the process along. */
static void thaw_damaged(struct client *c, struct view record, uint64_t *rng)
{
    uint8_t *copy = xmalloc(record.len + 1);
    struct imap_session *s;
    int none = -1;

    for (int i = 0; i < 20; i++) {
        size_t at = roll(rng, record.len), len = roll(rng, 4) == 0 ? at : record.len;

        memcpy(copy, record.ptr, record.len);
        copy[at] = (uint8_t)roll(rng, 256);
        if (imap_session_thaw(&c->host, c->f->acc, view_make(copy, len), &none, &s) != 0)
            continue;
        imap_session_bye(s, NULL, "Good bye");
        assert_int_equal(imap_session_run(s), SESSION_CLOSE);
        imap_session_free(&s);
        account_commit(c->f->acc);
    }
    outq_free(&c->host.out);
    c->host.out = outq_new(64 * 1024 * 1024);
    free(copy);
}

static void thaw(struct client *c, struct buf *record, int *spool, uint64_t *rng)
{
    size_t max = c->in.max;

    if (rng != NULL && *spool < 0)
        thaw_damaged(c, buf_view(record), rng);
    assert_int_equal(imap_session_thaw(&c->host, c->f->acc, buf_view(record), spool, &c->session), 0);
    assert_int_equal(*spool, -1);
    assert_int_equal(c->in.max, max);
    c->run = SESSION_AGAIN;
    buf_free(record);
}

static void reopen(struct fixture *f)
{
    struct account_params p = {.mailboxes_max = 1000, .now_ms = fixture_now, .vfs = f->vfs};

    account_close(&f->acc);
    assert_int_equal(account_open(&p, &f->acc), 0);
}

static void renew(struct world *w)
{
    struct buf records[CLIENTS];
    int spools[CLIENTS];

    for (int i = 0; i < CLIENTS; i++)
        if (w->c[i].session != NULL)
            freeze(&w->c[i], &records[i], &spools[i]);
        else
            spools[i] = -2;
    reopen(&w->f);
    for (int i = 0; i < CLIENTS; i++)
        if (spools[i] != -2)
            thaw(&w->c[i], &records[i], &spools[i], &w->when);
    for (int i = 0; i < CLIENTS; i++)
        if (spools[i] != -2) {
            w->records++;
            client_settle(&w->c[i]);
        }
    w->renewed++;
}

/* --- what clients say ---------------------------------------------------------------------------------------------------------
 */

static const char *const commands[] = {
    "SELECT INBOX",
    "SELECT Sent",
    "EXAMINE INBOX",
    "SELECT new (CONDSTORE)",
    "SELECT INBOX (QRESYNC (%u 3 1:%u))",
    "NOOP",
    "CHECK",
    "FETCH %u:* (UID FLAGS)",
    "FETCH %u:%u (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])",
    "UID FETCH %u:%u (BODY[] INTERNALDATE)",
    "UID FETCH %u:* (FLAGS) (CHANGEDSINCE 2 VANISHED)",
    "STORE %u:%u +FLAGS (\\Deleted key%u)",
    "STORE %u:%u FLAGS.SILENT (\\Seen)",
    "UID STORE %u:%u -FLAGS (\\Flagged)",
    "UID STORE %u (UNCHANGEDSINCE 5) +FLAGS.SILENT ($x)",
    "EXPUNGE",
    "UID EXPUNGE %u:%u",
    "CLOSE",
    "UNSELECT",
    "COPY %u:%u Sent",
    "UID MOVE %u:%u new",
    "MOVE %u INBOX",
    "SEARCH RETURN (SAVE) DELETED",
    "FETCH $ (UID)",
    "UID SEARCH SUBJECT {5+}\r\nhello",
    "SEARCH RETURN (MIN MAX COUNT) UNSEEN",
    "SEARCH RETURN (UPDATE ALL) UNDELETED NOT KEYWORD key%u",
    "SEARCH RETURN (UPDATE COUNT) OR %u:* FLAGGED",
    "UID SEARCH RETURN (UPDATE) OR $ (%u:%u UNSEEN)",
    "SORT RETURN (UPDATE COUNT) (REVERSE ARRIVAL) UTF-8 UNDELETED",
    "UID SORT RETURN (UPDATE) (SUBJECT SIZE) UTF-8 OR %u:* UNSEEN",
    "COMPARATOR -i;octet",
    "COMPARATOR \"*casemap\" default",
    "SORT (SUBJECT) UTF-8 TEXT h",
    "CANCELUPDATE \"t%u\"",
    ("NOTIFY SET (SELECTED (MessageNew (UID FLAGS) MessageExpunge FlagChange)) (PERSONAL (MessageNew MessageExpunge FlagChange "
     "MailboxName SubscriptionChange))"),
    ("NOTIFY SET STATUS (SELECTED-DELAYED (MessageNew MessageExpunge)) (SUBTREE (new other) (MessageNew MessageExpunge "
     "MailboxName)) (MAILBOXES Sent (MessageNew MessageExpunge FlagChange))"),
    "NOTIFY NONE",
    "SUBSCRIBE new",
    "CREATE new",
    "DELETE new",
    "RENAME new other",
    "CREATE INBOX",
    "RENAME other new",
    "LIST \"\" * RETURN (STATUS (MESSAGES UNSEEN))",
    "STATUS INBOX (MESSAGES UIDNEXT UNSEEN RECENT)",
    "STATUS {3}\r\nnew (UIDNEXT)",
    "ENABLE QRESYNC",
    "ENABLE IMAP4rev2",
    "NONSENSE %u",
    "FETCH (",
    "APPEND INBOX (\\Flagged kw%u) {26+}\r\nSubject: hello\r\n\r\nhello\r\n\r\n",
    "APPEND INBOX \"23-Nov-2026 10:00:00 +0100\" {14}\r\nSubject: a\r\n\r\n",
    "APPEND Sent {16+}\r\nbare\nline\nends\n\n (\\Seen) {9+}\r\nX: y\r\n\r\nz",
    "APPEND missing {4+}\r\nabcd",
    "APPEND Sent CATENATE (TEXT {12+}\r\nSubject: c\r\n URL \"/INBOX/;UID=%u\" TEXT {9+}\r\n\r\nfoot\r\n\n)",
    "APPEND INBOX (\\Seen) CATENATE (URL {15+}\r\n/INBOX/;UID=%u%u URL \"/Sent/;UID=1/;SECTION=HEADER\")",
    "REPLACE %u INBOX (\\Draft) {18+}\r\nSubject: r\r\n\r\nnew",
    "UID REPLACE %u INBOX CATENATE (TEXT {6+}\r\nA: b\r\n TEXT {5+}\r\n\r\nxyz)",
};

static void say(struct world *w, int i)
{
    struct buf *p = &w->pending[i];
    const char *command = commands[roll(&w->rng, ARRAY_LEN(commands))];

    if (w->idle[i]) {
        buf_put_str(p, "DONE\r\n");
        w->idle[i] = false;
        return;
    }
    buf_put_fmt(p, "t%u ", ++w->tag[i]);
    if (roll(&w->rng, 9) == 0) {
        buf_put_str(p, "IDLE\r\n");
        w->idle[i] = true;
        return;
    }
    for (; *command != '\0'; command++) {
        if (*command == '%') {
            buf_put_dec(p, 1 + roll(&w->rng, 12));
            command++;
        } else {
            buf_put_byte(p, (uint8_t)*command);
        }
    }
    if (roll(&w->rng, 40) == 0) {
        buf_put_str(p, "\r\n");
        buf_put_fmt(p, "t%u APPEND INBOX {300000+}\r\nA: b\r\n\r\n", ++w->tag[i]);
        for (int n = 8; n < 300000; n++)
            buf_put_byte(p, n % 60 == 0 ? '\n' : 'x');
    }
    buf_put_str(p, "\r\n");
}

/* A piece of what it has to say. */
static void step(struct world *w)
{
    int i = (int)roll(&w->rng, CLIENTS);
    struct client *c = &w->c[i];
    size_t n;

    if (c->session == NULL)
        client_open(c, &w->f);
    if (buf_len(&w->pending[i]) == 0)
        say(w, i);
    n = roll(&w->rng, 3) == 0 ? 1 + (size_t)roll(&w->rng, buf_len(&w->pending[i])) : buf_len(&w->pending[i]);
    client_send_view(c, view_sub(buf_view(&w->pending[i]), 0, n), SIZE_MAX);
    buf_consume(&w->pending[i], n);
    buf_put_view(&w->script[i], buf_view(&c->out));
    buf_reset(&c->out);
    if (c->run == SESSION_CLOSE) {
        client_close(c);
        buf_reset(&w->pending[i]);
        w->idle[i] = false;
    }
}

static void play(struct world *w, uint64_t seed, bool freezing)
{
    memset(w, 0, sizeof(*w));
    w->rng = seed * 0x9e3779b97f4a7c15u;
    w->when = ~seed;
    fixture_open(&w->f);
    for (int i = 0; i < CLIENTS; i++) {
        buf_init(&w->pending[i], 1 << 20);
        buf_init(&w->script[i], 64 << 20);
    }
    for (int n = 0; n < STEPS; n++) {
        step(w);
        for (int i = 0; i < CLIENTS; i++)
            if (w->c[i].session != NULL)
                client_settle(&w->c[i]); /* those in IDLE are told at once */
        if (freezing && roll(&w->when, 5) == 0)
            renew(w);
    }
    for (int i = 0; i < CLIENTS; i++) {
        if (w->c[i].session == NULL)
            continue;
        client_settle(&w->c[i]);
        buf_put_view(&w->script[i], buf_view(&w->c[i].out));
        client_close(&w->c[i]);
    }
    fixture_close(&w->f);
}

static void compare(const struct buf *a, const struct buf *b)
{
    struct view x = buf_view(a), y = buf_view(b);
    size_t at = 0;

    while (at < x.len && at < y.len && x.ptr[at] == y.ptr[at])
        at++;
    if (at == x.len && at == y.len)
        return;
    at = at > 300 ? at - 300 : 0;
    fprintf(stderr, "without:\n%.*s\nwith:\n%.*s\n", (int)view_sub(x, at, 600).len, (const char *)x.ptr + at,
            (int)view_sub(y, at, 600).len, (const char *)y.ptr + at);
    fail();
}

static void test_random(void **state)
{
    uint64_t first = getenv("CULVER_SEED") != NULL ? strtoull(getenv("CULVER_SEED"), NULL, 10) : 1;
    uint64_t n = getenv("CULVER_RUNS") != NULL ? strtoull(getenv("CULVER_RUNS"), NULL, 10) : 5;

    (void)state;
    for (uint64_t seed = first; seed < first + n; seed++) {
        struct world *without = xcalloc(1, sizeof(*without)), *with = xcalloc(1, sizeof(*with));

        play(without, seed, false);
        play(with, seed, true);
        assert_true(with->renewed > 10 && with->records > 20);
        for (int i = 0; i < CLIENTS; i++) {
            if (buf_len(&without->script[i]) != buf_len(&with->script[i]) ||
                memcmp(buf_view(&without->script[i]).ptr, buf_view(&with->script[i]).ptr, buf_len(&with->script[i])) != 0)
                print_error("seed %llu, client %d\n", (unsigned long long)seed, i);
            compare(&without->script[i], &with->script[i]);
            buf_free(&without->script[i]);
            buf_free(&with->script[i]);
            buf_free(&without->pending[i]);
            buf_free(&with->pending[i]);
        }
        free(without);
        free(with);
    }
}

/* --- a FETCH whose client reads slowly
 * ------------------------------------------------------------------------------------------ */

static void tick_unread(struct client *c)
{
    c->run = imap_session_run(c->session);
    account_commit(c->f->acc);
}

static void append_large(struct client *c, int i)
{
    static char text[30000];

    memset(text, 'a' + i % 26, sizeof(text) - 1);
    memcpy(text, "A: b\r\n\r\n", 8);
    client_append(c, "INBOX", text);
}

static void fetch_unread(struct client *c, bool freezing, unsigned *renewed)
{
    struct buf record;
    int spool;

    client_received(c);
    buf_put_str(&c->in, "f FETCH 1:* (UID BODY[] BINARY[9])\r\ng NOOP\r\n");
    for (int n = 0; n < 100; n++) {
        tick_unread(c);
        if (freezing && n % 3 == 1 && c->run == SESSION_WAIT && n < 40) {
            freeze(c, &record, &spool);
            reopen(c->f);
            thaw(c, &record, &spool, NULL);
            ++*renewed;
        }
        if (n % 4 == 0)
            assert_int_equal(outq_drain(c->host.out, &c->out), 0);
    }
    client_settle(c);
}

static void test_slow_fetch(void **state)
{
    struct fixture f;
    struct client c;
    unsigned renewed = 0;
    char *plain;

    (void)state;
    fixture_open(&f);
    client_open(&c, &f);
    for (int i = 0; i < 30; i++)
        append_large(&c, i);
    EXPECT_HAS(&c, "s SELECT INBOX", "s OK");
    fetch_unread(&c, false, &renewed);
    plain = xstrdup(client_received(&c));
    assert_non_null(strstr(plain, "f OK FETCH completed\r\ng OK"));
    EXPECT_HAS(&c, "u STORE 1:* -FLAGS.SILENT (\\Seen)", "u OK");
    fetch_unread(&c, true, &renewed);
    assert_true(renewed > 3);
    assert_string_equal(client_received(&c), plain);
    free(plain);
    client_close(&c);
    fixture_close(&f);
}

/* --- what goes on by itself ----------------------------------------------------------------------------------------------- */

/* What changes between two processes, and before others of the old one's sessions are thawed, is told: NOTIFY (RFC 5465) compares
 * with what it told last, and CONTEXT=SEARCH (RFC 5267) has its results. */
static void test_changes_between(void **state)
{
    static const char *const news[] = {"* 2 EXISTS\r\n",
                                       "* 2 FETCH (UID 2)\r\n",
                                       "* 1 FETCH (UID 1 FLAGS (\\Flagged",
                                       "* ESEARCH (TAG \"c\") REMOVEFROM (0 1)\r\n",
                                       "* STATUS \"Sent\" (MESSAGES 1 UIDNEXT 2)\r\n",
                                       "\"three\" (\"OLDNAME\" (\"one & two\"))\r\n"};
    const char *got;
    struct buf record;
    struct fixture f;
    struct client a, b;
    int spool;

    (void)state;
    fixture_open(&f);
    client_open(&a, &f);
    client_append(&a, "INBOX", MESSAGE_1);
    EXPECT_HAS(&a, "a CREATE \"one &- two\"", "a OK");
    EXPECT_HAS(&a,
               "a NOTIFY SET (SELECTED (MessageNew (UID) MessageExpunge FlagChange)) (MAILBOXES (Sent \"one &- two\") "
               "(MessageNew MessageExpunge MailboxName))",
               "a OK");
    EXPECT_HAS(&a, "a ENABLE UTF8=ACCEPT", "a OK"); /* names are read in another way from now on */
    EXPECT_HAS(&a, "a SELECT INBOX", "a OK");
    EXPECT_HAS(&a, "c SEARCH RETURN (UPDATE ALL) 1:2 UNFLAGGED", "* ESEARCH (TAG \"c\") ALL 1\r\n");
    freeze(&a, &record, &spool);
    reopen(&f);
    client_open(&b, &f);
    client_append(&b, "Sent", MESSAGE_1);
    client_append(&b, "INBOX", MESSAGE_1);
    EXPECT_HAS(&b, "b SELECT INBOX", "b OK");
    EXPECT_HAS(&b, "b STORE 1 +FLAGS.SILENT (\\Flagged)", "b OK");
    EXPECT_HAS(&b, "b RENAME \"one &- two\" three", "b OK");
    thaw(&a, &record, &spool, NULL);
    client_settle(&a);
    got = client_received(&a);
    for (size_t i = 0; i < ARRAY_LEN(news); i++)
        if (strstr(got, news[i]) == NULL)
            fail_msg("%s is not in:\n%s", news[i], got);
    assert_null(strstr(got, "ADDTO"));
    client_settle(&a);
    assert_int_equal(buf_len(&a.out), 0);
    client_close(&a);
    client_close(&b);
    fixture_close(&f);
}

/* The selected mailbox was deleted: its messages are what they were, and another record is the same. */
static void test_departed(void **state)
{
    struct buf record, again;
    struct fixture f;
    struct client c;
    int spool;

    (void)state;
    fixture_open(&f);
    client_open(&c, &f);
    EXPECT_HAS(&c, "a CREATE gone", "a OK");
    client_append(&c, "gone", MESSAGE_1);
    client_append(&c, "gone", MESSAGE_1);
    EXPECT_HAS(&c, "a SELECT gone", "a OK");
    EXPECT_HAS(&c, "a STORE 2 +FLAGS ($one two)", "a OK");
    EXPECT_HAS(&c, "a DELETE gone", "a OK");
    client_received(&c);
    freeze(&c, &record, &spool);
    reopen(&f);
    assert_int_equal(imap_session_thaw(&c.host, f.acc, buf_view(&record), &spool, &c.session), 0);
    freeze(&c, &again, &spool);
    assert_int_equal(buf_len(&record), buf_len(&again));
    assert_memory_equal(buf_view(&record).ptr, buf_view(&again).ptr, buf_len(&record));
    buf_free(&record);
    thaw(&c, &again, &spool, NULL);
    EXPECT_HAS(&c, "a FETCH 2 (UID BODY.PEEK[TEXT])",
               "* 2 FETCH (UID 2 BODY[TEXT] {25}\r\nFirst line\r\nSecond line\r\n)\r\na OK");
    client_close(&c);
    fixture_close(&f);
}

/* A command that was switched off meanwhile, a spool that is no file, one that is too short: refused. */
static void test_refused(void **state)
{
    static const char *disabled[] = {"IDLE"};
    struct imap_session *s = NULL;
    struct buf record;
    struct fixture f;
    struct client c;
    int spool, ends[2];

    (void)state;
    fixture_open(&f);
    client_open(&c, &f);
    client_send(&c, "i IDLE\r\n");
    freeze(&c, &record, &spool);
    f.set.capability_disable = (struct conf_list){disabled, 1};
    assert_int_equal(imap_session_thaw(&c.host, f.acc, buf_view(&record), &spool, &s), ERR_PROTO);
    f.set.capability_disable = (struct conf_list){NULL, 0};
    thaw(&c, &record, &spool, NULL);
    client_send(&c, "DONE\r\na APPEND INBOX {300000+}\r\nA: b\r\n\r\n");
    freeze(&c, &record, &spool);
    assert_true(spool >= 0);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(imap_session_thaw(&c.host, f.acc, buf_view(&record), &ends[0], &s), ERR_PROTO);
    assert_true(ends[0] >= 0);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(ftruncate(spool, 3), 0);
    assert_int_equal(imap_session_thaw(&c.host, f.acc, buf_view(&record), &spool, &s), ERR_PROTO);
    assert_int_equal(ftruncate(spool, 8), 0);
    thaw(&c, &record, &spool, NULL);
    client_close(&c);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_slow_fetch),
                                       cmocka_unit_test(test_changes_between), cmocka_unit_test(test_departed),
                                       cmocka_unit_test(test_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
