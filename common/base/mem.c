#include "common/base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/log/log.h"

static struct {
    void (*fn)(void *arg, size_t size);
    void *arg;
} last_words;

void mem_on_exhausted(void (*fn)(void *arg, size_t size), void *arg)
{
    last_words.fn = fn;
    last_words.arg = arg;
}

void mem_exhausted(size_t size)
{
    void (*fn)(void *arg, size_t size) = last_words.fn;

    last_words.fn = NULL;
    if (fn != NULL)
        fn(last_words.arg, size);
    PANIC("out of memory");
}

static size_t product(size_t n, size_t size)
{
    return size != 0 && n > SIZE_MAX / size ? SIZE_MAX : n * size;
}

void *xmalloc(size_t size)
{
    void *p = malloc(size == 0 ? 1 : size);
    if (p == NULL)
        mem_exhausted(size);
    return p;
}

void *xcalloc(size_t n, size_t size)
{
    /* calloc itself refuses a product that overflows. */
    void *p = n == 0 || size == 0 ? calloc(1, 1) : calloc(n, size);
    if (p == NULL)
        mem_exhausted(product(n, size));
    return p;
}

void *xreallocarray(void *ptr, size_t n, size_t size)
{
    void *p = n == 0 || size == 0 ? realloc(ptr, 1) : reallocarray(ptr, n, size);
    if (p == NULL)
        mem_exhausted(product(n, size));
    return p;
}

char *xstrdup(const char *s)
{
    size_t size = strlen(s) + 1;
    char *copy = xmalloc(size);
    memcpy(copy, s, size);
    return copy;
}
