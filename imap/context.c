/*
 * Results of a SEARCH are in the order of the mailbox, so positions in ADDTO and REMOVEFROM are 0 (RFC 5267 4.3.3), and the
 * client puts numbers where they belong; those of a SORT have positions (context_order.c). Touched messages are kept as one set
 * for all contexts; they are matched one context after the other.
 */
#include "imap/context.h"

#include <stdlib.h>
#include <time.h>

#include "common/base/mem.h"
#include "imap/respond.h"
#include "imap/return.h"

#define RANGES_A_LINE 350
#define RANGES_MAX ((size_t)1 << 22)
#define SORTED_AT_ONCE 64 /* new results that are put in order together */

/* The program again, from the command's text. acc: whose filters it may use besides those that it has; NULL: no others. False:
 * it is no SEARCH or SORT command. */
static bool parse_again(struct imap_context *c, struct account *acc)
{
    struct imap_return ret;
    struct imap_parse p;
    struct view name;

    imap_parse_init(&p, c->text, &c->pool);
    p.uidonly = (c->enabled & IMAP_ENABLED_UIDONLY) != 0;
    c->tag = imap_parse_tag(&p);
    imap_parse_space(&p);
    name = imap_parse_atom(&p);
    c->uid = view_eq_nocase(name, VIEW("UID"));
    if (c->uid) {
        imap_parse_space(&p);
        name = imap_parse_atom(&p);
    }
    c->sorted = view_eq_nocase(name, VIEW("SORT"));
    if (imap_parse_try_word(&p, " RETURN "))
        imap_return_parse(&p, &ret);
    c->program.acc = acc;
    c->program.collation = c->comparator.collation;
    if (c->sorted) {
        imap_parse_space(&p);
        imap_sort_parse(&p, &c->order.by);
        c->order.by.comparator = c->comparator;
        imap_search_parse_sorted(&p, &c->program);
    } else
        imap_search_parse(&p, &c->program, (c->enabled & IMAP_ENABLED_UTF8) != 0);
    imap_parse_end(&p);
    return imap_parse_ok(&p) && c->program.root != NULL && c->program.undefined_filter.ptr == NULL;
}

/* Without a program yet. */
static struct imap_context *context_make(struct view text, unsigned enabled)
{
    struct imap_context *c = xcalloc(1, sizeof(*c));

    imap_pool_init(&c->pool, IMAP_POOL_MAX);
    c->text = imap_pool_copy(&c->pool, text);
    c->enabled = enabled;
    return c;
}

static size_t filters_size(const struct imap_context *c)
{
    size_t size = 0;

    for (const struct imap_search_filter *f = c->program.filters; f != NULL; f = f->next)
        size += f->name.len + f->value.len;
    return size;
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

/* NULL: no more contexts, or too large a command. *reused_out: the tag is in use. */
static struct imap_context *context_new(struct imap_job *job, bool *reused_out)
{
    struct imap_session *s = job->s;
    struct imap_context *c;
    unsigned n = 0;

    *reused_out = false;
    for (c = s->contexts; c != NULL; c = c->next, n++)
        *reused_out |= view_eq(c->tag, job->tag);
    if (*reused_out || n >= IMAP_CONTEXTS_MAX || job->text.len > IMAP_CONTEXT_TEXT)
        return NULL;
    c = context_make(job->text, s->enabled);
    c->comparator = s->comparator;
    if (parse_again(c, s->acc) && filters_size(c) <= IMAP_CONTEXT_FILTERS)
        numbers_to_uids(s, c);
    else
        imap_context_free(&c);
    return c;
}

bool imap_context_begin(struct imap_job *job, struct imap_context **out)
{
    bool reused;

    *out = context_new(job, &reused);
    if (reused) {
        (void)imap_job_bad(job, "Tag reuse");
        return false;
    }
    if (*out == NULL)
        imap_put_noupdate(job);
    return true;
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
    imap_order_free(&c->order);
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

bool imap_context_start_sorted(struct imap_session *s, struct imap_context **context, const struct imap_sorter *sorted)
{
    struct imap_context *c = *context;
    struct uidset found;

    if (sorted->n > IMAP_CONTEXT_SORTED) {
        imap_context_free(context);
        return false;
    }
    c->order.uids = xreallocarray(NULL, sorted->n + 1, sizeof(*c->order.uids));
    c->order.n = sorted->n;
    uidset_init(&found);
    for (size_t i = 0; i < sorted->n; i++) {
        uint32_t n = imap_sort_number(sorted, i);

        c->order.uids[i] = c->uid ? n : mailbox_view_uid(s->view, n);
        uidset_add(&found, sorted->numbers[i]); /* rising */
    }
    imap_context_start(s, context, &found);
    uidset_free(&found);
    return true;
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

/* Those that have become too large: RFC 5267 4.3.1. */
static void give_up_large(struct imap_session *s)
{
    struct imap_context **at = &s->contexts;

    while (*at != NULL) {
        struct imap_context *c = *at;

        if (!c->over) {
            at = &c->next;
            continue;
        }
        put_noupdate(s, c);
        *at = c->next;
        imap_context_free(&c);
    }
}

/* --- records --------------------------------------------------------------------------------------------------------------- */

static void freeze_filters(const struct imap_context *c, struct buf *out)
{
    for (const struct imap_search_filter *f = c->program.filters; f != NULL; f = f->next) {
        buf_put_view16(out, f->name);
        buf_put_view32(out, f->value);
    }
    buf_put_view16(out, VIEW(""));
}

/* In the order in which they were: what is frozen again is the same. */
static void thaw_filters(struct imap_context *c, struct cursor *cur)
{
    struct imap_search_filter **link = &c->program.filters;
    struct view name;

    while ((name = cursor_view16(cur, IMAP_CONTEXT_FILTERS)).len > 0) {
        struct view value = cursor_view32(cur, IMAP_CONTEXT_FILTERS);

        *link = imap_search_filter_new(&c->pool, name, value);
        if (*link == NULL || cur->failed) {
            cursor_fail(cur);
            return;
        }
        link = &(*link)->next;
    }
}

void imap_contexts_freeze(const struct imap_session *s, struct buf *out)
{
    uint8_t n = 0;

    for (const struct imap_context *c = s->contexts; c != NULL; c = c->next)
        n++;
    buf_put_u8(out, n);
    for (const struct imap_context *c = s->contexts; c != NULL; c = c->next) {
        buf_put_view16(out, c->text);
        buf_put_u32(out, c->enabled);
        buf_put_u8(out, comparator_encode(c->comparator));
        freeze_filters(c, out);
        for (const struct imap_search_node *node = c->program.all; node != NULL; node = node->all)
            if (node->op == SEARCH_UID)
                uidset_encode(out, &node->resolved);
        uidset_encode(out, &c->results);
        if (c->sorted)
            imap_order_encode(out, &c->order);
    }
    uidset_encode(out, &s->touched);
}

static struct imap_context *thaw(struct cursor *cur)
{
    struct view text = cursor_view16(cur, IMAP_CONTEXT_TEXT);
    unsigned enabled = cursor_u32(cur);
    struct comparator comparator = {.descends = false};
    struct imap_context *c;

    if (!comparator_decode(cursor_u8(cur), &comparator) || cur->failed || (enabled & ~(unsigned)IMAP_ENABLED_ALL) != 0)
        return NULL;
    c = context_make(text, enabled);
    c->comparator = comparator;
    thaw_filters(c, cur);
    if (cur->failed || !parse_again(c, NULL)) {
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
    if (c->sorted)
        imap_order_decode(cur, &c->results, &c->order);
    return c;
}

void imap_contexts_thaw(struct imap_session *s, struct cursor *cur)
{
    struct imap_context **link = &s->contexts;
    uint8_t n = cursor_u8(cur);

    if (n > IMAP_CONTEXTS_MAX)
        cursor_fail(cur);
    while (n-- > 0 && !cur->failed) {
        *link = thaw(cur); /* transferred */
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

static uint32_t number_of(const uint32_t *seqs, const uint32_t *uids, size_t n, uint32_t uid)
{
    size_t low = 0, high = n;

    while (high - low > 1) { /* they fall */
        size_t mid = low + (high - low) / 2;

        *(uids[mid] >= uid ? &low : &high) = mid;
    }
    return seqs[low];
}

static void sorted_expunged(struct imap_context *c, const struct uidset *gone, const uint32_t *seqs, const uint32_t *uids,
                            size_t n)
{
    if (gone->n == 0)
        return;
    free(c->order.gone);
    c->order.gone = imap_order_remove(&c->order, gone, &c->order.ngone);
    for (size_t i = 0; i < c->order.ngone && !c->uid; i++)
        c->order.gone[i].number = number_of(seqs, uids, n, c->order.gone[i].number);
}

void imap_context_expunged(struct imap_session *s, const uint32_t *seqs, const uint32_t *uids, size_t n)
{
    for (struct imap_context *c = s->contexts; c != NULL; c = c->next) {
        struct uidset gone;

        uidset_init(&gone);
        for (size_t i = n; i > 0; i--) { /* rising */
            if (!uidset_has(&c->results, uids[i - 1]))
                continue;
            uidset_add(&gone, uids[i - 1]);
            if (!c->sorted)
                uidset_add(&c->gone, c->uid ? uids[i - 1] : seqs[i - 1]);
            uidset_remove_range(&c->results, uids[i - 1], uids[i - 1]);
        }
        if (c->sorted)
            sorted_expunged(c, &gone, seqs, uids, n);
        uidset_free(&gone);
    }
}

void imap_context_put_gone(struct imap_session *s)
{
    for (struct imap_context *c = s->contexts; c != NULL; c = c->next) {
        put_update(s, c, "REMOVEFROM", &c->gone);
        imap_order_tell(s, c, false, c->order.gone, c->order.ngone);
        uidset_free(&c->gone);
        free(c->order.gone);
        c->order.gone = NULL;
        c->order.ngone = 0;
    }
}

/* What some of the touched messages have changed in one context. */
struct changes {
    struct uidset added, removed; /* of a SEARCH as they are told, of a SORT the UIDs of what is removed */
    struct imap_sorter sorted;    /* what is added to a SORT */
};

static void note_sorted(struct imap_session *s, struct imap_context *c, struct imap_message *m, bool is, struct changes *ch)
{
    if (!is)
        uidset_add(&ch->removed, m->info.uid);
    else if (imap_sort_add(s, &ch->sorted, m, m->info.uid) != 0)
        c->over = true;
}

/* A message that does not match as it did before is noted. */
static void look_at(struct imap_session *s, struct imap_context *c, uint32_t uid, struct changes *ch)
{
    const struct imap_search_now now = {(int64_t)time(NULL)};
    uint32_t seq = mailbox_view_seq(s->view, uid);
    bool was = uidset_has(&c->results, uid), is;
    struct imap_message m = {.seq = 0};

    if (seq == 0)
        return;
    imap_message_open(s, &m, seq);
    is = m.info.expunged ? was : imap_search_match(s, &c->program, &now, &m); /* one that goes is told with its EXPUNGE */
    if (is != was && c->sorted)
        note_sorted(s, c, &m, is, ch);
    else if (is != was)
        uidset_add(is ? &ch->added : &ch->removed, c->uid ? uid : seq);
    imap_message_close(&m);
    if (is && !was)
        uidset_add(&c->results, uid);
    else if (was && !is)
        uidset_remove_range(&c->results, uid, uid);
}

static void tell_sorted(struct imap_session *s, const struct imap_context *c, bool added, struct imap_place *places, size_t n)
{
    for (size_t i = 0; i < n && !c->uid; i++)
        places[i].number = mailbox_view_seq(s->view, places[i].number);
    imap_order_tell(s, c, added, places, n);
    free(places);
}

static void change_sorted(struct imap_session *s, struct imap_context *c, struct changes *ch)
{
    struct imap_place *places;
    size_t n;

    c->over = c->over || c->order.n + ch->sorted.n > IMAP_CONTEXT_SORTED;
    if (c->over)
        return;
    if (ch->removed.n > 0) {
        places = imap_order_remove(&c->order, &ch->removed, &n);
        tell_sorted(s, c, false, places, n);
    }
    if (ch->sorted.n > 0) {
        places = imap_order_insert(s, &c->order, &ch->sorted);
        tell_sorted(s, c, true, places, ch->sorted.n);
    }
}

/* Goes on with the touched messages in one context; true when all have been looked at. */
static bool look_at_touched(struct imap_session *s, struct imap_context *c)
{
    struct changes ch;
    bool over = false;
    uint32_t uid = 0;

    uidset_init(&ch.added);
    uidset_init(&ch.removed);
    imap_sort_again(&ch.sorted, &c->order.by);
    while (!over && !c->over && (uid = imap_seqs_next(&s->touched, &s->tell.touched_range, &s->tell.touched_next)) != 0) {
        look_at(s, c, uid, &ch);
        over = c->program.root->cost > SEARCH_COST_RECORD ? imap_slice_spent(s) : imap_slice_over(s);
        over |= ch.sorted.n == SORTED_AT_ONCE;
    }
    if (c->sorted)
        change_sorted(s, c, &ch);
    else {
        put_update(s, c, "REMOVEFROM", &ch.removed);
        put_update(s, c, "ADDTO", &ch.added);
    }
    uidset_free(&ch.added);
    uidset_free(&ch.removed);
    imap_sort_free(&ch.sorted);
    return uid == 0 || c->over;
}

bool imap_context_step(struct imap_session *s)
{
    struct imap_context *c = s->contexts;

    for (unsigned i = 0; c != NULL && i < s->tell.context; i++)
        c = c->next;
    for (; c != NULL; c = c->next) {
        while (!look_at_touched(s, c))
            if (imap_slice_spent(s))
                return false;
        s->tell.context++;
        s->tell.touched_range = s->tell.touched_next = 0;
    }
    give_up_large(s);
    uidset_free(&s->touched);
    return true;
}
