/*
 * The parent of a login service: what master tells it, its listeners and peers, and the ends of its connections. How connections
 * begin is in accept.c. It never reads a byte of a client.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/login/parent_int.h"

/* A client whose process was killed by a signal may have found a bug. */
#define CRASH_PENALTY_MS 90000
/* A connection ends itself when its time is over, and its last words take a few seconds. One that does not is no longer ours. */
#define OVERTIME_MS 8000
#define SWEEP_MS 2000

struct login_parent *login_parent_new(const struct serve_kind *kind, const void *kind_arg, struct serve_context *ctx,
                                      struct loop *loop)
{
    struct login_parent *p = xcalloc(1, sizeof(*p));
    uint64_t per_address, total;

    p->kind = kind;
    p->kind_arg = kind_arg;
    p->ctx = ctx;
    p->set = conf_get(ctx->conf, &set_login_component);
    p->loop = loop;
    p->auth_fd = p->keys_fd = -1;
    kind->limits(ctx->conf, &per_address, &total);
    p->limits = login_limits_new(per_address, total);
    p->children = login_children_new();
    return p;
}

static void parent_close_listeners(struct login_parent *p)
{
    for (size_t i = 0; i < p->nlisteners; i++) {
        watch_free(&p->listeners[i].watch);
        if (p->listeners[i].fd >= 0)
            close(p->listeners[i].fd);
        p->listeners[i].fd = -1;
    }
}

/* Everything that only the parent needs; also what a child drops first. */
void login_parent_release(struct login_parent *p)
{
    parent_close_listeners(p);
    timer_free(&p->pause);
    timer_free(&p->sweep);
    ipc_free(&p->auth);
    ipc_free(&p->keys);
    if (p->auth_fd >= 0)
        close(p->auth_fd);
    if (p->keys_fd >= 0)
        close(p->keys_fd);
    p->auth_fd = p->keys_fd = -1;
}

void login_parent_free(struct login_parent **pp)
{
    struct login_parent *p = *pp;
    struct login_child *child;

    if (p == NULL)
        return;
    login_parent_release(p);
    while ((child = login_children_any(p->children)) != NULL) {
        if (child->conn != NULL)
            p->kind->close(child->conn);
        login_children_remove(p->children, child);
    }
    login_children_free(&p->children);
    login_limits_free(&p->limits);
    login_nets_free(&p->proxies);
    for (size_t i = 0; i < p->nlisteners; i++)
        free(p->listeners[i].name);
    free(p);
    *pp = NULL;
}

bool login_parent_failed(const struct login_parent *p)
{
    return p->failed;
}

/* --- connections that end --------------------------------------------------------------------------------------------------- */

static void parent_stop_if_done(struct login_parent *p)
{
    if (p->stopping && login_children_count(p->children) == 0)
        loop_stop(p->loop);
}

/* Over, or handed over: no longer before log-in. */
void login_parent_uncount(struct login_parent *p, struct login_child *child)
{
    if (child->before_login)
        login_limits_remove(p->limits, child->by_address ? &child->peer : NULL);
    child->before_login = false;
}

static void parent_forget(struct login_parent *p, struct login_child *child)
{
    login_parent_uncount(p, child);
    login_children_remove(p->children, child);
    parent_stop_if_done(p);
}

static void parent_child_ended(struct login_parent *p, struct login_child *child, int status)
{
    uint64_t now = loop_now(p->loop);
    char peer[46];

    net_addr_format(&child->peer, peer);
    if (WIFSIGNALED(status)) {
        LOG_ERROR(child->id, "connection's process was killed", F_INT("signal", WTERMSIG(status)), F_INT("child", child->pid),
                  F_STR("peer", peer));
        if (child->by_address)
            login_limits_penalise(p->limits, &child->peer, now, now + CRASH_PENALTY_MS);
    } else if (WEXITSTATUS(status) != 0) {
        LOG_WARN(child->id, "connection's process failed", F_INT("status", WEXITSTATUS(status)), F_INT("child", child->pid),
                 F_STR("peer", peer));
    }
    parent_forget(p, child);
}

static void parent_on_child(void *arg, int signo)
{
    struct login_parent *p = arg;
    int status;
    pid_t pid;

    (void)signo;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct login_child *child = login_children_by_pid(p->children, pid);

        if (child != NULL)
            parent_child_ended(p, child, status);
    }
}

static void parent_end_overdue(void *arg, struct login_child *child)
{
    const struct login_parent *p = arg;

    if (child->pid <= 0 || !child->before_login || loop_now(p->loop) - child->since < p->set->login_timeout + OVERTIME_MS)
        return;
    LOG_ERROR(child->id, "connection's process does not keep its time, killing it", F_INT("child", child->pid));
    if (kill(child->pid, SIGKILL) != 0)
        LOG_ERROR(child->id, "cannot kill a connection's process", F_INT("child", child->pid), F_ERRNO(errno));
}

static void parent_sweep(void *arg)
{
    struct login_parent *p = arg;

    login_children_each(p->children, parent_end_overdue, p);
    if (login_children_count(p->children) > 0)
        timer_arm(p->sweep, SWEEP_MS);
}

/* The connections of LMTP have no end that could be known beforehand. */
void login_parent_watch_time(struct login_parent *p)
{
    if (p->kind->role == ROLE_LOGIN && !timer_armed(p->sweep))
        timer_arm(p->sweep, SWEEP_MS);
}

/* Shared mode. */
void login_parent_conn_ended(void *arg, uint64_t conn_id)
{
    struct login_parent *p = arg;
    struct login_child *child = login_children_by_id(p->children, conn_id);

    if (child == NULL)
        return;
    p->kind->close(child->conn);
    parent_forget(p, child);
}

/* --- start and master's messages
 * ------------------------------------------------------------------------------------------------- */

static void parent_no_message(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    (void)arg;
    (void)ch;
    (void)msg;
}

static void parent_peer_closed(void *arg, struct ipc *ch, int err)
{
    struct login_parent *p = arg;
    struct ipc **slot = ch == p->auth ? &p->auth : &p->keys;

    LOG_WARN(0, "peer is gone", F_STR("peer", ch == p->auth ? "auth" : "keys"), F_ERR(err));
    ipc_free(slot);
}

static int parent_peer(struct login_parent *p, struct ipc_msg *msg)
{
    struct msg_peer m;
    struct ipc **slot;
    int *fd, r = msg_peer_decode(msg->body, &m);

    if (r < 0)
        return r;
    if (m.role != ROLE_AUTH && m.role != ROLE_KEYS)
        return ERR_PROTO;
    slot = m.role == ROLE_AUTH ? &p->auth : &p->keys;
    fd = m.role == ROLE_AUTH ? &p->auth_fd : &p->keys_fd;
    if (p->master != NULL) {
        ipc_free(slot);
        *slot = ipc_new(p->loop, msg->fds[0], p->kind->role, m.role, parent_no_message, parent_peer_closed, p);
    } else {
        if (*fd >= 0)
            close(*fd);
        *fd = msg->fds[0];
    }
    msg->fds[0] = -1; /* transferred */
    return 0;
}

/* Accepted sockets inherit TCP_NODELAY: answers are written whole, waiting to fill packets would only delay them. */
static int parent_prepare(int fd, const struct net_addr *local)
{
    int flags = fcntl(fd, F_GETFL), on = 1;

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return ERR_SYSTEM;
    if (local->family == 0)
        return 0;
    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 ? 0 : ERR_SYSTEM;
}

static int parent_listener(struct login_parent *p, struct ipc_msg *msg)
{
    struct msg_listener m;
    struct login_listener *l;
    int r = msg_listener_decode(msg->body, &m);

    if (r < 0)
        return r;
    if (p->nlisteners == LOGIN_LISTENERS_MAX || p->master != NULL)
        return ERR_LIMIT;
    r = parent_prepare(msg->fds[0], &m.local);
    if (r < 0)
        return r;
    l = &p->listeners[p->nlisteners];
    *l = (struct login_listener){.parent = p, .facts = m, .name = view_dup(m.name), .fd = msg->fds[0]};
    l->facts.name = view_str(l->name);
    msg->fds[0] = -1; /* transferred */
    p->nlisteners++;
    return 0;
}

/* A certificate that cannot be used is logged by tls and costs only itself. */
static int parent_cert(struct login_parent *p, const struct ipc_msg *msg)
{
    struct msg_cert m;
    int r = msg_cert_decode(msg->body, &m);

    if (r < 0)
        return r;
    if (p->ctx->tls == NULL) {
        r = tls_ctx_new((unsigned)p->set->tls_min, p->set->tls_ciphers, &p->ctx->tls);
        if (r < 0)
            return r;
        if (p->kind->alpn != NULL)
            tls_ctx_set_alpn(p->ctx->tls, p->kind->alpn);
    }
    if (tls_ctx_add_cert(p->ctx->tls, m.index, m.name, msg->fds[0]) < 0)
        LOG_WARN(0, "going on without this certificate", F_UINT("index", m.index), F_VIEW("name", m.name));
    return 0;
}

static void parent_stop(struct login_parent *p)
{
    p->stopping = true;
    timer_disarm(p->pause);
    parent_close_listeners(p);
    parent_stop_if_done(p);
}

static int parent_taken(struct login_parent *p, struct view body)
{
    struct login_child *child;
    struct msg_id m;
    int r = msg_id_decode(body, &m);

    if (r < 0)
        return r;
    child = login_children_by_id(p->children, m.id);
    if (child != NULL)
        login_parent_uncount(p, child);
    return 0;
}

int login_parent_message(struct login_parent *p, struct ipc_msg *msg)
{
    switch (msg->kind) {
    case IPC_MASTER_PEER:
        return parent_peer(p, msg);
    case IPC_MASTER_LISTENER:
        return parent_listener(p, msg);
    case IPC_MASTER_CERT: /* read before the sandbox; a new configuration has new processes */
        return p->master == NULL ? parent_cert(p, msg) : ERR_STATE;
    case IPC_MASTER_TAKEN:
        return parent_taken(p, msg->body);
    case IPC_MASTER_STOP:
        if (p->master == NULL)
            return ERR_STATE;
        parent_stop(p);
        return 0;
    default:
        return ERR_PROTO;
    }
}

int login_parent_start(struct login_parent *p, struct ipc *master)
{
    p->master = master;
    p->pause = timer_new(p->loop, login_accept_resume, p);
    p->sweep = timer_new(p->loop, parent_sweep, p);
    if (login_nets_new(&p->set->proxy_networks, &p->proxies) < 0 || loop_signal(p->loop, SIGCHLD, parent_on_child, p) < 0)
        return ERR_SYSTEM;
    if (p->auth_fd >= 0)
        p->auth = ipc_new(p->loop, p->auth_fd, p->kind->role, ROLE_AUTH, parent_no_message, parent_peer_closed, p);
    if (p->keys_fd >= 0)
        p->keys = ipc_new(p->loop, p->keys_fd, p->kind->role, ROLE_KEYS, parent_no_message, parent_peer_closed, p);
    p->auth_fd = p->keys_fd = -1; /* transferred */
    for (size_t i = 0; i < p->nlisteners; i++) {
        struct login_listener *l = &p->listeners[i];

        if (l->facts.tls == LISTENER_TLS_IMPLICIT && !tls_ctx_usable(p->ctx->tls)) {
            LOG_ERROR(0, "listener needs a certificate and there is none", F_STR("listener", l->name));
            close(l->fd);
            l->fd = -1;
            continue;
        }
        l->watch = loop_watch(p->loop, l->fd, LOOP_READ, login_accept_ready, l);
        if (l->watch == NULL)
            return ERR_SYSTEM;
    }
    return 0;
}

void login_parent_master_gone(struct login_parent *p)
{
    p->master = NULL;
    loop_stop(p->loop);
}
