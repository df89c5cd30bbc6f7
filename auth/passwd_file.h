/*
 * A passwd-file held in memory: read whole, indexed by user name with a keyed hash, read again when it changes on disk (rename
 * over it included). Look-ups never block on anything but that file. Used by culver-auth inside its sandbox, which lets it read
 * the file's folder.
 */
#ifndef CULVER_AUTH_PASSWD_FILE_H
#define CULVER_AUTH_PASSWD_FILE_H

#include "auth/passwd_line.h"
#include "common/base/err.h"

#define PASSWD_FILE_MAX (256u * 1024 * 1024)

struct passwd_file;

/* Reads it. Broken lines are logged and skipped. ERR_NOTFOUND, ERR_DENIED, ERR_LIMIT (too large), ERR_IO, ERR_NOMEM. path is
 * kept. */
MUST_CHECK int passwd_file_open(const char *path, struct passwd_file **out);
void passwd_file_close(struct passwd_file **f);
const char *passwd_file_path(const struct passwd_file *f);

/* Rises whenever the file was read anew; looks whether it has to be. */
uint64_t passwd_file_generation(struct passwd_file *f);

/* The line of exactly this user. The views in *out are valid until the next call for this file. ERR_NOTFOUND: no such user.
 * Anything else: the file cannot be used now, which says nothing about the user. */
MUST_CHECK int passwd_file_find(struct passwd_file *f, struct view user, struct passwd_line *out);
/* A line with a password, and of which fits (may be NULL) says yes, that depends on nothing but `user` and chance: what is done
 * for an unknown user is made to look as what is done for that one. ERR_NOTFOUND when a number of lines has none. Does not look
 * at the disk. */
typedef bool passwd_file_fits_fn(void *arg, const struct passwd_line *line);
MUST_CHECK int passwd_file_pick(struct passwd_file *f, struct view user, passwd_file_fits_fn *fits, void *arg,
                                struct passwd_line *out);

#endif
