/* Sorted ranges in one array: membership by binary search, growth at the end in O(1), changes in the middle by moving the rest.
 */
#include "storage/uidset.h"

#include <stdlib.h>

#include "common/base/mem.h"

void uidset_init(struct uidset *s)
{
    memset(s, 0, sizeof(*s));
}

void uidset_free(struct uidset *s)
{
    free(s->ranges);
    uidset_init(s);
}

/* Index of the first range whose last >= uid. */
static size_t range_at_or_after(const struct uidset *s, uint32_t uid)
{
    size_t lo = 0, hi = s->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (s->ranges[mid].last < uid)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Replaces ranges [from, to) by n new ones. */
static void ranges_replace(struct uidset *s, size_t from, size_t to, const struct uid_range *with, size_t n)
{
    size_t len = s->n - (to - from) + n;

    if (len > s->cap) {
        s->cap = MAX_OF(len, s->cap * 2);
        s->cap = MAX_OF(s->cap, (size_t)4);
        s->ranges = xreallocarray(s->ranges, s->cap, sizeof(*s->ranges));
    }
    if (s->n > to)
        memmove(s->ranges + from + n, s->ranges + to, (s->n - to) * sizeof(*s->ranges));
    for (size_t i = 0; i < n; i++)
        s->ranges[from + i] = with[i];
    s->n = len;
}

void uidset_add(struct uidset *s, uint32_t uid)
{
    uidset_add_range(s, uid, uid);
}

void uidset_add_range(struct uidset *s, uint32_t first, uint32_t last)
{
    struct uid_range r = {first, last};
    size_t from, to;

    if (first == 0 || first > last)
        return;
    if (s->n == 0 || first > s->ranges[s->n - 1].last) {
        if (s->n > 0 && s->ranges[s->n - 1].last == first - 1)
            s->ranges[s->n - 1].last = last;
        else
            ranges_replace(s, s->n, s->n, &r, 1);
        return;
    }
    /* Neighbours that only touch are merged too. */
    from = range_at_or_after(s, first > 1 ? first - 1 : first);
    to = from;
    while (to < s->n && (last == UINT32_MAX || s->ranges[to].first <= last + 1)) {
        r.first = MIN_OF(r.first, s->ranges[to].first);
        r.last = MAX_OF(r.last, s->ranges[to].last);
        to++;
    }
    ranges_replace(s, from, to, &r, 1);
}

void uidset_remove_range(struct uidset *s, uint32_t first, uint32_t last)
{
    struct uid_range keep[2];
    size_t from, to, n = 0;

    if (first > last)
        return;
    from = range_at_or_after(s, first);
    to = from;
    while (to < s->n && s->ranges[to].first <= last) {
        if (s->ranges[to].first < first)
            keep[n++] = (struct uid_range){s->ranges[to].first, first - 1};
        if (s->ranges[to].last > last)
            keep[n++] = (struct uid_range){last + 1, s->ranges[to].last};
        to++;
    }
    if (to > from)
        ranges_replace(s, from, to, keep, n);
}

bool uidset_has(const struct uidset *s, uint32_t uid)
{
    size_t i = range_at_or_after(s, uid);

    return i < s->n && s->ranges[i].first <= uid;
}

uint64_t uidset_count(const struct uidset *s)
{
    uint64_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        n += (uint64_t)s->ranges[i].last - s->ranges[i].first + 1;
    return n;
}

void uidset_put(struct buf *out, const struct uidset *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (i > 0)
            buf_put_byte(out, ',');
        buf_put_dec(out, s->ranges[i].first);
        if (s->ranges[i].last != s->ranges[i].first) {
            buf_put_byte(out, ':');
            buf_put_dec(out, s->ranges[i].last);
        }
    }
}

void uidset_encode(struct buf *out, const struct uidset *s)
{
    uint32_t last = 0;

    buf_put_varint(out, s->n);
    for (size_t i = 0; i < s->n; i++) {
        buf_put_varint(out, s->ranges[i].first - last - 1);
        buf_put_varint(out, s->ranges[i].last - s->ranges[i].first);
        last = s->ranges[i].last;
    }
}

void uidset_decode(struct cursor *c, size_t ranges_max, struct uidset *out)
{
    uint64_t n = cursor_varint(c), last = 0;

    uidset_free(out);
    if (n > ranges_max || n > cursor_left(c) / 2)
        cursor_fail(c);
    for (uint64_t i = 0; i < n && !c->failed; i++) {
        uint64_t gap = cursor_varint(c), more = cursor_varint(c);

        /* Ranges that touch would have been one. */
        if (gap > UINT32_MAX || more > UINT32_MAX || last + 1 + gap + more >= UINT32_MAX || (i > 0 && gap == 0))
            cursor_fail(c);
        else
            uidset_add_range(out, (uint32_t)(last + 1 + gap), (uint32_t)(last + 1 + gap + more));
        last += 1 + gap + more;
    }
    if (c->failed)
        uidset_free(out);
}

void uidset_move(struct uidset *dst, struct uidset *src)
{
    uidset_free(dst);
    *dst = *src;
    uidset_init(src);
}
