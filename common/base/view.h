/* struct view: a borrowed run of bytes. Never owned, never NUL-terminated by contract. */
#ifndef CULVER_COMMON_BASE_VIEW_H
#define CULVER_COMMON_BASE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct view {
    const uint8_t *ptr;
    size_t len;
};

/* A view of a string literal (its NUL is not part of the view). */
#define VIEW(lit) ((struct view){(const uint8_t *)(lit), sizeof(lit) - 1})

static inline struct view view_make(const void *ptr, size_t len)
{
    return (struct view){(const uint8_t *)ptr, len};
}

/* A view of a NUL-terminated string of ours; NULL gives an empty view. */
static inline struct view view_str(const char *s)
{
    return (struct view){(const uint8_t *)s, s != NULL ? strlen(s) : 0};
}

/* Byte equality. Not for secrets: those are compared with sodium_memcmp(). */
bool view_eq(struct view a, struct view b);

/* Equality with ASCII letters folded; other bytes are compared as they are. */
bool view_eq_nocase(struct view a, struct view b);

bool view_starts(struct view v, struct view prefix);
bool view_starts_nocase(struct view v, struct view prefix);

/* The bytes [from, from+len) of v, cut to what there is. Never out of bounds. */
struct view view_sub(struct view v, size_t from, size_t len);

/* Index of the first byte c, or v.len when there is none. */
size_t view_find(struct view v, uint8_t c);

/* Lexical order by unsigned bytes: <0, 0, >0. */
int view_cmp(struct view a, struct view b);

/* v without ASCII blanks and tabs at both ends. */
struct view view_trim(struct view v);

/* A NUL-terminated heap copy (xmalloc); the caller frees it. v must hold no NUL where that matters. */
char *view_dup(struct view v);

#endif
