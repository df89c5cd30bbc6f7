/*
 * Going through a mailbox with a SEARCH program: what SEARCH and ESEARCH share (scan.c). Results are collected as a set; no more
 * is looked for than the result options need.
 */
#ifndef CULVER_IMAP_SCAN_H
#define CULVER_IMAP_SCAN_H

#include "imap/return.h"
#include "imap/search.h"

struct imap_scan {
    struct imap_return ret;
    struct imap_search_program program;
    struct imap_search_now now;
    struct mailbox_view *view; /* borrowed */
    bool uid;                  /* found has UIDs */
    bool backwards;
    struct imap_search_flags flags;
    uint32_t enough;       /* results after which nothing more is looked for; 0: all are wanted */
    uint32_t scanned, end; /* messages that were looked at, of those that are to be, and that are passed over at the front */
    uint32_t lowest;       /* UID of the first one that is looked at, where the limit leaves some out; 0: it does not */
    struct uidset found;
    struct uidset shown; /* of these, what PARTIAL selects */
    uint64_t nfound;
    uint64_t highest;                /* mod-sequence of what was found */
    uint64_t modseq_min, modseq_max; /* of the first and the last found */
};

/* Before a mailbox: ret and program are set. Sets of the program are resolved against it. */
void imap_scan_begin(struct imap_session *s, struct imap_scan *scan, struct mailbox_view *view, bool uid);
/* Leaves messages out that are more than one command may look at (limit.h); before the first step. */
void imap_scan_limit(struct imap_scan *scan, uint32_t limit);
/* AGAIN: the slice is over. DONE: found and shown are there, or the answer is set to an error. */
enum imap_step imap_scan_step(struct imap_job *job, struct imap_scan *scan);
/* What the ESEARCH response says of the results. */
struct imap_esearch imap_scan_esearch(const struct imap_scan *scan);
/* With SAVE: what is returned is "$" from now on (RFC 5182 2.4); with MIN, MAX and PARTIAL (RFC 9394 3.2) only these, unless
 * COUNT asks for all. */
void imap_scan_save(struct imap_session *s, const struct imap_scan *scan);
void imap_scan_free(struct imap_scan *scan);

/* After a slice that gave r, begun with imap_search_budget_begin(): r, or DONE with the answer set when it was too much. */
enum imap_step imap_search_slice_end(struct imap_job *job, struct imap_search_program *prog, enum imap_step r);
/* Are there not more messages to be looked at than one SORT or THREAD may have (RFC 9738 3.3)? False: the answer is set. The sets
 * of the program are resolved. */
bool imap_search_within_limit(struct imap_job *job, const struct imap_search_program *prog);
/* The answer for a program that cannot be run: an unknown charset or filter. False: it can. */
bool imap_search_refuse(struct imap_job *job, const struct imap_search_program *prog);

#endif
