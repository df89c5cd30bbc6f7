#include "tests/unit/common/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/ipc/ipc.h"
#include "common/ipc/ipc_packet.h"
#include "common/ipc/proto.h"
#include "common/log/log.h"

static struct loop *loop;
static int raw[2]; /* raw[1]: a peer that sends whatever it likes */
static int logs[2];
static struct ipc *ch;
static struct {
    unsigned messages, closed;
    int err;
    enum ipc_kind kind;
    uint8_t body[IPC_MAX_BODY];
    size_t len;
    int taken;
    bool take, free_in_handler, free_in_closed;
} seen;

static unsigned open_fds(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

static void handler(void *arg, struct ipc *c, struct ipc_msg *msg)
{
    assert_ptr_equal(arg, &seen);
    assert_ptr_equal(c, ch);
    seen.messages++;
    seen.kind = msg->kind;
    seen.len = msg->body.len;
    if (msg->body.len > 0)
        memcpy(seen.body, msg->body.ptr, msg->body.len);
    if (seen.take && msg->nfds > 0) {
        seen.taken = msg->fds[0];
        msg->fds[0] = -1;
    }
    if (seen.free_in_handler)
        ipc_free(&ch);
}

static void closed(void *arg, struct ipc *c, int err)
{
    assert_ptr_equal(arg, &seen);
    seen.closed++;
    seen.err = err;
    assert_int_equal(ipc_fd(c), -1);
    if (seen.free_in_closed)
        ipc_free(&ch);
}

static void channel(enum ipc_role self, enum ipc_role peer, enum ipc_state state)
{
    assert_int_equal(ipc_pair(raw), 0);
    memset(&seen, 0, sizeof(seen));
    ch = ipc_new(loop, raw[0], self, peer, handler, closed, &seen);
    ipc_set_state(ch, state);
    ipc_set_sid(ch, 0xabc);
}

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    assert_int_equal(pipe2(logs, O_NONBLOCK | O_CLOEXEC), 0);
    log_init("test", logs[1], LOG_SINK_STREAM, LOG_LVL_DEBUG);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ipc_free(&ch);
    loop_free(&loop);
    close(logs[0]);
    close(logs[1]);
    log_init("test", 2, LOG_SINK_STREAM, LOG_LVL_DEBUG);
    return 0;
}

static unsigned log_lines(void)
{
    static char text[65536];
    ssize_t n = read(logs[0], text, sizeof(text));
    unsigned lines = 0;
    for (ssize_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    return lines;
}

static void turns(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(loop_turn(loop, 0), 0);
}

/* Sends a packet past all checks. */
static void send_raw(int fd, const void *bytes, size_t len, const int *fds, unsigned nfds)
{
    struct iovec iov = {(void *)(uintptr_t)bytes, len};
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int) * 64)] = {0};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (nfds > 0) {
        msg.msg_control = control;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
    }
    assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), len);
}

static struct buf body_of(size_t n)
{
    struct buf b;
    buf_init(&b, IPC_MAX_MSG * 2);
    for (size_t i = 0; i < n; i++)
        buf_put_byte(&b, (uint8_t)i);
    return b;
}

static void test_round_trip(void **state)
{
    (void)state;
    unsigned before = open_fds();
    channel(ROLE_MASTER, ROLE_AUTH, IPC_STATE_READY);
    struct buf b = body_of(3);
    assert_int_equal(ipc_send_wait(raw[1], ROLE_AUTH, ROLE_MASTER, IPC_AUTH_HELPER, &b, &logs[0], 1, 100), 0);
    seen.take = true;
    turns(2);
    assert_int_equal(seen.messages, 1);
    assert_int_equal(seen.kind, IPC_AUTH_HELPER);
    assert_int_equal(seen.len, 3);
    assert_int_equal(fcntl(seen.taken, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    close(seen.taken);
    /* Not taken: closed. */
    seen.take = false;
    assert_int_equal(ipc_send_wait(raw[1], ROLE_AUTH, ROLE_MASTER, IPC_AUTH_HELPER, &b, &logs[0], 1, 100), 0);
    ipc_poll(ch);
    assert_int_equal(seen.messages, 2);
    assert_int_equal(open_fds(), before + 2); /* only the pair */
    close(raw[1]);
    turns(1);
    assert_int_equal(seen.closed, 1);
    assert_int_equal(seen.err, ERR_CLOSED);
    assert_int_equal(ipc_send(ch, IPC_MASTER_STOP, NULL, NULL, 0), ERR_CLOSED);
    ipc_poll(ch);
    turns(2);
    assert_int_equal(seen.closed, 1);
    ipc_free(&ch);
    assert_int_equal(open_fds(), before);
    assert_int_equal(log_lines(), 0);
    buf_free(&b);
}

static void refused(const void *bytes, size_t len, const int *fds, unsigned nfds)
{
    unsigned before = open_fds();
    channel(ROLE_MASTER, ROLE_AUTH, IPC_STATE_READY);
    send_raw(raw[1], bytes, len, fds, nfds);
    send_raw(raw[1], "\1\0\0\0", 4, NULL, 0); /* never looked at */
    turns(3);
    assert_int_equal(seen.messages, 0);
    assert_int_equal(seen.closed, 1);
    assert_int_equal(seen.err, ERR_PROTO);
    assert_int_equal(log_lines(), 1);
    ipc_free(&ch);
    close(raw[1]);
    assert_int_equal(open_fds(), before);
}

static void test_refused(void **state)
{
    (void)state;
    int fds[60];
    for (unsigned i = 0; i < ARRAY_LEN(fds); i++)
        fds[i] = logs[0];
    static uint8_t big[IPC_MAX_MSG + 1];
    const uint8_t helper[] = {IPC_AUTH_HELPER, 0, 0, 0, 1, 0, 0};
    big[0] = IPC_AUTH_GRANT;
    refused("\1", 1, NULL, 0);
    refused("\1\0\0", 3, NULL, 0);
    refused("\1\0\0", 3, fds, 1);
    refused("\xff\xff\0\0", 4, NULL, 0);
    refused("\0\0\0\0", 4, NULL, 0);
    refused(big, sizeof(big), NULL, 0);
    refused(big, sizeof(big), fds, 2);
    refused(big, IPC_MAX_MSG, NULL, 0);
    refused(helper, sizeof(helper), NULL, 0);
    refused(helper, sizeof(helper), fds, 2);
    refused(helper, sizeof(helper), fds, 3);
    refused(helper, sizeof(helper), fds, 60);
    refused(helper, 4, fds, 1);
    const uint8_t flags[] = {IPC_AUTH_HELPER, 0, 1, 0, 1, 0, 0};
    refused(flags, sizeof(flags), fds, 1);
    const uint8_t foreign[] = {IPC_WORKER_IDLE, 0, 0, 0};
    refused(foreign, sizeof(foreign), NULL, 0);
    const uint8_t backwards[] = {IPC_MASTER_STOP, 0, 0, 0};
    refused(backwards, sizeof(backwards), NULL, 0);
    /* The right thing in the wrong state: ready was said already. */
    const uint8_t ready[] = {IPC_SERVICE_READY, 0, 0, 0};
    refused(ready, sizeof(ready), NULL, 0);
}

static void test_empty_packet_with_descriptor(void **state)
{
    (void)state;
    unsigned before = open_fds();
    channel(ROLE_MASTER, ROLE_AUTH, IPC_STATE_READY);
    send_raw(raw[1], "", 0, &logs[0], 1);
    turns(1);
    assert_int_equal(seen.closed, 1);
    ipc_free(&ch);
    close(raw[1]);
    assert_int_equal(open_fds(), before);
    (void)log_lines();
}

static void test_sender_is_checked(void **state)
{
    (void)state;
    channel(ROLE_AUTH, ROLE_MASTER, IPC_STATE_READY);
    struct buf b = body_of(3);
    assert_int_equal(ipc_send(ch, IPC_AUTH_HELPER, &b, NULL, 0), ERR_PROTO);
    assert_int_equal(ipc_send(ch, IPC_AUTH_HELPER, NULL, &logs[0], 1), ERR_PROTO);
    assert_int_equal(ipc_send(ch, IPC_MASTER_STOP, NULL, NULL, 0), ERR_PROTO);
    assert_int_equal(ipc_send(ch, (enum ipc_kind)9999, NULL, NULL, 0), ERR_PROTO);
    assert_int_equal(log_lines(), 4);
    b.failed = true;
    assert_int_equal(ipc_send(ch, IPC_AUTH_HELPER, &b, &logs[0], 1), ERR_LIMIT);
    b.failed = false;
    assert_int_equal(ipc_send(ch, IPC_AUTH_HELPER, &b, &logs[0], 1), 0);
    assert_true(ipc_flushed(ch));
    buf_free(&b);
    close(raw[1]);
}

static void test_queue(void **state)
{
    (void)state;
    unsigned before = open_fds();
    channel(ROLE_AUTH, ROLE_CONN, IPC_STATE_READY);
    /* A SASL message whose first bytes are a counter. */
    unsigned sent = 0;
    int err = 0;
    while (err == 0) {
        struct buf b;
        buf_init(&b, IPC_MAX_BODY);
        buf_put_u16(&b, 8004);
        buf_put_u32(&b, sent);
        memset(buf_reserve(&b, 8000), 'x', 8000);
        buf_commit(&b, 8000);
        err = ipc_send(ch, IPC_AUTH_CHALLENGE, &b, NULL, 0);
        sent += err == 0;
        buf_free(&b);
        assert_true(sent < 10000);
    }
    assert_int_equal(err, ERR_LIMIT);
    assert_true(sent > 256);
    assert_false(ipc_flushed(ch));
    uint8_t storage[IPC_MAX_MSG];
    struct ipc_msg msg;
    for (unsigned i = 0; i < sent; i++) {
        turns(1);
        assert_int_equal(ipc_recv_wait(raw[1], ROLE_CONN, ROLE_AUTH, IPC_STATE_BUSY, storage, &msg, 1000), 0);
        struct cursor c = cursor_make(msg.body);
        cursor_skip(&c, 2);
        assert_int_equal(cursor_u32(&c), i);
    }
    turns(1);
    assert_true(ipc_flushed(ch));
    assert_int_equal(ipc_recv_wait(raw[1], ROLE_CONN, ROLE_AUTH, IPC_STATE_BUSY, storage, &msg, 20), ERR_TIMEOUT);
    ipc_free(&ch);
    assert_int_equal(ipc_recv_wait(raw[1], ROLE_CONN, ROLE_AUTH, IPC_STATE_BUSY, storage, &msg, 20), ERR_CLOSED);
    close(raw[1]);
    assert_int_equal(open_fds(), before);
}

static void test_queued_descriptors(void **state)
{
    (void)state;
    unsigned before = open_fds();
    channel(ROLE_AUTH, ROLE_MASTER, IPC_STATE_READY);
    struct buf b = body_of(3);
    unsigned sent = 0;
    while (ipc_send(ch, IPC_AUTH_HELPER, &b, &logs[0], 1) == 0)
        sent++;
    uint8_t storage[IPC_MAX_MSG];
    struct ipc_msg msg;
    /* Half is read, the rest goes down with the channel: nothing may stay open. */
    for (unsigned i = 0; i < sent / 2; i++) {
        turns(1);
        assert_int_equal(ipc_recv_wait(raw[1], ROLE_MASTER, ROLE_AUTH, IPC_STATE_READY, storage, &msg, 1000), 0);
        assert_int_equal(msg.nfds, 1);
        ipc_msg_close_fds(&msg);
    }
    ipc_free(&ch);
    close(raw[1]);
    assert_int_equal(open_fds(), before);
    buf_free(&b);
    (void)log_lines();
}

/* In a child: another process of the same user has so many descriptors on their way that the kernel takes no more. */
static int in_flight_child(void)
{
    const struct rlimit few = {24, 24};
    int hoard[2], one[2], client[2];
    unsigned n = 0;
    struct ipc *to;

    loop = loop_new();
    if (ipc_pair(hoard) != 0 || ipc_pair(one) != 0 || ipc_pair(client) != 0)
        return 1;
    to = ipc_new(loop, one[0], ROLE_LOGIN, ROLE_MASTER, handler, closed, &seen);
    if ((geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) || setrlimit(RLIMIT_NOFILE, &few) != 0)
        return 2;
    while (packet_send(hoard[0], IPC_LOGIN_CONN, VIEW("x"), client, 1) == 0)
        n++;
    if (n < 24 || errno != ETOOMANYREFS)
        return 3;
    struct msg_conn m = {.conn_id = 1, .protocol = PROTO_IMAP};
    struct buf body;
    buf_init(&body, IPC_MAX_BODY);
    msg_conn_encode(&body, &m);
    if (ipc_send(to, IPC_LOGIN_CONN, &body, client, 1) != 0 || ipc_flushed(to))
        return 4;
    /* Waiting must not be spinning. */
    uint64_t from = loop_now(loop);
    for (n = 0; loop_now(loop) < from + 100; n++) {
        if (loop_turn(loop, 100) != 0)
            return 5;
    }
    if (n > 30 || ipc_flushed(to))
        return 6;
    close(hoard[0]);
    close(hoard[1]);
    from = loop_now(loop);
    while (!ipc_flushed(to) && loop_now(loop) < from + 1000) {
        if (loop_turn(loop, 100) != 0)
            return 7;
    }
    return ipc_flushed(to) ? 0 : 8;
}

static void test_descriptors_in_flight(void **state)
{
    pid_t pid = fork();
    int status;

    (void)state;
    if (pid == 0)
        _exit(in_flight_child());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_free_in_callbacks(void **state)
{
    (void)state;
    const uint8_t grant_id[] = {IPC_WORKER_ENDED, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
    channel(ROLE_MASTER, ROLE_WORKER, IPC_STATE_READY);
    seen.free_in_handler = true;
    send_raw(raw[1], grant_id, sizeof(grant_id), NULL, 0);
    send_raw(raw[1], grant_id, sizeof(grant_id), NULL, 0);
    turns(2);
    assert_int_equal(seen.messages, 1);
    assert_null(ch);
    close(raw[1]);
    channel(ROLE_MASTER, ROLE_WORKER, IPC_STATE_READY);
    seen.free_in_closed = true;
    close(raw[1]);
    turns(2);
    assert_int_equal(seen.closed, 1);
    assert_null(ch);
    channel(ROLE_MASTER, ROLE_WORKER, IPC_STATE_READY);
    seen.free_in_handler = true;
    send_raw(raw[1], grant_id, sizeof(grant_id), NULL, 0);
    ipc_poll(ch);
    assert_null(ch);
    close(raw[1]);
}

static void test_last_words_are_heard(void **state)
{
    (void)state;
    const uint8_t idle[] = {IPC_WORKER_IDLE, 0, 0, 0};
    channel(ROLE_MASTER, ROLE_WORKER, IPC_STATE_READY);
    /* The worker leaves something unread, says its last and is gone: a reset comes before the message. */
    assert_int_equal(ipc_send(ch, IPC_MASTER_STOP, NULL, NULL, 0), 0);
    send_raw(raw[1], idle, sizeof(idle), NULL, 0);
    close(raw[1]);
    turns(2);
    assert_int_equal(seen.messages, 1);
    assert_int_equal(seen.closed, 1);
    assert_int_equal(seen.err, ERR_CLOSED);
}

static void test_many_do_not_starve(void **state)
{
    (void)state;
    const uint8_t idle[] = {IPC_WORKER_IDLE, 0, 0, 0};
    channel(ROLE_MASTER, ROLE_WORKER, IPC_STATE_READY);
    for (int i = 0; i < 40; i++)
        send_raw(raw[1], idle, sizeof(idle), NULL, 0);
    turns(1);
    assert_int_equal(seen.messages, 16);
    turns(2);
    assert_int_equal(seen.messages, 40);
    close(raw[1]);
}

static void test_unwatchable(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ch = ipc_new(loop, fd, ROLE_MASTER, ROLE_WORKER, handler, closed, &seen);
    assert_non_null(ch);
    assert_int_equal(ipc_send(ch, IPC_MASTER_STOP, NULL, NULL, 0), ERR_CLOSED);
    turns(2);
    assert_int_equal(seen.closed, 1);
    (void)log_lines();
}

static void test_secret_storage_is_wiped_on_refusal(void **state)
{
    (void)state;
    assert_int_equal(ipc_pair(raw), 0);
    uint8_t storage[IPC_MAX_MSG];
    memset(storage, 'z', sizeof(storage));
    struct ipc_msg msg;
    const uint8_t bad[] = {IPC_AUTH_CHECK_PAM, 0, 0, 0, 's', 'e', 'c', 'r', 'e', 't'};
    send_raw(raw[1], bad, sizeof(bad), NULL, 0);
    assert_int_equal(ipc_recv_wait(raw[0], ROLE_HELPER, ROLE_AUTH, IPC_STATE_READY, storage, &msg, 100), ERR_PROTO);
    for (size_t i = 0; i < IPC_MAX_BODY; i++)
        assert_int_equal(storage[i], 0);
    close(raw[0]);
    close(raw[1]);
    (void)log_lines();
}

static void test_secret_kinds_are_wiped_after_use(void **state)
{
    (void)state;
    assert_int_equal(ipc_pair(raw), 0);
    static const struct {
        enum ipc_kind kind;
        enum ipc_role from, to;
        bool wiped;
    } cases[] = {
        {IPC_CONN_RESPONSE, ROLE_CONN, ROLE_AUTH, true},
        {IPC_AUTH_CHALLENGE, ROLE_AUTH, ROLE_CONN, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t storage[IPC_MAX_MSG];
        struct ipc_msg msg;
        struct buf b = body_of(0);
        buf_put_view16(&b, VIEW("password"));
        assert_int_equal(ipc_send_wait(raw[1], cases[i].from, cases[i].to, cases[i].kind, &b, NULL, 0, 100), 0);
        const struct packet_gate gate = {cases[i].to, cases[i].from, IPC_STATE_BUSY, 0};
        assert_int_equal(packet_recv(raw[0], &gate, storage, &msg), 0);
        assert_memory_equal(storage + 2, "password", 8);
        packet_wipe(&msg, storage);
        assert_memory_equal(storage + 2, cases[i].wiped ? "\0\0\0\0\0\0\0\0" : "password", 8);
        buf_free(&b);
    }
    close(raw[0]);
    close(raw[1]);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_round_trip),
        T(test_refused),
        T(test_empty_packet_with_descriptor),
        T(test_sender_is_checked),
        T(test_queue),
        T(test_queued_descriptors),
        T(test_descriptors_in_flight),
        T(test_free_in_callbacks),
        T(test_last_words_are_heard),
        T(test_many_do_not_starve),
        T(test_unwatchable),
        T(test_secret_storage_is_wiped_on_refusal),
        T(test_secret_kinds_are_wiped_after_use),
    };
    return cmocka_run_group_tests_name("ipc", tests, NULL, NULL);
}
