/* SCRAM's arithmetic over libcrypto; the digests are fetched before the sandbox (password_init). */
#include "common/secret/scram.h"

#include <sodium.h>

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/secret/password_int.h"
#include "common/secret/secret.h"
#include "common/text/text.h"
#include "common/tls/openssl.h"

/* SHA-256's block is SHA-1's too. */
#define HMAC_BLOCK 64

size_t scram_hash_size(enum scram_hash hash)
{
    return hash == SCRAM_SHA1 ? 20 : 32;
}

const char *scram_hash_name(enum scram_hash hash)
{
    return hash == SCRAM_SHA1 ? "SCRAM-SHA-1" : "SCRAM-SHA-256";
}

static const EVP_MD *hash_md(enum scram_hash hash)
{
    return hash == SCRAM_SHA1 ? EVP_sha1() : EVP_sha256();
}

/* H(a b), out may be one of them. */
static bool digest(enum scram_hash hash, struct view a, struct view b, uint8_t *out)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx != NULL && EVP_DigestInit_ex(ctx, hash_md(hash), NULL) == 1 && EVP_DigestUpdate(ctx, a.ptr, a.len) == 1 &&
                EVP_DigestUpdate(ctx, b.ptr, b.len) == 1 && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx); /* cleanses its state */
    return good;
}

/* Over the digests that are there already: HMAC() would fetch more inside the sandbox. */
bool scram_hmac(enum scram_hash hash, const uint8_t *key, struct view text, uint8_t *out)
{
    uint8_t pad[HMAC_BLOCK] = {0}, inner[SCRAM_KEY_MAX];
    memcpy(pad, key, scram_hash_size(hash));
    for (size_t i = 0; i < sizeof(pad); i++)
        pad[i] ^= 0x36;
    bool good = digest(hash, view_make(pad, sizeof(pad)), text, inner);
    for (size_t i = 0; i < sizeof(pad); i++)
        pad[i] ^= 0x36 ^ 0x5c;
    good = good && digest(hash, view_make(pad, sizeof(pad)), view_make(inner, scram_hash_size(hash)), out);
    secret_wipe(pad, sizeof(pad));
    secret_wipe(inner, sizeof(inner));
    return good;
}

static struct view part_next(struct view *rest)
{
    size_t n = view_find(*rest, ',');
    struct view part = view_sub(*rest, 0, n);
    *rest = view_sub(*rest, MIN_OF(n + 1, rest->len), rest->len);
    return part;
}

static bool key_parse(enum scram_hash hash, struct view text, uint8_t out[static SCRAM_KEY_MAX])
{
    size_t len = 0;
    return password_decode(text, ENCODING_BASE64, out, SCRAM_KEY_MAX, &len) == 0 && len == scram_hash_size(hash);
}

int scram_keys_parse(enum scram_hash hash, struct view data, struct scram_keys *out)
{
    struct scram_keys k = {.hash = hash};
    struct view rest = data;
    struct cursor rounds = cursor_make(part_next(&rest));
    struct view salt = part_next(&rest), stored = part_next(&rest);
    k.rounds = (uint32_t)cursor_dec(&rounds, 1, SCRAM_ROUNDS_MAX);
    bool good = cursor_done(&rounds) && password_decode(salt, ENCODING_BASE64, k.salt, sizeof(k.salt), &k.salt_len) == 0 &&
                k.salt_len > 0 && key_parse(hash, stored, k.stored_key) && key_parse(hash, rest, k.server_key);
    if (good)
        *out = k;
    secret_wipe(&k, sizeof(k));
    return good ? 0 : ERR_CORRUPT;
}

void scram_keys_put(const struct scram_keys *keys, struct buf *out)
{
    size_t size = scram_hash_size(keys->hash);
    buf_put_dec(out, keys->rounds);
    buf_put_byte(out, ',');
    base64_encode(out, view_make(keys->salt, keys->salt_len));
    buf_put_byte(out, ',');
    base64_encode(out, view_make(keys->stored_key, size));
    buf_put_byte(out, ',');
    base64_encode(out, view_make(keys->server_key, size));
}

/* From a password that was prepared. */
static int keys_derive(struct scram_keys *keys, struct view password)
{
    uint8_t salted[SCRAM_KEY_MAX], client_key[SCRAM_KEY_MAX];
    size_t size = scram_hash_size(keys->hash);
    int err = ERR_NOMEM;
    if (PKCS5_PBKDF2_HMAC((const char *)password.ptr, (int)password.len, keys->salt, (int)keys->salt_len, (int)keys->rounds,
                          hash_md(keys->hash), (int)size, salted) == 1 &&
        scram_hmac(keys->hash, salted, VIEW("Client Key"), client_key) &&
        digest(keys->hash, view_make(client_key, size), view_make(NULL, 0), keys->stored_key) &&
        scram_hmac(keys->hash, salted, VIEW("Server Key"), keys->server_key))
        err = 0;
    secret_wipe(salted, sizeof(salted));
    secret_wipe(client_key, sizeof(client_key));
    return err;
}

int scram_keys_derive(struct scram_keys *keys, struct view password)
{
    struct buf prepared;
    buf_init_secret(&prepared, 12 * PASSWORD_MAX);
    int err = scram_password_prepare(password, &prepared);
    if (err == 0)
        err = keys_derive(keys, buf_view(&prepared));
    buf_free(&prepared);
    return err;
}

int scram_keys_verify(const struct scram_keys *keys, struct view password)
{
    struct scram_keys made = *keys;
    size_t size = scram_hash_size(keys->hash);
    int err = scram_keys_derive(&made, password);
    if (err == 0 && !secret_equal(view_make(made.stored_key, size), view_make(keys->stored_key, size)))
        err = ERR_DENIED;
    secret_wipe(&made, sizeof(made));
    return err;
}

bool scram_proof_check(const struct scram_keys *keys, struct view auth_message, struct view proof)
{
    uint8_t key[SCRAM_KEY_MAX];
    size_t size = scram_hash_size(keys->hash);
    bool good = proof.len == size && scram_hmac(keys->hash, keys->stored_key, auth_message, key);
    for (size_t i = 0; i < size && good; i++)
        key[i] ^= proof.ptr[i]; /* ClientKey */
    good = good && digest(keys->hash, view_make(key, size), view_make(NULL, 0), key) &&
           secret_equal(view_make(key, size), view_make(keys->stored_key, size));
    secret_wipe(key, sizeof(key));
    return good;
}

bool scram_server_signature(const struct scram_keys *keys, struct view auth_message, uint8_t out[static SCRAM_KEY_MAX])
{
    return scram_hmac(keys->hash, keys->server_key, auth_message, out);
}

int password_scram_verify(const struct password_stored *s, struct view password)
{
    struct scram_keys keys;
    int err = scram_keys_parse(s->scheme->digest == DIGEST_SHA1 ? SCRAM_SHA1 : SCRAM_SHA256, s->data, &keys);
    if (err != 0)
        return err;
    err = scram_keys_verify(&keys, password);
    secret_wipe(&keys, sizeof(keys));
    return err;
}

int password_scram_make(const struct password_scheme *scheme, struct view password, struct buf *out)
{
    struct scram_keys keys = {
        .hash = scheme->digest == DIGEST_SHA1 ? SCRAM_SHA1 : SCRAM_SHA256, .rounds = SCRAM_ROUNDS_NEW, .salt_len = 16};
    randombytes_buf(keys.salt, keys.salt_len);
    int err = scram_keys_derive(&keys, password);
    if (err == 0)
        scram_keys_put(&keys, out);
    secret_wipe(&keys, sizeof(keys));
    return err;
}
