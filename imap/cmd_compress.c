/* COMPRESS (RFC 4978): the host compresses everything behind this command's OK. */
#include "imap/command.h"

static void parse(struct imap_parse *p, struct imap_job *job)
{
    (void)job;
    imap_parse_space(p);
    if (!view_eq_nocase(imap_parse_atom(p), VIEW("DEFLATE")))
        imap_parse_fail(p, "Unknown compression mechanism");
}

static enum imap_step step(struct imap_job *job)
{
    const struct session_host *host = job->s->host;
    enum imap_step r;

    if (host->compressed) {
        r = imap_job_bad(job, "DEFLATE is active already");
        buf_put_str(&job->code, "COMPRESSIONACTIVE");
        return r;
    }
    if (host->compress == NULL)
        return imap_job_no(job, "CANNOT", "Compression is not possible here");
    return imap_job_ok(job, "DEFLATE active");
}

static void answered(struct imap_job *job)
{
    struct session_host *host = job->s->host;

    if (job->answer == IMAP_OK)
        host->compress(host);
}

const struct imap_command imap_cmd_compress = {
    .name = "COMPRESS", .states = IMAP_ANY, .capability = "COMPRESS=DEFLATE", .parse = parse, .step = step, .answered = answered};
