/* MESSAGELIMIT and SAVELIMIT (RFC 9738). */
#include "imap/limit.h"
#include "tests/unit/imap/imap_fixture.h"

static void fill(struct uidset *set, const uint32_t *numbers, size_t n)
{
    uidset_init(set);
    for (size_t i = 0; i < n; i++)
        uidset_add(set, numbers[i]);
}

static void test_cut(void **state)
{
    static const uint32_t numbers[] = {1, 2, 3, 7, 9, 10};

    (void)state;
    for (uint32_t limit = 0; limit < 9; limit++) {
        size_t left = limit == 0 || limit > 6 ? 6 : limit;
        struct uidset set;
        uint32_t lowest, next = 0;

        fill(&set, numbers, ARRAY_LEN(numbers));
        lowest = imap_limit_cut(&set, limit);
        assert_int_equal(lowest, left == 6 ? 0 : numbers[6 - left]);
        assert_int_equal(uidset_count(&set), left);
        for (size_t i = 0; i < left; i++)
            assert_int_equal(imap_seqs_previous(&set, &next), numbers[5 - i]);
        assert_int_equal(imap_seqs_previous(&set, &next), 0);
        uidset_free(&set);
    }
}

static void test_intersect(void **state)
{
    (void)state;
    srandom(5);
    for (unsigned round = 0; round < 500; round++) {
        struct uidset a, b, both;

        uidset_init(&a);
        uidset_init(&b);
        uidset_init(&both);
        for (unsigned i = 0; i < 20; i++)
            uidset_add(random() % 2 == 0 ? &a : &b, 1 + (uint32_t)random() % 30);
        imap_limit_intersect(&a, &b, &both);
        for (uint32_t n = 1; n < 40; n++)
            assert_int_equal(uidset_has(&both, n), uidset_has(&a, n) && uidset_has(&b, n));
        uidset_free(&a);
        uidset_free(&b);
        uidset_free(&both);
    }
}

/* Too large for the output to take two at once. */
static void append_large(struct client *c)
{
    size_t size = SESSION_OUT_HIGH + 1000;
    char *message = xmalloc(size + 1);

    memset(message, 'x', size);
    for (size_t i = 60; i + 1 < size; i += 60)
        memcpy(message + i, "\r\n", 2);
    memcpy(message, "A: b\r\n\r\n", 8);
    message[size] = '\0';
    client_append(c, "INBOX", message);
    free(message);
}

/* A FETCH that goes on in another process goes on downwards, as far as it was to, whatever the limit is there. */
static void test_frozen(void **state)
{
    static const uint64_t limits[] = {3, 0, 1, 5};
    struct fixture f;
    struct client c;

    (void)state;
    fixture_open(&f);
    client_open(&c, &f);
    for (unsigned i = 0; i < 5; i++)
        append_large(&c);
    EXPECT_HAS(&c, "s SELECT INBOX", "s OK");
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        const char *const wanted[] = {"* 5 FETCH (BODY[] ", "* 4 FETCH (BODY[] ", "* 3 FETCH (BODY[] ", "f OK"};
        struct buf record;
        const char *got;
        int spool = -1;

        f.set.imap_message_limit = 3;
        buf_put_str(&c.in, "f FETCH 1:* (BODY.PEEK[])\r\n");
        while (imap_session_run(c.session) == SESSION_AGAIN)
            ; /* until it waits for the client to read */
        imap_session_park(c.session);
        while (!imap_session_parked(c.session))
            client_tick(&c);
        buf_init(&record, 1 << 20);
        assert_int_equal(imap_session_freeze(c.session, &record, &spool), 0);
        imap_session_free(&c.session);
        f.set.imap_message_limit = limits[i];
        assert_int_equal(imap_session_thaw(&c.host, f.acc, buf_view(&record), &spool, &c.session), 0);
        buf_free(&record);
        c.run = SESSION_AGAIN;
        for (unsigned turn = 0; turn < 10; turn++) /* each until the output is full */
            client_settle(&c);
        got = client_received(&c);
        for (size_t k = 0; k < ARRAY_LEN(wanted); k++) {
            got = strstr(got, wanted[k]);
            assert_non_null(got);
        }
        assert_non_null(strstr(got, "[MESSAGELIMIT 3 3]"));
        assert_null(strstr(got, "FETCH (BODY"));
    }
    client_close(&c);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_intersect),
        cmocka_unit_test(test_frozen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
