/*
 * The files of a snapshot: shared by snapshot.c, snapshot_meta.c and snapshot_load.c.
 *
 *   state.<num>   header (64): magic "CULVSTA\n", u32 version, u32 num, zero
 *                 records that differ from the mailbox files, one mailbox after another
 *                 meta: everything else (snapshot_meta.c)
 *                 trailer (64): magic "CULVEND\n", u32 version, u32 num, u64 offset, length and XXH3-64 of the meta, u64 zero,
 * zero, XXH3-64 of the 56 bytes above. It is written when all before it is durable: a state file with a good trailer is whole.
 *
 *   mbox.<id>.<num>   records (rec.h), by UID; then a trailer (128): magic "CULVBOX\n", u32 version, u32 id, u32 num, u32 number
 * of records, u32 size of a record, u32 byte order mark 1, u64 XXH3-64 of the records, zero, at 120 XXH3-64 of the 120 bytes
 * above
 */
#ifndef CULVER_STORAGE_SNAPSHOT_INT_H
#define CULVER_STORAGE_SNAPSHOT_INT_H

#include <xxhash.h>

#include "storage/account_int.h"

#define SNAPSHOT_VERSION 1
#define STATE_MAGIC "CULVSTA\n"
#define STATE_END_MAGIC "CULVEND\n"
#define STATE_HEADER_SIZE 64
#define STATE_TRAILER_SIZE 64
#define MBOX_MAGIC "CULVBOX\n"
#define MBOX_TRAILER_SIZE 128

struct state_trailer {
    uint32_t num;
    uint64_t meta_off, meta_len, meta_sum;
};
void state_trailer_put(struct buf *out, const struct state_trailer *t);
/* ERR_CORRUPT, ERR_UNSUPPORTED. */
MUST_CHECK int state_trailer_get(struct view bytes, struct state_trailer *out);

struct mbox_trailer {
    uint32_t id, num, nrecs;
    uint64_t sum;
};
void mbox_trailer_put(struct buf *out, const struct mbox_trailer *h);
MUST_CHECK int mbox_trailer_get(struct view bytes, struct mbox_trailer *out);

/* What a mailbox's entry says of its records, for the snapshot that is being written. */
struct snapshot_entry {
    uint32_t id;
    uint32_t file_num, file_recs;
    uint64_t delta_off, delta_sum;
    uint32_t delta_tail, delta_dirty;
    bool new_file;
};

/* A snapshot in progress. */
struct snapshot {
    uint32_t num;
    struct vfs_file *file; /* that is being written */
    uint64_t off;          /* its length */
    /* Mailbox files, one after another. */
    uint32_t next_id;     /* the mailbox whose turn it is */
    struct idx_list skip; /* its records that were expunged when its file was begun */
    size_t skip_at;
    XXH3_state_t *sum; /* of what its file has so far */
    /* Then the state file: a picture of the account as of pos, in memory. */
    bool taken;
    struct snapshot_entry *entries;
    size_t nentries;
    struct buf body;
    struct state_trailer trailer;
    struct txlog_pos pos;
    uint64_t tail_bytes; /* what of the account's is before pos */
    size_t nobsolete;
};

/* snapshot_mbox.c */
/* Whether so much differs from its file that it gets a new one. */
bool snapshot_wants_file(const struct mailbox *m);
/* A slice of the mailbox's file; *done_out: that was the last. */
MUST_CHECK int snapshot_write_mailbox(struct account *acc, struct snapshot *s, struct mailbox *m, bool *done_out);
/* The new file is the mailbox's now; or it is not going to be. */
void snapshot_mailbox_use(struct mailbox *m);
void snapshot_mailbox_drop(struct mailbox *m);

void state_meta_put(struct buf *out, const struct account *acc, const struct txlog_pos *pos,
                    const struct snapshot_entry *entries);
/* Fills an account that has no mailboxes yet. ERR_CORRUPT. */
MUST_CHECK int state_meta_get(struct view bytes, struct account *acc, struct txlog_pos *pos);

#endif
