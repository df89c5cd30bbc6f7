/*
 * The channels of client connections: they may ask for their worker (TAKE) or for deliveries (DELIVER), and nothing else. What a
 * connection sends is hostile; it can only ever cost that connection. Master only.
 */
#ifndef CULVER_MASTER_CONNS_H
#define CULVER_MASTER_CONNS_H

#include "master/master_int.h"

void conns_init(struct master *m);
void conns_free(struct master *m);

/* IPC_LOGIN_CONN from a front service (serial names the process). Nonzero: malformed. */
MUST_CHECK int conns_announce(struct master *m, uint64_t serial, enum ipc_role role, enum proto_protocol protocol,
                              struct ipc_msg *msg);
/* IPC_AUTH_GRANT. Nonzero: malformed. */
MUST_CHECK int conns_grant(struct master *m, struct view body);

#endif
