/* NOOP: its answer comes after what has changed (RFC 9051 6.1.2). */
#include "imap/command.h"

static enum imap_step step(struct imap_job *job)
{
    return imap_job_ok(job, "NOOP completed");
}

const struct imap_command imap_cmd_noop = {.name = "NOOP", .states = IMAP_ANY, .step = step};
