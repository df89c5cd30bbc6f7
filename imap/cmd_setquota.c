/*
 * SETQUOTA (RFC 9208 4.1.3). A user's limits come from the user database and the configuration, and a session is a user's: no
 * session may change them. So QUOTASET is not announced, and those who try all the same are told why they cannot.
 */
#include "imap/command.h"

static void parse(struct imap_parse *p, struct imap_job *job)
{
    (void)job;
    imap_parse_space(p);
    (void)imap_parse_astring(p);
    imap_parse_space(p);
    imap_parse_open(p);
    if (imap_parse_peek(p) != ')') {
        do {
            (void)imap_parse_atom(p);
            imap_parse_space(p);
            (void)imap_parse_number(p, 0, INT64_MAX);
        } while (imap_parse_ok(p) && imap_parse_try(p, ' '));
    }
    imap_parse_close(p);
}

static enum imap_step step(struct imap_job *job)
{
    return imap_job_no(job, "NOPERM", "Quotas are set by the administrator");
}

const struct imap_command imap_cmd_setquota = {
    .name = "SETQUOTA", .states = IMAP_ANY, .capability = "QUOTA", .parse = parse, .step = step};
