/* Deliveries: the SMTP reply of each outcome, with a disk that fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/ipc/ipc.h"
#include "common/ipc/proto.h"
#include "common/log/log.h"
#include "storage/mailbox.h"
#include "storage/vfs_sim.h"
#include "worker/worker_int.h"

#define TEXT "Subject: a\r\n\r\nx\r\n"
#define PREFIX "Return-Path: <>\r\n"

struct fixture {
    struct worker w;
    struct set_worker set;
};

static uint64_t clock_ms(void *arg)
{
    (void)arg;
    return 1700000000000u;
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct account_params params = {.now_ms = clock_ms, .mailboxes_max = 100, .quota_bytes = 1000};

    log_init("test", open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC), LOG_SINK_STREAM, LOG_LVL_ERROR);
    f->set = (struct set_worker){.message_size_max = 5000, .worker_linger = 1000};
    f->w.set = &f->set;
    f->w.user = xstrdup("u");
    f->w.proc.loop = loop_new();
    worker_life_init(&f->w);
    f->w.vfs = vfs_sim_new(1);
    params.vfs = f->w.vfs;
    assert_int_equal(account_open(&params, &f->w.acc), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    account_close(&f->w.acc);
    vfs_free(&f->w.vfs);
    timer_free(&f->w.linger);
    timer_free(&f->w.leave);
    timer_free(&f->w.background);
    timer_free(&f->w.open_retry);
    timer_free(&f->w.look);
    loop_free(&f->w.proc.loop);
    free(f->w.user);
    free(f);
    return 0;
}

static int message(size_t size)
{
    int fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    char *text = xmalloc(size);

    memset(text, 'x', size);
    memcpy(text, TEXT, sizeof(TEXT) - 1);
    assert_int_equal(write(fd, text, size), (ssize_t)size);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK), 0);
    free(text);
    return fd;
}

/* Delivers so many octets, and gives the reply's code. */
static unsigned deliver_size(struct fixture *f, size_t size, const char *enhanced)
{
    struct msg_deliver m = {.session_id = 1, .size = size, .sender = VIEW("a@example.org"), .prefix = VIEW(PREFIX)};
    uint8_t storage[IPC_MAX_MSG];
    struct msg_delivered reply;
    struct ipc_msg in;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    deliver_new(&f->w, &m, message(size), fds[0]);
    worker_commit(&f->w);
    assert_int_equal(f->w.ndeliveries, 0);
    assert_int_equal(ipc_recv_wait(fds[1], ROLE_LCONN, ROLE_WORKER, IPC_STATE_NEW, storage, &in, 1000), 0);
    assert_int_equal(in.kind, IPC_WORKER_DELIVERED);
    assert_int_equal(msg_delivered_decode(in.body, &reply), 0);
    assert_true(view_eq(reply.enhanced, view_str(enhanced)));
    close(fds[1]);
    return reply.code;
}

static unsigned messages(struct fixture *f)
{
    struct mailbox_status st;

    mailbox_status(account_find(f->w.acc, VIEW("INBOX")), &st);
    return st.messages;
}

static void fail_disk(struct fixture *f, uint64_t op, int err)
{
    vfs_sim_fail_at(f->w.vfs, vfs_sim_ops(f->w.vfs) + op, err, 1);
}

static void test_replies(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(deliver_size(f, 100, "2.1.5"), 250);
    assert_int_equal(deliver_size(f, 3000, "5.2.2"), 552);
    assert_int_equal(deliver_size(f, 6000, "5.3.4"), 552);
    fail_disk(f, 1, ERR_NOSPACE);
    assert_int_equal(deliver_size(f, 100, "4.3.1"), 452);
    fail_disk(f, 1, ERR_IO);
    assert_int_equal(deliver_size(f, 100, "4.3.0"), 451);
    assert_int_equal(messages(f), 1);
    assert_int_equal(deliver_size(f, 100, "2.1.5"), 250);
    assert_int_equal(messages(f), 2);
}

/* What was written and could not be made durable was not delivered; nor is anything after it. */
static void test_sync_fails(void **state)
{
    struct fixture *f = *state;

    fail_disk(f, 2, ERR_IO);
    assert_int_equal(deliver_size(f, 100, "4.3.0"), 451);
    assert_int_equal(deliver_size(f, 100, "4.3.0"), 451);
    assert_int_equal(messages(f), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_replies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sync_fails, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
