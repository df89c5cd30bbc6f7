/*
 * The TLS handshake by which a client proves its certificate: the nonce that makes it one of this connection, and its messages,
 * which wait here for the exchange that they are to prove (attempt_cert.c).
 */
#include <sodium.h>

#include "auth/conn.h"
#include "common/log/log.h"

/* Of all connections together: each of them may have as much as a handshake, and not all of them will. */
#define HANDSHAKES_MAX ((size_t)64 * 1024 * 1024)

int auth_conn_on_nonce(struct auth_conn *c)
{
    const struct msg_nonce msg = {.nonce = view_make(c->nonce, sizeof(c->nonce))};
    struct buf body;
    if (c->state != CONN_IDLE || c->nonce_given)
        return ERR_PROTO;
    randombytes_buf(c->nonce, sizeof(c->nonce));
    c->nonce_given = true;
    buf_init(&body, IPC_MAX_BODY);
    msg_nonce_encode(&body, &msg);
    int err = ipc_send(c->ch, IPC_AUTH_NONCE, &body, NULL, 0);
    buf_free(&body);
    return err == 0 ? 0 : ERR_PROTO;
}

int auth_conn_on_handshake(struct auth_conn *c, struct view body)
{
    struct msg_handshake msg;
    if (c->state != CONN_IDLE || !c->nonce_given || msg_handshake_decode(body, &msg) != 0)
        return ERR_PROTO;
    if (c->server->handshake_bytes + msg.piece.len > HANDSHAKES_MAX) {
        LOG_ERROR(c->id, "too many TLS handshakes to be checked");
        return ERR_PROTO;
    }
    buf_put_view(&c->handshake, msg.piece);
    if (!buf_ok(&c->handshake))
        return ERR_PROTO;
    c->server->handshake_bytes += msg.piece.len;
    return 0;
}

struct buf auth_conn_take_handshake(struct auth_conn *c)
{
    struct buf taken = c->handshake;
    c->server->handshake_bytes -= buf_len(&taken);
    buf_init(&c->handshake, PROTO_HANDSHAKE_MAX);
    return taken;
}

void auth_conn_forget_handshake(struct auth_conn *c)
{
    struct buf taken = auth_conn_take_handshake(c);
    buf_free(&taken);
}
