/*
 * The bytes of a message on their way from the client to the memfd: dot-unstuffing and the end of data (DATA), line-end repair
 * (DATA and BDAT). Resumable at any byte; never blocks, never replies.
 *
 * Only CRLF "." CRLF ends DATA (RFC 5321 4.1.1.4). A bare LF becomes CRLF in what is stored but never counts as the line end
 * around a dot, so that no other sequence can end a message (SMTP smuggling). A bare CR is stored as it is.
 */
#ifndef CULVER_LMTP_DOTSTREAM_H
#define CULVER_LMTP_DOTSTREAM_H

#include "common/base/buf.h"

enum dot_state {
    DOT_LINE_START, /* after CRLF, or at the beginning */
    DOT_TEXT,
    DOT_CR,     /* a CR that may belong to CRLF */
    DOT_DOT,    /* a dot at the start of a line */
    DOT_DOT_CR, /* CRLF "." CR */
    DOT_END
};
struct dotstream {
    enum dot_state state;
};

void dotstream_init(struct dotstream *d);
/* Takes bytes of `in` and appends what is to be stored to out (at most 2 * in.len + 2 octets). Returns how many were taken: all,
 * or up to and including the end of data. */
size_t dotstream_data(struct dotstream *d, struct view in, struct buf *out);
bool dotstream_ended(const struct dotstream *d);
/* BDAT (RFC 3030): no dots, only line-end repair. Takes all. */
void dotstream_chunk(struct dotstream *d, struct view in, struct buf *out);
/* BDAT LAST: a CR that is still held back. */
void dotstream_finish(struct dotstream *d, struct buf *out);

#endif
