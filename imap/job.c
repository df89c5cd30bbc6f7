/* Jobs: from a command's bytes to its tagged answer. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "imap/command.h"
#include "imap/limit.h"
#include "imap/notify.h"
#include "imap/progress.h"
#include "imap/respond.h"

#define STACK_MAX 64 /* jobs that may wait for one commit */

static void answer_bad(struct imap_session *s, struct view tag, const char *text)
{
    imap_put_tagged(s, tag, IMAP_BAD, (struct view){NULL, 0}, text);
    imap_session_count_bad(s);
}

/* Tag, name, UID form and state. The text for BAD, or NULL. */
static const char *read_name(struct imap_session *s, struct imap_job *job, struct imap_parse *p)
{
    struct view tag = imap_parse_tag(p), name;
    const char *error;

    if (!imap_parse_ok(p) || (imap_parse_peek(p) != ' ' && cursor_left(&p->c) > 0))
        return "Invalid tag";
    job->tag = tag;
    if (!imap_parse_try(p, ' '))
        return "Missing command";
    name = imap_parse_atom(p);
    if (!imap_parse_ok(p))
        return "Missing command";
    error = imap_command_check(s, name);
    if (error == NULL && view_eq_nocase(name, VIEW("UID"))) {
        job->uid = true;
        imap_parse_space(p);
        name = imap_parse_atom(p);
        error = imap_parse_ok(p) ? imap_command_check(s, name) : "Missing command";
    }
    if (error != NULL)
        return error;
    job->cmd = imap_command_find(s, name);
    if (job->cmd == NULL || (job->uid && (job->cmd->flags & IMAP_CMD_UID) == 0))
        return "Unknown command";
    return NULL;
}

struct imap_job *imap_job_new(struct imap_session *s, struct view text, struct imap_parse *p)
{
    struct imap_job *job = xcalloc(1, sizeof(*job));
    const char *error;

    job->s = s;
    imap_pool_init(&job->pool, IMAP_POOL_MAX);
    buf_init(&job->code, IMAP_CODE_MAX);
    job->text = imap_pool_copy(&job->pool, text);
    imap_parse_init(p, job->text, &job->pool);
    p->uidonly = imap_session_uidonly(s);
    error = job->text.ptr == NULL ? "Command too large" : read_name(s, job, p);
    if (error == NULL && job->cmd->args_size > 0) {
        job->args = imap_pool_alloc(&job->pool, job->cmd->args_size);
        if (job->args == NULL)
            error = "Command too large";
    }
    if (error != NULL) {
        answer_bad(s, job->tag, error);
        job->cmd = NULL;
        imap_job_free(&job);
    }
    return job;
}

void imap_job_check(struct imap_job *job)
{
    const struct imap_session *s = job->s;

    if (imap_session_uidonly(s) && !job->uid && (job->cmd->flags & (IMAP_CMD_UID | IMAP_CMD_NO_NUMBERS)) == IMAP_CMD_UID)
        (void)imap_job_bad_code(job, "UIDREQUIRED", "Only the UID form can be used after ENABLE UIDONLY"); /* RFC 9586 3.1 */
    else if ((job->cmd->flags & IMAP_CMD_WRITE) != 0 && s->view != NULL && s->examine)
        (void)imap_job_no(job, "READ-ONLY", "Mailbox is read-only");
}

void imap_job_free(struct imap_job **job)
{
    struct imap_job *j = *job;

    if (j == NULL)
        return;
    *job = NULL;
    if (j->cmd != NULL && j->cmd->drop != NULL)
        j->cmd->drop(j);
    if (j->commits > 0) { /* its completions still point here */
        j->s = NULL;
        j->cmd = NULL;
        return;
    }
    buf_free(&j->code);
    imap_pool_free(&j->pool);
    free(j);
}

static enum imap_step set_answer(struct imap_job *job, enum imap_answer answer, const char *code, const char *text)
{
    job->answer = answer;
    job->answer_text = text;
    if (code != NULL) {
        buf_reset(&job->code);
        buf_put_str(&job->code, code);
    }
    return IMAP_STEP_DONE;
}

enum imap_step imap_job_ok(struct imap_job *job, const char *text)
{
    return set_answer(job, IMAP_OK, NULL, text);
}

enum imap_step imap_job_no(struct imap_job *job, const char *code, const char *text)
{
    buf_reset(&job->code);
    return set_answer(job, IMAP_NO, code, text);
}

enum imap_step imap_job_bad(struct imap_job *job, const char *text)
{
    return imap_job_bad_code(job, NULL, text);
}

enum imap_step imap_job_bad_code(struct imap_job *job, const char *code, const char *text)
{
    buf_reset(&job->code);
    return set_answer(job, IMAP_BAD, code, text);
}

enum imap_step imap_job_fail(struct imap_job *job, int err)
{
    switch (err) {
    case ERR_QUOTA:
        return imap_job_no(job, "OVERQUOTA", "Quota exceeded");
    case ERR_NOSPACE:
        return imap_job_no(job, "UNAVAILABLE", "No space left on the server");
    case ERR_LIMIT:
        return imap_job_no(job, "LIMIT", "A limit of the server is reached");
    case ERR_NOTFOUND:
        return imap_job_no(job, "NONEXISTENT", "No such mailbox");
    case ERR_EXISTS:
        return imap_job_no(job, "ALREADYEXISTS", "Mailbox already exists");
    case ERR_DENIED:
        return imap_job_no(job, "CANNOT", "Not possible with this mailbox");
    case ERR_SYNTAX:
        return imap_job_no(job, "CANNOT", "Invalid mailbox name");
    case ERR_CORRUPT:
        return imap_job_no(job, "SERVERBUG", "Stored data are damaged");
    default:
        return imap_job_no(job, "UNAVAILABLE", "Mail cannot be changed or read now");
    }
}

static void committed(void *arg, int err, const struct txn_result *result)
{
    struct imap_job *job = arg;

    job->commits--;
    if (job->s == NULL) {
        imap_job_free(&job);
        return;
    }
    if (err != 0 && job->commit_err == 0)
        job->commit_err = err;
    if (err == 0 && (job->cmd->flags & IMAP_CMD_NAMES) != 0)
        imap_notify_own_names(job->s);
    if (err == 0 && job->cmd->committed != NULL)
        job->cmd->committed(job, result);
    if (job->commits == 0)
        job->s->host->wake(job->s->host);
}

void imap_job_commit(struct imap_job *job, struct txn **t)
{
    job->commits++;
    txn_commit(t, committed, job);
}

static enum imap_step step(struct imap_job *job)
{
    enum imap_step r;

    if (job->waits && job->commits > 0)
        return IMAP_STEP_COMMIT;
    job->waits = false;
    r = job->answer_text != NULL ? IMAP_STEP_DONE : job->cmd->step(job);
    if (r == IMAP_STEP_COMMIT) {
        job->waits = true;
        return job->commits > 0 ? IMAP_STEP_COMMIT : IMAP_STEP_AGAIN;
    }
    if (r == IMAP_STEP_DONE)
        job->phase = IMAP_JOB_TELL;
    return r;
}

bool imap_job_stackable(const struct imap_session *s)
{
    unsigned n = 0;

    for (const struct imap_job *j = s->head; j != NULL; j = j->next) {
        if ((j->cmd->flags & IMAP_CMD_STACK) == 0 || (!j->waits && j->phase == IMAP_JOB_STEP) || ++n >= STACK_MAX)
            return false;
    }
    return true;
}

void imap_job_queue(struct imap_session *s, struct imap_job **job)
{
    struct imap_job *j = *job;

    *job = NULL; /* transferred */
    if (s->head == NULL)
        s->head = j;
    else
        s->tail->next = j;
    s->tail = j;
    if (s->head != j)
        (void)step(j); /* staged behind others; it writes nothing before it is at the head */
}

/* Which changes may be told with this command (RFC 9051 7.5.1). While others wait behind it their message numbers must stay. */
static bool may_expunge(const struct imap_job *job)
{
    return job->next == NULL && !job->hold && (job->uid || (job->cmd->flags & IMAP_CMD_HOLD_EXPUNGE) == 0);
}

enum imap_step imap_job_advance(struct imap_session *s, bool *done)
{
    struct imap_job *job = s->head;

    *done = false;
    if (job->phase == IMAP_JOB_STEP) {
        enum imap_step r = step(job);

        if (r == IMAP_STEP_AGAIN)
            imap_progress_tell(job);
        if (r != IMAP_STEP_DONE)
            return r;
    }
    if (job->phase == IMAP_JOB_TELL) {
        if ((job->cmd->flags & IMAP_CMD_QUIET) == 0) {
            if (!job->telling)
                imap_tell_begin(s, may_expunge(job));
            job->telling = true;
            if (!imap_tell_step(s, job->uid))
                return IMAP_STEP_AGAIN;
        }
        job->phase = IMAP_JOB_ANSWER;
    }
    imap_limit_put(job);
    imap_put_tagged(s, job->tag, job->answer, buf_view(&job->code), job->answer_text);
    if (job->answer == IMAP_BAD)
        imap_session_count_bad(s);
    else
        s->bad_commands = 0;
    if (job->cmd->answered != NULL)
        job->cmd->answered(job);
    s->head = job->next;
    if (s->head == NULL)
        s->tail = NULL;
    imap_job_free(&job);
    *done = true;
    return IMAP_STEP_DONE;
}
