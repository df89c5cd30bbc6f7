/* Base64, RFC 4648 section 4. Decoding accepts exactly what encoding produces: a value has one form. */
#include "common/text/text.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, struct view v)
{
    for (size_t at = 0; at < v.len; at += 3) {
        size_t n = v.len - at < 3 ? v.len - at : 3;
        uint32_t bits = (uint32_t)v.ptr[at] << 16;
        if (n > 1)
            bits |= (uint32_t)v.ptr[at + 1] << 8;
        if (n > 2)
            bits |= v.ptr[at + 2];
        uint8_t quad[4] = {(uint8_t)alphabet[bits >> 18], (uint8_t)alphabet[(bits >> 12) & 63], '=', '='};
        if (n > 1)
            quad[2] = (uint8_t)alphabet[(bits >> 6) & 63];
        if (n > 2)
            quad[3] = (uint8_t)alphabet[bits & 63];
        buf_put(out, quad, sizeof(quad));
    }
}

static int digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : (c == '/' ? 63 : -1);
}

/* Four characters to one to three bytes; the number of bytes, or 0 when they are not allowed. */
static unsigned decode_quad(const uint8_t quad[4], bool last, uint8_t bytes_out[3])
{
    unsigned digits = 4;
    if (last && quad[3] == '=')
        digits = quad[2] == '=' ? 2 : 3;
    uint32_t bits = 0;
    for (unsigned i = 0; i < digits; i++) {
        int value = digit(quad[i]);
        if (value < 0)
            return 0;
        bits |= (uint32_t)value << (18 - 6 * i);
    }
    unsigned bytes = digits - 1;
    if ((bits & (0xffffffu >> (8 * bytes))) != 0)
        return 0;
    for (unsigned i = 0; i < bytes; i++)
        bytes_out[i] = (uint8_t)(bits >> (16 - 8 * i));
    return bytes;
}

int base64_decode(struct buf *out, struct view v)
{
    size_t before = buf_len(out);
    if (v.len % 4 != 0)
        return ERR_SYNTAX;
    for (size_t at = 0; at < v.len; at += 4) {
        uint8_t bytes[3];
        unsigned n = decode_quad(v.ptr + at, at + 4 == v.len, bytes);
        buf_put(out, bytes, n);
        explicit_bzero(bytes, sizeof(bytes)); /* SASL messages carry passwords */
        if (n == 0) {
            buf_truncate(out, before);
            return ERR_SYNTAX;
        }
    }
    return buf_ok(out) ? 0 : ERR_LIMIT;
}
