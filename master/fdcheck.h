/* What a descriptor that came with a message must be before master passes it on. Each returns 0 or ERR_DENIED. Master only. */
#ifndef CULVER_MASTER_FDCHECK_H
#define CULVER_MASTER_FDCHECK_H

#include <stdint.h>

#include "common/base/err.h"

/* The client's connection (or the TLS child's end of a pair): a connected stream socket, not a listening one. */
MUST_CHECK int fdcheck_session(int fd);
/* A message: a memfd that nobody can write, grow or shrink any more, of exactly this size. */
MUST_CHECK int fdcheck_message(int fd, uint64_t size);
/* The reply channel of a delivery: one end of a local SEQPACKET pair. */
MUST_CHECK int fdcheck_reply(int fd);

#endif
