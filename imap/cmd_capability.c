/* CAPABILITY (RFC 9051 6.1.1). */
#include "imap/capability.h"
#include "imap/command.h"
#include "imap/respond.h"

static enum imap_step step(struct imap_job *job)
{
    struct buf *out = imap_out(job->s);

    buf_put_str(out, "* CAPABILITY ");
    imap_capability_put(job->s, out);
    buf_put_str(out, "\r\n");
    return imap_job_ok(job, "CAPABILITY completed");
}

const struct imap_command imap_cmd_capability = {.name = "CAPABILITY", .states = IMAP_ANY, .step = step};
