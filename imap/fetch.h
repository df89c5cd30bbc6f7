/*
 * FETCH: its items (fetch_parse.c), what they name in a message (fetch_section.c), the structures (structure.c), and the job
 * (cmd_fetch.c).
 */
#ifndef CULVER_IMAP_FETCH_H
#define CULVER_IMAP_FETCH_H

#include "imap/message.h"
#include "imap/return.h"

#define IMAP_PART_DEPTH_MAX 128 /* numbers in a section */

enum imap_fetch_op {
    FETCH_FLAGS,
    FETCH_UID,
    FETCH_INTERNALDATE,
    FETCH_SIZE,
    FETCH_MODSEQ,
    FETCH_EMAILID,
    FETCH_THREADID,
    FETCH_SAVEDATE,
    FETCH_PREVIEW,
    FETCH_ENVELOPE,
    FETCH_BODY, /* BODYSTRUCTURE without extension data */
    FETCH_BODYSTRUCTURE,
    FETCH_SECTION, /* BODY[…] and RFC822… */
    FETCH_BINARY,
    FETCH_BINARY_SIZE
};
enum imap_section { SECTION_ALL, SECTION_HEADER, SECTION_FIELDS, SECTION_FIELDS_NOT, SECTION_TEXT, SECTION_MIME };

struct imap_fetch_item {
    enum imap_fetch_op op;
    bool seen; /* sets \Seen */
    enum imap_section section;
    uint32_t *part; /* numbers */
    size_t npart;
    struct view *fields;
    size_t nfields;
    bool partial;
    uint64_t from, count;
    struct view label; /* what is answered before the value: "BODY[1.MIME]<0>" */
};

struct imap_fetch_request {
    struct imap_fetch_item items[IMAP_FETCH_ITEMS_MAX];
    size_t nitems;
    bool has_changedsince;
    uint64_t changedsince;
    bool vanished; /* of the same time, RFC 7162 3.2.6 */
    bool has_partial;
    struct imap_partial partial; /* of the messages that the set names, RFC 9394 3.3 */
};

/* The items and modifiers, from the space before them. */
void imap_fetch_parse(struct imap_parse *p, struct imap_fetch_request *r, bool uid);

/* "(" fetch-att … ")": only looked through. */
void imap_fetch_parse_atts(struct imap_parse *p);
/* A section alone, as a URL has it (RFC 5092 6): the rest of the text. */
void imap_section_parse(struct imap_parse *p, struct imap_fetch_item *item);
/* What it is of the message, its partial range cut out. `made` keeps what had to be put together; the view is of that or of the
 * message's data. ERR_NOTFOUND: there is no such part. */
MUST_CHECK int imap_section_bytes(struct imap_session *s, struct imap_message *m, const struct imap_fetch_item *item,
                                  struct buf *made, struct view *out);

/* Finds the part that the numbers name. False: there is none. *index_out: of the part; *message_out: it is a message (the whole,
 * or the one inside a message/rfc822 part), so HEADER and TEXT make sense and *index_out is its top part. */
bool imap_section_find(const struct mime_msg *mime, const uint32_t *part, size_t npart, bool want_message, uint32_t *index_out);
/* The header fields that HEADER.FIELDS or .NOT selects, with the blank line that ends them. */
void imap_section_fields(struct buf *out, struct view header, const struct imap_fetch_item *item);
/* Is the transfer encoding one that BINARY can undo? */
bool imap_section_decodable(const struct mime_part *part);

/* structure.c */
void imap_put_envelope(struct imap_session *s, struct buf *out, const struct envelope *e);
/* d NULL: there is no digest; an empty one is written. */
void imap_put_body(struct imap_session *s, struct buf *out, const struct digest *d, bool extended);

#endif
