/* The three events of an APPEND's input (cmd_append.c), given by the session as they come. */
#ifndef CULVER_IMAP_APPEND_H
#define CULVER_IMAP_APPEND_H

#include "imap/input.h"

/* The command up to (and with) the header of a message literal: accepts or refuses it. */
void imap_append_literal(struct imap_session *s, struct view text, const struct imap_literal *literal);
/* Bytes of the message. */
void imap_append_bytes(struct imap_session *s, struct view bytes);
/* The line that ends the command. */
void imap_append_end(struct imap_session *s, struct view text);

#endif
