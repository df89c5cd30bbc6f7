/* GETQUOTAROOT (RFC 9208 4.1.2). The mailbox does not need to exist. */
#include "imap/command.h"
#include "imap/names.h"
#include "imap/quota.h"
#include "imap/respond.h"

struct getquotaroot_args {
    struct view name;
};

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct getquotaroot_args *a = job->args;

    imap_parse_space(p);
    a->name = imap_parse_mailbox(p, job->s);
}

static enum imap_step step(struct imap_job *job)
{
    const struct getquotaroot_args *a = job->args;
    struct buf *out = imap_out(job->s);

    if (a->name.ptr == NULL || account_check_name(a->name) != 0)
        return imap_job_fail(job, ERR_SYNTAX);
    buf_put_str(out, "* QUOTAROOT ");
    imap_put_mailbox(job->s, out, a->name);
    buf_put_str(out, " " IMAP_QUOTA_ROOT "\r\n");
    imap_quota_put(job->s);
    return imap_job_ok(job, "GETQUOTAROOT completed");
}

const struct imap_command imap_cmd_getquotaroot = {.name = "GETQUOTAROOT",
                                                   .states = IMAP_ANY,
                                                   .capability = "QUOTA",
                                                   .args_size = sizeof(struct getquotaroot_args),
                                                   .parse = parse,
                                                   .step = step};
