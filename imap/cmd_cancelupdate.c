/* CANCELUPDATE (RFC 5267 4.3.5). */
#include "imap/command.h"
#include "imap/context.h"

#define TAGS_MAX 64

struct cancel_args {
    struct view tags[TAGS_MAX];
    size_t n;
};

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct cancel_args *a = job->args;

    imap_parse_space(p);
    do {
        struct view tag = imap_parse_string(p);

        if (a->n == TAGS_MAX)
            imap_parse_fail(p, "Too many tags");
        else
            a->tags[a->n++] = tag;
    } while (imap_parse_ok(p) && imap_parse_try(p, ' '));
}

static enum imap_step step(struct imap_job *job)
{
    const struct cancel_args *a = job->args;
    bool all = true;

    for (size_t i = 0; i < a->n; i++)
        all &= imap_context_cancel(job->s, a->tags[i]);
    return all ? imap_job_ok(job, "No further updates") : imap_job_no(job, NULL, "No updates were going on for a tag");
}

const struct imap_command imap_cmd_cancelupdate = {.name = "CANCELUPDATE",
                                                   .states = IMAP_SELECTED,
                                                   .capability = "CONTEXT=SEARCH",
                                                   .args_size = sizeof(struct cancel_args),
                                                   .parse = parse,
                                                   .step = step};
