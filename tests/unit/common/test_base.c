#include "tests/unit/common/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/cursor.h"

static void test_view(void **state)
{
    (void)state;
    struct view none = view_make(NULL, 0);
    assert_true(view_eq(none, VIEW("")));
    assert_true(view_eq_nocase(VIEW("iNboX"), VIEW("INBOX")));
    assert_false(view_eq_nocase(VIEW("a[\xc3"), VIEW("a{\xc3")));
    assert_false(view_eq_nocase(VIEW("abc"), VIEW("ab")));
    assert_true(view_starts(VIEW("abc"), none));
    assert_true(view_starts(VIEW("abc"), VIEW("ab")));
    assert_false(view_starts(VIEW("ab"), VIEW("abc")));
    assert_true(view_starts_nocase(VIEW("ABC"), VIEW("ab")));
    assert_view(view_sub(VIEW("hello"), 1, 3), "ell");
    assert_view(view_sub(VIEW("hello"), 3, SIZE_MAX), "lo");
    assert_view(view_sub(VIEW("hello"), SIZE_MAX, SIZE_MAX), "");
    assert_view(view_sub(none, 0, 5), "");
    assert_int_equal(view_find(VIEW("a b"), ' '), 1);
    assert_int_equal(view_find(VIEW("ab"), ' '), 2);
    assert_int_equal(view_find(none, ' '), 0);
    assert_true(view_cmp(VIEW("a"), VIEW("b")) < 0);
    assert_true(view_cmp(VIEW("a"), VIEW("a\0")) < 0);
    assert_true(view_cmp(VIEW("\xff"), VIEW("a")) > 0);
    assert_int_equal(view_cmp(none, VIEW("")), 0);
    assert_view(view_trim(VIEW(" \t a b\t ")), "a b");
    assert_view(view_trim(VIEW(" \t")), "");
    assert_int_equal(view_str(NULL).len, 0);
    char *copy = view_dup(VIEW("abc"));
    assert_string_equal(copy, "abc");
    free(copy);
    copy = view_dup(none);
    assert_string_equal(copy, "");
    free(copy);
    free(xcalloc(0, 5));
    free(xreallocarray(NULL, 0, 0));
    free(xmalloc(0));
}

static void test_err(void **state)
{
    (void)state;
    for (int e = ERR_NOMEM; e <= 0; e++)
        assert_string_not_equal(err_str(e), "unknown error");
    assert_string_equal(err_str(1), "unknown error");
    assert_int_equal(err_from_errno(EDQUOT), ERR_NOSPACE);
    assert_int_equal(err_from_errno(0), 0);
    assert_int_equal(err_from_errno(ENOTTY), ERR_SYSTEM);
}

static void test_cursor_text(void **state)
{
    (void)state;
    static const uint8_t letters[256] = {['a'] = 1, ['b'] = 1};
    struct cursor c = cursor_make(VIEW("abX 042)"));
    assert_view(cursor_take_while(&c, letters), "ab");
    assert_view(cursor_take_while(&c, letters), "");
    assert_false(cursor_take(&c, 'x'));
    assert_true(cursor_take_nocase(&c, VIEW("x ")));
    assert_int_equal(cursor_dec(&c, 0, 99), 42);
    assert_int_equal(cursor_peek(&c), ')');
    assert_false(cursor_done(&c));
    cursor_expect(&c, ')');
    assert_true(cursor_done(&c));
    assert_int_equal(cursor_peek(&c), -1);
    assert_false(cursor_take(&c, 0));
    assert_true(cursor_take_view(&c, view_make(NULL, 0)));
    assert_int_equal(cursor_byte(&c), 0);
    assert_true(c.failed);
    assert_false(cursor_done(&c));
    /* The failure sticks and nothing moves. */
    c = cursor_make(VIEW("abc"));
    cursor_expect(&c, 'b');
    const uint8_t *at = c.cur;
    assert_false(cursor_take(&c, 'a'));
    assert_view(cursor_take_while(&c, letters), "");
    assert_view(cursor_bytes(&c, 1), "");
    assert_false(cursor_take_view(&c, VIEW("")));
    assert_int_equal(cursor_u8(&c), 0);
    assert_int_equal(cursor_left(&c), 0);
    assert_ptr_equal(c.cur, at);
    c = cursor_make(view_make(NULL, 0));
    assert_true(cursor_done(&c));
    assert_view(cursor_bytes(&c, 0), "");
    cursor_skip(&c, 1);
    assert_true(c.failed);
}

static uint64_t dec(const char *s, uint64_t min, uint64_t max, bool *good)
{
    struct cursor c = cursor_make(view_str(s));
    uint64_t n = cursor_dec(&c, min, max);
    *good = cursor_done(&c);
    return n;
}

static void test_cursor_dec(void **state)
{
    (void)state;
    bool good;
    assert_true(dec("18446744073709551615", 0, UINT64_MAX, &good) == UINT64_MAX && good);
    assert_true(dec("00000000000000000001", 1, 1, &good) == 1 && good);
    static const char *const bad[] = {
        "", "-1", "+1", " 1", "18446744073709551616", "99999999999999999999", "000000000000000000001", "a"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(dec(bad[i], 0, UINT64_MAX, &good), 0);
        assert_false(good);
    }
    assert_true(dec("5", 6, 9, &good) == 0 && !good);
    assert_true(dec("10", 6, 9, &good) == 0 && !good);
}

static void test_binary(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    buf_put_u8(&b, 0xfe);
    buf_put_u16(&b, 0xfedc);
    buf_put_u32(&b, 0xfedcba98);
    buf_put_u64(&b, 0xfedcba9876543210);
    buf_put_view16(&b, VIEW("ab"));
    buf_put_view32(&b, VIEW("cde"));
    assert_int_equal(buf_view(&b).ptr[1], 0xdc);
    struct cursor c = cursor_make(buf_view(&b));
    assert_int_equal(cursor_u8(&c), 0xfe);
    assert_int_equal(cursor_u16(&c), 0xfedc);
    assert_int_equal(cursor_u32(&c), 0xfedcba98);
    assert_true(cursor_u64(&c) == 0xfedcba9876543210);
    assert_view(cursor_view16(&c, 2), "ab");
    assert_view(cursor_view32(&c, 3), "cde");
    assert_true(cursor_done(&c));
    c = cursor_make(VIEW("\2\0ab"));
    (void)cursor_view16(&c, 1);
    assert_true(c.failed);
    c = cursor_make(VIEW("\3\0ab"));
    (void)cursor_view16(&c, 10);
    assert_true(c.failed);
    c = cursor_make(VIEW("\xff\xff\xff\xff"));
    (void)cursor_view32(&c, SIZE_MAX);
    assert_true(c.failed);
    buf_put_view16(&b, view_make(b.data, 65536));
    assert_false(buf_ok(&b));
    buf_free(&b);
}

static void test_varint(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    for (unsigned shift = 0; shift < 64; shift++) {
        for (uint64_t d = 0; d < 3; d++) {
            uint64_t n = ((uint64_t)1 << shift) - 1 + d;
            buf_reset(&b);
            buf_put_varint(&b, n);
            struct cursor c = cursor_make(buf_view(&b));
            assert_true(cursor_varint(&c) == n);
            assert_true(cursor_done(&c));
        }
    }
    buf_reset(&b);
    buf_put_varint(&b, UINT64_MAX);
    assert_int_equal(buf_len(&b), 10);
    struct cursor c = cursor_make(buf_view(&b));
    assert_true(cursor_varint(&c) == UINT64_MAX);
    static const struct view bad[] = {VIEW(""),
                                      VIEW("\x80"),
                                      VIEW("\x80\0"),
                                      VIEW("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
                                      VIEW("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
                                      VIEW("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00")};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        c = cursor_make(bad[i]);
        assert_true(cursor_varint(&c) == 0);
        assert_true(c.failed);
    }
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_view),       cmocka_unit_test(test_err),    cmocka_unit_test(test_cursor_text),
        cmocka_unit_test(test_cursor_dec), cmocka_unit_test(test_binary), cmocka_unit_test(test_varint),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
