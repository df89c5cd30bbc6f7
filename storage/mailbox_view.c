/*
 * Views. A view is a sequence-number map into the mailbox's records (none at all while sequence number n is record n-1, which
 * holds for a mailbox without gaps) and a position in the mailbox's list of changes. So opening a view and noting a change cost
 * the same whatever the size of the mailbox; the map is built when the first expunge has to be told, and shared between views
 * that know the same.
 *
 * A view that falls far behind (a client that reads nothing) does not hold the list of changes: it is marked and compares modseqs
 * instead.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/maildir_hooks_int.h"
#include "storage/message/digest.h"
#include "storage/view_int.h"

#define CHANGES_SLACK 4096 /* changes kept for views that are behind, besides one a message */

/* --- the map ----------------------------------------------------------------------------------------------------- */

void seqmap_release(struct seqmap **map)
{
    if (*map != NULL && --(*map)->refs == 0) {
        free((*map)->idx);
        free(*map);
    }
    *map = NULL;
}

struct seqmap *seqmap_new(uint32_t cap)
{
    struct seqmap *map = xcalloc(1, sizeof(*map));

    map->refs = 1;
    map->cap = MAX_OF(cap, (uint32_t)16);
    map->idx = xreallocarray(NULL, map->cap, sizeof(*map->idx));
    return map;
}

static uint32_t view_idx(const struct mailbox_view *v, uint32_t seq)
{
    ASSERT(seq >= 1 && seq <= v->count);
    return v->map != NULL ? v->map->idx[seq - 1] : seq - 1;
}

const struct msg_rec *view_rec(const struct mailbox_view *v, uint32_t seq)
{
    uint32_t idx = view_idx(v, seq);

    return (idx & VIEW_GHOST) != 0 ? &v->ghosts[idx & ~VIEW_GHOST] : mailbox_rec(v->m, idx);
}

/* Sequence number of a record, or 0. */
static uint32_t view_seq_of(const struct mailbox_view *v, uint32_t idx)
{
    uint32_t lo = 0, hi = v->count;

    if (v->map == NULL)
        return idx < v->count ? idx + 1 : 0;
    if (v->nghosts > 0) { /* the map is in the order of UIDs only */
        lo = mailbox_view_seq_at_or_after(v, mailbox_rec(v->m, idx)->uid);
        return lo <= v->count && v->map->idx[lo - 1] == idx ? lo : 0;
    }
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (v->map->idx[mid] < idx)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < v->count && v->map->idx[lo] == idx ? lo + 1 : 0;
}

/* A map of its own, with room for more: for changing it. */
static void map_own(struct mailbox_view *v, uint32_t more)
{
    struct seqmap *map;

    if (v->map != NULL && v->map->refs == 1) {
        v->map->n = v->count;
        if (v->count + more > v->map->cap) {
            v->map->cap = v->count + more + v->count / 8;
            v->map->idx = xreallocarray(v->map->idx, v->map->cap, sizeof(*v->map->idx));
        }
        return;
    }
    map = seqmap_new(v->count + more);
    for (uint32_t i = 0; i < v->count; i++)
        map->idx[i] = view_idx(v, i + 1);
    map->n = v->count;
    seqmap_release(&v->map);
    v->map = map;
}

/* Finds another view that knows just what this one is about to know, and shares its map. */
static bool map_share(struct mailbox_view *v)
{
    const struct mailbox *m = v->m;

    for (struct mailbox_view *o = m->views; o != NULL; o = o->next) {
        if (o == v || o->map == NULL || o->nghosts > 0 || o->known_end != mailbox_nrecs(m) || o->count != m->messages)
            continue;
        seqmap_release(&v->map);
        v->map = o->map;
        v->map->refs++;
        v->count = o->count;
        v->known_end = o->known_end;
        return true;
    }
    return false;
}

static size_t idx_at_or_after(const struct idx_list *l, uint32_t idx)
{
    size_t lo = 0, hi = l->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (l->v[mid] < idx)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Takes the records from known_end on that are not gone. */
static void map_extend(struct mailbox_view *v)
{
    struct mailbox *m = v->m;
    uint32_t end = mailbox_nrecs(m), from = v->known_end, live;
    size_t first;

    /* Which ones are gone is known without looking at the records, which may not even be in memory. */
    idx_sort_unique(&m->expunged);
    first = idx_at_or_after(&m->expunged, from);
    live = end - from - (uint32_t)(m->expunged.n - first);
    v->known_end = end;
    if (v->map == NULL && v->count == from && live == end - from) {
        v->count = end;
        return;
    }
    if (live == 0 || (v->held.n == 0 && v->nghosts == 0 && map_share(v)))
        return;
    map_own(v, live);
    for (uint32_t i = from; i < end; i++) {
        if (first < m->expunged.n && m->expunged.v[first] == i)
            first++;
        else
            v->map->idx[v->map->n++] = i;
    }
    v->count = v->map->n;
}

/* Takes messages out of the map; seqs: rising. */
static void map_remove(struct mailbox_view *v, const struct idx_list *seqs)
{
    uint32_t n = seqs->v[0] - 1;
    size_t g = 0;

    map_own(v, 0);
    for (uint32_t seq = seqs->v[0]; seq <= v->count; seq++) {
        if (g < seqs->n && seqs->v[g] == seq)
            g++;
        else
            v->map->idx[n++] = v->map->idx[seq - 1];
    }
    v->map->n = v->count = n;
}

/* --- opening, closing ----------------------------------------------------------------------------------------------- */

static void recent_range(struct mailbox_view *v, uint32_t from_idx)
{
    struct mailbox *m = v->m;
    uint32_t first = MAX_OF(m->first_recent, from_idx < mailbox_nrecs(m) ? mailbox_rec(m, from_idx)->uid : m->uidnext);

    if (first == m->first_recent)
        v->nrecent += m->recent;
    else
        for (uint32_t i = mailbox_rec_at(m, first); i < v->known_end; i++)
            v->nrecent += (mailbox_rec(m, i)->flags & REC_GONE) == 0;
    if (m->uidnext > first)
        uidset_add_range(&v->recent, first, m->uidnext - 1);
    if (v->take_recent && m->first_recent < m->uidnext) {
        /* Written with the next commit: when a crash comes first, they are recent twice, which does no harm. */
        m->first_recent = m->uidnext;
        m->recent = 0;
        m->recent_unsaved = true;
        v->acc->recent_unsaved = true;
    }
}

void view_link(struct mailbox_view *v)
{
    struct mailbox *m = v->m;

    v->next = m->views;
    if (v->next != NULL)
        v->next->prev = v;
    m->views = v;
    v->acc_next = v->acc->views;
    if (v->acc_next != NULL)
        v->acc_next->acc_prev = v;
    v->acc->views = v;
}

struct mailbox_view *mailbox_view_open(struct account *acc, struct mailbox *m, bool take_recent)
{
    struct mailbox_view *v = xcalloc(1, sizeof(*v));

    mailbox_need(m);
    v->acc = acc;
    v->m = m;
    v->take_recent = take_recent;
    v->position = m->changes_base + m->nchanges;
    v->synced_modseq = m->highestmodseq;
    v->keywords_known = m->nkeywords;
    uidset_init(&v->recent);
    view_link(v);
    if (m->expunged.n == 0)
        v->count = v->known_end = mailbox_nrecs(m);
    else if (!map_share(v))
        map_extend(v);
    recent_range(v, 0);
    return v;
}

void mailbox_view_close(struct mailbox_view **view)
{
    struct mailbox_view *v = *view;
    struct mailbox *m;

    if (v == NULL)
        return;
    m = v->m;
    if (v->next != NULL)
        v->next->prev = v->prev;
    if (v->prev != NULL)
        v->prev->next = v->next;
    else
        m->views = v->next;
    if (v->acc_next != NULL)
        v->acc_next->acc_prev = v->acc_prev;
    if (v->acc_prev != NULL)
        v->acc_prev->acc_next = v->acc_next;
    else
        v->acc->views = v->acc_next;
    mailbox_changes_trim(m);
    if (m->gone && m->views == NULL)
        mailbox_free(m);
    seqmap_release(&v->map);
    free(v->ghosts);
    free(v->own);
    idx_free(&v->held);
    idx_free(&v->out_expunged);
    idx_free(&v->out_uids);
    idx_free(&v->out_changed);
    uidset_free(&v->recent);
    free(v);
    *view = NULL;
}

struct mailbox *mailbox_view_mailbox(const struct mailbox_view *v)
{
    return v->m->gone ? NULL : v->m;
}

/* --- what is new ------------------------------------------------------------------------------------------------------ */

void mailbox_view_set_notify(struct mailbox_view *v, void (*fn)(void *arg), void *arg)
{
    v->notify = fn;
    v->notify_arg = arg;
}

bool mailbox_view_pending(const struct mailbox_view *v)
{
    const struct mailbox *m = v->m;

    return v->behind || v->nown > 0 || v->held.n > 0 || v->nghosts > 0 || v->position < m->changes_base + m->nchanges ||
           v->known_end < mailbox_nrecs(m) || v->keywords_known != m->nkeywords || (m->gone && !v->told_gone);
}

void views_mailbox_changed(struct mailbox *m)
{
    for (struct mailbox_view *v = m->views; v != NULL; v = v->next)
        v->notify_due = true;
}

void views_notify(struct account *acc)
{
    struct mailbox_view *v = acc->views;

    while (v != NULL) {
        if (!v->notify_due) {
            v = v->acc_next;
            continue;
        }
        v->notify_due = false;
        if (v->notify != NULL) {
            /* May open and close views: begin again. */
            v->notify(v->notify_arg);
            v = acc->views;
        } else {
            v = v->acc_next;
        }
    }
}

/* Forgets the changes that every view has taken over, and does not let one that is far behind keep all. */
void mailbox_changes_trim(struct mailbox *m)
{
    uint64_t end = m->changes_base + m->nchanges;
    bool too_many = m->nchanges > (size_t)m->messages + CHANGES_SLACK, all_done = true;

    for (struct mailbox_view *v = m->views; v != NULL; v = v->next) {
        if (v->position == end)
            continue;
        if (too_many) {
            v->behind = true;
            v->position = end;
        } else {
            all_done = false;
        }
    }
    if (all_done) {
        m->changes_base = end;
        m->nchanges = 0;
        if (m->cchanges > CHANGES_SLACK) {
            free(m->changes);
            m->changes = NULL;
            m->cchanges = 0;
        }
    }
}

uint32_t mailbox_view_count(const struct mailbox_view *v)
{
    return v->count;
}

uint32_t mailbox_view_recent(const struct mailbox_view *v)
{
    return v->nrecent;
}

uint32_t mailbox_view_uid(const struct mailbox_view *v, uint32_t seq)
{
    return view_rec(v, seq)->uid;
}

uint32_t mailbox_view_seq_at_or_after(const struct mailbox_view *v, uint32_t uid)
{
    uint32_t idx = mailbox_rec_at(v->m, uid), lo = 0, hi = v->count;

    if (v->map == NULL)
        return MIN_OF(idx, v->count) + 1;
    while (v->nghosts > 0 && lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (mailbox_view_uid(v, mid + 1) < uid)
            lo = mid + 1;
        else
            hi = mid;
    }
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (v->map->idx[mid] < idx)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo + 1;
}

uint32_t mailbox_view_seq(const struct mailbox_view *v, uint32_t uid)
{
    uint32_t seq = mailbox_view_seq_at_or_after(v, uid);

    return seq <= v->count && mailbox_view_uid(v, seq) == uid ? seq : 0;
}

uint32_t mailbox_view_find_flags(const struct mailbox_view *v, uint32_t from, uint32_t to, unsigned set, unsigned clear)
{
    uint32_t step = from <= to ? 1 : UINT32_MAX; /* UINT32_MAX: one down */

    for (uint32_t seq = from;; seq += step) {
        if ((view_rec(v, seq)->flags & (set | clear)) == set)
            return seq;
        if (seq == to)
            return 0;
    }
}

void mailbox_view_info(const struct mailbox_view *v, uint32_t seq, struct msg_info *out)
{
    const struct msg_rec *rec = view_rec(v, seq);

    out->uid = rec->uid;
    out->flags = rec->flags & REC_FLAGS;
    out->keywords = rec->keywords;
    out->modseq = rec->modseq;
    out->size = rec->size;
    out->date = rec->date;
    out->zone_minutes = rec->zone;
    out->savedate = rec->savedate;
    memcpy(out->emailid, rec->emailid, sizeof(out->emailid));
    out->open_end = (rec->flags & REC_OPEN_END) != 0;
    out->recent = v->recent.n > 0 && uidset_has(&v->recent, rec->uid);
    out->expunged = (rec->flags & REC_GONE) != 0 || v->m->gone;
}

struct view mailbox_view_file_name(const struct mailbox_view *v, uint32_t seq)
{
    const struct msg_rec *rec = view_rec(v, seq);

    return rec->seg == 0 ? md_message_name(v->acc, rec) : view_make(NULL, 0);
}

int mailbox_view_data(struct mailbox_view *v, uint32_t seq, struct msg_data *out)
{
    return message_data(v->acc, view_rec(v, seq), out);
}

int mailbox_view_digest(struct mailbox_view *v, uint32_t seq, struct view *out_bytes)
{
    return message_digest(v->acc, view_rec(v, seq), out_bytes);
}

int mailbox_view_threadid(struct mailbox_view *v, uint32_t seq, uint8_t out[THREADID_SIZE])
{
    const struct msg_rec *rec = view_rec(v, seq);
    struct view bytes;
    int err = message_digest(v->acc, rec, &bytes);

    return err != 0 ? err : digest_threadid(bytes, rec->emailid, sizeof(rec->emailid), out);
}

/* --- taking over ------------------------------------------------------------------------------------------------------- */

static void take_change(struct mailbox_view *v, uint32_t idx)
{
    if (idx >= v->known_end)
        return;
    if ((mailbox_rec(v->m, idx)->flags & REC_GONE) != 0)
        idx_add(&v->held, idx);
    else
        idx_add(&v->out_changed, idx);
}

/* Changed and expunged records since the last time: into out_changed and held. */
void view_collect_changes(struct mailbox_view *v)
{
    struct mailbox *m = v->m;

    v->out_changed.n = 0;
    if (v->behind) {
        for (uint32_t seq = 1; seq <= v->count; seq++) {
            if ((view_idx(v, seq) & VIEW_GHOST) == 0 && view_rec(v, seq)->modseq > v->synced_modseq)
                take_change(v, view_idx(v, seq));
        }
    }
    for (size_t i = 0; i < v->nown; i++)
        take_change(v, v->own[i].idx);
    for (uint64_t p = v->position; p < m->changes_base + m->nchanges; p++)
        take_change(v, m->changes[p - m->changes_base].idx);
    v->behind = false;
    v->nown = 0;
    v->position = m->changes_base + m->nchanges;
    v->synced_modseq = m->highestmodseq;
    idx_sort_unique(&v->held);
    idx_sort_unique(&v->out_changed);
}

/* A record expunged before its view was ever told of it, or held twice, is not in the map. */
void view_held_keep_known(struct mailbox_view *v)
{
    size_t n = 0;

    for (size_t i = 0; i < v->held.n; i++) {
        if (view_seq_of(v, v->held.v[i]) != 0)
            v->held.v[n++] = v->held.v[i];
    }
    v->held.n = n;
}

/* Of the messages that are gone, rising. */
static void gone_seqs(struct mailbox_view *v, struct idx_list *seqs)
{
    view_held_keep_known(v);
    for (size_t i = 0; i < v->held.n; i++)
        idx_add(seqs, view_seq_of(v, v->held.v[i]));
    for (uint32_t i = 0; i < v->nghosts; i++)
        idx_add(seqs, mailbox_view_seq_at_or_after(v, v->ghosts[i].uid));
    idx_sort_unique(seqs);
}

static void tell_expunged(struct mailbox_view *v, struct view_changes *out)
{
    struct idx_list seqs = {0};

    v->out_expunged.n = v->out_uids.n = 0;
    gone_seqs(v, &seqs);
    for (size_t i = seqs.n; i > 0; i--) {
        uint32_t uid = mailbox_view_uid(v, seqs.v[i - 1]);

        idx_add(&v->out_expunged, seqs.v[i - 1]);
        idx_add(&v->out_uids, uid);
        if (v->recent.n > 0 && uidset_has(&v->recent, uid))
            v->nrecent--;
    }
    if (seqs.n > 0) {
        out->expunged_seqs = v->out_expunged.v;
        out->expunged_uids = v->out_uids.v;
        out->nexpunged = v->out_expunged.n;
        if (!map_share(v))
            map_remove(v, &seqs);
        v->held.n = 0;
        v->nghosts = 0;
    }
    idx_free(&seqs);
}

static uint64_t held_modseq(struct mailbox_view *v)
{
    uint64_t lowest = UINT64_MAX;

    view_held_keep_known(v);
    for (size_t i = 0; i < v->held.n; i++)
        lowest = MIN_OF(lowest, mailbox_rec(v->m, v->held.v[i])->modseq);
    for (uint32_t i = 0; i < v->nghosts; i++)
        lowest = MIN_OF(lowest, v->ghosts[i].modseq);
    return lowest == UINT64_MAX ? 0 : lowest;
}

static void tell_changed(struct mailbox_view *v, struct view_changes *out)
{
    size_t n = 0;

    for (size_t i = 0; i < v->out_changed.n; i++) {
        uint32_t seq = view_seq_of(v, v->out_changed.v[i]);

        if (seq != 0)
            v->out_changed.v[n++] = seq;
    }
    v->out_changed.n = n;
    out->changed_seqs = v->out_changed.v;
    out->nchanged = n;
}

void mailbox_view_sync(struct mailbox_view *v, bool allow_expunge, struct view_changes *out)
{
    struct mailbox *m = v->m;
    uint32_t known = v->known_end, before;

    memset(out, 0, sizeof(*out));
    view_collect_changes(v);
    before = v->count;
    if (allow_expunge)
        tell_expunged(v, out);
    else
        out->held_modseq = held_modseq(v);
    out->modseq = m->highestmodseq;
    before -= (uint32_t)out->nexpunged;
    if (v->known_end < mailbox_nrecs(m))
        map_extend(v);
    out->exists_changed = v->count != before;
    if (mailbox_nrecs(m) > known)
        recent_range(v, known);
    out->count = v->count;
    out->recent = v->nrecent;
    tell_changed(v, out);
    out->keywords_changed = v->keywords_known != m->nkeywords;
    v->keywords_known = m->nkeywords;
    out->deleted = m->gone;
    v->told_gone = m->gone;
    mailbox_changes_trim(m);
}

void mailbox_view_forget(struct mailbox_view *v, const struct uidset *uids, uint64_t modseq)
{
    struct mailbox *m = v->m;
    uint64_t end = m->changes_base + m->nchanges;
    size_t n = 0, waiting = v->nown + (size_t)(end - v->position);
    struct change *keep;

    if (waiting == 0)
        return;
    keep = xreallocarray(NULL, waiting, sizeof(*keep));
    for (size_t i = 0; i < waiting; i++) {
        struct change c = i < v->nown ? v->own[i] : m->changes[v->position + (i - v->nown) - m->changes_base];
        const struct msg_rec *rec = mailbox_rec(m, c.idx);

        if (c.modseq != modseq || (rec->flags & REC_GONE) != 0 || !uidset_has(uids, rec->uid))
            keep[n++] = c;
    }
    free(v->own);
    v->own = keep;
    v->nown = n;
    v->position = end;
    mailbox_changes_trim(m);
}
