/*
 * Directories are one list of names as they are now and one as a crash leaves them at least; between the two stand the changes
 * that are not durable yet, in their order. A sync of a directory makes its changes durable, a crash throws dice for each.
 */
#include "storage/maildir_sim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/maildir_int.h"
#include "storage/vfs_sim_int.h"

#define BLOCK 512
#define FIRST_FD (1 << 20) /* no descriptor of the process is called so */
#define FILE_LIMIT ((size_t)16 << 20)

struct node {
    struct node *next;
    uint64_t ino;
    bool dir, changed, lost; /* lost: a sync failed; nothing will write it any more */
    struct buf now, durable;
    struct timespec mtime;
};

struct name {
    const struct node *dir;
    char *text;
    struct node *node;
};
struct names {
    struct name *v;
    size_t n, cap;
};

/* A name that is to be another node's than before. NULL: nobody's. */
struct name_change {
    const struct node *dir;
    char *text;
    struct node *before, *after;
    unsigned rename; /* the two changes of one rename have the same number; 0: none */
    bool done;       /* durable, or lost */
};

struct maildir_sim {
    struct md_disk base;
    struct vfs *vfs;
    uint64_t (*now_ms)(void *arg);
    void *now_arg;
    bool foreign;
    struct node *nodes, *root;
    uint64_t last_ino, ticks;
    unsigned last_rename;
    struct names now, durable;
    struct name_change *changes;
    size_t nchanges, cchanges;
    struct node **fds;
    size_t nfds, cfds;
};

static struct maildir_sim *sim_of(struct md_disk *d)
{
    return (struct maildir_sim *)d;
}

static int fail(int errnum)
{
    errno = errnum;
    return -1;
}

/* 0, or -1 and errno. *stop: the machine stops in the middle of this operation. */
static int step(struct maildir_sim *s, bool *stop)
{
    int err = s->foreign ? 0 : vfs_sim_step(s->vfs);

    *stop = err == ERR_CLOSED;
    if (err == 0 || *stop)
        return 0;
    return fail(err == ERR_NOSPACE ? ENOSPC : EIO);
}

static bool dead(const struct maildir_sim *s)
{
    return vfs_sim_crashed(s->vfs);
}

/* --- names ------------------------------------------------------------------------------------------------------------- */

static struct name *find_name(const struct names *l, const struct node *dir, const char *text)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->v[i].dir == dir && strcmp(l->v[i].text, text) == 0)
            return &l->v[i];
    }
    return NULL;
}

static struct node *node_at(const struct names *l, const struct node *dir, const char *text)
{
    const struct name *n = find_name(l, dir, text);

    return n != NULL ? n->node : NULL;
}

static void set_name(struct names *l, const struct node *dir, const char *text, struct node *node)
{
    struct name *n = find_name(l, dir, text);

    if (n != NULL && node != NULL) {
        n->node = node;
    } else if (n != NULL) {
        free(n->text);
        *n = l->v[--l->n];
    } else if (node != NULL) {
        if (l->n == l->cap) {
            l->cap = MAX_OF(l->cap * 2, (size_t)64);
            l->v = xreallocarray(l->v, l->cap, sizeof(*l->v));
        }
        l->v[l->n++] = (struct name){dir, xstrdup(text), node};
    }
}

static void clear_names(struct names *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i].text);
    l->n = 0;
}

static void touch(struct maildir_sim *s, struct node *n)
{
    uint64_t ms = s->now_ms(s->now_arg);

    n->mtime = (struct timespec){(time_t)(ms / 1000), (long)(++s->ticks % 1000000000)};
}

/* Makes a change durable, and with it those before it that it needs, and the other half of a rename. */
static void persist(struct maildir_sim *s, size_t at)
{
    struct name_change *c = &s->changes[at];

    if (c->done)
        return;
    c->done = true;
    for (size_t i = 0; i < at; i++) {
        if (s->changes[i].dir == c->dir && strcmp(s->changes[i].text, c->text) == 0)
            persist(s, i);
    }
    set_name(&s->durable, c->dir, c->text, c->after);
    for (size_t i = at > 0 ? at - 1 : 0; c->rename != 0 && i < s->nchanges && i <= at + 1; i++) {
        if (s->changes[i].rename == c->rename)
            persist(s, i);
    }
}

static void drop_done(struct maildir_sim *s)
{
    size_t left = 0;

    for (size_t i = 0; i < s->nchanges; i++) {
        if (s->changes[i].done)
            free(s->changes[i].text);
        else
            s->changes[left++] = s->changes[i];
    }
    s->nchanges = left;
}

static void persist_dir(struct maildir_sim *s, const struct node *dir)
{
    for (size_t i = 0; i < s->nchanges; i++) {
        if (s->changes[i].dir == dir)
            persist(s, i);
    }
    drop_done(s);
}

static bool keep_change(struct maildir_sim *s, const struct name_change *c, enum sim_loss loss)
{
    bool kept = loss == SIM_LOSE_NOTHING || (loss == SIM_LOSE_SOME && vfs_sim_roll(s->vfs) % 2 == 0);

    /* One that was lost may be what this one needs. */
    return kept && node_at(&s->durable, c->dir, c->text) == c->before;
}

static void throw_dice(struct maildir_sim *s, enum sim_loss loss)
{
    for (size_t i = 0; i < s->nchanges; i++) {
        struct name_change *c = &s->changes[i], *next = i + 1 < s->nchanges ? c + 1 : NULL;
        bool renamed = c->rename != 0 && next != NULL && next->rename == c->rename; /* the new name comes first */

        c->done = true;
        if (renamed) {
            next->done = true;
            i++;
        }
        if (!keep_change(s, c, loss))
            continue;
        set_name(&s->durable, c->dir, c->text, c->after);
        if (renamed && keep_change(s, next, SIM_LOSE_NOTHING))
            set_name(&s->durable, next->dir, next->text, NULL);
    }
    drop_done(s);
}

static void change(struct maildir_sim *s, struct node *dir, const char *text, struct node *after, unsigned rename)
{
    if (s->nchanges == s->cchanges) {
        s->cchanges = MAX_OF(s->cchanges * 2, (size_t)64);
        s->changes = xreallocarray(s->changes, s->cchanges, sizeof(*s->changes));
    }
    s->changes[s->nchanges++] = (struct name_change){dir, xstrdup(text), node_at(&s->now, dir, text), after, rename, false};
    set_name(&s->now, dir, text, after);
    touch(s, dir);
}

/* --- nodes ------------------------------------------------------------------------------------------------------------- */

static struct node *new_node(struct maildir_sim *s, bool dir)
{
    struct node *n = xcalloc(1, sizeof(*n));

    n->ino = ++s->last_ino;
    n->dir = dir;
    n->next = s->nodes;
    s->nodes = n;
    buf_init(&n->now, FILE_LIMIT);
    buf_init(&n->durable, FILE_LIMIT);
    touch(s, n);
    return n;
}

static void set_content(struct buf *to, struct view v)
{
    buf_reset(to);
    buf_put_view(to, v);
}

/* What a crash leaves of a file that was written and not synced. */
static void tear(struct maildir_sim *s, struct node *n, enum sim_loss loss)
{
    struct view now = buf_view(&n->now);
    size_t len = buf_len(&n->durable);

    if (loss == SIM_LOSE_ALL || !n->changed)
        return;
    if (loss == SIM_LOSE_NOTHING) {
        set_content(&n->durable, now);
        return;
    }
    len += vfs_sim_roll(s->vfs) % (now.len - MIN_OF(len, now.len) + 1);
    for (size_t off = buf_len(&n->durable); off < len; off = buf_len(&n->durable)) {
        size_t part = MIN_OF(BLOCK - off % BLOCK, len - off);
        uint8_t *p = buf_reserve(&n->durable, part);

        memset(p, 0, part);
        if (vfs_sim_roll(s->vfs) % 2 == 0)
            memcpy(p, now.ptr + off, part);
        buf_commit(&n->durable, part);
    }
}

static void reboot(void *arg, enum sim_loss loss)
{
    struct maildir_sim *s = arg;

    for (struct node *n = s->nodes; n != NULL; n = n->next) {
        if (n->dir)
            continue;
        tear(s, n, loss);
        set_content(&n->now, buf_view(&n->durable));
        n->changed = n->lost = false;
    }
    throw_dice(s, loss);
    clear_names(&s->now);
    for (size_t i = 0; i < s->durable.n; i++)
        set_name(&s->now, s->durable.v[i].dir, s->durable.v[i].text, s->durable.v[i].node);
}

/* --- descriptors ------------------------------------------------------------------------------------------------------- */

static int new_fd(struct maildir_sim *s, struct node *n)
{
    size_t i = 0;

    while (i < s->nfds && s->fds[i] != NULL)
        i++;
    if (i == s->nfds) {
        if (s->nfds == s->cfds) {
            s->cfds = MAX_OF(s->cfds * 2, (size_t)16);
            s->fds = xreallocarray(s->fds, s->cfds, sizeof(struct node *));
        }
        s->nfds++;
    }
    s->fds[i] = n;
    return FIRST_FD + (int)i;
}

static struct node *of_fd(const struct maildir_sim *s, int fd)
{
    ASSERT(fd >= FIRST_FD && (size_t)(fd - FIRST_FD) < s->nfds && s->fds[fd - FIRST_FD] != NULL);
    return s->fds[fd - FIRST_FD];
}

/* The directory that a path ends in, and its last part. NULL and errno: there is none. */
static struct node *walk(const struct maildir_sim *s, int dir, const char *path, char last[MD_NAME_MAX + 1])
{
    struct node *at = of_fd(s, dir);

    for (;;) {
        size_t len = strcspn(path, "/");

        ASSERT(len <= MD_NAME_MAX);
        memcpy(last, path, len);
        last[len] = '\0';
        if (path[len] == '\0')
            return at;
        at = node_at(&s->now, at, last);
        if (at == NULL || !at->dir) {
            errno = at == NULL ? ENOENT : ENOTDIR;
            return NULL;
        }
        path += len + 1;
    }
}

static int sim_open(struct md_disk *d, int dir, const char *path, int flags, mode_t mode)
{
    struct maildir_sim *s = sim_of(d);
    char last[MD_NAME_MAX + 1];
    struct node *at, *n;
    bool stop;

    (void)mode;
    if (dead(s))
        return fail(EIO);
    at = walk(s, dir, path, last);
    if (at == NULL)
        return -1;
    n = strcmp(last, ".") == 0 ? at : node_at(&s->now, at, last);
    if (n != NULL && (flags & O_EXCL) != 0)
        return fail(EEXIST);
    if (n != NULL && (flags & O_DIRECTORY) != 0 && !n->dir)
        return fail(ENOTDIR);
    if (n == NULL) {
        if ((flags & O_CREAT) == 0)
            return fail(ENOENT);
        if (step(s, &stop) != 0)
            return -1;
        n = new_node(s, false);
        change(s, at, last, n, 0);
        if (s->foreign)
            persist_dir(s, at);
        if (stop)
            return fail(EIO);
    }
    return new_fd(s, n);
}

static int sim_close(struct md_disk *d, int fd)
{
    struct maildir_sim *s = sim_of(d);

    (void)of_fd(s, fd);
    s->fds[fd - FIRST_FD] = NULL;
    return 0;
}

static ssize_t sim_read(struct md_disk *d, int fd, void *to, size_t len, uint64_t off)
{
    struct view v;

    if (dead(sim_of(d)))
        return fail(EIO);
    v = view_sub(buf_view(&of_fd(sim_of(d), fd)->now), (size_t)off, (size_t)off + len);
    if (v.len > 0)
        memcpy(to, v.ptr, v.len);
    return (ssize_t)v.len;
}

/* Files are written from their beginning on, once. */
static ssize_t sim_write(struct md_disk *d, int fd, const void *from, size_t len)
{
    struct maildir_sim *s = sim_of(d);
    struct node *n = of_fd(s, fd);
    bool stop, failed = step(s, &stop) != 0;

    if (dead(s) && !stop)
        return fail(EIO);
    n->changed = true;
    buf_put(&n->now, from, failed || stop ? vfs_sim_roll(s->vfs) % (len + 1) : len);
    if (s->foreign) {
        set_content(&n->durable, buf_view(&n->now));
        n->changed = false;
    }
    return stop ? fail(EIO) : failed ? -1 : (ssize_t)len;
}

static int sim_sync(struct md_disk *d, int fd)
{
    struct maildir_sim *s = sim_of(d);
    struct node *n = of_fd(s, fd);
    bool stop;

    if (step(s, &stop) != 0) {
        /* What a file was to write is lost; names are in the file system's journal, which fails for good or not at all. */
        n->lost = n->lost || (!n->dir && !dead(s));
        return -1;
    }
    if (stop)
        return fail(EIO);
    if (n->dir) {
        persist_dir(s, n);
    } else if (!n->lost) {
        set_content(&n->durable, buf_view(&n->now));
        n->changed = false;
    }
    return 0;
}

static int sim_set_mtime(struct md_disk *d, int fd, int64_t seconds)
{
    of_fd(sim_of(d), fd)->mtime = (struct timespec){(time_t)seconds, 0};
    return 0;
}

static void fill_stat(const struct node *n, struct stat *out)
{
    memset(out, 0, sizeof(*out));
    out->st_mode = n->dir ? S_IFDIR | 0700 : S_IFREG | 0600;
    out->st_ino = n->ino;
    out->st_size = n->dir ? 0 : (off_t)buf_len(&n->now);
    out->st_mtim = out->st_ctim = n->mtime;
}

static int sim_stat(struct md_disk *d, int dir, const char *name, struct stat *out)
{
    struct maildir_sim *s = sim_of(d);
    char last[MD_NAME_MAX + 1];
    struct node *at, *n;

    if (dead(s))
        return fail(EIO);
    at = walk(s, dir, name, last);
    if (at == NULL)
        return -1;
    n = strcmp(last, ".") == 0 ? at : node_at(&s->now, at, last);
    if (n == NULL)
        return fail(ENOENT);
    fill_stat(n, out);
    return 0;
}

static int sim_fstat(struct md_disk *d, int fd, struct stat *out)
{
    if (dead(sim_of(d)))
        return fail(EIO);
    fill_stat(of_fd(sim_of(d), fd), out);
    return 0;
}

/* fn may add and remove names. */
static int sim_list(struct md_disk *d, int dir, bool (*fn)(void *arg, const char *name), void *arg)
{
    struct maildir_sim *s = sim_of(d);
    const struct node *at = of_fd(s, dir);
    char **texts;
    size_t n = 0;
    bool more = true;

    if (dead(s))
        return fail(EIO);
    texts = xcalloc(s->now.n + 1, sizeof(char *));
    for (size_t i = 0; i < s->now.n; i++) {
        if (s->now.v[i].dir == at)
            texts[n++] = xstrdup(s->now.v[i].text);
    }
    for (size_t i = 0; i < n; i++) {
        more = more && fn(arg, texts[i]);
        free(texts[i]);
    }
    free(texts);
    return 0;
}

static int sim_mkdir(struct md_disk *d, int dir, const char *name)
{
    struct maildir_sim *s = sim_of(d);
    char last[MD_NAME_MAX + 1];
    struct node *at = walk(s, dir, name, last);
    bool stop;

    if (dead(s))
        return fail(EIO);
    if (at == NULL)
        return -1;
    if (node_at(&s->now, at, last) != NULL)
        return fail(EEXIST);
    if (step(s, &stop) != 0)
        return -1;
    change(s, at, last, new_node(s, true), 0);
    if (s->foreign)
        persist_dir(s, at);
    return stop ? fail(EIO) : 0;
}

static int sim_link(struct md_disk *d, int from_dir, const char *from, int to_dir, const char *to)
{
    struct maildir_sim *s = sim_of(d);
    struct node *n = node_at(&s->now, of_fd(s, from_dir), from);
    bool stop;

    if (dead(s))
        return fail(EIO);
    if (n == NULL || node_at(&s->now, of_fd(s, to_dir), to) != NULL)
        return fail(n == NULL ? ENOENT : EEXIST);
    if (step(s, &stop) != 0)
        return -1;
    change(s, of_fd(s, to_dir), to, n, 0);
    return stop ? fail(EIO) : 0;
}

static bool is_empty(const struct maildir_sim *s, const struct node *dir)
{
    for (size_t i = 0; i < s->now.n; i++) {
        if (s->now.v[i].dir == dir)
            return false;
    }
    return true;
}

static int sim_rename(struct md_disk *d, int from_dir, const char *from, int to_dir, const char *to, bool replace)
{
    struct maildir_sim *s = sim_of(d);
    char from_last[MD_NAME_MAX + 1], to_last[MD_NAME_MAX + 1];
    struct node *from_at = walk(s, from_dir, from, from_last), *to_at = walk(s, to_dir, to, to_last), *n, *there;
    bool stop;

    if (dead(s))
        return fail(EIO);
    if (from_at == NULL || to_at == NULL)
        return fail(ENOENT);
    n = node_at(&s->now, from_at, from_last);
    there = node_at(&s->now, to_at, to_last);
    if (n == NULL || (there != NULL && !replace))
        return fail(n == NULL ? ENOENT : EEXIST);
    if (there != NULL && there->dir && !is_empty(s, there))
        return fail(ENOTEMPTY);
    if (step(s, &stop) != 0)
        return -1;
    s->last_rename++;
    change(s, to_at, to_last, n, s->last_rename);
    change(s, from_at, from_last, NULL, s->last_rename);
    if (s->foreign)
        persist_dir(s, to_at);
    if (s->foreign)
        persist_dir(s, from_at);
    return stop ? fail(EIO) : 0;
}

static int sim_unlink(struct md_disk *d, int dir, const char *name, int flags)
{
    struct maildir_sim *s = sim_of(d);
    char last[MD_NAME_MAX + 1];
    struct node *at = walk(s, dir, name, last), *n;
    bool stop;

    if (dead(s))
        return fail(EIO);
    n = at != NULL ? node_at(&s->now, at, last) : NULL;
    if (n == NULL)
        return fail(ENOENT);
    if (n->dir != ((flags & AT_REMOVEDIR) != 0))
        return fail(n->dir ? EISDIR : ENOTDIR);
    if (n->dir && !is_empty(s, n))
        return fail(ENOTEMPTY);
    if (step(s, &stop) != 0)
        return -1;
    change(s, at, last, NULL, 0);
    if (s->foreign)
        persist_dir(s, at);
    return stop ? fail(EIO) : 0;
}

static int sim_notify(struct md_disk *d)
{
    (void)d;
    return fail(EMFILE);
}

static void sim_stamp(struct md_disk *d, struct timespec *now, int *pid)
{
    struct maildir_sim *s = sim_of(d);

    *now = (struct timespec){(time_t)(s->now_ms(s->now_arg) / 1000), (long)(++s->ticks % 1000000) * 1000};
    *pid = 1;
}

static int sim_sendable(struct md_disk *d, int fd)
{
    (void)sim_close(d, fd);
    return -1;
}

/* --- the disk ---------------------------------------------------------------------------------------------------------- */

struct maildir_sim *maildir_sim_new(struct vfs *vfs, uint64_t (*now_ms)(void *arg), void *arg)
{
    static const struct md_disk_ops ops = {
        .open = sim_open,
        .close = sim_close,
        .read = sim_read,
        .write = sim_write,
        .sync = sim_sync,
        .set_mtime = sim_set_mtime,
        .stat = sim_stat,
        .fstat = sim_fstat,
        .list = sim_list,
        .mkdir = sim_mkdir,
        .link = sim_link,
        .rename = sim_rename,
        .unlink = sim_unlink,
        .notify = sim_notify,
        .stamp = sim_stamp,
        .sendable = sim_sendable,
    };
    struct maildir_sim *s = xcalloc(1, sizeof(*s));
    struct node *log;

    s->base.ops = &ops;
    s->vfs = vfs;
    s->now_ms = now_ms;
    s->now_arg = arg;
    s->root = new_node(s, true);
    log = new_node(s, true);
    set_name(&s->now, s->root, MD_LOG_DIR, log);
    set_name(&s->durable, s->root, MD_LOG_DIR, log);
    vfs_sim_attach(vfs, reboot, s);
    return s;
}

struct maildir *maildir_sim_open(struct maildir_sim *s)
{
    return md_new(&s->base, new_fd(s, s->root), xstrdup("sim"));
}

void maildir_sim_foreign(struct maildir_sim *s, bool on)
{
    s->foreign = on;
}

void maildir_sim_free(struct maildir_sim *s)
{
    vfs_sim_attach(s->vfs, NULL, NULL);
    clear_names(&s->now);
    clear_names(&s->durable);
    for (size_t i = 0; i < s->nchanges; i++)
        free(s->changes[i].text);
    while (s->nodes != NULL) {
        struct node *n = s->nodes;

        s->nodes = n->next;
        buf_free(&n->now);
        buf_free(&n->durable);
        free(n);
    }
    free(s->now.v);
    free(s->durable.v);
    free(s->changes);
    free(s->fds);
    free(s);
}
