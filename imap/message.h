/* One message as FETCH and SEARCH use it: its digest and its bytes are opened when first asked for (message.c). */
#ifndef CULVER_IMAP_MESSAGE_H
#define CULVER_IMAP_MESSAGE_H

#include "imap/session_int.h"
#include "storage/message/digest.h"

struct imap_message {
    struct mailbox_view *view;
    uint32_t seq; /* 0: none */
    struct msg_info info;
    bool has_digest, has_data;
    int digest_err, data_err; /* why they cannot be had */
    struct buf digest_bytes;
    struct digest digest;
    struct msg_data data;
};

/* Sets m to a message of the selected mailbox, or of another view; m was zeroed or closed before. */
void imap_message_open(struct imap_session *s, struct imap_message *m, uint32_t seq);
void imap_message_open_in(struct imap_session *s, struct mailbox_view *view, struct imap_message *m, uint32_t seq);
void imap_message_close(struct imap_message *m);
/* 0, or the error, which stays. A digest that is missing or damaged is made again from the message. */
MUST_CHECK int imap_message_digest(struct imap_session *s, struct imap_message *m);
MUST_CHECK int imap_message_data(struct imap_session *s, struct imap_message *m);
/* A range of the message's bytes, cut to what there is. */
struct view imap_message_range(const struct imap_message *m, uint64_t off, uint64_t len);
/* The bytes of the digest, valid until the next call on the account or m is closed. */
MUST_CHECK int imap_message_digest_bytes(struct imap_session *s, struct imap_message *m, struct view *out);
/* As digest_decode_summary() gives it, for the many messages of SORT and THREAD. Its views are valid until the next call on the
 * account or m is closed. */
MUST_CHECK int imap_message_summary(struct imap_session *s, struct imap_message *m, struct digest *out);

/* The base subject (RFC 5256 2.1) as the collation compares it. text: zeroed, room for it, for buf_free(). */
struct view imap_message_subject(const struct digest *summary, enum collation collation, struct buf *text);

#endif
