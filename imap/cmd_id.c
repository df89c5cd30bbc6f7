/* ID (RFC 2971): at most 30 pairs are taken from the client; the server says only its name. */
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
    buf_put_str(imap_out(job->s), "* ID (\"name\" \"Culver\")\r\n");
    return imap_job_ok(job, "ID completed");
}

const struct imap_command imap_cmd_id = {.name = "ID", .states = IMAP_ANY, .capability = "ID", .parse = parse, .step = step};
