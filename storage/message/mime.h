/*
 * The structure of a message (RFC 5322, 2045, 2046; RFC 6532 headers): one pass over the bytes, iterative, bounded, never fails.
 * Malformed mail gets the best structure that can be given; offsets always rejoin to the exact bytes.
 */
#ifndef CULVER_STORAGE_MESSAGE_MIME_H
#define CULVER_STORAGE_MESSAGE_MIME_H

#include "common/base/buf.h"
#include "storage/message/limits.h"

enum mime_kind { MIME_LEAF, MIME_MULTIPART, MIME_MESSAGE /* message/rfc822 or message/global: one child */ };

struct mime_param {
    struct view name;  /* as written */
    struct view value; /* unquoted, RFC 2231 continuations joined and decoded to UTF-8 where they were encoded */
};

/* Parts are an array in document order; parent index < child index always; part 0 is the message itself. */
struct mime_part {
    enum mime_kind kind;
    uint32_t parent;                    /* index; of part 0: 0 */
    uint32_t first_child, next_sibling; /* index or 0: none */
    uint32_t number;                    /* 1.. among its siblings (IMAP part number); part 0 of the tree: 0 */
    uint16_t depth;
    uint64_t header_off, header_len; /* from the start of the message; header_len includes the blank line that ends it */
    uint64_t body_off, body_len;     /* without the line end that belongs to the following boundary */
    uint64_t body_lines;             /* line ends in the body, plus one for an unfinished last line */
    struct view type, subtype;       /* "text", "plain": defaults filled in, as written otherwise */
    struct mime_param *params;
    size_t nparams;
    struct view encoding;                       /* "7bit" by default */
    struct view id, description, md5, location; /* ptr NULL: no such field; unfolded */
    struct view disposition;                    /* ptr NULL: none */
    struct mime_param *disposition_params;
    size_t ndisposition_params;
    struct view *languages;
    size_t nlanguages;
};

struct mime_msg {
    struct mime_part *parts;
    size_t nparts;
    bool truncated; /* a limit was reached */
    void *arena;    /* private */
};

void mime_parse(struct view message, const struct message_limits *limits, struct mime_msg *out);

/*
 * The same of a message that comes in pieces: however it is cut, the result is that of mime_parse(). Pieces are looked at once
 * and not referred to afterwards. Between them the parser keeps the parts so far, the parts that are open, the beginning of a
 * line that may be a delimiter, and of the header field that is being read at most what the limits let be looked at.
 */
struct mime_parser;
struct mime_parser *mime_parser_new(const struct message_limits *limits);
void mime_parser_feed(struct mime_parser *p, struct view piece);
/* Octets of memory that it has, nearly. */
size_t mime_parser_memory(const struct mime_parser *p);
/* The message is complete. Frees p. */
void mime_parser_finish(struct mime_parser **p, struct mime_msg *out);
void mime_parser_free(struct mime_parser **p);
void mime_msg_free(struct mime_msg *m);

/* Header fields: calls fn for each field of a header block: name without colon, raw value after the colon (still folded, without
 * the last line end), and the whole field with its line end. Lines that are not fields are given with an empty name. Stops when
 * fn returns false. */
void header_each(struct view header, bool (*fn)(void *arg, struct view name, struct view value, struct view whole), void *arg);
/* Raw value of the first field with this name (ASCII case folded), or ptr NULL. */
struct view header_find(struct view header, struct view name);
/* Removes folding (RFC 5322 2.2.3): CRLF before a blank goes, the blank stays; trimmed at both ends. */
void header_unfold(struct buf *out, struct view raw);
/* Decodes RFC 2047 encoded words and raw 8-bit to UTF-8, unfolded. For searching, sorting and previews. */
void header_decode(struct buf *out, struct view raw);

#endif
