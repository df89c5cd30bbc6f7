/*
 * The table of users and their workers. Every active user has exactly one worker process; it is started when a request comes,
 * gets the requests that waited, and is asked to leave when it has been idle long enough or its place is needed. Master only.
 *
 *   WAITING ──start──► STARTING ──READY──► READY ──STOP──► LEAVING ──exit──► WAITING (requests wait) or gone
 *      ▲                  │ exit               │ exit
 *      └──── back-off ◄───┴────────────────────┘
 *
 * A worker that is LEAVING still holds the account, so later requests wait for its exit. Where it was asked to make room for a
 * fresh one (upgrade.c), its sessions wait for that too. WAITING is also where a user's worker stays that has no place
 * (workers_max) or died a moment ago.
 */
#ifndef CULVER_MASTER_WORKERS_H
#define CULVER_MASTER_WORKERS_H

#include "master/master_int.h"
#include "master/request.h"

enum worker_state { WORKER_WAITING, WORKER_STARTING, WORKER_READY, WORKER_LEAVING };

void workers_init(struct master *m);
void workers_free(struct master *m);

/* What this user's worker has said, if there is one, is handled now. */
void workers_hear(struct master *m, const struct user *user);
/* Takes over *user (may leave it NULL) and r. The answer comes through r->done, possibly before this returns. A counted session
 * is given back to the limits when it ends, fails or is cancelled. */
void workers_submit(struct master *m, struct user **user, struct request *r);
/* Takes a waiting request back and frees it; done is not called. */
void workers_cancel(struct master *m, struct request **r);
/* The same for all waiting requests with this arg. */
void workers_cancel_arg(struct master *m, const void *arg);

/* Shutdown: nothing new starts, what waits is refused, all workers leave. */
void workers_stop(struct master *m);
/* Processes that exist. */
size_t workers_running(const struct master *m);
void workers_send_log(struct master *m, int fd);

/* Ends one session, or with user all of a user. Returns how many sessions were told. */
size_t workers_kick(struct master *m, struct view user, uint64_t id);

/* No worker of this user runs until workers_release(): one that does is told to leave (its clients get their farewell), and later
 * sessions wait. ready(arg) is called when nobody has the mail, possibly before this returns. Takes over *user. ERR_BUSY: it is
 * held already; ERR_CLOSED: shutting down; errors of worker_ids(). */
MUST_CHECK int workers_hold(struct master *m, struct user **user, void (*ready)(void *arg), void *arg);
/* Gives back what was held with this arg, if anything was. */
void workers_release(struct master *m, const void *arg);

/* upgrade.c: a fresh process in place of a user's worker, or one after the other of all workers that run now (user "--all").
 * Their sessions go on. done is called when it is over, possibly before this returns, with culverctl's exit status. */
typedef void upgrade_done_fn(void *arg, uint8_t status, struct view lines);
struct upgrade;
MUST_CHECK struct upgrade *upgrade_start(struct master *m, struct view user, upgrade_done_fn *done, void *arg);
/* Nobody waits for it any more; what has begun goes on. */
void upgrade_free(struct upgrade **u);

struct session_facts {
    struct view user;
    enum proto_protocol protocol;
    uint64_t id;
    struct net_addr peer;
    bool tls;
    uint64_t age_ms;
    pid_t pid;
};
void workers_each_session(const struct master *m, void (*fn)(void *arg, const struct session_facts *f), void *arg);
/* Counts for status. */
struct workers_facts {
    size_t processes, idle, sessions, waiting_requests;
    uint64_t started, died; /* since master's start */
};
struct workers_facts workers_facts(const struct master *m);

/* worker_ids.c: the uid and gid of a user's worker. 0, or ERR_DENIED/ERR_LIMIT/... with the reason logged. */
MUST_CHECK int worker_ids(struct master *m, const struct user *user, struct ids *out);

#endif
