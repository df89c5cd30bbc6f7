/*
 * What culver-auth-helper does: one request, one result, exit. It may block and may crash; master ends it when it takes too long.
 * Also the order of its start, for helper_main.c.
 */
#ifndef CULVER_AUTH_HELPER_H
#define CULVER_AUTH_HELPER_H

#include "common/ipc/proto.h"

/* The strings of a result, which msg_helper_result only borrows. */
struct helper_answer {
    struct msg_helper_result msg;
    char name[PROTO_NAME_MAX + 1];
    char home[PROTO_PATH_MAX + 1];
};

/* Each fills *out; never fails otherwise than by out->msg.result. */
void helper_check_pam(const struct msg_check_pam *msg, struct helper_answer *out);
void helper_check_hash(const struct msg_check_hash *msg, bool allow_weak, struct helper_answer *out);
void helper_lookup_nss(const struct msg_lookup_nss *msg, struct helper_answer *out);

/* The keys of oauth2_jwks. Anything but 0 was logged. */
struct jwks;
struct set_auth;
MUST_CHECK int helper_read_keys(const struct set_auth *set, struct jwks **out);
void helper_check_token(const struct msg_check_token *msg, const struct jwks *keys, const struct set_auth *set,
                        struct helper_answer *out);

/* The authorities of tls_client_ca, and tls_client_crl. Anything but 0 was logged. */
struct client_trust;
MUST_CHECK int helper_read_trust(const struct set_auth *set, struct client_trust **out);
/* handshake: all pieces of it. */
void helper_check_cert(const struct msg_check_cert *msg, struct view handshake, const struct client_trust *trust,
                       const struct set_auth *set, struct helper_answer *out);

/* Reads a file that an administrator has written, at most max bytes. Anything but 0 was logged; setting is what it is called. */
MUST_CHECK int helper_read_file(const char *setting, const char *path, struct buf *out);

/* Answers one request that came on auth's channel. ERR_PROTO when it is not one for this kind of helper. */
MUST_CHECK int helper_answer_request(enum helper_kind kind, unsigned msg_kind, struct view body, bool allow_weak,
                                     struct helper_answer *out);

#endif
