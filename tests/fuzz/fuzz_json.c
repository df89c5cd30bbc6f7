/* JSON, keys and tokens: the index stays within the text and itself, texts are written so that they read the same. No token is
 * good that nobody has signed; of one that was signed, header and claims being two lines of the input, the signature decides
 * still: with another octet in it, it is not good. Who is named is named. */
#include <sodium.h>
#include <stdlib.h>

#include "auth/claims.h"
#include "auth/jwt.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/text/json.h"

#define INPUT_MAX 5000 /* signed it is below JWT_MAX */
#define NAME_MAX_LEN 255

static const char *audience[] = {"a"}, *scope[] = {"s"};
static const struct set_auth set = {
    .oauth2_issuer = "i", .oauth2_audience = {audience, 1}, .oauth2_scope = {scope, 1}, .oauth2_user_claim = "email"};
static struct json_doc doc, again;
static struct jwks *own;
static uint8_t secret[crypto_sign_SECRETKEYBYTES];

static void check_texts(void)
{
    struct buf text, quoted;
    buf_init(&text, 65536);
    buf_init(&quoted, 65536);
    for (unsigned i = 0; i < doc.n; i++) {
        if (doc.tokens[i].next <= i || doc.tokens[i].next > doc.n)
            abort();
        buf_reset(&text);
        buf_reset(&quoted);
        if (json_text(&doc.tokens[i], &text) != 0)
            continue;
        json_put_text(&quoted, buf_view(&text));
        if (json_parse(buf_view(&quoted), &again) != 0 || !json_says(&again.tokens[0], buf_view(&text)))
            abort();
    }
    buf_free(&text);
    buf_free(&quoted);
}

static void put_b64(struct buf *out, struct view v)
{
    char text[2 * INPUT_MAX];

    ASSERT(sodium_bin2base64(text, sizeof(text), v.ptr, v.len, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != NULL);
    buf_put_str(out, text);
}

/* A key of ours, beside others that are not the token's. */
static void make_keys(void)
{
    static const uint8_t seed[crypto_sign_SEEDBYTES] = {1};
    uint8_t public[crypto_sign_PUBLICKEYBYTES];
    struct buf text;

    ASSERT(sodium_init() >= 0 && crypto_sign_seed_keypair(public, secret, seed) == 0);
    buf_init(&text, 4096);
    buf_put_str(&text, "{\"keys\":[{\"kty\":\"EC\",\"kid\":\"e\",\"crv\":\"P-256\",\"x\":"
                       "\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\",\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\"},"
                       "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\",\"x\":\"");
    put_b64(&text, view_make(public, sizeof(public)));
    buf_put_str(&text, "\"}]}");
    ASSERT(jwks_parse(buf_view(&text), &own) == 0);
    buf_free(&text);
}

static bool is_good(const struct jwks *keys, struct view token)
{
    const char *why = NULL;
    struct buf name;
    bool good;

    buf_init(&name, NAME_MAX_LEN);
    good = jwt_check(keys, &set, token, 0, &name, &why) == 0;
    ASSERT(good == (why == NULL) && (!good || (buf_ok(&name) && buf_len(&name) > 0)));
    buf_free(&name);
    return good;
}

static void check_signed(struct view v)
{
    uint8_t signature[crypto_sign_BYTES];
    size_t eol = view_find(v, '\n'), unsigned_len;
    struct buf token;

    buf_init(&token, 4 * INPUT_MAX);
    put_b64(&token, view_sub(v, 0, eol));
    buf_put_byte(&token, '.');
    put_b64(&token, view_sub(v, eol + 1, v.len));
    ASSERT(crypto_sign_detached(signature, NULL, buf_view(&token).ptr, buf_len(&token), secret) == 0);
    buf_put_byte(&token, '.');
    unsigned_len = buf_len(&token);
    put_b64(&token, view_make(signature, sizeof(signature)));
    if (is_good(own, buf_view(&token))) {
        signature[v.len % sizeof(signature)] ^= 1;
        buf_truncate(&token, unsigned_len);
        ASSERT(!is_good(own, buf_view(&token)));
        put_b64(&token, view_make(signature, sizeof(signature)));
        ASSERT(!is_good(own, buf_view(&token)));
    }
    buf_free(&token);
}

/* What an issuer tells, and what it may leave out. */
static void check_claims(void)
{
    struct buf name;

    buf_init(&name, NAME_MAX_LEN);
    if (claims_check(&doc, &set, 0, false, &name) == NULL)
        ASSERT(buf_ok(&name) && buf_len(&name) > 0);
    buf_free(&name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view v = view_make(data, size);
    struct jwks *keys = NULL;

    if (size > INPUT_MAX)
        return 0;
    if (own == NULL)
        make_keys();
    if (json_parse(v, &doc) == 0) {
        check_texts();
        if (doc.tokens[0].type == JSON_OBJECT)
            check_claims();
    }
    if (jwks_parse(v, &keys) == 0)
        ASSERT(!is_good(keys, v));
    jwks_free(&keys);
    ASSERT(!is_good(own, v));
    check_signed(v);
    return 0;
}
