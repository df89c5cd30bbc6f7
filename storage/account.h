/*
 * One user's mail. Called by the worker process only, from its one loop. Everything that imap, pop3 and the delivery code need of
 * storage is in this header, txn.h, mailbox.h, mailbox_view.h, message.h and storage/message/.
 *
 * Rules of the tick: sessions stage changes in transactions (txn.h); nothing they stage is visible before account_commit() has
 * written the tick's transactions with one write (and at most one fdatasync), applied them in order and called their completions.
 * A failed write applies none of them: each completion gets the error, and memory is as it was. So there is nothing to undo.
 */
#ifndef CULVER_STORAGE_ACCOUNT_H
#define CULVER_STORAGE_ACCOUNT_H

#include "common/base/buf.h"
#include "storage/uidset.h"

struct account;
struct mailbox;
struct txn;

/* System flags of a message (RFC 9051 2.3.2). \Recent is not stored: mailbox_view.h computes it. */
enum msg_flag { MSG_SEEN = 1, MSG_ANSWERED = 2, MSG_FLAGGED = 4, MSG_DELETED = 8, MSG_DRAFT = 16 };
#define KEYWORDS_MAX 256 /* a mailbox */
#define KEYWORD_LEN_MAX 64
/* A set of keywords as bits; bit i is keyword i of the mailbox. */
struct keyword_set {
    uint64_t bits[KEYWORDS_MAX / 64];
};

/* Special uses (RFC 6154), as bits of a mailbox. */
enum special_use {
    USE_ALL = 1,
    USE_ARCHIVE = 2,
    USE_DRAFTS = 4,
    USE_FLAGGED = 8,
    USE_JUNK = 16,
    USE_SENT = 32,
    USE_TRASH = 64,
    USE_IMPORTANT = 128
};
struct auto_mailbox {
    const char *name; /* UTF-8, '/' between levels */
    unsigned use;
};

struct vfs;
struct maildir;
struct account_params {
    struct vfs *vfs;                      /* borrowed: vfs_posix of the user's mail path, or a simulation */
    uint64_t flag_sync_ms;                /* 0: flags are durable before their completion */
    uint64_t quota_bytes, quota_messages; /* 0 = none; those that were set on the account hold instead of them (txn_set_limits) */
    bool quota_ignored;                   /* neither holds: an administrator puts mail in */
    uint64_t mailboxes_max;
    const struct auto_mailbox *autos; /* created and subscribed in a new account, besides INBOX */
    size_t nautos;
    uint64_t (*now_ms)(void *arg); /* wall clock, milliseconds since 1970 */
    void *now_arg;
    struct maildir *maildir; /* borrowed: messages are files of this Maildir, maildir.h; NULL: they are in the log */
    uint64_t segment_max;    /* octets after which a new segment of the log is begun; 0: 64 MiB */
};

/* Opens or creates the account. ERR_BUSY: another process owns it; ERR_CORRUPT, ERR_UNSUPPORTED (newer format), ERR_IO,
 * ERR_NOSPACE, ERR_DENIED. */
MUST_CHECK int account_open(const struct account_params *params, struct account **out);
/* Writes what is pending, a snapshot where it is worth it, releases the lock. Views and transactions must be gone. */
void account_close(struct account **acc);

/* The commit of the tick. Completions run inside. Returns 0 or the error that every completion got. */
int account_commit(struct account *acc);
bool account_has_pending(const struct account *acc);
/* Background work in slices (late flag sync, snapshot, compaction): call when idle. Returns milliseconds until it wants to be
 * called again (0: at once, there is more to do; UINT64_MAX: nothing to do). */
uint64_t account_background(struct account *acc);
/* Maildir only: changes that other programs made. The descriptor (or -1) is readable when there may be some; account_scan() takes
 * them over, in commits of its own, when nothing else is pending. It is cheap when nothing changed; call it when the descriptor
 * is readable and before sessions run. Returns milliseconds until it wants to be called all the same (UINT64_MAX: never). */
int account_watch_fd(const struct account *acc);
uint64_t account_scan(struct account *acc);
/* True after a sync error: everything is refused until the account is opened again; reading goes on. */
bool account_read_only(const struct account *acc);

/* A descriptor of an unlinked file in the user's own directory, for a literal too large to hold in memory; the caller writes it,
 * gives it to txn_append and closes it. ERR_NOSPACE, ERR_IO. */
MUST_CHECK int account_spool(struct account *acc, int *fd_out);

#define QUOTA_NONE UINT64_MAX /* no limit; 0 is one, that nothing fits in */
struct quota_limits {
    uint64_t bytes, messages, mailboxes;
};
struct quota_usage {
    uint64_t bytes, messages, mailboxes;
    struct quota_limits limits;
    uint64_t annotation_bytes; /* of ANNOTATION_BYTES_MAX */
};
void account_quota(const struct account *acc, struct quota_usage *out);

/* Mailboxes by name: UTF-8, '/' between levels, "INBOX" is upper case in the first level whatever the case asked for. A found
 * mailbox stays valid until it is deleted: sessions that keep one hold a view or look it up again by id. Names that exist only as
 * parents of others have \NonExistent semantics: not found here, seen by the iterator. */
struct mailbox *account_find(struct account *acc, struct view name);
struct mailbox *account_find_id(struct account *acc, uint32_t mailbox_id);

struct mailbox_entry {
    struct view name;        /* valid until the next commit */
    struct mailbox *mailbox; /* NULL: only a parent, or only a subscription */
    bool subscribed, has_children;
    unsigned use; /* enum special_use */
};
/* Every name, including INBOX, parents without a mailbox and subscriptions to missing names, sorted by name with '/' lowest so
 * that children follow their parent; INBOX first. Stops when fn returns false. */
void account_each(struct account *acc, bool (*fn)(void *arg, const struct mailbox_entry *e), void *arg);

/* What a name must be to be created: 1..1000 bytes, valid UTF-8 without control characters, at most 32 levels, none empty.
 * ERR_SYNTAX, ERR_LIMIT. */
MUST_CHECK int account_check_name(struct view name);

#endif
