/*
 * The files of an account as they are at one moment, for reading only: what verifies and rescues mail looks through this, with or
 * without the account's lock. Files that are appended to, replaced or removed meanwhile stay as they were.
 *
 * What is written through it is refused; removals, truncations and syncs are taken and do nothing, so that code which tidies up
 * as it reads can be used as it is. Maps are copies in memory: a file that shrinks under a reader costs an error, not the
 * process.
 */
#ifndef CULVER_STORAGE_VFS_FROZEN_H
#define CULVER_STORAGE_VFS_FROZEN_H

#include "storage/vfs.h"

/* base is borrowed, and needs one open file for each of the account's. A file that cannot be opened is there and gives the error
 * to whoever opens it. ERR_LIMIT: too many files; ERR_BUSY: they change faster than they can be opened. */
MUST_CHECK int vfs_frozen_new(struct vfs *base, struct vfs **out);

/* From now on this file (every one of this kind) is not there. */
void vfs_frozen_hide(struct vfs *v, struct vfs_name name);
void vfs_frozen_hide_kind(struct vfs *v, enum vfs_kind kind);
void vfs_frozen_show_all(struct vfs *v);
/* Octets in all files that are shown. */
uint64_t vfs_frozen_size(const struct vfs *v);

#endif
