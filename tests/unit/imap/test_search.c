/* Searches over filters and several mailboxes, and what a search may cost. */
#include "imap/search.h"
#include "storage/txn.h"
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

static void annotate(struct fixture *f, const char *entry, const char *value)
{
    struct view v = view_str(value == NULL ? "" : value);
    struct txn *t = txn_begin(f->acc);

    assert_int_equal(txn_annotate(t, NULL, view_str(entry), value == NULL ? NULL : &v), 0);
    txn_commit(&t, NULL, NULL);
    assert_int_equal(account_commit(f->acc), 0);
}

static void test_filters(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_open(&c, f);
    client_append(&c, "INBOX", MESSAGE_1);
    client_append(&c, "INBOX", MESSAGE_1);
    client_send(&c, "s SELECT INBOX\r\n");
    client_received(&c);
    annotate(f, "/shared/filters/values/f", "UID 1");
    EXPECT(&c, "a SEARCH FILTER F", "* SEARCH 1\r\na OK SEARCH completed\r\n");
    annotate(f, "/private/filters/values/f", "UID 2");
    EXPECT(&c, "a SEARCH FILTER f", "* SEARCH 2\r\na OK SEARCH completed\r\n");
    annotate(f, "/private/filters/values/f", NULL);
    EXPECT(&c, "a SEARCH FILTER f", "* SEARCH 1\r\na OK SEARCH completed\r\n");
    annotate(f, "/private/filters/values/bad", "OR SMALLER");
    EXPECT_HAS(&c, "a SEARCH FILTER bad", "a NO [UNDEFINED-FILTER bad] ");
    annotate(f, "/private/filters/values/bad", "");
    EXPECT_HAS(&c, "a SEARCH FILTER bad", "a NO [UNDEFINED-FILTER bad] ");
    annotate(f, "/private/filters/values/bad", "SEEN ");
    EXPECT_HAS(&c, "a SEARCH FILTER bad", "a NO [UNDEFINED-FILTER bad] ");
    annotate(f, "/private/filters/values/n", "1");
    EXPECT_HAS(&c, "a SEARCH FILTER n", "* SEARCH 1\r\n");
    EXPECT_HAS(&c, "a ENABLE UIDONLY", "a OK");
    EXPECT_HAS(&c, "a UID SEARCH FILTER n", "a BAD [UIDREQUIRED] ");
    client_close(&c);
}

/* Each doubles the next: the number of keys bounds what comes of it. */
static void test_filters_grow(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_open(&c, f);
    client_append(&c, "INBOX", MESSAGE_1);
    client_send(&c, "s SELECT INBOX\r\n");
    client_received(&c);
    for (int i = 0; i < 9; i++) {
        char entry[64], value[256] = "";

        snprintf(entry, sizeof(entry), "/private/filters/values/x%d", i);
        for (int k = 0; k < 8; k++)
            snprintf(value + strlen(value), sizeof(value) - strlen(value), "%sFILTER x%d", k == 0 ? "" : " ", i + 1);
        annotate(f, entry, value);
    }
    annotate(f, "/private/filters/values/x9", "ALL");
    EXPECT_HAS(&c, "a SEARCH FILTER x9", "* SEARCH 1\r\n");
    EXPECT_HAS(&c, "a SEARCH FILTER x7", "* SEARCH 1\r\n");
    EXPECT_HAS(&c, "a SEARCH FILTER x0", "a NO [UNDEFINED-FILTER x");
    client_close(&c);
}

/* A mailbox that goes while ESEARCH is under way is left out; the selected one is seen as its session sees it. */
static void test_esearch_views(void **state)
{
    struct fixture *f = *state;
    struct client a, b;

    client_open(&a, f);
    client_open(&b, f);
    client_append(&a, "INBOX", MESSAGE_1);
    client_send(&a, "s SELECT INBOX\r\n");
    client_received(&a);
    client_append(&b, "INBOX", MESSAGE_1);
    client_append(&b, "Sent", MESSAGE_1);
    client_received(&b);
    client_send(&a, "p ESEARCH IN (personal) ALL\r\n");
    {
        const char *got = client_received(&a);

        assert_non_null(strstr(got, "MAILBOX \"INBOX\" UIDVALIDITY "));
        assert_non_null(strstr(got, ") UID ALL 1\r\n* ESEARCH (TAG \"p\" MAILBOX \"Sent\""));
        assert_non_null(strstr(got, "* 2 EXISTS\r\n"));
        assert_null(strstr(got, "\\Recent"));
    }
    EXPECT_HAS(&b, "s SELECT Sent", "* 1 RECENT\r\n"); /* ESEARCH has not taken it */
    /* RFC 7377 2.2: r is needed, and l where the mailbox was not named. */
    EXPECT_HAS(&a, "r SETACL Sent alice -l", "r OK");
    EXPECT_HAS(&a, "p ESEARCH IN (subscribed) ALL", "MAILBOX \"INBOX\" UIDVALIDITY 1790000000) UID ALL 1:2\r\np OK ");
    EXPECT(&a, "p ESEARCH IN (subtree Sent mailboxes Nothing) DELETED", "p OK ESEARCH completed\r\n");
    EXPECT_HAS(&a, "p ESEARCH IN (mailboxes Sent) ALL", "MAILBOX \"Sent\"");
    EXPECT_HAS(&a, "p ESEARCH IN (personal) RETURN (COUNT) ALL", ") UID COUNT 2\r\np OK ");
    EXPECT_HAS(&a, "r SETACL Sent alice -lr", "r OK");
    EXPECT(&a, "p ESEARCH IN (mailboxes Sent) ALL", "p OK ESEARCH completed\r\n");
    client_close(&a);
    client_close(&b);
}

/* --- contexts ------------------------------------------------------------------------------------------------------------------
 */

#define MESSAGES_MAX 200

/* A client that keeps the result of a search by what it is told. */
struct follower {
    bool member[MESSAGES_MAX + 2]; /* by number: UID or sequence number */
    bool uid;
};

static void set_members(struct follower *f, const char *set, bool to)
{
    while (*set >= '0' && *set <= '9') {
        char *end;
        unsigned long first = strtoul(set, &end, 10), last = first;

        if (*end == ':')
            last = strtoul(end + 1, &end, 10);
        for (; first <= last; first++) {
            assert_true(first >= 1 && first <= MESSAGES_MAX);
            assert_int_equal(f->member[first], !to); /* nothing is told twice */
            f->member[first] = to;
        }
        set = *end == ',' ? end + 1 : end;
    }
}

/* Lines of an answer, in their order. */
static void follow(struct follower *f, const char *tag, const char *answer)
{
    char *lines = strdup(answer), *next = lines, start[64];

    snprintf(start, sizeof(start), "* ESEARCH (TAG \"%s\")", tag);
    while (next != NULL && *next != '\0') {
        char *line = next, *add, *remove;

        next = strstr(line, "\r\n");
        if (next != NULL) {
            *next = '\0';
            next += 2;
        }
        add = strstr(line, " ADDTO (0 ");
        remove = strstr(line, " REMOVEFROM (0 ");
        if (strncmp(line, start, strlen(start)) == 0 && add != NULL)
            set_members(f, add + 10, true);
        else if (strncmp(line, start, strlen(start)) == 0 && remove != NULL)
            set_members(f, remove + 15, false);
        else if (line[0] == '*' && strstr(line, " EXPUNGE") != NULL && !f->uid) {
            size_t n = strtoul(line + 2, NULL, 10);

            assert_false(f->member[n]); /* it was removed before */
            memmove(&f->member[n], &f->member[n + 1], (MESSAGES_MAX - n) * sizeof(bool));
        }
    }
    free(lines);
}

/* What the search finds now. */
static void check_follower(struct client *c, const struct follower *f, const char *keys)
{
    char command[256], *at;
    struct follower now = {.uid = f->uid};

    snprintf(command, sizeof(command), "q %sSEARCH %s\r\n", f->uid ? "UID " : "", keys);
    client_send(c, command);
    at = strstr(client_received(c), "* SEARCH");
    assert_non_null(at);
    for (at += 8; *at == ' ';)
        now.member[strtoul(at + 1, &at, 10)] = true;
    assert_memory_equal(now.member, f->member, sizeof(now.member));
}

static void change(struct client *c, unsigned *uids)
{
    static const char *const flags[] = {"\\Seen", "\\Flagged", "\\Deleted", "kw"};
    char command[128];
    unsigned first = 1 + (unsigned)random() % *uids;

    switch (random() % 8) {
    case 0:
        if (*uids < MESSAGES_MAX) {
            snprintf(command, sizeof(command), "c APPEND INBOX %s {%zu+}\r\n", random() % 2 == 0 ? "(\\Flagged)" : "()",
                     strlen(MESSAGE_1));
            client_send(c, command);
            client_send(c, MESSAGE_1 "\r\n");
            ++*uids;
        }
        return;
    case 1:
        snprintf(command, sizeof(command), "c EXPUNGE\r\n");
        break;
    case 2:
        snprintf(command, sizeof(command), "c UID FETCH %u (BODY[])\r\n", first);
        break;
    default:
        snprintf(command, sizeof(command), "c UID STORE %u:%u %cFLAGS%s (%s)\r\n", first, first + (unsigned)random() % 4,
                 random() % 2 == 0 ? '+' : '-', random() % 2 == 0 ? ".SILENT" : "", flags[random() % 4]);
    }
    client_send(c, command);
}

/* Random changes by both; a is told of its own as of the other's. */
static void test_contexts(void **state)
{
    static const char *const keys[] = {"OR FLAGGED KEYWORD kw", "UNSEEN NOT DELETED", "ALL", "SUBJECT hello UNSEEN"};
    struct fixture *f = *state;
    struct follower followers[8] = {0};
    unsigned uids = 0;
    struct client a, b;

    client_open(&a, f);
    client_open(&b, f);
    client_send(&a, "s SELECT INBOX\r\n");
    client_send(&b, "s SELECT INBOX\r\n");
    while (uids < 10) {
        client_append(&a, "INBOX", MESSAGE_1);
        uids++;
    }
    client_send(&a, "n NOOP\r\n");
    client_received(&a);
    for (unsigned i = 0; i < 8; i++) {
        char command[128], tag[4];

        snprintf(tag, sizeof(tag), "t%u", i);
        followers[i].uid = i % 2 == 0;
        snprintf(command, sizeof(command), "%s %sSEARCH RETURN (UPDATE COUNT) %s\r\n", tag, i % 2 == 0 ? "UID " : "",
                 keys[i / 2]);
        client_send(&a, command);
        assert_non_null(strstr(client_received(&a), " COUNT "));
        if (i / 2 == 1 || i / 2 == 2 || i / 2 == 3)
            for (unsigned n = 1; n <= uids; n++)
                followers[i].member[n] = true;
    }
    srandom(7);
    for (unsigned round = 0; round < 600; round++) {
        const char *answer;

        change(random() % 2 == 0 ? &a : &b, &uids);
        client_send(&a, "n NOOP\r\n");
        answer = strdup(client_received(&a));
        for (unsigned i = 0; i < 8; i++) {
            char tag[4];

            snprintf(tag, sizeof(tag), "t%u", i);
            follow(&followers[i], tag, answer);
        }
        free((char *)(uintptr_t)answer);
        for (unsigned i = 0; i < 8; i++)
            check_follower(&a, &followers[i], keys[i / 2]);
        client_received(&b);
    }
    client_close(&a);
    client_close(&b);
}

static void test_budget(void **state)
{
    struct imap_search_program prog = {.used_us = 0};

    (void)state;
    imap_search_budget_begin(&prog);
    assert_true(imap_search_budget_end(&prog));
    prog.used_us = UINT64_C(60) * 1000000;
    imap_search_budget_begin(&prog);
    assert_false(imap_search_budget_end(&prog));
    prog.allowed_us = UINT64_C(60) * 1000000; /* many or large messages */
    imap_search_budget_begin(&prog);
    assert_true(imap_search_budget_end(&prog));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_filters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_filters_grow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_esearch_views, setup, teardown),
        cmocka_unit_test_setup_teardown(test_contexts, setup, teardown),
        cmocka_unit_test(test_budget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
