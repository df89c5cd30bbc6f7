/*
 * INPROGRESS (RFC 9585). Time is that of the turn: a job that comes back from its turns late is told of late, which is no loss,
 * for nothing can be written meanwhile.
 */
#include "imap/progress.h"

#include "common/base/mem.h"
#include "imap/capability.h"
#include "imap/respond.h"

/* The tag needs no quoting: it has neither quotes nor backslashes (RFC 9051 9). */
static void put(struct imap_job *job)
{
    struct imap_progress progress = {0, 0};
    struct buf *out = imap_out(job->s);

    if (job->cmd->progress != NULL)
        job->cmd->progress(job, &progress);
    buf_put_str(out, "* OK [INPROGRESS (\"");
    buf_put_view(out, job->tag);
    buf_put_str(out, "\" ");
    if (progress.goal == 0)
        buf_put_str(out, "NIL NIL");
    else {
        buf_put_dec(out, MIN_OF(progress.done, progress.goal));
        buf_put_byte(out, ' ');
        buf_put_dec(out, progress.goal);
    }
    buf_put_str(out, ")] Still working\r\n");
}

void imap_progress_tell(struct imap_job *job)
{
    const struct imap_session *s = job->s;
    uint64_t interval_us = s->host->set->imap_progress_interval * 1000;

    if (interval_us == 0 || job->internal || s->closing)
        return;
    if (job->progress_due_us == 0)
        job->progress_due_us = s->slice_end_us + interval_us;
    if (s->slice_end_us < job->progress_due_us || s->mid_response || imap_capability_disabled(s, "INPROGRESS"))
        return;
    job->progress_due_us = s->slice_end_us + interval_us;
    put(job);
}
