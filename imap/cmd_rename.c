/* RENAME (RFC 9051 6.3.6): the whole tree in one transaction; of INBOX, only its messages. */
#include "imap/command.h"
#include "imap/names.h"
#include "imap/rights.h"

struct rename_args {
    struct view from, to;
    bool staged;
};

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct rename_args *a = job->args;

    imap_parse_space(p);
    a->from = imap_parse_mailbox(p, job->s);
    imap_parse_space(p);
    a->to = imap_parse_mailbox(p, job->s);
    if (a->to.len > 1 && a->to.ptr[a->to.len - 1] == '/')
        a->to.len--;
}

static enum imap_step stage(struct imap_job *job, struct rename_args *a)
{
    const struct mailbox *m;
    struct txn *t;
    int err;

    if (a->from.ptr == NULL || a->to.ptr == NULL)
        return imap_job_fail(job, ERR_SYNTAX);
    if (!imap_name_is_net_unicode(job->s, a->to))
        return imap_job_no(job, "CANNOT", "The name is not Net-Unicode");
    m = account_find(job->s->acc, a->from);
    if ((m != NULL && !imap_may(m, ACL_DELETE)) || !imap_may_create(job->s, a->to))
        return imap_job_noperm(job);
    t = txn_begin(job->s->acc);
    err = txn_rename(t, a->from, a->to);
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
    struct rename_args *a = job->args;

    if (!a->staged)
        return stage(job, a);
    return job->commit_err != 0 ? imap_job_fail(job, job->commit_err) : imap_job_ok(job, "RENAME completed");
}

const struct imap_command imap_cmd_rename = {.name = "RENAME",
                                             .states = IMAP_ANY,
                                             .flags = IMAP_CMD_NAMES,
                                             .args_size = sizeof(struct rename_args),
                                             .parse = parse,
                                             .step = step};
