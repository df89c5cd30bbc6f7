/*
 * The way of a session through master, with everything of master but the services: the test plays the login child, auth and the
 * client, and this same program, executed as "culver-worker", plays the worker.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "master/conns.h"
#include "master/logtarget.h"
#include "master/rooms.h"
#include "master/service.h"
#include "master/supervise.h"
#include "master/workers.h"

/* --- the worker ------------------------------------------------------------------------------------------------------------- */

static int fake_send(enum ipc_kind kind, const struct buf *body)
{
    return ipc_send_wait(3, ROLE_WORKER, ROLE_MASTER, kind, body, NULL, 0, 1000);
}

static int fake_ended(uint64_t id)
{
    struct msg_id m = {id};
    struct buf body;
    int rc;

    buf_init(&body, 100);
    msg_id_encode(&body, &m);
    rc = fake_send(IPC_WORKER_ENDED, &body);
    buf_free(&body);
    return rc;
}

/* The tag says what is to happen. */
static int fake_session(const struct ipc_msg *msg, const char *user)
{
    struct msg_session s;

    if (msg_session_decode(msg->body, &s) != 0)
        return 1;
    if (view_eq(s.tag, VIEW("die")))
        (void)kill(getpid(), SIGKILL);
    if (view_eq(s.tag, VIEW("lie")))
        return fake_ended(s.session_id + 1);
    if (dprintf(msg->fds[0], "%s %d", user, (int)getpid()) < 0)
        return 1;
    (void)close(msg->fds[0]);
    if (view_eq(s.tag, VIEW("stay")))
        return 0;
    return fake_ended(s.session_id) != 0 || fake_send(IPC_WORKER_IDLE, NULL) != 0;
}

static int fake_deliver(const struct ipc_msg *msg)
{
    struct msg_delivered d = {.code = 250, .enhanced = VIEW("2.0.0"), .text = VIEW("saved")};
    struct buf body;
    int rc;

    buf_init(&body, 1000);
    msg_delivered_encode(&body, &d);
    rc = ipc_send_wait(msg->fds[1], ROLE_WORKER, ROLE_LCONN, IPC_WORKER_DELIVERED, &body, NULL, 0, 1000);
    buf_free(&body);
    return rc;
}

static int fake_worker(void)
{
    static uint8_t storage[IPC_MAX_MSG];
    enum ipc_state state = IPC_STATE_NEW;
    struct msg_user u;
    struct ipc_msg msg;
    char *user = NULL;
    int rc = 0;

    while (rc == 0 && ipc_recv_wait(3, ROLE_WORKER, ROLE_MASTER, state, storage, &msg, 60000) == 0) {
        switch (msg.kind) {
        case IPC_MASTER_USER:
            rc = msg_user_decode(msg.body, &u);
            user = rc == 0 ? view_dup(u.user.name) : NULL;
            break;
        case IPC_MASTER_GO:
            rc = fake_send(IPC_SERVICE_READY, NULL);
            state = IPC_STATE_READY;
            break;
        case IPC_MASTER_SESSION:
            rc = fake_session(&msg, user);
            break;
        case IPC_MASTER_DELIVER:
            rc = fake_deliver(&msg);
            break;
        case IPC_MASTER_STOP:
            free(user);
            return 0;
        default:
            break;
        }
    }
    free(user);
    return rc == 0 ? 0 : 1;
}

/* --- the master ------------------------------------------------------------------------------------------------------------ */

static struct master m;
static char dir[] = "/tmp/culver-test-route-XXXXXX";

static const char conf_text[] = "log_level = error\nsessions_per_user = 3\nsessions_per_user_address = 2\nworkers_max = 2\n"
                                "listener imap {\n    protocol = imap\n    address = 127.0.0.1\n}\n"
                                "passdb p {\n    driver = passwd-file\n    file = /dev/null\n}\n"
                                "userdb u {\n    driver = static\n    uid = virtual\n    gid = virtual\n}\n";

static int group_setup(void **state)
{
    struct setup_params p = {.rootless = true, .generation = 1, .self_dir = dir};
    char conf[64], worker[64], self[256] = "";
    struct buf errors;
    FILE *f;
    int rc;

    (void)state;
    m = (struct master){.rootless = true, .pid_fd = -1};
    if (sodium_init() < 0 || mkdtemp(dir) == NULL || readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
        return -1;
    (void)snprintf(conf, sizeof(conf), "%s/conf", dir);
    (void)snprintf(worker, sizeof(worker), "%s/culver-worker", dir);
    f = fopen(conf, "w");
    if (f == NULL || fputs(conf_text, f) < 0 || fclose(f) != 0 || symlink(self, worker) != 0)
        return -1;
    p.conf_path = conf;
    p.libexec = dir;
    buf_init(&errors, 65536);
    rc = setup_load(&p, &m.setup, &errors);
    if (rc == 0)
        rc = logtarget_open(m.setup, &m.log, &errors);
    if (rc != 0)
        print_error("%.*s\n", (int)buf_len(&errors), (const char *)errors.data);
    buf_free(&errors);
    if (rc != 0)
        return -1;
    log_init("test", logtarget_fd(m.log), LOG_SINK_STREAM, LOG_LVL_FATAL);
    m.loop = loop_new();
    m.grants = grants_new(100, 100);
    m.limits = session_limits_new();
    m.rooms = rooms_new(100);
    session_limits_set(m.limits, 3, 2, 100);
    conns_init(&m);
    workers_init(&m);
    services_init(&m);
    return supervise_init(&m);
}

static int group_teardown(void **state)
{
    char path[64];

    (void)state;
    conns_free(&m);
    supervise_kill_all(&m, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0)
        continue;
    workers_free(&m);
    services_free(&m.services);
    grants_free(&m.grants);
    session_limits_free(&m.limits);
    rooms_free(&m.rooms);
    supervise_free(&m.children);
    loop_free(&m.loop);
    setup_free(&m.setup);
    logtarget_free(&m.log);
    (void)snprintf(path, sizeof(path), "%s/conf", dir);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/culver-worker", dir);
    (void)unlink(path);
    return rmdir(dir);
}

/* --- the others --------------------------------------------------------------------------------------------------------------
 */

static uint64_t next_id = 100;

struct peer {
    uint64_t id;
    enum ipc_role role;
    int ch;     /* the connection's channel to master */
    int client; /* what the client sees */
};

static struct peer peer_new(enum ipc_role role)
{
    struct msg_conn c = {.conn_id = next_id++,
                         .protocol = role == ROLE_LCONN ? PROTO_LMTP : PROTO_IMAP,
                         .peer = {.family = 4, .ip = {192, 0, 2, 1}}};
    struct peer p = {.id = c.conn_id, .role = role, .client = -1};
    struct ipc_msg msg = {.kind = IPC_LOGIN_CONN, .nfds = 1};
    struct buf body;
    int fds[2];

    assert_int_equal(ipc_pair(fds), 0);
    p.ch = fds[0];
    msg.fds[0] = fds[1];
    buf_init(&body, 1000);
    msg_conn_encode(&body, &c);
    msg.body = buf_view(&body);
    assert_int_equal(conns_announce(&m, 1, role, c.protocol, &msg), 0);
    assert_int_equal(msg.fds[0], -1);
    buf_free(&body);
    return p;
}

static void peer_close(struct peer *p)
{
    (void)close(p->ch);
    if (p->client >= 0)
        (void)close(p->client);
    for (int i = 0; i < 600 && grants_conn_find(m.grants, p->id) != NULL; i++)
        assert_int_equal(loop_turn(m.loop, 10), 0);
    assert_null(grants_conn_find(m.grants, p->id));
}

static void grant(const struct peer *p, uint32_t rcpt, const char *user)
{
    struct msg_grant g = {.conn_id = p->id,
                          .rcpt_id = rcpt,
                          .user = {.name = view_str(user), .virtual_uid = true, .mail_path = VIEW("/nonexistent/mail")}};
    struct buf body;

    buf_init(&body, 4000);
    msg_grant_encode(&body, &g);
    assert_true(buf_ok(&body));
    assert_int_equal(conns_grant(&m, buf_view(&body)), 0);
    buf_free(&body);
}

static void take_fd(const struct peer *p, const char *tag, int fd)
{
    struct msg_take t = {.tag = view_str(tag)};
    struct buf body;

    buf_init(&body, 4000);
    msg_take_encode(&body, &t);
    assert_int_equal(ipc_send_wait(p->ch, ROLE_CONN, ROLE_MASTER, IPC_CONN_TAKE, &body, &fd, 1, 1000), 0);
    buf_free(&body);
}

static void take(struct peer *p, const char *tag)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    p->client = fds[0];
    take_fd(p, tag, fds[1]);
    (void)close(fds[1]);
}

/* Turns the loop until the channel says something (its kind), or is closed (0). */
static enum ipc_kind hear(int ch, enum ipc_role self, enum ipc_role from, struct ipc_msg *msg)
{
    static uint8_t storage[IPC_MAX_MSG];

    for (int i = 0; i < 600; i++) {
        int rc = ipc_recv_wait(ch, self, from, IPC_STATE_BUSY, storage, msg, 0);
        if (rc == 0)
            return msg->kind;
        if (rc == ERR_CLOSED)
            return 0;
        assert_int_equal(rc, ERR_TIMEOUT);
        assert_int_equal(loop_turn(m.loop, 10), 0);
    }
    fail_msg("no answer");
    return 0;
}

static enum ipc_kind answer(const struct peer *p)
{
    struct ipc_msg msg;

    return hear(p->ch, p->role, ROLE_MASTER, &msg);
}

static enum take_fail refusal(const struct peer *p)
{
    struct msg_take_fail f;
    struct ipc_msg msg;

    assert_int_equal(hear(p->ch, p->role, ROLE_MASTER, &msg), IPC_MASTER_TAKE_FAIL);
    assert_int_equal(msg_take_fail_decode(msg.body, &f), 0);
    assert_true(f.text.len > 0);
    return f.code;
}

/* What the worker wrote to the client: the user's name and the worker's pid. */
static int greeting(const struct peer *p, const char *user)
{
    struct pollfd pfd = {.fd = p->client, .events = POLLIN};
    char text[100] = "";

    assert_int_equal(poll(&pfd, 1, 5000), 1);
    assert_true(read(p->client, text, sizeof(text) - 1) > 0);
    assert_memory_equal(text, user, strlen(user));
    return (int)strtol(text + strlen(user) + 1, NULL, 10);
}

static void settle(size_t sessions, size_t processes)
{
    for (int i = 0; i < 600; i++) {
        struct workers_facts f = workers_facts(&m);
        if (f.sessions == sessions && f.processes == processes)
            return;
        assert_int_equal(loop_turn(m.loop, 10), 0);
    }
    fail_msg("sessions or workers are not as many as expected");
}

/* --- tests --------------------------------------------------------------------------------------------------------------------
 */

static void test_session(void **state)
{
    struct peer a = peer_new(ROLE_CONN), b = peer_new(ROLE_CONN);
    int first;

    (void)state;
    grant(&a, 0, "alice");
    take(&a, "stay");
    assert_int_equal(answer(&a), IPC_MASTER_TAKE_OK);
    first = greeting(&a, "alice");
    assert_int_equal(session_limits_total(m.limits), 1);
    grant(&b, 0, "alice");
    take(&b, "");
    assert_int_equal(answer(&b), IPC_MASTER_TAKE_OK);
    assert_int_equal(greeting(&b, "alice"), first); /* one user, one worker */
    peer_close(&a);
    peer_close(&b);
    settle(1, 1);
    assert_int_equal(workers_kick(&m, VIEW("alice"), 0), 1);
    assert_int_equal(workers_kick(&m, VIEW("nobody"), 0), 0);
    supervise_kill(&m, first, SIGKILL);
    settle(0, 0);
    assert_int_equal(session_limits_total(m.limits), 0);
    assert_int_equal(grants_conn_count(m.grants), 0);
}

/* The grant may come after the TAKE. */
static void test_late_grant(void **state)
{
    struct peer p = peer_new(ROLE_CONN);

    (void)state;
    take(&p, "");
    for (int i = 0; i < 5; i++)
        assert_int_equal(loop_turn(m.loop, 10), 0);
    grant(&p, 0, "bob");
    assert_int_equal(answer(&p), IPC_MASTER_TAKE_OK);
    (void)greeting(&p, "bob");
    peer_close(&p);
    settle(0, 0); /* IDLE was answered with STOP */
}

static void test_no_grant(void **state)
{
    struct peer p = peer_new(ROLE_CONN);

    (void)state;
    take(&p, "");
    assert_int_equal(refusal(&p), TAKE_FAIL_NO_GRANT);
    /* A grant for a TAKE that was refused opens nothing. */
    grant(&p, 0, "bob");
    for (int i = 0; i < 5; i++)
        assert_int_equal(loop_turn(m.loop, 10), 0);
    assert_int_equal(workers_running(&m), 0);
    peer_close(&p);
}

static void test_replay(void **state)
{
    struct peer p = peer_new(ROLE_CONN);

    (void)state;
    grant(&p, 0, "bob");
    take(&p, "");
    assert_int_equal(answer(&p), IPC_MASTER_TAKE_OK);
    (void)greeting(&p, "bob");
    (void)close(p.client);
    take(&p, "");
    assert_int_equal(answer(&p), 0);
    assert_null(grants_conn_find(m.grants, p.id));
    peer_close(&p);
    settle(0, 0);
}

/* What is no client's connection is refused, and the grant is gone all the same. */
static void test_wrong_descriptor(void **state)
{
    struct peer p = peer_new(ROLE_CONN), q = peer_new(ROLE_CONN);
    int l = socket(AF_INET, SOCK_STREAM, 0), null = open("/dev/null", O_RDWR);

    (void)state;
    assert_int_equal(listen(l, 1), 0);
    grant(&p, 0, "bob");
    take_fd(&p, "", l);
    assert_int_equal(refusal(&p), TAKE_FAIL_UNAVAILABLE);
    grant(&q, 0, "bob");
    take_fd(&q, "", null);
    assert_int_equal(refusal(&q), TAKE_FAIL_UNAVAILABLE);
    assert_int_equal(grants_count(m.grants), 0);
    assert_int_equal(session_limits_total(m.limits), 0);
    (void)close(l);
    (void)close(null);
    peer_close(&p);
    peer_close(&q);
}

static void test_limit(void **state)
{
    struct peer p[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        p[i] = peer_new(ROLE_CONN);
        grant(&p[i], 0, "alice");
        take(&p[i], "stay");
        if (i < 2)
            assert_int_equal(answer(&p[i]), IPC_MASTER_TAKE_OK);
        else
            assert_int_equal(refusal(&p[i]), TAKE_FAIL_LIMIT);
    }
    (void)greeting(&p[0], "alice");
    supervise_kill(&m, greeting(&p[1], "alice"), SIGKILL);
    settle(0, 0);
    for (int i = 0; i < 3; i++)
        peer_close(&p[i]);
}

/* A worker that dies takes its sessions along; the next session gets a new one, and other users notice nothing. */
static void test_death(void **state)
{
    struct peer other = peer_new(ROLE_CONN), p = peer_new(ROLE_CONN), q = peer_new(ROLE_CONN);
    int pid;

    (void)state;
    grant(&other, 0, "carol");
    take(&other, "stay");
    assert_int_equal(answer(&other), IPC_MASTER_TAKE_OK);
    pid = greeting(&other, "carol");
    grant(&p, 0, "dave");
    take(&p, "die");
    assert_int_equal(answer(&p), IPC_MASTER_TAKE_OK);
    settle(1, 1);
    grant(&q, 0, "dave");
    take(&q, "lie"); /* ends a session that is not its own */
    assert_int_equal(answer(&q), IPC_MASTER_TAKE_OK);
    settle(1, 1);
    assert_int_equal(kill(pid, 0), 0);
    supervise_kill(&m, pid, SIGKILL);
    settle(0, 0);
    peer_close(&other);
    peer_close(&p);
    peer_close(&q);
}

/* What a worker had not read when it was killed goes to the next one. */
static void test_unread_survives(void **state)
{
    struct peer p = peer_new(ROLE_CONN), q = peer_new(ROLE_CONN);
    int pid;

    (void)state;
    grant(&p, 0, "henry");
    take(&p, "stay");
    assert_int_equal(answer(&p), IPC_MASTER_TAKE_OK);
    pid = greeting(&p, "henry");
    assert_int_equal(kill(pid, SIGSTOP), 0);
    grant(&q, 0, "henry");
    take(&q, "stay");
    assert_int_equal(answer(&q), IPC_MASTER_TAKE_OK);
    supervise_kill(&m, pid, SIGKILL);
    for (int i = 0; i < 100; i++)
        assert_int_equal(loop_turn(m.loop, 5), 0);
    assert_int_not_equal(greeting(&q, "henry"), pid);
    settle(1, 1);
    assert_int_equal(session_limits_total(m.limits), 1);
    supervise_kill_all(&m, SIGKILL);
    settle(0, 0);
    assert_int_equal(session_limits_total(m.limits), 0);
    peer_close(&p);
    peer_close(&q);
}

/* With workers_max = 2: an idle worker makes room, a busy one does not. */
static void test_places(void **state)
{
    struct peer p[3];
    int pids[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        p[i] = peer_new(ROLE_CONN);
    grant(&p[0], 0, "eve1");
    take(&p[0], "stay");
    assert_int_equal(answer(&p[0]), IPC_MASTER_TAKE_OK);
    pids[0] = greeting(&p[0], "eve1");
    grant(&p[1], 0, "eve2");
    take(&p[1], "stay");
    assert_int_equal(answer(&p[1]), IPC_MASTER_TAKE_OK);
    pids[1] = greeting(&p[1], "eve2");
    grant(&p[2], 0, "eve3");
    take(&p[2], "stay");
    for (int i = 0; i < 20; i++)
        assert_int_equal(loop_turn(m.loop, 5), 0);
    assert_int_equal(workers_facts(&m).waiting_requests, 1);
    supervise_kill(&m, pids[0], SIGKILL);
    assert_int_equal(answer(&p[2]), IPC_MASTER_TAKE_OK);
    pids[2] = greeting(&p[2], "eve3");
    settle(2, 2);
    supervise_kill(&m, pids[1], SIGKILL);
    supervise_kill(&m, pids[2], SIGKILL);
    settle(0, 0);
    for (int i = 0; i < 3; i++)
        peer_close(&p[i]);
}

/* A client that goes while its session waits leaves nothing behind. */
static void test_cancel(void **state)
{
    struct peer p = peer_new(ROLE_CONN);

    (void)state;
    grant(&p, 0, "frank");
    take(&p, "");
    assert_int_equal(loop_turn(m.loop, 10), 0);
    assert_int_equal(session_limits_total(m.limits), 1);
    assert_int_equal(workers_facts(&m).waiting_requests, 1);
    peer_close(&p);
    assert_int_equal(workers_facts(&m).waiting_requests, 0);
    assert_int_equal(session_limits_total(m.limits), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(loop_turn(m.loop, 2), 0);
    supervise_kill_all(&m, SIGKILL);
    settle(0, 0);
}

static unsigned deliver(const struct peer *p, uint32_t rcpt, bool sealed)
{
    struct msg_deliver d = {.rcpt_id = rcpt, .size = 5, .sender = VIEW("a@example.org")};
    struct msg_delivered reply;
    struct ipc_msg msg;
    struct buf body;
    int pair[2], fds[2];
    unsigned code = 0;

    fds[0] = memfd_create("message", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    assert_int_equal(write(fds[0], "hello", 5), 5);
    if (sealed)
        assert_int_equal(fcntl(fds[0], F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL), 0);
    assert_int_equal(ipc_pair(pair), 0);
    fds[1] = pair[1];
    buf_init(&body, 4000);
    msg_deliver_encode(&body, &d);
    assert_int_equal(ipc_send_wait(p->ch, ROLE_LCONN, ROLE_MASTER, IPC_LCONN_DELIVER, &body, fds, 2, 1000), 0);
    buf_free(&body);
    (void)close(fds[0]);
    (void)close(fds[1]);
    if (hear(pair[0], ROLE_LCONN, ROLE_WORKER, &msg) == IPC_WORKER_DELIVERED) {
        assert_int_equal(msg_delivered_decode(msg.body, &reply), 0);
        code = reply.code;
    }
    (void)close(pair[0]);
    return code;
}

static void test_deliver(void **state)
{
    struct peer p = peer_new(ROLE_LCONN);

    (void)state;
    grant(&p, 1, "grace");
    grant(&p, 2, "grace");
    assert_int_equal(deliver(&p, 1, true), 250);
    assert_int_equal(deliver(&p, 1, true), 451); /* consumed */
    assert_int_equal(deliver(&p, 3, true), 451); /* never granted */
    assert_int_equal(deliver(&p, 2, false), 451);
    assert_int_equal(grants_count(m.grants), 0);
    peer_close(&p);
    supervise_kill_all(&m, SIGKILL);
    settle(0, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session), cmocka_unit_test(test_late_grant),       cmocka_unit_test(test_no_grant),
        cmocka_unit_test(test_replay),  cmocka_unit_test(test_wrong_descriptor), cmocka_unit_test(test_limit),
        cmocka_unit_test(test_death),   cmocka_unit_test(test_places),           cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_deliver), cmocka_unit_test(test_unread_survives),
    };

    if (argc > 0 && strcmp(argv[0], "culver-worker") == 0)
        return fake_worker();
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
