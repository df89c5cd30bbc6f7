/*
 * Results are in the order of the mailbox, so positions in ADDTO and REMOVEFROM are 0 (RFC 5267 4.3.3), and the client puts
 * numbers where they belong. Touched messages are kept as one set for all contexts; they are matched one context after the other.
 */
#include "imap/context.h"

#include <stdlib.h>
#include <time.h>

#include "common/base/mem.h"
#include "imap/respond.h"
#include "imap/return.h"

#define RANGES_A_LINE 350
#define RANGES_MAX ((size_t)1 << 22)

/* The program again, from the command's text. False: it is no SEARCH command. */
static bool parse_again(struct imap_session *s, struct imap_context *c)
{
    struct imap_return ret;
    struct imap_parse p;

    imap_parse_init(&p, c->text, &c->pool);
    p.uidonly = (c->enabled & IMAP_ENABLED_UIDONLY) != 0;
    c->tag = imap_parse_tag(&p);
    imap_parse_space(&p);
    c->uid = view_eq_nocase(imap_parse_atom(&p), VIEW("UID"));
    if (c->uid) {
        imap_parse_space(&p);
        (void)imap_parse_atom(&p);
    }
    if (imap_parse_try_word(&p, " RETURN "))
        imap_return_parse(&p, &ret);
    c->program.acc = s->acc;
    imap_search_parse(&p, &c->program, (c->enabled & IMAP_ENABLED_UTF8) != 0);
    imap_parse_end(&p);
    return imap_parse_ok(&p) && c->program.root != NULL;
}

/* NULL: no SEARCH command. */
static struct imap_context *context_make(struct imap_session *s, struct view text, unsigned enabled)
{
    struct imap_context *c = xcalloc(1, sizeof(*c));

    imap_pool_init(&c->pool, IMAP_POOL_MAX);
    c->text = imap_pool_copy(&c->pool, text);
    c->enabled = enabled;
    if (!parse_again(s, c))
        imap_context_free(&c);
    return c;
}

/* Message numbers become the UIDs that they stand for. */
static void numbers_to_uids(struct imap_session *s, struct imap_context *c)
{
    uint32_t count = mailbox_view_count(s->view);

    imap_search_resolve(&c->program, count, count == 0 ? 0 : mailbox_view_uid(s->view, count), &s->saved);
    for (struct imap_search_node *n = c->program.all; n != NULL; n = n->all) {
        struct uidset uids;
        uint32_t seq, next = 0;
        size_t range = 0;

        if (n->op != SEARCH_SEQ)
            continue;
        uidset_init(&uids);
        while ((seq = imap_seqs_next(&n->resolved, &range, &next)) != 0 && seq <= count)
            uidset_add(&uids, mailbox_view_uid(s->view, seq));
        uidset_move(&n->resolved, &uids);
        n->op = SEARCH_UID;
    }
}

struct imap_context *imap_context_new(struct imap_job *job, bool *reused_out)
{
    struct imap_session *s = job->s;
    struct imap_context *c;
    unsigned n = 0;

    *reused_out = false;
    for (c = s->contexts; c != NULL; c = c->next, n++)
        *reused_out |= view_eq(c->tag, job->tag);
    if (*reused_out || n >= IMAP_CONTEXTS_MAX || job->text.len > IMAP_CONTEXT_TEXT)
        return NULL;
    c = context_make(s, job->text, s->enabled);
    if (c != NULL)
        numbers_to_uids(s, c);
    return c;
}

void imap_context_free(struct imap_context **context)
{
    struct imap_context *c = *context;

    if (c == NULL)
        return;
    *context = NULL;
    imap_search_free(&c->program);
    uidset_free(&c->results);
    uidset_free(&c->gone);
    imap_pool_free(&c->pool);
    free(c);
}

void imap_context_start(struct imap_session *s, struct imap_context **context, const struct uidset *found)
{
    struct imap_context *c = *context;
    uint32_t n, next = 0;
    size_t range = 0;

    while ((n = imap_seqs_next(found, &range, &next)) != 0)
        uidset_add(&c->results, c->uid ? n : mailbox_view_uid(s->view, n));
    *context = NULL; /* transferred */
    c->next = s->contexts;
    s->contexts = c;
}

bool imap_context_cancel(struct imap_session *s, struct view tag)
{
    for (struct imap_context **at = &s->contexts; *at != NULL; at = &(*at)->next) {
        struct imap_context *c = *at;

        if (!view_eq(c->tag, tag))
            continue;
        *at = c->next;
        imap_context_free(&c);
        return true;
    }
    return false;
}

void imap_context_cancel_all(struct imap_session *s)
{
    while (s->contexts != NULL) {
        struct imap_context *c = s->contexts;

        s->contexts = c->next;
        imap_context_free(&c);
    }
    uidset_free(&s->touched);
}

static void put_noupdate(struct imap_session *s, const struct imap_context *c)
{
    struct buf *out = imap_out(s);

    buf_put_str(out, "* NO [NOUPDATE ");
    imap_put_string(s, out, c->tag);
    buf_put_str(out, "] Search again for further updates\r\n");
}

void imap_context_give_up_filters(struct imap_session *s)
{
    struct imap_context **at = &s->contexts;

    while (*at != NULL) {
        struct imap_context *c = *at;

        if (!c->program.uses_filter) {
            at = &c->next;
            continue;
        }
        put_noupdate(s, c);
        *at = c->next;
        imap_context_free(&c);
    }
}

/* --- records --------------------------------------------------------------------------------------------------------------- */

void imap_contexts_freeze(const struct imap_session *s, struct buf *out)
{
    uint8_t n = 0;

    for (const struct imap_context *c = s->contexts; c != NULL; c = c->next)
        n++;
    buf_put_u8(out, n);
    for (const struct imap_context *c = s->contexts; c != NULL; c = c->next) {
        buf_put_view16(out, c->text);
        buf_put_u32(out, c->enabled);
        for (const struct imap_search_node *node = c->program.all; node != NULL; node = node->all)
            if (node->op == SEARCH_UID)
                uidset_encode(out, &node->resolved);
        uidset_encode(out, &c->results);
    }
    uidset_encode(out, &s->touched);
}

static struct imap_context *thaw(struct imap_session *s, struct cursor *cur)
{
    struct view text = cursor_view16(cur, IMAP_CONTEXT_TEXT);
    unsigned enabled = cursor_u32(cur);
    struct imap_context *c;

    if (cur->failed || (enabled & ~(unsigned)IMAP_ENABLED_ALL) != 0)
        return NULL;
    c = context_make(s, text, enabled);
    if (c == NULL || c->program.uses_filter) {
        imap_context_free(&c);
        return NULL;
    }
    for (struct imap_search_node *node = c->program.all; node != NULL; node = node->all) {
        if (node->op != SEARCH_SEQ && node->op != SEARCH_UID)
            continue;
        node->op = SEARCH_UID;
        uidset_decode(cur, RANGES_MAX, &node->resolved);
    }
    uidset_decode(cur, RANGES_MAX, &c->results);
    return c;
}

void imap_contexts_thaw(struct imap_session *s, struct cursor *cur)
{
    struct imap_context **link = &s->contexts;
    uint8_t n = cursor_u8(cur);

    if (n > IMAP_CONTEXTS_MAX)
        cursor_fail(cur);
    while (n-- > 0 && !cur->failed) {
        *link = thaw(s, cur); /* transferred */
        if (*link == NULL)
            cursor_fail(cur);
        else
            link = &(*link)->next;
    }
    uidset_decode(cur, RANGES_MAX, &s->touched);
}

/* --- telling -------------------------------------------------------------------------------------------------------------------
 */

/* "* ESEARCH (TAG "B01") UID ADDTO (0 32768:32769)", as several responses when it is long. */
static void put_update(struct imap_session *s, const struct imap_context *c, const char *what, const struct uidset *set)
{
    for (size_t at = 0; at < set->n; at += RANGES_A_LINE) {
        size_t n = MIN_OF(set->n - at, (size_t)RANGES_A_LINE);
        struct uidset part = {.ranges = set->ranges + at, .n = n, .cap = n}; /* borrowed */
        struct buf *out = imap_out(s);

        buf_put_str(out, "* ESEARCH (TAG ");
        imap_put_string(s, out, c->tag);
        buf_put_str(out, c->uid ? ") UID " : ") ");
        buf_put_str(out, what);
        buf_put_str(out, " (0 ");
        uidset_put(out, &part);
        buf_put_str(out, ")\r\n");
    }
}

void imap_context_touch(struct imap_session *s, const struct uidset *uids)
{
    for (size_t i = 0; i < uids->n && s->contexts != NULL; i++)
        uidset_add_range(&s->touched, uids->ranges[i].first, uids->ranges[i].last);
}

void imap_context_expunged(struct imap_session *s, const uint32_t *seqs, const uint32_t *uids, size_t n)
{
    for (struct imap_context *c = s->contexts; c != NULL; c = c->next) {
        for (size_t i = n; i > 0; i--) { /* rising */
            if (!uidset_has(&c->results, uids[i - 1]))
                continue;
            uidset_add(&c->gone, c->uid ? uids[i - 1] : seqs[i - 1]);
            uidset_remove_range(&c->results, uids[i - 1], uids[i - 1]);
        }
    }
}

void imap_context_put_gone(struct imap_session *s)
{
    for (struct imap_context *c = s->contexts; c != NULL; c = c->next) {
        put_update(s, c, "REMOVEFROM", &c->gone);
        uidset_free(&c->gone);
    }
}

/* A message that does not match as it did before is noted in added or removed. */
static void look_at(struct imap_session *s, struct imap_context *c, uint32_t uid, struct uidset *added, struct uidset *removed)
{
    const struct imap_search_now now = {(int64_t)time(NULL)};
    uint32_t seq = mailbox_view_seq(s->view, uid);
    bool was = uidset_has(&c->results, uid), is;
    struct imap_message m = {.seq = 0};

    if (seq == 0)
        return;
    imap_message_open(s, &m, seq);
    is = m.info.expunged ? was : imap_search_match(s, &c->program, &now, &m); /* one that goes is told with its EXPUNGE */
    imap_message_close(&m);
    if (is == was)
        return;
    uidset_add(is ? added : removed, c->uid ? uid : seq);
    if (is)
        uidset_add(&c->results, uid);
    else
        uidset_remove_range(&c->results, uid, uid);
}

/* Goes on with the touched messages in one context; false when the slice is over. */
static bool look_at_touched(struct imap_session *s, struct imap_context *c)
{
    struct uidset added, removed;
    bool over = false;
    uint32_t uid;

    uidset_init(&added);
    uidset_init(&removed);
    while (!over && (uid = imap_seqs_next(&s->touched, &s->tell.touched_range, &s->tell.touched_next)) != 0) {
        look_at(s, c, uid, &added, &removed);
        over = c->program.root->cost > SEARCH_COST_RECORD ? imap_slice_spent(s) : imap_slice_over(s);
    }
    put_update(s, c, "REMOVEFROM", &removed);
    put_update(s, c, "ADDTO", &added);
    uidset_free(&added);
    uidset_free(&removed);
    return !over;
}

bool imap_context_step(struct imap_session *s)
{
    struct imap_context *c = s->contexts;

    for (unsigned i = 0; c != NULL && i < s->tell.context; i++)
        c = c->next;
    for (; c != NULL; c = c->next) {
        if (!look_at_touched(s, c))
            return false;
        s->tell.context++;
        s->tell.touched_range = s->tell.touched_next = 0;
    }
    uidset_free(&s->touched);
    return true;
}
