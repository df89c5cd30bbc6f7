/* URLs of messages: every form that CATENATE takes, and what it must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "imap/url.h"

static struct imap_pool pool;

static int parse(const char *text, const char *selected, char separator, struct imap_url *out)
{
    return imap_url_parse(view_str(text), view_str(selected), separator, &pool, out);
}

static void good(const char *text, const char *selected, char separator, const char *mailbox, uint32_t uidvalidity, uint32_t uid)
{
    struct imap_url u;

    imap_pool_init(&pool, 1 << 20);
    assert_int_equal(parse(text, selected, separator, &u), 0);
    assert_true(view_eq(u.mailbox, view_str(mailbox)));
    assert_int_equal(u.uidvalidity, uidvalidity);
    assert_int_equal(u.uid, uid);
    imap_pool_free(&pool);
}

static void test_names(void **state)
{
    (void)state;
    good("/INBOX/;UID=1", "", '/', "INBOX", 0, 1);
    good("/inbox;uidvalidity=7/;uid=4294967295", "", '/', "INBOX", 7, UINT32_MAX);
    good("/inbox/sub/;UID=1", "", '/', "INBOX/sub", 0, 1);
    good("/a/b%2Fc/;UID=1", "", '/', "a/b/c", 0, 1);
    good("/%E2%82%ac%3b/;UID=1", "", '/', "\xe2\x82\xac;", 0, 1);
    good("/a.b/;UID=1", "", '.', "a/b", 0, 1);
    good("/a/b/;UID=1", "", '.', "a.b", 0, 1);
    good("Sent/;UID=9", "", '/', "Sent", 0, 9);
    good("c;UIDVALIDITY=1/;UID=2", "a/b", '/', "a/c", 1, 2);
    good("c/;UID=2", "a/b", '.', "c", 0, 2);
    good("./;UID=2", "a/b", '/', "a/.", 0, 2);
    good(";UID=5", "a/b", '/', "a/b", 0, 5);
}

static void test_sections(void **state)
{
    struct imap_url u;

    (void)state;
    imap_pool_init(&pool, 1 << 20);
    assert_int_equal(parse("/x/;UID=1", "", '/', &u), 0);
    assert_true(u.section.section == SECTION_ALL && u.section.npart == 0 && !u.section.partial);
    assert_int_equal(parse("/x/;UID=1/;SECTION=1.2.MIME", "", '/', &u), 0);
    assert_true(u.section.section == SECTION_MIME && u.section.npart == 2 && u.section.part[1] == 2);
    assert_int_equal(parse(";UID=1/;section=2.TEXT/;partial=10.20", "x", '/', &u), 0);
    assert_true(u.section.section == SECTION_TEXT && u.section.partial && u.section.from == 10 && u.section.count == 20);
    assert_int_equal(parse("/x/;UID=1/;PARTIAL=0", "", '/', &u), 0);
    assert_true(u.section.partial && u.section.from == 0 && u.section.count == UINT64_MAX);
    assert_int_equal(parse("/x/;UID=1/;SECTION=HEADER.FIELDS%20(To%20%22Cc%22)", "", '/', &u), 0);
    assert_true(u.section.section == SECTION_FIELDS && u.section.nfields == 2 && view_eq(u.section.fields[1], VIEW("Cc")));
    imap_pool_free(&pool);
}

static void test_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "/",
                                      "x",
                                      "/x",
                                      "/x/",
                                      "/;UID=1",
                                      "//;UID=1",
                                      "//host/x/;UID=1",
                                      "imap://host/x/;UID=1",
                                      "imap:/x/;UID=1",
                                      ";UID=1",
                                      "/x;UID=1",
                                      "/x/;UID=0",
                                      "/x/;UID=",
                                      "/x/;UID=4294967296",
                                      "/x/;UID=-1",
                                      "/x/;UID=1:2",
                                      "/x/;UID=1/",
                                      "/x/;UID=1?",
                                      "/x;UIDVALIDITY=/;UID=1",
                                      "/x;UIDVALIDITY=0/;UID=1",
                                      "/x;UIDVALIDITY=1;UID=1",
                                      "/x/;UIDVALIDITY=1",
                                      "/x%/;UID=1",
                                      "/x%4/;UID=1",
                                      "/x%zz/;UID=1",
                                      "/x%00/;UID=1",
                                      "/x%ff/;UID=1",
                                      "/x/;UID=1/;SECTION=",
                                      "/x/;UID=1/;SECTION=X",
                                      "/x/;UID=1/;SECTION=0",
                                      "/x/;UID=1/;SECTION=1.",
                                      "/x/;UID=1/;SECTION=MIME",
                                      "/x/;UID=1/;SECTION=1]",
                                      "/x/;UID=1/;PARTIAL=",
                                      "/x/;UID=1/;PARTIAL=1.",
                                      "/x/;UID=1/;PARTIAL=1.0",
                                      "/x/;UID=1/;PARTIAL=1-2",
                                      "/x/;UID=1/;PARTIAL=1/;SECTION=1",
                                      "/x/;UID=1/;SECTION=1;PARTIAL=1",
                                      "/x/;UID=1;URLAUTH=anonymous",
                                      "/x/;UID=1/;SECTION=HEADER.FIELDS%20(",
                                      "?SUBJECT%20a"};
    struct imap_url u;

    (void)state;
    imap_pool_init(&pool, 1 << 20);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (parse(bad[i], "", '/', &u) == 0)
            fail_msg("taken: %s", bad[i]);
    imap_pool_free(&pool);
    imap_pool_init(&pool, 8); /* not enough */
    assert_int_equal(parse("/INBOX/;UID=1", "", '/', &u), ERR_SYNTAX);
    imap_pool_free(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
