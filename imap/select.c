/* SELECT, EXAMINE (RFC 9051 6.3.2, 6.3.3), CONDSTORE and QRESYNC parameters (RFC 7162 3.1.8, 3.2.5), MAILBOXID (RFC 8474 4.2). */
#include "imap/select.h"

#include "common/base/mem.h"
#include "imap/names.h"
#include "imap/respond.h"
#include "imap/rights.h"
#include "imap/vanished.h"

#define UNSEEN_STEP 4096 /* messages that are looked at between two looks at the clock */

/* A set of what the client knows: "*" is not allowed (RFC 7162 section 7), and "$" is no mailbox's before it is selected. */
static void parse_known(struct imap_parse *p, struct imap_seq_set *set)
{
    imap_parse_set(p, set);
    for (size_t i = 0; i < set->n && imap_parse_ok(p); i++)
        if (set->ranges[i].first == 0 || set->ranges[i].last == 0)
            imap_parse_fail(p, "\"*\" cannot be known");
    if (set->saved)
        imap_parse_fail(p, "\"$\" cannot be known");
}

/* (uidvalidity modseq [known-uids] [(known-sequence-set known-uid-set)]) */
static void parse_qresync(struct imap_parse *p, struct imap_job *job)
{
    struct imap_qresync *q = &((struct imap_select_args *)job->args)->resync;
    bool more;

    if ((job->s->enabled & IMAP_ENABLED_QRESYNC) == 0)
        imap_parse_fail(p, "QRESYNC was not enabled");
    q->given = true;
    imap_parse_space(p);
    imap_parse_open(p);
    q->uidvalidity = (uint32_t)imap_parse_number(p, 1, UINT32_MAX);
    imap_parse_space(p);
    q->modseq = imap_parse_number(p, 1, INT64_MAX);
    more = imap_parse_try(p, ' ');
    if (more && imap_parse_peek(p) != '(') {
        parse_known(p, &q->known);
        q->has_known = true;
        more = imap_parse_try(p, ' ');
    }
    if (more) {
        if (p->uidonly)
            imap_parse_fail_code(p, "UIDREQUIRED", "Message numbers cannot be used after ENABLE UIDONLY");
        imap_parse_open(p);
        parse_known(p, &q->match_seqs);
        imap_parse_space(p);
        parse_known(p, &q->match_uids);
        imap_parse_close(p);
    }
    imap_parse_close(p);
}

static void parse_parameter(struct imap_parse *p, struct imap_job *job)
{
    struct imap_select_args *a = job->args;

    if (imap_parse_try_word(p, "CONDSTORE"))
        a->condstore = true;
    else if (imap_parse_try_word(p, "QRESYNC"))
        parse_qresync(p, job);
    else
        imap_parse_fail(p, "Unknown SELECT parameter");
}

void imap_select_parse(struct imap_parse *p, struct imap_job *job)
{
    struct imap_select_args *a = job->args;

    imap_parse_space(p);
    a->name = imap_parse_mailbox(p, job->s);
    if (!imap_parse_try(p, ' '))
        return;
    imap_parse_open(p);
    do
        parse_parameter(p, job);
    while (imap_parse_ok(p) && imap_parse_try(p, ' '));
    imap_parse_close(p);
}

/* RFC 9051 6.3.2: the selected mailbox as LIST has it. */
static void put_list(struct imap_session *s, struct view name)
{
    const struct mailbox *m = mailbox_view_mailbox(s->view);
    struct buf *out = imap_out(s);
    bool first = true;

    buf_put_str(out, "* LIST (");
    imap_put_uses(out, m == NULL ? 0 : mailbox_use(m), &first);
    buf_put_str(out, ") \"");
    buf_put_byte(out, (uint8_t)imap_separator(s));
    buf_put_str(out, "\" ");
    imap_put_mailbox(s, out, name);
    buf_put_str(out, "\r\n");
}

/* unseen: sequence number of the first message without \Seen, 0: none. */
static void put_selected(struct imap_session *s, const struct imap_select_args *a, uint32_t unseen)
{
    struct buf *out = imap_out(s);

    imap_tell_keywords(s);
    buf_put_str(out, "* ");
    buf_put_dec(out, mailbox_view_count(s->view));
    buf_put_str(out, " EXISTS\r\n");
    if (imap_session_recent(s)) {
        buf_put_str(out, "* ");
        buf_put_dec(out, mailbox_view_recent(s->view));
        buf_put_str(out, " RECENT\r\n");
    } else
        put_list(s, a->name);
    if (unseen != 0 && imap_session_recent(s) && !imap_session_uidonly(s))
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
    if (!imap_may(m, ACL_READ))
        return imap_job_noperm(job);
    if (a->condstore)
        imap_session_condstore(s);
    imap_session_select(s, m, examine || (mailbox_own_rights(m) & IMAP_RIGHTS_WRITE) == 0);
    mailbox_status(m, &a->status);
    if (a->status.unseen == 0)
        a->scan = mailbox_view_count(s->view);
    a->opened = true;
    return IMAP_STEP_AGAIN;
}

/* The highest UID of the pairs that the client gave and that are still as it knows them: up to there it has missed no expunge
 * (RFC 7162 3.2.5.2). */
static uint32_t matched_uid(const struct imap_session *s, const struct imap_qresync *q)
{
    struct uidset seqs, uids;
    size_t seq_range = 0, uid_range = 0;
    uint32_t seq, uid, next_seq = 0, next_uid = 0, matched = 0;

    uidset_init(&seqs);
    uidset_init(&uids);
    imap_set_resolve_uids(&q->match_seqs, 0, &seqs);
    imap_set_resolve_uids(&q->match_uids, 0, &uids);
    while ((seq = imap_seqs_next(&seqs, &seq_range, &next_seq)) != 0 &&
           (uid = imap_seqs_next(&uids, &uid_range, &next_uid)) != 0 && seq <= mailbox_view_count(s->view) &&
           mailbox_view_uid(s->view, seq) == uid)
        matched = uid;
    uidset_free(&seqs);
    uidset_free(&uids);
    return matched;
}

static void collect_vanished(struct imap_session *s, struct imap_qresync *q)
{
    const struct mailbox *m = mailbox_view_mailbox(s->view);
    uint32_t matched;

    if (m == NULL)
        return;
    imap_vanished_collect(s, m, q->modseq, q->has_known ? &q->known : NULL, &q->vanished);
    matched = q->match_seqs.n > 0 ? matched_uid(s, q) : 0;
    if (matched > 0)
        uidset_remove_range(&q->vanished, 1, matched);
}

/* What has changed since the client was here; true when all is told. */
static bool resync(struct imap_session *s, struct imap_qresync *q)
{
    struct uidset known;
    bool over = false;

    if (!imap_vanished_put(s, &q->vanished, &q->range, true))
        return false;
    uidset_init(&known);
    if (q->has_known)
        imap_set_resolve_uids(&q->known, UINT32_MAX, &known);
    while (!over && q->told < mailbox_view_count(s->view)) {
        struct msg_info info;

        mailbox_view_info(s->view, ++q->told, &info);
        if (info.modseq > q->modseq && (!q->has_known || uidset_has(&known, info.uid)))
            imap_tell_flags(s, q->told, true);
        over = imap_slice_over(s);
    }
    uidset_free(&known);
    return q->told == mailbox_view_count(s->view);
}

static bool find_unseen(struct imap_session *s, struct imap_select_args *a, uint32_t *unseen_out)
{
    uint32_t count = mailbox_view_count(s->view);

    while (a->scan < count && *unseen_out == 0) {
        uint32_t last = MIN_OF(count, a->scan + UNSEEN_STEP);

        *unseen_out = mailbox_view_find_flags(s->view, a->scan + 1, last, 0, MSG_SEEN);
        a->scan = last;
        if (*unseen_out == 0 && imap_slice_spent(s))
            return false;
    }
    return true;
}

void imap_select_drop(struct imap_job *job)
{
    uidset_free(&((struct imap_select_args *)job->args)->resync.vanished);
}

enum imap_step imap_select_step(struct imap_job *job, bool examine)
{
    struct imap_select_args *a = job->args;
    struct imap_session *s = job->s;
    uint32_t unseen = 0;

    if (!a->opened && open_mailbox(job, a, examine) == IMAP_STEP_DONE)
        return IMAP_STEP_DONE;
    if (!a->selected) {
        if (!find_unseen(s, a, &unseen))
            return IMAP_STEP_AGAIN;
        put_selected(s, a, unseen);
        a->selected = true;
        if (a->resync.given && a->resync.uidvalidity == a->status.uidvalidity)
            collect_vanished(s, &a->resync);
        else
            a->resync.given = false;
    }
    if (a->resync.given && !resync(s, &a->resync))
        return IMAP_STEP_AGAIN;
    buf_put_str(&job->code, s->examine ? "READ-ONLY" : "READ-WRITE");
    return imap_job_ok(job, examine ? "EXAMINE completed" : "SELECT completed");
}
