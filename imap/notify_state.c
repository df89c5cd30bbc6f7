/* What there is to be told of an account's mailboxes, as one array in the order of names, and the differences of two of them. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "imap/notify.h"
#include "imap/respond.h"
#include "imap/rights.h"
#include "imap/status_items.h"

#define NAMES_MAX ((size_t)16 << 20)

static void take_status(struct imap_notify_name *n, const struct mailbox *m)
{
    struct mailbox_status status;

    mailbox_status(m, &status);
    n->uidvalidity = status.uidvalidity;
    n->uidnext = status.uidnext;
    n->messages = status.messages;
    n->unseen = status.unseen;
    n->modseq = status.highestmodseq;
}

static bool on_name(void *arg, const struct mailbox_entry *e)
{
    struct imap_notify_state *st = arg;
    struct imap_notify_name *n;

    if (st->n == NOTIFY_MAILBOXES_MAX) {
        st->overflow = true;
        return false;
    }
    if (st->n == st->cap) {
        st->cap = st->cap == 0 ? 16 : st->cap * 2;
        st->v = xreallocarray(st->v, st->cap, sizeof(*st->v));
    }
    n = &st->v[st->n++];
    *n = (struct imap_notify_name){
        .name = buf_len(&st->names), .len = e->name.len, .use = e->use, .subscribed = e->subscribed, .children = e->has_children};
    buf_put_view(&st->names, e->name);
    if (e->mailbox == NULL)
        return true;
    n->id = mailbox_id(e->mailbox);
    take_status(n, e->mailbox);
    n->readable = imap_may(e->mailbox, ACL_READ);
    return true;
}

static int by_id(const void *a, const void *b)
{
    uint32_t x = ((const struct imap_notify_key *)a)->id, y = ((const struct imap_notify_key *)b)->id;

    return x < y ? -1 : x > y;
}

static int by_name(const void *a, const void *b)
{
    return view_cmp(((const struct imap_notify_spelled *)a)->name, ((const struct imap_notify_spelled *)b)->name);
}

/* Names come nearly always in this order already, and ids as they were made. */
static void sort(void *v, size_t n, size_t size, int (*order)(const void *a, const void *b))
{
    const char *at = v;

    for (size_t i = 1; i < n; i++, at += size) {
        if (order(at, at + size) > 0) {
            qsort(v, n, size, order);
            return;
        }
    }
}

void imap_notify_state_init(struct imap_notify_state *state)
{
    *state = (struct imap_notify_state){0};
    buf_init(&state->names, NAMES_MAX);
}

void imap_notify_state_index(struct imap_notify_state *state)
{
    if (state->n == 0)
        return;
    state->by_id = xreallocarray(state->by_id, state->n, sizeof(*state->by_id));
    state->by_name = xreallocarray(state->by_name, state->n, sizeof(*state->by_name));
    for (size_t i = 0; i < state->n; i++) {
        state->by_id[i] = (struct imap_notify_key){state->v[i].id, (uint32_t)i};
        state->by_name[i] = (struct imap_notify_spelled){imap_notify_name(state, &state->v[i]), (uint32_t)i};
    }
    sort(state->by_id, state->n, sizeof(*state->by_id), by_id);
    sort(state->by_name, state->n, sizeof(*state->by_name), by_name);
}

void imap_notify_look(struct imap_session *s, struct imap_notify_state *out)
{
    imap_notify_state_init(out);
    account_each_visible(s->acc, on_name, out);
    out->overflow = out->overflow || !buf_ok(&out->names);
    imap_notify_state_index(out);
}

void imap_notify_state_free(struct imap_notify_state *state)
{
    free(state->v);
    free(state->by_id);
    free(state->by_name);
    buf_free(&state->names);
    *state = (struct imap_notify_state){0};
}

struct view imap_notify_name(const struct imap_notify_state *state, const struct imap_notify_name *n)
{
    return view_sub(buf_view(&state->names), n->name, n->len);
}

const struct imap_notify_name *imap_notify_find(const struct imap_notify_state *state, uint32_t id, struct view name)
{
    const struct imap_notify_key key = {id, 0}, *found;
    const struct imap_notify_spelled spelled = {name, 0}, *at;

    if (state->n == 0)
        return NULL;
    if (id != 0) {
        found = bsearch(&key, state->by_id, state->n, sizeof(key), by_id);
        return found == NULL ? NULL : &state->v[found->index];
    }
    at = bsearch(&spelled, state->by_name, state->n, sizeof(spelled), by_name);
    return at == NULL ? NULL : &state->v[at->index];
}

/* --- differences ------------------------------------------------------------------------------------------------------------ */

static unsigned items(const char *text)
{
    struct imap_pool none;
    struct imap_parse p;

    imap_pool_init(&none, 0);
    imap_parse_init(&p, view_str(text), &none);
    return imap_status_parse(&p);
}

/* e NULL: the name is nothing any more. old: empty, or the name before a RENAME. */
static void put_list(struct imap_session *s, struct view name, const struct imap_notify_name *e, struct view old)
{
    struct buf *out = imap_out(s);
    bool first = true;

    buf_put_str(out, "* LIST (");
    if (e == NULL || (e->id == 0 && !e->children))
        imap_put_item(out, &first, "\\NonExistent");
    else if (e->id == 0 || !e->readable)
        imap_put_item(out, &first, e->id == 0 ? "\\NonExistent" : "\\NoAccess");
    if (e != NULL) {
        imap_put_item(out, &first, e->children ? "\\HasChildren" : "\\HasNoChildren");
        if (e->subscribed)
            imap_put_item(out, &first, "\\Subscribed");
        imap_put_uses(out, e->use, &first);
    }
    buf_put_str(out, ") \"");
    buf_put_byte(out, (uint8_t)imap_separator(s));
    buf_put_str(out, "\" ");
    imap_put_mailbox(s, out, name);
    if (old.len > 0) {
        buf_put_str(out, " (\"OLDNAME\" (");
        imap_put_mailbox(s, out, old);
        buf_put_str(out, "))");
    }
    buf_put_str(out, "\r\n");
}

static struct view parent_of(struct view name)
{
    size_t n = name.len;

    while (n > 0 && name.ptr[n - 1] != '/')
        n--;
    return view_sub(name, 0, n == 0 ? 0 : n - 1);
}

/* The direct parent of a name that came or went is affected too (RFC 5465 5.4). */
static void put_parent(struct imap_session *s, const struct imap_notify_state *now, struct view name)
{
    struct view parent = parent_of(name);
    const struct imap_notify_name *e = parent.len == 0 ? NULL : imap_notify_find(now, 0, parent);

    if (e != NULL && (imap_notify_events(s->notify, parent, e) & EVENT_NAME) != 0)
        put_list(s, parent, e, (struct view){NULL, 0});
}

/* Was the mailbox renamed because one above it was? */
static bool moved_along(const struct imap_notify_state *told, struct view was, const struct imap_notify_state *now,
                        struct view is)
{
    struct view parent_was = parent_of(was), parent_is = parent_of(is);
    const struct imap_notify_name *a, *b;

    if (parent_was.len == 0 || parent_is.len == 0 || view_eq(parent_was, parent_is))
        return false;
    a = imap_notify_find(told, 0, parent_was);
    b = imap_notify_find(now, 0, parent_is);
    return a != NULL && b != NULL && a->id != 0 && a->id == b->id;
}

/* Messages of a mailbox that is not selected. */
static void compare_messages(struct imap_session *s, const struct mailbox *m, const struct imap_notify_name *was,
                             const struct imap_notify_name *is, unsigned events)
{
    bool condstore = (s->enabled & IMAP_ENABLED_CONDSTORE) != 0;
    unsigned what = 0;

    if ((events & EVENT_NEW) != 0 && (was->uidnext != is->uidnext || was->messages != is->messages))
        what |= items("(MESSAGES UIDNEXT)");
    if ((events & EVENT_FLAGS) != 0 && condstore && was->modseq != is->modseq)
        what |= items("(UIDVALIDITY HIGHESTMODSEQ)");
    if ((events & EVENT_FLAGS) != 0 && was->unseen != is->unseen)
        what |= items("(UIDVALIDITY UNSEEN)");
    if ((events & EVENTS_MESSAGE) != 0 && was->uidvalidity != is->uidvalidity)
        what |= items("(MESSAGES UIDNEXT UIDVALIDITY)");
    if (what != 0 && condstore)
        what |= items("(HIGHESTMODSEQ)");
    if (what != 0)
        imap_status_put(s, mailbox_name(m), m, what);
}

static void compare_one(struct imap_session *s, const struct imap_notify_state *now, const struct imap_notify_name *is)
{
    static const struct imap_notify_name nothing = {.uidnext = 1};
    const struct imap_notify *n = s->notify;
    struct view name = imap_notify_name(now, is), none = {NULL, 0};
    const struct imap_notify_name *was = imap_notify_find(&n->told, is->id, name);
    const struct mailbox *m = is->id == 0 ? NULL : account_find_id(s->acc, is->id);
    const struct mailbox *selected = s->view == NULL ? NULL : mailbox_view_mailbox(s->view);
    unsigned events = imap_notify_events(n, name, is);
    struct view old = was == NULL ? none : imap_notify_name(&n->told, was);
    bool renamed = was != NULL && !view_eq(old, name);
    bool listed = false;

    if (was == NULL && is->id != 0 && (events & EVENT_NAME) != 0) {
        put_list(s, name, is, none);
        put_parent(s, now, name);
        listed = true;
    } else if (renamed && (events | imap_notify_events(n, old, was)) & EVENT_NAME && !moved_along(&n->told, old, now, name)) {
        put_list(s, name, is, old);
        listed = true;
    } else if (was != NULL && was->readable != is->readable && (events & ~(unsigned)EVENT_SUBSCRIPTION) != 0) {
        put_list(s, name, is, none); /* RFC 5465 5.9 */
        listed = true;
    }
    if (!listed && (events & EVENT_SUBSCRIPTION) != 0 && (was != NULL && was->subscribed) != is->subscribed)
        put_list(s, name, is, none);
    if (m != NULL && m != selected && is->readable && (was != NULL || is->messages > 0))
        compare_messages(s, m, was == NULL ? &nothing : was, is, events);
}

/* Names that are not there any more, or not as mailboxes. */
static void compare_gone(struct imap_session *s, const struct imap_notify_state *now, const struct imap_notify_name *was)
{
    const struct imap_notify *n = s->notify;
    struct view name = imap_notify_name(&n->told, was), none = {NULL, 0};
    unsigned events = imap_notify_events(n, name, was);
    const struct imap_notify_name *left;

    if (was->id != 0 && imap_notify_find(now, was->id, name) != NULL)
        return;
    left = imap_notify_find(now, 0, name);
    if (was->id != 0 && (events & EVENT_NAME) != 0) {
        put_list(s, name, left != NULL && left->id == 0 ? left : NULL, none);
        put_parent(s, now, name);
    } else if (was->id == 0 && left == NULL && was->subscribed && (events & EVENT_SUBSCRIPTION) != 0)
        put_list(s, name, NULL, none);
}

struct changed {
    const struct imap_notify_state *told;
    uint32_t *indexes; /* in told */
    size_t n, cap;
};

static void on_changed(void *arg, const struct mailbox *m)
{
    struct changed *c = arg;
    const struct imap_notify_name *e = imap_notify_find(c->told, mailbox_id(m), (struct view){NULL, 0});

    if (e == NULL)
        return;
    if (c->n == c->cap) {
        c->cap = c->cap == 0 ? 16 : c->cap * 2;
        c->indexes = xreallocarray(c->indexes, c->cap, sizeof(*c->indexes));
    }
    c->indexes[c->n++] = (uint32_t)(e - c->told->v);
}

static int by_index(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

void imap_notify_compare_changed(struct imap_session *s)
{
    struct imap_notify_state *told = &s->notify->told;
    const struct mailbox *selected = s->view == NULL ? NULL : mailbox_view_mailbox(s->view);
    struct changed c = {.told = told};

    account_each_changed(s->acc, s->notify->changes, on_changed, &c);
    if (c.n > 0)
        qsort(c.indexes, c.n, sizeof(*c.indexes), by_index); /* in the order of names */
    for (size_t i = 0; i < c.n; i++) {
        struct imap_notify_name *was = &told->v[c.indexes[i]], is = *was;
        const struct mailbox *m = account_find_id(s->acc, was->id);

        take_status(&is, m);
        if (m != selected && is.readable)
            compare_messages(s, m, was, &is, imap_notify_events(s->notify, mailbox_name(m), &is));
        *was = is;
    }
    free(c.indexes);
}

void imap_notify_compare(struct imap_session *s, const struct imap_notify_state *now)
{
    const struct imap_notify_state *told = &s->notify->told;

    for (size_t i = 0; i < told->n; i++)
        compare_gone(s, now, &told->v[i]);
    for (size_t i = 0; i < now->n; i++)
        compare_one(s, now, &now->v[i]);
}
