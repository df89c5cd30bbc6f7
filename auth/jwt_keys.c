/* JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037) as keys of libcrypto. Keys that are for something else are passed over.
 */
#include "common/tls/openssl.h" /* before all others of OpenSSL */

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "auth/jwt_keys.h"

#include <sodium.h>
#include <stdlib.h>

#include "common/base/mem.h"

#define KEYS_MAX 32
#define KID_MAX 256
#define NUMBER_MAX 1024 /* RSA of 8192 bits */
#define SIGNATURE_MAX 1024
#define RSA_BITS_MIN 2048
#define P256_LEN 32
#define ED25519_LEN 32

struct jwk {
    EVP_PKEY *key;
    int alg;             /* enum jwt_alg, or -1: any that fits the key */
    enum jwt_alg family; /* JWT_RS256, JWT_ES256, JWT_EDDSA */
    char kid[KID_MAX + 1];
    size_t kid_len;
};

struct jwks {
    struct jwk keys[KEYS_MAX];
    size_t n;
};

static const char *const alg_names[JWT_ALG_COUNT] = {"RS256", "RS384", "RS512", "ES256", "EdDSA"};

bool jwt_alg_find(const struct json_token *token, enum jwt_alg *out)
{
    for (enum jwt_alg a = 0; a < JWT_ALG_COUNT; a++) {
        if (json_says(token, view_str(alg_names[a]))) {
            *out = a;
            return true;
        }
    }
    return false;
}

static enum jwt_alg family_of(enum jwt_alg alg)
{
    return alg <= JWT_RS512 ? JWT_RS256 : alg;
}

/* --- keys ---------------------------------------------------------------------------------------------------------------- */

static bool decode(struct view text, uint8_t *out, size_t max, size_t *len_out)
{
    const char *end = NULL;
    return sodium_base642bin(out, max, (const char *)text.ptr, text.len, NULL, len_out, &end,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
           end == (const char *)text.ptr + text.len;
}

/* A member that is bytes in base64url. */
static bool bytes_of(const struct json_doc *doc, unsigned key, const char *name, uint8_t *out, size_t max, size_t *len_out)
{
    const struct json_token *t = json_member(doc, key, view_str(name));
    return t != NULL && t->type == JSON_STRING && decode(t->text, out, max, len_out) && *len_out > 0;
}

static EVP_PKEY *key_from(const char *type, OSSL_PARAM_BLD *bld)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;
    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *rsa_key(const struct json_doc *doc, unsigned at)
{
    uint8_t n[NUMBER_MAX], e[NUMBER_MAX];
    size_t n_len, e_len;
    EVP_PKEY *key = NULL;
    if (!bytes_of(doc, at, "n", n, sizeof(n), &n_len) || !bytes_of(doc, at, "e", e, sizeof(e), &e_len))
        return NULL;
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    BIGNUM *bn = BN_bin2bn(n, (int)n_len, NULL), *be = BN_bin2bn(e, (int)e_len, NULL);
    if (bld != NULL && bn != NULL && be != NULL && BN_num_bits(bn) >= RSA_BITS_MIN &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be) == 1)
        key = key_from("RSA", bld);
    BN_free(bn);
    BN_free(be);
    OSSL_PARAM_BLD_free(bld);
    return key;
}

static EVP_PKEY *p256_key(const struct json_doc *doc, unsigned at)
{
    uint8_t point[1 + 2 * P256_LEN] = {POINT_CONVERSION_UNCOMPRESSED};
    size_t x_len, y_len;
    EVP_PKEY *key = NULL;
    if (!json_says(json_member(doc, at, VIEW("crv")), VIEW("P-256")) || !bytes_of(doc, at, "x", point + 1, P256_LEN, &x_len) ||
        x_len != P256_LEN || !bytes_of(doc, at, "y", point + 1 + P256_LEN, P256_LEN, &y_len) || y_len != P256_LEN)
        return NULL;
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    if (bld != NULL && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) == 1)
        key = key_from("EC", bld);
    OSSL_PARAM_BLD_free(bld);
    return key;
}

static EVP_PKEY *ed25519_key(const struct json_doc *doc, unsigned at)
{
    uint8_t x[ED25519_LEN];
    size_t len;
    if (!json_says(json_member(doc, at, VIEW("crv")), VIEW("Ed25519")) || !bytes_of(doc, at, "x", x, sizeof(x), &len) ||
        len != sizeof(x))
        return NULL;
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, sizeof(x));
}

static bool key_names(const struct json_doc *doc, unsigned at, struct jwk *out)
{
    const struct json_token *kid = json_member(doc, at, VIEW("kid")), *alg = json_member(doc, at, VIEW("alg"));
    const struct json_token *use = json_member(doc, at, VIEW("use"));
    enum jwt_alg a;
    struct buf text;
    if (use != NULL && !json_says(use, VIEW("sig")))
        return false;
    if (alg != NULL && (!jwt_alg_find(alg, &a) || family_of(a) != out->family))
        return false;
    out->alg = alg != NULL ? (int)a : -1;
    buf_init(&text, KID_MAX);
    bool good = kid == NULL || json_text(kid, &text) == 0;
    if (good && buf_len(&text) > 0)
        memcpy(out->kid, buf_view(&text).ptr, buf_len(&text));
    out->kid_len = good ? buf_len(&text) : 0;
    buf_free(&text);
    return good;
}

static void key_add(const struct json_doc *doc, unsigned at, struct jwks *keys)
{
    const struct json_token *kty = json_member(doc, at, VIEW("kty"));
    struct jwk k = {.family = JWT_EDDSA};
    if (keys->n == KEYS_MAX)
        return;
    if (json_says(kty, VIEW("RSA")))
        k.family = JWT_RS256;
    else if (json_says(kty, VIEW("EC")))
        k.family = JWT_ES256;
    else if (!json_says(kty, VIEW("OKP")))
        return;
    if (!key_names(doc, at, &k))
        return;
    k.key = k.family == JWT_RS256 ? rsa_key(doc, at) : k.family == JWT_ES256 ? p256_key(doc, at) : ed25519_key(doc, at);
    if (k.key != NULL)
        keys->keys[keys->n++] = k;
}

int jwks_parse(struct view text, struct jwks **out)
{
    struct json_doc *doc = xcalloc(1, sizeof(*doc));
    struct jwks *keys = xcalloc(1, sizeof(*keys));
    int err = text.len > JWKS_MAX ? ERR_LIMIT : json_parse(text, doc);
    const struct json_token *list = err == 0 ? json_member(doc, 0, VIEW("keys")) : NULL;
    if (err == 0 && (list == NULL || list->type != JSON_ARRAY))
        err = ERR_SYNTAX;
    for (unsigned i = err == 0 ? json_index(doc, list) + 1 : 0; err == 0 && i < list->next; i = doc->tokens[i].next)
        key_add(doc, i, keys);
    if (err == 0 && keys->n == 0)
        err = ERR_NOTFOUND;
    free(doc);
    if (err != 0)
        jwks_free(&keys);
    else
        *out = keys;
    return err;
}

void jwks_free(struct jwks **keys)
{
    if (*keys == NULL)
        return;
    for (size_t i = 0; i < (*keys)->n; i++)
        EVP_PKEY_free((*keys)->keys[i].key);
    free(*keys);
    *keys = NULL;
}

/* --- signatures ---------------------------------------------------------------------------------------------------------- */

/* RFC 7518 section 3.4: r and s one behind the other; libcrypto wants them in DER. Returns its length, 0 when that fails. */
static size_t ecdsa_to_der(const uint8_t *raw, size_t len, uint8_t *out, size_t max)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, P256_LEN, NULL), *s = BN_bin2bn(raw + P256_LEN, P256_LEN, NULL);
    int n = 0;
    if (len == 2 * P256_LEN && sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
        r = s = NULL; /* transferred */
        n = i2d_ECDSA_SIG(sig, NULL);
        if (n > 0 && (size_t)n <= max)
            n = i2d_ECDSA_SIG(sig, &out);
        else
            n = 0;
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return n > 0 ? (size_t)n : 0;
}

static const EVP_MD *digest_of(enum jwt_alg alg)
{
    return alg == JWT_EDDSA ? NULL : alg == JWT_RS384 ? EVP_sha384() : alg == JWT_RS512 ? EVP_sha512() : EVP_sha256();
}

static bool key_verify(const struct jwk *k, enum jwt_alg alg, struct view input, struct view signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, digest_of(alg), NULL, k->key) == 1 &&
                EVP_DigestVerify(ctx, signature.ptr, signature.len, input.ptr, input.len) == 1;
    EVP_MD_CTX_free(ctx);
    return good;
}

bool jwks_verify(const struct jwks *keys, enum jwt_alg alg, const struct view *kid, struct view input, struct view signature)
{
    uint8_t raw[SIGNATURE_MAX], der[2 * P256_LEN + 16];
    size_t len = 0;
    if (!decode(signature, raw, sizeof(raw), &len) || len == 0)
        return false;
    struct view bytes = view_make(raw, len);
    if (alg == JWT_ES256)
        bytes = view_make(der, len == 2 * P256_LEN ? ecdsa_to_der(raw, len, der, sizeof(der)) : 0);
    for (size_t i = 0; i < keys->n && bytes.len > 0; i++) {
        const struct jwk *k = &keys->keys[i];
        if (k->family != family_of(alg) || (k->alg >= 0 && k->alg != (int)alg) ||
            (kid != NULL && !view_eq(*kid, view_make(k->kid, k->kid_len))))
            continue;
        if (key_verify(k, alg, input, bytes))
            return true;
    }
    return false;
}
