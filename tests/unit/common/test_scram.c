/* SCRAM's arithmetic against the examples of RFC 5802 and RFC 7677, the stored form, and the preparation of passwords. */
#include "tests/unit/common/unit.h"

#include "common/base/mem.h"
#include "common/secret/password.h"
#include "common/secret/scram.h"
#include "common/text/text.h"

struct example {
    enum scram_hash hash;
    const char *salt, *message, *proof, *signature;
};

static const struct example examples[] = {
    {SCRAM_SHA1, "QSXCR+Q6sek8bf92",
     "n=user,r=fyko+d2lbbFgONRv9qkxdawL,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,"
     "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
     "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "rmF9pqV8S7suAoZWja4dJRkFsKQ="},
    {SCRAM_SHA256, "W22ZaJ0SNY7soEsUEjb6gQ==",
     "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
     "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
     "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
};

static void test_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        const struct example *e = &examples[i];
        struct scram_keys keys = {.hash = e->hash, .rounds = 4096};
        uint8_t signature[SCRAM_KEY_MAX];
        struct buf b;
        buf_init(&b, 256);
        assert_int_equal(base64_decode(&b, view_str(e->salt)), 0);
        memcpy(keys.salt, buf_view(&b).ptr, buf_len(&b));
        keys.salt_len = buf_len(&b);
        assert_int_equal(scram_keys_derive(&keys, VIEW("pencil")), 0);
        buf_reset(&b);
        assert_int_equal(base64_decode(&b, view_str(e->proof)), 0);
        assert_true(scram_proof_check(&keys, view_str(e->message), buf_view(&b)));
        assert_false(scram_proof_check(&keys, VIEW("n=other"), buf_view(&b)));
        assert_false(scram_proof_check(&keys, view_str(e->message), view_sub(buf_view(&b), 1, 99)));
        assert_true(scram_server_signature(&keys, view_str(e->message), signature));
        buf_reset(&b);
        base64_encode(&b, view_make(signature, scram_hash_size(e->hash)));
        assert_true(view_eq(buf_view(&b), view_str(e->signature)));
        assert_int_equal(scram_keys_verify(&keys, VIEW("pencil")), 0);
        assert_int_equal(scram_keys_verify(&keys, VIEW("pen")), ERR_DENIED);
        buf_free(&b);
    }
}

#define STORED \
    "4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static void test_stored(void **state)
{
    struct scram_keys keys;
    struct buf b;
    (void)state;
    assert_int_equal(scram_keys_parse(SCRAM_SHA256, VIEW(STORED), &keys), 0);
    assert_int_equal(keys.rounds, 4096);
    assert_int_equal(keys.salt_len, 16);
    buf_init(&b, 1024);
    scram_keys_put(&keys, &b);
    assert_true(view_eq(buf_view(&b), VIEW(STORED)));
    buf_free(&b);
    /* The published example's keys. */
    assert_int_equal(scram_keys_verify(&keys, VIEW("pencil")), 0);
    assert_int_equal(password_verify(VIEW("{SCRAM-SHA-256}" STORED), VIEW("CRYPT"), false, VIEW("pencil")), 0);
    assert_int_equal(password_verify(VIEW("{SCRAM-SHA-256}" STORED), VIEW("CRYPT"), false, VIEW("Pencil")), ERR_DENIED);
    assert_int_equal(password_verify(VIEW("{SCRAM-SHA-1}" STORED), VIEW("CRYPT"), false, VIEW("pencil")), ERR_CORRUPT);
    const struct view bad[] = {
        VIEW(""),
        VIEW("4096"),
        VIEW("0,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
             "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="),
        VIEW("99999999,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
             "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="),
        VIEW("4096,,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="),
        VIEW("4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="),
        VIEW("4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="),
        VIEW(STORED ",x"),
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(scram_keys_parse(SCRAM_SHA256, bad[i], &keys), ERR_CORRUPT);
}

static void test_password_keys(void **state)
{
    struct scram_keys keys;
    struct view plain;
    (void)state;
    assert_int_equal(password_scram_keys(VIEW("{SCRAM-SHA-256}" STORED), VIEW("CRYPT"), false, SCRAM_SHA256, &keys, &plain), 0);
    assert_int_equal(plain.len, 0);
    assert_int_equal(password_scram_keys(VIEW("{SCRAM-SHA-256}" STORED), VIEW("CRYPT"), false, SCRAM_SHA1, &keys, &plain),
                     ERR_NOTFOUND);
    assert_int_equal(password_scram_keys(VIEW("{PLAIN}pw"), VIEW("CRYPT"), true, SCRAM_SHA1, &keys, &plain), 0);
    assert_true(view_eq(plain, VIEW("pw")));
    assert_int_equal(password_scram_keys(VIEW("{PLAIN}pw"), VIEW("CRYPT"), false, SCRAM_SHA1, &keys, &plain), ERR_UNSUPPORTED);
    assert_int_equal(password_scram_keys(VIEW("$6$x$y"), VIEW("CRYPT"), true, SCRAM_SHA1, &keys, &plain), ERR_NOTFOUND);
    assert_int_equal(password_scram_keys(VIEW("{SCRAM-SHA-1}1,2"), VIEW("CRYPT"), true, SCRAM_SHA1, &keys, &plain), ERR_CORRUPT);
}

static void test_prepare(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        /* RFC 4013 section 3 */
        {"I\xc2\xadX", "IX"},
        {"user", "user"},
        {"USER", "USER"},
        {"\xc2\xaa", "a"},
        {"\xe2\x85\xa8", "IX"},
        {"a\xc2\xa0"
         "b\xe3\x80\x80",
         "a b "},
        {"e\xcc\x81", "\xc3\xa9"},
        {"\xef\xac\x80", "ff"},
        {"p\xe4ss", "p\xe4ss"},   /* not UTF-8 */
        {"\xc2\xad", "\xc2\xad"}, /* nothing would be left */
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
    };
    struct buf b;
    (void)state;
    buf_init_secret(&b, 12 * PASSWORD_MAX);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_reset(&b);
        assert_int_equal(scram_password_prepare(view_str(rows[i].in), &b), 0);
        assert_true(view_eq(buf_view(&b), view_str(rows[i].out)));
    }
    /* The longest that there is. */
    char longest[PASSWORD_MAX];
    for (size_t i = 0; i < 341; i++)
        memcpy(longest + 3 * i, "\xef\xb7\xba", 3);
    buf_reset(&b);
    assert_int_equal(scram_password_prepare(view_make(longest, 1023), &b), 0);
    assert_true(buf_len(&b) > 10000);
    buf_free(&b);
}

static int setup(void **state)
{
    (void)state;
    return password_init();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_stored),
        cmocka_unit_test(test_password_keys),
        cmocka_unit_test(test_prepare),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
