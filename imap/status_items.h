/* STATUS data items (RFC 9051 6.3.11, 7889, 8474, 9208 4.1.4), for STATUS and LIST RETURN (STATUS …). */
#ifndef CULVER_IMAP_STATUS_ITEMS_H
#define CULVER_IMAP_STATUS_ITEMS_H

#include "imap/session_int.h"

/* "(MESSAGES UNSEEN)"; the items as a mask. */
unsigned imap_status_parse(struct imap_parse *p);
/* What asking for them switches on (RFC 7162 3.1.7). */
void imap_status_enable(struct imap_session *s, unsigned items);
/* "* STATUS name (…)" */
void imap_status_put(struct imap_session *s, struct view name, const struct mailbox *m, unsigned items);

#endif
