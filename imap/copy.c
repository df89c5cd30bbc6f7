/* COPY (RFC 9051 6.4.7), MOVE (6.4.8, RFC 6851), COPYUID (RFC 4315 3). */
#include "imap/copy.h"

#include "imap/expunge.h"
#include "imap/limit.h"
#include "imap/names.h"
#include "imap/respond.h"
#include "imap/rights.h"

void imap_copy_parse(struct imap_parse *p, struct imap_job *job)
{
    struct imap_copy_args *a = job->args;

    imap_parse_space(p);
    imap_parse_set(p, &a->targets.set);
    imap_parse_space(p);
    a->name = imap_parse_mailbox(p, job->s);
}

/* COPY is all or nothing, MOVE is not (RFC 9738 3.1). False: the answer is set. */
static bool limit(struct imap_job *job, struct imap_copy_args *a, bool move)
{
    uint32_t most = move ? imap_message_limit(job->s) : imap_save_limit(job->s), lowest = imap_limit_cut(&a->targets.uids, most);

    if (move)
        imap_limit_note(job, most, lowest);
    else if (lowest != 0)
        (void)imap_limit_refuse(job, most, lowest, "Too many messages to be copied by one command");
    return move || lowest == 0;
}

static enum imap_step stage(struct imap_job *job, struct imap_copy_args *a, bool move)
{
    struct imap_session *s = job->s;
    struct mailbox *from = mailbox_view_mailbox(s->view), *to;
    struct txn *t;
    int err;

    a->staged = true;
    if (a->name.ptr == NULL)
        return imap_job_fail(job, ERR_SYNTAX);
    to = account_find(s->acc, a->name);
    if (to == NULL)
        return imap_job_no(job, "TRYCREATE", "No such mailbox");
    if (from == NULL)
        return imap_job_no(job, "NONEXISTENT", "The mailbox was deleted");
    if (!imap_may(to, ACL_INSERT) || (move && !imap_may(from, ACL_DELETED | ACL_EXPUNGE))) /* RFC 6851 4.4 */
        return imap_job_noperm(job);
    if (a->targets.gone && !job->uid)
        return imap_job_no(job, "EXPUNGEISSUED", "Some of the messages were removed");
    if (a->targets.uids.n == 0)
        return imap_job_ok(job, "No messages found");
    if (!limit(job, a, move))
        return IMAP_STEP_DONE;
    t = txn_begin(s->acc);
    err = txn_copy(t, from, &a->targets.uids, to, move);
    if (err != 0) {
        txn_abort(&t);
        return imap_job_fail(job, err);
    }
    if (!imap_may(to, ACL_SEEN | ACL_WRITE | ACL_DELETED))
        txn_copy_flags(t, imap_rights_flags(mailbox_own_rights(to)), imap_may(to, ACL_WRITE));
    imap_job_commit(job, &t);
    return IMAP_STEP_COMMIT;
}

/* Numbers in their order, runs as ranges. */
static void put_numbers(struct buf *out, const uint32_t *numbers, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t end = i + 1;

        while (end < n && numbers[end] == numbers[end - 1] + 1)
            end++;
        if (i > 0)
            buf_put_byte(out, ',');
        buf_put_dec(out, numbers[i]);
        if (end - i > 1) {
            buf_put_byte(out, ':');
            buf_put_dec(out, numbers[end - 1]);
        }
        i = end;
    }
}

void imap_copy_committed(struct imap_job *job, const struct txn_result *result)
{
    const struct imap_copy_args *a = job->args;
    const struct mailbox *to = account_find(job->s->acc, a->name);

    if (result->ncopied == 0 || to == NULL || !imap_may(to, ACL_READ)) /* RFC 4315 3: of one that may not be selected none */
        return;
    buf_put_str(&job->code, "COPYUID ");
    buf_put_dec(&job->code, result->copy_uidvalidity);
    buf_put_byte(&job->code, ' ');
    put_numbers(&job->code, result->copy_from, result->ncopied);
    buf_put_byte(&job->code, ' ');
    put_numbers(&job->code, result->copy_to, result->ncopied);
    if (!buf_ok(&job->code))
        buf_reset(&job->code); /* no COPYUID rather than a wrong one */
}

enum imap_step imap_copy_step(struct imap_job *job, bool move)
{
    struct imap_copy_args *a = job->args;
    bool failed;

    if (!a->staged) {
        enum imap_step r = imap_targets_step(job, &a->targets, &failed);

        return r != IMAP_STEP_DONE || failed ? r : stage(job, a, move);
    }
    if (job->commit_err != 0)
        return imap_job_fail(job, job->commit_err);
    if (!move)
        return imap_job_ok(job, "COPY completed");
    if (buf_len(&job->code) > 0) { /* RFC 6851 4.3: before the EXPUNGE responses */
        imap_put_tagged(job->s, (struct view){NULL, 0}, IMAP_OK, buf_view(&job->code), "Moved");
        buf_reset(&job->code);
    }
    imap_expunge_code(job);
    return imap_job_ok(job, "MOVE completed");
}

void imap_copy_drop(struct imap_job *job)
{
    struct imap_copy_args *a = job->args;

    imap_targets_free(&a->targets);
}
