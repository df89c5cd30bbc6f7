/*
 * One TLS connection, server side, on buffers. The only place that calls SSL_ functions of a connection.
 *
 * OpenSSL's error queue is emptied before each call: SSL_get_error() looks at it, and something left there by another
 * connection would end this one.
 */

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/tls/tls_int.h"

/* The largest piece of plaintext in one record, and what a record adds to it at most (header, nonce, tag, padding). */
#define TLS_RECORD_PLAIN 16384
#define TLS_RECORD_EXTRA 256

struct tls_conn {
    struct tls_ctx *ctx;
    SSL *ssl;
    struct tls_bufbio bufs;
    struct tls_client_cert client;
    tls_sign_fn *sign;
    void *arg;
};

int tls_conn_new(struct tls_ctx *ctx, tls_sign_fn *sign, void *arg, struct tls_conn **out)
{
    struct tls_conn *tc;
    SSL_CTX *first = NULL;
    BIO *bio;

    for (size_t i = 0; i < ctx->ncerts && first == NULL; i++)
        if (ctx->certs[i].name[0] == '\0')
            first = ctx->certs[i].ssl_ctx;
    if (first == NULL)
        return ERR_STATE;
    tc = xcalloc(1, sizeof(*tc));
    tc->ctx = ctx;
    tc->sign = sign;
    tc->arg = arg;
    tc->ssl = SSL_new(first);
    bio = tc->ssl != NULL ? tls_bufbio_new(ctx->bio_method, &tc->bufs) : NULL;
    if (bio == NULL) {
        tls_conn_free(&tc);
        return ERR_NOMEM;
    }
    SSL_set_bio(tc->ssl, bio, bio); /* transferred */
    SSL_set_accept_state(tc->ssl);
    tls_client_cert_init(&tc->client, tc->ssl);
    *out = tc;
    return 0;
}

void tls_conn_free(struct tls_conn **tcp)
{
    struct tls_conn *tc = *tcp;

    if (tc == NULL)
        return;
    SSL_free(tc->ssl);
    buf_free(&tc->client.messages);
    free(tc);
    ERR_clear_error();
    *tcp = NULL;
}

static void tls_begin(struct tls_conn *tc, struct buf *in, struct buf *out)
{
    ERR_clear_error();
    tc->bufs.in = in;
    tc->bufs.out = out;
}

/* Turns the outcome of an SSL_ call into ours and takes the buffers back. */
static int tls_end(struct tls_conn *tc, int ret)
{
    int error = ret > 0 ? SSL_ERROR_NONE : SSL_get_error(tc->ssl, ret);
    int r;

    switch (error) {
    case SSL_ERROR_NONE:
        r = 0;
        break;
    case SSL_ERROR_WANT_READ:
        r = ERR_AGAIN;
        break;
    case SSL_ERROR_WANT_WRITE:
        r = ERR_LIMIT;
        break;
    case SSL_ERROR_ZERO_RETURN:
        r = ERR_CLOSED;
        break;
    default:
        LOG_DEBUG(0, "TLS failure", F_STR("reason", tls_error_text()));
        r = ERR_PROTO;
        break;
    }
    ERR_clear_error();
    tc->bufs.in = NULL;
    tc->bufs.out = NULL;
    return r;
}

int tls_handshake(struct tls_conn *tc, struct buf *in, struct buf *out)
{
    int r;

    tls_begin(tc, in, out);
    tc->ctx->signer.fn = tc->sign;
    tc->ctx->signer.arg = tc->arg;
    r = tls_end(tc, SSL_do_handshake(tc->ssl));
    tc->ctx->signer.fn = NULL;
    tc->ctx->signer.arg = NULL;
    if (r == 0)
        tls_client_cert_done(&tc->client, tc->ssl);
    return r == ERR_CLOSED ? ERR_PROTO : r;
}

int tls_decrypt(struct tls_conn *tc, struct buf *in, struct buf *out, struct buf *plain)
{
    bool grown = false;

    for (;;) {
        size_t room = MIN_OF(plain->max - buf_len(plain), (size_t)TLS_RECORD_PLAIN), got = 0;
        uint8_t *at = room > 0 ? buf_reserve(plain, room) : NULL;
        int r;

        if (at == NULL)
            return grown ? 0 : ERR_LIMIT;
        tls_begin(tc, in, out);
        r = tls_end(tc, SSL_read_ex(tc->ssl, at, room, &got));
        if (r < 0)
            return r == ERR_AGAIN && grown ? 0 : r;
        buf_commit(plain, got);
        grown = true;
    }
}

int tls_encrypt(struct tls_conn *tc, struct buf *plain, struct buf *out)
{
    while (buf_len(plain) > 0) {
        size_t room = out->max - buf_len(out), piece = MIN_OF(buf_len(plain), (size_t)TLS_RECORD_PLAIN), done = 0;
        int r;

        /* Never begin a record that might not fit: OpenSSL would want to be called again with the same bytes. */
        if (!buf_ok(out) || room <= TLS_RECORD_EXTRA)
            return ERR_LIMIT;
        piece = MIN_OF(piece, room - TLS_RECORD_EXTRA);
        tls_begin(tc, NULL, out);
        r = tls_end(tc, SSL_write_ex(tc->ssl, buf_view(plain).ptr, piece, &done));
        if (r < 0)
            return r == ERR_AGAIN ? ERR_PROTO : r;
        buf_consume(plain, done);
    }
    return 0;
}

void tls_shutdown(struct tls_conn *tc, struct buf *out)
{
    int ret;

    tls_begin(tc, NULL, out);
    /* Before the handshake is done there is nobody to say goodbye to. */
    if (SSL_is_init_finished(tc->ssl) && (SSL_get_shutdown(tc->ssl) & SSL_SENT_SHUTDOWN) == 0) {
        ret = SSL_shutdown(tc->ssl);
        if (ret < 0)
            LOG_DEBUG(0, "no close_notify sent", F_INT("code", SSL_get_error(tc->ssl, ret)));
    }
    ERR_clear_error();
    tc->bufs.in = NULL;
    tc->bufs.out = NULL;
}

void tls_ask_certificate(struct tls_conn *tc, struct view nonce)
{
    if (nonce.len != sizeof(tc->client.nonce))
        return;
    memcpy(tc->client.nonce, nonce.ptr, nonce.len);
    tc->client.wanted = true;
}

struct view tls_client_proof(const struct tls_conn *tc)
{
    return tc->client.proven ? buf_view(&tc->client.messages) : view_make(NULL, 0);
}

void tls_forget_proof(struct tls_conn *tc)
{
    tc->client.proven = false;
    buf_free(&tc->client.messages);
}

void tls_describe(const struct tls_conn *tc, struct buf *out)
{
    buf_put_str(out, SSL_get_version(tc->ssl));
    buf_put_byte(out, ' ');
    buf_put_str(out, SSL_get_cipher_name(tc->ssl));
}

static void tls_put_exporter(const struct tls_conn *tc, struct buf *out)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    uint8_t data[32];

    if (SSL_version(tc->ssl) < TLS1_3_VERSION && SSL_get_extms_support(tc->ssl) != 1)
        return;
    if (SSL_export_keying_material(tc->ssl, data, sizeof(data), label, sizeof(label) - 1, (const uint8_t *)"", 0, 1) == 1)
        buf_put(out, data, sizeof(data));
}

static void tls_put_end_point(const struct tls_conn *tc, struct buf *out)
{
    const SSL_CTX *used = SSL_get_SSL_CTX(tc->ssl);

    for (size_t i = 0; i < tc->ctx->ncerts; i++) {
        const struct tls_cert *cert = &tc->ctx->certs[i];

        if (cert->ssl_ctx == used) {
            buf_put(out, cert->end_point, cert->end_point_len);
            return;
        }
    }
}

void tls_binding(const struct tls_conn *tc, enum tls_binding type, struct buf *out)
{
    if (!SSL_is_init_finished(tc->ssl))
        return;
    if (type == TLS_BINDING_EXPORTER)
        tls_put_exporter(tc, out);
    else
        tls_put_end_point(tc, out);
    ERR_clear_error();
}
