/*
 * Contexts of searches (RFC 5267): with UPDATE a search goes on, and what comes into or leaves its result is told together with
 * what caused it (tell.c). A context has the command's text, from which its program can be made again, the UIDs that message
 * numbers in it stood for, and the UIDs of its result: nothing else is needed to go on with it elsewhere.
 */
#ifndef CULVER_IMAP_CONTEXT_H
#define CULVER_IMAP_CONTEXT_H

#include "imap/search.h"

#define IMAP_CONTEXTS_MAX 8    /* of a session */
#define IMAP_CONTEXT_TEXT 8192 /* octets of a command that may be kept */

struct imap_context {
    struct imap_context *next;
    struct imap_pool pool; /* of what follows */
    struct view text, tag;
    unsigned enabled; /* as it was read */
    bool uid;         /* results are told as UIDs */
    struct imap_search_program program;
    struct uidset results; /* UIDs */
    struct uidset gone;    /* as they are told: expunged from the result */
};

/* The context for a SEARCH command that has just begun: "$" and message numbers in it stand for what they stand for now. NULL:
 * no more contexts, or too large a command. *reused_out: the tag is in use. */
struct imap_context *imap_context_new(struct imap_job *job, bool *reused_out);
void imap_context_free(struct imap_context **c);
/* Its first result is found (numbers as the command has them): from now on it is told. Takes the context. */
void imap_context_start(struct imap_session *s, struct imap_context **c, const struct uidset *found);
/* False: there is none with this tag. */
bool imap_context_cancel(struct imap_session *s, struct view tag);
void imap_context_cancel_all(struct imap_session *s);
/* Ends those that use filters (RFC 5466), and the client is told: NO [NOUPDATE "tag"], RFC 5267 4.3.1. */
void imap_context_give_up_filters(struct imap_session *s);
/* All of them, for another process (freeze.c). A record that cannot be true fails the cursor; none may use filters. */
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

#endif
