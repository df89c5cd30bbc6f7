/*
 * New connections: accept, count, make the channels, fork (or, with login_isolation = shared, serve in the parent's loop).
 *
 * A connection is announced to auth, master and keys before its process exists, so its first message always finds a receiver that
 * knows it. Whatever fails on the way is answered with a line where the listener speaks clear text.
 */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sodium.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/login/parent_int.h"
#include "common/sandbox/sandbox.h"

/* Connections accepted in one go, so that channels and children get their turn. */
#define ACCEPT_BURST 16
/* Descriptors or memory are out: wait for some to come back. */
#define ACCEPT_PAUSE_MS 200
#define REFUSE_LOG_MS 1000

static void accept_log_refusal(struct login_parent *p, const struct msg_conn *m, const char *text)
{
    uint64_t now = loop_now(p->loop);
    char peer[46];

    p->refused++;
    if (p->refused_logged_at != 0 && now - p->refused_logged_at < REFUSE_LOG_MS)
        return;
    net_addr_format(&m->peer, peer);
    LOG_WARN(0, "connections refused", F_UINT("count", p->refused), F_STR("peer", peer), F_STR("reason", text));
    p->refused = 0;
    p->refused_logged_at = now;
}

/* One attempt at a line; a client that cannot take it at once goes without. */
static void accept_refuse(struct login_parent *p, const struct login_listener *l, int fd, const struct msg_conn *m,
                          const char *text)
{
    struct buf line;

    accept_log_refusal(p, m, text);
    if (l->facts.tls == LISTENER_TLS_IMPLICIT)
        return;
    buf_init(&line, 512);
    p->kind->refuse(&line, text);
    if (buf_ok(&line) && send(fd, buf_view(&line).ptr, buf_len(&line), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        LOG_DEBUG(0, "refusal not sent", F_ERRNO(errno));
    buf_free(&line);
}

struct channels {
    int auth[2], master[2], keys[2]; /* [0] ours, [1] to be passed on */
};

/* One end of each. */
static void channels_close(struct channels *ch, unsigned end)
{
    int *fds[] = {&ch->auth[end], &ch->master[end], &ch->keys[end]};

    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

static bool accept_wants_keys(const struct login_parent *p, const struct login_listener *l)
{
    return l->facts.tls != LISTENER_TLS_NONE && p->keys != NULL && tls_ctx_usable(p->ctx->tls);
}

/* Tells everybody who needs to know. */
static int accept_announce(struct login_parent *p, const struct msg_conn *m, bool with_keys, struct channels *ch)
{
    struct buf body;
    int r = 0;

    if (p->auth == NULL || p->master == NULL)
        return ERR_CLOSED;
    if (ipc_pair(ch->auth) < 0 || ipc_pair(ch->master) < 0 || (with_keys && ipc_pair(ch->keys) < 0))
        return ERR_SYSTEM;
    buf_init(&body, IPC_MAX_BODY);
    msg_conn_encode(&body, m);
    r = ipc_send(p->auth, IPC_LOGIN_CONN, &body, &ch->auth[1], 1);
    if (r == 0)
        r = ipc_send(p->master, IPC_LOGIN_CONN, &body, &ch->master[1], 1);
    if (r == 0 && with_keys)
        r = ipc_send(p->keys, IPC_LOGIN_CONN, &body, &ch->keys[1], 1);
    buf_free(&body);
    return r;
}

/* The child's end, in its own process. */
static void child_ended(void *arg, uint64_t conn_id)
{
    struct loop *loop = arg;

    (void)conn_id;
    loop_stop(loop);
}

/* What a child of the parent does for its whole life. Its memory is a copy of the parent's, who has never seen a client's byte.
 */
_Noreturn static void child_main(struct login_parent *p, const struct msg_conn *m, const struct login_listener *l,
                                 const struct conn_fds *fds)
{
    const struct serve_kind *kind = p->kind;
    const struct sandbox_params sandbox = {.profile = kind->conn};
    enum listener_tls tls = l->facts.tls;
    struct loop *parent_loop = p->loop, *loop;
    void *c;
    sigset_t none;

    sigemptyset(&none);
    ipc_free(&p->master);
    login_parent_release(p);
    loop_free(&parent_loop);
    loop = loop_new();
    if (loop == NULL || sigprocmask(SIG_SETMASK, &none, NULL) != 0) {
        LOG_ERROR(m->conn_id, "connection's process cannot start", F_ERRNO(errno));
        _exit(1);
    }
    if (sandbox_enter(&sandbox) < 0) {
        LOG_ERROR(m->conn_id, "connection's process cannot enter its sandbox");
        _exit(1);
    }
    c = kind->open(p->kind_arg, p->ctx, loop, m, tls, fds, child_ended, loop);
    if (c == NULL)
        _exit(1);
    kind->start(c);
    if (loop_run(loop) < 0)
        _exit(1);
    kind->close(c);
    _exit(0);
}

static int accept_fork(struct login_parent *p, const struct login_listener *l, const struct msg_conn *m,
                       struct login_child *child, const struct conn_fds *fds)
{
    pid_t pid = fork();

    if (pid < 0)
        return ERR_SYSTEM;
    if (pid == 0)
        child_main(p, m, l, fds);
    child->pid = pid;
    (void)login_children_add(p->children, child);
    login_parent_watch_time(p);
    return 0;
}

static int accept_serve(struct login_parent *p, const struct login_listener *l, const struct msg_conn *m,
                        struct login_child *child, const struct conn_fds *fds)
{
    child->conn = p->kind->open(p->kind_arg, p->ctx, p->loop, m, l->facts.tls, fds, login_parent_conn_ended, p);
    if (child->conn == NULL)
        return ERR_SYSTEM;
    (void)login_children_add(p->children, child);
    p->kind->start(child->conn);
    return 0;
}

/* *fd becomes -1 when it is no longer the caller's. */
static int accept_begin(struct login_parent *p, const struct login_listener *l, const struct msg_conn *m,
                        struct login_child *child, int *fd)
{
    bool shared = p->set->login_isolation == SET_ISOLATION_SHARED;
    struct channels ch = {{-1, -1}, {-1, -1}, {-1, -1}};
    int r = accept_announce(p, m, accept_wants_keys(p, l), &ch);

    /* Before the fork: a child that held the far ends too would never see them close. */
    channels_close(&ch, 1);
    if (r == 0) {
        struct conn_fds fds = {*fd, ch.auth[0], ch.master[0], ch.keys[0]};

        if (shared) {
            *fd = ch.auth[0] = ch.master[0] = ch.keys[0] = -1; /* transferred */
            r = accept_serve(p, l, m, child, &fds);
        } else {
            r = accept_fork(p, l, m, child, &fds);
        }
    }
    channels_close(&ch, 0);
    return r;
}

static const char *accept_admit(struct login_parent *p, struct login_child *child)
{
    switch (login_limits_add(p->limits, child->by_address ? &child->peer : NULL, loop_now(p->loop))) {
    case LIMITS_OK:
        return NULL;
    case LIMITS_ADDRESS:
        return "Too many connections from your address, try again later.";
    case LIMITS_PENALTY:
        return "Not served for the moment, try again later.";
    case LIMITS_TOTAL:
        break;
    }
    return "Too many connections, try again later.";
}

static void accept_connection(struct login_parent *p, const struct login_listener *l, int *fd, const struct msg_conn *m)
{
    struct login_child child = {
        .id = m->conn_id, .since = loop_now(p->loop), .peer = m->peer, .by_address = !m->proxy, .before_login = true};
    const char *refusal = accept_admit(p, &child);
    char peer[46];

    if (refusal != NULL) {
        accept_refuse(p, l, *fd, m, refusal);
        return;
    }
    net_addr_format(&m->peer, peer);
    LOG_DEBUG(m->conn_id, "connection accepted", F_STR("peer", peer), F_STR("listener", l->name));
    if (accept_begin(p, l, m, &child, fd) < 0) {
        login_parent_uncount(p, &child);
        if (*fd >= 0)
            accept_refuse(p, l, *fd, m, "Service is not available, try again later.");
    }
}

static void accept_one(struct login_parent *p, const struct login_listener *l, int fd, const struct sockaddr *sa)
{
    struct msg_conn m = {.protocol = p->kind->id, .listener = l->facts.index};
    struct sockaddr_storage local;
    socklen_t len = sizeof(local);
    char peer[46];

    memset(&local, 0, sizeof(local));
    net_addr_from_sockaddr(&m.peer, sa);
    if (getsockname(fd, (struct sockaddr *)&local, &len) == 0)
        net_addr_from_sockaddr(&m.local, (struct sockaddr *)&local);
    while (m.conn_id == 0)
        randombytes_buf(&m.conn_id, sizeof(m.conn_id));
    m.proxy = l->facts.proxy;
    if (m.proxy && !login_nets_have(p->proxies, &m.peer)) {
        net_addr_format(&m.peer, peer);
        LOG_WARN(0, "connection to a PROXY listener from outside proxy_networks refused", F_STR("peer", peer),
                 F_STR("listener", l->name));
    } else {
        accept_connection(p, l, &fd, &m);
    }
    if (fd >= 0)
        close(fd);
}

static void accept_listen(struct login_parent *p, unsigned events)
{
    for (size_t i = 0; i < p->nlisteners; i++)
        if (p->listeners[i].watch != NULL)
            watch_set(p->listeners[i].watch, events);
}

void login_accept_resume(void *arg)
{
    accept_listen(arg, LOOP_READ);
}

void login_accept_ready(void *arg, int fd, unsigned events)
{
    const struct login_listener *l = arg;
    struct login_parent *p = l->parent;

    (void)events;
    for (unsigned i = 0; i < ACCEPT_BURST; i++) {
        struct sockaddr_storage sa;
        socklen_t len = sizeof(sa);
        int client;

        memset(&sa, 0, sizeof(sa));
        client = accept4(fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0) {
            accept_one(p, l, client, (const struct sockaddr *)&sa);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            LOG_ERROR(0, "cannot accept", F_ERRNO(errno));
            accept_listen(p, 0);
            timer_arm(p->pause, ACCEPT_PAUSE_MS);
            return;
        } else if (errno == EAGAIN) {
            return;
        }
        /* else: that client has gone again */
    }
}
