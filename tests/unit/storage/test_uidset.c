/* struct uidset against a plain array of bits. */
#include "storage_helper.h"

#define TOP 64

static void check(const struct uidset *s, const bool *bits)
{
    uint64_t n = 0;

    for (uint32_t u = 1; u <= TOP; u++) {
        assert_int_equal(uidset_has(s, u), bits[u]);
        n += bits[u];
    }
    assert_true(uidset_count(s) == n);
    for (size_t i = 0; i < s->n; i++) {
        assert_true(s->ranges[i].first >= 1 && s->ranges[i].first <= s->ranges[i].last);
        /* Ranges that touch would be one. */
        if (i > 0)
            assert_true(s->ranges[i].first > s->ranges[i - 1].last + 1);
    }
}

static void test_random(void **state)
{
    uint64_t x = 88172645463325252u;

    (void)state;
    for (int round = 0; round < 300; round++) {
        bool bits[TOP + 1] = {false};
        struct uidset s;

        uidset_init(&s);
        for (int i = 0; i < 60; i++) {
            uint32_t a, b;

            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            a = (uint32_t)(x % TOP) + 1;
            b = a + (uint32_t)((x >> 32) % 9);
            b = b > TOP ? TOP : b;
            if ((x >> 60) % 3 == 0)
                uidset_remove_range(&s, a, b);
            else
                uidset_add_range(&s, a, b);
            for (uint32_t u = a; u <= b; u++)
                bits[u] = (x >> 60) % 3 != 0;
            check(&s, bits);
        }
        uidset_free(&s);
    }
}

static void test_ends(void **state)
{
    struct uidset s, t;
    struct buf b;

    (void)state;
    uidset_init(&s);
    uidset_init(&t);
    buf_init(&b, 100);
    uidset_put(&b, &s);
    assert_int_equal(buf_len(&b), 0);
    uidset_add_range(&s, UINT32_MAX - 1, UINT32_MAX);
    uidset_add_range(&s, 0, 5);
    uidset_add_range(&s, 7, 3);
    uidset_add(&s, UINT32_MAX);
    assert_true(uidset_count(&s) == 2);
    uidset_add_range(&s, 1, UINT32_MAX);
    assert_int_equal(s.n, 1);
    assert_true(uidset_count(&s) == UINT32_MAX);
    uidset_remove_range(&s, 2, 2);
    uidset_remove_range(&s, 5, UINT32_MAX);
    uidset_put(&b, &s);
    assert_true(view_eq(buf_view(&b), VIEW("1,3:4")));
    uidset_move(&t, &s);
    assert_int_equal(s.n, 0);
    assert_true(uidset_has(&t, 4));
    uidset_free(&t);
    uidset_free(&s);
    buf_free(&b);
}

static void decode(const char *bytes, size_t len, size_t max, bool good, struct uidset *out)
{
    struct cursor c = cursor_make(view_make(bytes, len));

    uidset_decode(&c, max, out);
    assert_int_equal(cursor_done(&c), good);
    if (!good)
        assert_int_equal(out->n, 0);
}

static void test_bytes(void **state)
{
    struct uidset s, t;
    struct buf b;

    (void)state;
    uidset_init(&s);
    uidset_init(&t);
    buf_init(&b, 100);
    uidset_encode(&b, &s);
    decode((const char *)b.data, buf_len(&b), 0, true, &t);
    buf_reset(&b);
    uidset_add_range(&s, 1, 3);
    uidset_add(&s, 5);
    uidset_add_range(&s, 1000, UINT32_MAX - 1);
    uidset_encode(&b, &s);
    decode((const char *)b.data, buf_len(&b), 3, true, &t);
    assert_int_equal(t.n, 3);
    assert_memory_equal(t.ranges, s.ranges, 3 * sizeof(*s.ranges));
    decode((const char *)b.data, buf_len(&b), 2, false, &t);     /* too many */
    decode((const char *)b.data, buf_len(&b) - 1, 3, false, &t); /* cut off */
    decode("\2\0\1\0\1", 5, 9, false, &t);                       /* touch */
    decode("\1\0\xff\xff\xff\xff\x0f", 7, 9, false, &t);         /* past the end */
    decode("\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\0", 12, 9, false, &t);
    decode("\x09\0\1", 3, 99, false, &t);
    uidset_free(&t);
    uidset_free(&s);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_ends), cmocka_unit_test(test_bytes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
