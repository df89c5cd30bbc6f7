/*
 * A fresh process in place of a worker, under its sessions. The worker makes a record of each, and hands it over with the
 * client's connection; master keeps both, without a look into either, until the next process, started from the program file as it
 * is then, says that it goes on with the session. Requests that come meanwhile wait as they do for any worker that leaves.
 *
 *   a worker has it ──FROZEN──► kept here ──THAW──► sent ──THAWED──► a worker has it
 *                                  ▲                  │ the process dies before: nothing was done with it
 *                                  └──────────────────┘ once; then, or after KEEP_MS, the client gets its farewell
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "master/fdcheck.h"
#include "master/supervise.h"
#include "master/workers_int.h"

#define KEEP_MS 30000
#define TRIES 2

struct frozen {
    int fds[3]; /* record, the client's connection, a file of its own or the record again */
    uint64_t size, deadline;
    bool quiet; /* a farewell may be put */
    bool sent;
    unsigned tries;
};

struct upgrade {
    struct master *m;
    upgrade_done_fn *done;
    void *arg;
    struct worker *current;         /* NULL: it is over */
    uint64_t round;                 /* 0: of one user */
    size_t workers, sessions, lost; /* sessions and lost: of the current one */
    bool failed;
    struct buf lines;
};

/* --- what is kept of a session ------------------------------------------------------------------------------------------------
 */

void upgrade_drop(struct worker *w, struct session *s)
{
    struct frozen *f = s->frozen;

    if (f == NULL)
        return;
    for (unsigned i = 0; i < ARRAY_LEN(f->fds); i++)
        (void)close(f->fds[i]);
    free(f);
    s->frozen = NULL;
    w->nfrozen--;
}

/* Its client is told why, where that can be told; POP3 has no words for it. */
static void farewell(const struct worker *w, const struct session *s)
{
    static const char text[] = "* BYE [UNAVAILABLE] The server could not go on with this session, please reconnect.\r\n";

    LOG_ERROR(s->id, "session lost between two workers", F_STR("user", w->user->name));
    if (s->frozen->quiet && s->protocol == PROTO_IMAP &&
        send(s->frozen->fds[1], text, sizeof(text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        LOG_DEBUG(s->id, "client does not take its farewell");
    (void)shutdown(s->frozen->fds[1], SHUT_RDWR); /* the worker may hold a copy */
}

void upgrade_end(struct worker *w, struct session *s)
{
    struct session **link = &w->sessions;

    while (*link != s)
        link = &(*link)->next;
    farewell(w, s);
    if (w->upgrade != NULL)
        w->upgrade->lost++;
    worker_session_end(w, link);
}

void upgrade_expire(struct worker *w, bool all)
{
    uint64_t now = loop_now(w->m->loop);
    struct session *next;

    for (struct session *s = w->sessions; s != NULL && w->nfrozen > 0; s = next) {
        next = s->next;
        if (s->frozen != NULL && (all || now >= s->frozen->deadline))
            upgrade_end(w, s);
    }
    upgrade_progress(w);
}

static struct session *session_find(struct worker *w, uint64_t id)
{
    struct session *s = w->sessions;

    while (s != NULL && s->id != id)
        s = s->next;
    return s;
}

int upgrade_on_frozen(struct worker *w, struct ipc_msg *msg)
{
    struct msg_frozen m;
    struct session *s;
    struct frozen *f;
    struct stat st;

    if (msg_frozen_decode(msg->body, &m) != 0)
        return ERR_PROTO;
    s = session_find(w, m.session_id);
    if (s == NULL || s->frozen != NULL || fdcheck_message(msg->fds[0], m.size) != 0 || fdcheck_session(msg->fds[1]) != 0 ||
        fstat(msg->fds[2], &st) != 0 || !S_ISREG(st.st_mode))
        return ERR_PROTO;
    f = xcalloc(1, sizeof(*f));
    f->size = m.size;
    f->quiet = m.quiet;
    f->deadline = loop_now(w->m->loop) + KEEP_MS;
    for (unsigned i = 0; i < ARRAY_LEN(f->fds); i++) {
        f->fds[i] = msg->fds[i];
        msg->fds[i] = -1; /* transferred */
    }
    s->frozen = f;
    w->nfrozen++;
    workers_sweep_soon(w->m);
    return 0;
}

/* --- to the next process
 * --------------------------------------------------------------------------------------------------------- */

static void thaw_send(struct worker *w, struct session *s)
{
    struct frozen *f = s->frozen;
    struct msg_thaw m = {.session_id = s->id,
                         .protocol = s->protocol,
                         .peer = s->peer,
                         .local = s->local,
                         .tls = s->tls,
                         .admin = s->admin,
                         .size = f->size,
                         .quiet = f->quiet};
    struct buf body;
    int rc;

    buf_init(&body, IPC_MAX_BODY);
    msg_thaw_encode(&body, &m);
    rc = ipc_send(w->ch, IPC_MASTER_THAW, &body, f->fds, ARRAY_LEN(f->fds));
    buf_free(&body);
    f->tries++;
    f->sent = rc == 0;
    if (rc != 0) {
        LOG_ERROR(s->id, "worker takes no session", F_STR("user", w->user->name), F_INT("child", w->pid), F_ERR(rc));
        upgrade_end(w, s);
    }
}

void upgrade_dispatch(struct worker *w)
{
    struct session *next;

    for (struct session *s = w->sessions; s != NULL && w->ch != NULL; s = next) {
        next = s->next;
        if (s->frozen != NULL && !s->frozen->sent)
            thaw_send(w, s);
    }
    upgrade_progress(w);
}

int upgrade_on_thawed(struct worker *w, const struct ipc_msg *msg)
{
    struct msg_id m;
    struct session *s;

    if (msg_id_decode(msg->body, &m) != 0)
        return ERR_PROTO;
    s = session_find(w, m.id);
    if (s == NULL || s->frozen == NULL || !s->frozen->sent)
        return ERR_PROTO;
    upgrade_drop(w, s);
    if (w->upgrade != NULL)
        w->upgrade->sessions++;
    upgrade_progress(w);
    return 0;
}

void upgrade_exited(struct worker *w)
{
    struct session **link = &w->sessions;

    while (*link != NULL) {
        struct session *s = *link;

        if (s->frozen == NULL) { /* the process has taken its connection along */
            if (w->upgrade != NULL)
                w->upgrade->lost++;
            worker_session_end(w, link);
            continue;
        }
        if (!w->served) /* it could not even start */
            s->frozen->tries++;
        if (w->m->stopping || w->held_by != NULL || s->frozen->tries >= TRIES) {
            upgrade_end(w, s);
        } else {
            s->frozen->sent = false;
            link = &s->next;
        }
    }
    upgrade_progress(w);
}

/* --- one, or one after the other
 * ------------------------------------------------------------------------------------------------- */

static void put_line(struct upgrade *u, const struct worker *w)
{
    buf_put_str(&u->lines, w->user->name);
    buf_put_fmt(&u->lines, ": %zu session%s taken over", u->sessions, u->sessions == 1 ? "" : "s");
    if (u->lost > 0)
        buf_put_fmt(&u->lines, ", %zu lost", u->lost);
    buf_put_byte(&u->lines, '\n');
}

static bool begin(struct upgrade *u, struct worker *w)
{
    if (ipc_send(w->ch, IPC_MASTER_UPGRADE, NULL, NULL, 0) != 0)
        return false;
    ipc_set_state(w->ch, IPC_STATE_BUSY);
    w->upgrade = u;
    u->current = w;
    u->sessions = u->lost = 0;
    worker_leaving(w);
    return true;
}

static bool may_upgrade(const struct worker *w)
{
    return !w->m->stopping && w->state == WORKER_READY && w->ch != NULL && w->upgrade == NULL && w->held_by == NULL;
}

/* The next one that was not started since, or the end. */
static void next(struct upgrade *u)
{
    u->current = NULL;
    for (struct worker *w = u->m->workers->first; w != NULL && u->round != 0 && !u->m->stopping; w = w->next) {
        if (w->upgrade_round >= u->round || !may_upgrade(w))
            continue;
        w->upgrade_round = u->round;
        if (begin(u, w)) {
            u->workers++;
            return;
        }
    }
    if (u->round != 0)
        buf_put_fmt(&u->lines, "%zu worker%s\n", u->workers, u->workers == 1 ? "" : "s");
    u->done(u->arg, u->failed ? 1 : 0, buf_view(&u->lines));
}

void upgrade_progress(struct worker *w)
{
    struct upgrade *u = w->upgrade;

    if (u == NULL || w->nfrozen > 0 || w->state == WORKER_LEAVING || w->state == WORKER_STARTING)
        return;
    w->upgrade = NULL;
    u->failed = u->failed || u->lost > 0;
    put_line(u, w);
    next(u);
}

struct upgrade *upgrade_start(struct master *m, struct view user, upgrade_done_fn *done, void *arg)
{
    struct upgrade *u = xcalloc(1, sizeof(*u));
    bool all = view_eq(user, VIEW("--all"));
    struct worker *w = all ? NULL : table_get(m->workers->by_name, user);

    u->m = m;
    u->done = done;
    u->arg = arg;
    buf_init(&u->lines, 16u << 20);
    if (all) {
        u->round = ++m->workers->upgrade_round;
        next(u);
    } else if (w == NULL || w->pid == 0) {
        buf_put_str(&u->lines, "no worker runs for this user\n");
        done(arg, 0, buf_view(&u->lines));
    } else if (!may_upgrade(w) || !begin(u, w)) {
        buf_put_str(&u->lines, "the worker is starting or leaving\n");
        done(arg, 75, buf_view(&u->lines));
    }
    return u;
}

void upgrade_free(struct upgrade **up)
{
    struct upgrade *u = *up;

    if (u == NULL)
        return;
    if (u->current != NULL)
        u->current->upgrade = NULL;
    buf_free(&u->lines);
    free(u);
    *up = NULL;
}
