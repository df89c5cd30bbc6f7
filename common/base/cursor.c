/* The bounded reader. Every read goes through take(): the one place that compares with the end. */
#include "common/base/cursor.h"

void cursor_fail(struct cursor *c)
{
    c->failed = true;
}

/* n bytes, or NULL and the failure. n > 0. */
static const uint8_t *take(struct cursor *c, size_t n)
{
    if (cursor_left(c) < n) {
        c->failed = true;
        return NULL;
    }
    const uint8_t *p = c->cur;
    c->cur += n;
    return p;
}

int cursor_peek(const struct cursor *c)
{
    return cursor_left(c) == 0 ? -1 : *c->cur;
}

uint8_t cursor_byte(struct cursor *c)
{
    const uint8_t *p = take(c, 1);
    return p == NULL ? 0 : *p;
}

bool cursor_take(struct cursor *c, uint8_t byte)
{
    if (cursor_left(c) == 0 || *c->cur != byte)
        return false;
    c->cur++;
    return true;
}

bool cursor_take_view(struct cursor *c, struct view v)
{
    if (c->failed || !view_starts(cursor_rest(c), v))
        return false;
    if (v.len > 0)
        c->cur += v.len;
    return true;
}

bool cursor_take_nocase(struct cursor *c, struct view v)
{
    if (c->failed || !view_starts_nocase(cursor_rest(c), v))
        return false;
    if (v.len > 0)
        c->cur += v.len;
    return true;
}

void cursor_expect(struct cursor *c, uint8_t byte)
{
    if (!cursor_take(c, byte))
        c->failed = true;
}

struct view cursor_take_while(struct cursor *c, const uint8_t table[256])
{
    struct view rest = cursor_rest(c);
    size_t n = 0;
    while (n < rest.len && table[rest.ptr[n]] != 0)
        n++;
    if (n > 0)
        c->cur += n;
    return view_make(rest.ptr, n);
}

struct view cursor_bytes(struct cursor *c, size_t n)
{
    if (n == 0 || c->failed)
        return view_make(c->cur, 0);
    const uint8_t *p = take(c, n);
    return p == NULL ? view_make(c->cur, 0) : view_make(p, n);
}

void cursor_skip(struct cursor *c, size_t n)
{
    (void)cursor_bytes(c, n);
}

uint64_t cursor_dec(struct cursor *c, uint64_t min, uint64_t max)
{
    struct view rest = cursor_rest(c);
    uint64_t n = 0;
    size_t digits = 0;
    while (digits < rest.len && rest.ptr[digits] >= '0' && rest.ptr[digits] <= '9') {
        if (digits == 20 || __builtin_mul_overflow(n, 10u, &n) ||
            __builtin_add_overflow(n, rest.ptr[digits] - (unsigned)'0', &n)) {
            c->failed = true;
            return 0;
        }
        digits++;
    }
    if (c->failed || digits == 0 || n < min || n > max) {
        c->failed = true;
        return 0;
    }
    c->cur += digits;
    return n;
}

static uint64_t take_le(struct cursor *c, unsigned bytes)
{
    const uint8_t *p = take(c, bytes);
    uint64_t n = 0;
    for (unsigned i = 0; p != NULL && i < bytes; i++)
        n |= (uint64_t)p[i] << (8 * i);
    return n;
}

uint8_t cursor_u8(struct cursor *c)
{
    return (uint8_t)take_le(c, 1);
}

uint16_t cursor_u16(struct cursor *c)
{
    return (uint16_t)take_le(c, 2);
}

uint32_t cursor_u32(struct cursor *c)
{
    return (uint32_t)take_le(c, 4);
}

uint64_t cursor_u64(struct cursor *c)
{
    return take_le(c, 8);
}

/* A length was read before; the bytes follow unless it is too great or more than there is. */
static struct view take_counted(struct cursor *c, size_t len, size_t max)
{
    if (len > max)
        c->failed = true;
    return cursor_bytes(c, len);
}

struct view cursor_view16(struct cursor *c, size_t max)
{
    size_t len = cursor_u16(c);
    return take_counted(c, len, max);
}

struct view cursor_view32(struct cursor *c, size_t max)
{
    size_t len = cursor_u32(c);
    return take_counted(c, len, max);
}

/* One value has one form: a tenth byte over 1 (more than 64 bits) and a last byte of zero (padding) fail. */
uint64_t cursor_varint(struct cursor *c)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < 10; i++) {
        uint8_t byte = cursor_byte(c);
        if (c->failed)
            return 0;
        n |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            if ((i == 9 && byte > 1) || (i > 0 && byte == 0))
                break;
            return n;
        }
    }
    c->failed = true;
    return 0;
}
