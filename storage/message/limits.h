/* Bounds of the message parser. Beyond them a message is still stored and served whole; its structure is cut off. */
#ifndef CULVER_STORAGE_MESSAGE_LIMITS_H
#define CULVER_STORAGE_MESSAGE_LIMITS_H

#include <stddef.h>

struct message_limits {
    unsigned depth;     /* MIME nesting, 100 */
    unsigned parts;     /* 10 000 */
    unsigned params;    /* of one header field, 64 */
    unsigned addresses; /* 10 000 in one message */
    size_t header_kept; /* octets of header looked at for the digest, 1 MiB */
    size_t boundary;    /* octets of a boundary, 200 (RFC 2046 says 70; real mail has more) */
};
extern const struct message_limits message_limits_default;

#endif
