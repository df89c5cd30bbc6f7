/*
 * Access rights of mailboxes (RFC 4314). Each mailbox has a list of identifiers with rights. The owner's own are in it under the
 * empty identifier; as long as they are not, the owner has all of them, and the right to administer always.
 *
 * Storage keeps the lists and shows them; whoever acts for a client asks mailbox_own_rights() first.
 */
#ifndef CULVER_STORAGE_ACL_H
#define CULVER_STORAGE_ACL_H

#include "storage/account.h"

enum acl_right { /* in the order in which they are written: "lrswipkxtea" */
                 ACL_LOOKUP = 1,
                 ACL_READ = 2,
                 ACL_SEEN = 4,
                 ACL_WRITE = 8,
                 ACL_INSERT = 16,
                 ACL_POST = 32,
                 ACL_CREATE = 64,
                 ACL_DELETE = 128,
                 ACL_DELETED = 256,
                 ACL_EXPUNGE = 512,
                 ACL_ADMIN = 1024
};
#define ACL_ALL 2047u
#define ACL_LETTERS "lrswipkxtea"
#define ACL_IDENTIFIERS_MAX 64 /* of a mailbox */
#define ACL_IDENTIFIER_MAX 200

unsigned mailbox_own_rights(const struct mailbox *m);
/* Rights of an identifier; false: it is not in the list. */
bool mailbox_acl(const struct mailbox *m, struct view identifier, unsigned *rights_out);
/* Sorted by identifier, so the owner is first if he is in it. */
typedef void acl_fn(void *arg, struct view identifier, unsigned rights);
void mailbox_acl_each(const struct mailbox *m, acl_fn *fn, void *arg);
/* NULL removes the identifier. ERR_LIMIT, ERR_QUOTA (of the octets of annotations), ERR_SYNTAX. */
MUST_CHECK int txn_acl(struct txn *t, struct mailbox *m, struct view identifier, const unsigned *rights);

/* As account_each(), for the owner's sessions: a mailbox that the owner may not see is none. */
void account_each_visible(struct account *acc, bool (*fn)(void *arg, const struct mailbox_entry *e), void *arg);

#endif
