/*
 * One thing that a worker is asked to do: take over a client connection, or deliver a message. It owns its descriptors and the
 * encoded message; it waits in a worker's queue until the worker is ready, or its deadline passes. Master only.
 */
#ifndef CULVER_MASTER_REQUEST_H
#define CULVER_MASTER_REQUEST_H

#include "common/ipc/ipc.h"
#include "common/ipc/proto.h"

#define REQUEST_WAIT_MS 30000

enum request_kind { REQUEST_SESSION, REQUEST_DELIVER };

struct worker;

struct request {
    struct request *next;
    struct worker *worker; /* in whose queue it is; NULL: in none */
    enum request_kind kind;
    uint64_t id;     /* session id = connection id */
    struct buf body; /* IPC_MASTER_SESSION or IPC_MASTER_DELIVER */
    int fds[IPC_MAX_FDS];
    unsigned nfds;
    uint64_t deadline;
    enum proto_protocol protocol;
    struct net_addr peer, local;
    bool tls;
    bool admin;   /* a session that a master user opens */
    bool counted; /* the limits hold it */
    /* Called once when the request was passed on (code 0) or given up, before it is freed; never after workers_cancel(). */
    void (*done)(void *arg, const struct request *r, enum take_fail code, const char *text);
    void *arg;
};

/* The usual `done` of a delivery: refuses it on its reply channel. arg is not used. */
void request_deliver_done(void *arg, const struct request *r, enum take_fail code, const char *text);

/* Descriptors are taken over from msg (its slots become -1). */
struct request *request_new(enum request_kind kind, uint64_t id, struct ipc_msg *msg);
void request_free(struct request **r);

/* Answers a delivery on its reply channel in the worker's place. Not waited for: who does not read loses the answer. */
void request_reply(int fd, uint64_t id, uint16_t code, const char *enhanced, const char *text);

#endif
