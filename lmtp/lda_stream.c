#include "lmtp/lda.h"

static const char mbox_from[] = "From ";

void lda_stream_init(struct lda_stream *s)
{
    *s = (struct lda_stream){.line_start = true};
}

static void put_byte(struct lda_stream *s, uint8_t c, struct buf *out)
{
    if (c == '\n') {
        if (!s->cr)
            buf_put_byte(out, '\r');
        s->line_start = true;
    } else {
        if (s->line_start && c == '.')
            buf_put_byte(out, '.');
        s->line_start = false;
    }
    buf_put_byte(out, c);
    s->cr = c == '\r';
}

/* The first octets are held back until they cannot be an mbox line any more. */
static void take_first(struct lda_stream *s, uint8_t c, struct buf *out)
{
    if (s->skipping) {
        s->started = c == '\n';
        return;
    }
    s->head[s->nhead++] = c;
    if (c == (uint8_t)mbox_from[s->nhead - 1]) {
        s->skipping = s->nhead == sizeof(s->head);
        return;
    }
    s->started = true;
    for (size_t i = 0; i < s->nhead; i++)
        put_byte(s, s->head[i], out);
}

void lda_stream_put(struct lda_stream *s, struct view in, struct buf *out)
{
    for (size_t i = 0; i < in.len; i++) {
        if (s->started)
            put_byte(s, in.ptr[i], out);
        else
            take_first(s, in.ptr[i], out);
    }
}

void lda_stream_end(struct lda_stream *s, struct buf *out)
{
    if (!s->started && !s->skipping) {
        for (size_t i = 0; i < s->nhead; i++)
            put_byte(s, s->head[i], out);
    }
    if (!s->line_start)
        put_byte(s, '\n', out);
    buf_put_str(out, ".\r\n");
}
