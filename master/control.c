#include "master/control.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "master/credentials.h"
#include "master/mails.h"
#include "master/workers.h"

#define CLIENTS_MAX 16
#define CLIENT_LIFE_MS 30000
#define MAIL_WAIT_MS 75000 /* a worker may take a minute to leave */
#define OUTPUT_MAX (16u * 1024 * 1024)
#define REFILL_MS 5 /* how soon to look again whether the client has read */

struct client {
    struct client *next;
    struct master *m;
    struct ipc *ch;
    struct buf lines; /* still to be sent */
    uint8_t status;
    bool answering;
    struct mail *mail; /* NULL: none of the verbs that need one */
    bool holds;        /* until it goes away */
    struct credential *credential;
    struct upgrade *upgrade;
    uint64_t deadline;
    struct timer *timer;
};

struct control {
    int fd;
    struct sockaddr_un addr;
    struct watch *watch;
    struct client *clients;
    size_t n;
};

static void client_free(struct client *c)
{
    struct client **link = &c->m->control->clients;

    while (*link != c)
        link = &(*link)->next;
    *link = c->next;
    c->m->control->n--;
    mail_end(&c->mail);
    credential_end(&c->credential);
    upgrade_free(&c->upgrade);
    timer_free(&c->timer);
    ipc_free(&c->ch);
    buf_free(&c->lines);
    free(c);
}

static int send_line(struct client *c, struct view line)
{
    struct msg_ctl_line m = {view_sub(line, 0, PROTO_LINE_MAX)};
    struct buf body;
    int rc;

    buf_init(&body, IPC_MAX_BODY);
    msg_ctl_line_encode(&body, &m);
    rc = ipc_send(c->ch, IPC_CTL_LINE, &body, NULL, 0);
    buf_free(&body);
    return rc;
}

static int send_end(struct client *c)
{
    struct msg_ctl_end m = {c->status};
    struct buf body;
    int rc;

    buf_init(&body, IPC_MAX_BODY);
    msg_ctl_end_encode(&body, &m);
    rc = ipc_send(c->ch, IPC_CTL_END, &body, NULL, 0);
    buf_free(&body);
    return rc;
}

/* Sends what the client takes; nothing is queued beyond one packet, so that a client that does not read costs only its text. */
static void client_answer(struct client *c)
{
    int rc = 0;

    while (rc == 0 && ipc_flushed(c->ch) && buf_len(&c->lines) > 0) {
        struct view all = buf_view(&c->lines);
        size_t end = view_find(all, '\n');
        rc = send_line(c, view_sub(all, 0, end));
        buf_consume(&c->lines, end < all.len ? end + 1 : end);
    }
    if (rc == 0 && buf_len(&c->lines) == 0 && ipc_flushed(c->ch)) {
        c->answering = false;
        rc = send_end(c);
        if (c->holds && c->status == 0)
            timer_disarm(c->timer);
        else
            timer_arm(c->timer, CLIENT_LIFE_MS);
    } else {
        timer_arm(c->timer, REFILL_MS);
    }
    if (rc != 0)
        client_free(c);
}

static void on_timer(void *arg)
{
    struct client *c = arg;

    if (c->answering && loop_now(c->m->loop) < c->deadline)
        client_answer(c);
    else
        client_free(c);
}

static void begin_answer(struct client *c)
{
    c->answering = true;
    c->deadline = loop_now(c->m->loop) + CLIENT_LIFE_MS;
    client_answer(c);
}

static void on_answer(void *arg, uint8_t status, struct view lines)
{
    struct client *c = arg;

    c->status = status;
    buf_put_view(&c->lines, lines);
    /* Not from here: this may run within the start of what is waited for. */
    c->answering = true;
    c->deadline = loop_now(c->m->loop) + CLIENT_LIFE_MS;
    timer_arm(c->timer, 0);
}

/* Bounded by what each worker is given. */
static void begin_upgrade(struct client *c, const struct msg_ctl_request *r)
{
    timer_disarm(c->timer);
    c->upgrade = upgrade_start(c->m, r->argument, on_answer, c);
}

static void begin_mail(struct client *c, const struct msg_ctl_request *r)
{
    c->holds = r->verb == CTL_HOLD;
    if (mail_start(c->m, r->argument, c->holds, on_answer, c, &c->mail) == 0) {
        timer_arm(c->timer, MAIL_WAIT_MS);
        return;
    }
    buf_put_str(&c->lines, "no culver-auth is ready\n");
    c->status = 1;
    begin_answer(c);
}

static int begin_credential(struct client *c, struct view body)
{
    struct msg_credential m;

    if (msg_credential_decode(body, &m) != 0)
        return ERR_PROTO;
    if (credential_start(c->m, &m, on_answer, c, &c->credential) == 0) {
        timer_arm(c->timer, CLIENT_LIFE_MS);
        return 0;
    }
    buf_put_str(&c->lines, "no culver-auth is ready\n");
    c->status = 1;
    begin_answer(c);
    return 0;
}

static void on_message(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct client *c = arg;
    struct msg_ctl_request r;

    ipc_set_state(ch, IPC_STATE_BUSY);
    buf_init(&c->lines, OUTPUT_MAX);
    if (msg->kind == IPC_CTL_CREDENTIAL) {
        if (begin_credential(c, msg->body) != 0)
            client_free(c);
        return;
    }
    if (msg->kind != IPC_CTL_REQUEST || msg_ctl_request_decode(msg->body, &r) != 0) {
        client_free(c);
        return;
    }
    if (r.verb == CTL_LOOKUP || r.verb == CTL_HOLD) {
        begin_mail(c, &r);
        return;
    }
    if (r.verb == CTL_UPGRADE) {
        begin_upgrade(c, &r);
        return;
    }
    c->status = control_run(c->m, &r, &c->lines);
    begin_answer(c);
}

static void on_closed(void *arg, struct ipc *ch, int err)
{
    (void)ch;
    (void)err;
    client_free(arg);
}

static bool peer_allowed(int fd)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
        return false;
    if (cred.uid == 0 || cred.uid == geteuid())
        return true;
    LOG_WARN(0, "control connection refused", F_UINT("uid", cred.uid), F_INT("peer_pid", cred.pid));
    return false;
}

static void on_connect(void *arg, int fd, unsigned events)
{
    struct master *m = arg;
    struct client *c;
    int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (peer < 0)
        return; /* gone again, or no descriptors: the next one is tried anew */
    if (m->control->n >= CLIENTS_MAX || !peer_allowed(peer)) {
        (void)close(peer);
        return;
    }
    c = xcalloc(1, sizeof(*c));
    c->m = m;
    c->timer = timer_new(m->loop, on_timer, c);
    timer_arm(c->timer, CLIENT_LIFE_MS);
    c->next = m->control->clients;
    m->control->clients = c;
    m->control->n++;
    c->ch = ipc_new(m->loop, peer, ROLE_MASTER, ROLE_CTL, on_message, on_closed, c);
}

static int bind_control(struct control *c)
{
    mode_t before = umask(0177);
    int rc = unlink(c->addr.sun_path) != 0 && errno != ENOENT ? -1 : 0;

    /* The pid file's lock says that no other master uses this folder. */
    if (rc == 0)
        rc = bind(c->fd, (const struct sockaddr *)&c->addr, sizeof(c->addr));
    (void)umask(before);
    return rc == 0 ? listen(c->fd, 16) : rc;
}

int control_open(struct master *m, struct buf *errors)
{
    struct control *c = xcalloc(1, sizeof(*c));
    struct buf path;

    buf_init(&path, sizeof(c->addr.sun_path) - 1);
    buf_put_fmt(&path, "%s/%s", m->setup->master->run_dir, CONTROL_NAME);
    c->addr.sun_family = AF_UNIX;
    if (buf_ok(&path))
        memcpy(c->addr.sun_path, path.data, buf_len(&path));
    buf_free(&path);
    c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    m->control = c;
    if (c->fd < 0 || c->addr.sun_path[0] == '\0' || bind_control(c) != 0) {
        master_complain(errors, "cannot make the control socket in", m->setup->master->run_dir, errno);
        return ERR_SYSTEM;
    }
    c->watch = loop_watch(m->loop, c->fd, LOOP_READ, on_connect, m);
    return c->watch != NULL ? 0 : ERR_SYSTEM;
}

void control_free(struct master *m)
{
    struct control *c = m->control;
    struct client *next;

    if (c == NULL)
        return;
    for (struct client *cl = c->clients; cl != NULL; cl = next) {
        next = cl->next;
        client_free(cl);
    }
    watch_free(&c->watch);
    if (c->fd >= 0) {
        (void)close(c->fd);
        if (unlink(c->addr.sun_path) != 0 && errno != ENOENT)
            LOG_WARN(0, "cannot remove socket", F_STR("path", c->addr.sun_path), F_ERRNO(errno));
    }
    free(c);
    m->control = NULL;
    mails_free(m);
}
