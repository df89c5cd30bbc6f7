/* Inside storage/message: structured Content- fields of a part. */
#ifndef CULVER_STORAGE_MESSAGE_MIME_INT_H
#define CULVER_STORAGE_MESSAGE_MIME_INT_H

#include "common/base/cursor.h"
#include "storage/message/header_int.h"

/* Parameters from the cursor to its end: RFC 2045 5.1, RFC 2231, and what real mail has instead (blanks in unquoted values,
 * missing semicolons, unclosed quotes). First of a name wins. *truncated is set when the limit or the arena cut some off. */
void mime_params_parse(struct arena *a, struct cursor *c, unsigned max, struct mime_param **out, size_t *n_out, bool *truncated);

/* Sets everything of part but its place in the message from its header; fields that are missing or broken get their defaults.
 * digest_child: the default type is message/rfc822 (RFC 2046 5.1.5). */
void mime_fields_parse(struct arena *a, struct view header, const struct message_limits *limits, struct header_budget *budget,
                       bool digest_child, struct mime_part *part, bool *truncated);
/* Gives part another type, without parameters unless keep_params. */
void mime_part_retype(struct arena *a, struct mime_part *part, struct view type, struct view subtype, bool keep_params);
/* message/rfc822 or message/global. */
bool mime_type_is_message(const struct mime_part *part);
bool mime_type_is_multipart(const struct mime_part *part);
/* Encodings that hide what is below a message part: base64, quoted-printable, uuencode. */
bool mime_encoding_hides(struct view encoding);

/* Runs of token characters (RFC 2045 5.1), 8-bit ones included. */
struct view mime_token(struct cursor *c);

#endif
