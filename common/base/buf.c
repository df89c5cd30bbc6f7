/*
 * Growth doubles up to the maximum. Content is moved to the front before new memory is asked for, so a queue that is written
 * and consumed at the same pace stays in one block. The memory of a secret buffer is never given to realloc(), which may leave
 * a copy behind: a new block is made, and the old one wiped.
 */
#include "common/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/log/log.h"

#define BUF_CAP_MIN 64
/* A buffer that cannot even be this big is no matter of what was put into it, and most who use small ones do not look. */
#define BUF_CAP_SMALL 4096

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_init_secret(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max, .wipe = true};
}

static void wipe_range(struct buf *b, size_t from, size_t to)
{
    if (b->wipe && b->data != NULL && from < to)
        explicit_bzero(b->data + from, to - from);
}

static void release(struct buf *b)
{
    wipe_range(b, 0, b->cap);
    free(b->data);
    b->data = NULL;
    b->off = b->len = b->cap = 0;
}

void buf_free(struct buf *b)
{
    release(b);
    b->failed = false;
}

void buf_reset(struct buf *b)
{
    wipe_range(b, b->off, b->len);
    b->off = b->len = 0;
    b->failed = false;
}

void buf_consume(struct buf *b, size_t n)
{
    ASSERT(n <= buf_len(b));
    wipe_range(b, b->off, b->off + n);
    b->off += n;
    if (b->off == b->len)
        b->off = b->len = 0;
}

void buf_truncate(struct buf *b, size_t n)
{
    if (n >= buf_len(b))
        return;
    wipe_range(b, b->off + n, b->len);
    b->len = b->off + n;
    if (n == 0)
        b->off = b->len = 0;
}

void buf_shrink(struct buf *b)
{
    if (buf_len(b) == 0)
        release(b);
}

/* Content to the front of the same block. */
static void compact(struct buf *b)
{
    size_t n = buf_len(b), old_end = b->len;
    memmove(b->data, b->data + b->off, n);
    b->off = 0;
    b->len = n;
    wipe_range(b, n, old_end);
}

static bool no_memory(size_t cap)
{
    if (cap <= BUF_CAP_SMALL)
        mem_exhausted(cap);
    return false;
}

/* A block of at least need bytes with the content at its front; false when there is no memory. */
static bool grow(struct buf *b, size_t need)
{
    size_t n = buf_len(b);
    size_t cap = b->cap > SIZE_MAX / 2 ? SIZE_MAX : b->cap * 2;
    cap = MAX_OF(MIN_OF(cap, b->max), need);
    cap = MAX_OF(cap, BUF_CAP_MIN);
    if (!b->wipe && b->off == 0) {
        uint8_t *data = realloc(b->data, cap);
        if (data == NULL)
            return no_memory(cap);
        b->data = data;
        b->cap = cap;
        return true;
    }
    uint8_t *data = malloc(cap);
    if (data == NULL)
        return no_memory(cap);
    if (n > 0)
        memcpy(data, b->data + b->off, n);
    release(b);
    b->data = data;
    b->cap = cap;
    b->len = n;
    return true;
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
    size_t have = buf_len(b);
    if (b->failed)
        return NULL;
    if (have > b->max || n > b->max - have)
        goto fail;
    if (b->data == NULL || b->cap - b->len < n) {
        if (b->data != NULL && b->cap - have >= n)
            compact(b);
        else if (!grow(b, have + n))
            goto fail;
    }
    return b->data + b->len;
fail:
    b->failed = true;
    return NULL;
}

void buf_commit(struct buf *b, size_t n)
{
    ASSERT(n <= b->cap - b->len);
    b->len += n;
}

void buf_put(struct buf *b, const void *data, size_t len)
{
    if (len == 0)
        return;
    uint8_t *room = buf_reserve(b, len);
    if (room == NULL)
        return;
    memcpy(room, data, len);
    buf_commit(b, len);
}

void buf_put_view(struct buf *b, struct view v)
{
    buf_put(b, v.ptr, v.len);
}

void buf_put_str(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

void buf_put_byte(struct buf *b, uint8_t c)
{
    buf_put(b, &c, 1);
}

/* Room for n bytes and a NUL behind them, which vsnprintf writes but which is not content. */
static uint8_t *reserve_nul(struct buf *b, size_t n)
{
    uint8_t *room = buf_reserve(b, n);
    if (room == NULL || b->cap - b->len > n)
        return room;
    if (grow(b, buf_len(b) + n + 1))
        return b->data + b->len;
    b->failed = true;
    return NULL;
}

void buf_put_fmt(struct buf *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int need = vsnprintf(NULL, 0, fmt, args);
    uint8_t *room = need <= 0 ? NULL : reserve_nul(b, (size_t)need);
    if (need < 0)
        b->failed = true;
    if (room != NULL) {
        (void)vsnprintf((char *)room, (size_t)need + 1, fmt, again);
        buf_commit(b, (size_t)need);
    }
    va_end(again);
    va_end(args);
}

void buf_put_dec(struct buf *b, uint64_t n)
{
    uint8_t digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (uint8_t)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    buf_put(b, digits + at, sizeof(digits) - at);
}

static void put_le(struct buf *b, uint64_t n, unsigned bytes)
{
    uint8_t out[8];
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (uint8_t)(n >> (8 * i));
    buf_put(b, out, bytes);
}

void buf_put_u8(struct buf *b, uint8_t n)
{
    buf_put(b, &n, 1);
}

void buf_put_u16(struct buf *b, uint16_t n)
{
    put_le(b, n, 2);
}

void buf_put_u32(struct buf *b, uint32_t n)
{
    put_le(b, n, 4);
}

void buf_put_u64(struct buf *b, uint64_t n)
{
    put_le(b, n, 8);
}

void buf_put_view16(struct buf *b, struct view v)
{
    if (v.len > UINT16_MAX) {
        b->failed = true;
        return;
    }
    put_le(b, v.len, 2);
    buf_put_view(b, v);
}

void buf_put_view32(struct buf *b, struct view v)
{
    if (v.len > UINT32_MAX) {
        b->failed = true;
        return;
    }
    put_le(b, v.len, 4);
    buf_put_view(b, v);
}

void buf_put_varint(struct buf *b, uint64_t n)
{
    uint8_t out[10];
    size_t len = 0;
    for (; n >= 0x80; n >>= 7)
        out[len++] = (uint8_t)(n | 0x80);
    out[len++] = (uint8_t)n;
    buf_put(b, out, len);
}
