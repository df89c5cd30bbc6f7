/*
 * The log of an account: segments of transactions, written in batches, read again at open. It knows nothing of what the
 * operations in a transaction mean. Called by account.c and what belongs to it only.
 *
 * A segment (log.<number>) is a header of 64 bytes, then transactions without gaps:
 *
 *   offset  type      field                        offset  type      field
 *   0       u8[8]     magic "CULVLOG\n"            32      u64       first sequence number in it
 *   8       u32       format version               40      u64       seed of the checksums, random
 *   12      u32       number of the segment        48      u64       0
 *   16      u64       account id, random           56      u64       XXH3-64 of the 56 bytes above
 *   24      u64       epoch of its writer
 *
 *   transaction: offset  type  field
 *                0       u32   magic "CTXN"
 *                4       u32   length of the operations in octets
 *                8       u64   length of all of it, a multiple of 8
 *                16      u64   sequence number
 *                24      u64   epoch of its writer
 *                32      u64   offset in this segment below which everything was durable when this was written
 *                40      u64   XXH3-64, with the segment's seed, of the 40 bytes above and the operations
 *                48            operations, padded to 8; then blobs (blob.h)
 *
 * The seed is not known to those who send mail, so the bytes of a message never pass for a transaction when a damaged segment is
 * searched for the next one.
 */
#ifndef CULVER_STORAGE_TXLOG_H
#define CULVER_STORAGE_TXLOG_H

#include "storage/blob.h"
#include "storage/vfs.h"

#define TXLOG_VERSION 1
#define TXLOG_HEADER_SIZE 64
#define TXLOG_TXN_SIZE 48
#define TXLOG_SEGMENT_DEFAULT ((uint64_t)64 << 20)
#define TXLOG_OPEN_FILES 32

struct seg {
    uint32_t num;
    uint64_t size;         /* known once the file was opened */
    uint64_t live;         /* octets of blobs that message records refer to, each reference counted */
    struct vfs_file *file; /* NULL: not open now */
    unsigned users;        /* message data in use: the file stays open */
    uint64_t used_at;      /* for closing the least recently used */
    bool removed;          /* its name is gone; kept while somebody may read it */
    bool doomed;           /* nothing referred to it when the snapshot in progress took its picture */
    bool keep;             /* not to be compacted: part of it cannot be read */
};

struct txlog {
    struct vfs *vfs;
    struct seg **segs; /* by number */
    size_t nsegs, caps;
    struct seg *active; /* the last; NULL before the first write */
    uint64_t account_id;
    uint64_t epoch;
    uint64_t next_seq;
    uint64_t seed;   /* of the active segment */
    uint64_t synced; /* durable end of the active segment */
    uint64_t segment_max;
    uint64_t clock;
    bool unsynced; /* something was written and not synced */
    bool broken;   /* nothing may be written any more */
    bool beheaded; /* found at open: the log does not begin with its first transaction */
};

/* Where a transaction lies. */
struct txlog_txn {
    uint64_t seq;
    uint32_t seg;
    uint64_t off;
    uint64_t blobs; /* offset in the segment where its blobs begin */
    uint64_t end;
    struct view ops;
};

/* A place between two transactions: replay begins with sequence number seq at off of segment seg; epoch is the highest before it.
 * seg 0: the very beginning. */
struct txlog_pos {
    uint32_t seg;
    uint64_t off, seq, epoch;
};

struct txlog_report {
    uint64_t replayed; /* transactions */
    uint64_t cut;      /* octets of a torn tail that were cut off */
    uint64_t damaged;  /* places in what was durable that cannot be read */
};

void txlog_init(struct txlog *l, struct vfs *vfs, uint64_t segment_max);
void txlog_deinit(struct txlog *l);

/* Finds the segments and gives every whole transaction after start to apply, in order; cuts a torn tail; makes what was found
 * durable; takes a new epoch. Damage in what was durable is passed over and reported. ERR_IO, ERR_UNSUPPORTED (newer format), and
 * what apply returns. */
typedef int txlog_apply_fn(void *arg, const struct txlog_txn *t);
MUST_CHECK int txlog_open(struct txlog *l, const struct txlog_pos *start, txlog_apply_fn *apply, void *arg,
                          struct txlog_report *out);

/* A batch: transactions that are written with one call. */
struct txlog_batch {
    struct iovec *iov;
    size_t niov, cap;
    uint8_t **heads; /* owned transaction headers */
    size_t nheads, cheads;
    uint8_t seg_head[TXLOG_HEADER_SIZE];
    uint64_t seed;
    uint32_t seg;
    uint64_t start, end;
    bool new_segment;
};
/* ERR_LIMIT: no more segment numbers. */
MUST_CHECK int txlog_batch_begin(struct txlog *l, struct txlog_batch *b);
/* Adds a transaction; ops and blobs (padded, with headers) must stay until the flush. where_out tells where it will be. */
void txlog_batch_add(struct txlog *l, struct txlog_batch *b, struct view ops, const struct iovec *blobs, size_t nblobs,
                     struct txlog_txn *where_out);
/* Writes it, with sync durably. After an error nothing of it is there (or the log is broken: nothing can be written until it is
 * opened again). Always ends the batch. */
MUST_CHECK int txlog_batch_flush(struct txlog *l, struct txlog_batch *b, bool sync);
void txlog_batch_drop(struct txlog_batch *b);

/* Makes everything durable. An error breaks the log. */
MUST_CHECK int txlog_sync(struct txlog *l);
void txlog_position(const struct txlog *l, struct txlog_pos *out);

/* Removes a segment that nothing refers to; it stays readable while somebody uses it. Not the active one. */
MUST_CHECK int txlog_seg_remove(struct txlog *l, struct seg *s);
/* Forgets removed segments that nobody uses. Only while no view is open: an expunged message of a view may lie in one. */
void txlog_reap(struct txlog *l);
/* Before txlog_open: a segment that is known from a snapshot. */
void txlog_seg_note(struct txlog *l, uint32_t num, uint64_t live);
/* NULL: there is none. */
struct seg *txlog_seg(struct txlog *l, uint32_t num);
/* Its open file. ERR_NOTFOUND, ERR_IO. */
MUST_CHECK int txlog_seg_file(struct txlog *l, struct seg *s, struct vfs_file **out);
/* The blob at off of segment seg into memory that the caller frees; checked. */
MUST_CHECK int txlog_read_blob(struct txlog *l, uint32_t seg, uint64_t off, struct blob_head *head_out, struct buf *out);

#endif
