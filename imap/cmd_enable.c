/* ENABLE (RFC 5161): CONDSTORE and QRESYNC (RFC 7162), UTF8=ACCEPT (RFC 6855), IMAP4rev2 (RFC 9051 appendix A), UIDONLY
 * (RFC 9586), METADATA (RFC 5464 4.4). What is unknown is ignored. */
#include "common/base/mem.h"
#include "imap/capability.h"
#include "imap/command.h"
#include "imap/respond.h"

static const struct {
    const char *name;
    unsigned bit;
} extensions[] = {{"CONDSTORE", IMAP_ENABLED_CONDSTORE}, {"QRESYNC", IMAP_ENABLED_QRESYNC}, {"UTF8=ACCEPT", IMAP_ENABLED_UTF8},
                  {"IMAP4rev2", IMAP_ENABLED_REV2},      {"UIDONLY", IMAP_ENABLED_UIDONLY}, {"METADATA", IMAP_ENABLED_METADATA}};

struct enable_args {
    unsigned wanted;
};

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct enable_args *a = job->args;

    imap_parse_space(p);
    do {
        struct view name = imap_parse_atom(p);

        for (size_t i = 0; i < ARRAY_LEN(extensions); i++)
            if (view_eq_nocase(name, view_str(extensions[i].name)) && !imap_capability_disabled(job->s, extensions[i].name))
                a->wanted |= extensions[i].bit;
    } while (imap_parse_ok(p) && imap_parse_try(p, ' '));
}

static enum imap_step step(struct imap_job *job)
{
    const struct enable_args *a = job->args;
    struct imap_session *s = job->s;
    struct buf *out = imap_out(s);

    buf_put_str(out, "* ENABLED");
    for (size_t i = 0; i < ARRAY_LEN(extensions); i++) {
        if ((a->wanted & extensions[i].bit & ~s->enabled) == 0)
            continue;
        buf_put_byte(out, ' ');
        buf_put_str(out, extensions[i].name);
    }
    buf_put_str(out, "\r\n");
    if ((a->wanted & (IMAP_ENABLED_CONDSTORE | IMAP_ENABLED_QRESYNC)) != 0)
        imap_session_condstore(s);
    s->enabled |= a->wanted;
    return imap_job_ok(job, "ENABLE completed");
}

const struct imap_command imap_cmd_enable = {.name = "ENABLE",
                                             .states = IMAP_ANY,
                                             .capability = "ENABLE",
                                             .args_size = sizeof(struct enable_args),
                                             .parse = parse,
                                             .step = step};
