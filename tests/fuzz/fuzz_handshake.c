/* The messages of a TLS handshake: what is found lies within them, at places that fit each other, and only the whole is a
 * handshake. */
#include <stdlib.h>

#include "auth/handshake.h"
#include "common/ipc/proto.h"

static bool within(struct view all, struct view part)
{
    return part.len > 0 && part.ptr >= all.ptr && part.ptr + part.len <= all.ptr + all.len;
}

static void check(struct view v, const struct handshake *h)
{
    if (!view_eq(h->messages, v) || h->first_hello >= v.len || h->server.covers <= h->first_hello ||
        h->client.covers <= h->server.covers || h->client.covers >= v.len || !within(v, h->server_leaf) ||
        !within(v, h->server.signature) || !within(v, h->client.signature) || h->nchain == 0 || h->nchain > HANDSHAKE_CHAIN_MAX ||
        (h->nonce.len > 0 && !within(v, h->nonce)))
        abort();
    for (size_t i = 0; i < h->nchain; i++)
        if (!within(view_sub(v, h->server.covers, h->client.covers - h->server.covers), h->chain[i]))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view v = view_make(data, size);
    struct handshake h, part;
    const char *why = NULL;
    if (size > PROTO_HANDSHAKE_MAX)
        return 0;
    if (handshake_parse(v, &h, &why) != 0) {
        if (why == NULL)
            abort();
        return 0;
    }
    check(v, &h);
    if (handshake_parse(view_sub(v, 0, size - 1), &part, &why) == 0 ||
        handshake_parse(view_sub(v, 0, h.client.covers), &part, &why) == 0)
        abort();
    return 0;
}
