/*
 * The master process: what its parts share. There is one struct master, made in culver_main.c; every part has its own opaque
 * state in it. Master reads no client's bytes: it routes descriptors and fixed-form messages.
 */
#ifndef CULVER_MASTER_MASTER_INT_H
#define CULVER_MASTER_MASTER_INT_H

#include <sys/types.h>

#include "common/io/loop.h"
#include "common/ipc/ipc.h"
#include "common/log/log.h"
#include "master/grants.h"
#include "master/limits.h"
#include "master/setup.h"
#include "master/uids.h"

struct children;
struct logtarget;
struct listeners;
struct tlsfiles;
struct services;
struct conns;
struct workers;
struct helpers;
struct control;
struct mails;
struct rooms;
struct credential;
struct shutdown;

struct options {
    const char *conf_path;
    const char *libexec; /* NULL: not given */
    bool check, print, print_all, sample, version, table, help;
};

struct master {
    struct loop *loop;
    struct options options;
    char *self_dir; /* folder of our executable, NULL when unknown */
    bool rootless;
    uint64_t started; /* loop_now at the start */
    struct setup *setup;
    struct logtarget *log;
    struct children *children;
    struct listeners *listeners;
    struct tlsfiles *tls;
    struct services *services;
    struct grants *grants;
    struct conns *conns;
    struct session_limits *limits;
    struct rooms *rooms;
    struct uids *uids;
    struct workers *workers;
    struct helpers *helpers;
    struct control *control;
    struct mails *mails;
    struct credential *credentials; /* requests that wait for auth */
    uint32_t last_credential;
    struct shutdown *shutdown;
    int pid_fd;
    bool stopping;
};

/* Why a start or a reload cannot go on: ends with "\n". */
void master_complain(struct buf *errors, const char *what, const char *where, int errnum);

/* reload.c: everything from the configuration file again. Nothing changes unless all of it is good; errors gets the reasons, one
 * a line. */
MUST_CHECK int master_reload(struct master *m, struct buf *errors);

/* shutdown.c: begins the end; the loop stops when everything has left or the grace is over. */
void master_shutdown(struct master *m, const char *why);
/* Called whenever a process has ended or a session is over. */
void shutdown_progress(struct master *m);
void shutdown_free(struct shutdown **s);

/* folders.c: run_dir/culver.pid, locked as long as we live. ERR_BUSY: another master has it. */
MUST_CHECK int pidfile_take(struct master *m, struct buf *errors);
void pidfile_drop(struct master *m);
/* run_dir, its empty folder and state_dir: made where missing, checked. */
MUST_CHECK int folders_prepare(const struct setup *s, struct buf *errors);
/* The folder that auth alone may read and write: made where missing, handed to auth's account. Also for a new configuration. */
MUST_CHECK int auth_folder_prepare(const struct setup *s, struct buf *errors);

/* privs.c: what master itself can do without. */
void privs_limit(const struct master *m);

#endif
