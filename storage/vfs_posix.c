/*
 * The account's files in a directory of the local file system. After vfs_posix_open() everything goes through the directory's
 * descriptor with openat2(RESOLVE_BENEATH | NO_SYMLINKS), and what is opened must be a regular file of this user with one link: a
 * link, FIFO or device that somebody planted under one of our names is refused, not followed and not waited for.
 */
#include "storage/vfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/guard.h"

#define NAME_LEN_MAX 48
#define IOV_BATCH 1024 /* IOV_MAX */

/* A mapping, and what watches over it. */
struct posix_map {
    struct posix_map *next;
    void *ptr; /* as the caller knows it */
    struct guard guard;
};
struct posix_vfs {
    struct vfs base;
    struct posix_map *maps;
    int dir;
    int lock_fd;
    uint64_t epoch;
};
struct posix_file {
    struct vfs_file base;
    struct posix_vfs *vfs;
    int fd;
};

static const char *const kind_names[VFS_KIND_COUNT] = {"log", "state", "mbox", "digest"};

void vfs_name_put(struct buf *out, struct vfs_name name)
{
    if (name.kind == VFS_MBOX || name.kind == VFS_DIGEST)
        buf_put_fmt(out, "%s.%u.%08u", kind_names[name.kind], name.id, name.num);
    else
        buf_put_fmt(out, "%s.%08u", kind_names[name.kind], name.num);
}

static void name_format(struct vfs_name name, char out[NAME_LEN_MAX])
{
    struct buf b;

    buf_init(&b, NAME_LEN_MAX);
    vfs_name_put(&b, name);
    buf_put_byte(&b, 0);
    ASSERT(buf_ok(&b));
    memcpy(out, buf_view(&b).ptr, buf_len(&b));
    buf_free(&b);
}

/* The inverse of name_format(); false for any other name. */
static bool name_parse(const char *s, struct vfs_name *out)
{
    char canonical[NAME_LEN_MAX];

    for (unsigned k = 0; k < VFS_KIND_COUNT; k++) {
        struct cursor c = cursor_make(view_str(s));
        struct vfs_name name = {(enum vfs_kind)k, 0, 0};

        if (!cursor_take_view(&c, view_str(kind_names[k])))
            continue;
        cursor_expect(&c, '.');
        if (k == VFS_MBOX || k == VFS_DIGEST) {
            name.id = (uint32_t)cursor_dec(&c, 1, UINT32_MAX);
            cursor_expect(&c, '.');
        }
        name.num = (uint32_t)cursor_dec(&c, 1, UINT32_MAX);
        if (!cursor_done(&c))
            return false;
        name_format(name, canonical);
        *out = name;
        return view_eq(view_str(canonical), view_str(s));
    }
    return false;
}

static int open_beneath(int dir, const char *name, int flags, mode_t mode)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK),
                           .mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode : 0,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    long fd;

    do
        fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));
    while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    return (int)fd;
}

/* Refuses what is not a plain file of our own. */
static int check_regular(int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return err_from_errno(errno);
    if (!S_ISREG(st.st_mode) || st.st_nlink > 1 || st.st_uid != geteuid())
        return ERR_DENIED;
    return 0;
}

static void posix_free(struct vfs *v)
{
    struct posix_vfs *p = (struct posix_vfs *)v;

    if (p->lock_fd >= 0)
        close(p->lock_fd);
    close(p->dir);
    free(p);
}

static int posix_lock(struct vfs *v)
{
    struct posix_vfs *p = (struct posix_vfs *)v;
    int fd, err;

    if (p->lock_fd >= 0)
        return ERR_BUSY;
    fd = open_beneath(p->dir, "lock", O_RDWR | O_CREAT, 0600);
    if (fd < 0)
        return err_from_errno(errno);
    err = check_regular(fd);
    if (err == 0 && flock(fd, LOCK_EX | LOCK_NB) != 0)
        err = errno == EWOULDBLOCK ? ERR_BUSY : err_from_errno(errno);
    if (err != 0) {
        close(fd);
        return err;
    }
    p->lock_fd = fd;
    return 0;
}

static void posix_unlock(struct vfs *v)
{
    struct posix_vfs *p = (struct posix_vfs *)v;

    if (p->lock_fd >= 0)
        close(p->lock_fd);
    p->lock_fd = -1;
}

static void posix_set_epoch(struct vfs *v, uint64_t epoch)
{
    ((struct posix_vfs *)v)->epoch = epoch;
}

static int posix_open(struct vfs *v, struct vfs_name name, enum vfs_mode mode, struct vfs_file **out)
{
    struct posix_vfs *p = (struct posix_vfs *)v;
    char path[NAME_LEN_MAX];
    struct posix_file *f;
    int flags = mode == VFS_READ ? O_RDONLY : mode == VFS_WRITE ? O_RDWR : O_RDWR | O_CREAT | O_EXCL;
    int fd, err;

    name_format(name, path);
    fd = open_beneath(p->dir, path, flags, 0600);
    if (fd < 0)
        return errno == ELOOP ? ERR_DENIED : err_from_errno(errno);
    err = check_regular(fd);
    if (err != 0) {
        close(fd);
        return err;
    }
    f = xcalloc(1, sizeof(*f));
    f->base.ops = v->ops;
    f->vfs = p;
    f->fd = fd;
    *out = &f->base;
    return 0;
}

static void posix_close(struct vfs_file *file)
{
    struct posix_file *f = (struct posix_file *)file;

    close(f->fd);
    free(f);
}

static int posix_size(struct vfs_file *file, uint64_t *out)
{
    struct stat st;

    if (fstat(((struct posix_file *)file)->fd, &st) != 0)
        return err_from_errno(errno);
    *out = (uint64_t)st.st_size;
    return 0;
}

static int posix_read(struct vfs_file *file, uint64_t off, void *data, size_t len)
{
    const struct posix_file *f = (struct posix_file *)file;
    uint8_t *p = data;

    while (len > 0) {
        ssize_t n = pread(f->fd, p, len, (off_t)off);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_from_errno(errno);
        if (n == 0)
            return ERR_CORRUPT;
        p += n;
        off += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

/* Writes a batch of vectors; copies them because a short write moves their starts. */
static int write_vectors(int fd, uint64_t off, const struct iovec *iov, size_t niov)
{
    struct iovec batch[IOV_BATCH];
    size_t n = MIN_OF(niov, (size_t)IOV_BATCH), first = 0;

    memcpy(batch, iov, n * sizeof(*iov));
    while (first < n) {
        ssize_t done = pwritev(fd, batch + first, (int)(n - first), (off_t)off);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_from_errno(errno);
        off += (uint64_t)done;
        while (first < n && (size_t)done >= batch[first].iov_len)
            done -= (ssize_t)batch[first++].iov_len;
        if (first < n) {
            batch[first].iov_base = (uint8_t *)batch[first].iov_base + done;
            batch[first].iov_len -= (size_t)done;
        }
    }
    return 0;
}

static int posix_append(struct vfs_file *file, uint64_t expected, uint64_t epoch, const struct iovec *iov, size_t niov)
{
    const struct posix_file *f = (struct posix_file *)file;
    uint64_t size;
    int err;

    if (epoch != f->vfs->epoch)
        return ERR_DENIED;
    err = posix_size(file, &size);
    if (err != 0)
        return err;
    if (size != expected)
        return ERR_STATE;
    while (niov > 0) {
        size_t n = MIN_OF(niov, (size_t)IOV_BATCH);

        err = write_vectors(f->fd, expected, iov, n);
        if (err != 0)
            return err;
        for (size_t i = 0; i < n; i++)
            expected += iov[i].iov_len;
        iov += n;
        niov -= n;
    }
    return 0;
}

static int posix_truncate(struct vfs_file *file, uint64_t size)
{
    if (ftruncate(((struct posix_file *)file)->fd, (off_t)size) != 0)
        return err_from_errno(errno);
    return 0;
}

static int posix_sync(struct vfs_file *file)
{
    if (fdatasync(((struct posix_file *)file)->fd) != 0)
        return err_from_errno(errno);
    return 0;
}

/* mmap wants page boundaries: the mapping starts at the page that holds off. */
static size_t map_slack(uint64_t off)
{
    return (size_t)(off % (uint64_t)sysconf(_SC_PAGESIZE));
}

static int posix_map(struct vfs_file *file, uint64_t off, size_t len, bool private_write, void **out)
{
    const struct posix_file *f = (struct posix_file *)file;
    size_t slack = map_slack(off);
    struct posix_map *map;
    uint64_t size;
    void *p;
    int err = posix_size(file, &size);

    if (err != 0)
        return err;
    if (len == 0 || off > size || len > size - off)
        return ERR_CORRUPT;
    p = mmap(NULL, len + slack, private_write ? PROT_READ | PROT_WRITE : PROT_READ, private_write ? MAP_PRIVATE : MAP_SHARED,
             f->fd, (off_t)(off - slack));
    if (p == MAP_FAILED)
        return err_from_errno(errno);
    map = xcalloc(1, sizeof(*map));
    map->ptr = (uint8_t *)p + slack;
    map->next = f->vfs->maps;
    f->vfs->maps = map;
    guard_add(&map->guard, p, len + slack);
    *out = map->ptr;
    return 0;
}

static void posix_unmap(struct vfs *v, void *ptr, uint64_t off, size_t len)
{
    struct posix_map **m = &((struct posix_vfs *)v)->maps, *map;
    size_t slack = map_slack(off);

    while ((*m)->ptr != ptr)
        m = &(*m)->next;
    map = *m;
    *m = map->next;
    guard_remove(&map->guard);
    free(map);
    munmap((uint8_t *)ptr - slack, len + slack);
}

static bool posix_map_good(const struct vfs *v, const void *ptr)
{
    const struct posix_map *m = ((const struct posix_vfs *)v)->maps;

    if (!guard_any_failed())
        return true;
    while (m != NULL && m->ptr != ptr)
        m = m->next;
    return m == NULL || !guard_failed(&m->guard);
}

static int posix_remove(struct vfs *v, struct vfs_name name)
{
    char path[NAME_LEN_MAX];

    name_format(name, path);
    if (unlinkat(((struct posix_vfs *)v)->dir, path, 0) != 0 && errno != ENOENT)
        return err_from_errno(errno);
    return 0;
}

static int posix_list(struct vfs *v, bool (*fn)(void *arg, struct vfs_name name), void *arg)
{
    int fd = open_beneath(((struct posix_vfs *)v)->dir, ".", O_RDONLY | O_DIRECTORY, 0);
    struct dirent *e;
    struct vfs_name name;
    DIR *d;
    int err;

    if (fd < 0)
        return err_from_errno(errno);
    d = fdopendir(fd);
    if (d == NULL) {
        err = err_from_errno(errno);
        close(fd);
        return err;
    }
    for (;;) {
        errno = 0;
        e = readdir(d);
        if (e == NULL || (name_parse(e->d_name, &name) && !fn(arg, name)))
            break;
    }
    err = e == NULL && errno != 0 ? err_from_errno(errno) : 0;
    closedir(d);
    return err;
}

static int posix_sync_dir(struct vfs *v)
{
    return fsync(((struct posix_vfs *)v)->dir) != 0 ? err_from_errno(errno) : 0;
}

static int posix_spool(struct vfs *v, int *fd_out)
{
    int fd = open_beneath(((struct posix_vfs *)v)->dir, ".", O_RDWR | O_TMPFILE, 0600);

    if (fd < 0)
        return err_from_errno(errno);
    *fd_out = fd;
    return 0;
}

static int posix_fd(const struct vfs_file *file)
{
    return ((const struct posix_file *)file)->fd;
}

static const struct vfs_ops posix_ops = {
    .free = posix_free,
    .lock = posix_lock,
    .unlock = posix_unlock,
    .set_epoch = posix_set_epoch,
    .open = posix_open,
    .close = posix_close,
    .size = posix_size,
    .read = posix_read,
    .append = posix_append,
    .truncate = posix_truncate,
    .sync = posix_sync,
    .map = posix_map,
    .unmap = posix_unmap,
    .map_good = posix_map_good,
    .remove = posix_remove,
    .list = posix_list,
    .sync_dir = posix_sync_dir,
    .spool = posix_spool,
    .fd = posix_fd,
};

/* A new directory's name is durable when the directory above is synced: mail in it must not vanish with it. */
static int sync_parent(const char *path)
{
    char *parent = xstrdup(path), *slash = strrchr(parent, '/');
    int fd, err = 0;

    if (slash != NULL)
        slash[slash == parent ? 1 : 0] = '\0';
    fd = open(slash != NULL ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Where it cannot be read it cannot be synced: what is above a user's home is not ours to worry about. */
    if (fd < 0)
        err = errno == EACCES ? 0 : err_from_errno(errno);
    else if (fsync(fd) != 0)
        err = err_from_errno(errno);
    if (fd >= 0)
        close(fd);
    free(parent);
    return err;
}

/* Makes the directory and those above it that are missing. */
static int make_dirs(const char *path)
{
    char *copy = xstrdup(path);
    int err = 0;

    for (char *p = copy + 1; err == 0; p++) {
        bool end = *p == '\0';

        if (!end && *p != '/')
            continue;
        *p = '\0';
        if (mkdir(copy, 0700) == 0) {
            err = sync_parent(copy);
        } else if (errno != EEXIST) {
            struct stat st;
            int saved = errno;

            /* A parent that we may not write to is no error when it is there. */
            if (stat(copy, &st) != 0 || !S_ISDIR(st.st_mode))
                err = err_from_errno(saved);
        }
        if (end)
            break;
        *p = '/';
    }
    free(copy);
    return err;
}

int vfs_posix_open(const char *path, struct vfs **out)
{
    struct posix_vfs *p;
    int dir, err;

    if (path[0] == '\0')
        return ERR_SYNTAX;
    dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 && errno == ENOENT) {
        err = make_dirs(path);
        if (err != 0)
            return err;
        dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (dir < 0)
        return err_from_errno(errno);
    p = xcalloc(1, sizeof(*p));
    p->base.ops = &posix_ops;
    p->dir = dir;
    p->lock_fd = -1;
    *out = &p->base;
    return 0;
}

void vfs_free(struct vfs **v)
{
    if (*v != NULL)
        (*v)->ops->free(*v);
    *v = NULL;
}
