/* GETQUOTA (RFC 9208 4.1.1). */
#include "imap/command.h"
#include "imap/quota.h"

struct getquota_args {
    struct view root;
};

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct getquota_args *a = job->args;

    imap_parse_space(p);
    a->root = imap_parse_astring(p);
}

static enum imap_step step(struct imap_job *job)
{
    const struct getquota_args *a = job->args;

    if (!view_eq(a->root, VIEW(IMAP_QUOTA_ROOT)))
        return imap_job_no(job, "NONEXISTENT", "No such quota root");
    imap_quota_put(job->s);
    return imap_job_ok(job, "GETQUOTA completed");
}

const struct imap_command imap_cmd_getquota = {.name = "GETQUOTA",
                                               .states = IMAP_ANY,
                                               .capability = "QUOTA",
                                               .args_size = sizeof(struct getquota_args),
                                               .parse = parse,
                                               .step = step};
