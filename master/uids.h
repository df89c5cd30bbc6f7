/*
 * The uids of virtual users: allotted from the configured range at first use, kept for ever in <state_dir>/uids, never given to a
 * second user. Master only; blocking (one small file, written when a new user first comes).
 *
 * The file: lines "uid name\n" in the order of allotment; nothing else. It is replaced as a whole: uids.tmp is written and
 * synced, renamed over uids, and the directory synced. After a crash there is the old file or the new one; a left-over uids.tmp
 * is overwritten.
 */
#ifndef CULVER_MASTER_UIDS_H
#define CULVER_MASTER_UIDS_H

#include "common/base/buf.h"

struct uids;

/* Loads the file; none is an empty one. ERR_CORRUPT: a line of another form, or a uid or name twice (*line_out says where);
 * ERR_IO, ERR_DENIED ...: the folder or file cannot be read. */
MUST_CHECK int uids_open(const char *state_dir, uint32_t first, uint32_t last, struct uids **out, size_t *line_out);
void uids_close(struct uids **u);
/* After a reload. Uids outside the new range stay with their users. */
void uids_set_range(struct uids *u, uint32_t first, uint32_t last);
/* The uid of a user, allotted and on disk when it is new. ERR_LIMIT: the range is used up; ERR_SYNTAX: a name that the file
 * cannot hold; ERR_IO ... */
MUST_CHECK int uids_get(struct uids *u, struct view name, uint32_t *uid_out);
size_t uids_count(const struct uids *u);

#endif
