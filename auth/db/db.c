#include "auth/db/db.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/proc/proc.h"

#define SEND_TIMEOUT_MS 5000
#define WATCHDOG_GRACE_MS 1000
#define PASSWORD_FILE_MAX 1024
#define RETRY_FIRST_MS 100
#define RETRY_MAX_MS 4000

struct db_ctx {
    struct proc proc;
    const struct db_driver *driver;
    const struct set_auth *auth;
    struct db_link link;
    int fd; /* the channel to auth */
    bool stop;
    bool down; /* the last attempt to connect failed, and that was logged */
    uint64_t retry_ms, retry_at;
};

uint64_t db_now(void)
{
    struct timespec ts = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int db_left(const struct db_link *l)
{
    uint64_t now = db_now();
    return now >= l->deadline ? 1 : (int)(l->deadline - now);
}

void db_complain(const struct db_link *l, const char *what, const char *text)
{
    struct view reason = view_str(text);
    reason = view_trim(view_sub(reason, 0, MIN_OF(view_find(reason, '\n'), (size_t)300)));
    LOG_ERROR(0, what, F_STR("database", l->set->name), F_VIEW("reason", reason));
}

/* --- one question -------------------------------------------------------------------------------------------------------- */

/* The signal, which nobody handles, ends a process that hangs in a library. */
static void watch(uint64_t ms)
{
    const struct itimerval t = {.it_value = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)}};
    if (setitimer(ITIMER_REAL, &t, NULL) != 0)
        LOG_FATAL("no timer", F_ERRNO(errno));
}

static int connect_again(struct db_ctx *ctx)
{
    struct db_link *l = &ctx->link;
    if (l->handle != NULL)
        return 0;
    if (db_now() < ctx->retry_at)
        return ERR_AGAIN;
    int err = ctx->driver->open(l);
    if (err == 0) {
        if (ctx->down)
            LOG_INFO(0, "database can be reached again", F_STR("database", l->set->name));
        ctx->retry_ms = 0;
    } else {
        ctx->retry_ms = ctx->retry_ms == 0 ? RETRY_FIRST_MS : MIN_OF(2 * ctx->retry_ms, (uint64_t)RETRY_MAX_MS);
        ctx->retry_at = db_now() + ctx->retry_ms;
    }
    ctx->down = err != 0;
    return err;
}

static void disconnect(struct db_ctx *ctx)
{
    if (ctx->link.handle != NULL)
        ctx->driver->close(&ctx->link);
    ctx->link.handle = NULL;
}

static enum helper_result ask_once(struct db_ctx *ctx, const struct db_query *q, struct buf *record)
{
    ctx->link.broken = false; /* so it stays when nothing was asked: a pause is not made longer by questions */
    if (connect_again(ctx) != 0)
        return HELPER_TEMPORARY;
    buf_reset(record);
    enum helper_result result = ctx->driver->ask(&ctx->link, q, record);
    if (ctx->link.broken)
        disconnect(ctx);
    return result;
}

/* A connection that was there before may have died since, of which only its use tells: then it is made again, once. */
static enum helper_result ask(struct db_ctx *ctx, const struct db_query *q, struct buf *record)
{
    bool old = ctx->link.handle != NULL;
    ctx->link.deadline = db_now() + ctx->link.set->timeout;
    enum helper_result result = ask_once(ctx, q, record);
    if (result == HELPER_TEMPORARY && ctx->link.broken && old && db_now() < ctx->link.deadline)
        result = ask_once(ctx, q, record);
    if (result == HELPER_TEMPORARY && ctx->link.broken) {
        /* It connects and does not answer: as good as down. */
        ctx->retry_at = db_now() + RETRY_FIRST_MS;
        db_complain(&ctx->link, "database does not answer", "connection lost or out of time");
    }
    if (result == HELPER_OK && !buf_ok(record)) {
        db_complain(&ctx->link, "record of a user cannot be used", "a value is too long or has a NUL, or there are too many");
        result = HELPER_TEMPORARY;
    }
    return result;
}

/* By its name: after a reload culver-auth may still be of the old configuration, and we of the new one. */
static const struct set_ask *ask_find(const struct set_auth *auth, bool user, struct view section)
{
    for (size_t i = 0; i < (user ? auth->nuserdbs : auth->npassdbs); i++) {
        if (view_eq(view_str(user ? auth->userdbs[i].name : auth->passdbs[i].name), section))
            return user ? &auth->userdbs[i].ask : &auth->passdbs[i].ask;
    }
    return NULL;
}

static int query_make(const struct db_ctx *ctx, const struct msg_ask_db *msg, struct db_query *q)
{
    *q = (struct db_query){.ask = ask_find(ctx->auth, msg->what == ASK_DB_USERDB, msg->section),
                           .bind = msg->what == ASK_DB_BIND,
                           .password = msg->password};
    if (msg->what == ASK_DB_TOKEN && ctx->driver->kind == HELPER_OAUTH2)
        return view_eq(msg->section, view_str(ctx->link.set->name)) ? 0 : ERR_NOTFOUND;
    if (q->ask == NULL || ctx->driver->kind == HELPER_OAUTH2 || strcmp(q->ask->database, ctx->link.set->name) != 0)
        return ERR_NOTFOUND;
    memcpy(q->user, msg->user.ptr, msg->user.len);
    struct view whole = view_make(q->user, msg->user.len);
    size_t at = view_find(whole, '@');
    q->values[PARAM_USER] = whole;
    q->values[PARAM_NAME] = view_sub(whole, 0, at);
    q->values[PARAM_DOMAIN] = view_sub(whole, MIN_OF(at + 1, whole.len), whole.len);
    return 0;
}

static int answer(const struct db_ctx *ctx, enum helper_result result, struct view record)
{
    struct msg_helper_db msg = {.result = result, .record = result == HELPER_OK ? record : view_make(NULL, 0)};
    struct buf body;
    buf_init_secret(&body, IPC_MAX_BODY);
    msg_helper_db_encode(&body, &msg);
    int err = ipc_send_wait(ctx->fd, ROLE_HELPER, ROLE_AUTH, IPC_HELPER_DB, &body, NULL, 0, SEND_TIMEOUT_MS);
    buf_free(&body);
    return err;
}

static int serve_one(struct db_ctx *ctx, uint8_t *storage)
{
    struct ipc_msg msg;
    struct msg_ask_db question;
    struct db_query q;
    struct buf record;
    int err = ipc_recv_wait(ctx->fd, ROLE_HELPER, ROLE_AUTH, IPC_STATE_READY, storage, &msg, SEND_TIMEOUT_MS);
    if (err != 0)
        return err;
    if (msg.kind != IPC_AUTH_ASK_DB || msg_ask_db_decode(msg.body, &question) != 0 || query_make(ctx, &question, &q) != 0)
        return ERR_PROTO;
    buf_init_secret(&record, PROTO_RECORD_MAX);
    watch(ctx->link.set->timeout + WATCHDOG_GRACE_MS);
    enum helper_result result = ask(ctx, &q, &record);
    watch(0);
    err = answer(ctx, result, buf_view(&record));
    buf_free(&record);
    secret_wipe(storage, IPC_MAX_MSG);
    return err;
}

/* --- its life ------------------------------------------------------------------------------------------------------------ */

static const struct set_database *database_find(const struct set_auth *auth, struct view name)
{
    for (size_t i = 0; i < auth->ndatabases; i++) {
        if (view_eq(view_str(auth->databases[i].name), name))
            return &auth->databases[i];
    }
    return NULL;
}

static int receive(void *arg, struct ipc_msg *msg)
{
    struct db_ctx *ctx = arg;
    struct msg_helper helper;
    if (msg->kind != IPC_MASTER_HELPER || ctx->fd >= 0 || msg_helper_decode(msg->body, &helper) != 0 ||
        helper.kind != ctx->driver->kind)
        return ERR_PROTO;
    ctx->link.auth = ctx->auth;
    ctx->link.set = database_find(ctx->auth, helper.database);
    if (ctx->link.set == NULL)
        return ERR_NOTFOUND;
    ctx->fd = msg->fds[0];
    msg->fds[0] = -1; /* transferred */
    return 0;
}

/* Its first line. While we may still be root: nobody else needs to be able to read it. */
static void read_password(struct db_link *l)
{
    uint8_t text[PASSWORD_FILE_MAX];
    if (l->set->password_file[0] == '\0')
        return;
    int fd = open(l->set->password_file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
    if (n < 0)
        LOG_FATAL("password_file cannot be read", F_STR("file", l->set->password_file), F_ERRNO(errno));
    struct view line = view_make(text, (size_t)n);
    line = view_sub(line, 0, MIN_OF(view_find(line, '\n'), view_find(line, '\r')));
    if (line.len == 0 || (size_t)n == sizeof(text) || view_find(line, '\0') < line.len)
        LOG_FATAL("password_file has no password in its first line", F_STR("file", l->set->password_file));
    l->password = secret_new(line);
    if (l->password == NULL)
        LOG_FATAL("out of guarded memory");
    secret_wipe(text, sizeof(text));
    close(fd);
}

static void confine(struct db_ctx *ctx)
{
    char *copy = xstrdup(ctx->link.set->file);
    const struct sandbox_path path = {.path = dirname(copy)};
    struct sandbox_params params = {.profile = ctx->driver->profile};
    if (ctx->driver->reads_file) {
        params.paths = &path;
        params.npaths = 1;
    }
    proc_confine(&ctx->proc, &params);
    free(copy);
}

/* What master says of us: where the log is, and that it is over. */
static void on_master(struct db_ctx *ctx, uint8_t *storage)
{
    struct ipc_msg msg;
    int err = ipc_recv_wait(ctx->proc.master_fd, ROLE_HELPER, ROLE_MASTER, IPC_STATE_READY, storage, &msg, SEND_TIMEOUT_MS);
    if (err == 0 && msg.kind == IPC_MASTER_LOG) {
        if (dup2(msg.fds[0], STDERR_FILENO) < 0)
            LOG_ERROR(0, "cannot switch the log", F_ERRNO(errno));
        ipc_msg_close_fds(&msg);
    } else {
        ctx->stop = true;
    }
}

static int serve(struct db_ctx *ctx)
{
    static uint8_t storage[IPC_MAX_MSG];
    int err = 0;
    while (err == 0 && !ctx->stop) {
        struct pollfd fds[2] = {{.fd = ctx->fd, .events = POLLIN}, {.fd = ctx->proc.master_fd, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            err = ERR_SYSTEM;
        else if (fds[1].revents != 0)
            on_master(ctx, storage);
        else if (fds[0].revents != 0)
            err = serve_one(ctx, storage);
    }
    if (err != 0 && err != ERR_CLOSED)
        LOG_ERROR(0, "no usable question from auth", F_ERR(err));
    return err == 0 || err == ERR_CLOSED ? 0 : 1;
}

int db_main(const struct db_driver *driver)
{
    static const struct conf_component *const components[] = {&set_auth_component};
    static struct db_ctx ctx = {.fd = -1};
    ctx.driver = driver;
    proc_start(&ctx.proc, driver->proc, ROLE_HELPER, components, 1);
    ctx.auth = conf_get(ctx.proc.conf, &set_auth_component);
    proc_receive(&ctx.proc, receive, &ctx);
    if (ctx.fd < 0)
        LOG_FATAL("no channel from master");
    read_password(&ctx.link);
    if (signal(SIGALRM, SIG_DFL) == SIG_ERR)
        LOG_FATAL("cannot set a signal", F_ERRNO(errno));
    confine(&ctx);
    int err = ipc_send_wait(ctx.proc.master_fd, ROLE_HELPER, ROLE_MASTER, IPC_SERVICE_READY, NULL, NULL, 0, SEND_TIMEOUT_MS);
    if (err != 0)
        LOG_FATAL("cannot report to master", F_ERR(err));
    int status = serve(&ctx);
    disconnect(&ctx);
    secret_free(&ctx.link.password);
    return status;
}
