/*
 * Writing snapshots. A mailbox's records lie in a file of their own, mapped at open; what changed since that file was written is
 * in the state file, so a few changes in a large mailbox cost a few records, and the file is written again when they are a
 * quarter of it. Small mailboxes have no file at all.
 *
 * Order: the log is synced; new mailbox files are written and synced; the state file is written and synced, its trailer is
 * written and synced, the directory is synced. From then on the new snapshot counts, and what only older ones need is removed. A
 * failure before leaves files that nothing refers to; they go at the next open.
 */
#include <stdlib.h>
#include <xxhash.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/maildir_hooks_int.h"
#include "storage/snapshot_int.h"

#define TAIL_MIN ((uint64_t)256 << 10) /* of log operations before a snapshot is worth its syncs */
#define RETRY_MS 60000

/* Segments that could go: nothing refers to them but the log's past. */
static bool has_empty_segment(const struct account *acc)
{
    for (size_t i = 0; i < acc->log.nsegs; i++) {
        const struct seg *s = acc->log.segs[i];

        if (s != acc->log.active && s->live == 0 && !s->removed)
            return true;
    }
    return false;
}

bool snapshot_due(const struct account *acc)
{
    if (acc->log.broken || acc->damaged_mailboxes > 0 || account_now_ms(acc) < acc->snapshot_after)
        return false;
    return (acc->tail_bytes > TAIL_MIN && acc->tail_bytes > acc->state_bytes / 4) || has_empty_segment(acc);
}

bool snapshot_worth(const struct account *acc)
{
    return !acc->log.broken && acc->damaged_mailboxes == 0 && acc->tail_bytes > acc->state_bytes / 64;
}

void snapshot_obsolete(struct account *acc, struct vfs_name name)
{
    if (acc->nobsolete == acc->cobsolete) {
        acc->cobsolete = MAX_OF(acc->cobsolete * 2, (size_t)8);
        acc->obsolete = xreallocarray(acc->obsolete, acc->cobsolete, sizeof(*acc->obsolete));
    }
    acc->obsolete[acc->nobsolete++] = name;
}

struct snapshot {
    struct account *acc;
    struct snapshot_entry *entries;
    struct buf body; /* the state file but for its trailer */
    struct txlog_pos pos;
    uint32_t num;
    struct vfs_file *file;
};

static bool wants_file(const struct mailbox *m)
{
    uint64_t differing = (uint64_t)(mailbox_nrecs(m) - m->nfile) + m->dirty.n;

    return m->loaded && differing > m->acc->small_mailbox && differing > m->file_recs / 4;
}

static void set_dirty_flags(struct mailbox *m, bool on)
{
    for (size_t i = 0; i < m->dirty.n; i++) {
        struct msg_rec *rec = mailbox_rec(m, m->dirty.v[i]);

        rec->flags = (uint16_t)(on ? rec->flags | REC_DIRTY : rec->flags & ~REC_DIRTY);
    }
}

/* --- mailbox files ----------------------------------------------------------------------------------------------------- */

struct run_list {
    struct iovec *v;
    size_t n, cap;
};

/* The live records as runs of memory. */
static void add_run(struct run_list *l, struct msg_rec *first, size_t n)
{
    if (n == 0)
        return;
    if (l->n == l->cap) {
        l->cap = MAX_OF(l->cap * 2, (size_t)16);
        l->v = xreallocarray(l->v, l->cap, sizeof(*l->v));
    }
    l->v[l->n++] = (struct iovec){first, n * sizeof(*first)};
}

static uint32_t add_runs(struct run_list *l, struct msg_rec *recs, uint32_t n)
{
    uint32_t start = 0, live = 0;

    for (uint32_t i = 0; n > 0 && i <= n; i++) {
        if (i < n && (recs[i].flags & REC_GONE) == 0) {
            live++;
            continue;
        }
        add_run(l, recs + start, i - start);
        start = i + 1;
    }
    return live;
}

static int write_file(struct account *acc, struct vfs_name name, const struct iovec *iov, size_t niov)
{
    struct vfs_file *file;
    int err = vfs_file_open(acc->vfs, name, VFS_CREATE, &file);

    if (err != 0)
        return err;
    err = vfs_append(file, 0, acc->log.epoch, iov, niov);
    if (err == 0)
        err = vfs_sync(file);
    vfs_file_close(&file);
    return err;
}

static int write_mailbox(struct snapshot *s, struct snapshot_entry *e)
{
    struct vfs_name name = {VFS_MBOX, e->m->id, s->num};
    struct mbox_head head = {.id = e->m->id, .num = s->num};
    struct run_list runs = {0};
    XXH3_state_t *sum = XXH3_createState();
    struct buf b;
    int err;

    if (sum == NULL)
        return ERR_NOMEM;
    set_dirty_flags(e->m, false);
    add_run(&runs, NULL, 1); /* the header's place */
    head.nrecs = add_runs(&runs, e->m->base, e->m->nbase);
    head.nrecs += add_runs(&runs, e->m->tail, e->m->ntail);
    XXH3_64bits_reset(sum);
    for (size_t i = 1; i < runs.n; i++)
        XXH3_64bits_update(sum, runs.v[i].iov_base, runs.v[i].iov_len);
    head.sum = XXH3_64bits_digest(sum);
    XXH3_freeState(sum);
    buf_init(&b, MBOX_HEADER_SIZE);
    mbox_head_put(&b, &head);
    ASSERT(buf_ok(&b) && buf_len(&b) == MBOX_HEADER_SIZE);
    runs.v[0] = (struct iovec){(void *)(uintptr_t)buf_view(&b).ptr, MBOX_HEADER_SIZE};
    err = write_file(s->acc, name, runs.v, runs.n);
    set_dirty_flags(e->m, true);
    free(runs.v);
    buf_free(&b);
    e->new_file = true;
    e->file_num = s->num;
    e->file_recs = head.nrecs;
    return err;
}

/* --- the state file ----------------------------------------------------------------------------------------------------- */

/* What differs from the mailbox's file: records that came since, then those that changed. */
static int put_delta(struct snapshot *s, struct snapshot_entry *e)
{
    const struct mailbox *m = e->m;
    size_t start = buf_len(&s->body);

    e->delta_off = start;
    if (!m->loaded) {
        size_t len = ((size_t)m->delta_tail + m->delta_dirty) * sizeof(struct msg_rec);
        uint8_t *p = buf_reserve(&s->body, len);

        e->delta_tail = m->delta_tail;
        e->delta_dirty = m->delta_dirty;
        e->delta_sum = m->delta_sum;
        if (len == 0)
            return 0;
        if (p == NULL)
            return ERR_NOMEM;
        buf_commit(&s->body, len);
        return vfs_read(s->acc->state_file, m->delta_off, p, len);
    }
    for (uint32_t i = m->nfile; i < mailbox_nrecs(m) && !e->new_file; i++) {
        if ((mailbox_rec(m, i)->flags & REC_GONE) != 0)
            continue;
        buf_put(&s->body, mailbox_rec(m, i), sizeof(struct msg_rec));
        e->delta_tail++;
    }
    for (size_t i = 0; i < m->dirty.n && !e->new_file; i++) {
        struct msg_rec rec = *mailbox_rec(m, m->dirty.v[i]);

        rec.flags &= (uint16_t)~REC_DIRTY;
        buf_put(&s->body, &rec, sizeof(rec));
        e->delta_dirty++;
    }
    if (!buf_ok(&s->body))
        return ERR_NOMEM;
    e->delta_sum = XXH3_64bits(buf_view(&s->body).ptr + start, buf_len(&s->body) - start);
    return 0;
}

static int put_mailboxes(struct snapshot *s)
{
    struct account *acc = s->acc;

    for (size_t i = 0; i < acc->nmailboxes; i++) {
        struct snapshot_entry *e = &s->entries[i];
        int err;

        e->m = acc->by_id[i];
        e->file_num = e->m->file_num;
        e->file_recs = e->m->file_recs;
        err = wants_file(e->m) ? write_mailbox(s, e) : 0;
        if (err == 0)
            err = put_delta(s, e);
        if (err != 0)
            return err;
    }
    return 0;
}

static void put_state_header(struct snapshot *s)
{
    buf_put(&s->body, STATE_MAGIC, 8);
    buf_put_u32(&s->body, SNAPSHOT_VERSION);
    buf_put_u32(&s->body, s->num);
    while (buf_ok(&s->body) && buf_len(&s->body) < STATE_HEADER_SIZE)
        buf_put_byte(&s->body, 0);
}

static int append_synced(struct snapshot *s, uint64_t off, struct view bytes)
{
    struct iovec iov = {(void *)(uintptr_t)bytes.ptr, bytes.len};
    int err = vfs_append(s->file, off, s->acc->log.epoch, &iov, 1);

    return err != 0 ? err : vfs_sync(s->file);
}

static int write_state(struct snapshot *s)
{
    struct vfs_name name = {VFS_STATE, 0, s->num};
    struct state_trailer t = {.num = s->num, .meta_off = buf_len(&s->body)};
    struct buf end;
    int err;

    state_meta_put(&s->body, s->acc, &s->pos, s->entries);
    if (!buf_ok(&s->body))
        return ERR_NOMEM;
    t.meta_len = buf_len(&s->body) - t.meta_off;
    t.meta_sum = XXH3_64bits(buf_view(&s->body).ptr + t.meta_off, (size_t)t.meta_len);
    err = vfs_file_open(s->acc->vfs, name, VFS_CREATE, &s->file);
    if (err == 0)
        err = append_synced(s, 0, buf_view(&s->body));
    /* The names of all files of this snapshot are durable before the trailer makes it count. */
    if (err == 0)
        err = vfs_sync_dir(s->acc->vfs);
    if (err != 0)
        return err;
    buf_init(&end, STATE_TRAILER_SIZE);
    state_trailer_put(&end, &t);
    ASSERT(buf_ok(&end) && buf_len(&end) == STATE_TRAILER_SIZE);
    err = append_synced(s, buf_len(&s->body), buf_view(&end));
    buf_free(&end);
    return err;
}

/* --- afterwards ----------------------------------------------------------------------------------------------------------- */

static void entry_done(struct snapshot *s, struct snapshot_entry *e)
{
    struct mailbox *m = e->m;

    if (!e->new_file) {
        m->delta_off = e->delta_off;
        m->delta_sum = e->delta_sum;
        m->delta_tail = e->delta_tail;
        m->delta_dirty = e->delta_dirty;
        return;
    }
    if (m->file_num != 0)
        snapshot_obsolete(s->acc, (struct vfs_name){VFS_MBOX, m->id, m->file_num});
    m->file_num = e->file_num;
    m->file_recs = e->file_recs;
    set_dirty_flags(m, false);
    m->dirty.n = 0;
    m->nfile = mailbox_nrecs(m);
    m->delta_tail = m->delta_dirty = 0;
    m->delta_off = e->delta_off;
    m->delta_sum = e->delta_sum;
    /* Nobody knows indices: the mapped file takes the place of what grew in memory. */
    if (m->views == NULL)
        mailbox_unload(m);
}

static void remove_files(struct account *acc, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (vfs_remove(acc->vfs, acc->obsolete[i]) != 0)
            LOG_WARN(0, "cannot remove an old file", F_UINT("kind", acc->obsolete[i].kind),
                     F_UINT("number", acc->obsolete[i].num));
    }
    acc->nobsolete -= n;
    if (acc->nobsolete > 0)
        memmove(acc->obsolete, acc->obsolete + n, acc->nobsolete * sizeof(*acc->obsolete));
    acc->nleftover = 0;
}

void snapshot_clean(struct account *acc)
{
    if (!acc->damaged && acc->nleftover > 0)
        remove_files(acc, acc->nleftover);
}

/* Segments before the snapshot's position to which no message refers. */
static void remove_segments(struct account *acc, const struct txlog_pos *pos)
{
    for (size_t i = 0; i < acc->log.nsegs; i++) {
        struct seg *seg = acc->log.segs[i];

        if (seg->num < pos->seg && seg->live == 0 && !seg->removed && txlog_seg_remove(&acc->log, seg) != 0)
            LOG_WARN(0, "cannot remove an empty segment", F_UINT("segment", seg->num));
    }
    if (acc->views == NULL)
        txlog_reap(&acc->log);
}

static void snapshot_done(struct snapshot *s)
{
    struct account *acc = s->acc;

    if (acc->state_num != 0)
        snapshot_obsolete(acc, (struct vfs_name){VFS_STATE, 0, acc->state_num});
    vfs_file_close(&acc->state_file);
    acc->state_file = s->file; /* transferred */
    s->file = NULL;
    acc->state_num = s->num;
    acc->state_bytes = buf_len(&s->body);
    acc->tail_bytes = 0;
    acc->jump = 0; /* the snapshot has the higher modseqs */
    acc->clean = true;
    for (size_t i = 0; i < acc->nmailboxes; i++)
        entry_done(s, &s->entries[i]);
    digfiles_drop_needless(acc);
    remove_files(acc, acc->nobsolete);
    remove_segments(acc, &s->pos);
}

/* What was written goes, now or at the next open: the state file first, and what it refers to only when that is sure. When a
 * failed sync wrote the trailer all the same, the snapshot is as good as any and the log goes on from it. */
static void snapshot_failed(struct snapshot *s, int err)
{
    struct account *acc = s->acc;

    LOG_ERROR(0, "cannot write a snapshot", F_UINT("number", s->num), F_ERR(err));
    vfs_file_close(&s->file);
    acc->snapshot_after = account_now_ms(acc) + RETRY_MS;
    if (vfs_remove(acc->vfs, (struct vfs_name){VFS_STATE, 0, s->num}) != 0 || vfs_sync_dir(acc->vfs) != 0)
        return;
    for (size_t i = 0; i < acc->nmailboxes; i++) {
        if (s->entries[i].new_file)
            (void)!vfs_remove(acc->vfs, (struct vfs_name){VFS_MBOX, s->entries[i].m->id, s->num});
    }
}

int snapshot_write(struct account *acc)
{
    struct snapshot s = {.acc = acc};
    int err = acc->md != NULL ? md_settle(acc) : 0;

    if (err == 0)
        err = txlog_sync(&acc->log);

    if (err != 0)
        return err;
    if (acc->next_num == UINT32_MAX)
        return ERR_LIMIT;
    s.num = acc->next_num++;
    s.entries = xcalloc(acc->nmailboxes + 1, sizeof(*s.entries));
    buf_init(&s.body, SIZE_MAX / 4);
    txlog_position(&acc->log, &s.pos);
    put_state_header(&s);
    err = put_mailboxes(&s);
    if (err == 0)
        err = write_state(&s);
    if (err == 0)
        snapshot_done(&s);
    else
        snapshot_failed(&s, err);
    buf_free(&s.body);
    free(s.entries);
    return err;
}
