/* What decodes encodes to the same text; what is encoded decodes to the same bytes, at exactly the computed length. */
#include <stdlib.h>

#include "common/text/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view in = view_make(data, size);
    struct buf there, back;
    buf_init(&there, size * 2 + 8);
    buf_init(&back, size * 2 + 8);
    if (base64_decode(&there, in) == 0) {
        base64_encode(&back, buf_view(&there));
        if (!view_eq(buf_view(&back), in))
            abort();
    } else if (buf_len(&there) != 0) {
        abort();
    }
    buf_reset(&there);
    buf_reset(&back);
    base64_encode(&there, in);
    if (buf_len(&there) != (size + 2) / 3 * 4)
        abort();
    if (base64_decode(&back, buf_view(&there)) != 0 || !view_eq(buf_view(&back), in))
        abort();
    buf_free(&there);
    buf_free(&back);
    return 0;
}
