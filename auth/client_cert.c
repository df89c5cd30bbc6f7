/*
 * What is proven, and by what (RFC 8446 section 4.4):
 *
 *   the client's CertificateVerify   is a signature over all messages before it, so whoever holds the key of the certificate took
 *                                    part in just this handshake
 *   the nonce in CertificateRequest  was drawn by auth for one connection, so it is a handshake of this connection: neither one
 *                                    of before nor one with somebody else
 *   the server's Certificate and     the client knew with whom it spoke, and was told so by a holder of our key
 *   CertificateVerify
 *
 * Everything is computed again from the messages; nothing that the log-in process concluded from them is believed.
 */
#include "auth/client_cert.h"

#include "common/tls/openssl.h"

#include <openssl/x509v3.h>

#include <stdlib.h>

#include "auth/client_name.h"
#include "auth/handshake.h"
#include "common/base/mem.h"
#include "common/ipc/proto.h"

/* Certificates between the client's and the authority. */
#define CHAIN_DEPTH 8
/* As OpenSSL has it by default for TLS: 112 bits, no SHA-1. */
#define SECURITY_LEVEL 2
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192

struct client_trust {
    X509_STORE *store;
    bool revocation;
};

/* --- authorities --------------------------------------------------------------------------------------------------------- */

static int no_password(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

/* The last read found no further PEM block: that is how a file ends well. */
static bool pem_ended(void)
{
    return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
}

/* Reads the next PEM block of its kind and adds it. ERR_NOTFOUND: there is none. */
typedef int (*add_next_fn)(X509_STORE *store, BIO *bio);

static int add_next_authority(X509_STORE *store, BIO *bio)
{
    X509 *cert = PEM_read_bio_X509(bio, NULL, no_password, NULL);
    if (cert == NULL)
        return ERR_NOTFOUND;
    int r = X509_STORE_add_cert(store, cert) == 1 ? 0 : ERR_SYSTEM;
    X509_free(cert);
    return r;
}

static int add_next_list(X509_STORE *store, BIO *bio)
{
    X509_CRL *crl = PEM_read_bio_X509_CRL(bio, NULL, no_password, NULL);
    if (crl == NULL)
        return ERR_NOTFOUND;
    int r = X509_STORE_add_crl(store, crl) == 1 ? 0 : ERR_SYSTEM;
    X509_CRL_free(crl);
    return r;
}

/* All of a file, in which there must be at least one and nothing else. */
static int add_all(X509_STORE *store, struct view pem, add_next_fn add_next)
{
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    size_t n = 0;
    int r = bio != NULL ? 0 : ERR_SYSTEM;
    ERR_clear_error();
    while (r == 0 && (r = add_next(store, bio)) == 0)
        n++;
    if (r == ERR_NOTFOUND)
        r = n > 0 && pem_ended() ? 0 : ERR_SYNTAX;
    BIO_free(bio);
    ERR_clear_error();
    return r;
}

int client_trust_new(struct view ca, const struct view *crl, struct client_trust **out)
{
    struct client_trust *trust = xcalloc(1, sizeof(*trust));
    int r = ERR_SYSTEM;
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) == 1 &&
        (trust->store = X509_STORE_new()) != NULL)
        r = ca.len <= INT32_MAX && (crl == NULL || crl->len <= INT32_MAX) ? add_all(trust->store, ca, add_next_authority)
                                                                          : ERR_SYNTAX;
    if (r == 0 && crl != NULL)
        r = add_all(trust->store, *crl, add_next_list);
    trust->revocation = crl != NULL;
    if (r == 0)
        *out = trust;
    else
        client_trust_free(&trust);
    return r;
}

void client_trust_free(struct client_trust **trustp)
{
    struct client_trust *trust = *trustp;
    *trustp = NULL;
    if (trust == NULL)
        return;
    X509_STORE_free(trust->store);
    free(trust);
}

/* --- signatures ---------------------------------------------------------------------------------------------------------- */

static const struct scheme {
    unsigned code;
    const char *type, *group; /* of the key */
    const char *md;           /* NULL: the key's own way */
    bool pss;
} schemes[] = {
    {0x0403, "EC", "prime256v1", "SHA256", false}, {0x0503, "EC", "secp384r1", "SHA384", false},
    {0x0603, "EC", "secp521r1", "SHA512", false},  {0x0804, "RSA", NULL, "SHA256", true},
    {0x0805, "RSA", NULL, "SHA384", true},         {0x0806, "RSA", NULL, "SHA512", true},
    {0x0807, "ED25519", NULL, NULL, false},
};

/* RFC 8446 section 4.2.3: which scheme a key may be used with in a CertificateVerify. */
static const struct scheme *find_scheme(unsigned code, EVP_PKEY *key)
{
    char group[32];
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        const struct scheme *s = &schemes[i];
        int bits = EVP_PKEY_get_bits(key);
        if (s->code != code || EVP_PKEY_is_a(key, s->type) != 1)
            continue;
        if (s->pss && (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX))
            return NULL;
        if (s->group != NULL && (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1 || strcmp(group, s->group) != 0))
            return NULL;
        return s;
    }
    return NULL;
}

/* RFC 8446 section 4.4.1: after a HelloRetryRequest the first ClientHello is in the hash as a message with its own hash only. */
static bool transcript_hash(const struct handshake *h, size_t covers, uint8_t *out, unsigned *len_out)
{
    const EVP_MD *md = h->sha384 ? EVP_sha384() : EVP_sha256();
    struct view rest = view_sub(h->messages, h->first_hello, covers - h->first_hello);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t first[EVP_MAX_MD_SIZE], header[4] = {254, 0, 0, 0};
    unsigned n = 0;
    bool good = ctx != NULL && EVP_DigestInit_ex(ctx, md, NULL) == 1;
    if (good && h->first_hello > 0) {
        good = EVP_Digest(h->messages.ptr, h->first_hello, first, &n, md, NULL) == 1;
        header[3] = (uint8_t)n;
        good = good && EVP_DigestUpdate(ctx, header, sizeof(header)) == 1 && EVP_DigestUpdate(ctx, first, n) == 1;
    }
    good = good && EVP_DigestUpdate(ctx, rest.ptr, rest.len) == 1 && EVP_DigestFinal_ex(ctx, out, len_out) == 1;
    EVP_MD_CTX_free(ctx);
    return good;
}

/* RFC 8446 section 4.4.3: 64 blanks, the context with its NUL, the hash. context has room for its NUL. */
static bool verify_input(const struct handshake *h, const struct handshake_verify *v, struct view context, struct buf *out)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (!transcript_hash(h, v->covers, hash, &len))
        return false;
    for (unsigned i = 0; i < 64; i++)
        buf_put_byte(out, ' ');
    buf_put_view(out, context);
    buf_put_byte(out, 0);
    buf_put(out, hash, len);
    return buf_ok(out);
}

static bool verify(const struct handshake *h, const struct handshake_verify *v, struct view context, X509 *cert)
{
    EVP_PKEY *key = X509_get0_pubkey(cert);
    const struct scheme *s = key != NULL ? find_scheme(v->scheme, key) : NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL;
    struct buf input;
    bool good = false;
    buf_init(&input, 256);
    if (s == NULL || ctx == NULL || !verify_input(h, v, context, &input))
        goto out;
    if (EVP_DigestVerifyInit_ex(ctx, &pctx, s->md, NULL, NULL, key, NULL) != 1)
        goto out;
    if (s->pss && (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) != 1 ||
                   EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) != 1))
        goto out;
    good = EVP_DigestVerify(ctx, v->signature.ptr, v->signature.len, buf_view(&input).ptr, buf_len(&input)) == 1;
out:
    EVP_MD_CTX_free(ctx);
    buf_free(&input);
    ERR_clear_error();
    return good;
}

/* --- certificates -------------------------------------------------------------------------------------------------------- */

static X509 *parse_cert(struct view der)
{
    const uint8_t *at = der.ptr;
    X509 *cert = d2i_X509(NULL, &at, (long)der.len);
    if (cert != NULL && at == der.ptr + der.len)
        return cert;
    X509_free(cert);
    return NULL;
}

/* Whether the anchor is revoked nobody is asked: it is configured here. */
static int on_verify(int good, X509_STORE_CTX *ctx)
{
    int depth = X509_STORE_CTX_get_error_depth(ctx);
    if (!good && X509_STORE_CTX_get_error(ctx) == X509_V_ERR_UNABLE_TO_GET_CRL && depth > 0 &&
        depth == sk_X509_num(X509_STORE_CTX_get0_chain(ctx)) - 1) {
        X509_STORE_CTX_set_error(ctx, X509_V_OK);
        return 1;
    }
    return good;
}

/* *why_out NULL: an authority vouches for the certificate, now, and for this use. */
static int check_chain(const struct client_trust *trust, X509 *leaf, STACK_OF(X509) * others, time_t now, const char **why_out)
{
    unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST;
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int r = ERR_SYSTEM;
    if (trust->revocation)
        flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
    if (ctx != NULL && X509_STORE_CTX_init(ctx, trust->store, leaf, others) == 1) {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
        if (X509_VERIFY_PARAM_set_flags(param, flags) == 1 &&
            X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT) == 1 &&
            X509_VERIFY_PARAM_set_trust(param, X509_TRUST_SSL_CLIENT) == 1) {
            X509_VERIFY_PARAM_set_depth(param, CHAIN_DEPTH);
            X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
            X509_VERIFY_PARAM_set_time(param, now);
            X509_STORE_CTX_set_verify_cb(ctx, on_verify);
            r = 0;
        }
    }
    if (r == 0) {
        bool good = X509_verify_cert(ctx) == 1 && X509_STORE_CTX_get_error(ctx) == X509_V_OK;
        *why_out = good ? NULL : X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
    }
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    return r;
}

static bool is_ours(struct view der, struct view digests)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (EVP_Digest(der.ptr, der.len, digest, &len, EVP_sha256(), NULL) != 1 || len != PROTO_DIGEST_LEN)
        return false;
    for (size_t at = 0; at + PROTO_DIGEST_LEN <= digests.len; at += PROTO_DIGEST_LEN)
        if (view_eq(view_sub(digests, at, PROTO_DIGEST_LEN), view_make(digest, len)))
            return true;
    return false;
}

/* NULL: the client has spoken with this server, on this connection. */
static const char *check_server(const struct client_claim *claim, const struct handshake *h)
{
    const char *why = NULL;
    X509 *cert;
    if (!view_eq(h->nonce, claim->nonce))
        return "a handshake of another connection";
    if (!is_ours(h->server_leaf, claim->digests))
        return "a handshake with another server";
    cert = parse_cert(h->server_leaf);
    if (cert == NULL || !verify(h, &h->server, VIEW("TLS 1.3, server CertificateVerify"), cert))
        why = "the signature of the server is wrong";
    X509_free(cert);
    return why;
}

static int check_client(const struct client_trust *trust, const struct client_claim *claim, const struct handshake *h, X509 *leaf,
                        struct buf *name, const char **why_out)
{
    STACK_OF(X509) *others = sk_X509_new_null();
    int r = others != NULL ? 0 : ERR_SYSTEM;
    *why_out = NULL;
    if (!verify(h, &h->client, VIEW("TLS 1.3, client CertificateVerify"), leaf))
        *why_out = "the signature of the client is wrong";
    for (size_t i = 1; r == 0 && *why_out == NULL && i < h->nchain; i++) {
        X509 *cert = parse_cert(h->chain[i]);
        if (cert == NULL) {
            *why_out = "a certificate of the chain cannot be read";
        } else if (sk_X509_push(others, cert) == 0) {
            X509_free(cert);
            r = ERR_SYSTEM;
        }
    }
    if (r == 0 && *why_out == NULL)
        r = check_chain(trust, leaf, others, claim->now, why_out);
    if (r == 0 && *why_out == NULL)
        *why_out = client_name(leaf, claim->field, name);
    sk_X509_pop_free(others, X509_free);
    return r;
}

int client_cert_check(const struct client_trust *trust, const struct client_claim *claim, struct buf *name, struct buf *why)
{
    struct handshake h;
    const char *text;
    X509 *leaf = NULL;
    int r = 0;
    ERR_clear_error();
    if (handshake_parse(claim->messages, &h, &text) == 0)
        text = check_server(claim, &h);
    if (text == NULL && (leaf = parse_cert(h.chain[0])) == NULL)
        text = "the certificate cannot be read";
    if (text == NULL)
        r = check_client(trust, claim, &h, leaf, name, &text);
    if (r == 0 && text != NULL) {
        buf_put_str(why, text);
        if (leaf != NULL)
            client_name_describe(leaf, why);
        r = ERR_DENIED;
    }
    X509_free(leaf);
    ERR_clear_error();
    return r;
}
