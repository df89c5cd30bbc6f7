/*
 * Without memory: the limit that the kernel keeps (worker_memory) is reached, and what was asked for is nothing that one session
 * could do without. The process ends then, and master starts another for who comes back. Its clients are told before, where a
 * line may be put: a compressed session, one with output that is not sent, or one in the middle of a response just ends.
 *
 * Nothing here asks for memory, and nothing waits.
 */
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "worker/hosted_int.h"

/* Closing with input unread would reset the connection, and our last words could be lost with it. */
#define DISCARD_TIMES 16
#define DISCARD_SIZE 16384

static void discard_input(int fd)
{
    char waste[DISCARD_SIZE];

    for (int i = 0; i < DISCARD_TIMES && recv(fd, waste, sizeof(waste), MSG_DONTWAIT) > 0; i++)
        ;
}

bool hosted_last_words(const struct hosted *h)
{
    const char *text;
    size_t len;

    /* A session that is being made has no output yet; one of a predecessor's may be anywhere. */
    if (h->closing || h->deflate != NULL || h->host.out == NULL || outq_len(h->host.out) > 0 || !outq_ok(h->host.out) ||
        (h->session == NULL && h->record >= 0))
        return false;
    text = h->protocol->last_words(h->session);
    if (text == NULL)
        return false;
    len = strlen(text);
    discard_input(h->fd);
    return send(h->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len;
}

static void on_exhausted(void *arg, size_t size)
{
    const struct worker *w = arg;
    struct rlimit limit = {0};
    uint64_t told = 0;

    for (const struct hosted *h = w->sessions; h != NULL; h = h->next)
        told += hosted_last_words(h);
    (void)getrlimit(RLIMIT_DATA, &limit); /* of ourselves: it cannot fail */
    LOG_ERROR(0, "the worker's memory is used up", F_STR("user", w->user), F_UINT("limit", limit.rlim_cur),
              F_UINT("wanted", size), F_UINT("sessions", w->nsessions), F_UINT("told", told));
}

void worker_watch_memory(struct worker *w)
{
    mem_on_exhausted(on_exhausted, w);
}
