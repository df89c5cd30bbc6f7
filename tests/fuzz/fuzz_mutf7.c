/* A mailbox name has one form on the wire: what decodes is valid UTF-8 and encodes to the same bytes; and what encodes decodes.
 */
#include <stdlib.h>

#include "common/text/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view in = view_make(data, size);
    struct buf there, back;
    buf_init(&there, size * 8 + 16);
    buf_init(&back, size * 8 + 16);
    if (mutf7_decode(&there, in) == 0) {
        if (!utf8_valid(buf_view(&there)) || mutf7_encode(&back, buf_view(&there)) != 0 || !view_eq(buf_view(&back), in))
            abort();
    } else if (buf_len(&there) != 0) {
        abort();
    }
    buf_reset(&there);
    buf_reset(&back);
    int err = mutf7_encode(&there, in);
    if ((err == 0) != utf8_valid(in))
        abort();
    if (err == 0 && (mutf7_decode(&back, buf_view(&there)) != 0 || !view_eq(buf_view(&back), in)))
        abort();
    buf_free(&there);
    buf_free(&back);
    return 0;
}
