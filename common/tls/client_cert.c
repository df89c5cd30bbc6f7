/*
 * Client certificates, as far as this process has to do with them: it asks, and writes down what is said. Whose certificate it is
 * and whether anybody vouches for it, auth decides from the messages of the handshake (RFC 8446 section 4.4.1), since this
 * process may be somebody else's by then. So that these are good for one connection only, its nonce from auth is in the
 * CertificateRequest, which the client signs with all the rest.
 *
 * OpenSSL checks the client's signature, without which no handshake ends well; the certificate itself may be anything.
 */
#include "common/base/mem.h"
#include "common/tls/tls_int.h"

/* Of a client's Certificate message; a handshake with more fails. */
#define CLIENT_CHAIN_MAX 16384

static int on_verify(X509_STORE_CTX *store, void *arg)
{
    (void)store;
    (void)arg;
    return 1;
}

static int put_nonce(SSL *ssl, unsigned type, unsigned context, const unsigned char **out, size_t *outlen, X509 *x, size_t index,
                     int *alert, void *arg)
{
    const struct tls_client_cert *cc = SSL_get_app_data(ssl);

    (void)type;
    (void)context;
    (void)x;
    (void)index;
    (void)alert;
    (void)arg;
    if (cc == NULL || !cc->wanted)
        return 0;
    *out = cc->nonce;
    *outlen = sizeof(cc->nonce);
    return 1;
}

bool tls_client_cert_prepare(SSL_CTX *ssl_ctx)
{
    SSL_CTX_set_cert_verify_callback(ssl_ctx, on_verify, NULL);
    SSL_CTX_set_max_cert_list(ssl_ctx, CLIENT_CHAIN_MAX);
    return SSL_CTX_add_custom_ext(ssl_ctx, TLS_NONCE_EXTENSION, SSL_EXT_TLS1_3_CERTIFICATE_REQUEST, put_nonce, NULL, NULL, NULL,
                                  NULL) == 1;
}

/* Complete messages in the order in which they are hashed, each once. Both directions come here. */
static void on_message(int sent, int version, int type, const void *data, size_t len, SSL *ssl, void *arg)
{
    struct tls_client_cert *cc = arg;

    (void)version;
    (void)ssl;
    if (type != SSL3_RT_HANDSHAKE || !cc->wanted || cc->proven || len == 0)
        return;
    buf_put(&cc->messages, data, len);
    cc->proven = !sent && *(const uint8_t *)data == SSL3_MT_CERTIFICATE_VERIFY;
}

void tls_client_cert_init(struct tls_client_cert *cc, SSL *ssl)
{
    buf_init(&cc->messages, PROTO_HANDSHAKE_MAX);
    SSL_set_app_data(ssl, cc);
    SSL_set_msg_callback(ssl, on_message);
    SSL_set_msg_callback_arg(ssl, cc);
}

void tls_client_cert_request(SSL *ssl)
{
    const struct tls_client_cert *cc = SSL_get_app_data(ssl);

    if (cc != NULL && cc->wanted && SSL_version(ssl) >= TLS1_3_VERSION)
        SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
}

void tls_client_cert_done(struct tls_client_cert *cc, SSL *ssl)
{
    SSL_set_msg_callback(ssl, NULL);
    cc->proven = cc->proven && SSL_version(ssl) >= TLS1_3_VERSION && buf_ok(&cc->messages);
    if (!cc->proven)
        buf_free(&cc->messages);
}
