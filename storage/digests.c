/*
 * Digest files. A digest comes in with its message and lies beside it in the log. That is good for one message and bad for going
 * through a mailbox, so in idle time the digests of a mailbox are gathered into a file of its own, in the order of UIDs, which is
 * mapped for reading.
 *
 * This is not logged. A slice appends to the file, syncs it, and only then lets the records in memory say where the digests are
 * now; the next snapshot makes that durable. After a crash the older places hold, and what the file has beyond the length that
 * the snapshot knows is cut off before the next append. A file more than half of which is dead is left behind for a new one. A
 * copy in another mailbox refers to the file it came from, so files are counted by account, like segments.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/account_int.h"

#define GATHER_RECORDS 20000u
#define GATHER_BYTES ((size_t)1 << 20)
#define READ_COST 200u /* of the records of a slice, where a message is read for its digest */
#define REWRITE_MIN ((uint64_t)1 << 20)
#define RETRY_MS 60000

struct digfile *digfile_find(const struct account *acc, uint32_t mailbox, uint32_t num)
{
    for (size_t i = acc->ndigfiles; i > 0; i--) {
        struct digfile *f = acc->digfiles[i - 1];

        if (f->mailbox == mailbox && f->num == num)
            return f;
    }
    return NULL;
}

struct digfile *digfile_add(struct account *acc, uint32_t mailbox, uint32_t num)
{
    struct digfile *f = xcalloc(1, sizeof(*f));

    if (acc->ndigfiles == acc->cdigfiles) {
        acc->cdigfiles = MAX_OF(acc->cdigfiles * 2, (size_t)8);
        acc->digfiles = xreallocarray(acc->digfiles, acc->cdigfiles, sizeof(struct digfile *));
    }
    f->mailbox = mailbox;
    f->num = num;
    acc->digfiles[acc->ndigfiles++] = f;
    return f;
}

static void digfile_unmap(struct account *acc, struct digfile *f)
{
    vfs_unmap(acc->vfs, f->map, 0, f->map_len);
    f->map = NULL;
    f->map_len = 0;
}

void digfiles_free(struct account *acc)
{
    for (size_t i = 0; i < acc->ndigfiles; i++) {
        digfile_unmap(acc, acc->digfiles[i]);
        free(acc->digfiles[i]);
    }
    free(acc->digfiles);
}

bool digfile_needed(const struct account *acc, const struct digfile *f)
{
    const struct mailbox *m = f->live == 0 ? account_find_id((struct account *)(uintptr_t)acc, f->mailbox) : NULL;

    return f->live > 0 || (m != NULL && m->dig_num == f->num);
}

void digfiles_drop_needless(struct account *acc)
{
    size_t n = 0;

    for (size_t i = 0; i < acc->ndigfiles; i++) {
        struct digfile *f = acc->digfiles[i];

        if (digfile_needed(acc, f)) {
            acc->digfiles[n++] = f;
            continue;
        }
        snapshot_obsolete(acc, (struct vfs_name){VFS_DIGEST, f->mailbox, f->num});
        digfile_unmap(acc, f);
        free(f);
    }
    acc->ndigfiles = n;
}

/* --- reading ------------------------------------------------------------------------------------------------------------ */

static int map_file(struct account *acc, struct digfile *f)
{
    struct vfs_file *file;
    int err = vfs_file_open(acc->vfs, (struct vfs_name){VFS_DIGEST, f->mailbox, f->num}, VFS_READ, &file);

    if (err != 0)
        return err == ERR_NOTFOUND ? ERR_CORRUPT : err;
    digfile_unmap(acc, f);
    err = vfs_map(file, 0, (size_t)f->size, false, &f->map);
    if (err == 0)
        f->map_len = (size_t)f->size;
    vfs_file_close(&file);
    return err;
}

int digfile_read(struct account *acc, const struct msg_rec *rec, struct view *out)
{
    struct digfile *f = digfile_find(acc, rec->dig_mbox, rec->dig_num);
    uint64_t len = BLOB_HEADER_SIZE + (uint64_t)rec->dig_len;
    struct blob_head head;
    const uint8_t *p;
    int err;

    if (f == NULL || rec->dig_off > f->size || len > f->size - rec->dig_off)
        return ERR_CORRUPT;
    err = rec->dig_off + len > f->map_len ? map_file(acc, f) : 0;
    if (err != 0)
        return err;
    p = (const uint8_t *)f->map + rec->dig_off;
    err = blob_head_parse(view_make(p, BLOB_HEADER_SIZE), &head);
    if (err == 0 && head.kind != BLOB_DIGEST)
        err = ERR_CORRUPT;
    *out = view_make(p + BLOB_HEADER_SIZE, rec->dig_len);
    if (err == 0)
        err = blob_check(p, &head, *out);
    /* What the device could not give it may give the next time. */
    if (err != 0 && !vfs_map_good(acc->vfs, f->map))
        digfile_unmap(acc, f);
    return err;
}

/* --- gathering ----------------------------------------------------------------------------------------------------------- */

struct gather {
    struct account *acc;
    struct mailbox *m;
    struct digfile *file;
    struct buf out;
    struct idx_list moved; /* records, in the order of the blobs in out */
    struct idx_list lens;  /* of their digests */
    bool fresh;            /* the file is new */
};

static bool wants_gathering(struct account *acc, struct mailbox *m)
{
    struct digfile *f;
    uint32_t waiting, done;

    if (!m->loaded || m->damaged)
        return false;
    f = m->dig_num != 0 ? digfile_find(acc, m->id, m->dig_num) : NULL;
    if (f != NULL && f->size > REWRITE_MIN && f->live < f->size / 2) {
        m->dig_num = 0;
        m->gathered = 1;
        return true;
    }
    done = mailbox_rec_at(m, m->gathered);
    waiting = mailbox_nrecs(m) - done;
    /* Once begun it goes on to the end; or half of a new file would lie in the log. */
    return waiting > 0 && (m->gathering || waiting > MAX_OF(acc->small_mailbox * 4, done / 4));
}

/* Takes digests that are not in the mailbox's file, up to a slice's worth. */
static void collect(struct gather *g)
{
    struct mailbox *m = g->m;
    uint32_t budget = GATHER_RECORDS, i;

    for (i = mailbox_rec_at(m, m->gathered); i < mailbox_nrecs(m) && budget-- > 0 && buf_len(&g->out) < GATHER_BYTES; i++) {
        const struct msg_rec *rec = mailbox_rec(m, i);
        uint8_t head[BLOB_HEADER_SIZE];
        struct view digest;

        m->gathered = rec->uid + 1;
        if ((rec->flags & REC_GONE) != 0 || (rec->dig_len == 0 && rec->seg != 0) ||
            (rec->dig_mbox == m->id && rec->dig_num == m->dig_num))
            continue;
        if (rec->dig_len == 0)
            budget -= MIN_OF(budget, READ_COST);
        /* One that cannot be read stays where it is; it will be made again when somebody asks for it. */
        if (message_digest(g->acc, rec, &digest) != 0 || (rec->dig_len != 0 && digest.len != rec->dig_len))
            continue;
        blob_head_make(BLOB_DIGEST, NULL, digest, head);
        buf_put(&g->out, head, sizeof(head));
        buf_put_view(&g->out, digest);
        while (buf_ok(&g->out) && buf_len(&g->out) % BLOB_ALIGN != 0)
            buf_put_byte(&g->out, 0);
        idx_add(&g->moved, i);
        idx_add(&g->lens, (uint32_t)digest.len);
    }
    m->gathering = i < mailbox_nrecs(m);
}

static int write_out(struct gather *g)
{
    struct account *acc = g->acc;
    struct vfs_name name = {VFS_DIGEST, g->m->id, g->file->num};
    struct iovec iov = {(void *)(uintptr_t)buf_view(&g->out).ptr, buf_len(&g->out)};
    struct vfs_file *file;
    uint64_t size = 0;
    int err = vfs_file_open(acc->vfs, name, g->fresh ? VFS_CREATE : VFS_WRITE, &file);

    /* It may be there from before a crash. */
    if (err == ERR_EXISTS)
        err = vfs_file_open(acc->vfs, name, VFS_WRITE, &file);
    if (err != 0)
        return err;
    err = vfs_size(file, &size);
    if (err == 0 && size < g->file->size)
        err = ERR_CORRUPT;
    if (err == 0 && size > g->file->size)
        err = vfs_truncate(file, g->file->size);
    if (err == 0)
        err = vfs_append(file, g->file->size, acc->log.epoch, &iov, 1);
    if (err == 0)
        err = vfs_sync(file);
    vfs_file_close(&file);
    return err == 0 && g->fresh ? vfs_sync_dir(acc->vfs) : err;
}

static void move_records(struct gather *g)
{
    for (size_t i = 0; i < g->moved.n; i++) {
        struct msg_rec *rec = mailbox_rec(g->m, g->moved.v[i]);

        mailbox_rec_dirty(g->m, g->moved.v[i]);
        rec_count_live(g->acc, rec, -1);
        rec->dig_len = g->lens.v[i];
        rec->dig_mbox = g->m->id;
        rec->dig_num = g->file->num;
        rec->dig_off = g->file->size;
        g->file->size += blob_space(rec->dig_len);
        rec_count_live(g->acc, rec, 1);
    }
}

static int gather_slice(struct account *acc, struct mailbox *m)
{
    struct gather g = {.acc = acc, .m = m};
    uint32_t from = m->gathered;
    int err = 0;

    buf_init(&g.out, SIZE_MAX / 4);
    if (m->dig_num == 0) {
        if (acc->next_num == UINT32_MAX)
            return ERR_LIMIT;
        m->dig_num = acc->next_num++;
        digfile_add(acc, m->id, m->dig_num);
    }
    g.file = digfile_find(acc, m->id, m->dig_num);
    if (g.file == NULL)
        return ERR_CORRUPT;
    g.fresh = g.file->size == 0;
    collect(&g);
    if (g.moved.n > 0)
        err = buf_ok(&g.out) ? write_out(&g) : ERR_NOMEM;
    if (err == 0) {
        move_records(&g);
    } else {
        /* Not the same file again: what a failed sync left in it is not known. */
        m->dig_num = 0;
        m->gathered = from;
        m->gathering = false;
    }
    buf_free(&g.out);
    idx_free(&g.moved);
    idx_free(&g.lens);
    return err;
}

bool digest_slice(struct account *acc)
{
    if (acc->log.broken || acc->damaged_mailboxes > 0 || account_now_ms(acc) < acc->gather_after)
        return false;
    for (size_t i = 0; i < acc->nmailboxes; i++) {
        struct mailbox *m = acc->by_id[i];
        int err;

        if (!wants_gathering(acc, m))
            continue;
        err = gather_slice(acc, m);
        if (err == 0)
            return true;
        LOG_WARN(0, "digests stay in the log for now", F_UINT("mailbox", m->id), F_ERR(err));
        acc->gather_after = account_now_ms(acc) + RETRY_MS;
        return false;
    }
    return false;
}
