/* Annotations (RFC 5464) as they are kept: of a mailbox, or of the account, sorted by entry. */
#ifndef CULVER_STORAGE_ANNOTATION_H
#define CULVER_STORAGE_ANNOTATION_H

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "storage/metadata.h"

struct annotation {
    char *entry; /* lower case */
    uint8_t *value;
    size_t len;
};
struct annotations {
    struct annotation *v;
    size_t n, cap;
    unsigned staged; /* entries that open transactions want to add, at most */
};

struct account;
/* Entries that are not shown as annotations, and that no client can name. */
#define ACL_PREFIX "/acl/"     /* access control lists (acl.c) */
#define QUOTA_PREFIX "/quota/" /* limits (quota.c) */

/* No value: it goes. Keeps the account's sum of octets. */
void annotations_set(struct account *acc, struct annotations *a, struct view entry, const struct view *value);
/* Notes that it was set, for watches. */
void annotation_note(struct account *acc, uint32_t mailbox, struct view entry);
void annotation_notes_free(struct account *acc);
void watches_notify(struct account *acc);
/* One of those. */
bool annotation_is_hidden(struct view entry);
/* NULL when there is none. */
const struct annotation *annotation_find(const struct annotations *a, struct view entry);
/* As txn_annotate() for an entry that is checked already, and may be a hidden one. */
struct txn;
MUST_CHECK int txn_annotate_raw(struct txn *t, struct mailbox *m, struct view entry, const struct view *value);
void annotations_free(struct account *acc, struct annotations *a);
/* Of all, for a snapshot. */
void annotations_put(struct buf *out, const struct account *acc);
void annotations_get(struct cursor *c, struct account *acc);

#endif
