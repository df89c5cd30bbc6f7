/*
 * Reading snapshots. Opening an account reads the meta of the state file only; a mailbox's records are mapped when they are first
 * needed.
 *
 * Of several state files the newest with a good trailer counts: a newer one without was not finished. A good trailer over bad
 * content is damage, not a crash.
 */
#include <stdlib.h>
#include <xxhash.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/snapshot_int.h"

struct found {
    struct vfs_name *v;
    size_t n, cap;
};

static bool find_one(void *arg, struct vfs_name name)
{
    struct found *f = arg;

    if (name.kind == VFS_LOG)
        return true;
    if (f->n == f->cap) {
        f->cap = MAX_OF(f->cap * 2, (size_t)64);
        f->v = xreallocarray(f->v, f->cap, sizeof(*f->v));
    }
    f->v[f->n++] = name;
    return true;
}

/* One without a good trailer was not finished; or a newer version wrote it, whose trailer looks different. */
static int unfinished_or_newer(struct vfs_file *file)
{
    uint8_t bytes[STATE_HEADER_SIZE];
    struct cursor c = cursor_make(view_make(bytes, sizeof(bytes)));
    int err = vfs_read(file, 0, bytes, sizeof(bytes));

    if (err != 0)
        return err;
    return cursor_take_view(&c, VIEW(STATE_MAGIC)) && cursor_u32(&c) > SNAPSHOT_VERSION ? ERR_UNSUPPORTED : ERR_NOTFOUND;
}

static int read_state(struct account *acc, struct vfs_file *file, struct txlog_pos *pos)
{
    uint8_t end[STATE_TRAILER_SIZE];
    struct state_trailer t;
    uint64_t size;
    struct buf meta;
    uint8_t *p;
    int err = vfs_size(file, &size);

    if (err != 0)
        return err;
    if (size < STATE_HEADER_SIZE + STATE_TRAILER_SIZE)
        return ERR_NOTFOUND;
    err = vfs_read(file, size - STATE_TRAILER_SIZE, end, sizeof(end));
    if (err != 0)
        return err;
    err = state_trailer_get(view_make(end, sizeof(end)), &t);
    if (err != 0)
        return err == ERR_CORRUPT ? unfinished_or_newer(file) : err;
    if (t.meta_off > size || t.meta_len > size - t.meta_off)
        return ERR_CORRUPT;
    buf_init(&meta, SIZE_MAX / 4);
    p = buf_reserve(&meta, (size_t)t.meta_len + 1);
    err = p == NULL ? ERR_NOMEM : vfs_read(file, t.meta_off, p, (size_t)t.meta_len);
    if (err == 0 && XXH3_64bits(p, (size_t)t.meta_len) != t.meta_sum)
        err = ERR_CORRUPT;
    if (err == 0)
        err = state_meta_get(view_make(p, (size_t)t.meta_len), acc, pos);
    buf_free(&meta);
    acc->state_bytes = size;
    return err;
}

/* The newest state file that was finished. *num_out stays 0 where there is none. */
static int find_state(struct account *acc, const struct found *f, struct txlog_pos *pos, uint32_t *num_out)
{
    uint32_t below = UINT32_MAX;

    for (;;) {
        struct vfs_name name = {VFS_STATE, 0, 0};
        struct vfs_file *file;
        int err;

        for (size_t i = 0; i < f->n; i++) {
            if (f->v[i].kind == VFS_STATE && f->v[i].num < below && f->v[i].num > name.num)
                name = f->v[i];
        }
        if (name.num == 0)
            return 0;
        below = name.num;
        err = vfs_file_open(acc->vfs, name, VFS_READ, &file);
        if (err != 0)
            return err;
        err = read_state(acc, file, pos);
        if (err == 0) {
            acc->state_file = file; /* transferred */
            *num_out = name.num;
            return 0;
        }
        vfs_file_close(&file);
        if (err != ERR_NOTFOUND)
            return err;
    }
}

/* An older state file is there when a crash came before it was removed; or when the sync of the newer one's trailer failed, so
 * did its removal, and the process was started again: the trailer is seen then, and the next crash takes it. The two look alike.
 * So the older one goes with the next snapshot only.
 *
 * Files that the snapshot does not name are left from one that was not finished, or were to be removed when a crash came. They go
 * once it is known that the account can be opened without them. */
static void note_leftovers(struct account *acc, const struct found *f)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct vfs_name *n = &f->v[i];
        const struct mailbox *m = n->kind == VFS_MBOX ? account_find_id(acc, n->id) : NULL;

        if (n->kind == VFS_DIGEST && digfile_find(acc, n->id, n->num) != NULL)
            continue;
        if (n->kind == VFS_STATE && n->num < acc->state_num)
            acc->snapshot_doubted = true;
        if ((n->kind != VFS_STATE || n->num != acc->state_num) && (m == NULL || m->file_num != n->num))
            snapshot_obsolete(acc, *n);
    }
    acc->nleftover = acc->nobsolete;
}

int snapshot_load(struct account *acc, struct txlog_pos *start_out)
{
    struct found f = {0};
    struct txlog_pos pos = {0};
    uint32_t num = 0;
    int err = vfs_list(acc->vfs, find_one, &f);

    for (size_t i = 0; i < f.n; i++)
        acc->next_num = MAX_OF(acc->next_num, f.v[i].num);
    if (acc->next_num < UINT32_MAX)
        acc->next_num++;
    if (err == 0 && !acc->snapshot_bad) {
        err = find_state(acc, &f, &pos, &num);
        acc->snapshot_bad = err == ERR_CORRUPT;
    }
    if (err == 0) {
        acc->state_num = num;
        acc->clean = num != 0;
        *start_out = pos;
        note_leftovers(acc, &f);
    }
    free(f.v);
    return err;
}

/* --- mailboxes --------------------------------------------------------------------------------------------------------- */

static int map_file(struct mailbox *m)
{
    struct account *acc = m->acc;
    struct vfs_name name = {VFS_MBOX, m->id, m->file_num};
    size_t recs = (size_t)m->file_recs * sizeof(struct msg_rec), len = recs + MBOX_TRAILER_SIZE;
    struct vfs_file *file;
    struct mbox_trailer t;
    void *map = NULL;
    int err = vfs_file_open(acc->vfs, name, VFS_READ, &file);

    if (err != 0)
        return err == ERR_NOTFOUND ? ERR_CORRUPT : err;
    err = vfs_map(file, 0, len, true, &map);
    vfs_file_close(&file);
    if (err != 0)
        return err;
    err = mbox_trailer_get(view_make((uint8_t *)map + recs, MBOX_TRAILER_SIZE), &t);
    if (err == 0 && (t.id != m->id || t.num != m->file_num || t.nrecs != m->file_recs))
        err = ERR_CORRUPT;
    if (err != 0) {
        vfs_unmap(acc->vfs, map, 0, len);
        return err;
    }
    m->map = map;
    m->map_len = len;
    m->base = map;
    m->nbase = m->nfile = m->file_recs;
    return 0;
}

/* Changed records take their places; new ones go to the tail. */
static int use_delta(struct mailbox *m, struct msg_rec *recs)
{
    uint32_t last = m->nbase > 0 ? m->base[m->nbase - 1].uid : 0;

    for (uint32_t i = 0; i < m->delta_tail; i++) {
        if (recs[i].uid <= last || (recs[i].flags & REC_GONE) != 0)
            return ERR_CORRUPT;
        last = recs[i].uid;
    }
    for (uint32_t i = m->delta_tail; i < m->delta_tail + m->delta_dirty; i++) {
        uint32_t idx = mailbox_rec_at(m, recs[i].uid);

        if (idx >= m->nbase || m->base[idx].uid != recs[i].uid)
            return ERR_CORRUPT;
        m->base[idx] = recs[i];
        m->base[idx].flags |= REC_DIRTY;
        if ((recs[i].flags & REC_GONE) != 0)
            idx_add(&m->expunged, idx);
        idx_add(&m->dirty, idx);
    }
    m->tail = recs; /* transferred; what lies behind the new ones is room to grow */
    m->ntail = m->delta_tail;
    m->ctail = m->delta_tail + m->delta_dirty;
    return 0;
}

static int load_delta(struct mailbox *m)
{
    size_t n = (size_t)m->delta_tail + m->delta_dirty;
    struct msg_rec *recs;
    int err;

    if (n == 0)
        return 0;
    if (m->delta_off > m->acc->state_bytes || n > (m->acc->state_bytes - m->delta_off) / sizeof(*recs))
        return ERR_CORRUPT;
    recs = malloc(n * sizeof(*recs));
    if (recs == NULL)
        return ERR_NOMEM;
    err = m->acc->state_file == NULL ? ERR_CORRUPT : vfs_read(m->acc->state_file, m->delta_off, recs, n * sizeof(*recs));
    if (err == 0 && XXH3_64bits(recs, n * sizeof(*recs)) != m->delta_sum)
        err = ERR_CORRUPT;
    if (err == 0)
        err = use_delta(m, recs);
    if (err != 0)
        free(recs);
    return err;
}

void mailbox_unload(struct mailbox *m)
{
    vfs_unmap(m->acc->vfs, m->map, 0, m->map_len);
    free(m->tail);
    m->map = NULL;
    m->base = m->tail = NULL;
    m->nbase = m->ntail = m->ctail = m->nfile = 0;
    idx_free(&m->expunged);
    idx_free(&m->dirty);
    m->loaded = false;
}

static void mark_damaged(struct mailbox *m, int err)
{
    LOG_ERROR(0, "mailbox is damaged", F_UINT("id", m->id), F_VIEW("name", mailbox_name_view(m)), F_ERR(err));
    m->damaged = m->loaded = true;
    m->acc->damaged = true;
    m->acc->damaged_mailboxes++;
}

int mailbox_load(struct mailbox *m)
{
    int err = 0;

    if (m->loaded) {
        /* Records that the device did not give are zeros: from now on it is as if they had been missing at the start. */
        if (!m->damaged && !vfs_map_good(m->acc->vfs, m->map))
            mark_damaged(m, ERR_IO);
        return m->damaged ? ERR_CORRUPT : 0;
    }
    if (m->file_num != 0)
        err = map_file(m);
    if (err == 0)
        err = load_delta(m);
    if (err == 0) {
        m->loaded = true;
    } else if (err == ERR_CORRUPT || err == ERR_UNSUPPORTED) {
        mark_damaged(m, err);
        err = ERR_CORRUPT;
    } else {
        mailbox_unload(m);
    }
    return err;
}

void mailbox_need(struct mailbox *m)
{
    int err = mailbox_load(m);

    if (err != 0 && !m->loaded)
        mark_damaged(m, err);
}
