/* One packet out and one packet in, without any loop: what ipc.c and ipc_wait.c share. Private to common/ipc. */
#ifndef CULVER_COMMON_IPC_IPC_PACKET_H
#define CULVER_COMMON_IPC_IPC_PACKET_H

#include "common/ipc/ipc.h"
#include "common/ipc/proto.h"

#define IPC_HEADER 4

/* Sends without waiting. 0, ERR_AGAIN (full: wait until it can be written to), ERR_BUSY (the kernel has no room: try again a
 * little later), ERR_CLOSED (no reader any more) or ERR_SYSTEM. */
MUST_CHECK int packet_send(int fd, enum ipc_kind kind, struct view body, const int *fds, unsigned nfds);

/* Where a packet goes and what was allowed. */
struct packet_gate {
    enum ipc_role self, peer;
    enum ipc_state state;
    uint64_t sid; /* for the log line */
};
/* Receives one packet without waiting; storage has IPC_MAX_BODY bytes. 0: *msg_out is set, its descriptors are the caller's.
 * ERR_AGAIN: nothing there. ERR_CLOSED: the peer is gone. ERR_PROTO: not allowed; logged, descriptors closed, storage wiped. */
MUST_CHECK int packet_recv(int fd, const struct packet_gate *gate, uint8_t *storage, struct ipc_msg *msg_out);

/* Wipes what a received body left in storage if its kind asks for it. */
void packet_wipe(const struct ipc_msg *msg, uint8_t *storage);

/* The sender's side of the table; logs a refusal, which is our own bug. */
MUST_CHECK int packet_check_send(enum ipc_kind kind, enum ipc_role self, enum ipc_role peer, const struct buf *body,
                                 unsigned nfds, uint64_t sid);

#endif
