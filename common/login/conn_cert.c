/*
 * Client certificates. This process asks for them and hands the messages of the handshake to auth, which believes nothing else:
 * see common/tls/client_cert.c. What auth needs of the handshake, its nonce, must be here before it begins.
 */
#include "common/log/log.h"
#include "common/login/login_int.h"

bool login_conn_cert_ready(struct login_conn *c)
{
    if (c->nonce == NONCE_NONE && c->auth != NULL && login_conn_has_mechanism(c, "external")) {
        c->nonce = NONCE_ASKED;
        login_conn_ask(c, IPC_CONN_NONCE, NULL); /* where that fails no log-in is possible at all, as the client will see */
    }
    return c->nonce != NONCE_ASKED || c->auth == NULL;
}

int login_conn_cert_nonce(struct login_conn *c, const struct ipc_msg *msg)
{
    struct msg_nonce m;
    int r = msg->kind == IPC_AUTH_NONCE && c->nonce == NONCE_ASKED ? msg_nonce_decode(msg->body, &m) : ERR_PROTO;

    if (r == 0)
        r = login_conn_tls_begin(c);
    if (r < 0)
        return r;
    tls_ask_certificate(c->tls, m.nonce);
    ipc_set_state(c->auth, IPC_STATE_READY);
    c->nonce = NONCE_HERE;
    return 0;
}

bool login_conn_has_cert(const struct login_conn *c)
{
    return c->tls_on && tls_client_proof(c->tls).len > 0;
}

int login_conn_cert_prove(struct login_conn *c)
{
    struct view rest = tls_client_proof(c->tls);
    int r = 0;

    while (r == 0 && rest.len > 0) {
        const struct msg_handshake m = {view_sub(rest, 0, PROTO_PIECE_MAX)};
        struct buf body;

        buf_init(&body, IPC_MAX_BODY);
        msg_handshake_encode(&body, &m);
        r = c->auth != NULL ? ipc_send(c->auth, IPC_CONN_HANDSHAKE, &body, NULL, 0) : ERR_CLOSED;
        buf_free(&body);
        rest = view_sub(rest, m.piece.len, rest.len);
    }
    return r;
}
