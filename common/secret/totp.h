/* Time-based one-time passwords, RFC 6238 with what every authenticator program can do: SHA-1, 6 digits, 30 seconds. */
#ifndef CULVER_COMMON_SECRET_TOTP_H
#define CULVER_COMMON_SECRET_TOTP_H

#include "common/base/view.h"

#define TOTP_SECRET 20
#define TOTP_DIGITS 6
#define TOTP_STEP 30
#define TOTP_WINDOW 1 /* steps before and after now: clocks differ */

/* The code of a step, and a NUL. False: out of memory. */
bool totp_code(const uint8_t secret[static TOTP_SECRET], uint64_t step, char out[static TOTP_DIGITS + 1]);
/* The step whose code this is, within the window around now (seconds since 1970) and after `last`, so that no code is good twice
 * (RFC 6238 5.2). 0: none. Takes as long for a wrong code as for a right one. */
uint64_t totp_find(const uint8_t secret[static TOTP_SECRET], uint64_t now, uint64_t last, struct view code);

#endif
