/* struct uidset: a sorted set of numbers (UIDs or sequence numbers) as ranges without overlap. Bounded by max_ranges. */
#ifndef CULVER_STORAGE_UIDSET_H
#define CULVER_STORAGE_UIDSET_H

#include "common/base/buf.h"
#include "common/base/cursor.h"

struct uid_range {
    uint32_t first, last; /* inclusive, first <= last, never 0 */
};
struct uidset {
    struct uid_range *ranges;
    size_t n, cap;
};

void uidset_init(struct uidset *s);
void uidset_free(struct uidset *s);
void uidset_add(struct uidset *s, uint32_t uid);
/* Any order and overlap; merged. Adding in rising order is O(1) each. */
void uidset_add_range(struct uidset *s, uint32_t first, uint32_t last);
void uidset_remove_range(struct uidset *s, uint32_t first, uint32_t last);
bool uidset_has(const struct uidset *s, uint32_t uid);
uint64_t uidset_count(const struct uidset *s);
/* "1:3,5" (RFC 9051 sequence-set without "*"); nothing for an empty set. */
void uidset_put(struct buf *out, const struct uidset *s);
/* As bytes: the number of ranges, then the gap before and the length of each, all varints. UINT32_MAX is no UID and not in it. */
void uidset_encode(struct buf *out, const struct uidset *s);
/* What uidset_encode() wrote; *out is freed first. Anything else, and more than ranges_max ranges, fails the cursor and gives an
 * empty set. */
void uidset_decode(struct cursor *c, size_t ranges_max, struct uidset *out);
/* Moves src's content to dst (which is freed first). */
void uidset_move(struct uidset *dst, struct uidset *src);

#endif
