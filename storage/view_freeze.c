/*
 * A view written out and read back. Indices of records mean nothing in another process, so a record of a view names messages by
 * UID. Most of it is one set of UIDs: those that have sequence numbers.
 *
 * A client that was not told of an expunge still has the message's number. Where the mailbox was loaded anew it has no record of
 * that message any more; the view then keeps one of its own (a ghost), with which the message can be read as long as its bytes
 * are there. Ghosts go with the first sync that may tell expunges.
 *
 * What is read back is believed only as far as the mailbox agrees: every message of it below the first new UID is one that the
 * view has, or is gone.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "storage/view_int.h"

#define RANGES_MAX ((size_t)1 << 24)

struct record {
    uint32_t mailbox, uidvalidity;
    bool take_recent, told_gone;
    uint32_t end_uid; /* messages from here on are new to it */
    uint64_t highestmodseq;
    uint16_t keywords_known;
    struct uidset known, changed, recent;
    struct msg_rec *ghosts; /* of known ones that were gone, by UID */
    uint32_t nghosts;
};

static void record_free(struct record *r)
{
    uidset_free(&r->known);
    uidset_free(&r->changed);
    uidset_free(&r->recent);
    free(r->ghosts);
}

/* --- as bytes --------------------------------------------------------------------------------------------------------- */

static void put_rec(struct buf *out, const struct msg_rec *rec)
{
    buf_put_u32(out, rec->uid);
    buf_put_u16(out, rec->flags & (REC_FLAGS | REC_GONE | REC_OPEN_END));
    buf_put_u16(out, (uint16_t)rec->zone);
    buf_put_u64(out, rec->modseq);
    buf_put_u64(out, rec->size);
    buf_put_u64(out, (uint64_t)rec->date);
    buf_put_u64(out, (uint64_t)rec->savedate);
    buf_put_u64(out, rec->off);
    buf_put_u32(out, rec->seg);
    buf_put_u32(out, rec->dig_len);
    buf_put_u64(out, rec->dig_off);
    buf_put_u32(out, rec->dig_num);
    buf_put_u32(out, rec->dig_mbox);
    buf_put(out, rec->emailid, sizeof(rec->emailid));
    for (size_t i = 0; i < ARRAY_LEN(rec->keywords.bits); i++)
        buf_put_u64(out, rec->keywords.bits[i]);
    buf_put_u64(out, rec->file);
}

static void get_rec(struct cursor *c, struct msg_rec *rec)
{
    struct view id;

    rec->uid = cursor_u32(c);
    rec->flags = cursor_u16(c) & (REC_FLAGS | REC_GONE | REC_OPEN_END);
    rec->zone = (int16_t)cursor_u16(c);
    rec->modseq = cursor_u64(c);
    rec->size = cursor_u64(c);
    rec->date = (int64_t)cursor_u64(c);
    rec->savedate = (int64_t)cursor_u64(c);
    rec->off = cursor_u64(c);
    rec->seg = cursor_u32(c);
    rec->dig_len = cursor_u32(c);
    rec->dig_off = cursor_u64(c);
    rec->dig_num = cursor_u32(c);
    rec->dig_mbox = cursor_u32(c);
    id = cursor_bytes(c, sizeof(rec->emailid));
    if (!c->failed)
        memcpy(rec->emailid, id.ptr, sizeof(rec->emailid));
    for (size_t i = 0; i < ARRAY_LEN(rec->keywords.bits); i++)
        rec->keywords.bits[i] = cursor_u64(c);
    rec->file = cursor_u64(c);
}

static void encode(struct buf *out, const struct record *r)
{
    buf_put_u32(out, r->mailbox);
    buf_put_u32(out, r->uidvalidity);
    buf_put_u8(out, (uint8_t)(r->take_recent | r->told_gone << 1));
    buf_put_u32(out, r->end_uid);
    buf_put_u64(out, r->highestmodseq);
    buf_put_u16(out, r->keywords_known);
    uidset_encode(out, &r->known);
    uidset_encode(out, &r->changed);
    uidset_encode(out, &r->recent);
    buf_put_u32(out, r->nghosts);
    for (uint32_t i = 0; i < r->nghosts; i++)
        put_rec(out, &r->ghosts[i]);
}

static void decode(struct cursor *c, struct record *r)
{
    uint8_t flags;
    uint32_t n;

    r->mailbox = cursor_u32(c);
    r->uidvalidity = cursor_u32(c);
    flags = cursor_u8(c);
    r->take_recent = (flags & 1) != 0;
    r->told_gone = (flags & 2) != 0;
    r->end_uid = cursor_u32(c);
    r->highestmodseq = cursor_u64(c);
    r->keywords_known = cursor_u16(c);
    uidset_decode(c, RANGES_MAX, &r->known);
    uidset_decode(c, RANGES_MAX, &r->changed);
    uidset_decode(c, RANGES_MAX, &r->recent);
    n = cursor_u32(c);
    if (flags > 3 || n > VIEW_GHOSTS_MAX || n > cursor_left(c) / sizeof(*r->ghosts))
        cursor_fail(c);
    if (c->failed)
        return;
    r->ghosts = xcalloc((size_t)n + 1, sizeof(*r->ghosts));
    for (r->nghosts = 0; r->nghosts < n; r->nghosts++) {
        get_rec(c, &r->ghosts[r->nghosts]);
        if (r->nghosts > 0 && r->ghosts[r->nghosts].uid <= r->ghosts[r->nghosts - 1].uid)
            cursor_fail(c);
    }
}

/* --- freezing ---------------------------------------------------------------------------------------------------------- */

/* The UIDs of sequence numbers first to last. Without gaps between them two look-ups do. */
static void add_uids(const struct mailbox_view *v, uint32_t first, uint32_t last, struct uidset *out)
{
    while (first <= last) {
        uint32_t uid = mailbox_view_uid(v, first), lo = first, hi = last;

        /* The longest run from first on: it ends where the numbers come apart. */
        while (lo < hi) {
            uint32_t mid = lo + (hi - lo + 1) / 2;

            if (mailbox_view_uid(v, mid) - uid == mid - first)
                lo = mid;
            else
                hi = mid - 1;
        }
        uidset_add_range(out, uid, mailbox_view_uid(v, lo));
        first = lo + 1;
    }
}

/* The records of those that are gone, or that are in a mailbox that was deleted. */
static int collect_ghosts(const struct mailbox_view *v, struct record *r)
{
    uint64_t most = v->m->gone ? v->count : (uint64_t)v->held.n + v->nghosts;
    struct msg_info info;

    if (most > VIEW_GHOSTS_MAX)
        return ERR_LIMIT;
    r->ghosts = xcalloc((size_t)most + 1, sizeof(*r->ghosts));
    for (uint32_t seq = 1; most > 0 && seq <= v->count; seq++) {
        mailbox_view_info(v, seq, &info);
        if (info.expunged)
            r->ghosts[r->nghosts++] = *view_rec(v, seq);
    }
    return 0;
}

int mailbox_view_freeze(struct mailbox_view *v, struct buf *out)
{
    const struct mailbox *m = v->m;
    struct record r = {.mailbox = m->id,
                       .uidvalidity = m->uidvalidity,
                       .take_recent = v->take_recent,
                       .told_gone = v->told_gone,
                       .end_uid = v->known_end < mailbox_nrecs(m) ? mailbox_rec(m, v->known_end)->uid : m->uidnext,
                       .highestmodseq = m->highestmodseq,
                       .keywords_known = m->gone ? 0 : (uint16_t)v->keywords_known};
    int err;

    view_collect_changes(v);
    view_held_keep_known(v);
    add_uids(v, 1, v->count, &r.known);
    for (size_t i = 0; i < v->out_changed.n; i++)
        uidset_add(&r.changed, mailbox_rec(m, v->out_changed.v[i])->uid);
    for (size_t i = 0; i < v->recent.n; i++)
        uidset_add_range(&r.recent, v->recent.ranges[i].first, v->recent.ranges[i].last);
    err = collect_ghosts(v, &r);
    if (err == 0)
        encode(out, &r);
    record_free(&r);
    return err;
}

/* --- thawing ----------------------------------------------------------------------------------------------------------- */

/* What the record has of a message that the mailbox has no more; next: where to look, rising with uid. */
static struct msg_rec ghost_find(const struct record *r, uint32_t uid, uint32_t *next)
{
    while (*next < r->nghosts && r->ghosts[*next].uid < uid)
        ++*next;
    if (*next < r->nghosts && r->ghosts[*next].uid == uid)
        return r->ghosts[*next];
    /* It went after the record was made: there is nothing of it but its number. */
    return (struct msg_rec){.uid = uid, .seg = UINT32_MAX};
}

static void departed_add(struct mailbox *m, struct msg_rec rec)
{
    if ((rec.flags & REC_GONE) != 0)
        idx_add(&m->expunged, m->ntail);
    else
        m->messages++;
    m->tail[m->ntail++] = rec;
}

/* Stands for a mailbox that was deleted: its messages can be read until the view is closed, and nobody is told that they are
 * gone. ERR_LIMIT. */
static int mailbox_departed(struct account *acc, const struct record *r, struct mailbox **out)
{
    uint64_t n = uidset_count(&r->known);
    struct mailbox *m;
    uint32_t next = 0;

    if (n > VIEW_GHOSTS_MAX)
        return ERR_LIMIT;
    m = mailbox_new(acc, r->mailbox, VIEW("?"));
    m->uidvalidity = r->uidvalidity;
    m->uidnext = r->end_uid;
    m->highestmodseq = r->highestmodseq;
    m->gone = m->loaded = true;
    m->ctail = (uint32_t)n;
    m->tail = xcalloc((size_t)n + 1, sizeof(*m->tail));
    for (size_t i = 0; i < r->known.n; i++)
        for (uint32_t uid = r->known.ranges[i].first; uid <= r->known.ranges[i].last; uid++)
            departed_add(m, ghost_find(r, uid, &next));
    *out = m;
    return 0;
}

static void add_ghost(struct mailbox_view *v, const struct record *r, uint32_t uid, uint32_t *next)
{
    v->ghosts[v->nghosts] = ghost_find(r, uid, next);
    v->ghosts[v->nghosts].flags |= REC_GONE;
    v->map->idx[v->count++] = VIEW_GHOST | v->nghosts++;
}

static void add_range(struct mailbox_view *v, const struct record *r, struct uid_range uids, uint32_t *next)
{
    uint32_t i = mailbox_rec_at(v->m, uids.first);

    for (uint32_t uid = uids.first; uid <= uids.last; uid++) {
        if (i < v->known_end && mailbox_rec(v->m, i)->uid == uid)
            v->map->idx[v->count++] = i++;
        else
            add_ghost(v, r, uid, next);
    }
}

/* Of the known messages: how many have a record, and how many have none. */
static void count_known(const struct mailbox_view *v, const struct record *r, uint64_t *there, uint64_t *missing)
{
    *there = *missing = 0;
    for (size_t i = 0; i < r->known.n; i++) {
        const struct uid_range *uids = &r->known.ranges[i];
        uint32_t n = mailbox_rec_at(v->m, uids->last + 1) - mailbox_rec_at(v->m, uids->first);

        *there += n;
        *missing += (uint64_t)uids->last - uids->first + 1 - n;
    }
}

/* The records that are gone and that the view has. */
static uint32_t hold_gone(struct mailbox_view *v)
{
    uint32_t gone = 0;

    idx_sort_unique(&v->m->expunged);
    for (; gone < v->m->expunged.n && v->m->expunged.v[gone] < v->known_end; gone++)
        idx_add(&v->held, v->m->expunged.v[gone]);
    view_held_keep_known(v);
    return gone;
}

static int build_map(struct mailbox_view *v, const struct record *r)
{
    uint64_t there, missing;
    uint32_t next = 0;

    if (r->known.n > 0 && r->known.ranges[r->known.n - 1].last >= r->end_uid)
        return ERR_PROTO;
    v->known_end = mailbox_rec_at(v->m, r->end_uid);
    count_known(v, r, &there, &missing);
    if (missing > VIEW_GHOSTS_MAX)
        return ERR_LIMIT;
    if (missing == 0 && there == v->known_end) {
        v->count = v->known_end;
    } else {
        v->map = seqmap_new((uint32_t)(there + missing));
        v->ghosts = xcalloc((size_t)missing + 1, sizeof(*v->ghosts));
        for (size_t i = 0; i < r->known.n; i++)
            add_range(v, r, r->known.ranges[i], &next);
        v->map->n = v->count;
    }
    /* Every message below end_uid that is not gone is one that the view has. */
    return hold_gone(v) + there - v->held.n == v->known_end ? 0 : ERR_PROTO;
}

static void restore_pending(struct mailbox_view *v, const struct record *r)
{
    const struct mailbox *m = v->m;
    uint64_t most = MIN_OF(uidset_count(&r->changed), (uint64_t)v->count);

    v->own = xcalloc((size_t)most + 1, sizeof(*v->own));
    for (size_t i = 0; i < r->changed.n; i++) {
        uint32_t from = mailbox_rec_at(m, r->changed.ranges[i].first), end = mailbox_rec_at(m, r->changed.ranges[i].last + 1);

        for (; from < MIN_OF(end, v->known_end) && v->nown < most; from++)
            v->own[v->nown++] = (struct change){from, mailbox_rec(m, from)->modseq};
    }
    if (v->nown == 0) {
        free(v->own);
        v->own = NULL;
    }
    /* What others have done meanwhile, or a crash has undone. */
    v->behind = m->highestmodseq != r->highestmodseq && !m->gone;
    v->synced_modseq = MIN_OF(r->highestmodseq, m->highestmodseq);
}

static void restore_recent(struct mailbox_view *v, struct record *r)
{
    uidset_move(&v->recent, &r->recent);
    for (size_t i = 0; i < v->recent.n; i++)
        v->nrecent += mailbox_view_seq_at_or_after(v, v->recent.ranges[i].last + 1) -
                      mailbox_view_seq_at_or_after(v, v->recent.ranges[i].first);
}

static int thaw(struct account *acc, struct record *r, struct mailbox_view **out)
{
    struct mailbox *m = account_find_id(acc, r->mailbox);
    struct mailbox_view *v;
    int err;

    if (r->end_uid == 0 || (m != NULL && m->uidvalidity == r->uidvalidity && r->end_uid > m->uidnext))
        return ERR_PROTO;
    if (m == NULL || m->uidvalidity != r->uidvalidity) {
        err = mailbox_departed(acc, r, &m);
        if (err != 0)
            return err;
    }
    mailbox_need(m);
    v = xcalloc(1, sizeof(*v));
    v->acc = acc;
    v->m = m;
    v->take_recent = r->take_recent;
    v->told_gone = r->told_gone;
    v->position = m->changes_base + m->nchanges;
    v->keywords_known = MIN_OF((unsigned)r->keywords_known, m->nkeywords);
    view_link(v);
    err = build_map(v, r);
    if (err != 0) {
        mailbox_view_close(&v);
        return err;
    }
    restore_pending(v, r);
    restore_recent(v, r);
    *out = v; /* transferred */
    return 0;
}

int mailbox_view_thaw(struct account *acc, struct cursor *c, struct mailbox_view **out)
{
    struct record r = {0};
    int err = ERR_PROTO;

    decode(c, &r);
    if (!c->failed)
        err = thaw(acc, &r, out);
    record_free(&r);
    return err;
}
