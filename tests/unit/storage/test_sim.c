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
    for (uint64_t seed = 1; seed <= 30; seed++)
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
}

/* CREATE that fails, while its folder cannot be removed either: it becomes no mailbox later. True: all was done before the disk
 * failed. */
static bool create_in_vain(uint64_t op, uint64_t times)
{
    struct sim_run *r = calloc(1, sizeof(*r));
    struct sim_done done = {0};
    struct txn *t;
    bool over;

    sim_begin(r, 1, true);
    r->limits.mailboxes = 100;
    assert_int_equal(sim_open_account(r), 0);
    vfs_sim_fail_at(r->vfs, vfs_sim_ops(r->vfs) + op, ERR_NOSPACE, times);
    op += vfs_sim_ops(r->vfs);
    t = txn_begin(r->acc);
    assert_int_equal(txn_create(t, VIEW("c"), 0), 0);
    txn_commit(&t, sim_completed, &done);
    (void)!account_commit(r->acc);
    over = vfs_sim_ops(r->vfs) < op;
    for (int i = 0; i < 40; i++) {
        r->now += 6000;
        (void)account_scan(r->acc);
        (void)account_background(r->acc);
    }
    vfs_sim_fail_at(r->vfs, 0, 0, 0);
    /* An account that is read-only does not know whether it was done. */
    if (!account_read_only(r->acc)) {
        assert_true((account_find(r->acc, VIEW("c")) == NULL) == (done.err != 0));
        account_close(&r->acc);
        assert_int_equal(sim_open_account(r), 0);
        assert_true((account_find(r->acc, VIEW("c")) == NULL) == (done.err != 0));
    }
    sim_end(r);
    return over;
}

static void test_maildir_create_in_vain(void **state)
{
    uint64_t op = 1;

    (void)state;
    for (bool over = false; !over; op++) {
        for (uint64_t times = 1; times <= 12; times++)
            over = create_in_vain(op, times);
    }
    assert_true(op > 10);
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
        cmocka_unit_test_setup(test_maildir_create_in_vain, quiet),
        cmocka_unit_test_setup(test_maildir_crash_when_adopted, quiet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
