/* Mapped files whose pages cannot be had: an error for what was read, and the process lives. */
#include "storage_helper.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "storage/account_int.h"
#include "storage/guard.h"

#define LARGE ((size_t)3 << 20)

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

static char *large_message(void)
{
    char *text = malloc(LARGE + 1);

    memset(text, 'x', LARGE);
    memcpy(text, "Subject: large\r\n\r\n", 18);
    text[LARGE] = 0;
    return text;
}

/* A file of the account becomes this long behind the account's back. */
static void cut_file(const struct box *b, struct vfs_name name, off_t len)
{
    char path[256];
    struct buf n;

    buf_init(&n, 100);
    vfs_name_put(&n, name);
    snprintf(path, sizeof(path), "%s/%.*s", b->dir, (int)buf_len(&n), (const char *)buf_view(&n).ptr);
    buf_free(&n);
    assert_int_equal(truncate(path, len), 0);
}

static void test_guard(void **state)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int fd = memfd_create("guard", MFD_CLOEXEC);
    struct guard first = {0}, second = {0};
    volatile char *p, *q;

    (void)state;
    assert_int_equal(ftruncate(fd, (off_t)page), 0);
    p = mmap(NULL, 3 * page, PROT_READ, MAP_SHARED, fd, 0);
    q = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    guard_add(&first, (void *)(uintptr_t)p, 3 * page);
    guard_add(&second, (void *)(uintptr_t)q, 3 * page);
    assert_int_equal(p[page - 1], 0);
    assert_false(guard_any_failed());
    q[2 * page + 7] = 1; /* written to: the page is there then */
    assert_true(guard_failed(&second) && !guard_failed(&first) && guard_any_failed());
    assert_int_equal(q[2 * page + 7], 1);
    assert_int_equal(p[page], 0);
    assert_true(guard_failed(&first));
    guard_remove(&first);
    guard_remove(&second);
    munmap((void *)(uintptr_t)p, 3 * page);
    munmap((void *)(uintptr_t)q, 3 * page);
    close(fd);
}

/* What nobody guards ends the process. */
static void test_unguarded(void **state)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int fd = memfd_create("guard", MFD_CLOEXEC), status;
    struct guard g = {0};
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        volatile char *p = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);

        guard_add(&g, &g, 1);
        guard_remove(&g);
        _exit(p[0]);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    close(fd);
}

static void test_message(void **state)
{
    struct box *b = *state;
    char *text = large_message();
    struct mailbox_view *v;
    struct msg_data d, again;
    uint32_t seg;

    assert_int_equal(box_append(b, "INBOX", text, 0), 0);
    seg = b->acc->log.active->num;
    v = mailbox_view_open(b->acc, box_find(b, "INBOX"), false);
    check_bytes(v, 1, text);
    assert_int_equal(mailbox_view_data(v, 1, &d), 0);
    assert_true(msg_data_good(&d));
    cut_file(b, (struct vfs_name){VFS_LOG, 0, seg}, 100000);
    assert_int_equal(d.bytes.ptr[2000000], 0);
    assert_false(msg_data_good(&d));
    assert_int_not_equal(mailbox_view_data(v, 1, &again), 0);
    msg_data_close(&d);
    mailbox_view_close(&v);
    free(text);
}

static void test_mailbox_file(void **state)
{
    struct box *b = *state;
    struct mailbox *m;

    b->acc->small_mailbox = 0;
    assert_int_equal(box_create(b, "other"), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(box_append(b, "INBOX", "Subject: a\r\n\r\nx", 0), 0);
    assert_int_equal(snapshot_write(b->acc), 0);
    box_reopen(b);
    m = box_find(b, "INBOX");
    assert_int_equal(mailbox_load(m), 0);
    assert_true(m->file_num != 0 && m->nbase == 100);
    cut_file(b, (struct vfs_name){VFS_MBOX, m->id, m->file_num}, 4096);
    assert_int_equal(box_flags(b, "INBOX", 1, 100, FLAGS_ADD, MSG_SEEN, NULL), 0);
    /* Found out by now: no more changes, no snapshot of it; the rest goes on. */
    assert_int_equal(box_flags(b, "INBOX", 1, 1, FLAGS_ADD, MSG_FLAGGED, NULL), ERR_CORRUPT);
    assert_int_equal(box_append(b, "other", "Subject: b\r\n\r\ny", 0), 0);
    assert_false(snapshot_due(b->acc) || snapshot_worth(b->acc));
}

static bool never_good(const struct vfs *v, const void *ptr)
{
    (void)v;
    (void)ptr;
    return false;
}

/* The log cannot be read at the open: nothing is cut off for it, and all is there when it can be read again. */
static void test_log(void **state)
{
    struct box *b = *state;
    const struct vfs_ops *good = b->vfs->ops;
    struct vfs_ops bad = *good;

    bad.map_good = never_good;
    assert_int_equal(box_append(b, "INBOX", "Subject: a\r\n\r\nx", 0), 0);
    account_close(&b->acc);
    box_rm_snapshots(b);
    b->vfs->ops = &bad;
    assert_int_equal(box_open(b), 0);
    assert_true(account_read_only(b->acc));
    assert_int_equal(box_append(b, "INBOX", "Subject: b\r\n\r\ny", 0), ERR_IO);
    account_close(&b->acc);
    b->vfs->ops = good;
    assert_int_equal(box_open(b), 0);
    assert_false(account_read_only(b->acc));
    assert_int_equal(box_status(b, "INBOX").messages, 1);
    assert_int_equal(box_append(b, "INBOX", "Subject: b\r\n\r\ny", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_unguarded),
        cmocka_unit_test_setup_teardown(test_message, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mailbox_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
