/* What starting a service, a worker and a helper have in common: pair, fork, exec, channel, first message. Master only. */
#ifndef CULVER_MASTER_PROCESS_H
#define CULVER_MASTER_PROCESS_H

#include "master/master_int.h"
#include "master/supervise.h"

struct process_spec {
    const struct role *role;
    bool may_gain; /* exec.h */
    bool pam_environment;
    int (*prepare)(void *arg); /* in the child; may be NULL */
    void *prepare_arg;
    ipc_handler_fn *handler;
    ipc_closed_fn *closed;
    child_exited_fn *exited;
    void *arg;        /* of the three */
    int *peer_fd_out; /* not NULL: master keeps the child's end of the channel open too, and this is it */
};

/* ERR_SYSTEM: no descriptors, no process. */
MUST_CHECK int process_start(struct master *m, const struct process_spec *spec, pid_t *pid_out, struct ipc **ch_out);
/* IPC_MASTER_CONFIG: the role's part of the setup in force, and what the process is to become. */
MUST_CHECK int process_send_config(struct master *m, struct ipc *ch, const struct role *role, struct ids ids);

#endif
