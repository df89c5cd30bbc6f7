/*
 * Mailbox names between client and storage. Storage has UTF-8 with '/' between levels. The client has modified UTF-7 (RFC
 * 3501 5.1.3), or UTF-8 after ENABLE UTF8=ACCEPT, with the configured separator.
 *
 * With '.' as separator the two characters change places in both directions, so every name that storage can have has one name for
 * the client and the other way round, and nothing needs to be refused.
 */
#ifndef CULVER_IMAP_NAMES_H
#define CULVER_IMAP_NAMES_H

#include "common/base/buf.h"
#include "imap/session_int.h"

struct imap_use_name {
    unsigned use;
    const char *name; /* "\\Sent" */
};
/* RFC 6154, ends with name NULL. */
extern const struct imap_use_name imap_uses[];

/* Storage form of a name or pattern of the client, in the pool; "INBOX" as the first level in upper case. ERR_SYNTAX: not
 * modified UTF-7 (or UTF-8); ERR_LIMIT: the pool is full. */
MUST_CHECK int imap_name_decode(const struct imap_session *s, struct imap_pool *pool, struct view raw, struct view *out);
/* Of a mailbox that is to be made: a name that a client gave in UTF-8 must be in Net-Unicode's normalization form (RFC
 * 9051 6.3.4, RFC 5198), and none may have the separators of lines and paragraphs (RFC 9051 5.1; storage refuses control
 * characters). */
bool imap_name_is_net_unicode(const struct imap_session *s, struct view name);
/* As the client has it. */
void imap_name_encode(const struct imap_session *s, struct buf *out, struct view name);
/* Takes an astring mailbox argument; a name that cannot be is ptr NULL (the command answers NO, it is no syntax error). */
struct view imap_parse_mailbox(struct imap_parse *p, const struct imap_session *s);

#endif
