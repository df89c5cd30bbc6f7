/*
 * Compaction. A segment less than half of which is still referred to is emptied: what lives in it is appended to the log again,
 * with operations that say where it lies now, and when nothing refers to the segment any more the next snapshot removes it.
 *
 * All of it happens in slices in idle time. First the references to the segment are collected, so many records a slice; then the
 * blobs are moved, so many octets a slice, each with all references to it in one transaction, so that a message that was copied
 * stays stored once. A copy that is made meanwhile is found when the segment is gone through again, which happens as long as
 * anything lives in it.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/txn_int.h"

#define SCAN_SLICE 50000               /* records */
#define MOVE_SLICE ((uint64_t)1 << 20) /* octets */
#define RETRY_MS 60000

struct compact_ref {
    uint64_t off;
    uint32_t mailbox, uid;
};

struct compact {
    uint32_t seg;
    uint32_t next_mailbox, next_uid; /* where the scan goes on */
    bool scanned;
    struct compact_ref *refs; /* by offset, once scanned */
    size_t n, cap, moved;
};

void compact_free(struct account *acc)
{
    if (acc->compact != NULL)
        free(acc->compact->refs);
    free(acc->compact);
    acc->compact = NULL;
}

/* The segment with the least in it, of those worth emptying. */
static struct seg *choose(struct account *acc)
{
    struct seg *best = NULL;

    for (size_t i = 0; i < acc->log.nsegs; i++) {
        struct seg *s = acc->log.segs[i];
        struct vfs_file *file;

        if (s == acc->log.active || s->removed || s->keep || s->live == 0)
            continue;
        if (s->size == 0 && txlog_seg_file(&acc->log, s, &file) != 0)
            s->keep = true;
        else if (s->live < s->size / 2 && (best == NULL || s->live < best->live))
            best = s;
    }
    return best;
}

static void add_ref(struct compact *c, const struct mailbox *m, const struct msg_rec *rec)
{
    if (c->n == c->cap) {
        c->cap = MAX_OF(c->cap * 2, (size_t)64);
        c->refs = xreallocarray(c->refs, c->cap, sizeof(*c->refs));
    }
    c->refs[c->n++] = (struct compact_ref){rec->off, m->id, rec->uid};
}

static int ref_order(const void *a, const void *b)
{
    const struct compact_ref *x = a, *y = b;

    if (x->off != y->off)
        return x->off < y->off ? -1 : 1;
    if (x->mailbox != y->mailbox)
        return x->mailbox < y->mailbox ? -1 : 1;
    return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* Goes on collecting references. */
static void scan_slice(struct account *acc, struct compact *c)
{
    uint32_t budget = SCAN_SLICE;

    for (size_t i = 0; i < acc->nmailboxes; i++) {
        struct mailbox *m = acc->by_id[i];

        if (m->id < c->next_mailbox)
            continue;
        if (m->id > c->next_mailbox)
            c->next_uid = 1;
        c->next_mailbox = m->id;
        mailbox_need(m);
        for (uint32_t k = mailbox_rec_at(m, c->next_uid); k < mailbox_nrecs(m); k++) {
            const struct msg_rec *rec = mailbox_rec(m, k);

            if (budget-- == 0) {
                c->next_uid = rec->uid;
                return;
            }
            if (rec->seg == c->seg && (rec->flags & REC_GONE) == 0)
                add_ref(c, m, rec);
        }
        c->next_mailbox++;
        c->next_uid = 1;
    }
    c->scanned = true;
    if (c->n > 0)
        qsort(c->refs, c->n, sizeof(*c->refs), ref_order);
}

/* Stages one blob with those of its references that are still there. Adds its octets to *bytes. */
static int move_blob(struct account *acc, struct compact *c, struct txn *t, uint64_t *bytes)
{
    uint64_t off = c->refs[c->moved].off;
    struct relocation r;
    int err = 0;

    memset(&r, 0, sizeof(r));
    for (; c->moved < c->n && c->refs[c->moved].off == off; c->moved++) {
        struct mailbox *m = account_find_id(acc, c->refs[c->moved].mailbox);
        const struct msg_rec *rec = m != NULL ? mailbox_rec_find(m, c->refs[c->moved].uid) : NULL;

        if (rec != NULL && rec->seg == c->seg && rec->off == off)
            relocation_add(&r, m, rec);
    }
    if (r.n > 0)
        err = txn_relocate(t, &r);
    *bytes += r.rec.size;
    relocation_free(&r);
    return err;
}

static void move_done(void *arg, int err, const struct txn_result *result)
{
    (void)result;
    *(int *)arg = err;
}

static int move_slice(struct account *acc, struct compact *c)
{
    struct txn *t = txn_begin(acc);
    struct seg *s = txlog_seg(&acc->log, c->seg);
    uint64_t bytes = 0;
    int err = 0;

    while (c->moved < c->n && bytes < MOVE_SLICE && err == 0) {
        err = move_blob(acc, c, t, &bytes);
        if (err == ERR_CORRUPT || err == ERR_UNSUPPORTED) {
            /* What cannot be read stays where it is, and its segment with it. */
            s->keep = true;
            err = 0;
        }
    }
    if (err != 0) {
        txn_abort(&t);
        return err;
    }
    txn_commit(&t, move_done, &err);
    (void)!account_commit(acc); /* move_done() got the error */
    return err;
}

bool compact_slice(struct account *acc)
{
    struct compact *c = acc->compact;
    struct seg *s;
    int err = 0;

    if (acc->log.broken || acc->damaged_mailboxes > 0 || account_now_ms(acc) < acc->compact_after)
        return false;
    if (c == NULL) {
        s = choose(acc);
        if (s == NULL)
            return false;
        acc->compact = c = xcalloc(1, sizeof(*c));
        c->seg = s->num;
        c->next_mailbox = c->next_uid = 1;
        return true;
    }
    s = txlog_seg(&acc->log, c->seg);
    if (s == NULL || s->removed) {
        compact_free(acc);
    } else if (!c->scanned) {
        scan_slice(acc, c);
        /* What is counted and not found would be looked for for ever. */
        if (c->scanned && c->n == 0)
            s->keep = true;
    } else if (c->moved < c->n) {
        err = move_slice(acc, c);
    } else {
        compact_free(acc);
    }
    if (err != 0) {
        LOG_WARN(0, "compaction waits", F_ERR(err));
        acc->compact_after = account_now_ms(acc) + RETRY_MS;
        compact_free(acc);
        return false;
    }
    return true;
}
