/*
 * A request holds its place among the running ones until its helper has closed the channel, that is until the process has ended,
 * also when its result has come or nobody wants it any more: otherwise more helpers could exist than allowed.
 */
#include "auth/request.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"

/* A helper that has answered but does not end is given up after this; master kills it at its own deadline. */
#define REQUEST_EXIT_MS 5000
/* Master kills a helper one second after the deadline, which closes the channel: only then is there room for another. This is for
 * a master that does not. */
#define REQUEST_GRACE_MS 3000

enum request_state { REQUEST_QUEUED, REQUEST_RUNNING, REQUEST_ANSWERED };

struct auth_request {
    struct auth_request_pool *pool;
    struct auth_request *next, *prev; /* in the queue or among the running */
    uint64_t id, sid;
    enum request_state state;
    enum ipc_kind kind;
    struct buf body;
    struct buf handshake; /* sent in pieces before the body */
    struct ipc *ch;
    struct timer *deadline;
    auth_request_done_fn *done; /* NULL: cancelled */
    void *arg;
};

struct request_list {
    struct auth_request *first, *last;
    unsigned n;
};

struct auth_request_pool {
    struct loop *loop;
    struct ipc *master;
    unsigned running_max;
    uint64_t timeout_ms;
    uint64_t last_id;
    struct request_list queued, running;
    struct timer *kick; /* starts queued requests outside anybody's callback */
};

static void list_add(struct request_list *l, struct auth_request *r)
{
    r->next = NULL;
    r->prev = l->last;
    if (l->last != NULL)
        l->last->next = r;
    else
        l->first = r;
    l->last = r;
    l->n++;
}

static void list_remove(struct request_list *l, struct auth_request *r)
{
    if (r->prev != NULL)
        r->prev->next = r->next;
    else
        l->first = r->next;
    if (r->next != NULL)
        r->next->prev = r->prev;
    else
        l->last = r->prev;
    r->next = r->prev = NULL;
    l->n--;
}

static enum helper_kind helper_of(enum ipc_kind kind)
{
    switch (kind) {
    case IPC_AUTH_CHECK_PAM:
        return HELPER_PAM;
    case IPC_AUTH_CHECK_HASH:
        return HELPER_HASH;
    case IPC_AUTH_CHECK_TOKEN:
        return HELPER_TOKEN;
    case IPC_AUTH_CHECK_CERT:
        return HELPER_CERT;
    default:
        return HELPER_NSS;
    }
}

static void request_free(struct auth_request *r)
{
    list_remove(r->state == REQUEST_QUEUED ? &r->pool->queued : &r->pool->running, r);
    ipc_free(&r->ch);
    timer_free(&r->deadline);
    buf_free(&r->body);
    buf_free(&r->handshake);
    free(r);
}

/* The one way in which a request gets its result. */
static void request_answer(struct auth_request *r, const struct msg_helper_result *result)
{
    auth_request_done_fn *done = r->done;
    r->done = NULL;
    if (done != NULL)
        done(r->arg, result);
}

/* The end of a request: an answer if there was none yet, and its place is free. */
static void request_finish(struct auth_request *r, const char *why)
{
    struct auth_request_pool *pool = r->pool;
    struct msg_helper_result failed = {.result = HELPER_TEMPORARY};
    auth_request_done_fn *done = r->done;
    void *arg = r->arg;
    if (done != NULL)
        LOG_ERROR(r->sid, "auth helper failed", F_STR("reason", why), F_UINT("request", r->id));
    request_free(r);
    if (pool->queued.n > 0)
        timer_arm(pool->kick, 0);
    if (done != NULL)
        done(arg, &failed);
}

static void on_message(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct auth_request *r = arg;
    struct msg_helper_result result;
    if (msg->kind != IPC_HELPER_RESULT || msg_helper_result_decode(msg->body, &result) != 0) {
        request_finish(r, "its answer cannot be read");
        return;
    }
    ipc_set_state(ch, IPC_STATE_DONE);
    r->state = REQUEST_ANSWERED;
    timer_arm(r->deadline, REQUEST_EXIT_MS);
    request_answer(r, &result);
}

static void on_closed(void *arg, struct ipc *ch, int err)
{
    (void)ch;
    request_finish(arg, err == ERR_PROTO ? "it broke the protocol" : "it ended without an answer");
}

static void on_deadline(void *arg)
{
    struct auth_request *r = arg;
    request_finish(r, r->state == REQUEST_QUEUED ? "no helper became free in time" : "it took too long");
}

static int send_pieces(struct auth_request *r)
{
    int err = 0;
    while (err == 0 && buf_len(&r->handshake) > 0) {
        const struct msg_handshake msg = {.piece = view_sub(buf_view(&r->handshake), 0, PROTO_PIECE_MAX)};
        struct buf body;
        buf_init(&body, IPC_MAX_BODY);
        msg_handshake_encode(&body, &msg);
        err = ipc_send(r->ch, IPC_AUTH_HANDSHAKE, &body, NULL, 0);
        buf_free(&body);
        buf_consume(&r->handshake, msg.piece.len);
    }
    return err;
}

static int request_run(struct auth_request *r)
{
    struct auth_request_pool *pool = r->pool;
    struct msg_helper msg = {.kind = helper_of(r->kind)};
    struct buf body;
    int fds[2];
    int err = ipc_pair(fds);
    if (err != 0)
        return err;
    buf_init(&body, 128);
    msg_helper_encode(&body, &msg);
    err = ipc_send(pool->master, IPC_AUTH_HELPER, &body, &fds[1], 1);
    buf_free(&body);
    close(fds[1]);
    if (err != 0) {
        close(fds[0]);
        return err;
    }
    list_remove(&pool->queued, r);
    r->state = REQUEST_RUNNING;
    list_add(&pool->running, r);
    r->ch = ipc_new(pool->loop, fds[0], ROLE_AUTH, ROLE_HELPER, on_message, on_closed, r);
    ipc_set_state(r->ch, IPC_STATE_BUSY);
    ipc_set_sid(r->ch, r->sid);
    timer_arm(r->deadline, pool->timeout_ms + REQUEST_GRACE_MS);
    err = send_pieces(r);
    if (err == 0)
        err = ipc_send(r->ch, r->kind, &r->body, NULL, 0);
    buf_free(&r->body); /* wiped */
    return err;
}

static void on_kick(void *arg)
{
    struct auth_request_pool *pool = arg;
    while (pool->queued.n > 0 && pool->running.n < pool->running_max) {
        struct auth_request *r = pool->queued.first;
        if (request_run(r) != 0)
            request_finish(r, "it could not be started");
    }
}

struct auth_request_pool *auth_request_pool_new(struct loop *loop, struct ipc *master, unsigned running_max, uint64_t timeout_ms)
{
    struct auth_request_pool *pool = xcalloc(1, sizeof(*pool));
    pool->loop = loop;
    pool->master = master;
    pool->running_max = running_max;
    pool->timeout_ms = timeout_ms;
    pool->kick = timer_new(loop, on_kick, pool);
    return pool;
}

void auth_request_pool_free(struct auth_request_pool **pool)
{
    if (*pool == NULL)
        return;
    while ((*pool)->queued.first != NULL)
        request_free((*pool)->queued.first);
    while ((*pool)->running.first != NULL)
        request_free((*pool)->running.first);
    timer_free(&(*pool)->kick);
    free(*pool);
    *pool = NULL;
}

int auth_request_start(struct auth_request_pool *pool, enum ipc_kind kind, struct buf *body, uint64_t sid,
                       auth_request_done_fn *done, void *arg, struct auth_request **out)
{
    struct buf none;
    buf_init(&none, 0);
    return auth_request_start_with(pool, kind, body, &none, sid, done, arg, out);
}

int auth_request_start_with(struct auth_request_pool *pool, enum ipc_kind kind, struct buf *body, struct buf *handshake,
                            uint64_t sid, auth_request_done_fn *done, void *arg, struct auth_request **out)
{
    int err = 0;
    if (!buf_ok(body) || !buf_ok(handshake) || pool->queued.n >= REQUEST_QUEUE_MAX) {
        buf_free(body);
        buf_free(handshake);
        return ERR_LIMIT;
    }
    struct auth_request *r = xcalloc(1, sizeof(*r));
    r->pool = pool;
    r->id = ++pool->last_id;
    r->sid = sid;
    r->kind = kind;
    r->body = *body;
    buf_init_secret(body, 0); /* transferred */
    r->handshake = *handshake;
    buf_init(handshake, 0); /* transferred */
    r->deadline = timer_new(pool->loop, on_deadline, r);
    r->arg = arg;
    r->state = REQUEST_QUEUED;
    list_add(&pool->queued, r);
    if (pool->running.n < pool->running_max && pool->queued.first == r)
        err = request_run(r);
    else
        timer_arm(r->deadline, pool->timeout_ms);
    if (err != 0) {
        request_free(r);
        return err;
    }
    r->done = done;
    *out = r;
    return 0;
}

void auth_request_cancel(struct auth_request **r)
{
    struct auth_request *req = *r;
    *r = NULL;
    if (req == NULL)
        return;
    req->done = NULL;
    if (req->state == REQUEST_QUEUED)
        request_free(req);
}
