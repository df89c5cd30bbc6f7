/*
 * epoll with the watch's address as the event's data. A removed watch or timer stays allocated until the end of the turn, marked
 * dead, so an event that the kernel reported before the removal finds the mark and not freed memory or, when the descriptor's
 * number was used again within the turn, somebody else's watch.
 *
 * An epoll instance is shared with a forked child. The loop therefore remembers whose it is: in a child, freeing inherited
 * watches leaves the parent's registrations alone.
 */
#include "common/io/loop.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"

#define EVENTS_PER_TURN 64
#define NOT_ARMED SIZE_MAX
#define SIGNAL_SLOTS 65 /* signals are 1 to 64 */

struct watch {
    struct loop *loop;
    int fd;
    unsigned events;
    bool dead;
    loop_watch_fn *fn;
    void *arg;
    struct watch *next_dead;
};

struct timer {
    struct loop *loop;
    loop_fn *fn;
    void *arg;
    uint64_t due;
    size_t at;   /* place in the heap, NOT_ARMED outside of it */
    bool firing; /* taken out of the heap by this turn, not run yet */
    bool dead;
    struct timer *next; /* in the list of due timers or of dead ones */
    struct timer *next_dead;
};

struct call {
    loop_fn *fn;
    void *arg;
};

struct call_list {
    struct call *calls;
    size_t n, cap;
};

struct signal_slot {
    loop_signal_fn *fn;
    void *arg;
};

struct loop {
    int epfd;
    pid_t owner;
    uint64_t now;
    bool in_turn, stop, again;
    struct watch *dead_watches;
    struct timer *dead_timers;
    struct timer **heap;
    size_t heap_n, heap_cap;
    struct call_list hooks, deferred;
    int sigfd;
    sigset_t signals;
    struct watch *sigwatch;
    struct signal_slot slots[SIGNAL_SLOTS];
};

static uint64_t clock_ms(void)
{
    struct timespec ts = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

struct loop *loop_new(void)
{
    struct loop *loop = xcalloc(1, sizeof(*loop));
    loop->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epfd < 0) {
        free(loop);
        return NULL;
    }
    loop->owner = getpid();
    loop->now = clock_ms();
    loop->sigfd = -1;
    sigemptyset(&loop->signals);
    return loop;
}

uint64_t loop_now(const struct loop *loop)
{
    return loop->in_turn ? loop->now : clock_ms();
}

void loop_stop(struct loop *loop)
{
    loop->stop = true;
}

void loop_again(struct loop *loop)
{
    loop->again = true;
}

/* --- lists of calls ------------------------------------------------------------------------------------- */

static void call_list_add(struct call_list *list, loop_fn *fn, void *arg)
{
    if (list->n == list->cap) {
        list->cap = list->cap == 0 ? 8 : list->cap * 2;
        list->calls = xreallocarray(list->calls, list->cap, sizeof(list->calls[0]));
    }
    list->calls[list->n++] = (struct call){fn, arg};
}

/* Calls that are added meanwhile run too. */
static void call_list_run(const struct call_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        struct call call = list->calls[i];
        call.fn(call.arg);
    }
}

void loop_on_turn(struct loop *loop, loop_fn *fn, void *arg)
{
    call_list_add(&loop->hooks, fn, arg);
}

void loop_defer(struct loop *loop, loop_fn *fn, void *arg)
{
    call_list_add(&loop->deferred, fn, arg);
}

/* --- watches ---------------------------------------------------------------------------------------------- */

static uint32_t to_epoll(unsigned events)
{
    return ((events & LOOP_READ) ? (uint32_t)EPOLLIN : 0) | ((events & LOOP_WRITE) ? (uint32_t)EPOLLOUT : 0);
}

struct watch *loop_watch(struct loop *loop, int fd, unsigned events, loop_watch_fn *fn, void *arg)
{
    struct watch *w = xcalloc(1, sizeof(*w));
    *w = (struct watch){.loop = loop, .fd = fd, .events = events, .fn = fn, .arg = arg};
    struct epoll_event ev = {.events = to_epoll(events), .data.ptr = w};
    if (epoll_ctl(loop->epfd, EPOLL_CTL_ADD, fd, &ev) < 0) {
        free(w);
        return NULL;
    }
    return w;
}

void watch_set(struct watch *w, unsigned events)
{
    if (w->dead || events == w->events || w->loop->owner != getpid())
        return;
    struct epoll_event ev = {.events = to_epoll(events), .data.ptr = w};
    /* Modifying what is registered fails only when the descriptor was closed before its watch: our bug. */
    ASSERT(epoll_ctl(w->loop->epfd, EPOLL_CTL_MOD, w->fd, &ev) == 0);
    w->events = events;
}

void watch_free(struct watch **wp)
{
    struct watch *w = *wp;
    *wp = NULL;
    if (w == NULL)
        return;
    if (w->loop->owner == getpid())
        (void)epoll_ctl(w->loop->epfd, EPOLL_CTL_DEL, w->fd, NULL);
    w->dead = true;
    w->next_dead = w->loop->dead_watches;
    w->loop->dead_watches = w;
}

static void run_watch(struct watch *w, uint32_t reported)
{
    unsigned events = 0;
    if (w->dead)
        return;
    if (reported & EPOLLIN)
        events |= LOOP_READ;
    if (reported & EPOLLOUT)
        events |= LOOP_WRITE;
    /* After an error or hang-up reading and writing return at once: let the callback do what it waits for. */
    if (reported & (EPOLLHUP | EPOLLERR))
        events |= LOOP_HANGUP | w->events;
    /* An earlier callback of this turn may have changed what is wanted. */
    events &= w->events | LOOP_HANGUP;
    if (events != 0)
        w->fn(w->arg, w->fd, events);
}

/* --- timers: a binary heap, the next one first ------------------------------------------------------------- */

static void heap_put(struct loop *loop, size_t at, struct timer *t)
{
    loop->heap[at] = t;
    t->at = at;
}

static void heap_up(struct loop *loop, size_t at)
{
    struct timer *t = loop->heap[at];
    while (at > 0 && t->due < loop->heap[(at - 1) / 2]->due) {
        heap_put(loop, at, loop->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_put(loop, at, t);
}

static void heap_down(struct loop *loop, size_t at)
{
    struct timer *t = loop->heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= loop->heap_n)
            break;
        if (child + 1 < loop->heap_n && loop->heap[child + 1]->due < loop->heap[child]->due)
            child++;
        if (t->due <= loop->heap[child]->due)
            break;
        heap_put(loop, at, loop->heap[child]);
        at = child;
    }
    heap_put(loop, at, t);
}

static void heap_remove(struct loop *loop, struct timer *t)
{
    size_t at = t->at;
    struct timer *last = loop->heap[--loop->heap_n];
    t->at = NOT_ARMED;
    if (last == t)
        return;
    heap_put(loop, at, last);
    heap_down(loop, at);
    heap_up(loop, last->at);
}

struct timer *timer_new(struct loop *loop, loop_fn *fn, void *arg)
{
    struct timer *t = xcalloc(1, sizeof(*t));
    *t = (struct timer){.loop = loop, .fn = fn, .arg = arg, .at = NOT_ARMED};
    return t;
}

void timer_arm(struct timer *t, uint64_t ms_from_now)
{
    struct loop *loop = t->loop;
    if (t->dead)
        return;
    timer_disarm(t);
    if (__builtin_add_overflow(loop_now(loop), ms_from_now, &t->due))
        t->due = UINT64_MAX;
    if (loop->heap_n == loop->heap_cap) {
        loop->heap_cap = loop->heap_cap == 0 ? 16 : loop->heap_cap * 2;
        loop->heap = xreallocarray(loop->heap, loop->heap_cap, sizeof(loop->heap[0]));
    }
    heap_put(loop, loop->heap_n++, t);
    heap_up(loop, t->at);
}

void timer_disarm(struct timer *t)
{
    t->firing = false;
    if (t->at != NOT_ARMED)
        heap_remove(t->loop, t);
}

bool timer_armed(const struct timer *t)
{
    return t->at != NOT_ARMED || t->firing;
}

void timer_free(struct timer **tp)
{
    struct timer *t = *tp;
    *tp = NULL;
    if (t == NULL)
        return;
    timer_disarm(t);
    t->dead = true;
    t->next_dead = t->loop->dead_timers;
    t->loop->dead_timers = t;
}

/* Those due are taken out first: a timer that its own callback arms again with 0 runs in the next turn, not for ever in this. */
static void run_timers(struct loop *loop)
{
    struct timer *first = NULL, **end = &first;
    while (loop->heap_n > 0 && loop->heap[0]->due <= loop->now) {
        struct timer *t = loop->heap[0];
        heap_remove(loop, t);
        t->firing = true;
        t->next = NULL;
        *end = t;
        end = &t->next;
    }
    for (struct timer *t = first; t != NULL; t = t->next) {
        if (!t->firing)
            continue;
        t->firing = false;
        t->fn(t->arg);
    }
}

/* --- signals ------------------------------------------------------------------------------------------------ */

static void on_signal(void *arg, int fd, unsigned events)
{
    struct loop *loop = arg;
    struct signalfd_siginfo info;
    (void)events;
    while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo < SIGNAL_SLOTS && loop->slots[info.ssi_signo].fn != NULL)
            loop->slots[info.ssi_signo].fn(loop->slots[info.ssi_signo].arg, (int)info.ssi_signo);
    }
}

int loop_signal(struct loop *loop, int signo, loop_signal_fn *fn, void *arg)
{
    sigset_t one;
    sigemptyset(&one);
    if (signo <= 0 || signo >= SIGNAL_SLOTS || sigaddset(&one, signo) < 0 || sigaddset(&loop->signals, signo) < 0)
        return ERR_RANGE;
    if (sigprocmask(SIG_BLOCK, &one, NULL) < 0)
        return ERR_SYSTEM;
    int fd = signalfd(loop->sigfd, &loop->signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return ERR_SYSTEM;
    loop->sigfd = fd;
    if (loop->sigwatch == NULL)
        loop->sigwatch = loop_watch(loop, fd, LOOP_READ, on_signal, loop);
    if (loop->sigwatch == NULL)
        return ERR_SYSTEM;
    loop->slots[signo] = (struct signal_slot){fn, arg};
    return 0;
}

/* --- the turn --------------------------------------------------------------------------------------------------- */

static int wait_ms(const struct loop *loop, int max_wait_ms)
{
    if (loop->again || loop->stop || loop->deferred.n > 0)
        return 0;
    if (loop->heap_n == 0)
        return max_wait_ms;
    uint64_t now = clock_ms(), due = loop->heap[0]->due;
    uint64_t wait = due <= now ? 0 : MIN_OF(due - now, (uint64_t)INT_MAX);
    return max_wait_ms < 0 || wait < (uint64_t)max_wait_ms ? (int)wait : max_wait_ms;
}

static void reap(struct loop *loop)
{
    while (loop->dead_watches != NULL) {
        struct watch *w = loop->dead_watches;
        loop->dead_watches = w->next_dead;
        free(w);
    }
    while (loop->dead_timers != NULL) {
        struct timer *t = loop->dead_timers;
        loop->dead_timers = t->next_dead;
        free(t);
    }
}

int loop_turn(struct loop *loop, int max_wait_ms)
{
    struct epoll_event events[EVENTS_PER_TURN];
    ASSERT(!loop->in_turn);
    int n = epoll_wait(loop->epfd, events, EVENTS_PER_TURN, wait_ms(loop, max_wait_ms));
    if (n < 0 && errno != EINTR)
        return ERR_SYSTEM;
    loop->now = clock_ms();
    loop->in_turn = true;
    loop->again = false;
    for (int i = 0; i < n; i++)
        run_watch(events[i].data.ptr, events[i].events);
    run_timers(loop);
    call_list_run(&loop->hooks);
    call_list_run(&loop->deferred);
    loop->deferred.n = 0;
    reap(loop);
    loop->in_turn = false;
    return 0;
}

int loop_run(struct loop *loop)
{
    int err = 0;
    while (!loop->stop && err == 0)
        err = loop_turn(loop, -1);
    loop->stop = false;
    return err;
}

void loop_free(struct loop **lp)
{
    struct loop *loop = *lp;
    *lp = NULL;
    if (loop == NULL)
        return;
    /* A child that was forked inside a callback may drop the loop whose turn it interrupted; what its parent deferred is not its.
     */
    bool inherited = loop->owner != getpid();
    ASSERT(inherited || !loop->in_turn);
    if (!inherited)
        call_list_run(&loop->deferred);
    watch_free(&loop->sigwatch);
    if (loop->sigfd >= 0) {
        close(loop->sigfd);
        (void)sigprocmask(SIG_UNBLOCK, &loop->signals, NULL);
    }
    reap(loop);
    close(loop->epfd);
    free(loop->heap);
    free(loop->hooks.calls);
    free(loop->deferred.calls);
    free(loop);
}
