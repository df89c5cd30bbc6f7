/*
 * The life of a POP3 session. Nothing is removed before QUIT, and QUIT removes everything in one transaction (RFC 1939 6).
 */
#include "pop3/session_int.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/text/text.h"
#include "pop3/login_capa.h"

/* Commands of one run(), so that a pipelining client does not keep the tick. */
#define COMMANDS_A_RUN 64

void pop3_line(struct pop3_session *s, const char *text)
{
    struct buf *out = outq_buf(s->host->out);

    buf_put_str(out, text);
    buf_put_str(out, "\r\n");
}

void pop3_enter(struct pop3_session *s, enum pop3_state state)
{
    s->state = state;
}

static void restart_timer(struct pop3_session *s)
{
    s->host->set_timeout(s->host, s->host->set->pop3_idle_timeout);
}

static void open_maildrop(struct pop3_session *s)
{
    if (pop3_open_maildrop(s)) {
        pop3_line(s, "+OK Logged in.");
        return;
    }
    /* Never another folder in its place: the client may delete what it has fetched. */
    pop3_line(s, s->host->detail.len > 0 ? "-ERR [SYS/PERM] There is no such folder."
                                         : "-ERR [SYS/TEMP] The maildrop cannot be opened.");
    pop3_enter(s, POP3_CLOSING);
}

/* What the log-in service says of the client and of what it announced (login_capa.h). */
static void read_tag(struct pop3_session *s, struct view tag)
{
    if (view_starts(tag, VIEW(POP3_TAG_UTF8 ";"))) {
        s->utf8 = true;
        tag = view_sub(tag, strlen(POP3_TAG_UTF8 ";"), tag.len);
    }
    s->capa = view_dup(tag);
}

struct pop3_session *pop3_session_make(struct session_host *host, struct account *acc)
{
    struct pop3_session *s = xcalloc(1, sizeof(*s));

    s->host = host;
    s->acc = acc;
    s->data.fd = -1;
    if (uidl_format_parse(host->set->pop3_uidl_format, &s->uidl) != 0) /* the configuration's check has seen it */
        PANIC("pop3_uidl_format");
    restart_timer(s);
    return s;
}

struct pop3_session *pop3_session_new(struct session_host *host, struct account *acc, struct view tag, struct view final)
{
    struct pop3_session *s = pop3_session_make(host, acc);

    read_tag(s, tag);
    if (acc == NULL) {
        pop3_line(s, "-ERR [SYS/TEMP] Your mail is not available now, please try again later.");
        pop3_enter(s, POP3_CLOSING);
    } else if (final.len > 0) {
        buf_put_str(outq_buf(host->out), "+ ");
        base64_encode(outq_buf(host->out), final);
        buf_put_str(outq_buf(host->out), "\r\n");
        pop3_enter(s, POP3_FINAL);
    } else
        open_maildrop(s);
    return s;
}

void pop3_session_free(struct pop3_session **sp)
{
    struct pop3_session *s = *sp;

    if (s == NULL)
        return;
    *sp = NULL;
    msg_data_close(&s->data);
    if (s->view != NULL)
        mailbox_view_close(&s->view);
    free(s->deleted);
    free(s->map);
    free(s->capa);
    free(s);
}

static void line_too_long(struct pop3_session *s)
{
    s->skipping = true;
    pop3_line(s, "-ERR The line is too long.");
    if (++s->bad_commands >= s->host->set->imap_bad_commands)
        pop3_enter(s, POP3_CLOSING);
}

static void finish_auth(struct pop3_session *s, struct view line)
{
    if (line.len == 0) {
        pop3_enter(s, POP3_TRANSACTION);
        open_maildrop(s);
        return;
    }
    pop3_line(s, "-ERR Authentication was not completed.");
    pop3_enter(s, POP3_CLOSING);
}

/* One line from the input. False when there is none. */
static bool run_line(struct pop3_session *s)
{
    struct view in = buf_view(s->host->in), line;
    size_t eol = view_find(in, '\n');

    if (eol == in.len) {
        if (in.len > POP3_LINE_MAX) {
            if (!s->skipping)
                line_too_long(s);
            buf_consume(s->host->in, in.len);
        }
        return false;
    }
    line = view_sub(in, 0, eol > 0 && in.ptr[eol - 1] == '\r' ? eol - 1 : eol);
    restart_timer(s);
    if (line.len > POP3_LINE_MAX && !s->skipping)
        line_too_long(s);
    else if (s->state == POP3_FINAL)
        finish_auth(s, line);
    else if (!s->skipping)
        pop3_command(s, line);
    s->skipping = false; /* a line ends here, too long or not */
    buf_consume(s->host->in, eol + 1);
    return true;
}

static enum session_run run_job(struct pop3_session *s)
{
    while (s->state == POP3_SENDING) {
        if (outq_len(s->host->out) >= SESSION_OUT_HIGH)
            return SESSION_WAIT;
        if (pop3_send_step(s))
            pop3_enter(s, POP3_TRANSACTION);
        else
            return SESSION_AGAIN;
    }
    return SESSION_AGAIN;
}

enum session_run pop3_session_run(struct pop3_session *s)
{
    for (unsigned i = 0; i < COMMANDS_A_RUN; i++) {
        if (s->parking && pop3_session_parked(s))
            return SESSION_WAIT;
        switch (s->state) {
        case POP3_CLOSING:
            return SESSION_CLOSE;
        case POP3_UPDATING:
            return SESSION_WAIT;
        case POP3_SENDING:
            if (run_job(s) == SESSION_WAIT)
                return SESSION_WAIT;
            if (s->state == POP3_SENDING)
                return SESSION_AGAIN;
            break;
        case POP3_FINAL:
        case POP3_TRANSACTION:
            if (outq_len(s->host->out) >= SESSION_OUT_HIGH)
                return SESSION_WAIT;
            if (run_line(s))
                break;
            if (s->state != POP3_CLOSING && !s->host->eof)
                return SESSION_WAIT;
            pop3_enter(s, POP3_CLOSING); /* a session that just breaks off removes nothing (RFC 1939 6) */
            break;
        }
    }
    return SESSION_AGAIN;
}

/* RFC 1939 3: the server closes without entering the UPDATE state and without a word. */
void pop3_session_timeout(struct pop3_session *s)
{
    pop3_enter(s, POP3_CLOSING);
}

void pop3_session_bye(struct pop3_session *s, const char *code, const char *text)
{
    struct buf *out = outq_buf(s->host->out);

    (void)code;
    if (s->state == POP3_TRANSACTION && buf_len(s->host->in) > 0) {
        buf_put_str(out, "-ERR [SYS/TEMP] ");
        pop3_line(s, text);
    }
    if (s->state != POP3_UPDATING) /* the answer to QUIT is still owed: its completion closes */
        pop3_enter(s, POP3_CLOSING);
}

bool pop3_session_idle(const struct pop3_session *s)
{
    return s->state == POP3_TRANSACTION && buf_len(s->host->in) == 0;
}
