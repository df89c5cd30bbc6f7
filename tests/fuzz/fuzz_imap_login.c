/* Property: a frame never reaches beyond its input, and arguments never come out longer than they went in. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "imap/login_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view in = view_make(data, size);
    struct frame frame = {0};
    struct cursor c = cursor_make(in);
    struct buf out;

    if (login_frame(in, size > 0 ? data[0] : 0, 8192, 4096, &frame) != FRAME_MORE && frame.len > size)
        abort();
    buf_init(&out, size + 1);
    (void)login_take_tag(&c);
    cursor_expect(&c, ' ');
    login_take_astring(&c, &out);
    login_skip_nstring(&c);
    if (buf_len(&out) > size || !buf_ok(&out))
        abort();
    buf_free(&out);
    return 0;
}
