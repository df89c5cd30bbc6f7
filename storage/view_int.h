/* The inside of a view, for mailbox_view.c and view_freeze.c. */
#ifndef CULVER_STORAGE_VIEW_INT_H
#define CULVER_STORAGE_VIEW_INT_H

#include "storage/account_int.h"

#define VIEW_GHOST 0x80000000u /* in a map: the index of a ghost */

struct mailbox_view {
    struct account *acc;
    struct mailbox *m;
    struct mailbox_view *next, *prev;         /* of the mailbox */
    struct mailbox_view *acc_next, *acc_prev; /* of the account */
    struct seqmap *map;                       /* NULL: sequence number n is record n - 1 */
    uint32_t count;
    uint32_t known_end; /* records from here on are new to it */
    uint64_t position;  /* in the mailbox's changes */
    bool behind;        /* changes were dropped: compare modseqs */
    uint64_t synced_modseq;
    struct change *own; /* pending changes taken from the list by mailbox_view_forget() */
    size_t nown;
    struct idx_list held;   /* expunged records it was not told of yet */
    struct msg_rec *ghosts; /* the same, of messages whose records the mailbox has no more: of a view that was thawed. By UID */
    uint32_t nghosts;
    struct uidset recent;
    uint32_t nrecent;
    unsigned keywords_known;
    bool take_recent, told_gone, notify_due;
    void (*notify)(void *arg);
    void *notify_arg;
    struct idx_list out_expunged, out_uids, out_changed;
};

/* The record of a sequence number. */
const struct msg_rec *view_rec(const struct mailbox_view *v, uint32_t seq);
/* Into the lists of its mailbox and its account. */
void view_link(struct mailbox_view *v);
/* Changed and expunged records since the last time: into out_changed and held. */
void view_collect_changes(struct mailbox_view *v);
/* Forgets those of held that the view does not have. */
void view_held_keep_known(struct mailbox_view *v);

struct seqmap *seqmap_new(uint32_t cap);
void seqmap_release(struct seqmap **map);

#endif
