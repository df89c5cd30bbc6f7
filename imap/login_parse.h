/*
 * The grammar of IMAP before log-in: a command is one line with at most a few literals, all together bounded by the login
 * process's input limit. No lists but ID's. Nothing is allocated from a number that a client sends.
 */
#ifndef CULVER_IMAP_LOGIN_PARSE_H
#define CULVER_IMAP_LOGIN_PARSE_H

#include "common/base/buf.h"
#include "common/base/cursor.h"

#define LOGIN_LITERAL_MINUS_MAX 4096 /* octets of a literal that comes unasked, with LITERAL- (RFC 7888 5) */

enum frame_result {
    FRAME_MORE,    /* not whole yet */
    FRAME_PROMPT,  /* a synchronising literal was announced behind frame->len octets: the client waits for "+" */
    FRAME_WHOLE,   /* frame->len octets are one command, its line end included */
    FRAME_TOO_BIG, /* a literal that does not fit was announced in the first frame->len octets */
    FRAME_BAD      /* a NUL, or a literal with a malformed size, in the first frame->len octets */
};
struct frame {
    size_t len;
    bool client_sends; /* FRAME_TOO_BIG: the literal was a non-synchronising one and follows unasked */
};

/* Finds the end of the first command of `in`. prompted: how many octets at the front contain literals that were prompted for
 * already. max: the most octets of one command (line and literals together). plus_max: the most octets of a literal that comes
 * unasked. */
enum frame_result login_frame(struct view in, size_t prompted, size_t max, size_t plus_max, struct frame *frame);

/* The tag at the front (RFC 9051: 1*<any ASTRING-CHAR except "+">); fails the cursor. */
struct view login_take_tag(struct cursor *c);
/* An atom (RFC 9051 9): at least one octet; fails the cursor. */
struct view login_take_atom(struct cursor *c);
/* An astring appended to out with quoting undone; a failure fails the cursor. */
void login_take_astring(struct cursor *c, struct buf *out);
/* A string or NIL, only skipped. */
void login_skip_nstring(struct cursor *c);

#endif
