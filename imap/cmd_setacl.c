/* SETACL (RFC 4314 3.1) and DELETEACL (3.2), which only differ in that the latter has no rights. */
#include "imap/command.h"
#include "imap/names.h"
#include "imap/rights.h"

struct setacl_args {
    struct view name;
    struct imap_identifier id;
    uint8_t how; /* '+', '-' or 0 */
    unsigned rights;
    bool staged;
};

static void parse_names(struct imap_parse *p, struct imap_job *job)
{
    struct setacl_args *a = job->args;

    imap_parse_space(p);
    a->name = imap_parse_mailbox(p, job->s);
    imap_parse_space(p);
    imap_parse_identifier(p, job->s, &a->id);
}

static void parse_set(struct imap_parse *p, struct imap_job *job)
{
    struct setacl_args *a = job->args;
    struct view rights;

    parse_names(p, job);
    imap_parse_space(p);
    rights = imap_parse_astring(p);
    if (rights.len > 0 && (rights.ptr[0] == '+' || rights.ptr[0] == '-')) {
        a->how = rights.ptr[0];
        rights = view_sub(rights, 1, rights.len);
    }
    if (imap_parse_ok(p) && !imap_rights_parse(rights, &a->rights))
        imap_parse_fail(p, "Unknown right");
}

/* What the identifier has after the command. */
static unsigned result(const struct mailbox *m, const struct setacl_args *a)
{
    unsigned before = 0;

    if (a->id.kept.len == 0)
        before = mailbox_own_rights(m);
    else
        (void)mailbox_acl(m, a->id.kept, &before);
    return a->how == '+' ? before | a->rights : a->how == '-' ? before & ~a->rights : a->rights;
}

static enum imap_step stage(struct imap_job *job, struct setacl_args *a, bool set)
{
    struct mailbox *m = a->name.ptr == NULL ? NULL : account_find(job->s->acc, a->name);
    unsigned rights = 0;
    struct txn *t;
    int err;

    if (m == NULL)
        return imap_job_fail(job, a->name.ptr == NULL ? ERR_SYNTAX : ERR_NOTFOUND);
    if (!imap_may(m, ACL_ADMIN))
        return imap_job_noperm(job);
    if (set) {
        if (a->id.anyone && !job->s->host->set->acl_anyone)
            return imap_job_no(job, "NOPERM", "Rights cannot be given to everybody here");
        if (a->id.given.ptr[0] == '-')
            return imap_job_no(job, "CANNOT", "There are no negative rights here");
        rights = result(m, a);
    }
    t = txn_begin(job->s->acc);
    /* The owner without rights is in the list as such; anybody else is not. */
    err = txn_acl(t, m, a->id.kept, rights == 0 && a->id.kept.len > 0 ? NULL : &rights);
    if (err != 0) {
        txn_abort(&t);
        return imap_job_fail(job, err == ERR_QUOTA ? ERR_LIMIT : err);
    }
    imap_job_commit(job, &t);
    a->staged = true;
    return IMAP_STEP_COMMIT;
}

static enum imap_step step_set(struct imap_job *job)
{
    struct setacl_args *a = job->args;

    if (!a->staged)
        return stage(job, a, true);
    return job->commit_err != 0 ? imap_job_fail(job, job->commit_err) : imap_job_ok(job, "SETACL completed");
}

static enum imap_step step_delete(struct imap_job *job)
{
    struct setacl_args *a = job->args;

    if (!a->staged)
        return stage(job, a, false);
    return job->commit_err != 0 ? imap_job_fail(job, job->commit_err) : imap_job_ok(job, "DELETEACL completed");
}

const struct imap_command imap_cmd_setacl = {.name = "SETACL",
                                             .states = IMAP_ANY,
                                             .capability = "ACL",
                                             .args_size = sizeof(struct setacl_args),
                                             .parse = parse_set,
                                             .step = step_set};
const struct imap_command imap_cmd_deleteacl = {.name = "DELETEACL",
                                                .states = IMAP_ANY,
                                                .capability = "ACL",
                                                .args_size = sizeof(struct setacl_args),
                                                .parse = parse_names,
                                                .step = step_delete};
