/*
 * What a protocol session (imap, pop3) and its host (the worker) know of each other. The host owns the socket, the timers and the
 * tick; the session owns the protocol's state. A session never reads or writes a descriptor and never blocks.
 *
 * In each turn: the host puts what it has read into `in`, calls run(); the session parses, does a slice of work, stages
 * transactions and appends answers to `out`. The host then commits the account (completions of transactions run here and append
 * the tagged answers), and only after that sends `out`. So no answer leaves before what it says is durable.
 */
#ifndef CULVER_COMMON_IO_SESSION_H
#define CULVER_COMMON_IO_SESSION_H

#include "common/base/buf.h"
#include "common/conf/settings.h"
#include "common/io/outq.h"
#include "common/ipc/proto.h"

/* Above this much unsent output a session does no further step. */
#define SESSION_OUT_HIGH (256 * 1024)

enum session_run {
    SESSION_WAIT,  /* needs input, a commit or room in out */
    SESSION_AGAIN, /* has more to do at once: call run() in the next turn without waiting */
    SESSION_CLOSE  /* send what is in out, then close */
};

/* The host's side, lives as long as the session. */
struct session_host {
    uint64_t id;
    struct buf *in; /* unread client bytes; the session consumes. Its max is the session's to choose (buf.max) */
    struct outq *out;
    bool eof; /* the client has closed its sending side; in may still hold bytes */
    bool tls;
    bool admin;      /* a master user has opened it */
    bool compressed; /* what leaves is compressed, by compress() */
    struct net_addr peer, local;
    const struct set_worker *set;
    const char *hostname;
    const char *user;
    const char *capability_disable; /* the user's own, separated by commas; NULL: none */
    struct view detail;             /* the folder that the user's name at log-in asked for; usually empty */
    int spool_dir;                  /* O_PATH-like directory descriptor of the user's own spool folder (O_TMPFILE) */
    uint64_t (*now_ms)(const struct session_host *h); /* monotonic */
    void (*wake)(struct session_host *h); /* call run() in this or the next turn (a view has news, a commit is done) */
    /* Restart the idle timer: the session fires farewell itself in its timeout callback. ms from now, 0 = none. */
    void (*set_timeout)(struct session_host *h, uint64_t ms);
    /* What is in out now is the last that leaves as it is; all after it, and all that the client sends from now on (in is empty
     * when it returns), is compressed (RFC 4978). `out` is another queue afterwards. NULL: the host cannot. */
    void (*compress)(struct session_host *h);
    void *priv;
};

#endif
