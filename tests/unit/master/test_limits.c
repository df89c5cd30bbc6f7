#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/ipc/proto.h"
#include "master/backoff.h"
#include "master/limits.h"
#include "master/table.h"

static const struct net_addr a1 = {.family = 4, .ip = {192, 0, 2, 1}, .port = 1};
static const struct net_addr a1_other_port = {.family = 4, .ip = {192, 0, 2, 1}, .port = 2};
static const struct net_addr a2 = {.family = 4, .ip = {192, 0, 2, 2}};
static const struct net_addr a6 = {.family = 6, .ip = {192, 0, 2, 1}};

static enum limit_hit acquire_as(struct session_limits *l, struct view name, uint32_t most, uint32_t per_address,
                                 const struct net_addr *peer)
{
    const struct user_record r = {.name = name, .sessions_max = most, .sessions_per_address = per_address};
    struct user *u = user_new(&r);
    enum limit_hit hit = session_limits_acquire(l, u, peer);

    user_free(&u);
    return hit;
}

static enum limit_hit acquire(struct session_limits *l, struct view name, const struct net_addr *peer)
{
    return acquire_as(l, name, 0, 0, peer);
}

static void test_limits(void **state)
{
    struct session_limits *l = session_limits_new();

    (void)state;
    session_limits_set(l, 3, 2, 4);
    assert_int_equal(acquire(l, VIEW("alice"), &a1), LIMIT_NONE);
    assert_int_equal(acquire(l, VIEW("alice"), &a1_other_port), LIMIT_NONE);
    assert_int_equal(acquire(l, VIEW("alice"), &a1), LIMIT_USER_ADDRESS);
    assert_int_equal(acquire(l, VIEW("alice"), &a6), LIMIT_NONE);
    assert_int_equal(acquire(l, VIEW("alice"), &a2), LIMIT_USER);
    assert_int_equal(acquire(l, VIEW("bob"), &a1), LIMIT_NONE);
    assert_int_equal(acquire(l, VIEW("carol"), &a1), LIMIT_TOTAL);
    assert_int_equal(session_limits_total(l), 4);
    session_limits_release(l, VIEW("alice"), &a1);
    assert_int_equal(acquire(l, VIEW("alice"), &a1), LIMIT_NONE);
    session_limits_release(l, VIEW("bob"), &a1);
    session_limits_release(l, VIEW("alice"), &a6);
    session_limits_release(l, VIEW("alice"), &a1);
    session_limits_release(l, VIEW("alice"), &a1);
    assert_int_equal(session_limits_total(l), 0);
    session_limits_free(&l);
}

/* What a user's record says goes before the general limits, to either side. */
static void test_own_limits(void **state)
{
    struct session_limits *l = session_limits_new();

    (void)state;
    session_limits_set(l, 3, 2, 10);
    assert_int_equal(acquire_as(l, VIEW("alice"), 1, 0, &a1), LIMIT_NONE);
    assert_int_equal(acquire_as(l, VIEW("alice"), 1, 0, &a2), LIMIT_USER);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(acquire_as(l, VIEW("bob"), 5, 4, &a1), LIMIT_NONE);
    assert_int_equal(acquire_as(l, VIEW("bob"), 5, 4, &a1), LIMIT_USER_ADDRESS);
    assert_int_equal(acquire_as(l, VIEW("bob"), 5, 4, &a2), LIMIT_NONE);
    assert_int_equal(acquire_as(l, VIEW("bob"), 5, 4, &a2), LIMIT_USER);
    assert_int_equal(acquire_as(l, VIEW("carol"), 0, 1, &a1), LIMIT_NONE);
    assert_int_equal(acquire_as(l, VIEW("carol"), 0, 1, &a1), LIMIT_USER_ADDRESS);
    assert_int_equal(session_limits_total(l), 7);
    session_limits_free(&l);
}

/* Nothing that cannot be counted gets in. */
static void test_fail_closed(void **state)
{
    struct session_limits *l = session_limits_new();
    static uint8_t longname[PROTO_NAME_MAX + 1];

    (void)state;
    assert_int_equal(acquire(l, VIEW("alice"), &a1), LIMIT_TOTAL);
    session_limits_set(l, 3, 2, 4);
    assert_int_equal(acquire(l, VIEW(""), &a1), LIMIT_TOTAL);
    assert_int_equal(acquire(l, view_make(longname, sizeof(longname)), &a1), LIMIT_TOTAL);
    session_limits_set(l, 3, 0, 4);
    assert_int_equal(acquire(l, VIEW("alice"), &a1), LIMIT_USER_ADDRESS);
    assert_int_equal(session_limits_total(l), 0);
    session_limits_free(&l);
}

static void test_backoff(void **state)
{
    struct backoff b = {0};
    uint64_t want = 100;

    (void)state;
    for (int i = 0; i < 12; i++) {
        assert_int_equal(backoff_delay(&b, 10), want);
        want = want * 2 > 30000 ? 30000 : want * 2;
    }
    assert_int_equal(backoff_delay(&b, 59999), 30000);
    assert_int_equal(backoff_delay(&b, 60000), 100);
    assert_int_equal(backoff_delay(&b, 0), 200);
}

static void test_killed_is_no_failure(void **state)
{
    struct backoff b = {0};

    (void)state;
    /* Wait statuses as Linux has them: a signal's number, or the exit status in the second octet. */
    assert_true(backoff_was_killed(SIGKILL, true, false));
    assert_false(backoff_was_killed(SIGKILL, false, false)); /* never got ready */
    assert_false(backoff_was_killed(SIGKILL, true, true));   /* for what it did */
    assert_false(backoff_was_killed(SIGSEGV, true, false));
    assert_false(backoff_was_killed(SIGABRT | 0x80, true, false));
    assert_false(backoff_was_killed(SIGSYS, true, false));
    assert_false(backoff_was_killed(1 << 8, true, false));
    assert_false(backoff_was_killed(SIGKILL << 8, true, false));
    assert_int_equal(backoff_delay(&b, 10), 100);
    assert_int_equal(backoff_delay(&b, 10), 200);
    assert_int_equal(backoff_after_kill(&b), 100);
    assert_int_equal(backoff_after_kill(&b), 100);
    assert_int_equal(backoff_delay(&b, 10), 100);
}

static void test_table(void **state)
{
    struct table *t = table_new(1000);
    static int values[1000];
    void **all;
    size_t n;

    (void)state;
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(table_put(t, view_make(&i, sizeof(i)), &values[i]), 0);
    assert_int_equal(table_put(t, VIEW("one too many"), &values[0]), ERR_LIMIT);
    for (uint32_t i = 0; i < 1000; i += 2)
        assert_ptr_equal(table_del(t, view_make(&i, sizeof(i))), &values[i]);
    for (uint32_t i = 0; i < 1000; i++)
        assert_ptr_equal(table_get(t, view_make(&i, sizeof(i))), i % 2 == 0 ? NULL : &values[i]);
    assert_int_equal(table_put(t, VIEW(""), &values[0]), 0);
    assert_int_equal(table_put(t, VIEW(""), &values[1]), ERR_EXISTS);
    all = table_values(t, &n);
    assert_int_equal(n, 501);
    assert_int_equal(table_count(t), 501);
    free(all);
    table_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),  cmocka_unit_test(test_own_limits),           cmocka_unit_test(test_fail_closed),
        cmocka_unit_test(test_backoff), cmocka_unit_test(test_killed_is_no_failure), cmocka_unit_test(test_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
