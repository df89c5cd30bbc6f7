/*
 * The life of an LMTP connection: socket, buffers, timer, channels, and which part of the grammar the next bytes belong to.
 *
 * Back-pressure: nothing is read while a recipient is looked up or a message delivered, nor while answers wait to be taken.
 */
#include "lmtp/lmtp_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "lmtp/tls_int.h"

#define READ_SLICE (64 * 1024)
#define OUT_MAX (1024 * 1024)
#define OUT_HIGH (64 * 1024)

void lmtp_enter(struct lmtp_conn *c, enum lmtp_state state)
{
    if (c->state != LMTP_CLOSING)
        c->state = state;
}

void lmtp_reset(struct lmtp_conn *c)
{
    for (size_t i = 0; i < c->nrcpts; i++)
        lmtp_rcpt_free(&c->rcpts[i]);
    free(c->rcpts);
    c->rcpts = NULL;
    c->nrcpts = 0;
    c->has_sender = false;
    c->message = false;
    if (c->memfd >= 0)
        close(c->memfd);
    c->memfd = -1;
}

void lmtp_conn_free(struct lmtp_conn *c)
{
    lmtp_reset(c);
    lmtp_rcpt_free(&c->looking_up);
    watch_free(&c->watch);
    timer_free(&c->idle);
    timer_free(&c->deliver_timer);
    ipc_free(&c->auth);
    ipc_free(&c->master);
    close(c->fd);
    buf_free(&c->in);
    outq_free(&c->out);
    lmtp_tls_free(c);
    free(c->helo);
    free(c->sender);
    free(c);
}

static void tell_owner(void *arg)
{
    struct lmtp_conn *c = arg;

    c->ended(c->ended_arg, c->id);
}

/* The owner frees the connection at the end of the turn, when no callback stands on it. */
static void conn_end(struct lmtp_conn *c, const char *reason)
{
    if (c->over)
        return;
    c->over = true;
    watch_free(&c->watch);
    timer_disarm(c->idle);
    timer_disarm(c->deliver_timer);
    LOG_DEBUG(c->id, "connection ended", F_STR("reason", reason));
    loop_defer(c->loop, tell_owner, c);
}

/* One command line. False when there is none yet. */
static bool take_line(struct lmtp_conn *c)
{
    struct view in = buf_view(&c->in), line;
    size_t eol = view_find(in, '\n');

    if (eol == in.len) {
        if (in.len <= c->p.set->lmtp_line_max)
            return false;
        if (!c->skipping)
            lmtp_reply(c, 500, "5.5.2", "The line is too long.");
        c->skipping = true;
        buf_consume(&c->in, in.len);
        return false;
    }
    line = view_sub(in, 0, eol > 0 && in.ptr[eol - 1] == '\r' ? eol - 1 : eol);
    if (!c->skipping && line.len > c->p.set->lmtp_line_max)
        lmtp_reply(c, 500, "5.5.2", "The line is too long.");
    else if (!c->skipping)
        lmtp_command(c, line);
    c->skipping = false;
    buf_consume(&c->in, eol + 1);
    return true;
}

/* Runs the input as far as the state and the answers that wait allow. True when some of it was taken. */
static bool run(struct lmtp_conn *c)
{
    size_t before = buf_len(&c->in);
    bool more = true;

    while (more && !c->over && outq_len(c->out) < OUT_HIGH) {
        switch (c->state) {
        case LMTP_COMMAND:
            more = take_line(c);
            if (c->state == LMTP_STARTTLS)
                lmtp_tls_answer(c);
            break;
        case LMTP_DATA:
        case LMTP_CHUNK:
            more = lmtp_take_message(c);
            break;
        case LMTP_LOOKUP:
        case LMTP_ROOM:
        case LMTP_DELIVER:
        case LMTP_STARTTLS:
        case LMTP_HANDSHAKE:
        case LMTP_CLOSING:
            more = false;
            break;
        }
    }
    c->held = more;
    return buf_len(&c->in) < before;
}

/* Runs what came, through TLS where there is TLS: as long as something moves, nothing else may come to
 * move what stays behind. */
static void work(struct lmtp_conn *c)
{
    bool moved = true, good = true;

    if (c->tls == NULL) {
        (void)run(c);
        return;
    }
    while (good && moved) {
        good = lmtp_tls_pull(c, &moved);
        moved = run(c) || moved;
    }
    if (!good) { /* the alert goes out with what else there is */
        if (lmtp_send(c) != 0)
            LOG_DEBUG(c->id, "the client does not take an alert");
        conn_end(c, "TLS failed");
    }
}

static bool wants_input(const struct lmtp_conn *c)
{
    const struct buf *in = c->tls != NULL ? &c->net_in : &c->in;
    bool reading = c->state == LMTP_COMMAND || c->state == LMTP_DATA || c->state == LMTP_CHUNK || c->state == LMTP_HANDSHAKE;

    return reading && !c->eof && buf_len(in) < in->max && outq_len(c->out) < OUT_HIGH;
}

static void resume_later(void *arg);

static void flush(struct lmtp_conn *c)
{
    bool waiting = c->state == LMTP_LOOKUP || c->state == LMTP_ROOM || c->state == LMTP_DELIVER;
    int err;

    if (c->over)
        return;
    err = lmtp_send(c);
    if ((err != 0 && err != ERR_AGAIN) || !outq_ok(c->out)) {
        conn_end(c, "client gone");
        return;
    }
    if (err == 0 && c->state == LMTP_STARTTLS) {
        timer_arm(c->idle, c->p.handshake_timeout);
        if (!lmtp_tls_begin(c)) {
            conn_end(c, "no TLS");
            return;
        }
    }
    if (err == 0 && (c->state == LMTP_CLOSING || (c->eof && !waiting && !c->held))) {
        lmtp_tls_goodbye(c);
        conn_end(c, "closed");
        return;
    }
    if (c->held && outq_len(c->out) < OUT_HIGH) /* the answers went, so the rest of the input is next */
        loop_defer(c->loop, resume_later, c);
    watch_set(c->watch, (err == ERR_AGAIN ? LOOP_WRITE : 0) | (wants_input(c) ? LOOP_READ : 0));
}

/* Called when a look-up or a delivery is answered, or the answers were sent: from a callback, so the work is done at the end of
 * the turn. */
static void resume_later(void *arg)
{
    struct lmtp_conn *c = arg;

    if (c->over)
        return;
    work(c);
    flush(c);
}

void lmtp_resume(struct lmtp_conn *c)
{
    if (c->over)
        return;
    timer_arm(c->idle, c->p.set->lmtp_timeout);
    loop_defer(c->loop, resume_later, c);
}

static void read_input(struct lmtp_conn *c)
{
    struct buf *in = c->tls != NULL ? &c->net_in : &c->in;
    size_t room = MIN_OF(in->max - buf_len(in), (size_t)READ_SLICE);
    uint8_t *p = room > 0 ? buf_reserve(in, room) : NULL;
    ssize_t n;

    if (p == NULL)
        return;
    n = recv(c->fd, p, room, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        c->eof = true;
        return;
    }
    buf_commit(in, (size_t)n);
    if (c->state != LMTP_HANDSHAKE)
        timer_arm(c->idle, c->p.set->lmtp_timeout);
}

static void on_socket(void *arg, int fd, unsigned events)
{
    struct lmtp_conn *c = arg;

    (void)fd;
    if ((events & LOOP_HANGUP) != 0 && (events & LOOP_READ) == 0) {
        conn_end(c, "client gone"); /* what was handed over is delivered all the same */
        return;
    }
    if ((events & LOOP_READ) != 0)
        read_input(c);
    work(c);
    flush(c);
}

static void on_idle(void *arg)
{
    struct lmtp_conn *c = arg;

    if (c->state == LMTP_DELIVER)
        return; /* bounded by its own timer */
    if (c->state == LMTP_HANDSHAKE) {
        conn_end(c, "no TLS in time");
        return;
    }
    lmtp_reply(c, 421, "4.4.2", "Timeout, closing.");
    lmtp_enter(c, LMTP_CLOSING);
    if (lmtp_send(c) != 0)
        LOG_DEBUG(c->id, "the client does not take its farewell");
    conn_end(c, "idle");
}

static void on_auth(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct msg_rcpt_result m;

    (void)ch;
    if (msg->kind == IPC_AUTH_RCPT && msg_rcpt_result_decode(msg->body, &m) == 0)
        lmtp_rcpt_result(arg, &m);
}

static void on_auth_closed(void *arg, struct ipc *ch, int err)
{
    struct lmtp_conn *c = arg;

    (void)ch;
    LOG_WARN(c->id, "the channel to auth is gone", F_ERR(err));
    ipc_free(&c->auth);
    lmtp_lookup_failed(c);
}

static void on_master(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct lmtp_conn *c = arg;
    struct msg_room m;

    (void)ch;
    if (msg->kind == IPC_MASTER_ROOM && msg_room_decode(msg->body, &m) == 0)
        lmtp_room(c, &m);
    else
        LOG_WARN(c->id, "unexpected message from master", F_UINT("kind", msg->kind));
}

static void on_master_closed(void *arg, struct ipc *ch, int err)
{
    struct lmtp_conn *c = arg;

    (void)ch;
    LOG_DEBUG(c->id, "the channel to master is gone", F_ERR(err));
    ipc_free(&c->master);
    if (c->over || c->state == LMTP_DELIVER) /* the workers may still answer */
        return;
    lmtp_leave(c);
    flush(c);
}

/* Nothing can be delivered any more, and the client is better served by another connection (RFC 5321 3.8). */
void lmtp_leave(struct lmtp_conn *c)
{
    if (c->state == LMTP_CLOSING)
        return;
    lmtp_reply(c, 421, "4.3.2", "The server is shutting down.");
    lmtp_enter(c, LMTP_CLOSING);
}

static void open_channels(struct lmtp_conn *c, int auth_fd, int master_fd)
{
    c->auth = ipc_new(c->loop, auth_fd, ROLE_LCONN, ROLE_AUTH, on_auth, on_auth_closed, c);
    c->master = ipc_new(c->loop, master_fd, ROLE_LCONN, ROLE_MASTER, on_master, on_master_closed, c);
    ipc_set_sid(c->auth, c->id);
    ipc_set_sid(c->master, c->id);
    ipc_set_state(c->auth, IPC_STATE_READY);
    ipc_set_state(c->master, IPC_STATE_READY);
}

struct lmtp_conn *lmtp_conn_new(struct loop *loop, const struct lmtp_params *params, const struct msg_conn *facts,
                                const struct conn_fds *fds, void (*ended)(void *arg, uint64_t conn_id), void *arg)
{
    struct lmtp_conn *c = xcalloc(1, sizeof(*c));

    c->ended = ended;
    c->ended_arg = arg;
    c->p = *params;
    c->loop = loop;
    c->id = facts->conn_id;
    c->peer = facts->peer;
    c->local = facts->local;
    c->fd = fds->client;
    c->keys_fd = fds->keys;
    c->tls_mode = params->tls_mode;
    c->memfd = -1;
    buf_init(&c->in, READ_SLICE + params->set->lmtp_line_max);
    c->out = outq_new(OUT_MAX);
    open_channels(c, fds->auth, fds->master);
    c->idle = timer_new(loop, on_idle, c);
    c->deliver_timer = timer_new(loop, lmtp_deliver_timeout, c);
    timer_arm(c->idle, params->set->lmtp_timeout);
    c->watch = loop_watch(loop, c->fd, LOOP_READ, on_socket, c);
    if (c->watch == NULL) {
        lmtp_conn_free(c);
        return NULL;
    }
    return c;
}

void lmtp_greet(struct lmtp_conn *c)
{
    char greeting[300];

    snprintf(greeting, sizeof(greeting), "%.200s Culver LMTP ready", c->p.hostname);
    lmtp_reply(c, 220, "", greeting);
}

void lmtp_conn_start(struct lmtp_conn *c)
{
    if (c->tls_mode != LISTENER_TLS_IMPLICIT) {
        lmtp_greet(c);
    } else {
        timer_arm(c->idle, c->p.handshake_timeout);
        if (!lmtp_tls_begin(c)) {
            conn_end(c, "no TLS");
            return;
        }
    }
    flush(c);
}
