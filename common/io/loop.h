/*
 * The event loop: epoll, timers, signals, deferred frees and one hook at the end of each turn. One loop a process,
 * single-threaded. A turn: wait, run the ready watches, run due timers, run the turn hooks, run deferred frees.
 *
 * Callbacks may remove any watch or timer, their own included: objects are reaped at the end of the turn, and no callback
 * of a removed watch is called any more.
 *
 * fork(): the epoll instance is shared with the parent. A child may do nothing with an inherited loop but free its watches,
 * timers and signals with watch_free, timer_free, ipc_free and loop_free, even inside a callback (then it must never return into
 * the turn); the parent's registrations stay. It makes a loop of its own.
 */
#ifndef CULVER_COMMON_IO_LOOP_H
#define CULVER_COMMON_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

struct loop;
struct watch;
struct timer;

enum loop_events { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_HANGUP = 4 };

typedef void loop_watch_fn(void *arg, int fd, unsigned events);
typedef void loop_fn(void *arg);
typedef void loop_signal_fn(void *arg, int signo);

struct loop *loop_new(void);
void loop_free(struct loop **loop);

/* Runs until loop_stop(). Returns 0, or ERR_SYSTEM when epoll itself fails. */
MUST_CHECK int loop_run(struct loop *loop);
/* One turn that waits at most max_wait_ms (tests). */
MUST_CHECK int loop_turn(struct loop *loop, int max_wait_ms);
void loop_stop(struct loop *loop);

/* Milliseconds of CLOCK_MONOTONIC, read once a turn. */
uint64_t loop_now(const struct loop *loop);

/* Watches fd (not owned) for events (LOOP_READ|LOOP_WRITE; level-triggered). LOOP_HANGUP is always reported. A regular file
 * (which epoll refuses) gives NULL. */
struct watch *loop_watch(struct loop *loop, int fd, unsigned events, loop_watch_fn *fn, void *arg);
/* Changes what is watched for; costs nothing when it is the same. */
void watch_set(struct watch *w, unsigned events);
/* Removes and frees; sets the pointer to NULL. Call before close(fd). Accepts a NULL pointer in *w. */
void watch_free(struct watch **w);

/* A one-shot timer, not armed yet. */
struct timer *timer_new(struct loop *loop, loop_fn *fn, void *arg);
void timer_arm(struct timer *t, uint64_t ms_from_now);
void timer_disarm(struct timer *t);
bool timer_armed(const struct timer *t);
void timer_free(struct timer **t);

/* Delivers signo through a signalfd (blocked for the process). One handler a signal. */
MUST_CHECK int loop_signal(struct loop *loop, int signo, loop_signal_fn *fn, void *arg);

/* fn(arg) at the end of every turn, after watches and timers. While loop_again() was called in the turn the next wait does not
 * sleep. Hooks stay for the life of the loop. */
void loop_on_turn(struct loop *loop, loop_fn *fn, void *arg);
void loop_again(struct loop *loop);

/* fn(arg) after this turn's hooks: the way to free an object from inside its own callback. */
void loop_defer(struct loop *loop, loop_fn *fn, void *arg);

#endif
