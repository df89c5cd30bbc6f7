#include "master/service.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "master/backoff.h"
#include "master/conns.h"
#include "master/credentials.h"
#include "master/helpers.h"
#include "master/listener.h"
#include "master/mails.h"
#include "master/process.h"
#include "master/supervise.h"
#include "master/tlsfiles.h"

#define READY_DEADLINE_MS 30000
#define CLOSED_GRACE_MS 10000 /* from a closed channel to SIGKILL */
#define LEAVE_MS 70000        /* auth gives its last connections 60 s */
#define RETIRE_MS 60000       /* keys of an older generation serve handshakes that are under way */

struct service {
    struct service *next;
    struct master *m;
    const struct role *role;
    uint64_t serial; /* names this process, never used again */
    uint64_t generation;
    enum service_state state;
    pid_t pid; /* 0: none */
    struct ipc *ch;
    uint64_t started;
    unsigned restarts;
    struct backoff backoff;
    bool served, by_us;  /* this process was ready; we killed it */
    struct timer *timer; /* DOWN: start again; STARTING: no READY; otherwise: kill, or tell to leave */
};

struct services {
    struct service *first;
    uint64_t next_serial;
};

static void service_start(struct service *s);

void services_init(struct master *m)
{
    m->services = xcalloc(1, sizeof(*m->services));
}

static bool is_front(const struct service *s)
{
    return s->role->protocol != 0;
}

static bool is_alive(const struct service *s)
{
    return s->ch != NULL && (s->state == SERVICE_STARTING || s->state == SERVICE_READY);
}

static void service_remove(struct service *s)
{
    struct service **link = &s->m->services->first;

    while (*link != s)
        link = &(*link)->next;
    *link = s->next;
    timer_free(&s->timer);
    ipc_free(&s->ch);
    free(s);
}

/* --- the life of one ---------------------------------------------------------------------------------------------------- */

static void service_kill(struct service *s, const char *why)
{
    LOG_ERROR(0, "killing service", F_STR("service", s->role->name), F_INT("child", s->pid), F_STR("reason", why));
    ipc_free(&s->ch);
    s->by_us = true;
    supervise_kill(s->m, s->pid, SIGKILL);
}

static void service_stop(struct service *s)
{
    if (s->state == SERVICE_DOWN) {
        service_remove(s);
        return;
    }
    if (s->state == SERVICE_LEAVING)
        return;
    s->state = SERVICE_LEAVING;
    if (is_front(s))
        timer_disarm(s->timer); /* its children may serve as TLS ends for days */
    else
        timer_arm(s->timer, LEAVE_MS);
    if (s->ch == NULL || ipc_send(s->ch, IPC_MASTER_STOP, NULL, NULL, 0) != 0)
        supervise_kill(s->m, s->pid, SIGTERM);
}

static void on_timer(void *arg)
{
    struct service *s = arg;

    switch (s->state) {
    case SERVICE_DOWN:
        service_start(s);
        break;
    case SERVICE_STARTING:
        service_kill(s, "not ready in time");
        break;
    case SERVICE_READY:
        if (s->ch == NULL)
            service_kill(s, "closed its channel");
        else
            service_stop(s); /* retired */
        break;
    case SERVICE_LEAVING:
        service_kill(s, "did not leave");
        break;
    }
}

static void exited(void *arg, pid_t pid, int status)
{
    struct service *s = arg;
    uint64_t lived = loop_now(s->m->loop) - s->started;
    bool bad, again = s->state != SERVICE_LEAVING && !s->m->stopping && s->generation == s->m->setup->generation;
    struct log_field how = supervise_status(status, &bad);

    if (again || (bad && !s->m->stopping))
        LOG_ERROR(0, "service ended", F_STR("service", s->role->name), F_INT("child", pid), how, F_UINT("lived_ms", lived));
    else
        LOG_INFO(0, "service ended", F_STR("service", s->role->name), F_INT("child", pid), how);
    s->pid = 0;
    ipc_free(&s->ch);
    timer_disarm(s->timer);
    if (!again) {
        service_remove(s);
        return;
    }
    s->state = SERVICE_DOWN;
    s->restarts++;
    timer_arm(s->timer, backoff_was_killed(status, s->served, s->by_us) ? backoff_after_kill(&s->backoff)
                                                                        : backoff_delay(&s->backoff, lived));
}

static void on_closed(void *arg, struct ipc *ch, int err)
{
    struct service *s = arg;

    (void)ch;
    if (err == ERR_PROTO) {
        service_kill(s, "broke the message table");
        return;
    }
    ipc_free(&s->ch);
    if (s->state != SERVICE_LEAVING)
        timer_arm(s->timer, CLOSED_GRACE_MS);
}

static void on_ready(struct service *s)
{
    s->state = SERVICE_READY;
    s->served = true;
    ipc_set_state(s->ch, IPC_STATE_READY);
    timer_disarm(s->timer);
    LOG_INFO(0, "service ready", F_STR("service", s->role->name), F_INT("child", s->pid),
             F_UINT("ms", loop_now(s->m->loop) - s->started));
}

/* What a service may say. A message that its decoder refuses costs the service its life. */
static void on_message(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct service *s = arg;
    int rc = 0;

    (void)ch;
    switch (msg->kind) {
    case IPC_SERVICE_READY:
        on_ready(s);
        break;
    case IPC_LOGIN_CONN:
        rc = conns_announce(s->m, s->serial, s->role->ipc_role == ROLE_LMTP ? ROLE_LCONN : ROLE_CONN, s->role->protocol, msg);
        break;
    case IPC_AUTH_GRANT:
        rc = conns_grant(s->m, msg->body);
        break;
    case IPC_AUTH_FOUND:
        rc = mails_found(s->m, msg->body);
        break;
    case IPC_AUTH_CREDENTIAL:
        rc = credentials_done(s->m, msg->body);
        break;
    case IPC_AUTH_HELPER:
        rc = helpers_start(s->m, msg);
        break;
    default:
        rc = ERR_PROTO;
        break;
    }
    if (rc != 0)
        service_kill(s, "malformed message");
}

/* --- starting ----------------------------------------------------------------------------------------------------------- */

static int send_peer(struct service *to, const struct service *other, int fd)
{
    struct msg_peer m = {.role = other->role->ipc_role, .instance = (uint32_t)other->role->protocol};
    struct buf body;
    int rc;

    buf_init(&body, IPC_MAX_BODY);
    msg_peer_encode(&body, &m);
    rc = ipc_send(to->ch, IPC_MASTER_PEER, &body, &fd, 1);
    buf_free(&body);
    return rc;
}

static int connect_pair(struct service *a, struct service *b)
{
    int fds[2];
    int rc = ipc_pair(fds);

    if (rc != 0)
        return rc;
    rc = send_peer(a, b, fds[0]);
    if (rc == 0 && send_peer(b, a, fds[1]) != 0)
        LOG_WARN(0, "cannot connect service", F_STR("service", b->role->name), F_STR("to", a->role->name));
    (void)close(fds[0]);
    (void)close(fds[1]);
    return rc;
}

/* Channels to the living peers of the same generation; those that start later connect themselves to this one. */
static int send_peers(struct service *s)
{
    int rc = 0;

    for (struct service *o = s->m->services->first; rc == 0 && o != NULL; o = o->next)
        if (o != s && o->generation == s->generation && is_alive(o) && (s->role->peers & (1u << o->role->id)) != 0)
            rc = connect_pair(s, o);
    return rc;
}

static int send_start(struct service *s)
{
    int rc = process_send_config(s->m, s->ch, s->role, s->m->setup->ids[s->role->id]);

    if (rc == 0)
        rc = send_peers(s);
    if (rc == 0 && s->role->id == ROLE_ID_KEYS)
        rc = tlsfiles_send_keys(s->m->tls, s->ch);
    if (rc == 0 && s->role->id == ROLE_ID_AUTH)
        rc = tlsfiles_send_certs(s->m->tls, s->role->id, s->ch);
    if (rc == 0 && is_front(s))
        rc = listeners_send(s->m->listeners, s->role->protocol, s->ch);
    if (rc == 0 && is_front(s) && (s->role->peers & (1u << ROLE_ID_KEYS)) != 0)
        rc = tlsfiles_send_certs(s->m->tls, s->role->id, s->ch);
    if (rc == 0)
        rc = ipc_send(s->ch, IPC_MASTER_GO, NULL, NULL, 0);
    return rc;
}

static void service_start(struct service *s)
{
    struct process_spec spec = {.role = s->role, .handler = on_message, .closed = on_closed, .exited = exited, .arg = s};
    int rc;

    s->serial = ++s->m->services->next_serial;
    s->started = loop_now(s->m->loop);
    rc = process_start(s->m, &spec, &s->pid, &s->ch);
    if (rc != 0) {
        LOG_ERROR(0, "cannot start service", F_STR("service", s->role->name), F_ERR(rc));
        s->state = SERVICE_DOWN;
        s->restarts++;
        timer_arm(s->timer, backoff_delay(&s->backoff, 0));
        return;
    }
    s->state = SERVICE_STARTING;
    s->served = s->by_us = false;
    timer_arm(s->timer, READY_DEADLINE_MS);
    rc = send_start(s);
    if (rc != 0)
        service_kill(s, err_str(rc)); /* exited starts it again */
}

static bool wanted(const struct setup *set, const struct role *r)
{
    if (r->id == ROLE_ID_KEYS)
        return setup_has_tls(set);
    return r->protocol == 0 || setup_has_protocol(set, r->protocol);
}

/* Auth and the fronts go as soon as their connections have; keys has no way to know, so it stays until every handshake that an
 * old front began is over. */
static void retire(struct service *s)
{
    if (s->role->id == ROLE_ID_KEYS && s->state == SERVICE_READY)
        timer_arm(s->timer, RETIRE_MS);
    else
        service_stop(s);
}

void services_start(struct master *m)
{
    struct service *next;

    for (struct service *s = m->services->first; s != NULL; s = next) {
        next = s->next;
        if (s->generation != m->setup->generation)
            retire(s);
    }
    for (size_t i = 0; i < ROLE_ID_SERVICES; i++) {
        struct service *s;
        if (!wanted(m->setup, role_get((enum role_id)i)))
            continue;
        s = xcalloc(1, sizeof(*s));
        s->m = m;
        s->role = role_get((enum role_id)i);
        s->generation = m->setup->generation;
        s->timer = timer_new(m->loop, on_timer, s);
        s->next = m->services->first;
        m->services->first = s;
        service_start(s);
    }
}

/* --- stopping and the rest ---------------------------------------------------------------------------------------------------
 */

static void stop_some(struct master *m, bool fronts_only)
{
    struct service *next;

    for (struct service *s = m->services->first; s != NULL; s = next) {
        next = s->next;
        if (is_front(s) || !fronts_only)
            service_stop(s);
    }
}

void services_stop_fronts(struct master *m)
{
    stop_some(m, true);
}

void services_stop_all(struct master *m)
{
    stop_some(m, false);
}

void services_free(struct services **sp)
{
    struct services *all = *sp;
    struct service *next;

    if (all == NULL)
        return;
    for (struct service *s = all->first; s != NULL; s = next) {
        next = s->next;
        service_remove(s);
    }
    free(all);
    *sp = NULL;
}

/* A handler may change the list, so what is polled is chosen first. */
static void poll_some(struct master *m, bool fronts)
{
    uint64_t serials[64];
    size_t n = 0;

    for (struct service *s = m->services->first; s != NULL && n < ARRAY_LEN(serials); s = s->next)
        if (s->ch != NULL && is_front(s) == fronts && (fronts || s->role->id == ROLE_ID_AUTH))
            serials[n++] = s->serial;
    for (size_t i = 0; i < n; i++) {
        struct service *s = m->services->first;
        while (s != NULL && s->serial != serials[i])
            s = s->next;
        if (s != NULL && s->ch != NULL)
            ipc_poll(s->ch);
    }
}

void services_poll_auth(struct master *m)
{
    poll_some(m, false);
}

void services_poll_fronts(struct master *m)
{
    poll_some(m, true);
}

int services_ask_auth(struct master *m, enum ipc_kind kind, const struct buf *body)
{
    struct service *auth = NULL;

    for (struct service *s = m->services->first; s != NULL; s = s->next)
        if (s->role->id == ROLE_ID_AUTH && s->state == SERVICE_READY && s->ch != NULL &&
            (auth == NULL || s->generation > auth->generation))
            auth = s;
    return auth != NULL ? ipc_send(auth->ch, kind, body, NULL, 0) : ERR_CLOSED;
}

void services_taken(struct master *m, uint64_t serial, uint64_t conn_id)
{
    struct msg_id id = {conn_id};
    struct buf body;
    struct service *s = m->services->first;

    while (s != NULL && s->serial != serial)
        s = s->next;
    if (s == NULL || s->ch == NULL)
        return;
    buf_init(&body, IPC_MAX_BODY);
    msg_id_encode(&body, &id);
    if (ipc_send(s->ch, IPC_MASTER_TAKEN, &body, NULL, 0) != 0)
        LOG_WARN(conn_id, "cannot tell the login service of a hand-over", F_STR("service", s->role->name));
    buf_free(&body);
}

void services_send_log(struct master *m, int fd)
{
    for (struct service *s = m->services->first; s != NULL; s = s->next)
        if (s->ch != NULL && ipc_send(s->ch, IPC_MASTER_LOG, NULL, &fd, 1) != 0)
            LOG_WARN(0, "cannot hand the log to service", F_STR("service", s->role->name));
}

void services_each(const struct master *m, void (*fn)(void *arg, const struct service_facts *f), void *arg)
{
    for (const struct service *s = m->services->first; s != NULL; s = s->next) {
        struct service_facts f = {.role = s->role,
                                  .generation = s->generation,
                                  .state = s->state,
                                  .pid = s->pid,
                                  .age_ms = s->pid != 0 ? loop_now(m->loop) - s->started : 0,
                                  .restarts = s->restarts};
        fn(arg, &f);
    }
}
