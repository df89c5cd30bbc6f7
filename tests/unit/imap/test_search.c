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
        cmocka_unit_test(test_budget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
