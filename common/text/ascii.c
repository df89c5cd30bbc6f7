#include "common/text/text.h"

uint8_t ascii_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

uint8_t ascii_upper(uint8_t c)
{
    return c >= 'a' && c <= 'z' ? (uint8_t)(c - ('a' - 'A')) : c;
}

void hex_encode(struct buf *out, struct view v)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < v.len; i++) {
        buf_put_byte(out, (uint8_t)digits[v.ptr[i] >> 4]);
        buf_put_byte(out, (uint8_t)digits[v.ptr[i] & 15]);
    }
}
