/*
 * Sessions between two workers, with workers that say what a hijacked one could: what master keeps, what it refuses, and that it
 * has no descriptor more than before afterwards. The test is the worker's end of the channel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "master/limits.h"
#include "master/rooms.h"
#include "master/workers_int.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)
#define SIZE 100
#define SESSIONS 3

struct world {
    struct master m;
    struct user alice, bob;
    struct worker a, b;
    int end; /* of alice's worker */
    int client, theirs, record, dir;
    int descriptors; /* when nothing is kept */
};

static int descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    assert_int_equal(closedir(d), 0);
    return n;
}

static int record_new(int seals)
{
    int fd = memfd_create("record", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, SIZE), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void session_new(struct world *w, struct worker *of, uint64_t id)
{
    struct session *s = xcalloc(1, sizeof(*s));

    s->id = id;
    s->protocol = PROTO_IMAP;
    s->admin = id % 2 == 0;
    s->peer.family = s->local.family = 4;
    s->next = of->sessions;
    of->sessions = s;
    of->nsessions++;
    assert_int_equal(session_limits_acquire(w->m.limits, of->user, &s->peer), LIMIT_NONE);
}

static void on_message(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    (void)arg;
    (void)ch;
    (void)msg;
}

static void on_closed(void *arg, struct ipc *ch, int err)
{
    (void)arg;
    (void)ch;
    (void)err;
}

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    int ends[2], pair[2];

    w->m.loop = loop_new();
    w->m.limits = session_limits_new();
    w->m.rooms = rooms_new(100);
    session_limits_set(w->m.limits, 100, 100, 100);
    workers_init(&w->m);
    w->alice = (struct user){.name = xstrdup("alice")};
    w->bob = (struct user){.name = xstrdup("bob")};
    w->a = (struct worker){.m = &w->m, .user = &w->alice, .state = WORKER_READY, .served = true};
    w->b = (struct worker){.m = &w->m, .user = &w->bob, .state = WORKER_READY, .served = true};
    assert_int_equal(ipc_pair(ends), 0);
    w->a.ch = ipc_new(w->m.loop, ends[0], ROLE_MASTER, ROLE_WORKER, on_message, on_closed, w);
    ipc_set_state(w->a.ch, IPC_STATE_READY);
    w->end = ends[1];
    for (uint64_t id = 1; id <= SESSIONS; id++) {
        session_new(w, &w->a, id);
        session_new(w, &w->b, 10 + id);
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    w->client = pair[0];
    w->theirs = pair[1];
    w->record = record_new(SEALS);
    w->dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    w->descriptors = descriptors();
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    struct worker *both[] = {&w->a, &w->b};

    for (size_t i = 0; i < ARRAY_LEN(both); i++)
        while (both[i]->sessions != NULL)
            worker_session_end(both[i], &both[i]->sessions);
    assert_int_equal(w->a.nfrozen, 0);
    assert_int_equal(session_limits_total(w->m.limits), 0);
    assert_int_equal(descriptors(), w->descriptors);
    ipc_free(&w->a.ch);
    close(w->end);
    close(w->client);
    close(w->theirs);
    close(w->record);
    close(w->dir);
    workers_free(&w->m);
    session_limits_free(&w->m.limits);
    rooms_free(&w->m.rooms);
    loop_free(&w->m.loop);
    free(w->alice.name);
    free(w->bob.name);
    free(w);
    return 0;
}

/* --- what a worker says ----------------------------------------------------------------------------------------------------- */

/* As it comes through the channel: copies of descriptors, of which those that are not taken are closed. */
static int frozen(struct world *w, uint64_t id, uint64_t size, const int fds[3])
{
    struct msg_frozen m = {.session_id = id, .size = size, .quiet = true};
    struct ipc_msg msg = {.kind = IPC_WORKER_FROZEN, .nfds = 3};
    struct buf body;
    int err;

    for (int i = 0; i < 3; i++)
        msg.fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
    buf_init(&body, IPC_MAX_BODY);
    msg_frozen_encode(&body, &m);
    msg.body = buf_view(&body);
    err = upgrade_on_frozen(&w->a, &msg);
    ipc_msg_close_fds(&msg);
    buf_free(&body);
    return err;
}

static int frozen_well(struct world *w, uint64_t id)
{
    return frozen(w, id, SIZE, (int[3]){w->record, w->client, w->record});
}

static int thawed(struct world *w, uint64_t id)
{
    struct ipc_msg msg = {.kind = IPC_WORKER_THAWED};
    struct buf body;
    int err;

    buf_init(&body, IPC_MAX_BODY);
    msg_id_encode(&body, &(struct msg_id){id});
    msg.body = buf_view(&body);
    err = upgrade_on_thawed(&w->a, &msg);
    buf_free(&body);
    return err;
}

/* The next session that the worker is handed; 0: none. */
static uint64_t handed(const struct world *w)
{
    static uint8_t storage[IPC_MAX_MSG];
    struct msg_thaw m = {0};
    struct ipc_msg msg;

    if (ipc_recv_wait(w->end, ROLE_WORKER, ROLE_MASTER, IPC_STATE_READY, storage, &msg, 0) != 0)
        return 0;
    assert_int_equal(msg.kind, IPC_MASTER_THAW);
    assert_int_equal(msg.nfds, 3);
    assert_int_equal(msg_thaw_decode(msg.body, &m), 0);
    assert_int_equal(m.protocol, PROTO_IMAP);
    assert_int_equal(m.admin, m.session_id % 2 == 0);
    ipc_msg_close_fds(&msg);
    return m.session_id;
}

/* --- tests ------------------------------------------------------------------------------------------------------------------ */

static void test_there_and_back(void **state)
{
    struct world *w = *state;

    assert_int_equal(frozen_well(w, 2), 0);
    assert_int_equal(descriptors(), w->descriptors + 3);
    assert_int_equal(w->a.nfrozen, 1);
    upgrade_dispatch(&w->a);
    assert_int_equal(handed(w), 2);
    upgrade_dispatch(&w->a); /* once is enough */
    assert_int_equal(handed(w), 0);
    assert_int_equal(thawed(w, 2), 0);
    assert_int_equal(w->a.nfrozen, 0);
    assert_int_equal(w->a.nsessions, SESSIONS);
    assert_int_equal(descriptors(), w->descriptors);
}

/* Sessions that are not its own, or not in that state. */
static void test_other_sessions(void **state)
{
    static const uint64_t foreign[] = {0, 11, 99, UINT64_MAX};
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        assert_int_equal(frozen_well(w, foreign[i]), ERR_PROTO);
        assert_int_equal(thawed(w, foreign[i]), ERR_PROTO);
    }
    assert_int_equal(thawed(w, 1), ERR_PROTO); /* was never frozen */
    assert_int_equal(frozen_well(w, 1), 0);
    assert_int_equal(thawed(w, 1), ERR_PROTO); /* was not handed over */
    for (int i = 0; i < 1000; i++)
        assert_int_equal(frozen_well(w, 1), ERR_PROTO); /* is kept already */
    upgrade_dispatch(&w->a);
    assert_int_equal(thawed(w, 1), 0);
    assert_int_equal(thawed(w, 1), ERR_PROTO);
    assert_int_equal(w->b.nsessions, SESSIONS);
    assert_int_equal(w->b.nfrozen, 0);
}

static void test_descriptors(void **state)
{
    struct world *w = *state;
    int open_record = record_new(F_SEAL_SHRINK), listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), pipes[2];
    int datagram = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int good = w->record, client = w->client;

    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    assert_int_equal(frozen(w, 1, SIZE, (int[3]){open_record, client, good}), ERR_PROTO);
    assert_int_equal(frozen(w, 1, SIZE, (int[3]){w->dir, client, good}), ERR_PROTO);
    assert_int_equal(frozen(w, 1, SIZE, (int[3]){client, client, good}), ERR_PROTO);
    assert_int_equal(frozen(w, 1, SIZE + 1, (int[3]){good, client, good}), ERR_PROTO);
    assert_int_equal(frozen(w, 1, 0, (int[3]){good, client, good}), ERR_PROTO);
    assert_int_equal(frozen(w, 1, UINT64_MAX, (int[3]){good, client, good}), ERR_PROTO);
    assert_int_equal(frozen(w, 1, SIZE, (int[3]){good, listening, good}), ERR_PROTO);
    assert_int_equal(frozen(w, 1, SIZE, (int[3]){good, datagram, good}), ERR_PROTO);
    assert_int_equal(frozen(w, 1, SIZE, (int[3]){good, good, good}), ERR_PROTO);
    assert_int_equal(frozen(w, 1, SIZE, (int[3]){good, w->dir, good}), ERR_PROTO);
    assert_int_equal(frozen(w, 1, SIZE, (int[3]){good, client, w->dir}), ERR_PROTO);
    assert_int_equal(frozen(w, 1, SIZE, (int[3]){good, client, client}), ERR_PROTO);
    assert_int_equal(frozen(w, 1, SIZE, (int[3]){good, client, pipes[0]}), ERR_PROTO);
    assert_int_equal(w->a.nfrozen, 0);
    close(open_record);
    close(listening);
    close(datagram);
    close(pipes[0]);
    close(pipes[1]);
}

/* The next process dies each time before it has said that it goes on: the session is handed over twice, then its client is told.
 */
static void test_no_endless_tries(void **state)
{
    struct world *w = *state;
    char text[200] = "";

    for (uint64_t id = 1; id <= SESSIONS; id++)
        assert_int_equal(frozen_well(w, id), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(w->a.nsessions, SESSIONS);
        upgrade_dispatch(&w->a);
        for (int n = 0; n < SESSIONS; n++)
            assert_true(handed(w) != 0);
        upgrade_exited(&w->a);
    }
    assert_int_equal(w->a.nsessions, 0);
    assert_int_equal(w->a.nfrozen, 0);
    assert_true(recv(w->theirs, text, sizeof(text) - 1, 0) > 0);
    assert_non_null(strstr(text, "* BYE [UNAVAILABLE]"));
    assert_int_equal(w->b.nsessions, SESSIONS);
}

/* It takes a session and says nothing, or hands over and stays: at the end of the time all that is kept goes. */
static void test_silence(void **state)
{
    struct world *w = *state;

    assert_int_equal(frozen_well(w, 1), 0);
    assert_int_equal(frozen_well(w, 3), 0);
    upgrade_expire(&w->a, false); /* there is time left */
    assert_int_equal(w->a.nfrozen, 2);
    upgrade_dispatch(&w->a);
    upgrade_expire(&w->a, true);
    assert_int_equal(w->a.nfrozen, 0);
    assert_int_equal(w->a.nsessions, 1);
    assert_int_equal(thawed(w, 1), ERR_PROTO); /* too late */
    while (handed(w) != 0)
        ;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_there_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_sessions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_descriptors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_endless_tries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silence, setup, teardown),
    };

    if (sodium_init() < 0)
        return 1;
    log_init("test", STDERR_FILENO, LOG_SINK_STREAM, LOG_LVL_FATAL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
