/*
 * TLS of an LMTP connection (RFC 3207): after STARTTLS or from the first octet. Everything else sees plain octets: what comes in
 * goes through lmtp_tls_pull() into c->in, what is in c->out leaves through lmtp_send().
 */
#include "lmtp/tls_int.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log/log.h"
#include "common/login/serve.h"

/* Of octets on their way into a record. */
#define PLAIN_MAX (16 * 1024)

static int sign(void *arg, const struct msg_sign *request, struct buf *sig)
{
    const struct lmtp_conn *c = arg;

    return serve_sign(c->keys_fd, ROLE_LCONN, c->id, request, sig);
}

bool lmtp_tls_possible(const struct lmtp_conn *c)
{
    return c->tls_mode == LISTENER_TLS_STARTTLS && c->tls == NULL && c->keys_fd >= 0 && tls_ctx_usable(c->p.tls);
}

void lmtp_tls_free(struct lmtp_conn *c)
{
    tls_conn_free(&c->tls);
    if (c->keys_fd >= 0)
        close(c->keys_fd);
    c->keys_fd = -1;
    buf_free(&c->net_in);
    buf_free(&c->net_out);
    buf_free(&c->plain);
}

static bool input_is_behind(const struct lmtp_conn *c)
{
    uint8_t byte;

    return buf_len(&c->in) > 0 || recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void lmtp_tls_answer(struct lmtp_conn *c)
{
    if (!input_is_behind(c)) {
        lmtp_reply(c, 220, "2.0.0", "Begin TLS negotiation now.");
        return;
    }
    LOG_WARN(c->id, "input behind STARTTLS, connection closed");
    lmtp_enter(c, LMTP_CLOSING);
}

bool lmtp_tls_begin(struct lmtp_conn *c)
{
    buf_init(&c->net_in, 2 * PLAIN_MAX + 1024);
    buf_init(&c->net_out, 2 * PLAIN_MAX + 1024);
    buf_init(&c->plain, PLAIN_MAX);
    if (c->p.tls == NULL || tls_conn_new(c->p.tls, sign, c, &c->tls) != 0)
        return false;
    lmtp_enter(c, LMTP_HANDSHAKE);
    return true;
}

/* RFC 3207 4.2: everything starts anew. */
static void established(struct lmtp_conn *c)
{
    c->tls_on = true;
    close(c->keys_fd); /* no handshake follows on this connection */
    c->keys_fd = -1;
    lmtp_reset(c);
    free(c->helo);
    c->helo = NULL;
    lmtp_enter(c, LMTP_COMMAND);
    timer_arm(c->idle, c->p.set->lmtp_timeout);
    if (c->tls_mode == LISTENER_TLS_IMPLICIT)
        lmtp_greet(c);
}

bool lmtp_tls_pull(struct lmtp_conn *c, bool *grown_out)
{
    size_t before = buf_len(&c->in);
    int r = 0;

    *grown_out = false;
    if (!c->tls_on) {
        r = tls_handshake(c->tls, &c->net_in, &c->net_out);
        if (r == 0)
            established(c);
    }
    if (c->tls_on)
        r = tls_decrypt(c->tls, &c->net_in, &c->net_out, &c->in);
    *grown_out = buf_len(&c->in) > before;
    if (r == ERR_CLOSED)
        c->eof = true;
    if (r == 0 || r == ERR_AGAIN || r == ERR_LIMIT || r == ERR_CLOSED)
        return true;
    LOG_DEBUG(c->id, c->tls_on ? "TLS record refused" : "TLS handshake failed", F_ERR(r));
    return false;
}

/* Turns what is to be said into records, as far as there is room. ERR_CLOSED: TLS is broken. */
static int encrypt(struct lmtp_conn *c)
{
    uint8_t slice[PLAIN_MAX];
    size_t n = 0;
    int err = 0;

    if (!c->tls_on)
        return 0;
    if (buf_len(&c->plain) == 0 && outq_len(c->out) > 0) {
        err = outq_take(c->out, slice, sizeof(slice), &n);
        buf_put(&c->plain, slice, n);
    }
    if (err == 0 && buf_len(&c->plain) > 0)
        err = tls_encrypt(c->tls, &c->plain, &c->net_out);
    return err == 0 || err == ERR_LIMIT ? 0 : ERR_CLOSED;
}

int lmtp_send(struct lmtp_conn *c)
{
    if (c->tls == NULL)
        return outq_len(c->out) > 0 ? outq_flush(c->out, c->fd, NULL) : 0;
    while (encrypt(c) == 0) {
        struct view v = buf_view(&c->net_out);
        ssize_t n;

        if (v.len == 0)
            return 0;
        n = send(c->fd, v.ptr, v.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return ERR_AGAIN;
        if (n <= 0)
            return ERR_CLOSED;
        buf_consume(&c->net_out, (size_t)n);
    }
    return ERR_CLOSED;
}

void lmtp_tls_goodbye(struct lmtp_conn *c)
{
    if (!c->tls_on || c->tls_shut)
        return;
    c->tls_shut = true;
    tls_shutdown(c->tls, &c->net_out);
    if (lmtp_send(c) != 0)
        LOG_DEBUG(c->id, "the client does not take the end of TLS");
}
