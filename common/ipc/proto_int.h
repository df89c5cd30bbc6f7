/*
 * The bounds of the fields, used by both sides of each pair: what the decoder would refuse, the encoder marks as failed, so a
 * message that cannot be read is never sent. Private to the proto_*.c files.
 */
#ifndef CULVER_COMMON_IPC_PROTO_INT_H
#define CULVER_COMMON_IPC_PROTO_INT_H

#include "common/ipc/proto.h"

enum field_form {
    FIELD_BYTES,  /* anything */
    FIELD_NO_NUL, /* for C interfaces */
    FIELD_TEXT,   /* no control bytes */
    FIELD_PATH,   /* begins with '/', no control bytes; may be empty when the least length is 0 */
    FIELD_WORD    /* upper-case letters, digits, '-', '_' */
};

void field_put_view(struct buf *out, struct view v, enum field_form form, size_t min, size_t max);
struct view field_get_view(struct cursor *c, enum field_form form, size_t min, size_t max);

void field_put_bool(struct buf *out, bool b);
bool field_get_bool(struct cursor *c);

/* Enumerations travel as a u8 in [min, max]. */
void field_put_enum(struct buf *out, unsigned value, unsigned min, unsigned max);
unsigned field_get_enum(struct cursor *c, unsigned min, unsigned max);

/* Numbers that are never 0: connection and recipient ids. */
void field_put_id64(struct buf *out, uint64_t id);
uint64_t field_get_id64(struct cursor *c);
void field_put_id32(struct buf *out, uint32_t id);
uint32_t field_get_id32(struct cursor *c);

void field_put_addr(struct buf *out, const struct net_addr *a);
struct net_addr field_get_addr(struct cursor *c);

void field_put_user(struct buf *out, const struct user_record *u);
struct user_record field_get_user(struct cursor *c);

/* The end of each decoder: *out is written only when everything was right. */
#define FIELD_END(cursor, local, out) \
    do {                              \
        if (!cursor_done(cursor))     \
            return ERR_PROTO;         \
        *(out) = (local);             \
        return 0;                     \
    } while (0)

#endif
