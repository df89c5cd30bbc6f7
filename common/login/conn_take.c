/* One connection's talk with master: whom a PROXY header named, and the hand-over. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log/log.h"
#include "common/login/login_int.h"

int login_conn_send_proxied(struct login_conn *c)
{
    const struct msg_proxied m = {c->peer, c->local, c->proxied_tls};
    struct buf body;
    int r = ERR_CLOSED;

    buf_init(&body, IPC_MAX_BODY);
    msg_proxied_encode(&body, &m);
    if (c->auth != NULL && c->master != NULL) {
        r = ipc_send(c->auth, IPC_CONN_PROXIED, &body, NULL, 0);
        if (r == 0)
            r = ipc_send(c->master, IPC_CONN_PROXIED, &body, NULL, 0);
    }
    buf_free(&body);
    return r;
}

/* The log-in is lost; the protocol says so. */
static void conn_take_failed(struct login_conn *c, enum take_fail code, struct view text)
{
    c->svc->protocol->take_failed(c, c->proto_state, code, text);
    login_conn_close(c);
}

/* The same once master has been asked: the socket is ours again. */
static void conn_take_refused(struct login_conn *c, enum take_fail code, struct view text)
{
    if (login_conn_watch(c) < 0)
        login_conn_kill(c);
    else
        conn_take_failed(c, code, text);
}

void login_conn_take(struct login_conn *c, struct view tag, struct view final)
{
    struct msg_take m = {.tls = login_conn_tls(c), .tag = tag, .final = final, .input = buf_view(&c->in)};
    struct buf info;

    buf_init(&info, 128);
    if (c->tls_on)
        tls_describe(c->tls, &info);
    else if (c->proxied_tls)
        buf_put_str(&info, "proxy");
    m.tls_info = buf_view(&info);
    msg_take_encode(&c->take, &m);
    buf_free(&info);
    buf_reset(&c->in);
    login_conn_enter(c, CONN_TAKE_FLUSH);
}

static void conn_take_send(struct login_conn *c)
{
    int fd = c->fd, pair[2], r = 0;

    if (c->tls_on) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
            LOG_ERROR(c->id, "no socket pair for the worker", F_ERRNO(errno));
            conn_take_failed(c, TAKE_FAIL_UNAVAILABLE, VIEW(""));
            return;
        }
        c->pair_fd = pair[0];
        c->pair_other = fd = pair[1];
    }
    r = c->master != NULL ? ipc_send(c->master, IPC_CONN_TAKE, &c->take, &fd, 1) : ERR_CLOSED;
    buf_free(&c->take);
    if (r < 0) {
        LOG_ERROR(c->id, "cannot ask master for the hand-over", F_ERR(r));
        conn_take_failed(c, TAKE_FAIL_UNAVAILABLE, VIEW(""));
        return;
    }
    if (c->pair_other >= 0) {
        close(c->pair_other);
        c->pair_other = -1;
    }
    ipc_set_state(c->master, IPC_STATE_BUSY);
    login_conn_enter(c, CONN_TAKE);
    /* Nothing is read or written until master has answered, so there is nothing to wait for, not even a hang-up. */
    watch_free(&c->watch);
}

bool login_conn_take_step(struct login_conn *c)
{
    if (c->state == CONN_TAKE_FLUSH) {
        if (login_conn_has_output(c))
            return false;
        conn_take_send(c);
        return true;
    }
    if (c->master != NULL)
        return false;
    conn_take_refused(c, TAKE_FAIL_UNAVAILABLE, VIEW(""));
    return true;
}

static void conn_taken(struct login_conn *c)
{
    struct buf info;

    buf_init(&info, 128);
    if (c->tls_on)
        tls_describe(c->tls, &info);
    else
        buf_put_str(&info, c->proxied_tls ? "proxy" : "none");
    LOG_INFO(c->id, "log-in passed on", F_VIEW("tls", buf_view(&info)));
    buf_free(&info);
    if (!c->tls_on || login_relay_begin(c) < 0)
        login_conn_kill(c);
}

static int conn_master_dispatch(struct login_conn *c, const struct ipc_msg *msg)
{
    struct msg_take_fail fail;
    int r;

    switch (msg->kind) {
    case IPC_MASTER_TAKE_OK:
        conn_taken(c);
        return 0;
    case IPC_MASTER_TAKE_FAIL:
        r = msg_take_fail_decode(msg->body, &fail);
        if (r == 0)
            conn_take_refused(c, fail.code, fail.text);
        return r;
    default:
        return ERR_PROTO;
    }
}

void login_conn_master_message(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct login_conn *c = arg;
    int r = c->state == CONN_TAKE ? conn_master_dispatch(c, msg) : ERR_PROTO;

    (void)ch;
    if (r < 0) {
        LOG_ERROR(c->id, "answer of master not understood", F_UINT("kind", msg->kind), F_ERR(r));
        login_conn_kill(c);
    }
    login_conn_step(c);
}

void login_conn_master_closed(void *arg, struct ipc *ch, int err)
{
    struct login_conn *c = arg;

    (void)ch;
    LOG_DEBUG(c->id, "master closed the channel", F_ERR(err));
    ipc_free(&c->master);
    if (c->state < CONN_TAKE_FLUSH) /* nobody can be handed over any more */
        login_conn_farewell(c, "The server is shutting down.");
    login_conn_step(c);
}
