/*
 * Access rights (RFC 4314): what commands ask before they do something (rights.c), and what the commands about rights share. A
 * session is the owner's, whose rights in his mailboxes are all, less those that he has taken from himself.
 */
#ifndef CULVER_IMAP_RIGHTS_H
#define CULVER_IMAP_RIGHTS_H

#include "imap/session_int.h"
#include "storage/acl.h"

/* Any of these. */
#define IMAP_RIGHTS_WRITE (ACL_INSERT | ACL_EXPUNGE | ACL_SEEN | ACL_WRITE | ACL_DELETED)         /* RFC 4314 5.2 */
#define IMAP_RIGHTS_METADATA (ACL_READ | ACL_SEEN | ACL_WRITE | ACL_INSERT | ACL_POST)            /* RFC 5464 3.3 */
#define IMAP_RIGHTS_MY (ACL_LOOKUP | ACL_READ | ACL_INSERT | ACL_CREATE | ACL_DELETE | ACL_ADMIN) /* RFC 4314 4 */

/* Has the session all of these rights in the mailbox? */
bool imap_may(const struct mailbox *m, unsigned rights);
bool imap_may_annotate(const struct mailbox *m);
/* A mailbox of this name may be created: "k" in the nearest mailbox above it that exists. */
bool imap_may_create(const struct imap_session *s, struct view name);
/* NO [NOPERM] */
enum imap_step imap_job_noperm(struct imap_job *job);

/* The flags (enum msg_flag) that may be set and cleared with these rights; keywords where ACL_WRITE is among them. */
unsigned imap_rights_flags(unsigned rights);

/* "lrswipkxtecda": with the virtual rights c and d of RFC 4314 2.1.1. */
void imap_put_rights(struct buf *out, unsigned rights);
/* Letters, "c" and "d" too. False: an unknown one. */
bool imap_rights_parse(struct view letters, unsigned *rights_out);
/* "* MYRIGHTS name rights" */
void imap_put_myrights(struct imap_session *s, struct view name, const struct mailbox *m);

/* The identifier of a command as it is kept, in the pool: prepared in the manner of SASLprep, the owner's own name empty. */
struct imap_identifier {
    struct view given, kept;
    bool anyone; /* stands for several users */
};
void imap_parse_identifier(struct imap_parse *p, const struct imap_session *s, struct imap_identifier *out);

#endif
