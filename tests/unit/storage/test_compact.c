/* Compaction: segments that hold little go, and what they held stays. */
#include "storage_helper.h"

#include "storage/account_int.h"

static int setup(void **state)
{
    struct box *b = calloc(1, sizeof(*b));

    box_init(b);
    b->params.segment_max = 4000;
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

static void make_text(unsigned n, char out[300])
{
    int len = snprintf(out, 300, "Subject: number %u\r\n\r\n", n);

    memset(out + len, 'a' + (int)(n % 26), 200);
    out[len + 200] = 0;
}

static void run_background(struct box *b)
{
    for (int i = 0; i < 2000; i++) {
        b->now += 10;
        if (account_background(b->acc) == UINT64_MAX)
            return;
    }
    fail();
}

static unsigned segments(struct box *b)
{
    unsigned n = 0;

    for (size_t i = 0; i < b->acc->log.nsegs; i++)
        n += !b->acc->log.segs[i]->removed;
    return n;
}

static void check_all(struct box *b, const char *mbox, unsigned step)
{
    struct mailbox_view *v = mailbox_view_open(b->acc, box_find(b, mbox), false);
    char text[300];

    for (uint32_t seq = 1; seq <= mailbox_view_count(v); seq++) {
        struct view digest;

        make_text((seq - 1) * step, text);
        check_bytes(v, seq, text);
        assert_int_equal(mailbox_view_digest(v, seq, &digest), 0);
    }
    mailbox_view_close(&v);
}

static void test_compact(void **state)
{
    struct box *b = *state;
    struct mailbox_view *v;
    struct view_changes c;
    unsigned before;
    char text[300];

    for (unsigned i = 0; i < 200; i++) {
        make_text(i, text);
        assert_int_equal(box_append(b, "INBOX", text, 0), 0);
    }
    before = segments(b);
    assert_true(before > 20);
    v = mailbox_view_open(b->acc, box_find(b, "INBOX"), false);
    /* Every tenth stays, and is in another mailbox too. */
    for (uint32_t uid = 1; uid <= 200; uid++) {
        if (uid % 10 == 1)
            assert_int_equal(box_copy(b, "INBOX", uid, uid, "Sent", false), 0);
        else
            assert_int_equal(box_expunge(b, "INBOX", uid, uid), 0);
    }
    run_background(b);
    assert_true(segments(b) < before / 3);
    /* An expunged message that a view was not told of is still there, though its segment has gone. */
    make_text(4, text);
    check_bytes(v, 5, text);
    mailbox_view_sync(v, true, &c);
    assert_int_equal(c.nexpunged, 180);
    assert_int_equal(c.nchanged, 0);
    mailbox_view_close(&v);
    for (int round = 0; round < 2; round++) {
        const struct msg_rec *x, *y;

        assert_int_equal(box_status(b, "INBOX").messages, 20);
        check_all(b, "INBOX", 10);
        check_all(b, "Sent", 10);
        /* Still stored once. */
        x = mailbox_rec_find(box_find(b, "INBOX"), 11);
        y = mailbox_rec_find(box_find(b, "Sent"), 2);
        assert_true(x->seg == y->seg && x->off == y->off);
        box_reopen(b);
    }
}

static void test_unreadable_stays(void **state)
{
    struct box *b = *state;
    struct mailbox_view *v;
    struct msg_data d;
    char text[300], path[128];
    int fd;

    for (unsigned i = 0; i < 60; i++) {
        make_text(i, text);
        assert_int_equal(box_append(b, "INBOX", text, 0), 0);
    }
    v = mailbox_view_open(b->acc, box_find(b, "INBOX"), false);
    assert_int_equal(mailbox_view_data(v, 1, &d), 0);
    snprintf(path, sizeof(path), "%s/log.00000001", b->dir);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "!", 1, (off_t)d.fd_offset + 5), 1);
    close(fd);
    msg_data_close(&d);
    mailbox_view_close(&v);
    assert_int_equal(box_expunge(b, "INBOX", 2, 55), 0);
    run_background(b);
    assert_int_equal(access(path, F_OK), 0);
    v = mailbox_view_open(b->acc, box_find(b, "INBOX"), false);
    assert_int_equal(mailbox_view_count(v), 6);
    assert_int_equal(mailbox_view_data(v, 1, &d), ERR_CORRUPT);
    make_text(59, text);
    check_bytes(v, 6, text);
    mailbox_view_close(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_compact, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unreadable_stays, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
