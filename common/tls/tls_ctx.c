/*
 * TLS contexts: certificates by server name. Made by the parent before its sandbox, in an OSSL_LIB_CTX of its own so that no
 * openssl.cnf of the machine is read and nobody else's providers are there.
 *
 * The choice by server name is made in OpenSSL's server name callback: the names are a fixed table, nothing is cached.
 */
#include <errno.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/secret/secret.h"
#include "common/text/text.h"
#include "common/tls/tls_int.h"

#define TLS_CERT_FILE_MAX (256 * 1024)
#define TLS_CHAIN_MAX 16

/* Forward secrecy and authenticated encryption only. */
#define TLS_DEFAULT_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"
/* Whatever the configuration says: there is no key here to decrypt with, and a server without a certificate is no server. */
#define TLS_NEVER_CIPHERS ":!kRSA:!aNULL:!eNULL:!PSK:!SRP:!RC4:!3DES"
#define TLS_SIGALGS                                                                                               \
    "ed25519:ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:" \
    "RSA+SHA256:RSA+SHA384:RSA+SHA512"

const char *tls_error_text(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    return text != NULL ? text : "unknown";
}

int tls_ctx_new(unsigned min_version, const char *ciphers, struct tls_ctx **out)
{
    struct tls_ctx *ctx = xcalloc(1, sizeof(*ctx));
    struct buf list;
    int r = ERR_UNSUPPORTED;

    buf_init(&list, 4096);
    buf_put_str(&list, ciphers != NULL && *ciphers != '\0' ? ciphers : TLS_DEFAULT_CIPHERS);
    buf_put_str(&list, TLS_NEVER_CIPHERS);
    if (!buf_ok(&list)) {
        r = ERR_LIMIT;
        goto out;
    }
    ctx->ciphers = view_dup(buf_view(&list));
    ctx->min_version = MAX_OF(min_version, TLS1_2_VERSION);
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) != 1)
        goto out;
    ctx->libctx = OSSL_LIB_CTX_new();
    if (ctx->libctx == NULL)
        goto out;
    ctx->base = OSSL_PROVIDER_load(ctx->libctx, "default");
    if (ctx->base == NULL)
        goto out;
    r = tls_sign_provider_load(ctx->libctx, &ctx->remote);
    if (r < 0)
        goto out;
    r = ERR_UNSUPPORTED;
    /* Our provider serves its own key objects only. */
    if (EVP_set_default_properties(ctx->libctx, "?provider=default") != 1)
        goto out;
    ctx->bio_method = tls_bufbio_method();
    if (ctx->bio_method == NULL)
        goto out;
    ctx->signer.libctx = ctx->libctx;
    *out = ctx;
    ctx = NULL; /* transferred */
    r = 0;
out:
    if (r < 0)
        LOG_ERROR(0, "TLS library cannot be used", F_ERR(r), F_STR("reason", tls_error_text()));
    buf_free(&list);
    tls_ctx_free(&ctx);
    return r;
}

void tls_ctx_free(struct tls_ctx **ctxp)
{
    struct tls_ctx *ctx = *ctxp;

    if (ctx == NULL)
        return;
    for (size_t i = 0; i < ctx->ncerts; i++) {
        SSL_CTX_free(ctx->certs[i].ssl_ctx);
        free(ctx->certs[i].name);
    }
    free(ctx->certs);
    BIO_meth_free(ctx->bio_method);
    if (ctx->remote != NULL)
        OSSL_PROVIDER_unload(ctx->remote);
    if (ctx->base != NULL)
        OSSL_PROVIDER_unload(ctx->base);
    OSSL_LIB_CTX_free(ctx->libctx);
    free(ctx->ciphers);
    free(ctx);
    *ctxp = NULL;
}

void tls_ctx_set_alpn(struct tls_ctx *ctx, const char *protocol)
{
    ctx->alpn = protocol;
}

static const struct tls_cert *tls_cert_default(const struct tls_ctx *ctx)
{
    for (size_t i = 0; i < ctx->ncerts; i++)
        if (ctx->certs[i].name[0] == '\0')
            return &ctx->certs[i];
    return NULL;
}

bool tls_ctx_usable(const struct tls_ctx *ctx)
{
    return ctx != NULL && tls_cert_default(ctx) != NULL;
}

/* An exact name wins over "*.domain", which stands for one label (RFC 6125 6.4.3). */
static const struct tls_cert *tls_cert_find(const struct tls_ctx *ctx, struct view name)
{
    struct view parent;
    size_t dot = view_find(name, '.');

    if (name.len == 0)
        return tls_cert_default(ctx);
    for (size_t i = 0; i < ctx->ncerts; i++)
        if (view_eq_nocase(view_str(ctx->certs[i].name), name))
            return &ctx->certs[i];
    parent = view_sub(name, dot, name.len);
    for (size_t i = 0; i < ctx->ncerts && dot > 0 && parent.len > 1; i++) {
        struct view have = view_str(ctx->certs[i].name);

        if (view_starts(have, VIEW("*.")) && view_eq_nocase(view_sub(have, 1, have.len), parent))
            return &ctx->certs[i];
    }
    return tls_cert_default(ctx);
}

/* Called for every ClientHello once the version is chosen, with or without a server name in it. */
static int tls_on_server_name(SSL *ssl, int *alert, void *arg)
{
    struct tls_ctx *ctx = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const struct tls_cert *cert = tls_cert_find(ctx, view_str(name));

    if (cert == NULL || (cert->needs_tls13 && SSL_version(ssl) < TLS1_3_VERSION)) {
        *alert = SSL_AD_HANDSHAKE_FAILURE;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    if (SSL_get_SSL_CTX(ssl) != cert->ssl_ctx && SSL_set_SSL_CTX(ssl, cert->ssl_ctx) == NULL) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    tls_client_cert_request(ssl);
    return name != NULL ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* RFC 7301 3.2: a client that names protocols, ours not among them, meant somebody else. */
static int tls_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in, unsigned inlen,
                       void *arg)
{
    const struct tls_ctx *ctx = arg;
    struct cursor c = cursor_make(view_make(in, inlen));

    (void)ssl;
    while (ctx->alpn != NULL && cursor_left(&c) > 0) {
        struct view name = cursor_bytes(&c, cursor_byte(&c));

        if (c.failed || !view_eq(name, view_str(ctx->alpn)))
            continue;
        *out = name.ptr;
        *outlen = (unsigned char)name.len;
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static SSL_CTX *tls_ssl_ctx_new(struct tls_ctx *ctx)
{
    SSL_CTX *ssl_ctx = SSL_CTX_new_ex(ctx->libctx, NULL, TLS_server_method());

    if (ssl_ctx == NULL)
        return NULL;
    SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA | SSL_OP_CLEANSE_PLAINTEXT |
                                     SSL_OP_NO_QUERY_MTU);
    SSL_CTX_set_mode(ssl_ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_tlsext_servername_callback(ssl_ctx, tls_on_server_name);
    SSL_CTX_set_tlsext_servername_arg(ssl_ctx, ctx);
    SSL_CTX_set_alpn_select_cb(ssl_ctx, tls_on_alpn, ctx);
    if (SSL_CTX_set_num_tickets(ssl_ctx, 0) != 1 || SSL_CTX_set_min_proto_version(ssl_ctx, (int)ctx->min_version) != 1 ||
        SSL_CTX_set_cipher_list(ssl_ctx, ctx->ciphers) != 1 || SSL_CTX_set1_sigalgs_list(ssl_ctx, TLS_SIGALGS) != 1 ||
        !tls_client_cert_prepare(ssl_ctx)) {
        SSL_CTX_free(ssl_ctx);
        return NULL;
    }
    return ssl_ctx;
}

static int tls_no_password(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

/* The whole file, from its start, wherever the descriptor's offset is. */
static int tls_read_file(int fd, struct buf *out)
{
    for (;;) {
        uint8_t *room = buf_reserve(out, 4096);
        ssize_t n;

        if (room == NULL)
            return ERR_LIMIT;
        n = pread(fd, room, 4096, (off_t)buf_len(out));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_from_errno(errno);
        if (n == 0)
            return 0;
        buf_commit(out, (size_t)n);
    }
}

static X509 *tls_next_cert(struct tls_ctx *ctx, BIO *pem)
{
    X509 *cert = X509_new_ex(ctx->libctx, NULL);

    if (cert != NULL && PEM_read_bio_X509(pem, &cert, tls_no_password, NULL) == NULL) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

/* RFC 5929 section 4.1: the hash of the signature, SHA-256 in the place of MD5 and SHA-1. Computed here because the sandbox comes
 * later. */
static void tls_cert_end_point(struct tls_ctx *ctx, const X509 *cert, struct tls_cert *out)
{
    int nid = NID_undef;
    EVP_MD *md;

    if (OBJ_find_sigid_algs(X509_get_signature_nid(cert), &nid, NULL) != 1 || nid == NID_undef)
        return;
    if (nid == NID_md5 || nid == NID_sha1 || nid == NID_md5_sha1)
        nid = NID_sha256;
    md = EVP_MD_fetch(ctx->libctx, OBJ_nid2sn(nid), NULL);
    if (md == NULL || X509_digest(cert, md, out->end_point, &out->end_point_len) != 1)
        out->end_point_len = 0;
    EVP_MD_free(md);
    ERR_clear_error();
}

/* The first certificate is the server's, the others are its chain. */
static int tls_load_chain(struct tls_ctx *ctx, uint32_t index, struct view pem, struct tls_cert *out)
{
    SSL_CTX *ssl_ctx = out->ssl_ctx;
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *key = NULL;
    X509 *cert = NULL;
    int r = ERR_SYNTAX;

    if (bio == NULL)
        return ERR_NOMEM;
    cert = tls_next_cert(ctx, bio);
    if (cert == NULL || SSL_CTX_use_certificate(ssl_ctx, cert) != 1)
        goto out;
    r = tls_sign_key_new(&ctx->signer, index, X509_get0_pubkey(cert), &key);
    if (r < 0)
        goto out;
    r = ERR_SYNTAX;
    if (SSL_CTX_use_PrivateKey(ssl_ctx, key) != 1)
        goto out;
    tls_cert_end_point(ctx, cert, out);
    out->needs_tls13 = EVP_PKEY_is_a(key, "ED25519") == 1;
    for (unsigned n = 0;; n++) {
        X509 *link = tls_next_cert(ctx, bio);

        if (link == NULL)
            break;
        if (n == TLS_CHAIN_MAX || SSL_CTX_add0_chain_cert(ssl_ctx, link) != 1) {
            X509_free(link);
            goto out;
        }
    }
    /* The loop ends well only where no further PEM block begins. */
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        goto out;
    r = 0;
out:
    X509_free(cert);
    EVP_PKEY_free(key);
    BIO_free(bio);
    return r;
}

int tls_leaf_digest(int fd, uint8_t out[static PROTO_DIGEST_LEN])
{
    X509 *cert = NULL;
    BIO *bio = NULL;
    struct buf pem;
    unsigned len = 0;
    int r;

    buf_init(&pem, TLS_CERT_FILE_MAX);
    r = OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) == 1 ? tls_read_file(fd, &pem)
                                                                                             : ERR_SYSTEM;
    if (r == 0)
        bio = BIO_new_mem_buf(buf_view(&pem).ptr, (int)buf_len(&pem));
    if (bio != NULL)
        cert = PEM_read_bio_X509(bio, NULL, tls_no_password, NULL);
    r = cert != NULL && X509_digest(cert, EVP_sha256(), out, &len) == 1 && len == PROTO_DIGEST_LEN ? 0 : ERR_SYNTAX;
    X509_free(cert);
    BIO_free(bio);
    ERR_clear_error();
    buf_free(&pem);
    return r;
}

static bool tls_has_private_key(struct view pem)
{
    return pem.ptr != NULL && memmem(pem.ptr, pem.len, "PRIVATE KEY-----", 16) != NULL;
}

int tls_ctx_add_cert(struct tls_ctx *ctx, uint32_t index, struct view name, int fd)
{
    struct tls_cert cert = {0};
    const char *reason = NULL;
    struct buf pem;
    int r;

    buf_init_secret(&pem, TLS_CERT_FILE_MAX);
    ERR_clear_error();
    if (ctx->ncerts == TLS_CERTS_MAX) {
        r = ERR_LIMIT;
        goto out;
    }
    r = tls_read_file(fd, &pem);
    if (r < 0)
        goto out;
    if (tls_has_private_key(buf_view(&pem))) {
        reason = "the certificate file holds a private key: keep it in a file of its own";
        r = ERR_SYNTAX;
        goto out;
    }
    cert.ssl_ctx = tls_ssl_ctx_new(ctx);
    r = cert.ssl_ctx == NULL ? ERR_SYNTAX : tls_load_chain(ctx, index, buf_view(&pem), &cert);
    if (r < 0)
        goto out;
    cert.name = view_dup(name);
    for (char *p = cert.name; *p != '\0'; p++)
        *p = (char)ascii_lower((uint8_t)*p);
    ctx->certs = xreallocarray(ctx->certs, ctx->ncerts + 1, sizeof(cert));
    ctx->certs[ctx->ncerts++] = cert;
    cert.ssl_ctx = NULL; /* transferred */
out:
    if (r < 0) {
        LOG_ERROR(0, "certificate cannot be used", F_UINT("index", index), F_VIEW("name", name), F_ERR(r),
                  F_STR("reason", reason != NULL ? reason : tls_error_text()));
        if (r != ERR_SYNTAX)
            r = ERR_SYNTAX;
    }
    ERR_clear_error();
    SSL_CTX_free(cert.ssl_ctx);
    buf_free(&pem);
    return r;
}
