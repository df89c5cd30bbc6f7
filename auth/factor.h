/*
 * What a password is for a user who has app passwords or a second factor. An app password opens what it was made for, whatever
 * the databases say of the user's main password; where there is a confirmed second factor, the main password is good only with
 * the current code behind it ("secret" with 123456 is "secret123456"), and only once with each code.
 */
#ifndef CULVER_AUTH_FACTOR_H
#define CULVER_AUTH_FACTOR_H

#include "auth/creds.h"

enum factor_kind {
    FACTOR_PASSWORD, /* the main password, for the databases */
    FACTOR_APP,      /* a right app password: only the account is still to be looked at */
    FACTOR_CODE,     /* the main password but for the last `cut` octets, and a code */
    FACTOR_ERROR     /* cannot say */
};

struct factor {
    enum factor_kind kind;
    uint32_t app; /* FACTOR_APP */
    size_t cut;
    uint64_t step; /* FACTOR_CODE: what is used up with factor_use; 0: the code is wrong or missing */
};

/* scope: of enum creds_scope, what the client wants; 0: app passwords are not for this. store NULL: nobody has any of it. now:
 * seconds since 1970. */
struct factor factor_of(struct creds_store *store, const struct auth_name *name, unsigned scope, struct view password,
                        uint64_t now);
/* Compare and advance (RFC 6238 5.2): durable when it returns 0. ERR_DENIED: that code, or a later one, was used. Others: cannot.
 */
MUST_CHECK int factor_use(struct creds_store *store, const struct auth_name *name, uint64_t step);
/* 0: none; ERR_DENIED: this user's main password needs a second factor. Others: cannot say. */
MUST_CHECK int factor_none(struct creds_store *store, const struct auth_name *name);

#endif
