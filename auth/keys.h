/*
 * culver-keys: holds the private keys of TLS and signs handshake digests. It never sees the network; a stolen channel can ask for
 * a few signatures that are of no use outside the handshake of that one connection, and cannot decrypt anything.
 *
 * Called by auth/keys_main.c and the tests only.
 */
#ifndef CULVER_AUTH_KEYS_H
#define CULVER_AUTH_KEYS_H

#include "common/io/loop.h"
#include "common/ipc/ipc.h"
#include "common/ipc/proto.h"

/* Signatures that one connection may ask for: one handshake needs one; the rest is for HelloRetry and the like. */
#define KEYS_SIGNATURES_MAX 4
#define KEYS_INDEX_MAX 256
/* Connections before log-in over all services. */
#define KEYS_CONNS_MAX 20000

enum keys_type { KEYS_TYPE_RSA, KEYS_TYPE_EC, KEYS_TYPE_ED25519 };

/* 0 when a key of this type and size may sign this request, ERR_DENIED otherwise. The request comes from a process that reads the
 * network. */
MUST_CHECK int keys_check(enum keys_type type, unsigned key_bits, const struct msg_sign *request);

/* --- the keys (keys_store.c) -------------------------------------------------------------------------------------------- */
struct keys_store;

struct keys_store *keys_store_new(void); /* NULL when the TLS library cannot be used */
void keys_store_free(struct keys_store **store);
/* Reads a PEM private key from the start of fd (a regular file, not closed) as key `index`, in the place of an earlier one.
 * ERR_SYNTAX: not a PEM key or encrypted; ERR_UNSUPPORTED: type or size; ERR_LIMIT: index; logged by the caller. On failure an
 * earlier key of that index stays. */
MUST_CHECK int keys_store_load(struct keys_store *store, uint32_t index, int fd);
/* sig has max PROTO_SIG_MAX. ERR_NOTFOUND: no such key; ERR_DENIED: keys_check said no; ERR_SYSTEM: the library failed. */
MUST_CHECK int keys_store_sign(struct keys_store *store, const struct msg_sign *request, struct buf *sig);

/* --- the service (keys_serve.c) -------------------------------------------------------------------------------------------- */
struct keys_service;

/* store is not owned and outlives the service. */
struct keys_service *keys_service_new(struct loop *loop, struct keys_store *store);
void keys_service_free(struct keys_service **svc);
/* A login or LMTP service's channel; takes over fd. */
void keys_service_add_peer(struct keys_service *svc, enum ipc_role role, int fd);
/* IPC_MASTER_KEY and IPC_MASTER_PEER, before and after the start. ERR_PROTO for what cannot be decoded; a key that cannot be used
 * is logged and is no error: the other certificates go on. */
MUST_CHECK int keys_service_message(struct keys_service *svc, struct ipc_msg *msg);
size_t keys_service_conns(const struct keys_service *svc);

#endif
