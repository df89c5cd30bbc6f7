/* Views: what each session is told, when, and in which order. */
#include "storage_helper.h"

#define MSG "Subject: m\r\n\r\nbody\r\n"

static int setup(void **state)
{
    struct box *b = calloc(1, sizeof(*b));

    box_init(b);
    assert_int_equal(box_open(b), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(box_append(b, "INBOX", MSG, 0), 0);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    box_free(*state);
    free(*state);
    return 0;
}

static void count_call(void *arg)
{
    ++*(int *)arg;
}

static void test_new_and_flags(void **state)
{
    struct box *b = *state;
    struct mailbox *m = box_find(b, "INBOX");
    struct mailbox_view *v = mailbox_view_open(b->acc, m, true), *w = mailbox_view_open(b->acc, m, false);
    struct view_changes c;
    int calls = 0;

    mailbox_view_set_notify(v, count_call, &calls);
    assert_int_equal(mailbox_view_recent(v), 5);
    assert_int_equal(mailbox_view_recent(w), 0);
    assert_false(mailbox_view_pending(v));
    assert_int_equal(box_append(b, "INBOX", MSG, 0), 0);
    assert_int_equal(box_flags(b, "INBOX", 2, 3, FLAGS_ADD, MSG_SEEN, "kw"), 0);
    assert_int_equal(calls, 2);
    assert_true(mailbox_view_pending(v));
    assert_int_equal(mailbox_view_count(v), 5);
    mailbox_view_sync(v, true, &c);
    assert_true(c.exists_changed && c.count == 6 && c.recent == 6 && c.keywords_changed && !c.deleted);
    assert_int_equal(c.nchanged, 2);
    assert_int_equal(c.changed_seqs[0], 2);
    assert_int_equal(c.changed_seqs[1], 3);
    assert_int_equal(c.nexpunged, 0);
    assert_false(mailbox_view_pending(v));
    mailbox_view_sync(v, true, &c);
    assert_true(!c.exists_changed && c.nchanged == 0 && !c.keywords_changed);
    /* The other view: what v took as recent is not recent there. */
    mailbox_view_sync(w, true, &c);
    assert_true(c.exists_changed && c.nchanged == 2 && c.recent == 0);
    mailbox_view_close(&v);
    mailbox_view_close(&w);
    assert_null(v);
}

static void test_expunge(void **state)
{
    struct box *b = *state;
    struct mailbox *m = box_find(b, "INBOX");
    struct mailbox_view *v = mailbox_view_open(b->acc, m, false), *w = mailbox_view_open(b->acc, m, false);
    struct view_changes c;
    struct msg_info info;

    assert_int_equal(box_flags(b, "INBOX", 4, 5, FLAGS_ADD, MSG_SEEN, NULL), 0);
    assert_int_equal(box_expunge(b, "INBOX", 2, 2), 0);
    assert_int_equal(box_expunge(b, "INBOX", 4, 4), 0);
    assert_int_equal(box_append(b, "INBOX", MSG, 0), 0);
    mailbox_view_sync(v, false, &c);
    assert_true(c.nexpunged == 0 && c.count == 6 && c.exists_changed);
    assert_int_equal(c.nchanged, 1);
    assert_int_equal(c.changed_seqs[0], 5);
    mailbox_view_info(v, 2, &info);
    assert_true(info.expunged && info.uid == 2);
    check_bytes(v, 2, MSG);
    assert_true(mailbox_view_pending(v));
    mailbox_view_sync(v, true, &c);
    assert_int_equal(c.nexpunged, 2);
    assert_int_equal(c.expunged_seqs[0], 4);
    assert_int_equal(c.expunged_uids[0], 4);
    assert_int_equal(c.expunged_seqs[1], 2);
    assert_true(c.count == 4 && !c.exists_changed);
    assert_int_equal(mailbox_view_uid(v, 2), 3);
    assert_int_equal(mailbox_view_uid(v, 4), 6);
    assert_int_equal(mailbox_view_seq(v, 5), 3);
    assert_int_equal(mailbox_view_seq(v, 4), 0);
    assert_int_equal(mailbox_view_seq_at_or_after(v, 4), 3);
    assert_int_equal(mailbox_view_seq_at_or_after(v, 7), 5);
    /* A message that came and went before the view was told is not told of. */
    assert_int_equal(box_append(b, "INBOX", MSG, 0), 0);
    assert_int_equal(box_expunge(b, "INBOX", 7, 7), 0);
    mailbox_view_sync(v, true, &c);
    assert_true(c.nexpunged == 0 && c.count == 4 && !c.exists_changed);
    mailbox_view_sync(w, true, &c);
    assert_true(c.nexpunged == 2 && c.count == 4 && c.nchanged == 1 && c.exists_changed);
    assert_int_equal(c.changed_seqs[0], 3);
    mailbox_view_close(&v);
    v = mailbox_view_open(b->acc, m, false);
    assert_int_equal(mailbox_view_count(v), 4);
    assert_int_equal(mailbox_view_uid(v, 4), 6);
    mailbox_view_close(&v);
    mailbox_view_close(&w);
}

static void test_forget(void **state)
{
    struct box *b = *state;
    struct mailbox_view *v = mailbox_view_open(b->acc, box_find(b, "INBOX"), false);
    struct uidset own = set_of(1, 4);
    struct view_changes c;

    assert_int_equal(box_flags(b, "INBOX", 2, 2, FLAGS_ADD, MSG_FLAGGED, NULL), 0);
    assert_int_equal(box_flags(b, "INBOX", 1, 4, FLAGS_ADD, MSG_SEEN, NULL), 0);
    mailbox_view_forget(v, &own, b->res.modseq);
    /* What another session did to message 2 is still told. */
    mailbox_view_sync(v, true, &c);
    assert_int_equal(c.nchanged, 1);
    assert_int_equal(c.changed_seqs[0], 2);
    uidset_free(&own);
    mailbox_view_close(&v);
}

/* The view, thawed in the account opened anew. */
static void renew(struct box *b, struct mailbox_view **v)
{
    struct cursor c;
    struct buf record;

    buf_init(&record, 1 << 20);
    assert_int_equal(mailbox_view_freeze(*v, &record), 0);
    mailbox_view_close(v);
    box_reopen(b);
    c = cursor_make(buf_view(&record));
    assert_int_equal(mailbox_view_thaw(b->acc, &c, v), 0);
    assert_true(cursor_done(&c));
    buf_free(&record);
}

static void test_deleted(void **state)
{
    struct box *b = *state;
    struct mailbox_view *v;
    struct view_changes c;

    assert_int_equal(box_create(b, "tmp"), 0);
    assert_int_equal(box_append(b, "tmp", MSG, 0), 0);
    assert_int_equal(box_append(b, "tmp", MSG, 0), 0);
    v = mailbox_view_open(b->acc, box_find(b, "tmp"), true);
    assert_int_equal(box_expunge(b, "tmp", 2, 2), 0);
    assert_int_equal(box_delete(b, "tmp"), 0);
    renew(b, &v);
    assert_true(mailbox_view_pending(v));
    assert_null(mailbox_view_mailbox(v));
    check_bytes(v, 1, MSG);
    mailbox_view_sync(v, true, &c);
    assert_true(c.deleted);
    assert_int_equal(c.nexpunged, 1);
    assert_int_equal(c.count, 1);
    renew(b, &v);
    check_bytes(v, 1, MSG);
    assert_false(mailbox_view_pending(v));
    mailbox_view_close(&v);
}

static void test_recent(void **state)
{
    struct box *b = *state;
    struct mailbox *m = box_find(b, "INBOX");
    struct mailbox_view *v = mailbox_view_open(b->acc, m, false), *w;
    struct msg_info info;
    struct view_changes c;

    assert_int_equal(mailbox_view_recent(v), 5);
    w = mailbox_view_open(b->acc, m, true);
    assert_int_equal(mailbox_view_recent(w), 5);
    mailbox_view_info(w, 1, &info);
    assert_true(info.recent);
    assert_int_equal(box_status(b, "INBOX").recent, 0);
    assert_int_equal(box_append(b, "INBOX", MSG, 0), 0);
    assert_int_equal(box_status(b, "INBOX").recent, 1);
    assert_int_equal(box_expunge(b, "INBOX", 1, 1), 0);
    mailbox_view_sync(w, true, &c);
    assert_int_equal(c.recent, 5);
    mailbox_view_close(&v);
    mailbox_view_close(&w);
    /* What came after the last one was told is recent again only if nobody was told. */
    assert_int_equal(box_append(b, "INBOX", MSG, 0), 0);
    box_reopen(b);
    assert_int_equal(box_status(b, "INBOX").recent, 1);
}

/* Many changes that nobody takes over do not pile up, and are told all the same. */
static void test_behind(void **state)
{
    struct box *b = *state;
    struct mailbox_view *v = mailbox_view_open(b->acc, box_find(b, "INBOX"), false), *w;
    struct view_changes c;

    w = mailbox_view_open(b->acc, box_find(b, "INBOX"), false);
    for (int i = 0; i < 6000; i++) {
        struct uidset s = set_of(2, 2);
        struct flag_change ch = {.op = i % 2 ? FLAGS_ADD : FLAGS_REMOVE, .flags = MSG_SEEN};
        struct txn *t = txn_begin(b->acc);

        assert_int_equal(txn_flags(t, box_find(b, "INBOX"), &s, &ch), 0);
        txn_commit(&t, NULL, NULL);
        uidset_free(&s);
        if (i % 100 == 99) {
            assert_int_equal(account_commit(b->acc), 0);
            mailbox_view_sync(w, true, &c);
            assert_int_equal(c.nchanged, 1);
        }
    }
    assert_int_equal(box_expunge(b, "INBOX", 4, 4), 0);
    mailbox_view_sync(v, true, &c);
    assert_int_equal(c.nchanged, 1);
    assert_int_equal(c.changed_seqs[0], 2);
    assert_int_equal(c.nexpunged, 1);
    mailbox_view_close(&v);
    mailbox_view_close(&w);
}

static void test_find_flags(void **state)
{
    struct box *b = *state;
    struct mailbox_view *v = mailbox_view_open(b->acc, box_find(b, "INBOX"), false), *w;

    assert_int_equal(box_flags(b, "INBOX", 2, 4, FLAGS_ADD, MSG_SEEN, NULL), 0);
    assert_int_equal(box_flags(b, "INBOX", 4, 5, FLAGS_ADD, MSG_FLAGGED, NULL), 0);
    assert_int_equal(mailbox_view_find_flags(v, 1, 5, MSG_SEEN, 0), 2);
    assert_int_equal(mailbox_view_find_flags(v, 5, 1, MSG_SEEN, 0), 4);
    assert_int_equal(mailbox_view_find_flags(v, 3, 3, MSG_SEEN, 0), 3);
    assert_int_equal(mailbox_view_find_flags(v, 1, 3, MSG_FLAGGED, 0), 0);
    assert_int_equal(mailbox_view_find_flags(v, 3, 1, MSG_FLAGGED, 0), 0);
    assert_int_equal(mailbox_view_find_flags(v, 1, 5, MSG_FLAGGED, MSG_SEEN), 5);
    assert_int_equal(mailbox_view_find_flags(v, 1, 5, MSG_SEEN, MSG_SEEN), 2); /* what must and must not be, may be */
    assert_int_equal(box_expunge(b, "INBOX", 2, 2), 0);
    assert_int_equal(mailbox_view_find_flags(v, 1, 5, MSG_SEEN, 0), 2); /* it was not told of */
    w = mailbox_view_open(b->acc, box_find(b, "INBOX"), false);
    assert_int_equal(mailbox_view_find_flags(w, 4, 1, MSG_SEEN, MSG_FLAGGED), 2);
    mailbox_view_close(&w);
    mailbox_view_close(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_new_and_flags, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expunge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forget, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deleted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_recent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_behind, setup, teardown),
        cmocka_unit_test_setup_teardown(test_find_flags, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
