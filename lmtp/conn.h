/* One LMTP client connection: RFC 2033, 5321, 1870, 2034, 2920, 3030, 3207, 3463, 6152, 6531. Runs in a process (or loop) that
 * holds nothing but it. */
#ifndef CULVER_LMTP_CONN_H
#define CULVER_LMTP_CONN_H

#include "common/conf/settings.h"
#include "common/io/loop.h"
#include "common/ipc/proto.h"
#include "common/login/serve.h"

struct lmtp_conn;

struct lmtp_params {
    const struct set_lmtp *set;
    uint64_t message_size_max;
    const char *hostname;
    struct tls_ctx *tls; /* NULL or not usable: no TLS */
    enum listener_tls tls_mode;
    uint64_t handshake_timeout; /* ms */
};

/* Takes over all descriptors. ended is called once, from the loop, when the connection is over: the owner then calls
 * lmtp_conn_free(). NULL: no resources; the descriptors are closed then. */
struct lmtp_conn *lmtp_conn_new(struct loop *loop, const struct lmtp_params *params, const struct msg_conn *facts,
                                const struct conn_fds *fds, void (*ended)(void *arg, uint64_t conn_id), void *arg);
/* Greets the client. */
void lmtp_conn_start(struct lmtp_conn *c);
void lmtp_conn_free(struct lmtp_conn *c);

#endif
