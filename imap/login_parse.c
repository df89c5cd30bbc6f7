#include "imap/login_parse.h"

#include "common/base/mem.h"

/* Digits, "+" and brackets of a literal at the end of a line: at most "{4294967295+}". */
#define LITERAL_HEAD_MAX 13

enum literal_kind { LITERAL_NONE, LITERAL_SYNC, LITERAL_PLUS, LITERAL_BAD };

/* Does this line (without its line end) end in a literal's announcement? RFC 9051 4.3, RFC 7888. */
static enum literal_kind literal_at_end(struct view line, uint64_t *size_out)
{
    struct cursor c;
    uint64_t size;
    bool plus;
    size_t i;

    if (line.len == 0 || line.ptr[line.len - 1] != '}')
        return LITERAL_NONE;
    for (i = line.len - 1; i > 0 && line.ptr[i - 1] != '{'; i--)
        if (line.len - i > LITERAL_HEAD_MAX + 8)
            return LITERAL_NONE;
    if (i == 0)
        return LITERAL_NONE;
    c = cursor_make(view_sub(line, i, line.len - i));
    size = cursor_dec(&c, 0, UINT32_MAX);
    plus = cursor_take(&c, '+');
    cursor_expect(&c, '}');
    if (!cursor_done(&c) || line.len - i > LITERAL_HEAD_MAX)
        return LITERAL_BAD;
    *size_out = size;
    return plus ? LITERAL_PLUS : LITERAL_SYNC;
}

static bool has_nul(struct view v)
{
    return v.len > 0 && memchr(v.ptr, 0, v.len) != NULL;
}

enum frame_result login_frame(struct view in, size_t prompted, size_t max, size_t plus_max, struct frame *frame)
{
    size_t at = 0;

    frame->client_sends = false;
    for (;;) {
        struct view rest = view_sub(in, at, in.len - at);
        size_t eol = view_find(rest, '\n');
        struct view line;
        enum literal_kind kind;
        uint64_t size = 0;

        if (has_nul(view_sub(rest, 0, eol))) {
            frame->len = at + eol;
            return FRAME_BAD;
        }
        if (eol == rest.len)
            return FRAME_MORE;
        line = view_sub(rest, 0, eol > 0 && rest.ptr[eol - 1] == '\r' ? eol - 1 : eol);
        kind = literal_at_end(line, &size);
        at += eol + 1;
        frame->len = at;
        if (kind == LITERAL_NONE)
            return FRAME_WHOLE;
        if (kind == LITERAL_BAD)
            return FRAME_BAD;
        if (size > max - MIN_OF(max, at) || (kind == LITERAL_PLUS && size > plus_max)) {
            frame->client_sends = kind == LITERAL_PLUS;
            return FRAME_TOO_BIG;
        }
        if (kind == LITERAL_SYNC && at > prompted)
            return FRAME_PROMPT;
        if (in.len - at < size)
            return FRAME_MORE;
        at += (size_t)size;
    }
}

static bool is_atom_char(int c)
{
    if (c <= ' ' || c >= 0x7f)
        return false;
    return strchr("(){%*\"\\]", c) == NULL;
}

struct view login_take_tag(struct cursor *c)
{
    const uint8_t *start = c->cur;

    while ((is_atom_char(cursor_peek(c)) || cursor_peek(c) == ']') && cursor_peek(c) != '+')
        (void)cursor_byte(c);
    if (c->failed || c->cur == start)
        cursor_fail(c);
    return c->failed ? view_make(NULL, 0) : view_make(start, (size_t)(c->cur - start));
}

struct view login_take_atom(struct cursor *c)
{
    const uint8_t *start = c->cur;

    while (is_atom_char(cursor_peek(c)))
        (void)cursor_byte(c);
    if (c->failed || c->cur == start)
        cursor_fail(c);
    return c->failed ? view_make(NULL, 0) : view_make(start, (size_t)(c->cur - start));
}

static void take_quoted(struct cursor *c, struct buf *out)
{
    cursor_expect(c, '"');
    while (!c->failed && cursor_peek(c) != '"') {
        uint8_t byte = cursor_byte(c);

        if (byte == '\\') {
            byte = cursor_byte(c);
            if (byte != '\\' && byte != '"')
                cursor_fail(c);
        }
        if (byte == '\r' || byte == '\n' || byte == 0)
            cursor_fail(c);
        if (!c->failed)
            buf_put_byte(out, byte);
    }
    cursor_expect(c, '"');
}

static void take_literal(struct cursor *c, struct buf *out)
{
    uint64_t size;
    struct view bytes;

    cursor_expect(c, '{');
    size = cursor_dec(c, 0, UINT32_MAX);
    (void)cursor_take(c, '+');
    cursor_expect(c, '}');
    (void)cursor_take(c, '\r');
    cursor_expect(c, '\n');
    bytes = cursor_bytes(c, (size_t)size);
    if (has_nul(bytes)) /* RFC 9051: CHAR8 excludes NUL */
        cursor_fail(c);
    buf_put_view(out, bytes);
}

void login_take_astring(struct cursor *c, struct buf *out)
{
    const uint8_t *start = c->cur;

    if (cursor_peek(c) == '"') {
        take_quoted(c, out);
        return;
    }
    if (cursor_peek(c) == '{') {
        take_literal(c, out);
        return;
    }
    while (is_atom_char(cursor_peek(c)) || cursor_peek(c) == ']')
        (void)cursor_byte(c);
    if (c->failed || c->cur == start) {
        cursor_fail(c);
        return;
    }
    buf_put(out, start, (size_t)(c->cur - start));
}

void login_skip_nstring(struct cursor *c)
{
    struct buf skipped;

    if (cursor_peek(c) != '"' && cursor_peek(c) != '{') {
        if (!cursor_take_nocase(c, VIEW("NIL")))
            cursor_fail(c);
        return;
    }
    buf_init(&skipped, cursor_left(c));
    login_take_astring(c, &skipped);
    buf_free(&skipped);
}
