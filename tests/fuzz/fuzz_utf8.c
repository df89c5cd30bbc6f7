/* Decoding and encoding are inverse; sanitizing gives valid text, changes nothing that is valid and loses no valid character. */
#include <stdlib.h>

#include "common/text/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view in = view_make(data, size);
    struct buf one, clean;
    buf_init(&one, 8);
    buf_init(&clean, size * 3 + 8);
    bool valid = true;
    for (size_t at = 0; at < size;) {
        uint32_t cp = 0;
        unsigned n = utf8_decode(view_make(data + at, size - at), &cp);
        if (n == 0) {
            valid = false;
            at++;
            continue;
        }
        buf_reset(&one);
        utf8_encode(&one, cp);
        if (n > 4 || n > size - at || !view_eq(buf_view(&one), view_make(data + at, n)))
            abort();
        at += n;
    }
    if (valid != utf8_valid(in))
        abort();
    utf8_sanitize(&clean, in);
    if (!buf_ok(&clean) || !utf8_valid(buf_view(&clean)) || (valid && !view_eq(buf_view(&clean), in)))
        abort();
    buf_free(&one);
    buf_free(&clean);
    return 0;
}
