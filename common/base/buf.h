/*
 * struct buf: owned bytes with a hard maximum. Written at the end, consumed at the front.
 *
 * Failure is sticky: an append that would pass the maximum (or has no memory) appends nothing, sets `failed` and every
 * later append does nothing too. Writers therefore append without checking and ask buf_ok() once at the end. The owner
 * initialises with buf_init() and ends with buf_free(); a zeroed struct buf with max 0 is a valid empty one.
 */
#ifndef CULVER_COMMON_BASE_BUF_H
#define CULVER_COMMON_BASE_BUF_H

#include "common/base/err.h"
#include "common/base/view.h"

struct buf {
    uint8_t *data;
    size_t off; /* consumed bytes at the front */
    size_t len; /* end of the content, counted from data (content = [off, len)) */
    size_t cap;
    size_t max; /* most content bytes at any time */
    bool wipe;  /* overwrite memory before it is given back or moved */
    bool failed;
};

void buf_init(struct buf *b, size_t max);
/* As buf_init, and every byte that is consumed, moved or freed is wiped (passwords, TLS plaintext). */
void buf_init_secret(struct buf *b, size_t max);
void buf_free(struct buf *b);

static inline bool buf_ok(const struct buf *b)
{
    return !b->failed;
}
static inline size_t buf_len(const struct buf *b)
{
    return b->len - b->off;
}
/* The content; valid until the next change of b. */
static inline struct view buf_view(const struct buf *b)
{
    return (struct view){b->data == NULL ? NULL : b->data + b->off, b->len - b->off};
}

/* Make everything empty again and clear the failure; keeps the memory (wiped if secret). */
void buf_reset(struct buf *b);
/* Drop n (<= buf_len) bytes at the front. */
void buf_consume(struct buf *b, size_t n);
/* Cut the content to its first n bytes. */
void buf_truncate(struct buf *b, size_t n);
/* Give memory back when empty (idle sessions). */
void buf_shrink(struct buf *b);

/* Room for n more bytes to be written in place, or NULL (failed is set). Follow with buf_commit(written). */
uint8_t *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);

void buf_put(struct buf *b, const void *data, size_t len);
void buf_put_view(struct buf *b, struct view v);
void buf_put_str(struct buf *b, const char *s);
void buf_put_byte(struct buf *b, uint8_t c);
void buf_put_fmt(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Decimal digits. */
void buf_put_dec(struct buf *b, uint64_t n);

/* Binary, little-endian; the readers are in cursor.h. */
void buf_put_u8(struct buf *b, uint8_t n);
void buf_put_u16(struct buf *b, uint16_t n);
void buf_put_u32(struct buf *b, uint32_t n);
void buf_put_u64(struct buf *b, uint64_t n);
/* A length of 16 (32) bits, then the bytes. A view too long for its length field sets failed. */
void buf_put_view16(struct buf *b, struct view v);
void buf_put_view32(struct buf *b, struct view v);
/* Unsigned LEB128, 1 to 10 bytes. */
void buf_put_varint(struct buf *b, uint64_t n);

#endif
