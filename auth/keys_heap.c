/*
 * Blocks have a header of 16 bytes (magic, class) and a size of 16, 32, 48, 64, 96, 128, 192 … bytes. What OpenSSL allocates
 * repeats with each signature, so that the free lists reach a steady state after the first few; coalescing would buy nothing.
 *
 * The one mutable object of file scope is the heap itself: CRYPTO_set_mem_functions() takes functions without an argument.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "auth/keys_heap.h"
#include "common/log/log.h"
#include "common/secret/secret.h"
#include "common/tls/openssl.h"

#define HEAP_HEADER 16
#define HEAP_MAGIC 0x6b657973u
/* OpenSSL with its default provider uses about half a MiB, a key a few KiB; unprivileged processes may lock 8 MiB as a rule. */
#define HEAP_REGION (2u * 1024 * 1024)

struct block {
    uint32_t magic;
    uint32_t class;
    uint64_t live;
};
_Static_assert(sizeof(struct block) == HEAP_HEADER, "payloads must stay aligned");

static struct keys_heap openssl_heap;

static size_t class_size(unsigned class)
{
    if (class == 0)
        return 16;
    return (class & 1) != 0 ? (size_t)32 << (class / 2) : (size_t)48 << (class / 2 - 1);
}

void keys_heap_init(struct keys_heap *heap, void *base, size_t size)
{
    memset(heap, 0, sizeof(*heap));
    heap->base = base;
    heap->size = size;
}

static struct block *block_of(const struct keys_heap *heap, void *ptr)
{
    uint8_t *at = ptr;
    struct block *block;

    ASSERT(at >= heap->base + HEAP_HEADER && at < heap->base + heap->used);
    block = (struct block *)(void *)(at - HEAP_HEADER);
    ASSERT(block->magic == HEAP_MAGIC && block->live == 1 && block->class < KEYS_HEAP_CLASSES);
    return block;
}

void *keys_heap_alloc(struct keys_heap *heap, size_t size)
{
    struct block *block;
    unsigned class = 0;

    if (size == 0 || size > heap->size)
        return NULL;
    while (class_size(class) < size)
        class ++;
    ASSERT(class < KEYS_HEAP_CLASSES);
    if (heap->free_lists[class] != NULL) {
        block = heap->free_lists[class];
        memcpy(&heap->free_lists[class], block + 1, sizeof(void *));
        memset(block + 1, 0, sizeof(void *));
    } else {
        if (class_size(class) + HEAP_HEADER > heap->size - heap->used)
            return NULL;
        block = (struct block *)(void *)(heap->base + heap->used);
        heap->used += class_size(class) + HEAP_HEADER;
    }
    *block = (struct block){HEAP_MAGIC, class, 1};
    return block + 1;
}

void keys_heap_free(struct keys_heap *heap, void *ptr)
{
    struct block *block;

    if (ptr == NULL)
        return;
    block = block_of(heap, ptr);
    secret_wipe(ptr, class_size(block->class));
    block->live = 0;
    memcpy(ptr, &heap->free_lists[block->class], sizeof(void *));
    heap->free_lists[block->class] = block;
}

void *keys_heap_realloc(struct keys_heap *heap, void *ptr, size_t size)
{
    struct block *block;
    void *moved;

    if (ptr == NULL)
        return keys_heap_alloc(heap, size);
    if (size == 0) {
        keys_heap_free(heap, ptr);
        return NULL;
    }
    block = block_of(heap, ptr);
    if (size <= class_size(block->class))
        return ptr;
    moved = keys_heap_alloc(heap, size);
    if (moved == NULL)
        return NULL;
    memcpy(moved, ptr, class_size(block->class));
    keys_heap_free(heap, ptr);
    return moved;
}

/* --- OpenSSL's -------------------------------------------------------------------------------------------------------------- */

static void *openssl_alloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return keys_heap_alloc(&openssl_heap, size);
}

static void *openssl_realloc(void *ptr, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return keys_heap_realloc(&openssl_heap, ptr, size);
}

static void openssl_free(void *ptr, const char *file, int line)
{
    (void)file;
    (void)line;
    keys_heap_free(&openssl_heap, ptr);
}

/* memfd_secret(2); fails where the kernel has none or the limit on locked memory is too small. */
static void *map_secret(size_t size)
{
    int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    void *base;

    if (fd < 0)
        return MAP_FAILED;
    base = ftruncate(fd, (off_t)size) == 0 ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    close(fd);
    return base;
}

int keys_memory_init(enum keys_memory *out)
{
    enum keys_memory kind = KEYS_MEMORY_SECRET;
    void *base = map_secret(HEAP_REGION);

    if (base == MAP_FAILED) {
        base = mmap(NULL, HEAP_REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (base == MAP_FAILED)
            return ERR_SYSTEM;
        kind = mlock(base, HEAP_REGION) == 0 ? KEYS_MEMORY_LOCKED : KEYS_MEMORY_PLAIN;
        /* Keeps the pages out of core dumps; the process makes none, this is the second line. */
        if (madvise(base, HEAP_REGION, MADV_DONTDUMP) != 0 || madvise(base, HEAP_REGION, MADV_DONTFORK) != 0)
            return ERR_SYSTEM;
    }
    keys_heap_init(&openssl_heap, base, HEAP_REGION);
    if (CRYPTO_set_mem_functions(openssl_alloc, openssl_realloc, openssl_free) != 1)
        return ERR_STATE;
    *out = kind;
    return 0;
}
