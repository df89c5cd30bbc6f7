/* Allocation. Small fixed sizes abort when memory is out; sizes that depend on input are checked by the caller first. */
#ifndef CULVER_COMMON_BASE_MEM_H
#define CULVER_COMMON_BASE_MEM_H

#include <stddef.h>

/* Never return NULL: the process aborts with a log line. xcalloc and xreallocarray abort on overflow too. */
void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xreallocarray(void *ptr, size_t n, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));

/* fn is called before the process aborts for want of memory: its last words. size: octets that were asked for, SIZE_MAX for a
 * product that overflows. It is called once; what it cannot get in its turn aborts at once, so it had better ask for nothing. */
void mem_on_exhausted(void (*fn)(void *arg, size_t size), void *arg);
/* What the functions above do without memory, for others that cannot go on. */
_Noreturn void mem_exhausted(size_t size);

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

#endif
