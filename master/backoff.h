/* How long to wait before a process that died is started again: 100 ms, doubled up to 30 s, forgotten after 60 s of life. */
#ifndef CULVER_MASTER_BACKOFF_H
#define CULVER_MASTER_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 30000
#define BACKOFF_RESET_MS 60000

struct backoff {
    uint64_t next_ms; /* 0: the first failure is still to come */
};

/* The delay after a process that lived lived_ms. */
uint64_t backoff_delay(struct backoff *b, uint64_t lived_ms);

/*
 * Whether wait status `status` says that somebody outside killed a process that did its work: such an end is no failure of its
 * own, and BACKOFF_FIRST_MS is enough. What crashes by itself must get slower, or a client that knows how to crash it could try
 * as often as it likes. served: it was ready; by_us: we killed it for what it did.
 */
bool backoff_was_killed(int status, bool served, bool by_us);
/* The delay after it; forgets the failures before, since the process did its work. */
uint64_t backoff_after_kill(struct backoff *b);

#endif
