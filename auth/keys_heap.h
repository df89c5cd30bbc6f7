/*
 * The heap of culver-keys: everything that OpenSSL allocates, private keys above all, lies in one mapping that the kernel gives
 * to nobody else (memfd_secret: not even to root through /proc, nor to a core dump or swap). Freed memory is wiped at once.
 *
 * Size classes with free lists over a region of fixed size; nothing is given back to the system. Single-threaded.
 */
#ifndef CULVER_AUTH_KEYS_HEAP_H
#define CULVER_AUTH_KEYS_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

#define KEYS_HEAP_CLASSES 48

struct keys_heap {
    uint8_t *base;
    size_t size;
    size_t used; /* handed out at least once */
    void *free_lists[KEYS_HEAP_CLASSES];
};

/* base: 16-byte aligned, not owned. */
void keys_heap_init(struct keys_heap *heap, void *base, size_t size);
/* 16-byte aligned, or NULL when the region is used up. Size 0 gives NULL. */
void *keys_heap_alloc(struct keys_heap *heap, size_t size);
void *keys_heap_realloc(struct keys_heap *heap, void *ptr, size_t size);
/* Wipes. ptr NULL is nothing; a pointer that is not from here is a panic. */
void keys_heap_free(struct keys_heap *heap, void *ptr);

/* What protects the mapping. */
enum keys_memory { KEYS_MEMORY_SECRET, KEYS_MEMORY_LOCKED, KEYS_MEMORY_PLAIN };

/* Maps the region and makes OpenSSL use it; before any other call to OpenSSL. ERR_SYSTEM: no mapping; ERR_STATE: OpenSSL has
 * allocated already. */
MUST_CHECK int keys_memory_init(enum keys_memory *out);

#endif
