/*
 * The child keeps nothing of master's: descriptors 0 and 1 are /dev/null, 2 the log, 3 its channel, all others closed; signals at
 * their defaults; a session of its own, so that ^C at master's terminal reaches master only; an environment of two variables.
 */
#include "master/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/proc/proc.h"

#define ENV_MAX 32

static bool env_wanted(const char *var, bool pam)
{
    struct view v = view_str(var);

    if (view_starts(v, VIEW("TZ=")))
        return true;
#ifdef CULVER_SANITIZED
    if (view_starts(v, VIEW("ASAN_OPTIONS=")) || view_starts(v, VIEW("UBSAN_OPTIONS=")) || view_starts(v, VIEW("LSAN_OPTIONS=")))
        return true;
#endif
    return pam && (view_starts(v, VIEW("LD_PRELOAD=")) || view_starts(v, VIEW("PAM_WRAPPER")));
}

static void env_make(char *env[static ENV_MAX], bool pam)
{
    static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    size_t n = 0;

    env[n++] = path;
    for (char **e = environ; *e != NULL && n + 1 < ENV_MAX; e++)
        if (env_wanted(*e, pam))
            env[n++] = *e;
    env[n] = NULL;
}

static int signals_reset(void)
{
    sigset_t none;

    for (int s = 1; s < NSIG; s++)
        if (s != SIGKILL && s != SIGSTOP)
            (void)signal(s, SIG_DFL); /* EINVAL for the two that libc keeps for itself */
    if (sigemptyset(&none) != 0 || sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        return -1;
    return 0;
}

/* The two descriptors are first moved out of the way of the numbers they get. */
static int descriptors_place(int channel, int log)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    null = null < 0 ? -1 : fcntl(null, F_DUPFD_CLOEXEC, 10);
    channel = fcntl(channel, F_DUPFD_CLOEXEC, 10);
    log = fcntl(log, F_DUPFD_CLOEXEC, 10);
    if (null < 0 || channel < 0 || log < 0)
        return -1;
    if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(log, 2) < 0 || dup2(channel, PROC_MASTER_FD) < 0)
        return -1;
    log_set_fd(2);
    return close_range(PROC_MASTER_FD + 1, ~0U, 0);
}

static _Noreturn void child(const struct exec_spec *s)
{
    char *env[ENV_MAX];
    char *argv[2] = {xstrdup(s->name), NULL};

    if (signals_reset() != 0 || setsid() < 0)
        _exit(127);
    if (s->prepare != NULL && s->prepare(s->arg) != 0)
        _exit(127);
    if (!s->may_gain && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        _exit(127);
    if (descriptors_place(s->channel_fd, s->log_fd) != 0)
        _exit(127);
    env_make(env, s->pam_environment);
    (void)execve(s->path, argv, env);
    LOG_ERROR(0, "cannot execute program", F_STR("path", s->path), F_ERRNO(errno));
    _exit(127);
}

int exec_child(const struct exec_spec *s, pid_t *pid_out)
{
    pid_t pid = fork();

    if (pid < 0)
        return ERR_SYSTEM;
    if (pid == 0)
        child(s);
    *pid_out = pid;
    return 0;
}
