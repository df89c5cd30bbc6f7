#include "master/workers_int.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/secret/secret.h"
#include "master/rooms.h"
#include "master/supervise.h"

#define SWEEP_EVERY_MS 1000
#define QUEUE_MAX 128   /* requests that wait for one user's worker */
#define QUEUES_MAX 8192 /* in all; each holds descriptors */

static void sweep(void *arg);

void workers_init(struct master *m)
{
    struct workers *ws = xcalloc(1, sizeof(*ws));

    ws->by_name = table_new(1000000);
    ws->sweep = timer_new(m->loop, sweep, m);
    m->workers = ws;
}

/* --- requests ------------------------------------------------------------------------------------------------------------- */

static void uncount(struct worker *w, struct request *r)
{
    if (r->counted)
        session_limits_release(w->m->limits, view_str(w->user->name), &r->peer);
    r->counted = false;
}

static void request_fail(struct request *r, enum take_fail code, const char *text)
{
    if (r->done != NULL)
        r->done(r->arg, r, code, text);
    request_free(&r);
}

/* Takes r, found at link, out of w's queue. */
static void queue_take(struct worker *w, struct request **link)
{
    struct request *r = *link;

    *link = r->next;
    if (w->queue_end == &r->next)
        w->queue_end = link;
    r->next = NULL;
    r->worker = NULL;
    w->nqueue--;
    w->m->workers->queued--;
}

static void queue_push(struct worker *w, struct request *r)
{
    struct workers *ws = w->m->workers;

    r->worker = w;
    r->deadline = loop_now(w->m->loop) + REQUEST_WAIT_MS;
    r->next = NULL;
    *w->queue_end = r;
    w->queue_end = &r->next;
    w->nqueue++;
    ws->queued++;
    if (!timer_armed(ws->sweep))
        timer_arm(ws->sweep, SWEEP_EVERY_MS);
}

static void session_add(struct worker *w, const struct request *r)
{
    struct session *s = xcalloc(1, sizeof(*s));

    s->id = r->id;
    s->protocol = r->protocol;
    s->peer = r->peer;
    s->local = r->local;
    s->tls = r->tls;
    s->admin = r->admin;
    s->since = loop_now(w->m->loop);
    s->next = w->sessions;
    w->sessions = s;
    w->nsessions++;
}

void worker_session_end(struct worker *w, struct session **link)
{
    struct session *s = *link;

    *link = s->next;
    w->nsessions--;
    upgrade_drop(w, s);
    session_limits_release(w->m->limits, view_str(w->user->name), &s->peer);
    free(s);
}

static void pass_on(struct worker *w, struct request *r)
{
    enum ipc_kind kind = r->kind == REQUEST_SESSION ? IPC_MASTER_SESSION : IPC_MASTER_DELIVER;
    int rc = ipc_send(w->ch, kind, &r->body, r->fds, r->nfds);

    if (rc != 0) {
        LOG_ERROR(r->id, "worker takes no more", F_STR("user", w->user->name), F_INT("child", w->pid), F_ERR(rc));
        uncount(w, r);
        request_fail(r, TAKE_FAIL_UNAVAILABLE, "The mail of this user is busy");
        return;
    }
    w->last_used = loop_now(w->m->loop);
    if (r->kind == REQUEST_SESSION)
        session_add(w, r); /* the count goes with it */
    if (r->done != NULL)
        r->done(r->arg, r, 0, "");
    request_free(&r);
}

void worker_dispatch(struct worker *w)
{
    while (w->state == WORKER_READY && w->ch != NULL && w->queue != NULL) {
        struct request *r = w->queue;
        queue_take(w, &w->queue);
        pass_on(w, r);
    }
}

void worker_refuse_all(struct worker *w, enum take_fail code, const char *text)
{
    while (w->queue != NULL) {
        struct request *r = w->queue;
        queue_take(w, &w->queue);
        uncount(w, r);
        request_fail(r, code, text);
    }
}

static void refuse_late(struct worker *w, uint64_t now)
{
    while (w->queue != NULL && now >= w->queue->deadline) {
        struct request *r = w->queue;
        queue_take(w, &w->queue);
        uncount(w, r);
        request_fail(r, TAKE_FAIL_UNAVAILABLE, "The mail of this user could not be opened in time, try again later");
    }
}

static void sweep(void *arg)
{
    struct master *m = arg;
    struct worker *next;
    size_t frozen = 0;

    for (struct worker *w = m->workers->first; w != NULL; w = next) {
        next = w->next;
        refuse_late(w, loop_now(m->loop));
        upgrade_expire(w, false);
        frozen += w->nfrozen;
        if (w->state == WORKER_WAITING && !worker_wanted(w) && !timer_armed(w->timer) && w->held_by == NULL)
            worker_forget(&w);
    }
    if (m->workers->queued + frozen > 0)
        timer_arm(m->workers->sweep, SWEEP_EVERY_MS);
}

/* --- what a dead worker had not read -----------------------------------------------------------------------------------------
 */

/* Takes a session back from the list of those that the worker has. False: it is not there. */
static bool session_withdraw(struct worker *w, const struct msg_session *m, struct request *r)
{
    struct session **link = &w->sessions;
    struct session *s;

    while (*link != NULL && (*link)->id != m->session_id)
        link = &(*link)->next;
    s = *link;
    if (s == NULL)
        return false;
    r->protocol = s->protocol;
    r->peer = s->peer;
    r->local = s->local;
    r->tls = s->tls;
    r->admin = s->admin;
    r->counted = true; /* the count goes with it */
    *link = s->next;
    w->nsessions--;
    free(s);
    return true;
}

static struct request *request_again(struct worker *w, struct ipc_msg *msg)
{
    bool session = msg->kind == IPC_MASTER_SESSION;
    struct request *r = NULL;
    struct msg_session s;
    struct msg_deliver d;

    if (session ? msg_session_decode(msg->body, &s) != 0 : msg_deliver_decode(msg->body, &d) != 0)
        return NULL;
    r = request_new(session ? REQUEST_SESSION : REQUEST_DELIVER, session ? s.session_id : d.session_id, msg);
    buf_put_view(&r->body, msg->body);
    if (!session)
        r->done = request_deliver_done;
    else if (!session_withdraw(w, &s, r))
        request_free(&r);
    return r;
}

void worker_recover_unread(struct worker *w)
{
    static uint8_t storage[IPC_MAX_MSG];
    struct request *r;
    struct ipc_msg msg;

    while (w->peer_fd >= 0 && ipc_recv_wait(w->peer_fd, ROLE_WORKER, ROLE_MASTER, IPC_STATE_READY, storage, &msg, 0) == 0) {
        r = NULL;
        if ((msg.kind == IPC_MASTER_SESSION || msg.kind == IPC_MASTER_DELIVER) && !w->m->stopping)
            r = request_again(w, &msg);
        if (r != NULL)
            queue_push(w, r);
        ipc_msg_close_fds(&msg);
    }
    secret_wipe(storage, sizeof(storage));
    if (w->peer_fd >= 0)
        (void)close(w->peer_fd);
    w->peer_fd = -1;
}

/* --- the table ------------------------------------------------------------------------------------------------------------ */

static struct worker *worker_new(struct master *m, struct user **user, struct ids ids)
{
    struct workers *ws = m->workers;
    struct worker *w = xcalloc(1, sizeof(*w));

    w->m = m;
    w->user = *user;
    w->ids = ids;
    w->peer_fd = -1;
    w->queue_end = &w->queue;
    w->timer = timer_new(m->loop, worker_on_timer, w);
    if (table_put(ws->by_name, view_str(w->user->name), w) != 0) {
        timer_free(&w->timer);
        free(w);
        return NULL;
    }
    *user = NULL; /* transferred */
    w->prev = ws->last;
    if (ws->last != NULL)
        ws->last->next = w;
    else
        ws->first = w;
    ws->last = w;
    return w;
}

void worker_forget(struct worker **wp)
{
    struct worker *w = *wp;
    struct workers *ws = w->m->workers;

    worker_refuse_all(w, TAKE_FAIL_UNAVAILABLE, "The server is busy");
    w->state = WORKER_WAITING;
    upgrade_expire(w, true);
    while (w->sessions != NULL)
        worker_session_end(w, &w->sessions);
    (void)table_del(ws->by_name, view_str(w->user->name));
    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        ws->first = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
    else
        ws->last = w->prev;
    if (w->peer_fd >= 0)
        (void)close(w->peer_fd);
    timer_free(&w->timer);
    ipc_free(&w->ch);
    user_free(&w->user);
    free(w);
    *wp = NULL;
}

/* The worker for this user, made where there is none. What auth says now counts for the next process. */
static struct worker *worker_find(struct master *m, struct user **user)
{
    struct worker *w = table_get(m->workers->by_name, view_str((*user)->name));
    struct ids ids;

    if (w != NULL && w->pid != 0)
        return w;
    if (worker_ids(m, *user, &ids) != 0)
        return NULL;
    if (w == NULL)
        return worker_new(m, user, ids);
    user_free(&w->user);
    w->user = *user;
    *user = NULL; /* transferred */
    w->ids = ids;
    return w;
}

void workers_hear(struct master *m, const struct user *user)
{
    struct worker *w = table_get(m->workers->by_name, view_str(user->name));

    if (w != NULL && w->ch != NULL)
        ipc_poll(w->ch);
}

void workers_submit(struct master *m, struct user **user, struct request *r)
{
    struct worker *w = m->stopping ? NULL : worker_find(m, user);

    if (w == NULL || w->nqueue >= QUEUE_MAX || m->workers->queued >= QUEUES_MAX) {
        if (r->counted)
            session_limits_release(m->limits, view_str(w != NULL ? w->user->name : (*user)->name), &r->peer);
        r->counted = false;
        request_fail(r, TAKE_FAIL_UNAVAILABLE, w == NULL ? "The mail of this user cannot be opened" : "The server is busy");
        return;
    }
    queue_push(w, r);
    if (w->state == WORKER_READY)
        worker_dispatch(w);
    else if (w->state == WORKER_WAITING)
        worker_try_start(w);
}

static struct request **queue_find(struct worker *w, const struct request *r)
{
    struct request **link = &w->queue;

    while (*link != r)
        link = &(*link)->next;
    return link;
}

void workers_cancel(struct master *m, struct request **rp)
{
    struct request *r = *rp;
    struct worker *w = r->worker;

    (void)m;
    queue_take(w, queue_find(w, r));
    uncount(w, r);
    request_free(rp);
}

void workers_cancel_arg(struct master *m, const void *arg)
{
    for (struct worker *w = m->workers->first; w != NULL && m->workers->queued > 0; w = w->next) {
        struct request **link = &w->queue;
        while (*link != NULL) {
            struct request *r = *link;
            if (r->arg != arg) {
                link = &r->next;
                continue;
            }
            queue_take(w, link);
            uncount(w, r);
            request_free(&r);
        }
    }
}

void workers_stop(struct master *m)
{
    struct worker *next;

    for (struct worker *w = m->workers->first; w != NULL; w = next) {
        next = w->next;
        worker_refuse_all(w, TAKE_FAIL_SHUTDOWN, "The server is shutting down");
        if (w->pid == 0)
            worker_forget(&w);
        else
            worker_leave(w);
    }
}

void workers_free(struct master *m)
{
    struct worker *next;

    if (m->workers == NULL)
        return;
    for (struct worker *w = m->workers->first; w != NULL; w = next) {
        next = w->next;
        worker_forget(&w);
    }
    timer_free(&m->workers->sweep);
    table_free(&m->workers->by_name);
    free(m->workers);
    m->workers = NULL;
}

/* --- reports and the administrator ---------------------------------------------------------------------------------------------
 */

size_t workers_running(const struct master *m)
{
    return m->workers->running;
}

void workers_send_log(struct master *m, int fd)
{
    if (m->workers == NULL)
        return;
    for (struct worker *w = m->workers->first; w != NULL; w = w->next)
        if (w->ch != NULL && ipc_send(w->ch, IPC_MASTER_LOG, NULL, &fd, 1) != 0)
            LOG_WARN(0, "cannot hand the log to worker", F_STR("user", w->user->name));
}

/* Told once that it has the mail to itself. */
void worker_held(struct worker *w)
{
    void (*ready)(void *arg) = w->held_ready;

    w->held_ready = NULL;
    if (ready != NULL)
        ready(w->held_by);
}

int workers_hold(struct master *m, struct user **user, void (*ready)(void *arg), void *arg)
{
    struct worker *w = m->stopping ? NULL : worker_find(m, user);

    if (w == NULL)
        return m->stopping ? ERR_CLOSED : ERR_DENIED;
    if (w->held_by != NULL)
        return ERR_BUSY;
    LOG_INFO(0, "mail held by the administrator", F_STR("user", w->user->name), F_UINT("sessions", w->nsessions));
    rooms_left(m->rooms, w->user, 0, 0);
    w->held_by = arg;
    w->held_ready = ready;
    if (w->pid != 0)
        worker_leave(w);
    else
        worker_held(w);
    return 0;
}

void workers_release(struct master *m, const void *arg)
{
    struct worker *next;

    for (struct worker *w = m->workers->first; w != NULL; w = next) {
        next = w->next;
        if (w->held_by != arg)
            continue;
        w->held_by = NULL;
        w->held_ready = NULL;
        if (w->state == WORKER_WAITING && worker_wanted(w))
            worker_try_start(w);
        else if (w->state == WORKER_WAITING && !timer_armed(w->timer))
            worker_forget(&w);
    }
}

void workers_sweep_soon(struct master *m)
{
    if (!timer_armed(m->workers->sweep))
        timer_arm(m->workers->sweep, SWEEP_EVERY_MS);
}

static void kick_send(struct worker *w, uint64_t id)
{
    struct msg_id m = {id};
    struct buf body;

    buf_init(&body, IPC_MAX_BODY);
    msg_id_encode(&body, &m);
    if (w->ch == NULL || ipc_send(w->ch, IPC_MASTER_KICK, &body, NULL, 0) != 0)
        LOG_WARN(id, "cannot reach worker to end a session", F_STR("user", w->user->name));
    buf_free(&body);
}

size_t workers_kick(struct master *m, struct view user, uint64_t id)
{
    size_t n = 0;

    if (user.len > 0) {
        struct worker *w = table_get(m->workers->by_name, user);
        if (w == NULL || w->nsessions == 0)
            return 0;
        n = w->nsessions;
        upgrade_expire(w, true);
        kick_send(w, 0);
        return n;
    }
    for (struct worker *w = m->workers->first; w != NULL; w = w->next) {
        for (struct session *s = w->sessions; s != NULL; s = s->next) {
            if (s->id != id)
                continue;
            if (s->frozen != NULL)
                upgrade_end(w, s);
            else
                kick_send(w, id);
            n++;
            break;
        }
    }
    return n;
}

void workers_each_session(const struct master *m, void (*fn)(void *arg, const struct session_facts *f), void *arg)
{
    for (const struct worker *w = m->workers->first; w != NULL; w = w->next) {
        for (const struct session *s = w->sessions; s != NULL; s = s->next) {
            struct session_facts f = {.user = view_str(w->user->name),
                                      .protocol = s->protocol,
                                      .id = s->id,
                                      .peer = s->peer,
                                      .tls = s->tls,
                                      .age_ms = loop_now(m->loop) - s->since,
                                      .pid = w->pid};
            fn(arg, &f);
        }
    }
}

struct workers_facts workers_facts(const struct master *m)
{
    const struct workers *ws = m->workers;
    struct workers_facts f = {
        .processes = ws->running, .waiting_requests = ws->queued, .started = ws->nstarted, .died = ws->ndied};

    for (const struct worker *w = ws->first; w != NULL; w = w->next) {
        f.sessions += w->nsessions;
        if (w->pid != 0 && w->nsessions == 0)
            f.idle++;
    }
    return f;
}
