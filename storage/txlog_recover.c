/*
 * Reading the log at open.
 *
 * Every transaction says below which offset the log was durable when it was written. So of a place that cannot be read one can
 * tell what it is: when a later whole transaction says that this place was durable, it is damage (passed over and reported, the
 * rest is served); otherwise it is what a crash tore, and the log ends there. Blobs are read only where nothing says that they
 * were durable: the last tick's.
 *
 * A segment is only begun when the one before it is durable, so only the last one can be torn, and when its very header is,
 * nothing in it was ever acknowledged.
 */
#include "storage/txlog_int.h"

#include <stdlib.h>
#include <xxhash.h>

#include "common/base/mem.h"
#include "common/log/log.h"

#define BUDGET 64 /* times the size of a segment may be spent on looking for transactions in it */

struct scan {
    struct txlog *l;
    struct seg *seg;
    struct view bytes;
    void *map; /* of them */
    struct txlog_seg_head head;
    uint64_t next_seq; /* expected; 0: whatever comes first */
    uint64_t epoch;    /* highest so far */
    uint64_t synced;   /* highest offset that a transaction calls durable */
    uint64_t *offs;    /* of the good transactions */
    size_t n, cap;
    uint64_t end; /* of the good part */
    uint64_t damaged;
    struct txlog_budget budget;
};

int txlog_seg_head_parse(struct view bytes, uint32_t num, struct txlog_seg_head *out)
{
    struct cursor c = cursor_make(view_sub(bytes, 0, TXLOG_HEADER_SIZE));
    bool magic = cursor_take_view(&c, VIEW(TXLOG_MAGIC));
    uint32_t version = cursor_u32(&c);
    uint64_t sum;

    out->num = cursor_u32(&c);
    out->account_id = cursor_u64(&c);
    out->epoch = cursor_u64(&c);
    out->first_seq = cursor_u64(&c);
    out->seed = cursor_u64(&c);
    (void)cursor_u64(&c);
    sum = cursor_u64(&c);
    if (!magic || !cursor_done(&c) || sum != XXH3_64bits(bytes.ptr, TXLOG_HEADER_SIZE - 8))
        return ERR_CORRUPT;
    if (version > TXLOG_VERSION)
        return ERR_UNSUPPORTED;
    return version == TXLOG_VERSION && out->num == num ? 0 : ERR_CORRUPT;
}

struct txlog_budget txlog_budget_of(uint64_t size)
{
    return (struct txlog_budget){.left = size < UINT64_MAX / BUDGET ? size * BUDGET : UINT64_MAX};
}

bool txlog_txn_parse(struct view bytes, uint64_t off, uint64_t seed, struct txlog_budget *budget, struct txlog_txn_head *out,
                     struct view *ops_out)
{
    struct cursor c;
    uint64_t left, sum;

    if (off > bytes.len || bytes.len - off < TXLOG_TXN_SIZE)
        return false;
    left = bytes.len - off;
    c = cursor_make(view_sub(bytes, (size_t)off, TXLOG_TXN_SIZE));
    if (cursor_u32(&c) != TXLOG_TXN_MAGIC)
        return false;
    out->ops_len = cursor_u32(&c);
    out->total = cursor_u64(&c);
    out->seq = cursor_u64(&c);
    out->epoch = cursor_u64(&c);
    out->synced = cursor_u64(&c);
    sum = cursor_u64(&c);
    if (out->total > left || out->total % 8 != 0 || out->total < TXLOG_TXN_SIZE + blob_padded(out->ops_len) || out->synced > off)
        return false;
    if (out->ops_len > budget->left) {
        budget->spent = true;
        return false;
    }
    budget->left -= out->ops_len;
    *ops_out = view_sub(bytes, (size_t)off + TXLOG_TXN_SIZE, out->ops_len);
    return sum == txlog_txn_sum(seed, bytes.ptr + off, *ops_out);
}

/* The transaction at off, if there is a whole one that could follow what was read so far. any_seq: it may be later than the next.
 */
static bool txn_at(struct scan *s, uint64_t off, bool any_seq, struct txlog_txn_head *h, struct view *ops_out)
{
    if (!txlog_txn_parse(s->bytes, off, s->head.seed, &s->budget, h, ops_out))
        return false;
    if (h->epoch < s->epoch || h->seq < s->next_seq)
        return false;
    return any_seq || s->next_seq == 0 || h->seq == s->next_seq;
}

static void scan_take(struct scan *s, uint64_t off, const struct txlog_txn_head *h)
{
    if (s->n == s->cap) {
        s->cap = MAX_OF(s->cap * 2, (size_t)256);
        s->offs = xreallocarray(s->offs, s->cap, sizeof(*s->offs));
    }
    s->offs[s->n++] = off;
    s->next_seq = h->seq + 1;
    s->epoch = h->epoch;
    s->synced = MAX_OF(s->synced, h->synced);
    s->end = off + h->total;
}

/* A later transaction that knows that [off, …) was durable; sealed: the segment as a whole was. */
static bool find_beyond_damage(struct scan *s, uint64_t off, bool sealed, uint64_t *off_out)
{
    struct txlog_txn_head h;
    struct view ops;

    for (uint64_t at = off + 8; at + TXLOG_TXN_SIZE <= s->bytes.len; at += 8) {
        if (txn_at(s, at, true, &h, &ops) && (sealed || h.synced > off)) {
            *off_out = at;
            return true;
        }
    }
    return false;
}

/* Collects the good transactions from off on. */
static void scan_walk(struct scan *s, uint64_t off, bool sealed)
{
    struct txlog_txn_head h;
    struct view ops;

    s->end = off;
    while (s->end < s->bytes.len) {
        if (txn_at(s, s->end, false, &h, &ops)) {
            scan_take(s, s->end, &h);
            continue;
        }
        off = s->end;
        if (!find_beyond_damage(s, off, sealed, &off)) {
            if (sealed) {
                s->damaged++;
                s->end = s->bytes.len;
            }
            break;
        }
        LOG_ERROR(0, "damage in the log", F_UINT("segment", s->seg->num), F_UINT("offset", s->end), F_UINT("next", off));
        s->damaged++;
        if (!txn_at(s, off, true, &h, &ops))
            break;
        scan_take(s, off, &h);
    }
}

/* The blobs of a transaction against their checksums. */
static bool blobs_good(const struct scan *s, uint64_t off, uint64_t end)
{
    while (off < end) {
        struct view bytes = view_sub(s->bytes, (size_t)off, (size_t)(end - off));
        struct blob_head head;
        int err = blob_head_parse(bytes, &head);

        if (err != 0 || bytes.len < BLOB_HEADER_SIZE || head.len > bytes.len - BLOB_HEADER_SIZE)
            return false;
        if (blob_check(bytes.ptr, &head, view_sub(bytes, BLOB_HEADER_SIZE, (size_t)head.len)) != 0)
            return false;
        off += blob_space(head.len);
    }
    return off == end;
}

static void txn_where(const struct scan *s, size_t i, struct txlog_txn *t)
{
    struct cursor c = cursor_make(view_sub(s->bytes, (size_t)s->offs[i], TXLOG_TXN_SIZE));
    uint32_t ops_len;

    (void)cursor_u32(&c);
    ops_len = cursor_u32(&c);
    t->off = s->offs[i];
    t->end = t->off + cursor_u64(&c);
    t->seq = cursor_u64(&c);
    t->seg = s->seg->num;
    t->blobs = t->off + TXLOG_TXN_SIZE + blob_padded(ops_len);
    t->ops = view_sub(s->bytes, (size_t)t->off + TXLOG_TXN_SIZE, ops_len);
}

/* Cuts the list at the first transaction whose blobs a crash has torn. */
static void scan_check_blobs(struct scan *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct txlog_txn t;

        txn_where(s, i, &t);
        if (t.end <= s->synced || blobs_good(s, t.blobs, t.end))
            continue;
        s->n = i;
        s->end = t.off;
        s->next_seq = t.seq;
        return;
    }
}

static int scan_apply(const struct scan *s, txlog_apply_fn *apply, void *arg)
{
    for (size_t i = 0; i < s->n; i++) {
        struct txlog_txn t;
        int err;

        txn_where(s, i, &t);
        err = apply(arg, &t);
        if (err != 0)
            return err;
    }
    return 0;
}

/* A crash while a segment is made can leave it short or its first block unwritten. */
static bool never_written(struct view bytes)
{
    for (size_t i = 0; i < TXLOG_HEADER_SIZE && i < bytes.len; i++) {
        if (bytes.ptr[i] != 0)
            return bytes.len < TXLOG_HEADER_SIZE;
    }
    return true;
}

/* What the device did not give, or was too much to look through, is not what a crash tore: nothing may be cut off for it. */
static bool unreadable(const struct scan *s)
{
    return s->budget.spent || !vfs_map_good(s->l->vfs, s->map);
}

/* A segment whose header cannot be read: nothing in it can be judged. Torn while it was made, it goes; otherwise it stays for
 * salvage. */
static int bad_segment(struct scan *s, bool last, struct txlog_report *report)
{
    struct vfs_name name = {VFS_LOG, 0, s->seg->num};
    int err;

    if (!last || unreadable(s) || !never_written(s->bytes)) {
        LOG_ERROR(0, "segment of the log cannot be read", F_UINT("segment", s->seg->num));
        report->damaged++;
        return 0;
    }
    report->cut += s->bytes.len;
    err = vfs_remove(s->l->vfs, name);
    txlog_seg_drop(s->l, s->seg);
    s->seg = NULL;
    return err;
}

static int make_tail_durable(struct txlog *l, const struct scan *s, struct txlog_report *report)
{
    int err;

    if (s->end < s->bytes.len) {
        report->cut += s->bytes.len - s->end;
        err = vfs_truncate(s->seg->file, s->end);
        if (err != 0)
            return err;
        s->seg->size = s->end;
    }
    /* What is served from now on must not vanish with the power: clients may have seen it. */
    if (s->synced < s->end || s->end < s->bytes.len) {
        err = vfs_sync(s->seg->file);
        if (err == 0)
            err = vfs_sync_dir(l->vfs);
        if (err != 0)
            return err;
    }
    return 0;
}

static int scan_segment(struct scan *s, uint64_t from, bool last, txlog_apply_fn *apply, void *arg, struct txlog_report *report)
{
    struct txlog *l = s->l;
    int err = txlog_seg_head_parse(s->bytes, s->seg->num, &s->head);

    /* One that a snapshot knows was finished: it is damaged, however empty its beginning looks. */
    if (err == ERR_CORRUPT)
        return bad_segment(s, last && from == 0 && s->seg->live == 0, report);
    if (err != 0)
        return err;
    if (from > s->bytes.len) {
        report->damaged++;
        from = s->bytes.len;
    }
    l->account_id = s->head.account_id;
    s->epoch = MAX_OF(s->epoch, s->head.epoch);
    s->synced = last ? from : s->bytes.len;
    if (from <= TXLOG_HEADER_SIZE && s->head.first_seq > s->next_seq) {
        /* The end of the segment before is missing. */
        s->damaged += s->next_seq != 0 ? 1 : 0;
        l->beheaded = l->beheaded || (s->next_seq == 0 && s->head.first_seq > 1);
        s->next_seq = s->head.first_seq;
    }
    scan_walk(s, MAX_OF(from, (uint64_t)TXLOG_HEADER_SIZE), !last);
    scan_check_blobs(s);
    report->replayed += s->n;
    report->damaged += s->damaged;
    err = scan_apply(s, apply, arg);
    if (err == 0 && last) {
        l->seed = s->head.seed;
        l->active = s->seg;
        l->synced = s->end;
        if (unreadable(s) || make_tail_durable(l, s, report) != 0)
            l->broken = true;
    }
    return err;
}

/* Maps one segment, scans it, and lets go of it. *next_seq and *epoch go from segment to segment. */
static int read_segment(struct scan *s, uint64_t from, bool last, txlog_apply_fn *apply, void *arg, struct txlog_report *report)
{
    uint32_t num = s->seg->num;
    struct vfs_file *file;
    int err = txlog_seg_file(s->l, s->seg, &file);

    if (err == ERR_NOTFOUND) {
        LOG_ERROR(0, "segment of the log is missing", F_UINT("segment", s->seg->num));
        report->damaged++;
        return 0;
    }
    if (err != 0)
        return err;
    s->bytes = view_make(NULL, 0);
    s->map = NULL;
    s->n = 0;
    s->damaged = 0;
    s->budget = txlog_budget_of(s->seg->size);
    if (s->seg->size > 0) {
        s->bytes.len = (size_t)s->seg->size;
        err = vfs_map(file, 0, s->bytes.len, false, &s->map);
        if (err != 0)
            return err;
        s->bytes.ptr = s->map;
    }
    err = scan_segment(s, from, last, apply, arg, report);
    /* It may be there the next time: what is in memory is good for reading, and must not become a snapshot. */
    if (unreadable(s)) {
        LOG_ERROR(0, "part of the log cannot be read: the account is read-only", F_UINT("segment", num));
        report->damaged++;
        s->l->broken = true;
    }
    vfs_unmap(s->l->vfs, s->map, 0, s->bytes.len);
    return err;
}

static bool list_segment(void *arg, struct vfs_name name)
{
    if (name.kind == VFS_LOG && txlog_seg(arg, name.num) == NULL)
        (void)txlog_seg_add(arg, name.num);
    return true;
}

int txlog_open(struct txlog *l, const struct txlog_pos *start, txlog_apply_fn *apply, void *arg, struct txlog_report *report)
{
    struct scan s = {.l = l, .next_seq = start->seq, .epoch = start->epoch};
    uint32_t last = 0;
    int err;

    memset(report, 0, sizeof(*report));
    err = vfs_list(l->vfs, list_segment, l);
    if (err != 0)
        return err;
    if (l->nsegs > 0)
        last = l->segs[l->nsegs - 1]->num;
    for (size_t i = 0; i < l->nsegs && err == 0; i++) {
        s.seg = l->segs[i];
        if (s.seg->num < start->seg)
            continue;
        err = read_segment(&s, s.seg->num == start->seg ? start->off : 0, s.seg->num == last, apply, arg, report);
    }
    free(s.offs);
    l->next_seq = MAX_OF(s.next_seq, (uint64_t)1);
    l->epoch = s.epoch + 1;
    vfs_set_epoch(l->vfs, l->epoch);
    return err;
}
