/*
 * The deflate layer of one client connection (COMPRESS=DEFLATE, RFC 4978): raw deflate between the descriptor and what a session
 * reads and writes. hosted.c owns it; neither the session nor its protocol sees it.
 *
 * Memory is bounded whatever the client sends: received octets are taken up to DEFLATE_RECEIVED_HIGH and inflated only as far as
 * the session's input buffer has room; output is compressed only as fast as the socket takes it. A connection that rests keeps no
 * compressor, and of the decompressor only the window that the client's next octets may refer to.
 */
#ifndef CULVER_WORKER_DEFLATE_H
#define CULVER_WORKER_DEFLATE_H

#include "common/base/buf.h"
#include "common/io/outq.h"

#define DEFLATE_RECEIVED_HIGH ((size_t)16 * 1024)

struct deflate;

/* From now on the stream is compressed. What is in `before` (taken over) is sent as it is, then compressed output follows; what
 * is left in `in` was sent behind the command and is compressed already: it is taken out. */
struct deflate *deflate_new(struct outq *before, struct buf *in);
void deflate_free(struct deflate **d);

/* Where the owner puts what it receives; to be filled up to DEFLATE_RECEIVED_HIGH. */
struct buf *deflate_received(struct deflate *d);
/* Inflates at most max octets (and as many as there is room for) to the end of `in`. ERR_SYNTAX: not a deflate stream;
 * ERR_CLOSED: the client has ended its stream, nothing can follow; ERR_NOMEM. */
MUST_CHECK int deflate_input(struct deflate *d, struct buf *in, size_t max);
/* There is more to be had from deflate_input(). */
bool deflate_has_input(const struct deflate *d);

/* As outq_flush(), through the compressor: what is in `from` is compressed and sent, and flushed when it is all. */
MUST_CHECK int deflate_send(struct deflate *d, struct outq *from, int sock, uint64_t *sent_out);
/* Octets that left the session and did not leave the process. */
uint64_t deflate_unsent(const struct deflate *d);
bool deflate_ok(const struct deflate *d);

/* Gives back what memory can be had again: the connection has nothing to say for a while. */
void deflate_rest(struct deflate *d);

/* Moving the connection to another process. It is possible only between two blocks of the client's stream, where zlib's state is
 * its window and less than eight bits. Clients flush behind every command, so that is where they wait. */
bool deflate_can_export(const struct deflate *d);
/* Flushes the compressor (a new one may follow: it refers to nothing before) and puts all that is needed: input that was not
 * inflated, output that was not sent. What is still in the session's queues is the owner's. ERR_STATE: not now; ERR_LIMIT: out is
 * full; ERR_IO, ERR_NOMEM. After an error other than ERR_STATE the stream is broken. */
MUST_CHECK int deflate_export(struct deflate *d, struct buf *out);
/* ERR_SYNTAX: not what deflate_export() writes. */
MUST_CHECK int deflate_import(struct view bytes, struct deflate **d_out);

#endif
