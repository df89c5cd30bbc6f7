/* Annotations of mailboxes and of the server (RFC 5464) as GETMETADATA, SETMETADATA and LIST have them (metadata.c). */
#ifndef CULVER_IMAP_METADATA_H
#define CULVER_IMAP_METADATA_H

#include "imap/session_int.h"

#define IMAP_METADATA_USES "/private/specialuse" /* of a mailbox: RFC 6154 4 */
#define IMAP_METADATA_ENTRIES_MAX 256            /* that a command names */

enum imap_depth { IMAP_DEPTH_0, IMAP_DEPTH_1, IMAP_DEPTH_INFINITY };

struct imap_metadata_query {
    struct view *entries; /* lower case */
    size_t n;
    enum imap_depth depth;
    bool has_maxsize;
    uint64_t maxsize;
};

/* An entry name, in lower case in the pool. scope: "/private" and "/shared" alone are one too, for what is below them. */
struct view imap_parse_entry(struct imap_parse *p, bool scope);
/* entries: one, or several in parentheses. */
void imap_metadata_parse(struct imap_parse *p, struct imap_metadata_query *q);

/* How far the answer about one mailbox has come; starts zeroed. */
struct imap_metadata_put {
    size_t entry;      /* of the query, */
    struct view after; /* and the annotation that was looked at last for it */
    bool open;         /* a response was begun */
    uint64_t longest;  /* value above MAXSIZE */
};
/* "* METADATA name (…)" in slices; true when all is written. m NULL: of the server, whose name is empty. */
bool imap_metadata_put(struct imap_job *job, struct view name, const struct mailbox *m, const struct imap_metadata_query *q,
                       struct imap_metadata_put *at);
/* "* METADATA name entry …" for what others have changed since (RFC 5464 4.4.2), in slices; true when all is told. */
bool imap_metadata_tell(struct imap_session *s);

#endif
