/* Annotations (RFC 5464) of the account itself and of its mailboxes, as sessions see them; txn_annotate() changes them. */
#ifndef CULVER_STORAGE_METADATA_H
#define CULVER_STORAGE_METADATA_H

#include "common/base/buf.h"

struct account;
struct mailbox;

/* Entries "/private/…" and "/shared/…", letters in lower case; values are any octets. */
#define ANNOTATIONS_MAX 100 /* of a mailbox, and of the account itself */
#define ANNOTATION_ENTRY_MAX 255
#define ANNOTATION_VALUE_MAX ((size_t)64 << 10)
#define ANNOTATION_BYTES_MAX ((size_t)4 << 20) /* entries and values of all */
typedef bool annotation_fn(void *arg, struct view entry, struct view value);
/* Those of the account itself, sorted by entry. Stops when fn returns false. */
void account_annotation_each(const struct account *acc, annotation_fn *fn, void *arg);
/* *value_out is valid until the next commit. False: there is none. */
bool account_annotation(const struct account *acc, struct view entry, struct view *value_out);

/* Changes of annotations have numbers, from 1 since the account was opened; the last so many are remembered. */
#define ANNOTATION_CHANGES_MAX 1024
struct annotation_change {
    uint32_t mailbox; /* 0: of the account itself */
    struct view entry;
};
uint64_t account_annotation_changes(const struct account *acc);
/* False: that was longer ago, or has not been yet. The entry is valid until the next commit. */
bool account_annotation_change(const struct account *acc, uint64_t number, struct annotation_change *out);
/* Is called at the end of a commit that changed annotations, or (account_watch_all) anything. */
struct account_watch;
struct account_watch *account_watch_new(struct account *acc, void (*fn)(void *arg), void *arg);
void account_watch_free(struct account_watch **watch);
void account_watch_all(struct account_watch *watch, bool all);
/* Grow with every change of names, subscriptions and access rights, and with every change of messages. */
uint64_t account_names_changes(const struct account *acc);
uint64_t account_mailbox_changes(const struct account *acc);
/* Every mailbox whose messages changed when account_mailbox_changes() was above `since`, the last first. */
void account_each_changed(const struct account *acc, uint64_t since, void (*fn)(void *arg, const struct mailbox *m), void *arg);

/* As account_annotation_each() and account_annotation(). */
void mailbox_annotation_each(const struct mailbox *m, annotation_fn *fn, void *arg);
bool mailbox_annotation(const struct mailbox *m, struct view entry, struct view *value_out);

#endif
