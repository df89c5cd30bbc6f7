/* The start of a service that accepts connections; see common/proc/proc.h for the order. */
#include <sodium.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/login/login_int.h"
#include "common/proc/proc.h"

struct serve {
    struct proc proc;
    struct serve_context ctx;
    struct login_parent *parent;
    int status;
};

static int main_receive(void *arg, struct ipc_msg *msg)
{
    struct serve *m = arg;

    return login_parent_message(m->parent, msg);
}

static void main_message(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct serve *m = arg;
    int r = login_parent_message(m->parent, msg);

    (void)ch;
    if (r < 0)
        LOG_ERROR(0, "message of master not understood", F_UINT("kind", msg->kind), F_ERR(r));
}

/* Without master no log-in can be completed. Children that are only TLS ends go on as long as their workers do. */
static void main_closed(void *arg, struct ipc *ch, int err)
{
    struct serve *m = arg;

    (void)ch;
    LOG_WARN(0, "master is gone", F_ERR(err));
    login_parent_master_gone(m->parent);
}

int serve_main(const struct serve_kind *kind, const void *kind_arg)
{
    struct serve m = {0};
    struct sandbox_params sandbox = {.profile = kind->parent};
    const struct set_general *general;
    const struct set_login *set;
    size_t n = 0;
    int r;

    while (n < ARRAY_LEN(kind->components) && kind->components[n] != NULL)
        n++;
    proc_start(&m.proc, kind->proc_name, kind->role, kind->components, n);
    if (sodium_init() < 0)
        LOG_FATAL("libsodium cannot be used");
    general = conf_get(m.proc.conf, &set_general_component);
    set = conf_get(m.proc.conf, &set_login_component);
    m.ctx.conf = m.proc.conf;
    m.ctx.hostname = general->hostname;
    m.proc.loop = loop_new();
    if (m.proc.loop == NULL)
        LOG_FATAL("no event loop");
    m.parent = login_parent_new(kind, kind_arg, &m.ctx, m.proc.loop);
    proc_receive(&m.proc, main_receive, &m);
    if (set->login_isolation == SET_ISOLATION_SHARED)
        sandbox.profile = kind->shared;
    proc_confine(&m.proc, &sandbox);
    proc_serve(&m.proc, main_message, main_closed, &m);
    r = login_parent_start(m.parent, m.proc.master);
    if (r < 0)
        LOG_FATAL("cannot accept connections", F_ERR(r));
    r = loop_run(m.proc.loop);
    if (r < 0)
        LOG_ERROR(0, "event loop failed", F_ERR(r));
    login_parent_free(&m.parent);
    tls_ctx_free(&m.ctx.tls);
    return r < 0 ? 1 : 0;
}
