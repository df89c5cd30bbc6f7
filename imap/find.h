/*
 * Substring search as SEARCH wants it: under a collation (RFC 4790), on decoded UTF-8, fed in pieces of any size. Time is linear
 * whatever needle and text are.
 */
#ifndef CULVER_IMAP_FIND_H
#define CULVER_IMAP_FIND_H

#include "imap/collation.h"
#include "imap/pool.h"

/* What searches can share that do not run at the same time. Zeroed at first. */
struct imap_find_work {
    struct casemap_cache cache;
    uint8_t chunk[8192];
};

struct imap_find {
    const uint8_t *needle; /* mapped */
    uint32_t *fallback;    /* Knuth-Morris-Pratt */
    struct imap_find_work *work;
    enum collation collation;
    uint32_t len, state; /* state: octets of the needle that the text so far ends with */
    uint32_t rare;       /* index of the needle's octet that texts have least */
    uint8_t carry[8];    /* an unfinished UTF-8 sequence at the end of a piece */
    unsigned ncarry;
};

/* False when the pool is full. work is borrowed. */
bool imap_find_init(struct imap_find *f, struct imap_pool *pool, struct imap_find_work *work, enum collation collation,
                    struct view needle);
/* Before a new text. */
void imap_find_reset(struct imap_find *f);
/* True once the needle was seen (an empty one at once). Feed nothing more then. */
bool imap_find_feed(struct imap_find *f, struct view piece);

#endif
