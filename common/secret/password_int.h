/* Inside password*.c only: the scheme table and the functions of each family. */
#ifndef CULVER_COMMON_SECRET_PASSWORD_INT_H
#define CULVER_COMMON_SECRET_PASSWORD_INT_H

#include "common/secret/password.h"

enum password_family { FAMILY_ARGON2, FAMILY_CRYPT, FAMILY_DIGEST, FAMILY_PBKDF2, FAMILY_SCRAM, FAMILY_CRAM, FAMILY_PLAIN };
enum password_digest { DIGEST_NONE, DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512 };
enum password_encoding { ENCODING_DEFAULT, ENCODING_BASE64, ENCODING_HEX };

#define PASSWORD_DIGEST_MAX 64
#define PASSWORD_SALT_MAX 64

struct password_scheme {
    const char *name;
    enum password_family family;
    enum password_digest digest; /* FAMILY_DIGEST, FAMILY_SCRAM */
    bool salted;                 /* FAMILY_DIGEST: the salt follows the digest */
    bool weak;
    const char *prefix;      /* how the data begin; NULL: anything (of the family's forms) */
    const char *make_prefix; /* FAMILY_CRYPT: what new hashes are made with; NULL: none are made */
    unsigned long make_cost; /* FAMILY_CRYPT: 0 = libcrypt's default */
};

/* A stored hash taken apart. */
struct password_stored {
    const struct password_scheme *scheme;
    enum password_encoding encoding;
    struct view data;
};

/* All return as password_verify does. data is the part behind {SCHEME}. */
MUST_CHECK int password_argon2_verify(const struct password_stored *s, struct view password);
MUST_CHECK int password_argon2_make(const struct password_scheme *scheme, struct view password, struct buf *out);
MUST_CHECK int password_crypt_verify(const struct password_stored *s, bool allow_weak, struct view password);
MUST_CHECK int password_crypt_make(const struct password_scheme *scheme, struct view password, struct buf *out);
MUST_CHECK int password_digest_verify(const struct password_stored *s, struct view password);
MUST_CHECK int password_digest_make(const struct password_scheme *scheme, struct view password, struct buf *out);
MUST_CHECK int password_pbkdf2_verify(const struct password_stored *s, struct view password);
MUST_CHECK int password_pbkdf2_make(struct view password, struct buf *out);
MUST_CHECK int password_scram_verify(const struct password_stored *s, struct view password);
MUST_CHECK int password_scram_make(const struct password_scheme *scheme, struct view password, struct buf *out);
MUST_CHECK int password_cram_verify(const struct password_stored *s, struct view password);
MUST_CHECK int password_plain_verify(const struct password_stored *s, struct view password);

/* Decodes data in the stored encoding (ENCODING_DEFAULT: as encoding says) into at most max bytes. ERR_CORRUPT. */
MUST_CHECK int password_decode(struct view data, enum password_encoding encoding, uint8_t *out, size_t max, size_t *len_out);
MUST_CHECK int password_digest_init(void);

#endif
