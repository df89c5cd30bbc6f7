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

#include "tests/sim/compare.h"

/* --- the account's side ------------------------------------------------------------------------------------------------ */

static inline uint64_t sim_clock(void *arg)
{
    return ((struct sim_run *)arg)->now;
}

static inline int sim_open_account(struct sim_run *r)
{
    struct account_params p = {.vfs = r->vfs,
                               .flag_sync_ms = r->flag_sync_ms,
                               .quota_bytes = r->limits.bytes != QUOTA_NONE ? r->limits.bytes : 0,
                               .quota_messages = r->limits.messages != QUOTA_NONE ? r->limits.messages : 0,
                               .mailboxes_max = r->limits.mailboxes,
                               .now_ms = sim_clock,
                               .now_arg = r};

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

/* Every name that the tree gets must be one of the model's, and free. */
static inline bool sim_can_rename(struct sim_state *s, const struct sim_req *q)
{
    bool is = sim_box(s, q->box) != NULL, below = sim_box(s, sim_children[q->box]) != NULL;

    if (q->to == 0 || q->to == 5 || sim_box(s, q->to) != NULL)
        return false;
    if (q->box == 0)
        return is;
    return (is || below) && sim_parents[q->to] != q->box &&
           (!below || (sim_children[q->to] >= 0 && sim_box(s, sim_children[q->to]) == NULL));
}

static inline bool sim_has_room(struct sim_run *r, const struct sim_box *b)
{
    unsigned live = 0;

    for (uint32_t i = 0; i < b->n; i++)
        live += b->msgs[i].gone == 0 || b->msgs[i].gone == r->batch;
    return live < SIM_MSGS / 3;
}

static inline bool sim_possible(struct sim_run *r, const struct sim_req *q)
{
    struct sim_state *s = sim_now(r);
    struct sim_box *b = sim_box(s, q->box), *to = sim_box(s, q->to);

    switch (q->kind) {
    case SIM_CREATE:
        return b == NULL && q->box != 5 && q->box != 0;
    case SIM_DELETE:
        return b != NULL && q->box != 0;
    case SIM_RENAME:
        return sim_can_rename(s, q);
    case SIM_SUBSCRIBE:
        return q->box != 0;
    case SIM_ANNOTATE_ACCOUNT:
    case SIM_LIMITS:
        return true;
    case SIM_APPEND:
        return b != NULL && sim_has_room(r, b);
    case SIM_COPY:
    case SIM_MOVE:
        return b != NULL && to != NULL && sim_has_room(r, to);
    default:
        return b != NULL;
    }
}

/* Details that not every request has. */
static inline void sim_request_more(struct sim_run *r, struct sim_req *q, const struct sim_box *b)
{
    uint64_t dice = sim_roll(r, 1u << 30);

    q->limited = (q->kind == SIM_COPY || q->kind == SIM_MOVE) && dice % 3 == 0;
    q->uidl = dice / 3 % 4 == 0;
    if (q->limited || (q->kind == SIM_FLAGS && dice / 12 % 3 == 0))
        q->keep = (unsigned)sim_roll(r, 32) | (dice / 36 % 2 == 0 ? SIM_KEYWORD_BITS : 0);
    if (q->kind == SIM_APPEND && dice / 72 % 8 == 0)
        q->uid = b->uidnext + (uint32_t)sim_roll(r, 4);
    if (q->kind == SIM_FLAGS && b->n > 0 && dice / 72 % 4 == 0) {
        q->has_since = true;
        q->since = b->msgs[sim_roll(r, b->n)].modseq;
    }
    if (q->kind == SIM_CREATE)
        q->flags = dice / 72 % 3 == 0 ? 1u << q->flags % 8 : 0; /* enum special_use */
    if (q->kind == SIM_ACL)
        q->flags = (unsigned)(dice / 72) & ACL_ALL;
    if (q->kind == SIM_LIMITS) {
        q->limits.bytes = dice % 2 == 0 ? 1000 + sim_roll(r, 20000) : QUOTA_NONE;
        q->limits.messages = dice / 2 % 2 == 0 ? sim_roll(r, 30) : QUOTA_NONE;
        q->limits.mailboxes = dice / 4 % 2 == 0 ? 1 + sim_roll(r, 8) : QUOTA_NONE;
    }
    if (q->kind == SIM_IDENTITY) {
        q->uid = 1 + (uint32_t)sim_roll(r, b->uidnext + 5);
        /* Some of them later than all that the server chooses, which it must go on from; none of them twice. */
        if (dice / 72 % 4 != 0)
            q->validity = dice / 288 % 2 == 0 ? 1000 + q->content : 2000000000u + q->content * 64;
    }
}

static inline struct sim_req sim_request(struct sim_run *r)
{
    static const uint8_t weights[] = {SIM_APPEND,
                                      SIM_APPEND,
                                      SIM_APPEND,
                                      SIM_APPEND,
                                      SIM_APPEND,
                                      SIM_APPEND,
                                      SIM_APPEND,
                                      SIM_APPEND,
                                      SIM_FLAGS,
                                      SIM_FLAGS,
                                      SIM_FLAGS,
                                      SIM_FLAGS,
                                      SIM_FLAGS,
                                      SIM_FLAGS,
                                      SIM_FLAGS,
                                      SIM_EXPUNGE,
                                      SIM_COPY,
                                      SIM_COPY,
                                      SIM_MOVE,
                                      SIM_MOVE,
                                      SIM_CREATE,
                                      SIM_CREATE,
                                      SIM_DELETE,
                                      SIM_EXPUNGE,
                                      SIM_RENAME,
                                      SIM_RENAME,
                                      SIM_SUBSCRIBE,
                                      SIM_SUBSCRIBE,
                                      SIM_ANNOTATE,
                                      SIM_IDENTITY,
                                      SIM_ANNOTATE_ACCOUNT,
                                      SIM_ACL,
                                      SIM_ACL};

    for (;;) {
        struct sim_req q = {.kind = (enum sim_kind)weights[sim_roll(r, sizeof(weights))]};
        struct sim_box *b;

        if (q.kind == SIM_SUBSCRIBE && sim_roll(r, 100) == 0)
            q.kind = SIM_FILL_KEYWORDS;
        if (q.kind == SIM_ANNOTATE_ACCOUNT && sim_roll(r, 3) == 0)
            q.kind = SIM_LIMITS;
        q.box = (int)sim_roll(r, SIM_NAMES);
        q.to = (int)sim_roll(r, SIM_NAMES);
        b = sim_box(sim_now(r), q.box);
        q.first = 1 + (uint32_t)sim_roll(r, b != NULL ? b->uidnext : 1);
        q.last = q.first + (uint32_t)sim_roll(r, 6);
        if (q.kind == SIM_RENAME && q.box == 0)
            q.first = 1, q.last = UINT32_MAX;
        q.flags = (unsigned)sim_roll(r, 32);
        if (sim_roll(r, 3) == 0)
            q.flags |= (unsigned)(sim_roll(r, 64) & sim_roll(r, 64)) << SIM_KEYWORD_SHIFT;
        q.how = (enum flag_op)sim_roll(r, 3);
        q.on = sim_roll(r, 2) == 0;
        q.content = ++r->content;
        if (!sim_possible(r, &q))
            continue;
        sim_request_more(r, &q, b);
        return q;
    }
}

struct sim_done {
    int calls, err;
    struct sim_outcome told;
};

static inline void sim_tell_set(uint64_t *what, const struct uidset *s)
{
    for (size_t i = 0; i < s->n; i++) {
        for (uint64_t uid = s->ranges[i].first; uid <= s->ranges[i].last; uid++)
            SIM_TELL(*what, uid);
    }
}

static inline void sim_completed(void *arg, int err, const struct txn_result *result)
{
    struct sim_done *d = arg;

    d->calls++;
    d->err = err;
    sim_tell_set(&d->told.appended, &result->append_uids);
    sim_tell_set(&d->told.modified, &result->modified);
    sim_tell_set(&d->told.expunged, &result->expunged);
    for (size_t i = 0; i < result->ncopied; i++) {
        SIM_TELL(d->told.copied_from, result->copy_from[i]);
        SIM_TELL(d->told.copied_to, result->copy_to[i]);
    }
}

static inline size_t sim_keyword_list(unsigned flags, struct view out[SIM_KEYWORDS])
{
    size_t n = 0;

    for (unsigned k = 0; k < SIM_KEYWORDS; k++) {
        if ((flags & 1u << (SIM_KEYWORD_SHIFT + k)) != 0)
            out[n++] = view_str(sim_keywords[k]);
    }
    return n;
}

static inline int sim_stage_append(struct sim_run *r, struct txn *t, const struct sim_req *q)
{
    struct mailbox *m = account_find(r->acc, view_str(sim_names[q->box]));
    struct view kw[SIM_KEYWORDS];
    char uidl[32];
    struct message_source src = {.parts = {sim_content(q->content)->text}, .fd = -1};
    struct append_options opt = {.flags = q->flags & SIM_FLAG_BITS, .keywords = kw, .uid = q->uid};

    opt.nkeywords = sim_keyword_list(q->flags, kw);
    if (sim_has_date(q->content)) {
        opt.has_date = true;
        opt.date = 1000000000u + q->content;
        opt.zone_minutes = sim_zone(q->content);
    }
    (void)snprintf(uidl, sizeof(uidl), "uidl-%u", q->content);
    opt.uidl = q->uidl ? view_str(uidl) : view_make(NULL, 0);
    return txn_append(t, m, &src, &opt);
}

static inline int sim_stage_flags(struct sim_run *r, struct txn *t, const struct sim_req *q, const struct uidset *uids)
{
    struct mailbox *m = account_find(r->acc, view_str(sim_names[q->box]));
    struct view kw[SIM_KEYWORDS];
    struct flag_change change = {.op = q->how,
                                 .flags = q->flags & SIM_FLAG_BITS,
                                 .keywords = kw,
                                 .keep = q->keep & SIM_FLAG_BITS,
                                 .keep_keywords = (q->keep & SIM_KEYWORD_BITS) != 0,
                                 .has_unchangedsince = q->has_since,
                                 .unchangedsince = q->since};

    change.nkeywords = sim_keyword_list(q->flags, kw);
    return txn_flags(t, m, uids, &change);
}

/* Of no message. */
static inline int sim_stage_fill(struct sim_run *r, struct txn *t, const struct sim_req *q)
{
    struct mailbox *m = account_find(r->acc, view_str(sim_names[q->box]));
    struct uid_range range = {UINT32_MAX - 1, UINT32_MAX - 1};
    struct uidset uids = {&range, 1, 1};
    struct view kw[SIM_FILL];
    char text[SIM_FILL][8];
    struct flag_change change = {.op = FLAGS_ADD, .keywords = kw, .nkeywords = SIM_FILL};

    for (unsigned i = 0; i < SIM_FILL; i++) {
        (void)snprintf(text[i], sizeof(text[i]), "fill%u", i);
        kw[i] = view_str(text[i]);
    }
    return txn_flags(t, m, &uids, &change);
}

static inline int sim_stage_copy(struct sim_run *r, struct txn *t, const struct sim_req *q, const struct uidset *uids)
{
    struct mailbox *m = account_find(r->acc, view_str(sim_names[q->box]));
    int err = txn_copy(t, m, uids, account_find(r->acc, view_str(sim_names[q->to])), q->kind == SIM_MOVE);

    if (err == 0 && q->limited)
        txn_copy_flags(t, q->keep & SIM_FLAG_BITS, (q->keep & SIM_KEYWORD_BITS) != 0);
    return err;
}

static inline int sim_stage_identity(struct sim_run *r, struct txn *t, const struct sim_req *q)
{
    struct mailbox *m = account_find(r->acc, view_str(sim_names[q->box]));
    struct mailbox_status st;

    mailbox_status(m, &st);
    return txn_identity(t, m, q->validity != 0 ? q->validity : st.uidvalidity, q->uid);
}

static inline int sim_stage(struct sim_run *r, struct txn *t, const struct sim_req *q)
{
    struct mailbox *m = account_find(r->acc, view_str(sim_names[q->box]));
    struct view name = view_str(sim_names[q->box]);
    struct uid_range range = {q->first, q->last};
    struct uidset uids = {&range, 1, 1};
    struct view value = sim_content(q->content)->text;

    switch (q->kind) {
    case SIM_APPEND:
        return sim_stage_append(r, t, q);
    case SIM_FLAGS:
        return sim_stage_flags(r, t, q, &uids);
    case SIM_EXPUNGE:
        return txn_expunge(t, m, &uids);
    case SIM_COPY:
    case SIM_MOVE:
        return sim_stage_copy(r, t, q, &uids);
    case SIM_CREATE:
        return txn_create(t, name, q->flags);
    case SIM_DELETE:
        return txn_delete(t, name);
    case SIM_RENAME:
        return txn_rename(t, name, view_str(sim_names[q->to]));
    case SIM_SUBSCRIBE:
        return txn_subscribe(t, name, q->on);
    case SIM_ANNOTATE:
        return txn_annotate(t, m, VIEW("/Private/x"), q->on ? &value : NULL);
    case SIM_ANNOTATE_ACCOUNT:
        return txn_annotate(t, NULL, VIEW("/private/x"), q->on ? &value : NULL);
    case SIM_ACL:
        return txn_acl(t, m, view_str(sim_identifiers[q->content % 2]), q->on ? &q->flags : NULL);
    case SIM_FILL_KEYWORDS:
        return sim_stage_fill(r, t, q);
    case SIM_IDENTITY:
        return sim_stage_identity(r, t, q);
    case SIM_LIMITS:
        return txn_set_limits(t, q->on ? &q->limits : NULL);
    case SIM_KINDS:
        break;
    }
    return ERR_STATE;
}

/* Everything before the newest state is of no interest: it is durable. */
static inline void sim_durable(struct sim_run *r)
{
    if (r->nstates > 1)
        r->states[0] = *sim_now(r);
    r->nstates = 1;
}

/* A new state, as yet the same as the last. */
static inline struct sim_state *sim_push_same(struct sim_run *r)
{
    SIM_CHECK(r, r->nstates < SIM_STATES);
    r->states[r->nstates] = *sim_now(r);
    r->nstates++;
    return sim_now(r);
}

static inline void sim_push(struct sim_run *r, const struct sim_req *q)
{
    struct sim_outcome o = {0};

    sim_apply(r, sim_push_same(r), q, &o);
}

static inline void sim_apply_txn(struct sim_run *r, struct sim_state *s, const struct sim_txn *t)
{
    struct sim_outcome o = {0};

    for (unsigned i = 0; i < t->n; i++)
        sim_apply(r, s, &t->reqs[i], &o);
}

/* Any of a Maildir's transactions may have been refused before the others were written, and nobody knows whether they were. */
static inline void sim_push_some(struct sim_run *r, unsigned before, const struct sim_txn *txns, unsigned n)
{
    r->nstates = before;
    for (unsigned some = 1; some < 1u << n; some++) {
        SIM_CHECK(r, r->nstates < SIM_STATES);
        r->states[r->nstates] = r->states[before - 1];
        r->nstates++;
        for (unsigned i = 0; i < n; i++) {
            if ((some & 1u << i) != 0)
                sim_apply_txn(r, sim_now(r), &txns[i]);
        }
    }
}

/* --- a tick --------------------------------------------------------------------------------------------------------------- */

struct sim_tick {
    struct sim_txn txns[SIM_TXNS];
    struct sim_outcome want[SIM_TXNS];
    struct sim_done done[SIM_TXNS];
    unsigned n;
    bool durable, structural, failed;
    unsigned before; /* the state as it was when it began */
};

/* Names that the request makes, besides those of the mailboxes that it is about. */
static inline unsigned sim_makes(const struct sim_req *q)
{
    int name = q->kind == SIM_RENAME ? q->to : q->box;
    unsigned parent = sim_parents[name] >= 0 ? 1u << sim_parents[name] : 0;

    if (q->kind == SIM_CREATE || (q->kind == SIM_RENAME && q->box == 0))
        return 1u << name | parent;
    return q->kind == SIM_RENAME ? parent : 0;
}

/* The next request of a transaction: REPLACE (RFC 8508) is one that removes a message and appends another. */
static inline struct sim_req sim_next_request(struct sim_run *r, const struct sim_txn *t)
{
    const struct sim_req *last = t->n > 0 ? &t->reqs[t->n - 1] : NULL;

    for (;;) {
        struct sim_req q = sim_request(r);

        if (last != NULL && sim_structural(q.kind))
            continue;
        if (last != NULL && last->kind == SIM_EXPUNGE && sim_roll(r, 2) == 0) {
            q = (struct sim_req){.kind = SIM_APPEND, .box = last->box, .content = q.content, .flags = q.flags & SIM_FLAG_BITS};
            if (!sim_possible(r, &q))
                continue;
        }
        q.has_since = q.has_since && last == NULL;
        return q;
    }
}

enum sim_staged { SIM_STAGED, SIM_REFUSED, SIM_BROKEN };

static inline enum sim_staged sim_stage_one(struct sim_run *r, struct sim_tick *k, struct txn *t, struct sim_reserved *freed)
{
    struct sim_txn *mine = &k->txns[k->n];
    struct sim_req q = sim_next_request(r, mine);
    int must = sim_refusal(r, &r->states[k->before], &q, freed), err = sim_stage(r, t, &q);

    SIM_SAY("step %u batch %u op %llu: kind %d box %d to %d uids %u-%u content %u flags %x keep %x how %d on %d uid %u: %d\n",
            r->steps, r->batch, (unsigned long long)vfs_sim_ops(r->vfs), (int)q.kind, q.box, q.to, q.first, q.last, q.content,
            q.flags, q.keep, (int)q.how, q.on, q.uid, err);
    if (err != 0 && err == must)
        return SIM_REFUSED;
    if (err != 0) {
        SIM_CHECK(r, account_read_only(r->acc) || err == ERR_IO || (r->disk != NULL && err == ERR_NOSPACE));
        return SIM_BROKEN;
    }
    SIM_CHECK(r, must == 0);
    mine->reqs[mine->n++] = q;
    sim_apply(r, sim_now(r), &q, &k->want[k->n]);
    k->structural = k->structural || sim_structural(q.kind);
    r->maybe |= sim_makes(&q);
    k->durable = k->durable || (q.kind != SIM_FLAGS && q.kind != SIM_FILL_KEYWORDS);
    return SIM_STAGED;
}

/* One transaction of the tick. False: the disk failed. */
static inline bool sim_stage_txn(struct sim_run *r, struct sim_tick *k)
{
    struct sim_reserved before = r->reserved, freed = {0};
    struct txn *t = txn_begin(r->acc);
    unsigned want = sim_roll(r, 4) == 0 ? 2 + (unsigned)sim_roll(r, SIM_REQS - 1) : 1;
    enum sim_staged how = SIM_STAGED;
    bool durable = k->durable;

    (void)sim_push_same(r);
    k->txns[k->n].n = 0;
    k->want[k->n] = (struct sim_outcome){0};
    for (unsigned i = 0; i < want && how == SIM_STAGED && !k->structural; i++)
        how = sim_stage_one(r, k, t, &freed);
    if (how == SIM_STAGED) {
        txn_commit(&t, sim_completed, &k->done[k->n]);
        k->n++;
        return true;
    }
    txn_abort(&t);
    k->durable = durable;
    r->nstates--;
    r->reserved = before;
    r->refused += how == SIM_REFUSED;
    return how == SIM_REFUSED;
}

/* It was not acknowledged: what may be in the log? */
static inline void sim_tick_failed(struct sim_run *r, const struct sim_tick *k)
{
    SIM_SAY("step %u: failed\n", r->steps);
    if (!account_read_only(r->acc) && !vfs_sim_crashed(r->vfs)) {
        r->nstates = k->before + 1; /* certainly not in the log, but for those (of a Maildir) that were acknowledged */
        for (unsigned i = 0; i < k->n; i++) {
            if (k->done[i].err == 0)
                sim_apply_txn(r, sim_push_same(r), &k->txns[i]);
        }
    } else if (r->failing && r->disk != NULL) {
        sim_push_some(r, k->before + 1, k->txns, k->n);
    }
}

/* One tick of one to four transactions. True: all was acknowledged. False: an error was; the model keeps what may be in the log.
 */
static inline bool sim_tick(struct sim_run *r)
{
    struct sim_tick k = {.before = r->nstates - 1, .durable = r->flag_sync_ms == 0};
    unsigned want = 1 + (unsigned)sim_roll(r, SIM_TXNS);
    bool good = true;

    r->batch++;
    r->reserved = (struct sim_reserved){0};
    /* Later requests of the tick are made by clients who do not see the earlier ones yet. */
    while (good && k.n < want && !k.structural)
        good = sim_stage_txn(r, &k);
    (void)!account_commit(r->acc);
    for (unsigned i = 0; i < k.n; i++) {
        SIM_CHECK(r, k.done[i].calls == 1);
        k.failed = k.failed || k.done[i].err != 0;
        /* One batch: none or all. Only a Maildir can refuse one of them, when it makes the files for it. */
        SIM_CHECK(r, !k.failed || k.done[i].err != 0 || r->disk != NULL);
        if (!k.failed && k.txns[i].n == 1)
            SIM_CHECK(r, memcmp(&k.done[i].told, &k.want[i], sizeof(k.want[i])) == 0);
    }
    if (k.failed || (!good && k.n == 0)) {
        sim_tick_failed(r, &k);
        return false;
    }
    r->acked += k.n;
    if (!r->failing)
        r->maybe = 0;
    if (k.durable && k.n > 0)
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
    r->limits.messages = sim_roll(r, 4) == 0 ? 20 : QUOTA_NONE;
    r->limits.bytes = sim_roll(r, 4) == 0 ? 15000 : QUOTA_NONE;
    r->limits.mailboxes = sim_roll(r, 4) == 0 ? 4 : 100;
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
                sim_new_box(r, &r->states[i], 0);
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
    r->cache.flags_lost = r->cache.flags_lost || r->flag_sync_ms != 0;
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
    sim_new_box(r, sim_now(r), 0);
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
            sim_new_box(r, sim_now(r), 0);
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
