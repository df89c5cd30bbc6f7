/*
 * Listening sockets. Master binds them and keeps them open for the life of the configuration, so that a login service that dies
 * or is replaced loses no connection that waits in the backlog. Master never accepts.
 */
#ifndef CULVER_MASTER_LISTENER_H
#define CULVER_MASTER_LISTENER_H

#include "master/master_int.h"

/* Binds what the setup asks for; sockets that `old` (may be NULL) has already are taken from there. On failure errors says all
 * that went wrong and old is as it was. */
MUST_CHECK int listeners_open(const struct setup *s, const struct listeners *old, struct listeners **out, struct buf *errors);
/* Closes all; socket files that `kept` (may be NULL) does not have are removed. */
void listeners_free(struct listeners **l, const struct listeners *kept);
size_t listeners_count(const struct listeners *l);
/* Sends IPC_MASTER_LISTENER for every socket of a protocol. */
MUST_CHECK int listeners_send(const struct listeners *l, enum proto_protocol protocol, struct ipc *ch);

#endif
