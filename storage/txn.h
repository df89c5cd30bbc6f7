/*
 * A transaction: changes over any number of mailboxes of one account that happen together or not at all.
 *
 *   t = txn_begin(acc); txn_append(t, …); txn_flags(t, …); txn_commit(t, done, arg);     … at the end of the tick: done(arg, err,
 * result)
 *
 * Each txn_ call checks what it can and returns an error at once (the transaction is then still usable or can be aborted). What
 * it staged is applied in order at account_commit(); a message that is gone by then is skipped. Between txn_begin and txn_commit
 * no other turn of the loop may pass, except for a spooled append (see message_source).
 */
#ifndef CULVER_STORAGE_TXN_H
#define CULVER_STORAGE_TXN_H

#include "storage/mailbox.h"

struct txn;

/* Where the bytes of an appended message come from; read while staging, so it may go away afterwards. LF-only input is stored as
 * it is given: callers convert. Parts are concatenated. */
struct message_source {
    struct view parts[3]; /* in memory; unused ones empty */
    int fd; /* then fd_size bytes of this descriptor from fd_offset on; -1: none. Many of them are mapped, not copied */
    uint64_t fd_offset, fd_size;
    const uint8_t *content_id; /* of all of it, where they are known (intake.h); NULL: found out */
    const struct mime_msg *structure;
};

struct append_options {
    unsigned flags; /* enum msg_flag */
    const struct view *keywords;
    size_t nkeywords;
    bool has_date;    /* false: now, UTC */
    int64_t date;     /* INTERNALDATE, seconds since 1970 */
    int zone_minutes; /* kept, RFC 9051 date-time */
    uint32_t uid; /* 0: the next. For imports: this one. ERR_RANGE when the mailbox's next UID is above it; the commit fails when
                   * it is so only then */
    struct view uidl; /* empty: the usual one. For imports: the POP3 unique id, 1 to 70 characters from 0x21 to 0x7e */
};

/* Result of a transaction for its completion; arrays live until the completion returns. */
struct txn_result {
    uint32_t append_uidvalidity; /* of the last append's mailbox */
    struct uidset append_uids;   /* of appends, in order */
    uint32_t copy_uidvalidity;   /* of a copy's or move's destination */
    const uint32_t *copy_from;   /* source UIDs, rising, that were copied or moved */
    const uint32_t *copy_to;     /* their new UIDs, same order */
    size_t ncopied;
    struct uidset modified; /* UIDs that an UNCHANGEDSINCE left alone (RFC 7162 3.1.3) */
    struct uidset expunged; /* UIDs removed from the source */
    uint64_t modseq; /* of the last change it made; a transaction makes all its changes in a mailbox under one. 0: it changed
                        nothing */
    uint64_t annotation_first, annotation_last; /* its changes of annotations, account_annotation_change(); 0: none */
};
typedef void txn_done_fn(void *arg, int err, const struct txn_result *result);

struct txn *txn_begin(struct account *acc);
void txn_abort(struct txn **t);
/* Queues it for the tick's account_commit(). Consumes t. done may be NULL. */
void txn_commit(struct txn **t, txn_done_fn *done, void *arg);

/* ERR_QUOTA, ERR_LIMIT (keywords), ERR_NOSPACE, ERR_IO. */
MUST_CHECK int txn_append(struct txn *t, struct mailbox *m, const struct message_source *src, const struct append_options *opt);

enum flag_op { FLAGS_REPLACE, FLAGS_ADD, FLAGS_REMOVE };
struct flag_change {
    enum flag_op op;
    unsigned flags;
    const struct view *keywords; /* new ones are created unless op is FLAGS_REMOVE */
    size_t nkeywords;
    bool has_unchangedsince;
    uint64_t unchangedsince;
    unsigned keep;      /* flags that stay as they are, whatever the change says */
    bool keep_keywords; /* so do the keywords */
};
MUST_CHECK int txn_flags(struct txn *t, struct mailbox *m, const struct uidset *uids, const struct flag_change *change);
/* Removes these messages whatever their flags. Their quota is free for what the same transaction appends or copies after it. */
MUST_CHECK int txn_expunge(struct txn *t, struct mailbox *m, const struct uidset *uids);
/* By reference; flags, keywords and INTERNALDATE are kept. move: and removed from `from`. ERR_QUOTA (copy), ERR_LIMIT. */
MUST_CHECK int txn_copy(struct txn *t, struct mailbox *from, const struct uidset *uids, struct mailbox *to, bool move);
/* Of the copy that was staged last: only these flags come with it, and keywords only if they may. */
void txn_copy_flags(struct txn *t, unsigned flags, bool keywords);

/* Names as in account.h. ERR_EXISTS, ERR_NOTFOUND, ERR_DENIED (INBOX), ERR_SYNTAX, ERR_LIMIT. create makes missing parents. */
MUST_CHECK int txn_create(struct txn *t, struct view name, unsigned use);
/* For imports: the mailbox gets this UIDVALIDITY, and uidnext is its next UID; with the UIDVALIDITY that it has, at least.
 * ERR_STATE: it has messages or is in use, and its UIDVALIDITY is another; ERR_RANGE. */
MUST_CHECK int txn_identity(struct txn *t, struct mailbox *m, uint32_t uidvalidity, uint32_t uidnext);
/* Children stay (the name becomes a parent without mailbox). */
MUST_CHECK int txn_delete(struct txn *t, struct view name);
/* With the whole tree below it. Renaming INBOX moves its messages to a new mailbox (RFC 9051 6.3.6). */
MUST_CHECK int txn_rename(struct txn *t, struct view from, struct view to);
/* An annotation of a mailbox, or of the account itself (m NULL); value NULL removes it. ERR_SYNTAX: no entry name; ERR_RANGE: the
 * value is longer than ANNOTATION_VALUE_MAX; ERR_LIMIT: too many entries; ERR_QUOTA: ANNOTATION_BYTES_MAX. */
MUST_CHECK int txn_annotate(struct txn *t, struct mailbox *m, struct view entry, const struct view *value);
/* Limits that hold from then on instead of those of account_params (but there are never more than mailboxes_max mailboxes); NULL:
 * those of account_params again. ERR_IO. */
MUST_CHECK int txn_set_limits(struct txn *t, const struct quota_limits *limits);
/* A subscription does not need a mailbox. */
MUST_CHECK int txn_subscribe(struct txn *t, struct view name, bool on);

#endif
