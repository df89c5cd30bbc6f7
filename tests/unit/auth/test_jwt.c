/* Signed tokens and claims, with a key of the test's own; also the claims that an issuer tells (RFC 7662). */
#include "tests/unit/auth/unit.h"

#include <sodium.h>

#include "auth/claims.h"
#include "auth/jwt.h"

#define NOW 1000000
#define HEADER "{\"alg\":\"EdDSA\",\"kid\":\"k\"}"
#define CLAIMS(more) \
    "{\"iss\":\"https://id.test/\",\"aud\":[\"x\",\"mail\"],\"scope\":\"a imap\",\"email\":\"alice@test\"" more "}"
#define SETTINGS "oauth2_issuer = https://id.test/\noauth2_audience = mail\noauth2_scope = imap\n"

static struct {
    struct conf *conf;
    const struct set_auth *set;
    struct jwks *keys;
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
} t;

static void put_b64(struct buf *out, const uint8_t *data, size_t len)
{
    char text[4096];
    assert_non_null(sodium_bin2base64(text, sizeof(text), data, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING));
    buf_put_str(out, text);
}

static int setup(void **state)
{
    uint8_t public[crypto_sign_PUBLICKEYBYTES];
    struct buf text;
    (void)state;
    t.set = unit_settings(SETTINGS, &t.conf);
    if (sodium_init() < 0 || crypto_sign_keypair(public, t.secret) != 0)
        return -1;
    buf_init(&text, 4096);
    buf_put_str(&text, "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\",\"x\":\"");
    put_b64(&text, public, sizeof(public));
    buf_put_str(&text, "\"}]}");
    int err = jwks_parse(buf_view(&text), &t.keys);
    buf_free(&text);
    return err;
}

static int teardown(void **state)
{
    (void)state;
    jwks_free(&t.keys);
    conf_free(&t.conf);
    return 0;
}

static void sign(struct buf *token, const char *header, const char *claims)
{
    uint8_t signature[crypto_sign_BYTES];
    buf_reset(token);
    put_b64(token, (const uint8_t *)header, strlen(header));
    buf_put_byte(token, '.');
    put_b64(token, (const uint8_t *)claims, strlen(claims));
    assert_int_equal(crypto_sign_detached(signature, NULL, buf_view(token).ptr, buf_len(token), t.secret), 0);
    buf_put_byte(token, '.');
    put_b64(token, signature, sizeof(signature));
}

/* why NULL: good, and of alice. */
static void check(const char *header, const char *claims, const char *why)
{
    struct buf token, name;
    const char *got;
    buf_init(&token, JWT_MAX);
    buf_init(&name, 255);
    sign(&token, header, claims);
    assert_int_equal(jwt_check(t.keys, t.set, buf_view(&token), NOW, &name, &got), why == NULL ? 0 : ERR_DENIED);
    if (why == NULL)
        assert_view(buf_view(&name), "alice@test");
    else
        assert_string_equal(got, why);
    buf_free(&token);
    buf_free(&name);
}

static void test_times(void **state)
{
    (void)state;
    check(HEADER, CLAIMS(",\"exp\":1000001"), NULL);
    check(HEADER, CLAIMS(",\"exp\":999971"), NULL); /* the leeway's last second */
    check(HEADER, CLAIMS(",\"exp\":999970"), "it has expired");
    check(HEADER, CLAIMS(",\"exp\":1000001.5"), NULL);
    check(HEADER, CLAIMS(""), "it has no time of expiry");
    check(HEADER, CLAIMS(",\"exp\":\"1000001\""), "it has no time of expiry");
    check(HEADER, CLAIMS(",\"exp\":-1"), "it has no time of expiry");
    check(HEADER, CLAIMS(",\"exp\":1000001,\"nbf\":1000030"), NULL);
    check(HEADER, CLAIMS(",\"exp\":1000001,\"nbf\":1000031"), "it is not valid yet");
    check(HEADER, CLAIMS(",\"exp\":1000001,\"nbf\":null"), "it is not valid yet");
    check(HEADER, CLAIMS(",\"exp\":1000001,\"iat\":1000031"), "it was issued in the future");
}

static void test_claims(void **state)
{
    (void)state;
    check(HEADER, "{\"exp\":1000001,\"aud\":\"mail\",\"scope\":\"imap\",\"email\":\"a\"}", "it is of another issuer");
    check(HEADER, "{\"exp\":1000001,\"iss\":\"https://id.test/\",\"aud\":\"mai\"}", "it is for another audience");
    check(HEADER, "{\"exp\":1000001,\"iss\":\"https://id.test/\",\"aud\":[[\"mail\"]]}", "it is for another audience");
    check(HEADER, "{\"exp\":1000001,\"iss\":\"https://id.test/\",\"aud\":\"mail\",\"scope\":\"imaps im\"}",
          "its scope does not include mail");
    check(HEADER, "{\"exp\":1000001,\"iss\":\"https://id.test/\",\"aud\":\"mail\",\"scope\":\"imap\"}",
          "the claim that names the user is missing");
    check(HEADER, CLAIMS(",\"exp\":1000001,\"email_verified\":false"), "its address was not verified");
    check(HEADER, CLAIMS(",\"exp\":1000001,\"exp\":2000000"), "its claims cannot be read");
    check(HEADER, "[]", "its claims cannot be read");
}

static void test_headers(void **state)
{
    (void)state;
    check("{\"alg\":\"EdDSA\"}", CLAIMS(",\"exp\":1000001"), NULL);
    check("{\"alg\":\"EdDSA\",\"kid\":\"other\"}", CLAIMS(",\"exp\":1000001"), "no key of ours has signed it");
    check("{\"alg\":\"RS256\"}", CLAIMS(",\"exp\":1000001"), "no key of ours has signed it");
    check("{\"alg\":\"none\"}", CLAIMS(",\"exp\":1000001"), "its algorithm is not one that is accepted");
    check("{\"alg\":\"HS256\"}", CLAIMS(",\"exp\":1000001"), "its algorithm is not one that is accepted");
    check("{\"alg\":\"EdDSA\",\"crit\":[\"b64\"]}", CLAIMS(",\"exp\":1000001"), "its algorithm is not one that is accepted");
    check("{}", CLAIMS(",\"exp\":1000001"), "its algorithm is not one that is accepted");
}

/* Whatever octet of it is another one, it is no good. */
static void test_changed(void **state)
{
    struct buf token, name;
    const char *why;
    (void)state;
    buf_init(&token, JWT_MAX);
    buf_init(&name, 255);
    sign(&token, HEADER, CLAIMS(",\"exp\":1000001"));
    for (size_t i = 0; i < buf_len(&token); i++) {
        token.data[i] ^= 1;
        assert_int_equal(jwt_check(t.keys, t.set, buf_view(&token), NOW, &name, &why), ERR_DENIED);
        assert_int_equal(jwt_check(t.keys, t.set, view_sub(buf_view(&token), 0, i), NOW, &name, &why), ERR_DENIED);
        token.data[i] ^= 1;
    }
    assert_int_equal(buf_len(&name), 0);
    assert_int_equal(jwt_check(t.keys, t.set, buf_view(&token), NOW, &name, &why), 0);
    buf_free(&token);
    buf_free(&name);
}

static const char *told(const char *settings, const char *claims)
{
    static struct json_doc doc;
    struct conf *conf = NULL;
    const struct set_auth *set = unit_settings(settings, &conf);
    struct buf name;
    buf_init(&name, 255);
    assert_int_equal(json_parse(view_str(claims), &doc), 0);
    const char *why = claims_check(&doc, set, NOW, false, &name);
    buf_free(&name);
    conf_free(&conf);
    return why;
}

static void test_told(void **state)
{
    (void)state;
    assert_null(told("", "{\"email\":\"a\"}"));
    assert_null(told(SETTINGS, CLAIMS("")));
    assert_null(told("", CLAIMS(",\"exp\":1000001")));
    assert_string_equal(told("", CLAIMS(",\"exp\":999970")), "it has expired");
    assert_string_equal(told("", CLAIMS(",\"exp\":\"never\"")), "it has no time of expiry");
    assert_string_equal(told("oauth2_issuer = x\n", "{\"email\":\"a\"}"), "it is of another issuer");
    assert_string_equal(told("oauth2_audience = x\n", "{\"email\":\"a\"}"), "it is for another audience");
    assert_string_equal(told("oauth2_scope = x\n", "{\"email\":\"a\"}"), "its scope does not include mail");
    assert_string_equal(told("", "{\"email\":\"\"}"), "the claim that names the user is missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_times), cmocka_unit_test(test_claims),
                                       cmocka_unit_test(test_headers), cmocka_unit_test(test_changed),
                                       cmocka_unit_test(test_told)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
