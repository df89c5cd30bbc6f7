/* fork and exec of our own programs: the one way in which master makes a process. */
#ifndef CULVER_MASTER_EXEC_H
#define CULVER_MASTER_EXEC_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/base/err.h"

struct exec_spec {
    const char *path;     /* absolute */
    const char *name;     /* argv[0] */
    int channel_fd;       /* becomes 3 */
    int log_fd;           /* becomes 2 */
    bool may_gain;        /* no_new_privs stays off: PAM helpers, whose modules may run set-id programs */
    bool pam_environment; /* keep what a wrapped PAM needs (rootless mode only) */
    /* Runs in the child before anything is closed, with master's log; nonzero ends the child. May be NULL. */
    int (*prepare)(void *arg);
    void *arg;
};

/* 0 and the child's pid, or ERR_SYSTEM with errno. What goes wrong in the child is logged there; it exits with 127. */
MUST_CHECK int exec_child(const struct exec_spec *spec, pid_t *pid_out);

#endif
