/*
 * The channels of culver-keys: one from each login and LMTP service, over which the channels of single connections arrive, and
 * those. A connection that asks for something it may not have gets an empty signature; one that asks too often loses its channel.
 */
#include <stdlib.h>

#include "auth/keys.h"
#include "common/base/mem.h"
#include "common/log/log.h"

struct peer {
    struct keys_service *svc;
    struct peer *next, *prev;
    struct ipc *ch;
    enum ipc_role role;
};

struct conn {
    struct keys_service *svc;
    struct conn *next, *prev;
    struct ipc *ch;
    uint64_t id;
    unsigned signatures;
};

struct keys_service {
    struct loop *loop;
    struct keys_store *store;
    struct peer *peers;
    struct conn *conns;
    size_t nconns;
};

struct keys_service *keys_service_new(struct loop *loop, struct keys_store *store)
{
    struct keys_service *svc = xcalloc(1, sizeof(*svc));

    svc->loop = loop;
    svc->store = store;
    return svc;
}

static void conn_free(struct conn *conn)
{
    if (conn->prev != NULL)
        conn->prev->next = conn->next;
    else
        conn->svc->conns = conn->next;
    if (conn->next != NULL)
        conn->next->prev = conn->prev;
    conn->svc->nconns--;
    ipc_free(&conn->ch);
    free(conn);
}

static void peer_free(struct peer *peer)
{
    if (peer->prev != NULL)
        peer->prev->next = peer->next;
    else
        peer->svc->peers = peer->next;
    if (peer->next != NULL)
        peer->next->prev = peer->prev;
    ipc_free(&peer->ch);
    free(peer);
}

void keys_service_free(struct keys_service **svcp)
{
    struct keys_service *svc = *svcp;

    if (svc == NULL)
        return;
    for (struct conn *conn = svc->conns, *next; conn != NULL; conn = next) {
        next = conn->next;
        ipc_free(&conn->ch);
        free(conn);
    }
    for (struct peer *peer = svc->peers, *next; peer != NULL; peer = next) {
        next = peer->next;
        ipc_free(&peer->ch);
        free(peer);
    }
    free(svc);
    *svcp = NULL;
}

size_t keys_service_conns(const struct keys_service *svc)
{
    return svc->nconns;
}

/* --- one connection --------------------------------------------------------------------------------------------------------- */

static int conn_sign(struct conn *conn, struct view body)
{
    struct msg_signed answer = {0};
    struct msg_sign request;
    struct buf sig, out;
    int r = msg_sign_decode(body, &request);

    if (r < 0 || ++conn->signatures > KEYS_SIGNATURES_MAX)
        return r < 0 ? r : ERR_LIMIT;
    buf_init(&sig, PROTO_SIG_MAX);
    buf_init(&out, IPC_MAX_BODY);
    r = keys_store_sign(conn->svc->store, &request, &sig);
    if (r < 0)
        LOG_WARN(conn->id, "signature refused", F_UINT("key", request.key), F_UINT("scheme", request.scheme),
                 F_UINT("hash", request.hash), F_UINT("length", request.tbs.len), F_ERR(r));
    else
        answer.signature = buf_view(&sig);
    msg_signed_encode(&out, &answer);
    r = ipc_send(conn->ch, IPC_KEYS_SIGNED, &out, NULL, 0);
    buf_free(&out);
    buf_free(&sig);
    return r;
}

static void conn_message(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct conn *conn = arg;
    int r = ERR_PROTO;

    (void)ch;
    switch (msg->kind) {
    case IPC_CONN_SIGN:
        r = conn_sign(conn, msg->body);
        break;
    default:
        break;
    }
    if (r < 0) {
        LOG_WARN(conn->id, "connection's channel closed", F_ERR(r), F_UINT("signatures", conn->signatures));
        conn_free(conn);
    }
}

static void conn_closed(void *arg, struct ipc *ch, int err)
{
    (void)ch;
    (void)err;
    conn_free(arg);
}

/* --- the services' channels ----------------------------------------------------------------------------------------------------
 */

static int peer_conn(struct peer *peer, struct ipc_msg *msg)
{
    struct keys_service *svc = peer->svc;
    struct msg_conn m;
    struct conn *conn;
    int r = msg_conn_decode(msg->body, &m);

    if (r < 0)
        return r;
    if (svc->nconns >= KEYS_CONNS_MAX) {
        LOG_WARN(m.conn_id, "too many connections, no signatures for this one");
        return 0;
    }
    conn = xcalloc(1, sizeof(*conn));
    conn->svc = svc;
    conn->id = m.conn_id;
    conn->ch = ipc_new(svc->loop, msg->fds[0], ROLE_KEYS, peer->role == ROLE_LMTP ? ROLE_LCONN : ROLE_CONN, conn_message,
                       conn_closed, conn);
    msg->fds[0] = -1; /* transferred */
    ipc_set_sid(conn->ch, m.conn_id);
    conn->next = svc->conns;
    if (conn->next != NULL)
        conn->next->prev = conn;
    svc->conns = conn;
    svc->nconns++;
    return 0;
}

static void peer_message(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct peer *peer = arg;
    int r = ERR_PROTO;

    (void)ch;
    switch (msg->kind) {
    case IPC_LOGIN_CONN:
        r = peer_conn(peer, msg);
        break;
    default:
        break;
    }
    if (r < 0) {
        LOG_ERROR(0, "service's channel closed", F_STR("peer", proto_role_name(peer->role)), F_ERR(r));
        peer_free(peer);
    }
}

static void peer_closed(void *arg, struct ipc *ch, int err)
{
    (void)ch;
    (void)err;
    peer_free(arg);
}

void keys_service_add_peer(struct keys_service *svc, enum ipc_role role, int fd)
{
    struct peer *peer = xcalloc(1, sizeof(*peer));

    peer->svc = svc;
    peer->role = role;
    peer->ch = ipc_new(svc->loop, fd, ROLE_KEYS, role, peer_message, peer_closed, peer);
    ipc_set_state(peer->ch, IPC_STATE_READY);
    peer->next = svc->peers;
    if (peer->next != NULL)
        peer->next->prev = peer;
    svc->peers = peer;
}

/* --- master
 * --------------------------------------------------------------------------------------------------------------------- */

static int service_key(struct keys_service *svc, const struct ipc_msg *msg)
{
    struct msg_cert m;
    int r = msg_cert_decode(msg->body, &m);

    if (r < 0)
        return r;
    r = keys_store_load(svc->store, m.index, msg->fds[0]);
    if (r < 0)
        LOG_ERROR(0, "private key cannot be used", F_UINT("index", m.index), F_VIEW("name", m.name), F_ERR(r));
    else
        LOG_DEBUG(0, "private key loaded", F_UINT("index", m.index), F_VIEW("name", m.name));
    return 0;
}

static int service_peer(struct keys_service *svc, struct ipc_msg *msg)
{
    struct msg_peer m;
    int r = msg_peer_decode(msg->body, &m);

    if (r < 0)
        return r;
    if (m.role != ROLE_LOGIN && m.role != ROLE_LMTP)
        return ERR_PROTO;
    keys_service_add_peer(svc, m.role, msg->fds[0]);
    msg->fds[0] = -1; /* transferred */
    return 0;
}

int keys_service_message(struct keys_service *svc, struct ipc_msg *msg)
{
    switch (msg->kind) {
    case IPC_MASTER_KEY:
        return service_key(svc, msg);
    case IPC_MASTER_PEER:
        return service_peer(svc, msg);
    default:
        return ERR_PROTO;
    }
}
