/* LANGUAGE (RFC 5255 3.2). */
#include "imap/capability.h"
#include "imap/command.h"
#include "imap/login_language.h"
#include "imap/respond.h"

struct language_args {
    struct view ranges[IMAP_LANGUAGE_RANGES_MAX];
    size_t n;
};

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct language_args *a = job->args;

    while (imap_parse_ok(p) && imap_parse_try(p, ' ')) {
        struct view range = imap_parse_astring(p);

        if (a->n == IMAP_LANGUAGE_RANGES_MAX)
            imap_parse_fail(p, "Too many languages");
        else if (imap_parse_ok(p) && !imap_language_valid(range))
            imap_parse_fail(p, "Invalid language");
        else
            a->ranges[a->n++] = range;
    }
}

static enum imap_step step(struct imap_job *job)
{
    const struct language_args *a = job->args;
    struct buf *out = imap_out(job->s);
    const char *language = NULL;

    if (a->n == 0) {
        buf_put_str(out, "* LANGUAGE (" IMAP_LANGUAGES ")\r\n");
        return imap_job_ok(job, "LANGUAGE completed");
    }
    for (size_t i = 0; i < a->n && language == NULL; i++)
        language = imap_language_find(a->ranges[i]);
    if (language == NULL)
        return imap_job_no(job, NULL, "This language is not spoken here");
    buf_put_str(out, "* LANGUAGE (");
    buf_put_str(out, language);
    buf_put_str(out, ")\r\n");
    if (!imap_capability_disabled(job->s, "NAMESPACE")) /* names of namespaces may be others now: RFC 5255 3.4 */
        imap_put_namespace(job->s);
    return imap_job_ok(job, "LANGUAGE completed");
}

const struct imap_command imap_cmd_language = {.name = "LANGUAGE",
                                               .states = IMAP_ANY,
                                               .capability = "LANGUAGE",
                                               .args_size = sizeof(struct language_args),
                                               .parse = parse,
                                               .step = step};
