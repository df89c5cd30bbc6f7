/* A bounded number of simulated histories; tests/sim/storage_sim.c runs as many as one likes. */
#include "storage_helper.h"

#include "tests/sim/adoption.h"

static int quiet(void **state)
{
    (void)state;
    log_init("test", open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC), LOG_SINK_STREAM, LOG_LVL_ERROR);
    return 0;
}

static void test_histories(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++)
        sim_history(seed, false, 150, 10);
}

static void test_crash_at_every_operation(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++)
        sim_every_op(seed, false, 12, 0, 0);
}

static void fail_at_every_operation(uint64_t last, bool maildir)
{
    for (uint64_t seed = 1; seed <= last; seed++) {
        sim_every_op(seed, maildir, 10, ERR_NOSPACE, 1);
        sim_every_op(seed, maildir, 10, ERR_NOSPACE, 5);
        sim_every_op(seed, maildir, 10, ERR_IO, 1);
        sim_every_op(seed, maildir, 10, ERR_IO, 3);
    }
}

static void test_fail_at_every_operation(void **state)
{
    (void)state;
    fail_at_every_operation(4, false);
}

static void test_maildir_histories(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++)
        sim_history(seed, true, 120, 10);
    sim_history(2051, true, 140, 15); /* DELETE d, RENAME c d, and a crash that undoes both on disk */
}

static void test_maildir_crash_at_every_operation(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++)
        sim_every_op(seed, true, 10, 0, 0);
}

static void test_maildir_fail_at_every_operation(void **state)
{
    (void)state;
    fail_at_every_operation(1, true);
    sim_every_op(2225, true, 10, ERR_NOSPACE, 6); /* a folder made in vain, which cannot be removed either, becomes no mailbox */
    sim_every_op(2225, true, 10, ERR_IO, 2);
}

static void test_maildir_crash_when_adopted(void **state)
{
    (void)state;
    assert_true(sim_adoption(1) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_histories, quiet),
        cmocka_unit_test_setup(test_crash_at_every_operation, quiet),
        cmocka_unit_test_setup(test_fail_at_every_operation, quiet),
        cmocka_unit_test_setup(test_maildir_histories, quiet),
        cmocka_unit_test_setup(test_maildir_crash_at_every_operation, quiet),
        cmocka_unit_test_setup(test_maildir_fail_at_every_operation, quiet),
        cmocka_unit_test_setup(test_maildir_crash_when_adopted, quiet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
