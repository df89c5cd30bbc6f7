/*
 * Modified UTF-7, RFC 3501 section 5.1.3. Decoding accepts only the form that encoding produces, so that a mailbox has one name
 * on the wire: printable ASCII stands for itself, "&" is "&-", all else is one base64 run (with "," for "/") that is as long as
 * it can be and whose last bits are zero.
 */
#include "common/text/text.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/* True for what stands for itself, "&" aside. */
static bool is_direct(uint32_t c)
{
    return c >= 0x20 && c <= 0x7e;
}

static int digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : (c == ',' ? 63 : -1);
}

/* A UTF-16 unit of a run. *high holds the first half of a surrogate pair until the second one comes. */
static bool put_unit(struct buf *out, uint32_t unit, uint32_t *high)
{
    if (*high != 0) {
        if (unit < 0xdc00 || unit > 0xdfff)
            return false;
        utf8_encode(out, 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00));
        *high = 0;
        return true;
    }
    if (is_direct(unit) || (unit >= 0xdc00 && unit <= 0xdfff))
        return false;
    if (unit >= 0xd800 && unit <= 0xdbff)
        *high = unit;
    else
        utf8_encode(out, unit);
    return true;
}

/* The base64 run at the front of v, behind its "&", up to and with its "-". Its length, or 0 when it is not canonical. */
static size_t decode_run(struct buf *out, struct view v)
{
    uint32_t bits = 0, high = 0;
    unsigned nbits = 0;
    size_t at = 0;
    for (; at < v.len && v.ptr[at] != '-'; at++) {
        int value = digit(v.ptr[at]);
        if (value < 0)
            return 0;
        bits = (bits << 6) | (uint32_t)value;
        nbits += 6;
        if (nbits >= 16) {
            nbits -= 16;
            if (!put_unit(out, (bits >> nbits) & 0xffff, &high))
                return 0;
            bits &= (1u << nbits) - 1;
        }
    }
    /* At the end: the "-" is there, no half pair, and less than one character of zero bits is left over. */
    if (at == v.len || high != 0 || nbits >= 6 || bits != 0)
        return 0;
    return at + 1;
}

int mutf7_decode(struct buf *out, struct view v)
{
    size_t before = buf_len(out);
    bool after_run = false;
    for (size_t at = 0; at < v.len;) {
        uint8_t c = v.ptr[at++];
        if (!is_direct(c))
            goto bad;
        if (c != '&') {
            buf_put_byte(out, c);
            after_run = false;
            continue;
        }
        if (at < v.len && v.ptr[at] == '-') {
            buf_put_byte(out, '&');
            after_run = false;
            at++;
            continue;
        }
        /* Two runs in a row would be one when encoded. */
        size_t n = after_run ? 0 : decode_run(out, view_make(v.ptr + at, v.len - at));
        if (n == 0)
            goto bad;
        after_run = true;
        at += n;
    }
    return buf_ok(out) ? 0 : ERR_LIMIT;
bad:
    buf_truncate(out, before);
    return ERR_SYNTAX;
}

struct run {
    struct buf *out;
    bool open;
    uint32_t bits;
    unsigned nbits;
};

static void run_put(struct run *r, uint32_t unit)
{
    if (!r->open)
        buf_put_byte(r->out, '&');
    r->open = true;
    r->bits = (r->bits << 16) | unit;
    r->nbits += 16;
    while (r->nbits >= 6) {
        r->nbits -= 6;
        buf_put_byte(r->out, (uint8_t)alphabet[(r->bits >> r->nbits) & 63]);
    }
    r->bits &= (1u << r->nbits) - 1;
}

static void run_end(struct run *r)
{
    if (!r->open)
        return;
    if (r->nbits > 0)
        buf_put_byte(r->out, (uint8_t)alphabet[(r->bits << (6 - r->nbits)) & 63]);
    buf_put_byte(r->out, '-');
    *r = (struct run){.out = r->out};
}

int mutf7_encode(struct buf *out, struct view v)
{
    size_t before = buf_len(out);
    struct run run = {.out = out};
    for (size_t at = 0; at < v.len;) {
        uint32_t cp;
        unsigned n = utf8_decode(view_make(v.ptr + at, v.len - at), &cp);
        if (n == 0) {
            buf_truncate(out, before);
            return ERR_SYNTAX;
        }
        at += n;
        if (is_direct(cp)) {
            run_end(&run);
            buf_put_byte(out, (uint8_t)cp);
            if (cp == '&')
                buf_put_byte(out, '-');
        } else if (cp < 0x10000) {
            run_put(&run, cp);
        } else {
            run_put(&run, 0xd800 + ((cp - 0x10000) >> 10));
            run_put(&run, 0xdc00 + ((cp - 0x10000) & 0x3ff));
        }
    }
    run_end(&run);
    return buf_ok(out) ? 0 : ERR_LIMIT;
}
