/*
 * FETCH (RFC 9051 6.4.5). One message after the other, item after item; a value that is long is written in slices, a whole
 * message or a large part goes from its file to the socket. \Seen is staged with the slice that showed the message, so that a
 * client that goes away in the middle has marked only what it was sent.
 */
#include "common/base/mem.h"
#include "common/text/text.h"
#include "imap/command.h"
#include "imap/context.h"
#include "imap/fetch.h"
#include "imap/limit.h"
#include "imap/respond.h"
#include "imap/rights.h"
#include "imap/vanished.h"
#include "storage/message/body.h"

#define FILE_MIN (32 * 1024) /* shorter ranges are copied */
#define PIECE (64 * 1024)    /* copied at once */

struct fetch_args {
    struct imap_seq_set set;
    struct imap_fetch_request request;
    struct uidset seqs;
    bool resolved, sets_seen;
    size_t range;
    uint32_t next;
    struct imap_message m; /* the current message; seq 0: none */
    size_t item;           /* the next one of it */
    bool put_seen;         /* FLAGS with \Seen is due for it */
    struct view rest;      /* of the value being written */
    struct buf value;      /* one that had to be made */
    struct uidset vanished;
    size_t vanished_range; /* of it, written */
    struct uidset seen;    /* to be marked */
    struct uidset staged;  /* marked, waits for its commit or is committed */
    unsigned failed;       /* the first of these failures, 0: none */
    bool resumed;          /* it goes on where it was when its session was frozen */
};

/* What the command fails with in the end, by fetch_args.failed. */
enum { FAILED_NONE, FAILED_DAMAGED, FAILED_GONE, FAILED_UNREADABLE, FAILED_ENCODING, FAILED_COUNT };
static const struct {
    const char *code, *text;
} failures[FAILED_COUNT] = {[FAILED_DAMAGED] = {"SERVERBUG", "Some of the messages could not be read"},
                            [FAILED_GONE] = {"EXPUNGEISSUED", "Some of the messages were removed"},
                            [FAILED_UNREADABLE] = {"UNAVAILABLE", "Some of the messages could not be read"},
                            [FAILED_ENCODING] = {"UNKNOWN-CTE", "Unknown transfer encoding"}};

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct fetch_args *a = job->args;

    imap_parse_space(p);
    imap_parse_set(p, &a->set);
    imap_fetch_parse(p, &a->request, job->uid);
    for (size_t i = 0; i < a->request.nitems; i++)
        a->sets_seen |= a->request.items[i].seen && !job->internal;
    if (a->request.vanished && (job->s->enabled & IMAP_ENABLED_QRESYNC) == 0)
        imap_parse_fail(p, "QRESYNC was not enabled");
}

static void note_failure(struct fetch_args *a, int err)
{
    if (a->failed == FAILED_NONE)
        a->failed = err == ERR_CORRUPT ? FAILED_DAMAGED : err == ERR_NOTFOUND ? FAILED_GONE : FAILED_UNREADABLE;
}

/* Begins a value as literal; its bytes follow in slices. */
static enum imap_step begin_value(struct imap_session *s, struct fetch_args *a, struct view v, bool literal8)
{
    imap_put_literal_header(imap_out(s), v.len, literal8);
    a->rest = v;
    return IMAP_STEP_AGAIN;
}

static struct view cut_partial(const struct imap_fetch_item *item, struct view v)
{
    return item->partial ? view_sub(v, item->from, item->count) : v;
}

/* A value that is a range of the message: copied, or from the file. */
static enum imap_step put_range(struct imap_session *s, struct fetch_args *a, struct view v)
{
    const struct msg_data *data = &a->m.data;

    if (data->fd < 0 || v.len < FILE_MIN)
        return begin_value(s, a, v, false);
    imap_put_literal_header(imap_out(s), v.len, false);
    if (outq_put_file(s->host->out, data->fd, data->fd_offset + (uint64_t)(v.ptr - data->bytes.ptr), v.len) != 0)
        a->rest = v; /* no descriptor left: copy */
    return IMAP_STEP_AGAIN;
}

static enum imap_step put_nil(struct imap_session *s, struct fetch_args *a, int err)
{
    buf_put_str(imap_out(s), "NIL");
    if (err != 0)
        note_failure(a, err);
    return IMAP_STEP_AGAIN;
}

static enum imap_step put_section(struct imap_session *s, struct fetch_args *a, const struct imap_fetch_item *item)
{
    struct view v;
    int err = imap_section_bytes(s, &a->m, item, &a->value, &v);

    if (err == ERR_NOTFOUND && a->m.data_err == 0 && a->m.digest_err == 0)
        return put_nil(s, a, 0); /* the message has no such part */
    if (err != 0)
        return put_nil(s, a, err);
    if (item->section == SECTION_FIELDS || item->section == SECTION_FIELDS_NOT)
        return begin_value(s, a, v, false);
    return put_range(s, a, v);
}

static bool collect(void *arg, struct view piece)
{
    struct buf *to = arg;

    buf_put_view(to, piece);
    return buf_ok(to);
}

/* The decoded part in a->value (RFC 3516 4.2). 0: *v_out; ERR_NOTFOUND: no such part; ERR_UNSUPPORTED: its encoding is unknown.
 */
static int decode(struct imap_session *s, struct fetch_args *a, const struct imap_fetch_item *item, struct view *v_out)
{
    struct imap_message *m = &a->m;
    const struct mime_part *part;
    uint32_t index;
    int err = imap_message_data(s, m);

    if (err == 0)
        err = imap_message_digest(s, m);
    if (err != 0)
        return err == ERR_NOTFOUND ? ERR_IO : err;
    if (item->npart == 0) {
        *v_out = m->data.bytes;
        return 0;
    }
    if (!imap_section_find(&m->digest.mime, item->part, item->npart, false, &index))
        return ERR_NOTFOUND;
    part = &m->digest.mime.parts[index];
    *v_out = imap_message_range(m, part->body_off, part->body_len);
    if (part->kind != MIME_LEAF)
        return 0;
    if (!imap_section_decodable(part))
        return ERR_UNSUPPORTED;
    buf_free(&a->value);
    buf_init(&a->value, v_out->len + 64);
    (void)body_decode(m->data.bytes, part, collect, &a->value);
    *v_out = buf_view(&a->value);
    return buf_ok(&a->value) ? 0 : ERR_LIMIT;
}

static enum imap_step put_binary(struct imap_session *s, struct fetch_args *a, const struct imap_fetch_item *item)
{
    struct view v;
    int err = decode(s, a, item, &v);

    if (err == ERR_UNSUPPORTED) {
        a->failed = FAILED_ENCODING;
        err = 0;
        v = (struct view){NULL, 0};
    } else if (err != 0)
        v = (struct view){NULL, 0};
    if (item->op == FETCH_BINARY_SIZE) {
        buf_put_dec(imap_out(s), v.len);
        if (err != 0 && err != ERR_NOTFOUND)
            note_failure(a, err);
        return IMAP_STEP_AGAIN;
    }
    if (v.ptr == NULL && (err != 0 || a->failed != FAILED_NONE))
        return put_nil(s, a, err == ERR_NOTFOUND ? 0 : err);
    v = cut_partial(item, v);
    return begin_value(s, a, v, v.len > 0 && memchr(v.ptr, '\0', v.len) != NULL);
}

/* RFC 8970 3.2: empty where nothing can be shown; NIL would say that it can be later. */
static void put_preview(struct imap_session *s, struct fetch_args *a)
{
    int err = imap_message_digest(s, &a->m);

    if (err != 0)
        note_failure(a, err);
    if (err != 0 || !a->m.digest.preview_ok)
        buf_put_str(imap_out(s), "\"\"");
    else
        imap_put_string(s, imap_out(s), a->m.digest.preview);
}

static void put_structure(struct imap_session *s, struct fetch_args *a, enum imap_fetch_op op)
{
    const struct digest *d = &a->m.digest;
    int err = imap_message_digest(s, &a->m);

    if (err != 0) {
        note_failure(a, err);
        d = NULL;
    }
    if (op == FETCH_ENVELOPE)
        imap_put_envelope(s, imap_out(s), d == NULL ? NULL : &d->envelope);
    else
        imap_put_body(s, imap_out(s), d, op == FETCH_BODYSTRUCTURE);
}

static void put_parenthesized(struct buf *out, uint64_t n)
{
    buf_put_byte(out, '(');
    buf_put_dec(out, n);
    buf_put_byte(out, ')');
}

static void put_emailid(struct buf *out, const struct msg_info *info)
{
    buf_put_str(out, "(M");
    hex_encode(out, view_make(info->emailid, sizeof(info->emailid)));
    buf_put_byte(out, ')');
}

/* RFC 8474 5.2. */
static void put_threadid(struct imap_session *s, struct fetch_args *a)
{
    struct buf *out = imap_out(s);
    uint8_t id[THREADID_SIZE];
    int err = mailbox_view_threadid(s->view, a->m.seq, id);

    if (err != 0) {
        (void)put_nil(s, a, err);
        return;
    }
    buf_put_str(out, "(T");
    hex_encode(out, view_make(id, sizeof(id)));
    buf_put_byte(out, ')');
}

/* The value of one item. A switch whose every case is a call or two. */
static void put_item(struct imap_session *s, struct fetch_args *a, const struct imap_fetch_item *item)
{
    const struct msg_info *info = &a->m.info;
    struct buf *out = imap_out(s);

    switch (item->op) {
    case FETCH_FLAGS:
        imap_put_flags(out, mailbox_view_mailbox(s->view), info);
        a->put_seen = false;
        break;
    case FETCH_UID:
        buf_put_dec(out, info->uid);
        break;
    case FETCH_INTERNALDATE:
        imap_put_date_time(out, info->date, info->zone_minutes);
        break;
    case FETCH_SIZE:
        buf_put_dec(out, info->size);
        break;
    case FETCH_MODSEQ:
        put_parenthesized(out, info->modseq);
        s->told_modseq = true;
        break;
    case FETCH_EMAILID:
        put_emailid(out, info);
        break;
    case FETCH_THREADID:
        put_threadid(s, a);
        break;
    case FETCH_SAVEDATE:
        imap_put_date_time(out, info->savedate, 0);
        break;
    case FETCH_PREVIEW:
        put_preview(s, a);
        break;
    case FETCH_ENVELOPE:
    case FETCH_BODY:
    case FETCH_BODYSTRUCTURE:
        put_structure(s, a, item->op);
        break;
    case FETCH_SECTION:
        (void)put_section(s, a, item);
        break;
    case FETCH_BINARY:
    case FETCH_BINARY_SIZE:
        (void)put_binary(s, a, item);
        break;
    }
}

static bool may_set_seen(const struct imap_session *s)
{
    const struct mailbox *m = mailbox_view_mailbox(s->view);

    return m == NULL || imap_may(m, ACL_SEEN);
}

static void begin_message(struct imap_session *s, struct fetch_args *a, uint32_t seq)
{
    imap_message_open(s, &a->m, seq);
    a->item = 0;
    a->put_seen = false;
    if (a->request.has_changedsince && a->m.info.modseq <= a->request.changedsince) {
        imap_message_close(&a->m);
        return;
    }
    if (a->sets_seen && !s->examine && may_set_seen(s) && !a->m.info.expunged && (a->m.info.flags & MSG_SEEN) == 0) {
        uidset_add(&a->seen, a->m.info.uid);
        a->m.info.flags |= MSG_SEEN;
        a->put_seen = true;
    }
    imap_tell_fetch(s, seq, a->m.info.uid);
    s->mid_response = true;
}

/* True when the rest of the value was written. */
static bool write_rest(struct imap_session *s, struct fetch_args *a)
{
    while (a->rest.len > 0) {
        struct view piece = view_sub(a->rest, 0, PIECE);

        buf_put_view(imap_out(s), piece);
        a->rest = view_sub(a->rest, piece.len, a->rest.len);
        if (a->rest.len > 0 && imap_slice_spent(s))
            return false;
    }
    return true;
}

/* Goes on with the current message; false when the slice ends within it. */
static bool write_message(struct imap_session *s, struct fetch_args *a)
{
    for (;;) {
        const struct imap_fetch_item *item;

        if (!write_rest(s, a))
            return false;
        if (a->item == a->request.nitems)
            break;
        item = &a->request.items[a->item];
        if (a->item++ > 0)
            buf_put_byte(imap_out(s), ' ');
        buf_put_view(imap_out(s), item->label);
        buf_put_byte(imap_out(s), ' ');
        put_item(s, a, item);
    }
    if (a->put_seen) {
        buf_put_str(imap_out(s), " FLAGS ");
        imap_put_flags(imap_out(s), mailbox_view_mailbox(s->view), &a->m.info);
    }
    buf_put_str(imap_out(s), ")\r\n");
    s->mid_response = false;
    imap_message_close(&a->m);
    buf_free(&a->value);
    return true;
}

static void stage_seen(struct imap_job *job, struct fetch_args *a)
{
    static const struct flag_change change = {.op = FLAGS_ADD, .flags = MSG_SEEN};
    struct imap_session *s = job->s;
    struct mailbox *m = mailbox_view_mailbox(s->view);
    struct txn *t;
    int err;

    if (a->seen.n == 0)
        return;
    if (m != NULL) {
        t = txn_begin(s->acc);
        err = txn_flags(t, m, &a->seen, &change);
        if (err == 0)
            imap_job_commit(job, &t);
        else {
            txn_abort(&t);
            job->commit_err = err;
        }
    }
    for (size_t i = 0; i < a->seen.n; i++)
        uidset_add_range(&a->staged, a->seen.ranges[i].first, a->seen.ranges[i].last);
    uidset_free(&a->seen);
}

static void committed(struct imap_job *job, const struct txn_result *result)
{
    struct fetch_args *a = job->args;

    imap_context_touch(job->s, &a->staged);
    if ((job->s->enabled & IMAP_ENABLED_CONDSTORE) == 0)
        mailbox_view_forget(job->s->view, &a->staged, result->modseq); /* \Seen was told with the message */
}

static enum imap_step finish(struct imap_job *job, struct fetch_args *a)
{
    if (job->commits > 0)
        return IMAP_STEP_COMMIT;
    if (job->commit_err != 0)
        return imap_job_fail(job, job->commit_err);
    if (a->failed != FAILED_NONE)
        return imap_job_no(job, failures[a->failed].code, failures[a->failed].text);
    return imap_job_ok(job, "FETCH completed");
}

static bool asks_modseq(const struct imap_fetch_request *r)
{
    for (size_t i = 0; i < r->nitems; i++)
        if (r->items[i].op == FETCH_MODSEQ)
            return true;
    return false;
}

/* RFC 9738 3.1: the messages with the highest UIDs, downwards; of those that PARTIAL names all or none. One that goes on in
 * another process keeps the limit that it began with. False: the answer is set. */
static bool limit(struct imap_job *job, struct fetch_args *a)
{
    struct imap_session *s = job->s;
    const struct imap_partial *p = &a->request.partial;
    uint32_t most = job->internal ? 0 : imap_message_limit(s), lowest;

    if (a->resumed) {
        if (job->limited > 1 && a->seqs.n > 0 && mailbox_view_seq_at_or_after(s->view, job->limited) > 1)
            uidset_remove_range(&a->seqs, 1, mailbox_view_seq_at_or_after(s->view, job->limited) - 1);
        return true;
    }
    if (most > 0 && a->request.has_partial && MAX_OF(p->first, p->last) - MIN_OF(p->first, p->last) >= most) {
        (void)imap_limit_refuse(job, most, 0, "PARTIAL names more messages than one command may work on");
        return false;
    }
    lowest = imap_limit_cut(&a->seqs, most);
    if (lowest != 0)
        imap_limit_note(job, most, mailbox_view_uid(s->view, lowest));
    return true;
}

static uint32_t next_seq(const struct imap_job *job, struct fetch_args *a)
{
    return job->limited != 0 ? imap_seqs_previous(&a->seqs, &a->next) : imap_seqs_next(&a->seqs, &a->range, &a->next);
}

/* PARTIAL first, CHANGEDSINCE then looks at what is left: RFC 9394 3.4. */
static enum imap_step begin(struct imap_job *job, struct fetch_args *a)
{
    struct imap_session *s = job->s;

    if (imap_job_seqs(job, &a->set, &a->seqs) != 0)
        return imap_job_bad(job, "Invalid message set");
    if (a->request.has_partial) {
        struct uidset cut;

        uidset_init(&cut);
        imap_partial_cut(&a->request.partial, &a->seqs, &cut);
        uidset_move(&a->seqs, &cut);
    }
    if (!limit(job, a))
        return IMAP_STEP_DONE;
    if (asks_modseq(&a->request))
        imap_session_condstore(s);
    if (a->request.vanished && !a->resumed && mailbox_view_mailbox(s->view) != NULL)
        imap_vanished_collect(s, mailbox_view_mailbox(s->view), a->request.changedsince, &a->set, &a->vanished);
    a->resolved = true;
    return IMAP_STEP_AGAIN;
}

static enum imap_step step(struct imap_job *job)
{
    struct fetch_args *a = job->args;
    struct imap_session *s = job->s;

    if (!a->resolved && begin(job, a) == IMAP_STEP_DONE)
        return IMAP_STEP_DONE;
    if (!imap_vanished_put(s, &a->vanished, &a->vanished_range, true)) /* before any FETCH: RFC 7162 3.2.6 */
        return IMAP_STEP_AGAIN;
    for (;;) {
        if (a->m.seq == 0 && s->parking && !job->internal) {
            stage_seen(job, a);
            return IMAP_STEP_AGAIN;
        }
        if (a->m.seq == 0) {
            uint32_t seq = next_seq(job, a);

            if (seq == 0)
                break;
            begin_message(s, a, seq);
        }
        if (a->m.seq != 0 && !write_message(s, a)) {
            stage_seen(job, a);
            return IMAP_STEP_AGAIN;
        }
        if (imap_slice_over(s) || outq_len(s->host->out) > SESSION_OUT_HIGH) {
            stage_seen(job, a);
            return IMAP_STEP_AGAIN;
        }
    }
    stage_seen(job, a);
    return finish(job, a);
}

static void drop(struct imap_job *job)
{
    struct fetch_args *a = job->args;

    imap_message_close(&a->m);
    buf_free(&a->value);
    uidset_free(&a->seqs);
    uidset_free(&a->vanished);
    uidset_free(&a->seen);
    uidset_free(&a->staged);
}

/* Between two messages. */
static bool parked(const struct imap_job *job)
{
    const struct fetch_args *a = job->args;

    return a->resolved && a->m.seq == 0 && a->vanished_range == a->vanished.n && a->seen.n == 0;
}

static void freeze(const struct imap_job *job, struct buf *out)
{
    const struct fetch_args *a = job->args;

    buf_put_u32(out, a->next);
    buf_put_u32(out, job->limit);
    buf_put_u32(out, job->limited);
    buf_put_u8(out, (uint8_t)a->failed);
    buf_put_u32(out, (uint32_t)-job->commit_err);
}

static void thaw(struct imap_job *job, struct cursor *c)
{
    struct fetch_args *a = job->args;
    uint32_t err;

    a->next = cursor_u32(c);
    job->limit = cursor_u32(c);
    job->limited = cursor_u32(c);
    a->failed = cursor_u8(c);
    err = cursor_u32(c);
    a->resumed = true;
    if (a->failed >= FAILED_COUNT || (job->limited != 0 && job->limit == 0) || err > INT16_MAX)
        cursor_fail(c);
    else
        job->commit_err = -(int)err;
}

static void progress(const struct imap_job *job, struct imap_progress *out)
{
    const struct fetch_args *a = job->args;

    out->goal = uidset_count(&a->seqs);
    if (job->limited != 0) {
        for (size_t i = a->next == 0 ? 0 : a->seqs.n; i > 0 && a->seqs.ranges[i - 1].last >= a->next; i--)
            out->done += (uint64_t)a->seqs.ranges[i - 1].last - MAX_OF(a->seqs.ranges[i - 1].first, a->next) + 1;
        return;
    }
    for (size_t i = 0; i < a->seqs.n && a->seqs.ranges[i].first < a->next; i++)
        out->done += (uint64_t)MIN_OF(a->seqs.ranges[i].last, a->next - 1) - a->seqs.ranges[i].first + 1;
}

const struct imap_command imap_cmd_fetch = {.name = "FETCH",
                                            .states = IMAP_SELECTED,
                                            .flags = IMAP_CMD_UID | IMAP_CMD_HOLD_EXPUNGE,
                                            .args_size = sizeof(struct fetch_args),
                                            .parse = parse,
                                            .step = step,
                                            .committed = committed,
                                            .progress = progress,
                                            .drop = drop,
                                            .parked = parked,
                                            .freeze = freeze,
                                            .thaw = thaw};
