/* Segments, and writing to them. Reading a log again at open is in txlog_recover.c. */
#include "storage/txlog_int.h"

#include <sodium.h>
#include <stdlib.h>
#include <xxhash.h>

#include "common/base/mem.h"
#include "common/log/log.h"

void txlog_init(struct txlog *l, struct vfs *vfs, uint64_t segment_max)
{
    memset(l, 0, sizeof(*l));
    l->vfs = vfs;
    l->segment_max = segment_max != 0 ? segment_max : TXLOG_SEGMENT_DEFAULT;
    l->next_seq = 1;
}

void txlog_deinit(struct txlog *l)
{
    for (size_t i = 0; i < l->nsegs; i++) {
        vfs_file_close(&l->segs[i]->file);
        free(l->segs[i]);
    }
    free(l->segs);
    memset(l, 0, sizeof(*l));
}

struct seg *txlog_seg(struct txlog *l, uint32_t num)
{
    size_t lo = 0, hi = l->nsegs;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (l->segs[mid]->num == num)
            return l->segs[mid];
        if (l->segs[mid]->num < num)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

struct seg *txlog_seg_add(struct txlog *l, uint32_t num)
{
    struct seg *s = xcalloc(1, sizeof(*s));
    size_t i = l->nsegs;

    s->num = num;
    if (l->nsegs == l->caps) {
        l->caps = MAX_OF(l->caps * 2, (size_t)8);
        l->segs = xreallocarray(l->segs, l->caps, sizeof(struct seg *));
    }
    while (i > 0 && l->segs[i - 1]->num > num)
        i--;
    memmove(l->segs + i + 1, l->segs + i, (l->nsegs - i) * sizeof(struct seg *));
    l->segs[i] = s;
    l->nsegs++;
    return s;
}

void txlog_seg_drop(struct txlog *l, struct seg *s)
{
    size_t i = 0;

    while (l->segs[i] != s)
        i++;
    vfs_file_close(&s->file);
    memmove(l->segs + i, l->segs + i + 1, (l->nsegs - i - 1) * sizeof(struct seg *));
    l->nsegs--;
    if (l->active == s)
        l->active = NULL;
    free(s);
}

/* Keeps the number of open files bounded: closes the one that was not used for longest. Removed ones cannot be opened again. */
static void close_least_used(struct txlog *l)
{
    struct seg *oldest = NULL;
    unsigned open = 0;

    for (size_t i = 0; i < l->nsegs; i++) {
        struct seg *s = l->segs[i];

        if (s->file == NULL)
            continue;
        open++;
        if (s != l->active && s->users == 0 && !s->removed && (oldest == NULL || s->used_at < oldest->used_at))
            oldest = s;
    }
    if (open >= TXLOG_OPEN_FILES && oldest != NULL)
        vfs_file_close(&oldest->file);
}

int txlog_seg_file(struct txlog *l, struct seg *s, struct vfs_file **out)
{
    struct vfs_name name = {VFS_LOG, 0, s->num};
    int err;

    s->used_at = ++l->clock;
    if (s->file == NULL) {
        close_least_used(l);
        err = vfs_file_open(l->vfs, name, VFS_WRITE, &s->file);
        if (err == 0)
            err = vfs_size(s->file, &s->size);
        if (err != 0) {
            vfs_file_close(&s->file);
            return err;
        }
    }
    *out = s->file;
    return 0;
}

int txlog_read_blob(struct txlog *l, uint32_t seg, uint64_t off, struct blob_head *head_out, struct buf *out)
{
    struct seg *s = txlog_seg(l, seg);
    uint8_t head[BLOB_HEADER_SIZE];
    struct vfs_file *file;
    uint8_t *p;
    int err;

    if (s == NULL)
        return ERR_CORRUPT;
    err = txlog_seg_file(l, s, &file);
    if (err != 0)
        return err;
    err = vfs_read(file, off, head, sizeof(head));
    if (err == 0)
        err = blob_head_parse(view_make(head, sizeof(head)), head_out);
    if (err != 0)
        return err;
    if (off > s->size || head_out->len > s->size - off)
        return ERR_CORRUPT;
    p = buf_reserve(out, head_out->len > 0 ? (size_t)head_out->len : 1);
    if (p == NULL)
        return ERR_NOMEM;
    err = vfs_read(file, off + BLOB_HEADER_SIZE, p, (size_t)head_out->len);
    if (err != 0)
        return err;
    buf_commit(out, (size_t)head_out->len);
    return blob_check(head, head_out, view_make(p, (size_t)head_out->len));
}

void txlog_position(const struct txlog *l, struct txlog_pos *out)
{
    out->seg = l->active != NULL ? l->active->num : 0;
    out->off = l->active != NULL ? l->active->size : 0;
    out->seq = l->next_seq;
    out->epoch = l->epoch;
}

int txlog_seg_remove(struct txlog *l, struct seg *s)
{
    struct vfs_name name = {VFS_LOG, 0, s->num};
    struct vfs_file *file;
    int err = s->removed ? 0 : txlog_seg_file(l, s, &file);

    ASSERT(s != l->active);
    if (err == 0)
        err = vfs_remove(l->vfs, name);
    if (err == 0)
        s->removed = true;
    return err;
}

void txlog_reap(struct txlog *l)
{
    for (size_t i = l->nsegs; i > 0; i--) {
        if (l->segs[i - 1]->removed && l->segs[i - 1]->users == 0)
            txlog_seg_drop(l, l->segs[i - 1]);
    }
}

void txlog_seg_note(struct txlog *l, uint32_t num, uint64_t live)
{
    txlog_seg_add(l, num)->live = live;
}

uint64_t txlog_txn_sum(uint64_t seed, const uint8_t *head, struct view ops)
{
    return XXH3_64bits_withSeed(ops.ptr, ops.len, XXH3_64bits_withSeed(head, TXLOG_TXN_SIZE - 8, seed));
}

static void make_seg_head(const struct txlog *l, struct txlog_batch *b)
{
    struct buf h;

    buf_init(&h, TXLOG_HEADER_SIZE);
    buf_put(&h, TXLOG_MAGIC, 8);
    buf_put_u32(&h, TXLOG_VERSION);
    buf_put_u32(&h, b->seg);
    buf_put_u64(&h, l->account_id);
    buf_put_u64(&h, l->epoch);
    buf_put_u64(&h, l->next_seq);
    buf_put_u64(&h, b->seed);
    buf_put_u64(&h, 0);
    buf_put_u64(&h, XXH3_64bits(buf_view(&h).ptr, TXLOG_HEADER_SIZE - 8));
    ASSERT(buf_ok(&h));
    memcpy(b->seg_head, buf_view(&h).ptr, TXLOG_HEADER_SIZE);
    buf_free(&h);
}

static void add_vector(struct txlog_batch *b, const void *data, size_t len)
{
    if (len == 0)
        return;
    if (b->niov == b->cap) {
        b->cap = MAX_OF(b->cap * 2, (size_t)16);
        b->iov = xreallocarray(b->iov, b->cap, sizeof(*b->iov));
    }
    b->iov[b->niov].iov_base = (void *)(uintptr_t)data;
    b->iov[b->niov++].iov_len = len;
    b->end += len;
}

int txlog_batch_begin(struct txlog *l, struct txlog_batch *b)
{
    memset(b, 0, sizeof(*b));
    if (l->broken)
        return ERR_IO;
    if (l->account_id == 0)
        randombytes_buf(&l->account_id, sizeof(l->account_id));
    b->new_segment = l->active == NULL || l->active->size >= l->segment_max;
    if (!b->new_segment) {
        b->seg = l->active->num;
        b->seed = l->seed;
        b->start = b->end = l->active->size;
        return 0;
    }
    b->seg = l->nsegs > 0 ? l->segs[l->nsegs - 1]->num : 0;
    if (b->seg == UINT32_MAX)
        return ERR_LIMIT;
    b->seg++;
    randombytes_buf(&b->seed, sizeof(b->seed));
    make_seg_head(l, b);
    add_vector(b, b->seg_head, TXLOG_HEADER_SIZE);
    return 0;
}

void txlog_batch_add(struct txlog *l, struct txlog_batch *b, struct view ops, const struct iovec *blobs, size_t nblobs,
                     struct txlog_txn *where_out)
{
    static const uint8_t padding[8];
    uint64_t ops_space = blob_padded(ops.len), total = TXLOG_TXN_SIZE + ops_space;
    struct buf h;

    for (size_t i = 0; i < nblobs; i++)
        total += blobs[i].iov_len;
    ASSERT(ops.len <= UINT32_MAX && total % 8 == 0);
    where_out->seq = l->next_seq + b->nheads;
    where_out->seg = b->seg;
    where_out->off = b->end;
    where_out->blobs = b->end + TXLOG_TXN_SIZE + ops_space;
    where_out->end = b->end + total;
    where_out->ops = ops;

    buf_init(&h, TXLOG_TXN_SIZE);
    buf_put_u32(&h, TXLOG_TXN_MAGIC);
    buf_put_u32(&h, (uint32_t)ops.len);
    buf_put_u64(&h, total);
    buf_put_u64(&h, where_out->seq);
    buf_put_u64(&h, l->epoch);
    buf_put_u64(&h, b->new_segment ? 0 : l->synced);
    buf_put_u64(&h, txlog_txn_sum(b->seed, buf_view(&h).ptr, ops));
    ASSERT(buf_ok(&h));
    if (b->nheads == b->cheads) {
        b->cheads = MAX_OF(b->cheads * 2, (size_t)8);
        b->heads = xreallocarray(b->heads, b->cheads, sizeof(uint8_t *));
    }
    b->heads[b->nheads] = xmalloc(TXLOG_TXN_SIZE);
    memcpy(b->heads[b->nheads], buf_view(&h).ptr, TXLOG_TXN_SIZE);
    buf_free(&h);
    add_vector(b, b->heads[b->nheads++], TXLOG_TXN_SIZE);
    add_vector(b, ops.ptr, ops.len);
    add_vector(b, padding, (size_t)(ops_space - ops.len));
    for (size_t i = 0; i < nblobs; i++)
        add_vector(b, blobs[i].iov_base, blobs[i].iov_len);
}

void txlog_batch_drop(struct txlog_batch *b)
{
    for (size_t i = 0; i < b->nheads; i++)
        free(b->heads[i]);
    free(b->heads);
    free(b->iov);
    memset(b, 0, sizeof(*b));
}

int txlog_sync(struct txlog *l)
{
    int err;

    if (l->broken)
        return ERR_IO;
    if (!l->unsynced || l->active == NULL)
        return 0;
    err = vfs_sync(l->active->file);
    if (err != 0) {
        /* What the kernel has dropped after a failed write-back a second sync would call good: never ask again. */
        l->broken = true;
        return err;
    }
    l->unsynced = false;
    l->synced = l->active->size;
    return 0;
}

/* The batch goes to the end of the active segment. */
static int flush_append(struct txlog *l, const struct txlog_batch *b, bool sync)
{
    struct seg *s = l->active;
    int err = vfs_append(s->file, b->start, l->epoch, b->iov, b->niov);

    if (err != 0) {
        if (vfs_truncate(s->file, b->start) != 0)
            l->broken = true;
        return err;
    }
    s->size = b->end;
    l->unsynced = true;
    return sync ? txlog_sync(l) : 0;
}

/* The name may be left from an attempt that failed. */
static int create_segment_file(struct txlog *l, struct vfs_name name, struct vfs_file **out)
{
    int err = vfs_file_open(l->vfs, name, VFS_CREATE, out);

    if (err != ERR_EXISTS)
        return err;
    err = vfs_file_open(l->vfs, name, VFS_WRITE, out);
    if (err == 0)
        err = vfs_truncate(*out, 0);
    if (err != 0)
        vfs_file_close(out);
    return err;
}

/* The batch begins a new segment. Whatever the older ones hold is made durable first, so that only the last can be torn. */
static int flush_new_segment(struct txlog *l, const struct txlog_batch *b)
{
    struct vfs_name name = {VFS_LOG, 0, b->seg};
    struct vfs_file *file = NULL;
    struct seg *s;
    bool sync_failed = false;
    int err = txlog_sync(l);

    if (err != 0)
        return err;
    err = create_segment_file(l, name, &file);
    if (err == 0)
        err = vfs_append(file, 0, l->epoch, b->iov, b->niov);
    if (err == 0) {
        err = vfs_sync(file);
        if (err == 0)
            err = vfs_sync_dir(l->vfs);
        sync_failed = err != 0;
    }
    if (err != 0) {
        /* After a failed sync it is open whether the segment comes back after a crash: do not go on without it. */
        l->broken = l->broken || sync_failed;
        if (file != NULL && vfs_truncate(file, 0) == 0)
            (void)!vfs_remove(l->vfs, name);
        vfs_file_close(&file);
        return err;
    }
    close_least_used(l);
    s = txlog_seg_add(l, b->seg);
    s->file = file;
    s->size = b->end;
    s->used_at = ++l->clock;
    l->active = s;
    l->seed = b->seed;
    l->synced = b->end;
    return 0;
}

int txlog_batch_flush(struct txlog *l, struct txlog_batch *b, bool sync)
{
    int err = ERR_IO;

    if (!l->broken)
        err = b->new_segment ? flush_new_segment(l, b) : flush_append(l, b, sync);
    if (err == 0)
        l->next_seq += b->nheads;
    txlog_batch_drop(b);
    return err;
}
