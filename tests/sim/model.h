/*
 * The model of storage_sim.h: what an account is, as lists of mailboxes and messages, and what each request makes of it.
 */
#ifndef CULVER_TESTS_SIM_MODEL_H
#define CULVER_TESTS_SIM_MODEL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "storage/account_int.h"
#include "storage/acl.h"
#include "storage/maildir_sim.h"
#include "storage/message/digest.h"
#include "storage/txn.h"
#include "storage/vfs_sim.h"

#define SIM_BOXES 8
#define SIM_MSGS 96
#define SIM_STATES 64
#define SIM_TXNS 4
#define SIM_REQS 3 /* of a transaction */
#define SIM_NAMES 7
#define SIM_KEYWORDS 6
#define SIM_CONTENTS 100000u
#define SIM_KEYWORD_SHIFT 8
#define SIM_KEYWORD_BITS (((1u << SIM_KEYWORDS) - 1) << SIM_KEYWORD_SHIFT)
#define SIM_FLAG_BITS 31u
#define SIM_FILL 253u /* keywords at once: there are at most three more in a mailbox then */
#define SIM_ACL_SET 0x8000u
#define SIM_FOREIGN 0x80000000u /* in a content: another program wrote it, so its dates are its own */

struct sim_msg {
    uint32_t uid, content;
    uint32_t gone;        /* batch in which it was expunged, 0: there */
    uint32_t born;        /* batch in which it came */
    uint32_t date, saved; /* 0: not known */
    uint64_t modseq;      /* as it was seen; 0: it has changed since */
    uint16_t flags;       /* enum msg_flag; from SIM_KEYWORD_SHIFT on keywords */
    bool uidl;            /* it has a unique id of its own */
};
/* What another mailbox takes over from one: as it was before the batch. */
struct sim_meta {
    uint32_t annotation; /* content of its only one, 0: none */
    uint16_t acl[2];     /* rights of sim_identifiers; SIM_ACL_SET: it is in the list */
};
struct sim_box {
    int name; /* index in sim_names, -1: unused */
    uint32_t id;
    uint32_t validity; /* 0: what the server chose */
    struct sim_meta meta, meta_before;
    uint32_t meta_batch; /* in which it changed last */
    unsigned use;
    uint8_t kw[SIM_KEYWORDS]; /* its keywords, in the order in which they came */
    unsigned nkw, fill;       /* fill: of those that are there for their number only */
    uint32_t uidnext, n;
    struct sim_msg msgs[SIM_MSGS];
};
struct sim_state {
    struct sim_box boxes[SIM_BOXES];
    uint32_t next_id;
    unsigned subs;
    uint32_t annotation; /* of the account */
    bool own_limits;
    struct quota_limits limits;
};

/* What clients were told, for ever: by mailbox id of the model. */
#define SIM_TOLD 4096
struct sim_told {
    uint32_t validity, uid, content;
};

/* What a client knew of a mailbox when it went, to be brought up to date when it comes again (RFC 7162). */
struct sim_cache {
    uint32_t validity; /* 0: none */
    uint64_t modseq;
    bool flags_lost; /* a crash may have taken back flags that it knew */
    unsigned n;
    uint32_t uids[SIM_MSGS];
    uint16_t flags[SIM_MSGS];
};

/* What open transactions of a tick have reserved. */
struct sim_reserved {
    uint64_t bytes, messages;
    unsigned keywords[SIM_NAMES];
};

struct sim_run {
    uint64_t seed, rng;
    struct vfs *vfs;
    struct maildir_sim *disk; /* NULL: the native format */
    struct maildir *md;
    struct account *acc;
    uint64_t now;
    struct sim_state states[SIM_STATES]; /* [0]: durable; the others follow in the order of the log */
    unsigned nstates;
    struct sim_told told[SIM_TOLD];
    unsigned ntold;
    struct {
        uint32_t validity;
        uint64_t modseq;
    } high[256];
    unsigned nhigh;
    struct sim_cache cache;
    uint32_t max_validity;
    uint32_t batch, content;
    struct quota_limits limits; /* configured */
    struct sim_reserved reserved;
    bool failing;   /* the disk fails now and then */
    unsigned maybe; /* names whose folders were made for requests that were not answered */
    unsigned steps, crashes, acked, refused, compactions;
    bool small_segments;
    uint64_t flag_sync_ms;
};

static const char *const sim_names[SIM_NAMES] = {"INBOX", "a", "a/b", "c", "d", "e/f", "c/b"};
static const int sim_parents[SIM_NAMES] = {-1, -1, 1, -1, -1, -1, 3};
static const int sim_children[SIM_NAMES] = {-1, 2, -1, 6, -1, -1, -1};
static const char *const sim_keywords[SIM_KEYWORDS] = {"kw", "$Forwarded", "Alpha", "be-ta", "gamma:", "d"};
static const char *const sim_identifiers[2] = {"", "other"};

/* What happens, to read along: built with -DSIM_TRACE. */
#ifdef SIM_TRACE
#define SIM_SAY(...) fprintf(stderr, __VA_ARGS__)
#else
#define SIM_SAY(...) (void)0
#endif
#define SIM_FAIL(r, what)                                                                                                \
    do {                                                                                                                 \
        fprintf(stderr, "storage_sim: seed %llu step %u: %s (%s:%d)\n", (unsigned long long)(r)->seed, (r)->steps, what, \
                __FILE__, __LINE__);                                                                                     \
        abort();                                                                                                         \
    } while (0)
#define SIM_CHECK(r, cond)      \
    do {                        \
        if (!(cond))            \
            SIM_FAIL(r, #cond); \
    } while (0)

static inline uint64_t sim_roll(struct sim_run *r, uint64_t below)
{
    r->rng ^= r->rng << 13;
    r->rng ^= r->rng >> 7;
    r->rng ^= r->rng << 17;
    return (r->rng * 0x2545f4914f6cdd1du >> 20) % below;
}

static inline struct sim_state *sim_now(struct sim_run *r)
{
    return &r->states[r->nstates - 1];
}

static inline struct sim_box *sim_box(struct sim_state *s, int name)
{
    for (int i = 0; i < SIM_BOXES; i++) {
        if (s->boxes[i].name == name && name >= 0)
            return &s->boxes[i];
    }
    return NULL;
}

static inline unsigned sim_count_boxes(const struct sim_state *s)
{
    unsigned n = 0;

    for (int i = 0; i < SIM_BOXES; i++)
        n += s->boxes[i].name >= 0;
    return n;
}

static inline unsigned sim_live(const struct sim_box *b)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < b->n; i++)
        n += b->msgs[i].gone == 0;
    return n;
}

/* --- contents ------------------------------------------------------------------------------------------------------ */

static inline size_t sim_text_len(uint32_t content)
{
    return 40 + (size_t)content * 2654435761u % 1500;
}

/* The message and the digest that it must have: made once, as every history has the same contents. */
struct sim_content {
    struct view text, digest;
};

static inline void sim_make_content(uint32_t content, struct sim_content *out)
{
    char text[2048];
    size_t len = sim_text_len(content), n;
    struct buf digest;

    n = (size_t)snprintf(text, sizeof(text), "Subject: number %u\r\n\r\n", content);
    for (; n < len; n++)
        text[n] = (char)('a' + (n + content) % 26);
    buf_init(&digest, 1 << 20);
    digest_build(view_make(text, n), &message_limits_default, &digest);
    out->text = view_make(memcpy(xmalloc(n), text, n), n);
    out->digest = view_make(memcpy(xmalloc(buf_len(&digest)), buf_view(&digest).ptr, buf_len(&digest)), buf_len(&digest));
    buf_free(&digest);
}

static inline const struct sim_content *sim_content(uint32_t content)
{
    static struct sim_content own[SIM_CONTENTS], foreign[SIM_CONTENTS];
    struct sim_content *c = ((content & SIM_FOREIGN) != 0 ? foreign : own) + (content & ~SIM_FOREIGN);

    if ((content & ~SIM_FOREIGN) >= SIM_CONTENTS)
        abort();
    if (c->text.len == 0)
        sim_make_content(content, c);
    return c;
}

/* Half of the messages come with a date of their own. */
static inline bool sim_has_date(uint32_t content)
{
    return content % 2 == 0 && (content & SIM_FOREIGN) == 0;
}

static inline int sim_zone(uint32_t content)
{
    return sim_has_date(content) ? (int)(content % 1441) - 720 : 0;
}

/* --- requests ----------------------------------------------------------------------------------------------------------- */

enum sim_kind {
    SIM_APPEND,
    SIM_FLAGS,
    SIM_EXPUNGE,
    SIM_COPY,
    SIM_MOVE,
    SIM_CREATE,
    SIM_DELETE,
    SIM_RENAME, /* with the tree below; of INBOX: its messages */
    SIM_SUBSCRIBE,
    SIM_ANNOTATE, /* a mailbox */
    SIM_ANNOTATE_ACCOUNT,
    SIM_ACL,
    SIM_FILL_KEYWORDS,
    SIM_IDENTITY,
    SIM_LIMITS, /* of the account */
    SIM_KINDS
};
struct sim_req {
    enum sim_kind kind;
    int box, to;
    uint32_t first, last, content;
    unsigned flags, keep; /* keep: of a change those that stay; of a copy (limited) those that come with it */
    enum flag_op how;
    bool on;
    bool alone;   /* a rename of one folder without what is below */
    bool limited; /* a copy */
    bool uidl;
    bool has_since;
    uint64_t since;
    uint32_t uid; /* append: this one, 0: the next; identity: the next one */
    uint32_t validity;
    struct quota_limits limits;
};
/* Requests that happen together or not at all. */
struct sim_txn {
    struct sim_req reqs[SIM_REQS];
    unsigned n;
};
/* What a client is told of them: of each set of UIDs how many, and their sum. */
struct sim_outcome {
    uint64_t appended, copied_from, copied_to, modified, expunged;
};
#define SIM_TELL(what, uid) ((what) += ((uint64_t)1 << 40) + (uid))

static inline bool sim_structural(enum sim_kind k)
{
    return k == SIM_CREATE || k == SIM_DELETE || k == SIM_RENAME || k == SIM_IDENTITY;
}

/* --- what they do --------------------------------------------------------------------------------------------------------- */

/* What was expunged in an earlier batch is of no interest any more. */
static inline void sim_forget_gone(struct sim_run *r, struct sim_box *b)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < b->n; i++) {
        if (b->msgs[i].gone == 0 || b->msgs[i].gone == r->batch)
            b->msgs[n++] = b->msgs[i];
    }
    b->n = n;
}

/* The keyword is in the mailbox's list, or there was no room for it. */
static inline bool sim_know_keyword(struct sim_box *b, unsigned k)
{
    for (unsigned i = 0; i < b->nkw; i++) {
        if (b->kw[i] == k)
            return true;
    }
    if (b->nkw + b->fill >= KEYWORDS_MAX)
        return false;
    b->kw[b->nkw++] = (uint8_t)k;
    return true;
}

static inline unsigned sim_know_keywords(struct sim_box *b, unsigned flags)
{
    for (unsigned k = 0; k < SIM_KEYWORDS; k++) {
        if ((flags & 1u << (SIM_KEYWORD_SHIFT + k)) != 0 && !sim_know_keyword(b, k))
            flags &= ~(1u << (SIM_KEYWORD_SHIFT + k));
    }
    return flags;
}

static inline void sim_add(struct sim_run *r, struct sim_box *b, const struct sim_msg *m)
{
    if (b->n == SIM_MSGS)
        sim_forget_gone(r, b);
    SIM_CHECK(r, b->n < SIM_MSGS);
    b->msgs[b->n] = *m;
    b->msgs[b->n++].born = r->batch;
    b->uidnext = m->uid + 1;
}

static inline void sim_append(struct sim_run *r, struct sim_box *b, const struct sim_req *q, struct sim_outcome *o)
{
    uint32_t now = (uint32_t)(r->now / 1000);
    struct sim_msg m = {.uid = q->uid != 0 ? q->uid : b->uidnext, .content = q->content, .saved = now, .uidl = q->uidl};

    m.date = sim_has_date(q->content) ? 1000000000u + q->content : now;
    m.flags = (uint16_t)sim_know_keywords(b, q->flags);
    sim_add(r, b, &m);
    SIM_TELL(o->appended, m.uid);
}

/* A message that an earlier transaction of the same batch removed still takes a UID, and leaves it unused; one that it added is
 * not known to the client yet. */
static inline bool sim_copied(const struct sim_run *r, const struct sim_msg *m, const struct sim_req *q)
{
    return m->uid >= q->first && m->uid <= q->last && (m->gone == 0 || m->gone == r->batch) && m->born != r->batch;
}

static inline void sim_copy(struct sim_run *r, struct sim_box *from, struct sim_box *to, const struct sim_req *q,
                            struct sim_outcome *o)
{
    uint32_t uid = to->uidnext;
    bool move = q->kind != SIM_COPY;

    sim_forget_gone(r, to); /* so that nothing in it changes its place */
    for (uint32_t i = 0, n = from->n; i < n; i++) {
        struct sim_msg m = from->msgs[i];

        if (!sim_copied(r, &m, q))
            continue;
        if (m.gone == 0) {
            SIM_TELL(o->copied_from, m.uid);
            SIM_TELL(o->copied_to, uid);
            if (move)
                SIM_TELL(o->expunged, m.uid);
            m.uid = uid;
            m.saved = (uint32_t)(r->now / 1000);
            m.uidl = false;
            m.modseq = 0;
            /* All of its keywords become known there, also those that do not come with it. */
            for (unsigned k = 0; k < from->nkw && from != to; k++) {
                unsigned bit = 1u << (SIM_KEYWORD_SHIFT + from->kw[k]);

                if ((m.flags & bit) != 0 && !sim_know_keyword(to, from->kw[k]))
                    m.flags &= (uint16_t)~bit;
            }
            m.flags &= q->limited ? (uint16_t)q->keep : UINT16_MAX;
            sim_add(r, to, &m);
            if (move)
                from->msgs[i].gone = r->batch;
        }
        uid++;
    }
    to->uidnext = uid > to->uidnext ? uid : to->uidnext;
}

static inline const struct sim_meta *sim_meta_before(const struct sim_run *r, const struct sim_box *b)
{
    return b->meta_batch == r->batch ? &b->meta_before : &b->meta;
}

static inline struct sim_meta *sim_meta_change(const struct sim_run *r, struct sim_box *b)
{
    if (b->meta_batch != r->batch)
        b->meta_before = b->meta;
    b->meta_batch = r->batch;
    return &b->meta;
}

/* Makes a mailbox, which inherits the access rights of the one above it (RFC 4314 4). */
static inline struct sim_box *sim_new_box(const struct sim_run *r, struct sim_state *s, int name)
{
    const struct sim_box *parent = sim_box(s, sim_parents[name]);

    for (int i = 0; i < SIM_BOXES; i++) {
        struct sim_box *b = &s->boxes[i];

        if (b->name >= 0)
            continue;
        memset(b, 0, sizeof(*b));
        b->name = name;
        b->id = s->next_id++;
        b->uidnext = 1;
        if (parent != NULL)
            memcpy(b->meta.acl, sim_meta_before(r, parent)->acl, sizeof(b->meta.acl));
        return b;
    }
    abort();
}

static inline void sim_need_parent(const struct sim_run *r, struct sim_state *s, int name)
{
    if (sim_parents[name] >= 0 && sim_box(s, sim_parents[name]) == NULL)
        sim_new_box(r, s, sim_parents[name]);
}

static inline void sim_rename(struct sim_run *r, struct sim_state *s, const struct sim_req *q, struct sim_outcome *o)
{
    struct sim_box *from = sim_box(s, q->box), *below = sim_box(s, sim_children[q->box]);

    if (!q->alone)
        sim_need_parent(r, s, q->to);
    if (q->box == 0) {
        struct sim_box *to = sim_new_box(r, s, q->to);

        to->meta = *sim_meta_before(r, from);
        sim_copy(r, from, to, q, o);
        return;
    }
    if (from != NULL)
        from->name = q->to;
    if (below != NULL && !q->alone)
        below->name = sim_children[q->to];
}

static inline void sim_flags(struct sim_box *b, const struct sim_req *q, struct sim_outcome *o)
{
    unsigned flags = q->how == FLAGS_REMOVE ? q->flags : sim_know_keywords(b, q->flags);

    for (uint32_t i = 0; i < b->n; i++) {
        struct sim_msg *m = &b->msgs[i];
        unsigned old = m->flags;

        if (m->gone != 0 || m->uid < q->first || m->uid > q->last)
            continue;
        /* What changed in this batch did so after the client's modseq. */
        if (q->has_since && (m->modseq == 0 || m->modseq > q->since)) {
            SIM_TELL(o->modified, m->uid);
            continue;
        }
        m->flags = (uint16_t)(q->how == FLAGS_REPLACE ? flags : q->how == FLAGS_ADD ? old | flags : old & ~flags);
        m->flags = (uint16_t)((m->flags & ~q->keep) | (old & q->keep));
        if (m->flags != old)
            m->modseq = 0;
    }
}

static inline void sim_expunge(struct sim_run *r, struct sim_box *b, const struct sim_req *q, struct sim_outcome *o)
{
    for (uint32_t i = 0; i < b->n; i++) {
        if (b->msgs[i].gone == 0 && b->msgs[i].uid >= q->first && b->msgs[i].uid <= q->last) {
            b->msgs[i].gone = r->batch;
            SIM_TELL(o->expunged, b->msgs[i].uid);
        }
    }
}

/* A new identity is only for a mailbox without messages. */
static inline void sim_identity(struct sim_box *b, const struct sim_req *q)
{
    if (q->validity == 0) {
        b->uidnext = q->uid > b->uidnext ? q->uid : b->uidnext;
    } else if (sim_live(b) == 0) {
        b->validity = q->validity;
        b->uidnext = q->uid;
        b->n = 0;
    }
}

static inline void sim_fill_keywords(struct sim_box *b)
{
    unsigned room = KEYWORDS_MAX - b->nkw;

    b->fill = room < SIM_FILL ? room : SIM_FILL;
}

static inline void sim_apply(struct sim_run *r, struct sim_state *s, const struct sim_req *q, struct sim_outcome *o)
{
    struct sim_box *b = sim_box(s, q->box);

    switch (q->kind) {
    case SIM_APPEND:
        sim_append(r, b, q, o);
        break;
    case SIM_FLAGS:
        sim_flags(b, q, o);
        break;
    case SIM_EXPUNGE:
        sim_expunge(r, b, q, o);
        break;
    case SIM_COPY:
    case SIM_MOVE:
        sim_copy(r, b, sim_box(s, q->to), q, o);
        break;
    case SIM_CREATE:
        sim_need_parent(r, s, q->box);
        sim_new_box(r, s, q->box)->use = q->flags;
        break;
    case SIM_DELETE:
        b->name = -1;
        break;
    case SIM_RENAME:
        sim_rename(r, s, q, o);
        break;
    case SIM_SUBSCRIBE:
        s->subs = q->on ? s->subs | 1u << q->box : s->subs & ~(1u << q->box);
        break;
    case SIM_ANNOTATE:
        sim_meta_change(r, b)->annotation = q->on ? q->content : 0;
        break;
    case SIM_ANNOTATE_ACCOUNT:
        s->annotation = q->on ? q->content : 0;
        break;
    case SIM_ACL:
        sim_meta_change(r, b)->acl[q->content % 2] = (uint16_t)(q->on ? q->flags | SIM_ACL_SET : 0);
        break;
    case SIM_FILL_KEYWORDS:
        sim_fill_keywords(b);
        break;
    case SIM_IDENTITY:
        sim_identity(b, q);
        break;
    case SIM_LIMITS:
        s->own_limits = q->on;
        s->limits = q->limits;
        break;
    case SIM_KINDS:
        break;
    }
}

/* --- what is refused -------------------------------------------------------------------------------------------------------- */

/* Limits of its own hold, but for more mailboxes than are configured. */
static inline struct quota_limits sim_limits(const struct sim_run *r, const struct sim_state *s)
{
    struct quota_limits l = s->own_limits ? s->limits : r->limits;

    l.mailboxes = l.mailboxes < r->limits.mailboxes ? l.mailboxes : r->limits.mailboxes;
    return l;
}

/* Octets and messages that a copy or an expunge of these would be about, as things were before the tick. */
static inline void sim_measure(const struct sim_box *b, const struct sim_req *q, struct sim_reserved *out, unsigned *flags)
{
    for (uint32_t i = 0; i < b->n; i++) {
        if (b->msgs[i].gone != 0 || b->msgs[i].uid < q->first || b->msgs[i].uid > q->last)
            continue;
        out->messages++;
        out->bytes += sim_text_len(b->msgs[i].content);
        *flags |= b->msgs[i].flags;
    }
}

static inline void sim_measure_all(const struct sim_state *s, struct sim_reserved *out)
{
    const struct sim_req all = {.first = 1, .last = UINT32_MAX};
    unsigned flags;

    for (int i = 0; i < SIM_BOXES; i++) {
        if (s->boxes[i].name >= 0)
            sim_measure(&s->boxes[i], &all, out, &flags);
    }
}

/* Keywords for a mailbox: those of flags that it does not have, and more. */
static inline int sim_reserve_keywords(struct sim_run *r, const struct sim_box *b, unsigned flags, unsigned more)
{
    flags &= SIM_KEYWORD_BITS;
    for (unsigned i = 0; i < b->nkw; i++)
        flags &= ~(1u << (SIM_KEYWORD_SHIFT + b->kw[i]));
    more += (unsigned)__builtin_popcount(flags);
    if (more > 0 && b->nkw + b->fill + r->reserved.keywords[b->name] + more > KEYWORDS_MAX)
        return ERR_LIMIT;
    r->reserved.keywords[b->name] += more;
    return 0;
}

static inline int sim_reserve_quota(struct sim_run *r, const struct sim_state *before, const struct sim_reserved *freed,
                                    const struct sim_reserved *add)
{
    struct quota_limits limits = sim_limits(r, before);
    struct sim_reserved used = r->reserved;

    sim_measure_all(before, &used);
    if (limits.bytes != QUOTA_NONE && used.bytes + add->bytes > limits.bytes + freed->bytes)
        return ERR_QUOTA;
    if (limits.messages != QUOTA_NONE && used.messages + add->messages > limits.messages + freed->messages)
        return ERR_QUOTA;
    r->reserved.bytes += add->bytes;
    r->reserved.messages += add->messages;
    return 0;
}

/* May there be so many more mailboxes, and those that are missing above name? */
static inline int sim_reserve_boxes(const struct sim_run *r, struct sim_state *s, int name, unsigned more)
{
    more += sim_parents[name] >= 0 && sim_box(s, sim_parents[name]) == NULL;
    return more > 0 && sim_count_boxes(s) + more > sim_limits(r, s).mailboxes ? ERR_LIMIT : 0;
}

/* The error that a request must get (0: none); and it reserves what it needs. before: as it was when the tick began; freed: by
 * what is before it in its transaction. */
static inline int sim_refusal(struct sim_run *r, struct sim_state *before, const struct sim_req *q, struct sim_reserved *freed)
{
    struct sim_box *b = sim_box(before, q->box), *to = sim_box(before, q->to);
    struct sim_reserved need = {0};
    unsigned flags = 0;
    int err = 0;

    switch (q->kind) {
    case SIM_APPEND:
        need = (struct sim_reserved){.bytes = sim_text_len(q->content), .messages = 1};
        err = sim_reserve_keywords(r, b, q->flags, 0);
        return err != 0 ? err : sim_reserve_quota(r, before, freed, &need);
    case SIM_FLAGS:
        return q->how == FLAGS_REMOVE ? 0 : sim_reserve_keywords(r, b, q->flags, 0);
    case SIM_FILL_KEYWORDS:
        return sim_reserve_keywords(r, b, 0, SIM_FILL - b->fill);
    case SIM_EXPUNGE:
        sim_measure(b, q, freed, &flags);
        return 0;
    case SIM_COPY:
    case SIM_MOVE:
        sim_measure(b, q, &need, &flags);
        err = b != to ? sim_reserve_keywords(r, to, flags, 0) : 0;
        return err != 0 || q->kind == SIM_MOVE ? err : sim_reserve_quota(r, before, freed, &need);
    case SIM_CREATE:
        return sim_reserve_boxes(r, before, q->box, 1);
    case SIM_RENAME:
        return sim_reserve_boxes(r, before, q->to, q->box == 0);
    case SIM_IDENTITY:
        return q->validity != 0 && sim_live(b) > 0 ? ERR_STATE : 0;
    default:
        return 0;
    }
}

#endif
