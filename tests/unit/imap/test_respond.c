/* What leaves the server is well-formed whatever goes in. */
#include "tests/unit/imap/imap_fixture.h"

#include "imap/names.h"
#include "imap/respond.h"

static struct fixture fix;
static struct client cl;

static int setup(void **state)
{
    (void)state;
    fixture_open(&fix);
    client_open(&cl, &fix);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    client_close(&cl);
    fixture_close(&fix);
    return 0;
}

static void check_string(struct view in, const char *want)
{
    struct buf b;

    buf_init(&b, 10000);
    imap_put_nstring(cl.session, &b, in);
    if (!view_eq(buf_view(&b), view_str(want)))
        fail_msg("got '%.*s', wanted '%s'", (int)buf_len(&b), (const char *)buf_view(&b).ptr, want);
    buf_free(&b);
}

static void test_strings(void **state)
{
    char long_text[1101];

    (void)state;
    cl.session->enabled = 0;
    check_string((struct view){NULL, 0}, "NIL");
    check_string(VIEW(""), "\"\"");
    check_string(VIEW("plain text"), "\"plain text\"");
    check_string(VIEW("a\"b\\c"), "\"a\\\"b\\\\c\"");
    check_string(VIEW("a\r\nb"), "{4}\r\na\r\nb");
    check_string(VIEW("a\0b"), "{3}\r\na b");
    check_string(VIEW("\x7f"), "{1}\r\n\x7f");
    check_string(VIEW("\xc3\xbc"), "{2}\r\n\xc3\xbc");
    check_string(VIEW("\xff"), "{1}\r\n\xff");
    cl.session->enabled = IMAP_ENABLED_UTF8;
    check_string(VIEW("\xc3\xbc\""), "\"\xc3\xbc\\\"\"");
    check_string(VIEW("\xff"), "\"\xef\xbf\xbd\"");
    check_string(VIEW("\xc3\xbc\n"), "{3}\r\n\xc3\xbc\n");
    cl.session->enabled = 0;
    memset(long_text, 'x', 1100);
    long_text[1100] = '\0';
    {
        struct buf b;

        buf_init(&b, 4000);
        imap_put_string(cl.session, &b, view_str(long_text));
        assert_true(view_starts(buf_view(&b), VIEW("{1100}\r\nxxx")));
        buf_free(&b);
    }
}

static void check_name(const char *client, const char *storage)
{
    struct imap_pool pool;
    struct view got;
    struct buf b;

    imap_pool_init(&pool, 10000);
    buf_init(&b, 10000);
    assert_int_equal(imap_name_decode(cl.session, &pool, view_str(client), &got), 0);
    assert_true(view_eq(got, view_str(storage)));
    imap_name_encode(cl.session, &b, got);
    assert_true(view_eq_nocase(buf_view(&b), view_str(client)));
    buf_free(&b);
    imap_pool_free(&pool);
}

static void test_names(void **state)
{
    struct imap_pool pool;
    struct view got;

    (void)state;
    cl.session->enabled = 0;
    check_name("inbox", "INBOX");
    check_name("Inbox/Sub", "INBOX/Sub");
    check_name("a.b/c", "a.b/c");
    check_name("A&-B", "A&B");
    check_name("&U,BTFw-", "\xe5\x8f\xb0\xe5\x8c\x97");
    fix.set.hierarchy_separator = '.';
    check_name("a.b/c", "a/b.c");
    check_name("inbox.x", "INBOX/x");
    fix.set.hierarchy_separator = '/';
    imap_pool_init(&pool, 10000);
    assert_int_equal(imap_name_decode(cl.session, &pool, VIEW("a&b"), &got), ERR_SYNTAX);
    assert_int_equal(imap_name_decode(cl.session, &pool, VIEW("\xc3\xbc"), &got), ERR_SYNTAX);
    cl.session->enabled = IMAP_ENABLED_UTF8;
    check_name("\xc3\xbc&b", "\xc3\xbc&b");
    assert_int_equal(imap_name_decode(cl.session, &pool, VIEW("\xff"), &got), ERR_SYNTAX);
    imap_pool_free(&pool);
    cl.session->enabled = 0;
}

static void test_disabled_capability(void **state)
{
    static const char *off[] = {"idle", "MOVE"};

    (void)state;
    fix.set.capability_disable = (struct conf_list){off, 2};
    client_received(&cl);
    client_send(&cl, "a CAPABILITY\r\n");
    {
        const char *got = client_received(&cl);

        assert_null(strstr(got, "IDLE"));
        assert_null(strstr(got, "MOVE"));
        assert_non_null(strstr(got, " APPENDLIMIT=67108864"));
    }
    EXPECT(&cl, "b IDLE", "b BAD Unknown command\r\n");
    fix.set.capability_disable = (struct conf_list){NULL, 0};
    EXPECT(&cl, "c IDLE", "+ idling\r\n");
    EXPECT(&cl, "DONE", "c OK IDLE completed\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_disabled_capability),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
