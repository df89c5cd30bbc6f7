/*
 * A service that accepts connections and gives each to a process of its own: what differs between the log-in services (login.c)
 * and LMTP's front. The parent (parent.c, accept.c) is the same code for all: it accepts, counts, makes the channels, forks, and
 * never reads a byte of a client.
 */
#ifndef CULVER_COMMON_LOGIN_SERVE_H
#define CULVER_COMMON_LOGIN_SERVE_H

#include "common/conf/settings.h"
#include "common/io/loop.h"
#include "common/ipc/proto.h"
#include "common/sandbox/sandbox.h"
#include "common/tls/tls.h"

/* Descriptors of a new connection. keys is -1 where there is no TLS. */
struct conn_fds {
    int client, auth, master, keys;
};

/* Facts of the running service that its connections need; lives as long as the process. */
struct serve_context {
    const struct conf *conf;
    const char *hostname;
    struct tls_ctx *tls; /* NULL or not usable: no TLS */
};

/* Called once, from the loop, when a connection is over; the owner then calls close(). */
typedef void serve_ended_fn(void *arg, uint64_t conn_id);

struct serve_kind {
    const char *proc_name; /* "imap-login" */
    enum proto_protocol id;
    enum ipc_role role;                         /* ROLE_LOGIN or ROLE_LMTP */
    const char *alpn;                           /* protocol name for TLS; NULL: none */
    const struct conf_component *components[4]; /* what it may see of the configuration; ends with NULL */
    enum sandbox_profile parent, conn, shared;
    /* Most connections of one address and of all, counted until log-in (LMTP: until their end). */
    void (*limits)(const struct conf *conf, uint64_t *per_address, uint64_t *total);
    /* A complete line for a client that is refused before a connection exists; text without line end. */
    void (*refuse)(struct buf *out, const char *text);
    /* Takes over the descriptors. NULL on failure (they are closed then). kind_arg: as given to serve_main. */
    void *(*open)(const void *kind_arg, const struct serve_context *ctx, struct loop *loop, const struct msg_conn *facts,
                  enum listener_tls tls, const struct conn_fds *fds, serve_ended_fn *ended, void *arg);
    void (*start)(void *conn);
    void (*close)(void *conn);
};

/* A signature of culver-keys for a TLS handshake, over a connection's channel to it (-1: none), by that connection's role.
 * Blocks, at most 5 s each way. As tls_sign_fn; logs a failure. */
MUST_CHECK int serve_sign(int keys_fd, enum ipc_role role, uint64_t conn_id, const struct msg_sign *request, struct buf *sig);

/* main() of such a service: returns its exit status when the service ends. */
int serve_main(const struct serve_kind *kind, const void *kind_arg);

#endif
