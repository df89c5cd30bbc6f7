/* Shared by txlog.c and txlog_recover.c only. */
#ifndef CULVER_STORAGE_TXLOG_INT_H
#define CULVER_STORAGE_TXLOG_INT_H

#include "storage/txlog.h"

#define TXLOG_MAGIC "CULVLOG\n"
#define TXLOG_TXN_MAGIC 0x4e585443u /* "CTXN" */

struct seg *txlog_seg_add(struct txlog *l, uint32_t num);
void txlog_seg_drop(struct txlog *l, struct seg *s);
uint64_t txlog_txn_sum(uint64_t seed, const uint8_t *head, struct view ops);

#endif
