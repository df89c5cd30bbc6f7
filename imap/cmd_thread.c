/* THREAD (RFC 5256 BASE.6.4; REFS of draft-ietf-morg-inthread): finds, threads (thread.h), answers. */
#include <time.h>

#include "common/base/mem.h"
#include "imap/command.h"
#include "imap/respond.h"
#include "imap/scan.h"
#include "imap/thread.h"

struct thread_args {
    enum imap_thread_by by;
    bool begun, made, written_head;
    struct imap_thread thread;
    struct imap_search_program program;
    struct imap_search_now now;
    uint32_t scanned;
};

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct thread_args *a = job->args;
    static const char *const names[] = {
        [THREAD_ORDEREDSUBJECT] = "ORDEREDSUBJECT", [THREAD_REFERENCES] = "REFERENCES", [THREAD_REFS] = "REFS"};
    struct view algorithm;

    imap_parse_space(p);
    algorithm = imap_parse_atom(p);
    while (a->by < ARRAY_LEN(names) && !view_eq_nocase(algorithm, view_str(names[a->by])))
        a->by++;
    if (a->by == ARRAY_LEN(names))
        imap_parse_fail(p, "Unknown threading algorithm");
    a->thread.collation = job->s->comparator.collation;
    a->program.acc = job->s->acc;
    a->program.collation = job->s->comparator.collation;
    imap_search_parse_sorted(p, &a->program);
}

static enum imap_step begin(struct imap_job *job, struct thread_args *a)
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
            err = imap_thread_add(s, &a->thread, &m, job->uid ? m.info.uid : m.seq, a->by);
        imap_message_close(&m);
        if (err != 0)
            return imap_job_fail(job, err);
        if (imap_slice_spent(s))
            return IMAP_STEP_AGAIN;
    }
    return IMAP_STEP_DONE;
}

static void make(struct thread_args *a)
{
    a->made = true;
    if (a->by == THREAD_REFS)
        imap_thread_by_refs(&a->thread);
    else if (a->by == THREAD_REFERENCES)
        imap_thread_by_references(&a->thread);
    else
        imap_thread_by_subject(&a->thread);
}

static enum imap_step step(struct imap_job *job)
{
    struct thread_args *a = job->args;
    struct imap_session *s = job->s;
    enum imap_step r;

    if (!a->begun && begin(job, a) == IMAP_STEP_DONE)
        return IMAP_STEP_DONE;
    if (!a->made) {
        imap_search_budget_begin(&a->program);
        r = imap_search_slice_end(job, &a->program, scan(job, a));
        if (r != IMAP_STEP_DONE || job->answer_text != NULL)
            return r;
        make(a);
    }
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

static void progress(const struct imap_job *job, struct imap_progress *out)
{
    const struct thread_args *a = job->args;

    out->done = a->scanned;
    out->goal = mailbox_view_count(job->s->view);
}

const struct imap_command imap_cmd_thread = {.name = "THREAD",
                                             .states = IMAP_SELECTED,
                                             .flags = IMAP_CMD_UID | IMAP_CMD_HOLD_EXPUNGE,
                                             .args_size = sizeof(struct thread_args),
                                             .parse = parse,
                                             .step = step,
                                             .progress = progress,
                                             .drop = drop};
