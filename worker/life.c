/*
 * The worker's own life: opening the account (waiting while a predecessor still holds its lock), lingering after the last
 * session, leaving when master says so. A worker never exits while a session may be on its way: it tells master that it is idle,
 * and master answers with IPC_MASTER_STOP once nothing more will come.
 */
#include "worker/worker_int.h"

#include <stdlib.h>
#include <time.h>

#include "common/log/log.h"
#include "storage/vfs.h"

#define OPEN_RETRY_MS 50
#define OPEN_WAIT_MS 10000
#define DELIVERY_LINGER_MS 2000
#define LEAVE_WAIT_MS 5000

static uint64_t wall_clock(void *arg)
{
    struct timespec ts;

    (void)arg;
    if (clock_gettime(CLOCK_REALTIME, &ts) != 0)
        PANIC("no clock");
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void files_changed(void *arg, int fd, unsigned events)
{
    (void)arg;
    (void)fd;
    (void)events; /* the tick takes it over */
}

static int try_open(struct worker *w)
{
    struct account_params params = {
        .flag_sync_ms = w->set->flag_sync,
        .quota_bytes = w->quota_bytes,
        .quota_messages = w->quota_messages,
        .mailboxes_max = w->set->mailboxes_max,
        .autos = w->autos,
        .nautos = w->nautos,
        .now_ms = wall_clock,
    };
    int err;

    if (w->vfs == NULL) /* it was opened before the sandbox closed, or cannot be */
        return ERR_DENIED;
    params.vfs = w->vfs;
    params.maildir = w->maildir;
    err = account_open(&params, &w->acc);
    if (err == 0)
        worker_quota_start(w);
    if (err == 0 && account_watch_fd(w->acc) >= 0)
        w->changes = loop_watch(w->proc.loop, account_watch_fd(w->acc), LOOP_READ, files_changed, w);
    return err;
}

static void start_all(struct worker *w)
{
    hosted_start_waiting(w);
    deliver_start_waiting(w);
}

static void open_retry(void *arg)
{
    struct worker *w = arg;

    if (worker_account_open(w) != ERR_BUSY)
        start_all(w);
}

int worker_account_open(struct worker *w)
{
    uint64_t now = loop_now(w->proc.loop);
    int err;

    if (w->acc != NULL)
        return 0;
    err = try_open(w);
    if (err == ERR_BUSY) {
        if (w->open_deadline == 0)
            w->open_deadline = now + OPEN_WAIT_MS;
        if (now < w->open_deadline) {
            timer_arm(w->open_retry, OPEN_RETRY_MS);
            return ERR_BUSY;
        }
    }
    w->open_deadline = 0;
    timer_disarm(w->open_retry);
    if (err != 0) {
        LOG_ERROR(0, "cannot open the mail", F_STR("user", w->user), F_STR("path", w->mail_path), F_ERR(err));
        return err == ERR_BUSY ? ERR_IO : err;
    }
    return 0;
}

/* Runs deferred, after the sessions that ended in this turn have given back their views. */
static void exit_worker(void *arg)
{
    struct worker *w = arg;

    if (w->acc != NULL) {
        watch_free(&w->changes); /* its descriptor is the account's */
        account_close(&w->acc);
    }
    loop_stop(w->proc.loop);
}

static void linger_over(void *arg)
{
    struct worker *w = arg;

    if (w->nsessions > 0 || w->ndeliveries > 0 || w->stopping)
        return;
    w->idle_told = true;
    if (w->proc.master == NULL || ipc_send(w->proc.master, IPC_WORKER_IDLE, NULL, NULL, 0) != 0)
        LOG_WARN(0, "cannot tell master that this worker is idle", F_STR("user", w->user));
}

static uint64_t linger_ms(const struct worker *w)
{
    if (w->acc == NULL || account_read_only(w->acc))
        return 0; /* the next session deserves a fresh try */
    return w->had_session ? w->set->worker_linger : DELIVERY_LINGER_MS;
}

void worker_life_update(struct worker *w)
{
    bool busy = w->nsessions > 0 || w->ndeliveries > 0;

    if (busy) {
        timer_disarm(w->linger);
        w->idle_told = false;
        return;
    }
    if (w->stopping) {
        if (!w->exiting)
            loop_defer(w->proc.loop, exit_worker, w);
        w->exiting = true;
        return;
    }
    if (!timer_armed(w->linger) && !w->idle_told)
        timer_arm(w->linger, linger_ms(w));
}

/* Clients that do not take their farewell do not keep the worker. */
static void leave_now(void *arg)
{
    struct worker *w = arg;
    struct hosted *next;

    for (struct hosted *h = w->sessions; h != NULL; h = next) {
        next = hosted_next(h);
        hosted_drop(h, "server shut down");
    }
}

void worker_stop(struct worker *w)
{
    if (w->stopping)
        return;
    w->stopping = true;
    w->upgrading = false;
    for (struct hosted *h = w->sessions; h != NULL; h = hosted_next(h))
        hosted_bye(h, "UNAVAILABLE", WORKER_STOP_TEXT);
    timer_arm(w->leave, LEAVE_WAIT_MS);
    worker_life_update(w);
}

void worker_life_init(struct worker *w)
{
    w->open_retry = timer_new(w->proc.loop, open_retry, w);
    w->linger = timer_new(w->proc.loop, linger_over, w);
    w->leave = timer_new(w->proc.loop, leave_now, w);
}
