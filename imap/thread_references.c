/*
 * THREAD=REFERENCES (RFC 5256 BASE.6.4.THREAD), its six steps in its words. While messages are added only parents are kept (step
 * 1); lists of children are made once, after what is no message has been left out (2, 3). Ancestors are looked at up to a depth
 * that no honest thread has: beyond it a link counts as a loop, so that no sender can make this slow.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "imap/thread.h"
#include "storage/message/envelope.h"

#define DEPTH_MAX 1000
#define REFERENCES_MAX 200 /* of one message, the last ones */
#define ID_MAX 4096

/* Would making a the parent of b be a loop? */
static bool is_loop(const struct imap_thread *t, uint32_t a, uint32_t b)
{
    unsigned depth = 0;

    for (; a != 0; a = t->nodes[a].parent)
        if (a == b || ++depth > DEPTH_MAX)
            return true;
    return false;
}

static uint32_t node_of(struct imap_thread *t, struct view id)
{
    uint32_t node = imap_thread_find(t, imap_thread_id, id, 0);

    if (node != 0)
        return node;
    node = imap_thread_node_new(t);
    t->nodes[node].id = buf_len(&t->strings);
    t->nodes[node].id_len = id.len;
    buf_put_view(&t->strings, id);
    (void)imap_thread_find(t, imap_thread_id, id, node);
    return node;
}

/* The node of a message: its own when the id is missing or another message has it already. */
static uint32_t own_node(struct imap_thread *t, struct view raw)
{
    struct buf id;
    uint32_t node = 0;

    buf_init(&id, ID_MAX);
    if (message_id_next(&raw, &id) && buf_ok(&id)) {
        node = node_of(t, buf_view(&id));
        if (t->nodes[node].number != 0)
            node = 0;
    }
    buf_free(&id);
    return node != 0 ? node : imap_thread_node_new(t);
}

static struct view last_references(struct view all)
{
    size_t n = 0;

    for (size_t i = all.len; i > 0; i--)
        if (all.ptr[i - 1] == ' ' && ++n == REFERENCES_MAX)
            return view_sub(all, i, all.len);
    return all;
}

void imap_thread_link(struct imap_thread *t, struct view id, struct view references, uint32_t *node_out)
{
    struct view rest = last_references(references);
    uint32_t node = own_node(t, id), before = 0;

    while (rest.len > 0) {
        size_t blank = view_find(rest, ' ');
        struct view ref = view_sub(rest, 0, blank);
        uint32_t at;

        rest = view_sub(rest, blank + 1, rest.len);
        if (ref.len == 0 || ref.len > ID_MAX)
            continue;
        at = node_of(t, ref);
        if (before != 0 && t->nodes[at].parent == 0 && !is_loop(t, before, at))
            t->nodes[at].parent = before;
        before = at;
    }
    t->nodes[node].parent = 0;
    if (before != 0 && !is_loop(t, before, node))
        t->nodes[node].parent = before;
    *node_out = node;
}

#define UNKNOWN UINT32_MAX

/* Steps 2 and 3: the nearest ancestor that is a message, or the head of the thread. Noted for all on the way, so that long chains
 * of missing messages are walked once. */
static void keep_parent(const struct imap_thread *t, uint32_t *parents, uint32_t node)
{
    uint32_t at = t->nodes[node].parent, found, next;

    while (at != 0 && t->nodes[at].number == 0 && t->nodes[at].parent != 0 && parents[at] == UNKNOWN)
        at = t->nodes[at].parent;
    found = at != 0 && t->nodes[at].number == 0 && t->nodes[at].parent != 0 ? parents[at] : at;
    do {
        next = t->nodes[node].parent;
        parents[node] = found;
        node = next;
    } while (node != at);
}

static void add_child(struct imap_thread *t, uint32_t parent, uint32_t child)
{
    t->nodes[child].parent = parent;
    t->nodes[child].next = t->nodes[parent].child;
    t->nodes[parent].child = child;
}

static void make_children(struct imap_thread *t)
{
    uint32_t *parents = xreallocarray(NULL, t->n, sizeof(*parents));

    for (uint32_t i = 0; i < t->n; i++)
        parents[i] = UNKNOWN;
    for (uint32_t i = 1; i < t->n; i++)
        if (parents[i] == UNKNOWN)
            keep_parent(t, parents, i);
    for (uint32_t i = t->n - 1; i > 0; i--)
        if (t->nodes[i].number != 0 && parents[i] != 0)
            add_child(t, parents[i], i);
    for (uint32_t i = t->n - 1; i > 0; i--) {
        struct imap_thread_node *node = &t->nodes[i];

        if (parents[i] != 0 || (node->number == 0 && node->child == 0))
            continue; /* not a head, or nothing is left of it */
        if (node->number == 0 && t->nodes[node->child].next == 0) {
            uint32_t only = node->child;

            node->child = 0;
            add_child(t, 0, only);
        } else
            add_child(t, 0, i);
    }
    free(parents);
}

/* A head that is no message goes by its first child. */
static void date_heads(struct imap_thread *t)
{
    for (uint32_t i = t->nodes[0].child; i != 0; i = t->nodes[i].next) {
        if (t->nodes[i].number != 0)
            continue;
        imap_thread_sort_children(t, i);
        t->nodes[i].date = t->nodes[t->nodes[i].child].date;
        t->nodes[i].subject = t->nodes[t->nodes[i].child].subject;
        t->nodes[i].subject_len = t->nodes[t->nodes[i].child].subject_len;
    }
}

/* Step 5.B. */
static void fill_subjects(struct imap_thread *t)
{
    imap_thread_table_clear(t);
    for (uint32_t i = t->nodes[0].child; i != 0; i = t->nodes[i].next) {
        struct view subject = imap_thread_subject(t, i);
        const struct imap_thread_node *node = &t->nodes[i], *have;
        uint32_t at = subject.len == 0 ? 0 : imap_thread_find(t, imap_thread_subject, subject, i);

        if (at == 0)
            continue;
        have = &t->nodes[at];
        if (have->number != 0 && (node->number == 0 || (have->reply && !node->reply)))
            imap_thread_replace(t, imap_thread_subject, subject, i);
    }
}

static void append_children(struct imap_thread *t, uint32_t to, uint32_t from)
{
    uint32_t next;

    for (uint32_t c = t->nodes[from].child; c != 0; c = next) {
        next = t->nodes[c].next;
        add_child(t, to, c);
    }
    t->nodes[from].child = 0;
}

/* Step 5.C for one head; true: it is a head no more. */
static bool merge_head(struct imap_thread *t, uint32_t at)
{
    struct view subject = imap_thread_subject(t, at);
    uint32_t have = subject.len == 0 ? at : imap_thread_find(t, imap_thread_subject, subject, 0), both;

    if (have == 0 || have == at)
        return false;
    if (t->nodes[have].number == 0) {
        if (t->nodes[at].number == 0)
            append_children(t, have, at);
        else
            add_child(t, have, at);
        return true;
    }
    if (t->nodes[at].reply && !t->nodes[have].reply) {
        add_child(t, have, at);
        return true;
    }
    /* A new head for both takes the place of the one in the table: its own node goes on as a message below. */
    both = imap_thread_node_new(t);
    t->nodes[both] = t->nodes[have];
    t->nodes[both].next = 0;
    for (uint32_t c = t->nodes[both].child; c != 0; c = t->nodes[c].next)
        t->nodes[c].parent = both;
    t->nodes[have].number = 0;
    t->nodes[have].child = 0;
    t->nodes[have].reply = false;
    add_child(t, have, both);
    add_child(t, have, at);
    return true;
}

static void merge_subjects(struct imap_thread *t)
{
    uint32_t at = t->nodes[0].child, heads = 0, next;

    t->nodes[0].child = 0;
    for (; at != 0; at = next) {
        next = t->nodes[at].next;
        if (!merge_head(t, at)) {
            t->nodes[at].next = heads;
            heads = at;
        }
    }
    t->nodes[0].child = heads;
}

void imap_thread_by_references(struct imap_thread *t)
{
    if (t->n == 0)
        return;
    make_children(t);
    date_heads(t);
    imap_thread_sort_children(t, 0); /* step 4 */
    fill_subjects(t);
    merge_subjects(t);
    for (uint32_t i = 1; i < t->n; i++) /* step 6 */
        imap_thread_sort_children(t, i);
    date_heads(t);
    imap_thread_sort_children(t, 0);
}

/* Gives each head the date of the latest message below it. Goes down and up the tree by its links. */
static void date_by_latest(struct imap_thread *t)
{
    for (uint32_t head = t->nodes[0].child; head != 0; head = t->nodes[head].next) {
        int64_t latest = t->nodes[head].number != 0 ? t->nodes[head].date : INT64_MIN;
        uint32_t at = head;

        for (;;) {
            if (t->nodes[at].child != 0)
                at = t->nodes[at].child;
            else {
                while (at != head && t->nodes[at].next == 0)
                    at = t->nodes[at].parent;
                if (at == head)
                    break;
                at = t->nodes[at].next;
            }
            latest = MAX_OF(latest, t->nodes[at].date);
        }
        t->nodes[head].date = latest;
    }
}

void imap_thread_by_refs(struct imap_thread *t)
{
    if (t->n == 0)
        return;
    make_children(t);
    for (uint32_t i = 1; i < t->n; i++)
        imap_thread_sort_children(t, i);
    date_by_latest(t);
    imap_thread_sort_children(t, 0);
}
