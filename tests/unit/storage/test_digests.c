/* Digest files: gathered in idle time, shared by copies, left behind when they are mostly dead. */
#include "storage_helper.h"

#include "storage/account_int.h"

static int setup(void **state)
{
    struct box *b = calloc(1, sizeof(*b));

    box_init(b);
    assert_int_equal(box_open(b), 0);
    b->acc->small_mailbox = 8;
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    box_free(*state);
    free(*state);
    return 0;
}

static void make_text(unsigned n, char out[100])
{
    snprintf(out, 100, "Subject: number %u\r\n\r\nbody\r\n", n);
}

static void append_many(struct box *b, const char *mbox, unsigned from, unsigned to)
{
    char text[100];

    for (unsigned i = from; i < to; i++) {
        make_text(i, text);
        assert_int_equal(box_append(b, mbox, text, 0), 0);
    }
}

static void run_background(struct box *b)
{
    for (int i = 0; i < 2000 && account_background(b->acc) != UINT64_MAX; i++)
        b->now += 10;
}

/* Each digest holds the subject of its message. Returns how many are in a digest file. */
static unsigned check_digests(struct box *b, const char *mbox, unsigned first)
{
    struct mailbox *m = box_find(b, mbox);
    struct mailbox_view *v = mailbox_view_open(b->acc, m, false);
    unsigned in_files = 0;
    char text[100];

    for (uint32_t seq = 1; seq <= mailbox_view_count(v); seq++) {
        struct view digest;

        make_text(first + seq - 1, text);
        text[strlen(text) - 10] = 0;
        assert_int_equal(mailbox_view_digest(v, seq, &digest), 0);
        assert_non_null(memmem(digest.ptr, digest.len, text + 9, strlen(text + 9)));
        in_files += mailbox_rec_find(m, mailbox_view_uid(v, seq))->dig_mbox != 0;
    }
    mailbox_view_close(&v);
    return in_files;
}

static void test_gather(void **state)
{
    struct box *b = *state;

    append_many(b, "INBOX", 0, 20);
    run_background(b);
    assert_int_equal(b->acc->ndigfiles, 0);
    append_many(b, "INBOX", 20, 60);
    run_background(b);
    assert_int_equal(b->acc->ndigfiles, 1);
    assert_int_equal(check_digests(b, "INBOX", 0), 60);
    append_many(b, "INBOX", 60, 65);
    box_reopen(b);
    b->acc->small_mailbox = 8;
    assert_int_equal(check_digests(b, "INBOX", 0), 60);
    append_many(b, "INBOX", 65, 120);
    run_background(b);
    assert_int_equal(check_digests(b, "INBOX", 0), 120);
    box_reopen(b);
    assert_int_equal(check_digests(b, "INBOX", 0), 120);
    assert_int_equal(b->acc->ndigfiles, 1);
}

static void test_copies(void **state)
{
    struct box *b = *state;

    assert_int_equal(box_create(b, "from"), 0);
    append_many(b, "from", 0, 50);
    run_background(b);
    assert_int_equal(box_copy(b, "from", 11, 30, "Sent", false), 0);
    assert_int_equal(box_delete(b, "from"), 0);
    box_reopen(b);
    assert_int_equal(b->acc->ndigfiles, 1);
    assert_int_equal(check_digests(b, "Sent", 10), 20);
    assert_int_equal(box_expunge(b, "Sent", 1, 20), 0);
    box_reopen(b);
    assert_int_equal(b->acc->ndigfiles, 0);
}

/* What a crash leaves behind the known end is cut off; a file that is gone is made up for. */
static void test_damage(void **state)
{
    struct box *b = *state;
    char path[128];
    int fd;

    append_many(b, "INBOX", 0, 60);
    run_background(b);
    account_close(&b->acc);
    assert_int_equal(box_open(b), 0);
    b->acc->small_mailbox = 8;
    snprintf(path, sizeof(path), "%s/digest.%u.%08u", b->dir, b->acc->digfiles[0]->mailbox, b->acc->digfiles[0]->num);
    fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "some of a slice", 15), 15);
    close(fd);
    append_many(b, "INBOX", 60, 120);
    run_background(b);
    assert_int_equal(check_digests(b, "INBOX", 0), 120);
    account_close(&b->acc);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(box_open(b), 0);
    assert_int_equal(check_digests(b, "INBOX", 0), 120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_gather, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
