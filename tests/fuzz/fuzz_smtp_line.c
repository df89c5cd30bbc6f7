/* Lines of mail servers. What is accepted stays within its bounds and within the line; and a value that is written comes back
 * when it is read as the protocol says. */
#include <stdlib.h>

#include "auth/smtp_line.h"

static void check_line(struct view v)
{
    struct smtp_line l;
    if (view_find(v, '\n') < v.len || smtp_line_parse(v, &l) != 0)
        return;
    if (l.data.len > 0 && (l.data.ptr < v.ptr || l.data.ptr + l.data.len > v.ptr + v.len))
        abort();
    if (l.verb == SMTP_AUTH && (l.mech[0] == '\0' || memchr(l.mech, '\0', sizeof(l.mech)) == NULL))
        abort();
    if (view_find(l.data, '\t') < l.data.len || (l.data.len > 0 && !l.has_data) || (l.peer.family != 0 && !l.has_peer))
        abort();
}

static void check_escapes(struct view v)
{
    struct buf out;
    size_t i, k;
    buf_init(&out, 2 * v.len + 1);
    smtp_put_escaped(&out, v);
    struct view e = buf_view(&out);
    for (i = 0, k = 0; i < e.len; i++, k++) {
        uint8_t c = e.ptr[i];
        if (c == '\t' || c == '\n' || c == '\r' || c == '\0')
            abort();
        if (c == 1) {
            c = e.ptr[++i];
            c = c == '0' ? 0 : c == '1' ? 1 : c == 't' ? '\t' : c == 'n' ? '\n' : '\r';
        }
        if (k >= v.len || c != v.ptr[k])
            abort();
    }
    if (k != v.len)
        abort();
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view v = view_make(data, size);
    if (size > SMTP_LINE_MAX)
        return 0;
    check_line(v);
    check_escapes(v);
    return 0;
}
