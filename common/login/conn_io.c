/* The client's socket: bytes in, bytes out, and when to wait for which. */
#include <errno.h>
#include <sys/socket.h>

#include "common/base/mem.h"
#include "common/login/login_int.h"

#define READ_PIECE 4096

/* Where bytes from the socket go, or NULL when nothing is to be read now. */
static struct buf *conn_sink(struct login_conn *c)
{
    struct buf *sink;

    if (c->eof)
        return NULL;
    switch (c->state) {
    case CONN_PROXY:
    case CONN_HANDSHAKE:
        sink = &c->net_in;
        break;
    case CONN_COMMAND:
    case CONN_RELAY:
        sink = c->tls_on ? &c->net_in : &c->in;
        break;
    default:
        /* While auth or master work on a request the client waits, and at a hand-over every byte not read yet is the worker's. */
        return NULL;
    }
    return buf_len(sink) < sink->max ? sink : NULL;
}

/* Reads and forgets what a client still sends after our last words. */
static bool conn_discard(struct login_conn *c)
{
    uint8_t waste[READ_PIECE];
    ssize_t n = recv(c->fd, waste, sizeof(waste), MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        c->eof = true;
    return true;
}

bool login_conn_fill(struct login_conn *c)
{
    struct buf *sink;
    uint8_t *room;
    size_t max;
    ssize_t n;

    if (c->state == CONN_LINGER)
        return conn_discard(c);
    sink = conn_sink(c);
    if (sink == NULL)
        return true;
    max = MIN_OF(sink->max - buf_len(sink), (size_t)READ_PIECE);
    room = buf_reserve(sink, max);
    if (room == NULL)
        return false;
    n = recv(c->fd, room, max, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        c->eof = true;
    buf_commit(sink, (size_t)n);
    return true;
}

static bool conn_send(struct login_conn *c, struct buf *from)
{
    while (buf_len(from) > 0) {
        ssize_t n = send(c->fd, buf_view(from).ptr, buf_len(from), MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        buf_consume(from, (size_t)n);
    }
    buf_shrink(from);
    return true;
}

bool login_conn_flush(struct login_conn *c)
{
    if (!c->tls_on) {
        /* What a failed handshake left goes first. */
        if (!conn_send(c, &c->net_out))
            return false;
        return buf_len(&c->net_out) > 0 || c->tls != NULL || conn_send(c, &c->out);
    }
    for (;;) {
        int r = tls_encrypt(c->tls, &c->out, &c->net_out);

        if (r < 0 && r != ERR_LIMIT)
            return false;
        if (!conn_send(c, &c->net_out))
            return false;
        if (r == 0 || buf_len(&c->net_out) > 0)
            return true;
    }
}

bool login_conn_has_output(const struct login_conn *c)
{
    /* In a handshake, and after one that failed, nothing of the protocol can be sent. */
    bool speechless = c->tls != NULL && !c->tls_on;

    return buf_len(&c->net_out) > 0 || (!speechless && buf_len(&c->out) > 0);
}

unsigned login_conn_wants(const struct login_conn *c)
{
    unsigned events = 0;
    struct login_conn *self = (struct login_conn *)(uintptr_t)c;

    if (c->state == CONN_LINGER)
        return LOOP_READ;
    if (c->state != CONN_TAKE && login_conn_has_output(c))
        events |= LOOP_WRITE;
    if (conn_sink(self) == NULL)
        return events;
    /* A client that does not read its answers is not read either; with TLS the plaintext must have room too. */
    if (c->state == CONN_COMMAND && (login_conn_has_output(c) || buf_len(&c->in) >= c->in.max))
        return events;
    if (c->state == CONN_RELAY && (buf_len(&c->in) >= c->in.max || c->pair_broken))
        return events;
    return events | LOOP_READ;
}
