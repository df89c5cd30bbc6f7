/*
 * One delivery on its way into the mail: what deliver.c (life and order), deliver_target.c (which mailbox) and deliver_header.c
 * (what the message's own header says about it) share.
 */
#ifndef CULVER_WORKER_DELIVER_H
#define CULVER_WORKER_DELIVER_H

#include "storage/intake.h"
#include "worker/worker_int.h"

#define DELIVERY_ID_SIZE 16

struct delivery {
    struct worker *w;
    struct delivery *next; /* while it waits for the account or for its turn, or while it is staged */
    uint64_t sid;
    int memfd, reply_fd;
    uint64_t size;
    struct view prefix;
    uint8_t prefix_bytes[PROTO_PREFIX_MAX];
    char sender[PROTO_ADDR_MAX + 1];
    char detail[PROTO_DETAIL_MAX + 1];
    struct intake *intake; /* of the first `read` octets, while what follows is being found out */
    uint64_t read;
    bool known;
    uint8_t content_id[CONTENT_ID_SIZE];
    struct mime_msg structure;
    uint32_t mailbox_id; /* where it goes, while it is staged */
    bool create_tried;   /* the mailbox of its detail was to be created: not again */
    bool has_id;         /* id is a hash of its Message-ID */
    uint8_t id[DELIVERY_ID_SIZE];
};

struct reply {
    uint16_t code;
    const char *enhanced, *text;
};

/* deliver_header.c: 0; ERR_STATE: the message has been here already, or goes in circles (RFC 5321 6.3). Sets d->id where it is
 * needed. ERR_IO. */
MUST_CHECK int delivery_read_header(struct delivery *d);
/* True when one of the newest messages of the mailbox, not older than duplicate_window, has the same Message-ID. */
bool delivery_is_duplicate(const struct delivery *d, struct mailbox *m);

/* deliver_target.c: the mailbox for it, never NULL while there is an INBOX. With *create_out (at least NAME of account.h) not
 * empty that mailbox is to be created first. */
struct mailbox *delivery_target(const struct delivery *d, struct buf *create_out);

#endif
