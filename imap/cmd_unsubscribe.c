/* UNSUBSCRIBE (RFC 9051 6.3.8). */
#include "imap/command.h"
#include "imap/names.h"

struct unsubscribe_args {
    struct view name;
    bool staged;
};

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct unsubscribe_args *a = job->args;

    imap_parse_space(p);
    a->name = imap_parse_mailbox(p, job->s);
}

static enum imap_step stage(struct imap_job *job, struct unsubscribe_args *a)
{
    struct txn *t;
    int err;

    if (a->name.ptr == NULL)
        return imap_job_fail(job, ERR_SYNTAX);
    t = txn_begin(job->s->acc);
    err = txn_subscribe(t, a->name, false);
    if (err != 0) {
        txn_abort(&t);
        return imap_job_fail(job, err);
    }
    imap_job_commit(job, &t);
    a->staged = true;
    return IMAP_STEP_COMMIT;
}

static enum imap_step step(struct imap_job *job)
{
    struct unsubscribe_args *a = job->args;

    if (!a->staged)
        return stage(job, a);
    return job->commit_err != 0 ? imap_job_fail(job, job->commit_err) : imap_job_ok(job, "UNSUBSCRIBE completed");
}

const struct imap_command imap_cmd_unsubscribe = {.name = "UNSUBSCRIBE",
                                                  .states = IMAP_ANY,
                                                  .flags = IMAP_CMD_NAMES,
                                                  .args_size = sizeof(struct unsubscribe_args),
                                                  .parse = parse,
                                                  .step = step};
