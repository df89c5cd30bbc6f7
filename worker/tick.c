/*
 * The tick: one turn of the loop. Sessions run first (they change nothing but stage transactions and write answers that need no
 * commit), then everything that was staged is committed with one write and at most one sync, and only then are answers sent. So
 * pipelined commands and concurrent deliveries share a sync, and no client reads OK before its change is durable.
 */
#include "common/log/log.h"
#include "worker/worker_int.h"

void worker_commit(struct worker *w)
{
    int err;

    if (w->acc == NULL || !account_has_pending(w->acc))
        return;
    err = account_commit(w->acc);
    if (err != 0 && !w->commit_failing)
        LOG_ERROR(0, "commit failed", F_STR("user", w->user), F_ERR(err));
    if (err == 0 && w->commit_failing)
        LOG_INFO(0, "commits work again", F_STR("user", w->user));
    w->commit_failing = err != 0;
}

static void background(void *arg)
{
    struct worker *w = arg;
    uint64_t wait;

    if (w->acc == NULL)
        return;
    wait = account_background(w->acc);
    if (wait != UINT64_MAX)
        timer_arm(w->background, wait);
}

static void look_again(void *arg)
{
    (void)arg; /* the turn that follows looks */
}

/* What other programs did to a Maildir comes before the sessions, so that a client that asks after a delivery is told of it. */
static void look_for_changes(struct worker *w)
{
    uint64_t wait;

    if (w->acc == NULL || w->maildir == NULL)
        return;
    worker_commit(w); /* account_scan() commits on its own */
    wait = account_scan(w->acc);
    if (w->look == NULL)
        w->look = timer_new(w->proc.loop, look_again, w);
    if (wait != UINT64_MAX && !timer_armed(w->look))
        timer_arm(w->look, wait);
}

static uint64_t room(uint64_t limit, uint64_t used)
{
    if (limit == QUOTA_NONE)
        return UINT64_MAX;
    return limit > used ? limit - used : 0;
}

/* Master answers for the quota before there is a message to be stored. */
static void tell_room(struct worker *w)
{
    struct quota_usage q;
    struct msg_worker_room m;
    struct buf body;

    if (w->acc == NULL || w->proc.master == NULL)
        return;
    account_quota(w->acc, &q);
    m = (struct msg_worker_room){room(q.limits.bytes, q.bytes), room(q.limits.messages, q.messages)};
    if (m.bytes == w->room_bytes && m.messages == w->room_messages)
        return;
    w->room_bytes = m.bytes;
    w->room_messages = m.messages;
    buf_init(&body, IPC_MAX_BODY);
    msg_worker_room_encode(&body, &m);
    if (ipc_send(w->proc.master, IPC_WORKER_ROOM, &body, NULL, 0) != 0)
        LOG_WARN(0, "master cannot be told of the quota", F_STR("user", w->user));
    buf_free(&body);
}

void worker_tick(void *arg)
{
    struct worker *w = arg;
    struct hosted *h, *next;
    bool again = false;

    look_for_changes(w);
    if (w->acc != NULL)
        deliver_start_waiting(w);
    for (h = w->sessions; h != NULL; h = next) {
        next = hosted_next(h);
        if (hosted_runnable(h))
            hosted_run(h);
    }
    worker_commit(w);
    worker_quota_check(w);
    worker_commit(w); /* a warning, if there is one */
    tell_room(w);
    for (h = w->sessions; h != NULL; h = next) {
        next = hosted_next(h);
        hosted_flush(h);
    }
    for (h = w->sessions; h != NULL; h = hosted_next(h))
        again = again || hosted_runnable(h);
    if (again)
        loop_again(w->proc.loop);
    if (w->background == NULL)
        w->background = timer_new(w->proc.loop, background, w);
    if (!timer_armed(w->background))
        background(w);
    worker_upgrade_step(w);
    worker_life_update(w);
}
