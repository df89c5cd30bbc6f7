/*
 * The operations of a transaction: one struct for all, an encoder and a decoder. An operation is
 *
 *   u8 kind, u32 length of the rest, then its fields in the order of the table in op.c
 *
 * Names and keywords are UTF-8 with a length before them. A set of UIDs is a count of ranges, then for each the distance of its
 * first from the end of the one before and its length less one, as varints.
 */
#ifndef CULVER_STORAGE_OP_H
#define CULVER_STORAGE_OP_H

#include "common/base/cursor.h"
#include "storage/blob.h"
#include "storage/txn.h"

enum op_kind {
    OP_CREATE = 1, /* a mailbox: mailbox, uidvalidity, use, name */
    OP_DELETE,     /* mailbox */
    OP_RENAME,     /* mailbox, name */
    OP_SUBSCRIBE,  /* on, name */
    OP_APPEND,     /* mailbox, uid, flags, zone, date, savedate, size, emailid, blob, digest, digest_len, keywords */
    OP_FLAGS, /* mailbox, how, flags (and above FLAGS_KEEP_SHIFT those that stay as they are), has_unchangedsince, unchangedsince,
                 keywords, uids */
    OP_EXPUNGE,     /* mailbox, uids */
    OP_COPY,        /* mailbox, to, uid (of the first copy, the others follow), savedate, on (move), uids */
    OP_RECENT,      /* mailbox, uid: the first that nobody was told of as \Recent */
    OP_JUMP,        /* modseq: every mailbox's modseq grows by this (what a crash lost may have been told to clients) */
    OP_RELOCATE,    /* mailbox, uid, blob, digest, digest_len: the bytes of this message are now those of this transaction */
    OP_CLEAN,       /* the account was closed in order: nothing unsynced was lost before this */
    OP_IDENTITY,    /* mailbox, uidvalidity, uid (the next one): a mailbox without messages begins anew; with its own uidvalidity:
                     * the next UID is    at least this */
    OP_APPEND_FILE, /* as OP_APPEND, without blob: the message is a file of a Maildir; names: its base name */
    OP_COPY_FILE,   /* as OP_COPY, names: the base names of the copies' files, in order */
    OP_UIDL,        /* mailbox, uid, name: the POP3 unique id of this message */
    OP_ANNOTATE,    /* mailbox (0: the account), on (there is a value), name: the entry, value */
    OP_KIND_END
};

/* In the flags of OP_FLAGS: what is not changed, whatever the operation says. */
#define FLAGS_KEEP_SHIFT 8
#define FLAGS_KEEP_KEYWORDS 0x2000u

struct op {
    enum op_kind kind;
    uint32_t mailbox, to;
    uint32_t uid, uidvalidity;
    unsigned use, flags;
    enum flag_op how;
    bool on, has_unchangedsince;
    int zone;
    int64_t date, savedate;
    uint64_t size, unchangedsince, modseq;
    uint64_t blob, digest; /* offsets from where the blobs of the transaction begin */
    uint32_t digest_len;
    uint8_t emailid[BLOB_ID_SIZE];
    struct view name;
    struct view keywords; /* encoded */
    struct view uids;     /* encoded */
    struct view names;    /* encoded as keywords are */
    struct view value;
};

void op_put(struct buf *out, const struct op *op);
/* The next operation; its views point into c's bytes. ERR_CORRUPT, ERR_UNSUPPORTED (unknown kind). Keywords and UIDs are checked
 * whole, so that walking through them cannot fail. */
MUST_CHECK int op_get(struct cursor *c, struct op *out);

void op_put_keywords(struct buf *out, const struct view *keywords, size_t n);
void op_put_uids(struct buf *out, const struct uidset *uids);

/* Walking: init, then next until false. */
struct op_walk {
    struct cursor c;
    uint64_t left;
    uint64_t last;
};
void op_walk_init(struct op_walk *w, struct view encoded);
bool op_walk_keyword(struct op_walk *w, struct view *out);
bool op_walk_name(struct op_walk *w, struct view *out);
bool op_walk_range(struct op_walk *w, struct uid_range *out);

#endif
