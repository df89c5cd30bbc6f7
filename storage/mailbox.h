/* A mailbox of an account: its identity, counters and keywords. Read-only here; changes go through txn.h. */
#ifndef CULVER_STORAGE_MAILBOX_H
#define CULVER_STORAGE_MAILBOX_H

#include "storage/account.h"
#include "storage/metadata.h"

struct mailbox_status {
    uint32_t messages, unseen, deleted; /* deleted: with \Deleted */
    uint32_t uidnext, uidvalidity;
    uint64_t highestmodseq;
    uint64_t size; /* sum of RFC822.SIZE */
    uint64_t deleted_size;
    uint32_t recent; /* messages no session has been told of as \Recent yet */
};
void mailbox_status(const struct mailbox *m, struct mailbox_status *out);

uint32_t mailbox_id(const struct mailbox *m);
struct view mailbox_name(const struct mailbox *m); /* valid until the next commit */
/* RFC 8474 MAILBOXID: printable, at most 40 bytes. */
void mailbox_put_objectid(struct buf *out, const struct mailbox *m);
unsigned mailbox_use(const struct mailbox *m);

/* Keywords that were ever used in this mailbox. */
unsigned mailbox_keyword_count(const struct mailbox *m);
struct view mailbox_keyword(const struct mailbox *m, unsigned index);
/* Index of a keyword (ASCII case folded), or -1. */
int mailbox_keyword_find(const struct mailbox *m, struct view name);

/* UIDs expunged after modseq `since` (RFC 7162 VANISHED (EARLIER)), added to out. When that is longer ago than is remembered:
 * every UID below UIDNEXT that does not exist. */
void mailbox_vanished(const struct mailbox *m, uint64_t since, struct uidset *out);

#endif
