/* What is planted in a folder that others write to may be anything: no link is followed, and only what is a regular file is read.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "worker/tool.h"

static int open_beneath(int dir, const char *name, int flags, mode_t mode, int *fd_out)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK),
                           .mode = (flags & O_CREAT) != 0 ? mode : 0,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    long fd;

    do
        fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));
    while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    if (fd < 0)
        return errno == ELOOP ? ERR_DENIED : err_from_errno(errno);
    *fd_out = (int)fd;
    return 0;
}

int tool_file_open(int dir, const char *name, int flags, int *fd_out)
{
    struct stat st;
    int fd = -1, err = open_beneath(dir, name, flags, 0600, &fd);

    if (err != 0)
        return err;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        (void)close(fd);
        return ERR_DENIED;
    }
    *fd_out = fd;
    return 0;
}

int tool_dir_open(int dir, const char *name, bool create, int *fd_out)
{
    if (create && mkdirat(dir, name, 0700) != 0 && errno != EEXIST)
        return err_from_errno(errno);
    return open_beneath(dir, name, O_RDONLY | O_DIRECTORY, 0, fd_out);
}

int tool_file_read(int dir, const char *name, size_t max, struct buf *out)
{
    struct stat st;
    size_t left;
    int fd = -1, err = tool_file_open(dir, name, O_RDONLY, &fd);

    if (err != 0)
        return err;
    if (fstat(fd, &st) != 0)
        err = ERR_IO;
    else if (st.st_size < 0 || (uint64_t)st.st_size > max)
        err = ERR_LIMIT;
    left = err == 0 ? (size_t)st.st_size : 0;
    while (err == 0 && left > 0) {
        uint8_t *p = buf_reserve(out, left);
        ssize_t n = p != NULL ? read(fd, p, left) : -1;

        if (p == NULL)
            err = ERR_NOMEM;
        else if (n < 0 && errno == EINTR)
            continue;
        else if (n <= 0)
            err = ERR_IO;
        else {
            buf_commit(out, (size_t)n);
            left -= (size_t)n;
        }
    }
    (void)close(fd);
    return err;
}

int tool_write_all(int fd, struct view bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_from_errno(errno);
        bytes = view_sub(bytes, (size_t)n, bytes.len);
    }
    return 0;
}

int tool_file_write(int dir, const char *name, struct view bytes)
{
    char tmp[280];
    int fd, err, n = snprintf(tmp, sizeof(tmp), ".%s.new", name);

    if (n < 0 || (size_t)n >= sizeof(tmp))
        return ERR_LIMIT;
    err = tool_file_open(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC, &fd);
    if (err != 0)
        return err;
    err = tool_write_all(fd, bytes);
    if (err == 0 && fsync(fd) != 0)
        err = err_from_errno(errno);
    (void)close(fd);
    if (err == 0 && renameat(dir, tmp, dir, name) != 0)
        err = err_from_errno(errno);
    return err;
}

static int name_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int tool_list_dir(int dir, bool (*wanted)(const char *name), char ***out, size_t *n_out)
{
    char **names = NULL;
    size_t n = 0, cap = 0;
    struct dirent *e;
    DIR *d;
    int fd = -1, err = tool_dir_open(dir, ".", false, &fd);

    if (err != 0)
        return err;
    d = fdopendir(fd);
    if (d == NULL) {
        (void)close(fd);
        return ERR_SYSTEM;
    }
    errno = 0;
    while ((e = readdir(d)) != NULL) {
        if (!wanted(e->d_name))
            continue;
        if (n == cap) {
            cap = MAX_OF(cap * 2, (size_t)64);
            names = xreallocarray(names, cap, sizeof(*names));
        }
        names[n++] = xstrdup(e->d_name);
    }
    err = errno != 0 ? ERR_IO : 0;
    (void)closedir(d);
    if (n > 0)
        qsort(names, n, sizeof(*names), name_order);
    *out = names;
    *n_out = n;
    return err;
}

void tool_list_free(char ***names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free((*names)[i]);
    free(*names);
    *names = NULL;
}
