/*
 * IMAP URLs of messages and parts of them (RFC 5092), as CATENATE takes them (RFC 4469 3): relative ones only, so each names a
 * message of this very user.
 */
#ifndef CULVER_IMAP_URL_H
#define CULVER_IMAP_URL_H

#include "imap/fetch.h"

struct imap_url {
    struct view mailbox;  /* storage form */
    uint32_t uidvalidity; /* 0: any */
    uint32_t uid;
    struct imap_fetch_item section; /* of the message, and its PARTIAL */
};

/* selected: name of the selected mailbox (storage form), or empty. What it gives lies in the pool. ERR_SYNTAX: not a URL, or not
 * one of a message here. */
MUST_CHECK int imap_url_parse(struct view text, struct view selected, char separator, struct imap_pool *pool,
                              struct imap_url *out);

#endif
