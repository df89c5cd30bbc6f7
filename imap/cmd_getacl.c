/* GETACL (RFC 4314 3.3), LISTRIGHTS (3.4), MYRIGHTS (3.5). */
#include "imap/command.h"
#include "imap/names.h"
#include "imap/respond.h"
#include "imap/rights.h"

struct getacl_args {
    struct view name;
    struct imap_identifier id; /* LISTRIGHTS */
};

static void parse_name(struct imap_parse *p, struct imap_job *job)
{
    struct getacl_args *a = job->args;

    imap_parse_space(p);
    a->name = imap_parse_mailbox(p, job->s);
}

static void parse_listrights(struct imap_parse *p, struct imap_job *job)
{
    struct getacl_args *a = job->args;

    parse_name(p, job);
    imap_parse_space(p);
    imap_parse_identifier(p, job->s, &a->id);
}

/* The mailbox, when the session has any of these rights in it; NULL: answered. */
static const struct mailbox *find(struct imap_job *job, unsigned any)
{
    const struct getacl_args *a = job->args;
    const struct mailbox *m = a->name.ptr == NULL ? NULL : account_find(job->s->acc, a->name);

    if (m == NULL)
        (void)imap_job_fail(job, a->name.ptr == NULL ? ERR_SYNTAX : ERR_NOTFOUND);
    else if ((mailbox_own_rights(m) & any) == 0) {
        (void)imap_job_noperm(job);
        m = NULL;
    }
    return m;
}

static void put_entry(void *arg, struct view identifier, unsigned rights)
{
    struct imap_session *s = arg;
    struct buf *out = imap_out(s);

    if (identifier.len == 0)
        return; /* the owner, who was first */
    buf_put_byte(out, ' ');
    imap_put_string(s, out, identifier);
    buf_put_byte(out, ' ');
    imap_put_rights(out, rights);
}

static enum imap_step step_getacl(struct imap_job *job)
{
    const struct mailbox *m = find(job, ACL_ADMIN);
    struct imap_session *s = job->s;
    struct buf *out = imap_out(s);

    if (m == NULL)
        return IMAP_STEP_DONE;
    buf_put_str(out, "* ACL ");
    imap_put_mailbox(s, out, ((struct getacl_args *)job->args)->name);
    buf_put_byte(out, ' ');
    imap_put_string(s, out, view_str(s->host->user));
    buf_put_byte(out, ' ');
    imap_put_rights(out, mailbox_own_rights(m));
    mailbox_acl_each(m, put_entry, s);
    buf_put_str(out, "\r\n");
    return imap_job_ok(job, "GETACL completed");
}

static enum imap_step step_listrights(struct imap_job *job)
{
    const struct mailbox *m = find(job, ACL_ADMIN);
    const struct getacl_args *a = job->args;
    struct imap_session *s = job->s;
    struct buf *out = imap_out(s);

    if (m == NULL)
        return IMAP_STEP_DONE;
    buf_put_str(out, "* LISTRIGHTS ");
    imap_put_mailbox(s, out, a->name);
    buf_put_byte(out, ' ');
    imap_put_string(s, out, a->id.given);
    if (a->id.kept.len == 0)
        buf_put_str(out, " a l r s w i p k x t e c d");
    else if ((a->id.anyone && !s->host->set->acl_anyone) || a->id.given.ptr[0] == '-')
        buf_put_str(out, " \"\"");
    else
        buf_put_str(out, " \"\" l r s w i p k x t e c d a");
    buf_put_str(out, "\r\n");
    return imap_job_ok(job, "LISTRIGHTS completed");
}

static enum imap_step step_myrights(struct imap_job *job)
{
    const struct mailbox *m = find(job, IMAP_RIGHTS_MY);

    if (m == NULL)
        return IMAP_STEP_DONE;
    imap_put_myrights(job->s, ((struct getacl_args *)job->args)->name, m);
    return imap_job_ok(job, "MYRIGHTS completed");
}

const struct imap_command imap_cmd_getacl = {.name = "GETACL",
                                             .states = IMAP_ANY,
                                             .capability = "ACL",
                                             .args_size = sizeof(struct getacl_args),
                                             .parse = parse_name,
                                             .step = step_getacl};
const struct imap_command imap_cmd_listrights = {.name = "LISTRIGHTS",
                                                 .states = IMAP_ANY,
                                                 .capability = "ACL",
                                                 .args_size = sizeof(struct getacl_args),
                                                 .parse = parse_listrights,
                                                 .step = step_listrights};
const struct imap_command imap_cmd_myrights = {.name = "MYRIGHTS",
                                               .states = IMAP_ANY,
                                               .capability = "ACL",
                                               .args_size = sizeof(struct getacl_args),
                                               .parse = parse_name,
                                               .step = step_myrights};
