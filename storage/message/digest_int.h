/* The coding of digests, for digest_build.c and the tests. */
#ifndef CULVER_STORAGE_MESSAGE_DIGEST_INT_H
#define CULVER_STORAGE_MESSAGE_DIGEST_INT_H

#include "storage/message/digest.h"

/* Appends d's summary, envelope and parts; nested envelopes follow, one digest_put_envelope() for each MIME_MESSAGE part in
 * order. */
void digest_put_head(struct buf *out, const struct digest *d);
void digest_put_envelope(struct buf *out, const struct envelope *e);

#endif
