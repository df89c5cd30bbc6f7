/* ID (RFC 2971): at most 30 pairs are taken from the client, and none is believed; the setting imap_id is the answer. */
#include "imap/command.h"
#include "imap/respond.h"

#define ID_PAIRS_MAX 30

static void parse(struct imap_parse *p, struct imap_job *job)
{
    unsigned n = 0;

    (void)job;
    imap_parse_space(p);
    if (imap_parse_try_word(p, "NIL"))
        return;
    imap_parse_open(p);
    while (imap_parse_ok(p) && imap_parse_peek(p) != ')') {
        if (n++ > 0)
            imap_parse_space(p);
        if (n > ID_PAIRS_MAX)
            imap_parse_fail(p, "Too many fields");
        (void)imap_parse_string(p);
        imap_parse_space(p);
        (void)imap_parse_nstring(p);
    }
    imap_parse_close(p);
}

static enum imap_step step(struct imap_job *job)
{
    const struct conf_list *fields = &job->s->host->set->imap_id;
    struct buf *out = imap_out(job->s);

    if (fields->n == 0)
        buf_put_str(out, "* ID NIL");
    for (size_t i = 0; i < fields->n; i++) {
        struct view field = view_str(fields->items[i]);
        size_t eq = view_find(field, '=');

        buf_put_str(out, i == 0 ? "* ID (" : " ");
        imap_put_string(job->s, out, view_sub(field, 0, eq));
        buf_put_byte(out, ' ');
        imap_put_string(job->s, out, view_sub(field, eq + 1, field.len));
    }
    buf_put_str(out, fields->n == 0 ? "\r\n" : ")\r\n");
    return imap_job_ok(job, "ID completed");
}

const struct imap_command imap_cmd_id = {.name = "ID", .states = IMAP_ANY, .capability = "ID", .parse = parse, .step = step};
