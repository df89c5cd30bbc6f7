/*
 * Writing snapshots. A mailbox's records lie in a file of their own, mapped at open; what changed since that file was written is
 * in the state file, so a few changes in a large mailbox cost a few records, and the file is written again when they are a
 * quarter of it. Small mailboxes have no file at all.
 *
 * It is done in slices, so that a large account does not keep its sessions waiting. New mailbox files are written and synced
 * (snapshot_mbox.c). Then the picture is taken: the log is synced, and everything else is put into memory as it is in that
 * moment, with the position in the log to which it belongs. It is written to the state file and synced; the directory is synced;
 * the trailer is written and synced. From then on the new snapshot counts, and what only older ones need is removed, unless it
 * became needless after the picture was taken. A failure before leaves files that nothing refers to; they go at the next open.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/maildir_hooks_int.h"
#include "storage/snapshot_int.h"

#define TAIL_MIN ((uint64_t)256 << 10) /* of log operations before a snapshot is worth its syncs */
#define RETRY_MS 60000
#define SETTLE_MS 1000

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
    return (acc->tail_bytes > TAIL_MIN && acc->tail_bytes > acc->state_bytes / 4) || acc->snapshot_doubted ||
           has_empty_segment(acc);
}

bool snapshot_worth(const struct account *acc)
{
    return !acc->log.broken && acc->damaged_mailboxes == 0 && (acc->tail_bytes > acc->state_bytes / 64 || acc->snapshot_doubted);
}

void snapshot_obsolete(struct account *acc, struct vfs_name name)
{
    if (acc->nobsolete == acc->cobsolete) {
        acc->cobsolete = MAX_OF(acc->cobsolete * 2, (size_t)8);
        acc->obsolete = xreallocarray(acc->obsolete, acc->cobsolete, sizeof(*acc->obsolete));
    }
    acc->obsolete[acc->nobsolete++] = name;
}

/* --- the picture -------------------------------------------------------------------------------------------------------- */

static void put_rec(struct buf *out, const struct msg_rec *rec)
{
    struct msg_rec copy = *rec;

    copy.flags &= (uint16_t) ~(REC_DIRTY | REC_STALE);
    buf_put(out, &copy, sizeof(copy));
}

/* Of one that is not in memory: as it is in the state file before. */
static int copy_delta(struct account *acc, struct buf *out, const struct mailbox *m, struct snapshot_entry *e)
{
    size_t len = ((size_t)m->delta_tail + m->delta_dirty) * sizeof(struct msg_rec);
    uint8_t *p = buf_reserve(out, len + 1);

    e->delta_tail = m->delta_tail;
    e->delta_dirty = m->delta_dirty;
    e->delta_sum = m->delta_sum;
    if (len == 0)
        return 0;
    if (p == NULL)
        return ERR_NOMEM;
    buf_commit(out, len);
    return vfs_read(acc->state_file, m->delta_off, p, len);
}

/* What differs from the mailbox's file: records that came since, then those that changed. */
static int put_delta(struct account *acc, struct buf *out, struct mailbox *m, struct snapshot_entry *e)
{
    const struct idx_list *dirty = e->new_file ? &m->new_dirty : &m->dirty;
    size_t start = buf_len(out);

    e->delta_off = start;
    if (!m->loaded)
        return copy_delta(acc, out, m, e);
    for (uint32_t i = e->new_file ? m->new_end : m->nfile; i < mailbox_nrecs(m); i++) {
        if ((mailbox_rec(m, i)->flags & REC_GONE) != 0)
            continue;
        put_rec(out, mailbox_rec(m, i));
        e->delta_tail++;
    }
    for (size_t i = 0; i < dirty->n; i++)
        put_rec(out, mailbox_rec(m, dirty->v[i]));
    e->delta_dirty = (uint32_t)dirty->n;
    if (!buf_ok(out))
        return ERR_NOMEM;
    e->delta_sum = XXH3_64bits(buf_view(out).ptr + start, buf_len(out) - start);
    return mailbox_load(m); /* whether all of it could be read */
}

static int put_mailboxes(struct account *acc, struct snapshot *s)
{
    s->nentries = acc->nmailboxes;
    s->entries = xcalloc(s->nentries + 1, sizeof(*s->entries));
    for (size_t i = 0; i < s->nentries; i++) {
        struct mailbox *m = acc->by_id[i];
        struct snapshot_entry *e = &s->entries[i];
        int err;

        e->id = m->id;
        e->new_file = m->new_num != 0;
        e->file_num = e->new_file ? m->new_num : m->file_num;
        e->file_recs = e->new_file ? m->new_recs : m->file_recs;
        err = put_delta(acc, &s->body, m, e);
        if (err != 0)
            return err;
        m->touched = false;
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

static int take_picture(struct account *acc, struct snapshot *s)
{
    struct vfs_name name = {VFS_STATE, 0, s->num};
    int err = acc->md != NULL ? md_settle(acc) : 0;

    if (err == 0)
        err = txlog_sync(&acc->log);
    if (err != 0)
        return err;
    digfiles_drop_needless(acc);
    txlog_position(&acc->log, &s->pos);
    for (size_t i = 0; i < acc->log.nsegs; i++)
        acc->log.segs[i]->doomed = acc->log.segs[i]->num < s->pos.seg && acc->log.segs[i]->live == 0;
    s->nobsolete = acc->nobsolete;
    s->tail_bytes = acc->tail_bytes;
    buf_init(&s->body, SIZE_MAX / 4);
    put_state_header(s);
    err = put_mailboxes(acc, s);
    if (err != 0)
        return err;
    s->trailer = (struct state_trailer){.num = s->num, .meta_off = buf_len(&s->body)};
    state_meta_put(&s->body, acc, &s->pos, s->entries);
    if (!buf_ok(&s->body))
        return ERR_NOMEM;
    s->trailer.meta_len = buf_len(&s->body) - s->trailer.meta_off;
    s->trailer.meta_sum = XXH3_64bits(buf_view(&s->body).ptr + s->trailer.meta_off, (size_t)s->trailer.meta_len);
    s->off = 0;
    s->taken = true;
    return vfs_file_open(acc->vfs, name, VFS_CREATE, &s->file);
}

/* --- afterwards ----------------------------------------------------------------------------------------------------------- */

static void entry_done(struct account *acc, const struct snapshot_entry *e)
{
    struct mailbox *m = account_find_id(acc, e->id);

    /* What the picture says of one that was deleted or began anew since is of no use. */
    if (m == NULL || (e->new_file ? m->new_num : m->file_num) != e->file_num)
        return;
    m->delta_off = e->delta_off;
    m->delta_sum = e->delta_sum;
    m->delta_tail = e->delta_tail;
    m->delta_dirty = e->delta_dirty;
    if (!e->new_file)
        return;
    snapshot_mailbox_use(m);
    /* Nobody knows indices: the mapped file takes the place of what grew in memory. */
    if (m->views == NULL && !m->touched && !m->damaged)
        mailbox_unload(m);
}

static void remove_files(struct account *acc, size_t n)
{
    acc->nremovable -= MIN_OF(n, acc->nremovable);
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

/* What became needless after the picture was taken is still named in it: it stays for the next. */
static void remove_obsolete(struct account *acc, const struct snapshot *s)
{
    size_t later = acc->nobsolete - s->nobsolete;
    struct vfs_name *keep = xreallocarray(NULL, later + 1, sizeof(*keep));

    if (later > 0)
        memcpy(keep, acc->obsolete + s->nobsolete, later * sizeof(*keep));
    acc->nobsolete = s->nobsolete;
    /* The older state file at once: two of them would look like a doubtful snapshot. */
    if (acc->state_num != 0 && vfs_remove(acc->vfs, (struct vfs_name){VFS_STATE, 0, acc->state_num}) != 0)
        snapshot_obsolete(acc, (struct vfs_name){VFS_STATE, 0, acc->state_num});
    for (size_t i = 0; i < s->nentries; i++)
        entry_done(acc, &s->entries[i]);
    acc->nremovable = acc->nobsolete;
    for (size_t i = 0; i < later; i++)
        snapshot_obsolete(acc, keep[i]);
    free(keep);
}

void snapshot_clean(struct account *acc)
{
    if (!acc->damaged && !acc->snapshot_doubted && acc->nleftover > 0)
        remove_files(acc, acc->nleftover);
}

/* Segments before the snapshot's position to which no message referred then. */
static void remove_segments(struct account *acc)
{
    for (size_t i = 0; i < acc->log.nsegs; i++) {
        struct seg *seg = acc->log.segs[i];

        if (seg->doomed && seg->live == 0 && !seg->removed && txlog_seg_remove(&acc->log, seg) != 0)
            LOG_WARN(0, "cannot remove an empty segment", F_UINT("segment", seg->num));
    }
    if (acc->views == NULL)
        txlog_reap(&acc->log);
}

void snapshot_free(struct account *acc)
{
    struct snapshot *s = acc->snapshot;

    if (s == NULL)
        return;
    vfs_file_close(&s->file);
    XXH3_freeState(s->sum);
    idx_free(&s->skip);
    buf_free(&s->body);
    free(s->entries);
    free(s);
    acc->snapshot = NULL;
}

static void snapshot_done(struct account *acc, struct snapshot *s)
{
    vfs_file_close(&acc->state_file);
    acc->state_file = s->file; /* transferred */
    s->file = NULL;
    acc->snapshot_doubted = false;
    remove_obsolete(acc, s);
    acc->state_num = s->num;
    acc->state_bytes = buf_len(&s->body);
    acc->tail_bytes -= s->tail_bytes;
    acc->jump = 0; /* the snapshot has the higher modseqs */
    acc->clean = acc->log.next_seq == s->pos.seq;
    remove_segments(acc);
    snapshot_free(acc);
}

/* What was written goes, now or at the next open: the state file first, and what it refers to only when that is sure. When a
 * failed sync wrote the trailer all the same, the snapshot is as good as any and the log goes on from it. */
static void snapshot_failed(struct account *acc, struct snapshot *s, int err)
{
    bool sure = true;

    LOG_ERROR(0, "cannot write a snapshot", F_UINT("number", s->num), F_ERR(err));
    vfs_file_close(&s->file);
    acc->snapshot_after = account_now_ms(acc) + RETRY_MS;
    if (s->taken)
        sure = vfs_remove(acc->vfs, (struct vfs_name){VFS_STATE, 0, s->num}) == 0 && vfs_sync_dir(acc->vfs) == 0;
    for (size_t i = 0; i < acc->nmailboxes; i++) {
        struct mailbox *m = acc->by_id[i];

        if (m->new_num == 0)
            continue;
        if (sure)
            (void)!vfs_remove(acc->vfs, (struct vfs_name){VFS_MBOX, m->id, m->new_num});
        snapshot_mailbox_drop(m);
    }
    snapshot_free(acc);
}

/* --- in slices ------------------------------------------------------------------------------------------------------------- */

static int append_synced(struct account *acc, struct snapshot *s, struct view bytes)
{
    struct iovec iov = {(void *)(uintptr_t)bytes.ptr, bytes.len};
    int err = vfs_append(s->file, s->off, acc->log.epoch, &iov, 1);

    s->off += bytes.len;
    return err != 0 ? err : vfs_sync(s->file);
}

/* The mailbox whose file is being written, or the next that wants one. */
static struct mailbox *next_mailbox(const struct account *acc, struct snapshot *s)
{
    for (size_t i = 0; i < acc->nmailboxes; i++) {
        struct mailbox *m = acc->by_id[i];

        if (m->id >= s->next_id && (m->new_num != 0 || snapshot_wants_file(m)))
            return m;
    }
    return NULL;
}

static int mailbox_slice(struct account *acc, struct snapshot *s)
{
    struct mailbox *m = next_mailbox(acc, s);
    bool done;
    int err;

    /* The one that was being written was deleted, or began anew: what it has now is for the state file. */
    if (s->file != NULL && (m == NULL || m->new_num == 0)) {
        vfs_file_close(&s->file);
        s->next_id++;
        return 0;
    }
    if (m == NULL)
        return take_picture(acc, s);
    s->next_id = m->id;
    err = snapshot_write_mailbox(acc, s, m, &done);
    s->next_id += done;
    return err;
}

/* Ends the snapshot: now it counts. */
static int write_trailer(struct account *acc, struct snapshot *s)
{
    struct buf end;
    int err;

    /* Changes of flags that came after the picture may be known to clients and not be durable. Where a crash took them and left
     * the snapshot, the account would seem to have been closed in order, and their modseqs would be used again. */
    err = txlog_sync(&acc->log);
    if (err != 0)
        return err;
    buf_init(&end, STATE_TRAILER_SIZE);
    state_trailer_put(&end, &s->trailer);
    ASSERT(buf_ok(&end) && buf_len(&end) == STATE_TRAILER_SIZE);
    err = append_synced(acc, s, buf_view(&end));
    buf_free(&end);
    if (err == 0)
        snapshot_done(acc, s);
    return err;
}

static int state_slice(struct account *acc, struct snapshot *s)
{
    size_t left = buf_len(&s->body) - (size_t)s->off, most = (size_t)acc->snapshot_slice * sizeof(struct msg_rec);
    int err;

    if (left == 0)
        return write_trailer(acc, s);
    err = append_synced(acc, s, view_sub(buf_view(&s->body), (size_t)s->off, most));
    /* The names of all files of this snapshot are durable before the trailer makes it count. */
    return err == 0 && left <= most ? vfs_sync_dir(acc->vfs) : err;
}

static int step(struct account *acc)
{
    struct snapshot *s = acc->snapshot;
    int err = acc->log.broken ? ERR_IO : acc->damaged_mailboxes > 0 ? ERR_CORRUPT : 0;

    if (err == 0)
        err = s->taken ? state_slice(acc, s) : mailbox_slice(acc, s);
    if (err != 0)
        snapshot_failed(acc, s, err);
    return err;
}

void snapshot_begin(struct account *acc)
{
    ASSERT(acc->snapshot == NULL);
    /* What does not settle now will not in a moment: not worth a file. */
    if (acc->next_num == UINT32_MAX || (acc->md != NULL && md_settle(acc) != 0)) {
        acc->snapshot_after = account_now_ms(acc) + SETTLE_MS;
        return;
    }
    acc->snapshot = xcalloc(1, sizeof(*acc->snapshot));
    acc->snapshot->num = acc->next_num++;
    acc->snapshot->next_id = 1;
}

bool snapshot_slice(struct account *acc)
{
    if (acc->snapshot != NULL)
        return step(acc) == 0;
    if (acc->nremovable > 0 && acc->damaged_mailboxes == 0) {
        remove_files(acc, 1); /* a large one takes its time */
        return true;
    }
    return false;
}

int snapshot_finish(struct account *acc)
{
    int err = 0;

    while (acc->snapshot != NULL && err == 0)
        err = step(acc);
    if (acc->nremovable > 0 && acc->damaged_mailboxes == 0)
        remove_files(acc, acc->nremovable);
    return err;
}

int snapshot_write(struct account *acc)
{
    int err = snapshot_finish(acc);

    if (err != 0)
        return err;
    snapshot_begin(acc);
    return acc->snapshot != NULL ? snapshot_finish(acc) : ERR_BUSY;
}
