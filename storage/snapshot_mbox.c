/*
 * Mailbox files, written a slice at a time while the mailbox goes on changing.
 *
 * A slice takes the records as they are in its moment. A record that changes after it was written is stale (REC_STALE,
 * new_dirty), and stands in the state file, which is made last and in one moment, as it is then: as with any record that differs
 * from its file. So nothing is copied while a file is written, and all that is made of one moment is small.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/snapshot_int.h"

#define DELTA_MAX 65536 /* records that a state file may have of one mailbox: they are copied in one slice */

bool snapshot_wants_file(const struct mailbox *m)
{
    uint64_t differing = (uint64_t)(mailbox_nrecs(m) - m->nfile) + m->dirty.n;

    return m->loaded && !m->damaged && differing > m->acc->small_mailbox &&
           differing > MIN_OF(m->file_recs / 4, (uint32_t)DELTA_MAX);
}

static void clear_flag(struct mailbox *m, const struct idx_list *l, unsigned flag)
{
    for (size_t i = 0; i < l->n; i++)
        mailbox_rec(m, l->v[i])->flags &= (uint16_t)~flag;
}

static int begin_file(struct account *acc, struct snapshot *s, struct mailbox *m)
{
    struct vfs_name name = {VFS_MBOX, m->id, s->num};
    int err = mailbox_load(m);

    if (err == 0 && s->sum == NULL) {
        s->sum = XXH3_createState();
        err = s->sum == NULL ? ERR_NOMEM : 0;
    }
    if (err == 0)
        err = vfs_file_open(acc->vfs, name, VFS_CREATE, &s->file);
    if (err != 0)
        return err;
    XXH3_64bits_reset(s->sum);
    s->off = 0;
    idx_sort_unique(&m->expunged);
    s->skip.n = s->skip_at = 0;
    for (size_t i = 0; i < m->expunged.n; i++)
        idx_add(&s->skip, m->expunged.v[i]);
    m->new_num = s->num;
    m->new_recs = m->new_cursor = 0;
    m->new_end = mailbox_nrecs(m);
    m->new_dirty.n = 0;
    return 0;
}

/* The next records that were there when the file was begun, as they are now. Returns how many. */
static uint32_t copy_records(struct snapshot *s, struct mailbox *m, struct msg_rec *out, uint32_t most)
{
    uint32_t n = 0;

    for (; m->new_cursor < m->new_end && n < most; m->new_cursor++) {
        struct msg_rec *rec = mailbox_rec(m, m->new_cursor);

        if (s->skip_at < s->skip.n && s->skip.v[s->skip_at] == m->new_cursor) {
            s->skip_at++;
            continue;
        }
        out[n] = *rec;
        out[n++].flags &= (uint16_t) ~(REC_GONE | REC_DIRTY | REC_STALE);
        if ((rec->flags & REC_GONE) != 0 && (rec->flags & REC_STALE) == 0) {
            rec->flags |= REC_STALE;
            idx_add(&m->new_dirty, m->new_cursor);
        }
    }
    return n;
}

static int append_synced(struct account *acc, struct snapshot *s, const void *data, size_t len)
{
    struct iovec iov = {(void *)(uintptr_t)data, len};
    int err = vfs_append(s->file, s->off, acc->log.epoch, &iov, 1);

    if (err == 0)
        err = vfs_sync(s->file);
    s->off += len;
    return err;
}

static int end_file(struct account *acc, struct snapshot *s, struct mailbox *m)
{
    struct mbox_trailer t = {.id = m->id, .num = s->num, .nrecs = m->new_recs, .sum = XXH3_64bits_digest(s->sum)};
    struct buf b;
    int err;

    /* Zeros in place of what could not be read must not be taken for records. */
    if (mailbox_load(m) != 0)
        return ERR_IO;
    buf_init(&b, MBOX_TRAILER_SIZE);
    mbox_trailer_put(&b, &t);
    ASSERT(buf_ok(&b) && buf_len(&b) == MBOX_TRAILER_SIZE);
    err = append_synced(acc, s, buf_view(&b).ptr, MBOX_TRAILER_SIZE);
    buf_free(&b);
    vfs_file_close(&s->file);
    return err;
}

int snapshot_write_mailbox(struct account *acc, struct snapshot *s, struct mailbox *m, bool *done_out)
{
    struct msg_rec *recs;
    uint32_t n;
    int err = 0;

    *done_out = false;
    if (s->file == NULL)
        return begin_file(acc, s, m);
    recs = xreallocarray(NULL, acc->snapshot_slice, sizeof(*recs));
    n = copy_records(s, m, recs, acc->snapshot_slice);
    if (n > 0) {
        m->new_recs += n;
        XXH3_64bits_update(s->sum, recs, n * sizeof(*recs));
        err = append_synced(acc, s, recs, n * sizeof(*recs));
    }
    free(recs);
    if (err == 0 && m->new_cursor == m->new_end) {
        *done_out = true;
        err = end_file(acc, s, m);
    }
    return err;
}

void snapshot_mailbox_use(struct mailbox *m)
{
    if (m->file_num != 0)
        snapshot_obsolete(m->acc, (struct vfs_name){VFS_MBOX, m->id, m->file_num});
    clear_flag(m, &m->dirty, REC_DIRTY);
    clear_flag(m, &m->new_dirty, REC_STALE);
    idx_free(&m->dirty);
    m->dirty = m->new_dirty;
    memset(&m->new_dirty, 0, sizeof(m->new_dirty));
    for (size_t i = 0; i < m->dirty.n; i++)
        mailbox_rec(m, m->dirty.v[i])->flags |= REC_DIRTY;
    m->file_num = m->new_num;
    m->file_recs = m->new_recs;
    m->nfile = m->new_end;
    m->new_num = m->new_recs = m->new_end = m->new_cursor = 0;
}

void snapshot_mailbox_drop(struct mailbox *m)
{
    clear_flag(m, &m->new_dirty, REC_STALE);
    idx_free(&m->new_dirty);
    m->new_num = m->new_recs = m->new_end = m->new_cursor = 0;
}

void snapshot_mailbox_gone(struct mailbox *m)
{
    if (m->new_num == 0)
        return;
    snapshot_obsolete(m->acc, (struct vfs_name){VFS_MBOX, m->id, m->new_num});
    snapshot_mailbox_drop(m);
}
