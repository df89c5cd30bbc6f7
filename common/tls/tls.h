/*
 * TLS for the processes that face clients (login connections, LMTP), server side, over OpenSSL. The private key is not here:
 * signatures are asked of culver-keys through a callback (a built-in provider), see sign.c.
 *
 * TLS 1.2 at least, no renegotiation, no compression, no session tickets, ALPN refused where it does not match.
 * A client certificate is asked for where the caller wants it, in TLS 1.3 only, and is not looked at: who it is good for is
 * decided by a process that does not read from the network, from the messages of the handshake. A context is made once before the
 * sandbox; sessions are per connection, on memory: bytes in, bytes out.
 */
#ifndef CULVER_COMMON_TLS_TLS_H
#define CULVER_COMMON_TLS_TLS_H

#include "common/base/buf.h"
#include "common/ipc/proto.h"

struct tls_ctx;  /* certificates by server name */
struct tls_conn; /* one connection */

/* Asks for a signature. Blocks until culver-keys answers (at most 5 s). sig has max PROTO_SIG_MAX. 0, ERR_TIMEOUT, ERR_CLOSED,
 * ERR_DENIED. */
typedef int tls_sign_fn(void *arg, const struct msg_sign *request, struct buf *sig);

/* min_version 0x0303 or 0x0304; ciphers: OpenSSL list for TLS 1.2, "" = a modern default. */
MUST_CHECK int tls_ctx_new(unsigned min_version, const char *ciphers, struct tls_ctx **out);
/* Adds certificate `index` (PEM chain read from fd, not closed) for server name `name` (empty: the default). ERR_SYNTAX with a
 * log line. */
MUST_CHECK int tls_ctx_add_cert(struct tls_ctx *ctx, uint32_t index, struct view name, int fd);
bool tls_ctx_usable(const struct tls_ctx *ctx); /* a default certificate is there */
/* The application protocol (RFC 7301: "imap", "pop3") that a client may name; a constant string. Without one every client that
 * names protocols is refused, so that nobody's web browser can be led here. */
void tls_ctx_set_alpn(struct tls_ctx *ctx, const char *protocol);
void tls_ctx_free(struct tls_ctx **ctx);

/* SHA-256 of the first certificate of a PEM file (read from fd, not closed). ERR_SYNTAX. */
MUST_CHECK int tls_leaf_digest(int fd, uint8_t out[static PROTO_DIGEST_LEN]);

/* The extension of a CertificateRequest that carries the nonce: a number for private use (RFC 8447 section 7). Clients pass over
 * what they do not know there (RFC 8446 section 4.3.2). */
#define TLS_NONCE_EXTENSION 0xff6e

MUST_CHECK int tls_conn_new(struct tls_ctx *ctx, tls_sign_fn *sign, void *arg, struct tls_conn **out);
/* Wipes what it held. */
void tls_conn_free(struct tls_conn **tc);
/* Each moves as far as it can: in = bytes from the network (consumed), out = bytes for the network. 0: done, ERR_AGAIN: more
 * input needed, ERR_PROTO: handshake or record failure (an alert may be in out), ERR_CLOSED: close_notify received, ERR_LIMIT:
 * out is full. tls_decrypt appends to plain what there is room for (0: something was appended, ask again; ERR_LIMIT also when
 * plain is full; with ERR_CLOSED and ERR_PROTO too plain may have grown); bytes of a record that did not fit stay inside, so ask
 * again once plain has room, even without new input. tls_encrypt consumes from plain what fits into out. */
MUST_CHECK int tls_handshake(struct tls_conn *tc, struct buf *in, struct buf *out);
MUST_CHECK int tls_decrypt(struct tls_conn *tc, struct buf *in, struct buf *out, struct buf *plain);
MUST_CHECK int tls_encrypt(struct tls_conn *tc, struct buf *plain, struct buf *out);
/* close_notify into out. */
void tls_shutdown(struct tls_conn *tc, struct buf *out);
/* Channel bindings for SASL, of a connection whose handshake is done. Nothing is appended where there is none: a TLS 1.2
 * connection without extended master secret has no exporter binding (RFC 9266 section 4), a certificate whose signature names no
 * hash has no end point (RFC 5929 section 4.1). */
enum tls_binding { TLS_BINDING_EXPORTER, TLS_BINDING_END_POINT };
void tls_binding(const struct tls_conn *tc, enum tls_binding type, struct buf *out);
/* Before the handshake: asks the client for a certificate when TLS 1.3 is agreed on, with this nonce (PROTO_NONCE_LEN bytes) in
 * the request, which makes what the client signs good for this connection only. */
void tls_ask_certificate(struct tls_conn *tc, struct view nonce);
/* The messages of the handshake from ClientHello to the client's CertificateVerify, one behind the other, once it is done; empty
 * when the client has no certificate, or they are more than PROTO_HANDSHAKE_MAX. Valid as long as tc. */
struct view tls_client_proof(const struct tls_conn *tc);
void tls_forget_proof(struct tls_conn *tc); /* nobody has to be convinced any more */
/* "TLSv1.3 TLS_AES_256_GCM_SHA384". */
void tls_describe(const struct tls_conn *tc, struct buf *out);

#endif
