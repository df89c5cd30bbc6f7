/*
 * CATENATE (RFC 4469): messages put together from literals and from parts of messages that are here. Each becomes one run of
 * bytes at the end of the spool, copied in slices. What URLs bring is bounded by message_size_max a command, so that a short
 * command cannot fill the disk.
 */
#include <errno.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "imap/append.h"
#include "imap/rights.h"

#define PIECE ((size_t)256 * 1024)

enum imap_step imap_bad_url(struct imap_job *job, struct view url)
{
    enum imap_step r = imap_job_no(job, NULL, "A part of the message cannot be had");

    /* url-resp-text: a character that cannot stand there is percent-encoded, which does not change what the URL means. */
    buf_put_str(&job->code, "BADURL ");
    for (size_t i = 0; i < url.len; i++) {
        if (url.ptr[i] <= ' ' || url.ptr[i] >= 0x7f || url.ptr[i] == ']' || url.ptr[i] == '[')
            buf_put_fmt(&job->code, "%%%02X", url.ptr[i]);
        else
            buf_put_byte(&job->code, url.ptr[i]);
    }
    return r;
}

static void close_url(struct append_args *a)
{
    imap_message_close(&a->m);
    mailbox_view_close(&a->view);
    buf_free(&a->made);
}

/* Opens what the part's URL names: a->section. 0, or why not. */
static int open_url(struct imap_session *s, struct append_args *a, const struct imap_url *url)
{
    struct mailbox *m = account_find(s->acc, url->mailbox);
    struct mailbox_status status;
    uint32_t seq;

    if (m == NULL || !imap_may(m, ACL_READ))
        return ERR_NOTFOUND;
    mailbox_status(m, &status);
    if (url->uidvalidity != 0 && url->uidvalidity != status.uidvalidity)
        return ERR_NOTFOUND;
    a->view = mailbox_view_open(s->acc, m, false);
    seq = mailbox_view_seq(a->view, url->uid);
    if (seq == 0)
        return ERR_NOTFOUND;
    imap_message_open_in(s, a->view, &a->m, seq);
    return imap_section_bytes(s, &a->m, &url->section, &a->made, &a->section);
}

/* Begins the current part when nothing of it was copied. DONE: the answer is set. */
static enum imap_step begin_part(struct imap_job *job, struct append_args *a, struct append_message *m, struct append_part *part)
{
    uint64_t max = job->s->host->set->message_size_max;
    int err;

    if (part->url == NULL || a->view != NULL)
        return IMAP_STEP_AGAIN;
    err = open_url(job->s, a, part->url);
    if (err != 0) {
        close_url(a);
        return err == ERR_NOTFOUND || err == ERR_CORRUPT ? imap_bad_url(job, part->url_text) : imap_job_fail(job, err);
    }
    if (a->section.len > max - MIN_OF(m->size, max) || a->section.len > max - a->url_bytes)
        return imap_job_no(job, "TOOBIG", "Message too large");
    if (a->section.len > 0 && memchr(a->section.ptr, '\0', a->section.len) != NULL)
        return imap_job_no(job, "UNKNOWN-CTE", "Messages with NUL octets cannot be stored");
    part->size = a->section.len;
    m->size += part->size;
    a->url_bytes += part->size;
    return IMAP_STEP_AGAIN;
}

static void copy_spooled(struct imap_session *s, struct append_args *a, uint64_t from, size_t n)
{
    uint8_t piece[16 * 1024];

    while (a->err == 0 && n > 0) {
        ssize_t got = pread(a->spool, piece, MIN_OF(n, sizeof(piece)), (off_t)from);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            a->err = got < 0 ? err_from_errno(errno) : ERR_IO;
            return;
        }
        imap_append_spool(s, a, view_make(piece, (size_t)got));
        from += (uint64_t)got;
        n -= (size_t)got;
    }
}

/* A piece of the current part. */
static void copy_piece(struct imap_session *s, struct append_args *a, const struct append_part *part)
{
    size_t n = (size_t)MIN_OF(part->size - a->part_done, (uint64_t)PIECE);

    if (part->url != NULL)
        imap_append_spool(s, a, view_sub(a->section, (size_t)a->part_done, n));
    else if (part->spooled)
        copy_spooled(s, a, part->offset + a->part_done, n);
    else
        imap_append_spool(s, a, view_sub(buf_view(&a->memory), (size_t)(part->offset + a->part_done), n));
    a->part_done += n;
}

/* The parts of one message. COMMIT: they are all there. */
static enum imap_step assemble(struct imap_job *job, struct append_args *a, struct append_message *m)
{
    if (a->part == 0 && a->part_done == 0 && a->view == NULL) {
        imap_append_intake(a, UINT64_MAX); /* nobody knows yet how large it gets */
        m->spooled = true;
        m->offset = a->spool_size;
    }
    while (a->part < m->nparts) {
        struct append_part *part = &a->parts[m->first_part + a->part];

        if (begin_part(job, a, m, part) == IMAP_STEP_DONE)
            return IMAP_STEP_DONE;
        while (a->part_done < part->size) {
            copy_piece(job->s, a, part);
            if (a->err != 0)
                return imap_job_fail(job, a->err);
            if (imap_slice_spent(job->s))
                return IMAP_STEP_AGAIN;
        }
        if (part->url != NULL && !msg_data_good(&a->m.data))
            return imap_job_fail(job, ERR_IO);
        close_url(a);
        a->part++;
        a->part_done = 0;
        if (imap_slice_spent(job->s) && a->part < m->nparts)
            return IMAP_STEP_AGAIN;
    }
    if (m->size == 0)
        return imap_job_no(job, NULL, "Empty message");
    imap_append_known(a, m);
    return IMAP_STEP_COMMIT;
}

enum imap_step imap_catenate(struct imap_job *job, struct append_args *a)
{
    while (a->assembled < a->n) {
        struct append_message *m = &a->messages[a->assembled];
        enum imap_step r = m->catenate ? assemble(job, a, m) : IMAP_STEP_COMMIT;

        if (r != IMAP_STEP_COMMIT)
            return r;
        a->assembled++;
        a->part = 0;
    }
    return IMAP_STEP_COMMIT;
}
