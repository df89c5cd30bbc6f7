/*
 * What can be found out about a message while its octets come, for whoever receives a large one in pieces and gives it to
 * txn_append() when it is complete: its content id, and its structure. Both then cost nothing in the tick of the commit.
 */
#ifndef CULVER_STORAGE_INTAKE_H
#define CULVER_STORAGE_INTAKE_H

#include "storage/content_id.h"
#include "storage/message/mime.h"

#define INTAKE_STRUCTURE_MIN ((uint64_t)256 << 10) /* the structure of a smaller message is not worth having early */
#define INTAKE_STRUCTURE_MAX ((size_t)256 << 10)   /* memory: a structure that needs more is left to the commit */

struct intake;

struct intake *intake_begin(bool with_structure);
void intake_add(struct intake *in, struct view piece);
/* The message is complete. *structure_out is the caller's (mime_msg_free()); without parts it is none. Frees in. */
void intake_end(struct intake **in, uint8_t content_id[CONTENT_ID_SIZE], struct mime_msg *structure_out);
void intake_free(struct intake **in);

#endif
