/* THREAD (RFC 5256 BASE.6.4): finds, threads (thread.h), answers. */
#include <time.h>

#include "imap/command.h"
#include "imap/respond.h"
#include "imap/search.h"
#include "imap/thread.h"

struct thread_args {
    bool references, begun, made, written_head;
    struct imap_thread thread;
    struct imap_search_program program;
    struct imap_search_now now;
    uint32_t scanned;
};

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct thread_args *a = job->args;
    struct view algorithm;

    imap_parse_space(p);
    algorithm = imap_parse_atom(p);
    a->references = view_eq_nocase(algorithm, VIEW("REFERENCES"));
    if (!a->references && !view_eq_nocase(algorithm, VIEW("ORDEREDSUBJECT")))
        imap_parse_fail(p, "Unknown threading algorithm");
    imap_search_parse_sorted(p, &a->program);
}

static enum imap_step begin(struct imap_job *job, struct thread_args *a)
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

/* DONE: all are found, or the answer is set to an error. */
static enum imap_step scan(struct imap_job *job, struct thread_args *a)
{
    struct imap_session *s = job->s;
    uint32_t count = mailbox_view_count(s->view);
    struct imap_message m = {.seq = 0};

    while (a->scanned < count) {
        int err = 0;

        imap_message_open(s, &m, ++a->scanned);
        if (!m.info.expunged && imap_search_match(s, &a->program, &a->now, &m))
            err = imap_thread_add(s, &a->thread, &m, job->uid ? m.info.uid : m.seq, a->references);
        imap_message_close(&m);
        if (err != 0)
            return imap_job_fail(job, err);
        if (imap_slice_spent(s))
            return IMAP_STEP_AGAIN;
    }
    return IMAP_STEP_DONE;
}

static enum imap_step step(struct imap_job *job)
{
    struct thread_args *a = job->args;
    struct imap_session *s = job->s;
    enum imap_step r;

    if (!a->begun && begin(job, a) == IMAP_STEP_DONE)
        return IMAP_STEP_DONE;
    r = scan(job, a);
    if (r != IMAP_STEP_DONE || job->answer_text != NULL)
        return r;
    if (!a->made && a->references)
        imap_thread_by_references(&a->thread);
    else if (!a->made)
        imap_thread_by_subject(&a->thread);
    a->made = true;
    if (!a->written_head)
        buf_put_str(imap_out(s), a->thread.n > 0 ? "* THREAD " : "* THREAD");
    a->written_head = s->mid_response = true;
    if (!imap_thread_put(s, &a->thread))
        return IMAP_STEP_AGAIN;
    buf_put_str(imap_out(s), "\r\n");
    s->mid_response = false;
    return imap_job_ok(job, "THREAD completed");
}

static void drop(struct imap_job *job)
{
    struct thread_args *a = job->args;

    imap_search_free(&a->program);
    imap_thread_free(&a->thread);
}

const struct imap_command imap_cmd_thread = {.name = "THREAD",
                                             .states = IMAP_SELECTED,
                                             .flags = IMAP_CMD_UID | IMAP_CMD_HOLD_EXPUNGE,
                                             .args_size = sizeof(struct thread_args),
                                             .parse = parse,
                                             .step = step,
                                             .drop = drop};
