/*
 * Signed tokens (JWT, RFC 7519; JWS, RFC 7515) against a file of keys (JWKS, RFC 7517). Used by culver-auth-helper: the keys are
 * read before its sandbox, the token after it.
 *
 * What may sign is fixed: RS256, RS384, RS512 (RSA of 2048 bits at least), ES256 (P-256), EdDSA (Ed25519). A key fits one of them
 * by its own type, so that nothing in a token can turn a public key into a shared secret; "none" and HMAC do not exist here.
 * "kid" only chooses among the keys of the file. RFC 8725 has the mistakes that others made.
 */
#ifndef CULVER_AUTH_JWT_H
#define CULVER_AUTH_JWT_H

#include "common/conf/settings.h"

#define JWT_MAX 8192
#define JWKS_MAX 65536
#define JWT_LEEWAY_S 30 /* between the clocks of two hosts */

struct jwks;

/* From the text of a file. ERR_SYNTAX; ERR_NOTFOUND: it has no key that could be used. */
MUST_CHECK int jwks_parse(struct view text, struct jwks **out);
void jwks_free(struct jwks **keys);

/* Checks signature, issuer, audience, time (now: seconds since 1970) and scope, and appends the user's name, which is the text of
 * the configured claim. ERR_DENIED: it is no good token, *why_out says why (a constant text, for the log). */
MUST_CHECK int jwt_check(const struct jwks *keys, const struct set_auth *set, struct view token, uint64_t now, struct buf *name,
                         const char **why_out);

#endif
