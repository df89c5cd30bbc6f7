/*
 * Login and LMTP parents and the service for MTAs announce connections here; what a connection says goes to conn.c. A parent that
 * breaks the table loses its channel, and its living connections go on.
 */
#include "auth/server.h"

#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/conn.h"
#include "common/base/mem.h"
#include "common/log/log.h"

#define STOP_CHECK_MS 500
#define CREDS_FLUSH_MS 60000

struct auth_parent {
    struct auth_parent *next;
    struct auth_server *server;
    struct ipc *ch;
    enum ipc_role role;
    uint32_t instance;
};

static struct auth_conn **conn_bucket(struct auth_server *s, uint64_t id)
{
    uint8_t out[crypto_shorthash_BYTES];
    uint64_t h;
    crypto_shorthash(out, (const uint8_t *)&id, sizeof(id), s->hash_key);
    memcpy(&h, out, sizeof(h));
    return &s->conns[h % SERVER_CONN_BUCKETS];
}

int auth_server_conn_add(struct auth_server *s, struct auth_conn *c)
{
    struct auth_conn **bucket = conn_bucket(s, c->id);
    for (const struct auth_conn *o = *bucket; o != NULL; o = o->next) {
        if (o->id == c->id)
            return ERR_EXISTS;
    }
    if (s->nconns >= SERVER_CONNS_MAX)
        return ERR_LIMIT;
    c->next = *bucket;
    *bucket = c;
    s->nconns++;
    return 0;
}

void auth_server_conn_remove(struct auth_server *s, struct auth_conn *c)
{
    for (struct auth_conn **p = conn_bucket(s, c->id); *p != NULL; p = &(*p)->next) {
        if (*p == c) {
            *p = c->next;
            s->nconns--;
            return;
        }
    }
}

static void parent_free(struct auth_parent *parent)
{
    struct auth_parent **p = &parent->server->parents;
    while (*p != parent)
        p = &(*p)->next;
    *p = parent->next;
    ipc_free(&parent->ch);
    free(parent);
}

static int parent_conn(struct auth_parent *parent, struct view body, int fd, uint64_t *id_out)
{
    struct msg_conn conn;
    if (msg_conn_decode(body, &conn) != 0 || (conn.protocol == PROTO_LMTP) != (parent->role == ROLE_LMTP)) {
        close(fd);
        return ERR_PROTO;
    }
    *id_out = conn.conn_id;
    return auth_conn_new(parent->server, &conn, fd);
}

static int parent_smtp_conn(struct auth_parent *parent, struct view body, int fd, uint64_t *id_out)
{
    struct msg_smtp_conn conn;
    if (msg_smtp_conn_decode(body, &conn) != 0) {
        close(fd);
        return ERR_PROTO;
    }
    *id_out = conn.conn_id;
    return auth_conn_new_smtp(parent->server, &conn, fd);
}

static void parent_on_message(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct auth_parent *parent = arg;
    uint64_t id = 0;
    int err = ERR_PROTO, fd = msg->fds[0];
    (void)ch;
    msg->fds[0] = -1; /* transferred */
    switch (msg->kind) {
    case IPC_LOGIN_CONN:
        err = parent_conn(parent, msg->body, fd, &id);
        break;
    case IPC_SMTP_CONN:
        err = parent_smtp_conn(parent, msg->body, fd, &id);
        break;
    default:
        msg->fds[0] = fd;
        break;
    }
    if (err == ERR_PROTO) {
        LOG_ERROR(0, "malformed message, channel closed", F_STR("peer", proto_role_name(parent->role)));
        parent_free(parent);
    } else if (err != 0) {
        LOG_ERROR(id, "connection refused", F_STR("peer", proto_role_name(parent->role)), F_ERR(err));
    }
}

static void parent_on_closed(void *arg, struct ipc *ch, int err)
{
    struct auth_parent *parent = arg;
    (void)ch;
    LOG_DEBUG(0, "service left", F_STR("peer", proto_role_name(parent->role)), F_ERR(err));
    parent_free(parent);
}

int auth_server_add_parent(struct auth_server *s, const struct msg_peer *peer, int fd)
{
    if (peer->role != ROLE_LOGIN && peer->role != ROLE_LMTP && peer->role != ROLE_SMTP) {
        close(fd);
        return ERR_PROTO;
    }
    struct auth_parent *parent = xcalloc(1, sizeof(*parent));
    parent->server = s;
    parent->role = peer->role;
    parent->instance = peer->instance;
    parent->next = s->parents;
    s->parents = parent;
    parent->ch = ipc_new(s->loop, fd, ROLE_AUTH, peer->role, parent_on_message, parent_on_closed, parent);
    ipc_set_state(parent->ch, IPC_STATE_READY);
    return 0;
}

static void on_stop_timer(void *arg)
{
    struct auth_server *s = arg;
    if (s->nconns == 0 || loop_now(s->loop) >= s->stop_at)
        loop_stop(s->loop);
    else
        timer_arm(s->stop_timer, STOP_CHECK_MS);
}

void auth_server_stop(struct auth_server *s)
{
    if (s->stopping)
        return;
    s->stopping = true;
    s->stop_at = loop_now(s->loop) + SERVER_STOP_MS;
    /* Not at once: a connection may have been announced and not read yet. */
    timer_arm(s->stop_timer, STOP_CHECK_MS);
}

void auth_server_on_master(struct auth_server *s, struct ipc_msg *msg)
{
    struct msg_peer peer;
    int fd;
    switch (msg->kind) {
    case IPC_MASTER_PEER:
        fd = msg->fds[0];
        if (msg_peer_decode(msg->body, &peer) != 0) {
            LOG_ERROR(0, "malformed message from master");
            return;
        }
        msg->fds[0] = -1; /* transferred */
        if (auth_server_add_parent(s, &peer, fd) != 0)
            LOG_ERROR(0, "master sent a channel to a service that has no business here");
        return;
    case IPC_MASTER_LOOKUP:
        if (named_lookup(s, msg->body) != 0)
            LOG_ERROR(0, "malformed message from master");
        return;
    case IPC_MASTER_CREDENTIAL:
        if (creds_admin(s, msg->body) != 0)
            LOG_ERROR(0, "malformed message from master");
        return;
    case IPC_MASTER_STOP:
        auth_server_stop(s);
        return;
    default:
        LOG_ERROR(0, "unexpected message from master", F_STR("message", proto_rule(msg->kind)->name));
    }
}

struct auth_server *auth_server_new(struct loop *loop, struct ipc *master, struct auth_dbs *dbs, const struct set_login *login)
{
    const struct set_auth *set = dbs->set;
    struct auth_server *s = xcalloc(1, sizeof(*s));
    s->loop = loop;
    s->master = master;
    s->login = login;
    s->dbs = *dbs;
    *dbs = (struct auth_dbs){0}; /* transferred */
    s->requests = auth_request_pool_new(loop, master, (unsigned)set->auth_helpers_max, set->auth_helper_timeout);
    s->dbs.requests = s->requests;
    auth_dbs_connect(&s->dbs, loop, master);
    s->penalty = penalty_new(set->auth_failure_delay);
    s->gate = gate_new();
    s->cache = auth_cache_new(set->auth_cache_ttl, set->auth_cache_size);
    s->login_delay = login_delay_new(login->pop3_login_delay, login->pop3_login_wait);
    s->stop_timer = timer_new(loop, on_stop_timer, s);
    randombytes_buf(s->hash_key, sizeof(s->hash_key));
    buf_init(&s->digests, PROTO_DIGESTS_MAX);
    return s;
}

static void on_creds_timer(void *arg)
{
    struct auth_server *s = arg;
    creds_flush(s->creds);
    timer_arm(s->creds_timer, CREDS_FLUSH_MS);
}

void auth_server_set_creds(struct auth_server *s, struct creds_store *creds)
{
    creds_store_free(&s->creds);
    s->creds = creds;
    if (creds == NULL)
        return;
    if (s->creds_timer == NULL)
        s->creds_timer = timer_new(s->loop, on_creds_timer, s);
    timer_arm(s->creds_timer, CREDS_FLUSH_MS);
}

void auth_server_set_certificates(struct auth_server *s, struct view digests)
{
    buf_reset(&s->digests);
    buf_put_view(&s->digests, digests);
}

void auth_server_free(struct auth_server **server)
{
    struct auth_server *s = *server;
    *server = NULL;
    if (s == NULL)
        return;
    for (size_t i = 0; i < SERVER_CONN_BUCKETS; i++) {
        while (s->conns[i] != NULL)
            auth_conn_free(s->conns[i]);
    }
    while (s->parents != NULL)
        parent_free(s->parents);
    named_free_all(s);
    auth_request_pool_free(&s->requests);
    auth_dbs_close(&s->dbs);
    timer_free(&s->creds_timer);
    creds_store_free(&s->creds);
    penalty_free(&s->penalty);
    gate_free(&s->gate);
    auth_cache_free(&s->cache);
    login_delay_free(&s->login_delay);
    timer_free(&s->stop_timer);
    buf_free(&s->digests);
    free(s);
}
