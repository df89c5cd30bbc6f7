/*
 * Salvage. First the account is opened as far as it goes (reading.c). When something of it is missing, the segments are gone
 * through for message blobs that nothing refers to: where transactions can be read, from one to the next, and elsewhere from one
 * blob header to the next. A blob that no record refers to was expunged when the records are complete and its transaction could
 * be read; otherwise nobody can tell, and it is given out.
 *
 * A sender can put what looks like a blob into a message. In a damaged place it may be found, and is then a message like any
 * other that he might have sent. What such headers can cost in checksums is bounded.
 */
#include "storage/salvage.h"

#include <sodium.h>
#include <stdlib.h>
#include <xxhash.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/reading_int.h"
#include "storage/txlog_int.h"

#define BUDGET 256 /* times the size of a segment may be spent on its checksums */

/* Content ids: of the messages that mailboxes have, and of those given out. */
struct id_set {
    uint8_t (*v)[BLOB_ID_SIZE];
    bool *used;
    size_t n, cap;
    uint64_t seed;
};

struct salvage {
    struct vfs *frozen;
    struct reading r;
    bool incomplete;
    bool records_lost; /* not only changes */
    struct id_set ids;
};

/* --- the set -----------------------------------------------------------------------------------------------------------------
 */

/* Where the id is, or would be. */
static size_t id_slot(const struct id_set *s, const uint8_t id[BLOB_ID_SIZE])
{
    size_t i = (size_t)XXH3_64bits_withSeed(id, BLOB_ID_SIZE, s->seed) & (s->cap - 1);

    while (s->used[i] && memcmp(s->v[i], id, BLOB_ID_SIZE) != 0)
        i = (i + 1) & (s->cap - 1);
    return i;
}

static void id_grow(struct id_set *s)
{
    struct id_set bigger = {.cap = MAX_OF(s->cap * 2, (size_t)1024), .n = s->n, .seed = s->seed};

    bigger.v = xreallocarray(NULL, bigger.cap, BLOB_ID_SIZE);
    bigger.used = xcalloc(bigger.cap, sizeof(bool));
    for (size_t i = 0; i < s->cap; i++) {
        if (s->used[i]) {
            size_t at = id_slot(&bigger, s->v[i]);

            memcpy(bigger.v[at], s->v[i], BLOB_ID_SIZE);
            bigger.used[at] = true;
        }
    }
    free(s->v);
    free(s->used);
    *s = bigger;
}

/* False: it was there. */
static bool id_add(struct id_set *s, const uint8_t id[BLOB_ID_SIZE])
{
    size_t i;

    if (s->n * 2 >= s->cap)
        id_grow(s);
    i = id_slot(s, id);
    if (s->used[i])
        return false;
    memcpy(s->v[i], id, BLOB_ID_SIZE);
    s->used[i] = true;
    s->n++;
    return true;
}

/* --- opening
 * -------------------------------------------------------------------------------------------------------------------- */

static bool mailboxes_good(struct reading *r)
{
    bool good = true;

    for (size_t i = 0; i < r->acc->nmailboxes; i++)
        good = reading_check_mailbox(r, r->acc->by_id[i]) == 0 && mailbox_load(r->acc->by_id[i]) == 0 && good;
    return good;
}

int salvage_open(struct vfs *frozen, struct salvage **out)
{
    struct salvage *s = xcalloc(1, sizeof(*s));
    struct reading log_only;
    int err = reading_open(frozen, true, &s->r);

    s->frozen = frozen;
    if (err != 0) {
        free(s);
        return err;
    }
    randombytes_buf(&s->ids.seed, sizeof(s->ids.seed));
    s->records_lost = s->r.states_bad > 0 || !mailboxes_good(&s->r) || s->r.acc->log.beheaded;
    if (s->records_lost) {
        err = reading_open(frozen, false, &log_only);
        if (err == 0 && reading_is_whole(&log_only, &s->r)) {
            account_close(&s->r.acc);
            s->r = log_only; /* transferred */
            s->records_lost = false;
        } else if (err == 0) {
            account_close(&log_only.acc);
        }
    }
    s->incomplete = s->records_lost || s->r.report.damaged > 0 || s->r.report.cut > 0 || s->r.not_understood > 0;
    *out = s;
    return 0;
}

void salvage_close(struct salvage **s)
{
    if (*s == NULL)
        return;
    account_close(&(*s)->r.acc);
    free((*s)->ids.v);
    free((*s)->ids.used);
    free(*s);
    *s = NULL;
}

struct account *salvage_account(struct salvage *s)
{
    return s->r.acc;
}

bool salvage_incomplete(const struct salvage *s)
{
    return s->incomplete;
}

/* --- messages that mailboxes have
 * ------------------------------------------------------------------------------------------------ */

/* One that cannot be read may be found again elsewhere: it was moved, and the old place is still there. */
static void note_record(struct salvage *s, const struct msg_rec *rec)
{
    struct seg *seg = txlog_seg(&s->r.acc->log, rec->seg);
    uint8_t bytes[BLOB_HEADER_SIZE];
    struct vfs_file *file;
    struct blob_head head;
    struct msg_data data;

    if (message_data(s->r.acc, rec, &data) != 0)
        return;
    msg_data_close(&data);
    if (txlog_seg_file(&s->r.acc->log, seg, &file) == 0 && vfs_read(file, rec->off, bytes, sizeof(bytes)) == 0 &&
        blob_head_parse(view_make(bytes, sizeof(bytes)), &head) == 0)
        (void)id_add(&s->ids, head.id);
}

static void note_records(struct salvage *s)
{
    const struct account *acc = s->r.acc;

    for (size_t k = 0; k < acc->nmailboxes; k++) {
        const struct mailbox *m = acc->by_id[k];

        for (uint32_t i = 0; i < mailbox_nrecs(m); i++) {
            if ((mailbox_rec(m, i)->flags & REC_GONE) == 0)
                note_record(s, mailbox_rec(m, i));
        }
    }
}

/* --- messages that none has
 * -------------------------------------------------------------------------------------------------------- */

struct search {
    struct salvage *s;
    int (*fn)(void *arg, const struct salvage_message *m);
    void *arg;
    struct view bytes; /* of the segment */
    uint64_t budget;
    struct view keywords[KEYWORDS_MAX];
};

/* The whole message blob at off, if there is one. */
static bool message_at(struct search *f, uint64_t off, struct blob_head *head)
{
    struct view rest = view_sub(f->bytes, (size_t)off, f->bytes.len);

    if (blob_head_parse(rest, head) != 0 || head->kind != BLOB_MESSAGE || head->len > rest.len - BLOB_HEADER_SIZE ||
        head->len > f->budget)
        return false;
    f->budget -= head->len;
    return blob_check(rest.ptr, head, view_sub(rest, BLOB_HEADER_SIZE, (size_t)head->len)) == 0;
}

static int give(struct search *f, uint64_t off, const struct blob_head *head, const struct op *op)
{
    struct salvage_message m = {.bytes = view_sub(f->bytes, (size_t)off + BLOB_HEADER_SIZE, (size_t)head->len)};
    struct op_walk w;

    if (!id_add(&f->s->ids, head->id))
        return 0;
    if (op != NULL) {
        m.known = true;
        m.flags = op->flags & REC_FLAGS;
        m.date = op->date;
        m.zone = op->zone;
        m.keywords = f->keywords;
        op_walk_init(&w, op->keywords);
        while (m.nkeywords < KEYWORDS_MAX && op_walk_keyword(&w, &f->keywords[m.nkeywords]))
            m.nkeywords++;
    }
    return f->fn(f->arg, &m);
}

/* Goes from header to header where nothing else says where blobs are. */
static int search_bytes(struct search *f, uint64_t off, uint64_t end)
{
    struct blob_head head;
    int err = 0;

    while (off < end && err == 0) {
        const uint8_t *p = memmem(f->bytes.ptr + off, (size_t)(end - off), "CBLB", 4);

        if (p == NULL)
            break;
        off = (uint64_t)(p - f->bytes.ptr);
        if (message_at(f, off, &head)) {
            err = give(f, off, &head, NULL);
            off += blob_space(head.len);
        } else {
            off += 4;
        }
    }
    return err;
}

/* The messages of a transaction that can be read. */
static int search_transaction(struct search *f, uint64_t off, const struct txlog_txn_head *h, struct view ops)
{
    uint64_t blobs = off + TXLOG_TXN_SIZE + blob_padded(h->ops_len), left = h->total - (blobs - off);
    struct cursor c = cursor_make(ops);
    struct blob_head head;
    struct op op;
    int err = 0;

    while (cursor_left(&c) > 0 && err == 0) {
        /* From an operation that is not understood on nothing is known but where blobs may be. */
        if (op_get(&c, &op) != 0)
            return search_bytes(f, blobs, off + h->total);
        if ((op.kind == OP_APPEND || op.kind == OP_RELOCATE) && op.blob < left && message_at(f, blobs + op.blob, &head))
            err = give(f, blobs + op.blob, &head, op.kind == OP_APPEND ? &op : NULL);
    }
    return err;
}

static int search_segment(struct search *f, uint32_t num)
{
    struct txlog_budget budget = txlog_budget_of(f->bytes.len);
    struct txlog_seg_head head;
    struct txlog_txn_head h;
    uint64_t off = TXLOG_HEADER_SIZE, gap = off;
    struct view ops;
    int err = 0;

    if (txlog_seg_head_parse(f->bytes, num, &head) != 0)
        return search_bytes(f, 0, f->bytes.len);
    while (off < f->bytes.len && err == 0) {
        if (!txlog_txn_parse(f->bytes, off, head.seed, &budget, &h, &ops)) {
            off++;
            continue;
        }
        if (gap < off)
            err = search_bytes(f, gap, off);
        if (err == 0 && f->s->records_lost)
            err = search_transaction(f, off, &h, ops);
        off += h.total;
        gap = off;
    }
    return err == 0 && gap < f->bytes.len ? search_bytes(f, gap, f->bytes.len) : err;
}

static int search_file(struct search *f, uint32_t num)
{
    struct vfs *vfs = f->s->frozen;
    struct vfs_file *file;
    uint64_t size = 0;
    void *map = NULL;
    int err = vfs_file_open(vfs, (struct vfs_name){VFS_LOG, 0, num}, VFS_READ, &file);

    if (err == 0)
        err = vfs_size(file, &size);
    if (err == 0 && size > 0)
        err = vfs_map(file, 0, (size_t)size, false, &map);
    vfs_file_close(&file);
    if (err != 0)
        return err == ERR_NOMEM ? err : 0; /* of a file that cannot be read nothing can be had */
    f->bytes = view_make(map, (size_t)size);
    f->budget = size * BUDGET;
    err = search_segment(f, num);
    vfs_unmap(vfs, map, 0, (size_t)size);
    return err;
}

int salvage_orphans(struct salvage *s, int (*fn)(void *arg, const struct salvage_message *m), void *arg)
{
    struct search f = {.s = s, .fn = fn, .arg = arg};
    const struct txlog *l = &s->r.acc->log;
    int err = 0;

    if (!s->incomplete)
        return 0;
    note_records(s);
    for (size_t i = 0; i < l->nsegs && err == 0; i++)
        err = search_file(&f, l->segs[i]->num);
    return err;
}
