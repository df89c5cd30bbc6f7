#include "lmtp/dotstream.h"

void dotstream_init(struct dotstream *d)
{
    d->state = DOT_LINE_START;
}

bool dotstream_ended(const struct dotstream *d)
{
    return d->state == DOT_END;
}

/* The byte after a line's beginning, a CR or nothing special. */
static void take_text(struct dotstream *d, uint8_t c, struct buf *out)
{
    if (c == '\r') {
        d->state = DOT_CR;
        return;
    }
    d->state = DOT_TEXT;
    if (c == '\n')
        buf_put_byte(out, '\r'); /* bare LF; what follows is no start of a line for the end of data */
    buf_put_byte(out, c);
}

static void take_after_cr(struct dotstream *d, uint8_t c, struct buf *out)
{
    buf_put_byte(out, '\r');
    if (c == '\n') {
        buf_put_byte(out, '\n');
        d->state = DOT_LINE_START;
        return;
    }
    take_text(d, c, out);
}

static void take_byte(struct dotstream *d, uint8_t c, struct buf *out)
{
    switch (d->state) {
    case DOT_LINE_START:
        if (c == '.')
            d->state = DOT_DOT;
        else
            take_text(d, c, out);
        break;
    case DOT_TEXT:
        take_text(d, c, out);
        break;
    case DOT_CR:
        take_after_cr(d, c, out);
        break;
    case DOT_DOT: /* the dot itself was stuffing and goes */
        if (c == '\r')
            d->state = DOT_DOT_CR;
        else
            take_text(d, c, out);
        break;
    case DOT_DOT_CR:
        if (c == '\n')
            d->state = DOT_END;
        else
            take_after_cr(d, c, out);
        break;
    case DOT_END:
        break;
    }
}

/* The run of bytes that need no thought: neither CR nor LF. */
static size_t plain_run(struct view in)
{
    size_t cr = view_find(in, '\r');

    return view_find(view_sub(in, 0, cr), '\n');
}

static size_t stream(struct dotstream *d, struct view in, bool dots, struct buf *out)
{
    size_t at = 0;

    while (at < in.len && d->state != DOT_END) {
        if (!dots && d->state == DOT_LINE_START)
            d->state = DOT_TEXT;
        if (d->state == DOT_TEXT) {
            struct view run = view_sub(in, at, in.len);

            run.len = plain_run(run);
            buf_put_view(out, run);
            at += run.len;
            if (at == in.len)
                break;
        }
        take_byte(d, in.ptr[at++], out);
    }
    return at;
}

size_t dotstream_data(struct dotstream *d, struct view in, struct buf *out)
{
    return stream(d, in, true, out);
}

void dotstream_chunk(struct dotstream *d, struct view in, struct buf *out)
{
    (void)stream(d, in, false, out); /* takes all: without dots there is no end */
}

void dotstream_finish(struct dotstream *d, struct buf *out)
{
    if (d->state == DOT_CR)
        buf_put_byte(out, '\r');
    d->state = DOT_LINE_START;
}
