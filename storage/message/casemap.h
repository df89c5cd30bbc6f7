/* i;unicode-casemap (RFC 5051): the form in which texts are compared and searched. */
#ifndef CULVER_STORAGE_MESSAGE_CASEMAP_H
#define CULVER_STORAGE_MESSAGE_CASEMAP_H

#include "common/base/buf.h"

/* Appends text (UTF-8; invalid octets as U+FFFD) mapped to title case and decomposed. Two texts are equal under the collation
 * exactly when their mapped octets are; their order is that of the octets. At most 18 times as long. */
void casemap_put(struct buf *out, struct view text);

/* The same for texts that come in pieces and are many: what characters map to is remembered. Zeroed it is empty. */
#define CASEMAP_CHAR_MAX 128 /* octets that a character can become, and more */
#define CASEMAP_CACHE_SIZE 2048
struct casemap_cache {
    struct {
        uint32_t cp; /* 0: free */
        uint8_t len, bytes[11];
    } entries[CASEMAP_CACHE_SIZE];
};
/* Maps from the front of *rest as much as there is room for (at least CASEMAP_CHAR_MAX) and takes it off; returns the octets
 * written. 0: rest is empty, or an unfinished character of at most 3 octets. */
size_t casemap_some(struct casemap_cache *cache, struct view *rest, uint8_t *to, size_t room);

#endif
