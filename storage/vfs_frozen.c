#include "storage/vfs_frozen.h"

#include <stdlib.h>

#include "common/base/mem.h"

#define TRIES 5
#define FILES_MAX 1000000

struct frozen_entry {
    struct vfs_name name;
    struct vfs_file *file; /* NULL: it cannot be opened */
    uint64_t size;
    int err;
    bool hidden;
};

struct frozen {
    struct vfs base;
    struct vfs *from;
    struct frozen_entry *v;
    size_t n, cap;
    bool full;
};

struct frozen_file {
    struct vfs_file base;
    const struct frozen_entry *e;
};

static void close_all(struct frozen *f)
{
    for (size_t i = 0; i < f->n; i++)
        vfs_file_close(&f->v[i].file);
    f->n = 0;
}

static void frozen_free(struct vfs *v)
{
    struct frozen *f = (struct frozen *)v;

    close_all(f);
    free(f->v);
    free(f);
}

static int frozen_lock(struct vfs *v)
{
    (void)v;
    return 0;
}

static void frozen_unlock(struct vfs *v)
{
    (void)v;
}

static void frozen_set_epoch(struct vfs *v, uint64_t epoch)
{
    (void)v;
    (void)epoch;
}

static struct frozen_entry *find(const struct frozen *f, struct vfs_name name)
{
    for (size_t i = 0; i < f->n; i++) {
        struct frozen_entry *e = &f->v[i];

        if (!e->hidden && e->name.kind == name.kind && e->name.id == name.id && e->name.num == name.num)
            return e;
    }
    return NULL;
}

static int frozen_open(struct vfs *v, struct vfs_name name, enum vfs_mode mode, struct vfs_file **out)
{
    const struct frozen_entry *e = find((struct frozen *)v, name);
    struct frozen_file *file;

    if (mode == VFS_CREATE)
        return ERR_DENIED;
    if (e == NULL)
        return ERR_NOTFOUND;
    if (e->err != 0)
        return e->err;
    file = xcalloc(1, sizeof(*file));
    file->base.ops = v->ops;
    file->e = e;
    *out = &file->base;
    return 0;
}

static void frozen_close(struct vfs_file *f)
{
    free(f);
}

static int frozen_size(struct vfs_file *f, uint64_t *out)
{
    *out = ((struct frozen_file *)f)->e->size;
    return 0;
}

static int frozen_read(struct vfs_file *f, uint64_t off, void *data, size_t len)
{
    const struct frozen_entry *e = ((struct frozen_file *)f)->e;

    if (off > e->size || len > e->size - off)
        return ERR_CORRUPT;
    return vfs_read(e->file, off, data, len);
}

static int frozen_append(struct vfs_file *f, uint64_t expected, uint64_t epoch, const struct iovec *iov, size_t niov)
{
    (void)f;
    (void)expected;
    (void)epoch;
    (void)iov;
    (void)niov;
    return ERR_DENIED;
}

static int frozen_truncate(struct vfs_file *f, uint64_t size)
{
    (void)f;
    (void)size;
    return 0;
}

static int frozen_sync(struct vfs_file *f)
{
    (void)f;
    return 0;
}

static int frozen_map(struct vfs_file *f, uint64_t off, size_t len, bool private_write, void **out)
{
    void *mem;
    int err;

    (void)private_write;
    if (len == 0 || off > ((struct frozen_file *)f)->e->size || len > ((struct frozen_file *)f)->e->size - off)
        return ERR_CORRUPT;
    mem = malloc(len);
    if (mem == NULL)
        return ERR_NOMEM;
    err = frozen_read(f, off, mem, len);
    if (err != 0) {
        free(mem);
        return err;
    }
    *out = mem; /* transferred */
    return 0;
}

static void frozen_unmap(struct vfs *v, void *ptr, uint64_t off, size_t len)
{
    (void)v;
    (void)off;
    (void)len;
    free(ptr);
}

static int frozen_remove(struct vfs *v, struct vfs_name name)
{
    (void)v;
    (void)name;
    return 0;
}

static int frozen_list(struct vfs *v, bool (*fn)(void *arg, struct vfs_name name), void *arg)
{
    const struct frozen *f = (struct frozen *)v;

    for (size_t i = 0; i < f->n; i++) {
        if (!f->v[i].hidden && !fn(arg, f->v[i].name))
            break;
    }
    return 0;
}

static int frozen_sync_dir(struct vfs *v)
{
    (void)v;
    return 0;
}

static int frozen_spool(struct vfs *v, int *fd_out)
{
    (void)v;
    (void)fd_out;
    return ERR_DENIED;
}

static int frozen_fd(const struct vfs_file *f)
{
    (void)f;
    return -1;
}

static const struct vfs_ops ops = {
    .free = frozen_free,
    .lock = frozen_lock,
    .unlock = frozen_unlock,
    .set_epoch = frozen_set_epoch,
    .open = frozen_open,
    .close = frozen_close,
    .size = frozen_size,
    .read = frozen_read,
    .append = frozen_append,
    .truncate = frozen_truncate,
    .sync = frozen_sync,
    .map = frozen_map,
    .unmap = frozen_unmap,
    .remove = frozen_remove,
    .list = frozen_list,
    .sync_dir = frozen_sync_dir,
    .spool = frozen_spool,
    .fd = frozen_fd,
};

/* --- freezing ------------------------------------------------------------------------------------------------------------ */

static bool note_name(void *arg, struct vfs_name name)
{
    struct frozen *f = arg;

    f->full = f->full || f->n >= FILES_MAX;
    if (f->full)
        return false;
    if (f->n == f->cap) {
        f->cap = MAX_OF(f->cap * 2, (size_t)64);
        f->v = xreallocarray(f->v, f->cap, sizeof(*f->v));
    }
    f->v[f->n++] = (struct frozen_entry){.name = name};
    return true;
}

static int name_order(const void *a, const void *b)
{
    const struct vfs_name *x = &((const struct frozen_entry *)a)->name, *y = &((const struct frozen_entry *)b)->name;

    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->num < y->num ? -1 : x->num > y->num;
}

/* Lists and opens everything. ERR_AGAIN: a file went between the two. */
static int freeze_once(struct frozen *f)
{
    int err;

    close_all(f);
    err = vfs_list(f->from, note_name, f);
    if (err == 0 && f->full)
        err = ERR_LIMIT;
    if (err != 0)
        return err;
    if (f->n > 0)
        qsort(f->v, f->n, sizeof(*f->v), name_order);
    for (size_t i = 0; i < f->n; i++) {
        struct frozen_entry *e = &f->v[i];

        e->err = vfs_file_open(f->from, e->name, VFS_READ, &e->file);
        if (e->err == ERR_NOTFOUND)
            return ERR_AGAIN;
        if (e->err == ERR_SYSTEM) /* no more descriptors */
            return ERR_LIMIT;
        if (e->err == 0)
            e->err = vfs_size(e->file, &e->size);
    }
    return 0;
}

struct compare {
    const struct frozen *f;
    size_t seen;
    bool differs;
};

static bool compare_name(void *arg, struct vfs_name name)
{
    struct compare *c = arg;

    c->seen++;
    c->differs = find(c->f, name) == NULL;
    return !c->differs;
}

/* Whether the files are still the same ones: then what was opened belongs together. */
static int still_same(struct frozen *f)
{
    struct compare c = {.f = f};
    int err = vfs_list(f->from, compare_name, &c);

    return err != 0 ? err : c.differs || c.seen != f->n ? ERR_AGAIN : 0;
}

int vfs_frozen_new(struct vfs *base, struct vfs **out)
{
    struct frozen *f = xcalloc(1, sizeof(*f));
    int err = ERR_AGAIN;

    f->base.ops = &ops;
    f->from = base;
    for (int i = 0; i < TRIES && err == ERR_AGAIN; i++) {
        err = freeze_once(f);
        if (err == 0)
            err = still_same(f);
    }
    if (err != 0) {
        frozen_free(&f->base);
        return err == ERR_AGAIN ? ERR_BUSY : err;
    }
    *out = &f->base;
    return 0;
}

void vfs_frozen_hide(struct vfs *v, struct vfs_name name)
{
    struct frozen_entry *e = find((struct frozen *)v, name);

    if (e != NULL)
        e->hidden = true;
}

void vfs_frozen_hide_kind(struct vfs *v, enum vfs_kind kind)
{
    struct frozen *f = (struct frozen *)v;

    for (size_t i = 0; i < f->n; i++)
        f->v[i].hidden = f->v[i].hidden || f->v[i].name.kind == kind;
}

void vfs_frozen_show_all(struct vfs *v)
{
    struct frozen *f = (struct frozen *)v;

    for (size_t i = 0; i < f->n; i++)
        f->v[i].hidden = false;
}

uint64_t vfs_frozen_size(const struct vfs *v)
{
    const struct frozen *f = (const struct frozen *)v;
    uint64_t n = 0;

    for (size_t i = 0; i < f->n; i++)
        n += f->v[i].hidden ? 0 : f->v[i].size;
    return n;
}
