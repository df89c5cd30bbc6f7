/* Staged changes: shared by txn.c (which makes them) and txn_prepare.c (which turns them into operations). */
#ifndef CULVER_STORAGE_TXN_INT_H
#define CULVER_STORAGE_TXN_INT_H

#include "storage/account_int.h"

/* Bytes of a message that a transaction holds until it is written. */
struct staged_bytes {
    struct view bytes;
    uint8_t *mem; /* owned; */
    void *map;    /* or mapped */
};

struct stage {
    struct stage *next;
    enum op_kind kind;
    struct op op; /* what is known when it is staged */
    struct uidset uids;
    struct buf keywords;   /* encoded */
    unsigned keywords_new; /* names reserved in op.mailbox (in op.to of a copy) */
    char *name, *to_name;  /* canonical */
    struct staged_bytes message;
    struct buf digest;
    uint8_t message_head[BLOB_HEADER_SIZE], digest_head[BLOB_HEADER_SIZE];
};

#endif
