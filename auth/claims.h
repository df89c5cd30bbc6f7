/* What is said of a bearer token, by itself (jwt.h) or by its issuer, and whether that is good here. */
#ifndef CULVER_AUTH_CLAIMS_H
#define CULVER_AUTH_CLAIMS_H

#include "common/conf/settings.h"
#include "common/text/json.h"

/*
 * Issuer, audience, time (now: seconds since 1970) and scope of the object that is the whole of doc; appends the user's name,
 * which is the text of the configured claim. NULL, or why it is not good (a constant text, for the log). complete: expiry, issuer
 * and audience must be there; otherwise the last two where they are configured. (Who vouches for a token at the moment of the
 * question need not repeat them: RFC 7662 section 2.2.)
 */
MUST_CHECK const char *claims_check(const struct json_doc *doc, const struct set_auth *set, uint64_t now, bool complete,
                                    struct buf *name);

#endif
