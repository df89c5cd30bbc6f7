/* Property: the same bytes give the same message and the same end however they are cut into pieces, and never more than twice as
 * many. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "lmtp/address.h"
#include "lmtp/dotstream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t feed(struct view in, size_t piece, struct buf *out)
{
    struct dotstream d;
    size_t taken = 0;

    dotstream_init(&d);
    while (taken < in.len && !dotstream_ended(&d))
        taken += dotstream_data(&d, view_sub(in, taken, piece), out);
    return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view in = view_make(data, size), address;
    struct cursor c = cursor_make(in);
    struct buf whole, pieces;

    buf_init(&whole, 2 * size + 2);
    buf_init(&pieces, 2 * size + 2);
    if (feed(in, size, &whole) != feed(in, 1, &pieces) || !view_eq(buf_view(&whole), buf_view(&pieces)))
        abort();
    if (!buf_ok(&whole))
        abort();
    buf_free(&whole);
    buf_free(&pieces);
    lmtp_take_path(&c, true, &address);
    while (lmtp_take_param(&c, &address, &address))
        ;
    return 0;
}
