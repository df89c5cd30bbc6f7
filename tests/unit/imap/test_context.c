/* CONTEXT=SORT (RFC 5267): a client that does what ADDTO and REMOVEFROM say, to the letter, has what SORT would answer. */
#include "imap/context.h"
#include "tests/unit/imap/imap_fixture.h"

#define MESSAGES_MAX 400
#define CONTEXTS 8

/* The list that a client keeps. */
struct follower {
    bool uid;
    uint32_t list[MESSAGES_MAX]; /* UIDs or message numbers */
    size_t n;
};

static const struct {
    const char *criteria, *keys;
} searches[CONTEXTS / 2] = {
    {"SUBJECT", "NOT FLAGGED"}, {"REVERSE SIZE", "UNSEEN"}, {"FROM REVERSE DATE", "ALL"}, {"ARRIVAL", "OR KEYWORD kw FILTER f"}};

static const char *tag_of(unsigned i)
{
    static const char *const tags[CONTEXTS] = {"t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7"};

    return tags[i];
}

/* "3:5,9" put in at, or taken out from, a position: each number where the client must have it. */
static void take_set(struct follower *f, size_t position, const char **at, bool added)
{
    do {
        char *end;
        uint32_t first = (uint32_t)strtoul(*at, &end, 10), last = first;

        if (*end == ':')
            last = (uint32_t)strtoul(end + 1, &end, 10);
        assert_true(first >= 1 && last >= first && position >= 1);
        for (uint32_t n = first; n <= last; n++) {
            uint32_t *place = &f->list[position - 1];

            if (added) {
                assert_true(position <= f->n + 1 && f->n < MESSAGES_MAX);
                memmove(place + 1, place, (f->n++ - (position - 1)) * sizeof(*place));
                *place = n;
                position++;
            } else {
                assert_true(position <= f->n);
                assert_int_equal(*place, n);
                memmove(place, place + 1, (--f->n - (position - 1)) * sizeof(*place));
            }
        }
        *at = end;
    } while (*(*at)++ == ',');
    (*at)--;
}

/* "(1 2734:2735 9 7)" */
static void take_pairs(struct follower *f, const char *at, bool added)
{
    do {
        char *end;
        size_t position = strtoul(at + 1, &end, 10);

        assert_int_equal(*end, ' ');
        at = end + 1;
        take_set(f, position, &at, added);
    } while (*at == ' ');
    assert_string_equal(at, ")");
}

static void take_expunge(struct follower *f, uint32_t n)
{
    for (size_t i = 0; i < f->n; i++) {
        assert_int_not_equal(f->list[i], n); /* it was removed before */
        if (f->list[i] > n)
            f->list[i]--;
    }
}

/* The lines of an answer, in their order. */
static void follow(struct follower *f, const char *tag, const char *answer)
{
    char *lines = strdup(answer), *next = lines, start[64];

    snprintf(start, sizeof(start), "* ESEARCH (TAG \"%s\")%s ", tag, f->uid ? " UID" : "");
    while (*next != '\0') {
        char *line = next, *end = strstr(line, "\r\n"), *number_end;

        assert_non_null(end);
        *end = '\0';
        next = end + 2;
        if (strncmp(line, start, strlen(start)) == 0) {
            bool added = strncmp(line + strlen(start), "ADDTO (", 7) == 0;

            assert_true(added || strncmp(line + strlen(start), "REMOVEFROM (", 12) == 0);
            take_pairs(f, strchr(line + strlen(start), '('), added);
        } else if (!f->uid && line[0] == '*' && strstr(line, " EXPUNGE") != NULL) {
            take_expunge(f, (uint32_t)strtoul(line + 2, &number_end, 10));
        }
    }
    free(lines);
}

static void read_list(struct client *c, const char *command, struct follower *out)
{
    char *at;

    client_send(c, command);
    at = strstr(client_received(c), "* SORT");
    assert_non_null(at);
    out->n = 0;
    for (at += 6; *at == ' ';)
        out->list[out->n++] = (uint32_t)strtoul(at + 1, &at, 10);
}

static void check(struct client *c, const struct follower *f, unsigned i)
{
    struct follower now = {.n = 0};
    char command[256];

    snprintf(command, sizeof(command), "q %sSORT (%s) UTF-8 %s\r\n", f->uid ? "UID " : "", searches[i / 2].criteria,
             searches[i / 2].keys);
    read_list(c, command, &now);
    assert_int_equal(now.n, f->n);
    for (size_t k = 0; k < f->n; k++)
        assert_int_equal(now.list[k], f->list[k]);
}

static void start(struct client *c, struct follower *f, unsigned i)
{
    char command[256];

    f->uid = i % 2 == 0;
    snprintf(command, sizeof(command), "q %sSORT (%s) UTF-8 %s\r\n", f->uid ? "UID " : "", searches[i / 2].criteria,
             searches[i / 2].keys);
    read_list(c, command, f);
    snprintf(command, sizeof(command), "%s %sSORT RETURN (UPDATE COUNT) (%s) UTF-8 %s\r\n", tag_of(i), f->uid ? "UID " : "",
             searches[i / 2].criteria, searches[i / 2].keys);
    client_send(c, command);
    snprintf(command, sizeof(command), " COUNT %zu\r\n%s OK", f->n, tag_of(i));
    assert_non_null(strstr(client_received(c), command));
}

/* Few subjects, senders and days: many are equal, and keep the order of the mailbox. */
static void append(struct client *c, const char *mailbox, unsigned *uids)
{
    char message[512], command[640];

    snprintf(message, sizeof(message),
             "From: %c@example.org\r\nSubject: %s%c\r\nDate: Mon, %u Nov 2021 10:00:00 +0000\r\n\r\n%.*s\r\n",
             (int)('a' + random() % 5), random() % 2 == 0 ? "Re: " : "", (int)("aBcD"[random() % 4]), 1 + (unsigned)random() % 28,
             (int)(random() % 20), "xxxxxxxxxxxxxxxxxxxxxxxxxx");
    snprintf(command, sizeof(command), "c APPEND %s %s \"%u-Nov-2021 10:00:00 +0000\" {%zu+}\r\n%s\r\n", mailbox,
             random() % 2 == 0 ? "(\\Flagged)" : "(kw)", 10 + (unsigned)random() % 10, strlen(message), message);
    client_send(c, command);
    ++*uids;
}

static void change(struct client *c, unsigned *uids)
{
    static const char *const flags[] = {"\\Seen", "\\Flagged", "\\Deleted", "kw"};
    char command[128];
    unsigned first = 1 + (unsigned)random() % *uids;

    switch (random() % 8) {
    case 0:
    case 1:
        if (*uids < MESSAGES_MAX - 30)
            append(c, "INBOX", uids);
        return;
    case 2:
        snprintf(command, sizeof(command), "c EXPUNGE\r\n");
        break;
    case 3:
        snprintf(command, sizeof(command), "c STORE 1:* %cFLAGS (%s)\r\n", random() % 2 == 0 ? '+' : '-', flags[random() % 2]);
        break;
    default:
        snprintf(command, sizeof(command), "c UID STORE %u:%u %cFLAGS%s (%s)\r\n", first, first + (unsigned)random() % 4,
                 random() % 2 == 0 ? '+' : '-', random() % 2 == 0 ? ".SILENT" : "", flags[random() % 4]);
    }
    client_send(c, command);
}

/* The session in another process. */
static void renew(struct client *c)
{
    struct buf record;
    int spool = -1;

    imap_session_park(c->session);
    while (!imap_session_parked(c->session))
        client_tick(c);
    buf_init(&record, 16 << 20);
    assert_int_equal(imap_session_freeze(c->session, &record, &spool), 0);
    imap_session_free(&c->session);
    assert_int_equal(imap_session_thaw(&c->host, c->f->acc, buf_view(&record), &spool, &c->session), 0);
    c->run = SESSION_AGAIN;
    buf_free(&record);
}

/* Random changes by the session itself and by another, and now and then it goes on in another process. */
static void test_order(void **state)
{
    struct follower followers[CONTEXTS] = {0};
    struct client a, b;
    struct fixture f;
    unsigned uids = 0;

    (void)state;
    srandom(11);
    fixture_open(&f);
    client_open(&a, &f);
    client_open(&b, &f);
    EXPECT_HAS(&a, "m SETMETADATA \"\" (/private/filters/values/f \"NOT SEEN\")", "m OK");
    client_send(&a, "s SELECT INBOX\r\n");
    client_send(&b, "s SELECT INBOX\r\n");
    while (uids < 20)
        append(&a, "INBOX", &uids);
    client_send(&a, "n NOOP\r\n");
    client_received(&a);
    for (unsigned i = 0; i < CONTEXTS; i++)
        start(&a, &followers[i], i);
    for (unsigned round = 0; round < 500; round++) {
        char *answer;

        change(random() % 2 == 0 ? &a : &b, &uids);
        if (random() % 10 == 0)
            renew(&a);
        client_send(&a, "n NOOP\r\n");
        answer = strdup(client_received(&a));
        for (unsigned i = 0; i < CONTEXTS; i++)
            follow(&followers[i], tag_of(i), answer);
        free(answer);
        for (unsigned i = 0; i < CONTEXTS; i++)
            check(&a, &followers[i], i);
        client_received(&b);
    }
    client_close(&a);
    client_close(&b);
    fixture_close(&f);
}

/* A search that uses a filter goes on with the filter as it was when it was given (RFC 5466 3.1), in the next process too. */
static void test_filter_kept(void **state)
{
    struct fixture f;
    struct client c;

    (void)state;
    fixture_open(&f);
    client_open(&c, &f);
    client_append(&c, "INBOX", MESSAGE_1);
    EXPECT_HAS(&c, "m SETMETADATA \"\" (/private/filters/values/x \"FLAGGED\")", "m OK");
    EXPECT_HAS(&c, "m SETMETADATA \"\" (/private/filters/values/y \"OR FILTER x ANSWERED\")", "m OK");
    EXPECT_HAS(&c, "s SELECT INBOX", "s OK");
    EXPECT_HAS(&c, "t SEARCH RETURN (UPDATE COUNT) FILTER Y", "COUNT 0\r\nt OK");
    EXPECT_HAS(&c, "m SETMETADATA \"\" (/private/filters/values/x NIL)", "m OK");
    renew(&c);
    renew(&c);
    EXPECT_HAS(&c, "a STORE 1 +FLAGS.SILENT (\\Flagged)", "* ESEARCH (TAG \"t\") ADDTO (0 1)\r\na OK");
    EXPECT_HAS(&c, "a STORE 1 FLAGS.SILENT (\\Answered)", "a OK");
    EXPECT(&c, "a STORE 1 FLAGS.SILENT ()", "* ESEARCH (TAG \"t\") REMOVEFROM (0 1)\r\na OK STORE completed\r\n");
    EXPECT_HAS(&c, "a SEARCH FILTER y", "a NO [UNDEFINED-FILTER ");
    client_close(&c);
    fixture_close(&f);
}

/* Positions and sets of a long list go on in the next response (RFC 5267 4.3.3). */
static void test_long(void **state)
{
    struct follower follower = {.uid = true};
    struct fixture f;
    struct client c;
    char *answer;
    unsigned uids = 0;

    (void)state;
    srandom(3);
    fixture_open(&f);
    client_open(&c, &f);
    while (uids < MESSAGES_MAX - 10)
        append(&c, "INBOX", &uids);
    EXPECT_HAS(&c, "s SELECT INBOX", "s OK");
    EXPECT_HAS(&c, "t0 UID SORT RETURN (UPDATE COUNT) (SUBJECT) UTF-8 SEEN", "COUNT 0\r\nt0 OK");
    client_send(&c, "a STORE 1:* +FLAGS.SILENT (\\Seen \\Deleted)\r\n");
    answer = strdup(client_received(&c));
    follow(&follower, "t0", answer);
    free(answer);
    assert_int_equal(follower.n, uids);
    client_send(&c, "a EXPUNGE\r\n");
    answer = strdup(client_received(&c));
    follow(&follower, "t0", answer);
    free(answer);
    assert_int_equal(follower.n, 0);
    client_close(&c);
    fixture_close(&f);
}

/* What cannot be kept in order is not, and the client is told (RFC 5267 4.3.1). */
static void test_too_large(void **state)
{
    struct imap_sorter large = {.n = IMAP_CONTEXT_SORTED + 1};
    struct imap_context *none = xcalloc(1, sizeof(*none)), *c;
    struct fixture f;
    struct client a;

    (void)state;
    fixture_open(&f);
    client_open(&a, &f);
    client_append(&a, "INBOX", MESSAGE_1);
    EXPECT_HAS(&a, "s SELECT INBOX", "s OK");
    assert_false(imap_context_start_sorted(a.session, &none, &large));
    assert_null(none);
    EXPECT_HAS(&a, "t SORT RETURN (UPDATE) (DATE) UTF-8 SEEN", "t OK");
    EXPECT_HAS(&a, "u SORT RETURN (UPDATE) (DATE) UTF-8 SEEN", "u OK");
    c = a.session->contexts->next;
    c->order.uids = xreallocarray(c->order.uids, IMAP_CONTEXT_SORTED, sizeof(*c->order.uids));
    memset(c->order.uids, 0, IMAP_CONTEXT_SORTED * sizeof(*c->order.uids));
    c->order.n = IMAP_CONTEXT_SORTED;
    EXPECT(&a, "a STORE 1 +FLAGS.SILENT (\\Seen)",
           "* ESEARCH (TAG \"u\") ADDTO (1 1)\r\n* NO [NOUPDATE \"t\"] Search again for further updates\r\na OK STORE "
           "completed\r\n");
    EXPECT_HAS(&a, "a CANCELUPDATE \"t\"", "a NO");
    client_close(&a);
    fixture_close(&f);
}

/* An order that is not one of the results exactly is refused. */
static void test_decode(void **state)
{
    static const struct {
        uint32_t uids[4];
        size_t n;
        bool good;
    } orders[] = {{{3, 1, 7}, 3, true},  {{7, 3, 1}, 3, true},  {{3, 1}, 2, false},
                  {{3, 1, 1}, 3, false}, {{3, 1, 2}, 3, false}, {{0, 1, 7}, 3, false}};
    struct uidset results;

    (void)state;
    uidset_init(&results);
    uidset_add(&results, 1);
    uidset_add(&results, 3);
    uidset_add(&results, 7);
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        struct imap_order order = {.n = 0};
        struct buf bytes;
        struct cursor c;

        buf_init(&bytes, 100);
        for (size_t k = 0; k < orders[i].n; k++)
            buf_put_u32(&bytes, orders[i].uids[k]);
        c = cursor_make(buf_view(&bytes));
        imap_order_decode(&c, &results, &order);
        assert_int_equal(!c.failed, orders[i].good);
        imap_order_free(&order);
        buf_free(&bytes);
    }
    uidset_free(&results);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),     cmocka_unit_test(test_filter_kept), cmocka_unit_test(test_long),
        cmocka_unit_test(test_too_large), cmocka_unit_test(test_decode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
