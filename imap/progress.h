/* The news that a long command goes on (RFC 9585). */
#ifndef CULVER_IMAP_PROGRESS_H
#define CULVER_IMAP_PROGRESS_H

#include "imap/session_int.h"

/* After a turn of the job at the head of the queue that did not end it: "* OK [INPROGRESS …]" when it is time for one and no
 * response is half written. */
void imap_progress_tell(struct imap_job *job);

#endif
