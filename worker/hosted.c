/*
 * One client connection of the worker's user: the socket (or the worker's end of the pair to the login process that ends TLS),
 * its buffers and timers. The protocol sees only struct session_host.
 *
 * Back-pressure: nothing is read while the input buffer is full or more than SESSION_OUT_HIGH octets wait to be sent, and a
 * client that takes no output for output_stall_timeout is cut.
 */
#include "worker/hosted_int.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"

#define READ_SLICE (64 * 1024)
/* Of answers held in memory; message data are file ranges and do not count. A job stops at SESSION_OUT_HIGH, one answer may pass
 * it. */
#define OUT_MEMORY_MAX (128 * 1024 * 1024)
/* How long a client may go on talking after our last words. */
#define LINGER_MS 1000
/* Silence after which a compressed connection keeps no more than it must. */
#define REST_MS 5000

static void hosted_free(void *arg)
{
    struct hosted *h = arg;

    /* What the session has staged is told to it while it exists. The tick has no such case; what comes after it might. */
    if (h->w->acc != NULL && account_has_pending(h->w->acc)) {
        worker_commit(h->w);
        loop_again(h->w->proc.loop); /* what other sessions were told is to be sent */
    }
    if (h->session != NULL)
        h->protocol->close(h->session);
    watch_free(&h->watch);
    timer_free(&h->idle);
    timer_free(&h->stall);
    timer_free(&h->rest);
    close(h->fd);
    if (h->record >= 0)
        close(h->record);
    if (h->spool >= 0)
        close(h->spool);
    buf_free(&h->in);
    deflate_free(&h->deflate);
    outq_free(&h->host.out);
    free(h->tag);
    free(h->final);
    free(h->detail);
    free(h);
}

static void report_end(const struct hosted *h)
{
    struct buf body;

    LOG_INFO(h->host.id, "session ended", F_STR("user", h->w->user), F_STR("protocol", h->protocol->name),
             F_STR("reason", h->end_reason), F_UINT("in", h->received), F_UINT("out", h->sent));
    buf_init(&body, IPC_MAX_BODY);
    msg_id_encode(&body, &(struct msg_id){h->host.id});
    if (h->w->proc.master != NULL && ipc_send(h->w->proc.master, IPC_WORKER_ENDED, &body, NULL, 0) != 0)
        LOG_WARN(h->host.id, "cannot tell master of the session's end");
    buf_free(&body);
}

/* Takes the session out of everything now; its memory goes at the end of the turn, because callers may stand on it. */
void hosted_remove(struct hosted *h)
{
    *h->prev = h->next;
    if (h->next != NULL)
        h->next->prev = h->prev;
    h->prev = NULL;
    h->w->nsessions--;
    watch_free(&h->watch);
    loop_defer(h->w->proc.loop, hosted_free, h);
}

void hosted_drop(struct hosted *h, const char *reason)
{
    if (h->prev == NULL)
        return;
    h->end_reason = h->end_reason != NULL ? h->end_reason : reason;
    hosted_remove(h);
    report_end(h);
    worker_life_update(h->w);
}

static uint64_t host_now(const struct session_host *host)
{
    const struct hosted *h = host->priv;

    return loop_now(h->w->proc.loop);
}

static void host_wake(struct session_host *host)
{
    struct hosted *h = host->priv;

    h->runnable = true;
    loop_again(h->w->proc.loop);
}

static void host_set_timeout(struct session_host *host, uint64_t ms)
{
    struct hosted *h = host->priv;

    if (ms == 0)
        timer_disarm(h->idle);
    else
        timer_arm(h->idle, ms);
}

static void on_idle(void *arg)
{
    struct hosted *h = arg;

    if (h->session == NULL || h->closing)
        return;
    h->end_reason = "idle";
    h->protocol->timeout(h->session);
    h->runnable = true;
}

static void on_stall(void *arg)
{
    hosted_drop(arg, "output stalled");
}

static void on_rest(void *arg)
{
    struct hosted *h = arg;

    deflate_rest(h->deflate);
}

void hosted_init_out(struct hosted *h)
{
    h->host.out = outq_new(OUT_MEMORY_MAX);
}

void hosted_use_deflate(struct hosted *h, struct deflate *d)
{
    h->deflate = d;
    h->host.compressed = true;
    h->rest = timer_new(h->w->proc.loop, on_rest, h);
    timer_arm(h->rest, REST_MS);
}

static void host_compress(struct session_host *host)
{
    struct hosted *h = host->priv;

    if (h->deflate != NULL)
        return;
    hosted_use_deflate(h, deflate_new(host->out, &h->in));
    hosted_init_out(h);
    host_wake(host);
}

uint64_t hosted_unsent(const struct hosted *h)
{
    return outq_len(h->host.out) + (h->deflate == NULL ? 0 : deflate_unsent(h->deflate));
}

/* What may be received now. */
static size_t input_room(const struct hosted *h)
{
    size_t room = h->in.max > buf_len(&h->in) ? h->in.max - buf_len(&h->in) : 0;
    size_t held = h->deflate == NULL ? 0 : buf_len(deflate_received(h->deflate));

    if (h->deflate != NULL)
        room = room > 0 && held < DEFLATE_RECEIVED_HIGH ? DEFLATE_RECEIVED_HIGH - held : 0;
    return MIN_OF(room, (size_t)READ_SLICE);
}

static void drop_without_memory(struct hosted *h)
{
    (void)hosted_last_words(h); /* the log knows either way */
    hosted_drop(h, "out of memory");
}

/* Between what was received and what the session reads. A slice a turn, as of what comes uncompressed. */
static void inflate_input(struct hosted *h)
{
    int err;

    if (h->deflate != NULL && deflate_has_input(h->deflate)) {
        err = deflate_input(h->deflate, &h->in, READ_SLICE);
        timer_arm(h->rest, REST_MS);
        if (err == ERR_NOMEM)
            drop_without_memory(h);
        else if (err != 0)
            h->ended = true;
        if (err == ERR_SYNTAX) {
            hosted_bye(h, NULL, "Invalid compressed data");
            h->end_reason = "invalid compressed data";
        }
    }
    h->host.eof = h->ended && (h->deflate == NULL || !deflate_has_input(h->deflate));
}

/* One slice a turn, so that a fast client cannot keep the loop. */
static void read_input(struct hosted *h)
{
    struct buf *in = h->deflate == NULL ? &h->in : deflate_received(h->deflate);
    size_t room = input_room(h);
    uint8_t *p;
    ssize_t n;

    if (room == 0)
        return;
    p = buf_reserve(in, room);
    if (p == NULL) {
        drop_without_memory(h);
        return;
    }
    n = recv(h->fd, p, room, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        h->ended = true;
        h->host.eof = h->deflate == NULL;
        h->end_reason = h->end_reason != NULL ? h->end_reason : "client closed";
    } else {
        buf_commit(in, (size_t)n);
        h->received += (uint64_t)n;
    }
    h->runnable = true;
}

/* True when the client had something to say. Sets eof. */
static bool discard_input(struct hosted *h)
{
    uint8_t waste[16 * 1024];
    ssize_t n = recv(h->fd, waste, sizeof(waste), MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        h->host.eof = true;
    return n > 0;
}

static void on_socket(void *arg, int fd, unsigned events)
{
    struct hosted *h = arg;

    (void)fd;
    if (h->closing) {
        if (h->lingering)
            (void)discard_input(h);
        if ((events & LOOP_HANGUP) != 0 || (h->lingering && h->host.eof))
            hosted_drop(h, "client closed");
        return;
    }
    if ((events & (LOOP_READ | LOOP_HANGUP)) != 0 && !h->ended)
        read_input(h);
    if ((events & LOOP_HANGUP) != 0 && h->host.eof)
        h->runnable = true;
}

void hosted_start(struct hosted *h)
{
    h->runnable = true;
    if (h->record >= 0)
        upgrade_thaw(h);
    else
        h->session = h->protocol->open(&h->host, h->w->acc, view_str(h->tag), view_make(h->final, h->final_len));
    if (h->w->stopping)
        hosted_bye(h, "UNAVAILABLE", WORKER_STOP_TEXT);
    else if (h->w->upgrading && h->session != NULL)
        h->protocol->park(h->session);
}

void hosted_start_waiting(struct worker *w)
{
    struct hosted *next;

    for (struct hosted *h = w->sessions; h != NULL; h = next) {
        next = h->next;
        if (h->session == NULL && !h->closing)
            hosted_start(h);
    }
}

static bool init_socket(struct hosted *h, const struct msg_session *m)
{
    h->watch = loop_watch(h->w->proc.loop, h->fd, LOOP_READ, on_socket, h);
    if (h->watch == NULL)
        return false;
    buf_init(&h->in, h->w->set->imap_line_max);
    buf_put_view(&h->in, m->input);
    hosted_init_out(h);
    h->idle = timer_new(h->w->proc.loop, on_idle, h);
    h->stall = timer_new(h->w->proc.loop, on_stall, h);
    return buf_ok(&h->in);
}

static void link_session(struct hosted *h)
{
    struct worker *w = h->w;

    h->next = w->sessions;
    h->prev = &w->sessions;
    if (h->next != NULL)
        h->next->prev = &h->next;
    w->sessions = h;
    w->nsessions++;
    w->had_session = true;
}

static void init_host(struct hosted *h, const struct msg_session *m)
{
    h->host = (struct session_host){
        .id = m->session_id,
        .in = &h->in,
        .tls = m->tls,
        .admin = m->admin,
        .peer = m->peer,
        .local = m->local,
        .set = h->w->set,
        .hostname = h->w->general->hostname,
        .user = h->w->user,
        .capability_disable = h->w->capability_disable,
        .spool_dir = h->w->spool_dir,
        .now_ms = host_now,
        .wake = host_wake,
        .set_timeout = host_set_timeout,
        .compress = host_compress,
        .priv = h,
    };
}

void hosted_set_detail(struct hosted *h, struct view detail)
{
    free(h->detail);
    h->detail = view_dup(detail);
    h->host.detail = view_str(h->detail);
}

struct hosted *hosted_make(struct worker *w, const struct msg_session *m, int fd)
{
    struct hosted *h = xcalloc(1, sizeof(*h));

    h->w = w;
    h->fd = fd;
    h->record = h->spool = -1;
    h->protocol = protocol_find(m->protocol);
    if (h->protocol == NULL) {
        LOG_ERROR(m->session_id, "session of an unknown protocol", F_UINT("protocol", m->protocol));
        close(fd);
        free(h);
        return NULL;
    }
    h->tag = view_dup(m->tag);
    h->final = view_dup(m->final);
    h->final_len = m->final.len;
    init_host(h, m);
    hosted_set_detail(h, m->detail);
    link_session(h);
    if (!init_socket(h, m)) {
        hosted_drop(h, "cannot be served");
        return NULL;
    }
    return h;
}

void hosted_new(struct worker *w, const struct msg_session *m, int fd)
{
    struct hosted *h = hosted_make(w, m, fd);
    char peer[46];

    if (h == NULL)
        return;
    net_addr_format(&m->peer, peer);
    LOG_INFO(m->session_id, "session started", F_STR("user", w->user), F_STR("protocol", h->protocol->name), F_STR("peer", peer),
             F_STR("tls", m->tls ? "yes" : "no"));
    if (worker_account_open(w) != ERR_BUSY)
        hosted_start(h);
    worker_life_update(w);
}

/* While sessions are handed over nothing is read, but what is missing of a block of a compressed stream. */
static bool may_read(const struct hosted *h)
{
    return !h->w->upgrading || (h->deflate != NULL && !deflate_can_export(h->deflate));
}

void hosted_run(struct hosted *h)
{
    h->runnable = false;
    if (h->session == NULL || h->closing || h->prev == NULL)
        return;
    if (hosted_unsent(h) >= SESSION_OUT_HIGH && !h->w->upgrading)
        return; /* hosted_flush makes it runnable when there is room */
    if (may_read(h))
        inflate_input(h);
    if (h->prev == NULL)
        return;
    switch (h->protocol->run(h->session)) {
    case SESSION_WAIT:
        break;
    case SESSION_AGAIN:
        h->runnable = true;
        break;
    case SESSION_CLOSE:
        h->closing = true;
        if (h->end_reason == NULL)
            h->end_reason = "logged out";
        break;
    }
    if (h->deflate != NULL && deflate_has_input(h->deflate) && buf_len(&h->in) < h->in.max && may_read(h))
        h->runnable = true;
}

static void watch_for(struct hosted *h, bool writable)
{
    unsigned events = writable ? LOOP_WRITE : 0;

    if (h->lingering || (!h->closing && !h->ended && may_read(h) && input_room(h) > 0 && hosted_unsent(h) < SESSION_OUT_HIGH))
        events |= LOOP_READ;
    watch_set(h->watch, events);
}

/* Everything is sent. Closing with input unread would reset the connection, and our last words could be lost with it. */
static void close_gently(struct hosted *h)
{
    bool talks = buf_len(&h->in) > 0;

    (void)shutdown(h->fd, SHUT_WR); /* the close follows; a failure here means that the client is gone */
    talks = discard_input(h) || talks;
    if (!talks || h->host.eof) {
        hosted_drop(h, "closed");
        return;
    }
    h->lingering = true;
    timer_arm(h->stall, LINGER_MS);
    watch_for(h, false);
}

static int send_output(struct hosted *h, uint64_t *sent)
{
    if (h->deflate == NULL)
        return outq_flush(h->host.out, h->fd, sent);
    timer_arm(h->rest, REST_MS);
    return deflate_send(h->deflate, h->host.out, h->fd, sent);
}

void hosted_flush(struct hosted *h)
{
    uint64_t before, sent = 0;
    int err;

    if (h->lingering)
        return;
    if (!outq_ok(h->host.out) || (h->deflate != NULL && !deflate_ok(h->deflate))) {
        hosted_drop(h, "answer too large");
        return;
    }
    before = hosted_unsent(h);
    err = before == 0 ? 0 : send_output(h, &sent);
    h->sent += sent;
    if (err != 0 && err != ERR_AGAIN) {
        hosted_drop(h, err == ERR_CLOSED ? "client closed" : "output failed");
        return;
    }
    if (before >= SESSION_OUT_HIGH && hosted_unsent(h) < SESSION_OUT_HIGH)
        h->runnable = true;
    if (err == 0)
        timer_disarm(h->stall);
    else if (sent > 0 || !timer_armed(h->stall))
        timer_arm(h->stall, h->w->set->output_stall_timeout);
    if (err == 0 && h->closing) {
        close_gently(h);
        return;
    }
    watch_for(h, err == ERR_AGAIN);
}

void hosted_bye(struct hosted *h, const char *code, const char *text)
{
    h->end_reason = "ended by server";
    if (h->session == NULL || h->closing)
        return;
    h->protocol->bye(h->session, code, text);
    h->runnable = true;
    loop_again(h->w->proc.loop);
}

bool hosted_runnable(const struct hosted *h)
{
    return h->runnable && !h->closing && (h->w->upgrading || hosted_unsent(h) < SESSION_OUT_HIGH);
}

struct hosted *hosted_next(const struct hosted *h)
{
    return h->next;
}

uint64_t hosted_id(const struct hosted *h)
{
    return h->host.id;
}
