/* Operations of the log: what decodes encodes to the same bytes again, and walking its lists stays in bounds. */
#include <stdlib.h>

#include "common/log/log.h"
#include "storage/op.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor c = cursor_make(view_make(data, size));
    struct uid_range r;
    struct op_walk w;
    struct view kw;
    struct op op;

    while (cursor_left(&c) > 0) {
        struct cursor again;
        struct op second;
        struct buf b;
        uint64_t last = 0;

        if (op_get(&c, &op) != 0)
            break;
        op_walk_init(&w, op.uids);
        while (op_walk_range(&w, &r)) {
            ASSERT(r.first > last && r.first <= r.last);
            last = r.last;
        }
        op_walk_init(&w, op.keywords);
        while (op_walk_keyword(&w, &kw))
            ASSERT(kw.len > 0 && kw.len <= KEYWORD_LEN_MAX);
        buf_init(&b, size + 64);
        op_put(&b, &op);
        ASSERT(buf_ok(&b));
        again = cursor_make(buf_view(&b));
        ASSERT(op_get(&again, &second) == 0 && cursor_done(&again));
        ASSERT(second.kind == op.kind && second.mailbox == op.mailbox && second.uid == op.uid && view_eq(second.uids, op.uids) &&
               view_eq(second.name, op.name) && view_eq(second.keywords, op.keywords) && second.size == op.size);
        buf_free(&b);
    }
    return 0;
}
