/*
 * Getting the mail out of an account whatever has become of its files. Nothing is changed. Called by the tool that does it as the
 * mail's owner, over a vfs_frozen.
 */
#ifndef CULVER_STORAGE_SALVAGE_H
#define CULVER_STORAGE_SALVAGE_H

#include "storage/account.h"
#include "storage/vfs.h"

struct salvage;

/* frozen is borrowed. ERR_IO, ERR_NOMEM, ERR_UNSUPPORTED (a newer format). */
MUST_CHECK int salvage_open(struct vfs *frozen, struct salvage **out);
/* Views of its mailboxes must be closed. Accepts NULL. */
void salvage_close(struct salvage **s);
/* All that is known of the mail, for reading: mailboxes, records, messages. Some of them may be unreadable. */
struct account *salvage_account(struct salvage *s);
/* Something is missing from that: mailboxes, records or changes. */
bool salvage_incomplete(const struct salvage *s);

/* A whole message that no mailbox has, because what referred to it is lost. */
struct salvage_message {
    struct view bytes;
    bool known; /* what follows is as it was when the message came; otherwise nothing is known of it */
    unsigned flags;
    const struct view *keywords;
    size_t nkeywords;
    int64_t date;
    int zone;
};
/* Gives each once, until fn returns nonzero, which is returned then. Where nothing tells whether a message had been expunged, it
 * is among them. ERR_IO, ERR_NOMEM. */
MUST_CHECK int salvage_orphans(struct salvage *s, int (*fn)(void *arg, const struct salvage_message *m), void *arg);

#endif
