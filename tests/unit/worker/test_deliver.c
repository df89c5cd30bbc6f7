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
#include "storage/txn.h"
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
    f->set = (struct set_worker){.message_size_max = 5000,
                                 .worker_linger = 1000,
                                 .hierarchy_separator = '/',
                                 .detail_mailbox = SET_DETAIL_EXISTING,
                                 .deliveries_per_user = 2};
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

/* Queues one; the reply can be read from the descriptor. */
static int start(struct fixture *f, const char *text, const char *prefix, const char *detail)
{
    struct msg_deliver m = {.session_id = 1, .size = strlen(text), .prefix = view_str(prefix), .detail = view_str(detail)};
    int fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING), fds[2];

    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    deliver_new(&f->w, &m, fd, fds[0]);
    return fds[1];
}

/* The turns of the loop until all are answered. */
static void turns(struct fixture *f)
{
    for (unsigned i = 0; i < 100 && f->w.ndeliveries > 0; i++) {
        deliver_start_waiting(&f->w);
        worker_commit(&f->w);
    }
    assert_int_equal(f->w.ndeliveries, 0);
}

static unsigned answer_code(int fd)
{
    uint8_t storage[IPC_MAX_MSG];
    struct msg_delivered reply;
    struct ipc_msg in;

    assert_int_equal(ipc_recv_wait(fd, ROLE_LCONN, ROLE_WORKER, IPC_STATE_NEW, storage, &in, 1000), 0);
    assert_int_equal(msg_delivered_decode(in.body, &reply), 0);
    close(fd);
    return reply.code;
}

static unsigned deliver_text(struct fixture *f, const char *text, const char *prefix, const char *detail)
{
    int fd = start(f, text, prefix, detail);

    turns(f);
    return answer_code(fd);
}

static unsigned messages_in(struct fixture *f, const char *name)
{
    struct mailbox *m = account_find(f->w.acc, view_str(name));
    struct mailbox_status st = {0};

    if (m != NULL)
        mailbox_status(m, &st);
    return st.messages;
}

static void make_mailbox(struct fixture *f, const char *name)
{
    struct txn *t = txn_begin(f->w.acc);

    assert_int_equal(txn_create(t, view_str(name), 0), 0);
    txn_commit(&t, NULL, NULL);
    worker_commit(&f->w);
}

static void test_detail(void **state)
{
    static const char *const hostile[] = {"../x", "a//b", "/", "x\x01", "\xff\xfe", "%", "*", "~x", "\"", ""};
    struct fixture *f = *state;

    make_mailbox(f, "Lists/C");
    make_mailbox(f, "twice");
    make_mailbox(f, "Twice");
    assert_int_equal(deliver_text(f, TEXT, PREFIX, "Lists/C"), 250);
    assert_int_equal(deliver_text(f, TEXT, PREFIX, "lists/c"), 250);
    assert_int_equal(messages_in(f, "Lists/C"), 2);
    assert_int_equal(deliver_text(f, TEXT, PREFIX, "Twice"), 250);
    assert_int_equal(deliver_text(f, TEXT, PREFIX, "TWICE"), 250); /* which one? */
    assert_int_equal(deliver_text(f, TEXT, PREFIX, "Nowhere"), 250);
    assert_int_equal(messages_in(f, "Twice"), 1);
    assert_int_equal(messages(f), 2);
    f->set.detail_mailbox = SET_DETAIL_CREATE;
    assert_int_equal(deliver_text(f, TEXT, PREFIX, "New/Deep"), 250);
    assert_int_equal(messages_in(f, "New/Deep"), 1);
    for (size_t i = 0; i < ARRAY_LEN(hostile); i++)
        assert_int_equal(deliver_text(f, TEXT, PREFIX, hostile[i]), 250);
    assert_int_equal(messages(f), 2 + ARRAY_LEN(hostile));
    f->set.detail_mailbox = SET_DETAIL_IGNORE;
    assert_int_equal(deliver_text(f, TEXT, PREFIX, "Twice"), 250);
    assert_int_equal(messages_in(f, "Twice"), 1);
}

static void test_create_fails(void **state)
{
    struct fixture *f = *state;

    f->set.detail_mailbox = SET_DETAIL_CREATE;
    fail_disk(f, 1, ERR_NOSPACE);
    assert_int_equal(deliver_text(f, TEXT, PREFIX, "New"), 250); /* the mail is what matters */
    assert_int_equal(messages(f), 1);
}

static void test_loops(void **state)
{
    struct fixture *f = *state;
    char many[4000];
    size_t n = 0;

    assert_int_equal(deliver_text(f, "Delivered-To: b@x\r\n" TEXT, "Delivered-To: a@x\r\n", ""), 250);
    assert_int_equal(deliver_text(f, "Delivered-To: A@X\r\n" TEXT, "Delivered-To: a@x\r\n", ""), 554);
    assert_int_equal(deliver_text(f, "Delivered-To: a@x\r\n" TEXT, PREFIX, ""), 250);
    assert_int_equal(deliver_text(f, TEXT "Delivered-To: a@x\r\n", "Delivered-To: a@x\r\n", ""), 250); /* that is the body */
    for (unsigned i = 0; i < 100; i++, n += 13)
        memcpy(many + n, "Received: x\r\n", 14);
    memcpy(many + n, "\r\n", 3);
    f->set.message_size_max = sizeof(many);
    f->w.set = &f->set;
    assert_int_equal(deliver_text(f, many, PREFIX, ""), 552); /* its quota is 1000 octets */
    memmove(many + 13, many, strlen(many) + 1);
    assert_int_equal(deliver_text(f, many, PREFIX, ""), 554);
}

static void test_duplicates(void **state)
{
    static const char one[] = "Message-ID: <1@x>\r\n\r\na\r\n", two[] = "Message-ID: <2@x>\r\n\r\na\r\n";
    struct fixture *f = *state;
    int a, b, c;

    assert_int_equal(deliver_text(f, one, PREFIX, ""), 250);
    assert_int_equal(deliver_text(f, one, PREFIX, ""), 250);
    assert_int_equal(messages(f), 2); /* not asked for */
    f->set.duplicate_window = UINT64_MAX / 2;
    assert_int_equal(deliver_text(f, one, PREFIX, ""), 250);
    assert_int_equal(messages(f), 2);
    /* Together, and the first one fails: the second is not lost. */
    fail_disk(f, 1, ERR_NOSPACE);
    a = start(f, two, PREFIX, "");
    b = start(f, two, PREFIX, "");
    c = start(f, two, PREFIX, "");
    turns(f);
    assert_int_equal(answer_code(a), 452);
    assert_int_equal(answer_code(b), 250);
    assert_int_equal(answer_code(c), 250);
    assert_int_equal(messages(f), 3);
    assert_int_equal(deliver_text(f, TEXT, PREFIX, ""), 250);
    assert_int_equal(deliver_text(f, TEXT, PREFIX, ""), 250); /* without Message-ID there are none */
    assert_int_equal(messages(f), 5);
}

static void test_many_at_once(void **state)
{
    struct fixture *f = *state;
    int fds[250];
    unsigned good = 0, busy = 0;

    for (unsigned i = 0; i < 250; i++) {
        fds[i] = start(f, "\r\n", "", "");
        assert_true(f->w.nstaged <= 2);
    }
    turns(f);
    for (unsigned i = 0; i < 250; i++) {
        unsigned code = answer_code(fds[i]);

        good += code == 250;
        busy += code == 451;
    }
    assert_int_equal(good, 200);
    assert_int_equal(busy, 50);
    assert_int_equal(messages(f), 200);
}

/* Once for each percentage that is passed, and again after the usage has been below. */
static void test_quota_warnings(void **state)
{
    static const char *percents[] = {"50%", "90%"};
    static const struct set_general general = {.hostname = "mail.test"};
    struct account_params params = {.now_ms = clock_ms, .mailboxes_max = 100, .quota_bytes = 100000};
    struct fixture *f = *state;
    struct uidset uids;
    struct txn *t;

    account_close(&f->w.acc);
    vfs_free(&f->w.vfs);
    f->w.vfs = params.vfs = vfs_sim_new(2);
    assert_int_equal(account_open(&params, &f->w.acc), 0);
    f->w.general = &general;
    f->set.message_size_max = 100000;
    f->set.quota_warnings = (struct conf_list){percents, 2};
    f->set.quota_warning_subject = "\xc3\xa4 %p%%";
    f->set.quota_warning_text = "%u has %p %%%nnow";
    worker_quota_start(&f->w);
    for (unsigned i = 0; i < 3; i++) {
        static const size_t sizes[] = {40000, 20000, 35000};
        static const unsigned counts[] = {1, 3, 5};

        assert_int_equal(deliver_size(f, sizes[i], "2.1.5"), 250);
        worker_quota_check(&f->w);
        worker_commit(&f->w);
        assert_int_equal(messages(f), counts[i]);
        worker_quota_check(&f->w);
        assert_false(account_has_pending(f->w.acc));
    }
    uidset_init(&uids);
    uidset_add(&uids, 1);
    t = txn_begin(f->w.acc);
    assert_int_equal(txn_expunge(t, account_find(f->w.acc, VIEW("INBOX")), &uids), 0);
    txn_commit(&t, NULL, NULL);
    worker_commit(&f->w);
    worker_quota_check(&f->w); /* 55 %: no warning on the way down */
    assert_false(account_has_pending(f->w.acc));
    assert_int_equal(deliver_size(f, 38000, "2.1.5"), 250);
    worker_quota_check(&f->w);
    worker_commit(&f->w);
    assert_int_equal(messages(f), 6);
    uidset_free(&uids);
}

static void test_full(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(deliver_size(f, 3000, "5.2.2"), 552);
    f->set.quota_full = SET_QUOTA_FULL_DEFER;
    assert_int_equal(deliver_size(f, 3000, "4.2.2"), 452);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_replies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sync_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_detail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_create_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_loops, setup, teardown),
        cmocka_unit_test_setup_teardown(test_duplicates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quota_warnings, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
