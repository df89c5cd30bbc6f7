/* SELECT: see select.c. */
#include "imap/command.h"
#include "imap/select.h"

static enum imap_step step(struct imap_job *job)
{
    return imap_select_step(job, false);
}

const struct imap_command imap_cmd_select = {.name = "SELECT",
                                             .states = IMAP_ANY,
                                             .flags = IMAP_CMD_QUIET,
                                             .args_size = sizeof(struct imap_select_args),
                                             .parse = imap_select_parse,
                                             .step = step,
                                             .drop = imap_select_drop};
