#include "imap/return.h"

#include "common/base/mem.h"
#include "imap/respond.h"

static const struct {
    const char *name;
    unsigned bit;
} options[] = {{"MIN", IMAP_RETURN_MIN},     {"MAX", IMAP_RETURN_MAX},   {"ALL", IMAP_RETURN_ALL},
               {"COUNT", IMAP_RETURN_COUNT}, {"SAVE", IMAP_RETURN_SAVE}, {"PARTIAL", IMAP_RETURN_PARTIAL}};

void imap_partial_parse(struct imap_parse *p, struct imap_partial *out)
{
    out->from_end = imap_parse_try(p, '-');
    out->first = (uint32_t)imap_parse_number(p, 1, UINT32_MAX);
    imap_parse_expect(p, ':', "Invalid partial range");
    if (out->from_end)
        imap_parse_expect(p, '-', "Invalid partial range");
    out->last = (uint32_t)imap_parse_number(p, 1, UINT32_MAX);
}

static void parse_option(struct imap_parse *p, struct imap_return *out)
{
    struct view name = imap_parse_atom(p);
    unsigned bit = 0;

    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (view_eq_nocase(name, view_str(options[i].name)))
            bit = options[i].bit;
    if (view_eq_nocase(name, VIEW("UPDATE")))
        out->update = true;
    else if (view_eq_nocase(name, VIEW("CONTEXT")))
        out->context = true;
    else if (bit == 0)
        imap_parse_fail(p, "Unknown SEARCH result option");
    if (bit == IMAP_RETURN_PARTIAL) {
        if ((out->options & IMAP_RETURN_PARTIAL) != 0)
            imap_parse_fail(p, "PARTIAL can be given once");
        imap_parse_space(p);
        imap_partial_parse(p, &out->partial);
    }
    out->options |= bit;
}

void imap_return_parse(struct imap_parse *p, struct imap_return *out)
{
    *out = (struct imap_return){0};
    imap_parse_open(p);
    if (imap_parse_peek(p) != ')') {
        do
            parse_option(p, out);
        while (imap_parse_ok(p) && imap_parse_try(p, ' '));
    }
    imap_parse_close(p);
    if (out->options == 0 && !out->update && !out->context)
        out->options = IMAP_RETURN_ALL;
    if ((out->options & IMAP_RETURN_ALL) != 0 && (out->options & IMAP_RETURN_PARTIAL) != 0)
        imap_parse_fail(p, "ALL and PARTIAL exclude each other"); /* RFC 9394 3.1 */
}

bool imap_partial_positions(const struct imap_partial *partial, uint64_t n, uint64_t *first_out, uint64_t *last_out)
{
    uint64_t first = MIN_OF(partial->first, partial->last), last = MAX_OF(partial->first, partial->last);

    if (first > n)
        return false;
    last = MIN_OF(last, n);
    *first_out = partial->from_end ? n - last + 1 : first;
    *last_out = partial->from_end ? n - first + 1 : last;
    return true;
}

void imap_partial_cut(const struct imap_partial *partial, const struct uidset *set, struct uidset *out)
{
    uint64_t first, last, at = 1;

    if (!imap_partial_positions(partial, uidset_count(set), &first, &last))
        return;
    for (size_t i = 0; i < set->n && at <= last; i++) {
        const struct uid_range *r = &set->ranges[i];
        uint64_t end = at + (r->last - r->first); /* position of its last member */

        if (end >= first) {
            uint64_t skip = first > at ? first - at : 0, over = end > last ? end - last : 0;

            uidset_add_range(out, r->first + (uint32_t)skip, r->last - (uint32_t)over);
        }
        at = end + 1;
    }
}

static void put_number(struct buf *out, const char *name, uint64_t n)
{
    buf_put_str(out, name);
    buf_put_dec(out, n);
}

void imap_put_noupdate(struct imap_job *job)
{
    struct buf *out = imap_out(job->s);

    buf_put_str(out, "* NO [NOUPDATE ");
    imap_put_string(job->s, out, job->tag);
    buf_put_str(out, "] The result will not be kept up to date\r\n");
}

static void put_partial(struct buf *out, const struct imap_partial *partial)
{
    put_number(out, partial->from_end ? " PARTIAL (-" : " PARTIAL (", partial->first);
    put_number(out, partial->from_end ? ":-" : ":", partial->last);
    buf_put_byte(out, ' ');
}

bool imap_put_esearch(struct imap_job *job, const struct imap_esearch *e)
{
    struct buf *out = imap_out(job->s);
    unsigned ret = e->ret->options;
    uint64_t first, last;

    buf_put_str(out, "* ESEARCH (TAG ");
    imap_put_string(job->s, out, job->tag);
    if (e->mailbox != NULL) {
        struct mailbox_status status;

        mailbox_status(e->mailbox, &status);
        buf_put_str(out, " MAILBOX ");
        imap_put_mailbox(job->s, out, mailbox_name(e->mailbox));
        put_number(out, " UIDVALIDITY ", status.uidvalidity);
    }
    buf_put_str(out, e->uid ? ") UID" : ")");
    if ((ret & IMAP_RETURN_MIN) != 0 && e->n > 0)
        put_number(out, " MIN ", e->min);
    if ((ret & IMAP_RETURN_MAX) != 0 && e->n > 0)
        put_number(out, " MAX ", e->max);
    if ((ret & IMAP_RETURN_COUNT) != 0)
        put_number(out, " COUNT ", e->n);
    if (e->modseq != 0 && e->n > 0)
        put_number(out, " MODSEQ ", e->modseq);
    if ((ret & IMAP_RETURN_PARTIAL) != 0) {
        put_partial(out, &e->ret->partial);
        if (imap_partial_positions(&e->ret->partial, e->n, &first, &last))
            return true;
        buf_put_str(out, "NIL");
        return false;
    }
    if ((ret & IMAP_RETURN_ALL) == 0 || e->n == 0)
        return false;
    buf_put_str(out, " ALL ");
    return true;
}

bool imap_put_esearch_set(struct imap_session *s, const struct uidset *set, size_t *range)
{
    while (*range < set->n) {
        struct buf *out = imap_out(s);
        struct uid_range r = set->ranges[*range];

        if ((*range)++ > 0)
            buf_put_byte(out, ',');
        buf_put_dec(out, r.first);
        if (r.last != r.first)
            put_number(out, ":", r.last);
        if (*range % 64 == 0 && imap_slice_over(s))
            return *range == set->n;
    }
    return true;
}

void imap_put_esearch_end(struct imap_session *s, const struct imap_return *ret)
{
    buf_put_str(imap_out(s), (ret->options & IMAP_RETURN_PARTIAL) != 0 ? ")\r\n" : "\r\n");
}
