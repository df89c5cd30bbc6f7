/*
 * Opening what is left of an account. It goes as account_open() goes, but a snapshot that cannot be read is passed over for an
 * older one or for none, and operations that cannot be understood are left out.
 */
#include "storage/reading_int.h"

#include <sodium.h>
#include <stdlib.h>
#include <xxhash.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/snapshot_int.h"
#include "storage/vfs_frozen.h"

static uint64_t no_clock(void *arg)
{
    (void)arg;
    return 0;
}

static int replay(void *arg, const struct txlog_txn *t)
{
    struct reading *r = arg;
    int err = account_apply(r->acc, t, NULL);

    if (err != ERR_CORRUPT && err != ERR_UNSUPPORTED)
        return err;
    r->not_understood++;
    return 0;
}

static struct account *make(struct vfs *frozen)
{
    const struct account_params params = {.vfs = frozen, .now_ms = no_clock};
    struct account *acc = account_new(&params);

    acc->log.broken = true; /* nothing is written, and closing writes nothing */
    return acc;
}

static bool newest_state(void *arg, struct vfs_name name)
{
    struct vfs_name *newest = arg;

    if (name.kind == VFS_STATE && name.num > newest->num)
        *newest = name;
    return true;
}

/* The newest snapshot that can be read; what cannot is hidden. */
static int load_state(struct vfs *frozen, struct reading *r)
{
    for (;;) {
        struct vfs_name newest = {VFS_STATE, 0, 0};
        int err;

        r->acc = make(frozen);
        memset(&r->start, 0, sizeof(r->start));
        err = snapshot_load(r->acc, &r->start);
        if (err == 0 || err == ERR_NOMEM)
            return err;
        account_close(&r->acc);
        if (vfs_list(frozen, newest_state, &newest) != 0 || newest.num == 0)
            return err;
        vfs_frozen_hide(frozen, newest);
        r->states_bad++;
    }
}

int reading_open(struct vfs *frozen, bool snapshots, struct reading *out)
{
    struct reading r = {0};
    int err;

    if (sodium_init() < 0)
        return ERR_SYSTEM;
    if (!snapshots)
        vfs_frozen_hide_kind(frozen, VFS_STATE);
    err = load_state(frozen, &r);
    if (err == 0)
        err = txlog_open(&r.acc->log, &r.start, replay, &r, &r.report);
    vfs_frozen_show_all(frozen);
    if (err != 0) {
        account_close(&r.acc);
        return err;
    }
    r.acc->log.broken = true;
    *out = r;
    return 0;
}

bool reading_is_whole(const struct reading *r, const struct reading *snapshot)
{
    return r->acc->log.next_seq >= snapshot->start.seq && !r->acc->log.beheaded && r->start.seg == 0 && r->report.damaged == 0 &&
           r->not_understood == 0 && r->acc->log.next_seq > 1;
}

int reading_check_mailbox(struct reading *r, struct mailbox *m)
{
    struct vfs_name name = {VFS_MBOX, m->id, m->file_num};
    uint64_t recs = (uint64_t)m->file_recs * sizeof(struct msg_rec);
    struct mbox_trailer t;
    struct vfs_file *file;
    uint64_t size;
    void *map;
    int err;

    if (m->file_num == 0)
        return 0;
    err = vfs_file_open(r->acc->vfs, name, VFS_READ, &file);
    if (err != 0)
        return err;
    err = vfs_size(file, &size);
    if (err == 0 && size != recs + MBOX_TRAILER_SIZE)
        err = ERR_CORRUPT;
    if (err == 0)
        err = vfs_map(file, 0, (size_t)size, false, &map);
    if (err == 0) {
        err = mbox_trailer_get(view_make((uint8_t *)map + recs, MBOX_TRAILER_SIZE), &t);
        if (err == 0 && t.sum != XXH3_64bits(map, (size_t)recs))
            err = ERR_CORRUPT;
        vfs_unmap(r->acc->vfs, map, 0, (size_t)size);
    }
    vfs_file_close(&file);
    return err;
}
