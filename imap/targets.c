#include "imap/targets.h"

enum imap_step imap_targets_step(struct imap_job *job, struct imap_targets *t, bool *failed_out)
{
    uint32_t seq;

    *failed_out = false;
    if (t->done)
        return IMAP_STEP_DONE;
    if (!t->resolved && imap_job_seqs(job, &t->set, &t->seqs) != 0) {
        *failed_out = true;
        return imap_job_bad(job, "Invalid message set");
    }
    t->resolved = true;
    while ((seq = imap_seqs_next(&t->seqs, &t->range, &t->next)) != 0) {
        struct msg_info info;

        mailbox_view_info(job->s->view, seq, &info);
        if (info.expunged)
            t->gone = true;
        else
            uidset_add(&t->uids, info.uid);
        if (seq % 256 == 0 && imap_slice_over(job->s))
            return IMAP_STEP_AGAIN;
    }
    t->done = true;
    return IMAP_STEP_DONE;
}

void imap_targets_free(struct imap_targets *t)
{
    uidset_free(&t->seqs);
    uidset_free(&t->uids);
}
