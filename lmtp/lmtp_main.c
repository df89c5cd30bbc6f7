/* culver-lmtp: a parent that accepts and a process for each connection, like the log-in services (common/login/serve.h). */
#include "common/login/serve.h"

#include <unistd.h>

#include "lmtp/conn.h"

static void limits(const struct conf *conf, uint64_t *per_address, uint64_t *total)
{
    const struct set_lmtp *set = conf_get(conf, &set_lmtp_component);

    *per_address = set->lmtp_connections_max; /* mail servers are few */
    *total = set->lmtp_connections_max;
}

static void refuse(struct buf *out, const char *text)
{
    buf_put_str(out, "421 4.3.2 ");
    buf_put_str(out, text);
    buf_put_str(out, "\r\n");
}

static void *open_conn(const void *kind_arg, const struct serve_context *ctx, struct loop *loop, const struct msg_conn *facts,
                       enum listener_tls tls, const struct conn_fds *fds, serve_ended_fn *ended, void *arg)
{
    const struct set_login *login = conf_get(ctx->conf, &set_login_component);
    const struct set_worker *worker = conf_get(ctx->conf, &set_worker_component);
    const struct lmtp_params params = {
        .set = conf_get(ctx->conf, &set_lmtp_component),
        .message_size_max = worker->message_size_max,
        .hostname = ctx->hostname,
        .tls = ctx->tls,
        .tls_mode = tls,
        .handshake_timeout = login->tls_handshake_timeout,
    };

    (void)kind_arg;
    return lmtp_conn_new(loop, &params, facts, fds, ended, arg);
}

static void start_conn(void *conn)
{
    lmtp_conn_start(conn);
}

static void close_conn(void *conn)
{
    lmtp_conn_free(conn);
}

int main(void)
{
    static const struct serve_kind kind = {
        .proc_name = "lmtp",
        .id = PROTO_LMTP,
        .role = ROLE_LMTP,
        .components = {&set_login_component, &set_worker_component, &set_lmtp_component},
        .parent = SANDBOX_LMTP,
        .conn = SANDBOX_LMTP_CONN,
        .shared = SANDBOX_LMTP,
        .limits = limits,
        .refuse = refuse,
        .open = open_conn,
        .start = start_conn,
        .close = close_conn,
    };

    return serve_main(&kind, NULL);
}
