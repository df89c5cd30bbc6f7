/* SEARCH (RFC 3501 6.4.4), ESEARCH results (RFC 4731), saved results (RFC 5182), MODSEQ of the result (RFC 7162 3.1.5), partial
 * results (RFC 9394), updates (RFC 5267). */
#include "imap/command.h"
#include "imap/context.h"
#include "imap/limit.h"
#include "imap/respond.h"
#include "imap/scan.h"

struct search_args {
    bool extended;
    struct imap_scan scan;
    struct imap_context *context; /* with UPDATE */
    bool begun, done, written_head, is_saved, list;
    size_t range; /* of the results, written */
    uint32_t next;
};

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct search_args *a = job->args;

    a->extended = imap_parse_try_word(p, " RETURN ");
    if (a->extended)
        imap_return_parse(p, &a->scan.ret);
    else if ((job->s->enabled & IMAP_ENABLED_REV2) != 0) { /* RFC 9051 6.4.4: there is no other answer */
        a->extended = true;
        a->scan.ret.options = IMAP_RETURN_ALL;
    }
    a->scan.program.acc = job->s->acc;
    a->scan.program.collation = job->s->comparator.collation;
    imap_search_parse(p, &a->scan.program, (job->s->enabled & IMAP_ENABLED_UTF8) != 0);
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
    while ((n = imap_seqs_next(&a->scan.found, &a->range, &a->next)) != 0) {
        struct buf *out = imap_out(s);

        buf_put_byte(out, ' ');
        buf_put_dec(out, n);
        if (n % 64 == 0 && imap_slice_over(s))
            return false;
    }
    if (a->scan.program.uses_modseq && a->scan.found.n > 0) {
        buf_put_str(imap_out(s), " (MODSEQ ");
        buf_put_dec(imap_out(s), a->scan.highest);
        buf_put_byte(imap_out(s), ')');
    }
    buf_put_str(imap_out(s), "\r\n");
    s->mid_response = false;
    return true;
}

static bool write_extended(struct imap_job *job, struct search_args *a)
{
    struct imap_session *s = job->s;
    bool partial = (a->scan.ret.options & IMAP_RETURN_PARTIAL) != 0;

    if (!a->written_head) {
        struct imap_esearch e = imap_scan_esearch(&a->scan);

        a->list = imap_put_esearch(job, &e);
    }
    a->written_head = true;
    s->mid_response = true;
    if (a->list && !imap_put_esearch_set(s, partial ? &a->scan.shown : &a->scan.found, &a->range))
        return false;
    imap_put_esearch_end(s, &a->scan.ret);
    s->mid_response = false;
    return true;
}

static enum imap_step begin(struct imap_job *job, struct search_args *a)
{
    struct imap_session *s = job->s;

    if (imap_search_refuse(job, &a->scan.program)) {
        if ((a->scan.ret.options & IMAP_RETURN_SAVE) != 0)
            uidset_free(&s->saved); /* RFC 5182 2.1 */
        return IMAP_STEP_DONE;
    }
    if (a->scan.program.uses_modseq)
        imap_session_condstore(s);
    job->hold = a->scan.program.uses_numbers;
    imap_scan_begin(s, &a->scan, s->view, job->uid);
    imap_scan_limit(&a->scan, imap_message_limit(s));
    imap_limit_note(job, imap_message_limit(s), a->scan.lowest);
    if (a->scan.ret.update && a->scan.lowest != 0)
        imap_put_noupdate(job); /* what was not looked at is not known to be no result */
    else if (a->scan.ret.update && !imap_context_begin(job, &a->context))
        return IMAP_STEP_DONE;
    a->begun = true;
    return IMAP_STEP_AGAIN;
}

static enum imap_step step(struct imap_job *job)
{
    struct search_args *a = job->args;

    if (!a->begun && begin(job, a) == IMAP_STEP_DONE)
        return IMAP_STEP_DONE;
    if (!a->done) {
        enum imap_step r = imap_scan_step(job, &a->scan);

        if (r != IMAP_STEP_DONE || job->answer_text != NULL)
            return r;
        a->done = true;
        if (a->context != NULL)
            imap_context_start(job->s, &a->context, &a->scan.found);
    }
    if (!a->is_saved)
        imap_scan_save(job->s, &a->scan);
    a->is_saved = true;
    if (a->extended && a->scan.ret.options == IMAP_RETURN_SAVE && !a->scan.ret.update)
        return imap_job_ok(job, "SEARCH completed");
    if (!(a->extended ? write_extended(job, a) : write_basic(job, a)))
        return IMAP_STEP_AGAIN;
    return imap_job_ok(job, "SEARCH completed");
}

static void drop(struct imap_job *job)
{
    struct search_args *a = job->args;

    imap_context_free(&a->context);
    imap_scan_free(&a->scan);
}

static void progress(const struct imap_job *job, struct imap_progress *out)
{
    const struct search_args *a = job->args;

    out->done = a->scan.scanned;
    out->goal = mailbox_view_count(job->s->view);
}

const struct imap_command imap_cmd_search = {.name = "SEARCH",
                                             .states = IMAP_SELECTED,
                                             .flags = IMAP_CMD_UID | IMAP_CMD_HOLD_EXPUNGE,
                                             .args_size = sizeof(struct search_args),
                                             .parse = parse,
                                             .step = step,
                                             .progress = progress,
                                             .drop = drop};
