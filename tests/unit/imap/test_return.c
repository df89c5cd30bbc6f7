/* Result options and partial ranges, against positions counted one by one. */
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "imap/return.h"

static bool parse(const char *text, struct imap_return *out)
{
    struct imap_pool pool;
    struct imap_parse p;
    bool good;

    imap_pool_init(&pool, 4096);
    imap_parse_init(&p, view_str(text), &pool);
    imap_return_parse(&p, out);
    imap_parse_end(&p);
    good = imap_parse_ok(&p);
    imap_pool_free(&pool);
    return good;
}

static void test_options(void **state)
{
    static const char *const bad[] = {"(PARTIAL)",
                                      "(PARTIAL 1)",
                                      "(PARTIAL 1:)",
                                      "(PARTIAL 0:1)",
                                      "(PARTIAL -1:1)",
                                      "(PARTIAL 1:-1)",
                                      "(PARTIAL 1:4294967296)",
                                      "(PARTIAL 1:2 ALL)",
                                      "(MIN",
                                      "(PARTIAL 1:2 PARTIAL 1:2)",
                                      "(NONE)",
                                      "(MIN )"};
    struct imap_return r;

    (void)state;
    assert_true(parse("()", &r));
    assert_int_equal(r.options, IMAP_RETURN_ALL);
    assert_true(parse("(min Max COUNT save)", &r));
    assert_int_equal(r.options, IMAP_RETURN_MIN | IMAP_RETURN_MAX | IMAP_RETURN_COUNT | IMAP_RETURN_SAVE);
    assert_true(parse("(PARTIAL -30:-1 COUNT)", &r));
    assert_int_equal(r.options, IMAP_RETURN_PARTIAL | IMAP_RETURN_COUNT);
    assert_true(r.partial.from_end);
    assert_int_equal(r.partial.first, 30);
    assert_int_equal(r.partial.last, 1);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(parse(bad[i], &r));
}

/* Is position at (from 1 on) of n in the range? */
static bool in_range(const struct imap_partial *p, uint64_t at, uint64_t n)
{
    uint64_t from = p->from_end ? n + 1 - at : at;

    return from >= MIN_OF(p->first, p->last) && from <= MAX_OF(p->first, p->last);
}

static void check_cut(const struct uidset *set, const struct imap_partial *p)
{
    uint64_t n = uidset_count(set), at = 0;
    struct uidset cut;

    uidset_init(&cut);
    imap_partial_cut(p, set, &cut);
    for (size_t i = 0; i < set->n; i++)
        for (uint32_t m = set->ranges[i].first; m <= set->ranges[i].last; m++)
            assert_int_equal(uidset_has(&cut, m), in_range(p, ++at, n));
    assert_true(uidset_count(&cut) <= n);
    uidset_free(&cut);
}

static void test_cut(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < 64; shape++) { /* sets of up to 12 numbers with gaps */
        struct uidset set;

        uidset_init(&set);
        for (unsigned i = 0; i < 6; i++)
            if ((shape >> i & 1) != 0)
                uidset_add_range(&set, i * 4 + 1, i * 4 + 1 + i % 4);
        for (uint32_t first = 1; first < 16; first++)
            for (uint32_t last = 1; last < 16; last++) {
                check_cut(&set, &(struct imap_partial){false, first, last});
                check_cut(&set, &(struct imap_partial){true, first, last});
            }
        check_cut(&set, &(struct imap_partial){true, 1, UINT32_MAX});
        check_cut(&set, &(struct imap_partial){false, UINT32_MAX, 2});
        uidset_free(&set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_options), cmocka_unit_test(test_cut)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
