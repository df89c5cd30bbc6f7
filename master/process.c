#include "master/process.h"

#include <unistd.h>

#include "master/exec.h"
#include "master/logtarget.h"

static int program_path(const struct master *m, const struct role *role, struct buf *out)
{
    buf_init(out, PROTO_PATH_MAX + 64);
    buf_put_fmt(out, "%s/%s", m->setup->libexec, role->program);
    buf_put_byte(out, '\0');
    return buf_ok(out) ? 0 : ERR_LIMIT;
}

int process_start(struct master *m, const struct process_spec *spec, pid_t *pid_out, struct ipc **ch_out)
{
    struct exec_spec ex = {.name = spec->role->program,
                           .log_fd = logtarget_fd(m->log),
                           .may_gain = spec->may_gain,
                           .pam_environment = spec->pam_environment,
                           .prepare = spec->prepare,
                           .arg = spec->prepare_arg};
    struct buf path;
    int fds[2];
    int rc = program_path(m, spec->role, &path);

    if (rc == 0)
        rc = ipc_pair(fds);
    if (rc == 0) {
        ex.path = (const char *)path.data;
        ex.channel_fd = fds[1];
        rc = exec_child(&ex, pid_out);
        if (rc == 0 && spec->peer_fd_out != NULL)
            *spec->peer_fd_out = fds[1];
        else
            (void)close(fds[1]);
        if (rc != 0)
            (void)close(fds[0]);
    }
    buf_free(&path);
    if (rc != 0)
        return rc;
    supervise_add(m, *pid_out, spec->exited, spec->arg);
    *ch_out = ipc_new(m->loop, fds[0], ROLE_MASTER, spec->role->ipc_role, spec->handler, spec->closed, spec->arg);
    return 0;
}

int process_send_config(struct master *m, struct ipc *ch, const struct role *role, struct ids ids)
{
    struct msg_config c = {.version = PROTO_VERSION,
                           .rootless = m->rootless,
                           .uid = ids.uid,
                           .gid = ids.gid,
                           .generation = m->setup->generation,
                           .log_sink = (uint8_t)logtarget_sink(m->log),
                           .log_level = (uint8_t)m->setup->general->log_level,
                           .chroot_dir = role->chroot ? view_str(m->setup->chroot_dir) : view_str(NULL)};
    struct buf body;
    int fd;
    int rc = setup_memfd(m->setup, role, &fd);

    if (rc != 0)
        return rc;
    buf_init(&body, IPC_MAX_BODY);
    msg_config_encode(&body, &c);
    rc = ipc_send(ch, IPC_MASTER_CONFIG, &body, &fd, 1);
    buf_free(&body);
    (void)close(fd);
    return rc;
}
