/* Inside storage/message: structured Content- fields of a part. */
#ifndef CULVER_STORAGE_MESSAGE_MIME_INT_H
#define CULVER_STORAGE_MESSAGE_MIME_INT_H

#include "common/base/cursor.h"
#include "storage/message/header_int.h"

/* Parameters from the cursor to its end: RFC 2045 5.1, RFC 2231, and what real mail has instead (blanks in unquoted values,
 * missing semicolons, unclosed quotes). First of a name wins. *truncated is set when the limit or the arena cut some off. */
void mime_params_parse(struct arena *a, struct cursor *c, unsigned max, struct mime_param **out, size_t *n_out, bool *truncated);

/* The fields of a part that matter. */
enum mime_field {
    MIME_FIELD_TYPE,
    MIME_FIELD_ENCODING,
    MIME_FIELD_DISPOSITION,
    MIME_FIELD_LANGUAGE,
    MIME_FIELD_ID,
    MIME_FIELD_DESCRIPTION,
    MIME_FIELD_MD5,
    MIME_FIELD_LOCATION,
    MIME_FIELD_NONE
};
struct mime_fields {
    struct arena *arena;
    const struct message_limits *limits;
    struct mime_part *part;
    bool *truncated;
    bool has_type, has_encoding, has_disposition, has_language;
};
enum mime_field mime_field_find(struct view name);
bool mime_field_is_set(const struct mime_fields *f, enum mime_field which);
/* value: clean, and as long-lived as the arena. */
void mime_field_set(struct mime_fields *f, enum mime_field which, struct view value);

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
