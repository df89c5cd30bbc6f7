/* TLS over buffers with signatures made elsewhere: a plain OpenSSL client, all key types, both versions, server names. */
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/tls/openssl.h"
#include "common/tls/tls.h"

enum { KEY_RSA, KEY_EC, KEY_ED, KEY_COUNT };

static struct {
    EVP_PKEY *keys[KEY_COUNT];
    X509 *certs[KEY_COUNT];
    struct tls_ctx *ctx; /* default RSA; ec.test, *.wild.test: EC; ed.test: Ed25519 */
    unsigned signatures;
    int sign_result;
} t;

/* --- what culver-keys does, in short ------------------------------------------------------------------------------ */

static int test_sign(void *arg, const struct msg_sign *m, struct buf *sig)
{
    static const char *const hashes[] = {NULL, "SHA1", "SHA256", "SHA384", "SHA512", NULL};
    EVP_PKEY *key = t.keys[m->key];
    uint8_t bytes[PROTO_SIG_MAX];
    size_t len = sizeof(bytes);

    assert_ptr_equal(arg, &t);
    t.signatures++;
    if (t.sign_result != 0)
        return t.sign_result;
    if (m->scheme == SIGN_EDDSA) {
        EVP_MD_CTX *md = EVP_MD_CTX_new();

        assert_int_equal(m->hash, SIGN_NONE);
        assert_true(m->tbs.len == 130 || m->tbs.len == 146);
        assert_int_equal(EVP_DigestSignInit(md, NULL, NULL, NULL, key), 1);
        assert_int_equal(EVP_DigestSign(md, bytes, &len, m->tbs.ptr, m->tbs.len), 1);
        EVP_MD_CTX_free(md);
    } else {
        EVP_PKEY_CTX *pctx = EVP_PKEY_CTX_new(key, NULL);
        const EVP_MD *md = EVP_get_digestbyname(hashes[m->hash]);

        assert_int_equal(m->tbs.len, EVP_MD_get_size(md));
        assert_int_equal(EVP_PKEY_sign_init(pctx), 1);
        if (m->scheme == SIGN_RSA_PSS) {
            assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING), 1);
            assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST), 1);
        }
        assert_int_equal(EVP_PKEY_CTX_set_signature_md(pctx, md), 1);
        assert_int_equal(EVP_PKEY_sign(pctx, bytes, &len, m->tbs.ptr, m->tbs.len), 1);
        EVP_PKEY_CTX_free(pctx);
    }
    buf_put(sig, bytes, len);
    return 0;
}

static X509 *test_cert(EVP_PKEY *key, const char *name, const EVP_MD *md)
{
    X509 *cert = X509_new();

    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_set_pubkey(cert, key);
    assert_true(X509_sign(cert, key, md) > 0);
    return cert;
}

static int test_file(X509 *cert, EVP_PKEY *key, const char *extra)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int fd = memfd_create("pem", MFD_CLOEXEC);
    char *data = NULL;
    long len;

    if (cert != NULL)
        assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
    if (key != NULL)
        assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    if (extra != NULL)
        BIO_puts(bio, extra);
    len = BIO_get_mem_data(bio, &data);
    assert_int_equal(write(fd, data, (size_t)len), len);
    BIO_free(bio);
    return fd;
}

static int add_cert(struct tls_ctx *ctx, unsigned which, const char *name)
{
    int fd = test_file(t.certs[which], NULL, NULL);
    int r = tls_ctx_add_cert(ctx, which, view_str(name), fd);

    close(fd);
    return r;
}

static int setup(void **state)
{
    (void)state;
    log_init("test", 2, LOG_SINK_STREAM, LOG_LVL_FATAL);
    t.keys[KEY_RSA] = EVP_RSA_gen(2048);
    t.keys[KEY_EC] = EVP_EC_gen("P-256");
    t.keys[KEY_ED] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    t.certs[KEY_RSA] = test_cert(t.keys[KEY_RSA], "rsa.test", EVP_sha256());
    t.certs[KEY_EC] = test_cert(t.keys[KEY_EC], "ec.test", EVP_sha256());
    t.certs[KEY_ED] = test_cert(t.keys[KEY_ED], "ed.test", NULL);
    assert_int_equal(tls_ctx_new(0x0303, "", &t.ctx), 0);
    assert_false(tls_ctx_usable(t.ctx));
    assert_int_equal(add_cert(t.ctx, KEY_RSA, ""), 0);
    assert_true(tls_ctx_usable(t.ctx));
    assert_int_equal(add_cert(t.ctx, KEY_EC, "EC.test"), 0);
    assert_int_equal(add_cert(t.ctx, KEY_EC, "*.wild.test"), 0);
    assert_int_equal(add_cert(t.ctx, KEY_ED, "ed.test"), 0);
    tls_ctx_set_alpn(t.ctx, "imap");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tls_ctx_free(&t.ctx);
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        EVP_PKEY_free(t.keys[i]);
        X509_free(t.certs[i]);
    }
    return 0;
}

/* --- a client and a connection to it --------------------------------------------------------------------------------- */

struct peer {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out;
    struct tls_conn *tc;
    struct buf net_in, net_out, plain;
};

static void peer_new(struct peer *p, int version, const char *name, const char *alpn, size_t net_max)
{
    memset(p, 0, sizeof(*p));
    p->ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(p->ctx, version);
    SSL_CTX_set_max_proto_version(p->ctx, version);
    p->ssl = SSL_new(p->ctx);
    if (name != NULL)
        SSL_set_tlsext_host_name(p->ssl, name);
    if (alpn != NULL)
        assert_int_equal(SSL_set_alpn_protos(p->ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn)), 0);
    p->in = BIO_new(BIO_s_mem());
    p->out = BIO_new(BIO_s_mem());
    SSL_set_bio(p->ssl, p->in, p->out);
    SSL_set_connect_state(p->ssl);
    assert_int_equal(tls_conn_new(t.ctx, test_sign, &t, &p->tc), 0);
    buf_init(&p->net_in, net_max);
    buf_init(&p->net_out, net_max);
    buf_init_secret(&p->plain, 65536);
}

static void peer_free(struct peer *p)
{
    SSL_free(p->ssl);
    SSL_CTX_free(p->ctx);
    tls_conn_free(&p->tc);
    buf_free(&p->net_in);
    buf_free(&p->net_out);
    buf_free(&p->plain);
}

/* Moves at most step bytes each way. */
static void peer_move(struct peer *p, size_t step)
{
    struct view out = view_sub(buf_view(&p->net_out), 0, step);
    uint8_t bytes[65536];
    int n;

    if (out.len > 0) {
        assert_int_equal(BIO_write(p->in, out.ptr, (int)out.len), (int)out.len);
        buf_consume(&p->net_out, out.len);
    }
    step = MIN_OF(MIN_OF(step, sizeof(bytes)), p->net_in.max - buf_len(&p->net_in));
    n = step > 0 ? BIO_read(p->out, bytes, (int)step) : 0;
    if (n > 0)
        buf_put(&p->net_in, bytes, (size_t)n);
}

static int peer_handshake(struct peer *p, size_t step)
{
    bool client_done = false, server_done = false;
    int r = 0;

    for (unsigned i = 0; i < 200000 && !(client_done && server_done); i++) {
        int ret = SSL_do_handshake(p->ssl);

        client_done = ret == 1;
        if (ret != 1 && SSL_get_error(p->ssl, ret) != SSL_ERROR_WANT_READ)
            return ERR_PROTO;
        peer_move(p, step);
        if (!server_done) {
            r = tls_handshake(p->tc, &p->net_in, &p->net_out);
            if (r != 0 && r != ERR_AGAIN && r != ERR_LIMIT)
                return r;
            server_done = r == 0;
        }
    }
    return client_done && server_done ? 0 : ERR_TIMEOUT;
}

static void peer_exchange(struct peer *p)
{
    uint8_t big[50000], got[sizeof(big)];
    struct buf send;
    size_t have = 0;

    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (uint8_t)(i * 7 + i / 251);
    /* client -> server */
    assert_int_equal(SSL_write(p->ssl, big, sizeof(big)), sizeof(big));
    for (unsigned i = 0; i < 1000 && buf_len(&p->plain) < sizeof(big); i++) {
        int r;

        peer_move(p, 1000);
        r = tls_decrypt(p->tc, &p->net_in, &p->net_out, &p->plain);
        assert_true(r == 0 || r == ERR_AGAIN);
    }
    assert_int_equal(buf_len(&p->plain), sizeof(big));
    assert_memory_equal(buf_view(&p->plain).ptr, big, sizeof(big));
    buf_reset(&p->plain);
    /* server -> client */
    buf_init_secret(&send, sizeof(big));
    buf_put(&send, big, sizeof(big));
    for (unsigned i = 0; i < 1000 && have < sizeof(got); i++) {
        int r = tls_encrypt(p->tc, &send, &p->net_out), n;

        assert_true(r == 0 || r == ERR_LIMIT);
        peer_move(p, 5000);
        n = SSL_read(p->ssl, got + have, (int)(sizeof(got) - have));
        if (n > 0)
            have += (size_t)n;
    }
    assert_int_equal(have, sizeof(got));
    assert_memory_equal(got, big, sizeof(big));
    buf_free(&send);
}

static void peer_check_name(struct peer *p, const char *expect)
{
    char name[64] = "";
    X509 *cert = SSL_get1_peer_certificate(p->ssl);

    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof(name));
    assert_string_equal(name, expect);
    X509_free(cert);
}

/* RFC 9266: what the client exports; RFC 5929 4.1: the hash of the certificate that the client got. */
static void peer_check_bindings(struct peer *p)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    X509 *cert = SSL_get1_peer_certificate(p->ssl);
    uint8_t want[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    struct buf got;
    int nid = NID_undef;

    buf_init(&got, PROTO_BINDING_MAX);
    assert_int_equal(SSL_export_keying_material(p->ssl, want, 32, label, sizeof(label) - 1, (const uint8_t *)"", 0, 1), 1);
    tls_binding(p->tc, TLS_BINDING_EXPORTER, &got);
    assert_true(view_eq(buf_view(&got), view_make(want, 32)));
    buf_reset(&got);
    tls_binding(p->tc, TLS_BINDING_END_POINT, &got);
    OBJ_find_sigid_algs(X509_get_signature_nid(cert), &nid, NULL);
    if (nid != NID_undef) /* Ed25519 names none */
        assert_int_equal(X509_digest(cert, nid == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(nid), want, &len), 1);
    assert_true(view_eq(buf_view(&got), view_make(want, len)));
    buf_free(&got);
    X509_free(cert);
}

/* --- tests ---------------------------------------------------------------------------------------------------------------- */

static void handshake_ok(int version, const char *name, const char *expect, size_t step, size_t net_max)
{
    struct peer p;
    struct buf text;

    peer_new(&p, version, name, NULL, net_max);
    t.signatures = 0;
    assert_int_equal(peer_handshake(&p, step), 0);
    assert_int_equal(t.signatures, 1);
    peer_check_name(&p, expect);
    peer_check_bindings(&p);
    peer_exchange(&p);
    buf_init(&text, 200);
    tls_describe(p.tc, &text);
    assert_true(view_starts(buf_view(&text), version == TLS1_3_VERSION ? VIEW("TLSv1.3 TLS_") : VIEW("TLSv1.2 ECDHE-")));
    buf_free(&text);
    assert_int_equal(SSL_session_reused(p.ssl), 0);
    /* No ticket: nothing that could be resumed. */
    assert_false(SSL_SESSION_has_ticket(SSL_get0_session(p.ssl)) == 1);
    peer_free(&p);
}

static void test_versions_and_names(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        handshake_ok(version, NULL, "rsa.test", 65536, 65536);
        handshake_ok(version, "rsa.test", "rsa.test", 65536, 65536);
        handshake_ok(version, "unknown.test", "rsa.test", 65536, 65536);
        handshake_ok(version, "ec.TEST", "ec.test", 65536, 65536);
        handshake_ok(version, "a.wild.test", "ec.test", 65536, 65536);
        handshake_ok(version, "a.b.wild.test", "rsa.test", 65536, 65536);
        handshake_ok(version, "wild.test", "rsa.test", 65536, 65536);
    }
    handshake_ok(TLS1_3_VERSION, "ed.test", "ed.test", 65536, 65536);
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    handshake_ok(TLS1_2_VERSION, "ec.test", "ec.test", 1, 65536);
    handshake_ok(TLS1_3_VERSION, "ed.test", "ed.test", 1, 65536);
}

/* Buffers smaller than a flight of the handshake and than a record. */
static void test_small_buffers(void **state)
{
    (void)state;
    handshake_ok(TLS1_2_VERSION, NULL, "rsa.test", 100, 400);
    handshake_ok(TLS1_3_VERSION, NULL, "rsa.test", 100, 400);
}

static void test_rsa_schemes(void **state)
{
    static const char *const lists[] = {"RSA+SHA256", "RSA+SHA512", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct peer p;

        peer_new(&p, TLS1_2_VERSION, NULL, NULL, 65536);
        assert_int_equal(SSL_set1_sigalgs_list(p.ssl, lists[i]), 1);
        assert_int_equal(peer_handshake(&p, 65536), 0);
        peer_free(&p);
    }
}

static void handshake_fails(int version, const char *name, const char *alpn, const char *ciphers, const char *sigalgs)
{
    struct peer p;

    peer_new(&p, version, name, alpn, 65536);
    if (version < TLS1_2_VERSION)
        SSL_set_security_level(p.ssl, 0);
    if (ciphers != NULL)
        assert_int_equal(SSL_set_cipher_list(p.ssl, ciphers), 1);
    if (sigalgs != NULL)
        assert_int_equal(SSL_set1_sigalgs_list(p.ssl, sigalgs), 1);
    assert_int_equal(peer_handshake(&p, 65536), ERR_PROTO);
    peer_free(&p);
}

static void test_refused(void **state)
{
    (void)state;
    handshake_fails(TLS1_1_VERSION, NULL, NULL, NULL, NULL);
    handshake_fails(TLS1_2_VERSION, "ed.test", NULL, NULL, NULL);           /* Ed25519 in TLS 1.2 */
    handshake_fails(TLS1_2_VERSION, NULL, NULL, "AES256-GCM-SHA384", NULL); /* RSA key exchange */
    handshake_fails(TLS1_2_VERSION, NULL, NULL, NULL, "RSA+SHA1");
    handshake_fails(TLS1_3_VERSION, NULL, "\x08http/1.1", NULL, NULL);
    t.sign_result = ERR_TIMEOUT;
    handshake_fails(TLS1_3_VERSION, NULL, NULL, NULL, NULL);
    t.sign_result = ERR_DENIED;
    handshake_fails(TLS1_2_VERSION, "ec.test", NULL, NULL, NULL);
    t.sign_result = 0;
}

static void test_alpn(void **state)
{
    const unsigned char *got = NULL;
    unsigned len = 0;
    struct peer p;

    (void)state;
    peer_new(&p, TLS1_3_VERSION, NULL, "\x02h2\x04imap", 65536);
    assert_int_equal(peer_handshake(&p, 65536), 0);
    SSL_get0_alpn_selected(p.ssl, &got, &len);
    assert_true(view_eq(view_make(got, len), VIEW("imap")));
    peer_free(&p);
}

static void test_garbage(void **state)
{
    struct peer p;

    (void)state;
    peer_new(&p, TLS1_3_VERSION, NULL, NULL, 65536);
    buf_put_str(&p.net_in, "A NOOP\r\nA LOGIN a b\r\n");
    assert_int_equal(tls_handshake(p.tc, &p.net_in, &p.net_out), ERR_PROTO);
    peer_free(&p);
    peer_new(&p, TLS1_3_VERSION, NULL, NULL, 65536);
    assert_int_equal(peer_handshake(&p, 65536), 0);
    buf_put_str(&p.net_in, "A NOOP\r\nA LOGIN a b\r\n");
    assert_int_equal(tls_decrypt(p.tc, &p.net_in, &p.net_out, &p.plain), ERR_PROTO);
    peer_free(&p);
}

static void test_shutdown(void **state)
{
    struct peer p;
    uint8_t byte;

    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        peer_new(&p, version, NULL, NULL, 65536);
        assert_int_equal(peer_handshake(&p, 65536), 0);
        assert_int_equal(tls_decrypt(p.tc, &p.net_in, &p.net_out, &p.plain), ERR_AGAIN);
        /* Data and close_notify together: the data are not lost. */
        assert_int_equal(SSL_write(p.ssl, "bye", 3), 3);
        SSL_shutdown(p.ssl);
        peer_move(&p, 65536);
        assert_int_equal(tls_decrypt(p.tc, &p.net_in, &p.net_out, &p.plain), ERR_CLOSED);
        assert_true(view_eq(buf_view(&p.plain), VIEW("bye")));
        tls_shutdown(p.tc, &p.net_out);
        tls_shutdown(p.tc, &p.net_out);
        peer_move(&p, 65536);
        assert_int_equal(SSL_read(p.ssl, &byte, 1), 0);
        assert_int_equal(SSL_get_shutdown(p.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
        peer_free(&p);
    }
}

/* A plaintext buffer that is full keeps the rest of the record inside until there is room. */
static void test_decrypt_limit(void **state)
{
    struct peer p;
    uint8_t data[10000] = {0};
    size_t total = 0;

    (void)state;
    peer_new(&p, TLS1_3_VERSION, NULL, NULL, 65536);
    assert_int_equal(peer_handshake(&p, 65536), 0);
    p.plain.max = 300;
    assert_int_equal(SSL_write(p.ssl, data, sizeof(data)), sizeof(data));
    peer_move(&p, 65536);
    while (tls_decrypt(p.tc, &p.net_in, &p.net_out, &p.plain) == 0) {
        assert_true(buf_len(&p.plain) <= 300);
        assert_int_equal(tls_decrypt(p.tc, &p.net_in, &p.net_out, &p.plain),
                         total + 300 <= sizeof(data) - 100 ? ERR_LIMIT : ERR_AGAIN);
        total += buf_len(&p.plain);
        buf_reset(&p.plain);
    }
    assert_int_equal(total, sizeof(data));
    peer_free(&p);
}

static void test_key_update_and_renegotiation(void **state)
{
    struct peer p;

    (void)state;
    peer_new(&p, TLS1_3_VERSION, NULL, NULL, 65536);
    assert_int_equal(peer_handshake(&p, 65536), 0);
    assert_int_equal(SSL_key_update(p.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    peer_exchange(&p);
    peer_free(&p);
    peer_new(&p, TLS1_2_VERSION, NULL, NULL, 65536);
    assert_int_equal(peer_handshake(&p, 65536), 0);
    t.signatures = 0;
    assert_int_equal(SSL_renegotiate(p.ssl), 1);
    SSL_do_handshake(p.ssl);
    peer_move(&p, 65536);
    assert_true(tls_decrypt(p.tc, &p.net_in, &p.net_out, &p.plain) < 0);
    assert_int_equal(t.signatures, 0);
    peer_free(&p);
}

static void test_bad_certificates(void **state)
{
    struct tls_ctx *ctx = NULL;
    struct tls_conn *tc = NULL;
    EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1");
    X509 *cert = test_cert(other, "k1.test", EVP_sha256());
    int fds[5];

    (void)state;
    assert_int_equal(tls_ctx_new(0x0303, "nonsense", &ctx), 0);
    fds[0] = test_file(t.certs[KEY_RSA], NULL, NULL);
    assert_int_equal(tls_ctx_add_cert(ctx, 0, VIEW(""), fds[0]), ERR_SYNTAX);
    tls_ctx_free(&ctx);
    assert_int_equal(tls_ctx_new(0x0303, "", &ctx), 0);
    fds[1] = test_file(NULL, NULL, "no certificate here\n");
    fds[2] = test_file(t.certs[KEY_RSA], t.keys[KEY_RSA], NULL);
    fds[3] = test_file(t.certs[KEY_RSA], NULL, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    fds[4] = test_file(cert, NULL, NULL);
    for (size_t i = 1; i < ARRAY_LEN(fds); i++)
        assert_int_equal(tls_ctx_add_cert(ctx, 0, VIEW(""), fds[i]), ERR_SYNTAX);
    assert_false(tls_ctx_usable(ctx));
    assert_int_equal(tls_conn_new(ctx, test_sign, &t, &tc), ERR_STATE);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    tls_ctx_free(&ctx);
    X509_free(cert);
    EVP_PKEY_free(other);
}

/* A chain is sent whole. */
static void test_chain(void **state)
{
    struct tls_ctx *saved = t.ctx;
    char *second = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    struct peer p;
    int fd;

    (void)state;
    PEM_write_bio_X509(bio, t.certs[KEY_EC]);
    BIO_write(bio, "", 1);
    BIO_get_mem_data(bio, &second);
    fd = test_file(t.certs[KEY_RSA], NULL, second);
    assert_int_equal(tls_ctx_new(0x0304, "", &t.ctx), 0);
    assert_int_equal(tls_ctx_add_cert(t.ctx, KEY_RSA, VIEW(""), fd), 0);
    peer_new(&p, TLS1_3_VERSION, NULL, NULL, 65536);
    assert_int_equal(peer_handshake(&p, 65536), 0);
    assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(p.ssl)), 2);
    peer_free(&p);
    handshake_fails(TLS1_2_VERSION, NULL, NULL, NULL, NULL); /* min_version */
    tls_ctx_free(&t.ctx);
    t.ctx = saved;
    BIO_free(bio);
    close(fd);
}

/* --- client certificates ---------------------------------------------------------------------------------------------------- */

static struct buf client_log; /* what the client saw of the handshake, in the order in which it is hashed */

static void client_saw(int sent, int version, int type, const void *data, size_t len, SSL *ssl, void *arg)
{
    (void)version;
    (void)ssl;
    (void)arg;
    if (type != SSL3_RT_HANDSHAKE)
        return;
    buf_put(&client_log, data, len);
    if (sent && *(const uint8_t *)data == SSL3_MT_CERTIFICATE_VERIFY)
        SSL_set_msg_callback(ssl, NULL);
}

static void give_certificate(struct peer *p, unsigned which)
{
    assert_int_equal(SSL_use_certificate(p->ssl, t.certs[which]), 1);
    assert_int_equal(SSL_use_PrivateKey(p->ssl, t.keys[which]), 1);
}

static const uint8_t test_nonce[PROTO_NONCE_LEN] = "0123456789abcdef0123456789abcde";

/* Whatever certificate the client has, and whatever the network does to the bytes: what is recorded is what the client signed. */
static void test_client_proof(void **state)
{
    const size_t steps[] = {65536, 1, 1000};

    (void)state;
    buf_init(&client_log, 65536);
    for (unsigned which = 0; which < KEY_COUNT; which++) {
        for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
            struct peer p;
            struct view proof;

            peer_new(&p, TLS1_3_VERSION, which == KEY_ED ? "ed.test" : "a.wild.test", NULL, 65536);
            give_certificate(&p, which);
            buf_reset(&client_log);
            SSL_set_msg_callback(p.ssl, client_saw);
            tls_ask_certificate(p.tc, view_make(test_nonce, sizeof(test_nonce)));
            assert_int_equal(tls_client_proof(p.tc).len, 0);
            assert_int_equal(peer_handshake(&p, steps[i]), 0);
            proof = tls_client_proof(p.tc);
            assert_true(view_eq(proof, buf_view(&client_log)));
            assert_non_null(memmem(proof.ptr, proof.len, test_nonce, sizeof(test_nonce)));
            peer_exchange(&p);
            assert_true(view_eq(tls_client_proof(p.tc), buf_view(&client_log)));
            assert_false(SSL_SESSION_has_ticket(SSL_get0_session(p.ssl)) == 1);
            peer_free(&p);
        }
    }
    buf_free(&client_log);
}

/* No certificate, no TLS 1.3, nobody asked: no proof, and everything else as ever. */
static void test_no_client_proof(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct peer p;

        peer_new(&p, how == 1 ? TLS1_2_VERSION : TLS1_3_VERSION, NULL, NULL, 65536);
        if (how != 0)
            give_certificate(&p, KEY_EC);
        if (how != 2)
            tls_ask_certificate(p.tc, view_make(test_nonce, sizeof(test_nonce)));
        assert_int_equal(peer_handshake(&p, 65536), 0);
        assert_int_equal(tls_client_proof(p.tc).len, 0);
        peer_exchange(&p);
        peer_free(&p);
    }
}

/* A chain has an end. */
static void test_bad_client_certificate(void **state)
{
    struct peer p;

    (void)state;
    peer_new(&p, TLS1_3_VERSION, NULL, NULL, 65536);
    give_certificate(&p, KEY_RSA);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(SSL_add1_chain_cert(p.ssl, t.certs[KEY_RSA]), 1);
    tls_ask_certificate(p.tc, view_make(test_nonce, sizeof(test_nonce)));
    assert_int_equal(peer_handshake(&p, 65536), ERR_PROTO);
    assert_int_equal(tls_client_proof(p.tc).len, 0);
    peer_free(&p);
}

static void test_leaf_digest(void **state)
{
    uint8_t want[EVP_MAX_MD_SIZE], got[PROTO_DIGEST_LEN];
    unsigned len = 0;
    int fd = test_file(t.certs[KEY_EC], NULL, "text behind it");

    (void)state;
    assert_int_equal(X509_digest(t.certs[KEY_EC], EVP_sha256(), want, &len), 1);
    assert_int_equal(tls_leaf_digest(fd, got), 0);
    assert_memory_equal(got, want, sizeof(got));
    close(fd);
    fd = test_file(NULL, NULL, "no certificate");
    assert_int_equal(tls_leaf_digest(fd, got), ERR_SYNTAX);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_proof),
        cmocka_unit_test(test_no_client_proof),
        cmocka_unit_test(test_bad_client_certificate),
        cmocka_unit_test(test_leaf_digest),
        cmocka_unit_test(test_versions_and_names),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_small_buffers),
        cmocka_unit_test(test_rsa_schemes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_alpn),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_decrypt_limit),
        cmocka_unit_test(test_key_update_and_renegotiation),
        cmocka_unit_test(test_bad_certificates),
        cmocka_unit_test(test_chain),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
