/* COPY: see copy.c. */
#include "imap/command.h"
#include "imap/copy.h"

static enum imap_step step(struct imap_job *job)
{
    return imap_copy_step(job, false);
}

const struct imap_command imap_cmd_copy = {.name = "COPY",
                                           .states = IMAP_SELECTED,
                                           .flags = IMAP_CMD_UID,
                                           .capability = NULL,
                                           .args_size = sizeof(struct imap_copy_args),
                                           .parse = imap_copy_parse,
                                           .step = step,
                                           .committed = imap_copy_committed,
                                           .drop = imap_copy_drop};
