/*
 * The kernel's files under a Maildir. Directories are opened from the Maildir's own descriptor with openat2(RESOLVE_BENEATH |
 * NO_SYMLINKS), files from their directory's by a single name, so a link that somebody planted is refused wherever it stands, and
 * nothing can lead outside.
 */
#include "storage/maildir_disk_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log/log.h"

static int disk_open(struct md_disk *d, int dir, const char *path, int flags, mode_t mode)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK),
                           .mode = (flags & O_CREAT) != 0 ? mode : 0,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    long fd;

    (void)d;
    do
        fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
    while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    return (int)fd;
}

static int disk_close(struct md_disk *d, int fd)
{
    (void)d;
    return close(fd);
}

static ssize_t disk_read(struct md_disk *d, int fd, void *to, size_t len, uint64_t off)
{
    ssize_t n;

    (void)d;
    do
        n = pread(fd, to, len, (off_t)off);
    while (n < 0 && errno == EINTR);
    return n;
}

static ssize_t disk_write(struct md_disk *d, int fd, const void *from, size_t len)
{
    ssize_t n;

    (void)d;
    do
        n = write(fd, from, len);
    while (n < 0 && errno == EINTR);
    return n;
}

static int disk_sync(struct md_disk *d, int fd)
{
    (void)d;
    return fsync(fd);
}

static int disk_set_mtime(struct md_disk *d, int fd, int64_t seconds)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = (time_t)seconds}};

    (void)d;
    return futimens(fd, times);
}

static int disk_stat(struct md_disk *d, int dir, const char *name, struct stat *out)
{
    (void)d;
    return fstatat(dir, name, out, AT_SYMLINK_NOFOLLOW);
}

static int disk_fstat(struct md_disk *d, int fd, struct stat *out)
{
    (void)d;
    return fstat(fd, out);
}

static int disk_list(struct md_disk *d, int dir, bool (*fn)(void *arg, const char *name), void *arg)
{
    int fd = disk_open(d, dir, ".", O_RDONLY | O_DIRECTORY, 0), err;
    struct dirent *e;
    DIR *list;

    if (fd < 0)
        return -1;
    list = fdopendir(fd);
    if (list == NULL) {
        err = errno;
        close(fd);
        errno = err;
        return -1;
    }
    do {
        errno = 0;
        e = readdir(list);
    } while (e != NULL && fn(arg, e->d_name));
    err = e == NULL ? errno : 0;
    closedir(list);
    errno = err;
    return err != 0 ? -1 : 0;
}

static int disk_mkdir(struct md_disk *d, int dir, const char *name)
{
    (void)d;
    return mkdirat(dir, name, 0700);
}

static int disk_link(struct md_disk *d, int from_dir, const char *from, int to_dir, const char *to)
{
    (void)d;
    return linkat(from_dir, from, to_dir, to, 0);
}

static int disk_rename(struct md_disk *d, int from_dir, const char *from, int to_dir, const char *to, bool replace)
{
    struct stat st;

    (void)d;
    if (replace)
        return renameat(from_dir, from, to_dir, to);
    if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    /* A file system that cannot promise it; names are unique all the same. */
    if (fstatat(to_dir, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return renameat(from_dir, from, to_dir, to);
}

static int disk_unlink(struct md_disk *d, int dir, const char *name, int flags)
{
    (void)d;
    return unlinkat(dir, name, flags);
}

static int disk_notify(struct md_disk *d)
{
    (void)d;
    return inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
}

static void disk_stamp(struct md_disk *d, struct timespec *now, int *pid)
{
    (void)d;
    if (clock_gettime(CLOCK_REALTIME, now) != 0)
        PANIC("no clock");
    *pid = (int)getpid();
}

static int disk_sendable(struct md_disk *d, int fd)
{
    (void)d;
    return fd;
}

struct md_disk *md_disk_kernel(void)
{
    static const struct md_disk_ops ops = {
        .open = disk_open,
        .close = disk_close,
        .read = disk_read,
        .write = disk_write,
        .sync = disk_sync,
        .set_mtime = disk_set_mtime,
        .stat = disk_stat,
        .fstat = disk_fstat,
        .list = disk_list,
        .mkdir = disk_mkdir,
        .link = disk_link,
        .rename = disk_rename,
        .unlink = disk_unlink,
        .notify = disk_notify,
        .stamp = disk_stamp,
        .sendable = disk_sendable,
    };
    static struct md_disk disk = {&ops};

    return &disk;
}
