/*
 * A channel between two of our processes: one end of a SOCK_SEQPACKET pair. One message a packet, at most IPC_MAX_MSG bytes, with
 * a stated number of descriptors. What may be sent by whom, in which state, how long and with how many descriptors stands in
 * one table (proto.c); ipc.c refuses the rest before a handler sees it: the channel is then closed (with one log line) and
 * `closed` is called with ERR_PROTO. The receiver never ends because of what a peer sent.
 *
 * Wire form: u16 kind, u16 zero, then the body that proto.h encodes.
 */
#ifndef CULVER_COMMON_IPC_IPC_H
#define CULVER_COMMON_IPC_IPC_H

#include "common/base/buf.h"
#include "common/io/loop.h"
#include "common/ipc/kinds.h"

#define IPC_MAX_MSG 16384
#define IPC_MAX_BODY (IPC_MAX_MSG - 4)
#define IPC_MAX_FDS 3

struct ipc;

struct ipc_msg {
    enum ipc_kind kind;
    struct view body;     /* valid during the handler; wiped afterwards when the table says secret */
    int fds[IPC_MAX_FDS]; /* the handler takes one by setting its slot to -1; what is left is closed */
    unsigned nfds;
};

/* Called for each permitted message. May call ipc_free on the channel. */
typedef void ipc_handler_fn(void *arg, struct ipc *ch, struct ipc_msg *msg);
/* Called once when the peer is gone (ERR_CLOSED) or broke the table (ERR_PROTO). The channel is dead; the owner calls ipc_free.
 */
typedef void ipc_closed_fn(void *arg, struct ipc *ch, int err);

/* Takes over fd. self and peer decide what the table allows. The state starts as IPC_STATE_NEW. Never NULL: when fd cannot be
 * watched, `closed` is called with ERR_CLOSED in the next turn. */
struct ipc *ipc_new(struct loop *loop, int fd, enum ipc_role self, enum ipc_role peer, ipc_handler_fn *handler,
                    ipc_closed_fn *closed, void *arg);
void ipc_free(struct ipc **ch);

/* Moves the channel to a state; the table's rows name the states in which the peer may send them. */
void ipc_set_state(struct ipc *ch, enum ipc_state state);
enum ipc_state ipc_get_state(const struct ipc *ch);
/* The id that log lines of this channel carry (0 none). */
void ipc_set_sid(struct ipc *ch, uint64_t sid);
int ipc_fd(const struct ipc *ch);

/* Sends or queues (bounded: ERR_LIMIT when 1024 packets wait). body may be NULL for an empty one; a failed buf gives ERR_LIMIT.
 * fds are dup()ed when queued; the caller keeps its own. ERR_CLOSED when the peer is gone, ERR_PROTO when the table does not let
 * us. */
MUST_CHECK int ipc_send(struct ipc *ch, enum ipc_kind kind, const struct buf *body, const int *fds, unsigned nfds);
/* True when nothing is queued: everything sent is in the kernel. */
bool ipc_flushed(const struct ipc *ch);
/* Reads and handles what has arrived now, without waiting for the loop (at most 64 packets). The channel may be dead afterwards.
 */
void ipc_poll(struct ipc *ch);

/* A SEQPACKET pair, close-on-exec, non-blocking. ERR_SYSTEM. */
MUST_CHECK int ipc_pair(int fds_out[2]);

/* The blocking forms for start-up and for one-request helpers, on a plain descriptor; same checks by the table.
 * ipc_recv_wait: storage (IPC_MAX_MSG bytes) receives the body that msg_out->body points into. ERR_TIMEOUT, ERR_CLOSED,
 * ERR_PROTO. */
MUST_CHECK int ipc_send_wait(int fd, enum ipc_role self, enum ipc_role peer, enum ipc_kind kind, const struct buf *body,
                             const int *fds, unsigned nfds, int timeout_ms);
MUST_CHECK int ipc_recv_wait(int fd, enum ipc_role self, enum ipc_role peer, enum ipc_state state, uint8_t *storage,
                             struct ipc_msg *msg_out, int timeout_ms);
/* Closes the descriptors that the handler did not take. */
void ipc_msg_close_fds(struct ipc_msg *msg);

#endif
