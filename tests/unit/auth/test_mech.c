/* SASL PLAIN and LOGIN. */
#include "tests/unit/auth/unit.h"

#include "auth/mech.h"

#define BYTES(lit) view_make(lit, sizeof(lit) - 1)

static void test_plain_grammar(void **state)
{
    struct mech_plain_message m;
    (void)state;
    assert_int_equal(mech_plain_parse(BYTES("\0tim\0tanstaaftanstaaf"), &m), 0);
    assert_view(m.authzid, "");
    assert_view(m.authcid, "tim");
    assert_view(m.password, "tanstaaftanstaaf");
    assert_int_equal(mech_plain_parse(BYTES("Ursel\0Kurt\0xipj3plmq"), &m), 0);
    assert_view(m.authzid, "Ursel");
    assert_view(m.authcid, "Kurt");
    /* Octets in a password, UTF-8 in names. */
    assert_int_equal(mech_plain_parse(BYTES("\0tim\0p\xe4ss"), &m), 0);
    assert_int_equal(mech_plain_parse(BYTES("\0t\xc3\xafm\0x"), &m), 0);
    assert_int_equal(mech_plain_parse(BYTES("\0tim\0"), &m), 0);
    assert_int_equal(m.password.len, 0);
}

static void test_plain_malformed(void **state)
{
    struct mech_plain_message m;
    (void)state;
    const struct view rows[] = {
        BYTES(""),
        BYTES("\0"),
        BYTES("\0tim"),
        BYTES("tim\0"),
        BYTES("\0\0x"),
        BYTES("\0\0"),
        BYTES("a\0\0x"),
        BYTES("\0tim\0x\0"),
        BYTES("\0tim\0x\0y"),
        BYTES("\0t\xffm\0x"),
        BYTES("\xc0\x80\0tim\0x"),
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(mech_plain_parse(rows[i], &m), ERR_SYNTAX);
}

static void test_plain_lengths(void **state)
{
    uint8_t text[2 * (PROTO_NAME_MAX + 2) + 1] = {0};
    struct mech_plain_message m;
    (void)state;
    memset(text, 'z', PROTO_NAME_MAX);
    memset(text + PROTO_NAME_MAX + 1, 'c', PROTO_NAME_MAX);
    text[2 * PROTO_NAME_MAX + 2] = 'p';
    assert_int_equal(mech_plain_parse(view_make(text, 2 * PROTO_NAME_MAX + 3), &m), 0);
    memset(text, 'z', PROTO_NAME_MAX + 1);
    text[PROTO_NAME_MAX + 1] = '\0';
    assert_int_equal(mech_plain_parse(view_make(text, 2 * PROTO_NAME_MAX + 3), &m), ERR_SYNTAX);
}

static void test_plain_exchange(void **state)
{
    struct mech_exchange x;
    (void)state;
    mech_exchange_init(&x, mech_find(VIEW("plain")));
    assert_int_equal(mech_exchange_step(&x, false, BYTES("")), MECH_CHALLENGE);
    assert_int_equal(buf_len(&x.out), 0);
    assert_int_equal(mech_exchange_step(&x, true, BYTES("\0tim\0pw")), MECH_PASSWORD);
    assert_view(mech_name_view(&x.authcid), "tim");
    assert_view(secret_view(x.password), "pw");
    mech_exchange_deinit(&x);
    mech_exchange_deinit(&x);
    /* An empty initial response is a message, and a malformed one. */
    mech_exchange_init(&x, mech_find(VIEW("PLAIN")));
    assert_int_equal(mech_exchange_step(&x, true, BYTES("")), MECH_MALFORMED);
    mech_exchange_deinit(&x);
}

static void test_login_exchange(void **state)
{
    struct mech_exchange x;
    (void)state;
    mech_exchange_init(&x, mech_find(VIEW("LOGIN")));
    assert_int_equal(mech_exchange_step(&x, false, BYTES("")), MECH_CHALLENGE);
    assert_view(buf_view(&x.out), "Username:");
    assert_int_equal(mech_exchange_step(&x, true, BYTES("tim")), MECH_CHALLENGE);
    assert_view(buf_view(&x.out), "Password:");
    assert_int_equal(mech_exchange_step(&x, true, BYTES("pw")), MECH_PASSWORD);
    assert_view(mech_name_view(&x.authcid), "tim");
    assert_view(secret_view(x.password), "pw");
    mech_exchange_deinit(&x);

    mech_exchange_init(&x, mech_find(VIEW("LOGIN")));
    assert_int_equal(mech_exchange_step(&x, true, BYTES("tim")), MECH_CHALLENGE);
    assert_view(buf_view(&x.out), "Password:");
    assert_int_equal(mech_exchange_step(&x, true, BYTES("p\0w")), MECH_MALFORMED);
    mech_exchange_deinit(&x);

    const struct view bad[] = {BYTES(""), BYTES("a\0b"), BYTES("\xff")};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        mech_exchange_init(&x, mech_find(VIEW("LOGIN")));
        assert_int_equal(mech_exchange_step(&x, true, bad[i]), MECH_MALFORMED);
        mech_exchange_deinit(&x);
    }
}

static void test_find(void **state)
{
    (void)state;
    assert_null(mech_find(VIEW("")));
    assert_null(mech_find(VIEW("PLAI")));
    assert_null(mech_find(VIEW("CRAM-MD5")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_grammar),  cmocka_unit_test(test_plain_malformed), cmocka_unit_test(test_plain_lengths),
        cmocka_unit_test(test_plain_exchange), cmocka_unit_test(test_login_exchange),  cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
