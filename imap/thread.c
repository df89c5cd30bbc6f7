#include "imap/thread.h"

#include <stdlib.h>
#include <time.h>

#include <xxhash.h>

#include "common/base/mem.h"
#include "imap/respond.h"
#include "imap/sort.h"

#define STRINGS_MAX (128 * 1024 * 1024)
#define NODES_MAX (4 * 1024 * 1024)
#define STRING_MAX 1000 /* octets of a subject or an id that count */

uint32_t imap_thread_node_new(struct imap_thread *t)
{
    if (t->n == t->cap) {
        t->cap = t->cap == 0 ? 256 : t->cap * 2;
        t->nodes = xreallocarray(t->nodes, t->cap, sizeof(*t->nodes));
    }
    if (t->n == 0)
        t->nodes[t->n++] = (struct imap_thread_node){0};
    if (t->n == t->cap)
        return imap_thread_node_new(t);
    t->nodes[t->n] = (struct imap_thread_node){0};
    return t->n++;
}

static struct view get_string(const struct imap_thread *t, size_t at, size_t len)
{
    return view_sub(buf_view(&t->strings), at, len);
}

struct view imap_thread_subject(const struct imap_thread *t, uint32_t node)
{
    return get_string(t, t->nodes[node].subject, t->nodes[node].subject_len);
}

struct view imap_thread_id(const struct imap_thread *t, uint32_t node)
{
    return get_string(t, t->nodes[node].id, t->nodes[node].id_len);
}

/* --- the table: open addressing. Keys come from senders, so the hash has a seed that they cannot know. -----------------------
 */

static size_t slot_of(const struct imap_thread *t, imap_thread_key *key, struct view wanted)
{
    size_t slot = (size_t)XXH3_64bits_withSeed(wanted.ptr, wanted.len, t->seed) & (t->slots - 1);

    while (t->table[slot] != 0 && !view_eq(key(t, t->table[slot]), wanted))
        slot = (slot + 1) & (t->slots - 1);
    return slot;
}

static void grow(struct imap_thread *t, imap_thread_key *key)
{
    uint32_t *old = t->table;
    size_t slots = t->slots;

    t->slots = slots == 0 ? 1024 : slots * 2;
    t->table = xcalloc(t->slots, sizeof(*t->table));
    for (size_t i = 0; i < slots; i++)
        if (old[i] != 0)
            t->table[slot_of(t, key, key(t, old[i]))] = old[i];
    free(old);
}

uint32_t imap_thread_find(struct imap_thread *t, imap_thread_key *key, struct view wanted, uint32_t add)
{
    size_t slot;

    if (t->slots == 0) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        t->seed = ((uint64_t)now.tv_nsec << 32) ^ (uint64_t)(uintptr_t)t ^ (uint64_t)now.tv_sec;
    }
    if (t->used * 2 >= t->slots)
        grow(t, key);
    slot = slot_of(t, key, wanted);
    if (t->table[slot] == 0 && add != 0) {
        t->table[slot] = add;
        t->used++;
        return 0;
    }
    return t->table[slot];
}

void imap_thread_replace(struct imap_thread *t, imap_thread_key *key, struct view wanted, uint32_t node)
{
    t->table[slot_of(t, key, wanted)] = node;
}

void imap_thread_table_clear(struct imap_thread *t)
{
    free(t->table);
    t->table = NULL;
    t->slots = t->used = 0;
}

/* --- messages --------------------------------------------------------------------------------------------------------------- */

static size_t put_string(struct imap_thread *t, struct view v, size_t *len_out)
{
    size_t at = buf_len(&t->strings);

    *len_out = MIN_OF(v.len, (size_t)STRING_MAX);
    buf_put_view(&t->strings, view_sub(v, 0, STRING_MAX));
    return at;
}

int imap_thread_add(struct imap_session *s, struct imap_thread *t, struct imap_message *m, uint32_t number,
                    enum imap_thread_by by)
{
    struct digest d = {.sent_date = INT64_MIN};
    struct buf subject = {.max = 0};
    struct imap_thread_node *node;
    uint32_t index = 0;

    if (t->strings.max == 0)
        buf_init(&t->strings, STRINGS_MAX);
    if (imap_message_summary(s, m, &d) != 0)
        d = (struct digest){.sent_date = INT64_MIN};
    if (by == THREAD_ORDEREDSUBJECT)
        index = imap_thread_node_new(t);
    else
        imap_thread_link(t, d.envelope.message_id, d.references, &index);
    node = &t->nodes[index];
    node->number = number;
    node->date = by == THREAD_REFS ? m->info.date : imap_sent_date(m, &d);
    node->reply = d.subject_is_reply;
    node->subject = put_string(t, imap_message_subject(&d, t->collation, &subject), &node->subject_len);
    buf_free(&subject);
    return buf_ok(&t->strings) && t->n < NODES_MAX ? 0 : ERR_LIMIT;
}

/* --- order --------------------------------------------------------------------------------------------------------------------
 */

static int by_date(const void *a, const void *b, void *arg)
{
    const struct imap_thread *t = arg;
    const struct imap_thread_node *x = &t->nodes[*(const uint32_t *)a], *y = &t->nodes[*(const uint32_t *)b];

    if (x->date != y->date)
        return x->date < y->date ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

void imap_thread_sort_children(struct imap_thread *t, uint32_t node)
{
    uint32_t *children, *to = &t->nodes[node].child;
    size_t n = 0, i = 0;

    for (uint32_t c = t->nodes[node].child; c != 0; c = t->nodes[c].next)
        n++;
    if (n < 2)
        return;
    children = xreallocarray(NULL, n, sizeof(*children));
    for (uint32_t c = t->nodes[node].child; c != 0; c = t->nodes[c].next)
        children[i++] = c;
    qsort_r(children, n, sizeof(*children), by_date, t);
    for (i = 0; i < n; i++) {
        *to = children[i];
        to = &t->nodes[children[i]].next;
    }
    *to = 0;
    free(children);
}

/* --- the answer ---------------------------------------------------------------------------------------------------------------
 */

static void push(struct imap_thread *t, uint32_t node)
{
    if (t->depth == t->stack_cap) {
        t->stack_cap = t->stack_cap == 0 ? 64 : t->stack_cap * 2;
        t->stack = xreallocarray(t->stack, t->stack_cap, sizeof(*t->stack));
    }
    t->stack[t->depth++] = node;
}

/* A thread or branch: down to its end, or to where it splits. */
static void put_branch(struct imap_session *s, struct imap_thread *t, uint32_t at)
{
    struct buf *out = imap_out(s);
    bool first = true;

    buf_put_byte(out, '(');
    for (;;) {
        const struct imap_thread_node *node = &t->nodes[at];

        if (node->number != 0) {
            if (!first)
                buf_put_byte(out, ' ');
            buf_put_dec(out, node->number);
            first = false;
        }
        if (node->child == 0) {
            buf_put_byte(out, ')');
            return;
        }
        if (t->nodes[node->child].next != 0) {
            if (!first)
                buf_put_byte(out, ' ');
            push(t, node->child);
            return;
        }
        at = node->child;
    }
}

bool imap_thread_put(struct imap_session *s, struct imap_thread *t)
{
    if (!t->begun && t->n > 0)
        push(t, t->nodes[0].child);
    t->begun = true;
    while (t->depth > 0) {
        uint32_t at = t->stack[t->depth - 1];

        if (at == 0) {
            if (--t->depth > 0)
                buf_put_byte(imap_out(s), ')'); /* of what has split */
        } else {
            t->stack[t->depth - 1] = t->nodes[at].next;
            put_branch(s, t, at);
        }
        if (imap_slice_over(s))
            return t->depth == 0;
    }
    return true;
}

void imap_thread_free(struct imap_thread *t)
{
    free(t->nodes);
    free(t->table);
    free(t->stack);
    buf_free(&t->strings);
}
