/* What other simulated parts of the machine (maildir_sim.c) share with vfs_sim.c: its count of operations, its dice, its end. */
#ifndef CULVER_STORAGE_VFS_SIM_INT_H
#define CULVER_STORAGE_VFS_SIM_INT_H

#include "storage/vfs_sim.h"

/* Counts an operation that changes or syncs something: 0, or why it fails. ERR_CLOSED: the machine stops in the middle of it, so
 * the caller does what part of it may happen, and fails. */
MUST_CHECK int vfs_sim_step(struct vfs *v);
uint64_t vfs_sim_roll(struct vfs *v);
/* reboot is called by vfs_sim_reboot(). */
void vfs_sim_attach(struct vfs *v, void (*reboot)(void *arg, enum sim_loss loss), void *arg);

#endif
