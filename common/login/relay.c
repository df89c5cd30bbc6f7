/*
 * After the hand-over this process is the TLS end of the connection: client <-TLS-> here <-socket pair-> worker. c->in holds
 * plaintext for the worker, c->out plaintext for the client. Each side is read only while what it said last has gone on, so
 * memory is bounded by the two buffers; a side that has ended is passed on as a half-close once all it said is through.
 *
 * The sockets are tried in each step; watches only say when to try again. So a watch can go away (after a hang-up epoll would
 * report it forever) without losing what the socket still holds.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/login/login_int.h"
#include "common/secret/secret.h"

#define RELAY_MAX 32768
/* The worker has ended the session: how long the client may take to read the rest. */
#define RELAY_DRAIN_MS 30000
#define READ_PIECE 16384

static void relay_on_socket(void *arg, int fd, unsigned events)
{
    struct login_conn *c = arg;

    (void)fd;
    if ((events & LOOP_HANGUP) != 0) {
        /* A reset: the kernel has thrown away what was on its way in both directions. */
        watch_free(&c->watch);
        c->eof = true;
        buf_reset(&c->net_out);
        buf_reset(&c->out);
        c->pair_eof = true;
    } else if ((events & LOOP_READ) != 0 && !login_conn_fill(c)) {
        login_conn_kill(c);
    }
    login_conn_step(c);
}

static void relay_on_pair(void *arg, int fd, unsigned events)
{
    struct login_conn *c = arg;

    (void)fd;
    if ((events & LOOP_HANGUP) != 0) {
        watch_free(&c->pair_watch);
        c->pair_broken = true;
    }
    login_conn_step(c);
}

int login_relay_begin(struct login_conn *c)
{
    /* Nothing of the log-in stays: what the protocol knew, the buffers with the password, the channels, the
     * handshake. */
    c->svc->protocol->deinit(c->proto_state);
    secret_wipe(c->proto_state, c->svc->protocol->state_size);
    c->greeted = false;
    ipc_free(&c->auth);
    ipc_free(&c->master);
    tls_forget_proof(c->tls);
    buf_free(&c->in);
    buf_free(&c->out);
    buf_init_secret(&c->in, RELAY_MAX);
    buf_init_secret(&c->out, RELAY_MAX);
    c->watch = loop_watch(c->loop, c->fd, 0, relay_on_socket, c);
    c->pair_watch = loop_watch(c->loop, c->pair_fd, LOOP_READ, relay_on_pair, c);
    if (c->watch == NULL || c->pair_watch == NULL)
        return ERR_SYSTEM;
    login_conn_enter(c, CONN_RELAY);
    return 0;
}

/* False: the worker takes no more now. */
static bool relay_send(struct login_conn *c)
{
    while (buf_len(&c->in) > 0 && !c->pair_broken) {
        ssize_t n = send(c->pair_fd, buf_view(&c->in).ptr, buf_len(&c->in), MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return false;
        if (n < 0)
            c->pair_broken = true; /* the worker reads no more; what it has to say still comes */
        else
            buf_consume(&c->in, (size_t)n);
    }
    if (c->pair_broken)
        buf_reset(&c->in);
    return true;
}

/* Client to worker. */
static void relay_inward(struct login_conn *c)
{
    while (!c->pair_broken) {
        if (!login_conn_tls_pull(c)) {
            c->eof = true;
            buf_reset(&c->net_in);
        }
        if (buf_len(&c->in) == 0)
            break;
        if (!relay_send(c))
            return;
    }
    buf_shrink(&c->in);
    /* Nothing is left, neither here nor within OpenSSL. */
    if (c->eof && !c->pair_shut) {
        c->pair_shut = true;
        if (shutdown(c->pair_fd, SHUT_WR) != 0)
            c->pair_broken = true;
    }
}

/* Worker to client. */
static void relay_outward(struct login_conn *c)
{
    while (!c->pair_eof) {
        uint8_t *room;
        ssize_t n;

        if (!login_conn_flush(c)) {
            login_conn_kill(c);
            return;
        }
        if (login_conn_has_output(c))
            return;
        room = buf_reserve(&c->out, READ_PIECE);
        n = room != NULL ? recv(c->pair_fd, room, READ_PIECE, MSG_DONTWAIT) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            c->pair_eof = true;
        else
            buf_commit(&c->out, (size_t)n);
    }
    if (!login_conn_flush(c))
        login_conn_kill(c);
}

bool login_relay_step(struct login_conn *c)
{
    relay_inward(c);
    relay_outward(c);
    if (c->state != CONN_RELAY || !c->pair_eof)
        return false;
    if (c->watch == NULL) {
        login_conn_kill(c); /* the client is gone and the worker has been told */
        return false;
    }
    if (!login_conn_has_output(c)) {
        login_conn_close(c);
        return true;
    }
    if (!timer_armed(c->step))
        timer_arm(c->step, RELAY_DRAIN_MS);
    return false;
}

void login_relay_watch(struct login_conn *c)
{
    unsigned events = 0;

    if (c->pair_watch == NULL)
        return;
    if (!c->pair_eof && !login_conn_has_output(c))
        events |= LOOP_READ;
    if (buf_len(&c->in) > 0)
        events |= LOOP_WRITE;
    watch_set(c->pair_watch, events);
}
