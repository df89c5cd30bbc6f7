/* EXPUNGE (RFC 9051 6.4.3) and UID EXPUNGE (RFC 4315 2.1). */
#include "imap/command.h"
#include "imap/expunge.h"

struct expunge_args {
    struct imap_seq_set set;
    struct uidset only;
    bool resolved;
    struct imap_expunge expunge;
};

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct expunge_args *a = job->args;

    if (!job->uid)
        return;
    imap_parse_space(p);
    imap_parse_set(p, &a->set);
}

static enum imap_step step(struct imap_job *job)
{
    struct expunge_args *a = job->args;
    enum imap_step r;
    bool failed;

    if (job->uid && !a->resolved && imap_job_seqs(job, &a->set, &a->only) != 0)
        return imap_job_bad(job, "Invalid message set");
    a->resolved = true;
    r = imap_expunge_step(job, &a->expunge, job->uid ? &a->only : NULL, &failed);
    if (r != IMAP_STEP_DONE || failed)
        return r;
    if (a->expunge.uids.n > 0)
        imap_expunge_code(job);
    return imap_job_ok(job, "EXPUNGE completed");
}

static void drop(struct imap_job *job)
{
    struct expunge_args *a = job->args;

    uidset_free(&a->only);
    uidset_free(&a->expunge.uids);
}

static void progress(const struct imap_job *job, struct imap_progress *out)
{
    const struct expunge_args *a = job->args;

    out->done = a->expunge.scanned;
    out->goal = mailbox_view_count(job->s->view);
}

const struct imap_command imap_cmd_expunge = {.name = "EXPUNGE",
                                              .states = IMAP_SELECTED,
                                              .flags = IMAP_CMD_UID | IMAP_CMD_WRITE | IMAP_CMD_NO_NUMBERS,
                                              .args_size = sizeof(struct expunge_args),
                                              .parse = parse,
                                              .step = step,
                                              .progress = progress,
                                              .drop = drop};
