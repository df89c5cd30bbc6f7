/*
 * All names are looked at in one pass in storage's order (children follow their parent), what matches is noted, and the responses
 * are written from the notes in slices. A name that lacks the selection criterion but has descendants with it gets CHILDINFO from
 * them (RFC 5258 3.5; for LSUB RFC 3501 6.3.9), so ancestors stay within reach as a stack of levels; ancestors that are no names
 * of their own are made up.
 */
#include "imap/list.h"

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "imap/names.h"
#include "imap/respond.h"
#include "imap/rights.h"
#include "imap/status_items.h"

#define ITEMS_MAX (16 * 1024 * 1024)
#define LEVELS_MAX 64

enum item_flags {
    ITEM_SELECTED = 1, /* has what the selection asks for */
    ITEM_MAILBOX = 2,
    ITEM_SUBSCRIBED = 4,
    ITEM_CHILDREN = 8,
    ITEM_CHILDINFO = 16,    /* descendants have it */
    ITEM_CHILD_HIDDEN = 32, /* and one of them does not match a pattern itself */
    ITEM_NOSELECT = 64      /* a mailbox that the session may not read */
};

static bool selected(const struct imap_list_args *a, const struct mailbox_entry *e)
{
    if ((a->select & LIST_SEL_SUBSCRIBED) != 0 && !e->subscribed)
        return false;
    if ((a->select & LIST_SEL_SPECIAL) != 0 && e->use == 0)
        return false;
    if ((a->select & (LIST_SEL_SUBSCRIBED | LIST_SEL_SPECIAL)) != 0)
        return true;
    return e->mailbox != NULL || e->has_children;
}

static bool matches(const struct imap_list_args *a, struct view name)
{
    for (size_t i = 0; i < a->nmatches; i++)
        if (imap_match_name(a->matches[i], name))
            return true;
    return false;
}

static void mark_ancestors(struct imap_list_args *a, bool hidden)
{
    for (size_t i = 0; i < a->nlevels; i++) {
        if (a->levels[i].item != SIZE_MAX)
            a->items.data[a->items.off + a->levels[i].item] |= (uint8_t)(ITEM_CHILDINFO | (hidden ? ITEM_CHILD_HIDDEN : 0));
    }
}

static void look_at(struct imap_list_args *a, const struct mailbox_entry *e)
{
    bool chosen = selected(a, e), matched = matches(a, e->name);
    size_t at = SIZE_MAX;

    if (chosen && (a->select & LIST_SEL_RECURSIVE) != 0)
        mark_ancestors(a, !matched);
    if (matched && (chosen || (a->select & LIST_SEL_RECURSIVE) != 0)) {
        at = buf_len(&a->items);
        buf_put_u8(&a->items, (uint8_t)((chosen ? ITEM_SELECTED : 0) | (e->mailbox != NULL ? ITEM_MAILBOX : 0) |
                                        (e->mailbox != NULL && !imap_may(e->mailbox, ACL_READ) ? ITEM_NOSELECT : 0) |
                                        (e->subscribed ? ITEM_SUBSCRIBED : 0) | (e->has_children ? ITEM_CHILDREN : 0)));
        buf_put_u32(&a->items, e->use);
        buf_put_view16(&a->items, e->name);
        if (!buf_ok(&a->items))
            at = SIZE_MAX;
    }
    if (a->nlevels < LEVELS_MAX)
        a->levels[a->nlevels++] = (struct imap_list_level){e->name.len, at};
}

static bool on_entry(void *arg, const struct mailbox_entry *e)
{
    struct imap_list_args *a = arg;
    struct view last = buf_view(&a->last);
    size_t from = 0;

    while (a->nlevels > 0) {
        size_t len = a->levels[a->nlevels - 1].len;

        if (e->name.len > len && e->name.ptr[len] == '/' && memcmp(e->name.ptr, last.ptr, len) == 0) {
            from = len + 1;
            break;
        }
        a->nlevels--;
    }
    for (size_t i = from; i < e->name.len; i++) {
        if (e->name.ptr[i] == '/' && i > 0) {
            struct mailbox_entry parent = {.name = view_sub(e->name, 0, i)};

            look_at(a, &parent);
        }
    }
    buf_reset(&a->last);
    buf_put_view(&a->last, e->name);
    look_at(a, e);
    return buf_ok(&a->items);
}

static void compile(struct imap_job *job, struct imap_list_args *a)
{
    for (size_t i = 0; i < a->npatterns; i++) {
        struct buf whole;
        struct view pattern;

        if (a->extended && a->patterns[i].len == 0)
            continue; /* RFC 5258 3: ignored */
        buf_init(&whole, 2 * IMAP_PATTERN_MAX);
        buf_put_view(&whole, a->reference);
        buf_put_view(&whole, a->patterns[i]);
        if (buf_ok(&whole) && imap_name_decode(job->s, &job->pool, buf_view(&whole), &pattern) == 0)
            a->matches[a->nmatches++] = imap_match_new(pattern);
        buf_free(&whole);
    }
}

static enum imap_step collect(struct imap_job *job, struct imap_list_args *a)
{
    buf_init(&a->items, ITEMS_MAX);
    buf_init(&a->last, 4096);
    a->collected = true;
    a->levels = imap_pool_alloc(&job->pool, LEVELS_MAX * sizeof(*a->levels));
    if (a->levels == NULL)
        return imap_job_fail(job, ERR_LIMIT);
    compile(job, a);
    account_each_visible(job->s->acc, on_entry, a);
    return buf_ok(&a->items) ? IMAP_STEP_AGAIN : imap_job_fail(job, ERR_LIMIT);
}

static void put_attributes(const struct imap_list_args *a, struct buf *out, unsigned flags, unsigned use)
{
    bool first = true;

    buf_put_byte(out, '(');
    if (a->lsub) {
        if ((flags & ITEM_SELECTED) == 0)
            imap_put_item(out, &first, "\\Noselect");
    } else {
        if ((flags & ITEM_MAILBOX) == 0)
            imap_put_item(out, &first, a->extended ? "\\NonExistent" : "\\Noselect");
        if ((flags & ITEM_NOSELECT) != 0) /* RFC 5819 2 */
            imap_put_item(out, &first, "\\Noselect");
        imap_put_item(out, &first, (flags & ITEM_CHILDREN) != 0 ? "\\HasChildren" : "\\HasNoChildren");
        if ((flags & ITEM_SUBSCRIBED) != 0 && ((a->select & LIST_SEL_SUBSCRIBED) != 0 || (a->ret & LIST_RET_SUBSCRIBED) != 0))
            imap_put_item(out, &first, "\\Subscribed");
        imap_put_uses(out, use, &first);
    }
    buf_put_byte(out, ')');
}

static void put_item(struct imap_session *s, const struct imap_list_args *a, unsigned flags, unsigned use, struct view name)
{
    struct buf *out = imap_out(s);
    const struct mailbox *m;

    buf_put_str(out, a->lsub ? "* LSUB " : "* LIST ");
    put_attributes(a, out, flags, use);
    buf_put_str(out, " \"");
    buf_put_byte(out, (uint8_t)imap_separator(s));
    buf_put_str(out, "\" ");
    imap_put_mailbox(s, out, name);
    if (!a->lsub && (flags & ITEM_CHILDINFO) != 0) {
        bool first = true;

        buf_put_str(out, " (\"CHILDINFO\" (");
        if ((a->select & LIST_SEL_SUBSCRIBED) != 0)
            imap_put_item(out, &first, "\"SUBSCRIBED\"");
        if ((a->select & LIST_SEL_SPECIAL) != 0)
            imap_put_item(out, &first, "\"SPECIAL-USE\"");
        buf_put_str(out, "))");
    }
    buf_put_str(out, "\r\n");
    if ((flags & ITEM_SELECTED) == 0)
        return; /* RFC 8440 4: it is listed for its children's sake */
    m = (flags & ITEM_MAILBOX) != 0 ? account_find(s->acc, name) : NULL;
    if (m != NULL && (a->ret & LIST_RET_MYRIGHTS) != 0)
        imap_put_myrights(s, name, m);
    if (m != NULL && (a->ret & LIST_RET_STATUS) != 0 && imap_may(m, ACL_READ))
        imap_status_put(s, name, m, a->status);
}

/* True when they are all written. */
static bool put_annotations(struct imap_job *job, struct imap_list_args *a)
{
    const struct mailbox *m = account_find(job->s->acc, a->annotated);

    if (m != NULL && imap_may_annotate(m) && !imap_metadata_put(job, a->annotated, m, &a->metadata, &a->annotations))
        return false;
    a->annotated.len = 0;
    a->annotations = (struct imap_metadata_put){0};
    return true;
}

static void put_next(struct imap_session *s, struct imap_list_args *a, struct view items)
{
    struct cursor c = cursor_make(view_sub(items, a->pos, items.len));
    unsigned flags = cursor_u8(&c), use = cursor_u32(&c);
    struct view name = cursor_view16(&c, UINT16_MAX);

    a->pos = items.len - cursor_left(&c);
    if ((flags & (ITEM_SELECTED | ITEM_CHILD_HIDDEN)) == 0)
        return;
    put_item(s, a, flags, use, name);
    if ((a->ret & LIST_RET_METADATA) != 0 && (flags & ITEM_MAILBOX) != 0 && (flags & ITEM_SELECTED) != 0)
        a->annotated = name;
}

enum imap_step imap_list_step(struct imap_job *job)
{
    struct imap_list_args *a = job->args;
    struct imap_session *s = job->s;
    struct view items;

    if (!a->collected && collect(job, a) == IMAP_STEP_DONE)
        return IMAP_STEP_DONE;
    if ((a->ret & LIST_RET_STATUS) != 0)
        imap_status_enable(s, a->status);
    items = buf_view(&a->items);
    while (a->annotated.len > 0 || a->pos < items.len) {
        if (a->annotated.len > 0) {
            if (!put_annotations(job, a))
                return IMAP_STEP_AGAIN;
        } else
            put_next(s, a, items);
        if (imap_slice_over(s))
            return IMAP_STEP_AGAIN;
    }
    return imap_job_ok(job, a->lsub ? "LSUB completed" : "LIST completed");
}

void imap_list_drop(struct imap_job *job)
{
    struct imap_list_args *a = job->args;

    for (size_t i = 0; i < a->nmatches; i++)
        imap_match_free(&a->matches[i]);
    buf_free(&a->items);
    buf_free(&a->last);
}
