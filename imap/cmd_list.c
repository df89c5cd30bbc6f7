/* LIST (RFC 9051 6.3.9): basic, LIST-EXTENDED (RFC 5258), LIST-STATUS (RFC 5819), SPECIAL-USE (RFC 6154), LIST-METADATA (RFC
 * 9590). */
#include "common/base/mem.h"
#include "imap/capability.h"
#include "imap/command.h"
#include "imap/list.h"
#include "imap/respond.h"
#include "imap/status_items.h"

struct option {
    const char *name;
    unsigned bit;
    const char *capability; /* that it comes with; NULL: LIST-EXTENDED itself */
};
static const struct option select_options[] = {
    {"SUBSCRIBED", LIST_SEL_SUBSCRIBED, NULL},
    {"SPECIAL-USE", LIST_SEL_SPECIAL, "SPECIAL-USE"},
    {"RECURSIVEMATCH", LIST_SEL_RECURSIVE, NULL},
    {"REMOTE", LIST_SEL_REMOTE, NULL},
    {NULL, 0, NULL},
};
static const struct option return_options[] = {
    {"SUBSCRIBED", LIST_RET_SUBSCRIBED, NULL},
    {"CHILDREN", LIST_RET_CHILDREN, NULL},
    {"SPECIAL-USE", LIST_RET_SPECIAL, "SPECIAL-USE"},
    {"STATUS", LIST_RET_STATUS, "LIST-STATUS"},
    {"METADATA", LIST_RET_METADATA, "LIST-METADATA"},
    {"MYRIGHTS", LIST_RET_MYRIGHTS, "LIST-MYRIGHTS"},
    {NULL, 0, NULL},
};

static unsigned parse_option(struct imap_parse *p, const struct imap_session *s, const struct option *options)
{
    struct view name = imap_parse_atom(p);

    for (; options->name != NULL; options++)
        if (view_eq_nocase(name, view_str(options->name)) &&
            (options->capability == NULL || !imap_capability_disabled(s, options->capability)))
            return options->bit;
    imap_parse_fail(p, "Unknown LIST option");
    return 0;
}

static void parse_select(struct imap_parse *p, const struct imap_session *s, struct imap_list_args *a)
{
    imap_parse_open(p);
    a->extended = true;
    if (imap_parse_peek(p) != ')') {
        do
            a->select |= parse_option(p, s, select_options);
        while (imap_parse_ok(p) && imap_parse_try(p, ' '));
    }
    imap_parse_close(p);
    imap_parse_space(p);
    if ((a->select & ~(unsigned)LIST_SEL_REMOTE) == LIST_SEL_RECURSIVE)
        imap_parse_fail(p, "RECURSIVEMATCH needs another selection option");
}

static void parse_return(struct imap_parse *p, const struct imap_session *s, struct imap_list_args *a)
{
    if (!imap_parse_try_word(p, "RETURN"))
        imap_parse_fail(p, "Unknown LIST argument");
    imap_parse_space(p);
    imap_parse_open(p);
    a->extended = true;
    if (imap_parse_peek(p) != ')') {
        do {
            unsigned bit = parse_option(p, s, return_options);

            a->ret |= bit;
            if (bit == LIST_RET_STATUS) {
                imap_parse_space(p);
                a->status = imap_status_parse(p);
            }
            if (bit == LIST_RET_METADATA) {
                imap_parse_space(p);
                a->metadata.n = 0;
                imap_metadata_parse(p, &a->metadata);
            }
        } while (imap_parse_ok(p) && imap_parse_try(p, ' '));
    }
    imap_parse_close(p);
}

static void parse_pattern(struct imap_parse *p, struct imap_list_args *a)
{
    struct view v = imap_parse_pattern(p);

    if (v.len + a->reference.len > IMAP_PATTERN_MAX)
        imap_parse_fail(p, "Pattern too long");
    if (a->npatterns == IMAP_LIST_PATTERNS_MAX)
        imap_parse_fail(p, "Too many patterns");
    if (imap_parse_ok(p))
        a->patterns[a->npatterns++] = v;
}

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct imap_list_args *a = job->args;

    imap_parse_space(p);
    if (imap_parse_peek(p) == '(')
        parse_select(p, job->s, a);
    a->reference = imap_parse_astring(p);
    imap_parse_space(p);
    if (imap_parse_peek(p) == '(') {
        imap_parse_open(p);
        a->extended = true;
        do
            parse_pattern(p, a);
        while (imap_parse_ok(p) && imap_parse_try(p, ' '));
        imap_parse_close(p);
    } else
        parse_pattern(p, a);
    if (imap_parse_try(p, ' '))
        parse_return(p, job->s, a);
}

static enum imap_step step(struct imap_job *job)
{
    struct imap_list_args *a = job->args;
    struct buf *out = imap_out(job->s);

    if (!a->extended && a->patterns[0].len == 0) { /* asks for the separator: RFC 9051 6.3.9 */
        buf_put_str(out, "* LIST (\\Noselect) \"");
        buf_put_byte(out, (uint8_t)imap_separator(job->s));
        buf_put_str(out, "\" \"\"\r\n");
        return imap_job_ok(job, "LIST completed");
    }
    return imap_list_step(job);
}

const struct imap_command imap_cmd_list = {.name = "LIST",
                                           .states = IMAP_ANY,
                                           .args_size = sizeof(struct imap_list_args),
                                           .parse = parse,
                                           .step = step,
                                           .drop = imap_list_drop};
