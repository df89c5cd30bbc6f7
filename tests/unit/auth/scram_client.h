/* The client's side of SCRAM (RFC 5802 section 3), over libcrypto alone. */
#ifndef CULVER_TESTS_UNIT_AUTH_SCRAM_CLIENT_H
#define CULVER_TESTS_UNIT_AUTH_SCRAM_CLIENT_H

#include "tests/unit/auth/unit.h"

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/text/text.h"
#include "common/tls/openssl.h"

static inline void hmac(const EVP_MD *md, struct view key, struct view text, uint8_t *out)
{
    assert_non_null(HMAC(md, key.ptr, (int)key.len, text.ptr, text.len, out, NULL));
}

/* What a client with this password says to server_first; and the server-final that it expects. */
static inline void client_final(const EVP_MD *md, const char *password, const char *bare, struct view server_first,
                                struct view cbind, struct buf *out, struct buf *server_final)
{
    uint8_t salted[32], client_key[32], stored[32], signature[32], server_key[32];
    size_t size = (size_t)EVP_MD_get_size(md), r_end = view_find(server_first, ',');
    struct view rest = view_sub(server_first, r_end + 3, server_first.len);
    size_t s_end = view_find(rest, ',');
    struct buf salt, message;
    buf_init(&salt, 256);
    buf_init(&message, 8192);
    assert_int_equal(base64_decode(&salt, view_sub(rest, 0, s_end)), 0);
    struct cursor c = cursor_make(view_sub(rest, s_end + 3, rest.len));
    int rounds = (int)cursor_dec(&c, 1, 1000000);
    assert_true(cursor_done(&c));
    assert_int_equal(PKCS5_PBKDF2_HMAC(password, -1, buf_view(&salt).ptr, (int)buf_len(&salt), rounds, md, (int)size, salted), 1);
    hmac(md, view_make(salted, size), VIEW("Client Key"), client_key);
    hmac(md, view_make(salted, size), VIEW("Server Key"), server_key);
    assert_int_equal(EVP_Digest(client_key, size, stored, NULL, md, NULL), 1);
    buf_put_str(out, "c=");
    base64_encode(out, cbind);
    buf_put_byte(out, ',');
    buf_put_view(out, view_sub(server_first, 0, r_end));
    buf_put_fmt(&message, "%s,%.*s,", bare, (int)server_first.len, (const char *)server_first.ptr);
    buf_put_view(&message, buf_view(out));
    hmac(md, view_make(stored, size), buf_view(&message), signature);
    for (size_t i = 0; i < size; i++)
        client_key[i] ^= signature[i];
    buf_put_str(out, ",p=");
    base64_encode(out, view_make(client_key, size));
    hmac(md, view_make(server_key, size), buf_view(&message), signature);
    buf_put_str(server_final, "v=");
    base64_encode(server_final, view_make(signature, size));
    buf_free(&salt);
    buf_free(&message);
}

#endif
