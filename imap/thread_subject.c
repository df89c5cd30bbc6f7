/* THREAD=ORDEREDSUBJECT (RFC 5256 BASE.6.4.THREAD): messages of one base subject, the first of them the parent of the others. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "imap/thread.h"

static int by_subject(const void *a, const void *b, void *arg)
{
    const struct imap_thread *t = arg;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = view_cmp(imap_thread_subject(t, x), imap_thread_subject(t, y));

    if (order != 0)
        return order;
    if (t->nodes[x].date != t->nodes[y].date)
        return t->nodes[x].date < t->nodes[y].date ? -1 : 1;
    return x < y ? -1 : x > y;
}

void imap_thread_by_subject(struct imap_thread *t)
{
    uint32_t *order, head = 0, last = 0, *heads;
    size_t n = t->n == 0 ? 0 : t->n - 1;

    if (n == 0)
        return;
    order = xreallocarray(NULL, n, sizeof(*order));
    for (uint32_t i = 0; i < n; i++)
        order[i] = i + 1;
    qsort_r(order, n, sizeof(*order), by_subject, t);
    heads = &t->nodes[0].child;
    for (size_t i = 0; i < n; i++) {
        if (head == 0 || !view_eq(imap_thread_subject(t, head), imap_thread_subject(t, order[i]))) {
            head = last = order[i];
            *heads = head;
            heads = &t->nodes[head].next;
            continue;
        }
        if (last == head)
            t->nodes[head].child = order[i];
        else
            t->nodes[last].next = order[i];
        last = order[i];
    }
    imap_thread_sort_children(t, 0);
    free(order);
}
