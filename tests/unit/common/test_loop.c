#include "tests/unit/common/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io/loop.h"

static struct loop *loop;
static int calls;

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    calls = 0;
    return loop == NULL;
}

static int teardown(void **state)
{
    (void)state;
    loop_free(&loop);
    return 0;
}

static void turn(void)
{
    assert_int_equal(loop_turn(loop, 0), 0);
}

struct end {
    int fd;
    struct watch *w, *other;
    unsigned last;
    int reuse; /* descriptor to close and put something else in its place */
    struct watch *fresh;
};

static void on_plain(void *arg, int fd, unsigned events)
{
    struct end *e = arg;
    char c;
    calls++;
    e->last = events;
    if (events & LOOP_READ)
        (void)!read(fd, &c, 1);
}

static void test_events(void **state)
{
    (void)state;
    int p[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p), 0);
    struct end e = {.fd = p[0]};
    e.w = loop_watch(loop, p[0], LOOP_READ, on_plain, &e);
    turn();
    assert_int_equal(calls, 0);
    assert_int_equal(write(p[1], "x", 1), 1);
    turn();
    turn();
    assert_int_equal(calls, 1);
    assert_int_equal(e.last, LOOP_READ);
    watch_set(e.w, LOOP_READ | LOOP_WRITE);
    turn();
    assert_int_equal(e.last, LOOP_WRITE);
    watch_set(e.w, 0);
    turn();
    assert_int_equal(calls, 2);
    close(p[1]);
    turn();
    assert_int_equal(calls, 3);
    assert_int_equal(e.last, LOOP_HANGUP);
    watch_set(e.w, LOOP_READ);
    turn();
    assert_int_equal(e.last, LOOP_HANGUP | LOOP_READ);
    watch_free(&e.w);
    assert_null(e.w);
    watch_free(&e.w);
    turn();
    assert_int_equal(calls, 4);
    close(p[0]);
    int file = open("/proc/self/exe", O_RDONLY);
    assert_true(file >= 0);
    assert_null(loop_watch(loop, file, LOOP_READ, on_plain, &e));
    close(file);
}

static void on_kill_other(void *arg, int fd, unsigned events)
{
    struct end *e = arg;
    (void)fd;
    (void)events;
    calls++;
    watch_free(&e->other);
    watch_free(&e->w);
}

/* Two are ready; whichever runs first removes both, so the second event of the turn must not be delivered. */
static void test_free_in_callback(void **state)
{
    (void)state;
    int p[2][2];
    struct end e[2] = {0};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe(p[i]), 0);
        assert_int_equal(write(p[i][1], "x", 1), 1);
    }
    /* Each end can remove both watches through the shared first element. */
    e[0].w = loop_watch(loop, p[0][0], LOOP_READ, on_kill_other, &e[0]);
    e[0].other = loop_watch(loop, p[1][0], LOOP_READ, on_kill_other, &e[0]);
    turn();
    turn();
    assert_int_equal(calls, 1);
    for (int i = 0; i < 2; i++) {
        close(p[i][0]);
        close(p[i][1]);
    }
}

static void on_reuse(void *arg, int fd, unsigned events)
{
    struct end *e = arg;
    (void)fd;
    (void)events;
    calls++;
    if (e->other == NULL)
        return;
    /* The other descriptor is closed, and its number is at once that of a fresh pipe that has nothing to read. */
    int p[2];
    watch_free(&e->other);
    close(e->reuse);
    assert_int_equal(pipe(p), 0);
    assert_int_equal(p[0], e->reuse);
    e->fresh = loop_watch(loop, p[0], LOOP_READ, on_plain, e);
    assert_non_null(e->fresh);
    e->last = (unsigned)p[1];
    watch_free(&e->w);
}

static void test_fd_reuse_within_a_turn(void **state)
{
    (void)state;
    int a[2], b[2];
    assert_int_equal(pipe(b), 0);
    assert_int_equal(pipe(a), 0);
    assert_int_equal(write(a[1], "x", 1), 1);
    assert_int_equal(write(b[1], "x", 1), 1);
    struct end e = {.fd = a[0], .reuse = b[0]};
    e.w = loop_watch(loop, a[0], LOOP_READ, on_reuse, &e);
    e.other = loop_watch(loop, b[0], LOOP_READ, on_plain, &e);
    turn();
    turn();
    assert_int_equal(calls, 1);
    int writer = (int)e.last;
    assert_int_equal(write(writer, "y", 1), 1);
    turn();
    assert_int_equal(calls, 2);
    watch_free(&e.fresh);
    close(b[0]);
    close(b[1]);
    close(a[0]);
    close(a[1]);
    close(writer);
}

static unsigned order[1000];
static unsigned fired;

struct tick {
    struct timer *t;
    unsigned id;
    struct tick *victim;
};

static void on_tick(void *arg)
{
    struct tick *k = arg;
    order[fired++] = k->id;
    if (k->victim != NULL)
        timer_free(&k->victim->t);
}

static void on_again(void *arg)
{
    struct tick *k = arg;
    fired++;
    timer_arm(k->t, 0);
}

#define TICKS 500

/* Runs inside a turn, where time stands still: equal delays are equal due times. */
static void arm_all(void *arg)
{
    struct tick *k = arg;
    for (unsigned i = 0; i < TICKS; i++) {
        timer_arm(k[i].t, 1000);
        timer_arm(k[i].t, k[i].id);
        assert_true(timer_armed(k[i].t));
    }
    for (unsigned i = 0; i < TICKS; i += 5)
        timer_disarm(k[i].t);
}

static void test_timer_order(void **state)
{
    (void)state;
    struct tick k[TICKS];
    uint64_t seed = 1;
    fired = 0;
    for (unsigned i = 0; i < TICKS; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        k[i] = (struct tick){.id = (unsigned)(seed >> 58)};
        k[i].t = timer_new(loop, on_tick, &k[i]);
    }
    loop_defer(loop, arm_all, k);
    turn();
    for (int i = 0; i < 1000 && fired < 400; i++)
        assert_int_equal(loop_turn(loop, 100), 0);
    assert_int_equal(fired, 400);
    for (unsigned i = 1; i < fired; i++)
        assert_true(order[i - 1] <= order[i]);
    for (unsigned i = 0; i < TICKS; i++) {
        assert_false(timer_armed(k[i].t));
        timer_free(&k[i].t);
    }
    turn();
    assert_int_equal(fired, 400);
}

static void test_timer_frees_other_and_rearms(void **state)
{
    (void)state;
    fired = 0;
    struct tick a = {.id = 1}, b = {.id = 2};
    a.victim = &b;
    b.victim = &a;
    a.t = timer_new(loop, on_tick, &a);
    b.t = timer_new(loop, on_tick, &b);
    timer_arm(a.t, 0);
    timer_arm(b.t, 0);
    turn();
    turn();
    assert_int_equal(fired, 1);
    timer_free(&a.t);
    timer_free(&b.t);
    /* One that arms itself with 0 runs once a turn. */
    struct tick c = {0};
    c.t = timer_new(loop, on_again, &c);
    timer_arm(c.t, 0);
    fired = 0;
    turn();
    assert_int_equal(fired, 1);
    turn();
    assert_int_equal(fired, 2);
    timer_free(&c.t);
    /* Far away does not overflow and does not spin. */
    struct tick d = {0};
    d.t = timer_new(loop, on_tick, &d);
    timer_arm(d.t, UINT64_MAX);
    turn();
    assert_int_equal(fired, 2);
    timer_free(&d.t);
}

static void count(void *arg)
{
    (*(int *)arg)++;
}

static void hook_again(void *arg)
{
    count(arg);
    if (*(int *)arg < 3)
        loop_again(loop);
    else
        loop_stop(loop);
}

static void defer_more(void *arg)
{
    loop_defer(loop, count, arg);
}

static void test_hooks_defer_stop(void **state)
{
    (void)state;
    int hooks = 0, deferred = 0;
    loop_on_turn(loop, hook_again, &hooks);
    loop_defer(loop, defer_more, &deferred);
    /* Nothing is watched: only because of loop_again() does it not sleep for ever. */
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(hooks, 3);
    assert_int_equal(deferred, 1);
    loop_stop(loop);
    assert_int_equal(loop_run(loop), 0);
    loop_defer(loop, count, &deferred);
    loop_free(&loop);
    assert_int_equal(deferred, 2);
}

static void on_signal(void *arg, int signo)
{
    *(int *)arg = signo;
}

static void test_signals(void **state)
{
    (void)state;
    int usr1 = 0, usr2 = 0;
    assert_int_equal(loop_signal(loop, SIGUSR1, on_signal, &usr1), 0);
    assert_int_equal(loop_signal(loop, SIGUSR2, on_signal, &usr2), 0);
    assert_int_equal(loop_signal(loop, 0, on_signal, &usr2), ERR_RANGE);
    assert_int_equal(loop_signal(loop, 1000, on_signal, &usr2), ERR_RANGE);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR2);
    turn();
    assert_int_equal(usr1, SIGUSR1);
    assert_int_equal(usr2, SIGUSR2);
    loop_free(&loop);
    sigset_t now;
    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &now), 0);
    assert_false(sigismember(&now, SIGUSR1));
}

static void fork_inside(void *arg, int fd, unsigned events)
{
    struct end *e = arg;
    char c;
    (void)events;
    (void)!read(fd, &c, 1);
    calls++;
    if (calls > 1)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        watch_free(&e->w);
        loop_free(&loop);
        loop = loop_new();
        _exit(loop == NULL || loop_turn(loop, 0) != 0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* A child that drops what it inherited, even from within a callback, must not remove the parent's registration. */
static void test_child_leaves_parent_alone(void **state)
{
    (void)state;
    int p[2];
    assert_int_equal(pipe(p), 0);
    struct end e = {0};
    e.w = loop_watch(loop, p[0], LOOP_READ, fork_inside, &e);
    assert_int_equal(write(p[1], "xy", 2), 2);
    turn();
    turn();
    assert_int_equal(calls, 2);
    watch_free(&e.w);
    close(p[0]);
    close(p[1]);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_events),
        T(test_free_in_callback),
        T(test_fd_reuse_within_a_turn),
        T(test_timer_order),
        T(test_timer_frees_other_and_rearms),
        T(test_hooks_defer_stop),
        T(test_signals),
        T(test_child_leaves_parent_alone),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
