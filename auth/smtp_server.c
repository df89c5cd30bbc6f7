/* Listeners, the channel to auth, and the end. */
#include "auth/smtp_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth/smtp_int.h"
#include "common/base/mem.h"
#include "common/log/log.h"

#define ACCEPT_BURST 16
#define ACCEPT_PAUSE_MS 200
#define REFUSE_LOG_MS 1000

struct smtp_server *smtp_server_new(struct loop *loop, const struct set_login *set)
{
    struct smtp_server *s = xcalloc(1, sizeof(*s));
    s->loop = loop;
    s->set = set;
    return s;
}

static void close_listeners(struct smtp_server *s)
{
    for (size_t i = 0; i < s->nlisteners; i++) {
        watch_free(&s->listeners[i].watch);
        if (s->listeners[i].fd >= 0)
            close(s->listeners[i].fd);
        s->listeners[i].fd = -1;
    }
}

void smtp_server_free(struct smtp_server **server)
{
    struct smtp_server *s = *server;
    *server = NULL;
    if (s == NULL)
        return;
    s->stopping = false; /* the loop is not ours any more */
    while (s->clients != NULL)
        smtp_client_free(s->clients);
    close_listeners(s);
    timer_free(&s->pause);
    ipc_free(&s->auth);
    free(s);
}

void smtp_server_left(struct smtp_server *s)
{
    if (s->stopping && s->nclients == 0)
        loop_stop(s->loop);
}

/* --- accepting ------------------------------------------------------------------------------------------------------------- */

static void listen_for(struct smtp_server *s, unsigned events)
{
    for (size_t i = 0; i < s->nlisteners; i++) {
        if (s->listeners[i].watch != NULL)
            watch_set(s->listeners[i].watch, events);
    }
}

static void on_pause(void *arg)
{
    listen_for(arg, LOOP_READ);
}

static void accept_one(struct smtp_server *s, int fd)
{
    uint64_t now = loop_now(s->loop);
    if (s->nclients < s->set->connections_max) {
        smtp_client_new(s, fd);
        return;
    }
    close(fd);
    if (s->refused_at == 0 || now - s->refused_at >= REFUSE_LOG_MS)
        LOG_WARN(0, "too many connections of mail servers, refusing more", F_UINT("connections", s->nclients));
    s->refused_at = now;
}

static void on_listener(void *arg, int fd, unsigned events)
{
    struct smtp_listener *l = arg;
    struct smtp_server *s = l->server;
    (void)events;
    for (unsigned i = 0; i < ACCEPT_BURST; i++) {
        int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0) {
            accept_one(s, client);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            LOG_ERROR(0, "cannot accept", F_ERRNO(errno));
            listen_for(s, 0);
            timer_arm(s->pause, ACCEPT_PAUSE_MS);
            return;
        } else if (errno == EAGAIN) {
            return;
        }
        /* else: that one has gone again */
    }
}

int smtp_server_start(struct smtp_server *s)
{
    s->started = true;
    s->pause = timer_new(s->loop, on_pause, s);
    for (size_t i = 0; i < s->nlisteners; i++) {
        struct smtp_listener *l = &s->listeners[i];
        l->watch = loop_watch(s->loop, l->fd, LOOP_READ, on_listener, l);
        if (l->watch == NULL)
            return ERR_SYSTEM;
    }
    return 0;
}

/* --- master ---------------------------------------------------------------------------------------------------------------- */

static void on_auth(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    (void)arg;
    (void)ch;
    (void)msg; /* the table allows none */
}

/* Exchanges have channels of their own, which close by themselves. */
static void on_auth_closed(void *arg, struct ipc *ch, int err)
{
    struct smtp_server *s = arg;
    (void)ch;
    LOG_WARN(0, "peer is gone", F_STR("peer", "auth"), F_ERR(err));
    ipc_free(&s->auth);
}

static int take_peer(struct smtp_server *s, struct ipc_msg *msg)
{
    struct msg_peer m;
    if (msg_peer_decode(msg->body, &m) != 0 || m.role != ROLE_AUTH)
        return ERR_PROTO;
    ipc_free(&s->auth);
    s->auth = ipc_new(s->loop, msg->fds[0], ROLE_SMTP, ROLE_AUTH, on_auth, on_auth_closed, s);
    msg->fds[0] = -1; /* transferred */
    return 0;
}

static int take_listener(struct smtp_server *s, struct ipc_msg *msg)
{
    struct msg_listener m;
    int fd = msg->fds[0];
    if (msg_listener_decode(msg->body, &m) != 0 || m.protocol != PROTO_SMTP)
        return ERR_PROTO;
    if (s->started || s->nlisteners == SMTP_LISTENERS_MAX)
        return ERR_STATE;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return ERR_SYSTEM;
    s->listeners[s->nlisteners++] = (struct smtp_listener){.server = s, .fd = fd};
    msg->fds[0] = -1; /* transferred */
    return 0;
}

/* Mail servers keep their connections, so those with nothing under way are ended. */
static void stop(struct smtp_server *s)
{
    struct smtp_client *next;
    close_listeners(s);
    timer_disarm(s->pause);
    for (struct smtp_client *c = s->clients; c != NULL; c = next) {
        next = c->next;
        if (c->nexchanges == 0)
            smtp_client_free(c);
    }
    s->stopping = true;
    smtp_server_left(s);
}

int smtp_server_message(struct smtp_server *s, struct ipc_msg *msg)
{
    switch (msg->kind) {
    case IPC_MASTER_PEER:
        return take_peer(s, msg);
    case IPC_MASTER_LISTENER:
        return take_listener(s, msg);
    case IPC_MASTER_STOP:
        if (!s->started)
            return ERR_STATE;
        stop(s);
        return 0;
    default:
        return ERR_PROTO;
    }
}
