/* Framing of commands before log-in, and their arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "imap/login_language.h"
#include "imap/login_parse.h"

static void test_frames(void **state)
{
    static const struct {
        const char *in;
        size_t prompted;
        enum frame_result result;
        size_t len;
    } cases[] = {
        {"a NOOP\r\nb", 0, FRAME_WHOLE, 8},
        {"a NOOP\nb", 0, FRAME_WHOLE, 7},
        {"a NOO", 0, FRAME_MORE, 0},
        {"a LOGIN {3}\r\n", 0, FRAME_PROMPT, 13},
        {"a LOGIN {3}\r\n", 13, FRAME_MORE, 13},
        {"a LOGIN {3}\r\nabc {2}\r\n", 13, FRAME_PROMPT, 22},
        {"a LOGIN {3}\r\nabc {2}\r\nxy\r\nb", 22, FRAME_WHOLE, 26},
        {"a LOGIN {3+}\r\nabc {2+}\r\nxy\r\n", 0, FRAME_WHOLE, 28},
        {"a LOGIN {3+}\r\na\nc x\r\n", 0, FRAME_WHOLE, 21},
        {"a LOGIN {4294967295}\r\n", 0, FRAME_TOO_BIG, 22},
        {"a LOGIN {4294967296}\r\n", 0, FRAME_BAD, 22},
        {"a LOGIN {-1}\r\n", 0, FRAME_BAD, 14},
        {"a LOGIN {}\r\n", 0, FRAME_BAD, 12},
        {"a LOGIN {00000000000000000000001}\r\n", 0, FRAME_WHOLE, 35},
        {"a LOGIN {200}\r\n", 0, FRAME_TOO_BIG, 15},
        {"a LOGIN }\r\n", 0, FRAME_WHOLE, 11},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct frame frame = {0};

        assert_int_equal(login_frame(view_str(cases[i].in), cases[i].prompted, 100, 100, &frame), cases[i].result);
        if (cases[i].result != FRAME_MORE)
            assert_int_equal(frame.len, cases[i].len);
    }
}

/* RFC 7888 5: one that comes unasked may be smaller than one that is asked for. */
static void test_literal_minus(void **state)
{
    struct frame frame = {0};

    (void)state;
    assert_int_equal(login_frame(VIEW("a LOGIN {3+}\r\nabc {2+}\r\nxy\r\n"), 0, 100, 3, &frame), FRAME_WHOLE);
    assert_int_equal(login_frame(VIEW("a LOGIN {4+}\r\nabcd x\r\n"), 0, 100, 3, &frame), FRAME_TOO_BIG);
    assert_true(frame.client_sends);
    assert_int_equal(frame.len, 14);
    assert_int_equal(login_frame(VIEW("a LOGIN {3+}\r\nabc {4+}\r\nabcd\r\n"), 0, 100, 3, &frame), FRAME_TOO_BIG);
    assert_int_equal(login_frame(VIEW("a LOGIN {4}\r\n"), 0, 100, 3, &frame), FRAME_PROMPT);
    assert_false(frame.client_sends);
}

static void test_nul_is_refused(void **state)
{
    struct frame frame = {0};

    (void)state;
    assert_int_equal(login_frame(VIEW("a LOGIN a\0b c\r\n"), 0, 100, 100, &frame), FRAME_BAD);
    assert_int_equal(login_frame(VIEW("a \0"), 0, 100, 100, &frame), FRAME_BAD);
}

static void check_astring(struct view in, const char *expected)
{
    struct cursor c = cursor_make(in);
    struct buf out;

    buf_init(&out, 100);
    login_take_astring(&c, &out);
    assert_int_equal(c.failed, expected == NULL);
    if (expected != NULL)
        assert_true(view_eq(buf_view(&out), view_str(expected)));
    buf_free(&out);
}

static void test_astrings(void **state)
{
    (void)state;
    check_astring(VIEW("atom]x rest"), "atom]x");
    check_astring(VIEW("\"a \\\"b\\\\\""), "a \"b\\");
    check_astring(VIEW("{3}\r\na\"b x"), "a\"b");
    check_astring(VIEW("{3+}\r\nabc"), "abc");
    check_astring(VIEW("{0}\r\n"), "");
    check_astring(VIEW("\"\""), "");
    check_astring(VIEW("\"open"), NULL);
    check_astring(VIEW("\"a\\x\""), NULL);
    check_astring(VIEW("\"a\r\n\""), NULL);
    check_astring(VIEW("{4}\r\nabc"), NULL);
    check_astring(VIEW("{3}\r\na\0c"), NULL);
    check_astring(VIEW("(x"), NULL);
    check_astring(VIEW(""), NULL);
    check_astring(VIEW("\xc3\xbc"), NULL);
}

static void test_tags(void **state)
{
    struct cursor c = cursor_make(VIEW("a.1] x"));

    (void)state;
    assert_true(view_eq(login_take_tag(&c), VIEW("a.1]")));
    c = cursor_make(VIEW("+a x"));
    (void)login_take_tag(&c);
    assert_true(c.failed);
    c = cursor_make(VIEW(""));
    (void)login_take_tag(&c);
    assert_true(c.failed);
}

static void test_language(void **state)
{
    static const struct {
        const char *range;
        bool valid;
        const char *found;
    } cases[] = {
        {"en", true, "en"},
        {"EN-gb", true, "en"},
        {"*", true, "en"},
        {"Default", true, "en"},
        {"i-default", true, "i-default"},
        {"I-DEFAULT", true, "i-default"},
        {"i", true, NULL},
        {"i-default-x", true, NULL},
        {"de-CH-1996", true, NULL},
        {"eng", true, NULL},
        {"abcdefgh", true, NULL},
        {"abcdefghi", false, NULL},
        {"en-abcdefghi", false, NULL},
        {"", false, NULL},
        {"-en", false, NULL},
        {"en-", false, NULL},
        {"en--us", false, NULL},
        {"1n", false, NULL},
        {"en_us", false, NULL},
        {"**", false, NULL},
        {"en-*", false, NULL},
        {"\xc3\xa4", false, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct view range = view_str(cases[i].range);
        const char *found = imap_language_find(range);

        if (imap_language_valid(range) != cases[i].valid)
            fail_msg("%s", cases[i].range);
        if (cases[i].valid &&
            (found == NULL ? cases[i].found != NULL : cases[i].found == NULL || strcmp(found, cases[i].found) != 0))
            fail_msg("%s: %s", cases[i].range, found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_language),       cmocka_unit_test(test_frames),   cmocka_unit_test(test_literal_minus),
        cmocka_unit_test(test_nul_is_refused), cmocka_unit_test(test_astrings), cmocka_unit_test(test_tags),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
