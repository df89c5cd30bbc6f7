/* Password schemes against values made by other programs, and what must never match. */
#include "tests/unit/common/unit.h"

#include "common/secret/password.h"

#define PW "secret Pass1"
#define SHA512_CRYPT \
    "$6$rounds=1000$saltsalt$9xnoSwCCCAG6ixzCiY05ymghrGFnHgwYrtcqu7iUJcTH8fddIo4FhOefjRXt9e2Ur9nemxeE5fVH4EyjeLO5w."

struct vector {
    const char *hash;
    const char *scheme; /* default */
    bool weak;          /* only with weak schemes allowed */
    bool slow;
};

static const struct vector vectors[] = {
    {"{SSHA}+RsuSTrEcIi8C6kPYWVF79KkcYVzYWx0c2FsdA==", "CRYPT", false, false},
    {"{ssha}+RsuSTrEcIi8C6kPYWVF79KkcYVzYWx0c2FsdA", "CRYPT", false, false},
    {"+RsuSTrEcIi8C6kPYWVF79KkcYVzYWx0c2FsdA==", "SSHA", false, false},
    {"{SSHA256}YmENNw1+UWgSotqm9Ne9xc6QxZ6ilBfsu5Zv4okantZzYWx0c2FsdA==", "CRYPT", false, false},
    {"{SSHA256.hex}62610d370d7e516812a2daa6f4d7bdc5ce90c59ea29417ecbb966fe2891a9ed673616c7473616c74", "CRYPT", false, false},
    {"{SSHA512.b64}0EeFw6bSih9Ec4PeE7HQAwE7cfRqH1wgKRve/fbDgkM9Wk1ovM5Jq7mvv3k+CVq9GAf3x7u3XJVkT9mc0EOJUHNhbHRzYWx0", "CRYPT",
     false, false},
    {"{SHA}iYWyjS313JzBXOmPLJstGjcONSw=", "CRYPT", true, false},
    {"{SHA1}8985b28d2df5dc9cc15ce98f2c9b2d1a370e352c", "CRYPT", true, false},
    {"{SHA256}riioCiyIOOV/s/RAQGt2zwBE8xqYW3YmRrLi8+3pjF0=", "CRYPT", true, false},
    {"{SHA512.HEX}"
     "e516e90a1807cf4527c33e888e8f66a45def38138f8bc2cd917ae9cf04fdcf5cc49e2cc0ff98b6a2cd75bd4adba28910aed3e253bdede9bdf4"
     "994387d0326706",
     "CRYPT", true, false},
    {"{PBKDF2}$1$abcdefgh$1000$150baf8f77424ff7191e946812640a5cd987efa4", "CRYPT", false, true},
    {"{PLAIN}" PW, "CRYPT", true, false},
    {"{CLEARTEXT.b64}c2VjcmV0IFBhc3Mx", "CRYPT", true, false},
    {SHA512_CRYPT, "CRYPT", false, true},
    {"{CRYPT}" SHA512_CRYPT, "PLAIN", false, true},
    {"{SHA512-CRYPT}" SHA512_CRYPT, "PLAIN", false, true},
    {"{SHA256-CRYPT}$5$rounds=1000$saltsalt$upAOZp9W1Gr/uemIkIiSkvP71uvE2MM7QdqeJIbSZz9", "CRYPT", false, true},
    {"{BLF-CRYPT}$2b$04$abcdefghijklmnopqrstuuYk87vpP/QJbJzKyPIiZnMYU0FvPZSDa", "CRYPT", false, true},
    {"$2y$04$abcdefghijklmnopqrstuuYk87vpP/QJbJzKyPIiZnMYU0FvPZSDa", "CRYPT", false, true},
    {"$y$j75$saltsalt$EFDs1rMtouXFN2AjV5rVZ1f6k3GsQn7uFZdpX./si8A", "CRYPT", false, true},
    {"{MD5-CRYPT}$1$saltsalt$3IHdTVY/.RE.D0MfuIQnN1", "CRYPT", true, true},
    {"{DES-CRYPT}ab2Qo7RoRt5ko", "CRYPT", true, true},
    {"{MD5}$1$Pl54lIBZ$XEkehyH1d1Qr6wJzYHuno.", "CRYPT", true, true},
    {"{PLAIN-MD5}716fa4ee7d296554b0170c51d7281292", "CRYPT", true, false},
    {"{LDAP-MD5}cW+k7n0pZVSwFwxR1ygSkg==", "CRYPT", true, false},
    {"{SMD5}PifrB04wdXjB3Ll6yMD05LGMMho=", "CRYPT", true, false},
    {"{CRAM-MD5}3be8f2dd608f034c1082e30431c4b8af0e88425753f68b6e6ea3df3a3a882716", "CRYPT", true, false},
    {"{HMAC-MD5.b64}O+jy3WCPA0wQguMEMcS4rw6IQldT9otubqPfOjqIJxY=", "CRYPT", true, false},
};

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        const struct vector *v = &vectors[i];
        struct view hash = view_str(v->hash), scheme = view_str(v->scheme);
        bool slow = !v->slow;
        if (password_verify(hash, scheme, true, VIEW(PW)) != 0)
            fail_msg("%s does not match", v->hash);
        assert_int_equal(password_verify(hash, scheme, true, VIEW("secret pass1")), ERR_DENIED);
        assert_int_equal(password_verify(hash, scheme, true, VIEW("")), ERR_DENIED);
        assert_int_equal(password_verify(hash, scheme, false, VIEW(PW)), v->weak ? ERR_UNSUPPORTED : 0);
        assert_int_equal(password_cost(hash, scheme, true, &slow), 0);
        assert_int_equal(slow, v->slow);
    }
}

/* CRYPT itself is allowed, and still does not let weak forms in. */
static void test_crypt_weak_forms(void **state)
{
    (void)state;
    assert_int_equal(password_verify(VIEW("ab2Qo7RoRt5ko"), VIEW("CRYPT"), false, VIEW(PW)), ERR_UNSUPPORTED);
    assert_int_equal(password_verify(VIEW("$1$saltsalt$3IHdTVY/.RE.D0MfuIQnN1"), VIEW("CRYPT"), false, VIEW(PW)),
                     ERR_UNSUPPORTED);
    assert_int_equal(password_verify(VIEW("ab2Qo7RoRt5ko"), VIEW("CRYPT"), true, VIEW(PW)), 0);
}

static void test_argon2(void **state)
{
    const struct view id = VIEW("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4");
    const struct view bad = VIEW("{ARGON2ID}$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65");
    bool slow = false;
    (void)state;
    assert_int_equal(password_verify(id, VIEW("CRYPT"), false, VIEW("password")), 0);
    assert_int_equal(password_verify(id, VIEW("CRYPT"), false, VIEW("passwore")), ERR_DENIED);
    assert_int_equal(password_cost(id, VIEW("CRYPT"), false, &slow), 0);
    assert_true(slow);
    assert_int_equal(password_verify(bad, VIEW("CRYPT"), false, VIEW("password")), ERR_CORRUPT);
    assert_int_equal(password_verify(VIEW("{ARGON2I}$argon2id$v=19$"), VIEW("CRYPT"), false, VIEW("password")), ERR_CORRUPT);
}

static void test_broken(void **state)
{
    static const struct {
        const char *hash;
        int err;
    } rows[] = {
        {"", ERR_DENIED},
        {"!", ERR_DENIED},
        {"*", ERR_DENIED},
        {"!" SHA512_CRYPT, ERR_DENIED},
        {"{CRYPT}!" SHA512_CRYPT, ERR_DENIED},
        {"{CRYPT}*", ERR_DENIED},
        {"{PLAIN}", ERR_DENIED},
        {"{SSHA", ERR_CORRUPT},
        {"{NOPE}x", ERR_UNSUPPORTED},
        {"{SSHA.rot13}x", ERR_UNSUPPORTED},
        {"{}x", ERR_UNSUPPORTED},
        {"{SSHA}not base64!", ERR_CORRUPT},
        {"{SSHA}c2hvcnQ=", ERR_CORRUPT},
        {"{SHA256}iYWyjS313JzBXOmPLJstGjcONSw=", ERR_CORRUPT},
        {"{SHA512-CRYPT}$5$rounds=1000$saltsalt$x", ERR_CORRUPT},
        {"{BLF-CRYPT}$2b$04$tooshort", ERR_CORRUPT},
        {"{PBKDF2}$1$salt$0$150baf8f77424ff7191e946812640a5cd987efa4", ERR_CORRUPT},
        {"{PBKDF2}$1$salt$99999999999$150baf8f77424ff7191e946812640a5cd987efa4", ERR_CORRUPT},
        {"{PBKDF2}$1$salt$1000$15", ERR_CORRUPT},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int err = password_verify(view_str(rows[i].hash), VIEW("CRYPT"), true, VIEW(PW));
        if (err != rows[i].err)
            fail_msg("%s: %s", rows[i].hash, err_str(err));
    }
}

/* What crypt(3) would cut off must not match. */
static void test_password_bytes(void **state)
{
    (void)state;
    assert_int_equal(password_verify(VIEW(SHA512_CRYPT), VIEW("CRYPT"), false, view_make(PW "\0x", sizeof(PW) + 1)), ERR_DENIED);
    uint8_t longest[PASSWORD_MAX + 1];
    memset(longest, 'a', sizeof(longest));
    assert_int_equal(password_verify(VIEW(SHA512_CRYPT), VIEW("CRYPT"), false, view_make(longest, sizeof(longest))), ERR_DENIED);
    assert_int_equal(password_verify(VIEW(SHA512_CRYPT), VIEW("CRYPT"), false, view_make(longest, PASSWORD_MAX)), ERR_DENIED);
}

static void test_make(void **state)
{
    static const char *const names[] = {"",     "ARGON2I", "CRYPT",   "BLF-CRYPT", "SHA512-CRYPT", "SHA256-CRYPT", "PBKDF2",
                                        "SSHA", "ssha256", "SSHA512", "SHA",       "SHA256",       "SHA512",       "PLAIN"};
    struct buf a, b;
    (void)state;
    buf_init_secret(&a, PASSWORD_HASH_MAX);
    buf_init_secret(&b, PASSWORD_HASH_MAX);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        buf_reset(&a);
        buf_reset(&b);
        assert_int_equal(password_hash(view_str(names[i]), true, VIEW(PW), &a), 0);
        assert_int_equal(password_hash(view_str(names[i]), true, VIEW(PW), &b), 0);
        assert_int_equal(password_verify(buf_view(&a), VIEW("CRYPT"), true, VIEW(PW)), 0);
        assert_int_equal(password_verify(buf_view(&a), VIEW("CRYPT"), true, VIEW("other")), ERR_DENIED);
        /* A salt of its own each time, where there is one. */
        if (i < 10)
            assert_false(view_eq(buf_view(&a), buf_view(&b)));
    }
    buf_reset(&a);
    assert_int_equal(password_hash(VIEW("MD5-CRYPT"), true, VIEW(PW), &a), ERR_UNSUPPORTED);
    assert_int_equal(password_hash(VIEW("PLAIN"), false, VIEW(PW), &a), ERR_UNSUPPORTED);
    assert_int_equal(password_hash(VIEW("NOPE"), true, VIEW(PW), &a), ERR_UNSUPPORTED);
    assert_int_equal(password_hash(VIEW(""), true, VIEW(""), &a), ERR_LIMIT);
    assert_int_equal(password_hash(VIEW(""), true, view_make("a\0b", 3), &a), ERR_LIMIT);
    assert_int_equal(buf_len(&a), 0);
    buf_free(&a);
    buf_free(&b);
}

static void test_scheme_check(void **state)
{
    (void)state;
    assert_int_equal(password_scheme_check(VIEW("CRYPT"), false), 0);
    assert_int_equal(password_scheme_check(VIEW("sha256.hex"), true), 0);
    assert_int_equal(password_scheme_check(VIEW("PLAIN"), false), ERR_UNSUPPORTED);
    assert_int_equal(password_scheme_check(VIEW("PLAIN.x"), true), ERR_UNSUPPORTED);
    assert_true(password_locked(VIEW("{SSHA}")));
    assert_false(password_locked(VIEW("{SSHA")));
    assert_false(password_locked(VIEW("{SSHA}x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),      cmocka_unit_test(test_crypt_weak_forms), cmocka_unit_test(test_argon2),
        cmocka_unit_test(test_broken),       cmocka_unit_test(test_password_bytes),   cmocka_unit_test(test_make),
        cmocka_unit_test(test_scheme_check),
    };
    if (password_init() != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
