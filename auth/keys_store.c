/*
 * The private keys. A key file is read with pread() into OpenSSL's own memory (the secret mapping, see keys_heap.h), parsed from
 * there and wiped: no stdio, no file BIO, so that no buffer of libc ever holds a byte of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/keys.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/tls/openssl.h"

#define KEY_FILE_MAX 65536

struct key {
    uint32_t index;
    enum keys_type type;
    EVP_PKEY *pkey;
};

struct keys_store {
    OSSL_LIB_CTX *libctx;
    OSSL_PROVIDER *provider;
    struct key *keys;
    size_t nkeys;
};

struct keys_store *keys_store_new(void)
{
    struct keys_store *store = xcalloc(1, sizeof(*store));
    uint8_t byte;

    /* No openssl.cnf: the process has no files. */
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) == 1 &&
        (store->libctx = OSSL_LIB_CTX_new()) != NULL &&
        (store->provider = OSSL_PROVIDER_load(store->libctx, "default")) != NULL &&
        RAND_bytes_ex(store->libctx, &byte, 1, 0) == 1)
        return store;
    keys_store_free(&store);
    return NULL;
}

void keys_store_free(struct keys_store **storep)
{
    struct keys_store *store = *storep;

    if (store == NULL)
        return;
    for (size_t i = 0; i < store->nkeys; i++)
        EVP_PKEY_free(store->keys[i].pkey);
    free(store->keys);
    if (store->provider != NULL)
        OSSL_PROVIDER_unload(store->provider);
    OSSL_LIB_CTX_free(store->libctx);
    free(store);
    *storep = NULL;
}

static int no_password(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static int read_file(int fd, uint8_t *data, size_t max, size_t *len_out)
{
    size_t len = 0;

    while (len < max) {
        ssize_t n = pread(fd, data + len, max - len, (off_t)len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_from_errno(errno);
        if (n == 0) {
            *len_out = len;
            return 0;
        }
        len += (size_t)n;
    }
    return ERR_LIMIT;
}

/* The curves of TLS certificates (RFC 8446 4.2.3); others have the same sizes. */
static bool is_known_curve(const EVP_PKEY *pkey)
{
    static const char *const names[] = {"prime256v1", "secp384r1", "secp521r1"};
    char name[32];

    if (EVP_PKEY_get_group_name(pkey, name, sizeof(name), NULL) != 1)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static int key_type(const EVP_PKEY *pkey, enum keys_type *type_out)
{
    int bits = EVP_PKEY_get_bits(pkey);

    if (EVP_PKEY_is_a(pkey, "RSA") == 1 && bits >= 2048 && bits <= PROTO_SIG_MAX * 8)
        *type_out = KEYS_TYPE_RSA;
    else if (EVP_PKEY_is_a(pkey, "EC") == 1 && is_known_curve(pkey))
        *type_out = KEYS_TYPE_EC;
    else if (EVP_PKEY_is_a(pkey, "ED25519") == 1)
        *type_out = KEYS_TYPE_ED25519;
    else
        return ERR_UNSUPPORTED;
    return 0;
}

static int parse_key(struct keys_store *store, int fd, EVP_PKEY **pkey_out)
{
    uint8_t *data = OPENSSL_malloc(KEY_FILE_MAX);
    BIO *bio = NULL;
    EVP_PKEY *pkey;
    size_t len = 0;
    int r;

    if (data == NULL)
        return ERR_NOMEM;
    r = read_file(fd, data, KEY_FILE_MAX, &len);
    if (r < 0)
        goto out;
    r = ERR_SYNTAX;
    bio = BIO_new_mem_buf(data, (int)len);
    if (bio == NULL)
        goto out;
    pkey = PEM_read_bio_PrivateKey_ex(bio, NULL, no_password, NULL, store->libctx, NULL);
    if (pkey == NULL)
        goto out;
    *pkey_out = pkey;
    r = 0;
out:
    BIO_free(bio);
    OPENSSL_clear_free(data, KEY_FILE_MAX);
    ERR_clear_error();
    return r;
}

static struct key *find_key(const struct keys_store *store, uint32_t index)
{
    for (size_t i = 0; i < store->nkeys; i++)
        if (store->keys[i].index == index)
            return &store->keys[i];
    return NULL;
}

static int sign_digest(struct keys_store *store, const struct key *key, const struct msg_sign *m, uint8_t *out, size_t *len)
{
    static const char *const names[] = {[SIGN_SHA256] = "SHA256", [SIGN_SHA384] = "SHA384", [SIGN_SHA512] = "SHA512"};
    EVP_PKEY_CTX *pctx = EVP_PKEY_CTX_new_from_pkey(store->libctx, key->pkey, NULL);
    EVP_MD *md = EVP_MD_fetch(store->libctx, names[m->hash], NULL);
    int r = ERR_SYSTEM;

    if (pctx == NULL || md == NULL || EVP_PKEY_sign_init(pctx) != 1)
        goto out;
    /* With the digest's name set OpenSSL builds the DigestInfo of PKCS #1 itself and checks the digest's length. */
    if (m->scheme == SIGN_RSA_PSS && (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) != 1 ||
                                      EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) != 1))
        goto out;
    if (m->scheme == SIGN_RSA_PKCS1 && EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PADDING) != 1)
        goto out;
    if (EVP_PKEY_CTX_set_signature_md(pctx, md) != 1 || EVP_PKEY_sign(pctx, out, len, m->tbs.ptr, m->tbs.len) != 1)
        goto out;
    r = 0;
out:
    EVP_MD_free(md);
    EVP_PKEY_CTX_free(pctx);
    return r;
}

static int sign_message(struct keys_store *store, const struct key *key, const struct msg_sign *m, uint8_t *out, size_t *len)
{
    EVP_MD_CTX *mctx = EVP_MD_CTX_new();
    int r = ERR_SYSTEM;

    if (mctx != NULL && EVP_DigestSignInit_ex(mctx, NULL, NULL, store->libctx, NULL, key->pkey, NULL) == 1 &&
        EVP_DigestSign(mctx, out, len, m->tbs.ptr, m->tbs.len) == 1)
        r = 0;
    EVP_MD_CTX_free(mctx);
    return r;
}

static int sign_with(struct keys_store *store, const struct key *key, const struct msg_sign *m, struct buf *sig)
{
    uint8_t bytes[PROTO_SIG_MAX];
    size_t len = sizeof(bytes);
    int r = keys_check(key->type, (unsigned)EVP_PKEY_get_bits(key->pkey), m);

    if (r < 0)
        return r;
    if (m->scheme == SIGN_EDDSA)
        r = sign_message(store, key, m, bytes, &len);
    else
        r = sign_digest(store, key, m, bytes, &len);
    ERR_clear_error();
    if (r == 0)
        buf_put(sig, bytes, len);
    return r == 0 && !buf_ok(sig) ? ERR_LIMIT : r;
}

/* One signature before the sandbox closes: the key works, and the library has run every path that it needs later. */
static int try_key(struct keys_store *store, const struct key *key)
{
    static const char verify[] = "                                                                "
                                 "TLS 1.3, server CertificateVerify\0"
                                 "0123456789abcdef0123456789abcdef";
    static const uint8_t digest[32] = {0};
    static const enum sign_scheme schemes[] = {
        [KEYS_TYPE_RSA] = SIGN_RSA_PSS, [KEYS_TYPE_EC] = SIGN_ECDSA, [KEYS_TYPE_ED25519] = SIGN_EDDSA};
    struct msg_sign m = {key->index, schemes[key->type], SIGN_SHA256, view_make(digest, sizeof(digest))};
    struct buf sig;
    int r;

    if (key->type == KEYS_TYPE_ED25519) {
        m.hash = SIGN_NONE;
        m.tbs = view_make(verify, sizeof(verify) - 1);
    }
    buf_init(&sig, PROTO_SIG_MAX);
    r = sign_with(store, key, &m, &sig);
    buf_free(&sig);
    return r;
}

int keys_store_load(struct keys_store *store, uint32_t index, int fd)
{
    struct key key = {.index = index}, *old = find_key(store, index);
    int r;

    if (index >= KEYS_INDEX_MAX)
        return ERR_LIMIT;
    r = parse_key(store, fd, &key.pkey);
    if (r == 0)
        r = key_type(key.pkey, &key.type);
    if (r == 0)
        r = try_key(store, &key);
    if (r < 0) {
        EVP_PKEY_free(key.pkey);
        return r;
    }
    if (old != NULL) {
        EVP_PKEY_free(old->pkey);
        *old = key;
        return 0;
    }
    store->keys = xreallocarray(store->keys, store->nkeys + 1, sizeof(key));
    store->keys[store->nkeys++] = key;
    return 0;
}

int keys_store_sign(struct keys_store *store, const struct msg_sign *request, struct buf *sig)
{
    const struct key *key = find_key(store, request->key);

    return key == NULL ? ERR_NOTFOUND : sign_with(store, key, request, sig);
}
