/*
 * Requests to helper processes. culver-auth asks master to start a helper on one end of a socket pair and speaks to it on the
 * other: one request, one result. At most `running_max` helpers exist at a time, further requests wait in a bounded queue, and
 * every request ends in one place: with the helper's result, or with HELPER_TEMPORARY when it was too late, died or broke the
 * protocol.
 */
#ifndef CULVER_AUTH_REQUEST_H
#define CULVER_AUTH_REQUEST_H

#include "common/base/buf.h"
#include "common/io/loop.h"
#include "common/ipc/ipc.h"
#include "common/ipc/proto.h"

#define REQUEST_QUEUE_MAX 1024

struct auth_request_pool;
struct auth_request;

/* Called once for each started request that was not cancelled, never from within auth_request_start. result is valid during the
 * call; the request is no longer the caller's. */
typedef void auth_request_done_fn(void *arg, const struct msg_helper_result *result);

/* master: the channel to master; must outlive the pool. timeout_ms: for a helper's work, and as much for waiting in the queue. */
struct auth_request_pool *auth_request_pool_new(struct loop *loop, struct ipc *master, unsigned running_max, uint64_t timeout_ms);
/* Drops everything that is pending without calling anybody. */
void auth_request_pool_free(struct auth_request_pool **pool);

/* Starts or queues a request. kind: IPC_AUTH_CHECK_PAM, _CHECK_HASH, _CHECK_TOKEN or _LOOKUP_NSS; body: its encoding, taken over
 * and wiped also on failure. ERR_LIMIT: the queue is full; ERR_SYSTEM, ERR_CLOSED: master cannot be asked. sid: for log lines. */
MUST_CHECK int auth_request_start(struct auth_request_pool *pool, enum ipc_kind kind, struct buf *body, uint64_t sid,
                                  auth_request_done_fn *done, void *arg, struct auth_request **out);
/* The same for a request with a TLS handshake (IPC_AUTH_CHECK_CERT), which is taken over too. */
MUST_CHECK int auth_request_start_with(struct auth_request_pool *pool, enum ipc_kind kind, struct buf *body,
                                       struct buf *handshake, uint64_t sid, auth_request_done_fn *done, void *arg,
                                       struct auth_request **out);
/* Nobody waits for it any more. Sets the pointer to NULL, accepts NULL. A running helper keeps its place until it has ended. */
void auth_request_cancel(struct auth_request **r);

#endif
