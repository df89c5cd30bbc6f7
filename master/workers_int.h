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
    bool tls;
    uint64_t since;
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
    struct timer *sweep; /* deadlines of waiting requests */
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

/* worker_life.c */
/* Starts the process if it may start now; otherwise sees to it that it is tried again. */
void worker_try_start(struct worker *w);
/* Asks it to leave. */
void worker_leave(struct worker *w);
void worker_on_timer(void *arg);
/* A place is free: those who wait for one, oldest first. */
void workers_pump(struct master *m);

#endif
