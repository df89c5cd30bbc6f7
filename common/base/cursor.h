/*
 * struct cursor: the bounded reader that every parser and decoder uses.
 *
 * A read past the end, or a take that does not match, sets `failed`; from then on every read gives zero or empty and
 * the position no longer moves. A decoder reads all its fields and asks cursor_done() once.
 */
#ifndef CULVER_COMMON_BASE_CURSOR_H
#define CULVER_COMMON_BASE_CURSOR_H

#include "common/base/err.h"
#include "common/base/view.h"

struct cursor {
    const uint8_t *cur;
    const uint8_t *end;
    bool failed;
};

static inline struct cursor cursor_make(struct view v)
{
    return (struct cursor){v.ptr, v.ptr == NULL ? NULL : v.ptr + v.len, false};
}
static inline size_t cursor_left(const struct cursor *c)
{
    return c->failed ? 0 : (size_t)(c->end - c->cur);
}
/* True when nothing failed and every byte was consumed. */
static inline bool cursor_done(const struct cursor *c)
{
    return !c->failed && c->cur == c->end;
}
static inline struct view cursor_rest(const struct cursor *c)
{
    return view_make(c->cur, cursor_left(c));
}
void cursor_fail(struct cursor *c);

/* The next byte without taking it, or -1 at the end. */
int cursor_peek(const struct cursor *c);
uint8_t cursor_byte(struct cursor *c);
/* Takes c if it is next. Never fails the cursor. */
bool cursor_take(struct cursor *c, uint8_t byte);
bool cursor_take_view(struct cursor *c, struct view v);
bool cursor_take_nocase(struct cursor *c, struct view v);
/* Fails unless these are the next bytes. */
void cursor_expect(struct cursor *c, uint8_t byte);
/* The longest run of bytes for which table[byte] is nonzero; may be empty. */
struct view cursor_take_while(struct cursor *c, const uint8_t table[256]);
/* Exactly n bytes. */
struct view cursor_bytes(struct cursor *c, size_t n);
void cursor_skip(struct cursor *c, size_t n);
/* Decimal digits, at least one and at most 20, value in [min, max]; else fails. No sign; leading zeros count as digits. */
uint64_t cursor_dec(struct cursor *c, uint64_t min, uint64_t max);

/* Binary, little-endian; the writers are in buf.h. */
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
/* A length of 16 (32) bits, then the bytes; a length over max fails. */
struct view cursor_view16(struct cursor *c, size_t max);
struct view cursor_view32(struct cursor *c, size_t max);
uint64_t cursor_varint(struct cursor *c);

#endif
