/* The arguments of MAIL and RCPT: paths (RFC 5321 4.1.2, RFC 6531) and ESMTP parameters. */
#ifndef CULVER_LMTP_ADDRESS_H
#define CULVER_LMTP_ADDRESS_H

#include "common/base/cursor.h"
#include "common/ipc/proto.h"

/* "<local@domain>", a source route ignored; *address_out is a part of the input, without the angle brackets, quotes kept.
 * allow_empty: "<>" is good (MAIL). Control characters, blanks outside quotes, invalid UTF-8 and more than PROTO_ADDR_MAX octets
 * fail the cursor. */
void lmtp_take_path(struct cursor *c, bool allow_empty, struct view *address_out);

/* Needs no SMTPUTF8. */
bool lmtp_is_ascii(struct view address);
/* What stands behind the last @ outside quotes; empty: no domain. */
struct view lmtp_domain(struct view address);

/* The next " KEYWORD[=value]", or false at the end of the line; a malformed one fails the cursor. */
bool lmtp_take_param(struct cursor *c, struct view *name_out, struct view *value_out);

#endif
