/*
 * LIST patterns (RFC 9051 6.3.9): "*" matches anything, "%" anything but the separator. Compiled once per command to a set of
 * bits per byte value; matching a name takes time proportional to its length times pattern/64, whatever the pattern is.
 */
#ifndef CULVER_IMAP_MATCH_H
#define CULVER_IMAP_MATCH_H

#include "common/base/view.h"

struct imap_match;

/* pattern: UTF-8, at most IMAP_PATTERN_MAX bytes, '/' as separator (the storage form). */
struct imap_match *imap_match_new(struct view pattern);
void imap_match_free(struct imap_match **m);
/* A name in the storage form. "INBOX" as the first level matches in any case. */
bool imap_match_name(const struct imap_match *m, struct view name);

#endif
