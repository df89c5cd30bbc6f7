/*
 * culver, the master process: only the order of its start and end. It needs the configuration, folders, log, sockets and
 * certificates first (so that every mistake is reported before anything runs), then gives up what it does not need, then starts
 * the services.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "master/conns.h"
#include "master/control.h"
#include "master/helpers.h"
#include "master/listener.h"
#include "master/logtarget.h"
#include "master/options.h"
#include "master/rooms.h"
#include "master/service.h"
#include "master/supervise.h"
#include "master/tlsfiles.h"
#include "master/workers.h"

#define ERRORS_MAX 65536
#define CONNS_MAX 65536
#define GRANTS_MAX 131072
#define ROOMS_MAX 131072

static char *self_dir_find(void)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

    while (n > 0 && path[n - 1] != '/')
        n--;
    return n > 1 ? view_dup(view_make(path, (size_t)n - 1)) : NULL;
}

static int uids_load(struct master *m, struct buf *errors)
{
    const struct set_master *s = m->setup->master;
    size_t line;
    int rc;

    if (m->rootless || m->setup->virtual_shared)
        return 0;
    rc = uids_open(s->state_dir, (uint32_t)s->virtual_uid_first, (uint32_t)s->virtual_uid_last, &m->uids, &line);
    if (rc == ERR_CORRUPT && line > 0)
        buf_put_fmt(errors, "%s/uids:%zu: not a line of \"uid name\", or a uid or name for the second time\n", s->state_dir,
                    line);
    else if (rc != 0)
        buf_put_fmt(errors, "%s/uids: %s\n", s->state_dir, err_str(rc));
    return rc;
}

/* Everything that can fail for a reason that the administrator must hear of. */
static int prepare(struct master *m, struct buf *errors)
{
    struct setup_params p = {.conf_path = m->options.conf_path,
                             .libexec = m->options.libexec,
                             .self_dir = m->self_dir,
                             .rootless = m->rootless,
                             .generation = 1};
    struct logtarget *log = NULL;
    int rc = setup_load(&p, &m->setup, errors);

    if (rc == 0)
        rc = folders_prepare(m->setup, errors);
    if (rc == 0)
        rc = pidfile_take(m, errors);
    if (rc == 0)
        rc = logtarget_open(m->setup, &log, errors);
    if (rc != 0)
        return rc;
    logtarget_install(m, log);
    if (uids_load(m, errors) != 0)
        rc = ERR_IO;
    if (tlsfiles_open(m->setup, &m->tls, errors) != 0)
        rc = ERR_IO;
    if (listeners_open(m->setup, NULL, &m->listeners, errors) != 0)
        rc = ERR_IO;
    return rc == 0 ? control_open(m, errors) : rc;
}

static void on_hangup(void *arg, int signo)
{
    struct master *m = arg;
    struct buf errors;

    (void)signo;
    if (m->stopping)
        return;
    buf_init(&errors, ERRORS_MAX);
    if (master_reload(m, &errors) != 0) /* why has been logged */
        LOG_WARN(0, "the configuration of before stays in force", F_UINT("generation", m->setup->generation));
    buf_free(&errors);
}

static void on_reopen(void *arg, int signo)
{
    (void)signo;
    logtarget_reopen(arg);
}

static void on_stop(void *arg, int signo)
{
    master_shutdown(arg, signo == SIGINT ? "SIGINT" : "SIGTERM");
}

static int signals_watch(struct master *m)
{
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || supervise_init(m) != 0 || loop_signal(m->loop, SIGHUP, on_hangup, m) != 0 ||
        loop_signal(m->loop, SIGUSR1, on_reopen, m) != 0 || loop_signal(m->loop, SIGTERM, on_stop, m) != 0 ||
        loop_signal(m->loop, SIGINT, on_stop, m) != 0)
        return ERR_SYSTEM;
    return 0;
}

static void parts_init(struct master *m)
{
    const struct set_master *s = m->setup->master;

    m->started = loop_now(m->loop);
    m->grants = grants_new(CONNS_MAX, GRANTS_MAX);
    m->limits = session_limits_new();
    session_limits_set(m->limits, s->sessions_per_user, s->sessions_per_user_address, s->sessions_max);
    m->rooms = rooms_new(ROOMS_MAX);
    conns_init(m);
    workers_init(m);
    helpers_init(m);
    services_init(m);
}

static void parts_free(struct master *m)
{
    control_free(m);
    conns_free(m);
    workers_free(m);
    helpers_free(m);
    services_free(&m->services);
    shutdown_free(&m->shutdown);
    grants_free(&m->grants);
    session_limits_free(&m->limits);
    rooms_free(&m->rooms);
    uids_close(&m->uids);
    listeners_free(&m->listeners, NULL);
    tlsfiles_free(&m->tls);
    supervise_free(&m->children);
    loop_free(&m->loop);
    pidfile_drop(m);
    setup_free(&m->setup);
    free(m->self_dir);
}

static int run(struct master *m)
{
    int rc;

    parts_init(m);
    privs_limit(m);
    LOG_INFO(0, "starting", F_STR("version", CULVER_VERSION), F_STR("configuration", m->options.conf_path),
             F_STR("mode", m->rootless ? "rootless" : "root"));
    services_start(m);
    rc = loop_run(m->loop);
    LOG_INFO(0, "stopped");
    return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct master m = {.pid_fd = -1};
    struct buf errors;
    int status;

    if (!options_parse(argc, argv, &m.options))
        return 64; /* EX_USAGE */
    if (options_run(&m.options, &status))
        return status;
    if (sodium_init() < 0 || (m.loop = loop_new()) == NULL || signals_watch(&m) != 0) {
        fputs("culver: cannot start: no random numbers, or no event loop\n", stderr);
        return EXIT_FAILURE;
    }
    m.rootless = geteuid() != 0;
    m.self_dir = self_dir_find();
    buf_init(&errors, ERRORS_MAX);
    if (prepare(&m, &errors) == 0) {
        status = run(&m);
    } else {
        struct view v = buf_view(&errors);
        (void)fwrite(v.ptr, 1, v.len, stderr);
        status = EXIT_CONFIG;
    }
    buf_free(&errors);
    parts_free(&m);
    logtarget_free(&m.log);
    return status;
}
