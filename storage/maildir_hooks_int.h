/* What the account's own files call of the Maildir's, where acc->md is set. */
#ifndef CULVER_STORAGE_MAILDIR_HOOKS_INT_H
#define CULVER_STORAGE_MAILDIR_HOOKS_INT_H

#include "storage/maildir_name.h"
#include "storage/op.h"
#include "storage/txn_int.h"

/* maildir_open.c. Before anything is read: */
void md_account_init(struct account *acc);
/* Before the mailboxes of a new account are made: those of a Maildir that has some. *is_new false: it had. */
MUST_CHECK int md_account_open(struct account *acc, bool *is_new);
/* Afterwards: what is in the folders. */
MUST_CHECK int md_account_opened(struct account *acc);
/* Everything that must be on disk before the log forgets why. */
MUST_CHECK int md_settle(struct account *acc);
/* Names show flags, and all is settled: the account can be closed in order. */
MUST_CHECK int md_account_close(struct account *acc);
void md_account_free(struct account *acc);
uint64_t md_background(struct account *acc);
struct md_box *md_box_new(const struct maildir *md);
void md_mailbox_free(struct mailbox *m);

/* maildir_txn.c: changes on their way. */
MUST_CHECK int md_check_name(struct view name);
/* One mailbox without those below it. Errors as txn_rename(). */
MUST_CHECK int txn_rename_one(struct txn *t, struct mailbox *m, struct view to);
/* As txn_create(), without the mailboxes above it: a folder that is there need not have them. */
MUST_CHECK int txn_create_alone(struct txn *t, struct view name, unsigned use);
/* Turns lone LFs of a staged message into CRLF: so it will be served. */
MUST_CHECK int md_stage_crlf(struct stage *s);
/* Makes a staged message (with its content and options) a file in tmp/. */
MUST_CHECK int md_stage_append(struct account *acc, struct mailbox *m, struct stage *s);
/* Files that were made for it go, unless it was applied. */
void md_stage_end(struct account *acc, struct stage *s);
/* Links for the copies of these messages; names for the operation. */
MUST_CHECK int md_prepare_copy(struct account *acc, struct stage *s, struct mailbox *from, const char *to_dir,
                               const struct uidset *uids);
MUST_CHECK int md_prepare_rename_inbox(struct account *acc, struct stage *s, struct mailbox *inbox, struct view to,
                                       const struct uidset *uids, struct op *op);
MUST_CHECK int md_prepare_create(struct txn *t, struct view name, uint32_t id, uint32_t uidvalidity);
/* Folders that were made for a transaction that came to nothing; each name has its NUL. */
void md_discard_folders(struct account *acc, struct view dirs);
/* What the batch made is durable. */
MUST_CHECK int md_batch_sync(struct account *acc);

const char *md_box_dir(struct mailbox *m);

/* Notes of what was applied, at a commit and at recovery; md_after_commit() then does it. */
void md_note_added(struct mailbox *m, const struct msg_rec *rec, struct view base);
void md_publish_later(struct mailbox *m, uint64_t hash);
void md_note_unused(struct mailbox *to, struct view base);
void md_note_expunged(struct mailbox *m, const struct msg_rec *rec);
void md_note_flags(struct mailbox *m, const struct msg_rec *rec);
void md_note_created(struct mailbox *m);
void md_note_deleted(struct mailbox *m);
void md_note_renamed(struct mailbox *m);
void md_note_clean(struct account *acc);
void md_after_commit(struct account *acc);

/* maildir_data.c */
/* The base name of its file, or empty. */
struct view md_message_name(struct account *acc, const struct msg_rec *rec);
MUST_CHECK int md_message_data(struct account *acc, const struct msg_rec *rec, struct msg_data *out);

#endif
