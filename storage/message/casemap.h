/* i;unicode-casemap (RFC 5051): the form in which texts are compared and searched. */
#ifndef CULVER_STORAGE_MESSAGE_CASEMAP_H
#define CULVER_STORAGE_MESSAGE_CASEMAP_H

#include "common/base/buf.h"

/* Appends text (UTF-8; invalid octets as U+FFFD) mapped to title case and decomposed. Two texts are equal under the collation
 * exactly when their mapped octets are; their order is that of the octets. At most 18 times as long. */
void casemap_put(struct buf *out, struct view text);

#endif
