/*
 * Every decoder of the messages between processes. What decodes must encode to the same bytes (one value, one form), and its
 * length must be within the table, or a message could be made that the receiver's channel refuses.
 */
#include <stdlib.h>

#include "tests/fuzz/proto_codecs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    unsigned kind = data[0] % (unsigned)IPC_KIND_COUNT;
    struct view body = view_make(data + 1, size - 1);
    if (proto_codecs[kind] == NULL)
        return 0;
    struct buf out;
    buf_init(&out, 65536);
    if (proto_codecs[kind](body, &out) == 0) {
        const struct ipc_rule *rule = proto_rule(kind);
        if (!buf_ok(&out) || !view_eq(buf_view(&out), body))
            abort();
        if (rule == NULL || body.len < rule->min_body || body.len > rule->max_body)
            abort();
    }
    buf_free(&out);
    return 0;
}
