/*
 * A POP3 session written out and read back: the maildrop as it was at log-in, what is marked to be deleted, and where a
 * multi-line answer was interrupted. Only QUIT is waited for.
 */
#include "pop3/session_int.h"

#include <stdlib.h>

#define RANGES_MAX ((size_t)1 << 22)

void pop3_session_park(struct pop3_session *s)
{
    s->parking = true;
    s->host->wake(s->host);
}

bool pop3_session_parked(const struct pop3_session *s)
{
    return s->state == POP3_TRANSACTION || s->state == POP3_FINAL || s->state == POP3_SENDING;
}

/* Numbers of the view that are no messages of the maildrop. */
static void put_hidden(struct buf *out, const struct pop3_session *s)
{
    struct uidset hidden;
    uint32_t seq = 1;

    uidset_init(&hidden);
    for (uint32_t n = 1; s->map != NULL && n <= s->count; n++) {
        if (pop3_seq(s, n) > seq)
            uidset_add_range(&hidden, seq, pop3_seq(s, n) - 1);
        seq = pop3_seq(s, n) + 1;
    }
    if (s->map != NULL && seq <= mailbox_view_count(s->view))
        uidset_add_range(&hidden, seq, mailbox_view_count(s->view));
    uidset_encode(out, &hidden);
    uidset_free(&hidden);
}

static void put_deleted(struct buf *out, const struct pop3_session *s)
{
    struct uidset marked;

    uidset_init(&marked);
    for (uint32_t n = 1; n <= s->count; n++)
        if (pop3_is_deleted(s, n))
            uidset_add(&marked, n);
    uidset_encode(out, &marked);
    uidset_free(&marked);
}

static void put_job(struct buf *out, const struct pop3_session *s)
{
    buf_put_u8(out, (uint8_t)s->job);
    buf_put_u32(out, s->job_n);
    buf_put_u64(out, s->offset);
    buf_put_u64(out, s->lines_left);
    buf_put_u8(out, (uint8_t)(s->in_body | s->line_start << 1));
}

int pop3_session_freeze(struct pop3_session *s, struct buf *out, int *spool_out)
{
    int err;

    *spool_out = -1;
    buf_put_u8(out, (uint8_t)s->state);
    buf_put_u32(out, s->bad_commands);
    buf_put_u8(out, (uint8_t)(s->skipping | s->utf8 << 1));
    buf_put_view16(out, view_str(s->capa));
    if (s->state == POP3_FINAL)
        return 0;
    buf_put_u32(out, s->uidvalidity);
    err = mailbox_view_freeze(s->view, out);
    put_hidden(out, s);
    put_deleted(out, s);
    put_job(out, s);
    return err == 0 && !buf_ok(out) ? ERR_LIMIT : err;
}

static int get_maildrop(struct cursor *c, struct pop3_session *s)
{
    struct mailbox_view *v;
    struct uidset hidden;
    int err;

    s->uidvalidity = cursor_u32(c);
    err = mailbox_view_thaw(s->acc, c, &v);
    if (err != 0)
        return err;
    uidset_init(&hidden);
    uidset_decode(c, RANGES_MAX, &hidden);
    pop3_use_view(s, v, &hidden);
    uidset_free(&hidden);
    return 0;
}

static void get_deleted(struct cursor *c, struct pop3_session *s)
{
    struct uidset marked;

    uidset_init(&marked);
    uidset_decode(c, RANGES_MAX, &marked);
    if (marked.n > 0 && marked.ranges[marked.n - 1].last > s->count)
        cursor_fail(c);
    for (uint32_t n = 1; n <= s->count && !c->failed; n++) {
        struct msg_info info;

        if (!uidset_has(&marked, n))
            continue;
        mailbox_view_info(s->view, pop3_seq(s, n), &info);
        s->deleted[(n - 1) / 64] |= (uint64_t)1 << (n - 1) % 64;
        s->ndeleted++;
        s->deleted_size += pop3_size(&info);
    }
    uidset_free(&marked);
}

static int get_job(struct cursor *c, struct pop3_session *s)
{
    uint8_t job = cursor_u8(c), flags;
    int err = 0;

    s->job_n = cursor_u32(c);
    s->offset = cursor_u64(c);
    s->lines_left = cursor_u64(c);
    flags = cursor_u8(c);
    s->in_body = (flags & 1) != 0;
    s->line_start = (flags & 2) != 0;
    s->job = (enum pop3_job)job;
    if (!cursor_done(c) || job > POP3_JOB_UIDL || flags > 3 || (s->state == POP3_SENDING) != (job != POP3_JOB_NONE))
        return ERR_PROTO;
    if (job != POP3_JOB_NONE && (s->job_n < 1 || s->job_n - 1 > s->count || (job == POP3_JOB_MESSAGE && s->job_n > s->count)))
        return ERR_PROTO;
    if (job == POP3_JOB_MESSAGE)
        err = mailbox_view_data(s->view, pop3_seq(s, s->job_n), &s->data);
    return err == 0 && job == POP3_JOB_MESSAGE && s->offset > s->data.bytes.len ? ERR_PROTO : err;
}

static bool printable(struct view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] < ' ' || v.ptr[i] > '~')
            return false;
    return true;
}

static int thaw(struct pop3_session *s, struct cursor *c)
{
    uint8_t state = cursor_u8(c), flags;
    struct view capa;
    int err;

    s->bad_commands = cursor_u32(c);
    flags = cursor_u8(c);
    s->skipping = (flags & 1) != 0;
    s->utf8 = (flags & 2) != 0;
    capa = cursor_view16(c, PROTO_TAG_MAX);
    s->state = (enum pop3_state)state;
    if (c->failed || flags > 3 || !pop3_session_parked(s) || !printable(capa))
        return ERR_PROTO;
    free(s->capa);
    s->capa = view_dup(capa);
    if (s->state == POP3_FINAL)
        return cursor_done(c) ? 0 : ERR_PROTO;
    err = get_maildrop(c, s);
    if (err != 0)
        return err;
    get_deleted(c, s);
    return get_job(c, s);
}

int pop3_session_thaw(struct session_host *host, struct account *acc, struct view record, int *spool, struct pop3_session **out)
{
    struct pop3_session *s = pop3_session_make(host, acc);
    struct cursor c = cursor_make(record);
    int err = thaw(s, &c);

    (void)spool;
    if (err != 0) {
        pop3_session_free(&s);
        return err;
    }
    *out = s; /* transferred */
    return 0;
}
