/*
 * Mapped files that cannot be read. Where the device fails, or a file is shorter than it was, touching a mapping raises SIGBUS.
 * For a guarded range that is an error and not the end of the process: the page that cannot be had is replaced by zeros and the
 * guard says so, for its owner to look at before it believes what it has read.
 *
 * The handler is the process's, set when there are guards; SIGBUS anywhere else ends the process as always. One thread only.
 */
#ifndef CULVER_STORAGE_GUARD_H
#define CULVER_STORAGE_GUARD_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

struct guard {
    struct guard *next;
    char *start;
    size_t len;
    volatile sig_atomic_t failed;
};

/* [start, start + len) is a mapping, from a page boundary on. g must stay where it is until guard_remove(), which comes before
 * the range is unmapped. */
void guard_add(struct guard *g, void *start, size_t len);
void guard_remove(struct guard *g);
/* Any guard ever failed in this process: for asking cheaply. */
bool guard_any_failed(void);
/* Part of the range could not be read. */
static inline bool guard_failed(const struct guard *g)
{
    return g->failed != 0;
}

#endif
