/* The files of a Maildir. Every path starts from the Maildir's own descriptor (maildir_disk.c); files are opened without blocking
 * and must be regular. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/maildir_int.h"

#define COPY_MAX ((size_t)1 << 30)

static int open_error(int errnum)
{
    return errnum == ELOOP || errnum == ENOTDIR || errnum == EXDEV || errnum == ENXIO ? ERR_DENIED : err_from_errno(errnum);
}

void md_path(const char *dir, enum md_place place, char *out, size_t size)
{
    static const char *const names[MD_PLACES] = {"new", "cur", "tmp", "."};
    struct buf b;

    buf_init(&b, size);
    buf_put_str(&b, dir);
    if (dir[0] != '\0' && place != MD_SELF)
        buf_put_byte(&b, '/');
    if (dir[0] == '\0' || place != MD_SELF)
        buf_put_str(&b, names[place]);
    buf_put_byte(&b, 0);
    ASSERT(buf_ok(&b));
    memcpy(out, buf_view(&b).ptr, buf_len(&b));
    buf_free(&b);
}

int md_dir_open(const struct maildir *md, const char *dir, enum md_place place, int *fd_out)
{
    char path[MD_NAME_MAX + 16];
    int fd;

    md_path(dir, place, path, sizeof(path));
    fd = md_open(md->disk, md->root, path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return open_error(errno);
    *fd_out = fd;
    return 0;
}

int md_file_open(const struct maildir *md, int dirfd, const char *name, int *fd_out, struct stat *st_out)
{
    struct stat st;
    int fd = md_open(md->disk, dirfd, name, O_RDONLY | O_NOCTTY, 0);
    int err = 0;

    if (fd < 0)
        return open_error(errno);
    if (md->disk->ops->fstat(md->disk, fd, &st) != 0)
        err = err_from_errno(errno);
    else if (!S_ISREG(st.st_mode))
        err = ERR_DENIED;
    if (err != 0) {
        (void)md_close(md->disk, fd);
        return err;
    }
    *st_out = st;
    *fd_out = fd;
    return 0;
}

int md_dir_list(const struct maildir *md, int dirfd, bool (*fn)(void *arg, const char *name), void *arg)
{
    return md->disk->ops->list(md->disk, dirfd, fn, arg) != 0 ? err_from_errno(errno) : 0;
}

static int read_all(const struct maildir *md, int fd, size_t size, struct buf *out)
{
    size_t left = size;

    while (left > 0) {
        uint8_t *p = buf_reserve(out, left);
        ssize_t n;

        if (p == NULL)
            return ERR_NOMEM;
        n = md->disk->ops->read(md->disk, fd, p, left, size - left);
        if (n < 0)
            return err_from_errno(errno);
        if (n == 0)
            break; /* somebody made it shorter */
        buf_commit(out, (size_t)n);
        left -= (size_t)n;
    }
    return 0;
}

int md_file_read(const struct maildir *md, int dirfd, const char *name, size_t max, struct buf *out)
{
    struct stat st;
    int fd, err = md_file_open(md, dirfd, name, &fd, &st);

    buf_init(out, max + 1);
    if (err != 0)
        return err;
    err = (uint64_t)st.st_size > max ? ERR_LIMIT : read_all(md, fd, (size_t)st.st_size, out);
    (void)md_close(md->disk, fd);
    if (err != 0)
        buf_free(out);
    return err;
}

static int write_all(const struct maildir *md, int fd, struct view bytes)
{
    while (bytes.len > 0) {
        ssize_t n = md->disk->ops->write(md->disk, fd, bytes.ptr, bytes.len);

        if (n < 0)
            return err_from_errno(errno);
        bytes = view_sub(bytes, (size_t)n, bytes.len);
    }
    return 0;
}

int md_file_write(const struct maildir *md, int dirfd, const char *name, struct view bytes, int64_t mtime)
{
    int fd = md_open(md->disk, dirfd, name, O_WRONLY | O_CREAT | O_EXCL, 0600), err;

    if (fd < 0)
        return open_error(errno);
    err = write_all(md, fd, bytes);
    /* Other programs take the time of the file for that of the message; not to be able to set it is no reason to lose the
     * message. */
    if (err == 0 && mtime != 0 && md->disk->ops->set_mtime(md->disk, fd, mtime) != 0)
        LOG_DEBUG(0, "cannot set the time of a file", F_ERRNO(errno));
    if (err == 0 && md->disk->ops->sync(md->disk, fd) != 0)
        err = err_from_errno(errno);
    if (md_close(md->disk, fd) != 0 && err == 0)
        err = err_from_errno(errno);
    if (err != 0)
        (void)md_unlink(md->disk, dirfd, name, 0); /* what could not be written is of no use; at worst it is left in tmp */
    return err;
}

int md_file_replace(const struct maildir *md, int dirfd, const char *name, struct view bytes)
{
    char temp[MD_NAME_MAX + 1];
    struct buf b;
    int err;

    buf_init(&b, sizeof(temp) - 1);
    buf_put_str(&b, name);
    buf_put_str(&b, ".culver");
    if (!buf_ok(&b)) {
        buf_free(&b);
        return ERR_LIMIT;
    }
    memset(temp, 0, sizeof(temp));
    memcpy(temp, buf_view(&b).ptr, buf_len(&b));
    buf_free(&b);
    if (md_unlink(md->disk, dirfd, temp, 0) != 0 && errno != ENOENT)
        return err_from_errno(errno);
    err = md_file_write(md, dirfd, temp, bytes, 0);
    if (err == 0 && md->disk->ops->rename(md->disk, dirfd, temp, dirfd, name, true) != 0)
        err = err_from_errno(errno);
    if (err == 0 && md->disk->ops->sync(md->disk, dirfd) != 0)
        err = err_from_errno(errno);
    return err;
}

int md_rename(const struct maildir *md, int from_dir, const char *from, int to_dir, const char *to)
{
    return md->disk->ops->rename(md->disk, from_dir, from, to_dir, to, false);
}

/* The same inode where the file system can, else a copy. */
int md_link(const struct maildir *md, int from_dir, const char *from, int to_dir, const char *to)
{
    struct stat st = {0};
    struct buf b;
    int fd = -1, err;

    /* The name must be a file now; that another takes its place meanwhile would at most link that, within the Maildir. */
    err = md_file_open(md, from_dir, from, &fd, &st);
    if (err != 0)
        return err;
    if (md->disk->ops->link(md->disk, from_dir, from, to_dir, to) == 0) {
        (void)md_close(md->disk, fd);
        return 0;
    }
    if (errno != EPERM && errno != EXDEV && errno != EMLINK && errno != EOPNOTSUPP && errno != EACCES) {
        err = err_from_errno(errno);
        (void)md_close(md->disk, fd);
        return err;
    }
    (void)md_close(md->disk, fd);
    err = md_file_read(md, from_dir, from, COPY_MAX, &b);
    if (err == 0) {
        err = md_file_write(md, to_dir, to, buf_view(&b), st.st_mtim.tv_sec);
        buf_free(&b);
    }
    return err;
}

int md_sync(const struct maildir *md, const char *dir, enum md_place place)
{
    int fd = -1, err = md_dir_open(md, dir, place, &fd);

    if (err != 0)
        return err;
    if (md->disk->ops->sync(md->disk, fd) != 0)
        err = err_from_errno(errno);
    (void)md_close(md->disk, fd);
    return err;
}

static int make_dir(const struct maildir *md, int dirfd, const char *name)
{
    return md->disk->ops->mkdir(md->disk, dirfd, name) == 0 || errno == EEXIST ? 0 : err_from_errno(errno);
}

int md_box_make(const struct maildir *md, const char *dir)
{
    static const char *const places[] = {"tmp", "new", "cur"};
    int fd = -1, err = dir[0] != '\0' ? make_dir(md, md->root, dir) : 0;

    if (err == 0)
        err = md_dir_open(md, dir, MD_SELF, &fd);
    if (err != 0)
        return err;
    for (size_t i = 0; i < ARRAY_LEN(places) && err == 0; i++)
        err = make_dir(md, fd, places[i]);
    if (err == 0 && dir[0] != '\0') {
        /* By this file other programs know a folder from a Maildir of its own. */
        int marker = md_open(md->disk, fd, "maildirfolder", O_WRONLY | O_CREAT, 0600);

        if (marker >= 0)
            (void)md_close(md->disk, marker);
        else
            err = open_error(errno);
    }
    if (err == 0 && (md->disk->ops->sync(md->disk, fd) != 0 || md->disk->ops->sync(md->disk, md->root) != 0))
        err = err_from_errno(errno);
    (void)md_close(md->disk, fd);
    return err;
}

int md_ident_read(const struct maildir *md, const char *dir, struct md_ident *out)
{
    struct buf b;
    int fd = -1, err = md_dir_open(md, dir, MD_SELF, &fd);

    if (err != 0)
        return err;
    err = md_file_read(md, fd, MD_IDENT, 256, &b);
    (void)md_close(md->disk, fd);
    if (err != 0)
        return err;
    err = md_ident_parse(buf_view(&b), out) ? 0 : ERR_SYNTAX;
    buf_free(&b);
    return err;
}

int md_ident_write(const struct maildir *md, const char *dir, const struct md_ident *id)
{
    struct buf b;
    int fd = -1, err = md_dir_open(md, dir, MD_SELF, &fd);

    if (err != 0)
        return err;
    buf_init(&b, 256);
    md_ident_put(&b, id);
    err = md_file_replace(md, fd, MD_IDENT, buf_view(&b));
    buf_free(&b);
    (void)md_close(md->disk, fd);
    return err;
}

char *md_unique(struct maildir *md, uint64_t file_size, uint64_t size)
{
    struct timespec ts;
    struct buf b;
    char *name;
    int pid;

    md->disk->ops->stamp(md->disk, &ts, &pid);
    buf_init(&b, MD_NAME_MAX);
    buf_put_fmt(&b, "%lld.M%ldP%dQ%u.%s,S=%llu,W=%llu", (long long)ts.tv_sec, ts.tv_nsec / 1000, pid, ++md->counter, md->host,
                (unsigned long long)file_size, (unsigned long long)size);
    ASSERT(buf_ok(&b));
    name = view_dup(buf_view(&b));
    buf_free(&b);
    return name;
}

char *md_unique_like(struct maildir *md, const char *name)
{
    struct view v = view_str(name), info = view_sub(v, view_find(v, ':'), v.len);
    char *base = md_unique(md, 0, 0), *out;
    struct buf b;

    buf_init(&b, MD_NAME_MAX);
    /* Its sizes are not those of the old one, and not known here. */
    buf_put_view(&b, view_sub(view_str(base), 0, view_find(view_str(base), ',')));
    buf_put_view(&b, info);
    out = buf_ok(&b) ? view_dup(buf_view(&b)) : NULL;
    buf_free(&b);
    free(base);
    return out;
}

struct maildir *md_new(struct md_disk *disk, int root, char *host)
{
    struct maildir *md = xcalloc(1, sizeof(*md));

    md->disk = disk;
    md->root = root;
    md->inotify = -1;
    md->host = host;
    return md;
}

/* The machine's name as it may stand in a file name. */
static char *host_name(void)
{
    struct utsname u;
    char *name;

    if (uname(&u) != 0 || u.nodename[0] == '\0')
        return xstrdup("localhost");
    name = view_dup(view_sub(view_str(u.nodename), 0, 64));
    for (char *p = name; *p != '\0'; p++) {
        bool good = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '-' || *p == '.';

        if (!good)
            *p = '_';
    }
    return name;
}

int maildir_open(const char *path, struct maildir **out, struct vfs **vfs_out)
{
    struct vfs *vfs = NULL;
    struct buf log_path;
    char *p;
    int err, root;

    buf_init(&log_path, PATH_MAX);
    buf_put_fmt(&log_path, "%s/%s", path, MD_LOG_DIR);
    if (!buf_ok(&log_path)) {
        buf_free(&log_path);
        return ERR_LIMIT;
    }
    p = view_dup(buf_view(&log_path));
    buf_free(&log_path);
    err = vfs_posix_open(p, &vfs);
    free(p);
    if (err != 0)
        return err;
    root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        err = err_from_errno(errno);
        vfs_free(&vfs);
        return err;
    }
    *out = md_new(md_disk_kernel(), root, host_name());
    *vfs_out = vfs;
    return 0;
}

void maildir_free(struct maildir **md)
{
    if (*md == NULL)
        return;
    (void)md_close((*md)->disk, (*md)->root);
    free((*md)->host);
    free(*md);
    *md = NULL;
}
