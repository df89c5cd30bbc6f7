/* The log-in services as a kind of service that serve.c runs: their connections are conn.c's. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/login/login_int.h"

struct login_kind {
    const struct login_protocol *protocol;
};

/* One connection with what conn.c wants to borrow for its life. */
struct served {
    struct login_service svc;
    struct login_conn *conn;
    serve_ended_fn *ended;
    void *arg;
};

static void served_ended(void *arg, struct login_conn *c)
{
    struct served *s = arg;

    s->ended(s->arg, login_conn_id(c));
}

static void *served_open(const void *kind_arg, const struct serve_context *ctx, struct loop *loop, const struct msg_conn *facts,
                         enum listener_tls tls, const struct conn_fds *fds, serve_ended_fn *ended, void *arg)
{
    const struct login_kind *kind = kind_arg;
    struct served *s = xcalloc(1, sizeof(*s));

    s->svc = (struct login_service){
        .protocol = kind->protocol,
        .set = conf_get(ctx->conf, &set_login_component),
        .session = conf_get(ctx->conf, &set_worker_component),
        .hostname = ctx->hostname,
        .tls = ctx->tls,
    };
    s->ended = ended;
    s->arg = arg;
    s->conn = login_conn_new(&s->svc, loop, facts, tls, fds, served_ended, s);
    if (s->conn == NULL) {
        free(s);
        return NULL;
    }
    return s;
}

static void served_start(void *conn)
{
    struct served *s = conn;

    login_conn_step(s->conn);
}

static void served_close(void *conn)
{
    struct served *s = conn;

    login_conn_free(&s->conn);
    free(s);
}

static void limits(const struct conf *conf, uint64_t *per_address, uint64_t *total)
{
    const struct set_login *set = conf_get(conf, &set_login_component);

    *per_address = set->connections_per_address;
    *total = set->connections_max;
}

int login_main(const struct login_protocol *protocol)
{
    const struct login_kind arg = {protocol};
    const struct serve_kind kind = {
        .proc_name = protocol->proc_name,
        .id = protocol->id,
        .role = ROLE_LOGIN,
        .alpn = protocol->id == PROTO_POP3 ? "pop3" : "imap",
        .components = {&set_login_component, &set_worker_component},
        .parent = SANDBOX_LOGIN,
        .conn = SANDBOX_LOGIN_CONN,
        .shared = SANDBOX_LOGIN_SHARED,
        .limits = limits,
        .refuse = protocol->refuse,
        .open = served_open,
        .start = served_start,
        .close = served_close,
    };

    return serve_main(&kind, &arg);
}
