/* CREATE (RFC 9051 6.3.4) with USE (RFC 6154 3); answers with MAILBOXID (RFC 8474 4.1). */
#include "imap/command.h"
#include "imap/names.h"
#include "imap/rights.h"

struct create_args {
    struct view name;
    unsigned use;
    bool bad_use, staged;
};

static void parse_use(struct imap_parse *p, struct create_args *a)
{
    imap_parse_open(p);
    if (imap_parse_peek(p) == ')') { /* RFC 6154 6: the list may be empty */
        imap_parse_close(p);
        return;
    }
    do {
        struct view name;
        unsigned use = 0;

        imap_parse_expect(p, '\\', "Missing special use");
        name = imap_parse_atom(p);
        for (size_t i = 0; imap_uses[i].name != NULL; i++)
            if (view_eq_nocase(name, view_str(imap_uses[i].name + 1)))
                use = imap_uses[i].use;
        a->use |= use;
        a->bad_use |= use == 0;
    } while (imap_parse_ok(p) && imap_parse_try(p, ' '));
    imap_parse_close(p);
}

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct create_args *a = job->args;

    imap_parse_space(p);
    a->name = imap_parse_mailbox(p, job->s);
    if (a->name.len > 1 && a->name.ptr[a->name.len - 1] == '/')
        a->name.len--; /* "for children": RFC 9051 6.3.4 lets the server ignore it */
    if (!imap_parse_try(p, ' '))
        return;
    imap_parse_open(p);
    if (!imap_parse_try_word(p, "USE"))
        imap_parse_fail(p, "Unknown CREATE parameter");
    imap_parse_space(p);
    if (imap_parse_ok(p))
        parse_use(p, a);
    imap_parse_close(p);
}

static enum imap_step stage(struct imap_job *job, struct create_args *a)
{
    struct txn *t;
    int err;

    if (a->name.ptr == NULL)
        return imap_job_fail(job, ERR_SYNTAX);
    if (!imap_name_is_net_unicode(job->s, a->name))
        return imap_job_no(job, "CANNOT", "The name is not Net-Unicode");
    if (a->bad_use)
        return imap_job_no(job, "USEATTR", "No such special use");
    if (!imap_may_create(job->s, a->name))
        return imap_job_noperm(job);
    t = txn_begin(job->s->acc);
    err = txn_create(t, a->name, a->use);
    if (err != 0) {
        txn_abort(&t);
        return imap_job_fail(job, err);
    }
    imap_job_commit(job, &t);
    a->staged = true;
    return IMAP_STEP_COMMIT;
}

static enum imap_step step(struct imap_job *job)
{
    struct create_args *a = job->args;
    const struct mailbox *m;

    if (!a->staged)
        return stage(job, a);
    if (job->commit_err != 0)
        return imap_job_fail(job, job->commit_err);
    m = account_find(job->s->acc, a->name);
    if (m != NULL) {
        buf_put_str(&job->code, "MAILBOXID (");
        mailbox_put_objectid(&job->code, m);
        buf_put_byte(&job->code, ')');
    }
    return imap_job_ok(job, "CREATE completed");
}

const struct imap_command imap_cmd_create = {.name = "CREATE",
                                             .states = IMAP_ANY,
                                             .flags = IMAP_CMD_NAMES,
                                             .args_size = sizeof(struct create_args),
                                             .parse = parse,
                                             .step = step};
