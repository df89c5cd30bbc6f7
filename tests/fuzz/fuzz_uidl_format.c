/* Property: what is accepted as a form of unique ids gives ids of 1 to UIDL_MAX printable characters, whatever the message. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/conf/uidl_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t guid[UIDL_GUID_SIZE] = {0xff};
    char *text = view_dup(view_make(data, size));
    struct uidl_values values = {UINT32_MAX, UINT32_MAX, view_make(data, size), guid};
    struct uidl_format f;
    struct buf out;

    buf_init(&out, 1000);
    if (uidl_format_parse(text, &f) == 0) {
        uidl_format_put(&out, &f, &values);
        if (buf_len(&out) == 0 || buf_len(&out) > UIDL_MAX)
            abort();
        for (size_t i = 0; i < buf_len(&out); i++) {
            if (buf_view(&out).ptr[i] <= ' ' || buf_view(&out).ptr[i] >= 0x7f)
                abort();
        }
    }
    buf_free(&out);
    free(text);
    return 0;
}
