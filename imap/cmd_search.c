/* SEARCH (RFC 3501 6.4.4), ESEARCH results (RFC 4731), saved results (RFC 5182), MODSEQ of the result (RFC 7162 3.1.5). */
#include <time.h>

#include "common/base/mem.h"
#include "imap/command.h"
#include "imap/respond.h"
#include "imap/search.h"

struct search_args {
    bool extended;
    unsigned ret;
    struct imap_search_program program;
    struct imap_search_now now;
    bool begun, written_head, is_saved;
    uint32_t scanned;
    struct uidset found;             /* sequence numbers or UIDs */
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
        a->ret = imap_search_parse_return(p);
    else if ((job->s->enabled & IMAP_ENABLED_REV2) != 0) { /* RFC 9051 6.4.4: there is no other answer */
        a->extended = true;
        a->ret = SEARCH_RETURN_ALL;
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

/* RFC 7162 3.1.10: of the messages that are returned, which with only MIN or MAX are one or two. */
static uint64_t result_modseq(const struct search_args *a)
{
    switch (a->ret & ~(unsigned)SEARCH_RETURN_SAVE) {
    case SEARCH_RETURN_MIN:
        return a->modseq_min;
    case SEARCH_RETURN_MAX:
        return a->modseq_max;
    case SEARCH_RETURN_MIN | SEARCH_RETURN_MAX:
        return MAX_OF(a->modseq_min, a->modseq_max);
    default:
        return a->highest;
    }
}

/* Evaluates the program on messages until the slice is over; true when all were looked at. */
static bool scan(struct imap_job *job, struct search_args *a)
{
    struct imap_session *s = job->s;
    uint32_t count = mailbox_view_count(s->view);

    while (a->scanned < count) {
        struct imap_message m;

        imap_message_open(s, &m, ++a->scanned);
        if (!m.info.expunged && imap_search_match(s, &a->program, &a->now, &m)) {
            uidset_add(&a->found, job->uid ? m.info.uid : m.seq);
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

static void put_number(struct buf *out, const char *name, uint64_t n)
{
    buf_put_str(out, name);
    buf_put_dec(out, n);
}

/* Everything of "* ESEARCH …" before ALL. */
static void put_extended_head(struct imap_job *job, const struct search_args *a, struct buf *out)
{
    const struct uidset *f = &a->found;

    buf_put_str(out, "* ESEARCH (TAG ");
    imap_put_string(job->s, out, job->tag);
    buf_put_str(out, job->uid ? ") UID" : ")");
    if ((a->ret & SEARCH_RETURN_MIN) != 0 && f->n > 0)
        put_number(out, " MIN ", f->ranges[0].first);
    if ((a->ret & SEARCH_RETURN_MAX) != 0 && f->n > 0)
        put_number(out, " MAX ", f->ranges[f->n - 1].last);
    if ((a->ret & SEARCH_RETURN_COUNT) != 0)
        put_number(out, " COUNT ", uidset_count(f));
    if (a->program.uses_modseq && f->n > 0)
        put_number(out, " MODSEQ ", result_modseq(a));
    if ((a->ret & SEARCH_RETURN_ALL) != 0 && f->n > 0)
        buf_put_str(out, " ALL ");
}

static bool write_extended(struct imap_job *job, struct search_args *a)
{
    struct imap_session *s = job->s;

    if (!a->written_head)
        put_extended_head(job, a, imap_out(s));
    a->written_head = true;
    s->mid_response = true;
    while ((a->ret & SEARCH_RETURN_ALL) != 0 && a->range < a->found.n) {
        struct buf *out = imap_out(s);
        struct uid_range r = a->found.ranges[a->range];

        if (a->range++ > 0)
            buf_put_byte(out, ',');
        buf_put_dec(out, r.first);
        if (r.last != r.first)
            put_number(out, ":", r.last);
        if (a->range % 64 == 0 && imap_slice_over(s))
            return false;
    }
    buf_put_str(imap_out(s), "\r\n");
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

/* RFC 5182 2.4: what is returned is saved; with MIN and MAX only these. */
static void save(struct imap_job *job, struct search_args *a)
{
    const struct uidset *f = &a->found;

    if ((a->ret & SEARCH_RETURN_SAVE) == 0 || a->is_saved)
        return;
    a->is_saved = true;
    uidset_free(&job->s->saved);
    if (f->n == 0)
        return;
    if ((a->ret & (SEARCH_RETURN_ALL | SEARCH_RETURN_COUNT)) != 0 || a->ret == SEARCH_RETURN_SAVE) {
        for (size_t i = 0; i < f->n; i++)
            save_range(job, f->ranges[i].first, f->ranges[i].last);
        return;
    }
    if ((a->ret & SEARCH_RETURN_MIN) != 0)
        save_range(job, f->ranges[0].first, f->ranges[0].first);
    if ((a->ret & SEARCH_RETURN_MAX) != 0)
        save_range(job, f->ranges[f->n - 1].last, f->ranges[f->n - 1].last);
}

static enum imap_step begin(struct imap_job *job, struct search_args *a)
{
    struct imap_session *s = job->s;
    uint32_t count = mailbox_view_count(s->view);

    if (a->program.bad_charset) {
        if ((a->ret & SEARCH_RETURN_SAVE) != 0)
            uidset_free(&s->saved); /* RFC 5182 2.1 */
        return imap_job_no(job, "BADCHARSET (US-ASCII UTF-8)", "Charset is not supported");
    }
    if (a->program.uses_modseq)
        imap_session_condstore(s);
    job->hold = a->program.uses_numbers;
    imap_search_resolve(&a->program, count, count == 0 ? 0 : mailbox_view_uid(s->view, count), &s->saved);
    a->now.now = (int64_t)time(NULL);
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
    save(job, a);
    if (!(a->extended && a->ret == SEARCH_RETURN_SAVE) && !(a->extended ? write_extended(job, a) : write_basic(job, a)))
        return IMAP_STEP_AGAIN;
    return imap_job_ok(job, "SEARCH completed");
}

static void drop(struct imap_job *job)
{
    struct search_args *a = job->args;

    imap_search_free(&a->program);
    uidset_free(&a->found);
}

const struct imap_command imap_cmd_search = {.name = "SEARCH",
                                             .states = IMAP_SELECTED,
                                             .flags = IMAP_CMD_UID | IMAP_CMD_HOLD_EXPUNGE,
                                             .args_size = sizeof(struct search_args),
                                             .parse = parse,
                                             .step = step,
                                             .drop = drop};
