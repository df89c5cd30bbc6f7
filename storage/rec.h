/*
 * A message record: what a mailbox knows of one message, in memory and in a mailbox snapshot, in the same 128 bytes
 * (little-endian machines; a snapshot says so in its header).
 */
#ifndef CULVER_STORAGE_REC_H
#define CULVER_STORAGE_REC_H

#include "storage/account.h"
#include "storage/blob.h"

#define REC_GONE 0x8000u     /* expunged; stays in memory while views may know its index */
#define REC_DIRTY 0x4000u    /* differs from the mapped snapshot */
#define REC_RENAME 0x2000u   /* Maildir: the name of its file does not show its flags yet, and does not count */
#define REC_STALE 0x1000u    /* differs from the file that a snapshot in progress has written */
#define REC_OPEN_END 0x0800u /* of its bytes, not of its state: the last line has no line end (POP3 will add one) */
#define REC_FLAGS (MSG_SEEN | MSG_ANSWERED | MSG_FLAGGED | MSG_DELETED | MSG_DRAFT)

struct msg_rec {
    uint32_t uid;
    uint16_t flags; /* enum msg_flag, REC_ */
    int16_t zone;   /* of date, minutes */
    uint64_t modseq;
    uint64_t size; /* octets */
    int64_t date;
    int64_t savedate;
    uint64_t off;     /* of the blob's header in segment seg; */
    uint32_t seg;     /* 0: its bytes are a file of a Maildir, and off is the mailbox in whose folder it is */
    uint32_t dig_len; /* 0: there is no digest */
    uint64_t dig_off; /* of the digest's blob header in */
    uint32_t dig_num; /* log.<dig_num>, or where dig_mbox is not 0 digest.<dig_mbox>.<dig_num> */
    uint32_t dig_mbox;
    uint8_t emailid[BLOB_ID_SIZE];
    struct keyword_set keywords;
    uint64_t file; /* md_name_hash() of the base name of that file */
};
_Static_assert(sizeof(struct msg_rec) == 128, "the record's size is part of the snapshot format");

#endif
