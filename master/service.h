/*
 * The services that run all the time (keys, auth, the login services, lmtp): starting, connecting them with each other, starting
 * them again, and replacing them by a new generation at a reload. Master only.
 *
 *   DOWN ──start──► STARTING ──READY──► READY ──stop──► LEAVING ──exit──► (gone)
 *    ▲                 │ exit, no READY in time │ exit
 *    └──── back-off ◄──┴────────────────────────┘
 */
#ifndef CULVER_MASTER_SERVICE_H
#define CULVER_MASTER_SERVICE_H

#include "master/master_int.h"

enum service_state { SERVICE_DOWN, SERVICE_STARTING, SERVICE_READY, SERVICE_LEAVING };

struct service; /* one process of one generation */

void services_init(struct master *m);
/* Starts every service that the setup in force asks for, as the newest generation. Those of older ones are told to leave. */
void services_start(struct master *m);
/* The front services accept no more (shutdown); the others stay for those who still need them. */
void services_stop_fronts(struct master *m);
/* Everything leaves. */
void services_stop_all(struct master *m);
void services_free(struct services **s);

/* Handles what auth has sent by now (the grant for a connection that already asks for its worker). */
void services_poll_auth(struct master *m);
/* The same for the parents that announce connections. */
void services_poll_fronts(struct master *m);
/* A message to the auth of the newest generation. ERR_CLOSED: none is ready. */
MUST_CHECK int services_ask_auth(struct master *m, enum ipc_kind kind, const struct buf *body);
/* IPC_MASTER_TAKEN to the parent of a connection, if it still lives. */
void services_taken(struct master *m, uint64_t serial, uint64_t conn_id);
void services_send_log(struct master *m, int fd);

/* For status: fn for every service. */
struct service_facts {
    const struct role *role;
    uint64_t generation;
    enum service_state state;
    pid_t pid;
    uint64_t age_ms;
    unsigned restarts;
};
void services_each(const struct master *m, void (*fn)(void *arg, const struct service_facts *f), void *arg);

#endif
