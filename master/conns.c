/*
 * A TAKE may overtake its grant, because they come on two channels: then auth's channel is read at once, and if the grant is not
 * there either the TAKE waits up to 2 s for it. The grant is consumed before anything about the TAKE is looked at, and the
 * channel is closed to further requests, so there is no second try with the same grant whatever the first one was.
 */
#include "master/conns.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/secret/secret.h"
#include "master/fdcheck.h"
#include "master/request.h"
#include "master/rooms.h"
#include "master/service.h"
#include "master/workers.h"

#define GRANT_WAIT_MS 2000
#define EXPIRE_EVERY_MS 5000
/* Deliveries without a grant, of one connection, until it is cut off: an honest one has none but when grants were refused. */
#define GRANTLESS_MAX 1000

/* What hangs on one connection besides what grants.h knows. */
struct link {
    struct master *m;
    struct conn *conn;
    struct ipc *ch;
    uint64_t parent;       /* serial of the front service */
    struct ipc_msg held;   /* a TAKE that waits for its grant; body.ptr owned, NULL: none */
    struct request *asked; /* the session request at the workers; NULL: none */
    struct timer *wait;
    unsigned grantless;
};

struct conns {
    struct timer *expire;
};

static void expire(void *arg)
{
    struct master *m = arg;
    size_t n = grants_expire(m->grants, loop_now(m->loop));

    if (n > 0)
        LOG_WARN(0, "grants expired unused", F_UINT("count", n));
    timer_arm(m->conns->expire, EXPIRE_EVERY_MS);
}

void conns_init(struct master *m)
{
    m->conns = xcalloc(1, sizeof(*m->conns));
    m->conns->expire = timer_new(m->loop, expire, m);
    timer_arm(m->conns->expire, EXPIRE_EVERY_MS);
}

/* Client input may hold anything, so it is wiped. */
static void body_free(struct ipc_msg *msg)
{
    uint8_t *copy = (uint8_t *)(uintptr_t)msg->body.ptr;

    secret_wipe(copy, msg->body.len);
    free(copy);
    msg->body = view_make(NULL, 0);
}

static void held_drop(struct link *l)
{
    if (l->held.body.ptr == NULL)
        return;
    ipc_msg_close_fds(&l->held);
    body_free(&l->held);
}

static void link_free(struct link *l)
{
    struct master *m = l->m;

    if (l->asked != NULL)
        workers_cancel(m, &l->asked);
    if (l->conn->role == ROLE_LCONN)
        workers_cancel_arg(m, l); /* deliveries that still wait: nobody would hear of them */
    held_drop(l);
    timer_free(&l->wait);
    ipc_free(&l->ch);
    grants_conn_remove(m->grants, &l->conn);
    free(l);
}

void conns_free(struct master *m)
{
    struct conn **all;
    size_t n;

    if (m->conns == NULL)
        return;
    all = grants_conns(m->grants, &n);
    for (size_t i = 0; i < n; i++)
        link_free(all[i]->owner);
    free(all);
    timer_free(&m->conns->expire);
    free(m->conns);
    m->conns = NULL;
}

/* --- answers -------------------------------------------------------------------------------------------------------------- */

/* user: NULL when it is not known. */
static void take_refuse(struct link *l, enum take_fail code, const char *text, const char *user, const char *reason)
{
    struct msg_take_fail f = {.code = code, .text = view_str(text)};
    char ip[46];
    struct buf body;

    net_addr_format(&l->conn->peer, ip);
    LOG_WARN(l->conn->id, "hand-over refused", F_STR("user", user != NULL ? user : ""), F_STR("reason", reason),
             F_STR("peer", ip));
    if (l->ch == NULL)
        return;
    buf_init(&body, IPC_MAX_BODY);
    msg_take_fail_encode(&body, &f);
    if (ipc_send(l->ch, IPC_MASTER_TAKE_FAIL, &body, NULL, 0) != 0)
        LOG_DEBUG(l->conn->id, "connection did not wait for its refusal");
    buf_free(&body);
}

static void take_done(void *arg, const struct request *r, enum take_fail code, const char *text)
{
    struct link *l = arg;

    l->asked = NULL;
    if (code != 0) {
        take_refuse(l, code, text, NULL, text);
        return;
    }
    if (ipc_send(l->ch, IPC_MASTER_TAKE_OK, NULL, NULL, 0) != 0)
        LOG_DEBUG(r->id, "connection is gone after its hand-over");
    services_taken(l->m, l->parent, r->id);
}

/* --- TAKE ---------------------------------------------------------------------------------------------------------------- */

static void session_encode(struct request *r, const struct conn *c, const struct msg_take *t, const struct user *user)
{
    struct msg_session s = {.session_id = c->id,
                            .protocol = c->protocol,
                            .peer = c->peer,
                            .local = c->local,
                            .tls = t->tls || c->proxy_tls,
                            .tag = t->tag,
                            .input = t->input,
                            .final = t->final,
                            .detail = view_str(user->detail),
                            .admin = user->admin};

    msg_session_encode(&r->body, &s);
    r->protocol = c->protocol;
    r->peer = c->peer;
    r->local = c->local;
    r->tls = s.tls;
    r->admin = s.admin;
}

/* The grant is consumed; user is ours. Nonzero: malformed. */
static int take_with(struct link *l, struct ipc_msg *msg, struct user *user)
{
    struct master *m = l->m;
    struct msg_take t;
    struct request *r;
    enum limit_hit hit;

    if (msg_take_decode(msg->body, &t) != 0) {
        user_free(&user);
        return ERR_PROTO;
    }
    if (fdcheck_session(msg->fds[0]) != 0) {
        take_refuse(l, TAKE_FAIL_UNAVAILABLE, "Internal error", user->name, "not a client's socket");
    } else if (m->stopping) {
        take_refuse(l, TAKE_FAIL_SHUTDOWN, "The server is shutting down", user->name, "shutting down");
    } else if ((hit = session_limits_acquire(m->limits, user, &l->conn->peer)) != LIMIT_NONE) {
        take_refuse(l, TAKE_FAIL_LIMIT, limit_text(hit), user->name, limit_text(hit));
    } else {
        r = request_new(REQUEST_SESSION, l->conn->id, msg);
        session_encode(r, l->conn, &t, user);
        r->counted = true;
        r->done = take_done;
        r->arg = l;
        l->asked = r;
        workers_submit(m, &user, r);
    }
    user_free(&user);
    return 0;
}

static struct user *grant_get(struct link *l, uint32_t rcpt_id)
{
    return grants_take(l->m->grants, l->conn, rcpt_id, loop_now(l->m->loop));
}

static void take_hold(struct link *l, struct ipc_msg *msg)
{
    uint8_t *copy = xmalloc(msg->body.len + 1);

    memcpy(copy, msg->body.ptr, msg->body.len);
    l->held = *msg;
    l->held.body = view_make(copy, msg->body.len);
    for (unsigned i = 0; i < msg->nfds; i++)
        msg->fds[i] = -1; /* transferred */
    timer_arm(l->wait, GRANT_WAIT_MS);
}

static void take_waited(void *arg)
{
    struct link *l = arg;

    held_drop(l);
    take_refuse(l, TAKE_FAIL_NO_GRANT, "Internal error", NULL, "no grant");
}

/* The grant for a held TAKE has come. Nonzero: the TAKE was malformed. */
static int take_resume(struct link *l)
{
    struct user *user = grant_get(l, 0);
    struct ipc_msg msg = l->held;
    int rc;

    ASSERT(user != NULL);
    timer_disarm(l->wait);
    l->held.body = view_make(NULL, 0);
    l->held.nfds = 0;
    rc = take_with(l, &msg, user);
    ipc_msg_close_fds(&msg);
    body_free(&msg);
    return rc;
}

static int on_take(struct link *l, struct ipc_msg *msg)
{
    struct user *user = grant_get(l, 0);

    ipc_set_state(l->ch, IPC_STATE_DONE);
    if (l->conn->proxy_due) {
        user_free(&user);
        return ERR_PROTO;
    }
    if (user == NULL && !l->conn->login_granted) {
        services_poll_auth(l->m);
        user = grant_get(l, 0);
    }
    if (user != NULL)
        return take_with(l, msg, user);
    if (l->conn->login_granted)
        take_refuse(l, TAKE_FAIL_NO_GRANT, "Log-in took too long", NULL, "grant expired");
    else
        take_hold(l, msg);
    return 0;
}

/* --- DELIVER --------------------------------------------------------------------------------------------------------------- */

static void deliver_refuse(const struct link *l, const struct ipc_msg *msg, const char *reason)
{
    LOG_WARN(l->conn->id, "delivery refused", F_STR("reason", reason));
    if (fdcheck_reply(msg->fds[1]) == 0)
        request_reply(msg->fds[1], l->conn->id, 451, "4.3.0", "Cannot deliver now");
}

static void deliver_with(struct link *l, struct ipc_msg *msg, const struct msg_deliver *d, struct user **user)
{
    struct msg_deliver out = *d;
    struct request *r;

    if (fdcheck_reply(msg->fds[1]) != 0 || fdcheck_message(msg->fds[0], d->size) != 0) {
        deliver_refuse(l, msg, "not a sealed message with a reply channel");
        return;
    }
    if (d->size > l->m->setup->worker->message_size_max) {
        deliver_refuse(l, msg, "message too large");
        return;
    }
    r = request_new(REQUEST_DELIVER, l->conn->id, msg);
    out.session_id = l->conn->id;
    out.detail = view_str((*user)->detail); /* the grant's word, not the connection's */
    msg_deliver_encode(&r->body, &out);
    r->protocol = PROTO_LMTP;
    r->peer = l->conn->peer;
    r->done = request_deliver_done;
    r->arg = l;
    workers_submit(l->m, user, r);
}

static int on_deliver(struct link *l, struct ipc_msg *msg)
{
    struct msg_deliver d;
    struct user *user;

    if (l->conn->proxy_due || msg_deliver_decode(msg->body, &d) != 0 || d.rcpt_id == 0)
        return ERR_PROTO;
    user = grant_get(l, d.rcpt_id);
    if (user == NULL) {
        services_poll_auth(l->m);
        user = grant_get(l, d.rcpt_id);
    }
    if (user == NULL && ++l->grantless > GRANTLESS_MAX)
        return ERR_PROTO;
    if (user == NULL)
        deliver_refuse(l, msg, "no grant");
    else if (l->m->stopping)
        deliver_refuse(l, msg, "shutting down");
    else
        deliver_with(l, msg, &d, &user);
    user_free(&user);
    return 0;
}

/* --- ROOM ------------------------------------------------------------------------------------------------------------------ */

/* What a recipient's worker has said of its quota; nothing of it is told but whether this message fits. */
static enum room_result room_of(struct master *m, const struct user *user, uint64_t size)
{
    workers_hear(m, user);
    if (rooms_fit(m->rooms, user, size, loop_now(m->loop)))
        return ROOM_FITS;
    return m->setup->worker->quota_full == SET_QUOTA_FULL_REJECT ? ROOM_FULL : ROOM_FULL_NOW;
}

static int on_room(struct link *l, const struct ipc_msg *msg)
{
    struct msg_room_ask ask;
    struct msg_room answer = {.result = ROOM_FITS};
    const struct user *user;
    struct buf body;

    if (l->conn->proxy_due || msg_room_ask_decode(msg->body, &ask) != 0)
        return ERR_PROTO;
    user = grants_peek(l->conn, ask.rcpt_id, loop_now(l->m->loop));
    if (user == NULL) {
        services_poll_auth(l->m);
        user = grants_peek(l->conn, ask.rcpt_id, loop_now(l->m->loop));
    }
    if (user == NULL && ++l->grantless > GRANTLESS_MAX)
        return ERR_PROTO;
    answer.rcpt_id = ask.rcpt_id;
    if (user != NULL)
        answer.result = room_of(l->m, user, ask.size);
    buf_init(&body, IPC_MAX_BODY);
    msg_room_encode(&body, &answer);
    if (ipc_send(l->ch, IPC_MASTER_ROOM, &body, NULL, 0) != 0)
        LOG_DEBUG(l->conn->id, "connection is gone before it knew of a quota");
    buf_free(&body);
    return 0;
}

/* --- the channel ------------------------------------------------------------------------------------------------------------ */

static int on_proxied(struct link *l, const struct ipc_msg *msg)
{
    struct msg_proxied p;

    if (msg_proxied_decode(msg->body, &p) != 0)
        return ERR_PROTO;
    ipc_set_state(l->ch, IPC_STATE_READY);
    return grants_conn_proxied(l->conn, &p);
}

static void offence(struct link *l)
{
    LOG_ERROR(l->conn->id, "closing the channel of a connection: malformed message",
              F_STR("role", proto_role_name(l->conn->role)));
    link_free(l);
}

static void on_message(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct link *l = arg;
    int rc;

    (void)ch;
    switch (msg->kind) {
    case IPC_CONN_PROXIED:
        rc = on_proxied(l, msg);
        break;
    case IPC_CONN_TAKE:
        rc = on_take(l, msg);
        break;
    case IPC_LCONN_ROOM:
        rc = on_room(l, msg);
        break;
    case IPC_LCONN_DELIVER:
        rc = on_deliver(l, msg);
        break;
    default:
        rc = ERR_PROTO;
        break;
    }
    if (rc != 0)
        offence(l);
}

static void on_closed(void *arg, struct ipc *ch, int err)
{
    (void)ch;
    (void)err; /* a broken message was logged with the channel */
    link_free(arg);
}

int conns_announce(struct master *m, uint64_t serial, enum ipc_role role, enum proto_protocol protocol, struct ipc_msg *msg)
{
    struct msg_conn c;
    struct conn *conn;
    struct link *l;
    int rc;

    if (msg_conn_decode(msg->body, &c) != 0 || c.protocol != protocol)
        return ERR_PROTO;
    rc = grants_conn_add(m->grants, &c, role, loop_now(m->loop), &conn);
    if (rc == ERR_LIMIT) {
        LOG_WARN(c.conn_id, "too many connections before log-in");
        return 0; /* its channel is closed, which the connection understands */
    }
    if (rc != 0)
        return rc;
    l = xcalloc(1, sizeof(*l));
    l->m = m;
    l->conn = conn;
    l->parent = serial;
    l->wait = timer_new(m->loop, take_waited, l);
    conn->owner = l;
    l->ch = ipc_new(m->loop, msg->fds[0], ROLE_MASTER, role, on_message, on_closed, l);
    msg->fds[0] = -1; /* transferred */
    ipc_set_sid(l->ch, c.conn_id);
    if (!conn->proxy_due)
        ipc_set_state(l->ch, IPC_STATE_READY);
    return 0;
}

int conns_grant(struct master *m, struct view body)
{
    struct msg_grant g;
    struct conn *c;
    struct link *l;
    int rc;

    if (msg_grant_decode(body, &g) != 0)
        return ERR_PROTO;
    if (grants_conn_find(m->grants, g.conn_id) == NULL)
        services_poll_fronts(m);
    rc = grants_add(m->grants, &g, loop_now(m->loop));
    if (rc == ERR_NOTFOUND) {
        LOG_DEBUG(g.conn_id, "grant for a connection that is gone");
        return 0;
    }
    if (rc != 0) {
        LOG_ERROR(g.conn_id, "grant refused", F_VIEW("user", g.user.name), F_ERR(rc));
        return 0;
    }
    c = grants_conn_find(m->grants, g.conn_id);
    l = c->owner;
    if (g.rcpt_id == 0 && l->held.body.ptr != NULL && take_resume(l) != 0)
        offence(l);
    return 0;
}
