/*
 * An arena: memory of one parsed message, freed as a whole, never more than its cap in all. Used inside storage/message only:
 * what a caller sees of it is the `arena` pointer that the free function of a result takes.
 */
#ifndef CULVER_STORAGE_MESSAGE_ARENA_H
#define CULVER_STORAGE_MESSAGE_ARENA_H

#include "common/base/view.h"

struct arena;

struct arena *arena_new(size_t cap);
void arena_free(struct arena **a);

/* Zeroed memory for n objects, aligned for anything, or NULL when the cap is reached (the arena is then full for good). */
void *arena_alloc(struct arena *a, size_t n, size_t size);
/* n bytes without alignment. Never NULL for n = 0; NULL when the cap is reached. */
uint8_t *arena_bytes(struct arena *a, size_t n);
/* Gives back the end of the latest arena_bytes: keeps its first `used` of n bytes. */
void arena_trim(struct arena *a, const uint8_t *bytes, size_t n, size_t used);
/* A copy of v; ptr NULL when the cap is reached. */
struct view arena_copy(struct arena *a, struct view v);
/* What it has of the heap. */
size_t arena_taken(const struct arena *a);
/* An allocation has failed. */
bool arena_full(const struct arena *a);

#endif
