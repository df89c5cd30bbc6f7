#include "common/secret/app_password.h"

#include <sodium.h>

#include "common/log/log.h"
#include "common/secret/secret.h"
#include "common/text/text.h"

#define DIGITS 32 /* of APP_PASSWORD_BYTES */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

void base32_encode(struct buf *out, struct view v)
{
    unsigned bits = 0, have = 0;
    for (size_t i = 0; i < v.len; i++) {
        bits = bits << 8 | v.ptr[i];
        have += 8;
        while (have >= 5) {
            have -= 5;
            buf_put_byte(out, (uint8_t)alphabet[bits >> have & 31]);
        }
    }
    if (have > 0)
        buf_put_byte(out, (uint8_t)alphabet[bits << (5 - have) & 31]);
}

void app_password_make(uint8_t bytes[static APP_PASSWORD_BYTES], char text[static APP_PASSWORD_TEXT])
{
    struct buf b;
    size_t n = 0;
    randombytes_buf(bytes, APP_PASSWORD_BYTES);
    buf_init_secret(&b, DIGITS);
    base32_encode(&b, view_make(bytes, APP_PASSWORD_BYTES));
    for (size_t i = 0; i < DIGITS; i++) {
        if (i > 0 && i % 4 == 0)
            text[n++] = '-';
        text[n++] = (char)ascii_lower(buf_view(&b).ptr[i]);
    }
    text[n] = '\0';
    buf_free(&b);
}

/* The value of a digit; -1: none. 0 and 1, which are none, are taken for the letters that they look like. */
static int digit(uint8_t c)
{
    c = ascii_lower(c);
    if (c == '0')
        c = 'o';
    else if (c == '1')
        c = 'l';
    return c >= 'a' && c <= 'z' ? c - 'a' : c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

bool app_password_parse(struct view typed, uint8_t bytes[static APP_PASSWORD_BYTES])
{
    unsigned bits = 0, have = 0, digits = 0;
    size_t n = 0;
    for (size_t i = 0; i < typed.len; i++) {
        if (typed.ptr[i] == ' ' || typed.ptr[i] == '-')
            continue;
        int value = digit(typed.ptr[i]);
        if (value < 0 || ++digits > DIGITS)
            return false;
        bits = bits << 5 | (unsigned)value;
        have += 5;
        if (have >= 8) {
            have -= 8;
            bytes[n++] = (uint8_t)(bits >> have);
        }
    }
    return digits == DIGITS;
}

void app_password_digest(const uint8_t bytes[static APP_PASSWORD_BYTES], uint8_t out[static APP_PASSWORD_DIGEST])
{
    static const uint8_t context[] = "culver app password";
    crypto_generichash_state st;
    if (crypto_generichash_init(&st, NULL, 0, APP_PASSWORD_DIGEST) != 0 ||
        crypto_generichash_update(&st, context, sizeof(context)) != 0 ||
        crypto_generichash_update(&st, bytes, APP_PASSWORD_BYTES) != 0 ||
        crypto_generichash_final(&st, out, APP_PASSWORD_DIGEST) != 0)
        PANIC("a hash cannot be computed");
    secret_wipe(&st, sizeof(st));
}
