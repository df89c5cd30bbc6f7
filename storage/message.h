/* A message of a mailbox: its record, its bytes and its digest. */
#ifndef CULVER_STORAGE_MESSAGE_H
#define CULVER_STORAGE_MESSAGE_H

#include "storage/account.h"

struct msg_info {
    uint32_t uid;
    unsigned flags; /* enum msg_flag */
    struct keyword_set keywords;
    uint64_t modseq;
    uint64_t size; /* RFC822.SIZE, octets */
    int64_t date;  /* INTERNALDATE, seconds since 1970 */
    int zone_minutes;
    int64_t savedate;    /* when it came into this mailbox (RFC 8514) */
    uint8_t emailid[16]; /* content id (RFC 8474 EMAILID) */
    bool open_end;       /* the last line has no line end */
    bool recent;         /* \Recent in this view */
    bool expunged;       /* gone from the mailbox, but this view was not told yet; bytes stay readable */
};

/* The bytes of one message, in memory or mapped. */
struct msg_data {
    struct view bytes; /* the whole message, CRLF line ends */
    int fd;            /* and where they are in a file, for sendfile: */
    uint64_t fd_offset;
    void *handle; /* private */
};
/* False: part of the bytes could not be read after they were checked (the device failed), and they are zeros now. To be asked
 * after using them, where what was made of them can still be kept back. */
bool msg_data_good(const struct msg_data *d);
void msg_data_close(struct msg_data *d);

#endif
