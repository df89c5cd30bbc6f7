#include "master/uids.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/ipc/proto.h"
#include "master/table.h"

#define UIDS_FILE "uids"
#define UIDS_TMP "uids.tmp"
#define UIDS_FILE_MAX (64u * 1024 * 1024)
#define UIDS_MAX 1000000

struct allotment {
    uint32_t uid;
};

struct uids {
    int dir;
    uint32_t first, last;
    struct table *by_name, *by_uid; /* name -> allotment (owned), uid -> the same */
    struct buf text;                /* the file as it is on disk */
};

static struct view uid_key(const uint32_t *uid)
{
    return view_make(uid, sizeof(*uid));
}

/* Control bytes would break the line form; auth refuses them in names long before. */
static bool name_fits(struct view name)
{
    if (name.len == 0 || name.len > PROTO_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] < 0x20 || name.ptr[i] == 0x7f)
            return false;
    return true;
}

static int enter(struct uids *u, uint32_t uid, struct view name)
{
    struct allotment *a;
    int rc;

    if (table_get(u->by_uid, uid_key(&uid)) != NULL)
        return ERR_EXISTS;
    a = xcalloc(1, sizeof(*a));
    a->uid = uid;
    rc = table_put(u->by_name, name, a);
    if (rc == 0) {
        rc = table_put(u->by_uid, uid_key(&uid), a);
        if (rc != 0)
            (void)table_del(u->by_name, name);
    }
    if (rc != 0)
        free(a);
    return rc;
}

static void leave(struct uids *u, uint32_t uid, struct view name)
{
    (void)table_del(u->by_uid, uid_key(&uid));
    free(table_del(u->by_name, name));
}

static int parse(struct uids *u, struct view text, size_t *line_out)
{
    struct cursor c = cursor_make(text);

    for (size_t line = 1; cursor_left(&c) > 0; line++) {
        struct view rest = cursor_rest(&c);
        size_t end = view_find(rest, '\n');
        struct cursor l = cursor_make(view_sub(rest, 0, end));
        uint64_t uid = cursor_dec(&l, 1, UINT32_MAX - 1);
        struct view name;

        cursor_expect(&l, ' ');
        name = cursor_rest(&l);
        /* A last line without its end is a torn one: the file was not written by uids_get. */
        if (end == rest.len || l.failed || !name_fits(name) || enter(u, (uint32_t)uid, name) != 0) {
            *line_out = line;
            return ERR_CORRUPT;
        }
        cursor_skip(&c, end + 1);
    }
    return 0;
}

static int read_file(int fd, struct buf *text)
{
    for (;;) {
        uint8_t *room = buf_reserve(text, 65536);
        ssize_t n;

        if (room == NULL)
            return ERR_LIMIT;
        n = read(fd, room, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_from_errno(errno);
        if (n == 0)
            return 0;
        buf_commit(text, (size_t)n);
    }
}

static int load(struct uids *u, size_t *line_out)
{
    int fd = openat(u->dir, UIDS_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    int rc;

    if (fd < 0)
        return errno == ENOENT ? 0 : err_from_errno(errno);
    if (fstat(fd, &st) != 0)
        rc = err_from_errno(errno);
    else if (!S_ISREG(st.st_mode))
        rc = ERR_CORRUPT;
    else
        rc = read_file(fd, &u->text);
    (void)close(fd);
    return rc != 0 ? rc : parse(u, buf_view(&u->text), line_out);
}

int uids_open(const char *state_dir, uint32_t first, uint32_t last, struct uids **out, size_t *line_out)
{
    struct uids *u = xcalloc(1, sizeof(*u));
    int rc;

    *line_out = 0;
    u->first = first;
    u->last = last;
    u->by_name = table_new(UIDS_MAX);
    u->by_uid = table_new(UIDS_MAX);
    buf_init(&u->text, UIDS_FILE_MAX);
    u->dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rc = u->dir < 0 ? err_from_errno(errno) : load(u, line_out);
    if (rc != 0) {
        uids_close(&u);
        return rc;
    }
    *out = u;
    return 0;
}

void uids_close(struct uids **up)
{
    struct uids *u = *up;
    void **all;
    size_t n;

    if (u == NULL)
        return;
    all = table_values(u->by_name, &n);
    for (size_t i = 0; i < n; i++)
        free(all[i]);
    free(all);
    table_free(&u->by_name);
    table_free(&u->by_uid);
    buf_free(&u->text);
    if (u->dir >= 0)
        (void)close(u->dir);
    free(u);
    *up = NULL;
}

void uids_set_range(struct uids *u, uint32_t first, uint32_t last)
{
    u->first = first;
    u->last = last;
}

size_t uids_count(const struct uids *u)
{
    return table_count(u->by_name);
}

static int write_all(int fd, struct view v)
{
    while (v.len > 0) {
        ssize_t n = write(fd, v.ptr, v.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_from_errno(errno);
        v = view_sub(v, (size_t)n, v.len);
    }
    return 0;
}

static int save(struct uids *u)
{
    int fd = openat(u->dir, UIDS_TMP, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc;

    if (fd < 0)
        return err_from_errno(errno);
    rc = write_all(fd, buf_view(&u->text));
    if (rc == 0 && fsync(fd) != 0)
        rc = err_from_errno(errno);
    if (close(fd) != 0 && rc == 0)
        rc = err_from_errno(errno);
    if (rc == 0 && (renameat(u->dir, UIDS_TMP, u->dir, UIDS_FILE) != 0 || fsync(u->dir) != 0))
        rc = err_from_errno(errno);
    return rc;
}

/* The uid after the highest that the range has seen: a line that somebody took out must not make its uid free again. */
static uint64_t next_uid(const struct uids *u)
{
    size_t n;
    void **all = table_values(u->by_name, &n);
    uint64_t next = u->first;

    for (size_t i = 0; i < n; i++) {
        const struct allotment *a = all[i];
        if (a->uid >= next && a->uid <= u->last)
            next = (uint64_t)a->uid + 1;
    }
    free(all);
    return next;
}

int uids_get(struct uids *u, struct view name, uint32_t *uid_out)
{
    const struct allotment *a = table_get(u->by_name, name);
    size_t before = buf_len(&u->text);
    uint64_t uid;
    int rc;

    if (a != NULL) {
        *uid_out = a->uid;
        return 0;
    }
    if (!name_fits(name))
        return ERR_SYNTAX;
    uid = next_uid(u);
    if (uid == 0 || uid > u->last)
        return ERR_LIMIT;
    rc = enter(u, (uint32_t)uid, name);
    if (rc != 0)
        return rc;
    buf_put_dec(&u->text, uid);
    buf_put_byte(&u->text, ' ');
    buf_put_view(&u->text, name);
    buf_put_byte(&u->text, '\n');
    rc = buf_ok(&u->text) ? save(u) : ERR_LIMIT;
    if (rc != 0) {
        u->text.failed = false;
        buf_truncate(&u->text, before);
        leave(u, (uint32_t)uid, name);
        return rc;
    }
    *uid_out = (uint32_t)uid;
    return 0;
}
