/*
 * What the processes before and after log-in have in common of LANGUAGE (RFC 5255 3). There is English only, which is what
 * i-default is too (RFC 2277 4.5): so nothing has to be remembered of what was chosen.
 */
#ifndef CULVER_IMAP_LOGIN_LANGUAGE_H
#define CULVER_IMAP_LOGIN_LANGUAGE_H

#include "common/base/view.h"
#include "common/text/text.h"

#define IMAP_LANGUAGES "en i-default"
#define IMAP_LANGUAGE_RANGES_MAX 64

/* language-range (RFC 4647 2.1): subtags of 1 to 8 letters, behind the first digits too, or "*". */
static inline bool imap_language_valid(struct view range)
{
    size_t subtag = 0, n = 0;

    if (view_eq(range, VIEW("*")))
        return true;
    for (size_t i = 0; i < range.len; i++) {
        uint8_t c = ascii_lower(range.ptr[i]);

        if (c == '-' && n > 0) {
            subtag++;
            n = 0;
        } else if (++n > 8 || ((c < 'a' || c > 'z') && (subtag == 0 || c < '0' || c > '9')))
            return false;
    }
    return n > 0;
}

/* The language that a range stands for: "default" is English, and so is what has it for its first subtag (RFC 4647 3.4). NULL: it
 * is not spoken. */
static inline const char *imap_language_find(struct view range)
{
    struct view primary = view_sub(range, 0, view_find(range, '-'));

    if (view_eq_nocase(range, VIEW("i-default")))
        return "i-default";
    if (view_eq_nocase(primary, VIEW("en")) || view_eq_nocase(range, VIEW("default")) || view_eq(range, VIEW("*")))
        return "en";
    return NULL;
}

#endif
