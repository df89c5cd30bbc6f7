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

#define DIGEST_VERSION 1

/* Appends the digest of message to out (whose max should allow 2 MiB). */
void digest_build(struct view message, const struct message_limits *limits, struct buf *out);

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
    void *arena; /* private */
};
/* ERR_CORRUPT, ERR_UNSUPPORTED (newer version). What is accepted is a tree as mime_parse() makes it; that its offsets lie within
 * the message is for the reader to see to (view_sub). */
MUST_CHECK int digest_decode(struct view bytes, struct digest *out);
void digest_free(struct digest *d);

/* As digest_decode, but only sent_date, sent_zone, base_subject, subject_is_reply, references, preview, preview_ok and
 * mime.truncated: for SORT, THREAD and PREVIEW over many messages. Allocates nothing; needs no digest_free. */
MUST_CHECK int digest_decode_summary(struct view bytes, struct digest *out);

/* The thread to which a message with this digest and content id belongs (RFC 8474). The same for ever and everywhere. Errors as
 * digest_decode. */
#define THREADID_SIZE 16
MUST_CHECK int digest_threadid(struct view bytes, const uint8_t *emailid, size_t emailid_len, uint8_t out[THREADID_SIZE]);

#endif
