#include "master/logtarget.h"
#include "master/helpers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "master/service.h"
#include "master/workers.h"

struct logtarget {
    int fd;
    enum log_sink sink;
};

/*
 * Lines must be written without waiting, but O_NONBLOCK belongs to the open file, which a terminal shares with the shell that
 * started us. So the file behind descriptor 2 is opened once more; a socket (the journal) cannot be, and is ours alone.
 */
static int stderr_open(void)
{
    int fd = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd >= 0)
        return fd;
    fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (fd >= 0) {
        int flags = fcntl(fd, F_GETFL);
        if (flags >= 0 && !isatty(fd) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
            (void)close(fd);
            fd = -1;
        }
    }
    return fd;
}

static int syslog_open(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) != 0) {
        int err = errno;
        (void)close(fd);
        errno = err;
        return -1;
    }
    return fd;
}

static int file_open(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC, 0640);
}

int logtarget_open(const struct setup *s, struct logtarget **out, struct buf *errors)
{
    const struct set_general *g = s->general;
    const char *where = g->log_to == SET_LOG_FILE ? g->log_file : g->log_to == SET_LOG_SYSLOG ? "/dev/log" : "standard error";
    struct logtarget *t;
    int fd = g->log_to == SET_LOG_FILE ? file_open(g->log_file) : g->log_to == SET_LOG_SYSLOG ? syslog_open() : stderr_open();

    if (fd < 0) {
        master_complain(errors, "cannot open the log", where, errno);
        return ERR_SYSTEM;
    }
    t = xcalloc(1, sizeof(*t));
    t->fd = fd;
    t->sink = g->log_to == SET_LOG_SYSLOG ? LOG_SINK_SYSLOG : LOG_SINK_STREAM;
    *out = t;
    return 0;
}

void logtarget_free(struct logtarget **tp)
{
    if (*tp == NULL)
        return;
    (void)close((*tp)->fd);
    free(*tp);
    *tp = NULL;
}

int logtarget_fd(const struct logtarget *t)
{
    return t->fd;
}

enum log_sink logtarget_sink(const struct logtarget *t)
{
    return t->sink;
}

void logtarget_install(struct master *m, struct logtarget *t)
{
    struct logtarget *old = m->log;
    bool same_sink = old != NULL && old->sink == t->sink;

    m->log = t;
    log_init("master", t->fd, t->sink, (enum log_level)m->setup->general->log_level);
    logtarget_free(&old);
    /* A running process keeps the form of line it was started with; only a new descriptor of the same form can be handed out. */
    if (same_sink) {
        services_send_log(m, t->fd);
        workers_send_log(m, t->fd);
        helpers_send_log(m, t->fd);
    }
}

void logtarget_reopen(struct master *m)
{
    struct logtarget *t = NULL;
    struct buf errors;

    buf_init(&errors, 1024);
    if (logtarget_open(m->setup, &t, &errors) != 0)
        LOG_ERROR(0, "cannot open the log again", F_VIEW("reason", view_trim(buf_view(&errors))));
    else
        logtarget_install(m, t);
    buf_free(&errors);
}
