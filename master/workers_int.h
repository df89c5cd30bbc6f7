/* What workers.c and worker_life.c share; nobody else includes it. */
#ifndef CULVER_MASTER_WORKERS_INT_H
#define CULVER_MASTER_WORKERS_INT_H

#include "master/backoff.h"
#include "master/workers.h"

struct session {
    struct session *next;
    uint64_t id;
    enum proto_protocol protocol;
    struct net_addr peer;
    struct net_addr local;
    bool tls;
    bool admin; /* a master user has opened it */
    uint64_t since;
    struct frozen *frozen; /* upgrade.c: it is between two workers; NULL: a worker has it */
};

struct worker {
    struct worker *next, *prev; /* all, in the order in which they came */
    struct master *m;
    struct user *user;
    struct ids ids;
    enum worker_state state;
    pid_t pid; /* 0: none */
    struct ipc *ch;
    int peer_fd; /* its end of the channel, kept so that what it has not read survives it; -1: none */
    struct request *queue, **queue_end;
    size_t nqueue;
    struct session *sessions;
    size_t nsessions;
    void *held_by;                 /* NULL: nobody; else no process is started */
    void (*held_ready)(void *arg); /* to be called when there is no process any more; NULL: was called */
    size_t nfrozen;                /* of its sessions */
    struct upgrade *upgrade;       /* NULL: none that anybody waits for */
    uint64_t upgrade_round;        /* of "upgrade all", that has had this one */
    uint64_t started, last_used;   /* loop_now */
    uint64_t not_before;           /* back-off: no start before */
    struct backoff backoff;
    bool served, by_us;  /* this process was ready; we killed it */
    struct timer *timer; /* WAITING: try again or forget; STARTING: READY is due; later: kill */
};

struct workers {
    struct table *by_name; /* user name -> struct worker */
    struct worker *first, *last;
    size_t running, queued;
    uint64_t nstarted, ndied;
    uint64_t upgrade_round; /* the last "upgrade all" */
    struct timer *sweep;    /* deadlines of waiting requests */
};

/* workers.c */
/* Passes on what waits, in order. */
void worker_dispatch(struct worker *w);
/* Refuses what waits. */
void worker_refuse_all(struct worker *w, enum take_fail code, const char *text);
/* The worker is dead: what it had not read yet waits for the next one. */
void worker_recover_unread(struct worker *w);
void worker_session_end(struct worker *w, struct session **link);
void worker_forget(struct worker **w);
void worker_held(struct worker *w);
/* Deadlines are looked at again in a second. */
void workers_sweep_soon(struct master *m);

/* True when there is something for a process to do. */
static inline bool worker_wanted(const struct worker *w)
{
    return w->queue != NULL || w->nfrozen > 0;
}

/* upgrade.c */
/* The worker's messages. ERR_PROTO: malformed, or not of a session that it has. */
MUST_CHECK int upgrade_on_frozen(struct worker *w, struct ipc_msg *msg);
MUST_CHECK int upgrade_on_thawed(struct worker *w, const struct ipc_msg *msg);
/* A worker is ready: it gets the sessions of its predecessor. */
void upgrade_dispatch(struct worker *w);
/* The process has ended: sessions that it had not taken up wait for the next one. */
void upgrade_exited(struct worker *w);
/* Sessions between two workers whose time is over, or all of them, get their farewell. */
void upgrade_expire(struct worker *w, bool all);
/* Whoever waits for this worker's upgrade is told when it is over. */
void upgrade_progress(struct worker *w);
/* One of those, now. */
void upgrade_end(struct worker *w, struct session *s);
/* The session is over: what is kept of it goes, without a word to the client. */
void upgrade_drop(struct worker *w, struct session *s);

/* worker_life.c */
/* Starts the process if it may start now; otherwise sees to it that it is tried again. */
void worker_try_start(struct worker *w);
/* Asks it to leave. */
void worker_leave(struct worker *w);
/* It was asked to: it must be gone in time. */
void worker_leaving(struct worker *w);
void worker_on_timer(void *arg);
/* A place is free: those who wait for one, oldest first. */
void workers_pump(struct master *m);

#endif
