#include "master/supervise.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "common/base/mem.h"

#define CHILDREN_MAX 100000

struct child {
    pid_t pid;
    child_exited_fn *exited;
    void *arg;
};

struct children {
    struct table *by_pid;
};

static struct view pid_key(const pid_t *pid)
{
    return view_make(pid, sizeof(*pid));
}

static void on_child(void *arg, int signo)
{
    struct master *m = arg;
    int status;
    pid_t pid;

    (void)signo;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct child *c = table_del(m->children->by_pid, pid_key(&pid));
        if (c == NULL) {
            LOG_DEBUG(0, "unknown child ended", F_INT("child", pid));
            continue;
        }
        c->exited(c->arg, pid, status);
        free(c);
    }
    if (pid < 0 && errno != ECHILD && errno != EINTR)
        LOG_ERROR(0, "cannot wait for children", F_ERRNO(errno));
    if (m->stopping)
        shutdown_progress(m);
}

int supervise_init(struct master *m)
{
    m->children = xcalloc(1, sizeof(*m->children));
    m->children->by_pid = table_new(CHILDREN_MAX);
    return loop_signal(m->loop, SIGCHLD, on_child, m);
}

void supervise_free(struct children **cp)
{
    struct children *c = *cp;
    void **all;
    size_t n;

    if (c == NULL)
        return;
    all = table_values(c->by_pid, &n);
    for (size_t i = 0; i < n; i++)
        free(all[i]);
    free(all);
    table_free(&c->by_pid);
    free(c);
    *cp = NULL;
}

void supervise_add(struct master *m, pid_t pid, child_exited_fn *exited, void *arg)
{
    struct child *c = xcalloc(1, sizeof(*c));

    c->pid = pid;
    c->exited = exited;
    c->arg = arg;
    if (table_put(m->children->by_pid, pid_key(&c->pid), c) != 0)
        PANIC("two children with one pid");
}

size_t supervise_count(const struct master *m)
{
    return table_count(m->children->by_pid);
}

void supervise_kill(const struct master *m, pid_t pid, int signo)
{
    if (pid > 0 && table_get(m->children->by_pid, pid_key(&pid)) != NULL && kill(pid, signo) != 0)
        LOG_ERROR(0, "cannot signal child", F_INT("child", pid), F_INT("signal", signo), F_ERRNO(errno));
}

void supervise_kill_all(const struct master *m, int signo)
{
    size_t n;
    void **all = table_values(m->children->by_pid, &n);

    for (size_t i = 0; i < n; i++)
        supervise_kill(m, ((struct child *)all[i])->pid, signo);
    free(all);
}

struct log_field supervise_status(int status, bool *bad_out)
{
    *bad_out = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    return WIFSIGNALED(status) ? F_INT("signal", WTERMSIG(status)) : F_INT("exit", WEXITSTATUS(status));
}
