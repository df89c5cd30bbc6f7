/* The form of the log: shared by txlog.c, txlog_recover.c and what looks at files from outside (verify, salvage). */
#ifndef CULVER_STORAGE_TXLOG_INT_H
#define CULVER_STORAGE_TXLOG_INT_H

#include "storage/txlog.h"

#define TXLOG_MAGIC "CULVLOG\n"
#define TXLOG_TXN_MAGIC 0x4e585443u /* "CTXN" */

struct seg *txlog_seg_add(struct txlog *l, uint32_t num);
void txlog_seg_drop(struct txlog *l, struct seg *s);
uint64_t txlog_txn_sum(uint64_t seed, const uint8_t *head, struct view ops);

/* txlog_recover.c */
struct txlog_seg_head {
    uint64_t account_id, epoch, first_seq, seed;
    uint32_t num;
};
/* The header of segment num. ERR_CORRUPT, ERR_UNSUPPORTED (newer format). */
MUST_CHECK int txlog_seg_head_parse(struct view bytes, uint32_t num, struct txlog_seg_head *out);

struct txlog_txn_head {
    uint32_t ops_len;
    uint64_t total, seq, epoch, synced;
};
/* What looking for transactions may cost: a message can be full of what looks like large ones, each of which is a checksum over
 * much of the segment. */
struct txlog_budget {
    uint64_t left; /* octets */
    bool spent;    /* there was not enough: what was not found may be there */
};
struct txlog_budget txlog_budget_of(uint64_t size);
/* Whether a whole transaction lies at off of a segment whose checksums have this seed; its blobs are not looked at. */
bool txlog_txn_parse(struct view bytes, uint64_t off, uint64_t seed, struct txlog_budget *budget, struct txlog_txn_head *out,
                     struct view *ops_out);

#endif
