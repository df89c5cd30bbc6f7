/* What the benchmark programs share. */
#ifndef CULVER_TESTS_BENCH_BENCH_H
#define CULVER_TESTS_BENCH_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "storage/txn.h"

/* Seconds on a clock of clock_gettime(). */
static inline double bench_seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* For struct account_params: ms since 1970. */
static inline uint64_t bench_wall(void *arg)
{
    (void)arg;
    return (uint64_t)time(NULL) * 1000;
}

/* Ends the program when something did not work: its figures would mean nothing. */
static inline void must(int err, const char *what)
{
    if (err != 0) {
        fprintf(stderr, "%s: %s\n", what, err_str(err));
        exit(1);
    }
}

/* For txn_commit(). */
static inline void bench_committed(void *arg, int err, const struct txn_result *r)
{
    (void)arg;
    (void)r;
    must(err, "commit");
}

#endif
