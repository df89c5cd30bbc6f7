/* The life of a connection and the dispatch of its messages; attempt.c and rcpt.c do the work. */
#include "auth/conn.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"

const char *auth_conn_protocol(const struct auth_conn *c)
{
    static const char *const names[] = {
        [PROTO_IMAP] = "imap", [PROTO_POP3] = "pop3", [PROTO_LMTP] = "lmtp", [PROTO_SMTP] = "smtp"};
    return names[c->protocol];
}

void auth_conn_enter(struct auth_conn *c, enum conn_state state)
{
#define TO(s) (1u << (s))
    static const unsigned edges[] = {
        [CONN_IDLE] =
            TO(CONN_CHALLENGED) | TO(CONN_WAITING) | TO(CONN_CHECKING) | TO(CONN_HOLDING) | TO(CONN_IDLE) | TO(CONN_DONE),
        [CONN_CHALLENGED] =
            TO(CONN_CHALLENGED) | TO(CONN_WAITING) | TO(CONN_CHECKING) | TO(CONN_HOLDING) | TO(CONN_IDLE) | TO(CONN_DONE),
        [CONN_WAITING] = TO(CONN_CHECKING) | TO(CONN_IDLE) | TO(CONN_DONE),
        [CONN_CHECKING] = TO(CONN_CHALLENGED) | TO(CONN_HOLDING) | TO(CONN_IDLE) | TO(CONN_DONE),
        [CONN_HOLDING] = TO(CONN_CHALLENGED) | TO(CONN_IDLE) | TO(CONN_DONE),
        [CONN_DONE] = 0,
    };
#undef TO
    ASSERT((edges[c->state] & (1u << state)) != 0);
    c->state = state;
    ipc_set_state(c->ch, state == CONN_IDLE ? IPC_STATE_READY : state == CONN_DONE ? IPC_STATE_DONE : IPC_STATE_BUSY);
}

static int on_proxied(struct auth_conn *c, struct view body)
{
    struct msg_proxied msg;
    if (!c->proxy_due || msg_proxied_decode(body, &msg) != 0)
        return ERR_PROTO;
    c->proxy_due = false;
    c->peer = c->counted = msg.peer;
    c->proxy_tls = msg.tls;
    ipc_set_state(c->ch, IPC_STATE_READY);
    return 0;
}

static int dispatch(struct auth_conn *c, const struct ipc_msg *msg)
{
    /* Nothing may come before the word of the proxy: it would be counted for the proxy's address. */
    if (c->proxy_due && msg->kind != IPC_CONN_PROXIED)
        return ERR_PROTO;
    switch (msg->kind) {
    case IPC_CONN_PROXIED:
        return on_proxied(c, msg->body);
    case IPC_CONN_NONCE:
        return auth_conn_on_nonce(c);
    case IPC_CONN_HANDSHAKE:
        return auth_conn_on_handshake(c, msg->body);
    case IPC_CONN_AUTH:
        return attempt_on_auth(c, msg->body);
    case IPC_CONN_RESPONSE:
        return attempt_on_response(c, msg->body);
    case IPC_CONN_CANCEL:
        return attempt_on_cancel(c);
    case IPC_LCONN_RCPT:
        return rcpt_on_message(c, msg->body);
    default:
        return ERR_PROTO;
    }
}

static void on_message(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct auth_conn *c = arg;
    uint64_t id = c->id;
    (void)ch;
    /* A handler that returns 0 may have freed c. */
    if (dispatch(c, msg) == 0)
        return;
    LOG_ERROR(id, "malformed message, channel closed", F_STR("peer", "conn"), F_STR("message", proto_rule(msg->kind)->name));
    auth_conn_free(c);
}

static void on_closed(void *arg, struct ipc *ch, int err)
{
    (void)ch;
    (void)err; /* ipc has logged what was not a plain end */
    auth_conn_free(arg);
}

static void on_timer(void *arg)
{
    attempt_on_timer(arg);
}

static int conn_begin(struct auth_server *s, const struct auth_conn *facts, enum ipc_role role, int fd)
{
    struct auth_conn *c = xmalloc(sizeof(*c));
    *c = *facts;
    c->server = s;
    buf_init(&c->handshake, PROTO_HANDSHAKE_MAX);
    int err = auth_server_conn_add(s, c);
    if (err != 0) {
        free(c);
        close(fd);
        return err;
    }
    c->timer = timer_new(s->loop, on_timer, c);
    c->ch = ipc_new(s->loop, fd, ROLE_AUTH, role, on_message, on_closed, c);
    ipc_set_sid(c->ch, c->id);
    ipc_set_state(c->ch, c->proxy_due ? IPC_STATE_NEW : IPC_STATE_READY);
    return 0;
}

int auth_conn_new(struct auth_server *s, const struct msg_conn *msg, int fd)
{
    const struct auth_conn facts = {
        .id = msg->conn_id, .protocol = msg->protocol, .peer = msg->peer, .counted = msg->peer, .proxy_due = msg->proxy};
    return conn_begin(s, &facts, msg->protocol == PROTO_LMTP ? ROLE_LCONN : ROLE_CONN, fd);
}

int auth_conn_new_smtp(struct auth_server *s, const struct msg_smtp_conn *msg, int fd)
{
    struct auth_conn facts = {.id = msg->conn_id, .protocol = PROTO_SMTP, .peer = msg->peer};
    if (msg->counted)
        facts.counted = msg->peer;
    return conn_begin(s, &facts, ROLE_SCONN, fd);
}

void auth_conn_free(struct auth_conn *c)
{
    attempt_free(c);
    auth_conn_forget_handshake(c);
    rcpt_free_all(c);
    auth_server_conn_remove(c->server, c);
    timer_free(&c->timer);
    ipc_free(&c->ch);
    free(c);
}
