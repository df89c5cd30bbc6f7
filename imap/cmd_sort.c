/* SORT (RFC 5256 BASE.6.4), with result options (ESORT, RFC 5267 3) and MODSEQ (RFC 7162 3.1.6). */
#include <time.h>

#include "common/base/mem.h"
#include "imap/command.h"
#include "imap/respond.h"
#include "imap/search.h"
#include "imap/sort.h"

struct sort_args {
    bool extended, begun, written_head;
    unsigned ret;
    struct imap_sorter sorter;
    struct imap_search_program program;
    struct imap_search_now now;
    uint32_t scanned;
    uint64_t highest;
    size_t written;
};

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct sort_args *a = job->args;

    a->extended = imap_parse_try_word(p, " RETURN ");
    if (a->extended)
        a->ret = imap_search_parse_return(p);
    if ((a->ret & SEARCH_RETURN_SAVE) != 0)
        imap_parse_fail(p, "SAVE is for SEARCH");
    imap_parse_space(p);
    imap_sort_parse(p, &a->sorter);
    imap_search_parse_sorted(p, &a->program);
}

static enum imap_step begin(struct imap_job *job, struct sort_args *a)
{
    struct imap_session *s = job->s;
    uint32_t count = mailbox_view_count(s->view);

    if (a->program.bad_charset)
        return imap_job_no(job, "BADCHARSET (US-ASCII UTF-8)", "Charset is not supported");
    if (a->program.uses_modseq)
        imap_session_condstore(s);
    job->hold = a->program.uses_numbers;
    imap_search_resolve(&a->program, count, count == 0 ? 0 : mailbox_view_uid(s->view, count), &s->saved);
    a->now.now = (int64_t)time(NULL);
    a->begun = true;
    return IMAP_STEP_AGAIN;
}

/* Finds the messages and their keys. DONE: all are found, or the answer is set to an error. */
static enum imap_step scan(struct imap_job *job, struct sort_args *a)
{
    struct imap_session *s = job->s;
    uint32_t count = mailbox_view_count(s->view);

    while (a->scanned < count) {
        struct imap_message m;
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

static void put_number(struct buf *out, const char *name, uint64_t n)
{
    buf_put_str(out, name);
    buf_put_dec(out, n);
}

static void put_extended_head(struct imap_job *job, const struct sort_args *a)
{
    struct buf *out = imap_out(job->s);
    size_t n = a->sorter.n;

    buf_put_str(out, "* ESEARCH (TAG ");
    imap_put_string(job->s, out, job->tag);
    buf_put_str(out, job->uid ? ") UID" : ")");
    if ((a->ret & SEARCH_RETURN_MIN) != 0 && n > 0)
        put_number(out, " MIN ", imap_sort_number(&a->sorter, 0));
    if ((a->ret & SEARCH_RETURN_MAX) != 0 && n > 0)
        put_number(out, " MAX ", imap_sort_number(&a->sorter, n - 1));
    if ((a->ret & SEARCH_RETURN_COUNT) != 0)
        put_number(out, " COUNT ", n);
    if (a->program.uses_modseq && n > 0)
        put_number(out, " MODSEQ ", a->highest);
    if ((a->ret & SEARCH_RETURN_ALL) != 0 && n > 0)
        buf_put_str(out, " ALL ");
}

/* ALL is in the order of the sort (RFC 5267 3): only runs that rise by one become ranges. */
static bool write_extended(struct imap_job *job, struct sort_args *a)
{
    struct imap_session *s = job->s;

    if (!a->written_head)
        put_extended_head(job, a);
    a->written_head = s->mid_response = true;
    while ((a->ret & SEARCH_RETURN_ALL) != 0 && a->written < a->sorter.n) {
        struct buf *out = imap_out(s);
        uint32_t first = imap_sort_number(&a->sorter, a->written), last = first;

        if (a->written > 0)
            buf_put_byte(out, ',');
        while (++a->written < a->sorter.n && imap_sort_number(&a->sorter, a->written) == last + 1)
            last++;
        buf_put_dec(out, first);
        if (last != first)
            put_number(out, ":", last);
        if (imap_slice_over(s))
            return false;
    }
    buf_put_str(imap_out(s), "\r\n");
    s->mid_response = false;
    return true;
}

static enum imap_step step(struct imap_job *job)
{
    struct sort_args *a = job->args;
    enum imap_step r;

    if (!a->begun && begin(job, a) == IMAP_STEP_DONE)
        return IMAP_STEP_DONE;
    r = scan(job, a);
    if (r != IMAP_STEP_DONE || job->answer_text != NULL)
        return r;
    if (!imap_sort_step(job->s, &a->sorter))
        return IMAP_STEP_AGAIN;
    if (!(a->extended ? write_extended(job, a) : write_basic(job->s, a)))
        return IMAP_STEP_AGAIN;
    return imap_job_ok(job, "SORT completed");
}

static void drop(struct imap_job *job)
{
    struct sort_args *a = job->args;

    imap_search_free(&a->program);
    imap_sort_free(&a->sorter);
}

const struct imap_command imap_cmd_sort = {.name = "SORT",
                                           .states = IMAP_SELECTED,
                                           .flags = IMAP_CMD_UID | IMAP_CMD_HOLD_EXPUNGE,
                                           .capability = "SORT",
                                           .args_size = sizeof(struct sort_args),
                                           .parse = parse,
                                           .step = step,
                                           .drop = drop};
