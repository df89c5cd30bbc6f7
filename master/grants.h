/*
 * The connections that login and LMTP services have announced, and what auth has granted them. This is the only thing that turns
 * a connection into a session, so it is small and knows no descriptors, no channels and no clock of its own. Master only.
 *
 *   - a connection exists from IPC_LOGIN_CONN until its channel closes; its id is unique while it exists
 *   - a log-in grant (rcpt_id 0) belongs to a connection of a login service, is given once in its life, lives GRANT_LIFE_MS and
 * is consumed by the first TAKE, whatever that TAKE looks like
 *   - a delivery grant (rcpt_id > 0) belongs to an LMTP connection, lives as long as it, and is consumed by its DELIVER; of one
 *     connection the latest GRANTS_A_CONN are kept
 */
#ifndef CULVER_MASTER_GRANTS_H
#define CULVER_MASTER_GRANTS_H

#include "master/table.h"
#include "master/user.h"

#define GRANT_LIFE_MS 30000
/* More than the setting lmtp_recipients_max can be. */
#define GRANTS_A_CONN 8192

struct grant {
    struct grant *next, **prev; /* of the connection, in the order in which they came */
    uint32_t rcpt_id;
    uint64_t expires; /* ms of the loop's clock; 0: with the connection */
    struct user *user;
};

struct conn {
    uint64_t id;
    enum ipc_role role; /* ROLE_CONN or ROLE_LCONN */
    enum proto_protocol protocol;
    uint32_t listener;
    struct net_addr peer, local;
    bool proxy_due; /* an IPC_CONN_PROXIED must come before anything else */
    bool proxy_tls; /* the proxy said that it ended TLS */
    uint64_t since;
    struct grant *grants, **grants_end; /* the oldest first */
    struct table *by_rcpt;              /* rcpt_id -> struct grant */
    bool login_granted, login_taken;    /* once in the life of the connection */
    void *owner;                        /* of the caller; not touched here */
};

struct grants;

/* Bounds: connections at once, and unused grants of all connections together, of each kind. */
struct grants *grants_new(size_t conns_max, size_t grants_max);
/* Frees connections and grants; the owners must be gone. */
void grants_free(struct grants **g);

/* Registers a connection. The pointer is valid until grants_conn_remove. ERR_EXISTS: the id is in use; ERR_LIMIT; ERR_RANGE: id 0
 * or a protocol that does not fit the role. */
MUST_CHECK int grants_conn_add(struct grants *g, const struct msg_conn *m, enum ipc_role role, uint64_t now, struct conn **out);
struct conn *grants_conn_find(const struct grants *g, uint64_t id);
/* Forgets the connection and its grants. */
void grants_conn_remove(struct grants *g, struct conn **c);
size_t grants_conn_count(const struct grants *g);
size_t grants_count(const struct grants *g);
/* All connections (heap array, the caller frees it). */
struct conn **grants_conns(const struct grants *g, size_t *n_out);

/* PROXY facts, accepted once and only where they are due. ERR_STATE. */
MUST_CHECK int grants_conn_proxied(struct conn *c, const struct msg_proxied *m);

/* Auth's word. ERR_NOTFOUND: no such connection; ERR_DENIED: wrong kind for it; ERR_EXISTS: a second log-in grant, or one for a
 * recipient that has one; ERR_LIMIT. */
MUST_CHECK int grants_add(struct grants *g, const struct msg_grant *m, uint64_t now);
/* Whose grant it is that the next grants_take of it consumes; NULL: there is none. Borrowed. */
const struct user *grants_peek(const struct conn *c, uint32_t rcpt_id, uint64_t now);
/* Consumes: NULL when there is none or it has expired. The caller owns the user. */
struct user *grants_take(struct grants *g, struct conn *c, uint32_t rcpt_id, uint64_t now);
/* Drops log-in grants that expired unused; returns how many. */
size_t grants_expire(struct grants *g, uint64_t now);

#endif
