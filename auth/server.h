/* culver-auth as a whole: its channels to the services that accept clients, and the connections that they have announced. */
#ifndef CULVER_AUTH_SERVER_H
#define CULVER_AUTH_SERVER_H

#include "auth/cache.h"
#include "auth/creds.h"
#include "auth/dbs.h"
#include "auth/gate.h"
#include "auth/login_delay.h"
#include "auth/penalty.h"
#include "auth/request.h"
#include "common/io/loop.h"
#include "common/ipc/ipc.h"

#define SERVER_CONN_BUCKETS 4096
#define SERVER_CONNS_MAX 65536
/* After IPC_MASTER_STOP: what connections get to finish. */
#define SERVER_STOP_MS 60000

struct auth_conn;
struct auth_parent;

struct auth_server {
    struct loop *loop;
    struct ipc *master; /* borrowed */
    struct auth_dbs dbs;
    struct auth_request_pool *requests;
    struct penalty *penalty;
    struct gate *gate;
    struct creds_store *creds;       /* NULL: none */
    struct timer *creds_timer;       /* writes last uses */
    struct auth_cache *cache;        /* NULL: none */
    struct login_delay *login_delay; /* NULL: none */
    struct auth_parent *parents;
    struct auth_conn *conns[SERVER_CONN_BUCKETS];
    size_t nconns;
    uint8_t hash_key[16];
    struct named *named; /* look-ups for master, named.c */
    unsigned nnamed;
    struct buf digests;            /* SHA-256 of our certificates, one behind the other */
    size_t handshake_bytes;        /* held for all connections */
    const struct set_login *login; /* borrowed: auth_mechanisms, cleartext_auth */
    bool stopping;
    uint64_t stop_at;
    struct timer *stop_timer;
};

/* Takes over dbs (opened). master: the channel to master; it and login must outlive the server. */
struct auth_server *auth_server_new(struct loop *loop, struct ipc *master, struct auth_dbs *dbs, const struct set_login *login);
/* Takes over the store. */
void auth_server_set_creds(struct auth_server *s, struct creds_store *creds);
/* SHA-256 of each certificate by which this server is known, one behind the other; without any no client certificate is good. */
void auth_server_set_certificates(struct auth_server *s, struct view digests);
void auth_server_free(struct auth_server **server);

/* A channel to a service that will announce connections: takes over fd. ERR_PROTO for a role that has no business here. */
MUST_CHECK int auth_server_add_parent(struct auth_server *s, const struct msg_peer *peer, int fd);
/* What master may say after the start (IPC_MASTER_PEER, IPC_MASTER_LOOKUP, IPC_MASTER_STOP). */
void auth_server_on_master(struct auth_server *s, struct ipc_msg *msg);
/* Ends the loop once the connections are done, SERVER_STOP_MS at the latest. */
void auth_server_stop(struct auth_server *s);

/* named.c: a look-up for master. ERR_PROTO: malformed. */
MUST_CHECK int named_lookup(struct auth_server *s, struct view body);
void named_free_all(struct auth_server *s);

/* creds_admin.c: what an administrator wants. ERR_PROTO: malformed. */
MUST_CHECK int creds_admin(struct auth_server *s, struct view body);

/* For conn.c: the table of connections. ERR_EXISTS, ERR_LIMIT. */
MUST_CHECK int auth_server_conn_add(struct auth_server *s, struct auth_conn *c);
void auth_server_conn_remove(struct auth_server *s, struct auth_conn *c);

#endif
