/*
 * Any bytes as the body of a part. The first byte chooses the encoding, the second the charset. In any way of cutting the input
 * the text is the same valid UTF-8; the preview keeps its bounds.
 */
#include <stdlib.h>

#include "common/text/text.h"
#include "storage/message/body.h"
#include "storage/message/casemap.h"
#include "storage/message/charset_int.h"
#include "storage/message/preview.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool append(void *arg, struct view piece)
{
    buf_put_view(arg, piece);
    return true;
}

static const char *const encodings[] = {"7bit", "base64", "quoted-printable", "x-uuencode"};
static const char *const charsets[] = {"utf-8",       "iso-8859-1", "koi8-r",      "gb18030", "big5",      "big5-hkscs",
                                       "euc-tw",      "euc-kr",     "iso-2022-kr", "euc-jp",  "shift_jis", "iso-2022-jp",
                                       "iso-2022-cn", "utf-7",      "utf-16",      "utf-32",  "nonsense"};

static void check_pieces(struct view charset, struct view in)
{
    struct charset_conv c;
    struct buf whole, pieces;
    buf_init(&whole, in.len * 8 + 256);
    buf_init(&pieces, in.len * 8 + 256);
    if (charset_open(&c, charset) == 0) {
        charset_feed(&c, in, &whole);
        charset_close(&c, &whole);
        if (charset_open(&c, charset) != 0)
            abort();
        for (size_t i = 0; i < in.len; i++)
            charset_feed(&c, view_sub(in, i, 1), &pieces);
    }
    charset_close(&c, &pieces);
    if (!buf_ok(&whole) || !utf8_valid(buf_view(&whole)) || !utf8_valid(buf_view(&pieces)))
        abort();
    if (view_eq(charset, VIEW("utf-8")) && !view_eq(buf_view(&whole), buf_view(&pieces)))
        abort();
    buf_free(&whole);
    buf_free(&pieces);
}

/* As octets that are in no character are read, the text is the same. */
static void check_unchecked(struct view body, const struct mime_part *part, struct view text)
{
    struct buf unchecked, a, b;
    buf_init(&unchecked, body.len * 16 + 256);
    buf_init(&a, text.len * 18 + 256);
    buf_init(&b, text.len * 18 + 256);
    if (!body_text_unchecked(body, part, append, &unchecked) || !buf_ok(&unchecked))
        abort();
    casemap_put(&a, text);
    casemap_put(&b, buf_view(&unchecked));
    if (!view_eq(buf_view(&a), buf_view(&b)))
        abort();
    buf_free(&unchecked);
    buf_free(&a);
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct view charset = view_str(charsets[data[1] % (sizeof(charsets) / sizeof(charsets[0]))]),
                body = view_make(data + 2, size - 2);
    struct mime_param param = {VIEW("charset"), charset};
    struct mime_part part = {.kind = MIME_LEAF,
                             .body_len = body.len,
                             .type = VIEW("text"),
                             .subtype = (data[0] & 0x80) != 0 ? VIEW("html") : VIEW("plain"),
                             .params = &param,
                             .nparams = 1,
                             .encoding = view_str(encodings[data[0] % 4])};
    struct mime_msg m = {.parts = &part, .nparts = 1};
    struct buf text, preview;
    buf_init(&text, body.len * 16 + 256);
    buf_init(&preview, PREVIEW_CHARS * 4);
    if (!body_text(body, &part, append, &text) || !buf_ok(&text) || !utf8_valid(buf_view(&text)))
        abort();
    check_unchecked(body, &part, buf_view(&text));
    (void)preview_make(body, &m, &preview);
    if (!buf_ok(&preview) || !utf8_valid(buf_view(&preview)))
        abort();
    buf_free(&text);
    buf_free(&preview);
    check_pieces(charset, body);
    return 0;
}
