/* STATUS (RFC 9051 6.3.11). */
#include "imap/command.h"
#include "imap/names.h"
#include "imap/rights.h"
#include "imap/status_items.h"

struct status_args {
    struct view name;
    unsigned items;
};

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct status_args *a = job->args;

    imap_parse_space(p);
    a->name = imap_parse_mailbox(p, job->s);
    imap_parse_space(p);
    a->items = imap_status_parse(p);
}

static enum imap_step step(struct imap_job *job)
{
    const struct status_args *a = job->args;
    const struct mailbox *m;

    if (a->name.ptr == NULL)
        return imap_job_fail(job, ERR_SYNTAX);
    m = account_find(job->s->acc, a->name);
    if (m == NULL)
        return imap_job_fail(job, ERR_NOTFOUND);
    if (!imap_may(m, ACL_READ))
        return imap_job_noperm(job);
    imap_status_enable(job->s, a->items);
    imap_status_put(job->s, a->name, m, a->items);
    return imap_job_ok(job, "STATUS completed");
}

const struct imap_command imap_cmd_status = {
    .name = "STATUS", .states = IMAP_ANY, .args_size = sizeof(struct status_args), .parse = parse, .step = step};
