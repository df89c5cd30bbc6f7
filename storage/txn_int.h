/* Staged changes: shared by txn.c (which makes them) and txn_prepare.c (which turns them into operations). */
#ifndef CULVER_STORAGE_TXN_INT_H
#define CULVER_STORAGE_TXN_INT_H

#include "storage/account_int.h"
#include "storage/guard.h"

/* Bytes of a message that a transaction holds until it is written. */
struct staged_bytes {
    struct view bytes;
    uint8_t *mem; /* owned; */
    void *map;    /* or in a mapping, */
    size_t map_len;
    struct guard guard;
};

/* A message's bytes and digest on their way to another segment, and the records that refer to them. */
struct relocation {
    struct msg_rec rec; /* any of the records: where the bytes are now */
    struct {
        uint32_t mailbox, uid;
    } * refs;
    size_t n, cap;
};
void relocation_add(struct relocation *r, const struct mailbox *m, const struct msg_rec *rec);
void relocation_free(struct relocation *r);
/* Reads the bytes and stages their relocation; takes over r's references. ERR_CORRUPT, ERR_IO, ERR_NOMEM. */
MUST_CHECK int txn_relocate(struct txn *t, struct relocation *r);

struct stage;
struct stage *stage_new(enum op_kind kind);
void stage_free(struct account *acc, struct stage *s);
void stage_add(struct txn *t, struct stage *s);
/* ERR_SYNTAX, ERR_LIMIT. create: slots for new ones are reserved. */
MUST_CHECK int stage_keywords(struct stage *s, struct mailbox *m, const struct view *keywords, size_t n, bool create);
/* quota.c: the limits that hold. */
struct quota_limits account_limits(const struct account *acc);
/* annotation.c: what was reserved for it. */
void annotation_stage_end(struct account *acc, const struct stage *s);
/* Size, content id (NULL: computed) and digest of what s->message holds. */
void stage_message(struct stage *s, const uint8_t *content_id, const struct mime_msg *structure);

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
    struct relocation relocation;
    bool uid_given; /* op.uid is not the next, but this one */
    bool applied;
    bool flags_limited;      /* a copy: op.flags says which of them come with it */
    char *made_dir;          /* Maildir: files were made for it, in tmp/ of this folder: */
    struct buf made;         /* their names, each with its NUL */
    struct buf names;        /* for op.names, or op.value */
    unsigned annotation_new; /* an entry was reserved, */
    size_t annotation_bytes; /* and so many octets */
    uint8_t message_head[BLOB_HEADER_SIZE], digest_head[BLOB_HEADER_SIZE];
};

#endif
