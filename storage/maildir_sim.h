/*
 * The files of a Maildir in memory, for tests, in the machine of vfs_sim.h: it crashes and fails with it, and counts its
 * operations there.
 *
 * After a crash a file has what was synced; of what was written since, any blocks and any length. Names that came, went or
 * changed since their directory was synced may have done so or not, each on its own, as far as one does not need another. A
 * rename is kept or lost as a whole, as every file system does it that has a journal for names.
 */
#ifndef CULVER_STORAGE_MAILDIR_SIM_H
#define CULVER_STORAGE_MAILDIR_SIM_H

#include "storage/maildir.h"

struct maildir_sim;

/* vfs is borrowed, and lives longer; the clock as in account_params. */
struct maildir_sim *maildir_sim_new(struct vfs *vfs, uint64_t (*now_ms)(void *arg), void *arg);
void maildir_sim_free(struct maildir_sim *sim);
/* The Maildir on this disk, as maildir_open(). End with maildir_free(). */
struct maildir *maildir_sim_open(struct maildir_sim *sim);
/* What follows is done by another program: it is no operation of the machine's count, does not fail, and is durable at once. */
void maildir_sim_foreign(struct maildir_sim *sim, bool on);

#endif
