/* sequence-set (RFC 9051 section 9): "2,4:7,9,12:*" or "$". Resolving sorts the ranges first, so that a hostile order costs
 * nothing. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "imap/parse.h"

bool imap_parse_set_next(const struct imap_parse *p)
{
    int c = imap_parse_peek(p);

    return c == '*' || c == '$' || (c >= '0' && c <= '9');
}

static uint32_t take_number(struct imap_parse *p)
{
    if (imap_parse_try(p, '*'))
        return 0;
    if (imap_parse_peek(p) == '0')
        imap_parse_fail(p, "Invalid number"); /* nz-number has no leading zeros either */
    return (uint32_t)imap_parse_number(p, 1, UINT32_MAX);
}

/* How many ranges there can be: the commas of the run that follows. */
static size_t count_ranges(const struct imap_parse *p)
{
    struct view rest = cursor_rest(&p->c);
    size_t n = 1;

    for (size_t i = 0; i < rest.len; i++) {
        uint8_t c = rest.ptr[i];

        if (c == ',')
            n++;
        else if (c != ':' && c != '*' && (c < '0' || c > '9'))
            break;
    }
    return n;
}

void imap_parse_set(struct imap_parse *p, struct imap_seq_set *out)
{
    size_t max = count_ranges(p);

    *out = (struct imap_seq_set){.saved = imap_parse_try(p, '$')};
    if (out->saved)
        return;
    out->ranges = imap_pool_alloc(p->pool, max * sizeof(struct imap_seq_range));
    if (out->ranges == NULL) {
        imap_parse_fail(p, "Too many ranges");
        return;
    }
    do {
        struct imap_seq_range *r = &out->ranges[out->n];

        r->first = r->last = take_number(p);
        if (imap_parse_try(p, ':'))
            r->last = take_number(p);
        if (!imap_parse_ok(p)) {
            p->error = "Invalid message set";
            return;
        }
        out->n++;
    } while (out->n < max && imap_parse_try(p, ','));
}

static int range_order(const void *a, const void *b)
{
    const struct uid_range *x = a, *y = b;

    return x->first < y->first ? -1 : x->first > y->first;
}

/* star: the value of "*". Ranges that turn out empty (star 0) are left out. */
static void add_sorted(const struct imap_seq_set *set, uint32_t star, struct uidset *out)
{
    struct uid_range *ranges = xreallocarray(NULL, set->n, sizeof(*ranges));
    size_t n = 0;

    for (size_t i = 0; i < set->n; i++) {
        uint32_t a = set->ranges[i].first == 0 ? star : set->ranges[i].first;
        uint32_t b = set->ranges[i].last == 0 ? star : set->ranges[i].last;

        if (a == 0 || b == 0)
            continue;
        ranges[n].first = MIN_OF(a, b);
        ranges[n++].last = MAX_OF(a, b);
    }
    qsort(ranges, n, sizeof(*ranges), range_order);
    for (size_t i = 0; i < n; i++)
        uidset_add_range(out, ranges[i].first, ranges[i].last);
    free(ranges);
}

int imap_set_resolve(const struct imap_seq_set *set, uint32_t count, struct uidset *out)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct imap_seq_range *r = &set->ranges[i];

        if (count == 0 || r->first > count || r->last > count)
            return ERR_RANGE;
    }
    add_sorted(set, count, out);
    return 0;
}

void imap_set_resolve_uids(const struct imap_seq_set *set, uint32_t last_uid, struct uidset *out)
{
    add_sorted(set, last_uid, out);
}
