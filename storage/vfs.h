/*
 * The files of one account, as storage sees them: a dozen operations over numbered files, one level of table (vfs_posix.c,
 * vfs_sim.c).
 *
 * Called by the worker only. Names are made by the server, never by a client: a kind and one or two numbers. Nothing above this
 * header knows paths, and nothing may assume a local file beyond what is promised here:
 *  - an append says at which offset it expects the file to end and under which epoch its writer owns the account; it is refused
 *    (ERR_STATE, ERR_DENIED) where either is not so. It is atomic only in its size: after a failure any part of it may be there;
 *  - bytes are durable after vfs_sync() of their file, names after vfs_sync_dir();
 *  - bytes below the end that somebody appended and nobody truncated do not change.
 */
#ifndef CULVER_STORAGE_VFS_H
#define CULVER_STORAGE_VFS_H

#include <sys/uio.h>

#include "common/base/buf.h"

enum vfs_kind {
    VFS_LOG,    /* log.<num>          a segment of the log */
    VFS_STATE,  /* state.<num>        the account as of a position in the log */
    VFS_MBOX,   /* mbox.<id>.<num>    message records of a mailbox */
    VFS_DIGEST, /* digest.<id>.<num>  digests of a mailbox */
    VFS_KIND_COUNT
};
struct vfs_name {
    enum vfs_kind kind;
    uint32_t id; /* mailbox, 0 for VFS_LOG and VFS_STATE */
    uint32_t num;
};

enum vfs_mode {
    VFS_READ,
    VFS_WRITE,
    VFS_CREATE /* for writing; ERR_EXISTS when it is there */
};
/* As the file is called in a directory: "log.00000001". */
void vfs_name_put(struct buf *out, struct vfs_name name);

struct vfs_ops;
/* Implementations embed these as their first member. */
struct vfs {
    const struct vfs_ops *ops;
};
struct vfs_file {
    const struct vfs_ops *ops;
};

struct vfs_ops {
    void (*free)(struct vfs *v);
    int (*lock)(struct vfs *v);
    void (*unlock)(struct vfs *v);
    void (*set_epoch)(struct vfs *v, uint64_t epoch);
    int (*open)(struct vfs *v, struct vfs_name name, enum vfs_mode mode, struct vfs_file **out);
    void (*close)(struct vfs_file *f);
    int (*size)(struct vfs_file *f, uint64_t *out);
    int (*read)(struct vfs_file *f, uint64_t off, void *data, size_t len);
    int (*append)(struct vfs_file *f, uint64_t expected, uint64_t epoch, const struct iovec *iov, size_t niov);
    int (*truncate)(struct vfs_file *f, uint64_t size);
    int (*sync)(struct vfs_file *f);
    int (*map)(struct vfs_file *f, uint64_t off, size_t len, bool private_write, void **out);
    void (*unmap)(struct vfs *v, void *ptr, uint64_t off, size_t len);
    bool (*map_good)(const struct vfs *v, const void *ptr); /* may be NULL: always */
    int (*remove)(struct vfs *v, struct vfs_name name);
    int (*list)(struct vfs *v, bool (*fn)(void *arg, struct vfs_name name), void *arg);
    int (*sync_dir)(struct vfs *v);
    int (*spool)(struct vfs *v, int *fd_out);
    int (*fd)(const struct vfs_file *f);
};

/* The directory `path` of the local file system; missing directories are made (0700). Call before the sandbox closes: later only
 * the directory's descriptor is used. ERR_DENIED, ERR_IO, ERR_NOSPACE, ERR_SYSTEM. */
MUST_CHECK int vfs_posix_open(const char *path, struct vfs **out);
void vfs_free(struct vfs **v);

/* Takes the account for the life of this process. ERR_BUSY: another has it. */
MUST_CHECK static inline int vfs_lock(struct vfs *v)
{
    return v->ops->lock(v);
}
static inline void vfs_unlock(struct vfs *v)
{
    v->ops->unlock(v);
}
/* From now on only appends under this epoch are taken. */
static inline void vfs_set_epoch(struct vfs *v, uint64_t epoch)
{
    v->ops->set_epoch(v, epoch);
}
MUST_CHECK static inline int vfs_file_open(struct vfs *v, struct vfs_name name, enum vfs_mode mode, struct vfs_file **out)
{
    return v->ops->open(v, name, mode, out);
}
/* Accepts NULL; sets the pointer to NULL. */
static inline void vfs_file_close(struct vfs_file **f)
{
    if (*f != NULL)
        (*f)->ops->close(*f);
    *f = NULL;
}
MUST_CHECK static inline int vfs_size(struct vfs_file *f, uint64_t *out)
{
    return f->ops->size(f, out);
}
/* Exactly len bytes, however many calls that takes; ERR_CORRUPT when the file ends before. */
MUST_CHECK static inline int vfs_read(struct vfs_file *f, uint64_t off, void *data, size_t len)
{
    return f->ops->read(f, off, data, len);
}
MUST_CHECK static inline int vfs_append(struct vfs_file *f, uint64_t expected, uint64_t epoch, const struct iovec *iov,
                                        size_t niov)
{
    return f->ops->append(f, expected, epoch, iov, niov);
}
MUST_CHECK static inline int vfs_truncate(struct vfs_file *f, uint64_t size)
{
    return f->ops->truncate(f, size);
}
/* After an error nothing that was written to this file since the last success may be believed to be there, ever. */
MUST_CHECK static inline int vfs_sync(struct vfs_file *f)
{
    return f->ops->sync(f);
}
/* Maps [off, off + len), which must lie below the end. private_write: the memory can be changed, the file is not. */
MUST_CHECK static inline int vfs_map(struct vfs_file *f, uint64_t off, size_t len, bool private_write, void **out)
{
    return f->ops->map(f, off, len, private_write, out);
}
/* off and len as they were mapped. Accepts NULL. */
static inline void vfs_unmap(struct vfs *v, void *ptr, uint64_t off, size_t len)
{
    if (ptr != NULL)
        v->ops->unmap(v, ptr, off, len);
}
/* False: part of what was mapped at ptr could not be read, and zeros stand in its place (guard.h). To be asked after reading and
 * before believing, where nothing else would tell. Accepts NULL. */
static inline bool vfs_map_good(const struct vfs *v, const void *ptr)
{
    return ptr == NULL || v->ops->map_good == NULL || v->ops->map_good(v, ptr);
}
/* A file that is not there is no error. Open files stay readable. */
MUST_CHECK static inline int vfs_remove(struct vfs *v, struct vfs_name name)
{
    return v->ops->remove(v, name);
}
/* Every file with a name of ours, in any order; others are not mentioned. Stops when fn returns false. */
MUST_CHECK static inline int vfs_list(struct vfs *v, bool (*fn)(void *arg, struct vfs_name name), void *arg)
{
    return v->ops->list(v, fn, arg);
}
MUST_CHECK static inline int vfs_sync_dir(struct vfs *v)
{
    return v->ops->sync_dir(v);
}
/* A descriptor of a new file without a name, for the caller to write, read and close. */
MUST_CHECK static inline int vfs_spool(struct vfs *v, int *fd_out)
{
    return v->ops->spool(v, fd_out);
}
/* For sendfile, or -1; valid until the file is closed. */
static inline int vfs_fd(const struct vfs_file *f)
{
    return f->ops->fd(f);
}

#endif
