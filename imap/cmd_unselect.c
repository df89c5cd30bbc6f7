/* UNSELECT (RFC 3691): as CLOSE, and nothing is expunged. */
#include "imap/command.h"

static enum imap_step step(struct imap_job *job)
{
    imap_session_unselect(job->s);
    return imap_job_ok(job, "UNSELECT completed");
}

const struct imap_command imap_cmd_unselect = {
    .name = "UNSELECT", .states = IMAP_SELECTED, .flags = IMAP_CMD_QUIET, .capability = "UNSELECT", .step = step};
