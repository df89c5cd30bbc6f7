/* VANISHED responses (RFC 7162 3.2.10). */
#ifndef CULVER_IMAP_VANISHED_H
#define CULVER_IMAP_VANISHED_H

#include "imap/session_int.h"

/* UIDs of m that were expunged after mod-sequence since, of those in known (NULL: of all), without what the session still sees.
 * Added to out. */
void imap_vanished_collect(struct imap_session *s, const struct mailbox *m, uint64_t since, const struct imap_seq_set *known,
                           struct uidset *out);
/* "* VANISHED (EARLIER) …", as several responses when it is long. *range starts at 0; true when all is written. */
bool imap_vanished_put(struct imap_session *s, const struct uidset *uids, size_t *range, bool earlier);

#endif
