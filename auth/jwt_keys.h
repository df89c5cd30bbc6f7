/* The keys of a JWKS file, and signatures by them. For jwt.c. */
#ifndef CULVER_AUTH_JWT_KEYS_H
#define CULVER_AUTH_JWT_KEYS_H

#include "auth/jwt.h"
#include "common/text/json.h"

enum jwt_alg { JWT_RS256, JWT_RS384, JWT_RS512, JWT_ES256, JWT_EDDSA, JWT_ALG_COUNT };

/* False: token is no text, or names an algorithm that is not accepted. */
bool jwt_alg_find(const struct json_token *token, enum jwt_alg *out);
/* True when one of the keys that fit (by type; by kid, where kid is not NULL) has signed input. signature: base64url. */
bool jwks_verify(const struct jwks *keys, enum jwt_alg alg, const struct view *kid, struct view input, struct view signature);

#endif
