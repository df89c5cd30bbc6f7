#include "master/helpers.h"

#include <signal.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "master/process.h"

#define OVERTIME_MS 1000
/* auth keeps to auth_helpers_max itself, and starts the next helper when the last one has closed its channel, which is a moment
 * before we reap it; and an auth that is leaving after a reload may still have some. This bound is for an auth that does not. */
#define HELPERS_MAX(m) (2 * ((m)->setup->auth->auth_helpers_max + connections_max((m)->setup->auth)) + 8)

static size_t connections_max(const struct set_auth *set)
{
    size_t n = 0;

    for (size_t i = 0; i < set->ndatabases; i++)
        n += set->databases[i].connections;
    return n;
}

static const struct role *role_of(enum helper_kind kind)
{
    switch (kind) {
    case HELPER_SQLITE:
        return role_get(ROLE_ID_SQLITE);
    case HELPER_PGSQL:
        return role_get(ROLE_ID_PGSQL);
    case HELPER_LDAP:
        return role_get(ROLE_ID_LDAP);
    case HELPER_OAUTH2:
        return role_get(ROLE_ID_OAUTH2);
    case HELPER_PAM:
    case HELPER_HASH:
    case HELPER_NSS:
    case HELPER_TOKEN:
    case HELPER_CERT:
        break;
    }
    return role_get(ROLE_ID_HELPER);
}

struct helper {
    struct helper *next;
    struct master *m;
    pid_t pid;
    struct ipc *ch;
    struct timer *timer;
    bool stays; /* holds a connection for auth */
};

struct helpers {
    struct helper *first;
    size_t n;
};

void helpers_init(struct master *m)
{
    m->helpers = xcalloc(1, sizeof(*m->helpers));
}

size_t helpers_count(const struct master *m)
{
    return m->helpers->n;
}

static void helper_remove(struct helper *h)
{
    struct helper **link = &h->m->helpers->first;

    while (*link != h)
        link = &(*link)->next;
    *link = h->next;
    h->m->helpers->n--;
    timer_free(&h->timer);
    ipc_free(&h->ch);
    free(h);
}

void helpers_free(struct master *m)
{
    struct helper *next;

    if (m->helpers == NULL)
        return;
    for (struct helper *h = m->helpers->first; h != NULL; h = next) {
        next = h->next;
        helper_remove(h);
    }
    free(m->helpers);
    m->helpers = NULL;
}

static void on_late(void *arg)
{
    struct helper *h = arg;

    LOG_WARN(0, "killing auth helper: out of time", F_INT("child", h->pid));
    supervise_kill(h->m, h->pid, SIGKILL);
}

static void exited(void *arg, pid_t pid, int status)
{
    struct helper *h = arg;
    bool bad;
    struct log_field how = supervise_status(status, &bad);

    if (bad && !h->m->stopping)
        LOG_WARN(0, "auth helper ended", F_INT("child", pid), how);
    helper_remove(h);
}

/* A helper says nothing to master but that it is ready. */
static void on_message(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct helper *h = arg;

    (void)ch;
    if (msg->kind != IPC_SERVICE_READY) {
        LOG_ERROR(0, "killing auth helper: malformed message", F_INT("child", h->pid));
        supervise_kill(h->m, h->pid, SIGKILL);
    }
}

static void on_closed(void *arg, struct ipc *ch, int err)
{
    struct helper *h = arg;

    (void)ch;
    ipc_free(&h->ch);
    if (err == ERR_PROTO)
        supervise_kill(h->m, h->pid, SIGKILL);
}

static int send_start(struct helper *h, const struct msg_helper *m, int auth_fd, struct ids ids)
{
    struct buf body;
    int rc = process_send_config(h->m, h->ch, role_of(m->kind), ids);

    if (rc != 0)
        return rc;
    buf_init(&body, IPC_MAX_BODY);
    msg_helper_encode(&body, m);
    rc = ipc_send(h->ch, IPC_MASTER_HELPER, &body, &auth_fd, 1);
    buf_free(&body);
    return rc == 0 ? ipc_send(h->ch, IPC_MASTER_GO, NULL, NULL, 0) : rc;
}

/* PAM modules need root (shadow, set-id programs); a hash or a name look-up needs nothing. A helper that holds a connection stays
 * until auth closes its channel. */
static void start(struct master *m, const struct msg_helper *msg, int auth_fd)
{
    const struct role *role = role_of(msg->kind);
    bool pam = msg->kind == HELPER_PAM;
    struct ids ids = pam && !m->rootless ? (struct ids){0, 0} : m->setup->ids[ROLE_ID_AUTH];
    struct helper *h = xcalloc(1, sizeof(*h));
    struct process_spec spec = {.role = role,
                                .may_gain = pam,
                                .pam_environment = pam && m->rootless,
                                .handler = on_message,
                                .closed = on_closed,
                                .exited = exited,
                                .arg = h};
    int rc;

    h->m = m;
    rc = process_start(m, &spec, &h->pid, &h->ch);
    if (rc != 0) {
        LOG_ERROR(0, "cannot start auth helper", F_ERR(rc));
        free(h);
        return;
    }
    h->timer = timer_new(m->loop, on_late, h);
    h->stays = role->id != ROLE_ID_HELPER;
    if (!h->stays)
        timer_arm(h->timer, m->setup->auth->auth_helper_timeout + OVERTIME_MS);
    h->next = m->helpers->first;
    m->helpers->first = h;
    m->helpers->n++;
    rc = send_start(h, msg, auth_fd, ids);
    if (rc != 0) {
        LOG_ERROR(0, "cannot start auth helper", F_INT("child", h->pid), F_ERR(rc));
        supervise_kill(m, h->pid, SIGKILL);
    }
}

void helpers_send_log(struct master *m, int fd)
{
    for (struct helper *h = m->helpers->first; h != NULL; h = h->next)
        if (h->stays && h->ch != NULL && ipc_send(h->ch, IPC_MASTER_LOG, NULL, &fd, 1) != 0)
            LOG_WARN(0, "auth helper keeps its old log", F_INT("child", h->pid));
}

int helpers_start(struct master *m, struct ipc_msg *msg)
{
    struct msg_helper h;

    if (msg_helper_decode(msg->body, &h) != 0)
        return ERR_PROTO;
    if (m->stopping)
        return 0;
    if (m->helpers->n >= HELPERS_MAX(m)) {
        LOG_WARN(0, "too many auth helpers", F_UINT("auth_helpers_max", m->setup->auth->auth_helpers_max));
        return 0;
    }
    start(m, &h, msg->fds[0]);
    return 0;
}
