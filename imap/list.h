/* What LIST and LSUB share (list.c): choosing names, RECURSIVEMATCH, writing the responses in slices. */
#ifndef CULVER_IMAP_LIST_H
#define CULVER_IMAP_LIST_H

#include "imap/match.h"
#include "imap/metadata.h"

enum imap_list_select { LIST_SEL_SUBSCRIBED = 1, LIST_SEL_SPECIAL = 2, LIST_SEL_RECURSIVE = 4, LIST_SEL_REMOTE = 8 };
enum imap_list_return {
    LIST_RET_SUBSCRIBED = 1,
    LIST_RET_CHILDREN = 2,
    LIST_RET_SPECIAL = 4,
    LIST_RET_STATUS = 8,
    LIST_RET_METADATA = 16,
    LIST_RET_MYRIGHTS = 32
};

/* A name on the way from the root to the one looked at last. */
struct imap_list_level {
    size_t len;  /* of the name */
    size_t item; /* offset of its item, or SIZE_MAX: it does not match a pattern */
};

struct imap_list_args {
    struct view reference, patterns[IMAP_LIST_PATTERNS_MAX];
    size_t npatterns;
    bool lsub, extended;
    unsigned select, ret, status;
    struct imap_match *matches[IMAP_LIST_PATTERNS_MAX];
    size_t nmatches;
    bool collected;
    struct buf items; /* what matches: flags, uses, name */
    size_t pos;       /* items written */
    struct imap_metadata_query metadata;
    struct view annotated; /* the mailbox whose annotations are being written; empty: none */
    struct imap_metadata_put annotations;
    struct buf last; /* the name looked at last, whose prefixes the levels are */
    struct imap_list_level *levels;
    size_t nlevels;
};
enum imap_step imap_list_step(struct imap_job *job);
void imap_list_drop(struct imap_job *job);

#endif
