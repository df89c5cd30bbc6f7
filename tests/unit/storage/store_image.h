/* The files of an account as bytes in memory, to be damaged and put into a vfs_sim again. Shared by the tests of verify and
 * salvage and their fuzzer. */
#ifndef CULVER_TESTS_STORAGE_STORE_IMAGE_H
#define CULVER_TESTS_STORAGE_STORE_IMAGE_H

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/vfs_sim.h"

struct image_file {
    struct vfs_name name;
    uint8_t *bytes;
    size_t len;
};
struct image {
    struct image_file *files;
    size_t n;
    struct vfs *from;
};

static inline bool image_take_one(void *arg, struct vfs_name name)
{
    struct image *im = arg;
    struct image_file f = {.name = name};
    struct vfs_file *file;
    uint64_t size = 0;

    ASSERT(vfs_file_open(im->from, name, VFS_READ, &file) == 0 && vfs_size(file, &size) == 0);
    f.len = (size_t)size;
    f.bytes = xmalloc(f.len + 1);
    ASSERT(vfs_read(file, 0, f.bytes, f.len) == 0);
    vfs_file_close(&file);
    im->files = xreallocarray(im->files, im->n + 1, sizeof(*im->files));
    im->files[im->n++] = f;
    return true;
}

static inline void image_take(struct image *im, struct vfs *from)
{
    *im = (struct image){.from = from};
    ASSERT(vfs_list(from, image_take_one, im) == 0);
}

static inline void image_copy(struct image *dst, const struct image *src)
{
    *dst = (struct image){.n = src->n, .files = xcalloc(src->n + 1, sizeof(*dst->files))};
    for (size_t i = 0; i < src->n; i++) {
        dst->files[i] = src->files[i];
        dst->files[i].bytes = xmalloc(src->files[i].len + 1);
        memcpy(dst->files[i].bytes, src->files[i].bytes, src->files[i].len);
    }
}

static inline void image_free(struct image *im)
{
    for (size_t i = 0; i < im->n; i++)
        free(im->files[i].bytes);
    free(im->files);
    *im = (struct image){0};
}

/* A file whose len is SIZE_MAX is left out. */
static inline struct vfs *image_mount(const struct image *im)
{
    struct vfs *v = vfs_sim_new(1);

    for (size_t i = 0; i < im->n; i++) {
        struct iovec iov = {im->files[i].bytes, im->files[i].len};
        struct vfs_file *file;

        if (im->files[i].len == SIZE_MAX)
            continue;
        ASSERT(vfs_file_open(v, im->files[i].name, VFS_CREATE, &file) == 0);
        ASSERT(iov.iov_len == 0 || vfs_append(file, 0, 0, &iov, 1) == 0);
        vfs_file_close(&file);
    }
    return v;
}

#endif
