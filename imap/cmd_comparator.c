/* COMPARATOR (RFC 5255 4.7): what SEARCH, SORT and THREAD compare texts by. */
#include "imap/collation.h"
#include "imap/command.h"
#include "imap/respond.h"

#define PATTERNS_MAX 64

struct comparator_args {
    struct {
        struct view pattern;
        bool descends;
    } asked[PATTERNS_MAX];
    size_t n;
};

/* collation-order: "+" or "-" may come before the pattern (RFC 4790 3.3). */
static void parse_order(struct imap_parse *p, struct comparator_args *a)
{
    struct view order = imap_parse_astring(p);
    bool sign = order.len > 0 && (order.ptr[0] == '+' || order.ptr[0] == '-');

    if (!imap_parse_ok(p))
        return;
    if (a->n == PATTERNS_MAX) {
        imap_parse_fail(p, "Too many comparators");
        return;
    }
    a->asked[a->n].descends = sign && order.ptr[0] == '-';
    a->asked[a->n].pattern = sign ? view_sub(order, 1, order.len) : order;
    if (!collation_pattern_valid(a->asked[a->n++].pattern))
        imap_parse_fail(p, "Invalid comparator");
}

static void parse(struct imap_parse *p, struct imap_job *job)
{
    while (imap_parse_ok(p) && imap_parse_try(p, ' '))
        parse_order(p, job->args);
}

/* A mask of the collations that are matched by the arguments from first up to last. */
static unsigned matching(const struct comparator_args *a, size_t first, size_t last)
{
    unsigned found = 0;

    for (size_t i = first; i < last; i++)
        for (unsigned c = 0; c < COLLATIONS; c++)
            if (collation_matches((enum collation)c, a->asked[i].pattern))
                found |= 1u << c;
    return found;
}

/* The first argument that matches one wins. False: none does. */
static bool choose(const struct comparator_args *a, struct comparator *out)
{
    for (size_t i = 0; i < a->n; i++) {
        unsigned found = matching(a, i, i + 1);

        if (found != 0) {
            out->collation = (enum collation)__builtin_ctz(found);
            out->descends = a->asked[i].descends;
            return true;
        }
    }
    return false;
}

/* "* COMPARATOR i;octet", and the list of those that were matched when they are several (RFC 5255 4.8). Names are atoms. */
static void put_response(struct imap_session *s, unsigned found)
{
    struct buf *out = imap_out(s);

    buf_put_str(out, s->comparator.descends ? "* COMPARATOR -" : "* COMPARATOR ");
    buf_put_str(out, collation_name(s->comparator.collation));
    if ((found & (found - 1)) != 0) {
        bool first = true;

        buf_put_str(out, " (");
        for (unsigned c = 0; c < COLLATIONS; c++)
            if ((found >> c & 1) != 0)
                imap_put_item(out, &first, collation_name((enum collation)c));
        buf_put_byte(out, ')');
    }
    buf_put_str(out, "\r\n");
}

static enum imap_step step(struct imap_job *job)
{
    const struct comparator_args *a = job->args;

    if (a->n > 0 && !choose(a, &job->s->comparator))
        return imap_job_no(job, "BADCOMPARATOR", "No such comparator");
    put_response(job->s, matching(a, 0, a->n));
    return imap_job_ok(job, a->n > 0 ? "Texts are compared by it from now on" : "COMPARATOR completed");
}

const struct imap_command imap_cmd_comparator = {.name = "COMPARATOR",
                                                 .states = IMAP_ANY,
                                                 .capability = "I18NLEVEL=2",
                                                 .args_size = sizeof(struct comparator_args),
                                                 .parse = parse,
                                                 .step = step};
