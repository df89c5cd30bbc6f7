/*
 * User names as culver-auth uses them: one form for each user, whatever the client typed. Nothing but a struct auth_name is ever
 * looked up, logged as an identity or put into a path.
 */
#ifndef CULVER_AUTH_NAME_H
#define CULVER_AUTH_NAME_H

#include "common/conf/settings.h"
#include "common/ipc/proto.h"

struct auth_name {
    char text[PROTO_NAME_MAX + 1]; /* printable ASCII, at most one '@' with something on both sides */
    size_t len;
    size_t at; /* index of the '@', or len */
};

/* The form of a name that a client or an administrator gave: lower case if so configured, only allowed characters, with the
 * default domain. ERR_SYNTAX: no user can have this name. */
MUST_CHECK int auth_name_normalise(const struct set_auth *set, struct view raw, struct auth_name *out);

/* What followed the recipient delimiter: the folder that is asked for, as it was written. It is no part of the name. */
struct auth_detail {
    char text[PROTO_DETAIL_MAX + 1]; /* without control characters; else anything */
    size_t len;
};

/* The user whom a mail address means: quotes taken off the local part, the detail split off (detail_out may be NULL). */
MUST_CHECK int auth_name_of_address(const struct set_auth *set, struct view address, struct auth_name *out,
                                    struct auth_detail *detail_out);
/* The same for a name given at log-in ("jo+lists", "jo+lists@example.org"), where nothing is quoted. */
MUST_CHECK int auth_name_of_login(const struct set_auth *set, struct view raw, struct auth_name *out,
                                  struct auth_detail *detail_out);

struct view auth_name_view(const struct auth_name *n);
struct view auth_name_local(const struct auth_name *n);
struct view auth_name_domain(const struct auth_name *n); /* empty: none */
/* The name of the system account: the local part where the domain is the default domain, else the whole name. */
struct view auth_name_account(const struct set_auth *set, const struct auth_name *n);
bool auth_name_equal(const struct auth_name *a, const struct auth_name *b);

#endif
