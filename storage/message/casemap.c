/* RFC 5051 2: each character to its title case, then its full decomposition (canonical and compatibility), without reordering. */
#include "storage/message/casemap.h"

#include <utf8proc.h>

#include "common/text/text.h"

#define DECOMPOSED_MAX 32

static void put_char(struct buf *out, uint32_t cp)
{
    utf8proc_int32_t parts[DECOMPOSED_MAX], title = utf8proc_totitle((utf8proc_int32_t)cp);
    int boundary = UTF8PROC_BOUNDCLASS_START;
    utf8proc_ssize_t n = utf8proc_decompose_char(title, parts, DECOMPOSED_MAX, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &boundary);
    if (n < 0 || n > DECOMPOSED_MAX) {
        utf8_encode(out, (uint32_t)title);
        return;
    }
    for (utf8proc_ssize_t i = 0; i < n; i++)
        utf8_encode(out, (uint32_t)parts[i]);
}

void casemap_put(struct buf *out, struct view text)
{
    while (text.len > 0) {
        uint32_t cp;
        size_t n = 1;
        if (text.ptr[0] < 0x80) {
            buf_put_byte(out, ascii_upper(text.ptr[0]));
        } else {
            n = utf8_decode(text, &cp);
            put_char(out, n == 0 ? 0xfffd : cp);
            n = n == 0 ? 1 : n;
        }
        text = view_sub(text, n, text.len);
    }
}
