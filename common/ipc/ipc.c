/*
 * A channel on the loop. Three endings, all through one place: the peer closed, the peer broke the table, our owner frees it.
 * A handler may free its own channel; the object then lives until the outermost call on it returns (`depth`).
 */
#include "common/ipc/ipc.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/ipc/ipc_packet.h"
#include "common/log/log.h"
#include "common/secret/secret.h"

#define QUEUE_MAX 1024
#define PACKETS_A_TURN 16 /* so that one busy channel does not starve the others */
#define PACKETS_A_POLL 64
#define BUSY_RETRY_MS 10

struct packet {
    struct packet *next;
    enum ipc_kind kind;
    int fds[IPC_MAX_FDS];
    unsigned nfds;
    size_t len;
    uint8_t body[];
};

struct ipc {
    struct loop *loop;
    struct watch *watch;
    struct timer *failed_start; /* reports from the loop that the channel could not be watched */
    struct timer *retry;        /* of a send for which the kernel had no room; NULL until there was one */
    int fd;                     /* -1 when dead */
    enum ipc_role self, peer;
    enum ipc_state state;
    uint64_t sid;
    ipc_handler_fn *handler;
    ipc_closed_fn *closed;
    void *arg;
    struct packet *first, **end;
    unsigned queued;
    unsigned depth;
    bool freed;
};

int ipc_pair(int fds_out[2])
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return ERR_SYSTEM;
    fds_out[0] = fds[0];
    fds_out[1] = fds[1];
    return 0;
}

static void packet_free(struct packet *p)
{
    const struct ipc_rule *rule = proto_rule(p->kind);
    for (unsigned i = 0; i < p->nfds; i++)
        close(p->fds[i]);
    if (rule != NULL && rule->secret)
        secret_wipe(p->body, p->len);
    free(p);
}

/* Everything of the channel but the object itself. */
static void shut(struct ipc *ch)
{
    timer_free(&ch->failed_start);
    timer_free(&ch->retry);
    watch_free(&ch->watch);
    if (ch->fd >= 0)
        close(ch->fd);
    ch->fd = -1;
    while (ch->first != NULL) {
        struct packet *p = ch->first;
        ch->first = p->next;
        packet_free(p);
    }
    ch->end = &ch->first;
    ch->queued = 0;
}

static void enter(struct ipc *ch)
{
    ch->depth++;
}

static void leave(struct ipc *ch)
{
    if (--ch->depth == 0 && ch->freed)
        free(ch);
}

static void channel_end(struct ipc *ch, int err)
{
    shut(ch);
    ch->closed(ch->arg, ch, err);
}

/* Takes the packets that are there, at most max. */
static void drain(struct ipc *ch, unsigned max)
{
    uint8_t storage[IPC_MAX_BODY];
    enter(ch);
    for (unsigned i = 0; i < max && ch->fd >= 0; i++) {
        struct ipc_msg msg;
        const struct packet_gate gate = {ch->self, ch->peer, ch->state, ch->sid};
        int err = packet_recv(ch->fd, &gate, storage, &msg);
        if (err == ERR_AGAIN)
            break;
        if (err != 0) {
            channel_end(ch, err);
            break;
        }
        ch->handler(ch->arg, ch, &msg);
        ipc_msg_close_fds(&msg);
        packet_wipe(&msg, storage);
    }
    leave(ch);
}

static void flush(struct ipc *ch);

static void on_retry(void *arg)
{
    flush(arg);
}

/* What is queued waits: for the peer, which the watch reports, or for the kernel, of which nothing is reported. */
static void wait_to_send(struct ipc *ch, int err)
{
    watch_set(ch->watch, err == ERR_AGAIN ? LOOP_READ | LOOP_WRITE : LOOP_READ);
    if (err == ERR_AGAIN)
        return;
    if (ch->retry == NULL)
        ch->retry = timer_new(ch->loop, on_retry, ch);
    if (!timer_armed(ch->retry))
        timer_arm(ch->retry, BUSY_RETRY_MS);
}

/* A dead peer is noticed by reading, so that what it said last is still heard. */
static void flush(struct ipc *ch)
{
    while (ch->first != NULL) {
        struct packet *p = ch->first;
        int err = packet_send(ch->fd, p->kind, view_make(p->body, p->len), p->fds, p->nfds);
        if (err == ERR_AGAIN || err == ERR_BUSY) {
            wait_to_send(ch, err);
            return;
        }
        if (err == ERR_SYSTEM)
            LOG_ERROR(ch->sid, "internal message lost", F_STR("to", proto_role_name(ch->peer)));
        ch->first = p->next;
        if (ch->first == NULL)
            ch->end = &ch->first;
        ch->queued--;
        packet_free(p);
    }
    watch_set(ch->watch, LOOP_READ);
}

static void on_ready(void *arg, int fd, unsigned events)
{
    struct ipc *ch = arg;
    (void)fd;
    enter(ch);
    if (events & LOOP_WRITE)
        flush(ch);
    if (ch->fd >= 0 && (events & (LOOP_READ | LOOP_HANGUP)))
        drain(ch, PACKETS_A_TURN);
    leave(ch);
}

static void on_failed_start(void *arg)
{
    struct ipc *ch = arg;
    enter(ch);
    channel_end(ch, ERR_CLOSED);
    leave(ch);
}

struct ipc *ipc_new(struct loop *loop, int fd, enum ipc_role self, enum ipc_role peer, ipc_handler_fn *handler,
                    ipc_closed_fn *closed, void *arg)
{
    struct ipc *ch = xcalloc(1, sizeof(*ch));
    *ch = (struct ipc){.loop = loop, .fd = fd, .self = self, .peer = peer, .handler = handler, .closed = closed, .arg = arg};
    ch->end = &ch->first;
    ch->watch = loop_watch(loop, fd, LOOP_READ, on_ready, ch);
    if (ch->watch == NULL) {
        LOG_ERROR(0, "internal channel cannot be watched", F_STR("peer", proto_role_name(peer)));
        close(fd);
        ch->fd = -1;
        ch->failed_start = timer_new(loop, on_failed_start, ch);
        timer_arm(ch->failed_start, 0);
    }
    return ch;
}

void ipc_free(struct ipc **chp)
{
    struct ipc *ch = *chp;
    *chp = NULL;
    if (ch == NULL || ch->freed)
        return;
    shut(ch);
    ch->freed = true;
    if (ch->depth == 0)
        free(ch);
}

void ipc_set_state(struct ipc *ch, enum ipc_state state)
{
    ch->state = state;
}

enum ipc_state ipc_get_state(const struct ipc *ch)
{
    return ch->state;
}

void ipc_set_sid(struct ipc *ch, uint64_t sid)
{
    ch->sid = sid;
}

int ipc_fd(const struct ipc *ch)
{
    return ch->fd;
}

bool ipc_flushed(const struct ipc *ch)
{
    return ch->first == NULL;
}

static int enqueue(struct ipc *ch, enum ipc_kind kind, struct view body, const int *fds, unsigned nfds)
{
    if (ch->queued >= QUEUE_MAX)
        return ERR_LIMIT;
    struct packet *p = xmalloc(sizeof(*p) + body.len);
    *p = (struct packet){.kind = kind, .len = body.len};
    if (body.len > 0)
        memcpy(p->body, body.ptr, body.len);
    for (; p->nfds < nfds; p->nfds++) {
        p->fds[p->nfds] = fcntl(fds[p->nfds], F_DUPFD_CLOEXEC, 0);
        if (p->fds[p->nfds] < 0) {
            packet_free(p);
            return ERR_SYSTEM;
        }
    }
    *ch->end = p;
    ch->end = &p->next;
    ch->queued++;
    return 0;
}

int ipc_send(struct ipc *ch, enum ipc_kind kind, const struct buf *body, const int *fds, unsigned nfds)
{
    if (ch->fd < 0)
        return ERR_CLOSED;
    int err = packet_check_send(kind, ch->self, ch->peer, body, nfds, ch->sid);
    if (err != 0)
        return err;
    struct view v = body == NULL ? view_make(NULL, 0) : buf_view(body);
    if (ch->first != NULL)
        return enqueue(ch, kind, v, fds, nfds);
    int sent = packet_send(ch->fd, kind, v, fds, nfds);
    if (sent != ERR_AGAIN && sent != ERR_BUSY)
        return sent;
    err = enqueue(ch, kind, v, fds, nfds);
    if (err == 0)
        wait_to_send(ch, sent);
    return err;
}

void ipc_poll(struct ipc *ch)
{
    if (ch->fd >= 0)
        drain(ch, PACKETS_A_POLL);
}
