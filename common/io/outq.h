/*
 * struct outq: what a session still has to send: bytes in memory and ranges of files (sent with sendfile), in order.
 *
 * Used by the worker's sessions, the login processes and LMTP. The owner asks outq_len() to apply back-pressure: a session
 * stops producing above its high-water mark. File ranges count with their length.
 */
#ifndef CULVER_COMMON_IO_OUTQ_H
#define CULVER_COMMON_IO_OUTQ_H

#include "common/base/buf.h"

struct outq;

/* memory_max: most bytes held in memory at once; more sets the sticky failure (the owner then ends the session). */
struct outq *outq_new(size_t memory_max);
void outq_free(struct outq **q);

/* The buffer at the end of the queue, to append text to with the buf_put_ functions. Do not consume from it and do not keep
 * the pointer across another outq call. */
struct buf *outq_buf(struct outq *q);

/* Appends len bytes of file fd from offset. The descriptor is dup()ed. ERR_SYSTEM when that fails. */
MUST_CHECK int outq_put_file(struct outq *q, int fd, uint64_t offset, uint64_t len);

/* All bytes not sent yet, memory and files. */
uint64_t outq_len(const struct outq *q);
bool outq_ok(const struct outq *q);

/* Sends as much as the socket takes now. 0: all sent; ERR_AGAIN: socket full; ERR_CLOSED: peer gone; ERR_IO: a file range
 * could not be read (the stream is then broken: close it). *sent_out (may be NULL) is increased by the bytes sent. */
MUST_CHECK int outq_flush(struct outq *q, int sock, uint64_t *sent_out);

/* Takes octets from the front (file ranges are read): *taken_out of them, at most max, 0 only when nothing is queued or max is 0.
 * ERR_IO as above. */
MUST_CHECK int outq_take(struct outq *q, void *into, size_t max, size_t *taken_out);

/* Writes everything queued to a file, at its position; the queue stays as it is. ERR_IO, ERR_NOSPACE, ERR_SYSTEM. */
MUST_CHECK int outq_write(const struct outq *q, int file);

/* Removes everything queued and returns it as bytes in `into` (file ranges are read); for freezing a session, COMPRESS and tests.
 */
MUST_CHECK int outq_drain(struct outq *q, struct buf *into);

#endif
