#include "worker/tool.h"

void tool_to_crlf(struct buf *out, struct view in)
{
    while (in.len > 0) {
        size_t n = view_find(in, '\n');

        buf_put_view(out, view_sub(in, 0, n));
        if (n < in.len) {
            if (n == 0 || in.ptr[n - 1] != '\r')
                buf_put_byte(out, '\r');
            buf_put_byte(out, '\n');
            n++;
        }
        in = view_sub(in, n, in.len);
    }
}

void tool_to_lf(struct buf *out, struct view in)
{
    while (in.len > 0) {
        size_t n = view_find(in, '\n');
        bool crlf = n < in.len && n > 0 && in.ptr[n - 1] == '\r';

        buf_put_view(out, view_sub(in, 0, crlf ? n - 1 : n));
        if (n < in.len) {
            buf_put_byte(out, '\n');
            n++;
        }
        in = view_sub(in, n, in.len);
    }
}
