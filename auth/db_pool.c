/* Helpers are idle, at work on one question, or gone; questions wait or are at one helper. */
#include "auth/db_pool.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"

/* A helper ends its work in time by itself; this is for one that cannot. */
#define HELPER_GRACE_MS 2000
#define RETRY_FIRST_MS 250
#define RETRY_MAX_MS 16000

struct db_helper {
    struct db_helper *next;
    struct db_pool *pool;
    struct ipc *ch;
    struct db_question *question; /* NULL: idle */
    bool proven;                  /* has answered once */
};

struct db_question {
    struct db_pool *pool;
    struct db_question *next; /* in the queue */
    struct db_helper *helper; /* NULL: queued */
    uint64_t sid;
    struct buf body;
    struct timer *deadline;
    db_done_fn *done; /* NULL: cancelled */
    void *arg;
};

struct db_pool {
    struct loop *loop;
    struct ipc *master;
    const struct set_database *set;
    struct db_helper *helpers;
    unsigned nhelpers;
    struct db_question *first, **last;
    unsigned nqueued;
    uint64_t retry_ms, retry_at; /* no helper is started before */
    struct timer *kick;          /* gives questions to helpers outside anybody's callback */
};

static enum helper_kind kind_of(int driver)
{
    static const enum helper_kind kinds[] = {[SET_DATABASE_SQLITE] = HELPER_SQLITE,
                                             [SET_DATABASE_PGSQL] = HELPER_PGSQL,
                                             [SET_DATABASE_LDAP] = HELPER_LDAP,
                                             [SET_DATABASE_OAUTH2] = HELPER_OAUTH2};
    return kinds[driver];
}

/* --- questions ----------------------------------------------------------------------------------------------------------- */

static void queue_remove(struct db_question *q)
{
    struct db_question **p = &q->pool->first;
    while (*p != q)
        p = &(*p)->next;
    *p = q->next;
    if (q->next == NULL)
        q->pool->last = p;
    q->next = NULL;
    q->pool->nqueued--;
}

static void question_free(struct db_question *q)
{
    if (q->helper != NULL)
        q->helper->question = NULL;
    else
        queue_remove(q);
    timer_free(&q->deadline);
    buf_free(&q->body);
    free(q);
}

/* The end of a question; its helper, if any, is idle from now on, or gone. */
static void question_finish(struct db_question *q, const struct msg_helper_db *answer, const char *why)
{
    const struct msg_helper_db failed = {.result = HELPER_TEMPORARY};
    db_done_fn *done = q->done;
    void *arg = q->arg;
    if (why != NULL && done != NULL)
        LOG_ERROR(q->sid, "database gave no answer", F_STR("database", q->pool->set->name), F_STR("reason", why));
    if (q->pool->nqueued > 0)
        timer_arm(q->pool->kick, 0);
    question_free(q);
    if (done != NULL)
        done(arg, answer != NULL ? answer : &failed);
}

/* --- helpers ------------------------------------------------------------------------------------------------------------- */

static void helper_free(struct db_helper *h)
{
    struct db_helper **p = &h->pool->helpers;
    while (*p != h)
        p = &(*p)->next;
    *p = h->next;
    h->pool->nhelpers--;
    ipc_free(&h->ch);
    free(h);
}

/* It is of no more use. What it was asked fails for now. */
static void helper_end(struct db_helper *h, const char *why)
{
    struct db_pool *pool = h->pool;
    struct db_question *q = h->question;
    if (!h->proven) {
        pool->retry_ms = pool->retry_ms == 0 ? RETRY_FIRST_MS : MIN_OF(2 * pool->retry_ms, (uint64_t)RETRY_MAX_MS);
        pool->retry_at = loop_now(pool->loop) + pool->retry_ms;
    }
    if (q != NULL) {
        q->helper = NULL;
        q->next = pool->first; /* where question_free looks for it */
        if (pool->first == NULL)
            pool->last = &q->next;
        pool->first = q;
        pool->nqueued++;
    }
    helper_free(h);
    if (pool->nqueued > 0)
        timer_arm(pool->kick, 0);
    if (q != NULL)
        question_finish(q, NULL, why);
}

static void on_message(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct db_helper *h = arg;
    struct msg_helper_db answer;
    if (msg->kind != IPC_HELPER_DB || h->question == NULL || msg_helper_db_decode(msg->body, &answer) != 0) {
        helper_end(h, "its helper broke the protocol");
        return;
    }
    ipc_set_state(ch, IPC_STATE_READY);
    h->proven = true;
    h->pool->retry_ms = 0;
    question_finish(h->question, &answer, NULL);
}

static void on_closed(void *arg, struct ipc *ch, int err)
{
    (void)ch;
    helper_end(arg, err == ERR_PROTO ? "its helper broke the protocol" : "its helper has ended");
}

static void on_deadline(void *arg)
{
    struct db_question *q = arg;
    if (q->helper != NULL)
        helper_end(q->helper, "its helper took too long");
    else
        question_finish(q, NULL, "no connection became free in time");
}

static int helper_start(struct db_pool *pool, struct db_helper **out)
{
    const struct msg_helper msg = {.kind = kind_of(pool->set->driver), .database = view_str(pool->set->name)};
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
    struct db_helper *h = xcalloc(1, sizeof(*h));
    h->pool = pool;
    h->next = pool->helpers;
    pool->helpers = h;
    pool->nhelpers++;
    h->ch = ipc_new(pool->loop, fds[0], ROLE_AUTH, ROLE_HELPER, on_message, on_closed, h);
    ipc_set_state(h->ch, IPC_STATE_READY);
    *out = h;
    return 0;
}

/* An idle helper, or a new one; NULL: none now. */
static struct db_helper *helper_get(struct db_pool *pool)
{
    struct db_helper *h = pool->helpers;
    while (h != NULL && h->question != NULL)
        h = h->next;
    if (h != NULL)
        return h;
    if (pool->nhelpers >= pool->set->connections || loop_now(pool->loop) < pool->retry_at || helper_start(pool, &h) != 0)
        return NULL;
    return h;
}

static void question_give(struct db_question *q, struct db_helper *h)
{
    queue_remove(q);
    q->helper = h;
    h->question = q;
    ipc_set_state(h->ch, IPC_STATE_BUSY);
    ipc_set_sid(h->ch, q->sid);
    timer_arm(q->deadline, q->pool->set->timeout + HELPER_GRACE_MS);
    /* What cannot be sent is answered by the channel's end. */
    int err = ipc_send(h->ch, IPC_AUTH_ASK_DB, &q->body, NULL, 0);
    buf_free(&q->body); /* wiped */
    if (err != 0)
        timer_arm(q->deadline, 0);
}

static void pool_run(struct db_pool *pool)
{
    struct db_helper *h;
    while (pool->first != NULL && (h = helper_get(pool)) != NULL)
        question_give(pool->first, h);
}

static void on_kick(void *arg)
{
    struct db_pool *pool = arg;
    pool_run(pool);
    /* None at work that could become free. */
    if (pool->first != NULL && pool->nhelpers == 0)
        question_finish(pool->first, NULL, "no helper can be started");
}

/* --- the pool ------------------------------------------------------------------------------------------------------------ */

struct db_pool *db_pool_new(struct loop *loop, struct ipc *master, const struct set_database *set)
{
    struct db_pool *pool = xcalloc(1, sizeof(*pool));
    pool->loop = loop;
    pool->master = master;
    pool->set = set;
    pool->last = &pool->first;
    pool->kick = timer_new(loop, on_kick, pool);
    return pool;
}

void db_pool_free(struct db_pool **p)
{
    struct db_pool *pool = *p;
    *p = NULL;
    if (pool == NULL)
        return;
    while (pool->first != NULL)
        question_free(pool->first);
    while (pool->helpers != NULL) {
        if (pool->helpers->question != NULL)
            question_free(pool->helpers->question);
        helper_free(pool->helpers);
    }
    timer_free(&pool->kick);
    free(pool);
}

int db_pool_ask(struct db_pool *pool, const struct msg_ask_db *msg, uint64_t sid, db_done_fn *done, void *arg,
                struct db_question **out)
{
    struct buf body;
    buf_init_secret(&body, IPC_MAX_BODY);
    msg_ask_db_encode(&body, msg);
    if (!buf_ok(&body) || pool->nqueued >= DB_QUEUE_MAX) {
        buf_free(&body);
        return ERR_LIMIT;
    }
    struct db_question *q = xcalloc(1, sizeof(*q));
    q->pool = pool;
    q->sid = sid;
    q->body = body; /* transferred */
    q->done = done;
    q->arg = arg;
    q->deadline = timer_new(pool->loop, on_deadline, q);
    timer_arm(q->deadline, pool->set->timeout);
    *pool->last = q;
    pool->last = &q->next;
    pool->nqueued++;
    pool_run(pool);
    if (q->helper == NULL)
        timer_arm(pool->kick, 0);
    *out = q;
    return 0;
}

void db_pool_cancel(struct db_question **qp)
{
    struct db_question *q = *qp;
    *qp = NULL;
    if (q == NULL)
        return;
    q->done = NULL;
    if (q->helper == NULL)
        question_free(q);
}
