/* The directory of an account: what is refused, whatever is planted in it. */
#include "storage_helper.h"

#include <sys/stat.h>

#include "common/base/mem.h"

static const struct vfs_name log_7 = {VFS_LOG, 0, 7};

static int setup(void **state)
{
    struct box *b = calloc(1, sizeof(*b));

    box_init(b);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    box_free(*state);
    free(*state);
    return 0;
}

static void test_append(void **state)
{
    struct box *b = *state;
    char hello[] = "hello ", world[] = "world";
    struct iovec iov[2] = {{hello, 6}, {world, 5}};
    struct vfs_file *f, *again;
    char text[16];
    void *map;

    vfs_set_epoch(b->vfs, 3);
    assert_int_equal(vfs_file_open(b->vfs, log_7, VFS_READ, &f), ERR_NOTFOUND);
    assert_int_equal(vfs_file_open(b->vfs, log_7, VFS_CREATE, &f), 0);
    assert_int_equal(vfs_file_open(b->vfs, log_7, VFS_CREATE, &again), ERR_EXISTS);
    assert_int_equal(vfs_append(f, 0, 2, iov, 2), ERR_DENIED);
    assert_int_equal(vfs_append(f, 1, 3, iov, 2), ERR_STATE);
    assert_int_equal(vfs_append(f, 0, 3, iov, 2), 0);
    assert_int_equal(vfs_append(f, 0, 3, iov, 2), ERR_STATE);
    assert_int_equal(vfs_read(f, 6, text, 5), 0);
    assert_memory_equal(text, "world", 5);
    assert_int_equal(vfs_read(f, 6, text, 6), ERR_CORRUPT);
    assert_int_equal(vfs_map(f, 3, 9, false, &map), ERR_CORRUPT);
    assert_int_equal(vfs_map(f, 3, 8, true, &map), 0);
    assert_memory_equal(map, "lo world", 8);
    ((char *)map)[0] = 'X';
    vfs_unmap(b->vfs, map, 3, 8);
    assert_int_equal(vfs_read(f, 3, text, 1), 0);
    assert_int_equal(text[0], 'l');
    assert_int_equal(vfs_truncate(f, 5), 0);
    assert_int_equal(vfs_append(f, 5, 3, iov + 1, 1), 0);
    assert_int_equal(vfs_sync(f), 0);
    assert_int_equal(vfs_sync_dir(b->vfs), 0);
    vfs_file_close(&f);
    assert_int_equal(vfs_remove(b->vfs, log_7), 0);
    assert_int_equal(vfs_remove(b->vfs, log_7), 0);
}

/* More vectors than one call takes. */
static void test_many_vectors(void **state)
{
    struct box *b = *state;
    struct iovec *iov = calloc(5000, sizeof(*iov));
    char digits[] = "0123456789";
    struct vfs_file *f;
    uint64_t size;

    for (int i = 0; i < 5000; i++)
        iov[i] = (struct iovec){digits, (size_t)(1 + i % 10)};
    assert_int_equal(vfs_file_open(b->vfs, log_7, VFS_CREATE, &f), 0);
    assert_int_equal(vfs_append(f, 0, 0, iov, 5000), 0);
    assert_int_equal(vfs_size(f, &size), 0);
    assert_int_equal(size, 500 * 55);
    vfs_file_close(&f);
    free(iov);
}

static void planted(struct box *b, char *path, size_t len)
{
    snprintf(path, len, "%s/log.00000007", b->dir);
}

static void test_planted(void **state)
{
    struct box *b = *state;
    char path[128], other[128];
    struct vfs_file *f;
    int fd;

    planted(b, path, sizeof(path));
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(vfs_file_open(b->vfs, log_7, VFS_READ, &f), ERR_DENIED);
    assert_int_equal(vfs_file_open(b->vfs, log_7, VFS_CREATE, &f), ERR_EXISTS);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(vfs_file_open(b->vfs, log_7, VFS_READ, &f), ERR_DENIED);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_true(vfs_file_open(b->vfs, log_7, VFS_READ, &f) != 0);
    assert_int_equal(rmdir(path), 0);
    snprintf(other, sizeof(other), "%s/elsewhere", b->dir);
    fd = open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    close(fd);
    assert_int_equal(link(other, path), 0);
    assert_int_equal(vfs_file_open(b->vfs, log_7, VFS_WRITE, &f), ERR_DENIED);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(other), 0);
}

static bool only_ours(void *arg, struct vfs_name name)
{
    assert_true(name.kind == VFS_MBOX && name.id == 12 && name.num == 34);
    ++*(int *)arg;
    return true;
}

static void test_list(void **state)
{
    struct box *b = *state;
    static const char *const names[] = {
        "log.1",           "log.",          "log.0000000a",  "log.00000000", "mbox.12.34",      "mbox.012.00000034",
        "state.00000001x", "mbox.00000034", "log.00000001.", "LOG.00000001", "state.4294967296"};
    char path[160];
    int n = 0;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", b->dir, names[i]);
        close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    }
    snprintf(path, sizeof(path), "%s/mbox.12.00000034", b->dir);
    close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    assert_int_equal(vfs_list(b->vfs, only_ours, &n), 0);
    assert_int_equal(n, 1);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", b->dir, names[i]);
        assert_int_equal(unlink(path), 0);
    }
}

static void test_lock_spool(void **state)
{
    struct box *b = *state;
    struct vfs *second;
    struct stat st;
    char path[128];
    int fd;

    assert_int_equal(vfs_posix_open(b->dir, &second), 0);
    assert_int_equal(vfs_lock(b->vfs), 0);
    assert_int_equal(vfs_lock(second), ERR_BUSY);
    vfs_unlock(b->vfs);
    assert_int_equal(vfs_lock(second), 0);
    vfs_free(&second);
    assert_int_equal(vfs_spool(b->vfs, &fd), 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_nlink, 0);
    close(fd);
    /* Missing directories are made, for their owner only. */
    snprintf(path, sizeof(path), "%s/a/b/c", b->dir);
    assert_int_equal(vfs_posix_open(path, &second), 0);
    vfs_free(&second);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    rmdir(path);
    path[strlen(path) - 2] = 0;
    rmdir(path);
    path[strlen(path) - 2] = 0;
    rmdir(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_append, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_vectors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_planted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lock_spool, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
