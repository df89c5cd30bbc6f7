/*
 * A mailbox in memory: records sorted by UID in two flat arrays, counters kept with every change, keywords, remembered expunges,
 * and the list of changes that its views have yet to take over. An expunged record keeps its place (REC_GONE), so that views can
 * name messages by index and still read one that they were not told to be gone.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/text/text.h"
#include "storage/account_int.h"
#include "storage/maildir_hooks_int.h"

void idx_add(struct idx_list *l, uint32_t idx)
{
    if (l->n == l->cap) {
        l->cap = MAX_OF(l->cap * 2, (size_t)16);
        l->v = xreallocarray(l->v, l->cap, sizeof(*l->v));
    }
    l->v[l->n++] = idx;
}

void idx_free(struct idx_list *l)
{
    free(l->v);
    memset(l, 0, sizeof(*l));
}

static int idx_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

void idx_sort_unique(struct idx_list *l)
{
    bool sorted = true;
    size_t n = 0;

    for (size_t i = 1; i < l->n && sorted; i++)
        sorted = l->v[i - 1] < l->v[i];
    if (sorted)
        return;
    qsort(l->v, l->n, sizeof(*l->v), idx_order);
    for (size_t i = 0; i < l->n; i++) {
        if (n == 0 || l->v[n - 1] != l->v[i])
            l->v[n++] = l->v[i];
    }
    l->n = n;
}

struct mailbox *mailbox_new(struct account *acc, uint32_t id, struct view name)
{
    struct mailbox *m = xcalloc(1, sizeof(*m));

    m->acc = acc;
    m->id = id;
    m->name = view_dup(name);
    m->name_len = name.len;
    m->uidnext = 1;
    m->gathered = 1;
    m->first_recent = 1;
    m->highestmodseq = 1;
    if (acc->md != NULL)
        m->md = md_box_new(acc->md);
    return m;
}

void mailbox_free(struct mailbox *m)
{
    for (unsigned i = 0; i < m->nkeywords; i++)
        free(m->keywords[i]);
    vfs_unmap(m->acc->vfs, m->map, 0, m->map_len);
    idx_free(&m->dirty);
    idx_free(&m->new_dirty);
    annotations_free(m->acc, &m->annotations);
    idx_free(&m->expunged);
    md_mailbox_free(m);
    uidls_free(m);
    free(m->tail);
    free(m->vanished);
    free(m->changes);
    free(m->name);
    free(m);
}

uint32_t mailbox_rec_at(const struct mailbox *m, uint32_t uid)
{
    uint32_t lo = 0, hi = mailbox_nrecs(m);

    /* UIDs are dense in most mailboxes: look near the end and at the obvious place first. */
    if (hi == 0 || mailbox_rec(m, hi - 1)->uid < uid)
        return hi;
    if (uid > 0 && uid <= hi && mailbox_rec(m, uid - 1)->uid == uid)
        return uid - 1;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (mailbox_rec(m, mid)->uid < uid)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct msg_rec *mailbox_rec_find(const struct mailbox *m, uint32_t uid)
{
    uint32_t i = mailbox_rec_at(m, uid);
    struct msg_rec *rec;

    if (i >= mailbox_nrecs(m))
        return NULL;
    rec = mailbox_rec(m, i);
    return rec->uid == uid && (rec->flags & REC_GONE) == 0 ? rec : NULL;
}

uint64_t mailbox_bump(struct mailbox *m, uint64_t seq)
{
    mailbox_changed(m);
    if (m->modseq_txn != seq) {
        m->modseq_txn = seq;
        m->highestmodseq++;
    }
    return m->highestmodseq;
}

/* Adds (sign 1) or takes away (-1) a record's part of the counters. */
static void count_flags(struct mailbox *m, const struct msg_rec *rec, int sign)
{
    if ((rec->flags & MSG_SEEN) == 0)
        m->unseen += (uint32_t)sign;
    if ((rec->flags & MSG_DELETED) != 0) {
        m->deleted += (uint32_t)sign;
        m->deleted_size += sign > 0 ? rec->size : -rec->size;
    }
}

static void add_to(uint64_t *live, uint64_t len, int sign)
{
    *live += sign > 0 ? len : -len;
}

void rec_count_live(struct account *acc, const struct msg_rec *rec, int sign)
{
    struct seg *s = txlog_seg(&acc->log, rec->seg);
    struct digfile *f;

    if (s != NULL)
        add_to(&s->live, blob_space(rec->size), sign);
    if (rec->dig_len == 0)
        return;
    if (rec->dig_mbox != 0) {
        f = digfile_find(acc, rec->dig_mbox, rec->dig_num);
        if (f != NULL)
            add_to(&f->live, blob_space(rec->dig_len), sign);
        return;
    }
    if (rec->dig_num != rec->seg)
        s = txlog_seg(&acc->log, rec->dig_num);
    if (s != NULL)
        add_to(&s->live, blob_space(rec->dig_len), sign);
}

void mailbox_rec_add(struct mailbox *m, const struct msg_rec *rec)
{
    if (m->ntail == m->ctail) {
        m->ctail = m->ctail < 64 ? 64 : m->ctail + m->ctail / 2;
        m->tail = xreallocarray(m->tail, m->ctail, sizeof(*m->tail));
    }
    m->tail[m->ntail++] = *rec;
    m->touched = true;
    m->uidnext = rec->uid + 1;
    m->messages++;
    m->recent++;
    m->size += rec->size;
    count_flags(m, rec, 1);
    rec_count_live(m->acc, rec, 1);
    m->acc->bytes += rec->size;
    m->acc->messages++;
    if (m->views != NULL)
        views_mailbox_changed(m);
}

void mailbox_note_change(struct mailbox *m, uint32_t idx, uint64_t modseq)
{
    if (m->views == NULL)
        return;
    if (m->nchanges == m->cchanges) {
        m->cchanges = MAX_OF(m->cchanges * 2, (size_t)64);
        m->changes = xreallocarray(m->changes, m->cchanges, sizeof(*m->changes));
    }
    m->changes[m->nchanges++] = (struct change){idx, modseq};
    views_mailbox_changed(m);
}

void mailbox_rec_dirty(struct mailbox *m, uint32_t idx)
{
    struct msg_rec *rec = mailbox_rec(m, idx);

    m->touched = true;
    if (idx < m->new_cursor && (rec->flags & REC_STALE) == 0) {
        rec->flags |= REC_STALE;
        idx_add(&m->new_dirty, idx);
    }
    if (idx >= m->nfile || (rec->flags & REC_DIRTY) != 0)
        return;
    rec->flags |= REC_DIRTY;
    idx_add(&m->dirty, idx);
}

void mailbox_rec_flags(struct mailbox *m, uint32_t idx, unsigned flags, const struct keyword_set *kw, uint64_t modseq)
{
    struct msg_rec *rec = mailbox_rec(m, idx);

    mailbox_rec_dirty(m, idx);
    count_flags(m, rec, -1);
    rec->flags = (uint16_t)((rec->flags & ~REC_FLAGS) | (flags & REC_FLAGS));
    rec->keywords = *kw;
    rec->modseq = modseq;
    if (rec->seg == 0) {
        rec->flags |= REC_RENAME;
        if (m->md != NULL)
            md_note_flags(m, rec);
    }
    count_flags(m, rec, 1);
    mailbox_note_change(m, idx, modseq);
}

static void vanished_add(struct mailbox *m, uint32_t uid, uint64_t modseq)
{
    if (m->nvanished > 0) {
        struct vanished *last = &m->vanished[m->nvanished - 1];

        if (last->modseq == modseq && last->last != UINT32_MAX && last->last + 1 == uid) {
            last->last = uid;
            return;
        }
    }
    if (m->nvanished == VANISHED_MAX) {
        size_t half = VANISHED_MAX / 2;

        m->vanished_floor = m->vanished[half - 1].modseq;
        memmove(m->vanished, m->vanished + half, (m->nvanished - half) * sizeof(*m->vanished));
        m->nvanished -= half;
    }
    if (m->nvanished == m->cvanished) {
        m->cvanished = MAX_OF(m->cvanished * 2, (size_t)16);
        m->vanished = xreallocarray(m->vanished, m->cvanished, sizeof(*m->vanished));
    }
    m->vanished[m->nvanished++] = (struct vanished){modseq, uid, uid};
}

void mailbox_rec_expunge(struct mailbox *m, uint32_t idx, uint64_t modseq)
{
    struct msg_rec *rec = mailbox_rec(m, idx);

    mailbox_rec_dirty(m, idx);
    count_flags(m, rec, -1);
    rec->flags |= REC_GONE;
    rec->modseq = modseq;
    idx_add(&m->expunged, idx);
    m->messages--;
    m->size -= rec->size;
    if (rec->uid >= m->first_recent)
        m->recent--;
    m->acc->bytes -= rec->size;
    m->acc->messages--;
    rec_count_live(m->acc, rec, -1);
    vanished_add(m, rec->uid, modseq);
    mailbox_note_change(m, idx, modseq);
}

void mailbox_vanished(const struct mailbox *m, uint64_t since, struct uidset *out)
{
    uint32_t next = 1;

    if (since >= m->vanished_floor) {
        for (size_t i = 0; i < m->nvanished; i++) {
            if (m->vanished[i].modseq > since)
                uidset_add_range(out, m->vanished[i].first, m->vanished[i].last);
        }
        return;
    }
    /* Too long ago: whatever is not there. Loading fills a cache; what the mailbox is does not change. */
    mailbox_need((struct mailbox *)(uintptr_t)m);
    for (uint32_t i = 0; i < mailbox_nrecs(m); i++) {
        const struct msg_rec *rec = mailbox_rec(m, i);

        if ((rec->flags & REC_GONE) != 0)
            continue;
        if (rec->uid > next)
            uidset_add_range(out, next, rec->uid - 1);
        next = rec->uid + 1;
    }
    if (m->uidnext > next)
        uidset_add_range(out, next, m->uidnext - 1);
}

int mailbox_keyword_find(const struct mailbox *m, struct view name)
{
    for (unsigned i = 0; i < m->nkeywords; i++) {
        if (view_eq_nocase(view_str(m->keywords[i]), name))
            return (int)i;
    }
    return -1;
}

int mailbox_keyword_add(struct mailbox *m, struct view name)
{
    int i = mailbox_keyword_find(m, name);

    if (i >= 0 || m->nkeywords == KEYWORDS_MAX)
        return i;
    m->keywords[m->nkeywords] = view_dup(name);
    if (m->views != NULL)
        views_mailbox_changed(m);
    return (int)m->nkeywords++;
}

unsigned mailbox_keyword_count(const struct mailbox *m)
{
    return m->nkeywords;
}

struct view mailbox_keyword(const struct mailbox *m, unsigned index)
{
    ASSERT(index < m->nkeywords);
    return view_str(m->keywords[index]);
}

void mailbox_status(const struct mailbox *m, struct mailbox_status *out)
{
    *out = (struct mailbox_status){.messages = m->messages,
                                   .unseen = m->unseen,
                                   .deleted = m->deleted,
                                   .uidnext = m->uidnext,
                                   .uidvalidity = m->uidvalidity,
                                   .highestmodseq = m->highestmodseq,
                                   .size = m->size,
                                   .deleted_size = m->deleted_size,
                                   .recent = m->recent};
}

uint32_t mailbox_id(const struct mailbox *m)
{
    return m->id;
}

struct view mailbox_name(const struct mailbox *m)
{
    return mailbox_name_view(m);
}

unsigned mailbox_use(const struct mailbox *m)
{
    return m->use;
}

void mailbox_put_objectid(struct buf *out, const struct mailbox *m)
{
    /* UIDVALIDITY is never used twice in an account, so the pair is unique even against an account restored from an older copy.
     */
    buf_put_fmt(out, "M%u-%u", m->id, m->uidvalidity);
}
