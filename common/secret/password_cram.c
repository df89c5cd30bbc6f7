/*
 * {CRAM-MD5} and {HMAC-MD5}: what a server of that mechanism kept in place of the password, the two inner states of HMAC-MD5 (RFC
 * 2104) after the key's block, outer before inner, in hexadecimal. The mechanism is not spoken here; a password can be held
 * against them. Only libcrypto's old interface shows the state of a digest.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/md5.h>

#include "common/secret/password_int.h"
#include "common/secret/secret.h"

#define STATE_LEN 16

static void put_word(uint8_t *out, uint32_t n)
{
    for (unsigned i = 0; i < 4; i++)
        out[i] = (uint8_t)(n >> (8 * i));
}

/* The state after a block of the key with this byte over it. */
static bool state_of(const uint8_t key[static MD5_CBLOCK], uint8_t pad, uint8_t out[static STATE_LEN])
{
    uint8_t block[MD5_CBLOCK];
    MD5_CTX ctx;
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = key[i] ^ pad;
    bool good = MD5_Init(&ctx) == 1 && MD5_Update(&ctx, block, sizeof(block)) == 1;
    put_word(out, ctx.A);
    put_word(out + 4, ctx.B);
    put_word(out + 8, ctx.C);
    put_word(out + 12, ctx.D);
    secret_wipe(block, sizeof(block));
    secret_wipe(&ctx, sizeof(ctx));
    return good;
}

int password_cram_verify(const struct password_stored *s, struct view password)
{
    uint8_t stored[2 * STATE_LEN], computed[2 * STATE_LEN], key[MD5_CBLOCK] = {0};
    size_t len = 0;
    enum password_encoding encoding = s->encoding == ENCODING_DEFAULT ? ENCODING_HEX : s->encoding;
    if (password_decode(s->data, encoding, stored, sizeof(stored), &len) != 0 || len != sizeof(stored))
        return ERR_CORRUPT;
    if (password.len > sizeof(key))
        MD5(password.ptr, password.len, key);
    else
        memcpy(key, password.ptr, password.len);
    int err = state_of(key, 0x5c, computed) && state_of(key, 0x36, computed + STATE_LEN) ? 0 : ERR_NOMEM;
    if (err == 0 && !secret_equal(view_make(stored, len), view_make(computed, sizeof(computed))))
        err = ERR_DENIED;
    secret_wipe(key, sizeof(key));
    secret_wipe(computed, sizeof(computed));
    return err;
}
