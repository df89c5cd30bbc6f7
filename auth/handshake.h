/*
 * The messages of a TLS 1.3 handshake, as a log-in process hands them over: from ClientHello to the client's CertificateVerify,
 * one behind the other, each with its header (RFC 8446 section 4). Splits them and finds what a proof is made of; signatures are
 * client_cert.c's. Every byte is from a process that nobody trusts.
 */
#ifndef CULVER_AUTH_HANDSHAKE_H
#define CULVER_AUTH_HANDSHAKE_H

#include "common/base/cursor.h"

/* Certificates that a client may send: its own and those between it and the authority. */
#define HANDSHAKE_CHAIN_MAX 10

struct handshake_verify {
    size_t covers;   /* the signature is over the hash of the messages up to here */
    uint16_t scheme; /* RFC 8446 section 4.2.3 */
    struct view signature;
};

/* Views point into the messages. */
struct handshake {
    struct view messages;
    bool sha384;        /* the hash of the cipher suite; otherwise SHA-256 */
    size_t first_hello; /* length of the ClientHello that was answered with HelloRetryRequest; 0: none was */
    struct view nonce;  /* of the CertificateRequest */
    struct view server_leaf;
    struct handshake_verify server;
    struct view chain[HANDSHAKE_CHAIN_MAX]; /* the client's certificate first */
    size_t nchain;
    struct handshake_verify client;
};

/* ERR_SYNTAX: not the messages of a full TLS 1.3 handshake in which the server asked for a certificate with a nonce of ours, and
 * got one; *why_out says where that shows, for the log. */
MUST_CHECK int handshake_parse(struct view messages, struct handshake *out, const char **why_out);

#endif
