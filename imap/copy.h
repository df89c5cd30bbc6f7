/* COPY and MOVE share all but the removal (copy.c). */
#ifndef CULVER_IMAP_COPY_H
#define CULVER_IMAP_COPY_H

#include "imap/targets.h"

struct imap_copy_args {
    struct imap_targets targets;
    struct view name;
    bool staged;
};
void imap_copy_parse(struct imap_parse *p, struct imap_job *job);
enum imap_step imap_copy_step(struct imap_job *job, bool move);
void imap_copy_committed(struct imap_job *job, const struct txn_result *result);
void imap_copy_drop(struct imap_job *job);

#endif
