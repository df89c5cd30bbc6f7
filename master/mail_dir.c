/*
 * Every step is openat(O_NOFOLLOW | O_DIRECTORY) relative to the folder before, so what another user does to the names meanwhile
 * cannot lead the walk elsewhere: it only ever holds descriptors whose owner it has checked.
 */
#include "master/mail_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/view.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)

/* One name of the path, NUL-terminated, and whether it is the last. */
struct step {
    char name[256];
    bool last;
};

/* Takes the next name off *rest. ERR_SYNTAX for what may not stand in a path. */
static int step_take(struct view *rest, struct step *step)
{
    size_t len;

    while (rest->len > 0 && rest->ptr[0] == '/')
        *rest = view_sub(*rest, 1, rest->len);
    len = view_find(*rest, '/');
    if (len == 0 || len >= sizeof(step->name) || memchr(rest->ptr, '\0', len) != NULL)
        return ERR_SYNTAX;
    memcpy(step->name, rest->ptr, len);
    step->name[len] = '\0';
    if (strcmp(step->name, ".") == 0 || strcmp(step->name, "..") == 0)
        return ERR_SYNTAX;
    *rest = view_sub(*rest, len, rest->len);
    while (rest->len > 0 && rest->ptr[0] == '/')
        *rest = view_sub(*rest, 1, rest->len);
    step->last = rest->len == 0;
    return 0;
}

static int open_errno(int errnum)
{
    return errnum == ELOOP || errnum == ENOTDIR ? ERR_DENIED : err_from_errno(errnum);
}

/* Only a folder that nobody has used yet may change hands: one that an earlier start made and did not live to give away. */
static bool dir_is_fresh(int fd, const struct stat *st)
{
    bool fresh = true;
    struct dirent *e;
    int copy;
    DIR *d;

    if ((st->st_mode & 07777) != 0700)
        return false;
    copy = openat(fd, ".", DIR_FLAGS);
    d = copy < 0 ? NULL : fdopendir(copy);
    if (d == NULL) {
        if (copy >= 0)
            (void)close(copy);
        return false;
    }
    while (fresh && (e = readdir(d)) != NULL)
        fresh = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
    (void)closedir(d);
    return fresh;
}

static int step_give(int fd, const struct stat *st, uint32_t uid, uint32_t gid)
{
    if (!dir_is_fresh(fd, st))
        return ERR_DENIED;
    if (fchown(fd, uid, gid) != 0 || fchmod(fd, 0700) != 0 || fsync(fd) != 0)
        return err_from_errno(errno);
    return 0;
}

static int step_open(int dir, const struct step *step, int *fd_out)
{
    int fd = openat(dir, step->name, DIR_FLAGS);

    if (fd < 0 && errno == ENOENT) {
        if (mkdirat(dir, step->name, 0700) != 0 && errno != EEXIST)
            return err_from_errno(errno);
        fd = openat(dir, step->name, DIR_FLAGS);
        /* The umask is not ours to trust; a folder on the way is readable by all, its content is what is private. */
        if (fd >= 0 && !step->last && fchmod(fd, 0755) != 0) {
            int err = err_from_errno(errno);
            (void)close(fd);
            return err;
        }
        if (fd >= 0 && fsync(dir) != 0) {
            int err = err_from_errno(errno);
            (void)close(fd);
            return err;
        }
    }
    if (fd < 0)
        return open_errno(errno);
    *fd_out = fd;
    return 0;
}

/* From *dir one name on. *done_out: the folder reached is the user's. */
static int step_walk(int *dir, const struct step *step, uint32_t uid, uint32_t gid, bool *done_out)
{
    struct stat st;
    int fd = -1;
    int rc = step_open(*dir, step, &fd);

    if (rc != 0)
        return rc;
    (void)close(*dir);
    *dir = fd;
    if (fstat(fd, &st) != 0)
        return err_from_errno(errno);
    if (st.st_uid == uid) {
        *done_out = true;
        return 0;
    }
    if (st.st_uid != 0)
        return ERR_DENIED;
    return step->last ? step_give(fd, &st, uid, gid) : 0;
}

int mail_dir_prepare(const char *path, uint32_t uid, uint32_t gid, size_t *at_out)
{
    struct view rest = view_str(path);
    struct step step = {.last = false};
    bool done = false;
    int dir, rc = 0;

    *at_out = 0;
    if (rest.len == 0 || rest.ptr[0] != '/' || uid == 0)
        return ERR_SYNTAX;
    dir = open("/", DIR_FLAGS);
    if (dir < 0)
        return err_from_errno(errno);
    while (rc == 0 && !done && !step.last) {
        rc = step_take(&rest, &step);
        if (rc == 0)
            rc = step_walk(&dir, &step, uid, gid, &done);
        *at_out = (size_t)(rest.ptr - (const uint8_t *)path);
    }
    (void)close(dir);
    return rc;
}
