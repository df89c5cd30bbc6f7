/* NAMESPACE (RFC 2342): one personal namespace without prefix. */
#include "imap/command.h"
#include "imap/respond.h"

void imap_put_namespace(struct imap_session *s)
{
    struct buf *out = imap_out(s);

    buf_put_str(out, "* NAMESPACE ((\"\" \"");
    buf_put_byte(out, (uint8_t)imap_separator(s));
    buf_put_str(out, "\")) NIL NIL\r\n");
}

static enum imap_step step(struct imap_job *job)
{
    imap_put_namespace(job->s);
    return imap_job_ok(job, "NAMESPACE completed");
}

const struct imap_command imap_cmd_namespace = {.name = "NAMESPACE", .states = IMAP_ANY, .capability = "NAMESPACE", .step = step};
