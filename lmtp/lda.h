/*
 * One message handed to culver-lmtp by a program that an MTA has called (culver-deliver): the client's side of LMTP (RFC 2033)
 * over a local socket. Blocking; it holds no more of the message than a buffer.
 */
#ifndef CULVER_LMTP_LDA_H
#define CULVER_LMTP_LDA_H

#include "common/base/buf.h"

struct lda_request {
    int socket_fd; /* connected */
    int message_fd;
    struct view sender;    /* without <>; empty: the null sender */
    struct view recipient; /* a path's inside: quoted where that is needed */
    const char *helo;
};

enum lda_end {
    LDA_DELIVERED,
    LDA_REFUSED, /* by the server: code and text are its answer */
    LDA_BROKEN   /* the connection, or the message could not be read: nothing was delivered, or nobody knows */
};

/* text_out (at least 512 octets) gets the answer without its code, such as "5.1.1 There is no such user here.", or what went
 * wrong. *code_out: of LDA_REFUSED. */
enum lda_end lda_deliver(const struct lda_request *r, unsigned *code_out, struct buf *text_out);

/* Puts user, delimiter and folder (empty: none) as the inside of a path, with a domain when user has one. ERR_SYNTAX: characters
 * that no address can have; ERR_LIMIT: too long. */
MUST_CHECK int lda_put_recipient(struct buf *out, struct view user, char delimiter, struct view folder);
/* True when text can stand between < and >. */
bool lda_is_path(struct view text);

/* The message on its way: LF becomes CRLF, lines that begin with a dot get another one, a first line "From " of mbox goes. */
struct lda_stream {
    bool started; /* past the first line, if that is to go */
    bool line_start, cr, skipping;
    uint8_t head[5];
    size_t nhead;
};
void lda_stream_init(struct lda_stream *s);
/* Appends at most 2 * in.len + 8 octets. */
void lda_stream_put(struct lda_stream *s, struct view in, struct buf *out);
/* The end: what is held back, a line end where there is none, and the dot. At most 16 octets. */
void lda_stream_end(struct lda_stream *s, struct buf *out);

#endif
