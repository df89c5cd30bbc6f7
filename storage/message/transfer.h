/* Transfer encodings (RFC 2045 6) inside storage/message. Malformed input decodes as far as it goes; all in linear time. */
#ifndef CULVER_STORAGE_MESSAGE_TRANSFER_H
#define CULVER_STORAGE_MESSAGE_TRANSFER_H

#include "common/base/view.h"

typedef bool transfer_sink(void *arg, struct view piece);

enum transfer { TRANSFER_IDENTITY, TRANSFER_BASE64, TRANSFER_QUOTED, TRANSFER_UUENCODE };
/* Unknown names are the identity. */
enum transfer transfer_find(struct view name);

/* Gives in, decoded, to sink in pieces; false as soon as sink returns false. */
bool transfer_decode(enum transfer how, struct view in, transfer_sink *sink, void *arg);

#endif
