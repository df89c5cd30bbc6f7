/* UTF-8, RFC 3629. One decoder; everything else asks it. */
#include "common/text/text.h"

#define REPLACEMENT 0xfffdu

/* Length, payload bits and least value of the sequence that begins with a byte; 0 when none does. */
static unsigned lead(uint8_t c, uint32_t *cp_out, uint32_t *least_out)
{
    if (c < 0x80) {
        *cp_out = c;
        *least_out = 0;
        return 1;
    }
    if (c >= 0xc2 && c <= 0xdf) {
        *cp_out = c & 0x1fu;
        *least_out = 0x80;
        return 2;
    }
    if (c >= 0xe0 && c <= 0xef) {
        *cp_out = c & 0x0fu;
        *least_out = 0x800;
        return 3;
    }
    if (c >= 0xf0 && c <= 0xf4) {
        *cp_out = c & 0x07u;
        *least_out = 0x10000;
        return 4;
    }
    return 0;
}

unsigned utf8_decode(struct view v, uint32_t *cp_out)
{
    uint32_t cp, least;
    if (v.len == 0)
        return 0;
    unsigned len = lead(v.ptr[0], &cp, &least);
    if (len == 0 || len > v.len)
        return 0;
    for (unsigned i = 1; i < len; i++) {
        if ((v.ptr[i] & 0xc0) != 0x80)
            return 0;
        cp = (cp << 6) | (v.ptr[i] & 0x3fu);
    }
    if (cp < least || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        return 0;
    *cp_out = cp;
    return len;
}

bool utf8_valid(struct view v)
{
    uint32_t cp;
    for (size_t at = 0; at < v.len;) {
        unsigned n = v.ptr[at] < 0x80 ? 1 : utf8_decode(view_make(v.ptr + at, v.len - at), &cp);
        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

void utf8_encode(struct buf *out, uint32_t cp)
{
    if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        cp = REPLACEMENT;
    if (cp < 0x80) {
        buf_put_byte(out, (uint8_t)cp);
        return;
    }
    uint8_t bytes[4];
    unsigned len = cp < 0x800 ? 2 : (cp < 0x10000 ? 3 : 4);
    for (unsigned i = len - 1; i > 0; i--) {
        bytes[i] = (uint8_t)(0x80 | (cp & 0x3f));
        cp >>= 6;
    }
    bytes[0] = (uint8_t)((0xf00 >> len) | cp);
    buf_put(out, bytes, len);
}

/* How many bytes one U+FFFD stands for: the longest prefix that could have begun a valid sequence, as Unicode advises, so that
 * every decoder shows the same number of them. */
static size_t bad_run(struct view v)
{
    uint32_t cp, least;
    unsigned len = lead(v.ptr[0], &cp, &least);
    if (len < 2 || v.len < 2)
        return 1;
    uint8_t low = 0x80, high = 0xbf;
    if (v.ptr[0] == 0xe0)
        low = 0xa0;
    else if (v.ptr[0] == 0xed)
        high = 0x9f;
    else if (v.ptr[0] == 0xf0)
        low = 0x90;
    else if (v.ptr[0] == 0xf4)
        high = 0x8f;
    if (v.ptr[1] < low || v.ptr[1] > high)
        return 1;
    size_t n = 2;
    while (n < len && n < v.len && (v.ptr[n] & 0xc0) == 0x80)
        n++;
    return n;
}

void utf8_sanitize(struct buf *out, struct view v)
{
    while (v.len > 0) {
        uint32_t cp;
        size_t n = utf8_decode(v, &cp);
        if (n > 0) {
            buf_put(out, v.ptr, n);
        } else {
            n = bad_run(v);
            utf8_encode(out, REPLACEMENT);
        }
        v.ptr += n;
        v.len -= n;
    }
}
