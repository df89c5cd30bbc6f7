/* Encoding and decoding of what a snapshot holds besides records. What is read is not trusted: counts are bounded by what is left
 * to read. */
#include <stdlib.h>
#include <xxhash.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/snapshot_int.h"

static void put_zero(struct buf *out, size_t upto, size_t start)
{
    while (buf_ok(out) && buf_len(out) - start < upto)
        buf_put_byte(out, 0);
}

static void put_sum(struct buf *out, size_t start)
{
    struct view v = buf_view(out);

    if (buf_ok(out))
        buf_put_u64(out, XXH3_64bits(v.ptr + start, v.len - start));
}

void state_trailer_put(struct buf *out, const struct state_trailer *t)
{
    size_t start = buf_len(out);

    buf_put(out, STATE_END_MAGIC, 8);
    buf_put_u32(out, SNAPSHOT_VERSION);
    buf_put_u32(out, t->num);
    buf_put_u64(out, t->meta_off);
    buf_put_u64(out, t->meta_len);
    buf_put_u64(out, t->meta_sum);
    put_zero(out, STATE_TRAILER_SIZE - 8, start);
    put_sum(out, start);
}

int state_trailer_get(struct view bytes, struct state_trailer *out)
{
    struct cursor c = cursor_make(bytes);
    bool magic = cursor_take_view(&c, VIEW(STATE_END_MAGIC));
    uint32_t version = cursor_u32(&c);
    uint64_t sum;

    out->num = cursor_u32(&c);
    out->meta_off = cursor_u64(&c);
    out->meta_len = cursor_u64(&c);
    out->meta_sum = cursor_u64(&c);
    cursor_skip(&c, STATE_TRAILER_SIZE - 48);
    sum = cursor_u64(&c);
    if (!magic || !cursor_done(&c) || sum != XXH3_64bits(bytes.ptr, STATE_TRAILER_SIZE - 8))
        return ERR_CORRUPT;
    return version == SNAPSHOT_VERSION ? 0 : version > SNAPSHOT_VERSION ? ERR_UNSUPPORTED : ERR_CORRUPT;
}

void mbox_trailer_put(struct buf *out, const struct mbox_trailer *h)
{
    size_t start = buf_len(out);

    buf_put(out, MBOX_MAGIC, 8);
    buf_put_u32(out, SNAPSHOT_VERSION);
    buf_put_u32(out, h->id);
    buf_put_u32(out, h->num);
    buf_put_u32(out, h->nrecs);
    buf_put_u32(out, (uint32_t)sizeof(struct msg_rec));
    {
        /* As the records are written: in the machine's own order. */
        const uint32_t mark = 1;

        buf_put(out, &mark, sizeof(mark));
    }
    buf_put_u64(out, h->sum);
    put_zero(out, MBOX_TRAILER_SIZE - 8, start);
    put_sum(out, start);
}

int mbox_trailer_get(struct view bytes, struct mbox_trailer *out)
{
    struct cursor c = cursor_make(view_sub(bytes, 0, MBOX_TRAILER_SIZE));
    bool magic = cursor_take_view(&c, VIEW(MBOX_MAGIC));
    uint32_t version = cursor_u32(&c), rec_size, mark = 0;
    struct view mark_bytes;
    uint64_t sum;

    out->id = cursor_u32(&c);
    out->num = cursor_u32(&c);
    out->nrecs = cursor_u32(&c);
    rec_size = cursor_u32(&c);
    mark_bytes = cursor_bytes(&c, sizeof(mark));
    out->sum = cursor_u64(&c);
    cursor_skip(&c, MBOX_TRAILER_SIZE - 48);
    sum = cursor_u64(&c);
    if (!magic || !cursor_done(&c) || sum != XXH3_64bits(bytes.ptr, MBOX_TRAILER_SIZE - 8))
        return ERR_CORRUPT;
    memcpy(&mark, mark_bytes.ptr, sizeof(mark));
    if (version > SNAPSHOT_VERSION || mark != 1)
        return ERR_UNSUPPORTED;
    return version == SNAPSHOT_VERSION && rec_size == sizeof(struct msg_rec) ? 0 : ERR_CORRUPT;
}

/* --- mailboxes --------------------------------------------------------------------------------------------------------- */

static void put_mailbox(struct buf *out, const struct mailbox *m, const struct snapshot_entry *e)
{
    const uint32_t numbers[] = {m->id,     m->uidvalidity, m->uidnext, m->use,         m->messages,
                                m->unseen, m->deleted,     m->recent,  m->first_recent};
    const uint64_t large[] = {m->highestmodseq, m->size, m->deleted_size, m->vanished_floor};

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        buf_put_u32(out, numbers[i]);
    for (size_t i = 0; i < ARRAY_LEN(large); i++)
        buf_put_u64(out, large[i]);
    buf_put_view16(out, mailbox_name_view(m));
    buf_put_u16(out, (uint16_t)m->nkeywords);
    for (unsigned i = 0; i < m->nkeywords; i++)
        buf_put_view16(out, view_str(m->keywords[i]));
    buf_put_u32(out, (uint32_t)m->nvanished);
    for (size_t i = 0; i < m->nvanished; i++) {
        buf_put_u64(out, m->vanished[i].modseq);
        buf_put_u32(out, m->vanished[i].first);
        buf_put_u32(out, m->vanished[i].last);
    }
    buf_put_u32(out, e->file_num);
    buf_put_u32(out, e->file_recs);
    buf_put_u64(out, e->delta_off);
    buf_put_u64(out, e->delta_sum);
    buf_put_u32(out, m->dig_num);
    buf_put_u32(out, m->gathered);
    buf_put_u32(out, e->delta_tail);
    buf_put_u32(out, e->delta_dirty);
}

static void get_counters(struct cursor *c, struct mailbox *m)
{
    m->uidvalidity = cursor_u32(c);
    m->uidnext = cursor_u32(c);
    m->use = cursor_u32(c);
    m->messages = cursor_u32(c);
    m->unseen = cursor_u32(c);
    m->deleted = cursor_u32(c);
    m->recent = cursor_u32(c);
    m->first_recent = cursor_u32(c);
    m->highestmodseq = cursor_u64(c);
    m->size = cursor_u64(c);
    m->deleted_size = cursor_u64(c);
    m->vanished_floor = cursor_u64(c);
}

static void get_keywords(struct cursor *c, struct mailbox *m)
{
    unsigned n = cursor_u16(c);

    if (n > KEYWORDS_MAX)
        cursor_fail(c);
    for (unsigned i = 0; i < n && !c->failed; i++) {
        struct view kw = cursor_view16(c, KEYWORD_LEN_MAX);

        if (kw.len == 0)
            cursor_fail(c);
        else
            m->keywords[m->nkeywords++] = view_dup(kw);
    }
}

static void get_vanished(struct cursor *c, struct mailbox *m)
{
    uint32_t n = cursor_u32(c);

    if (n > VANISHED_MAX)
        cursor_fail(c);
    if (c->failed || n == 0)
        return;
    m->vanished = xreallocarray(NULL, n, sizeof(*m->vanished));
    m->cvanished = n;
    for (uint32_t i = 0; i < n && !c->failed; i++) {
        struct vanished v;

        v.modseq = cursor_u64(c);
        v.first = cursor_u32(c);
        v.last = cursor_u32(c);
        m->vanished[m->nvanished++] = v;
    }
}

static void get_mailbox(struct cursor *c, struct account *acc)
{
    /* The name follows the counters, but a mailbox is made with its name. */
    struct mailbox *m = mailbox_new(acc, cursor_u32(c), VIEW("?"));
    struct view name;

    get_counters(c, m);
    name = cursor_view16(c, NAME_LEN_LIMIT);
    free(m->name);
    m->name = view_dup(name);
    m->name_len = name.len;
    get_keywords(c, m);
    get_vanished(c, m);
    m->file_num = cursor_u32(c);
    m->file_recs = cursor_u32(c);
    m->delta_off = cursor_u64(c);
    m->delta_sum = cursor_u64(c);
    m->dig_num = cursor_u32(c);
    m->gathered = cursor_u32(c);
    m->delta_tail = cursor_u32(c);
    m->delta_dirty = cursor_u32(c);
    if (c->failed || account_check_name(name) != 0 || account_find(acc, name) != NULL || account_find_id(acc, m->id) != NULL) {
        cursor_fail(c);
        mailbox_free(m);
        return;
    }
    names_insert(acc, m);
}

/* --- the account -------------------------------------------------------------------------------------------------------- */

static void put_digfiles(struct buf *out, const struct account *acc)
{
    uint32_t n = 0;

    for (size_t i = 0; i < acc->ndigfiles; i++)
        n += digfile_needed(acc, acc->digfiles[i]);
    buf_put_u32(out, n);
    for (size_t i = 0; i < acc->ndigfiles; i++) {
        const struct digfile *f = acc->digfiles[i];

        if (!digfile_needed(acc, f))
            continue;
        buf_put_u32(out, f->mailbox);
        buf_put_u32(out, f->num);
        buf_put_u64(out, f->size);
        buf_put_u64(out, f->live);
    }
}

static void get_digfiles(struct cursor *c, struct account *acc)
{
    uint32_t n = cursor_u32(c);

    for (uint32_t i = 0; i < n && !c->failed; i++) {
        uint32_t mailbox = cursor_u32(c), num = cursor_u32(c);
        uint64_t size = cursor_u64(c), live = cursor_u64(c);
        struct digfile *f;

        if (c->failed)
            return;
        f = digfile_add(acc, mailbox, num);
        f->size = size;
        f->live = live;
    }
}

static void put_uidls(struct buf *out, const struct account *acc)
{
    uint32_t n = 0;

    for (size_t i = 0; i < acc->nmailboxes; i++)
        n += (uint32_t)acc->by_id[i]->nuidls;
    buf_put_u32(out, n);
    for (size_t i = 0; i < acc->nmailboxes; i++) {
        const struct mailbox *m = acc->by_id[i];

        for (size_t k = 0; k < m->nuidls; k++) {
            buf_put_u32(out, m->id);
            buf_put_u32(out, m->uidls[k].uid);
            buf_put_view16(out, view_str(m->uidls[k].text));
        }
    }
}

static void get_uidls(struct cursor *c, struct account *acc)
{
    uint32_t n = cursor_u32(c);

    for (uint32_t i = 0; i < n && !c->failed; i++) {
        struct mailbox *m = account_find_id(acc, cursor_u32(c));
        uint32_t uid = cursor_u32(c);
        struct view text = cursor_view16(c, UINT16_MAX);

        if (m != NULL && !c->failed)
            uidl_set(m, uid, text);
    }
}

void state_meta_put(struct buf *out, const struct account *acc, const struct txlog_pos *pos, const struct snapshot_entry *entries)
{
    uint32_t nsegs = 0;

    buf_put_u64(out, acc->log.account_id);
    buf_put_u32(out, pos->seg);
    buf_put_u64(out, pos->off);
    buf_put_u64(out, pos->seq);
    buf_put_u64(out, pos->epoch);
    buf_put_u32(out, acc->next_mailbox_id);
    buf_put_u32(out, acc->last_uidvalidity);
    buf_put_u64(out, acc->bytes);
    buf_put_u64(out, acc->messages);
    for (size_t i = 0; i < acc->log.nsegs; i++)
        nsegs += !acc->log.segs[i]->removed;
    buf_put_u32(out, nsegs);
    for (size_t i = 0; i < acc->log.nsegs; i++) {
        if (acc->log.segs[i]->removed)
            continue;
        buf_put_u32(out, acc->log.segs[i]->num);
        buf_put_u64(out, acc->log.segs[i]->live);
    }
    put_digfiles(out, acc);
    buf_put_u32(out, (uint32_t)acc->nsubs);
    for (size_t i = 0; i < acc->nsubs; i++)
        buf_put_view16(out, view_make(acc->subs[i].name, acc->subs[i].len));
    buf_put_u32(out, (uint32_t)acc->nmailboxes);
    for (size_t i = 0; i < acc->nmailboxes; i++)
        put_mailbox(out, acc->by_id[i], &entries[i]);
    put_uidls(out, acc);
    annotations_put(out, acc);
}

static void get_segs(struct cursor *c, struct account *acc)
{
    uint32_t n = cursor_u32(c);

    for (uint32_t i = 0; i < n && !c->failed; i++) {
        uint32_t num = cursor_u32(c);
        uint64_t live = cursor_u64(c);

        if (!c->failed && txlog_seg(&acc->log, num) == NULL)
            txlog_seg_note(&acc->log, num, live);
    }
}

int state_meta_get(struct view bytes, struct account *acc, struct txlog_pos *pos)
{
    struct cursor c = cursor_make(bytes);
    uint32_t n;

    acc->log.account_id = cursor_u64(&c);
    pos->seg = cursor_u32(&c);
    pos->off = cursor_u64(&c);
    pos->seq = cursor_u64(&c);
    pos->epoch = cursor_u64(&c);
    acc->next_mailbox_id = cursor_u32(&c);
    acc->last_uidvalidity = cursor_u32(&c);
    acc->bytes = cursor_u64(&c);
    acc->messages = cursor_u64(&c);
    get_segs(&c, acc);
    get_digfiles(&c, acc);
    n = cursor_u32(&c);
    for (uint32_t i = 0; i < n && !c.failed; i++) {
        struct view name = cursor_view16(&c, NAME_LEN_LIMIT);

        if (!c.failed)
            subs_set(acc, name, true);
    }
    n = cursor_u32(&c);
    for (uint32_t i = 0; i < n && !c.failed; i++)
        get_mailbox(&c, acc);
    get_uidls(&c, acc);
    annotations_get(&c, acc);
    return cursor_done(&c) ? 0 : ERR_CORRUPT;
}
