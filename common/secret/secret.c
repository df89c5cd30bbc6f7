/*
 * One guarded block a secret: sodium_malloc() puts it before an inaccessible page, behind a canary, locks it in memory where the
 * limits allow and leaves it out of core dumps. The length stands in the same block.
 */
#include "common/secret/secret.h"

#include <sodium.h>

struct secret {
    size_t len;
    uint8_t bytes[];
};

struct secret *secret_new(struct view v)
{
    /* sodium_malloc aligns only sizes that are multiples of the alignment. */
    const size_t align = _Alignof(struct secret);
    if (v.len > SIZE_MAX / 2 || sodium_init() < 0)
        return NULL;
    size_t size = (sizeof(struct secret) + v.len + 1 + align - 1) / align * align;
    struct secret *s = sodium_malloc(size);
    if (s == NULL)
        return NULL;
    s->len = v.len;
    if (v.len > 0)
        memcpy(s->bytes, v.ptr, v.len);
    s->bytes[v.len] = '\0';
    return s;
}

struct view secret_view(const struct secret *s)
{
    return view_make(s->bytes, s->len);
}

void secret_free(struct secret **s)
{
    /* sodium_free wipes the block first, and accepts NULL. */
    sodium_free(*s);
    *s = NULL;
}

bool secret_equal(struct view a, struct view b)
{
    return a.len == b.len && (a.len == 0 || sodium_memcmp(a.ptr, b.ptr, a.len) == 0);
}

void secret_wipe(void *p, size_t len)
{
    if (len > 0)
        sodium_memzero(p, len);
}
