/*
 * The scheme table and the way from "{SCHEME.enc}data" to the function that checks it. The families live in password_kdf.c
 * (Argon2, crypt(3), PBKDF2) and password_digest.c (SHA family, plain).
 */
#include "common/secret/password.h"

#include <sodium.h>

#include "common/base/mem.h"
#include "common/secret/password_int.h"

static const struct password_scheme schemes[] = {
    {.name = "ARGON2ID", .family = FAMILY_ARGON2, .prefix = "$argon2id$"},
    {.name = "ARGON2I", .family = FAMILY_ARGON2, .prefix = "$argon2i$"},
    {.name = "ARGON2", .family = FAMILY_ARGON2, .prefix = "$argon2"},
    {.name = "CRYPT", .family = FAMILY_CRYPT, .make_prefix = "$y$"},
    {.name = "BLF-CRYPT", .family = FAMILY_CRYPT, .prefix = "$2", .make_prefix = "$2b$", .make_cost = 12},
    {.name = "SHA512-CRYPT", .family = FAMILY_CRYPT, .prefix = "$6$", .make_prefix = "$6$", .make_cost = 200000},
    {.name = "SHA256-CRYPT", .family = FAMILY_CRYPT, .prefix = "$5$", .make_prefix = "$5$", .make_cost = 200000},
    {.name = "MD5-CRYPT", .family = FAMILY_CRYPT, .prefix = "$1$", .weak = true},
    {.name = "DES-CRYPT", .family = FAMILY_CRYPT, .weak = true},
    {.name = "PBKDF2", .family = FAMILY_PBKDF2, .prefix = "$1$"},
    {.name = "SCRAM-SHA-256", .family = FAMILY_SCRAM, .digest = DIGEST_SHA256},
    {.name = "SCRAM-SHA-1", .family = FAMILY_SCRAM, .digest = DIGEST_SHA1},
    {.name = "SSHA", .family = FAMILY_DIGEST, .digest = DIGEST_SHA1, .salted = true},
    {.name = "SSHA256", .family = FAMILY_DIGEST, .digest = DIGEST_SHA256, .salted = true},
    {.name = "SSHA512", .family = FAMILY_DIGEST, .digest = DIGEST_SHA512, .salted = true},
    {.name = "SHA", .family = FAMILY_DIGEST, .digest = DIGEST_SHA1, .weak = true},
    {.name = "SHA1", .family = FAMILY_DIGEST, .digest = DIGEST_SHA1, .weak = true},
    {.name = "SHA256", .family = FAMILY_DIGEST, .digest = DIGEST_SHA256, .weak = true},
    {.name = "SHA512", .family = FAMILY_DIGEST, .digest = DIGEST_SHA512, .weak = true},
    {.name = "MD5", .family = FAMILY_CRYPT, .prefix = "$1$", .weak = true},
    {.name = "SMD5", .family = FAMILY_DIGEST, .digest = DIGEST_MD5, .salted = true, .weak = true},
    {.name = "PLAIN-MD5", .family = FAMILY_DIGEST, .digest = DIGEST_MD5, .weak = true},
    {.name = "LDAP-MD5", .family = FAMILY_DIGEST, .digest = DIGEST_MD5, .weak = true},
    {.name = "CRAM-MD5", .family = FAMILY_CRAM, .weak = true},
    {.name = "HMAC-MD5", .family = FAMILY_CRAM, .weak = true},
    {.name = "PLAIN", .family = FAMILY_PLAIN, .weak = true},
    {.name = "CLEAR", .family = FAMILY_PLAIN, .weak = true},
    {.name = "CLEARTEXT", .family = FAMILY_PLAIN, .weak = true},
};

static const struct password_scheme *scheme_find(struct view name)
{
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (view_eq_nocase(view_str(schemes[i].name), name))
            return &schemes[i];
    }
    return NULL;
}

/* "SHA256.hex" -> the scheme and the encoding. */
static const struct password_scheme *scheme_parse(struct view name, enum password_encoding *encoding_out)
{
    size_t dot = view_find(name, '.');
    *encoding_out = ENCODING_DEFAULT;
    if (dot < name.len) {
        struct view suffix = view_sub(name, dot + 1, name.len);
        if (view_eq_nocase(suffix, VIEW("b64")) || view_eq_nocase(suffix, VIEW("base64")))
            *encoding_out = ENCODING_BASE64;
        else if (view_eq_nocase(suffix, VIEW("hex")))
            *encoding_out = ENCODING_HEX;
        else
            return NULL;
    }
    return scheme_find(view_sub(name, 0, dot));
}

static int stored_parse(struct view hash, struct view default_scheme, bool allow_weak, struct password_stored *out)
{
    struct view name = default_scheme;
    out->data = hash;
    if (hash.len > 0 && hash.ptr[0] == '{') {
        size_t end = view_find(hash, '}');
        if (end == hash.len)
            return ERR_CORRUPT;
        name = view_sub(hash, 1, end - 1);
        out->data = view_sub(hash, end + 1, hash.len);
    } else if (view_starts(hash, VIEW("$argon2"))) {
        /* crypt(3) has no such form, so that no default scheme can mean anything else by it. */
        name = VIEW("ARGON2");
    }
    out->scheme = scheme_parse(name, &out->encoding);
    if (out->scheme == NULL || (out->scheme->weak && !allow_weak))
        return ERR_UNSUPPORTED;
    return 0;
}

int password_init(void)
{
    return sodium_init() < 0 ? ERR_SYSTEM : password_digest_init();
}

bool password_locked(struct view hash)
{
    size_t end = hash.len > 0 && hash.ptr[0] == '{' ? view_find(hash, '}') : hash.len;
    if (end < hash.len)
        hash = view_sub(hash, end + 1, hash.len);
    return hash.len == 0 || hash.ptr[0] == '!' || hash.ptr[0] == '*';
}

int password_verify(struct view hash, struct view default_scheme, bool allow_weak, struct view password)
{
    struct password_stored s;
    if (hash.len > PASSWORD_HASH_MAX)
        return ERR_CORRUPT;
    if (password_locked(hash))
        return ERR_DENIED;
    int err = stored_parse(hash, default_scheme, allow_weak, &s);
    if (err != 0)
        return err;
    /* No scheme can hold a NUL, and crypt(3) would ignore what follows one. */
    if (password.len == 0 || password.len > PASSWORD_MAX || view_find(password, '\0') < password.len)
        return ERR_DENIED;
    switch (s.scheme->family) {
    case FAMILY_ARGON2:
        return password_argon2_verify(&s, password);
    case FAMILY_CRYPT:
        return password_crypt_verify(&s, allow_weak, password);
    case FAMILY_DIGEST:
        return password_digest_verify(&s, password);
    case FAMILY_PBKDF2:
        return password_pbkdf2_verify(&s, password);
    case FAMILY_SCRAM:
        return password_scram_verify(&s, password);
    case FAMILY_CRAM:
        return password_cram_verify(&s, password);
    case FAMILY_PLAIN:
        return password_plain_verify(&s, password);
    }
    return ERR_UNSUPPORTED;
}

int password_scram_keys(struct view hash, struct view default_scheme, bool allow_weak, enum scram_hash want,
                        struct scram_keys *keys, struct view *plain_out)
{
    struct password_stored s;
    if (hash.len > PASSWORD_HASH_MAX)
        return ERR_CORRUPT;
    int err = stored_parse(hash, default_scheme, allow_weak, &s);
    if (err != 0)
        return err;
    *plain_out = view_make(NULL, 0);
    if (s.scheme->family == FAMILY_PLAIN && s.encoding == ENCODING_DEFAULT) {
        *plain_out = s.data;
        return 0;
    }
    if (s.scheme->family != FAMILY_SCRAM || (s.scheme->digest == DIGEST_SHA1) != (want == SCRAM_SHA1))
        return ERR_NOTFOUND;
    return scram_keys_parse(want, s.data, keys);
}

int password_cost(struct view hash, struct view default_scheme, bool allow_weak, bool *slow_out)
{
    struct password_stored s;
    int err = stored_parse(hash, default_scheme, allow_weak, &s);
    if (err == 0)
        *slow_out = s.scheme->family != FAMILY_DIGEST && s.scheme->family != FAMILY_CRAM && s.scheme->family != FAMILY_PLAIN;
    return err;
}

int password_scheme_check(struct view scheme, bool allow_weak)
{
    enum password_encoding encoding;
    const struct password_scheme *s = scheme_parse(scheme, &encoding);
    return s == NULL || (s->weak && !allow_weak) ? ERR_UNSUPPORTED : 0;
}

static int hash_make(const struct password_scheme *s, struct view password, struct buf *out)
{
    switch (s->family) {
    case FAMILY_ARGON2:
        return password_argon2_make(s, password, out);
    case FAMILY_CRYPT:
        return password_crypt_make(s, password, out);
    case FAMILY_DIGEST:
        return password_digest_make(s, password, out);
    case FAMILY_PBKDF2:
        return password_pbkdf2_make(password, out);
    case FAMILY_SCRAM:
        return password_scram_make(s, password, out);
    case FAMILY_CRAM: /* of use to nobody who has not got such hashes already */
        break;
    case FAMILY_PLAIN:
        buf_put_view(out, password);
        return 0;
    }
    return ERR_UNSUPPORTED;
}

int password_hash(struct view scheme, bool allow_weak, struct view password, struct buf *out)
{
    if (scheme.len == 0)
        scheme = VIEW("ARGON2ID");
    const struct password_scheme *s = scheme_find(scheme);
    if (s == NULL || (s->weak && !allow_weak))
        return ERR_UNSUPPORTED;
    if (password.len == 0 || password.len > PASSWORD_MAX || view_find(password, '\0') < password.len)
        return ERR_LIMIT;
    size_t before = buf_len(out);
    buf_put_fmt(out, "{%s}", s->name);
    int err = hash_make(s, password, out);
    if (err == 0 && !buf_ok(out))
        err = ERR_LIMIT;
    if (err != 0)
        buf_truncate(out, before);
    return err;
}
