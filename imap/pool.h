/*
 * struct imap_pool: the arena of one command. Everything that its parser and its job allocate is freed as a whole when the
 * command ends; the total is bounded, so that no command can take more memory than its limits say.
 */
#ifndef CULVER_IMAP_POOL_H
#define CULVER_IMAP_POOL_H

#include "common/base/view.h"

struct imap_pool_chunk;
struct imap_pool {
    struct imap_pool_chunk *chunks;
    size_t total, max; /* bytes handed out, and the most that may be */
};

void imap_pool_init(struct imap_pool *p, size_t max);
void imap_pool_free(struct imap_pool *p);
/* Zeroed memory, aligned for any type; NULL when the pool's maximum would be passed. */
void *imap_pool_alloc(struct imap_pool *p, size_t size);
/* A copy of v followed by a NUL that is not part of the view; ptr NULL when the pool is full. */
struct view imap_pool_copy(struct imap_pool *p, struct view v);

#endif
