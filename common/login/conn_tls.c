/* TLS of one connection: the start, the handshake with its signature from culver-keys, decryption. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log/log.h"
#include "common/login/login_int.h"

/* The one place where a connection waits in line: OpenSSL wants its signature within the call. */
static int conn_sign(void *arg, const struct msg_sign *request, struct buf *sig)
{
    const struct login_conn *c = arg;

    return serve_sign(c->keys_fd, ROLE_CONN, c->id, request, sig);
}

int login_conn_tls_begin(struct login_conn *c)
{
    if (c->svc->tls == NULL)
        return ERR_STATE;
    return tls_conn_new(c->svc->tls, conn_sign, c, &c->tls);
}

static void conn_tls_established(struct login_conn *c)
{
    struct buf text;

    c->tls_on = true;
    /* No handshake follows on this connection. */
    if (c->keys_fd >= 0)
        close(c->keys_fd);
    c->keys_fd = -1;
    if (log_enabled(LOG_LVL_DEBUG)) {
        buf_init(&text, 128);
        tls_describe(c->tls, &text);
        LOG_DEBUG(c->id, "TLS established", F_VIEW("tls", buf_view(&text)));
        buf_free(&text);
    }
    login_conn_enter(c, CONN_COMMAND);
    if (c->greeted)
        c->svc->protocol->tls_done(c, c->proto_state);
}

bool login_conn_tls_step(struct login_conn *c)
{
    int r;

    if (!login_conn_cert_ready(c))
        return false;
    r = c->tls == NULL ? login_conn_tls_begin(c) : 0;
    if (r == 0)
        r = tls_handshake(c->tls, &c->net_in, &c->net_out);
    switch (r) {
    case 0:
        conn_tls_established(c);
        return true;
    case ERR_AGAIN:
        if (c->eof)
            login_conn_kill(c);
        return false;
    case ERR_LIMIT:
        return false;
    default:
        LOG_DEBUG(c->id, "TLS handshake failed", F_ERR(r));
        login_conn_close(c); /* the alert is sent */
        return true;
    }
}

bool login_conn_tls_pull(struct login_conn *c)
{
    int r = tls_decrypt(c->tls, &c->net_in, &c->net_out, &c->in);

    switch (r) {
    case 0:
    case ERR_AGAIN:
    case ERR_LIMIT:
        return true;
    case ERR_CLOSED:
        c->eof = true;
        return true;
    default:
        LOG_DEBUG(c->id, "TLS record refused", F_ERR(r));
        return false;
    }
}

bool login_conn_tls(const struct login_conn *c)
{
    return c->tls_on || c->proxied_tls;
}

bool login_conn_can_starttls(const struct login_conn *c)
{
    return c->listener_tls == LISTENER_TLS_STARTTLS && !login_conn_tls(c) && c->tls == NULL && c->keys_fd >= 0 &&
           tls_ctx_usable(c->svc->tls);
}

void login_conn_starttls(struct login_conn *c)
{
    if (login_conn_can_starttls(c))
        login_conn_enter(c, CONN_STARTTLS);
    else
        login_conn_farewell(c, "TLS is not possible here.");
}

/* RFC 9051 6.2.1: a client waits for the answer. Whatever came earlier was sent in clear, maybe by somebody else, and must not be
 * taken for what follows under TLS: neither what is here nor what is still in the kernel. */
void login_conn_tls_check(struct login_conn *c)
{
    uint8_t byte;

    if (buf_len(&c->in) == 0 && recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
        return;
    LOG_WARN(c->id, "input behind STARTTLS, connection closed");
    buf_reset(&c->in);
    buf_reset(&c->out);
    login_conn_close(c);
}
