/* DELETE (RFC 9051 6.3.5). Children stay; the name is then only their parent. */
#include "imap/command.h"
#include "imap/names.h"
#include "imap/rights.h"

struct delete_args {
    struct view name;
    bool staged;
};

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct delete_args *a = job->args;

    imap_parse_space(p);
    a->name = imap_parse_mailbox(p, job->s);
}

static enum imap_step stage(struct imap_job *job, struct delete_args *a)
{
    const struct mailbox *m;
    struct txn *t;
    int err;

    if (a->name.ptr == NULL)
        return imap_job_fail(job, ERR_SYNTAX);
    m = account_find(job->s->acc, a->name);
    if (m != NULL && !imap_may(m, ACL_DELETE))
        return imap_job_noperm(job);
    t = txn_begin(job->s->acc);
    err = txn_delete(t, a->name);
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
    struct delete_args *a = job->args;

    if (!a->staged)
        return stage(job, a);
    return job->commit_err != 0 ? imap_job_fail(job, job->commit_err) : imap_job_ok(job, "DELETE completed");
}

const struct imap_command imap_cmd_delete = {.name = "DELETE",
                                             .states = IMAP_ANY,
                                             .flags = IMAP_CMD_NAMES,
                                             .args_size = sizeof(struct delete_args),
                                             .parse = parse,
                                             .step = step};
