/* STORE (RFC 9051 6.4.6) with UNCHANGEDSINCE (RFC 7162 3.1.3). May be staged behind other changes. */
#include "imap/command.h"
#include "imap/context.h"
#include "imap/limit.h"
#include "imap/respond.h"
#include "imap/rights.h"
#include "imap/targets.h"

struct store_args {
    struct imap_targets targets;
    struct imap_flags flags;
    struct flag_change change;
    bool silent, staged;
    uint64_t modseq;        /* of the change */
    struct uidset modified; /* UIDs that UNCHANGEDSINCE left alone */
    size_t range;           /* what is told of the new flags */
    uint32_t next;
};

static void parse_modifier(struct imap_parse *p, struct store_args *a)
{
    imap_parse_open(p);
    if (!imap_parse_try_word(p, "UNCHANGEDSINCE"))
        imap_parse_fail(p, "Unknown STORE modifier");
    imap_parse_space(p);
    a->change.unchangedsince = imap_parse_number(p, 0, INT64_MAX);
    a->change.has_unchangedsince = true;
    imap_parse_close(p);
    imap_parse_space(p);
}

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct store_args *a = job->args;

    imap_parse_space(p);
    imap_parse_set(p, &a->targets.set);
    imap_parse_space(p);
    if (imap_parse_peek(p) == '(')
        parse_modifier(p, a);
    a->change.op = imap_parse_try(p, '+') ? FLAGS_ADD : imap_parse_try(p, '-') ? FLAGS_REMOVE : FLAGS_REPLACE;
    if (!imap_parse_try_word(p, "FLAGS"))
        imap_parse_fail(p, "Unknown STORE item");
    a->silent = imap_parse_try_word(p, ".SILENT");
    imap_parse_space(p);
    imap_parse_flags(p, true, &a->flags);
    a->change.flags = a->flags.flags;
    a->change.keywords = a->flags.keywords;
    a->change.nkeywords = a->flags.nkeywords;
}

/* RFC 4314 4: flags that may not be changed stay as they are, and it is no failure as long as any may be. */
static bool limit_change(struct store_args *a, unsigned rights)
{
    unsigned may = imap_rights_flags(rights);
    bool keywords = (rights & ACL_WRITE) != 0, any = a->change.flags != 0 || a->change.nkeywords > 0;

    a->change.keep = ~may;
    a->change.keep_keywords = !keywords;
    a->change.nkeywords = keywords ? a->change.nkeywords : 0;
    if (a->change.op == FLAGS_REPLACE)
        return may != 0;
    return !any || (a->change.flags & may) != 0 || a->change.nkeywords > 0;
}

static enum imap_step stage(struct imap_job *job, struct store_args *a)
{
    struct imap_session *s = job->s;
    struct mailbox *m = mailbox_view_mailbox(s->view);
    uint32_t limit = imap_message_limit(s);
    struct txn *t;
    int err;

    a->staged = true;
    if (m == NULL)
        return imap_job_no(job, "NONEXISTENT", "The mailbox was deleted");
    if (a->targets.uids.n == 0)
        return IMAP_STEP_COMMIT;
    imap_limit_note(job, limit, imap_limit_cut(&a->targets.uids, limit));
    if (a->change.has_unchangedsince)
        imap_session_condstore(s);
    if (!limit_change(a, mailbox_own_rights(m)))
        return imap_job_noperm(job);
    t = txn_begin(s->acc);
    err = txn_flags(t, m, &a->targets.uids, &a->change);
    if (err != 0) {
        txn_abort(&t);
        return err == ERR_LIMIT ? imap_job_no(job, "LIMIT", "Too many keywords, or one too long") : imap_job_fail(job, err);
    }
    imap_job_commit(job, &t);
    return IMAP_STEP_COMMIT;
}

static void committed(struct imap_job *job, const struct txn_result *result)
{
    struct store_args *a = job->args;

    for (size_t i = 0; i < result->modified.n; i++)
        uidset_add_range(&a->modified, result->modified.ranges[i].first, result->modified.ranges[i].last);
    a->modseq = result->modseq;
}

/* A command that is limited goes downwards: RFC 9738 3.1. */
static uint32_t next_uid(const struct imap_job *job, struct store_args *a)
{
    return job->limited != 0 ? imap_seqs_previous(&a->targets.uids, &a->next)
                             : imap_seqs_next(&a->targets.uids, &a->range, &a->next);
}

/* The new flags, as if they had been fetched. */
static bool tell_new(struct imap_job *job, struct store_args *a)
{
    struct imap_session *s = job->s;
    uint32_t uid;

    while ((uid = next_uid(job, a)) != 0) {
        uint32_t seq = mailbox_view_seq(s->view, uid);

        if (seq != 0 && !uidset_has(&a->modified, uid))
            imap_tell_flags(s, seq, job->uid || imap_session_tells_uid(s));
        if (imap_slice_over(s))
            return false;
    }
    return true;
}

/* MODIFIED in the numbers of the command. */
static void put_modified(struct imap_job *job, const struct store_args *a)
{
    struct uidset seqs;
    uint32_t uid, next = 0;
    size_t range = 0;

    buf_put_str(&job->code, "MODIFIED ");
    if (job->uid) {
        uidset_put(&job->code, &a->modified);
        return;
    }
    uidset_init(&seqs);
    while ((uid = imap_seqs_next(&a->modified, &range, &next)) != 0) {
        uint32_t seq = mailbox_view_seq(job->s->view, uid);

        if (seq != 0)
            uidset_add(&seqs, seq);
    }
    uidset_put(&job->code, &seqs);
    uidset_free(&seqs);
}

/* Messages that another session has expunged: RFC 2180 4.2.1 to 4.2.3. */
static enum imap_step answer(struct imap_job *job, const struct store_args *a)
{
    enum imap_step r;

    if (a->targets.gone && !a->silent && !job->uid)
        r = imap_job_no(job, "EXPUNGEISSUED", "Some of the messages were removed");
    else
        r = imap_job_ok(job, a->modified.n > 0 ? "Conditional STORE failed for some" : "STORE completed");
    if (a->modified.n > 0) {
        buf_reset(&job->code);
        put_modified(job, a);
    }
    return r;
}

static enum imap_step step(struct imap_job *job)
{
    struct store_args *a = job->args;
    struct imap_session *s = job->s;
    bool failed, tells = !a->silent || a->change.has_unchangedsince; /* RFC 7162 3.1.3: silent or not, changed or not */

    if (!a->staged) {
        enum imap_step r = imap_targets_step(job, &a->targets, &failed);

        return r != IMAP_STEP_DONE || failed ? r : stage(job, a);
    }
    if (job->commit_err != 0)
        return imap_job_fail(job, job->commit_err);
    if (tells && !tell_new(job, a))
        return IMAP_STEP_AGAIN;
    imap_context_touch(s, &a->targets.uids);
    /* With CONDSTORE a silent change is told all the same: the client needs the new mod-sequence. */
    if (a->targets.uids.n > 0 && (tells || (s->enabled & IMAP_ENABLED_CONDSTORE) == 0))
        mailbox_view_forget(s->view, &a->targets.uids, a->modseq);
    return answer(job, a);
}

static void drop(struct imap_job *job)
{
    struct store_args *a = job->args;

    imap_targets_free(&a->targets);
    uidset_free(&a->modified);
}

const struct imap_command imap_cmd_store = {.name = "STORE",
                                            .states = IMAP_SELECTED,
                                            .flags = IMAP_CMD_UID | IMAP_CMD_STACK | IMAP_CMD_WRITE | IMAP_CMD_HOLD_EXPUNGE,
                                            .args_size = sizeof(struct store_args),
                                            .parse = parse,
                                            .step = step,
                                            .committed = committed,
                                            .drop = drop};
