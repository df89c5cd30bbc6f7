/* What a session needs of its worker when no time passes and nobody waits: a host whose clock stands still. */
#ifndef CULVER_TESTS_SUPPORT_STILL_HOST_H
#define CULVER_TESTS_SUPPORT_STILL_HOST_H

#include "common/io/session.h"

static inline uint64_t still_now(const struct session_host *h)
{
    (void)h;
    return 0;
}

static inline void still_wake(struct session_host *h)
{
    (void)h;
}

static inline void still_timeout(struct session_host *h, uint64_t ms)
{
    (void)h;
    (void)ms;
}

/* For struct account_params: always the same moment, in ms since 1970. */
static inline uint64_t still_clock(void *arg)
{
    (void)arg;
    return 1700000000000u;
}

#endif
