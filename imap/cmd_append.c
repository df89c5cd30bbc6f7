/* APPEND (RFC 9051 6.3.12), MULTIAPPEND (RFC 3502), CATENATE (RFC 4469), UTF8 data (RFC 6855 4), APPENDUID (RFC 4315 3). */
#include "imap/append.h"
#include "imap/command.h"

static struct txn *begin(struct imap_job *job)
{
    return txn_begin(job->s->acc);
}

static void committed(struct imap_job *job, const struct txn_result *result)
{
    imap_append_code(job, result);
}

static enum imap_step step(struct imap_job *job)
{
    struct append_args *a = job->args;

    if (!a->staged)
        return imap_append_stage(job, a, begin);
    return job->commit_err != 0 ? imap_job_fail(job, job->commit_err) : imap_job_ok(job, "APPEND completed");
}

const struct imap_command imap_cmd_append = {.name = "APPEND",
                                             .states = IMAP_ANY,
                                             .flags = IMAP_CMD_STACK,
                                             .args_size = sizeof(struct append_args),
                                             .parse = imap_append_parse,
                                             .step = step,
                                             .committed = committed,
                                             .drop = imap_append_drop};
