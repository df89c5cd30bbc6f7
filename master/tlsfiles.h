/*
 * Certificate and key files: opened by master, read only by the processes they are for. Each file is opened once for every
 * process that will read it (an open file's position would be shared), all at one time, so that a certificate that is renewed on
 * disk is not mixed with the key of before.
 */
#ifndef CULVER_MASTER_TLSFILES_H
#define CULVER_MASTER_TLSFILES_H

#include "master/master_int.h"

/* Without TLS in the setup: an empty set. On failure errors names every file that cannot be used. */
MUST_CHECK int tlsfiles_open(const struct setup *s, struct tlsfiles **out, struct buf *errors);
void tlsfiles_free(struct tlsfiles **t);
/* IPC_MASTER_CERT for each certificate; reader is the service that gets them. */
MUST_CHECK int tlsfiles_send_certs(const struct tlsfiles *t, enum role_id reader, struct ipc *ch);
/* IPC_MASTER_KEY for each key. */
MUST_CHECK int tlsfiles_send_keys(const struct tlsfiles *t, struct ipc *ch);

#endif
