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

/* RFC 6532: characters beyond ASCII in the header. */
static bool header_is_8bit(struct view m)
{
    struct view line;

    for (size_t at = 0; at < m.len; at += line.len + 1) {
        line = view_sub(m, at, m.len);
        line.len = view_find(line, '\n');
        if (line.len == 0 || (line.len == 1 && line.ptr[0] == '\r'))
            return false;
        for (size_t i = 0; i < line.len; i++) {
            if (line.ptr[i] >= 0x80)
                return true;
        }
    }
    return false;
}

/* Opens the message; 0, or the answer was put. */
static int open_message(struct pop3_session *s, uint32_t n)
{
    int err = mailbox_view_data(s->view, pop3_seq(s, n), &s->data);

    if (err != 0) {
        pop3_line(s,
                  err == ERR_CORRUPT ? "-ERR [SYS/PERM] The message is damaged." : "-ERR [SYS/TEMP] The message cannot be read.");
        return err;
    }
    if (!s->utf8 && s->host->set->pop3_8bit_headers == SET_POP3_8BIT_REFUSE && header_is_8bit(s->data.bytes)) {
        msg_data_close(&s->data);
        s->data = (struct msg_data){.fd = -1};
        pop3_line(s, "-ERR [UTF8] The message has characters that need UTF8 before log-in.");
        return ERR_DENIED;
    }
    return 0;
}

void pop3_send_start(struct pop3_session *s, uint32_t n, uint64_t lines)
{
    struct buf *out = outq_buf(s->host->out);
    struct msg_info info;

    if (open_message(s, n) != 0)
        return;
    mailbox_view_info(s->view, pop3_seq(s, n), &info);
    buf_put_fmt(out, "+OK %llu octets\r\n", (unsigned long long)pop3_size(&info));
    s->job = POP3_JOB_MESSAGE;
    s->job_n = n;
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

/* One line, or a slice of a very long one. The last line of a message may have no line end, and gets one. */
static void send_line(struct pop3_session *s, struct view rest)
{
    struct buf *out = outq_buf(s->host->out);
    struct view slice = view_sub(rest, 0, SLICE_OCTETS);
    size_t eol = view_find(slice, '\n');
    bool ended = eol < slice.len, whole = ended || slice.len == rest.len;
    struct view line = view_sub(slice, 0, eol);

    if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
        if (ended) {
            line.len--; /* of the line end */
        } else if (!whole && line.len > 1) {
            line.len--; /* maybe: the next slice will tell */
            eol--;
        }
    }
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
        s->offset += ended ? 1 : 0;
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
    struct msg_info info;

    for (unsigned i = 0; i < SLICE_ROWS && s->job_n <= s->count; i++, s->job_n++) {
        if (pop3_is_deleted(s, s->job_n))
            continue;
        buf_put_dec(out, s->job_n);
        buf_put_byte(out, ' ');
        if (s->job == POP3_JOB_LIST) {
            mailbox_view_info(s->view, pop3_seq(s, s->job_n), &info);
            buf_put_dec(out, pop3_size(&info));
        } else {
            pop3_put_uidl(s, out, s->job_n);
        }
        buf_put_str(out, "\r\n");
    }
    return s->job_n > s->count;
}

bool pop3_send_step(struct pop3_session *s)
{
    bool done = s->job == POP3_JOB_MESSAGE ? message_step(s) : listing_step(s);

    if (done)
        end_job(s);
    return done;
}
