/* Makes the folder of a user's mail where only root can. Called in the forked child that becomes the worker, while it is still
 * root. */
#ifndef CULVER_MASTER_MAIL_DIR_H
#define CULVER_MASTER_MAIL_DIR_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

/*
 * Walks path (absolute) from the root, never through a symbolic link. Below folders that belong to root, missing ones are made:
 * root's, mode 0755, the last one the user's, mode 0700. The walk ends with success at the first folder that belongs to the user:
 * what is missing below it the worker makes itself, as the user. ERR_DENIED: a symbolic link, something that is no folder, a
 * folder of a third user on the way, or a last folder that is root's and not fresh; ERR_SYNTAX: not absolute, or "." or ".." in
 * it; ERR_IO, ERR_NOSPACE ... *at_out: how many bytes of path had been walked at the failure.
 */
MUST_CHECK int mail_dir_prepare(const char *path, uint32_t uid, uint32_t gid, size_t *at_out);

#endif
