/* Shared by verify.c (files and segments) and verify_mail.c (mailboxes and messages). */
#ifndef CULVER_STORAGE_VERIFY_INT_H
#define CULVER_STORAGE_VERIFY_INT_H

#include "storage/reading_int.h"
#include "storage/verify.h"

/* A message's bytes in a segment that do not match their checksum. */
struct bad_blob {
    uint32_t seg;
    uint64_t off, len;
    bool needed; /* a message that was reported */
};

struct verify {
    struct vfs *frozen;
    const struct verify_params *params;
    struct verify_result result;
    struct reading r;     /* as the server opens it */
    struct account *mail; /* of which the messages are checked: r's, or where its snapshot is damaged what the log alone gives */
    bool whole_log;       /* whatever snapshots hold is in the log too */
    uint64_t done, total;
    struct bad_blob *bad;
    size_t nbad, cbad;
};

void verify_found(struct verify *v, const struct verify_finding *f);
void verify_progress(struct verify *v, uint64_t more);
/* Mailboxes, records, messages, digests, counters of v->mail. */
void verify_mail(struct verify *v);

#endif
