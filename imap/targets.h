/* The messages that STORE, COPY and MOVE are about: a message set resolved to UIDs, in slices (targets.c). */
#ifndef CULVER_IMAP_TARGETS_H
#define CULVER_IMAP_TARGETS_H

#include "imap/session_int.h"

struct imap_targets {
    struct imap_seq_set set; /* as parsed */
    struct uidset seqs, uids;
    size_t range;
    uint32_t next;
    bool resolved, done, gone; /* gone: some are expunged already, though this session was not told */
};
/* AGAIN, or DONE: everything is in uids, or the answer is set (*failed_out). */
enum imap_step imap_targets_step(struct imap_job *job, struct imap_targets *t, bool *failed_out);
void imap_targets_free(struct imap_targets *t);

#endif
