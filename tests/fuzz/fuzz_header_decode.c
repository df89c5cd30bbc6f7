/* Any bytes as a field value: the decoded text is valid UTF-8 without control characters, unfolding never grows. */
#include <stdlib.h>

#include "common/text/text.h"
#include "storage/message/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool count(void *arg, struct view name, struct view value, struct view whole)
{
    size_t *n = arg;
    if (name.len + value.len > whole.len)
        abort();
    *n += whole.len;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view raw = view_make(data, size);
    struct buf b;
    size_t n = 0;
    buf_init(&b, size * 8 + 64);
    header_decode(&b, raw);
    if (!buf_ok(&b) || !utf8_valid(buf_view(&b)))
        abort();
    for (size_t i = 0; i < buf_len(&b); i++) {
        if (buf_view(&b).ptr[i] < ' ' && buf_view(&b).ptr[i] != '\t')
            abort();
    }
    buf_reset(&b);
    header_unfold(&b, raw);
    if (!buf_ok(&b) || buf_len(&b) > size)
        abort();
    buf_free(&b);
    header_each(raw, count, &n);
    if (n > size)
        abort();
    return 0;
}
