/* LSUB (RFC 3501 6.3.9). */
#include "imap/command.h"
#include "imap/list.h"

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct imap_list_args *a = job->args;

    a->lsub = true;
    a->select = LIST_SEL_SUBSCRIBED | LIST_SEL_RECURSIVE;
    imap_parse_space(p);
    a->reference = imap_parse_astring(p);
    imap_parse_space(p);
    a->patterns[0] = imap_parse_pattern(p);
    a->npatterns = 1;
    if (a->patterns[0].len + a->reference.len > IMAP_PATTERN_MAX)
        imap_parse_fail(p, "Pattern too long");
}

const struct imap_command imap_cmd_lsub = {.name = "LSUB",
                                           .states = IMAP_ANY,
                                           .args_size = sizeof(struct imap_list_args),
                                           .parse = parse,
                                           .step = imap_list_step,
                                           .drop = imap_list_drop};
