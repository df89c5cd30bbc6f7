/*
 * Collations (RFC 4790) that SEARCH, SORT and THREAD can compare texts by; the session's active one is chosen with COMPARATOR
 * (RFC 5255 4). Texts are UTF-8. Each maps a text to octets: texts are equal when these are, one is in another when its octets
 * are in the other's, and their order is that of the octets.
 */
#ifndef CULVER_IMAP_COLLATION_H
#define CULVER_IMAP_COLLATION_H

#include "common/base/buf.h"
#include "storage/message/casemap.h"

enum collation {
    COLLATION_UNICODE_CASEMAP, /* the default: RFC 5051 */
    COLLATION_ASCII_CASEMAP,   /* RFC 4790 9.2 */
    COLLATION_OCTET,           /* RFC 4790 9.3 */
    COLLATIONS
};

/* The active comparator: a collation, and whether its order is turned round (RFC 4790 3.3). */
struct comparator {
    enum collation collation;
    bool descends;
};

/* "i;octet" */
const char *collation_name(enum collation c);
/* collation-wild of RFC 4790 3.2 without what is before it; "default" is one. */
bool collation_pattern_valid(struct view pattern);
bool collation_matches(enum collation c, struct view pattern);

/* Appends a text mapped. */
void collation_put(enum collation c, struct buf *out, struct view text);
/* As casemap_some(). */
size_t collation_some(enum collation c, struct casemap_cache *cache, struct view *rest, uint8_t *to, size_t room);

/* A comparator in a record. False: none is written so. */
uint8_t comparator_encode(struct comparator c);
bool comparator_decode(uint8_t byte, struct comparator *out);

#endif
