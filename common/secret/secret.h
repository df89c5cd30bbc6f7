/*
 * struct secret: a password or token. Guarded memory (libsodium), cannot be printed, wiped when freed. Held only by culver-auth,
 * its helpers and, for the moment of one log-in, the login process.
 */
#ifndef CULVER_COMMON_SECRET_SECRET_H
#define CULVER_COMMON_SECRET_SECRET_H

#include "common/base/view.h"

struct secret;

/* A copy of v. The caller wipes its own. NULL when guarded memory is out. */
struct secret *secret_new(struct view v);
/* The bytes; never log, never copy to memory that is not wiped. A NUL follows them (not counted) for C interfaces. */
struct view secret_view(const struct secret *s);
void secret_free(struct secret **s);

/* Constant-time equality of equal-length values; different lengths are unequal. */
bool secret_equal(struct view a, struct view b);
/* Overwrites memory so that the compiler cannot leave it out. */
void secret_wipe(void *p, size_t len);

#endif
