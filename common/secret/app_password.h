/*
 * App passwords and the secrets of second factors as people see them: random, so long that nobody can guess them and a fast hash
 * protects them, and easy to type. Used by culverctl, which makes them, and by culver-auth.
 */
#ifndef CULVER_COMMON_SECRET_APP_PASSWORD_H
#define CULVER_COMMON_SECRET_APP_PASSWORD_H

#include "common/base/buf.h"

#define APP_PASSWORD_BYTES 20 /* 160 bits: 32 characters of base32 */
#define APP_PASSWORD_DIGEST 32
#define APP_PASSWORD_TEXT 40 /* eight groups of four, hyphens between them, and a NUL */

/* Makes one. Both outputs are secret. */
void app_password_make(uint8_t bytes[static APP_PASSWORD_BYTES], char text[static APP_PASSWORD_TEXT]);
/* What somebody typed: blanks and hyphens do not count, nor does case. False: no app password looks like that. bytes: secret. */
bool app_password_parse(struct view typed, uint8_t bytes[static APP_PASSWORD_BYTES]);
/* What culverctl sends in its place. */
void app_password_digest(const uint8_t bytes[static APP_PASSWORD_BYTES], uint8_t out[static APP_PASSWORD_DIGEST]);

/* RFC 4648 6, in upper case and without padding, as authenticator programs want it. */
void base32_encode(struct buf *out, struct view v);

#endif
