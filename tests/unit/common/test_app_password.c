/* App passwords as people type them, base32, and one-time passwords. */
#include "tests/unit/common/unit.h"

#include <sodium.h>

#include "common/secret/app_password.h"
#include "common/secret/totp.h"

/* RFC 4648 10, without the padding. */
static void test_base32(void **state)
{
    static const char *const rows[][2] = {{"", ""},
                                          {"f", "MY"},
                                          {"fo", "MZXQ"},
                                          {"foo", "MZXW6"},
                                          {"foob", "MZXW6YQ"},
                                          {"fooba", "MZXW6YTB"},
                                          {"foobar", "MZXW6YTBOI"}};
    struct buf b;
    (void)state;
    buf_init(&b, 64);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_reset(&b);
        base32_encode(&b, view_str(rows[i][0]));
        assert_true(view_eq(buf_view(&b), view_str(rows[i][1])));
    }
    buf_free(&b);
}

static void test_make_and_type(void **state)
{
    uint8_t bytes[APP_PASSWORD_BYTES], again[APP_PASSWORD_BYTES], other[APP_PASSWORD_BYTES];
    char text[APP_PASSWORD_TEXT], typed[APP_PASSWORD_TEXT];
    (void)state;
    for (unsigned n = 0; n < 100; n++) {
        app_password_make(bytes, text);
        assert_int_equal(strlen(text), 39);
        assert_true(app_password_parse(view_str(text), again));
        assert_memory_equal(bytes, again, sizeof(bytes));
        for (size_t i = 0; i <= strlen(text); i++) /* capitals, blanks; 0 and 1 for what they look like */
            typed[i] = text[i] == '-'   ? ' '
                       : text[i] == 'o' ? '0'
                       : text[i] == 'l' ? '1'
                                        : (char)(text[i] >= 'a' ? text[i] - 32 : text[i]);
        assert_true(app_password_parse(view_str(typed), again));
        assert_memory_equal(bytes, again, sizeof(bytes));
    }
    app_password_make(other, typed);
    assert_memory_not_equal(bytes, other, sizeof(bytes));
}

static void test_not_like_one(void **state)
{
    static const char *const rows[] = {"",
                                       "secret",
                                       "aaaa-bbbb-cccc-dddd-eeee-ffff-gggg-hhh",
                                       "aaaa-bbbb-cccc-dddd-eeee-ffff-gggg-hhhhh",
                                       "aaaa-bbbb-cccc-dddd-eeee-ffff-gggg-hhh8",
                                       "aaaa-bbbb-cccc-dddd-eeee-ffff-gggg-hhh\xc3"};
    uint8_t bytes[APP_PASSWORD_BYTES];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_false(app_password_parse(view_str(rows[i]), bytes));
}

/* RFC 6238 appendix B (SHA-1), the last six of its eight digits. */
static void test_totp_vectors(void **state)
{
    static const struct {
        uint64_t time;
        const char *code;
    } rows[] = {{59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
                {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"}};
    char code[TOTP_DIGITS + 1];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(totp_code((const uint8_t *)"12345678901234567890", rows[i].time / TOTP_STEP, code));
        assert_string_equal(code, rows[i].code);
    }
}

static void test_totp_window(void **state)
{
    const uint8_t *secret = (const uint8_t *)"12345678901234567890";
    const uint64_t now = 1234567890, step = now / TOTP_STEP;
    char code[TOTP_DIGITS + 1];
    (void)state;
    for (int d = -3; d <= 3; d++) {
        assert_true(totp_code(secret, step + (uint64_t)(int64_t)d, code));
        uint64_t found = totp_find(secret, now, 0, view_str(code));
        assert_int_equal(found, d >= -1 && d <= 1 ? step + (uint64_t)(int64_t)d : 0);
    }
    assert_true(totp_code(secret, step, code));
    assert_int_equal(totp_find(secret, now, step - 1, view_str(code)), step);
    assert_int_equal(totp_find(secret, now, step, view_str(code)), 0);     /* used */
    assert_int_equal(totp_find(secret, now, step + 1, view_str(code)), 0); /* a later one was used */
    assert_int_equal(totp_find(secret, now, 0, view_make(code, 5)), 0);
    assert_int_equal(totp_find(secret, now, 0, view_make(NULL, 0)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base32),       cmocka_unit_test(test_make_and_type), cmocka_unit_test(test_not_like_one),
        cmocka_unit_test(test_totp_vectors), cmocka_unit_test(test_totp_window),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
