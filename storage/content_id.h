/*
 * The content id of a message: BLAKE2b-128 of its bytes, which is its EMAILID (RFC 8474 4). A large message's takes a tenth of a
 * second: whoever receives one in pieces can compute it as they come, and give it to txn_append().
 */
#ifndef CULVER_STORAGE_CONTENT_ID_H
#define CULVER_STORAGE_CONTENT_ID_H

#include "common/base/view.h"

#define CONTENT_ID_SIZE 16

struct content_id;

struct content_id *content_id_begin(void);
void content_id_add(struct content_id *c, struct view piece);
/* What all pieces have in a row. Frees it. */
void content_id_end(struct content_id **c, uint8_t out[CONTENT_ID_SIZE]);
void content_id_free(struct content_id **c);

/* Of bytes in one piece. */
void content_id_of(struct view data, uint8_t out[CONTENT_ID_SIZE]);

#endif
