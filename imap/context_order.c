/*
 * The order of a SORT that goes on (RFC 5267 4.3). Where a message belongs is found by halving: the keys of the messages that are
 * compared are taken from their digests. So a result costs four octets, and its place can be found again in another process.
 * Messages that are expunged, but not told to be yet, may have no digest any more: they are passed over.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "imap/context.h"
#include "imap/respond.h"

#define RANGES_A_LINE 350

struct imap_place *imap_order_remove(struct imap_order *order, const struct uidset *uids, size_t *n_out)
{
    struct imap_place *places = xreallocarray(NULL, (size_t)uidset_count(uids) + 1, sizeof(*places));
    size_t kept = 0, n = 0;

    for (size_t i = 0; i < order->n; i++) {
        if (uidset_has(uids, order->uids[i]))
            places[n++] = (struct imap_place){(uint32_t)kept + 1, order->uids[i]};
        else
            order->uids[kept++] = order->uids[i];
    }
    order->n = kept;
    *n_out = n;
    return places;
}

/* --- insertion ----------------------------------------------------------------------------------------------------------------
 */

/* The index that is not more than at, and not less than low, of a message that is still there; at + 1: none. */
static size_t find_living(struct imap_session *s, const struct imap_order *order, size_t low, size_t at, struct imap_message *m)
{
    for (size_t i = at + 1; i > low; i--) {
        uint32_t seq = mailbox_view_seq(s->view, order->uids[i - 1]);

        if (seq == 0)
            continue;
        imap_message_open(s, m, seq);
        if (!m->info.expunged)
            return i - 1;
        imap_message_close(m);
    }
    return at + 1;
}

/* How many of the results come before message i of added; at least low do. */
static size_t find_place(struct imap_session *s, const struct imap_order *order, struct imap_sorter *added, size_t i, size_t low)
{
    size_t high = order->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        struct imap_message m = {.seq = 0};
        size_t at = find_living(s, order, low, mid, &m);

        if (at <= mid && imap_sort_compare(s, added, i, &m, order->uids[at]) < 0)
            high = at;
        else
            low = mid + 1;
        if (at <= mid)
            imap_message_close(&m);
    }
    return low;
}

struct imap_place *imap_order_insert(struct imap_session *s, struct imap_order *order, struct imap_sorter *added)
{
    size_t n = added->n, from = 0, to = 0, low = 0;
    uint32_t *uids = xreallocarray(NULL, order->n + n + 1, sizeof(*uids));
    struct imap_place *places = xreallocarray(NULL, n + 1, sizeof(*places));

    while (!imap_sort_step(s, added))
        ; /* few at a time */
    for (size_t i = 0; i < n; i++) {
        low = find_place(s, order, added, i, low);
        while (from < low)
            uids[to++] = order->uids[from++];
        uids[to++] = imap_sort_number(added, i);
        places[i] = (struct imap_place){(uint32_t)to, uids[to - 1]};
    }
    while (from < order->n)
        uids[to++] = order->uids[from++];
    free(order->uids);
    order->uids = uids; /* transferred */
    order->n = to;
    return places;
}

/* --- telling -------------------------------------------------------------------------------------------------------------------
 */

/* Does b belong to the set that a is in? One that is removed leaves its place to the next one. */
static bool goes_on(const struct imap_place *a, const struct imap_place *b, bool added)
{
    return b->position == a->position + (added ? 1 : 0);
}

/* A range that rises by one, from *at on; *at is set behind it. */
static void put_range(struct buf *out, const struct imap_place *places, size_t n, bool added, size_t *at)
{
    size_t first = *at, last = first;

    while (last + 1 < n && goes_on(&places[last], &places[last + 1], added) && places[last + 1].number == places[last].number + 1)
        last++;
    buf_put_dec(out, places[first].number);
    if (last > first) {
        buf_put_byte(out, ':');
        buf_put_dec(out, places[last].number);
    }
    *at = last + 1;
}

void imap_order_tell(struct imap_session *s, const struct imap_context *c, bool added, const struct imap_place *places, size_t n)
{
    for (size_t at = 0; at < n;) {
        struct buf *out = imap_out(s);

        buf_put_str(out, "* ESEARCH (TAG ");
        imap_put_string(s, out, c->tag);
        buf_put_str(out, c->uid ? ") UID " : ") ");
        buf_put_str(out, added ? "ADDTO (" : "REMOVEFROM (");
        for (size_t ranges = 0; at < n && ranges < RANGES_A_LINE; ranges++) {
            if (ranges > 0 && goes_on(&places[at - 1], &places[at], added))
                buf_put_byte(out, ',');
            else {
                buf_put_str(out, ranges > 0 ? " " : "");
                buf_put_dec(out, places[at].position);
                buf_put_byte(out, ' ');
            }
            put_range(out, places, n, added, &at);
        }
        buf_put_str(out, ")\r\n");
    }
}

/* --- records -------------------------------------------------------------------------------------------------------------------
 */

void imap_order_encode(struct buf *out, const struct imap_order *order)
{
    for (size_t i = 0; i < order->n; i++)
        buf_put_u32(out, order->uids[i]);
}

static int cmp_uid(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* Every result once. */
static bool is_whole(const struct uidset *results, const uint32_t *uids, size_t n)
{
    uint32_t *sorted = xreallocarray(NULL, n + 1, sizeof(*sorted));
    bool good = true;

    memcpy(sorted, uids, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), cmp_uid);
    for (size_t i = 0; i < n && good; i++)
        good = uidset_has(results, sorted[i]) && (i == 0 || sorted[i] != sorted[i - 1]);
    free(sorted);
    return good;
}

void imap_order_decode(struct cursor *c, const struct uidset *results, struct imap_order *order)
{
    uint64_t n = uidset_count(results);

    if (c->failed || n > IMAP_CONTEXT_SORTED || n > cursor_left(c) / sizeof(uint32_t)) {
        cursor_fail(c);
        return;
    }
    order->uids = xreallocarray(NULL, (size_t)n + 1, sizeof(*order->uids));
    for (order->n = 0; order->n < n; order->n++)
        order->uids[order->n] = cursor_u32(c);
    if (!is_whole(results, order->uids, order->n))
        cursor_fail(c);
}

void imap_order_free(struct imap_order *order)
{
    free(order->uids);
    free(order->gone);
    *order = (struct imap_order){.n = 0};
}
