/* CHECK (RFC 3501 6.4.1): all that was answered is durable, so it is a NOOP. */
#include "imap/command.h"

static enum imap_step step(struct imap_job *job)
{
    return imap_job_ok(job, "CHECK completed");
}

const struct imap_command imap_cmd_check = {.name = "CHECK", .states = IMAP_SELECTED, .step = step};
