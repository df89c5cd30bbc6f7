/*
 * The system calls that the files of a Maildir take, one level of table: maildir_disk.c is the kernel's, maildir_sim.c a disk in
 * memory that crashes. Results are those of the calls they are named after: 0, a number or -1, and errno. Descriptors belong to
 * the disk that gave them.
 */
#ifndef CULVER_STORAGE_MAILDIR_DISK_INT_H
#define CULVER_STORAGE_MAILDIR_DISK_INT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

struct md_disk;
struct md_disk_ops {
    /* Below dir and through no link, whatever stands there. */
    int (*open)(struct md_disk *d, int dir, const char *path, int flags, mode_t mode);
    int (*close)(struct md_disk *d, int fd);
    ssize_t (*read)(struct md_disk *d, int fd, void *to, size_t len, uint64_t off);
    ssize_t (*write)(struct md_disk *d, int fd, const void *from, size_t len);
    int (*sync)(struct md_disk *d, int fd);
    int (*set_mtime)(struct md_disk *d, int fd, int64_t seconds);
    int (*stat)(struct md_disk *d, int dir, const char *name, struct stat *out);
    int (*fstat)(struct md_disk *d, int fd, struct stat *out);
    int (*list)(struct md_disk *d, int dir, bool (*fn)(void *arg, const char *name), void *arg);
    int (*mkdir)(struct md_disk *d, int dir, const char *name);
    int (*link)(struct md_disk *d, int from_dir, const char *from, int to_dir, const char *to);
    /* replace false: EEXIST where there is something called `to`. */
    int (*rename)(struct md_disk *d, int from_dir, const char *from, int to_dir, const char *to, bool replace);
    int (*unlink)(struct md_disk *d, int dir, const char *name, int flags);
    /* An inotify instance; -1: there is none, times of directories tell. */
    int (*notify)(struct md_disk *d);
    /* What makes names unique, besides a counter. */
    void (*stamp)(struct md_disk *d, struct timespec *now, int *pid);
    /* Takes over fd and gives one that the kernel can send the file from, or -1. */
    int (*sendable)(struct md_disk *d, int fd);
};
/* Implementations embed this as their first member. */
struct md_disk {
    const struct md_disk_ops *ops;
};
struct md_disk *md_disk_kernel(void);

static inline int md_open(struct md_disk *d, int dir, const char *path, int flags, mode_t mode)
{
    return d->ops->open(d, dir, path, flags, mode);
}
static inline int md_close(struct md_disk *d, int fd)
{
    return d->ops->close(d, fd);
}
/* What stands there itself, where it is a link. */
static inline int md_stat(struct md_disk *d, int dir, const char *name, struct stat *out)
{
    return d->ops->stat(d, dir, name, out);
}
static inline int md_unlink(struct md_disk *d, int dir, const char *name, int flags)
{
    return d->ops->unlink(d, dir, name, flags);
}

#endif
