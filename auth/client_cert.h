/*
 * Whether a TLS handshake proves that the other end of a connection holds a certificate, whether an authority of ours vouches for
 * that, and whose it is. Called in a helper process that is thrown away afterwards, and by tests.
 */
#ifndef CULVER_AUTH_CLIENT_CERT_H
#define CULVER_AUTH_CLIENT_CERT_H

#include <time.h>

#include "common/base/buf.h"
#include "common/conf/settings.h"

struct client_trust; /* authorities and what they have revoked */

/* ca: certificates in PEM, each of which is trusted, whoever signed it. crl: revocation lists in PEM; NULL: none are asked for.
 * ERR_SYNTAX: not PEM, or nothing in it; ERR_SYSTEM. */
MUST_CHECK int client_trust_new(struct view ca, const struct view *crl, struct client_trust **out);
void client_trust_free(struct client_trust **trust);

struct client_claim {
    struct view messages;       /* handshake.h */
    struct view nonce;          /* that the handshake must hold */
    struct view digests;        /* SHA-256 of each certificate of this server, one behind the other */
    enum set_client_name field; /* of the certificate, with the user's name */
    time_t now;
};

/* 0: the name is in name (at most PROTO_NAME_MAX bytes of UTF-8 without control characters). ERR_DENIED: why is the reason for
 * the log, with the subject of the certificate when one was found. ERR_SYSTEM: the library failed. */
MUST_CHECK int client_cert_check(const struct client_trust *trust, const struct client_claim *claim, struct buf *name,
                                 struct buf *why);

#endif
