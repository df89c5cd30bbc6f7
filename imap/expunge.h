/* What EXPUNGE, UID EXPUNGE and CLOSE share: finding the messages with \Deleted and removing them (expunge.c). */
#ifndef CULVER_IMAP_EXPUNGE_H
#define CULVER_IMAP_EXPUNGE_H

#include "imap/session_int.h"

struct imap_expunge {
    struct uidset uids; /* found so far */
    uint32_t scanned;   /* messages looked at */
    bool staged;
};
/* Looks at the messages in slices (of only, when it is not NULL: sequence numbers), then stages their removal. AGAIN, COMMIT;
 * DONE: there was nothing to remove or the answer is set to an error. *failed_out: the latter. */
enum imap_step imap_expunge_step(struct imap_job *job, struct imap_expunge *e, const struct uidset *only, bool *failed_out);
/* The response code HIGHESTMODSEQ for messages that were expunged (RFC 7162 3.2.7, RFC 6851 4.3), when CONDSTORE is on. */
void imap_expunge_code(struct imap_job *job);

#endif
