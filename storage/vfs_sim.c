/* Each file keeps three versions: as it is read, as a crash leaves it at least, and as it was before the last truncation; a
 * reboot mixes them by blocks. */
#include "storage/vfs_sim_int.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "common/base/mem.h"
#include "common/log/log.h"

#define BLOCK 512

struct bytes {
    uint8_t *p;
    size_t len, cap;
};

struct inode {
    struct inode *next;
    struct bytes now;     /* what is read */
    struct bytes durable; /* what a crash leaves at least */
    struct bytes cut;     /* as it was before it was last truncated and not synced since */
    size_t lost;          /* a sync failed when it was this long: what it had to write below will never be written */
    bool changed;
};

struct entry {
    struct entry *next;
    struct vfs_name name;
    struct inode *now;     /* NULL: not there */
    struct inode *durable; /* NULL: not there after a crash, unless the change made it */
};

struct sim {
    struct vfs base;
    uint64_t rng;
    uint64_t ops, crash_at, fail_at, fail_times;
    int fail_err;
    uint64_t space, epoch;
    bool crashed, locked;
    struct inode *inodes;
    struct entry *entries;
    void (*reboot)(void *arg, enum sim_loss loss); /* of what else is in the machine */
    void *reboot_arg;
};

struct sim_file {
    struct vfs_file base;
    struct sim *sim;
    struct inode *inode;
};

static uint64_t roll(struct sim *s)
{
    s->rng ^= s->rng << 13;
    s->rng ^= s->rng >> 7;
    s->rng ^= s->rng << 17;
    return s->rng * 0x2545f4914f6cdd1du >> 11;
}

static void bytes_resize(struct bytes *b, size_t len)
{
    if (len > b->cap) {
        b->cap = MAX_OF(len, b->cap * 2);
        b->p = xreallocarray(b->p, b->cap, 1);
    }
    if (len > b->len)
        memset(b->p + b->len, 0, len - b->len);
    b->len = len;
}

static void bytes_copy(struct bytes *dst, const struct bytes *src)
{
    dst->len = 0;
    bytes_resize(dst, src->len);
    if (src->len > 0)
        memcpy(dst->p, src->p, src->len);
}

/* Counts an operation: 0, or why it fails. A crash happens in the middle of it: the caller does what part of it may happen, then
 * fails. */
static int begin_op(struct sim *s)
{
    if (s->crashed)
        return ERR_IO;
    s->ops++;
    if (s->ops == s->crash_at) {
        s->crashed = true;
        return ERR_CLOSED;
    }
    if (s->fail_times > 0 && s->fail_at != 0 && s->ops >= s->fail_at) {
        s->fail_times--;
        return s->fail_err;
    }
    return 0;
}

static struct entry *find_entry(struct sim *s, struct vfs_name name)
{
    for (struct entry *e = s->entries; e != NULL; e = e->next) {
        if (e->name.kind == name.kind && e->name.id == name.id && e->name.num == name.num)
            return e;
    }
    return NULL;
}

uint64_t vfs_sim_used(const struct vfs *v)
{
    uint64_t n = 0;

    for (const struct entry *e = ((const struct sim *)v)->entries; e != NULL; e = e->next)
        n += e->now != NULL ? e->now->now.len : 0;
    return n;
}

/* --- operations -------------------------------------------------------------------------------------------------------- */

static int sim_lock(struct vfs *v)
{
    struct sim *s = (struct sim *)v;

    if (s->locked)
        return ERR_BUSY;
    s->locked = true;
    return 0;
}

static void sim_unlock(struct vfs *v)
{
    ((struct sim *)v)->locked = false;
}

static void sim_set_epoch(struct vfs *v, uint64_t epoch)
{
    ((struct sim *)v)->epoch = epoch;
}

static struct inode *new_inode(struct sim *s)
{
    struct inode *i = xcalloc(1, sizeof(*i));

    i->next = s->inodes;
    s->inodes = i;
    return i;
}

static int sim_create(struct sim *s, struct vfs_name name, struct entry *e)
{
    int err = begin_op(s);

    if (err != 0)
        return err == ERR_CLOSED ? ERR_IO : err;
    if (e == NULL) {
        e = xcalloc(1, sizeof(*e));
        e->name = name;
        e->next = s->entries;
        s->entries = e;
    }
    e->now = new_inode(s);
    return 0;
}

static int sim_open(struct vfs *v, struct vfs_name name, enum vfs_mode mode, struct vfs_file **out)
{
    struct sim *s = (struct sim *)v;
    struct entry *e = find_entry(s, name);
    struct sim_file *f;
    int err;

    if (s->crashed)
        return ERR_IO;
    if (mode == VFS_CREATE) {
        if (e != NULL && e->now != NULL)
            return ERR_EXISTS;
        err = sim_create(s, name, e);
        if (err != 0)
            return err;
        e = find_entry(s, name);
    }
    if (e == NULL || e->now == NULL)
        return ERR_NOTFOUND;
    f = xcalloc(1, sizeof(*f));
    f->base.ops = v->ops;
    f->sim = s;
    f->inode = e->now;
    *out = &f->base;
    return 0;
}

static void sim_close(struct vfs_file *file)
{
    free(file);
}

static int sim_size(struct vfs_file *file, uint64_t *out)
{
    const struct sim_file *f = (struct sim_file *)file;

    if (f->sim->crashed)
        return ERR_IO;
    *out = f->inode->now.len;
    return 0;
}

static int sim_read(struct vfs_file *file, uint64_t off, void *data, size_t len)
{
    const struct sim_file *f = (struct sim_file *)file;

    if (f->sim->crashed)
        return ERR_IO;
    if (off > f->inode->now.len || len > f->inode->now.len - off)
        return ERR_CORRUPT;
    if (len > 0)
        memcpy(data, f->inode->now.p + off, len);
    return 0;
}

static void write_part(struct inode *i, uint64_t off, const struct iovec *iov, size_t niov, uint64_t most)
{
    for (size_t k = 0; k < niov && most > 0; k++) {
        size_t n = MIN_OF((uint64_t)iov[k].iov_len, most);

        bytes_resize(&i->now, MAX_OF(i->now.len, off + n));
        memcpy(i->now.p + off, iov[k].iov_base, n);
        off += n;
        most -= n;
    }
    i->changed = true;
}

static int sim_append(struct vfs_file *file, uint64_t expected, uint64_t epoch, const struct iovec *iov, size_t niov)
{
    const struct sim_file *f = (struct sim_file *)file;
    struct sim *s = f->sim;
    uint64_t total = 0;
    int err;

    for (size_t i = 0; i < niov; i++)
        total += iov[i].iov_len;
    err = begin_op(s);
    if (err == ERR_IO && s->crashed)
        return err;
    if (epoch != s->epoch)
        return ERR_DENIED;
    if (f->inode->now.len != expected)
        return ERR_STATE;
    if (err == 0 && s->space != 0 && vfs_sim_used(&s->base) + total > s->space)
        err = ERR_NOSPACE;
    write_part(f->inode, expected, iov, niov, err == 0 ? total : roll(s) % (total + 1));
    return err == ERR_CLOSED ? ERR_IO : err;
}

static int sim_truncate(struct vfs_file *file, uint64_t size)
{
    const struct sim_file *f = (struct sim_file *)file;
    int err = begin_op(f->sim);

    if (err == ERR_IO && f->sim->crashed)
        return err;
    if (err != 0 && err != ERR_CLOSED)
        return err;
    bytes_copy(&f->inode->cut, &f->inode->now);
    bytes_resize(&f->inode->now, (size_t)size);
    f->inode->changed = true;
    return err == ERR_CLOSED ? ERR_IO : 0;
}

/* Some blocks reach the disk. */
static void settle(struct sim *s, struct inode *i, enum sim_loss loss)
{
    const struct bytes *from[3] = {&i->durable, &i->now, i->cut.len > 0 ? &i->cut : &i->now};
    struct bytes out = {0};
    size_t len = i->durable.len;

    if (loss == SIM_LOSE_NOTHING) {
        bytes_copy(&i->durable, &i->now);
        return;
    }
    if (!i->changed)
        return;
    if (loss == SIM_LOSE_SOME) {
        size_t top = MAX_OF(i->now.len, i->cut.len), low = MIN_OF(i->now.len, i->durable.len);

        len = roll(s) % 2 == 0 ? from[roll(s) % 3]->len : low + roll(s) % (top - low + 1);
    }
    bytes_resize(&out, len);
    for (size_t off = 0; off < len; off += BLOCK) {
        const struct bytes *src = loss == SIM_LOSE_ALL ? &i->durable : from[roll(s) % 3];

        if (off < src->len)
            memcpy(out.p + off, src->p + off, MIN_OF(MIN_OF((size_t)BLOCK, src->len - off), len - off));
    }
    free(i->durable.p);
    i->durable = out;
}

/* After a failure what was to be written is forgotten: no later sync will write it. */
static void sync_inode(struct sim *s, struct inode *i, bool failed)
{
    struct bytes before = {0};

    bytes_copy(&before, &i->durable);
    settle(s, i, failed ? SIM_LOSE_SOME : SIM_LOSE_NOTHING);
    if (!failed && i->lost > 0) {
        size_t n = MIN_OF(i->lost, i->durable.len);

        memset(i->durable.p, 0, n);
        memcpy(i->durable.p, before.p, MIN_OF(n, before.len));
    }
    if (failed)
        i->lost = MAX_OF(i->lost, i->now.len);
    free(before.p);
    i->cut.len = 0;
    i->changed = false;
}

static int sim_sync(struct vfs_file *file)
{
    const struct sim_file *f = (struct sim_file *)file;
    int err = begin_op(f->sim);

    if (err == ERR_IO && f->sim->crashed)
        return err;
    if (err == ERR_CLOSED)
        return ERR_IO;
    if (f->inode->changed)
        sync_inode(f->sim, f->inode, err != 0);
    return err;
}

static int sim_map(struct vfs_file *file, uint64_t off, size_t len, bool private_write, void **out)
{
    uint8_t *p;
    int err;

    (void)private_write;
    if (len == 0)
        return ERR_CORRUPT;
    p = xmalloc(len);
    err = sim_read(file, off, p, len);
    if (err != 0) {
        free(p);
        return err;
    }
    *out = p;
    return 0;
}

static void sim_unmap(struct vfs *v, void *ptr, uint64_t off, size_t len)
{
    (void)v;
    (void)off;
    (void)len;
    free(ptr);
}

static int sim_remove(struct vfs *v, struct vfs_name name)
{
    struct sim *s = (struct sim *)v;
    struct entry *e = find_entry(s, name);
    int err = begin_op(s);

    if (err == ERR_IO && s->crashed)
        return err;
    if (err != 0 && err != ERR_CLOSED)
        return err;
    if (e != NULL)
        e->now = NULL;
    return err == ERR_CLOSED ? ERR_IO : 0;
}

static int sim_list(struct vfs *v, bool (*fn)(void *arg, struct vfs_name name), void *arg)
{
    struct sim *s = (struct sim *)v;

    if (s->crashed)
        return ERR_IO;
    for (struct entry *e = s->entries; e != NULL; e = e->next) {
        if (e->now != NULL && !fn(arg, e->name))
            break;
    }
    return 0;
}

static int sim_sync_dir(struct vfs *v)
{
    struct sim *s = (struct sim *)v;
    int err = begin_op(s);

    if (err != 0)
        return err == ERR_CLOSED ? ERR_IO : err;
    for (struct entry *e = s->entries; e != NULL; e = e->next)
        e->durable = e->now;
    return 0;
}

static int sim_spool(struct vfs *v, int *fd_out)
{
    int fd;

    (void)v;
    fd = memfd_create("spool", MFD_CLOEXEC);
    if (fd < 0)
        return ERR_SYSTEM;
    *fd_out = fd;
    return 0;
}

static int sim_fd(const struct vfs_file *file)
{
    (void)file;
    return -1;
}

static void sim_free(struct vfs *v)
{
    struct sim *s = (struct sim *)v;

    while (s->inodes != NULL) {
        struct inode *i = s->inodes;

        s->inodes = i->next;
        free(i->now.p);
        free(i->durable.p);
        free(i->cut.p);
        free(i);
    }
    while (s->entries != NULL) {
        struct entry *e = s->entries;

        s->entries = e->next;
        free(e);
    }
    free(s);
}

static const struct vfs_ops sim_ops = {
    .free = sim_free,
    .lock = sim_lock,
    .unlock = sim_unlock,
    .set_epoch = sim_set_epoch,
    .open = sim_open,
    .close = sim_close,
    .size = sim_size,
    .read = sim_read,
    .append = sim_append,
    .truncate = sim_truncate,
    .sync = sim_sync,
    .map = sim_map,
    .unmap = sim_unmap,
    .remove = sim_remove,
    .list = sim_list,
    .sync_dir = sim_sync_dir,
    .spool = sim_spool,
    .fd = sim_fd,
};

struct vfs *vfs_sim_new(uint64_t seed)
{
    struct sim *s = xcalloc(1, sizeof(*s));

    s->base.ops = &sim_ops;
    s->rng = seed * 2 + 1;
    for (int i = 0; i < 8; i++)
        (void)roll(s);
    return &s->base;
}

uint64_t vfs_sim_ops(const struct vfs *v)
{
    return ((const struct sim *)v)->ops;
}

void vfs_sim_crash_at(struct vfs *v, uint64_t op)
{
    ((struct sim *)v)->crash_at = op;
}

bool vfs_sim_crashed(const struct vfs *v)
{
    return ((const struct sim *)v)->crashed;
}

void vfs_sim_fail_at(struct vfs *v, uint64_t op, int err, uint64_t times)
{
    struct sim *s = (struct sim *)v;

    s->fail_at = op;
    s->fail_err = err;
    s->fail_times = times;
}

void vfs_sim_space(struct vfs *v, uint64_t octets)
{
    ((struct sim *)v)->space = octets;
}

int vfs_sim_step(struct vfs *v)
{
    return begin_op((struct sim *)v);
}

uint64_t vfs_sim_roll(struct vfs *v)
{
    return roll((struct sim *)v);
}

void vfs_sim_attach(struct vfs *v, void (*reboot)(void *arg, enum sim_loss loss), void *arg)
{
    ((struct sim *)v)->reboot = reboot;
    ((struct sim *)v)->reboot_arg = arg;
}

void vfs_sim_reboot(struct vfs *v, enum sim_loss loss)
{
    struct sim *s = (struct sim *)v;

    for (struct inode *i = s->inodes; i != NULL; i = i->next) {
        settle(s, i, loss);
        bytes_copy(&i->now, &i->durable);
        i->cut.len = i->lost = 0;
        i->changed = false;
    }
    for (struct entry *e = s->entries; e != NULL; e = e->next) {
        bool keep = loss == SIM_LOSE_NOTHING || (loss == SIM_LOSE_SOME && roll(s) % 2 == 0);

        if (keep)
            e->durable = e->now;
        else
            e->now = e->durable;
    }
    if (s->reboot != NULL)
        s->reboot(s->reboot_arg, loss);
    s->crashed = false;
    s->locked = false;
    s->crash_at = s->fail_at = s->fail_times = 0;
}
