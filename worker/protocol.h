/* The protocols a worker can host, behind one table: what imap/session.h and pop3/session.h have in common. */
#ifndef CULVER_WORKER_PROTOCOL_H
#define CULVER_WORKER_PROTOCOL_H

#include "common/io/session.h"
#include "storage/account.h"

struct protocol {
    enum proto_protocol id;
    const char *name; /* for log lines */
    void *(*open)(struct session_host *host, struct account *acc, struct view tag, struct view final);
    void (*close)(void *session);
    enum session_run (*run)(void *session);
    void (*timeout)(void *session);
    void (*bye)(void *session, const char *code, const char *text);
    /* What to send when the process cannot go on, if nothing is unsent; NULL: nothing may be said now. Asks for no memory.
     * session: NULL when it has not begun. */
    const char *(*last_words)(const void *session);
    /* imap/session.h and pop3/session.h say what these are. */
    void (*park)(void *session);
    bool (*parked)(const void *session);
    int (*freeze)(void *session, struct buf *out, int *spool_out);
    int (*thaw)(struct session_host *host, struct account *acc, struct view record, int *spool, void **out);
};

/* NULL for a protocol that no session speaks. */
const struct protocol *protocol_find(enum proto_protocol id);

#endif
