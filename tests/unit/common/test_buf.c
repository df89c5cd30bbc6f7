#include "tests/unit/common/unit.h"

static void test_append_consume(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_null(buf_view(&b).ptr);
    buf_put_str(&b, "hello ");
    buf_put_view(&b, VIEW("world"));
    buf_put_byte(&b, '!');
    assert_view(buf_view(&b), "hello world!");
    buf_consume(&b, 6);
    assert_view(buf_view(&b), "world!");
    buf_truncate(&b, 5);
    assert_view(buf_view(&b), "world");
    buf_consume(&b, 5);
    assert_int_equal(b.off, 0);
    buf_shrink(&b);
    assert_null(b.data);
    assert_true(buf_ok(&b));
    buf_free(&b);
}

static void test_max_is_sticky(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    buf_put_str(&b, "abcd");
    assert_true(buf_ok(&b));
    buf_put_str(&b, "e");
    assert_false(buf_ok(&b));
    buf_consume(&b, 2);
    buf_put_str(&b, "f");
    assert_view(buf_view(&b), "cd");
    buf_reset(&b);
    assert_true(buf_ok(&b));
    /* Room at the front counts: the maximum is of the content. */
    for (int i = 0; i < 1000; i++) {
        buf_put_str(&b, "abc");
        buf_consume(&b, 3);
    }
    assert_true(buf_ok(&b));
    buf_put_fmt(&b, "%d", 12345);
    assert_false(buf_ok(&b));
    assert_int_equal(buf_len(&b), 0);
    buf_free(&b);

    struct buf none = {0};
    buf_put(&none, NULL, 0);
    assert_true(buf_ok(&none));
    buf_put_byte(&none, 1);
    assert_false(buf_ok(&none));
    assert_null(buf_reserve(&none, SIZE_MAX));
    buf_free(&none);
}

static void test_fmt(void **state)
{
    (void)state;
    for (size_t max = 1; max < 200; max++) {
        struct buf b;
        buf_init(&b, max);
        while (buf_len(&b) < max && buf_ok(&b))
            buf_put_fmt(&b, "%s", "x");
        assert_true(buf_ok(&b));
        assert_int_equal(buf_len(&b), max);
        buf_put_fmt(&b, "%s", "");
        assert_true(buf_ok(&b));
        buf_free(&b);
    }
    struct buf b;
    buf_init(&b, 64);
    buf_put_fmt(&b, "%s-%03d", "abc", 7);
    buf_put_dec(&b, 0);
    buf_put_dec(&b, UINT64_MAX);
    assert_view(buf_view(&b), "abc-007018446744073709551615");
    buf_free(&b);
}

static void test_secret_is_wiped(void **state)
{
    (void)state;
    struct buf b;
    buf_init_secret(&b, 4096);
    buf_put_str(&b, "password1");
    uint8_t *at = b.data;
    buf_consume(&b, 4);
    assert_memory_equal(at, "\0\0\0\0word1", 9);
    buf_truncate(&b, 2);
    assert_memory_equal(at, "\0\0\0\0wo\0\0\0", 9);
    buf_reset(&b);
    assert_memory_equal(at, "\0\0\0\0\0\0\0\0\0", 9);
    /* Moving to the front leaves nothing behind. */
    while (buf_len(&b) < 60)
        buf_put_byte(&b, 'A');
    buf_consume(&b, 40);
    buf_put_str(&b, "BBBBBBBBBB");
    assert_ptr_equal(b.data, at);
    assert_int_equal(b.off, 0);
    for (size_t i = b.len; i < 60; i++) /* as far as was ever written */
        assert_int_equal(at[i], 0);
    buf_free(&b);
}

static void test_growth_keeps_content(void **state)
{
    (void)state;
    for (int secret = 0; secret < 2; secret++) {
        struct buf b;
        if (secret)
            buf_init_secret(&b, 1 << 20);
        else
            buf_init(&b, 1 << 20);
        uint32_t in = 0, out = 0;
        uint64_t seed = 42;
        for (int round = 0; round < 20000; round++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            for (unsigned n = (unsigned)(seed >> 60); n > 0; n--)
                buf_put_byte(&b, (uint8_t)(in++ % 251));
            for (unsigned n = (unsigned)(seed >> 33) & 15; n > 0 && buf_len(&b) > 0; n--) {
                assert_int_equal(buf_view(&b).ptr[0], out++ % 251);
                buf_consume(&b, 1);
            }
        }
        assert_true(buf_ok(&b));
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append_consume),  cmocka_unit_test(test_max_is_sticky),        cmocka_unit_test(test_fmt),
        cmocka_unit_test(test_secret_is_wiped), cmocka_unit_test(test_growth_keeps_content),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
