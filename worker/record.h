/*
 * What a worker hands over of a session: one file (a sealed memfd) with a header, a body that is checksummed, and behind it the
 * output that was not sent, as it is. The body has what the host knows and, as bytes, the protocol's own record.
 *
 * The next worker is of the same user and may be of a newer version; the worker that made the record may have been taken over.
 */
#ifndef CULVER_WORKER_RECORD_H
#define CULVER_WORKER_RECORD_H

#include "common/base/buf.h"
#include "common/base/cursor.h"

#define RECORD_VERSION 2
#define RECORD_HEADER_SIZE 32
#define RECORD_BODY_MAX ((size_t)64 << 20)

struct record {
    bool eof;     /* the client has closed its sending side */
    bool closing; /* the protocol is done: only the output is left. Then there is no session */
    uint64_t sent, received;
    uint64_t out_len;    /* of the output */
    struct view in;      /* unread input */
    struct view deflate; /* what deflate_export() has put; empty: not compressed. Then the output is not compressed yet */
    struct view detail;  /* the folder that the name at log-in asked for */
    struct view session;
};

/* Header and body. Marks out as failed when they are too long. */
void record_encode(struct buf *out, const struct record *r);
/* From the bytes of a whole file; *out_off is where the output begins. The views of r point into file. ERR_PROTO;
 * ERR_UNSUPPORTED: of another version; ERR_CORRUPT: its checksum is wrong. */
MUST_CHECK int record_decode(struct view file, struct record *r, uint64_t *out_off);

#endif
