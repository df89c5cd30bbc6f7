/* IDLE (RFC 2177): changes are told the moment they are committed; ends with DONE. */
#include "imap/command.h"
#include "imap/respond.h"

struct idle_args {
    bool begun, telling;
};

static enum imap_step step(struct imap_job *job)
{
    struct idle_args *a = job->args;
    struct imap_session *s = job->s;
    struct view line;
    bool good;

    if (!a->begun)
        imap_put_continue(s, "idling");
    while (!a->begun || s->news || a->telling) { /* news may come while others are still being told */
        a->begun = true;
        if (!a->telling)
            imap_tell_begin(s, true);
        a->telling = !imap_tell_step(s, false);
        if (a->telling)
            return IMAP_STEP_AGAIN;
    }
    if (!imap_input_line(s, &line)) {
        if (s->host->eof)
            s->closing = true;
        return IMAP_STEP_INPUT;
    }
    good = view_eq_nocase(line, VIEW("DONE"));
    imap_input_taken(s);
    return good ? imap_job_ok(job, "IDLE completed") : imap_job_bad(job, "Expected DONE");
}

static bool parked(const struct imap_job *job)
{
    const struct idle_args *a = job->args;

    return a->begun && !a->telling;
}

static void freeze(const struct imap_job *job, struct buf *out)
{
    (void)job;
    (void)out; /* it has begun, nothing else */
}

static void thaw(struct imap_job *job, struct cursor *c)
{
    (void)c;
    ((struct idle_args *)job->args)->begun = true;
}

const struct imap_command imap_cmd_idle = {.name = "IDLE",
                                           .states = IMAP_ANY,
                                           .capability = "IDLE",
                                           .args_size = sizeof(struct idle_args),
                                           .step = step,
                                           .parked = parked,
                                           .freeze = freeze,
                                           .thaw = thaw};
