#include "storage/content_id.h"

#include <sodium.h>
#include <stdlib.h>

#include "common/log/log.h"

/* Aligned as the hash wants it, to more than malloc() does: so it is a block of its own, and not a member of anything. */
struct content_id {
    crypto_generichash_state hash;
};

struct content_id *content_id_begin(void)
{
    struct content_id *c = aligned_alloc(_Alignof(struct content_id), sizeof(*c));

    if (c == NULL)
        PANIC("out of memory");
    crypto_generichash_init(&c->hash, NULL, 0, CONTENT_ID_SIZE);
    return c;
}

void content_id_add(struct content_id *c, struct view piece)
{
    crypto_generichash_update(&c->hash, piece.ptr, piece.len);
}

void content_id_end(struct content_id **c, uint8_t out[CONTENT_ID_SIZE])
{
    crypto_generichash_final(&(*c)->hash, out, CONTENT_ID_SIZE);
    content_id_free(c);
}

void content_id_free(struct content_id **c)
{
    free(*c);
    *c = NULL;
}

void content_id_of(struct view data, uint8_t out[CONTENT_ID_SIZE])
{
    crypto_generichash(out, CONTENT_ID_SIZE, data.ptr, data.len, NULL, 0);
}
