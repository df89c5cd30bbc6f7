/* The start of a login service; see common/proc/proc.h for the order. */
#include <sodium.h>

#include "common/log/log.h"
#include "common/login/login_int.h"
#include "common/proc/proc.h"

struct login_main {
    struct proc proc;
    struct login_service svc;
    struct login_parent *parent;
    int status;
};

static int main_receive(void *arg, struct ipc_msg *msg)
{
    struct login_main *m = arg;

    return login_parent_message(m->parent, msg);
}

static void main_message(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct login_main *m = arg;
    int r = login_parent_message(m->parent, msg);

    (void)ch;
    if (r < 0)
        LOG_ERROR(0, "message of master not understood", F_UINT("kind", msg->kind), F_ERR(r));
}

/* Without master no log-in can be completed. Children that are only TLS ends go on as long as their workers do. */
static void main_closed(void *arg, struct ipc *ch, int err)
{
    struct login_main *m = arg;

    (void)ch;
    LOG_WARN(0, "master is gone", F_ERR(err));
    login_parent_master_gone(m->parent);
}

int login_main(const struct login_protocol *protocol)
{
    static const struct conf_component *const components[1] = {&set_login_component};
    struct login_main m = {.svc.protocol = protocol};
    struct sandbox_params sandbox = {.profile = SANDBOX_LOGIN};
    const struct set_general *general;
    int r;

    proc_start(&m.proc, protocol->proc_name, ROLE_LOGIN, components, 1);
    if (sodium_init() < 0)
        LOG_FATAL("libsodium cannot be used");
    general = conf_get(m.proc.conf, &set_general_component);
    m.svc.set = conf_get(m.proc.conf, &set_login_component);
    m.svc.hostname = general->hostname;
    m.proc.loop = loop_new();
    if (m.proc.loop == NULL)
        LOG_FATAL("no event loop");
    m.parent = login_parent_new(&m.svc, m.proc.loop);
    proc_receive(&m.proc, main_receive, &m);
    if (m.svc.set->login_isolation == SET_ISOLATION_SHARED)
        sandbox.profile = SANDBOX_LOGIN_SHARED;
    proc_confine(&m.proc, &sandbox);
    proc_serve(&m.proc, main_message, main_closed, &m);
    r = login_parent_start(m.parent, m.proc.master);
    if (r < 0)
        LOG_FATAL("cannot accept connections", F_ERR(r));
    r = loop_run(m.proc.loop);
    if (r < 0)
        LOG_ERROR(0, "event loop failed", F_ERR(r));
    login_parent_free(&m.parent);
    tls_ctx_free(&m.svc.tls);
    return r < 0 ? 1 : 0;
}
