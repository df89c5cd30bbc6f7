/*
 * REPLACE (RFC 8508): an APPEND and the expunge of one message of the selected mailbox, in one transaction. The message is found
 * when the command's first line is read, so its number means what it meant to the client.
 */
#include "imap/append.h"
#include "imap/command.h"
#include "imap/expunge.h"
#include "imap/respond.h"
#include "imap/rights.h"

void imap_replace_parse(struct imap_parse *p, struct imap_job *job)
{
    struct append_args *a = job->args;
    const struct mailbox_view *v = job->s->view;
    uint32_t count = mailbox_view_count(v), number;

    imap_parse_space(p);
    if (imap_parse_try(p, '*')) { /* seq-number */
        a->replaces = count == 0 ? 0 : mailbox_view_uid(v, count);
        if (count == 0 && !job->uid)
            imap_parse_fail(p, "Invalid message number");
        return;
    }
    number = (uint32_t)imap_parse_number(p, 1, UINT32_MAX);
    if (!imap_parse_ok(p))
        return;
    if (job->uid)
        a->replaces = mailbox_view_seq(v, number) == 0 ? 0 : number;
    else if (number > count)
        imap_parse_fail(p, "Invalid message number");
    else
        a->replaces = mailbox_view_uid(v, number);
}

/* NULL: the answer is set. */
static struct txn *begin(struct imap_job *job)
{
    struct append_args *a = job->args;
    struct mailbox_view *v = job->s->view;
    uint32_t seq = a->replaces == 0 ? 0 : mailbox_view_seq(v, a->replaces);
    struct mailbox *m = mailbox_view_mailbox(v);
    struct msg_info info = {.expunged = true};
    struct uidset uids;
    struct txn *t;
    int err;

    if (seq != 0)
        mailbox_view_info(v, seq, &info);
    if (m == NULL || info.expunged) {
        (void)imap_job_no(job, "NONEXISTENT", "The message to be replaced is not there");
        return NULL;
    }
    if (!imap_may(m, ACL_DELETED | ACL_EXPUNGE)) { /* RFC 8508 4.1 */
        (void)imap_job_noperm(job);
        return NULL;
    }
    t = txn_begin(job->s->acc);
    uidset_init(&uids);
    uidset_add(&uids, a->replaces);
    err = txn_expunge(t, m, &uids);
    uidset_free(&uids);
    if (err != 0) {
        txn_abort(&t);
        (void)imap_job_fail(job, err);
    }
    return t;
}

static void committed(struct imap_job *job, const struct txn_result *result)
{
    imap_append_code(job, result);
}

static enum imap_step step(struct imap_job *job)
{
    struct append_args *a = job->args;
    enum imap_step r;

    if (!a->staged)
        return imap_append_stage(job, a, begin);
    if (job->commit_err != 0)
        return imap_job_fail(job, job->commit_err);
    /* The new message's UID comes before the EXPUNGE of the old one (RFC 8508 4.3). */
    buf_put_byte(&job->code, '\0');
    imap_put_untagged(job->s, IMAP_OK, (const char *)buf_view(&job->code).ptr, "Replacement message ready");
    buf_reset(&job->code);
    r = imap_job_ok(job, "REPLACE completed");
    imap_expunge_code(job);
    return r;
}

const struct imap_command imap_cmd_replace = {.name = "REPLACE",
                                              .states = IMAP_SELECTED,
                                              .flags = IMAP_CMD_UID | IMAP_CMD_WRITE,
                                              .capability = "REPLACE",
                                              .args_size = sizeof(struct append_args),
                                              .parse = imap_append_parse,
                                              .step = step,
                                              .committed = committed,
                                              .drop = imap_append_drop};
