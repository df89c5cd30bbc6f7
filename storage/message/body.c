/* Bodies of parts: out of their transfer encoding, and into UTF-8. A digest may be damaged, so offsets are cut to the message. */
#include "storage/message/body.h"

#include "storage/message/charset_int.h"
#include "storage/message/transfer.h"

#define FEED_MAX 4096u
#define PASS_MIN 256u         /* shorter runs are not worth a call of the sink */
#define PASS_MAX (64u * 1024) /* who wants the beginning only does not pay for all, and what was looked at is in the cache */

bool body_decode(struct view message, const struct mime_part *part, bool (*sink)(void *arg, struct view piece), void *arg)
{
    return transfer_decode(transfer_find(part->encoding), view_sub(message, part->body_off, part->body_len), sink, arg);
}

struct text_sink {
    struct charset_conv conv;
    bool unchecked;
    struct buf out;
    bool (*sink)(void *arg, struct view piece);
    void *arg;
};

static bool text_flush(struct text_sink *t)
{
    bool more = buf_len(&t->out) == 0 || t->sink(t->arg, buf_view(&t->out));
    buf_reset(&t->out);
    return more;
}

/* What need not be converted at the front of a piece. */
static size_t as_it_is(const struct text_sink *t, struct view piece)
{
    if (t->conv.ncarry > 0 || t->conv.kind == CHARSET_ICONV)
        return 0;
    piece = view_sub(piece, 0, PASS_MAX);
    if (t->conv.kind == CHARSET_UTF8 && t->unchecked)
        return piece.len - charset_utf8_tail(piece);
    return t->conv.kind == CHARSET_UTF8 ? charset_utf8_run(piece) : charset_ascii_run(piece);
}

static bool text_piece(void *arg, struct view piece)
{
    struct text_sink *t = arg;
    bool more = true;
    while (more && piece.len > 0) {
        size_t n = as_it_is(t, piece);
        struct view some = view_sub(piece, 0, n >= PASS_MIN || n == piece.len ? n : FEED_MAX);
        if (some.len == n) {
            more = t->sink(t->arg, some);
            piece = view_sub(piece, n, piece.len);
            continue;
        }
        charset_feed(&t->conv, some, &t->out);
        piece = view_sub(piece, some.len, piece.len);
        more = text_flush(t);
    }
    return more;
}

static struct view charset_param(const struct mime_part *part)
{
    for (size_t i = 0; i < part->nparams; i++) {
        if (view_eq_nocase(part->params[i].name, VIEW("charset")))
            return part->params[i].value;
    }
    return VIEW("us-ascii");
}

static bool convert(struct view message, const struct mime_part *part, struct text_sink t)
{
    buf_init(&t.out, FEED_MAX * 4 + 256);
    if (charset_open(&t.conv, charset_param(part)) != 0)
        t.conv.kind = CHARSET_UNKNOWN; /* as it says already: read as ASCII */
    bool more = body_decode(message, part, text_piece, &t);
    charset_close(&t.conv, &t.out);
    if (more)
        more = text_flush(&t);
    buf_free(&t.out);
    return more;
}

bool body_text(struct view message, const struct mime_part *part, bool (*sink)(void *arg, struct view piece), void *arg)
{
    return convert(message, part, (struct text_sink){.sink = sink, .arg = arg});
}

bool body_text_unchecked(struct view message, const struct mime_part *part, bool (*sink)(void *arg, struct view piece), void *arg)
{
    return convert(message, part, (struct text_sink){.sink = sink, .arg = arg, .unchecked = true});
}
