/* Imports: given UIDs and UIDVALIDITY. */
#include "storage_helper.h"

#include "storage/account_int.h"

static int setup(void **state)
{
    struct box *b = calloc(1, sizeof(*b));

    box_init(b);
    assert_int_equal(box_open(b), 0);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    box_free(*state);
    free(*state);
    return 0;
}

static int identity(struct box *b, const char *name, uint32_t uidvalidity, uint32_t uidnext)
{
    struct txn *t = txn_begin(b->acc);

    return box_end(b, t, txn_identity(t, box_find(b, name), uidvalidity, uidnext));
}

static int append_uid(struct box *b, struct txn *t, uint32_t uid)
{
    struct message_source src = {.parts = {VIEW("Subject: x\r\n\r\n")}, .fd = -1};
    struct append_options opt = {.uid = uid};

    return txn_append(t, box_find(b, "INBOX"), &src, &opt);
}

static int append_one(struct box *b, uint32_t uid)
{
    struct txn *t = txn_begin(b->acc);

    return box_end(b, t, append_uid(b, t, uid));
}

static void test_uids(void **state)
{
    struct box *b = *state;
    struct txn *t;

    assert_int_equal(identity(b, "INBOX", 1234, 1), 0);
    assert_int_equal(append_one(b, 7), 0);
    assert_int_equal(append_one(b, 7), ERR_RANGE);
    assert_int_equal(append_one(b, 3), ERR_RANGE);
    assert_int_equal(append_one(b, UINT32_MAX), ERR_RANGE);
    assert_int_equal(append_one(b, 0), 0);
    t = txn_begin(b->acc);
    assert_int_equal(append_uid(b, t, 20), 0);
    assert_int_equal(append_uid(b, t, 0), 0);
    assert_int_equal(append_uid(b, t, 30), 0);
    assert_int_equal(box_run(b, t), 0);
    t = txn_begin(b->acc);
    assert_int_equal(append_uid(b, t, 40), 0);
    assert_int_equal(append_uid(b, t, 39), 0);
    assert_int_equal(box_run(b, t), ERR_RANGE);
    assert_int_equal(identity(b, "INBOX", 1234, 100), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(box_status(b, "INBOX").uidvalidity, 1234);
        assert_int_equal(box_status(b, "INBOX").uidnext, 100);
        assert_int_equal(box_status(b, "INBOX").messages, 5);
        assert_non_null(mailbox_rec_find(box_find(b, "INBOX"), 7));
        assert_non_null(mailbox_rec_find(box_find(b, "INBOX"), 8));
        assert_non_null(mailbox_rec_find(box_find(b, "INBOX"), 21));
        assert_non_null(mailbox_rec_find(box_find(b, "INBOX"), 30));
        if (i == 0) {
            account_close(&b->acc);
            box_rm_snapshots(b);
            assert_int_equal(box_open(b), 0);
            assert_int_equal(mailbox_load(box_find(b, "INBOX")), 0);
        }
    }
    assert_int_equal(box_append(b, "INBOX", "x\r\n", 0), 0);
    assert_int_equal(box_status(b, "INBOX").uidnext, 101);
}

static void test_refused(void **state)
{
    struct box *b = *state;
    struct mailbox_view *v;

    assert_int_equal(identity(b, "INBOX", 0, 1), ERR_RANGE);
    assert_int_equal(identity(b, "INBOX", 5, 0), ERR_RANGE);
    v = mailbox_view_open(b->acc, box_find(b, "INBOX"), false);
    assert_int_equal(identity(b, "INBOX", 5, 1), ERR_STATE);
    mailbox_view_close(&v);
    b->acc->small_mailbox = 3;
    for (int i = 0; i < 10; i++)
        assert_int_equal(box_append(b, "INBOX", "x\r\n", 0), 0);
    assert_int_equal(snapshot_write(b->acc), 0);
    assert_int_not_equal(box_find(b, "INBOX")->file_num, 0);
    assert_int_equal(identity(b, "INBOX", 5, 10), ERR_STATE);
    assert_int_equal(box_expunge(b, "INBOX", 1, 10), 0);
    assert_int_equal(snapshot_write(b->acc), 0);
    assert_int_equal(identity(b, "INBOX", 5, 1), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(box_status(b, "INBOX").uidvalidity, 5);
        assert_int_equal(box_status(b, "INBOX").uidnext, 1 + (uint32_t)i);
        assert_int_equal(box_append(b, "INBOX", "x\r\n", 0), 0);
        box_reopen(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_uids, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
