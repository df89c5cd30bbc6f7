/* Private to common/tls: the built-in provider (sign.c), the buffer BIO (bufbio.c), contexts and connections. */
#ifndef CULVER_COMMON_TLS_TLS_INT_H
#define CULVER_COMMON_TLS_TLS_INT_H

#include "common/tls/openssl.h"

#include "common/tls/tls.h"

/* Who signs for the handshake that is running right now. One a context: the process is single-threaded and a signature is asked
 * for and given within one call of tls_handshake(). */
struct tls_signer {
    OSSL_LIB_CTX *libctx;
    tls_sign_fn *fn; /* NULL outside tls_handshake */
    void *arg;
};

struct tls_cert {
    char *name; /* lower case; "" is the default */
    SSL_CTX *ssl_ctx;
    uint8_t end_point[EVP_MAX_MD_SIZE]; /* hash of the certificate, RFC 5929 section 4.1 */
    unsigned end_point_len;
    bool needs_tls13; /* Ed25519: culver-keys signs nothing but a TLS 1.3 CertificateVerify with it */
};

#define TLS_CERTS_MAX 256

struct tls_ctx {
    OSSL_LIB_CTX *libctx;
    OSSL_PROVIDER *base, *remote;
    BIO_METHOD *bio_method;
    struct tls_signer signer;
    unsigned min_version;
    char *ciphers;
    const char *alpn;
    struct tls_cert *certs;
    size_t ncerts;
};

/* sign.c: loads the provider into libctx. ERR_UNSUPPORTED. */
MUST_CHECK int tls_sign_provider_load(OSSL_LIB_CTX *libctx, OSSL_PROVIDER **out);
/* A key object with the public half of `public_key` whose signatures are asked of `signer` (which must outlive it) as key
 * `index`. ERR_UNSUPPORTED for anything but RSA, EC on P-256, P-384 or P-521, and Ed25519. */
MUST_CHECK int tls_sign_key_new(struct tls_signer *signer, uint32_t index, EVP_PKEY *public_key, EVP_PKEY **out);

/* bufbio.c: a BIO that reads from one struct buf and writes to another, both lent for the time of a call. */
struct tls_bufbio {
    struct buf *in, *out; /* NULL: nothing there, no room */
};
BIO_METHOD *tls_bufbio_method(void); /* NULL when memory is out */
BIO *tls_bufbio_new(const BIO_METHOD *method, struct tls_bufbio *bufs);

/* client_cert.c: what each context of a server needs so that a connection can ask for a certificate. */
MUST_CHECK bool tls_client_cert_prepare(SSL_CTX *ssl_ctx);
/* The version is chosen, and a certificate wanted of this connection or not. */
void tls_client_cert_request(SSL *ssl);

/* A connection's part in that; SSL_get_app_data() gives it. */
struct tls_client_cert {
    uint8_t nonce[PROTO_NONCE_LEN];
    bool wanted;         /* nonce is set */
    bool proven;         /* the client's CertificateVerify is in messages */
    struct buf messages; /* of the handshake */
};
void tls_client_cert_init(struct tls_client_cert *cc, SSL *ssl);
void tls_client_cert_done(struct tls_client_cert *cc, SSL *ssl); /* the handshake is over */

/* The newest entry of OpenSSL's error queue as a static text, and the queue emptied. */
const char *tls_error_text(void);

#endif
