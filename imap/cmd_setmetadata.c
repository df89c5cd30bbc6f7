/* SETMETADATA (RFC 5464 4.3): all entries in one transaction. The server's shared entries are the administrator's. */
#include "imap/command.h"
#include "imap/metadata.h"
#include "imap/names.h"
#include "imap/rights.h"

struct setmetadata_args {
    struct view name; /* empty: the server */
    struct {
        struct view entry, value; /* ptr NULL: NIL */
    } * pairs;
    size_t n;
    bool staged;
};

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct setmetadata_args *a = job->args;

    a->pairs = imap_pool_alloc(&job->pool, IMAP_METADATA_ENTRIES_MAX * sizeof(*a->pairs));
    if (a->pairs == NULL)
        imap_parse_fail(p, "Command too large");
    imap_parse_space(p);
    a->name = imap_parse_mailbox(p, job->s);
    imap_parse_space(p);
    imap_parse_open(p);
    do {
        struct view entry = imap_parse_entry(p, false), value;

        imap_parse_space(p);
        value = imap_parse_octets(p);
        if (a->n == IMAP_METADATA_ENTRIES_MAX)
            imap_parse_fail(p, "Too many entries");
        if (!imap_parse_ok(p))
            break;
        a->pairs[a->n].entry = entry;
        a->pairs[a->n++].value = value;
    } while (imap_parse_try(p, ' '));
    imap_parse_close(p);
}

static enum imap_step fail(struct imap_job *job, int err)
{
    switch (err) {
    case ERR_RANGE:
        imap_job_no(job, "METADATA MAXSIZE ", "Value too large");
        buf_put_dec(&job->code, ANNOTATION_VALUE_MAX);
        return IMAP_STEP_DONE;
    case ERR_LIMIT:
        return imap_job_no(job, "METADATA TOOMANY", "Too many annotations");
    case ERR_QUOTA:
        return imap_job_no(job, "METADATA TOOMANY", "Too much in annotations");
    default:
        return imap_job_fail(job, err);
    }
}

static enum imap_step stage(struct imap_job *job, struct setmetadata_args *a)
{
    struct mailbox *m = NULL;
    struct txn *t;
    int err = 0;

    a->staged = true;
    if (a->name.ptr == NULL)
        return imap_job_fail(job, ERR_SYNTAX);
    if (a->name.len > 0 && (m = account_find(job->s->acc, a->name)) == NULL)
        return imap_job_fail(job, ERR_NOTFOUND);
    if (m != NULL && !imap_may_annotate(m))
        return imap_job_noperm(job);
    for (size_t i = 0; i < a->n && m == NULL; i++)
        if (view_starts(a->pairs[i].entry, VIEW("/shared/")))
            return imap_job_no(job, "NOPERM", "Shared annotations of the server are set by its administrator");
    for (size_t i = 0; i < a->n && m != NULL; i++)
        if (view_eq(a->pairs[i].entry, VIEW(IMAP_METADATA_USES)))
            return imap_job_no(job, "CANNOT", "Special uses are given when a mailbox is created");
    t = txn_begin(job->s->acc);
    for (size_t i = 0; i < a->n && err == 0; i++)
        err = txn_annotate(t, m, a->pairs[i].entry, a->pairs[i].value.ptr == NULL ? NULL : &a->pairs[i].value);
    if (err != 0) {
        txn_abort(&t);
        return fail(job, err);
    }
    imap_job_commit(job, &t);
    return IMAP_STEP_COMMIT;
}

static void committed(struct imap_job *job, const struct txn_result *result)
{
    job->s->metadata.own_first = result->annotation_first;
    job->s->metadata.own_last = result->annotation_last;
}

static enum imap_step step(struct imap_job *job)
{
    struct setmetadata_args *a = job->args;

    if (!a->staged)
        return stage(job, a);
    return job->commit_err != 0 ? imap_job_fail(job, job->commit_err) : imap_job_ok(job, "SETMETADATA completed");
}

const struct imap_command imap_cmd_setmetadata = {.name = "SETMETADATA",
                                                  .states = IMAP_ANY,
                                                  .capability = "METADATA",
                                                  .args_size = sizeof(struct setmetadata_args),
                                                  .parse = parse,
                                                  .step = step,
                                                  .committed = committed};
