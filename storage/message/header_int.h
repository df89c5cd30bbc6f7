/* Header fields inside storage/message: the iterator under header_each(), and clean values. */
#ifndef CULVER_STORAGE_MESSAGE_HEADER_INT_H
#define CULVER_STORAGE_MESSAGE_HEADER_INT_H

#include "storage/message/arena.h"
#include "storage/message/mime.h"

/* One field: as header_each() gives it. */
struct header_field {
    struct view name, value, whole;
};
/* The next field of a header block, taken off the front of rest; false at the blank line that ends it, or at its end. */
bool header_next(struct view *rest, struct header_field *out);

/* How many octets of the fields that matter may still be looked at; a single one gets at most a quarter, so that no giant field
 * hides the others. Cuts value to it and counts it; sets *cut when something was left out. */
struct header_budget {
    size_t left, field_max;
};
struct header_budget header_budget_make(size_t header_kept);
struct view header_budget_take(struct header_budget *b, struct view value, bool *cut);

/* The unfolded, trimmed value without CR, LF and NUL: a part of raw itself where it has none of them, else in the arena (empty
 * when that is full). ptr is never NULL. */
struct view header_clean(struct arena *a, struct view raw);
/* The same, always in the arena. */
struct view header_copy(struct arena *a, struct view raw);

/* Skips blanks and comments (RFC 5322 3.2.2 CFWS), nested without recursion; an unclosed comment runs to the end. */
struct cursor;
void header_skip_cfws(struct cursor *c);

#endif
