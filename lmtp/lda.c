#include "lmtp/lda.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/text/text.h"
#include "lmtp/address.h"

#define REPLY_LINE_MAX 2048
#define REPLY_LINES_MAX 100
#define SLICE (32 * 1024)
#define ADDRESS_MAX 998

struct session {
    const struct lda_request *r;
    struct buf in;
    unsigned code;
    struct buf *text; /* of the last reply, or what went wrong */
};

/* --- addresses ---------------------------------------------------------------------------------------------------------- */

bool lda_is_path(struct view text)
{
    bool quoted = false;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if (c < ' ' || c == 0x7f || (!quoted && (c == ' ' || c == '<' || c == '>')))
            return false;
        if (c == '"')
            quoted = !quoted;
        else if (quoted && c == '\\' && ++i == text.len)
            return false;
    }
    return !quoted && text.len <= ADDRESS_MAX && utf8_valid(text);
}

static bool is_atext(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c >= 0x80 ||
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

static void put_quoted(struct buf *out, struct view local)
{
    buf_put_byte(out, '"');
    for (size_t i = 0; i < local.len; i++) {
        if (local.ptr[i] == '"' || local.ptr[i] == '\\')
            buf_put_byte(out, '\\');
        buf_put_byte(out, local.ptr[i]);
    }
    buf_put_byte(out, '"');
}

int lda_put_recipient(struct buf *out, struct view user, char delimiter, struct view folder)
{
    size_t at = view_find(user, '@');
    struct buf local;
    bool plain = true;
    int err = 0;

    buf_init(&local, ADDRESS_MAX);
    buf_put_view(&local, view_sub(user, 0, at));
    if (folder.len > 0) {
        buf_put_byte(&local, (uint8_t)delimiter);
        buf_put_view(&local, folder);
    }
    for (size_t i = 0; i < buf_len(&local); i++) {
        uint8_t c = buf_view(&local).ptr[i];

        if (c < ' ' || c == 0x7f || c == '@')
            err = ERR_SYNTAX;
        plain = plain && is_atext(c);
    }
    if (at == 0 || user.len == 0 || !utf8_valid(buf_view(&local)))
        err = ERR_SYNTAX;
    if (plain)
        buf_put_view(out, buf_view(&local));
    else
        put_quoted(out, buf_view(&local));
    buf_put_view(out, view_sub(user, at, user.len));
    if (err == 0 && (!buf_ok(&local) || !buf_ok(out)))
        err = ERR_LIMIT;
    if (err == 0 && !lda_is_path(buf_view(out)))
        err = ERR_SYNTAX;
    buf_free(&local);
    return err;
}

/* --- the conversation ----------------------------------------------------------------------------------------------------- */

static void went_wrong(struct session *s, const char *what, int errnum)
{
    buf_reset(s->text);
    buf_put_str(s->text, what);
    if (errnum != 0) {
        buf_put_str(s->text, ": ");
        buf_put_str(s->text, log_errno_text(errnum));
    }
}

static bool send_all(struct session *s, struct view v)
{
    while (v.len > 0) {
        ssize_t n = send(s->r->socket_fd, v.ptr, v.len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            went_wrong(s, "the connection to culver-lmtp broke", errno);
            return false;
        }
        v = view_sub(v, (size_t)n, v.len);
    }
    return true;
}

static bool read_more(struct session *s)
{
    uint8_t *p = buf_reserve(&s->in, REPLY_LINE_MAX - buf_len(&s->in));
    ssize_t n = 0;

    if (p == NULL || buf_len(&s->in) == REPLY_LINE_MAX) {
        went_wrong(s, "culver-lmtp's answer is too long", 0);
        return false;
    }
    do
        n = recv(s->r->socket_fd, p, REPLY_LINE_MAX - buf_len(&s->in), 0);
    while (n < 0 && errno == EINTR);
    if (n <= 0) {
        went_wrong(s, "no answer from culver-lmtp", n < 0 ? errno : 0);
        return false;
    }
    buf_commit(&s->in, (size_t)n);
    return true;
}

/* One line of an answer. False: it is none. *last_out: it is the last one. */
static bool take_reply_line(struct session *s, struct view line, bool *last_out)
{
    struct cursor c = cursor_make(view_sub(line, 0, 3));
    uint64_t code = cursor_dec(&c, 200, 599);

    if (line.len < 3 || !cursor_done(&c) || (line.len > 3 && line.ptr[3] != ' ' && line.ptr[3] != '-')) {
        went_wrong(s, "culver-lmtp's answer is not understood", 0);
        return false;
    }
    *last_out = line.len == 3 || line.ptr[3] == ' ';
    s->code = (unsigned)code;
    buf_reset(s->text);
    buf_put_view(s->text, view_sub(line, 4, line.len));
    return true;
}

/* A whole answer: its code and its last line are in s. */
static bool read_reply(struct session *s)
{
    bool last = false;

    for (unsigned i = 0; i < REPLY_LINES_MAX && !last; i++) {
        size_t eol;
        struct view in;

        while ((eol = view_find(buf_view(&s->in), '\n')) == buf_len(&s->in)) {
            if (!read_more(s))
                return false;
        }
        in = buf_view(&s->in);
        if (!take_reply_line(s, view_trim(view_sub(in, 0, eol)), &last))
            return false;
        buf_consume(&s->in, eol + 1);
    }
    return last;
}

/* Says a line and reads the answer; its first digit must be `wanted`. */
static enum lda_end ask(struct session *s, const struct buf *line, unsigned wanted)
{
    if (line != NULL && !send_all(s, buf_view(line)))
        return LDA_BROKEN;
    if (!read_reply(s))
        return LDA_BROKEN;
    return s->code / 100 == wanted ? LDA_DELIVERED : LDA_REFUSED;
}

static enum lda_end say(struct session *s, unsigned wanted, const char *before, struct view middle, const char *after)
{
    struct buf line;
    enum lda_end end;

    buf_init(&line, REPLY_LINE_MAX);
    buf_put_str(&line, before);
    buf_put_view(&line, middle);
    buf_put_str(&line, after);
    buf_put_str(&line, "\r\n");
    end = ask(s, &line, wanted);
    buf_free(&line);
    return end;
}

static enum lda_end envelope(struct session *s)
{
    const struct lda_request *r = s->r;
    bool utf8 = !lmtp_is_ascii(r->sender) || !lmtp_is_ascii(r->recipient);
    enum lda_end end = ask(s, NULL, 2);

    if (end == LDA_DELIVERED)
        end = say(s, 2, "LHLO ", view_str(r->helo), "");
    if (end == LDA_DELIVERED)
        end = say(s, 2, "MAIL FROM:<", r->sender, utf8 ? "> BODY=8BITMIME SMTPUTF8" : "> BODY=8BITMIME");
    if (end == LDA_DELIVERED)
        end = say(s, 2, "RCPT TO:<", r->recipient, ">");
    if (end == LDA_DELIVERED)
        end = say(s, 3, "DATA", view_make(NULL, 0), "");
    return end;
}

/* An error in the middle leaves the message without its end, so that nothing of it is delivered. */
static enum lda_end data(struct session *s)
{
    uint8_t slice[SLICE];
    struct lda_stream stream;
    struct buf out;
    bool good = true;
    ssize_t n;

    lda_stream_init(&stream);
    buf_init(&out, 2 * sizeof(slice) + 16);
    do {
        n = read(s->r->message_fd, slice, sizeof(slice));
        if (n < 0 && errno == EINTR)
            continue;
        buf_reset(&out);
        if (n < 0) {
            went_wrong(s, "cannot read the message", errno);
            good = false;
        } else {
            lda_stream_put(&stream, view_make(slice, (size_t)n), &out);
            if (n == 0)
                lda_stream_end(&stream, &out);
            good = send_all(s, buf_view(&out));
        }
    } while (good && n != 0);
    buf_free(&out);
    return good ? ask(s, NULL, 2) : LDA_BROKEN;
}

enum lda_end lda_deliver(const struct lda_request *r, unsigned *code_out, struct buf *text_out)
{
    struct session s = {.r = r, .text = text_out};
    enum lda_end end;

    buf_init(&s.in, REPLY_LINE_MAX);
    end = envelope(&s);
    if (end == LDA_DELIVERED)
        end = data(&s);
    *code_out = s.code;
    buf_free(&s.in);
    return end;
}
