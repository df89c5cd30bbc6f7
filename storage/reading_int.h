/* An account opened for reading, however damaged: shared by verify.c and salvage.c. */
#ifndef CULVER_STORAGE_READING_INT_H
#define CULVER_STORAGE_READING_INT_H

#include "storage/account_int.h"

struct reading {
    struct account *acc;
    struct txlog_pos start; /* where the log was read from: seg 0, its beginning */
    struct txlog_report report;
    unsigned states_bad;     /* state files that were finished and cannot be read */
    unsigned not_understood; /* transactions */
};

/* Over a vfs_frozen, which has to outlive it. snapshots false: from the log alone. Files that cannot be read are left out.
 * Nothing can be changed in it; it is closed with account_close(). ERR_IO, ERR_NOMEM, ERR_UNSUPPORTED (a newer format). */
MUST_CHECK int reading_open(struct vfs *frozen, bool snapshots, struct reading *out);
/* Of one from the log alone: whether it has all that ever was in the log, and at least what the snapshot has. */
bool reading_is_whole(const struct reading *r, const struct reading *snapshot);
/* The file of a mailbox's records as a whole, checked. 0 where it has none. ERR_CORRUPT … */
MUST_CHECK int reading_check_mailbox(struct reading *r, struct mailbox *m);

#endif
