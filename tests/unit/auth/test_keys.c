/* culver-keys: its heap, what it loads, what it signs and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/keys.h"
#include "auth/keys_heap.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/tls/openssl.h"

enum { KEY_RSA, KEY_EC, KEY_ED, KEY_COUNT };

static struct {
    EVP_PKEY *keys[KEY_COUNT];
    struct keys_store *store;
} t;

static const char server_verify[] = "                                                                "
                                    "TLS 1.3, server CertificateVerify\0"
                                    "0123456789abcdef0123456789abcdef0123456789abcdef";
static const uint8_t zeros[64];

static int key_file(EVP_PKEY *key, const char *password, const char *instead)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int fd = memfd_create("key", MFD_CLOEXEC);
    char *data = NULL;
    long len;

    if (instead != NULL)
        BIO_puts(bio, instead);
    else
        assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, password != NULL ? EVP_aes_128_cbc() : NULL, password,
                                                       password != NULL ? (int)strlen(password) : 0, NULL, NULL),
                         1);
    len = BIO_get_mem_data(bio, &data);
    assert_int_equal(write(fd, data, (size_t)len), len);
    BIO_free(bio);
    return fd;
}

static int load(uint32_t index, EVP_PKEY *key, const char *password, const char *instead)
{
    int fd = key_file(key, password, instead);
    int r = keys_store_load(t.store, index, fd);

    close(fd);
    return r;
}

static int setup(void **state)
{
    (void)state;
    log_init("test", 2, LOG_SINK_STREAM, LOG_LVL_FATAL);
    t.keys[KEY_RSA] = EVP_RSA_gen(2048);
    t.keys[KEY_EC] = EVP_EC_gen("P-384");
    t.keys[KEY_ED] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    t.store = keys_store_new();
    assert_non_null(t.store);
    for (unsigned i = 0; i < KEY_COUNT; i++)
        assert_int_equal(load(i, t.keys[i], NULL, NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    keys_store_free(&t.store);
    for (unsigned i = 0; i < KEY_COUNT; i++)
        EVP_PKEY_free(t.keys[i]);
    return 0;
}

/* --- heap ------------------------------------------------------------------------------------------------------------------- */

static void test_heap(void **state)
{
    size_t size = 1 << 20;
    uint8_t *region = aligned_alloc(16, size), *a, *b, *c;
    struct keys_heap heap;
    size_t used;

    (void)state;
    memset(region, 0, size);
    keys_heap_init(&heap, region, size);
    assert_null(keys_heap_alloc(&heap, 0));
    assert_null(keys_heap_alloc(&heap, size));
    assert_null(keys_heap_alloc(&heap, SIZE_MAX));
    for (size_t n = 1; n < 3000; n += 7) {
        a = keys_heap_alloc(&heap, n);
        assert_non_null(a);
        assert_int_equal((uintptr_t)a % 16, 0);
        memset(a, 0xab, n);
        keys_heap_free(&heap, a);
        /* Wiped but for the link of the free list. */
        for (size_t i = sizeof(void *); i < n; i++)
            assert_int_equal(a[i], 0);
    }
    used = heap.used;
    a = keys_heap_alloc(&heap, 100);
    memset(a, 1, 100);
    b = keys_heap_realloc(&heap, a, 120);
    assert_ptr_equal(a, b); /* fits its class */
    c = keys_heap_realloc(&heap, b, 5000);
    assert_ptr_not_equal(c, b);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(c[i], 1);
    for (size_t i = sizeof(void *); i < 100; i++)
        assert_int_equal(b[i], 0);
    keys_heap_free(&heap, c);
    keys_heap_free(&heap, NULL);
    /* A steady state: the same sizes again take nothing new. */
    for (unsigned round = 0; round < 3; round++)
        for (size_t n = 1; n < 3000; n += 7)
            keys_heap_free(&heap, keys_heap_alloc(&heap, n));
    assert_true(heap.used - used <= 6200);
    /* Used up. */
    while ((a = keys_heap_alloc(&heap, 1000)) != NULL)
        memset(a, 2, 1000);
    assert_true(heap.used <= heap.size);
    free(region);
}

/* --- requests -----------------------------------------------------------------------------------------------------------------
 */

static int check(enum keys_type type, unsigned bits, enum sign_scheme scheme, enum sign_hash hash, const void *tbs, size_t len)
{
    struct msg_sign m = {0, scheme, hash, view_make(tbs, len)};

    return keys_check(type, bits, &m);
}

static void test_check_digest(void **state)
{
    static const struct {
        enum sign_hash hash;
        size_t len;
    } hashes[] = {{SIGN_SHA256, 32}, {SIGN_SHA384, 48}, {SIGN_SHA512, 64}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
        for (size_t len = 0; len <= sizeof(zeros); len++) {
            int expect = len == hashes[i].len ? 0 : ERR_DENIED;

            assert_int_equal(check(KEYS_TYPE_RSA, 2048, SIGN_RSA_PKCS1, hashes[i].hash, zeros, len), expect);
            assert_int_equal(check(KEYS_TYPE_RSA, 2048, SIGN_RSA_PSS, hashes[i].hash, zeros, len), expect);
            assert_int_equal(check(KEYS_TYPE_EC, 256, SIGN_ECDSA, hashes[i].hash, zeros, len), expect);
            assert_int_equal(check(KEYS_TYPE_RSA, 2048, SIGN_ECDSA, hashes[i].hash, zeros, len), ERR_DENIED);
            assert_int_equal(check(KEYS_TYPE_RSA, 2048, SIGN_EDDSA, hashes[i].hash, zeros, len), ERR_DENIED);
            assert_int_equal(check(KEYS_TYPE_EC, 256, SIGN_RSA_PKCS1, hashes[i].hash, zeros, len), ERR_DENIED);
            assert_int_equal(check(KEYS_TYPE_EC, 256, SIGN_RSA_PSS, hashes[i].hash, zeros, len), ERR_DENIED);
            assert_int_equal(check(KEYS_TYPE_EC, 256, SIGN_EDDSA, hashes[i].hash, zeros, len), ERR_DENIED);
        }
    }
    assert_int_equal(check(KEYS_TYPE_RSA, 2048, SIGN_RSA_PKCS1, SIGN_SHA1, zeros, 20), ERR_DENIED);
    assert_int_equal(check(KEYS_TYPE_RSA, 2048, SIGN_RSA_PKCS1, SIGN_NONE, zeros, 32), ERR_DENIED);
    assert_int_equal(check(KEYS_TYPE_EC, 256, SIGN_ECDSA, SIGN_NONE, zeros, 32), ERR_DENIED);
    assert_int_equal(check(KEYS_TYPE_RSA, 1024, SIGN_RSA_PSS, SIGN_SHA512, zeros, 64), ERR_DENIED);
}

static void test_check_eddsa(void **state)
{
    uint8_t copy[sizeof(server_verify)];

    (void)state;
    for (size_t len = 0; len < sizeof(server_verify); len++)
        assert_int_equal(check(KEYS_TYPE_ED25519, 256, SIGN_EDDSA, SIGN_NONE, server_verify, len),
                         len == 130 || len == 146 ? 0 : ERR_DENIED);
    /* Any change before the hash is refused, a client's context above all. */
    for (size_t i = 0; i < 130; i++) {
        memcpy(copy, server_verify, sizeof(copy));
        copy[i] ^= 1;
        assert_int_equal(check(KEYS_TYPE_ED25519, 256, SIGN_EDDSA, SIGN_NONE, copy, 130), i < 98 ? ERR_DENIED : 0);
    }
    assert_int_equal(check(KEYS_TYPE_ED25519, 256, SIGN_EDDSA, SIGN_SHA256, server_verify, 130), ERR_DENIED);
    assert_int_equal(check(KEYS_TYPE_ED25519, 256, SIGN_ECDSA, SIGN_NONE, server_verify, 130), ERR_DENIED);
    assert_int_equal(check(KEYS_TYPE_ED25519, 256, SIGN_ECDSA, SIGN_SHA256, zeros, 32), ERR_DENIED);
}

/* --- the store
 * -------------------------------------------------------------------------------------------------------------------- */

static bool verify(EVP_PKEY *key, const struct msg_sign *m, struct view sig)
{
    bool good;

    if (m->scheme == SIGN_EDDSA) {
        EVP_MD_CTX *mctx = EVP_MD_CTX_new();

        assert_int_equal(EVP_DigestVerifyInit(mctx, NULL, NULL, NULL, key), 1);
        good = EVP_DigestVerify(mctx, sig.ptr, sig.len, m->tbs.ptr, m->tbs.len) == 1;
        EVP_MD_CTX_free(mctx);
    } else {
        EVP_PKEY_CTX *pctx = EVP_PKEY_CTX_new(key, NULL);

        assert_int_equal(EVP_PKEY_verify_init(pctx), 1);
        if (m->scheme == SIGN_RSA_PSS) {
            assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING), 1);
            assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST), 1);
        }
        assert_int_equal(EVP_PKEY_CTX_set_signature_md(pctx, m->hash == SIGN_SHA256 ? EVP_sha256() : EVP_sha384()), 1);
        good = EVP_PKEY_verify(pctx, sig.ptr, sig.len, m->tbs.ptr, m->tbs.len) == 1;
        EVP_PKEY_CTX_free(pctx);
    }
    ERR_clear_error();
    return good;
}

static void sign_and_verify(uint32_t index, EVP_PKEY *key, enum sign_scheme scheme, enum sign_hash hash, struct view tbs)
{
    struct msg_sign m = {index, scheme, hash, tbs};
    struct buf sig;

    buf_init(&sig, PROTO_SIG_MAX);
    assert_int_equal(keys_store_sign(t.store, &m, &sig), 0);
    assert_true(verify(key, &m, buf_view(&sig)));
    buf_free(&sig);
}

static void test_sign(void **state)
{
    struct msg_sign m = {99, SIGN_ECDSA, SIGN_SHA256, view_make(zeros, 32)};
    struct buf sig;

    (void)state;
    sign_and_verify(KEY_RSA, t.keys[KEY_RSA], SIGN_RSA_PKCS1, SIGN_SHA256, view_make(zeros, 32));
    sign_and_verify(KEY_RSA, t.keys[KEY_RSA], SIGN_RSA_PKCS1, SIGN_SHA384, view_make(zeros, 48));
    sign_and_verify(KEY_RSA, t.keys[KEY_RSA], SIGN_RSA_PSS, SIGN_SHA256, view_make(zeros, 32));
    sign_and_verify(KEY_RSA, t.keys[KEY_RSA], SIGN_RSA_PSS, SIGN_SHA384, view_make(zeros, 48));
    sign_and_verify(KEY_EC, t.keys[KEY_EC], SIGN_ECDSA, SIGN_SHA256, view_make(zeros, 32));
    sign_and_verify(KEY_ED, t.keys[KEY_ED], SIGN_EDDSA, SIGN_NONE, view_make(server_verify, 130));
    buf_init(&sig, PROTO_SIG_MAX);
    assert_int_equal(keys_store_sign(t.store, &m, &sig), ERR_NOTFOUND);
    m.key = KEY_RSA;
    assert_int_equal(keys_store_sign(t.store, &m, &sig), ERR_DENIED);
    assert_int_equal(buf_len(&sig), 0);
    buf_free(&sig);
}

static void test_load(void **state)
{
    EVP_PKEY *small = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
    EVP_PKEY *other = EVP_EC_gen("P-256");
    EVP_PKEY *koblitz = EVP_EC_gen("secp256k1");
    struct msg_sign m = {KEY_EC, SIGN_ECDSA, SIGN_SHA256, view_make(zeros, 32)};
    struct buf sig;

    (void)state;
    assert_int_equal(load(50, NULL, NULL, ""), ERR_SYNTAX);
    assert_int_equal(load(50, NULL, NULL, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), ERR_SYNTAX);
    assert_int_equal(load(50, other, "secret", NULL), ERR_SYNTAX);
    assert_int_equal(load(50, small, NULL, NULL), ERR_UNSUPPORTED);
    assert_int_equal(load(50, koblitz, NULL, NULL), ERR_UNSUPPORTED);
    assert_int_equal(load(KEYS_INDEX_MAX, other, NULL, NULL), ERR_LIMIT);
    assert_true(keys_store_load(t.store, 50, -1) < 0);
    /* A bad file leaves the earlier key, a good one takes its place. */
    assert_int_equal(load(KEY_EC, NULL, NULL, "nothing"), ERR_SYNTAX);
    sign_and_verify(KEY_EC, t.keys[KEY_EC], SIGN_ECDSA, SIGN_SHA256, view_make(zeros, 32));
    assert_int_equal(load(KEY_EC, other, NULL, NULL), 0);
    sign_and_verify(KEY_EC, other, SIGN_ECDSA, SIGN_SHA256, view_make(zeros, 32));
    buf_init(&sig, PROTO_SIG_MAX);
    assert_int_equal(keys_store_sign(t.store, &m, &sig), 0);
    assert_false(verify(t.keys[KEY_EC], &m, buf_view(&sig)));
    buf_free(&sig);
    assert_int_equal(load(KEY_EC, t.keys[KEY_EC], NULL, NULL), 0);
    EVP_PKEY_free(small);
    EVP_PKEY_free(other);
    EVP_PKEY_free(koblitz);
}

/* --- the service
 * ------------------------------------------------------------------------------------------------------------------- */

struct bench {
    struct loop *loop;
    struct keys_service *svc;
    int parent; /* the login service's end */
};

static void bench_start(struct bench *b)
{
    int fds[2];

    b->loop = loop_new();
    b->svc = keys_service_new(b->loop, t.store);
    assert_int_equal(ipc_pair(fds), 0);
    keys_service_add_peer(b->svc, ROLE_LOGIN, fds[0]);
    b->parent = fds[1];
}

static void bench_stop(struct bench *b)
{
    close(b->parent);
    keys_service_free(&b->svc);
    loop_free(&b->loop);
}

static void turn(struct bench *b)
{
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(loop_turn(b->loop, 10), 0);
}

static int new_conn(struct bench *b)
{
    struct msg_conn m = {.conn_id = 7, .protocol = PROTO_IMAP, .listener = 1};
    struct buf body;
    int fds[2];

    m.peer.family = m.local.family = 4;
    buf_init(&body, IPC_MAX_BODY);
    msg_conn_encode(&body, &m);
    assert_int_equal(ipc_pair(fds), 0);
    assert_int_equal(ipc_send_wait(b->parent, ROLE_LOGIN, ROLE_KEYS, IPC_LOGIN_CONN, &body, &fds[0], 1, 1000), 0);
    close(fds[0]);
    buf_free(&body);
    turn(b);
    return fds[1];
}

static int ask(struct bench *b, int fd, const struct msg_sign *m, size_t *siglen_out)
{
    uint8_t storage[IPC_MAX_MSG];
    struct ipc_msg answer;
    struct msg_signed s;
    struct buf body;
    int r;

    buf_init(&body, IPC_MAX_BODY);
    msg_sign_encode(&body, m);
    r = ipc_send_wait(fd, ROLE_CONN, ROLE_KEYS, IPC_CONN_SIGN, &body, NULL, 0, 1000);
    buf_free(&body);
    if (r < 0)
        return r;
    turn(b);
    r = ipc_recv_wait(fd, ROLE_CONN, ROLE_KEYS, IPC_STATE_BUSY, storage, &answer, 1000);
    if (r < 0)
        return r;
    assert_int_equal(msg_signed_decode(answer.body, &s), 0);
    *siglen_out = s.signature.len;
    return 0;
}

static void test_service(void **state)
{
    struct msg_sign good = {KEY_EC, SIGN_ECDSA, SIGN_SHA256, view_make(zeros, 32)};
    struct msg_sign bad = {KEY_EC, SIGN_RSA_PKCS1, SIGN_SHA256, view_make(zeros, 32)};
    struct bench b;
    size_t len = 0;
    int conn, other;

    (void)state;
    bench_start(&b);
    conn = new_conn(&b);
    other = new_conn(&b);
    assert_int_equal(keys_service_conns(b.svc), 2);
    assert_int_equal(ask(&b, conn, &good, &len), 0);
    assert_true(len > 60);
    assert_int_equal(ask(&b, conn, &bad, &len), 0);
    assert_int_equal(len, 0);
    assert_int_equal(ask(&b, conn, &good, &len), 0);
    assert_int_equal(ask(&b, conn, &good, &len), 0);
    /* The fifth one costs the channel, and only this one. */
    assert_int_equal(ask(&b, conn, &good, &len), ERR_CLOSED);
    assert_int_equal(keys_service_conns(b.svc), 1);
    assert_int_equal(ask(&b, other, &good, &len), 0);
    assert_true(len > 60);
    /* Garbage ends its sender. */
    assert_int_equal(send(other, "\x01\x02\x03\x04\x05", 5, MSG_NOSIGNAL), 5);
    turn(&b);
    assert_int_equal(keys_service_conns(b.svc), 0);
    close(conn);
    close(other);
    /* The parent's end does not take the connections with it. */
    conn = new_conn(&b);
    shutdown(b.parent, SHUT_RDWR);
    turn(&b);
    assert_int_equal(ask(&b, conn, &good, &len), 0);
    close(conn);
    turn(&b);
    assert_int_equal(keys_service_conns(b.svc), 0);
    bench_stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heap), cmocka_unit_test(test_check_digest), cmocka_unit_test(test_check_eddsa),
        cmocka_unit_test(test_sign), cmocka_unit_test(test_load),         cmocka_unit_test(test_service),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
