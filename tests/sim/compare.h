/* The account against the model (storage_sim.h): everything that a client can see, and the counters against a recount. */
#ifndef CULVER_TESTS_SIM_COMPARE_H
#define CULVER_TESTS_SIM_COMPARE_H

#include "tests/sim/model.h"

/* --- comparing -------------------------------------------------------------------------------------------------------- */

struct sim_names_seen {
    unsigned bits;
    unsigned boxes;
    unsigned use[SIM_NAMES];
};

static inline bool sim_collect(void *arg, const struct mailbox_entry *e)
{
    struct sim_names_seen *s = arg;

    for (int i = 0; i < SIM_NAMES; i++) {
        if (view_eq(e->name, view_str(sim_names[i]))) {
            s->bits |= e->subscribed ? 1u << i : 0;
            s->boxes |= e->mailbox != NULL ? 1u << i : 0;
            s->use[i] = e->use;
        }
    }
    return true;
}

/* Indices of the model's keywords in a mailbox, -1: it does not know them. */
struct sim_kw_map {
    int index[SIM_KEYWORDS];
};

static inline const char *sim_compare_keywords(const struct mailbox *m, const struct sim_box *b, struct sim_kw_map *out)
{
    unsigned known = 0;

    for (unsigned i = 0; i < b->nkw; i++)
        known |= 1u << b->kw[i];
    for (unsigned k = 0; k < SIM_KEYWORDS; k++) {
        out->index[k] = mailbox_keyword_find(m, view_str(sim_keywords[k]));
        if (out->index[k] >= 0 && (known >> k & 1) == 0)
            return "keyword too many";
        if (out->index[k] < 0 && (known >> k & 1) != 0)
            return "keyword missing";
    }
    return mailbox_keyword_count(m) == b->nkw + b->fill ? NULL : "wrong number of keywords";
}

/* The flags of a message as the model has them. */
static inline unsigned sim_flags_of(const struct sim_kw_map *map, const struct msg_info *info)
{
    unsigned flags = info->flags, n = 0, found = 0;

    for (unsigned k = 0; k < SIM_KEYWORDS; k++) {
        int i = map->index[k];

        if (i >= 0 && (info->keywords.bits[i / 64] >> (i % 64) & 1) != 0) {
            flags |= 1u << (SIM_KEYWORD_SHIFT + k);
            found++;
        }
    }
    for (unsigned i = 0; i < KEYWORDS_MAX / 64; i++)
        n += (unsigned)__builtin_popcountll(info->keywords.bits[i]);
    return n == found ? flags : UINT32_MAX;
}

static inline bool sim_digest_good(struct mailbox_view *v, uint32_t seq, uint32_t content)
{
    struct view have;

    return mailbox_view_digest(v, seq, &have) == 0 && view_eq(have, sim_content(content)->digest);
}

struct sim_annotation {
    uint32_t content;
    unsigned n;
    bool bad;
};

static inline bool sim_see_annotation(void *arg, struct view entry, struct view value)
{
    struct sim_annotation *a = arg;

    a->n++;
    a->bad = a->bad || !view_eq(entry, VIEW("/private/x")) || a->content == 0 || !view_eq(value, sim_content(a->content)->text);
    return true;
}

struct sim_acl_seen {
    uint16_t rights[2];
    bool bad;
};

static inline void sim_see_right(void *arg, struct view identifier, unsigned rights)
{
    struct sim_acl_seen *a = arg;
    unsigned i = view_eq(identifier, view_str(sim_identifiers[0])) ? 0 : 1;

    a->bad = a->bad || a->rights[i] != 0 || !view_eq(identifier, view_str(sim_identifiers[i])) || rights > ACL_ALL;
    a->rights[i] = (uint16_t)(rights | SIM_ACL_SET);
}

static inline unsigned sim_own_rights(const struct sim_box *b)
{
    return ((b->meta.acl[0] & SIM_ACL_SET) != 0 ? b->meta.acl[0] & ACL_ALL : ACL_ALL) | ACL_ADMIN;
}

static inline const char *sim_compare_acl(const struct mailbox *m, const struct sim_box *b)
{
    struct sim_acl_seen have = {.bad = false};

    mailbox_acl_each(m, sim_see_right, &have);
    if (have.bad || memcmp(have.rights, b->meta.acl, sizeof(b->meta.acl)) != 0)
        return "wrong access rights";
    return mailbox_own_rights(m) == sim_own_rights(b) ? NULL : "wrong rights of the owner";
}

static inline const char *sim_compare_info(const struct sim_msg *m, const struct msg_info *info, unsigned flags)
{
    if (info->uid != m->uid)
        return "wrong uid";
    if (flags != m->flags) {
        SIM_SAY("uid %u: flags %x, the model has %x\n", m->uid, flags, m->flags);
        return "wrong flags";
    }
    if (m->modseq != 0 && info->modseq != m->modseq)
        return "wrong modseq";
    if (info->size != sim_text_len(m->content))
        return "wrong size";
    if (m->saved != 0 && info->savedate != m->saved)
        return "wrong date of saving";
    if (m->date != 0 && (info->date != m->date || info->zone_minutes != sim_zone(m->content)))
        return "wrong date";
    return NULL;
}

static inline const char *sim_compare_uidl(struct mailbox_view *v, uint32_t seq, const struct sim_msg *m)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%s%u", m->uidl ? "uidl-" : "", m->content);
    return view_eq(mailbox_view_uidl(v, seq), m->uidl ? view_str(text) : view_make(NULL, 0)) ? NULL : "wrong unique id";
}

static inline const char *sim_compare_message(struct mailbox_view *v, uint32_t seq, const struct sim_msg *m,
                                              const struct sim_kw_map *keywords)
{
    struct msg_info info;
    struct msg_data d;
    const char *bad;

    mailbox_view_info(v, seq, &info);
    bad = sim_compare_info(m, &info, sim_flags_of(keywords, &info));
    if (bad == NULL)
        bad = sim_compare_uidl(v, seq, m);
    if (bad != NULL)
        return bad;
    if (mailbox_view_data(v, seq, &d) != 0)
        return "message cannot be read";
    if (!view_eq(d.bytes, sim_content(m->content)->text))
        bad = "wrong bytes";
    else if (!sim_digest_good(v, seq, m->content))
        bad = "wrong digest";
    msg_data_close(&d);
    return bad;
}

static inline const char *sim_compare_messages(struct sim_run *r, const struct sim_box *b, struct mailbox *m,
                                               const struct sim_kw_map *keywords)
{
    struct mailbox_view *v = mailbox_view_open(r->acc, m, false);
    const char *bad = NULL;
    uint32_t seq = 0;

    for (uint32_t i = 0; i < b->n && bad == NULL; i++) {
        if (b->msgs[i].gone == 0)
            bad = ++seq > mailbox_view_count(v) ? "message missing" : sim_compare_message(v, seq, &b->msgs[i], keywords);
    }
    if (bad == NULL && seq != mailbox_view_count(v))
        bad = "message too many";
    mailbox_view_close(&v);
    return bad;
}

static inline const char *sim_compare_box(struct sim_run *r, const struct sim_box *b)
{
    struct mailbox *m = account_find(r->acc, view_str(sim_names[b->name]));
    struct sim_annotation a = {.content = b->meta.annotation};
    struct sim_kw_map keywords;
    struct mailbox_status st;
    const char *bad;

    if (m == NULL)
        return "mailbox missing";
    mailbox_status(m, &st);
    if (st.uidnext != b->uidnext)
        return "wrong uidnext";
    if (b->validity != 0 && st.uidvalidity != b->validity)
        return "wrong uidvalidity";
    if (mailbox_use(m) != b->use)
        return "wrong special use";
    mailbox_annotation_each(m, sim_see_annotation, &a);
    if (a.bad || a.n != (b->meta.annotation != 0))
        return "wrong annotation";
    bad = sim_compare_acl(m, b);
    if (bad == NULL)
        bad = sim_compare_keywords(m, b, &keywords);
    return bad != NULL ? bad : sim_compare_messages(r, b, m, &keywords);
}

static inline const char *sim_compare_names(struct sim_run *r, const struct sim_state *s)
{
    struct sim_names_seen all = {0}, visible = {0};
    unsigned boxes = 0, seen = 0;

    account_each(r->acc, sim_collect, &all);
    account_each_visible(r->acc, sim_collect, &visible);
    for (int i = 0; i < SIM_BOXES; i++) {
        const struct sim_box *b = &s->boxes[i];

        if (b->name < 0)
            continue;
        boxes |= 1u << b->name;
        seen |= (sim_own_rights(b) & ACL_LOOKUP) != 0 ? 1u << b->name : 0;
    }
    if (all.boxes != boxes) {
        SIM_SAY("mailboxes %x, the model has %x\n", all.boxes, boxes);
        return "mailboxes differ";
    }
    if (visible.boxes != seen)
        return "mailboxes that the owner sees differ";
    if ((all.bits & ~1u) != (s->subs & ~1u) || visible.bits != all.bits)
        return "subscriptions differ";
    return NULL;
}

static inline const char *sim_compare(struct sim_run *r, const struct sim_state *s)
{
    struct sim_annotation a = {.content = s->annotation};
    struct quota_limits limits = sim_limits(r, s);
    const char *bad = sim_compare_names(r, s);
    struct quota_usage quota;

    account_annotation_each(r->acc, sim_see_annotation, &a);
    if (bad == NULL && (a.bad || a.n != (s->annotation != 0)))
        bad = "wrong annotation of the account";
    account_quota(r->acc, &quota);
    if (bad == NULL && memcmp(&quota.limits, &limits, sizeof(limits)) != 0)
        bad = "wrong limits of the account";
    for (int i = 0; i < SIM_BOXES && bad == NULL; i++)
        bad = s->boxes[i].name >= 0 ? sim_compare_box(r, &s->boxes[i]) : NULL;
    return bad;
}

/* --- what clients know ---------------------------------------------------------------------------------------------------- */

/* Counters against a recount. What is seen of modseqs, the model knows from now on. */
static inline void sim_recount(struct sim_run *r, struct mailbox *m, struct sim_box *b, struct quota_usage *sum)
{
    struct mailbox_view *v = mailbox_view_open(r->acc, m, false);
    struct mailbox_status st, want = {0};
    uint32_t at = 0;

    mailbox_status(m, &st);
    want.messages = mailbox_view_count(v);
    for (uint32_t seq = 1; seq <= want.messages; seq++) {
        struct msg_info info;

        mailbox_view_info(v, seq, &info);
        want.unseen += (info.flags & MSG_SEEN) == 0;
        want.deleted += (info.flags & MSG_DELETED) != 0;
        want.recent += info.uid >= m->first_recent;
        want.size += info.size;
        want.deleted_size += (info.flags & MSG_DELETED) != 0 ? info.size : 0;
        SIM_CHECK(r, info.modseq <= st.highestmodseq && info.uid < st.uidnext);
        while (b->msgs[at].uid != info.uid || b->msgs[at].gone != 0)
            at++;
        b->msgs[at].modseq = info.modseq;
    }
    SIM_CHECK(r, st.messages == want.messages && st.unseen == want.unseen && st.deleted == want.deleted);
    SIM_CHECK(r, st.size == want.size && st.deleted_size == want.deleted_size);
    SIM_CHECK(r, st.recent == want.recent && mailbox_view_recent(v) == want.recent);
    sum->bytes += want.size;
    sum->messages += want.messages;
    mailbox_view_close(&v);
}

static inline void sim_tell_messages(struct sim_run *r, const struct sim_box *b, uint32_t validity)
{
    for (uint32_t i = 0; i < b->n; i++) {
        unsigned t = 0;

        if (b->msgs[i].gone != 0)
            continue;
        while (t < r->ntold && (r->told[t].validity != validity || r->told[t].uid != b->msgs[i].uid))
            t++;
        if (t < r->ntold)
            SIM_CHECK(r, r->told[t].content == b->msgs[i].content);
        else if (r->ntold < SIM_TOLD)
            r->told[r->ntold++] = (struct sim_told){validity, b->msgs[i].uid, b->msgs[i].content};
    }
}

/* A client that was away is told what it does not know: which messages went, and which changed. */
static inline void sim_check_cache(struct sim_run *r, const struct sim_box *b, struct mailbox *m)
{
    const struct sim_cache *c = &r->cache;
    struct uidset gone;

    uidset_init(&gone);
    mailbox_vanished(m, c->modseq, &gone);
    for (unsigned i = 0; i < c->n; i++) {
        const struct sim_msg *msg = NULL;

        for (uint32_t k = 0; k < b->n && msg == NULL; k++)
            msg = b->msgs[k].uid == c->uids[i] && b->msgs[k].gone == 0 ? &b->msgs[k] : NULL;
        SIM_CHECK(r, uidset_has(&gone, c->uids[i]) == (msg == NULL));
        if (msg != NULL && !c->flags_lost)
            SIM_CHECK(r, msg->flags == c->flags[i] || msg->modseq > c->modseq);
    }
    uidset_free(&gone);
}

static inline void sim_fill_cache(struct sim_run *r, const struct sim_box *b, const struct mailbox_status *st)
{
    struct sim_cache *c = &r->cache;

    *c = (struct sim_cache){.validity = st->uidvalidity, .modseq = st->highestmodseq};
    for (uint32_t i = 0; i < b->n; i++) {
        if (b->msgs[i].gone != 0)
            continue;
        c->uids[c->n] = b->msgs[i].uid;
        c->flags[c->n++] = b->msgs[i].flags;
    }
}

static inline void sim_tell_box(struct sim_run *r, const struct sim_box *b, struct mailbox *m)
{
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
    sim_tell_messages(r, b, st.uidvalidity);
    if (r->cache.validity == st.uidvalidity)
        sim_check_cache(r, b, m);
    if (sim_roll(r, 64) == 0)
        sim_fill_cache(r, b, &st);
}

/* A folder that was made before the log said so is a mailbox, if it is there; an empty one. */
static inline void sim_take_maybe(struct sim_run *r, struct sim_state *s)
{
    for (int i = 0; i < SIM_NAMES && r->disk != NULL; i++) {
        if ((r->maybe & 1u << i) != 0 && sim_box(s, i) == NULL && account_find(r->acc, view_str(sim_names[i])) != NULL)
            sim_new_box(r, s, i);
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
        struct sim_box *b = &s->boxes[i];
        struct mailbox *m = b->name >= 0 ? account_find(r->acc, view_str(sim_names[b->name])) : NULL;

        if (m == NULL)
            continue;
        sim_recount(r, m, b, &want);
        sim_tell_box(r, b, m);
    }
    account_quota(r->acc, &have);
    SIM_CHECK(r, have.bytes == want.bytes && have.messages == want.messages);
}

#endif
