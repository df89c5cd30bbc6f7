/* Snapshots: mailbox files, what differs from them, and what is done about damaged and newer ones. */
#include "storage_helper.h"

#include <xxhash.h>

#include "storage/snapshot_int.h"
#include "storage/txlog_int.h"

#define MSG "Subject: m\r\n\r\nbody of the message\r\n"

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

static void append_many(struct box *b, const char *mbox, unsigned n)
{
    struct txn *t = txn_begin(b->acc);

    for (unsigned i = 0; i < n; i++)
        assert_int_equal(box_stage_append(b, t, mbox, MSG, i % 3 == 0 ? MSG_SEEN : 0), 0);
    assert_int_equal(box_run(b, t), 0);
}

struct count {
    unsigned kinds[VFS_KIND_COUNT];
};

static bool count_file(void *arg, struct vfs_name name)
{
    ((struct count *)arg)->kinds[name.kind]++;
    return true;
}

static struct count count_files(struct box *b)
{
    struct count c = {{0}};

    assert_int_equal(vfs_list(b->vfs, count_file, &c), 0);
    return c;
}

static void check_box(struct box *b)
{
    struct mailbox_view *v = mailbox_view_open(b->acc, box_find(b, "INBOX"), false);
    struct msg_info info;

    assert_int_equal(mailbox_view_count(v), 497);
    assert_int_equal(mailbox_view_uid(v, 9), 9);
    assert_int_equal(mailbox_view_uid(v, 10), 13);
    mailbox_view_info(v, 20, &info);
    assert_int_equal(info.uid, 23);
    assert_int_equal(info.flags & MSG_FLAGGED, MSG_FLAGGED);
    check_bytes(v, 497, MSG);
    mailbox_view_close(&v);
}

static void test_delta(void **state)
{
    struct box *b = *state;
    struct mailbox_status before;
    struct view_changes c;
    struct mailbox_view *v;

    append_many(b, "INBOX", 490);
    assert_int_equal(snapshot_write(b->acc), 0);
    assert_int_equal(count_files(b).kinds[VFS_MBOX], 1);
    assert_false(box_find(b, "INBOX")->loaded);
    append_many(b, "INBOX", 10);
    v = mailbox_view_open(b->acc, box_find(b, "INBOX"), false);
    assert_int_equal(box_flags(b, "INBOX", 20, 40, FLAGS_ADD, MSG_FLAGGED, "kw"), 0);
    assert_int_equal(box_expunge(b, "INBOX", 10, 12), 0);
    /* A snapshot under an open view changes nothing for it. */
    assert_int_equal(snapshot_write(b->acc), 0);
    assert_int_equal(count_files(b).kinds[VFS_MBOX], 1);
    mailbox_view_sync(v, true, &c);
    assert_int_equal(c.nexpunged, 3);
    assert_int_equal(c.nchanged, 21);
    mailbox_view_close(&v);
    before = box_status(b, "INBOX");
    for (int round = 0; round < 3; round++) {
        struct mailbox_status st;

        check_box(b);
        st = box_status(b, "INBOX");
        assert_int_equal(st.messages, before.messages);
        assert_int_equal(st.unseen, before.unseen);
        assert_int_equal(st.uidnext, before.uidnext);
        assert_int_equal(st.highestmodseq, before.highestmodseq);
        assert_int_equal(st.size, before.size);
        assert_int_equal(st.recent, before.recent);
        box_reopen(b);
        assert_int_equal(count_files(b).kinds[VFS_STATE], 1);
    }
    /* More than a quarter: a new file, also while a view is open. */
    v = mailbox_view_open(b->acc, box_find(b, "INBOX"), false);
    assert_int_equal(box_flags(b, "INBOX", 100, 400, FLAGS_ADD, MSG_DELETED, NULL), 0);
    assert_int_equal(snapshot_write(b->acc), 0);
    assert_int_equal(count_files(b).kinds[VFS_MBOX], 1);
    assert_int_equal(box_find(b, "INBOX")->file_recs, 497);
    assert_int_equal(box_flags(b, "INBOX", 100, 110, FLAGS_REMOVE, MSG_DELETED, NULL), 0);
    assert_int_equal(box_find(b, "INBOX")->dirty.n, 11);
    assert_int_equal(snapshot_write(b->acc), 0);
    mailbox_view_close(&v);
    box_reopen(b);
    check_box(b);
    assert_int_equal(box_status(b, "INBOX").deleted, 290);
}

static void test_delete_mailbox(void **state)
{
    struct box *b = *state;

    assert_int_equal(box_create(b, "big"), 0);
    append_many(b, "big", 200);
    box_reopen(b);
    assert_int_equal(count_files(b).kinds[VFS_MBOX], 1);
    assert_int_equal(box_delete(b, "big"), 0);
    assert_int_equal(box_create(b, "big"), 0);
    box_reopen(b);
    assert_int_equal(count_files(b).kinds[VFS_MBOX], 0);
    assert_int_equal(box_status(b, "big").messages, 0);
}

/* Writes bytes into a file of the account. */
static void damage(struct box *b, const char *name, off_t off, const char *bytes, size_t len)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", b->dir, name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    if (off < 0)
        off += lseek(fd, 0, SEEK_END);
    assert_int_equal(pwrite(fd, bytes, len, off), (ssize_t)len);
    close(fd);
}

/* A mailbox begins anew (as for an import) after each number of slices of a snapshot. */
static void test_identity_between_slices(void **state)
{
    struct box *b = *state;
    bool over = false;

    for (unsigned slices = 0; !over; slices++) {
        uint32_t validity = 1000 + slices;
        struct uid_range all = {1, UINT32_MAX};
        struct uidset uids = {&all, 1, 1};
        struct txn *t;

        b->acc->small_mailbox = 3;
        b->acc->snapshot_slice = 3;
        append_many(b, "INBOX", 10);
        snapshot_begin(b->acc);
        for (unsigned i = 0; i < slices && b->acc->snapshot != NULL; i++)
            (void)snapshot_slice(b->acc);
        over = b->acc->snapshot == NULL;
        t = txn_begin(b->acc);
        assert_int_equal(txn_expunge(t, box_find(b, "INBOX"), &uids), 0);
        assert_int_equal(box_run(b, t), 0);
        t = txn_begin(b->acc);
        assert_int_equal(txn_identity(t, box_find(b, "INBOX"), validity, 5), 0);
        assert_int_equal(box_run(b, t), 0);
        assert_int_equal(snapshot_finish(b->acc), 0);
        append_many(b, "INBOX", 8);
        assert_int_equal(snapshot_write(b->acc), 0);
        box_reopen(b);
        assert_int_equal(box_status(b, "INBOX").messages, 8);
        assert_int_equal(box_status(b, "INBOX").uidvalidity, validity);
        assert_int_equal(box_status(b, "INBOX").uidnext, 13);
        assert_int_equal(count_files(b).kinds[VFS_MBOX], 1);
        assert_int_equal(box_expunge(b, "INBOX", 1, 12), 0);
    }
}

static void test_damaged_mailbox(void **state)
{
    struct box *b = *state;
    struct mailbox_view *v;
    char name[64];

    append_many(b, "INBOX", 200);
    append_many(b, "Sent", 5);
    assert_int_equal(snapshot_write(b->acc), 0);
    snprintf(name, sizeof(name), "mbox.%u.%08u", box_find(b, "INBOX")->id, box_find(b, "INBOX")->file_num);
    damage(b, name, (off_t)box_find(b, "INBOX")->file_recs * 128 + 9, "XX", 2);
    /* The rest is served, the damaged one can be looked at and not changed, and its file stays. */
    assert_int_equal(box_append(b, "INBOX", MSG, 0), ERR_CORRUPT);
    v = mailbox_view_open(b->acc, box_find(b, "INBOX"), false);
    mailbox_view_close(&v);
    assert_int_equal(box_append(b, "Sent", MSG, 0), 0);
    box_reopen(b);
    assert_int_equal(box_append(b, "INBOX", MSG, 0), ERR_CORRUPT);
    assert_int_equal(box_status(b, "Sent").messages, 6);
    assert_int_equal(count_files(b).kinds[VFS_MBOX], 1);
}

/* The messages that test_slices() flagged and that are still there. */
static unsigned box_flagged(struct box *b, unsigned slices)
{
    struct mailbox *m = box_find(b, "INBOX");
    unsigned n = 0;

    for (uint32_t uid = 1; uid <= 300; uid++) {
        bool flagged = false;

        for (unsigned i = 0; i < slices; i++)
            flagged = flagged || 1 + i * 7 % 280 == uid;
        n += flagged && mailbox_rec_find(m, uid) != NULL;
    }
    return n;
}

/* A mailbox that changes between the slices of its snapshot. */
static void test_slices(void **state)
{
    struct box *b = *state;
    unsigned slices = 0;
    struct mailbox *m;

    b->acc->snapshot_slice = 16;
    append_many(b, "INBOX", 300);
    assert_int_equal(box_create(b, "gone"), 0);
    append_many(b, "gone", 100);
    assert_int_equal(box_expunge(b, "INBOX", 40, 60), 0);
    snapshot_begin(b->acc);
    while (snapshot_slice(b->acc)) {
        uint32_t at = 1 + slices * 7 % 280;

        assert_int_equal(box_flags(b, "INBOX", at, at, FLAGS_ADD, MSG_FLAGGED, NULL), 0);
        if (slices == 3)
            assert_int_equal(box_expunge(b, "INBOX", 10, 10), 0);
        if (slices == 4)
            assert_int_equal(box_expunge(b, "INBOX", 290, 295), 0);
        if (slices == 25)
            assert_int_equal(box_delete(b, "gone"), 0);
        if (slices % 10 == 5)
            append_many(b, "INBOX", 1);
        slices++;
    }
    assert_true(slices > 30);
    assert_null(b->acc->snapshot);
    m = box_find(b, "INBOX");
    assert_true(m->file_num != 0 && m->dirty.n > 0);
    for (int round = 0; round < 2; round++) {
        struct mailbox_view *v = mailbox_view_open(b->acc, box_find(b, "INBOX"), false);
        unsigned flagged = 0;

        assert_null(box_find(b, "gone"));
        assert_int_equal(mailbox_view_seq(v, 10), 0);
        assert_int_equal(mailbox_view_seq(v, 50), 0);
        assert_int_equal(mailbox_view_seq(v, 292), 0);
        for (uint32_t seq = 1; seq <= mailbox_view_count(v); seq++) {
            struct msg_info info;

            mailbox_view_info(v, seq, &info);
            flagged += (info.flags & MSG_FLAGGED) != 0;
        }
        assert_int_equal(flagged, box_flagged(b, slices));
        mailbox_view_close(&v);
        b->acc->damaged = false;
        box_reopen(b);
        m = box_find(b, "INBOX");
        assert_int_equal(mailbox_load(m), 0);
        assert_false(b->acc->damaged);
    }
}

static void test_unfinished_state(void **state)
{
    struct box *b = *state;
    char from[128], to[128];

    append_many(b, "INBOX", 100);
    box_reopen(b);
    append_many(b, "INBOX", 1);
    account_close(&b->acc);
    /* A newer state file without its trailer. */
    snprintf(from, sizeof(from), "%s/lock", b->dir);
    snprintf(to, sizeof(to), "%s/state.00000099", b->dir);
    assert_int_equal(link(from, to), 0);
    assert_int_equal(unlink(from), 0);
    assert_int_equal(box_open(b), 0);
    assert_int_equal(box_status(b, "INBOX").messages, 101);
    assert_int_equal(count_files(b).kinds[VFS_STATE], 1);
}

static void test_newer_version(void **state)
{
    struct box *b = *state;
    char name[64];

    append_many(b, "INBOX", 3);
    account_close(&b->acc);
    snprintf(name, sizeof(name), "log.%08u", 1u);
    box_rm_snapshots(b);
    /* The log's version, and its header's checksum made good again. */
    {
        uint8_t head[64];
        char path[128];
        uint64_t sum;
        int fd;

        snprintf(path, sizeof(path), "%s/%s", b->dir, name);
        fd = open(path, O_RDWR | O_CLOEXEC);
        assert_int_equal(pread(fd, head, 64, 0), 64);
        head[8]++;
        sum = XXH3_64bits(head, 56);
        memcpy(head + 56, &sum, 8);
        assert_int_equal(pwrite(fd, head, 64, 0), 64);
        assert_int_equal(box_open(b), ERR_UNSUPPORTED);
        head[8]--;
        sum = XXH3_64bits(head, 56);
        memcpy(head + 56, &sum, 8);
        assert_int_equal(pwrite(fd, head, 64, 0), 64);
        close(fd);
    }
    assert_int_equal(box_open(b), 0);
    assert_int_equal(box_status(b, "INBOX").messages, 3);
    account_close(&b->acc);
    /* A state file of a later version, whose trailer is nothing that we know: it is not taken for unfinished and removed. */
    for (uint8_t version = SNAPSHOT_VERSION + 1; version >= SNAPSHOT_VERSION; version--) {
        uint8_t bytes[300] = STATE_MAGIC;
        char path[128];
        int fd;

        bytes[8] = version;
        snprintf(path, sizeof(path), "%s/state.%08u", b->dir, 99u);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
        close(fd);
        assert_int_equal(box_open(b), version > SNAPSHOT_VERSION ? ERR_UNSUPPORTED : 0);
        assert_int_equal(access(path, F_OK) == 0, version > SNAPSHOT_VERSION);
    }
    assert_int_equal(box_status(b, "INBOX").messages, 3);
}

/* A message full of what looks like transactions, and the end of the log cut off: what it would cost to look at all of them is
 * not spent, and nothing is cut off for it. */
static void test_hostile_tail(void **state)
{
    struct box *b = *state;
    struct message_source src = {.fd = -1};
    struct append_options opt = {.flags = 0};
    struct buf text;
    struct txn *t;
    char path[128];
    off_t size;
    int fd;

    append_many(b, "INBOX", 3);
    buf_init(&text, (size_t)8 << 20);
    while (buf_len(&text) < (size_t)2 << 20) {
        uint32_t ops_len = ((uint32_t)1 << 20) - (uint32_t)buf_len(&text) / 2;

        buf_put_u32(&text, TXLOG_TXN_MAGIC);
        buf_put_u32(&text, ops_len);
        buf_put_u64(&text, TXLOG_TXN_SIZE + blob_padded(ops_len));
        buf_put_u64(&text, UINT32_MAX);
        buf_put_u64(&text, UINT32_MAX);
        buf_put_u64(&text, 0);
        buf_put_u64(&text, 0);
    }
    src.parts[0] = buf_view(&text);
    t = txn_begin(b->acc);
    assert_int_equal(txn_append(t, box_find(b, "INBOX"), &src, &opt), 0);
    assert_int_equal(box_run(b, t), 0);
    buf_free(&text);
    b->acc->clean = true; /* close without writing */
    b->acc->jump = 0;
    account_close(&b->acc);
    box_rm_snapshots(b);
    snprintf(path, sizeof(path), "%s/log.%08u", b->dir, 1u);
    fd = open(path, O_RDWR | O_CLOEXEC);
    size = lseek(fd, 0, SEEK_END) - 64;
    assert_int_equal(ftruncate(fd, size), 0);
    assert_int_equal(box_open(b), 0);
    assert_true(account_read_only(b->acc));
    assert_int_equal(box_status(b, "INBOX").messages, 3);
    account_close(&b->acc);
    assert_int_equal(lseek(fd, 0, SEEK_END), size);
    close(fd);
    assert_int_equal(box_open(b), 0);
}

/* The only snapshot unreadable, and the log no longer whole: nothing is thrown away. */
static void test_lost_state(void **state)
{
    struct box *b = *state;
    char name[64];

    account_close(&b->acc);
    b->params.segment_max = 2000;
    assert_int_equal(box_open(b), 0);
    for (int i = 0; i < 30; i++)
        append_many(b, "INBOX", 1);
    assert_int_equal(box_expunge(b, "INBOX", 1, 20), 0);
    box_reopen(b);
    assert_int_equal(box_status(b, "INBOX").messages, 10);
    snprintf(name, sizeof(name), "state.%08u", b->acc->state_num);
    b->acc->clean = true;
    account_close(&b->acc);
    damage(b, name, -64, "XX", 2);
    assert_int_equal(box_open(b), ERR_CORRUPT);
    assert_int_equal(count_files(b).kinds[VFS_STATE], 1);
    damage(b, name, -64, "CU", 2);
    assert_int_equal(box_open(b), 0);
    assert_int_equal(box_status(b, "INBOX").messages, 10);
}

/* Any byte of the state file changed: the account opens with all its mail from the log, or says what is wrong; it never crashes.
 */
static void test_damaged_state(void **state)
{
    struct box *b = *state;
    char path[128];
    off_t size;
    int fd;

    append_many(b, "INBOX", 20);
    account_close(&b->acc);
    snprintf(path, sizeof(path), "%s/state.00000001", b->dir);
    fd = open(path, O_RDWR | O_CLOEXEC);
    size = lseek(fd, 0, SEEK_END);
    for (off_t at = 0; at < size; at += 13) {
        uint8_t byte, bad;
        int err;

        assert_int_equal(pread(fd, &byte, 1, at), 1);
        bad = byte ^ 0x21;
        assert_int_equal(pwrite(fd, &bad, 1, at), 1);
        err = box_open(b);
        if (err == 0) {
            struct mailbox_view *v = mailbox_view_open(b->acc, box_find(b, "INBOX"), false);

            assert_true(mailbox_view_count(v) == 20 || box_find(b, "INBOX")->damaged);
            mailbox_view_close(&v);
            b->acc->clean = true; /* close without writing */
            b->acc->jump = 0;
            account_close(&b->acc);
        } else {
            assert_int_equal(err, ERR_CORRUPT);
        }
        if (access(path, F_OK) != 0)
            break; /* taken for unfinished: the log had it all */
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
    assert_int_equal(box_open(b), 0);
    assert_int_equal(box_status(b, "INBOX").messages, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_delta, setup, teardown),
        cmocka_unit_test_setup_teardown(test_delete_mailbox, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slices, setup, teardown),
        cmocka_unit_test_setup_teardown(test_identity_between_slices, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_mailbox, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unfinished_state, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newer_version, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_tail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_state, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_state, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
