/* The blocking forms: poll(2) with a deadline around single packets. Only before the sandbox, and in one-request helpers. */
#include <errno.h>
#include <poll.h>
#include <time.h>

#include "common/ipc/ipc_packet.h"

#define BUSY_RETRY_MS 10

static int64_t now_ms(void)
{
    struct timespec ts = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int wait_for(int fd, short events, int64_t deadline)
{
    for (;;) {
        int64_t left = deadline - now_ms();
        if (left <= 0)
            return ERR_TIMEOUT;
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, (int)left);
        if (n > 0)
            return (p.revents & POLLNVAL) ? ERR_SYSTEM : 0;
        if (n == 0)
            return ERR_TIMEOUT;
        if (errno != EINTR)
            return ERR_SYSTEM;
    }
}

/* A moment, or what is left of the time. */
static int wait_a_moment(int64_t deadline)
{
    int64_t left = deadline - now_ms();
    if (left <= 0)
        return ERR_TIMEOUT;
    (void)poll(NULL, 0, left < BUSY_RETRY_MS ? (int)left : BUSY_RETRY_MS); /* a signal only shortens it */
    return 0;
}

int ipc_send_wait(int fd, enum ipc_role self, enum ipc_role peer, enum ipc_kind kind, const struct buf *body, const int *fds,
                  unsigned nfds, int timeout_ms)
{
    int64_t deadline = now_ms() + timeout_ms;
    int err = packet_check_send(kind, self, peer, body, nfds, 0);
    while (err == 0) {
        err = packet_send(fd, kind, body == NULL ? view_make(NULL, 0) : buf_view(body), fds, nfds);
        if (err != ERR_AGAIN && err != ERR_BUSY)
            return err;
        err = err == ERR_BUSY ? wait_a_moment(deadline) : wait_for(fd, POLLOUT, deadline);
    }
    return err;
}

int ipc_recv_wait(int fd, enum ipc_role self, enum ipc_role peer, enum ipc_state state, uint8_t *storage, struct ipc_msg *msg_out,
                  int timeout_ms)
{
    const struct packet_gate gate = {.self = self, .peer = peer, .state = state};
    int64_t deadline = now_ms() + timeout_ms;
    for (;;) {
        int err = packet_recv(fd, &gate, storage, msg_out);
        if (err != ERR_AGAIN)
            return err;
        err = wait_for(fd, POLLIN, deadline);
        if (err != 0)
            return err;
    }
}
