/* What the files of storage share of an account, its mailboxes and views. Nobody else includes this. */
#ifndef CULVER_STORAGE_ACCOUNT_INT_H
#define CULVER_STORAGE_ACCOUNT_INT_H

#include "storage/annotation.h"
#include "storage/mailbox_view.h"
#include "storage/op.h"
#include "storage/rec.h"
#include "storage/txlog.h"
#include "storage/txn.h"

#define MODSEQ_JUMP ((uint64_t)1 << 24) /* more than one second of changes can use */
#define VANISHED_MAX 8192               /* ranges of expunged UIDs remembered for a mailbox */
#define NAME_LEN_LIMIT 1000
#define NAME_LEVELS_LIMIT 32

/* A growing array of indices of records. */
struct idx_list {
    uint32_t *v;
    size_t n, cap;
};
void idx_add(struct idx_list *l, uint32_t idx);
void idx_free(struct idx_list *l);
void idx_sort_unique(struct idx_list *l);

/* A change of a record, for the views. */
struct change {
    uint32_t idx;
    uint64_t modseq;
};

struct vanished {
    uint64_t modseq;
    uint32_t first, last;
};

/* Record indices by sequence number, shared by views that know the same messages. A view uses the first `count` of them. */
struct seqmap {
    unsigned refs;
    uint32_t n, cap;
    uint32_t *idx;
};

struct mailbox {
    struct account *acc;
    uint32_t id;
    char *name;
    size_t name_len;
    unsigned use;
    uint32_t uidvalidity, uidnext;
    uint64_t highestmodseq;
    uint64_t modseq_txn; /* sequence number of the transaction that last raised it: one value for all its changes */
    uint32_t messages, unseen, deleted, recent;
    uint64_t size, deleted_size;
    uint32_t first_recent; /* UIDs from here on have not been given to anybody as \Recent */
    bool recent_unsaved;

    /* Records by UID: first those of the snapshot (mapped copy-on-write, or none), then those that came since. */
    struct msg_rec *base, *tail; /* valid once loaded */
    uint32_t nbase, ntail, ctail;
    struct idx_list expunged; /* those of all records that are REC_GONE */

    /* The snapshot on disk: mbox.<id>.<file_num> (0: none) and what differs from it in the state file. */
    bool loaded;  /* the records are in memory */
    bool damaged; /* part of them cannot be read: no changes, and its files stay */
    void *map;    /* of a mailbox file */
    size_t map_len;
    uint32_t file_num, file_recs;
    uint32_t nfile;                /* records with an index below are in that file */
    struct idx_list dirty;         /* of those, the ones that changed since */
    uint64_t delta_off, delta_sum; /* in the state file, while not loaded */
    uint32_t delta_tail, delta_dirty;

    /* The file that a snapshot in progress writes for it (0: none); it counts when the snapshot does. */
    uint32_t new_num, new_recs;
    uint32_t new_end;          /* the records with an index below are for it; */
    uint32_t new_cursor;       /* those below are in it, */
    struct idx_list new_dirty; /* and of them, these changed since */
    bool touched;              /* records changed since the snapshot in progress took its picture */

    char *keywords[KEYWORDS_MAX];
    unsigned nkeywords;
    unsigned keywords_staged; /* names that open transactions want to add, at most */

    struct vanished *vanished;
    size_t nvanished, cvanished;
    uint64_t vanished_floor; /* expunges up to this modseq may be forgotten */

    struct change *changes; /* since position changes_base, for the views */
    size_t nchanges, cchanges;
    uint64_t changes_base;
    struct mailbox_view *views;
    bool gone; /* deleted; freed with its last view */

    uint64_t changed; /* changes.c: the number of its last change; 0: none since the account was opened */
    struct mailbox *changed_before, *changed_after;

    uint32_t dig_num;  /* its digest file, 0: none yet */
    uint32_t gathered; /* digests of UIDs below are in it, or cannot be */
    bool gathering;

    uint32_t batch_uidnext; /* while a batch is prepared */
    uint64_t batch;

    struct annotations annotations;
    struct uidl *uidls; /* by UID */
    size_t nuidls, cuidls;
    struct md_box *md; /* Maildir: its folder */
};

/* Subscribed names that exist or not, sorted as mailboxes are. */
struct sub {
    size_t len;
    char *name;
};

/* A POP3 unique id that is not the usual one. */
struct uidl {
    uint32_t uid;
    char *text;
};

/* A digest file: digest.<mailbox>.<num>. */
struct digfile {
    uint32_t mailbox, num;
    uint64_t size; /* as far as anybody knows */
    uint64_t live;
    void *map;
    size_t map_len;
};

struct account {
    struct vfs *vfs;
    struct account_params params;
    struct txlog log;
    struct mailbox **by_name, **by_id;
    size_t nmailboxes, cmailboxes;
    struct sub *subs;
    size_t nsubs, csubs;
    struct annotations annotations;               /* its own */
    uint64_t annotation_bytes, annotation_staged; /* of all mailboxes too */
    struct annotation_note *notes;                /* a ring of their last changes; NULL: there was none yet */
    uint64_t nnotes;                              /* that ever were */
    uint64_t applied, applied_told;               /* transactions since it was opened; watches know of */
    bool notes_new;                               /* watches are not told of all yet */
    uint64_t mailbox_changes, names_changes;      /* changes.c */
    struct mailbox *last_changed;
    struct account_watch *watches;
    uint32_t next_mailbox_id, last_uidvalidity;
    uint64_t bytes, messages; /* used, each reference counted */
    uint64_t bytes_staged, messages_staged;
    struct mailbox_view *views;
    struct txn *queue, **queue_end;
    unsigned open_txns;
    uint64_t batch;
    uint64_t jump;           /* modseq jump that is in memory and not yet in the log */
    uint64_t unsynced_since; /* ms; 0: nothing */
    bool recent_unsaved;
    struct maildir *md; /* NULL: message bytes are in the log */
    struct buf scratch; /* a digest for the caller */
    bool damaged;

    /* snapshot.c */
    struct vfs_file *state_file; /* of the last snapshot; NULL: none */
    uint32_t state_num, next_num;
    uint64_t state_bytes;      /* its length */
    uint64_t tail_bytes;       /* operations in the log since */
    uint64_t snapshot_after;   /* ms; not before, after a failure */
    struct vfs_name *obsolete; /* files that the next snapshot makes needless */
    size_t nobsolete, cobsolete, nleftover;
    size_t nremovable;     /* the first so many of them can go now */
    bool clean;            /* the last transaction says that the account was closed in order */
    bool closing;          /* the next one will say so */
    bool snapshot_bad;     /* it cannot be read: the log is read from its beginning */
    bool snapshot_doubted; /* there is an older one too: it may be that writing this one's trailer failed, and that only the page
                              cache has it */
    unsigned damaged_mailboxes;
    struct snapshot *snapshot; /* being written; NULL: none */
    uint32_t snapshot_slice;   /* records and, times 128, octets that are written at once */
    struct digfile **digfiles;
    size_t ndigfiles, cdigfiles;
    uint64_t gather_after;   /* ms */
    struct compact *compact; /* compact.c; NULL: none is going on */
    uint64_t compact_after;  /* ms */
    uint32_t small_mailbox;  /* records that stay in the state file whatever their share */
};

/* account.c: an account with nothing in it, and its end; only account_open() and what reads damaged accounts make one. */
struct account *account_new(const struct account_params *params);
void account_free(struct account *acc);

/* names.c: the order of names is bytewise with '/' lowest, INBOX and what is below it first. */
int name_cmp(struct view a, struct view b);
struct view mailbox_name_view(const struct mailbox *m);
/* The name as it is stored: INBOX in capitals in the first level. out is at least v.len long. */
struct view name_canonical(struct view v, char out[NAME_LEN_LIMIT]);
bool name_below(struct view name, struct view parent);
bool name_is_inbox(struct view name);
void names_insert(struct account *acc, struct mailbox *m);
void names_remove(struct account *acc, struct mailbox *m);
/* Index of the first mailbox that is not before name. */
size_t names_lower_bound(const struct account *acc, struct view name);
void subs_set(struct account *acc, struct view name, bool on);
bool subs_has(const struct account *acc, struct view name);

/* mailbox.c */
struct mailbox *mailbox_new(struct account *acc, uint32_t id, struct view name);
void mailbox_free(struct mailbox *m);
static inline uint32_t mailbox_nrecs(const struct mailbox *m)
{
    return m->nbase + m->ntail;
}
static inline struct msg_rec *mailbox_rec(const struct mailbox *m, uint32_t idx)
{
    return idx < m->nbase ? &m->base[idx] : &m->tail[idx - m->nbase];
}
/* Index of the first record with UID >= uid. */
uint32_t mailbox_rec_at(const struct mailbox *m, uint32_t uid);
/* Its live record, or NULL. */
struct msg_rec *mailbox_rec_find(const struct mailbox *m, uint32_t uid);
void mailbox_rec_add(struct mailbox *m, const struct msg_rec *rec);
/* To be called before a record that is in the mailbox's file changes. */
void mailbox_rec_dirty(struct mailbox *m, uint32_t idx);
/* Adds (sign 1) or takes away (-1) what a record keeps alive, of segments and digest files. */
void rec_count_live(struct account *acc, const struct msg_rec *rec, int sign);
void mailbox_rec_flags(struct mailbox *m, uint32_t idx, unsigned flags, const struct keyword_set *kw, uint64_t modseq);
void mailbox_rec_expunge(struct mailbox *m, uint32_t idx, uint64_t modseq);
uint64_t mailbox_bump(struct mailbox *m, uint64_t seq);
/* changes.c: something that mailbox_status() tells is another. */
void mailbox_changed(struct mailbox *m);
/* It is deleted. */
void mailbox_changed_forget(struct mailbox *m);
/* Its index, added where it is new; -1 when there are too many. */
int mailbox_keyword_add(struct mailbox *m, struct view name);
void mailbox_note_change(struct mailbox *m, uint32_t idx, uint64_t modseq);
void mailbox_changes_trim(struct mailbox *m);

/* uidl.c: no text: the usual one again. */
void uidl_set(struct mailbox *m, uint32_t uid, struct view text);
void uidls_free(struct mailbox *m);

/* apply.c: what a transaction did, for its completion. */
struct apply_result {
    struct txn_result pub;
    struct idx_list copy_from, copy_to;
};
void apply_result_init(struct apply_result *r);
void apply_result_free(struct apply_result *r);
/* Applies a transaction to memory; the same for a commit (r set) and for recovery. ERR_CORRUPT, ERR_UNSUPPORTED: operations that
 * cannot be read. */
MUST_CHECK int account_apply(struct account *acc, const struct txlog_txn *t, struct apply_result *r);
void mailbox_destroy(struct account *acc, struct mailbox *m);

/* snapshot.c */
/* Writes the account as it is now; what older snapshots need goes when it is durable. On error everything is as before. */
MUST_CHECK int snapshot_write(struct account *acc);
/* The same in slices: begin, then until false. */
void snapshot_begin(struct account *acc);
bool snapshot_slice(struct account *acc);
/* Goes on with one in progress to its end. */
MUST_CHECK int snapshot_finish(struct account *acc);
/* Without touching files. */
void snapshot_free(struct account *acc);
/* snapshot_mbox.c: before a mailbox goes, or begins anew. */
void snapshot_mailbox_gone(struct mailbox *m);
bool snapshot_due(const struct account *acc);
/* At a close: whether writing it is worth more than replaying the log's tail. */
bool snapshot_worth(const struct account *acc);
void snapshot_obsolete(struct account *acc, struct vfs_name name);
/* After a good open: what an unfinished snapshot left goes. */
void snapshot_clean(struct account *acc);
/* snapshot_load.c */
/* Finds the newest whole snapshot; start_out is where the log goes on. Nothing there: start_out is the beginning. ERR_CORRUPT:
 * there are snapshots, none of them whole; ERR_UNSUPPORTED: it is of a newer version. */
MUST_CHECK int snapshot_load(struct account *acc, struct txlog_pos *start_out);
/* The mailbox's records into memory. ERR_CORRUPT, ERR_IO: it is damaged, and what could be read of it is there. */
MUST_CHECK int mailbox_load(struct mailbox *m);
/* As mailbox_load, where there is nobody to tell. */
void mailbox_need(struct mailbox *m);
/* Records that are all in the snapshot leave memory. No view may be open. */
void mailbox_unload(struct mailbox *m);

/* digests.c */
struct digfile *digfile_find(const struct account *acc, uint32_t mailbox, uint32_t num);
struct digfile *digfile_add(struct account *acc, uint32_t mailbox, uint32_t num);
void digfiles_free(struct account *acc);
bool digfile_needed(const struct account *acc, const struct digfile *f);
/* At a snapshot: those that nothing refers to become obsolete. */
void digfiles_drop_needless(struct account *acc);
/* Valid until the next change of the account. ERR_CORRUPT, ERR_IO. */
MUST_CHECK int digfile_read(struct account *acc, const struct msg_rec *rec, struct view *out);
/* A piece of gathering; false: there is none now. */
bool digest_slice(struct account *acc);

/* compact.c */
/* A piece of work; false: there is none now. */
bool compact_slice(struct account *acc);
void compact_free(struct account *acc);

/* commit.c */
/* Commits an empty transaction: carries what the account itself has to say. */
MUST_CHECK int account_commit_own(struct account *acc);
void account_mark_unsynced(struct account *acc);
uint64_t account_now_ms(const struct account *acc);

/* message.c */
MUST_CHECK int message_data(struct account *acc, const struct msg_rec *rec, struct msg_data *out);
/* Takes over mem and fd (-1: none), which hold the message's bytes. */
void msg_data_own(struct account *acc, uint8_t *mem, struct view bytes, int fd, struct msg_data *out);
MUST_CHECK int message_digest(struct account *acc, const struct msg_rec *rec, struct view *out);

/* mailbox_view.c */
void views_mailbox_changed(struct mailbox *m);
void views_notify(struct account *acc);

/* txn.c */
struct stage;
struct txn {
    struct account *acc;
    struct stage *first, **last;
    struct txn *next;
    txn_done_fn *done;
    void *arg;
    bool structural; /* changes names: ends a batch */
    bool durable;    /* not flags only */
    bool applied;
    uint64_t bytes_staged, messages_staged;
    struct buf folders;                   /* Maildir: made for it, each with its NUL */
    uint64_t bytes_freed, messages_freed; /* what it removes makes room for what it adds afterwards */
    /* while it is committed */
    struct buf ops;
    struct iovec *iov;
    size_t niov, ciov;
    uint64_t blob_bytes;
    struct txlog_txn where;
    int err;
};
/* txn_prepare.c: staged changes as operations against the state as it is now; assigns UIDs. */
MUST_CHECK int txn_prepare(struct txn *t);
void txn_free(struct txn *t);

#endif
