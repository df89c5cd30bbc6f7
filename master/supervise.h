/* Children by pid: who is told when one has ended, and the two ways of getting rid of one. Master only. */
#ifndef CULVER_MASTER_SUPERVISE_H
#define CULVER_MASTER_SUPERVISE_H

#include "master/master_int.h"

typedef void child_exited_fn(void *arg, pid_t pid, int status);

/* Watches SIGCHLD. */
MUST_CHECK int supervise_init(struct master *m);
void supervise_free(struct children **c);
/* exited(arg) is called once, from the loop, after the process has been reaped. */
void supervise_add(struct master *m, pid_t pid, child_exited_fn *exited, void *arg);
size_t supervise_count(const struct master *m);
/* SIGKILL to a child of ours that is still unreaped. Safe at any time: a pid that is not in the table gets nothing. */
void supervise_kill(const struct master *m, pid_t pid, int signo);
void supervise_kill_all(const struct master *m, int signo);
/* "exit=1" or "signal=11" for log lines; *bad_out: not an exit with 0. */
struct log_field supervise_status(int status, bool *bad_out);

#endif
