/* Bodies of parts: out of their transfer encoding, and into UTF-8. A digest may be damaged, so offsets are cut to the message. */
#include "storage/message/body.h"

#include "storage/message/charset_int.h"
#include "storage/message/transfer.h"

#define FEED_MAX 4096u

bool body_decode(struct view message, const struct mime_part *part, bool (*sink)(void *arg, struct view piece), void *arg)
{
    return transfer_decode(transfer_find(part->encoding), view_sub(message, part->body_off, part->body_len), sink, arg);
}

struct text_sink {
    struct charset_conv conv;
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

static bool text_piece(void *arg, struct view piece)
{
    struct text_sink *t = arg;
    bool more = true;
    while (more && piece.len > 0) {
        struct view some = view_sub(piece, 0, FEED_MAX);
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

bool body_text(struct view message, const struct mime_part *part, bool (*sink)(void *arg, struct view piece), void *arg)
{
    struct text_sink t = {.sink = sink, .arg = arg};
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
