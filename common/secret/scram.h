/*
 * The keys of SCRAM (RFC 5802, RFC 7677): making them from a password, reading and writing the stored form, and the two products
 * that an exchange needs. Used by culver-auth, its hash helper and `culverctl hash-password`.
 *
 * Stored form (Dovecot's): "iterations,base64(salt),base64(StoredKey),base64(ServerKey)".
 */
#ifndef CULVER_COMMON_SECRET_SCRAM_H
#define CULVER_COMMON_SECRET_SCRAM_H

#include "common/base/buf.h"

#define SCRAM_KEY_MAX 32
#define SCRAM_SALT_MAX 64
/* RFC 7677 section 4 asks for 4096 at least; a client refuses much more, and so does whoever reads a stored form here. */
#define SCRAM_ROUNDS_MIN 4096u
#define SCRAM_ROUNDS_MAX 10000000u
#define SCRAM_ROUNDS_NEW 100000u

enum scram_hash { SCRAM_SHA1, SCRAM_SHA256 };

struct scram_keys { /* wipe after use */
    enum scram_hash hash;
    uint32_t rounds;
    uint8_t salt[SCRAM_SALT_MAX];
    size_t salt_len;
    uint8_t stored_key[SCRAM_KEY_MAX]; /* scram_hash_size() bytes */
    uint8_t server_key[SCRAM_KEY_MAX];
};

size_t scram_hash_size(enum scram_hash hash);
/* "SCRAM-SHA-256": the name of the scheme and of the mechanism. */
const char *scram_hash_name(enum scram_hash hash);

/* RFC 2104. key and out: scram_hash_size() bytes. */
bool scram_hmac(enum scram_hash hash, const uint8_t *key, struct view text, uint8_t *out);

/* The stored form. ERR_CORRUPT. */
MUST_CHECK int scram_keys_parse(enum scram_hash hash, struct view data, struct scram_keys *out);
void scram_keys_put(const struct scram_keys *keys, struct buf *out);
/* Sets the two keys from hash, rounds and salt, which are given, and the password as it was typed. ERR_NOMEM. */
MUST_CHECK int scram_keys_derive(struct scram_keys *keys, struct view password);
/* 0 when the password makes these keys, else ERR_DENIED, ERR_NOMEM. */
MUST_CHECK int scram_keys_verify(const struct scram_keys *keys, struct view password);

/* True when proof is the one of a client that knows the password (RFC 5802 section 3). Constant time. */
bool scram_proof_check(const struct scram_keys *keys, struct view auth_message, struct view proof);
/* ServerSignature: scram_hash_size() bytes. False: the library failed. */
bool scram_server_signature(const struct scram_keys *keys, struct view auth_message, uint8_t out[static SCRAM_KEY_MAX]);

/* Appends the form of a password in which clients hash it: RFC 4013 without its prohibitions, which are for clients to heed.
 * Other blanks become blanks, invisible marks go, the rest is normalised by NFKC. What is not UTF-8, or of which nothing would be
 * left, stays as it is. At most 12 times as long. ERR_LIMIT: longer than PASSWORD_MAX, or out is full. */
MUST_CHECK int scram_password_prepare(struct view password, struct buf *out);

#endif
