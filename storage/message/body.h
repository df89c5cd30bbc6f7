/* Decoding the bodies of parts: transfer encodings, charsets. */
#ifndef CULVER_STORAGE_MESSAGE_BODY_H
#define CULVER_STORAGE_MESSAGE_BODY_H

#include "storage/message/mime.h"

/* Calls sink with pieces of the part's body decoded from its transfer encoding (unknown encodings are given raw). Malformed input
 * decodes as far as it goes. Returns false as soon as sink does. */
bool body_decode(struct view message, const struct mime_part *part, bool (*sink)(void *arg, struct view piece), void *arg);

/* As body_decode, and converted to UTF-8 by the part's charset (unknown ones: bytes above 127 become U+FFFD). For text parts. */
bool body_text(struct view message, const struct mime_part *part, bool (*sink)(void *arg, struct view piece), void *arg);

/* As body_text, for those who read each octet that is in no character as U+FFFD themselves: what says that it is UTF-8 is given
 * as it is, only that no unfinished character is at its end. */
bool body_text_unchecked(struct view message, const struct mime_part *part, bool (*sink)(void *arg, struct view piece),
                         void *arg);

/* Converts text of a named charset to UTF-8. ERR_UNSUPPORTED: unknown charset. Invalid sequences become U+FFFD. */
MUST_CHECK int charset_to_utf8(struct buf *out, struct view charset, struct view text);
bool charset_known(struct view charset);
/* Loads what conversions need while the file system can still be seen; called by the worker before its sandbox closes. */
void charset_preload(void);

#endif
