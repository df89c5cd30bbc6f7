/* Bump allocation in chunks; a request larger than a chunk gets a chunk of its own. */
#include "imap/pool.h"

#include <stdlib.h>

#include "common/base/mem.h"

#define CHUNK_SIZE 4000
#define ALIGN sizeof(max_align_t)

struct imap_pool_chunk {
    struct imap_pool_chunk *next;
    size_t used, size;
    max_align_t data[];
};

void imap_pool_init(struct imap_pool *p, size_t max)
{
    *p = (struct imap_pool){NULL, 0, max};
}

void imap_pool_free(struct imap_pool *p)
{
    struct imap_pool_chunk *c = p->chunks;

    while (c != NULL) {
        struct imap_pool_chunk *next = c->next;

        free(c);
        c = next;
    }
    p->chunks = NULL;
    p->total = 0;
}

void *imap_pool_alloc(struct imap_pool *p, size_t size)
{
    struct imap_pool_chunk *c = p->chunks;
    size_t need;
    uint8_t *at;

    if (size > p->max || p->max - size < p->total + ALIGN)
        return NULL;
    need = (size + ALIGN - 1) / ALIGN * ALIGN;
    if (c == NULL || c->size - c->used < need) {
        size_t room = MAX_OF(need, (size_t)CHUNK_SIZE);

        c = xmalloc(sizeof(*c) + room);
        c->size = room;
        c->used = 0;
        c->next = p->chunks;
        p->chunks = c;
    }
    at = (uint8_t *)c->data + c->used;
    c->used += need;
    p->total += need;
    memset(at, 0, need);
    return at;
}

struct view imap_pool_copy(struct imap_pool *p, struct view v)
{
    uint8_t *at = imap_pool_alloc(p, v.len + 1);

    if (at == NULL)
        return (struct view){NULL, 0};
    if (v.len > 0)
        memcpy(at, v.ptr, v.len);
    return view_make(at, v.len);
}
