/*
 * Substring search as SEARCH wants it: without regard to case, on decoded UTF-8 (in the manner of i;unicode-casemap, RFC 5051),
 * fed in pieces of any size. Time is linear whatever needle and text are.
 */
#ifndef CULVER_IMAP_FIND_H
#define CULVER_IMAP_FIND_H

#include "imap/pool.h"

struct imap_find {
    uint8_t *needle;    /* folded */
    uint32_t *fallback; /* Knuth-Morris-Pratt */
    uint32_t len, state;
    uint8_t carry[4]; /* an unfinished UTF-8 sequence at the end of a piece */
    unsigned ncarry;
};

/* False when the pool is full. */
bool imap_find_init(struct imap_find *f, struct imap_pool *pool, struct view needle);
/* Before a new text. */
void imap_find_reset(struct imap_find *f);
/* True once the needle was seen (an empty one at once). Feed nothing more then. */
bool imap_find_feed(struct imap_find *f, struct view piece);

#endif
