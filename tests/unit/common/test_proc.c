/* The start of a service, played by a child: configuration through a memfd, the start sequence, READY, a message, a new log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log/log.h"
#include "common/proc/proc.h"

#define WAIT_MS 5000

struct service {
    struct proc proc;
    unsigned keys;
};

static int receive(void *arg, struct ipc_msg *msg)
{
    struct service *s = arg;
    char text[4] = {0};

    if (msg->kind != IPC_MASTER_KEY || pread(msg->fds[0], text, 3, 0) != 3 || memcmp(text, "pem", 3) != 0)
        return ERR_PROTO;
    s->keys++;
    return 0;
}

static void on_message(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct service *s = arg;

    (void)ch;
    if (msg->kind == IPC_MASTER_STOP) {
        LOG_INFO(0, "stopping", F_UINT("keys", s->keys));
        loop_stop(s->proc.loop);
    }
}

static void on_closed(void *arg, struct ipc *ch, int err)
{
    struct service *s = arg;

    (void)ch;
    (void)err;
    loop_stop(s->proc.loop);
}

/* The program of the service: everything that a main file does. */
_Noreturn static void service_main(void)
{
    static const struct conf_component *const parts[] = {&set_lmtp_component};
    const struct sandbox_params sandbox = {.profile = SANDBOX_KEYS, .best_effort = true};
    struct service s = {.keys = 0};
    const struct set_lmtp *lmtp;
    const struct set_general *general;

    proc_start(&s.proc, "test-keys", ROLE_KEYS, parts, 1);
    lmtp = conf_get(s.proc.conf, &set_lmtp_component);
    general = conf_get(s.proc.conf, &set_general_component);
    if (lmtp->lmtp_recipients_max != 777 || strcmp(general->hostname, "h.example") != 0 || s.proc.generation != 9)
        _exit(40);
    proc_receive(&s.proc, receive, &s);
    proc_confine(&s.proc, &sandbox);
    proc_serve(&s.proc, on_message, on_closed, &s);
    if (loop_run(s.proc.loop) != 0)
        _exit(41);
    ipc_free(&s.proc.master);
    loop_free(&s.proc.loop);
    conf_free(&s.proc.conf);
    _exit(s.keys == 2 ? 0 : 42);
}

/* quiet: what it says when it is refused is of no interest. */
static pid_t start_service(bool quiet, int *channel_out)
{
    int fds[2];
    pid_t pid;

    assert_int_equal(ipc_pair(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (dup2(fds[1], PROC_MASTER_FD) < 0 || (quiet && dup2(open("/dev/null", O_WRONLY), STDERR_FILENO) < 0))
            _exit(43);
        service_main();
    }
    close(fds[1]);
    *channel_out = fds[0];
    return pid;
}

static int make_memfd(const char *text)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    return fd;
}

static void send_config(int channel, const char *text)
{
    const struct msg_config config = {.version = PROTO_VERSION,
                                      .rootless = true,
                                      .uid = (uint32_t)getuid(),
                                      .gid = (uint32_t)getgid(),
                                      .generation = 9,
                                      .log_sink = LOG_SINK_STREAM,
                                      .log_level = LOG_LVL_INFO};
    struct buf body;
    int fd = make_memfd(text);

    buf_init(&body, IPC_MAX_BODY);
    msg_config_encode(&body, &config);
    assert_int_equal(ipc_send_wait(channel, ROLE_MASTER, ROLE_KEYS, IPC_MASTER_CONFIG, &body, &fd, 1, WAIT_MS), 0);
    buf_free(&body);
    close(fd);
}

static void send_key(int channel)
{
    const struct msg_cert cert = {.index = 0};
    struct buf body;
    int fd = make_memfd("pem");

    buf_init(&body, IPC_MAX_BODY);
    msg_cert_encode(&body, &cert);
    assert_int_equal(ipc_send_wait(channel, ROLE_MASTER, ROLE_KEYS, IPC_MASTER_KEY, &body, &fd, 1, WAIT_MS), 0);
    buf_free(&body);
    close(fd);
}

static void send_empty(int channel, enum ipc_kind kind, const int *fd)
{
    assert_int_equal(ipc_send_wait(channel, ROLE_MASTER, ROLE_KEYS, kind, NULL, fd, fd != NULL ? 1 : 0, WAIT_MS), 0);
}

static int exit_of(pid_t pid)
{
    int status = -1;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

static void test_whole_life(void **state)
{
    uint8_t storage[IPC_MAX_MSG];
    char text[512] = {0};
    struct ipc_msg msg;
    int channel, pipe_fds[2];
    pid_t pid = start_service(false, &channel);

    (void)state;
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
    send_config(channel, "hostname = h.example\nlmtp_recipients_max = 777\n");
    send_key(channel);
    send_key(channel);
    send_empty(channel, IPC_MASTER_GO, NULL);
    assert_int_equal(ipc_recv_wait(channel, ROLE_MASTER, ROLE_KEYS, IPC_STATE_NEW, storage, &msg, WAIT_MS), 0);
    assert_int_equal(msg.kind, IPC_SERVICE_READY);
    send_empty(channel, IPC_MASTER_LOG, &pipe_fds[1]);
    send_empty(channel, IPC_MASTER_STOP, NULL);
    assert_int_equal(exit_of(pid), 0);
    assert_true(read(pipe_fds[0], text, sizeof(text) - 1) > 0);
    assert_non_null(strstr(text, "stopping"));
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    close(channel);
}

/* Each of these ends the service with status 1 before it serves anybody. */
static void expect_refused(const char *text, bool key_first)
{
    int channel;
    pid_t pid = start_service(true, &channel);

    if (key_first)
        send_key(channel);
    else
        send_config(channel, text);
    assert_int_equal(exit_of(pid), 1);
    close(channel);
}

static void test_refusals(void **state)
{
    int channel;
    pid_t pid;

    (void)state;
    expect_refused("nonsense = 1\n", false);
    expect_refused("worker_linger = 1s\n", false); /* not this process's part */
    expect_refused("", true);
    pid = start_service(true, &channel);
    close(channel);
    assert_int_equal(exit_of(pid), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whole_life), cmocka_unit_test(test_refusals)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
