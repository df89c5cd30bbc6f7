/*
 * The only places where descriptors travel. Whatever arrives is closed unless the table expects exactly that many with exactly
 * that message: a peer cannot fill our descriptor table, and a message that lost descriptors on the way (MSG_CTRUNC) is not
 * taken for a whole one.
 */
#include "common/ipc/ipc_packet.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/cursor.h"
#include "common/log/log.h"
#include "common/secret/secret.h"

int packet_send(int fd, enum ipc_kind kind, struct view body, const int *fds, unsigned nfds)
{
    uint8_t header[IPC_HEADER] = {(uint8_t)kind, (uint8_t)((unsigned)kind >> 8), 0, 0};
    struct iovec iov[2] = {{header, sizeof(header)}, {(void *)(uintptr_t)body.ptr, body.len}};
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int) * IPC_MAX_FDS)] = {0};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = body.len > 0 ? 2 : 1};
    if (nfds > 0) {
        msg.msg_control = control;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
        memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * nfds);
    }
    ssize_t n;
    do {
        n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n >= 0)
        return 0;
    if (errno == EAGAIN)
        return ERR_AGAIN;
    /* Memory, or too many descriptors of our user on their way between processes (also those of others of the same user): both
     * pass, but polling does not tell when. */
    if (errno == ENOBUFS || errno == ENOMEM || errno == ETOOMANYREFS)
        return ERR_BUSY;
    return errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN ? ERR_CLOSED : ERR_SYSTEM;
}

struct received {
    ssize_t len;
    int flags;
    int fds[IPC_MAX_FDS];
    unsigned nfds;
    bool odd_control; /* control data that is not descriptors */
};

static void collect_fds(struct msghdr *msg, struct received *r)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(0)) {
            r->odd_control = true;
            continue;
        }
        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (r->nfds < IPC_MAX_FDS)
                r->fds[r->nfds++] = fd;
            else
                close(fd);
        }
    }
}

static int receive(int fd, uint8_t header[IPC_HEADER], uint8_t *storage, struct received *r)
{
    struct iovec iov[2] = {{header, IPC_HEADER}, {storage, IPC_MAX_BODY}};
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int) * IPC_MAX_FDS)] = {0};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2, .msg_control = control, .msg_controllen = sizeof(control)};
    bool reset = false;
    *r = (struct received){0};
    for (;;) {
        r->len = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (r->len >= 0)
            break;
        if (errno == EINTR)
            continue;
        /* A peer that closes with our messages unread resets the channel once; what it sent before is still to be read. */
        if (errno == ECONNRESET && !reset) {
            reset = true;
            continue;
        }
        if (errno == EAGAIN)
            return reset ? ERR_CLOSED : ERR_AGAIN;
        return ERR_CLOSED;
    }
    r->flags = msg.msg_flags;
    collect_fds(&msg, r);
    return 0;
}

void ipc_msg_close_fds(struct ipc_msg *msg)
{
    for (unsigned i = 0; i < msg->nfds; i++) {
        if (msg->fds[i] >= 0)
            close(msg->fds[i]);
        msg->fds[i] = -1;
    }
}

/* Why a packet is refused, or NULL. */
static const char *refusal(const struct received *r, const uint8_t header[IPC_HEADER], const struct packet_gate *gate)
{
    if (r->flags & MSG_TRUNC)
        return "too long";
    if (r->flags & MSG_CTRUNC)
        return "descriptors lost or too many";
    if (r->odd_control)
        return "unknown control data";
    if (r->len < IPC_HEADER || header[2] != 0 || header[3] != 0)
        return "malformed header";
    unsigned kind = header[0] | (unsigned)header[1] << 8;
    if (proto_check(kind, gate->peer, gate->self, gate->state, (size_t)r->len - IPC_HEADER, r->nfds) != 0)
        return "not in the table";
    return NULL;
}

static void log_refusal(const char *why, const struct received *r, unsigned kind, const struct packet_gate *gate)
{
    const struct ipc_rule *rule = proto_rule(kind);
    LOG_WARN(gate->sid, "internal message refused", F_STR("why", why), F_STR("from", proto_role_name(gate->peer)),
             F_STR("to", proto_role_name(gate->self)), F_STR("kind", rule == NULL ? "unknown" : rule->name),
             F_UINT("number", kind), F_INT("state", gate->state), F_INT("len", r->len), F_UINT("fds", r->nfds));
}

int packet_recv(int fd, const struct packet_gate *gate, uint8_t *storage, struct ipc_msg *msg_out)
{
    uint8_t header[IPC_HEADER] = {0};
    struct received r;
    int err = receive(fd, header, storage, &r);
    if (err != 0)
        return err;
    unsigned kind = header[0] | (unsigned)header[1] << 8;
    struct ipc_msg msg = {.kind = (enum ipc_kind)kind, .fds = {-1, -1, -1}, .nfds = r.nfds};
    memcpy(msg.fds, r.fds, sizeof(int) * r.nfds);
    /* The end of the stream looks like an empty packet, which nobody sends. */
    if (r.len == 0 && r.nfds == 0)
        return ERR_CLOSED;
    const char *why = refusal(&r, header, gate);
    if (why != NULL) {
        log_refusal(why, &r, kind, gate);
        ipc_msg_close_fds(&msg);
        secret_wipe(storage, IPC_MAX_BODY);
        return ERR_PROTO;
    }
    msg.body = view_make(storage, (size_t)r.len - IPC_HEADER);
    *msg_out = msg;
    return 0;
}

void packet_wipe(const struct ipc_msg *msg, uint8_t *storage)
{
    const struct ipc_rule *rule = proto_rule(msg->kind);
    if (rule == NULL || rule->secret)
        secret_wipe(storage, msg->body.len);
}

int packet_check_send(enum ipc_kind kind, enum ipc_role self, enum ipc_role peer, const struct buf *body, unsigned nfds,
                      uint64_t sid)
{
    if (body != NULL && !buf_ok(body))
        return ERR_LIMIT;
    size_t len = body == NULL ? 0 : buf_len(body);
    int err = proto_check_send(kind, self, peer, len, nfds);
    if (err != 0) {
        const struct ipc_rule *rule = proto_rule(kind);
        LOG_ERROR(sid, "internal message not sent: not in the table", F_STR("from", proto_role_name(self)),
                  F_STR("to", proto_role_name(peer)), F_STR("kind", rule == NULL ? "unknown" : rule->name), F_UINT("len", len),
                  F_UINT("fds", nfds));
    }
    return err;
}
