/* What culver-keys signs. Whoever may ask is assumed to be hostile, so a signature must be worth nothing outside a TLS handshake.
 */
#include "auth/keys.h"
#include "common/base/mem.h"

static size_t hash_size(enum sign_hash hash)
{
    switch (hash) {
    case SIGN_SHA256:
        return 32;
    case SIGN_SHA384:
        return 48;
    case SIGN_SHA512:
        return 64;
    case SIGN_SHA1: /* RFC 9155: no longer signed with */
    case SIGN_NONE:
        break;
    }
    return 0;
}

/* RFC 8446 4.4.3: 64 blanks, the context of a server's CertificateVerify, a zero byte, the transcript hash. */
static bool is_server_verify(struct view tbs)
{
    static const char context[] = "TLS 1.3, server CertificateVerify"; /* its NUL is the separator */
    struct cursor c = cursor_make(tbs);

    for (unsigned i = 0; i < 64; i++)
        cursor_expect(&c, ' ');
    if (!cursor_take_view(&c, view_make(context, sizeof(context))))
        return false;
    return !c.failed && (cursor_left(&c) == 32 || cursor_left(&c) == 48);
}

int keys_check(enum keys_type type, unsigned key_bits, const struct msg_sign *request)
{
    size_t size = hash_size(request->hash);

    if (type == KEYS_TYPE_ED25519)
        return request->scheme == SIGN_EDDSA && request->hash == SIGN_NONE && is_server_verify(request->tbs) ? 0 : ERR_DENIED;
    if (size == 0 || request->tbs.len != size)
        return ERR_DENIED;
    switch (type) {
    case KEYS_TYPE_EC:
        return request->scheme == SIGN_ECDSA ? 0 : ERR_DENIED;
    case KEYS_TYPE_RSA:
        if (request->scheme == SIGN_RSA_PKCS1)
            return 0;
        /* RFC 8017 9.1.1: room for hash, salt of the same length and two bytes. */
        return request->scheme == SIGN_RSA_PSS && key_bits / 8 >= 2 * size + 2 ? 0 : ERR_DENIED;
    case KEYS_TYPE_ED25519:
        break;
    }
    return ERR_DENIED;
}
