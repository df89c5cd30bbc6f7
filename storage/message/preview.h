/* Preview text of a message (RFC 8970). */
#ifndef CULVER_STORAGE_MESSAGE_PREVIEW_H
#define CULVER_STORAGE_MESSAGE_PREVIEW_H

#include "storage/message/mime.h"

#define PREVIEW_CHARS 200

/* Appends at most PREVIEW_CHARS characters of UTF-8 without markup, line ends and quoted text. False (and nothing appended): no
 * text part has any text to show, for which RFC 8970 3.2 wants an empty string. */
bool preview_make(struct view message, const struct mime_msg *m, struct buf *out);

#endif
