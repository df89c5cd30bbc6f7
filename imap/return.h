/*
 * Result options of SEARCH, SORT and ESEARCH (RFC 4731 3.1, RFC 5182 2.4, RFC 5267 4, RFC 9394) and the ESEARCH response that
 * answers them (return.c).
 */
#ifndef CULVER_IMAP_RETURN_H
#define CULVER_IMAP_RETURN_H

#include "imap/session_int.h"

enum imap_return_option {
    IMAP_RETURN_MIN = 1,
    IMAP_RETURN_MAX = 2,
    IMAP_RETURN_ALL = 4,
    IMAP_RETURN_COUNT = 8,
    IMAP_RETURN_SAVE = 16,
    IMAP_RETURN_PARTIAL = 32
};

/* partial-range (RFC 9394 section 4) as given: positions from 1 on, or from the end. */
struct imap_partial {
    bool from_end;
    uint32_t first, last;
};
struct imap_return {
    unsigned options; /* mask of enum imap_return_option */
    bool update;      /* what changes is to be told (RFC 5267 4.3) */
    bool context;     /* a hint that is not needed here (RFC 5267 4.2) */
    struct imap_partial partial;
};

/* The parenthesized options behind RETURN; ALL when there are none. */
void imap_return_parse(struct imap_parse *p, struct imap_return *out);
/* "1:500" or "-1:-100" */
void imap_partial_parse(struct imap_parse *p, struct imap_partial *out);
/* The positions (from 1 on) that the range has of n results. False: none. */
bool imap_partial_positions(const struct imap_partial *partial, uint64_t n, uint64_t *first_out, uint64_t *last_out);
/* The members of a set that the range names, added to out. */
void imap_partial_cut(const struct imap_partial *partial, const struct uidset *set, struct uidset *out);

/* "* NO [NOUPDATE tag]" (RFC 5267 4.3.1) */
void imap_put_noupdate(struct imap_job *job);

/* What an ESEARCH response says before its list of messages. */
struct imap_esearch {
    const struct imap_return *ret;
    bool uid;
    uint64_t n;                    /* results */
    uint32_t min, max;             /* the first and the last one */
    uint64_t modseq;               /* 0: it is not to be told */
    const struct mailbox *mailbox; /* where they are (RFC 7377 2.1); NULL: in the selected one */
};
/* "* ESEARCH (TAG "a1") UID MIN 1 COUNT 3 ALL "; true when a list follows, then imap_put_esearch_end(). */
bool imap_put_esearch(struct imap_job *job, const struct imap_esearch *e);
/* "1:3,5" of a set from its range *range on, in slices; true when all is written. */
bool imap_put_esearch_set(struct imap_session *s, const struct uidset *set, size_t *range);
/* Ends a list (PARTIAL has a parenthesis), and the line. */
void imap_put_esearch_end(struct imap_session *s, const struct imap_return *ret);

#endif
