/* SELECT, EXAMINE (RFC 9051 6.3.2, 6.3.3), CONDSTORE parameter (RFC 7162 3.1.8), MAILBOXID (RFC 8474 4.2). */
#include "imap/select.h"

#include "imap/names.h"
#include "imap/respond.h"

void imap_select_parse(struct imap_parse *p, struct imap_job *job)
{
    struct imap_select_args *a = job->args;

    imap_parse_space(p);
    a->name = imap_parse_mailbox(p, job->s);
    if (!imap_parse_try(p, ' '))
        return;
    imap_parse_open(p);
    if (!imap_parse_try_word(p, "CONDSTORE"))
        imap_parse_fail(p, "Unknown SELECT parameter");
    imap_parse_close(p);
    a->condstore = true;
}

/* unseen: sequence number of the first message without \Seen, 0: none. */
static void put_selected(struct imap_session *s, const struct imap_select_args *a, uint32_t unseen)
{
    struct buf *out = imap_out(s);

    imap_tell_keywords(s);
    buf_put_str(out, "* ");
    buf_put_dec(out, mailbox_view_count(s->view));
    buf_put_str(out, " EXISTS\r\n* ");
    buf_put_dec(out, mailbox_view_recent(s->view));
    buf_put_str(out, " RECENT\r\n");
    if (unseen != 0)
        imap_put_code_number(s, "UNSEEN", unseen, "First unseen");
    imap_put_code_number(s, "UIDVALIDITY", a->status.uidvalidity, "UIDs valid");
    imap_put_code_number(s, "UIDNEXT", a->status.uidnext, "Predicted next UID");
    imap_put_code_number(s, "HIGHESTMODSEQ", a->status.highestmodseq, "Highest");
    if (mailbox_view_mailbox(s->view) != NULL) {
        buf_put_str(out, "* OK [MAILBOXID (");
        mailbox_put_objectid(out, mailbox_view_mailbox(s->view));
        buf_put_str(out, ")] Object id\r\n");
    }
}

static enum imap_step open_mailbox(struct imap_job *job, struct imap_select_args *a, bool examine)
{
    struct imap_session *s = job->s;
    struct mailbox *m;

    if (s->view != NULL) {
        imap_session_unselect(s);
        imap_put_untagged(s, IMAP_OK, "CLOSED", "Previous mailbox closed");
    }
    if (a->name.ptr == NULL)
        return imap_job_fail(job, ERR_SYNTAX);
    m = account_find(s->acc, a->name);
    if (m == NULL)
        return imap_job_fail(job, ERR_NOTFOUND);
    if (a->condstore)
        imap_session_condstore(s);
    imap_session_select(s, m, examine);
    mailbox_status(m, &a->status);
    if (a->status.unseen == 0)
        a->scan = mailbox_view_count(s->view);
    a->opened = true;
    return IMAP_STEP_AGAIN;
}

enum imap_step imap_select_step(struct imap_job *job, bool examine)
{
    struct imap_select_args *a = job->args;
    struct imap_session *s = job->s;
    uint32_t count, unseen = 0;

    if (!a->opened && open_mailbox(job, a, examine) == IMAP_STEP_DONE)
        return IMAP_STEP_DONE;
    count = mailbox_view_count(s->view);
    while (a->scan < count && unseen == 0) {
        struct msg_info info;

        mailbox_view_info(s->view, a->scan + 1, &info);
        if ((info.flags & MSG_SEEN) == 0)
            unseen = a->scan + 1;
        a->scan++;
        if (unseen == 0 && a->scan % 256 == 0 && imap_slice_over(s))
            return IMAP_STEP_AGAIN;
    }
    put_selected(s, a, unseen);
    buf_put_str(&job->code, examine ? "READ-ONLY" : "READ-WRITE");
    return imap_job_ok(job, examine ? "EXAMINE completed" : "SELECT completed");
}
