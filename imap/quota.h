/* What GETQUOTA and GETQUOTAROOT share (quota.c): an account has one quota root, for all its mailboxes. */
#ifndef CULVER_IMAP_QUOTA_H
#define CULVER_IMAP_QUOTA_H

#include "imap/session_int.h"

#define IMAP_QUOTA_ROOT "user"

/* "* QUOTA user (STORAGE …)": the resources that have a limit (RFC 9208 4.2.1). There always are some. */
void imap_quota_put(struct imap_session *s);

#endif
