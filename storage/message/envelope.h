/* ENVELOPE data (RFC 9051 7.5.2) from a header block, and address lists (RFC 5322 3.4, with all that real mail has instead). */
#ifndef CULVER_STORAGE_MESSAGE_ENVELOPE_H
#define CULVER_STORAGE_MESSAGE_ENVELOPE_H

#include "common/base/buf.h"
#include "storage/message/limits.h"

/* A view with ptr NULL is NIL. Group syntax as RFC 9051 7.5.2 has it: start = mailbox is the group name and host NIL, end = both
 * NIL. */
struct address {
    struct view name, route, mailbox, host;
};
struct address_list {
    struct address *items;
    size_t n;
};
struct envelope {
    struct view date, subject;                               /* unfolded, not decoded */
    struct address_list from, sender, reply_to, to, cc, bcc; /* sender and reply_to default to from */
    struct view in_reply_to, message_id;
    void *arena; /* private */
};
void envelope_parse(struct view header, const struct message_limits *limits, struct envelope *out);
void envelope_free(struct envelope *e);

/* Dates in all the forms that occur. ERR_SYNTAX when nothing can be made of it. */
MUST_CHECK int date_parse_header(struct view raw, int64_t *t_out, int *zone_out);

/* RFC 5256 2.1 base subject of a raw Subject value (its first 4 KiB), in UTF-8, folded by casemap.h for comparison; *reply_out:
 * it was a reply or forward. */
void subject_base(struct buf *out, struct view raw, bool *reply_out);
/* The same, not folded. */
void subject_base_text(struct buf *out, struct view raw, bool *reply_out);

/* Takes the next message identifier of a Message-ID, In-Reply-To or References value off the front of rest and appends it to out
 * as "<id>", without the quoting that RFC 5256 (THREAD=REFERENCES) ignores. False when there is none left. */
bool message_id_next(struct view *rest, struct buf *out);

#endif
