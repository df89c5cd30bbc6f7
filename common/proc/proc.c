/*
 * The start of a service in one place, so that no program can forget a step or change their order. What goes wrong here is fatal:
 * a process that is not confined the way it should be must not serve. Descriptor 2 stays the log for the whole life of the
 * process (a new one is put in its place), so that neither libc's last words nor a sanitizer's can reach a client.
 */
#include "common/proc/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"

#define START_TIMEOUT_MS 10000
#define COMPONENTS_MAX 8

/* Descriptors 0 and 1 must not become a client by accident. */
static void fill_standard_fds(void)
{
    int fd;

    for (fd = 0; fd <= 1; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            LOG_FATAL("cannot open /dev/null", F_ERRNO(errno));
}

static void clean_process(void)
{
    const struct rlimit none = {0, 0};

    if (close_range(PROC_MASTER_FD + 1, ~0u, 0) != 0)
        LOG_FATAL("cannot close inherited descriptors", F_ERRNO(errno));
    if (fcntl(PROC_MASTER_FD, F_SETFD, FD_CLOEXEC) != 0)
        LOG_FATAL("this program is only to be started by culver");
    fill_standard_fds();
    (void)umask(077);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
        LOG_FATAL("cannot ignore a signal", F_ERRNO(errno));
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
        LOG_FATAL("cannot switch core dumps off", F_ERRNO(errno));
}

/* Lines go to the new descriptor from now on; it takes the place of the old one. */
static int take_log(struct ipc_msg *msg)
{
    return dup2(msg->fds[0], STDERR_FILENO) < 0 ? ERR_SYSTEM : 0;
}

/* All of a memfd that other processes may share: pread, so that no one's offset moves. */
static int read_memfd(int fd, struct buf *out)
{
    off_t at = 0;

    for (;;) {
        size_t want = MIN_OF((size_t)65536, out->max - buf_len(out));
        uint8_t *room = buf_reserve(out, want);
        ssize_t n;

        if (room == NULL || want == 0)
            return ERR_LIMIT;
        n = pread(fd, room, want, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? err_from_errno(errno) : 0;
        buf_commit(out, (size_t)n);
        at += n;
    }
}

static void log_conf_errors(const struct buf *errors)
{
    struct view rest = buf_view(errors);

    while (rest.len > 0) {
        size_t n = view_find(rest, '\n');

        LOG_ERROR(0, "configuration from master", F_VIEW("err", view_sub(rest, 0, n)));
        rest = view_sub(rest, n + 1, rest.len);
    }
}

static int parse_config(struct proc *p, int fd, const struct conf_component *const *components, size_t ncomponents)
{
    const struct conf_component *all[COMPONENTS_MAX] = {&set_general_component};
    struct buf text, errors;
    size_t i;
    int err;

    ASSERT(ncomponents < COMPONENTS_MAX);
    for (i = 0; i < ncomponents; i++)
        all[i + 1] = components[i];
    buf_init(&text, CONF_BYTES_MAX + 1);
    buf_init(&errors, 65536);
    err = read_memfd(fd, &text);
    if (err == 0)
        err = conf_parse(NULL, buf_view(&text), all, ncomponents + 1, &p->conf, &errors);
    log_conf_errors(&errors);
    buf_free(&text);
    buf_free(&errors);
    return err;
}

/* Everything that IPC_MASTER_CONFIG says of this process. */
static int apply_config(struct proc *p, const struct msg_config *config)
{
    if (config->version != PROTO_VERSION || config->log_level > LOG_LVL_FATAL || config->log_sink > LOG_SINK_SYSLOG)
        return ERR_PROTO;
    p->rootless = config->rootless;
    p->uid = config->uid;
    p->gid = config->gid;
    p->generation = config->generation;
    p->chroot_dir = config->chroot_dir.len > 0 ? view_dup(config->chroot_dir) : NULL;
    log_init(p->name, STDERR_FILENO, (enum log_sink)config->log_sink, (enum log_level)config->log_level);
    return 0;
}

static void receive_config(struct proc *p, const struct conf_component *const *components, size_t ncomponents)
{
    uint8_t *storage = xmalloc(IPC_MAX_MSG);
    struct msg_config config;
    struct ipc_msg msg;
    int err = ipc_recv_wait(p->master_fd, p->role, ROLE_MASTER, IPC_STATE_NEW, storage, &msg, START_TIMEOUT_MS);

    if (err != 0)
        LOG_FATAL("no configuration from master", F_ERR(err));
    err = msg.kind == IPC_MASTER_CONFIG ? msg_config_decode(msg.body, &config) : ERR_PROTO;
    if (err == 0)
        err = apply_config(p, &config);
    if (err == 0)
        err = parse_config(p, msg.fds[0], components, ncomponents);
    if (err != 0)
        LOG_FATAL("bad configuration from master", F_ERR(err));
    ipc_msg_close_fds(&msg);
    free(storage);
}

void proc_start(struct proc *p, const char *name, enum ipc_role role, const struct conf_component *const *components,
                size_t ncomponents)
{
    *p = (struct proc){.name = name, .role = role, .master_fd = PROC_MASTER_FD};
    log_init(name, STDERR_FILENO, LOG_SINK_STREAM, LOG_LVL_INFO);
    clean_process();
    receive_config(p, components, ncomponents);
}

static void receive_one(struct proc *p, struct ipc_msg *msg, int (*receive)(void *arg, struct ipc_msg *msg), void *arg)
{
    int err;

    if (msg->kind == IPC_MASTER_CONFIG)
        err = ERR_PROTO;
    else if (msg->kind == IPC_MASTER_LOG)
        err = take_log(msg);
    else
        err = receive(arg, msg);
    if (err != 0)
        LOG_FATAL("cannot take a message of the start from master", F_STR("message", proto_rule(msg->kind)->name), F_ERR(err),
                  F_STR("proc", p->name));
}

void proc_receive(struct proc *p, int (*receive)(void *arg, struct ipc_msg *msg), void *arg)
{
    uint8_t *storage = xmalloc(IPC_MAX_MSG);
    struct ipc_msg msg;
    int err;

    for (;;) {
        err = ipc_recv_wait(p->master_fd, p->role, ROLE_MASTER, IPC_STATE_NEW, storage, &msg, START_TIMEOUT_MS);
        if (err != 0)
            LOG_FATAL("the start sequence from master ended early", F_ERR(err));
        if (msg.kind == IPC_MASTER_GO)
            break;
        receive_one(p, &msg, receive, arg);
        ipc_msg_close_fds(&msg);
    }
    free(storage);
}

void proc_confine(struct proc *p, const struct sandbox_params *sandbox)
{
    const struct set_general *general = conf_get(p->conf, &set_general_component);
    struct sandbox_params params = *sandbox;
    int err;

    if (!p->rootless && p->uid == 0 && sandbox->profile != SANDBOX_HELPER_PAM)
        LOG_FATAL("this process must not run as root");
    err = sandbox_drop_ids(p->uid, p->gid, p->chroot_dir, p->rootless);
    if (err != 0)
        LOG_FATAL("cannot give up privileges", F_UINT("uid", p->uid), F_ERR(err));
    params.best_effort |= general->sandbox == SET_SANDBOX_BEST_EFFORT;
    err = sandbox_enter(&params);
    if (err != 0)
        LOG_FATAL("cannot enter the sandbox", F_ERR(err));
}

/* --- serving ---------------------------------------------------------------------------------------------------------- */

static void on_master(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct proc *p = arg;

    if (msg->kind != IPC_MASTER_LOG)
        p->handler(p->arg, ch, msg);
    else if (take_log(msg) != 0)
        LOG_ERROR(0, "cannot switch the log", F_ERRNO(errno));
}

static void on_master_closed(void *arg, struct ipc *ch, int err)
{
    struct proc *p = arg;

    p->closed(p->arg, ch, err);
}

void proc_serve(struct proc *p, ipc_handler_fn *handler, ipc_closed_fn *closed, void *arg)
{
    int err;

    p->handler = handler;
    p->closed = closed;
    p->arg = arg;
    if (p->loop == NULL)
        p->loop = loop_new();
    p->master = ipc_new(p->loop, p->master_fd, p->role, ROLE_MASTER, on_master, on_master_closed, p);
    p->master_fd = -1;
    ipc_set_state(p->master, IPC_STATE_READY);
    err = ipc_send(p->master, IPC_SERVICE_READY, NULL, NULL, 0);
    if (err != 0)
        LOG_FATAL("cannot report to master", F_ERR(err));
}
