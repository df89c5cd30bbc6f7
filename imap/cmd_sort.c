/* SORT (RFC 5256 BASE.6.4), with result options (ESORT, RFC 5267 3; RFC 9394), updates (RFC 5267 4.3) and MODSEQ (RFC 7162
 * 3.1.6). */
#include <time.h>

#include "common/base/mem.h"
#include "imap/command.h"
#include "imap/context.h"
#include "imap/respond.h"
#include "imap/scan.h"
#include "imap/sort.h"

struct sort_args {
    bool extended, begun, written_head;
    struct imap_context *context; /* with UPDATE */
    struct imap_return ret;
    struct imap_sorter sorter;
    struct imap_search_program program;
    struct imap_search_now now;
    uint32_t scanned;
    uint64_t highest;
    size_t written, from, end; /* of the sorted ones, in the list of the answer */
};

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct sort_args *a = job->args;

    a->extended = imap_parse_try_word(p, " RETURN ");
    if (a->extended)
        imap_return_parse(p, &a->ret);
    if ((a->ret.options & IMAP_RETURN_SAVE) != 0)
        imap_parse_fail(p, "SAVE is for SEARCH");
    imap_parse_space(p);
    imap_sort_parse(p, &a->sorter);
    a->sorter.comparator = job->s->comparator;
    a->program.acc = job->s->acc;
    a->program.collation = job->s->comparator.collation;
    imap_search_parse_sorted(p, &a->program);
}

static enum imap_step begin(struct imap_job *job, struct sort_args *a)
{
    struct imap_session *s = job->s;
    uint32_t count = mailbox_view_count(s->view);

    if (imap_search_refuse(job, &a->program))
        return IMAP_STEP_DONE;
    if (a->program.uses_modseq)
        imap_session_condstore(s);
    job->hold = a->program.uses_numbers;
    imap_search_resolve(&a->program, count, count == 0 ? 0 : mailbox_view_uid(s->view, count), &s->saved);
    if (!imap_search_within_limit(job, &a->program))
        return IMAP_STEP_DONE;
    if (a->ret.update && !imap_context_begin(job, &a->context))
        return IMAP_STEP_DONE;
    a->now.now = (int64_t)time(NULL);
    a->begun = true;
    return IMAP_STEP_AGAIN;
}

/* Finds the messages and their keys. DONE: all are found, or the answer is set to an error. */
static enum imap_step scan(struct imap_job *job, struct sort_args *a)
{
    struct imap_session *s = job->s;
    uint32_t count = mailbox_view_count(s->view);
    struct imap_message m = {.seq = 0};

    while (a->scanned < count) {
        int err = 0;

        imap_message_open(s, &m, ++a->scanned);
        if (!m.info.expunged && imap_search_match(s, &a->program, &a->now, &m)) {
            err = imap_sort_add(s, &a->sorter, &m, job->uid ? m.info.uid : m.seq);
            a->highest = MAX_OF(a->highest, m.info.modseq);
        }
        imap_message_close(&m);
        if (err != 0)
            return imap_job_fail(job, err);
        if (a->program.root->cost > SEARCH_COST_RECORD ? imap_slice_spent(s) : imap_slice_over(s))
            return IMAP_STEP_AGAIN;
    }
    return IMAP_STEP_DONE;
}

/* "* SORT 5 3 4 1 2 (MODSEQ 917)", in slices. */
static bool write_basic(struct imap_session *s, struct sort_args *a)
{
    if (!a->written_head)
        buf_put_str(imap_out(s), "* SORT");
    a->written_head = s->mid_response = true;
    while (a->written < a->sorter.n) {
        struct buf *out = imap_out(s);

        buf_put_byte(out, ' ');
        buf_put_dec(out, imap_sort_number(&a->sorter, a->written++));
        if (a->written % 64 == 0 && imap_slice_over(s))
            return false;
    }
    if (a->program.uses_modseq && a->sorter.n > 0) {
        buf_put_str(imap_out(s), " (MODSEQ ");
        buf_put_dec(imap_out(s), a->highest);
        buf_put_byte(imap_out(s), ')');
    }
    buf_put_str(imap_out(s), "\r\n");
    s->mid_response = false;
    return true;
}

static void put_extended_head(struct imap_job *job, struct sort_args *a)
{
    size_t n = a->sorter.n;
    struct imap_esearch e = {.ret = &a->ret, .uid = job->uid, .n = n, .modseq = a->program.uses_modseq ? a->highest : 0};
    uint64_t first, last;

    if (n > 0) {
        e.min = imap_sort_number(&a->sorter, 0);
        e.max = imap_sort_number(&a->sorter, n - 1);
    }
    if (!imap_put_esearch(job, &e))
        return;
    a->end = n;
    if ((a->ret.options & IMAP_RETURN_PARTIAL) != 0 && imap_partial_positions(&a->ret.partial, n, &first, &last)) {
        a->written = a->from = (size_t)first - 1;
        a->end = (size_t)last;
    }
}

/* The list is in the order of the sort (RFC 5267 3): only runs that rise by one become ranges. */
static bool write_extended(struct imap_job *job, struct sort_args *a)
{
    struct imap_session *s = job->s;

    if (!a->written_head)
        put_extended_head(job, a);
    a->written_head = s->mid_response = true;
    while (a->written < a->end) {
        struct buf *out = imap_out(s);
        uint32_t first = imap_sort_number(&a->sorter, a->written), last = first;

        if (a->written > a->from)
            buf_put_byte(out, ',');
        while (++a->written < a->end && imap_sort_number(&a->sorter, a->written) == last + 1)
            last++;
        buf_put_dec(out, first);
        if (last != first) {
            buf_put_byte(out, ':');
            buf_put_dec(out, last);
        }
        if (imap_slice_over(s))
            return false;
    }
    imap_put_esearch_end(s, &a->ret);
    s->mid_response = false;
    return true;
}

static enum imap_step step(struct imap_job *job)
{
    struct sort_args *a = job->args;
    enum imap_step r;

    if (!a->begun && begin(job, a) == IMAP_STEP_DONE)
        return IMAP_STEP_DONE;
    if (!a->written_head) {
        imap_search_budget_begin(&a->program);
        r = imap_search_slice_end(job, &a->program, scan(job, a));
        if (r != IMAP_STEP_DONE || job->answer_text != NULL)
            return r;
    }
    if (!imap_sort_step(job->s, &a->sorter))
        return IMAP_STEP_AGAIN;
    if (a->context != NULL && !imap_context_start_sorted(job->s, &a->context, &a->sorter))
        imap_put_noupdate(job);
    if (!(a->extended ? write_extended(job, a) : write_basic(job->s, a)))
        return IMAP_STEP_AGAIN;
    return imap_job_ok(job, "SORT completed");
}

static void drop(struct imap_job *job)
{
    struct sort_args *a = job->args;

    imap_context_free(&a->context);
    imap_search_free(&a->program);
    imap_sort_free(&a->sorter);
}

static void progress(const struct imap_job *job, struct imap_progress *out)
{
    const struct sort_args *a = job->args;

    out->done = a->scanned;
    out->goal = mailbox_view_count(job->s->view);
}

const struct imap_command imap_cmd_sort = {.name = "SORT",
                                           .states = IMAP_SELECTED,
                                           .flags = IMAP_CMD_UID | IMAP_CMD_HOLD_EXPUNGE,
                                           .capability = "SORT",
                                           .args_size = sizeof(struct sort_args),
                                           .parse = parse,
                                           .step = step,
                                           .progress = progress,
                                           .drop = drop};
