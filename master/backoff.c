#include "master/backoff.h"

#include <signal.h>
#include <sys/wait.h>

uint64_t backoff_delay(struct backoff *b, uint64_t lived_ms)
{
    uint64_t delay;

    if (lived_ms >= BACKOFF_RESET_MS || b->next_ms == 0)
        b->next_ms = BACKOFF_FIRST_MS;
    delay = b->next_ms;
    b->next_ms = delay * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : delay * 2;
    return delay;
}

bool backoff_was_killed(int status, bool served, bool by_us)
{
    return served && !by_us && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

uint64_t backoff_after_kill(struct backoff *b)
{
    b->next_ms = 0;
    return BACKOFF_FIRST_MS;
}
