/*
 * A session written out and read back, in any state that it can be in between two turns: between commands, in IDLE, in a FETCH
 * whose client reads slowly, in the middle of a command that is coming in.
 *
 * Parking comes first: no command is begun any more, and one that is under way comes to its end or to a point of its own
 * (parked() in its row). What the record then has of a command is its text and where it was, so the same parser reads it again
 * that read it from the client, and a record can say nothing that a client could not have sent.
 */
#include <unistd.h>

#include "imap/append.h"
#include "imap/command.h"
#include "imap/context.h"
#include "imap/notify.h"
#include "imap/respond.h"

#define FROZEN_EXAMINE 1
#define FROZEN_SELECTED 2
#define FROZEN_NOTIFY 4 /* NOTIFY was used */
#define FROZEN_TOLD_MODSEQ 8
#define FROZEN_BEHIND 16
#define FROZEN_FLAGS 31
#define SAVED_RANGES_MAX ((size_t)1 << 22)

enum frozen_job { FROZEN_NONE, FROZEN_RUNNING, FROZEN_RECEIVING };

void imap_session_park(struct imap_session *s)
{
    s->parking = true;
    s->host->wake(s->host);
}

bool imap_session_parked(const struct imap_session *s)
{
    const struct imap_job *job = s->head;

    if (s->closing || s->telling || s->held != NULL || (s->notify != NULL && s->notify->job != NULL) ||
        (s->receiving != NULL && job != NULL))
        return false;
    if (job == NULL)
        return true;
    return job->next == NULL && !job->internal && job->phase == IMAP_JOB_STEP && job->commits == 0 && !job->waits &&
           !s->mid_response && job->answer_text == NULL && job->cmd->parked != NULL && job->cmd->parked(job);
}

/* --- input --------------------------------------------------------------------------------------------------------------- */

static void put_input(struct buf *out, const struct imap_input *in)
{
    buf_put_u8(out, (uint8_t)in->state);
    buf_put_varint(out, in->scanned);
    buf_put_varint(out, in->line_start);
    buf_put_varint(out, in->line_bytes);
    buf_put_varint(out, in->literal_bytes);
    buf_put_varint(out, in->literal_left);
}

/* What it says of the input buffer must be true of the one that is there. */
static void get_input(struct cursor *c, const struct imap_session *s, struct imap_input *in)
{
    uint8_t state = cursor_u8(c);

    in->scanned = (size_t)cursor_varint(c);
    in->line_start = (size_t)cursor_varint(c);
    in->line_bytes = cursor_varint(c);
    in->literal_bytes = cursor_varint(c);
    in->literal_left = cursor_varint(c);
    if (state > IMAP_INPUT_SWALLOW || in->scanned > buf_len(s->host->in) || in->line_start > in->scanned ||
        in->line_bytes > s->host->set->imap_line_max || in->literal_bytes > s->host->set->imap_literal_max ||
        in->literal_left > UINT32_MAX)
        cursor_fail(c);
    if (state == IMAP_INPUT_LITERAL && in->literal_left > s->host->set->imap_literal_max)
        cursor_fail(c);
    in->state = (enum imap_input_state)state;
}

/* --- the command ---------------------------------------------------------------------------------------------------------- */

static void put_job(struct buf *out, const struct imap_session *s, int *spool_out)
{
    const struct imap_job *job = s->receiving != NULL ? s->receiving : s->head;

    buf_put_u8(out, job == NULL ? FROZEN_NONE : job == s->receiving ? FROZEN_RECEIVING : FROZEN_RUNNING);
    if (job == NULL)
        return;
    buf_put_view32(out, job->text);
    if (job == s->receiving)
        imap_append_freeze(job, out, spool_out);
    else
        job->cmd->freeze(job, out);
}

static void thaw_running(struct imap_job *job, struct imap_parse *p, struct cursor *c)
{
    if (job->cmd->parse != NULL)
        job->cmd->parse(p, job);
    imap_parse_end(p);
    if (!imap_parse_ok(p) || job->cmd->thaw == NULL)
        cursor_fail(c);
    else
        job->cmd->thaw(job, c);
}

static void get_job(struct cursor *c, struct imap_session *s, int *spool)
{
    uint8_t kind = cursor_u8(c);
    struct imap_parse p;
    struct imap_job *job;
    struct view text;

    if (kind == FROZEN_NONE || c->failed)
        return;
    text = cursor_view32(c, s->host->in->max);
    job = c->failed || kind > FROZEN_RECEIVING ? NULL : imap_job_new(s, text, &p);
    if (job == NULL) {
        cursor_fail(c);
        return;
    }
    if (kind == FROZEN_RECEIVING) {
        s->receiving = job; /* transferred */
        imap_append_thaw(job, &p, c, spool);
    } else {
        s->head = s->tail = job; /* transferred */
        thaw_running(job, &p, c);
    }
}

/* --- the session ------------------------------------------------------------------------------------------------------------ */

int imap_session_freeze(struct imap_session *s, struct buf *out, int *spool_out)
{
    int err = 0;

    *spool_out = -1;
    buf_put_u32(out, s->enabled);
    buf_put_u8(out, (uint8_t)((s->examine ? FROZEN_EXAMINE : 0) | (s->view != NULL ? FROZEN_SELECTED : 0) |
                              (s->notify != NULL ? FROZEN_NOTIFY : 0) | (s->told_modseq ? FROZEN_TOLD_MODSEQ : 0) |
                              (s->behind ? FROZEN_BEHIND : 0)));
    buf_put_varint(out, s->bad_commands);
    put_input(out, &s->input);
    buf_put_view16(out, buf_view(&s->final_tag));
    uidset_encode(out, &s->saved);
    buf_put_u32(out, s->rights_told);
    buf_put_u8(out, comparator_encode(s->comparator));
    if (s->view != NULL)
        err = mailbox_view_freeze(s->view, out);
    if (s->view != NULL)
        imap_contexts_freeze(s, out);
    if (s->notify != NULL)
        imap_notify_freeze(s, out);
    if (err == 0)
        put_job(out, s, spool_out);
    if (err == 0 && !buf_ok(out))
        err = ERR_LIMIT;
    if (err != 0 && *spool_out >= 0) {
        close(*spool_out);
        *spool_out = -1;
    }
    return err;
}

static int get_view(struct cursor *c, struct imap_session *s, uint8_t flags)
{
    struct mailbox_view *v;
    int err = c->failed || flags > FROZEN_FLAGS ? ERR_PROTO : 0;

    if (err != 0 || (flags & FROZEN_SELECTED) == 0)
        return err;
    err = mailbox_view_thaw(s->acc, c, &v);
    if (err == 0)
        imap_session_use_view(s, v, (flags & FROZEN_EXAMINE) != 0);
    s->told_modseq = (flags & FROZEN_TOLD_MODSEQ) != 0;
    s->behind = (flags & FROZEN_BEHIND) != 0;
    return err;
}

static int thaw(struct imap_session *s, struct cursor *c, int *spool)
{
    uint32_t rights_told;
    struct view tag;
    uint8_t flags;
    int err;

    s->enabled = cursor_u32(c);
    flags = cursor_u8(c);
    s->bad_commands = cursor_varint(c);
    get_input(c, s, &s->input);
    tag = cursor_view16(c, PROTO_TAG_MAX);
    uidset_decode(c, SAVED_RANGES_MAX, &s->saved);
    rights_told = cursor_u32(c);
    if (!comparator_decode(cursor_u8(c), &s->comparator) || (s->enabled & ~(unsigned)IMAP_ENABLED_ALL) != 0)
        cursor_fail(c);
    err = get_view(c, s, flags);
    if (err != 0)
        return err;
    s->rights_told = rights_told;
    if (s->view != NULL)
        imap_contexts_thaw(s, c);
    if ((flags & FROZEN_NOTIFY) != 0)
        imap_notify_thaw(s, c);
    s->metadata.told = 0; /* what was noted since this process has opened the account */
    buf_put_view(&s->final_tag, tag);
    get_job(c, s, spool);
    /* A message of APPEND is passed on to the command that takes it. */
    if ((s->input.state == IMAP_INPUT_MESSAGE && s->receiving == NULL) || (s->receiving != NULL && tag.len > 0))
        cursor_fail(c);
    return cursor_done(c) ? 0 : ERR_PROTO;
}

int imap_session_thaw(struct session_host *host, struct account *acc, struct view record, int *spool, struct imap_session **out)
{
    struct imap_session *s = imap_session_make(host, acc);
    struct cursor c = cursor_make(record);
    int err = thaw(s, &c, spool);

    if (err != 0) {
        imap_session_free(&s);
        return err;
    }
    *out = s; /* transferred */
    return 0;
}
