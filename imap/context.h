/*
 * Contexts of SEARCH and SORT (RFC 5267): with UPDATE a search goes on, and what comes into or leaves its result is told together
 * with what caused it (tell.c). A context has the command's text, from which its program can be made again, the filters that this
 * used, the UIDs that message numbers in it stood for, and the UIDs of its result, those of a SORT in their order: nothing else
 * is needed to go on with it elsewhere.
 */
#ifndef CULVER_IMAP_CONTEXT_H
#define CULVER_IMAP_CONTEXT_H

#include "imap/search.h"
#include "imap/sort.h"

#define IMAP_CONTEXTS_MAX 8                  /* of a session */
#define IMAP_CONTEXT_TEXT 8192               /* octets of a command that may be kept */
#define IMAP_CONTEXT_FILTERS ((size_t)65536) /* octets of the filters that it uses (RFC 5466) */
#define IMAP_CONTEXT_SORTED 100000           /* results of a SORT that may be kept in order */

/* A result at its place, from 1 on, as RFC 5267 4.3.3 counts. */
struct imap_place {
    uint32_t position, number;
};

/* The results of a SORT in its order (context_order.c). No keys are kept: they are in the digests, and do not change. */
struct imap_order {
    struct imap_sorter by; /* criteria alone */
    uint32_t *uids;
    size_t n;
    struct imap_place *gone; /* expunged from it, to be told; numbers as they are told */
    size_t ngone;
};

struct imap_context {
    struct imap_context *next;
    struct imap_pool pool; /* of what follows */
    struct view text, tag;
    unsigned enabled; /* as it was read */
    struct comparator comparator;
    bool uid;    /* results are told as UIDs */
    bool sorted; /* of a SORT */
    bool over;   /* it has more results than can be kept in order */
    struct imap_search_program program;
    struct uidset results; /* UIDs */
    struct uidset gone;    /* as they are told: expunged from the result of a SEARCH */
    struct imap_order order;
};

/* The context for a SEARCH or SORT command with UPDATE that has just begun: "$" and message numbers in it stand for what they
 * stand for now. NULL: no more contexts, or too large a command; that is told (RFC 5267 4.3.1). False: the answer is set, the tag
 * is in use. */
bool imap_context_begin(struct imap_job *job, struct imap_context **out);
void imap_context_free(struct imap_context **c);
/* Its first result is found (numbers as the command has them): from now on it is told. Takes the context. */
void imap_context_start(struct imap_session *s, struct imap_context **c, const struct uidset *found);
/* The same with the result of a SORT, which has been sorted. False: it is too large to be kept, and the context is gone. */
bool imap_context_start_sorted(struct imap_session *s, struct imap_context **c, const struct imap_sorter *sorted);
/* False: there is none with this tag. */
bool imap_context_cancel(struct imap_session *s, struct view tag);
void imap_context_cancel_all(struct imap_session *s);
/* All of them, for another process (freeze.c). A record that cannot be true fails the cursor. */
void imap_contexts_freeze(const struct imap_session *s, struct buf *out);
void imap_contexts_thaw(struct imap_session *s, struct cursor *c);

/* These messages may match now, or no longer: looked at when changes are told the next time. */
void imap_context_touch(struct imap_session *s, const struct uidset *uids);
/* Messages that leave the view, with the numbers that they have until their EXPUNGE is told. */
void imap_context_expunged(struct imap_session *s, const uint32_t *seqs, const uint32_t *uids, size_t n);
/* REMOVEFROM for these: before their EXPUNGE. */
void imap_context_put_gone(struct imap_session *s);
/* ADDTO and REMOVEFROM for the touched messages, in slices; true when all is told. */
bool imap_context_step(struct imap_session *s);

/* --- context_order.c ---------------------------------------------------------------------------------------------------------
 */
/* Takes results out, and gives their places, as each is when those before it are out already, with their UIDs. For free(). */
struct imap_place *imap_order_remove(struct imap_order *order, const struct uidset *uids, size_t *n_out);
/* Puts messages to their places and gives these, as each is when those before it are in already. added: numbers are UIDs; it is
 * sorted here. For free(). */
struct imap_place *imap_order_insert(struct imap_session *s, struct imap_order *order, struct imap_sorter *added);
/* "* ESEARCH (TAG "C01") UID ADDTO (1 2731:2733)" for places as they were given; several responses when it is long. */
void imap_order_tell(struct imap_session *s, const struct imap_context *c, bool added, const struct imap_place *places, size_t n);
void imap_order_encode(struct buf *out, const struct imap_order *order);
/* The order of exactly these results; anything else fails the cursor. */
void imap_order_decode(struct cursor *c, const struct uidset *results, struct imap_order *order);
void imap_order_free(struct imap_order *order);

#endif
