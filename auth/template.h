/*
 * Path templates of the user databases: %u whole name, %n local part, %d domain, %h home, %% a percent sign, and "~/" (or "~"
 * alone) at the beginning for the home folder.
 */
#ifndef CULVER_AUTH_TEMPLATE_H
#define CULVER_AUTH_TEMPLATE_H

#include "auth/name.h"
#include "common/base/buf.h"

/* Appends the path for this user. ERR_NOTFOUND: it needs a home or a domain that this user has not. ERR_DENIED: a part made of
 * the user's name would leave or blur the path (a '/', "..", a leading '.'), or the result is not a clean absolute path.
 * ERR_LIMIT. */
MUST_CHECK int template_expand(struct view tmpl, const struct auth_name *name, struct view home, struct buf *out);
/* True for an absolute path of at most PROTO_PATH_MAX bytes without NUL, empty, "." or ".." components. */
bool template_path_clean(struct view path);

#endif
