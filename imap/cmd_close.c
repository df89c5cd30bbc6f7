/* CLOSE (RFC 9051 6.4.1): what has \Deleted goes without a word, then no mailbox is selected. */
#include "imap/command.h"
#include "imap/expunge.h"
#include "imap/rights.h"

static enum imap_step step(struct imap_job *job)
{
    const struct mailbox *m = mailbox_view_mailbox(job->s->view);
    bool failed = false;

    if (!job->s->examine && (m == NULL || imap_may(m, ACL_EXPUNGE))) { /* RFC 4314 4: without the right nothing is removed */
        enum imap_step r = imap_expunge_step(job, job->args, NULL, &failed);

        if (r != IMAP_STEP_DONE)
            return r;
    }
    imap_session_unselect(job->s);
    return failed ? IMAP_STEP_DONE : imap_job_ok(job, "CLOSE completed");
}

static void drop(struct imap_job *job)
{
    struct imap_expunge *e = job->args;

    uidset_free(&e->uids);
}

const struct imap_command imap_cmd_close = {.name = "CLOSE",
                                            .states = IMAP_SELECTED,
                                            .flags = IMAP_CMD_QUIET,
                                            .args_size = sizeof(struct imap_expunge),
                                            .step = step,
                                            .drop = drop};
