/*
 * The session's turn. Reads as many commands as may be worked on, steps the job at the head, and gives the loop back when the
 * slice is over, when the output is full or when only the client or a commit can move it on.
 */
#include "imap/session.h"

#include <stdlib.h>
#include <time.h>

#include "common/base/mem.h"
#include "common/text/text.h"
#include "imap/append.h"
#include "imap/capability.h"
#include "imap/command.h"
#include "imap/context.h"
#include "imap/metadata.h"
#include "imap/notify.h"
#include "imap/respond.h"

static uint64_t clock_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static bool output_full(const struct imap_session *s)
{
    return !s->parking && outq_len(s->host->out) > SESSION_OUT_HIGH;
}

bool imap_slice_over(struct imap_session *s)
{
    return ++s->slice_checks % 16 == 0 && imap_slice_spent(s);
}

bool imap_slice_spent(struct imap_session *s)
{
    return output_full(s) || clock_us() > s->slice_end_us;
}

enum imap_state imap_session_state(const struct imap_session *s)
{
    return s->view != NULL ? IMAP_SELECTED : IMAP_AUTHENTICATED;
}

static void touch(struct imap_session *s)
{
    s->host->set_timeout(s->host, s->host->set->imap_idle_timeout);
}

static void on_news(void *arg)
{
    struct imap_session *s = arg;

    s->news = true;
    if (s->head != NULL || s->notify != NULL)
        s->host->wake(s->host);
}

static void on_annotations(void *arg)
{
    struct imap_session *s = arg;

    if ((s->enabled & IMAP_ENABLED_METADATA) != 0 || s->notify != NULL)
        on_news(s);
}

void imap_session_unselect(struct imap_session *s)
{
    imap_tell_free(s);
    imap_context_cancel_all(s);
    imap_notify_unselected(s);
    uidset_free(&s->saved);
    if (s->view == NULL)
        return;
    mailbox_view_set_notify(s->view, NULL, NULL);
    mailbox_view_close(&s->view);
    s->examine = s->told_modseq = s->behind = false;
    s->news = false;
}

void imap_session_use_view(struct imap_session *s, struct mailbox_view *v, bool examine)
{
    s->view = v;
    s->examine = examine;
    s->news = mailbox_view_pending(v);
    mailbox_view_set_notify(v, on_news, s);
}

void imap_session_select(struct imap_session *s, struct mailbox *m, bool examine)
{
    imap_session_use_view(s, mailbox_view_open(s->acc, m, !examine), examine);
}

void imap_session_condstore(struct imap_session *s)
{
    const struct mailbox *m = s->view == NULL ? NULL : mailbox_view_mailbox(s->view);
    struct mailbox_status status;

    if ((s->enabled & IMAP_ENABLED_CONDSTORE) != 0)
        return;
    s->enabled |= IMAP_ENABLED_CONDSTORE;
    if (m == NULL)
        return;
    mailbox_status(m, &status);
    imap_put_code_number(s, "HIGHESTMODSEQ", status.highestmodseq, "CONDSTORE is on");
}

void imap_session_close(struct imap_session *s, const char *code, const char *text)
{
    struct buf *out = imap_out(s);

    if (s->closing)
        return;
    s->closing = true;
    if (s->mid_response)
        return; /* the client would take it for a part of the message */
    buf_put_str(out, "* BYE ");
    if (code != NULL) {
        buf_put_byte(out, '[');
        buf_put_str(out, code);
        buf_put_str(out, "] ");
    }
    buf_put_str(out, text);
    buf_put_str(out, "\r\n");
}

void imap_session_count_bad(struct imap_session *s)
{
    if (++s->bad_commands >= s->host->set->imap_bad_commands)
        imap_session_close(s, NULL, "Too many invalid commands");
}

static void greet(struct imap_session *s, struct view tag)
{
    struct buf code;

    buf_init(&code, 4096);
    buf_put_str(&code, "CAPABILITY ");
    imap_capability_put(s, &code);
    imap_put_tagged(s, tag, IMAP_OK, buf_view(&code), "Logged in");
    buf_free(&code);
}

struct imap_session *imap_session_make(struct session_host *host, struct account *acc)
{
    struct imap_session *s = xcalloc(1, sizeof(*s));

    s->host = host;
    s->acc = acc;
    host->in->max = (size_t)(host->set->imap_line_max + host->set->imap_literal_max) + IMAP_LINE_SLACK;
    buf_init(&s->final_tag, PROTO_TAG_MAX);
    touch(s);
    if (acc != NULL) {
        s->watch = account_watch_new(acc, on_annotations, s);
        s->metadata.told = account_annotation_changes(acc);
    }
    return s;
}

struct imap_session *imap_session_new(struct session_host *host, struct account *acc, struct view tag, struct view final)
{
    struct imap_session *s = imap_session_make(host, acc);

    if (acc == NULL) {
        imap_put_tagged(s, tag, IMAP_NO, VIEW("UNAVAILABLE"), "Mail is not available now");
        imap_session_close(s, "UNAVAILABLE", "Please try again later");
        return s;
    }
    if (final.len > 0) {
        struct buf *out = imap_out(s);

        buf_put_str(out, "+ ");
        base64_encode(out, final);
        buf_put_str(out, "\r\n");
        buf_put_view(&s->final_tag, tag);
    } else
        greet(s, tag);
    return s;
}

void imap_session_free(struct imap_session **session)
{
    struct imap_session *s = *session;

    if (s == NULL)
        return;
    *session = NULL;
    while (s->head != NULL) {
        struct imap_job *job = s->head;

        s->head = job->next;
        imap_job_free(&job);
    }
    imap_job_free(&s->held);
    imap_job_free(&s->receiving);
    imap_session_unselect(s);
    imap_notify_free(&s->notify);
    account_watch_free(&s->watch);
    buf_free(&s->final_tag);
    free(s);
}

/* The client's empty answer to the last message of the mechanism (RFC 9051 6.2.2: the server may not send data with OK). */
static bool read_final(struct imap_session *s)
{
    struct view line;

    if (!imap_input_line(s, &line))
        return false;
    if (line.len == 0)
        greet(s, buf_view(&s->final_tag));
    else {
        imap_put_tagged(s, buf_view(&s->final_tag), IMAP_BAD, (struct view){NULL, 0}, "Authentication was not completed");
        imap_session_close(s, NULL, "Log in again");
    }
    imap_input_taken(s);
    buf_reset(&s->final_tag);
    return true;
}

/* A whole command: parsed, then queued, or held back until the queue is empty. */
static void take_command(struct imap_session *s, struct view text)
{
    struct imap_parse p;
    struct imap_job *job = imap_job_new(s, text, &p);

    imap_input_taken(s);
    if (job == NULL)
        return;
    if (job->cmd->parse != NULL)
        job->cmd->parse(&p, job);
    imap_parse_end(&p);
    if (!imap_parse_ok(&p))
        (void)imap_job_bad_code(job, p.code, imap_parse_error(&p));
    else
        imap_job_check(job);
    if (s->head != NULL && (job->cmd->flags & IMAP_CMD_STACK) == 0)
        s->held = job;
    else
        imap_job_queue(s, &job);
}

/* One piece of input; false when there is none to be worked on. */
static bool read_input(struct imap_session *s)
{
    struct imap_literal literal;
    struct view text;

    if (buf_len(&s->final_tag) > 0)
        return read_final(s);
    switch (imap_input_next(s, &text, &literal)) {
    case IMAP_INPUT_MORE:
        return false;
    case IMAP_INPUT_ANSWERED:
        return true;
    case IMAP_INPUT_COMMAND:
        if (s->receiving != NULL)
            imap_append_end(s, text);
        else
            take_command(s, text);
        return true;
    case IMAP_INPUT_APPEND:
        imap_append_literal(s, text, &literal);
        return true;
    case IMAP_INPUT_BYTES:
        imap_append_bytes(s, text);
        return true;
    }
    return false;
}

/* News while no command is in progress (RFC 5465 3.1). False: the slice is over. */
static bool tell_unasked(struct imap_session *s)
{
    if (s->notify == NULL || s->receiving != NULL || buf_len(&s->final_tag) > 0 || (!s->news && !s->telling))
        return true;
    if (!s->telling)
        imap_tell_begin(s, imap_notify_expunges(s));
    s->telling = !imap_tell_step(s, false);
    return !s->telling;
}

/* Works on the queue. True when input may be read now. */
static bool work(struct imap_session *s, enum session_run *run_out)
{
    while (s->head != NULL) {
        bool done;
        enum imap_step r = imap_job_advance(s, &done);

        if (done) {
            touch(s);
            if (s->closing)
                return false;
            continue;
        }
        if (r == IMAP_STEP_AGAIN) {
            *run_out = output_full(s) ? SESSION_WAIT : SESSION_AGAIN;
            return false;
        }
        *run_out = SESSION_WAIT;
        return r == IMAP_STEP_COMMIT && s->held == NULL && imap_job_stackable(s);
    }
    if (s->held != NULL) {
        imap_job_queue(s, &s->held);
        *run_out = SESSION_AGAIN;
        return work(s, run_out);
    }
    if (!tell_unasked(s)) {
        *run_out = outq_len(s->host->out) > SESSION_OUT_HIGH ? SESSION_WAIT : SESSION_AGAIN;
        return false;
    }
    return true;
}

enum session_run imap_session_run(struct imap_session *s)
{
    enum session_run run = SESSION_WAIT;

    s->slice_end_us = clock_us() + IMAP_SLICE_US;
    s->slice_checks = 0;
    if (buf_len(s->host->in) != s->in_seen)
        touch(s);
    while (!s->closing && !(s->parking && imap_session_parked(s))) {
        if (!outq_ok(s->host->out)) {
            s->closing = true; /* more output at once than is allowed: nothing sensible can follow */
            break;
        }
        if (output_full(s)) {
            run = SESSION_WAIT;
            break;
        }
        if (!work(s, &run) || s->parking)
            break;
        if (!read_input(s)) {
            if (s->host->eof && s->head == NULL)
                s->closing = true;
            run = SESSION_WAIT;
            break;
        }
        if (clock_us() > s->slice_end_us) {
            run = SESSION_AGAIN;
            break;
        }
    }
    /* Numbers of changes are this process's, so what is left of these is told now. */
    if (s->parking && !s->closing && imap_session_parked(s)) {
        while (!imap_metadata_tell(s))
            ; /* ANNOTATION_CHANGES_MAX at most */
    }
    s->in_seen = buf_len(s->host->in);
    if (s->in_seen == 0)
        buf_shrink(s->host->in);
    return s->closing ? SESSION_CLOSE : run;
}

static bool in_idle(const struct imap_session *s)
{
    return s->head != NULL && s->head->cmd == &imap_cmd_idle;
}

void imap_session_timeout(struct imap_session *s)
{
    if (s->head != NULL && !in_idle(s)) {
        touch(s); /* it is the server that takes its time */
        return;
    }
    imap_session_close(s, NULL, "Disconnected for inactivity");
    s->host->wake(s->host);
}

void imap_session_bye(struct imap_session *s, const char *code, const char *text)
{
    imap_session_close(s, code, text);
    s->host->wake(s->host);
}

bool imap_session_between(const struct imap_session *s)
{
    return !s->closing && !s->mid_response;
}

bool imap_session_idle(const struct imap_session *s)
{
    if (s->held != NULL || s->receiving != NULL)
        return false;
    return (s->head == NULL && buf_len(s->host->in) == 0) || in_idle(s);
}
