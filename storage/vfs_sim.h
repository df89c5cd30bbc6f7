/*
 * An account's files in memory, for tests: a machine that can crash at any operation and a disk that fails. One seed decides
 * everything.
 *
 * After a crash every operation fails until vfs_sim_reboot(). What was synced is there then. What was written since may be there
 * or not, in any combination of blocks of 512 octets, and a file's length anywhere between; names made or removed since the last
 * vfs_sync_dir() may be so or not. A sync that fails has lost what it was to write, though it can still be read until the crash.
 */
#ifndef CULVER_STORAGE_VFS_SIM_H
#define CULVER_STORAGE_VFS_SIM_H

#include "storage/vfs.h"

struct vfs *vfs_sim_new(uint64_t seed);

/* Operations that change or sync something, so far. The first is number 1. */
uint64_t vfs_sim_ops(const struct vfs *v);
/* The machine stops in the middle of operation number op. 0: never. */
void vfs_sim_crash_at(struct vfs *v, uint64_t op);
bool vfs_sim_crashed(const struct vfs *v);
/* Operation number op fails with err (an append may have written a part), and those after it while there are `times` left. */
void vfs_sim_fail_at(struct vfs *v, uint64_t op, int err, uint64_t times);
/* Octets that fit in all; 0: no limit. An append beyond fails with ERR_NOSPACE. */
void vfs_sim_space(struct vfs *v, uint64_t octets);
uint64_t vfs_sim_used(const struct vfs *v);

enum sim_loss {
    SIM_LOSE_NOTHING, /* only the process died */
    SIM_LOSE_ALL,
    SIM_LOSE_SOME
};
/* The disk as it is found after the crash. Files that were open must have been closed. */
void vfs_sim_reboot(struct vfs *v, enum sim_loss loss);

#endif
