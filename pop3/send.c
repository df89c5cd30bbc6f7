/*
 * Multi-line answers in slices: LIST, UIDL, and messages with their dot-stuffing (RFC 1939 3).
 *
 * A whole message that needs neither stuffing nor line-end repair goes from the page cache to the socket (sendfile). Otherwise it
 * is copied: a line that begins with a dot gets a second one, and a bare LF becomes CRLF, because a client that takes a bare LF
 * for a line end could otherwise be shown an end of message that is not one.
 */
#include "pop3/session_int.h"

#include "common/base/mem.h"

#define SLICE_OCTETS (64 * 1024)
#define SLICE_ROWS 2000

/* True when the bytes can be sent as they are. */
static bool is_clean(struct view m)
{
    const uint8_t *p = m.ptr, *end = m.ptr + m.len;

    if (m.len < 2 || m.ptr[0] == '.' || m.ptr[m.len - 1] != '\n')
        return false;
    while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        if (p == m.ptr || p[-1] != '\r' || (p + 1 < end && p[1] == '.'))
            return false;
        if (++p == end)
            break;
    }
    return true;
}

void pop3_send_start(struct pop3_session *s, uint32_t seq, uint64_t lines)
{
    struct buf *out = outq_buf(s->host->out);
    int err = mailbox_view_data(s->view, seq, &s->data);

    if (err != 0) {
        pop3_line(s, "-ERR [SYS/TEMP] The message cannot be read.");
        return;
    }
    buf_put_fmt(out, "+OK %llu octets\r\n", (unsigned long long)s->data.bytes.len);
    s->job = POP3_JOB_MESSAGE;
    s->job_seq = seq;
    s->offset = 0;
    s->lines_left = lines;
    s->in_body = false;
    s->line_start = true;
    if (lines == UINT64_MAX && s->data.fd >= 0 && is_clean(s->data.bytes) &&
        outq_put_file(s->host->out, s->data.fd, s->data.fd_offset, s->data.bytes.len) == 0)
        s->offset = s->data.bytes.len;
    pop3_enter(s, POP3_SENDING);
}

static void end_job(struct pop3_session *s)
{
    if (s->job == POP3_JOB_MESSAGE) {
        if (!s->line_start)
            pop3_line(s, "");
        msg_data_close(&s->data);
        s->data = (struct msg_data){.fd = -1};
    }
    pop3_line(s, ".");
    s->job = POP3_JOB_NONE;
}

/* One line, or a slice of a very long one. */
static void send_line(struct pop3_session *s, struct view rest)
{
    struct buf *out = outq_buf(s->host->out);
    struct view slice = view_sub(rest, 0, SLICE_OCTETS);
    size_t eol = view_find(slice, '\n');
    bool whole = eol < slice.len || slice.len == rest.len;
    struct view line = view_sub(slice, 0, eol);

    if (line.len > 1 && line.ptr[line.len - 1] == '\r') /* of the line end; a slice leaves it for the next one */
        line.len--, eol -= whole ? 0 : 1;
    else if (whole && eol < slice.len && line.len == 1 && line.ptr[0] == '\r')
        line.len = 0;
    if (s->line_start && line.len > 0 && line.ptr[0] == '.')
        buf_put_byte(out, '.');
    buf_put_view(out, line);
    s->offset += eol;
    if (whole) {
        if (s->in_body && s->lines_left != UINT64_MAX)
            s->lines_left--;
        if (s->line_start && line.len == 0)
            s->in_body = true;
        buf_put_str(out, "\r\n");
        s->offset += eol < slice.len ? 1 : 0;
    }
    s->line_start = whole;
}

static bool message_step(struct pop3_session *s)
{
    struct view m = s->data.bytes;
    uint64_t stop = s->offset + SLICE_OCTETS;

    while (s->offset < m.len && s->offset < stop) {
        if (s->in_body && s->lines_left == 0)
            return true;
        send_line(s, view_sub(m, (size_t)s->offset, m.len));
    }
    return s->offset >= m.len;
}

static bool listing_step(struct pop3_session *s)
{
    struct buf *out = outq_buf(s->host->out);
    uint32_t count = mailbox_view_count(s->view);
    struct mailbox_status status;
    struct msg_info info;

    mailbox_status(mailbox_view_mailbox(s->view), &status);
    for (unsigned i = 0; i < SLICE_ROWS && s->job_seq <= count; i++, s->job_seq++) {
        if (pop3_is_deleted(s, s->job_seq))
            continue;
        buf_put_dec(out, s->job_seq);
        buf_put_byte(out, ' ');
        if (s->job == POP3_JOB_LIST) {
            mailbox_view_info(s->view, s->job_seq, &info);
            buf_put_dec(out, info.size);
        } else {
            pop3_put_uidl(out, s->view, s->job_seq, status.uidvalidity);
        }
        buf_put_str(out, "\r\n");
    }
    return s->job_seq > count;
}

bool pop3_send_step(struct pop3_session *s)
{
    bool done = s->job == POP3_JOB_MESSAGE ? message_step(s) : listing_step(s);

    if (done)
        end_job(s);
    return done;
}
