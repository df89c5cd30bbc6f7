/* The CAPABILITY answer, made from one table and the settings. */
#ifndef CULVER_IMAP_CAPABILITY_H
#define CULVER_IMAP_CAPABILITY_H

#include "imap/session_int.h"

/* "IMAP4rev1 IDLE …" as it is after log-in. */
void imap_capability_put(const struct imap_session *s, struct buf *out);
/* A setting says not to announce it. */
bool imap_capability_disabled(const struct imap_session *s, const char *name);

#endif
