/* Commands before log-in. Properties: a frame never reaches beyond its input, is not seen before its last octet is there, and
 * then does not depend on what follows; a client that is prompted gets on; arguments never come out longer than they went in, and
 * one that is written quoted reads the same. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "imap/login_parse.h"

#define COMMAND_MAX 600
#define PLUS_MAX 100

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_frame(struct view in)
{
    size_t prompted = 0;

    for (;;) {
        struct frame frame = {0}, part = {0};
        enum frame_result r = login_frame(in, prompted, COMMAND_MAX, PLUS_MAX, &frame);

        if (r == FRAME_MORE)
            return;
        ASSERT(frame.len <= in.len && !(frame.client_sends && r != FRAME_TOO_BIG));
        for (size_t n = 0; n < frame.len && r != FRAME_BAD; n++)
            ASSERT(login_frame(view_sub(in, 0, n), prompted, COMMAND_MAX, PLUS_MAX, &part) == FRAME_MORE);
        if (r != FRAME_BAD)
            ASSERT(login_frame(view_sub(in, 0, frame.len), prompted, COMMAND_MAX, PLUS_MAX, &part) == r && part.len == frame.len);
        if (r != FRAME_PROMPT)
            return;
        ASSERT(frame.len > prompted);
        prompted = frame.len;
    }
}

static void check_quoted(struct view text)
{
    struct buf quoted, back;
    struct cursor c;

    if (memchr(text.ptr, '\r', text.len) != NULL || memchr(text.ptr, '\n', text.len) != NULL ||
        memchr(text.ptr, '\0', text.len) != NULL)
        return;
    buf_init(&quoted, 2 * text.len + 2);
    buf_init(&back, text.len + 1);
    buf_put_byte(&quoted, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\')
            buf_put_byte(&quoted, '\\');
        buf_put_byte(&quoted, text.ptr[i]);
    }
    buf_put_byte(&quoted, '"');
    c = cursor_make(buf_view(&quoted));
    login_take_astring(&c, &back);
    ASSERT(cursor_done(&c) && view_eq(buf_view(&back), text));
    buf_free(&quoted);
    buf_free(&back);
}

static void check_arguments(struct view in)
{
    struct cursor c = cursor_make(in);
    struct buf out;

    buf_init(&out, in.len + 1);
    (void)login_take_tag(&c);
    cursor_expect(&c, ' ');
    login_take_astring(&c, &out);
    if (!c.failed && buf_len(&out) > 0)
        check_quoted(buf_view(&out));
    login_skip_nstring(&c);
    ASSERT(buf_len(&out) <= in.len && buf_ok(&out));
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 4 * COMMAND_MAX)
        return 0;
    check_frame(view_make(data, size));
    check_arguments(view_make(data, size));
    check_quoted(view_make(data, size));
    return 0;
}
