/*
 * A session's view of a mailbox: the messages it has been told of, by sequence number. Other sessions' changes are noted when
 * they are committed and reach the view only in mailbox_view_sync(), which the session calls where its protocol allows it.
 */
#ifndef CULVER_STORAGE_MAILBOX_VIEW_H
#define CULVER_STORAGE_MAILBOX_VIEW_H

#include "storage/mailbox.h"
#include "storage/message.h"

struct mailbox_view;

/* take_recent: this view gets \Recent of messages no other has had (SELECT yes, EXAMINE and POP3 no). */
struct mailbox_view *mailbox_view_open(struct account *acc, struct mailbox *m, bool take_recent);
void mailbox_view_close(struct mailbox_view **v);
/* NULL once the mailbox was deleted; the messages of the view can still be read until it is closed. */
struct mailbox *mailbox_view_mailbox(const struct mailbox_view *v);

/* Called (from account_commit) when something new waits for this view: the session then schedules a sync or, in IDLE, tells it.
 */
void mailbox_view_set_notify(struct mailbox_view *v, void (*fn)(void *arg), void *arg);
bool mailbox_view_pending(const struct mailbox_view *v);

uint32_t mailbox_view_count(const struct mailbox_view *v);
uint32_t mailbox_view_recent(const struct mailbox_view *v);
/* The first of the messages from..to (downwards where to is less) that has all flags of set and none of clear (enum msg_flag), or
 * 0; expunged ones count. */
uint32_t mailbox_view_find_flags(const struct mailbox_view *v, uint32_t from, uint32_t to, unsigned set, unsigned clear);
/* seq 1..count. */
void mailbox_view_info(const struct mailbox_view *v, uint32_t seq, struct msg_info *out);
uint32_t mailbox_view_uid(const struct mailbox_view *v, uint32_t seq);
/* The POP3 unique id that came with this message from elsewhere; empty: it has none of its own. Valid until the next commit. */
struct view mailbox_view_uidl(const struct mailbox_view *v, uint32_t seq);
/* Maildir: the base name of its file. Empty: it is in the log, or the file is gone. Valid until the next call on this account. */
struct view mailbox_view_file_name(const struct mailbox_view *v, uint32_t seq);
/* Sequence number of a UID, or 0. */
uint32_t mailbox_view_seq(const struct mailbox_view *v, uint32_t uid);
/* The first sequence number whose UID is >= uid, or count + 1. */
uint32_t mailbox_view_seq_at_or_after(const struct mailbox_view *v, uint32_t uid);

/* ERR_CORRUPT, ERR_IO; ERR_NOTFOUND only for Maildir files that vanished. */
MUST_CHECK int mailbox_view_data(struct mailbox_view *v, uint32_t seq, struct msg_data *out);
/* The message's digest (storage/message/digest.h); *out_bytes is valid until the next call on this account. */
MUST_CHECK int mailbox_view_digest(struct mailbox_view *v, uint32_t seq, struct view *out_bytes);
/* Its thread (RFC 8474 THREADID), from the digest. */
MUST_CHECK int mailbox_view_threadid(struct mailbox_view *v, uint32_t seq, uint8_t out[16]);

/* What has changed, in the order in which an IMAP session tells it. */
struct view_changes {
    const uint32_t *expunged_seqs; /* sequence numbers as of the moment each is told: highest first, so none shifts another */
    const uint32_t *expunged_uids; /* the same messages */
    size_t nexpunged;
    uint32_t count;      /* messages in the view now */
    bool exists_changed; /* new messages came */
    uint32_t recent;
    const uint32_t
        *changed_seqs; /* messages (known before) with changed flags or modseq, rising; sequence numbers after the expunges */
    size_t nchanged;
    bool keywords_changed; /* the mailbox has new keywords: tell FLAGS */
    bool deleted;          /* the mailbox itself is gone */
    uint64_t modseq;       /* of the mailbox: what is told is up to here */
    uint64_t held_modseq;  /* the lowest of the expunges that are kept for later; 0: there are none */
};
/* Takes over what waits. allow_expunge false keeps expunges (and what depends on them) for later. The arrays live until the next
 * call on this view. */
void mailbox_view_sync(struct mailbox_view *v, bool allow_expunge, struct view_changes *out);
/* The changes of this session's own silent STORE need not be told again: forgets a pending flag change of these UIDs as of
 * modseq. */
void mailbox_view_forget(struct mailbox_view *v, const struct uidset *uids, uint64_t modseq);

/* A view as a record, for the process that takes the place of this one (view_freeze.c): the messages that the client knows,
 * those of them that are gone, what it is still to be told. Only closing is left for v. ERR_LIMIT: it has more than
 * VIEW_GHOSTS_MAX messages that are gone. */
#define VIEW_GHOSTS_MAX ((uint32_t)1 << 17)
MUST_CHECK int mailbox_view_freeze(struct mailbox_view *v, struct buf *out);
/* The view again, with the same sequence numbers, on the account as it is now; what came meanwhile waits for it as changes do.
 * The record may come from a process that lies: ERR_PROTO when it is none, or cannot be true of this account; ERR_LIMIT. */
MUST_CHECK int mailbox_view_thaw(struct account *acc, struct cursor *c, struct mailbox_view **out);

#endif
