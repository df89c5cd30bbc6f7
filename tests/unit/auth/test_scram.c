/* SCRAM: grammar, and exchanges with a client of its own over libcrypto's HMAC(). */
#include "tests/unit/auth/unit.h"

#include "auth/scram.h"
#include "common/secret/password.h"
#include "common/tls/openssl.h"
#include "tests/unit/auth/scram_client.h"

static void test_first_grammar(void **state)
{
    struct scram_client_first m;
    (void)state;
    assert_int_equal(scram_client_first_parse(VIEW("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"), &m), 0);
    assert_int_equal(m.flag, SCRAM_BINDING_NONE);
    assert_view(m.gs2_header, "n,,");
    assert_view(m.bare, "n=user,r=fyko+d2lbbFgONRv9qkxdawL");
    assert_view(mech_name_view(&m.authcid), "user");
    assert_int_equal(m.authzid.len, 0);
    assert_view(m.nonce, "fyko+d2lbbFgONRv9qkxdawL");
    assert_int_equal(scram_client_first_parse(VIEW("p=tls-exporter,a=A=2CB=3D,n=x=2C=3Dy,r=1,z=ext"), &m), 0);
    assert_int_equal(m.flag, SCRAM_BINDING_USED);
    assert_view(m.binding, "tls-exporter");
    assert_view(mech_name_view(&m.authzid), "A,B=");
    assert_view(mech_name_view(&m.authcid), "x,=y");
    assert_int_equal(scram_client_first_parse(VIEW("y,,n=u,r=a"), &m), 0);
    assert_int_equal(m.flag, SCRAM_BINDING_WRONGED);
    const struct view bad[] = {
        VIEW(""),
        VIEW("n"),
        VIEW("n,,"),
        VIEW("n,,n=user"),
        VIEW("n,,n=,r=a"),
        VIEW("n,,n=user,r="),
        VIEW("n,,n=us=er,r=a"),
        VIEW("n,,n=us=2cer,r=a"),
        VIEW("n,,n=user=2,r=a"),
        VIEW("n,,m=x,n=user,r=a"),
        VIEW("n,,r=a,n=user"),
        VIEW("n,a=,n=user,r=a"),
        VIEW("n,b=x,n=user,r=a"),
        VIEW("n,n=user,r=a"),
        VIEW("N,,n=user,r=a"),
        VIEW("p,,n=user,r=a"),
        VIEW("p=,,n=user,r=a"),
        VIEW("p=a_b,,n=user,r=a"),
        VIEW("n,,n=user,r=a b"),
        VIEW("n,,n=user,r=a\x7f"),
        VIEW("n,,n=user,r=a,"),
        VIEW("n,,n=user,r=a,x"),
        VIEW("n,,n=user,r=a,1=x"),
        VIEW("n,,n=user,r=a\0"),
        VIEW("n,,n=us\0er,r=a"),
        VIEW("n,,n=us\xff,r=a"),
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(scram_client_first_parse(bad[i], &m), ERR_SYNTAX);
}

static void test_final_grammar(void **state)
{
    struct scram_client_final m;
    (void)state;
    assert_int_equal(scram_client_final_parse(VIEW("c=biws,r=abc,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="), &m), 0);
    assert_view(m.binding, "biws");
    assert_view(m.nonce, "abc");
    assert_view(m.without_proof, "c=biws,r=abc");
    assert_view(m.proof, "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
    assert_int_equal(scram_client_final_parse(VIEW("c=biws,r=abc,e=1,x=2,p=AA=="), &m), 0);
    assert_view(m.without_proof, "c=biws,r=abc,e=1,x=2");
    const struct view bad[] = {
        VIEW(""),
        VIEW("c=biws"),
        VIEW("c=biws,r=abc"),
        VIEW("c=biws,r=abc,"),
        VIEW("c=biws,r=abc,p="),
        VIEW("c=biws,r=abc,p=AA==,x=1"),
        VIEW("r=abc,c=biws,p=AA=="),
        VIEW("c=,r=abc,p=AA=="),
        VIEW("c=biws,r=,p=AA=="),
        VIEW("c=biws,r=abc,x,p=AA=="),
        VIEW("c=biws,r=abc,x=,p=AA=="),
        VIEW("c=biws,r=abc,p=AA==\0"),
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(scram_client_final_parse(bad[i], &m), ERR_SYNTAX);
}

/* --- exchanges --------------------------------------------------------------------------------------------------------- */

struct run {
    const char *mech, *gs2, *cbind; /* cbind: what c= holds */
    const char *exporter, *end_point;
    const char *stored, *typed;
    bool feigned, plain;
    enum mech_step first, final; /* expected */
};

static void run_exchange(const struct run *r)
{
    static const char bare[] = "n=user,r=clientnonce";
    struct mech_exchange x;
    struct buf message, expected;
    const struct mech *mech = mech_find(view_str(r->mech));
    const EVP_MD *md = mech->hash == SCRAM_SHA1 ? EVP_sha1() : EVP_sha256();
    buf_init(&message, 8192);
    buf_init(&expected, 256);
    mech_exchange_init(&x, mech);
    buf_put_str(&x.binding_exporter, r->exporter != NULL ? r->exporter : "");
    buf_put_str(&x.binding_end_point, r->end_point != NULL ? r->end_point : "");
    buf_put_fmt(&message, "%s%s", r->gs2, bare);
    assert_int_equal(mech_exchange_step(&x, false, VIEW("")), MECH_CHALLENGE);
    assert_int_equal(buf_len(&x.out), 0);
    enum mech_step step = mech_exchange_step(&x, true, buf_view(&message));
    assert_int_equal(step, r->first);
    if (step != MECH_KEYS)
        goto out;
    assert_view(mech_name_view(&x.authcid), "user");
    x.keys = (struct scram_keys){.hash = mech->hash, .rounds = 4096, .salt = "sixteen bytes of", .salt_len = 16};
    if (r->plain)
        x.plain = secret_new(view_str(r->stored));
    else
        assert_int_equal(scram_keys_derive(&x.keys, view_str(r->stored)), 0);
    x.keys_false = r->feigned;
    assert_int_equal(mech_exchange_step(&x, false, VIEW("")), MECH_CHALLENGE);
    assert_true(view_starts(buf_view(&x.out), VIEW("r=clientnonce")));
    buf_reset(&message);
    client_final(md, r->typed, bare, buf_view(&x.out), view_str(r->cbind), &message, &expected);
    step = mech_exchange_step(&x, true, buf_view(&message));
    assert_int_equal(step, r->final);
    assert_null(x.plain);
    if (step == MECH_CHALLENGE) {
        assert_true(view_eq(buf_view(&x.out), buf_view(&expected)));
        assert_int_equal(mech_exchange_step(&x, true, VIEW("")), MECH_PROVEN);
    } else {
        assert_int_equal(buf_len(&x.out), 0);
    }
out:
    mech_exchange_deinit(&x);
    buf_free(&message);
    buf_free(&expected);
}

static void test_exchanges(void **state)
{
    static const char m1[] = "SCRAM-SHA-1", m256[] = "SCRAM-SHA-256", p1[] = "SCRAM-SHA-1-PLUS", p256[] = "SCRAM-SHA-256-PLUS";
    const enum mech_step keys = MECH_KEYS, good = MECH_CHALLENGE, wrong = MECH_WRONG, bad = MECH_MALFORMED;
    const struct run runs[] = {
        {m256, "n,,", "n,,", NULL, NULL, "pencil", "pencil", false, false, keys, good},
        {m256, "n,,", "n,,", NULL, NULL, "pencil", "pencil", false, true, keys, good},
        {m1, "n,,", "n,,", NULL, NULL, "pencil", "pencil", false, false, keys, good},
        {m1, "n,,", "n,,", NULL, NULL, "pencil", "pencil", false, true, keys, good},
        {m256, "n,,", "n,,", NULL, NULL, "pencil", "pen", false, false, keys, wrong},
        {m256, "n,,", "n,,", NULL, NULL, "pencil", "pencil", true, false, keys, wrong},
        {m256, "n,a=user,", "n,a=user,", NULL, NULL, "pencil", "pencil", false, false, keys, good},
        /* c= is not the header that came first. */
        {m256, "n,,", "y,,", NULL, NULL, "pencil", "pencil", false, false, keys, wrong},
        {m256, "n,,", "n,a=root,", NULL, NULL, "pencil", "pencil", false, false, keys, wrong},
        /* Channel binding that nobody took away, and that somebody did. */
        {m256, "y,,", "y,,", NULL, NULL, "pencil", "pencil", false, false, keys, good},
        {m256, "y,,", "y,,", "EXPORT", NULL, "pencil", "pencil", false, false, bad, bad},
        {m256, "n,,", "n,,", "EXPORT", "POINT", "pencil", "pencil", false, false, keys, good},
        {m256, "p=tls-exporter,,", "p=tls-exporter,,EXPORT", "EXPORT", NULL, "pencil", "pencil", false, false, bad, bad},
        {p256, "p=tls-exporter,,", "p=tls-exporter,,EXPORT", "EXPORT", "POINT", "pencil", "pencil", false, false, keys, good},
        {p1, "p=tls-server-end-point,,", "p=tls-server-end-point,,POINT", "EXPORT", "POINT", "pencil", "pencil", false, false,
         keys, good},
        /* The other end of TLS is not ours. */
        {p256, "p=tls-exporter,,", "p=tls-exporter,,OTHERS", "EXPORT", "POINT", "pencil", "pencil", false, false, keys, wrong},
        {p256, "p=tls-exporter,,", "p=tls-exporter,,", "EXPORT", "POINT", "pencil", "pencil", false, false, keys, wrong},
        {p256, "p=tls-exporter,,", "p=tls-exporter,,POINT", "EXPORT", "POINT", "pencil", "pencil", false, false, keys, wrong},
        {p256, "p=tls-exporter,,", "p=tls-exporter,,", NULL, "POINT", "pencil", "pencil", false, false, bad, bad},
        {p256, "p=tls-unique,,", "p=tls-unique,,", "EXPORT", "POINT", "pencil", "pencil", false, false, bad, bad},
        {p256, "n,,", "n,,", "EXPORT", "POINT", "pencil", "pencil", false, false, bad, bad},
        {p256, "y,,", "y,,", "EXPORT", "POINT", "pencil", "pencil", false, false, bad, bad},
        /* What is typed in another form of Unicode is the same password. */
        {m256, "n,,", "n,,", NULL, NULL, "\xc3\xa9 \xe2\x85\xa3", "\xc3\xa9 IV", false, false, keys, good},
        {m256, "n,,", "n,,", NULL, NULL, "e\xcc\x81", "\xc3\xa9", false, true, keys, good},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(runs); i++)
        run_exchange(&runs[i]);
}

static void test_broken_exchanges(void **state)
{
    const struct view finals[] = {VIEW(""), VIEW("c=biws,r=other,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
                                  VIEW("c=biws,r=clientnonce,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")};
    struct mech_exchange x;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(finals); i++) {
        mech_exchange_init(&x, mech_find(VIEW("scram-sha-256")));
        assert_int_equal(mech_exchange_step(&x, true, VIEW("n,,n=user,r=clientnonce")), MECH_KEYS);
        x.keys = (struct scram_keys){.hash = SCRAM_SHA256, .rounds = 4096, .salt_len = 16};
        assert_int_equal(mech_exchange_step(&x, false, VIEW("")), MECH_CHALLENGE);
        assert_int_equal(mech_exchange_step(&x, true, finals[i]), MECH_MALFORMED);
        mech_exchange_deinit(&x);
    }
}

static int setup(void **state)
{
    (void)state;
    return password_init();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_grammar),
        cmocka_unit_test(test_final_grammar),
        cmocka_unit_test(test_exchanges),
        cmocka_unit_test(test_broken_exchanges),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
