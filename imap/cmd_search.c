/* SEARCH (RFC 3501 6.4.4), ESEARCH results (RFC 4731), saved results (RFC 5182), MODSEQ of the result (RFC 7162 3.1.5), partial
 * results (RFC 9394). */
#include <time.h>

#include "common/base/mem.h"
#include "imap/command.h"
#include "imap/respond.h"
#include "imap/return.h"
#include "imap/search.h"

#define BACKWARDS_MAX 4096 /* results that are looked for from the end of the mailbox */

struct search_args {
    bool extended;
    struct imap_return ret;
    struct imap_search_program program;
    struct imap_search_now now;
    bool begun, written_head, is_saved, list, backwards;
    uint32_t enough; /* results after which nothing more is looked for; 0: all are wanted */
    uint32_t scanned;
    struct uidset found; /* sequence numbers or UIDs */
    struct uidset shown; /* of these, what PARTIAL selects */
    uint64_t nfound;
    uint64_t highest;                /* mod-sequence of what was found */
    uint64_t modseq_min, modseq_max; /* of the first and the last found */
    size_t range;                    /* of found, written */
    uint32_t next;
};

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct search_args *a = job->args;

    a->extended = imap_parse_try_word(p, " RETURN ");
    if (a->extended)
        imap_return_parse(p, &a->ret);
    else if ((job->s->enabled & IMAP_ENABLED_REV2) != 0) { /* RFC 9051 6.4.4: there is no other answer */
        a->extended = true;
        a->ret.options = IMAP_RETURN_ALL;
    }
    imap_search_parse(p, &a->program, (job->s->enabled & IMAP_ENABLED_UTF8) != 0);
}

static void note_modseq(struct search_args *a, uint64_t modseq)
{
    if (a->modseq_min == 0)
        a->modseq_min = modseq;
    a->modseq_max = modseq;
    a->highest = MAX_OF(a->highest, modseq);
}

/* The highest one of the messages in a set. */
static uint64_t set_modseq(struct imap_job *job, const struct uidset *set)
{
    struct mailbox_view *v = job->s->view;
    uint64_t highest = 0;
    uint32_t n, next = 0;
    size_t range = 0;

    while ((n = imap_seqs_next(set, &range, &next)) != 0) {
        struct msg_info info;

        mailbox_view_info(v, job->uid ? mailbox_view_seq(v, n) : n, &info);
        highest = MAX_OF(highest, info.modseq);
    }
    return highest;
}

/* RFC 7162 3.1.10: of the messages that are returned, which with only MIN or MAX are one or two, with only PARTIAL some. */
static uint64_t result_modseq(struct imap_job *job, const struct search_args *a)
{
    if (!a->program.uses_modseq)
        return 0;
    switch (a->ret.options & ~(unsigned)IMAP_RETURN_SAVE) {
    case IMAP_RETURN_MIN:
        return a->modseq_min;
    case IMAP_RETURN_MAX:
        return a->modseq_max;
    case IMAP_RETURN_MIN | IMAP_RETURN_MAX:
        return MAX_OF(a->modseq_min, a->modseq_max);
    case IMAP_RETURN_PARTIAL:
        return set_modseq(job, &a->shown);
    default:
        return a->highest;
    }
}

/* Where not all results are needed, not all are looked for, and the last ones from the end. */
static void plan(struct search_args *a)
{
    const struct imap_partial *p = &a->ret.partial;

    switch (a->extended ? a->ret.options & ~(unsigned)IMAP_RETURN_SAVE : 0) {
    case IMAP_RETURN_MIN:
        a->enough = 1;
        break;
    case IMAP_RETURN_MAX:
        a->enough = 1;
        a->backwards = true;
        break;
    case IMAP_RETURN_PARTIAL:
        a->enough = MAX_OF(p->first, p->last);
        a->backwards = p->from_end && a->enough <= BACKWARDS_MAX;
        if (p->from_end && !a->backwards)
            a->enough = 0;
        break;
    default:
        break;
    }
}

/* Evaluates the program on messages until the slice is over; true when all were looked at. */
static bool scan(struct imap_job *job, struct search_args *a)
{
    struct imap_session *s = job->s;
    uint32_t count = mailbox_view_count(s->view);
    struct imap_message m = {.seq = 0};

    while (a->scanned < count && (a->enough == 0 || a->nfound < a->enough)) {
        a->scanned++;
        imap_message_open(s, &m, a->backwards ? count + 1 - a->scanned : a->scanned);
        if (!m.info.expunged && imap_search_match(s, &a->program, &a->now, &m)) {
            uidset_add(&a->found, job->uid ? m.info.uid : m.seq);
            a->nfound++;
            note_modseq(a, m.info.modseq);
        }
        imap_message_close(&m);
        if (a->program.root->cost > SEARCH_COST_RECORD ? imap_slice_spent(s) : imap_slice_over(s))
            return false;
    }
    return true;
}

/* "* SEARCH 2 84 882 (MODSEQ 917)", in slices. */
static bool write_basic(struct imap_job *job, struct search_args *a)
{
    struct imap_session *s = job->s;
    uint32_t n;

    if (!a->written_head)
        buf_put_str(imap_out(s), "* SEARCH");
    a->written_head = true;
    s->mid_response = true;
    while ((n = imap_seqs_next(&a->found, &a->range, &a->next)) != 0) {
        struct buf *out = imap_out(s);

        buf_put_byte(out, ' ');
        buf_put_dec(out, n);
        if (n % 64 == 0 && imap_slice_over(s))
            return false;
    }
    if (a->program.uses_modseq && a->found.n > 0) {
        buf_put_str(imap_out(s), " (MODSEQ ");
        buf_put_dec(imap_out(s), a->highest);
        buf_put_byte(imap_out(s), ')');
    }
    buf_put_str(imap_out(s), "\r\n");
    s->mid_response = false;
    return true;
}

static void put_extended_head(struct imap_job *job, struct search_args *a)
{
    const struct uidset *f = &a->found;
    struct imap_esearch e = {.ret = &a->ret, .uid = job->uid, .n = a->nfound, .modseq = result_modseq(job, a)};

    if (f->n > 0) {
        e.min = f->ranges[0].first;
        e.max = f->ranges[f->n - 1].last;
    }
    a->list = imap_put_esearch(job, &e);
}

static bool write_extended(struct imap_job *job, struct search_args *a)
{
    struct imap_session *s = job->s;
    bool partial = (a->ret.options & IMAP_RETURN_PARTIAL) != 0;

    if (!a->written_head)
        put_extended_head(job, a);
    a->written_head = true;
    s->mid_response = true;
    if (a->list && !imap_put_esearch_set(s, partial ? &a->shown : &a->found, &a->range))
        return false;
    imap_put_esearch_end(s, &a->ret);
    s->mid_response = false;
    return true;
}

static void save_range(struct imap_job *job, uint32_t first, uint32_t last)
{
    struct imap_session *s = job->s;

    if (job->uid) {
        uidset_add_range(&s->saved, first, last);
        return;
    }
    for (uint32_t seq = first; seq <= last; seq++)
        uidset_add(&s->saved, mailbox_view_uid(s->view, seq));
}

static void save_set(struct imap_job *job, const struct uidset *set)
{
    for (size_t i = 0; i < set->n; i++)
        save_range(job, set->ranges[i].first, set->ranges[i].last);
}

/* RFC 5182 2.4: what is returned is saved; with MIN, MAX and PARTIAL (RFC 9394 3.2) only these, unless COUNT asks for all. */
static void save(struct imap_job *job, struct search_args *a)
{
    const unsigned some = IMAP_RETURN_MIN | IMAP_RETURN_MAX | IMAP_RETURN_PARTIAL;
    const struct uidset *f = &a->found;

    if ((a->ret.options & IMAP_RETURN_SAVE) == 0 || a->is_saved)
        return;
    a->is_saved = true;
    uidset_free(&job->s->saved);
    if (f->n == 0)
        return;
    if ((a->ret.options & (IMAP_RETURN_ALL | IMAP_RETURN_COUNT)) != 0 || (a->ret.options & some) == 0) {
        save_set(job, f);
        return;
    }
    save_set(job, &a->shown);
    if ((a->ret.options & IMAP_RETURN_MIN) != 0)
        save_range(job, f->ranges[0].first, f->ranges[0].first);
    if ((a->ret.options & IMAP_RETURN_MAX) != 0)
        save_range(job, f->ranges[f->n - 1].last, f->ranges[f->n - 1].last);
}

static enum imap_step begin(struct imap_job *job, struct search_args *a)
{
    struct imap_session *s = job->s;
    uint32_t count = mailbox_view_count(s->view);

    if (a->program.bad_charset) {
        if ((a->ret.options & IMAP_RETURN_SAVE) != 0)
            uidset_free(&s->saved); /* RFC 5182 2.1 */
        return imap_job_no(job, "BADCHARSET (US-ASCII UTF-8)", "Charset is not supported");
    }
    if (a->program.uses_modseq)
        imap_session_condstore(s);
    job->hold = a->program.uses_numbers;
    imap_search_resolve(&a->program, count, count == 0 ? 0 : mailbox_view_uid(s->view, count), &s->saved);
    a->now.now = (int64_t)time(NULL);
    plan(a);
    a->begun = true;
    return IMAP_STEP_AGAIN;
}

static enum imap_step step(struct imap_job *job)
{
    struct search_args *a = job->args;

    if (!a->begun && begin(job, a) == IMAP_STEP_DONE)
        return IMAP_STEP_DONE;
    if (!a->written_head && !scan(job, a))
        return IMAP_STEP_AGAIN;
    if (!a->written_head && (a->ret.options & IMAP_RETURN_PARTIAL) != 0 && a->shown.n == 0)
        imap_partial_cut(&a->ret.partial, &a->found, &a->shown);
    save(job, a);
    if (a->extended && a->ret.options == IMAP_RETURN_SAVE)
        return imap_job_ok(job, "SEARCH completed");
    if (!(a->extended ? write_extended(job, a) : write_basic(job, a)))
        return IMAP_STEP_AGAIN;
    return imap_job_ok(job, "SEARCH completed");
}

static void drop(struct imap_job *job)
{
    struct search_args *a = job->args;

    imap_search_free(&a->program);
    uidset_free(&a->found);
    uidset_free(&a->shown);
}

const struct imap_command imap_cmd_search = {.name = "SEARCH",
                                             .states = IMAP_SELECTED,
                                             .flags = IMAP_CMD_UID | IMAP_CMD_HOLD_EXPUNGE,
                                             .args_size = sizeof(struct search_args),
                                             .parse = parse,
                                             .step = step,
                                             .drop = drop};
