/*
 * The start of every process that master executes: the same ordered steps for all.
 *
 *   1. descriptor 3 is the channel to master, descriptor 2 the log; anything above is closed
 *   2. IPC_MASTER_CONFIG arrives (blocking, 10 s): configuration, ids, log
 *   3. IPC_MASTER_PEER/LISTENER/CERT/KEY/USER … until IPC_MASTER_GO, given to `receive`
 *   4. the caller opens what it needs, then proc_confine(): chroot, groups, gid, uid, checked; then the sandbox
 *   5. proc_serve(): channel on the loop, IPC_SERVICE_READY sent
 *
 * No byte of a client is read before step 5.
 */
#ifndef CULVER_COMMON_PROC_PROC_H
#define CULVER_COMMON_PROC_PROC_H

#include "common/conf/settings.h"
#include "common/io/loop.h"
#include "common/ipc/ipc.h"
#include "common/ipc/proto.h"
#include "common/sandbox/sandbox.h"

#define PROC_MASTER_FD 3

struct proc {
    const char *name; /* "imap-login" */
    enum ipc_role role;
    int master_fd; /* until proc_serve */
    bool rootless;
    uint32_t uid, gid;
    uint64_t generation;
    char *chroot_dir;  /* NULL: none */
    struct conf *conf; /* the components asked for */
    struct loop *loop;
    struct ipc *master; /* from proc_serve on */
    /* proc.c only: whom the master channel's messages are passed on to */
    ipc_handler_fn *handler;
    ipc_closed_fn *closed;
    void *arg;
};

/* Steps 1 and 2; umask 077, SIGPIPE and SIGXFSZ ignored, not dumpable from here on. Exits with a fatal log line on failure.
 * components: which settings this process may see (general is added). */
void proc_start(struct proc *p, const char *name, enum ipc_role role, const struct conf_component *const *components,
                size_t ncomponents);
/* Step 3: receive(arg, msg) for each message before GO (IPC_MASTER_LOG excepted); a nonzero return is fatal. Descriptors that it
 * does not take are closed. IPC_MASTER_STOP in this state comes to receive too. */
void proc_receive(struct proc *p, int (*receive)(void *arg, struct ipc_msg *msg), void *arg);
/* Step 4. Fatal on failure. sandbox = best-effort of the configuration is heeded here. */
void proc_confine(struct proc *p, const struct sandbox_params *sandbox);
/* Step 5. handler and closed are those of the master channel; when master is gone, closed decides (usually: finish and exit).
 * IPC_MASTER_LOG is handled inside. Makes p->loop unless the caller has made it. */
void proc_serve(struct proc *p, ipc_handler_fn *handler, ipc_closed_fn *closed, void *arg);

#endif
