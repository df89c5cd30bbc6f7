/*
 * Lines end with LF; a CR before it is dropped. Whether a line announces a literal is seen from its end alone: a quoted string
 * cannot contain a line end and no other token may contain "{", so "{digits}" or "{digits+}" there is a literal or the command is
 * malformed anyway.
 */
#include "imap/input.h"

#include "imap/command.h"
#include "imap/respond.h"
#include "imap/session_int.h"

#define LITERAL_HEADER_MAX 32 /* "~{" 20 digits "+}" and some */
#define SHORT_LINE_MAX 1024

bool imap_input_literal(struct view line, struct imap_literal *out, bool *bad)
{
    size_t end = line.len, at;
    struct cursor c;

    *bad = false;
    if (end < 3 || line.ptr[end - 1] != '}')
        return false;
    out->sync = line.ptr[end - 2] != '+';
    end -= out->sync ? 1 : 2;
    at = end;
    while (at > 0 && line.ptr[at - 1] >= '0' && line.ptr[at - 1] <= '9')
        at--;
    if (at == end || at == 0 || line.ptr[at - 1] != '{')
        return false;
    out->literal8 = at >= 2 && line.ptr[at - 2] == '~';
    c = cursor_make(view_sub(line, at, end - at));
    out->size = cursor_dec(&c, 0, UINT32_MAX);
    *bad = !cursor_done(&c);
    return true;
}

/* Tag, and name of the command as far as they can be read. */
static struct view peek_tag(struct view text, struct view *name)
{
    struct imap_pool none;
    struct imap_parse p;
    struct view tag;

    imap_pool_init(&none, 0);
    imap_parse_init(&p, text, &none);
    tag = imap_parse_tag(&p);
    *name = (struct view){NULL, 0};
    if (!imap_parse_try(&p, ' '))
        return p.error == NULL && cursor_left(&p.c) == 0 ? tag : (struct view){NULL, 0};
    *name = imap_parse_atom(&p);
    return tag;
}

static void restart(struct imap_session *s, enum imap_input_state state)
{
    s->input = (struct imap_input){.state = state};
}

/* The command is answered BAD; what belongs to it is dropped. literal: the one that the last line announces, or NULL when the
 * line is not complete yet. */
static enum imap_input_result refuse(struct imap_session *s, const struct imap_literal *literal, const char *code,
                                     const char *text)
{
    struct view name, tag = peek_tag(view_sub(buf_view(s->host->in), 0, s->input.scanned), &name);

    if (s->receiving != NULL)
        tag = s->receiving->tag; /* its first line was taken long ago */
    imap_put_tagged(s, tag, IMAP_BAD, view_str(code), text);
    imap_job_free(&s->receiving);
    imap_session_count_bad(s);
    imap_input_refuse(s, literal);
    return IMAP_INPUT_ANSWERED;
}

void imap_input_refuse(struct imap_session *s, const struct imap_literal *literal)
{
    size_t used = s->input.scanned;

    if (literal == NULL) {
        restart(s, IMAP_INPUT_SKIP);
        return;
    }
    buf_consume(s->host->in, used);
    restart(s, IMAP_INPUT_LINE);
    if (literal->sync)
        return; /* the client does not send it */
    if (literal->size > IMAP_LITERAL_SWALLOW_MAX) {
        imap_session_close(s, "TOOBIG", "Literal too large");
        return;
    }
    restart(s, IMAP_INPUT_SWALLOW);
    s->input.literal_left = literal->size;
}

/* Is the literal at the end of this text one of APPEND's or REPLACE's own, behind the mailbox name? */
static bool is_message(struct view text)
{
    struct imap_pool none;
    struct imap_parse p;
    struct view name;

    imap_pool_init(&none, 0);
    imap_parse_init(&p, text, &none);
    imap_parse_tag(&p);
    imap_parse_space(&p);
    name = imap_parse_atom(&p);
    if (view_eq_nocase(name, VIEW("UID"))) {
        imap_parse_space(&p);
        name = imap_parse_atom(&p);
    }
    if (view_eq_nocase(name, VIEW("REPLACE"))) {
        imap_parse_space(&p);
        if (!imap_parse_try(&p, '*'))
            (void)imap_parse_number(&p, 0, UINT32_MAX);
    } else if (!view_eq_nocase(name, VIEW("APPEND")))
        return false;
    imap_parse_space(&p);
    return imap_parse_ok(&p) && (imap_parse_peek(&p) != '{' || memchr(text.ptr, '\n', text.len) != NULL);
}

static enum imap_input_result begin_literal(struct imap_session *s, const struct imap_literal *literal)
{
    const struct set_worker *set = s->host->set;
    struct view text = view_sub(buf_view(s->host->in), 0, s->input.scanned), name;

    if (peek_tag(text, &name).len == 0)
        return refuse(s, literal, NULL, "Invalid tag");
    if (imap_command_check(s, name) != NULL)
        return refuse(s, literal, NULL, imap_command_check(s, name));
    if (literal->size > set->imap_literal_max - s->input.literal_bytes)
        return refuse(s, literal, "TOOBIG", "Literals too large");
    s->input.literal_bytes += literal->size;
    s->input.literal_left = literal->size;
    s->input.state = IMAP_INPUT_LITERAL;
    if (literal->sync)
        imap_put_continue(s, "OK");
    return IMAP_INPUT_ANSWERED;
}

/* A whole line is there: [line_start, end of LF). */
static enum imap_input_result line_complete(struct imap_session *s, size_t lf, struct view *text, struct imap_literal *literal)
{
    struct view in = buf_view(s->host->in);
    size_t end = lf > s->input.line_start && in.ptr[lf - 1] == '\r' ? lf - 1 : lf;
    bool bad;

    s->input.line_bytes += lf + 1 - s->input.line_start;
    s->input.scanned = lf + 1;
    if (imap_input_literal(view_sub(in, s->input.line_start, end - s->input.line_start), literal, &bad)) {
        if (bad) {
            literal->size = UINT64_MAX;
            return refuse(s, literal, "TOOBIG", "Literal too large");
        }
        if (s->input.line_bytes > s->host->set->imap_line_max)
            return refuse(s, literal, "TOOBIG", "Command line too long");
        if (s->host->set->imap_literal_minus && !literal->sync && literal->size > IMAP_LITERAL_MINUS_MAX)
            return refuse(s, literal, "TOOBIG", "Only literals up to 4096 octets may come unasked");
        if (s->receiving != NULL || is_message(view_sub(in, 0, end))) {
            *text = view_sub(in, 0, end);
            return IMAP_INPUT_APPEND;
        }
        return begin_literal(s, literal);
    }
    if (s->input.line_bytes > s->host->set->imap_line_max) {
        *literal = (struct imap_literal){.size = 0, .sync = true};
        return refuse(s, literal, "TOOBIG", "Command line too long");
    }
    *text = view_sub(in, 0, end);
    return IMAP_INPUT_COMMAND;
}

static enum imap_input_result read_line(struct imap_session *s, struct view *text, struct imap_literal *literal)
{
    struct view in = buf_view(s->host->in);
    size_t at = s->input.scanned + view_find(view_sub(in, s->input.scanned, in.len), '\n');

    if (at < in.len)
        return line_complete(s, at, text, literal);
    s->input.scanned = in.len;
    if (s->input.line_bytes + (in.len - s->input.line_start) > s->host->set->imap_line_max)
        return refuse(s, NULL, "TOOBIG", "Command line too long");
    return IMAP_INPUT_MORE;
}

static enum imap_input_result read_literal(struct imap_session *s)
{
    size_t have = buf_len(s->host->in) - s->input.scanned;
    size_t take = have < s->input.literal_left ? have : (size_t)s->input.literal_left;

    s->input.scanned += take;
    s->input.literal_left -= take;
    if (s->input.literal_left > 0)
        return IMAP_INPUT_MORE;
    s->input.line_start = s->input.scanned;
    s->input.state = IMAP_INPUT_LINE;
    return IMAP_INPUT_ANSWERED;
}

/* Drops up to the end of the line. What a literal header at its end needs is kept until the line is whole. */
static enum imap_input_result skip_line(struct imap_session *s)
{
    struct view in = buf_view(s->host->in), line;
    size_t lf = view_find(in, '\n');
    struct imap_literal literal;
    bool bad;

    if (lf == in.len) {
        if (in.len > LITERAL_HEADER_MAX)
            buf_consume(s->host->in, in.len - LITERAL_HEADER_MAX);
        return IMAP_INPUT_MORE;
    }
    line = view_sub(in, 0, lf > 0 && in.ptr[lf - 1] == '\r' ? lf - 1 : lf);
    s->input.scanned = lf + 1;
    if (imap_input_literal(line, &literal, &bad)) {
        if (bad)
            literal.size = UINT64_MAX;
        imap_input_refuse(s, &literal);
        return IMAP_INPUT_ANSWERED;
    }
    buf_consume(s->host->in, lf + 1);
    restart(s, IMAP_INPUT_LINE);
    return IMAP_INPUT_ANSWERED;
}

static enum imap_input_result swallow(struct imap_session *s)
{
    size_t have = buf_len(s->host->in);
    size_t take = have < s->input.literal_left ? have : (size_t)s->input.literal_left;

    buf_consume(s->host->in, take);
    s->input.literal_left -= take;
    if (s->input.literal_left > 0)
        return IMAP_INPUT_MORE;
    restart(s, IMAP_INPUT_SKIP);
    return IMAP_INPUT_ANSWERED;
}

static enum imap_input_result pass_message(struct imap_session *s, struct view *text)
{
    struct view in = buf_view(s->host->in);

    if (in.len == 0)
        return IMAP_INPUT_MORE;
    *text = view_sub(in, 0, s->input.literal_left < in.len ? (size_t)s->input.literal_left : in.len);
    s->input.scanned = text->len;
    return IMAP_INPUT_BYTES;
}

enum imap_input_result imap_input_next(struct imap_session *s, struct view *text, struct imap_literal *literal)
{
    switch (s->input.state) {
    case IMAP_INPUT_LINE:
        return read_line(s, text, literal);
    case IMAP_INPUT_LITERAL:
        return read_literal(s);
    case IMAP_INPUT_MESSAGE:
        return pass_message(s, text);
    case IMAP_INPUT_SKIP:
        return skip_line(s);
    case IMAP_INPUT_SWALLOW:
        return swallow(s);
    }
    return IMAP_INPUT_MORE;
}

void imap_input_taken(struct imap_session *s)
{
    struct imap_input *in = &s->input;
    uint64_t line_bytes = in->line_bytes;

    buf_consume(s->host->in, in->scanned);
    if (in->state == IMAP_INPUT_MESSAGE) {
        in->literal_left -= in->scanned;
        in->scanned = 0;
        if (in->literal_left > 0)
            return;
        restart(s, IMAP_INPUT_LINE); /* the lines of one APPEND count together */
        s->input.line_bytes = line_bytes;
        return;
    }
    restart(s, IMAP_INPUT_LINE);
}

void imap_input_accept(struct imap_session *s, const struct imap_literal *literal)
{
    uint64_t line_bytes = s->input.line_bytes;

    buf_consume(s->host->in, s->input.scanned);
    restart(s, literal->size > 0 ? IMAP_INPUT_MESSAGE : IMAP_INPUT_LINE);
    s->input.line_bytes = line_bytes;
    s->input.literal_left = literal->size;
    if (literal->sync)
        imap_put_continue(s, "OK");
}

bool imap_input_message_done(const struct imap_session *s)
{
    return s->input.state != IMAP_INPUT_MESSAGE;
}

bool imap_input_line(struct imap_session *s, struct view *line)
{
    struct view in = buf_view(s->host->in);
    size_t lf = view_find(in, '\n');

    if (lf > SHORT_LINE_MAX) {
        imap_session_close(s, "TOOBIG", "Line too long");
        return false;
    }
    if (lf == in.len)
        return false;
    *line = view_sub(in, 0, lf > 0 && in.ptr[lf - 1] == '\r' ? lf - 1 : lf);
    s->input.scanned = lf + 1;
    return true;
}
