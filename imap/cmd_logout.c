/* LOGOUT (RFC 9051 6.1.3). */
#include "imap/command.h"
#include "imap/respond.h"

static enum imap_step step(struct imap_job *job)
{
    imap_session_close(job->s, NULL, "Logging out");
    return imap_job_ok(job, "LOGOUT completed");
}

const struct imap_command imap_cmd_logout = {.name = "LOGOUT", .states = IMAP_ANY, .flags = IMAP_CMD_QUIET, .step = step};
