/*
 * {SHA…}, {SSHA…} and MD5's: base64 (or hex) of digest(password [+ salt]) followed by the salt. The digest length says where the
 * salt begins. SHA-1 comes from libcrypto because libsodium has none; it is fetched before the sandbox.
 */
#include <sodium.h>

#include "common/base/mem.h"
#include "common/secret/password_int.h"
#include "common/secret/secret.h"
#include "common/tls/openssl.h"

static size_t digest_size(enum password_digest d)
{
    switch (d) {
    case DIGEST_MD5:
        return 16;
    case DIGEST_SHA1:
        return 20;
    case DIGEST_SHA256:
        return 32;
    case DIGEST_SHA512:
        return 64;
    case DIGEST_NONE:
        break;
    }
    return 0;
}

static const EVP_MD *digest_md(enum password_digest d)
{
    return d == DIGEST_MD5 ? EVP_md5() : d == DIGEST_SHA1 ? EVP_sha1() : d == DIGEST_SHA256 ? EVP_sha256() : EVP_sha512();
}

static int digest_compute(enum password_digest d, struct view password, struct view salt, uint8_t out[static PASSWORD_DIGEST_MAX])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned len = 0;
    int err = ERR_NOMEM;
    if (ctx != NULL && EVP_DigestInit_ex(ctx, digest_md(d), NULL) == 1 &&
        EVP_DigestUpdate(ctx, password.ptr, password.len) == 1 && EVP_DigestUpdate(ctx, salt.ptr, salt.len) == 1 &&
        EVP_DigestFinal_ex(ctx, out, &len) == 1)
        err = 0;
    EVP_MD_CTX_free(ctx); /* cleanses its state */
    return err;
}

int password_digest_init(void)
{
    uint8_t out[PASSWORD_DIGEST_MAX];
    /* The configuration file of OpenSSL is not ours to depend on, nor readable later. */
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
        return ERR_SYSTEM;
    for (enum password_digest d = DIGEST_MD5; d <= DIGEST_SHA512; d++) {
        /* A library that knows no MD5 is a good one. */
        if (digest_compute(d, VIEW("x"), VIEW(""), out) != 0 && d != DIGEST_MD5)
            return ERR_SYSTEM;
    }
    return 0;
}

int password_decode(struct view data, enum password_encoding encoding, uint8_t *out, size_t max, size_t *len_out)
{
    const char *end = NULL;
    const char *text = (const char *)data.ptr;
    size_t len = 0;
    int rc;
    if (encoding == ENCODING_HEX) {
        rc = sodium_hex2bin(out, max, text, data.len, NULL, &len, &end);
    } else {
        rc = sodium_base642bin(out, max, text, data.len, NULL, &len, &end, sodium_base64_VARIANT_ORIGINAL);
        if (rc != 0)
            rc = sodium_base642bin(out, max, text, data.len, NULL, &len, &end, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    }
    if (rc != 0 || end != text + data.len)
        return ERR_CORRUPT;
    *len_out = len;
    return 0;
}

int password_digest_verify(const struct password_stored *s, struct view password)
{
    uint8_t stored[PASSWORD_DIGEST_MAX + PASSWORD_SALT_MAX];
    uint8_t computed[PASSWORD_DIGEST_MAX];
    size_t size = digest_size(s->scheme->digest), len = 0;
    enum password_encoding encoding = s->encoding;
    /* Unsalted digests are often stored as hex without saying so; only their length tells. */
    if (encoding == ENCODING_DEFAULT && !s->scheme->salted && s->data.len == 2 * size)
        encoding = ENCODING_HEX;
    int err = password_decode(s->data, encoding, stored, sizeof(stored), &len);
    if (err != 0)
        return err;
    if (len < size || (!s->scheme->salted && len != size))
        return ERR_CORRUPT;
    err = digest_compute(s->scheme->digest, password, view_make(stored + size, len - size), computed);
    if (err == 0 && !secret_equal(view_make(stored, size), view_make(computed, size)))
        err = ERR_DENIED;
    secret_wipe(stored, sizeof(stored));
    secret_wipe(computed, sizeof(computed));
    return err;
}

int password_digest_make(const struct password_scheme *scheme, struct view password, struct buf *out)
{
    uint8_t raw[PASSWORD_DIGEST_MAX + 16];
    char text[sodium_base64_ENCODED_LEN(sizeof(raw), sodium_base64_VARIANT_ORIGINAL)];
    uint8_t digest[PASSWORD_DIGEST_MAX];
    uint8_t salt[16];
    size_t size = digest_size(scheme->digest), salt_len = scheme->salted ? sizeof(salt) : 0;
    randombytes_buf(salt, sizeof(salt));
    int err = digest_compute(scheme->digest, password, view_make(salt, salt_len), digest);
    if (err != 0)
        return err;
    memcpy(raw, digest, size);
    memcpy(raw + size, salt, salt_len);
    sodium_bin2base64(text, sizeof(text), raw, size + salt_len, sodium_base64_VARIANT_ORIGINAL);
    buf_put_str(out, text);
    secret_wipe(raw, sizeof(raw));
    secret_wipe(digest, sizeof(digest));
    secret_wipe(text, sizeof(text));
    return 0;
}

int password_plain_verify(const struct password_stored *s, struct view password)
{
    uint8_t raw[PASSWORD_MAX];
    struct view expected = s->data;
    size_t len = 0;
    if (s->encoding != ENCODING_DEFAULT) {
        int err = password_decode(s->data, s->encoding, raw, sizeof(raw), &len);
        if (err != 0)
            return err;
        expected = view_make(raw, len);
    }
    int err = expected.len > 0 && secret_equal(expected, password) ? 0 : ERR_DENIED;
    secret_wipe(raw, sizeof(raw));
    return err;
}
