/*
 * Blocks double from 4 KiB to 256 KiB, so that a typical message costs one or two and a hostile one few. The cap counts whole
 * blocks: what the arena takes from the heap is bounded, not only what is used of it.
 */
#include "storage/message/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#include "common/base/mem.h"

#define BLOCK_FIRST 4096u
#define BLOCK_LAST (256u * 1024)
#define ALIGN (alignof(max_align_t))

struct block {
    struct block *next;
    size_t size, used;
    alignas(max_align_t) uint8_t data[];
};

struct arena {
    struct block *blocks; /* newest first */
    size_t cap, taken;
    size_t next_size;
    bool full;
};

static bool block_add(struct arena *a, size_t need)
{
    size_t size = MAX_OF(a->next_size, need);
    if (size > a->cap - a->taken)
        size = need;
    if (size > a->cap - a->taken) {
        a->full = true;
        return false;
    }
    struct block *b = malloc(sizeof(*b) + size);
    if (b == NULL) {
        a->full = true;
        return false;
    }
    *b = (struct block){.next = a->blocks, .size = size};
    a->blocks = b;
    a->taken += size;
    a->next_size = MIN_OF(a->next_size * 2, BLOCK_LAST);
    return true;
}

struct arena *arena_new(size_t cap)
{
    struct arena *a = xmalloc(sizeof(*a));
    *a = (struct arena){.cap = MAX_OF(cap, BLOCK_FIRST), .next_size = BLOCK_FIRST};
    return a;
}

void arena_free(struct arena **a)
{
    if (*a == NULL)
        return;
    for (struct block *b = (*a)->blocks, *next; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
    free(*a);
    *a = NULL;
}

static uint8_t *take(struct arena *a, size_t n, size_t align)
{
    struct block *b = a->blocks;
    size_t at = b == NULL ? 0 : (b->used + align - 1) / align * align;
    if (b == NULL || at > b->size || n > b->size - at) {
        if (a->full || !block_add(a, n))
            return NULL;
        b = a->blocks;
        at = 0;
    }
    b->used = at + n;
    return b->data + at;
}

void *arena_alloc(struct arena *a, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) {
        a->full = true;
        return NULL;
    }
    uint8_t *p = take(a, bytes, ALIGN);
    if (p != NULL && bytes > 0)
        memset(p, 0, bytes);
    return p;
}

uint8_t *arena_bytes(struct arena *a, size_t n)
{
    return take(a, n, 1);
}

void arena_trim(struct arena *a, const uint8_t *bytes, size_t n, size_t used)
{
    struct block *b = a->blocks;
    if (b != NULL && used <= n && bytes + n == b->data + b->used)
        b->used -= n - used;
}

struct view arena_copy(struct arena *a, struct view v)
{
    uint8_t *p = take(a, v.len, 1);
    if (p == NULL)
        return (struct view){NULL, 0};
    if (v.len > 0)
        memcpy(p, v.ptr, v.len);
    return view_make(p, v.len);
}

size_t arena_taken(const struct arena *a)
{
    return a->taken;
}

bool arena_full(const struct arena *a)
{
    return a->full;
}
