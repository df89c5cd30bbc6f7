/* LOGIN-DELAY: who comes too early waits, never longer than is allowed, and nobody waits for another. */
#include "tests/unit/auth/unit.h"

#include <stdio.h>

#include "auth/login_delay.h"

static void test_delay(void **state)
{
    struct login_delay *d = login_delay_new(60000, 3000);
    (void)state;
    assert_int_equal(login_delay_take(d, 1000, VIEW("jo")), 0);
    assert_int_equal(login_delay_take(d, 1000, VIEW("al")), 0);
    assert_int_equal(login_delay_take(d, 2000, VIEW("jo")), 3000);
    assert_int_equal(login_delay_take(d, 5000 + 59000, VIEW("jo")), 1000); /* counted from when it was let in */
    assert_int_equal(login_delay_take(d, 61000, VIEW("al")), 0);
    login_delay_free(&d);
    assert_null(d);
    assert_null(login_delay_new(0, 3000));
    assert_int_equal(login_delay_take(NULL, 1000, VIEW("jo")), 0);
}

static void test_many_users(void **state)
{
    struct login_delay *d = login_delay_new(60000, 3000);
    char name[20];
    (void)state;
    for (unsigned i = 0; i < 300000; i++) {
        snprintf(name, sizeof(name), "u%u", i);
        assert_int_equal(login_delay_take(d, 1000, view_str(name)), 0);
    }
    login_delay_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delay),
        cmocka_unit_test(test_many_users),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
