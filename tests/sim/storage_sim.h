/*
 * Random histories of everything that changes an account, over a simulated disk, against a model that knows nothing of how
 * storage works: lists of mailboxes and messages, changed by the same requests.
 *
 * After every step that was acknowledged the account must equal the model. After a crash it must equal the model as it was at
 * some moment not before the last durable acknowledgement; and nothing a client was told (UIDVALIDITY, UIDs and what they name,
 * modseqs) may ever go back or come again for something else.
 */
#ifndef CULVER_TESTS_STORAGE_SIM_H
#define CULVER_TESTS_STORAGE_SIM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/account_int.h"
#include "storage/maildir_sim.h"
#include "storage/message/digest.h"
#include "storage/txn.h"
#include "storage/vfs_sim.h"

#define SIM_BOXES 8
#define SIM_MSGS 96
#define SIM_STATES 64
#define SIM_TXNS 4
#define SIM_NAMES 6

struct sim_msg {
    uint32_t uid, content;
    unsigned flags; /* enum msg_flag; bit 8: keyword "kw" */
    uint32_t gone;  /* batch in which it was expunged, 0: there */
    uint32_t born;  /* batch in which it came */
};
struct sim_box {
    int name; /* index in sim_names, -1: unused */
    uint32_t id;
    uint32_t annotation; /* content of its only one, 0: none */
    uint32_t uidnext, n;
    struct sim_msg msgs[SIM_MSGS];
};
struct sim_state {
    struct sim_box boxes[SIM_BOXES];
    uint32_t next_id;
    unsigned subs;
    uint32_t annotation; /* of the account */
};

/* What clients were told, for ever: by mailbox id of the model. */
#define SIM_TOLD 4096
struct sim_told {
    uint32_t validity, uid, content;
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
    uint32_t max_validity;
    uint32_t batch, content;
    bool failing;   /* the disk fails now and then */
    unsigned maybe; /* names whose folders were made for requests that were not answered */
    unsigned steps, crashes, acked, compactions;
    bool small_segments;
    uint64_t flag_sync_ms;
};

static const char *const sim_names[SIM_NAMES] = {"INBOX", "a", "a/b", "c", "d", "e/f"};

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
        if (s->boxes[i].name == name)
            return &s->boxes[i];
    }
    return NULL;
}

/* --- contents ------------------------------------------------------------------------------------------------------ */

static inline size_t sim_text(uint32_t content, char *out, size_t cap)
{
    size_t len = 40 + (size_t)content * 2654435761u % 1500, n;

    n = (size_t)snprintf(out, cap, "Subject: number %u\r\n\r\n", content);
    for (; n < len; n++)
        out[n] = (char)('a' + (n + content) % 26);
    return n;
}

/* --- the model's side of each request --------------------------------------------------------------------------------- */

enum sim_kind {
    SIM_APPEND,
    SIM_FLAGS,
    SIM_EXPUNGE,
    SIM_COPY,
    SIM_MOVE,
    SIM_CREATE,
    SIM_DELETE,
    SIM_RENAME,
    SIM_SUBSCRIBE,
    SIM_ANNOTATE, /* a mailbox */
    SIM_ANNOTATE_ACCOUNT,
    SIM_KINDS
};
struct sim_req {
    enum sim_kind kind;
    int box, to;
    uint32_t first, last, content;
    unsigned flags;
    enum flag_op how;
    bool on;
};

static inline void sim_add(struct sim_run *r, struct sim_box *b, uint32_t uid, uint32_t content, unsigned flags)
{
    uint32_t n = 0;

    if (b->n == SIM_MSGS) {
        /* What was expunged in an earlier batch is of no interest any more. */
        for (uint32_t i = 0; i < b->n; i++) {
            if (b->msgs[i].gone == 0 || b->msgs[i].gone == r->batch)
                b->msgs[n++] = b->msgs[i];
        }
        b->n = n;
    }
    SIM_CHECK(r, b->n < SIM_MSGS);
    b->msgs[b->n++] = (struct sim_msg){uid, content, flags, 0, r->batch};
    b->uidnext = uid + 1;
}

static inline void sim_copy(struct sim_run *r, struct sim_box *from, struct sim_box *to, const struct sim_req *q)
{
    uint32_t n = from->n, uid = to->uidnext;

    for (uint32_t i = 0; i < n; i++) {
        struct sim_msg m = from->msgs[i];

        /* A message that an earlier transaction of the same batch removed still takes a UID, and leaves it unused; one that it
         * added is not known to the client yet. */
        if (m.uid < q->first || m.uid > q->last || (m.gone != 0 && m.gone != r->batch) || m.born == r->batch)
            continue;
        if (m.gone == 0) {
            sim_add(r, to, uid, m.content, m.flags);
            if (q->kind == SIM_MOVE)
                from->msgs[i].gone = r->batch;
        }
        uid++;
    }
    to->uidnext = uid > to->uidnext ? uid : to->uidnext;
}

static inline void sim_new_box(struct sim_state *s, int name)
{
    for (int i = 0; i < SIM_BOXES; i++) {
        if (s->boxes[i].name < 0) {
            memset(&s->boxes[i], 0, sizeof(s->boxes[i]));
            s->boxes[i].name = name;
            s->boxes[i].id = s->next_id++;
            s->boxes[i].uidnext = 1;
            return;
        }
    }
}

static inline void sim_flags(struct sim_box *b, const struct sim_req *q)
{
    for (uint32_t i = 0; i < b->n; i++) {
        struct sim_msg *m = &b->msgs[i];

        if (m->gone != 0 || m->uid < q->first || m->uid > q->last)
            continue;
        m->flags = q->how == FLAGS_REPLACE ? q->flags : q->how == FLAGS_ADD ? m->flags | q->flags : m->flags & ~q->flags;
    }
}

static inline void sim_apply(struct sim_run *r, struct sim_state *s, const struct sim_req *q)
{
    struct sim_box *b = sim_box(s, q->box);

    switch (q->kind) {
    case SIM_APPEND:
        sim_add(r, b, b->uidnext, q->content, q->flags);
        break;
    case SIM_FLAGS:
        sim_flags(b, q);
        break;
    case SIM_EXPUNGE:
        for (uint32_t i = 0; i < b->n; i++) {
            if (b->msgs[i].gone == 0 && b->msgs[i].uid >= q->first && b->msgs[i].uid <= q->last)
                b->msgs[i].gone = r->batch;
        }
        break;
    case SIM_COPY:
    case SIM_MOVE:
        sim_copy(r, b, sim_box(s, q->to), q);
        break;
    case SIM_CREATE:
        if (q->box == 2 && sim_box(s, 1) == NULL)
            sim_new_box(s, 1);
        sim_new_box(s, q->box);
        break;
    case SIM_DELETE:
        b->name = -1;
        break;
    case SIM_RENAME:
        b->name = q->to;
        break;
    case SIM_SUBSCRIBE:
        s->subs = q->on ? s->subs | 1u << q->box : s->subs & ~(1u << q->box);
        break;
    case SIM_ANNOTATE:
        b->annotation = q->on ? q->content : 0;
        break;
    case SIM_ANNOTATE_ACCOUNT:
        s->annotation = q->on ? q->content : 0;
        break;
    case SIM_KINDS:
        break;
    }
}

/* --- comparing -------------------------------------------------------------------------------------------------------- */

struct sim_subs {
    unsigned bits;
    unsigned boxes;
};

static inline bool sim_collect(void *arg, const struct mailbox_entry *e)
{
    struct sim_subs *s = arg;

    for (int i = 0; i < SIM_NAMES; i++) {
        if (view_eq(e->name, view_str(sim_names[i]))) {
            s->bits |= e->subscribed ? 1u << i : 0;
            s->boxes |= e->mailbox != NULL ? 1u << i : 0;
        }
    }
    return true;
}

static inline unsigned sim_flags_of(const struct mailbox *m, const struct msg_info *info)
{
    int kw = mailbox_keyword_find(m, VIEW("kw"));

    return info->flags | (kw >= 0 && (info->keywords.bits[kw / 64] >> (kw % 64) & 1) != 0 ? 256u : 0);
}

static inline bool sim_digest_good(struct mailbox_view *v, uint32_t seq, struct view bytes)
{
    struct view have;
    struct buf want;
    bool good;

    buf_init(&want, 1 << 20);
    digest_build(bytes, &message_limits_default, &want);
    good = mailbox_view_digest(v, seq, &have) == 0 && view_eq(have, buf_view(&want));
    buf_free(&want);
    return good;
}

#define SIM_LIMIT 1000000 /* messages that nobody has */

struct sim_annotation {
    uint32_t content;
    unsigned n;
    bool bad;
};

static inline bool sim_see_annotation(void *arg, struct view entry, struct view value)
{
    struct sim_annotation *a = arg;
    char text[2048];

    a->n++;
    a->bad = a->bad || !view_eq(entry, VIEW("/private/x")) || a->content == 0 ||
             !view_eq(value, view_make(text, sim_text(a->content, text, sizeof(text))));
    return true;
}

static inline const char *sim_compare_box(struct sim_run *r, const struct sim_box *b)
{
    struct mailbox *m = account_find(r->acc, view_str(sim_names[b->name]));
    struct mailbox_view *v;
    const char *bad = NULL;
    uint32_t seq = 0;

    struct sim_annotation a = {.content = b->annotation};
    struct mailbox_status st;

    if (m == NULL)
        return "mailbox missing";
    mailbox_status(m, &st);
    if (st.uidnext != b->uidnext)
        return "wrong uidnext";
    mailbox_annotation_each(m, sim_see_annotation, &a);
    if (a.bad || a.n != (b->annotation != 0))
        return "wrong annotation";
    v = mailbox_view_open(r->acc, m, false);
    for (uint32_t i = 0; i < b->n && bad == NULL; i++) {
        struct msg_info info;
        struct msg_data d;
        char text[2048];

        if (b->msgs[i].gone != 0)
            continue;
        if (++seq > mailbox_view_count(v)) {
            bad = "message missing";
            break;
        }
        mailbox_view_info(v, seq, &info);
        if (info.uid != b->msgs[i].uid)
            bad = "wrong uid";
        else if (sim_flags_of(m, &info) != b->msgs[i].flags)
            bad = "wrong flags";
        else if (mailbox_view_data(v, seq, &d) != 0)
            bad = "message cannot be read";
        else {
            if (!view_eq(d.bytes, view_make(text, sim_text(b->msgs[i].content, text, sizeof(text)))))
                bad = "wrong bytes";
            else if (!sim_digest_good(v, seq, d.bytes))
                bad = "wrong digest";
            msg_data_close(&d);
        }
    }
    if (bad == NULL && seq != mailbox_view_count(v))
        bad = "message too many";
    mailbox_view_close(&v);
    return bad;
}

static inline const char *sim_compare(struct sim_run *r, const struct sim_state *s)
{
    struct sim_annotation a = {.content = s->annotation};
    struct sim_subs subs = {0, 0};
    struct quota_usage quota;
    unsigned boxes = 0;

    account_annotation_each(r->acc, sim_see_annotation, &a);
    if (a.bad || a.n != (s->annotation != 0))
        return "wrong annotation of the account";
    account_quota(r->acc, &quota);
    if (quota.limits.messages != (s->annotation != 0 ? SIM_LIMIT + s->annotation : QUOTA_NONE))
        return "wrong limit of the account";
    account_each(r->acc, sim_collect, &subs);
    for (int i = 0; i < SIM_BOXES; i++)
        boxes |= s->boxes[i].name >= 0 ? 1u << s->boxes[i].name : 0;
    if (subs.boxes != boxes) {
        SIM_SAY("mailboxes %x, the model has %x\n", subs.boxes, boxes);
        return "mailboxes differ";
    }
    if ((subs.bits & 62) != (s->subs & 62))
        return "subscriptions differ";
    for (int i = 0; i < SIM_BOXES; i++) {
        const char *bad = s->boxes[i].name >= 0 ? sim_compare_box(r, &s->boxes[i]) : NULL;

        if (bad != NULL)
            return bad;
    }
    return NULL;
}

/* Counters against a recount. */
static inline void sim_recount(struct sim_run *r, struct mailbox *m, struct quota_usage *sum)
{
    struct mailbox_view *v = mailbox_view_open(r->acc, m, false);
    struct mailbox_status st, want = {0};

    mailbox_status(m, &st);
    want.messages = mailbox_view_count(v);
    for (uint32_t seq = 1; seq <= want.messages; seq++) {
        struct msg_info info;

        mailbox_view_info(v, seq, &info);
        want.unseen += (info.flags & MSG_SEEN) == 0;
        want.deleted += (info.flags & MSG_DELETED) != 0;
        want.size += info.size;
        want.deleted_size += (info.flags & MSG_DELETED) != 0 ? info.size : 0;
        SIM_CHECK(r, info.modseq <= st.highestmodseq && info.uid < st.uidnext);
    }
    SIM_CHECK(r, st.messages == want.messages && st.unseen == want.unseen && st.deleted == want.deleted);
    SIM_CHECK(r, st.size == want.size && st.deleted_size == want.deleted_size);
    sum->bytes += want.size;
    sum->messages += want.messages;
    mailbox_view_close(&v);
}

static inline void sim_tell_box(struct sim_run *r, const struct sim_box *b)
{
    struct mailbox *m = account_find(r->acc, view_str(sim_names[b->name]));
    struct mailbox_status st;
    unsigned h = 0;

    mailbox_status(m, &st);
    r->max_validity = st.uidvalidity > r->max_validity ? st.uidvalidity : r->max_validity;
    while (h < r->nhigh && r->high[h].validity != st.uidvalidity)
        h++;
    if (h == r->nhigh && h < 256)
        r->high[r->nhigh++].validity = st.uidvalidity;
    if (h < 256) {
        SIM_CHECK(r, st.highestmodseq >= r->high[h].modseq);
        r->high[h].modseq = st.highestmodseq;
    }
    for (uint32_t i = 0; i < b->n; i++) {
        unsigned t = 0;

        if (b->msgs[i].gone != 0)
            continue;
        while (t < r->ntold && (r->told[t].validity != st.uidvalidity || r->told[t].uid != b->msgs[i].uid))
            t++;
        if (t < r->ntold)
            SIM_CHECK(r, r->told[t].content == b->msgs[i].content);
        else if (r->ntold < SIM_TOLD)
            r->told[r->ntold++] = (struct sim_told){st.uidvalidity, b->msgs[i].uid, b->msgs[i].content};
    }
}

/* A folder that was made before the log said so is a mailbox, if it is there; an empty one. */
static inline void sim_take_maybe(struct sim_run *r, struct sim_state *s)
{
    for (int i = 0; i < SIM_NAMES && r->disk != NULL; i++) {
        if ((r->maybe & 1u << i) != 0 && sim_box(s, i) == NULL && account_find(r->acc, view_str(sim_names[i])) != NULL)
            sim_new_box(s, i);
    }
}

/* The account equals this state; and clients look at it. */
static inline void sim_verify(struct sim_run *r)
{
    struct sim_state *s = sim_now(r);
    struct quota_usage have, want = {0};
    const char *bad;

    if (r->failing)
        sim_take_maybe(r, s); /* it could not be removed again */
    bad = sim_compare(r, s);

    if (bad != NULL)
        SIM_FAIL(r, bad);
    for (int i = 0; i < SIM_BOXES; i++) {
        if (s->boxes[i].name < 0)
            continue;
        sim_recount(r, account_find(r->acc, view_str(sim_names[s->boxes[i].name])), &want);
        sim_tell_box(r, &s->boxes[i]);
    }
    account_quota(r->acc, &have);
    SIM_CHECK(r, have.bytes == want.bytes && have.messages == want.messages);
}

/* --- the account's side ------------------------------------------------------------------------------------------------ */

static inline uint64_t sim_clock(void *arg)
{
    return ((struct sim_run *)arg)->now;
}

static inline int sim_open_account(struct sim_run *r)
{
    struct account_params p = {
        .vfs = r->vfs, .flag_sync_ms = r->flag_sync_ms, .mailboxes_max = 100, .now_ms = sim_clock, .now_arg = r};

    int err;

    p.segment_max = r->small_segments ? 3000 : 0;
    maildir_free(&r->md);
    r->md = r->disk != NULL ? maildir_sim_open(r->disk) : NULL;
    p.maildir = r->md;
    err = account_open(&p, &r->acc);
    /* So that the few messages of a history get mailbox files too. */
    if (err == 0) {
        r->acc->small_mailbox = 3;
        r->acc->snapshot_slice = 1 + (uint32_t)sim_roll(r, 6);
    }
    return err;
}

static inline bool sim_possible(struct sim_run *r, const struct sim_req *q)
{
    struct sim_state *s = sim_now(r);
    struct sim_box *b = sim_box(s, q->box);
    unsigned boxes = 0, live = 0;

    for (int i = 0; i < SIM_BOXES; i++)
        boxes += s->boxes[i].name >= 0;
    switch (q->kind) {
    case SIM_CREATE:
        return b == NULL && boxes + 2 <= SIM_BOXES && q->box != 5 && q->box != 0;
    case SIM_DELETE:
        return b != NULL && q->box != 0;
    case SIM_RENAME:
        /* Names with nothing below them; "a" has "a/b" in its tree. */
        return b != NULL && q->box > 2 && q->to > 2 && q->to < 5 && sim_box(s, q->to) == NULL;
    case SIM_SUBSCRIBE:
        return q->box != 0;
    case SIM_ANNOTATE_ACCOUNT:
        return true;
    default:
        break;
    }
    if (b == NULL || (q->kind != SIM_APPEND && q->kind != SIM_COPY && q->kind != SIM_MOVE))
        return b != NULL;
    if (q->kind != SIM_APPEND) {
        b = sim_box(s, q->to);
        if (b == NULL || q->to == q->box)
            return false;
    }
    for (uint32_t i = 0; i < b->n; i++)
        live += b->msgs[i].gone == 0 || b->msgs[i].gone == r->batch;
    return live < SIM_MSGS / 3;
}

static inline struct sim_req sim_request(struct sim_run *r)
{
    static const uint8_t weights[] = {
        SIM_APPEND, SIM_APPEND, SIM_APPEND, SIM_APPEND, SIM_FLAGS,  SIM_FLAGS,     SIM_FLAGS,    SIM_EXPUNGE,
        SIM_COPY,   SIM_MOVE,   SIM_CREATE, SIM_DELETE, SIM_RENAME, SIM_SUBSCRIBE, SIM_ANNOTATE, SIM_ANNOTATE_ACCOUNT};

    for (;;) {
        struct sim_req q = {.kind = (enum sim_kind)weights[sim_roll(r, sizeof(weights))]};
        struct sim_box *b;

        q.box = (int)sim_roll(r, SIM_NAMES);
        q.to = (int)sim_roll(r, SIM_NAMES);
        b = sim_box(sim_now(r), q.box);
        q.first = 1 + (uint32_t)sim_roll(r, b != NULL ? b->uidnext : 1);
        q.last = q.first + (uint32_t)sim_roll(r, 6);
        q.flags = (unsigned)sim_roll(r, 32) | (sim_roll(r, 4) == 0 ? 256u : 0);
        q.how = (enum flag_op)sim_roll(r, 3);
        q.on = sim_roll(r, 2) == 0;
        q.content = ++r->content;
        if (sim_possible(r, &q))
            return q;
    }
}

struct sim_done {
    int calls, err;
};

static inline void sim_completed(void *arg, int err, const struct txn_result *result)
{
    struct sim_done *d = arg;

    (void)result;
    d->calls++;
    d->err = err;
}

static inline int sim_stage(struct sim_run *r, struct txn *t, const struct sim_req *q)
{
    struct mailbox *m = account_find(r->acc, view_str(sim_names[q->box]));
    struct view kw = VIEW("kw"), name = view_str(sim_names[q->box]);
    struct uid_range range = {q->first, q->last};
    struct uidset uids = {&range, 1, 1};
    struct flag_change change = {.op = q->how, .flags = q->flags & 31, .keywords = &kw, .nkeywords = q->flags >> 8};
    struct append_options opt = {.flags = q->flags & 31, .keywords = &kw, .nkeywords = q->flags >> 8};
    char text[2048];
    struct message_source src = {.parts = {{(uint8_t *)text, sim_text(q->content, text, sizeof(text))}}, .fd = -1};

    switch (q->kind) {
    case SIM_APPEND:
        return txn_append(t, m, &src, &opt);
    case SIM_FLAGS:
        return txn_flags(t, m, &uids, &change);
    case SIM_EXPUNGE:
        return txn_expunge(t, m, &uids);
    case SIM_COPY:
    case SIM_MOVE:
        return txn_copy(t, m, &uids, account_find(r->acc, view_str(sim_names[q->to])), q->kind == SIM_MOVE);
    case SIM_CREATE:
        return txn_create(t, name, 0);
    case SIM_DELETE:
        return txn_delete(t, name);
    case SIM_RENAME:
        return txn_rename(t, name, view_str(sim_names[q->to]));
    case SIM_SUBSCRIBE:
        return txn_subscribe(t, name, q->on);
    case SIM_ANNOTATE:
        return txn_annotate(t, m, VIEW("/Private/x"), q->on ? &src.parts[0] : NULL);
    case SIM_ANNOTATE_ACCOUNT: {
        /* Limits of its own come and go with the annotation. */
        const struct quota_limits limits = {QUOTA_NONE, SIM_LIMIT + q->content, QUOTA_NONE};
        int err = txn_set_limits(t, q->on ? &limits : NULL);

        return err != 0 ? err : txn_annotate(t, NULL, VIEW("/private/x"), q->on ? &src.parts[0] : NULL);
    }
    case SIM_KINDS:
        break;
    }
    return ERR_STATE;
}

static inline bool sim_structural(enum sim_kind k)
{
    return k == SIM_CREATE || k == SIM_DELETE || k == SIM_RENAME;
}

/* Everything before the newest state is of no interest: it is durable. */
static inline void sim_durable(struct sim_run *r)
{
    if (r->nstates > 1)
        r->states[0] = *sim_now(r);
    r->nstates = 1;
}

static inline void sim_push(struct sim_run *r, const struct sim_req *q)
{
    SIM_CHECK(r, r->nstates < SIM_STATES);
    r->states[r->nstates] = *sim_now(r);
    r->nstates++;
    sim_apply(r, sim_now(r), q);
}

/* Any of a Maildir's transactions may have been refused before the others were written, and nobody knows whether they were. */
static inline void sim_push_some(struct sim_run *r, unsigned before, const struct sim_req *reqs, unsigned n)
{
    r->nstates = before;
    for (unsigned some = 1; some < 1u << n; some++) {
        SIM_CHECK(r, r->nstates < SIM_STATES);
        r->states[r->nstates] = r->states[before - 1];
        r->nstates++;
        for (unsigned i = 0; i < n; i++) {
            if ((some & 1u << i) != 0)
                sim_apply(r, sim_now(r), &reqs[i]);
        }
    }
}

/* One tick of one to four transactions. True: all was acknowledged. False: an error was; the model keeps what may be in the log.
 */
static inline bool sim_tick(struct sim_run *r)
{
    struct sim_req reqs[SIM_TXNS];
    struct sim_done done[SIM_TXNS];
    unsigned n = 0, want = 1 + (unsigned)sim_roll(r, SIM_TXNS), acked = r->nstates;
    bool durable = r->flag_sync_ms == 0, failed = false, structural = false;

    memset(done, 0, sizeof(done));
    r->batch++;
    while (n < want && !structural) {
        struct txn *t = txn_begin(r->acc);
        int err;

        reqs[n] = sim_request(r);
        SIM_SAY("step %u batch %u op %llu: kind %d box %d to %d uids %u-%u content %u flags %u how %d on %d\n", r->steps,
                r->batch, (unsigned long long)vfs_sim_ops(r->vfs), (int)reqs[n].kind, reqs[n].box, reqs[n].to, reqs[n].first,
                reqs[n].last, reqs[n].content, reqs[n].flags, (int)reqs[n].how, reqs[n].on);
        err = sim_stage(r, t, &reqs[n]);
        if (err != 0) {
            txn_abort(&t);
            SIM_CHECK(r, account_read_only(r->acc) || err == ERR_IO || (r->disk != NULL && err == ERR_NOSPACE));
            break;
        }
        txn_commit(&t, sim_completed, &done[n]);
        /* Later requests of the tick are made by clients who do not see this one yet. */
        sim_push(r, &reqs[n]);
        structural = sim_structural(reqs[n].kind);
        if (reqs[n].kind == SIM_CREATE)
            r->maybe |= 1u << reqs[n].box | (reqs[n].box == 2 ? 2u : 0);
        durable = durable || reqs[n].kind != SIM_FLAGS;
        n++;
    }
    (void)!account_commit(r->acc);
    for (unsigned i = 0; i < n; i++) {
        SIM_CHECK(r, done[i].calls == 1);
        failed = failed || done[i].err != 0;
        /* One batch: none or all. Only a Maildir can refuse one of them, when it makes the files for it. */
        SIM_CHECK(r, !failed || done[i].err != 0 || r->disk != NULL);
    }
    if (failed || n == 0) {
        SIM_SAY("step %u: failed\n", r->steps);
        if (!account_read_only(r->acc) && !vfs_sim_crashed(r->vfs)) {
            r->nstates = acked; /* certainly not in the log, but for those (of a Maildir) that were acknowledged */
            for (unsigned i = 0; i < n; i++) {
                if (done[i].err == 0)
                    sim_push(r, &reqs[i]);
            }
        } else if (r->failing && r->disk != NULL) {
            sim_push_some(r, acked, reqs, n);
        }
        return false;
    }
    r->acked += n;
    if (!r->failing)
        r->maybe = 0;
    if (durable)
        sim_durable(r);
    return true;
}

static inline void sim_begin(struct sim_run *r, uint64_t seed, bool maildir)
{
    r->seed = seed;
    r->rng = seed * 0x9e3779b97f4a7c15u + 1;
    for (int i = 0; i < 8; i++)
        (void)sim_roll(r, 2);
    r->now = 1700000000000u;
    r->vfs = vfs_sim_new(seed);
    r->nstates = 1;
    r->states[0].next_id = 1;
    for (int i = 0; i < SIM_BOXES; i++)
        r->states[0].boxes[i].name = -1;
    r->flag_sync_ms = sim_roll(r, 3) == 0 ? 0 : 1000;
    r->small_segments = sim_roll(r, 3) != 0;
    r->disk = maildir ? maildir_sim_new(r->vfs, sim_clock, r) : NULL;
}

static inline void sim_end(struct sim_run *r)
{
    account_close(&r->acc);
    maildir_free(&r->md);
    if (r->disk != NULL)
        maildir_sim_free(r->disk);
    vfs_free(&r->vfs);
    free(r);
}

/* The account is closed after a crash or error. Which of the possible states is it in? */
static inline void sim_recovered(struct sim_run *r)
{
    const char *bad = "no state";

    if (account_find(r->acc, VIEW("INBOX")) != NULL && sim_box(&r->states[0], 0) == NULL) {
        for (unsigned i = 0; i < r->nstates; i++) {
            if (sim_box(&r->states[i], 0) == NULL)
                sim_new_box(&r->states[i], 0);
        }
    }
    for (unsigned i = 0; i < r->nstates && bad != NULL; i++) {
        sim_take_maybe(r, &r->states[i]);
        bad = sim_compare(r, &r->states[i]);
        SIM_SAY("state %u: %s\n", i, bad != NULL ? bad : "found");
        if (bad == NULL) {
            r->states[0] = r->states[i];
            r->nstates = 1;
        }
    }
    if (bad != NULL)
        SIM_FAIL(r, bad);
    if (!r->failing)
        r->maybe = 0;
    sim_verify(r);
}

/* Ends the process: what was open is closed without a chance to write. */
static inline void sim_kill(struct sim_run *r)
{
    vfs_sim_crash_at(r->vfs, vfs_sim_ops(r->vfs) + 1);
    account_close(&r->acc);
}

static inline void sim_reopen(struct sim_run *r)
{
    int err = sim_open_account(r);

    if (err != 0) {
        fprintf(stderr, "open: %s\n", err_str(err));
        SIM_FAIL(r, "cannot open after a crash");
    }
    SIM_CHECK(r, !account_read_only(r->acc));
    sim_recovered(r);
}

static inline void sim_crash(struct sim_run *r)
{
    r->crashes++;
    SIM_SAY("step %u op %llu: crash, %u states\n", r->steps, (unsigned long long)vfs_sim_ops(r->vfs), r->nstates);
    if (r->acc != NULL)
        sim_kill(r);
    vfs_sim_reboot(r->vfs, (enum sim_loss)sim_roll(r, 3));
    sim_reopen(r);
}

#include "tests/sim/foreign.h"

static inline void sim_rest(struct sim_run *r)
{
    if (r->disk != NULL && sim_roll(r, 3) == 0)
        sim_foreign(r);
    switch (vfs_sim_crashed(r->vfs) ? 11 : sim_roll(r, 12)) {
    case 0:
        account_close(&r->acc);
        if (!vfs_sim_crashed(r->vfs)) {
            /* A Maildir may have something to take over, and the failing disk may end that. */
            if (sim_open_account(r) != 0 && !vfs_sim_crashed(r->vfs) && !(r->failing && r->disk != NULL))
                SIM_FAIL(r, "cannot open again");
            if (r->acc != NULL && !vfs_sim_crashed(r->vfs) && !account_read_only(r->acc))
                sim_durable(r);
        }
        break;
    case 1:
    case 2:
        r->now += 5000;
        for (uint64_t i = sim_roll(r, 12); i < 12 && account_background(r->acc) == 0; i++)
            r->compactions++;
        if (!vfs_sim_crashed(r->vfs) && !account_read_only(r->acc))
            sim_durable(r);
        break;
    case 3:
        /* Goes on below, between the ticks that follow. */
        if (r->acc->snapshot == NULL && !account_read_only(r->acc))
            snapshot_begin(r->acc);
        break;
    case 4:
        if (snapshot_write(r->acc) == 0 && !vfs_sim_crashed(r->vfs))
            sim_durable(r);
        break;
    default:
        break;
    }
    for (uint64_t i = sim_roll(r, 4); r->acc != NULL && i > 0; i--) {
        if (!snapshot_slice(r->acc))
            break;
    }
}

/* A long history with a crash now and then. Returns how many it survived. */
static inline uint64_t sim_history(uint64_t seed, bool maildir, unsigned steps, unsigned crash_every)
{
    struct sim_run *r = calloc(1, sizeof(*r));
    uint64_t crashes;

    sim_begin(r, seed, maildir);
    if (sim_open_account(r) != 0)
        SIM_FAIL(r, "cannot open a new account");
    sim_new_box(sim_now(r), 0);
    for (r->steps = 1; r->steps <= steps; r->steps++) {
        bool ok;

        if (sim_roll(r, crash_every) == 0)
            vfs_sim_crash_at(r->vfs, vfs_sim_ops(r->vfs) + 1 + sim_roll(r, 12));
        r->now += sim_roll(r, 1500);
        ok = sim_tick(r);
        if (ok)
            sim_rest(r);
        if (vfs_sim_crashed(r->vfs) || r->acc == NULL)
            sim_crash(r);
        else {
            SIM_CHECK(r, ok);
            sim_verify(r);
        }
    }
    crashes = r->crashes;
    sim_end(r);
    return crashes;
}

/* A short history again and again, with a crash (err 0) or a failure at its first operation, its second, and so on. Returns how
 * many of these it survived. */
static inline uint64_t sim_every_op(uint64_t seed, bool maildir, unsigned steps, int err, uint64_t times)
{
    for (uint64_t op = 1;; op++) {
        struct sim_run *r = calloc(1, sizeof(*r));
        bool over;

        sim_begin(r, seed, maildir);
        if (err == 0)
            vfs_sim_crash_at(r->vfs, op);
        else
            vfs_sim_fail_at(r->vfs, op, err, times);
        r->failing = err != 0;
        if (sim_open_account(r) != 0) {
            /* A failure while the account is made: nothing was promised. */
            vfs_sim_fail_at(r->vfs, 0, 0, 0);
            vfs_sim_reboot(r->vfs, (enum sim_loss)sim_roll(r, 3));
            sim_reopen(r);
        } else {
            sim_new_box(sim_now(r), 0);
        }
        for (r->steps = 1; r->steps <= steps; r->steps++) {
            bool ok;

            r->now += 700;
            ok = sim_tick(r);
            if (ok && !vfs_sim_crashed(r->vfs))
                sim_rest(r);
            if (vfs_sim_crashed(r->vfs) || r->acc == NULL || account_read_only(r->acc)) {
                vfs_sim_fail_at(r->vfs, 0, 0, 0);
                sim_crash(r);
            } else {
                if (ok && vfs_sim_ops(r->vfs) < op)
                    SIM_CHECK(r, ok);
                sim_verify(r);
            }
        }
        over = vfs_sim_ops(r->vfs) < op;
        vfs_sim_fail_at(r->vfs, 0, 0, 0);
        vfs_sim_crash_at(r->vfs, 0);
        SIM_CHECK(r, sim_tick(r));
        sim_verify(r);
        sim_end(r);
        if (over)
            return op - 1;
    }
}

#endif
