/*
 * culver-worker: the process of one user, running as that user. It gets client connections and deliveries from master, and it is
 * the only process that touches this user's mail.
 */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/maildir.h"
#include "storage/message/body.h"
#include "storage/vfs.h"
#include "worker/autos.h"
#include "worker/worker_int.h"

static int receive_start(void *arg, struct ipc_msg *msg)
{
    struct worker *w = arg;
    struct msg_user m;

    if (msg->kind != IPC_MASTER_USER || w->user != NULL || msg_user_decode(msg->body, &m) != 0)
        return ERR_PROTO;
    w->user = view_dup(m.user.name);
    w->mail_path = view_dup(m.user.mail_path);
    w->mail_format = m.user.format == USER_FORMAT_GENERAL   ? w->set->mail_format
                     : m.user.format == USER_FORMAT_MAILDIR ? SET_MAIL_MAILDIR
                                                            : SET_MAIL_CULVER;
    w->quota_bytes = m.user.quota_bytes;
    w->quota_messages = m.user.quota_messages;
    w->capability_disable = view_dup(m.user.capability_disable);
    w->room_bytes = w->room_messages = UINT64_MAX; /* without a word, anything fits */
    return 0;
}

static void on_session(struct worker *w, struct ipc_msg *msg)
{
    struct msg_session m;

    if (msg_session_decode(msg->body, &m) != 0)
        LOG_FATAL("malformed session from master");
    hosted_new(w, &m, msg->fds[0]);
    msg->fds[0] = -1;
}

static void on_deliver(struct worker *w, struct ipc_msg *msg)
{
    struct msg_deliver m;

    if (msg_deliver_decode(msg->body, &m) != 0)
        LOG_FATAL("malformed delivery from master");
    deliver_new(w, &m, msg->fds[0], msg->fds[1]);
    msg->fds[0] = msg->fds[1] = -1;
}

static void on_thaw(struct worker *w, struct ipc_msg *msg)
{
    struct msg_thaw m;

    if (msg_thaw_decode(msg->body, &m) != 0)
        LOG_FATAL("malformed session from master");
    upgrade_receive(w, &m, msg->fds);
}

static void on_kick(struct worker *w, struct ipc_msg *msg)
{
    struct msg_id m;

    if (msg_id_decode(msg->body, &m) != 0)
        LOG_FATAL("malformed kick from master");
    for (struct hosted *h = w->sessions; h != NULL; h = hosted_next(h)) {
        if (m.id == 0 || m.id == hosted_id(h))
            hosted_bye(h, "UNAVAILABLE", "The session was ended by the administrator.");
    }
}

static void on_master(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct worker *w = arg;

    (void)ch;
    switch (msg->kind) {
    case IPC_MASTER_SESSION:
        on_session(w, msg);
        break;
    case IPC_MASTER_DELIVER:
        on_deliver(w, msg);
        break;
    case IPC_MASTER_KICK:
        on_kick(w, msg);
        break;
    case IPC_MASTER_THAW:
        on_thaw(w, msg);
        break;
    case IPC_MASTER_UPGRADE:
        worker_upgrade(w);
        break;
    case IPC_MASTER_STOP:
        worker_stop(w);
        break;
    default:
        LOG_ERROR(0, "message that no worker handles", F_UINT("kind", msg->kind));
        break;
    }
}

/* Without master nothing new can come, and nobody would supervise us: finish what is under way and leave. */
static void on_master_gone(void *arg, struct ipc *ch, int err)
{
    struct worker *w = arg;

    (void)ch;
    LOG_WARN(0, "master is gone", F_STR("user", w->user), F_ERR(err));
    ipc_free(&w->proc.master);
    worker_stop(w);
}

static void on_term(void *arg, int signo)
{
    (void)signo;
    worker_stop(arg);
}

static void confine(struct worker *w)
{
    struct sandbox_path path = {w->mail_path, true};
    struct sandbox_params params = {
        .profile = SANDBOX_WORKER,
        .paths = &path,
        .npaths = 1,
        .memory_max = w->set->worker_memory,
    };
    int err;

    charset_preload();
    if (w->mail_format == SET_MAIL_MAILDIR)
        err = maildir_open(w->mail_path, &w->maildir, &w->vfs);
    else
        err = vfs_posix_open(w->mail_path, &w->vfs);
    w->spool_dir = err == 0 ? open(w->mail_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (err != 0) { /* sessions are told; master starts another worker for later ones */
        LOG_ERROR(0, "cannot open the mail directory", F_STR("user", w->user), F_STR("path", w->mail_path), F_ERR(err));
        params.npaths = 0;
    }
    proc_confine(&w->proc, &params);
    (void)malloc_trim(0); /* what reading the configuration and building the filter left: every user pays for it */
}

int main(void)
{
    static const struct conf_component *const components[] = {&set_worker_component};
    struct worker w = {0};
    int err;

    proc_start(&w.proc, "worker", ROLE_WORKER, components, ARRAY_LEN(components));
    w.general = conf_get(w.proc.conf, &set_general_component);
    w.set = conf_get(w.proc.conf, &set_worker_component);
    proc_receive(&w.proc, receive_start, &w);
    if (w.user == NULL)
        LOG_FATAL("master named no user");
    umask(077);
    confine(&w);
    worker_watch_memory(&w);
    autos_parse(&w.set->auto_mailboxes, &w.autos, &w.nautos);
    proc_serve(&w.proc, on_master, on_master_gone, &w);
    worker_life_init(&w);
    loop_on_turn(w.proc.loop, worker_tick, &w);
    if (loop_signal(w.proc.loop, SIGTERM, on_term, &w) != 0)
        LOG_FATAL("cannot watch signals");
    err = worker_account_open(&w);
    if (err != 0 && err != ERR_BUSY)
        LOG_WARN(0, "sessions will be refused until the mail can be opened", F_STR("user", w.user), F_ERR(err));
    worker_life_update(&w);
    if (loop_run(w.proc.loop) != 0)
        LOG_FATAL("the event loop failed");
    return 0;
}
