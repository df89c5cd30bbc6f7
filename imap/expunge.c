#include "imap/expunge.h"

#include "imap/limit.h"
#include "imap/rights.h"

static enum imap_step stage(struct imap_job *job, struct imap_expunge *e, bool *failed_out)
{
    struct imap_session *s = job->s;
    struct mailbox *m = mailbox_view_mailbox(s->view);
    struct txn *t;
    int err;

    e->staged = true;
    if (e->uids.n == 0 || m == NULL)
        return IMAP_STEP_DONE;
    t = txn_begin(s->acc);
    err = txn_expunge(t, m, &e->uids);
    if (err != 0) {
        txn_abort(&t);
        *failed_out = true;
        return imap_job_fail(job, err);
    }
    imap_job_commit(job, &t);
    return IMAP_STEP_COMMIT;
}

void imap_expunge_code(struct imap_job *job)
{
    const struct mailbox *m = mailbox_view_mailbox(job->s->view);
    struct mailbox_status status;

    if ((job->s->enabled & IMAP_ENABLED_CONDSTORE) == 0 || m == NULL)
        return;
    mailbox_status(m, &status);
    buf_put_str(&job->code, "HIGHESTMODSEQ ");
    buf_put_dec(&job->code, status.highestmodseq);
}

enum imap_step imap_expunge_step(struct imap_job *job, struct imap_expunge *e, const struct uidset *only, bool *failed_out)
{
    struct imap_session *s = job->s;
    uint32_t count = mailbox_view_count(s->view);

    *failed_out = false;
    if (e->staged) {
        if (job->commit_err == 0)
            return IMAP_STEP_DONE;
        *failed_out = true;
        return imap_job_fail(job, job->commit_err);
    }
    if (e->scanned == 0 && mailbox_view_mailbox(s->view) != NULL && !imap_may(mailbox_view_mailbox(s->view), ACL_EXPUNGE)) {
        *failed_out = true;
        return imap_job_noperm(job);
    }
    while (e->scanned < count) {
        uint32_t seq = ++e->scanned;
        struct msg_info info;

        if (only == NULL || uidset_has(only, seq)) {
            mailbox_view_info(s->view, seq, &info);
            if ((info.flags & MSG_DELETED) != 0 && !info.expunged)
                uidset_add(&e->uids, info.uid);
        }
        if (seq % 256 == 0 && imap_slice_over(s))
            return IMAP_STEP_AGAIN;
    }
    if (only != NULL) /* neither EXPUNGE nor CLOSE: RFC 9738 3.1 */
        imap_limit_note(job, imap_message_limit(s), imap_limit_cut(&e->uids, imap_message_limit(s)));
    return stage(job, e, failed_out);
}
