/*
 * Password hashes: checking them and making them. Used by culver-auth, its hash helper and `culverctl hash-password`.
 *
 * A stored hash is "{SCHEME}data", "{SCHEME.b64}data" or "{SCHEME.hex}data" (the forms of Dovecot's passwd-file), or data alone,
 * whose scheme is then the given default. Schemes: ARGON2ID (the default for new hashes), ARGON2I, ARGON2, CRYPT (whatever
 * crypt(3) knows), BLF-CRYPT, SHA512-CRYPT, SHA256-CRYPT, PBKDF2, SSHA, SSHA256, SSHA512, SCRAM-SHA-256,
 * SCRAM-SHA-1; and, only where weak schemes are
 * allowed, the unsalted SHA (SHA1), SHA256, SHA512, and MD5-CRYPT (MD5), SMD5, PLAIN-MD5, LDAP-MD5, CRAM-MD5 (HMAC-MD5),
 * DES-CRYPT, PLAIN (CLEAR, CLEARTEXT).
 *
 * Passwords are octets: no preparation (SASLprep) is applied, which RFC 4616 section 2 leaves to the server; but for SCRAM keys,
 * which are made from prepared passwords (scram.h).
 */
#ifndef CULVER_COMMON_SECRET_PASSWORD_H
#define CULVER_COMMON_SECRET_PASSWORD_H

#include "common/secret/scram.h"

#define PASSWORD_MAX 1024
#define PASSWORD_HASH_MAX 1024

/* Once, before the sandbox: loads what the hash functions need. ERR_SYSTEM. */
MUST_CHECK int password_init(void);

/* Checks password against a stored hash. 0: it matches. ERR_DENIED: it does not. ERR_UNSUPPORTED: the scheme is unknown, or weak
 * and not allowed. ERR_CORRUPT: the hash is not of its scheme's form. ERR_NOMEM: could not be computed now. */
MUST_CHECK int password_verify(struct view hash, struct view default_scheme, bool allow_weak, struct view password);

/* *slow_out: checking costs many milliseconds or much memory and belongs in a helper process. ERR_UNSUPPORTED as above. */
MUST_CHECK int password_cost(struct view hash, struct view default_scheme, bool allow_weak, bool *slow_out);

/* What a stored hash gives a SCRAM exchange with this hash function: *keys, or *plain_out is the password itself, from which they
 * can be made (a view into hash; else empty). ERR_NOTFOUND: it is of another scheme. Others as password_verify. */
MUST_CHECK int password_scram_keys(struct view hash, struct view default_scheme, bool allow_weak, enum scram_hash want,
                                   struct scram_keys *keys, struct view *plain_out);

/* True for what shadow files use to say "no password matches": empty, or data beginning with '!' or '*'. */
bool password_locked(struct view hash);

/* ERR_UNSUPPORTED unless this is the name of a scheme that may be used (settings check). */
MUST_CHECK int password_scheme_check(struct view scheme, bool allow_weak);

/* Appends "{SCHEME}data" for a new password with a fresh salt. scheme empty: ARGON2ID. ERR_UNSUPPORTED, ERR_LIMIT (length, or a
 * NUL in the password), ERR_NOMEM, ERR_SYSTEM. */
MUST_CHECK int password_hash(struct view scheme, bool allow_weak, struct view password, struct buf *out);

#endif
