/*
 * Proofs of client certificates: handshakes between OpenSSL's client and a plain server of it, recorded as a log-in process
 * records them, for every kind of key, hash and way through the handshake; and everything that must not pass for one.
 */
#include "common/tls/openssl.h" /* before all others of OpenSSL */

#include <openssl/x509v3.h>

#include "tests/unit/auth/unit.h"

#include "auth/client_cert.h"
#include "auth/handshake.h"
#include "common/base/mem.h"
#include "common/ipc/proto.h"
#include "common/tls/tls.h"

enum { KIND_RSA, KIND_P256, KIND_P384, KIND_P521, KIND_ED, KIND_COUNT };

struct identity {
    EVP_PKEY *key;
    X509 *cert;
};

static struct {
    struct identity ca, middle, stranger, server;
    struct identity users[KIND_COUNT]; /* CN=alice, of ca */
    struct client_trust *trust;        /* ca, nothing revoked is looked at */
    struct buf record;
    uint8_t nonce[PROTO_NONCE_LEN], digest[PROTO_DIGEST_LEN];
    time_t now;
} t;

/* --- certificates ------------------------------------------------------------------------------------------------------- */

static EVP_PKEY *make_key(int kind)
{
    static const char *const curves[] = {[KIND_P256] = "P-256", [KIND_P384] = "P-384", [KIND_P521] = "P-521"};
    if (kind == KIND_RSA)
        return EVP_RSA_gen(2048);
    return kind == KIND_ED ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : EVP_EC_gen(curves[kind]);
}

static void put_extension(X509 *cert, const X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, (X509 *)issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(ext);
    assert_int_equal(X509_add_ext(cert, ext, -1), 1);
    X509_EXTENSION_free(ext);
}

/* An X.509 certificate without its signature. Valid from an hour ago for a day. */
static X509 *begin_cert(const struct identity *issuer, EVP_PKEY *key, const char *cn)
{
    static long serial = 1;
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    if (cn != NULL)
        X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer != NULL ? issuer->cert : cert));
    X509_set_pubkey(cert, key);
    return cert;
}

static void end_cert(X509 *cert, EVP_PKEY *signer, const EVP_MD *md)
{
    assert_true(X509_sign(cert, signer, EVP_PKEY_is_a(signer, "ED25519") ? NULL : md) > 0);
}

static struct identity make_ca(const struct identity *above, const char *cn)
{
    struct identity id = {.key = make_key(KIND_P256)};
    id.cert = begin_cert(above, id.key, cn);
    put_extension(id.cert, id.cert, NID_basic_constraints, "critical,CA:TRUE");
    put_extension(id.cert, id.cert, NID_key_usage, "critical,keyCertSign,cRLSign");
    end_cert(id.cert, above != NULL ? above->key : id.key, EVP_sha256());
    return id;
}

static struct identity make_user(const struct identity *ca, int kind, const char *cn, int nid, const char *value)
{
    struct identity id = {.key = make_key(kind)};
    id.cert = begin_cert(ca, id.key, cn);
    if (value != NULL)
        put_extension(id.cert, ca->cert, nid, value);
    end_cert(id.cert, ca->key, EVP_sha256());
    return id;
}

static void identity_free(struct identity *id)
{
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
}

/* revoked NULL: nothing is. Valid from an hour ago for two. */
static X509_CRL *make_crl(const struct identity *ca, X509 *revoked)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *at = X509_gmtime_adj(NULL, -3600);
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->cert));
    X509_CRL_set1_lastUpdate(crl, at);
    if (revoked != NULL) {
        X509_REVOKED *entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked));
        X509_REVOKED_set_revocationDate(entry, at);
        assert_int_equal(X509_CRL_add0_revoked(crl, entry), 1);
    }
    X509_gmtime_adj(at, 7200);
    X509_CRL_set1_nextUpdate(crl, at);
    ASN1_TIME_free(at);
    assert_true(X509_CRL_sign(crl, ca->key, EVP_sha256()) > 0);
    return crl;
}

static void put_pem(struct buf *out, X509 *cert, X509_CRL *crl)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    assert_int_equal(cert != NULL ? PEM_write_bio_X509(bio, cert) : PEM_write_bio_X509_CRL(bio, crl), 1);
    long len = BIO_get_mem_data(bio, &text);
    buf_put(out, text, (size_t)len);
    BIO_free(bio);
    X509_CRL_free(crl);
}

/* --- handshakes ---------------------------------------------------------------------------------------------------------- */

static int put_nonce(SSL *ssl, unsigned type, unsigned context, const unsigned char **out, size_t *outlen, X509 *x, size_t index,
                     int *alert, void *arg)
{
    (void)ssl;
    (void)type;
    (void)context;
    (void)x;
    (void)index;
    (void)alert;
    (void)arg;
    *out = t.nonce;
    *outlen = sizeof(t.nonce);
    return 1;
}

static void on_message(int sent, int version, int type, const void *data, size_t len, SSL *ssl, void *arg)
{
    bool *done = arg;
    (void)version;
    (void)ssl;
    if (type != SSL3_RT_HANDSHAKE || *done)
        return;
    buf_put(&t.record, data, len);
    *done = !sent && *(const uint8_t *)data == SSL3_MT_CERTIFICATE_VERIFY;
}

static int any_cert(X509_STORE_CTX *store, void *arg)
{
    (void)store;
    (void)arg;
    return 1;
}

static SSL_CTX *make_ctx(bool server, const struct identity *id, const char *suite)
{
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    SSL_CTX_set_verify(ctx, server ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, any_cert, NULL);
    assert_int_equal(SSL_CTX_use_certificate(ctx, id->cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, id->key), 1);
    assert_int_equal(SSL_CTX_set_ciphersuites(ctx, suite), 1);
    if (server)
        assert_int_equal(SSL_CTX_add_custom_ext(ctx, TLS_NONCE_EXTENSION, SSL_EXT_TLS1_3_CERTIFICATE_REQUEST, put_nonce, NULL,
                                                NULL, NULL, NULL),
                         1);
    return ctx;
}

#define SHA256_SUITE "TLS_AES_128_GCM_SHA256"

/* The messages of a handshake between t.server and this client, in t.record. extra: a certificate of its chain, or NULL. retry:
 * with a HelloRetryRequest. */
static void record(const struct identity *client, X509 *extra, const char *suite, bool retry)
{
    SSL_CTX *sctx = make_ctx(true, &t.server, suite), *cctx = make_ctx(false, client, suite);
    BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());
    SSL *server, *peer;
    bool done = false;
    buf_reset(&t.record);
    if (extra != NULL)
        assert_int_equal(SSL_CTX_add1_chain_cert(cctx, extra), 1);
    if (retry) {
        SSL_CTX_set1_groups_list(sctx, "P-384");
        SSL_CTX_set1_groups_list(cctx, "X25519:P-384");
    }
    server = SSL_new(sctx);
    peer = SSL_new(cctx);
    SSL_set_msg_callback(server, on_message);
    SSL_set_msg_callback_arg(server, &done);
    BIO_up_ref(up);
    BIO_up_ref(down);
    SSL_set_bio(server, up, down);
    SSL_set_bio(peer, down, up);
    SSL_set_accept_state(server);
    SSL_set_connect_state(peer);
    for (unsigned i = 0; i < 10 && !done; i++) {
        (void)SSL_do_handshake(peer);
        (void)SSL_do_handshake(server);
    }
    assert_true(done && buf_ok(&t.record));
    SSL_free(server);
    SSL_free(peer);
    SSL_CTX_free(sctx);
    SSL_CTX_free(cctx);
    ERR_clear_error();
}

/* --- checks -------------------------------------------------------------------------------------------------------------- */

struct result {
    int err;
    struct buf name, why;
};

static struct result *check_with(const struct client_trust *trust, struct view messages, enum set_client_name field)
{
    static struct result r;
    const struct client_claim claim = {.messages = messages,
                                       .nonce = view_make(t.nonce, sizeof(t.nonce)),
                                       .digests = view_make(t.digest, sizeof(t.digest)),
                                       .field = field,
                                       .now = t.now};
    buf_free(&r.name);
    buf_free(&r.why);
    buf_init(&r.name, PROTO_NAME_MAX);
    buf_init(&r.why, 1024);
    r.err = client_cert_check(trust, &claim, &r.name, &r.why);
    assert_true(buf_ok(&r.why));
    return &r;
}

static void assert_good(const struct client_trust *trust, enum set_client_name field, const char *name)
{
    const struct result *r = check_with(trust, buf_view(&t.record), field);
    if (r->err != 0)
        print_error("%.*s\n", (int)buf_len(&r->why), (const char *)buf_view(&r->why).ptr);
    assert_int_equal(r->err, 0);
    assert_view(buf_view(&r->name), name);
}

/* The reason begins with why. */
static void assert_bad(const struct client_trust *trust, enum set_client_name field, const char *why)
{
    const struct result *r = check_with(trust, buf_view(&t.record), field);
    assert_int_equal(r->err, ERR_DENIED);
    if (!view_starts(buf_view(&r->why), view_str(why)))
        fail_msg("%.*s", (int)buf_len(&r->why), (const char *)buf_view(&r->why).ptr);
}

#define CN SET_CLIENT_NAME_COMMON_NAME

static int setup(void **state)
{
    struct buf pem;
    unsigned len;
    (void)state;
    t.ca = make_ca(NULL, "ca");
    t.middle = make_ca(&t.ca, "middle");
    t.stranger = make_ca(NULL, "stranger");
    t.server = make_user(&t.ca, KIND_RSA, "mail.test", 0, NULL);
    for (int k = 0; k < KIND_COUNT; k++)
        t.users[k] = make_user(&t.ca, k, "alice", NID_ext_key_usage, "clientAuth");
    X509_digest(t.server.cert, EVP_sha256(), t.digest, &len);
    memset(t.nonce, 7, sizeof(t.nonce));
    t.now = time(NULL);
    buf_init(&t.record, PROTO_HANDSHAKE_MAX);
    buf_init(&pem, 65536);
    put_pem(&pem, t.ca.cert, NULL);
    int err = client_trust_new(buf_view(&pem), NULL, &t.trust);
    buf_free(&pem);
    return err;
}

static int teardown(void **state)
{
    (void)state;
    client_trust_free(&t.trust);
    identity_free(&t.ca);
    identity_free(&t.middle);
    identity_free(&t.stranger);
    identity_free(&t.server);
    for (int k = 0; k < KIND_COUNT; k++)
        identity_free(&t.users[k]);
    buf_free(&t.record);
    (void)check_with(NULL, VIEW(""), CN); /* its buffers */
    return 0;
}

/* --- tests --------------------------------------------------------------------------------------------------------------- */

static void test_good(void **state)
{
    static const char *const suites[] = {SHA256_SUITE, "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"};
    (void)state;
    for (int k = 0; k < KIND_COUNT; k++) {
        for (size_t s = 0; s < ARRAY_LEN(suites); s++) {
            for (int retry = 0; retry <= 1; retry++) {
                struct handshake h;
                const char *why;
                record(&t.users[k], NULL, suites[s], retry);
                assert_int_equal(handshake_parse(buf_view(&t.record), &h, &why), 0);
                assert_int_equal(h.first_hello > 0, retry);
                assert_good(t.trust, CN, "alice");
            }
        }
    }
}

/* Every byte is signed, or is the signature. */
static void test_each_byte(void **state)
{
    static uint8_t copy[PROTO_HANDSHAKE_MAX];
    (void)state;
    record(&t.users[KIND_ED], NULL, SHA256_SUITE, true);
    size_t len = buf_len(&t.record);
    memcpy(copy, buf_view(&t.record).ptr, len);
    for (size_t i = 0; i < len; i++) {
        copy[i] ^= 1;
        assert_int_equal(check_with(t.trust, view_make(copy, len), CN)->err, ERR_DENIED);
        copy[i] ^= 0x81;
        assert_int_equal(check_with(t.trust, view_make(copy, len), CN)->err, ERR_DENIED);
        copy[i] ^= 0x80;
    }
    assert_int_equal(check_with(t.trust, view_make(copy, len), CN)->err, 0);
}

static void test_lengths(void **state)
{
    (void)state;
    for (int retry = 0; retry <= 1; retry++) {
        struct handshake h;
        const char *why;
        record(&t.users[KIND_P256], NULL, SHA256_SUITE, retry);
        struct view all = buf_view(&t.record);
        for (size_t i = 0; i < all.len; i++)
            assert_int_equal(handshake_parse(view_sub(all, 0, i), &h, &why), ERR_SYNTAX);
        buf_put_byte(&t.record, 0);
        assert_bad(t.trust, CN, "more than");
    }
}

static void test_other_connection(void **state)
{
    (void)state;
    record(&t.users[KIND_P256], NULL, SHA256_SUITE, false);
    t.nonce[31] ^= 1;
    assert_bad(t.trust, CN, "a handshake of another connection");
    t.nonce[31] ^= 1;
    t.digest[0] ^= 1;
    assert_bad(t.trust, CN, "a handshake with another server");
    t.digest[0] ^= 1;
    assert_good(t.trust, CN, "alice");
}

/* The bytes of one message with its header; at: which of that type. */
static struct view find_message(struct view all, uint8_t type, unsigned at)
{
    while (all.len >= 4) {
        size_t len = 4 + ((size_t)all.ptr[1] << 16 | (size_t)all.ptr[2] << 8 | all.ptr[3]);
        if (all.ptr[0] == type && at-- == 0)
            return view_sub(all, 0, len);
        all = view_sub(all, len, all.len);
    }
    fail_msg("no such message");
    return all;
}

/* Mallory really is connected through the same process, and alice was in the same moment: what they sent is put together. */
static void test_mixed(void **state)
{
    struct identity mallory = make_user(&t.ca, KIND_P256, "mallory", 0, NULL);
    struct buf alices, mixed;
    (void)state;
    buf_init(&alices, PROTO_HANDSHAKE_MAX);
    buf_init(&mixed, PROTO_HANDSHAKE_MAX);
    record(&t.users[KIND_P256], NULL, SHA256_SUITE, false);
    buf_put_view(&alices, buf_view(&t.record));
    record(&mallory, NULL, SHA256_SUITE, false);
    struct view cert = find_message(buf_view(&t.record), 11, 1), verify = find_message(buf_view(&t.record), 15, 1);
    struct view her_cert = find_message(buf_view(&alices), 11, 1), her_verify = find_message(buf_view(&alices), 15, 1);
    size_t until = buf_len(&t.record) - cert.len - verify.len;
    const struct view ends[][2] = {{her_cert, verify}, {her_cert, her_verify}, {cert, her_verify}};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        buf_reset(&mixed);
        buf_put_view(&mixed, view_sub(buf_view(&t.record), 0, until));
        buf_put_view(&mixed, ends[i][0]);
        buf_put_view(&mixed, ends[i][1]);
        const struct result *r = check_with(t.trust, buf_view(&mixed), CN);
        assert_int_equal(r->err, ERR_DENIED);
        assert_true(view_starts(buf_view(&r->why), VIEW("the signature of the client is wrong")));
    }
    buf_free(&alices);
    buf_free(&mixed);
    identity_free(&mallory);
}

/* A server that has our certificate but not our key, as in test_client_cert.py, cannot be made with OpenSSL; another's signature
 * under our certificate can. */
static void test_server_signature(void **state)
{
    struct buf other, mixed;
    (void)state;
    buf_init(&other, PROTO_HANDSHAKE_MAX);
    buf_init(&mixed, PROTO_HANDSHAKE_MAX);
    record(&t.users[KIND_P256], NULL, SHA256_SUITE, false);
    buf_put_view(&other, buf_view(&t.record));
    record(&t.users[KIND_P256], NULL, SHA256_SUITE, false);
    struct view ours = find_message(buf_view(&t.record), 15, 0), theirs = find_message(buf_view(&other), 15, 0);
    size_t at = (size_t)(ours.ptr - buf_view(&t.record).ptr);
    buf_put_view(&mixed, view_sub(buf_view(&t.record), 0, at));
    buf_put_view(&mixed, theirs);
    buf_put_view(&mixed, view_sub(buf_view(&t.record), at + ours.len, PROTO_HANDSHAKE_MAX));
    const struct result *r = check_with(t.trust, buf_view(&mixed), CN);
    assert_int_equal(r->err, ERR_DENIED);
    assert_view(buf_view(&r->why), "the signature of the server is wrong");
    buf_free(&other);
    buf_free(&mixed);
}

static void test_time(void **state)
{
    time_t now = t.now;
    (void)state;
    record(&t.users[KIND_P256], NULL, SHA256_SUITE, false);
    t.now = now + 90000;
    assert_bad(t.trust, CN, "certificate has expired (serial ");
    t.now = now - 7200;
    assert_bad(t.trust, CN, "certificate is not yet valid (serial ");
    t.now = now;
}

static void bad_user(struct identity id, enum set_client_name field, const char *why)
{
    record(&id, NULL, SHA256_SUITE, false);
    assert_bad(t.trust, field, why);
    identity_free(&id);
}

static void test_certificates(void **state)
{
    struct identity weak = {.key = EVP_RSA_gen(1024)};
    (void)state;
    bad_user(make_user(&t.stranger, KIND_P256, "alice", 0, NULL), CN, "unable to get local issuer certificate");
    bad_user(make_user(&t.ca, KIND_P256, "alice", NID_ext_key_usage, "serverAuth"), CN, "unsuitable certificate purpose");
    bad_user(make_user(&t.ca, KIND_P256, "alice", NID_key_usage, "critical,keyCertSign"), CN, "unsuitable certificate purpose");
    /* Not an authority, but it signs. */
    bad_user(make_user(&t.users[KIND_P256], KIND_P256, "bob", 0, NULL), CN, "unable to get local issuer certificate");
    weak.cert = begin_cert(&t.ca, weak.key, "alice");
    end_cert(weak.cert, t.ca.key, EVP_sha256());
    bad_user(weak, CN, "the signature of the client is wrong");
    struct identity sha1 = {.key = make_key(KIND_P256)};
    sha1.cert = begin_cert(&t.ca, sha1.key, "alice");
    end_cert(sha1.cert, t.ca.key, EVP_sha1());
    bad_user(sha1, CN, "CA signature digest algorithm too weak");
    /* What is not said to be for something is for everything (RFC 5280 section 4.2.1.12). */
    struct identity plain = make_user(&t.ca, KIND_P256, "alice", 0, NULL);
    record(&plain, NULL, SHA256_SUITE, false);
    assert_good(t.trust, CN, "alice");
    identity_free(&plain);
}

static void test_chain(void **state)
{
    struct identity below = make_user(&t.middle, KIND_P256, "alice", 0, NULL);
    struct identity fake = make_user(&t.users[KIND_P256], KIND_P256, "bob", 0, NULL);
    struct client_trust *trust;
    struct buf pem;
    (void)state;
    record(&below, t.middle.cert, SHA256_SUITE, false);
    assert_good(t.trust, CN, "alice");
    record(&fake, t.users[KIND_P256].cert, SHA256_SUITE, false);
    assert_int_equal(check_with(t.trust, buf_view(&t.record), CN)->err, ERR_DENIED);
    /* An authority that another has signed may be the one that is trusted. */
    buf_init(&pem, 65536);
    put_pem(&pem, t.middle.cert, NULL);
    assert_int_equal(client_trust_new(buf_view(&pem), NULL, &trust), 0);
    record(&below, NULL, SHA256_SUITE, false);
    assert_good(trust, CN, "alice");
    assert_bad(t.trust, CN, "unable to get local issuer certificate");
    record(&t.users[KIND_P256], NULL, SHA256_SUITE, false);
    assert_bad(trust, CN, "unable to get local issuer certificate");
    client_trust_free(&trust);
    buf_free(&pem);
    identity_free(&below);
    identity_free(&fake);
}

/* --- revocation ---------------------------------------------------------------------------------------------------------- */

static struct client_trust *trust_with(X509 *ca, X509_CRL *first, X509_CRL *second)
{
    struct client_trust *trust;
    struct buf pem, lists;
    buf_init(&pem, 65536);
    buf_init(&lists, 65536);
    put_pem(&pem, ca, NULL);
    put_pem(&lists, NULL, first);
    if (second != NULL)
        put_pem(&lists, NULL, second);
    struct view v = buf_view(&lists);
    assert_int_equal(client_trust_new(buf_view(&pem), &v, &trust), 0);
    buf_free(&pem);
    buf_free(&lists);
    return trust;
}

static void test_revocation(void **state)
{
    struct identity below = make_user(&t.middle, KIND_P256, "alice", 0, NULL);
    X509 *alice = t.users[KIND_P256].cert;
    const struct {
        X509 *ca;
        X509_CRL *crls[2];
        const char *direct, *indirect; /* NULL: good; "": not asked */
    } rows[] = {
        {t.ca.cert, {make_crl(&t.ca, NULL), NULL}, NULL, "unable to get certificate CRL"},
        {t.ca.cert, {make_crl(&t.ca, NULL), make_crl(&t.middle, NULL)}, NULL, NULL},
        {t.ca.cert, {make_crl(&t.ca, alice), make_crl(&t.middle, NULL)}, "certificate revoked", NULL},
        {t.ca.cert, {make_crl(&t.ca, t.middle.cert), make_crl(&t.middle, NULL)}, NULL, "certificate revoked"},
        {t.ca.cert, {make_crl(&t.ca, NULL), make_crl(&t.middle, below.cert)}, NULL, "certificate revoked"},
        {t.ca.cert, {make_crl(&t.middle, NULL), NULL}, "unable to get certificate CRL", "unable to get certificate CRL"},
        {t.ca.cert, {make_crl(&t.stranger, NULL), NULL}, "unable to get certificate CRL", "unable to get certificate CRL"},
        {t.middle.cert, {make_crl(&t.middle, NULL), NULL}, "", NULL},
        {t.middle.cert, {make_crl(&t.middle, below.cert), NULL}, "", "certificate revoked"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct client_trust *trust = trust_with(rows[i].ca, rows[i].crls[0], rows[i].crls[1]);
        record(&t.users[KIND_P256], NULL, SHA256_SUITE, false);
        if (rows[i].direct == NULL)
            assert_good(trust, CN, "alice");
        else if (rows[i].direct[0] != '\0')
            assert_bad(trust, CN, rows[i].direct);
        record(&below, t.middle.cert, SHA256_SUITE, false);
        if (rows[i].indirect == NULL)
            assert_good(trust, CN, "alice");
        else
            assert_bad(trust, CN, rows[i].indirect);
        t.now += 10000;
        assert_int_equal(check_with(trust, buf_view(&t.record), CN)->err, ERR_DENIED); /* the lists are too old */
        t.now -= 10000;
        client_trust_free(&trust);
    }
    identity_free(&below);
}

/* A list that says so of itself but was signed by somebody else. */
static void test_forged_list(void **state)
{
    struct identity liar = {t.stranger.key, t.ca.cert};
    struct client_trust *trust = trust_with(t.ca.cert, make_crl(&liar, NULL), NULL);
    (void)state;
    record(&t.users[KIND_P256], NULL, SHA256_SUITE, false);
    assert_bad(trust, CN, "CRL signature failure");
    client_trust_free(&trust);
}

static void test_trust_files(void **state)
{
    struct client_trust *trust = NULL;
    struct buf pem;
    struct view empty = VIEW("");
    (void)state;
    buf_init(&pem, 65536);
    put_pem(&pem, t.ca.cert, NULL);
    struct view ca = buf_view(&pem);
    assert_int_equal(client_trust_new(VIEW(""), NULL, &trust), ERR_SYNTAX);
    assert_int_equal(client_trust_new(VIEW("text"), NULL, &trust), ERR_SYNTAX);
    assert_int_equal(client_trust_new(view_sub(ca, 0, ca.len - 40), NULL, &trust), ERR_SYNTAX);
    assert_int_equal(client_trust_new(ca, &empty, &trust), ERR_SYNTAX);
    assert_int_equal(client_trust_new(ca, &ca, &trust), ERR_SYNTAX); /* no list */
    assert_null(trust);
    buf_put_str(&pem, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert_int_equal(client_trust_new(buf_view(&pem), NULL, &trust), ERR_SYNTAX);
    buf_free(&pem);
}

/* --- names --------------------------------------------------------------------------------------------------------------- */

static void name_of(X509 *cert, EVP_PKEY *key, enum set_client_name field, const char *name, const char *why)
{
    struct identity id = {key, cert};
    end_cert(cert, t.ca.key, EVP_sha256());
    record(&id, NULL, SHA256_SUITE, false);
    if (name != NULL)
        assert_good(t.trust, field, name);
    else
        assert_bad(t.trust, field, why);
    X509_free(cert);
}

#define NONE "it has no name where"
#define BAD "its name is no name, or it has two"

static void test_subjects(void **state)
{
    static const struct {
        const char *field;
        int type;
        const char *value;
        int len;
        enum set_client_name asked;
        const char *name, *why;
    } rows[] = {
        {"UID", MBSTRING_UTF8, "alice", -1, SET_CLIENT_NAME_USER_ID, "alice", NULL},
        {"UID", MBSTRING_UTF8, "alice", -1, SET_CLIENT_NAME_EMAIL_ADDRESS, NULL, NONE},
        {"emailAddress", MBSTRING_UTF8, "Alice@example.org", -1, SET_CLIENT_NAME_EMAIL_ADDRESS, "Alice@example.org", NULL},
        {"CN", MBSTRING_UTF8, "alice", -1, CN, "alice", NULL},
        {"CN", V_ASN1_BMPSTRING, "\0a\0l", 4, CN, "al", NULL},
        {"CN", V_ASN1_T61STRING, "al", 2, CN, "al", NULL},
        {"CN", MBSTRING_UTF8, "j\xc3\xb6", -1, CN, "j\xc3\xb6", NULL},
        {"CN", V_ASN1_UTF8STRING, "root\0x", 6, CN, NULL, BAD},
        {"CN", V_ASN1_UTF8STRING, "al\nice", 6, CN, NULL, BAD},
        {"CN", V_ASN1_UTF8STRING, "", 0, CN, NULL, BAD},
        {"O", MBSTRING_UTF8, "alice", -1, CN, NULL, NONE},
    };
    EVP_PKEY *key = make_key(KIND_P256);
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        X509 *cert = begin_cert(&t.ca, key, NULL);
        X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), rows[i].field, rows[i].type, (const unsigned char *)rows[i].value,
                                   rows[i].len, -1, 0);
        name_of(cert, key, rows[i].asked, rows[i].name, rows[i].why);
    }
    X509 *twice = begin_cert(&t.ca, key, "alice");
    X509_NAME_add_entry_by_txt(X509_get_subject_name(twice), "CN", MBSTRING_UTF8, (const unsigned char *)"bob", -1, -1, 0);
    name_of(twice, key, CN, NULL, BAD);
    EVP_PKEY_free(key);
}

static void test_alternatives(void **state)
{
#define UPN "otherName:1.3.6.1.4.1.311.20.2.3;"
    static const struct {
        const char *value;
        enum set_client_name asked;
        const char *name, *why;
    } rows[] = {
        {"email:alice@example.org,DNS:x", SET_CLIENT_NAME_SAN_EMAIL, "alice@example.org", NULL},
        {"email:alice@example.org,email:alice@example.org", SET_CLIENT_NAME_SAN_EMAIL, "alice@example.org", NULL},
        {"email:alice@example.org,email:bob@example.org", SET_CLIENT_NAME_SAN_EMAIL, NULL, BAD},
        {"DNS:alice", SET_CLIENT_NAME_SAN_EMAIL, NULL, NONE},
        {UPN "UTF8:alice@corp", SET_CLIENT_NAME_SAN_UPN, "alice@corp", NULL},
        {UPN "UTF8:alice@corp," UPN "UTF8:bob@corp", SET_CLIENT_NAME_SAN_UPN, NULL, BAD},
        {UPN "IA5:alice@corp", SET_CLIENT_NAME_SAN_UPN, NULL, NONE},
        {"otherName:1.2.3.4;UTF8:alice", SET_CLIENT_NAME_SAN_UPN, NULL, NONE},
        {NULL, SET_CLIENT_NAME_SAN_EMAIL, NULL, NONE},
    };
    EVP_PKEY *key = make_key(KIND_P256);
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        X509 *cert = begin_cert(&t.ca, key, "bob");
        if (rows[i].value != NULL)
            put_extension(cert, t.ca.cert, NID_subject_alt_name, rows[i].value);
        name_of(cert, key, rows[i].asked, rows[i].name, rows[i].why);
    }
    EVP_PKEY_free(key);
}

/* The log line is printable, whatever the subject is. */
static void test_reason(void **state)
{
    static const char text[] = "a\r\n\x1b[31m\xc3\xb6 0123456789 0123456789 0123456789 012345";
    EVP_PKEY *key = make_key(KIND_P256);
    X509 *cert = begin_cert(&t.stranger, key, NULL);
    struct identity id = {key, cert};
    (void)state;
    for (int i = 0; i < 4; i++)
        X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", V_ASN1_UTF8STRING, (const unsigned char *)text,
                                   sizeof(text) - 1, -1, 0);
    end_cert(cert, t.stranger.key, EVP_sha256());
    record(&id, NULL, SHA256_SUITE, false);
    const struct result *r = check_with(t.trust, buf_view(&t.record), CN);
    assert_int_equal(r->err, ERR_DENIED);
    assert_true(buf_len(&r->why) > 0 && buf_len(&r->why) <= PROTO_NAME_MAX);
    for (size_t i = 0; i < buf_len(&r->why); i++)
        assert_in_range(buf_view(&r->why).ptr[i], 0x20, 0x7e);
    X509_free(cert);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),        cmocka_unit_test(test_each_byte),
        cmocka_unit_test(test_lengths),     cmocka_unit_test(test_other_connection),
        cmocka_unit_test(test_mixed),       cmocka_unit_test(test_server_signature),
        cmocka_unit_test(test_time),        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_chain),       cmocka_unit_test(test_revocation),
        cmocka_unit_test(test_forged_list), cmocka_unit_test(test_trust_files),
        cmocka_unit_test(test_subjects),    cmocka_unit_test(test_alternatives),
        cmocka_unit_test(test_reason),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
