/* GETMETADATA (RFC 5464 4.2). */
#include "imap/command.h"
#include "imap/metadata.h"
#include "imap/names.h"
#include "imap/rights.h"

struct getmetadata_args {
    struct view name; /* empty: the server */
    struct imap_metadata_query query;
    struct imap_metadata_put put;
};

static void parse_option(struct imap_parse *p, struct imap_metadata_query *q)
{
    if (imap_parse_try_word(p, "MAXSIZE ")) {
        q->has_maxsize = true;
        q->maxsize = imap_parse_number(p, 0, UINT32_MAX);
    } else if (imap_parse_try_word(p, "DEPTH 0"))
        q->depth = IMAP_DEPTH_0;
    else if (imap_parse_try_word(p, "DEPTH 1"))
        q->depth = IMAP_DEPTH_1;
    else if (imap_parse_try_word(p, "DEPTH infinity"))
        q->depth = IMAP_DEPTH_INFINITY;
    else
        imap_parse_fail(p, "Unknown GETMETADATA option");
}

static void parse_options(struct imap_parse *p, struct imap_metadata_query *q)
{
    imap_parse_open(p);
    do
        parse_option(p, q);
    while (imap_parse_ok(p) && imap_parse_try(p, ' '));
    imap_parse_close(p);
    imap_parse_space(p);
}

/* Is a list of options next, and not one of entries? */
static bool options_next(const struct imap_parse *p)
{
    struct imap_parse ahead = *p;

    return imap_parse_try(&ahead, '(') && (imap_parse_try_word(&ahead, "MAXSIZE ") || imap_parse_try_word(&ahead, "DEPTH "));
}

/* The options are in front of the mailbox in the grammar, and behind it in the examples (RFC 5464 5 and 4.2.1): both are taken.
 */
static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct getmetadata_args *a = job->args;

    imap_parse_space(p);
    if (imap_parse_peek(p) == '(')
        parse_options(p, &a->query);
    a->name = imap_parse_mailbox(p, job->s);
    imap_parse_space(p);
    if (options_next(p))
        parse_options(p, &a->query);
    imap_metadata_parse(p, &a->query);
}

static enum imap_step step(struct imap_job *job)
{
    struct getmetadata_args *a = job->args;
    const struct mailbox *m = NULL;

    if (a->name.ptr == NULL)
        return imap_job_fail(job, ERR_SYNTAX);
    if (a->name.len > 0 && (m = account_find(job->s->acc, a->name)) == NULL)
        return imap_job_fail(job, ERR_NOTFOUND);
    if (m != NULL && !imap_may_annotate(m))
        return imap_job_noperm(job);
    if (!imap_metadata_put(job, a->name, m, &a->query, &a->put))
        return IMAP_STEP_AGAIN;
    if (a->put.longest > 0) {
        buf_put_str(&job->code, "METADATA LONGENTRIES ");
        buf_put_dec(&job->code, a->put.longest);
    }
    return imap_job_ok(job, "GETMETADATA completed");
}

const struct imap_command imap_cmd_getmetadata = {.name = "GETMETADATA",
                                                  .states = IMAP_ANY,
                                                  .capability = "METADATA",
                                                  .args_size = sizeof(struct getmetadata_args),
                                                  .parse = parse,
                                                  .step = step};
