/*
 * The digest of a message: what FETCH ENVELOPE/BODYSTRUCTURE, SEARCH on headers, SORT, THREAD and PREVIEW need, made once when
 * the message enters and stored beside it, so that those never open the message again.
 *
 * Binary, versioned (first byte), built from mime.h and envelope.h; decoding treats it as hostile (a damaged file must not
 * crash).
 */
#ifndef CULVER_STORAGE_MESSAGE_DIGEST_H
#define CULVER_STORAGE_MESSAGE_DIGEST_H

#include "storage/message/envelope.h"
#include "storage/message/mime.h"

#define DIGEST_VERSION 2 /* 1 is read too: it has no header_once and no header_names */

/* Appends the digest of message to out (whose max should allow 2 MiB). */
void digest_build(struct view message, const struct message_limits *limits, struct buf *out);
/* The same, of a message whose structure mime_parser has found with the same limits already: then only what is shown of it is
 * looked at. NULL: as digest_build. */
void digest_build_from(struct view message, const struct mime_msg *structure, const struct message_limits *limits,
                       struct buf *out);

struct digest {
    struct mime_msg mime;     /* parts; all views point into the digest's bytes or the arena */
    struct envelope envelope; /* of the message */
    struct envelope *nested;  /* nested[i] is the envelope of the i-th MIME_MESSAGE part in document order */
    size_t nnested;
    int64_t sent_date; /* Date: as UTC seconds; INT64_MIN: none or unreadable */
    int sent_zone;
    struct view base_subject; /* subject_base() */
    bool subject_is_reply;
    struct view references; /* message ids of References (or In-Reply-To), each as <id>, blank-separated */
    struct view preview;    /* RFC 8970, UTF-8, at most 200 characters */
    bool preview_ok;
    bool header_once; /* Date, Subject, In-Reply-To and Message-ID occur once at most, and envelope has all of them */
    bool names_known;
    struct view header_names; /* digest_name_hash() of every field of the header, two octets each */
    void *arena;              /* private */
};
/* ERR_CORRUPT, ERR_UNSUPPORTED (newer version). What is accepted is a tree as mime_parse() makes it; that its offsets lie within
 * the message is for the reader to see to (view_sub). */
MUST_CHECK int digest_decode(struct view bytes, struct digest *out);
void digest_free(struct digest *d);

/* As digest_decode, but without parts, lists of addresses and nested envelopes: for SEARCH, SORT, THREAD and PREVIEW over many
 * messages. Allocates nothing; needs no digest_free. */
MUST_CHECK int digest_decode_summary(struct view bytes, struct digest *out);

/* Addresses of the envelope, one after the other, without allocating; stops when fn returns false. ERR_CORRUPT,
 * ERR_UNSUPPORTED. */
enum digest_addresses { DIGEST_FROM, DIGEST_SENDER, DIGEST_REPLY_TO, DIGEST_TO, DIGEST_CC, DIGEST_BCC };
MUST_CHECK int digest_each_address(struct view bytes, enum digest_addresses which, bool (*fn)(void *arg, const struct address *a),
                                   void *arg);

/* Of the name of a field (ASCII case folded); several names may have the same. */
uint16_t digest_name_hash(struct view name);
/* Can the header have a field of this name? */
bool digest_has_name(const struct digest *d, uint16_t hash);

/* The thread to which a message with this digest and content id belongs (RFC 8474). The same for ever and everywhere. Errors as
 * digest_decode. */
#define THREADID_SIZE 16
MUST_CHECK int digest_threadid(struct view bytes, const uint8_t *emailid, size_t emailid_len, uint8_t out[THREADID_SIZE]);

#endif
