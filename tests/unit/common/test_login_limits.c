/* Limits before log-in, networks and the table of a login parent's connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/login/children.h"
#include "common/login/login_int.h"

static struct net_addr v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    return (struct net_addr){4, {a, b, c, d}, 1000};
}

static struct net_addr v6(uint16_t subnet, uint8_t last)
{
    return (struct net_addr){6, {0x20, 1, 0x0d, 0xb8, 0, 0, (uint8_t)(subnet >> 8), (uint8_t)subnet, [15] = last}, 1000};
}

static void test_per_address(void **state)
{
    struct login_limits *l = login_limits_new(2, 100);
    struct net_addr a = v4(192, 0, 2, 1), b = v4(192, 0, 2, 2), none = {0};

    (void)state;
    assert_int_equal(login_limits_add(l, &a, 0), LIMITS_OK);
    a.port = 2000; /* a port is no address */
    assert_int_equal(login_limits_add(l, &a, 0), LIMITS_OK);
    assert_int_equal(login_limits_add(l, &a, 0), LIMITS_ADDRESS);
    assert_int_equal(login_limits_add(l, &b, 0), LIMITS_OK);
    login_limits_remove(l, &a);
    assert_int_equal(login_limits_add(l, &a, 0), LIMITS_OK);
    assert_int_equal(login_limits_add(l, &a, 0), LIMITS_ADDRESS);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(login_limits_add(l, NULL, 0), LIMITS_OK);
        assert_int_equal(login_limits_add(l, &none, 0), LIMITS_OK);
    }
    assert_int_equal(login_limits_total(l), 23);
    login_limits_free(&l);
}

/* An IPv6 network of one customer counts as one address. */
static void test_ipv6(void **state)
{
    struct login_limits *l = login_limits_new(3, 100);

    (void)state;
    for (uint8_t i = 0; i < 3; i++) {
        struct net_addr a = v6(1, i);

        assert_int_equal(login_limits_add(l, &a, 0), LIMITS_OK);
    }
    struct net_addr same = v6(1, 99), other = v6(2, 0);

    assert_int_equal(login_limits_add(l, &same, 0), LIMITS_ADDRESS);
    assert_int_equal(login_limits_add(l, &other, 0), LIMITS_OK);
    login_limits_free(&l);
}

static void test_total(void **state)
{
    struct login_limits *l = login_limits_new(1000, 5);
    struct net_addr a = v4(10, 0, 0, 1);

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        a.ip[3] = (uint8_t)i;
        assert_int_equal(login_limits_add(l, &a, 0), LIMITS_OK);
    }
    assert_int_equal(login_limits_add(l, &a, 0), LIMITS_TOTAL);
    assert_int_equal(login_limits_add(l, NULL, 0), LIMITS_TOTAL);
    login_limits_remove(l, &a);
    assert_int_equal(login_limits_add(l, NULL, 0), LIMITS_OK);
    login_limits_free(&l);
}

static void test_penalty(void **state)
{
    struct login_limits *l = login_limits_new(5, 100);
    struct net_addr a = v4(10, 0, 0, 1), b = v4(10, 0, 0, 2), many;

    (void)state;
    assert_int_equal(login_limits_add(l, &a, 1000), LIMITS_OK);
    login_limits_penalise(l, &a, 1000, 91000);
    login_limits_remove(l, &a);
    assert_int_equal(login_limits_add(l, &a, 1000), LIMITS_PENALTY);
    assert_int_equal(login_limits_add(l, &a, 90999), LIMITS_PENALTY);
    assert_int_equal(login_limits_add(l, &b, 1000), LIMITS_OK);
    assert_int_equal(login_limits_add(l, &a, 91000), LIMITS_OK);
    /* Their number is bounded, and old ones make room. */
    for (unsigned i = 0; i < 10000; i++) {
        many = v4(172, 16, (uint8_t)(i >> 8), (uint8_t)i);
        login_limits_penalise(l, &many, 1000, 2000);
    }
    assert_int_equal(login_limits_add(l, &many, 1500), LIMITS_OK);
    login_limits_penalise(l, &many, 3000, 4000);
    assert_int_equal(login_limits_add(l, &many, 3500), LIMITS_PENALTY);
    login_limits_free(&l);
}

/* As many removals as additions leave nothing. */
static void test_balance(void **state)
{
    struct login_limits *l = login_limits_new(3, 1000);
    unsigned counts[64] = {0};
    uint32_t seed = 1;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        struct net_addr a = v4(10, 0, 0, 0);
        unsigned who;

        seed = seed * 1664525u + 1013904223u;
        who = seed >> 26;
        a.ip[3] = (uint8_t)who;
        if ((seed & 0x20000) != 0) {
            bool ok = login_limits_add(l, &a, 0) == LIMITS_OK;

            assert_int_equal(ok, counts[who] < 3);
            counts[who] += ok;
        } else if (counts[who] > 0) {
            login_limits_remove(l, &a);
            counts[who]--;
        }
    }
    for (unsigned who = 0; who < 64; who++) {
        struct net_addr a = v4(10, 0, 0, (uint8_t)who);

        while (counts[who]-- > 0)
            login_limits_remove(l, &a);
    }
    assert_int_equal(login_limits_total(l), 0);
    login_limits_free(&l);
}

static void test_nets(void **state)
{
    const char *items[] = {"192.0.2.0/24", "198.51.100.7", "2001:db8::/33", "10.0.0.0/9"};
    struct conf_list list = {items, ARRAY_LEN(items)};
    static const char *const bad[] = {"",        "x",      "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/8/9", "::/129",
                                      "1.2.3/8", "::1/ 8", "1.2.3.4/-1", "/8",       "1.2.3.4 ",    "1.2.3.4/8x"};
    struct login_nets *nets = NULL;
    struct net_addr a;

    (void)state;
    assert_int_equal(login_nets_new(&list, &nets), 0);
    a = v4(192, 0, 2, 255);
    assert_true(login_nets_have(nets, &a));
    a = v4(192, 0, 3, 0);
    assert_false(login_nets_have(nets, &a));
    a = v4(198, 51, 100, 7);
    assert_true(login_nets_have(nets, &a));
    a = v4(198, 51, 100, 6);
    assert_false(login_nets_have(nets, &a));
    a = v4(10, 127, 255, 255);
    assert_true(login_nets_have(nets, &a));
    a = v4(10, 128, 0, 0);
    assert_false(login_nets_have(nets, &a));
    a = v6(1, 1);
    assert_true(login_nets_have(nets, &a));
    a.ip[4] = 0x80;
    assert_false(login_nets_have(nets, &a));
    a = (struct net_addr){0};
    assert_false(login_nets_have(nets, &a));
    login_nets_free(&nets);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const char *one[] = {bad[i]};

        list = (struct conf_list){one, 1};
        assert_int_equal(login_nets_new(&list, &nets), ERR_SYNTAX);
    }
}

static void test_children(void **state)
{
    struct login_children *set = login_children_new();

    (void)state;
    assert_null(login_children_any(set));
    for (unsigned i = 1; i <= 10000; i++) {
        struct login_child child = {.id = (uint64_t)i * 4096, .pid = (pid_t)(i % 2 != 0 ? i : 0)};

        assert_non_null(login_children_add(set, &child));
    }
    assert_int_equal(login_children_count(set), 10000);
    assert_null(login_children_by_id(set, 5));
    assert_null(login_children_by_pid(set, 2));
    for (unsigned i = 1; i <= 10000; i += 3) {
        struct login_child *child = login_children_by_id(set, (uint64_t)i * 4096);

        assert_int_equal(child->id, (uint64_t)i * 4096);
        if (i % 2 != 0)
            assert_ptr_equal(login_children_by_pid(set, (pid_t)i), child);
        login_children_remove(set, child);
        assert_null(login_children_by_id(set, (uint64_t)i * 4096));
    }
    login_children_free(&set);
    assert_null(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_per_address), cmocka_unit_test(test_ipv6),    cmocka_unit_test(test_total),
        cmocka_unit_test(test_penalty),     cmocka_unit_test(test_balance), cmocka_unit_test(test_nets),
        cmocka_unit_test(test_children),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
