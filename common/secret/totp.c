#include "common/secret/totp.h"

#include "common/secret/scram.h"
#include "common/secret/secret.h"

#define MODULUS 1000000u

/* RFC 4226 5.3 */
bool totp_code(const uint8_t secret[static TOTP_SECRET], uint64_t step, char out[static TOTP_DIGITS + 1])
{
    uint8_t counter[8], mac[SCRAM_KEY_MAX];
    for (unsigned i = 0; i < sizeof(counter); i++)
        counter[i] = (uint8_t)(step >> (56 - 8 * i));
    if (!scram_hmac(SCRAM_SHA1, secret, view_make(counter, sizeof(counter)), mac))
        return false;
    const uint8_t *p = mac + (mac[19] & 15);
    uint32_t n = ((uint32_t)(p[0] & 0x7f) << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]) % MODULUS;
    for (unsigned i = TOTP_DIGITS; i > 0; i--) {
        out[i - 1] = (char)('0' + n % 10);
        n /= 10;
    }
    out[TOTP_DIGITS] = '\0';
    secret_wipe(mac, sizeof(mac));
    return true;
}

uint64_t totp_find(const uint8_t secret[static TOTP_SECRET], uint64_t now, uint64_t last, struct view code)
{
    uint64_t found = 0, first = now / TOTP_STEP - TOTP_WINDOW;
    char want[TOTP_DIGITS + 1];
    for (uint64_t step = first; step <= first + 2 * TOTP_WINDOW; step++) {
        bool same = totp_code(secret, step, want) && secret_equal(code, view_make(want, TOTP_DIGITS));
        if (same && step > last && found == 0)
            found = step;
    }
    secret_wipe(want, sizeof(want));
    return found;
}
