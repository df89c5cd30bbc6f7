/*
 * Threads of messages (RFC 5256 3): a forest of nodes, built from the digests of the messages (thread.c) by one of two
 * algorithms (thread_subject.c, thread_references.c). Nothing here recurses: how deep a thread is, senders decide.
 */
#ifndef CULVER_IMAP_THREAD_H
#define CULVER_IMAP_THREAD_H

#include "imap/message.h"

/* Node 0 is none; it is the parent of the threads' heads. */
struct imap_thread_node {
    uint32_t number; /* of the message as it is answered; 0: a message that was not found, or only the parent of others */
    uint32_t parent, child, next;
    int64_t date;
    size_t subject, subject_len; /* base subject, in strings */
    size_t id, id_len;           /* message id, in strings */
    bool reply;
};

struct imap_thread {
    struct imap_thread_node *nodes;
    uint32_t n, cap;
    enum collation collation; /* that subjects are equal under */
    struct buf strings;
    uint32_t *table; /* hash of ids or of subjects: indexes of nodes, 0: free */
    size_t slots, used;
    uint64_t seed;
    uint32_t *stack; /* of the writer: siblings still to be written */
    size_t depth, stack_cap;
    bool begun;
};

enum imap_thread_by { THREAD_ORDEREDSUBJECT, THREAD_REFERENCES, THREAD_REFS };
/* Adds a message, in the order of the mailbox. ERR_LIMIT: too much to be threaded. */
MUST_CHECK int imap_thread_add(struct imap_session *s, struct imap_thread *t, struct imap_message *m, uint32_t number,
                               enum imap_thread_by by);
/* All are added: makes the threads. nodes[0].child is the first one. */
void imap_thread_by_subject(struct imap_thread *t);
void imap_thread_by_references(struct imap_thread *t);
/* As by references, but subjects do not count, and threads are in the order of their latest messages (THREAD=REFS). */
void imap_thread_by_refs(struct imap_thread *t);
/* Writes "(3 6 (4 23)(44 7 96))" in slices; true when all is written. */
bool imap_thread_put(struct imap_session *s, struct imap_thread *t);
void imap_thread_free(struct imap_thread *t);

/* For the algorithms. */
uint32_t imap_thread_node_new(struct imap_thread *t);
struct view imap_thread_subject(const struct imap_thread *t, uint32_t node);
struct view imap_thread_id(const struct imap_thread *t, uint32_t node);
/* The node with this key in the table, or 0; it is then added when *add is not 0. The key is what key() gives for a node. */
typedef struct view imap_thread_key(const struct imap_thread *t, uint32_t node);
uint32_t imap_thread_find(struct imap_thread *t, imap_thread_key *key, struct view wanted, uint32_t add);
/* Sets the node that the table has for this key. */
void imap_thread_replace(struct imap_thread *t, imap_thread_key *key, struct view wanted, uint32_t node);
void imap_thread_table_clear(struct imap_thread *t);
/* Sorts the children of a node by date, equal dates by number. */
void imap_thread_sort_children(struct imap_thread *t, uint32_t node);
/* thread_references.c: links a message that was added to those that it refers to. */
void imap_thread_link(struct imap_thread *t, struct view id, struct view references, uint32_t *node_out);

#endif
