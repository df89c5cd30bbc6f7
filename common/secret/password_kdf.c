/*
 * The slow families: Argon2 (libsodium), crypt(3) (libcrypt) and PBKDF2 (libcrypto).
 *
 * libsodium answers -1 for a mismatch and for a lack of memory alike; only errno tells them apart (EINVAL is the mismatch), and
 * the difference matters: a check that could not be made must never be told to the user as a wrong password.
 */
#include <crypt.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/secret/password_int.h"
#include "common/secret/secret.h"
#include "common/tls/openssl.h"

/* Beyond this a stored PBKDF2 hash would hold a helper for minutes. */
#define PBKDF2_ROUNDS_MAX 10000000u
#define PBKDF2_ROUNDS_NEW 600000u
#define PBKDF2_LEN 20

static bool view_copy(char *out, size_t size, struct view v)
{
    if (v.len >= size || view_find(v, '\0') < v.len)
        return false;
    if (v.len > 0)
        memcpy(out, v.ptr, v.len);
    out[v.len] = '\0';
    return true;
}

int password_argon2_verify(const struct password_stored *s, struct view password)
{
    char text[PASSWORD_HASH_MAX + 1];
    if (!view_starts(s->data, view_str(s->scheme->prefix)) || !view_copy(text, crypto_pwhash_STRBYTES, s->data))
        return ERR_CORRUPT;
    errno = 0;
    int rc = crypto_pwhash_str_verify(text, (const char *)password.ptr, password.len);
    int why = errno;
    secret_wipe(text, sizeof(text));
    if (rc == 0)
        return 0;
    return why == EINVAL ? ERR_DENIED : why == ENOMEM ? ERR_NOMEM : ERR_CORRUPT;
}

int password_argon2_make(const struct password_scheme *scheme, struct view password, struct buf *out)
{
    char text[crypto_pwhash_STRBYTES];
    bool old = view_eq(view_str(scheme->name), VIEW("ARGON2I"));
    int alg = old ? crypto_pwhash_ALG_ARGON2I13 : crypto_pwhash_ALG_ARGON2ID13;
    /* 64 MiB: with the helpers at work at once this is what a host must have spare. Argon2i needs more passes for the same. */
    unsigned long long ops = old ? 6 : 3;
    if (crypto_pwhash_str_alg(text, (const char *)password.ptr, password.len, ops, crypto_pwhash_MEMLIMIT_INTERACTIVE, alg) != 0)
        return ERR_NOMEM;
    buf_put_str(out, text);
    secret_wipe(text, sizeof(text));
    return 0;
}

/* The forms that are not weak: bcrypt ($2x$ is a known broken one), SHA-crypt, yescrypt, gost-yescrypt, scrypt. */
static bool crypt_form_strong(struct view data)
{
    static const char *const prefixes[] = {"$2a$", "$2b$", "$2y$", "$5$", "$6$", "$y$", "$gy$", "$7$"};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (view_starts(data, view_str(prefixes[i])))
            return true;
    }
    return false;
}

static int crypt_run(const char *setting, struct view password, char out[static CRYPT_OUTPUT_SIZE])
{
    int err = ERR_NOMEM;
    const char *result;
    struct crypt_data *data = calloc(1, sizeof(*data));
    struct secret *pw = secret_new(password); /* crypt_r wants a NUL at its end */
    if (data == NULL || pw == NULL)
        goto out;
    errno = 0;
    result = crypt_r((const char *)secret_view(pw).ptr, setting, data);
    if (result == NULL || result[0] == '*') {
        err = errno == ENOMEM ? ERR_NOMEM : ERR_CORRUPT;
        goto out;
    }
    err = view_copy(out, CRYPT_OUTPUT_SIZE, view_str(result)) ? 0 : ERR_CORRUPT;
out:
    secret_free(&pw);
    if (data != NULL)
        secret_wipe(data, sizeof(*data));
    free(data);
    return err;
}

int password_crypt_verify(const struct password_stored *s, bool allow_weak, struct view password)
{
    char setting[CRYPT_OUTPUT_SIZE], result[CRYPT_OUTPUT_SIZE];
    struct view data = s->data;
    if (s->scheme->prefix != NULL && !view_starts(data, view_str(s->scheme->prefix)))
        return ERR_CORRUPT;
    if (!crypt_form_strong(data) && !allow_weak)
        return ERR_UNSUPPORTED;
    if (!view_copy(setting, sizeof(setting), data))
        return ERR_CORRUPT;
    if (password.len >= CRYPT_MAX_PASSPHRASE_SIZE)
        return ERR_DENIED;
    int err = crypt_run(setting, password, result);
    if (err == 0 && !secret_equal(view_str(result), data))
        err = ERR_DENIED;
    secret_wipe(setting, sizeof(setting));
    secret_wipe(result, sizeof(result));
    return err;
}

int password_crypt_make(const struct password_scheme *scheme, struct view password, struct buf *out)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE], result[CRYPT_OUTPUT_SIZE];
    if (scheme->make_prefix == NULL)
        return ERR_UNSUPPORTED;
    if (password.len >= CRYPT_MAX_PASSPHRASE_SIZE)
        return ERR_LIMIT;
    if (crypt_gensalt_rn(scheme->make_prefix, scheme->make_cost, NULL, 0, setting, sizeof(setting)) == NULL)
        return ERR_SYSTEM;
    int err = crypt_run(setting, password, result);
    if (err == 0)
        buf_put_str(out, result);
    secret_wipe(result, sizeof(result));
    return err;
}

static int pbkdf2_run(struct view password, struct view salt, unsigned rounds, uint8_t out[static PBKDF2_LEN])
{
    int rc = PKCS5_PBKDF2_HMAC((const char *)password.ptr, (int)password.len, salt.ptr, (int)salt.len, (int)rounds, EVP_sha1(),
                               PBKDF2_LEN, out);
    return rc == 1 ? 0 : ERR_NOMEM;
}

/* "$1$salt$rounds$hex", HMAC-SHA1; the salt is used as the text it is. */
int password_pbkdf2_verify(const struct password_stored *s, struct view password)
{
    uint8_t stored[PBKDF2_LEN], computed[PBKDF2_LEN];
    size_t len = 0;
    struct cursor c = cursor_make(s->data);
    if (!cursor_take_view(&c, VIEW("$1$")))
        return ERR_CORRUPT;
    struct view salt = view_sub(cursor_rest(&c), 0, view_find(cursor_rest(&c), '$'));
    cursor_skip(&c, salt.len);
    cursor_expect(&c, '$');
    unsigned rounds = (unsigned)cursor_dec(&c, 1, PBKDF2_ROUNDS_MAX);
    cursor_expect(&c, '$');
    struct view hex = cursor_rest(&c);
    if (c.failed || password_decode(hex, ENCODING_HEX, stored, sizeof(stored), &len) != 0 || len != sizeof(stored))
        return ERR_CORRUPT;
    int err = pbkdf2_run(password, salt, rounds, computed);
    if (err == 0 && !secret_equal(view_make(stored, len), view_make(computed, len)))
        err = ERR_DENIED;
    secret_wipe(computed, sizeof(computed));
    return err;
}

int password_pbkdf2_make(struct view password, struct buf *out)
{
    uint8_t random[12], computed[PBKDF2_LEN];
    char salt[2 * sizeof(random) + 1], hex[2 * sizeof(computed) + 1];
    randombytes_buf(random, sizeof(random));
    sodium_bin2hex(salt, sizeof(salt), random, sizeof(random));
    int err = pbkdf2_run(password, view_str(salt), PBKDF2_ROUNDS_NEW, computed);
    if (err != 0)
        return err;
    sodium_bin2hex(hex, sizeof(hex), computed, sizeof(computed));
    buf_put_fmt(out, "$1$%s$%u$%s", salt, PBKDF2_ROUNDS_NEW, hex);
    secret_wipe(computed, sizeof(computed));
    secret_wipe(hex, sizeof(hex));
    return 0;
}
