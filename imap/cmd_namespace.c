/* NAMESPACE (RFC 2342): one personal namespace without prefix. */
#include "imap/command.h"
#include "imap/respond.h"

static enum imap_step step(struct imap_job *job)
{
    struct buf *out = imap_out(job->s);

    buf_put_str(out, "* NAMESPACE ((\"\" \"");
    buf_put_byte(out, (uint8_t)imap_separator(job->s));
    buf_put_str(out, "\")) NIL NIL\r\n");
    return imap_job_ok(job, "NAMESPACE completed");
}

const struct imap_command imap_cmd_namespace = {.name = "NAMESPACE", .states = IMAP_ANY, .capability = "NAMESPACE", .step = step};
