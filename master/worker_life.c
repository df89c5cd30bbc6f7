/*
 * How one worker starts, tells that it is ready or idle, and ends. A death is logged, costs its own sessions only, and makes the
 * next start of the same user wait a little when it keeps happening.
 */
#include "master/workers_int.h"

#include <signal.h>
#include <stdlib.h>

#include "common/sandbox/sandbox.h"
#include "master/mail_dir.h"
#include "master/process.h"
#include "master/rooms.h"

#define READY_DEADLINE_MS 30000
#define LEAVE_DEADLINE_MS 60000 /* for the last snapshot */
#define CLOSED_GRACE_MS 10000
#define REMEMBER_MS 60000 /* a user whose worker died: the back-off */

static void worker_kill(struct worker *w, const char *why)
{
    LOG_ERROR(0, "killing worker", F_STR("user", w->user->name), F_INT("child", w->pid), F_STR("reason", why));
    ipc_free(&w->ch);
    w->by_us = true;
    supervise_kill(w->m, w->pid, SIGKILL);
}

void worker_on_timer(void *arg)
{
    struct worker *w = arg;

    switch (w->state) {
    case WORKER_WAITING:
        if (worker_wanted(w))
            worker_try_start(w);
        else if (w->held_by == NULL)
            worker_forget(&w);
        break;
    case WORKER_STARTING:
        worker_kill(w, "not ready in time");
        break;
    case WORKER_READY:
        worker_kill(w, "closed its channel");
        break;
    case WORKER_LEAVING:
        worker_kill(w, "did not leave");
        break;
    }
}

void worker_leaving(struct worker *w)
{
    w->state = WORKER_LEAVING;
    timer_arm(w->timer, LEAVE_DEADLINE_MS);
}

void worker_leave(struct worker *w)
{
    if (w->state == WORKER_LEAVING || w->pid == 0)
        return;
    worker_leaving(w);
    if (w->ch == NULL || ipc_send(w->ch, IPC_MASTER_STOP, NULL, NULL, 0) != 0)
        supervise_kill(w->m, w->pid, SIGTERM);
}

/* --- what it says --------------------------------------------------------------------------------------------------------- */

static void on_ready(struct worker *w)
{
    if (w->state != WORKER_STARTING)
        return; /* already asked to leave */
    w->state = WORKER_READY;
    w->served = true;
    ipc_set_state(w->ch, IPC_STATE_READY);
    timer_disarm(w->timer);
    w->last_used = loop_now(w->m->loop);
    upgrade_dispatch(w);
    worker_dispatch(w);
    workers_pump(w->m); /* an idle worker whose place is wanted can be asked to leave only now */
}

static int on_ended(struct worker *w, const struct ipc_msg *msg)
{
    struct session **link = &w->sessions;
    struct msg_id m;

    if (msg_id_decode(msg->body, &m) != 0)
        return ERR_PROTO;
    while (*link != NULL && (*link)->id != m.id)
        link = &(*link)->next;
    if (*link == NULL)
        return ERR_PROTO;
    worker_session_end(w, link);
    upgrade_progress(w);
    w->last_used = loop_now(w->m->loop);
    if (w->nsessions == 0)
        workers_pump(w->m);
    return 0;
}

/* Its linger time is over. A session that was sent meanwhile keeps it; a delivery is finished before STOP is read. */
static void on_idle(struct worker *w)
{
    if (w->state == WORKER_READY && w->nsessions == 0 && w->nqueue == 0)
        worker_leave(w);
}

static int on_room(struct worker *w, const struct ipc_msg *msg)
{
    struct msg_worker_room room;

    if (msg_worker_room_decode(msg->body, &room) != 0)
        return ERR_PROTO;
    rooms_told(w->m->rooms, w->user, &room);
    return 0;
}

static void on_message(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct worker *w = arg;
    int rc = 0;

    (void)ch;
    switch (msg->kind) {
    case IPC_SERVICE_READY:
        on_ready(w);
        break;
    case IPC_WORKER_ENDED:
        rc = on_ended(w, msg);
        break;
    case IPC_WORKER_IDLE:
        on_idle(w);
        break;
    case IPC_WORKER_ROOM:
        rc = on_room(w, msg);
        break;
    case IPC_WORKER_FROZEN:
        rc = upgrade_on_frozen(w, msg);
        break;
    case IPC_WORKER_THAWED:
        rc = upgrade_on_thawed(w, msg);
        break;
    default:
        rc = ERR_PROTO;
        break;
    }
    if (rc != 0)
        worker_kill(w, "malformed message");
}

static void on_closed(void *arg, struct ipc *ch, int err)
{
    struct worker *w = arg;

    (void)ch;
    if (err == ERR_PROTO) {
        worker_kill(w, "broke the message table");
        return;
    }
    ipc_free(&w->ch);
    if (w->state != WORKER_LEAVING)
        timer_arm(w->timer, CLOSED_GRACE_MS);
}

/* --- its end -------------------------------------------------------------------------------------------------------------- */

static uint64_t delay_after(struct worker *w, int status, uint64_t lived)
{
    return backoff_was_killed(status, w->served, w->by_us) ? backoff_after_kill(&w->backoff) : backoff_delay(&w->backoff, lived);
}

/* What it said of the quota holds on where nobody but a worker changes the mail, and it had the time to say it. */
static void leave_room(struct worker *w, bool bad)
{
    const struct set_worker *set = w->m->setup->worker;
    bool maildir =
        w->user->format == USER_FORMAT_GENERAL ? set->mail_format == SET_MAIL_MAILDIR : w->user->format == USER_FORMAT_MAILDIR;
    bool keep = !bad && !maildir && w->held_by == NULL;

    rooms_left(w->m->rooms, w->user, keep ? loop_now(w->m->loop) + ROOMS_KEEP_MS : 0, set->message_size_max);
}

static void exited(void *arg, pid_t pid, int status)
{
    struct worker *w = arg;
    struct master *m = w->m;
    uint64_t lived = loop_now(m->loop) - w->started;
    bool bad;
    struct log_field how = supervise_status(status, &bad);

    if (bad)
        LOG_ERROR(0, "worker died", F_STR("user", w->user->name), F_INT("child", pid), how, F_UINT("sessions", w->nsessions),
                  F_UINT("lived_ms", lived));
    else
        LOG_DEBUG(0, "worker left", F_STR("user", w->user->name), F_INT("child", pid));
    if (w->ch != NULL)
        ipc_poll(w->ch); /* what it said last */
    leave_room(w, bad);
    worker_recover_unread(w);
    w->pid = 0;
    ipc_free(&w->ch);
    timer_disarm(w->timer);
    m->workers->running--;
    m->workers->ndied += bad;
    w->state = WORKER_WAITING;
    w->not_before = bad ? loop_now(m->loop) + delay_after(w, status, lived) : 0;
    upgrade_exited(w);
    if (w->held_by != NULL && !m->stopping)
        worker_held(w);
    else if (m->stopping || (!worker_wanted(w) && !bad))
        worker_forget(&w);
    else if (!worker_wanted(w))
        timer_arm(w->timer, REMEMBER_MS);
    else
        worker_try_start(w);
    workers_pump(m);
}

/* --- its start ------------------------------------------------------------------------------------------------------------ */

/* In the forked child: the last steps as root, then never again. */
static int become_user(void *arg)
{
    const struct worker *w = arg;
    size_t at = 0;
    int rc = 0;

    if (!w->m->rootless)
        rc = mail_dir_prepare(w->user->mail_path, w->ids.uid, w->ids.gid, &at);
    if (rc != 0) {
        LOG_ERROR(0, "cannot make the mail directory", F_STR("user", w->user->name),
                  F_VIEW("at", view_sub(view_str(w->user->mail_path), 0, at)), F_STR("path", w->user->mail_path), F_ERR(rc));
        return rc;
    }
    rc = sandbox_drop_ids(w->ids.uid, w->ids.gid, NULL, w->m->rootless);
    if (rc != 0)
        LOG_ERROR(0, "cannot become the user", F_STR("user", w->user->name), F_UINT("uid", w->ids.uid), F_ERR(rc));
    return rc;
}

static int send_start(struct worker *w)
{
    struct msg_user u = {.user = user_to_record(w->user)};
    struct buf body;
    int rc = process_send_config(w->m, w->ch, role_get(ROLE_ID_WORKER), w->ids);

    if (rc != 0)
        return rc;
    u.user.virtual_uid = false;
    u.user.uid = w->ids.uid;
    u.user.gid = w->ids.gid;
    buf_init(&body, IPC_MAX_BODY);
    msg_user_encode(&body, &u);
    rc = ipc_send(w->ch, IPC_MASTER_USER, &body, NULL, 0);
    buf_free(&body);
    return rc == 0 ? ipc_send(w->ch, IPC_MASTER_GO, NULL, NULL, 0) : rc;
}

static void start(struct worker *w)
{
    struct process_spec spec = {.role = role_get(ROLE_ID_WORKER),
                                .prepare = become_user,
                                .prepare_arg = w,
                                .handler = on_message,
                                .closed = on_closed,
                                .exited = exited,
                                .arg = w,
                                .peer_fd_out = &w->peer_fd};
    int rc = process_start(w->m, &spec, &w->pid, &w->ch);

    if (rc != 0) {
        LOG_ERROR(0, "cannot start worker", F_STR("user", w->user->name), F_ERR(rc));
        w->pid = 0;
        timer_arm(w->timer, backoff_delay(&w->backoff, 0));
        return;
    }
    w->m->workers->running++;
    w->m->workers->nstarted++;
    w->started = w->last_used = loop_now(w->m->loop);
    rooms_left(w->m->rooms, w->user, 0, 0);
    w->state = WORKER_STARTING;
    w->served = w->by_us = false;
    timer_arm(w->timer, READY_DEADLINE_MS);
    rc = send_start(w);
    if (rc != 0)
        worker_kill(w, err_str(rc));
}

/* Asks the least recently used idle worker to leave. */
static void evict(struct master *m)
{
    struct worker *oldest = NULL;

    for (struct worker *w = m->workers->first; w != NULL; w = w->next) {
        if (w->state == WORKER_LEAVING && w->nqueue == 0)
            return; /* one place is about to be free */
        if (w->state == WORKER_READY && w->nsessions == 0 && w->nqueue == 0 &&
            (oldest == NULL || w->last_used < oldest->last_used))
            oldest = w;
    }
    if (oldest != NULL)
        worker_leave(oldest);
    else
        LOG_DEBUG(0, "no place for another worker", F_UINT("workers_max", m->setup->master->workers_max));
}

void worker_try_start(struct worker *w)
{
    uint64_t now = loop_now(w->m->loop);

    if (w->pid != 0 || w->m->stopping || w->held_by != NULL)
        return;
    if (now < w->not_before)
        timer_arm(w->timer, w->not_before - now);
    else if (w->m->workers->running >= w->m->setup->master->workers_max)
        evict(w->m);
    else
        start(w);
}

void workers_pump(struct master *m)
{
    struct worker *next;

    for (struct worker *w = m->workers->first; w != NULL; w = next) {
        next = w->next;
        if (w->state != WORKER_WAITING || !worker_wanted(w) || timer_armed(w->timer) || w->held_by != NULL)
            continue;
        worker_try_start(w);
        if (m->workers->running >= m->setup->master->workers_max)
            return;
    }
}
