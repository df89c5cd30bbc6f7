#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "common/log/log.h"

void *xmalloc(size_t size)
{
    void *p = malloc(size == 0 ? 1 : size);
    if (p == NULL)
        PANIC("out of memory");
    return p;
}

void *xcalloc(size_t n, size_t size)
{
    /* calloc itself refuses a product that overflows. */
    void *p = n == 0 || size == 0 ? calloc(1, 1) : calloc(n, size);
    if (p == NULL)
        PANIC("out of memory");
    return p;
}

void *xreallocarray(void *ptr, size_t n, size_t size)
{
    void *p = n == 0 || size == 0 ? realloc(ptr, 1) : reallocarray(ptr, n, size);
    if (p == NULL)
        PANIC("out of memory");
    return p;
}

char *xstrdup(const char *s)
{
    size_t size = strlen(s) + 1;
    char *copy = xmalloc(size);
    memcpy(copy, s, size);
    return copy;
}
