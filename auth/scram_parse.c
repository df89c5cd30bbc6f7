/* Strict where a sloppy reading could make two messages of one; extensions (which no client sends) are skipped. */
#include "auth/scram.h"

#include "common/base/cursor.h"

/* The bytes before the next ',' or the end; the comma stays. */
static struct view take_value(struct cursor *c)
{
    struct view rest = cursor_rest(c);
    return cursor_bytes(c, view_find(rest, ','));
}

/* attribute "=" value, value not empty. */
static struct view take_attribute(struct cursor *c, uint8_t name)
{
    cursor_expect(c, name);
    cursor_expect(c, '=');
    struct view value = take_value(c);
    if (value.len == 0)
        cursor_fail(c);
    return value;
}

/* saslname: no bare '=', "=2C" and "=3D" stand for ',' and '='. */
static bool name_decode(struct view v, struct mech_name *out)
{
    uint8_t bytes[PROTO_NAME_MAX];
    size_t n = 0;
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.ptr[i];
        if (n == sizeof(bytes))
            return false;
        if (c == '=') {
            struct view code = view_sub(v, i, 3);
            if (!view_eq(code, VIEW("=2C")) && !view_eq(code, VIEW("=3D")))
                return false;
            c = code.ptr[1] == '2' ? ',' : '=';
            i += 2;
        }
        bytes[n++] = c;
    }
    return n > 0 && mech_name_set(out, view_make(bytes, n));
}

/* printable = %x21-2B / %x2D-7E */
static bool is_nonce(struct view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] < 0x21 || v.ptr[i] > 0x7e)
            return false;
    }
    return v.len > 0;
}

/* ALPHA / DIGIT / "." / "-", RFC 5056 section 7 */
static bool is_binding_name(struct view v)
{
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.ptr[i], lower = c | 0x20;
        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '-')
            return false;
    }
    return v.len > 0;
}

/* [gs2-nonstd-flag is for other mechanisms] gs2-cbind-flag "," [authzid] "," */
static bool gs2_parse(struct cursor *c, struct scram_client_first *out)
{
    if (cursor_take(c, 'n')) {
        out->flag = SCRAM_BINDING_NONE;
    } else if (cursor_take(c, 'y')) {
        out->flag = SCRAM_BINDING_WRONGED;
    } else {
        out->flag = SCRAM_BINDING_USED;
        out->binding = take_attribute(c, 'p');
        if (!is_binding_name(out->binding))
            return false;
    }
    cursor_expect(c, ',');
    if (cursor_peek(c) == 'a' && !name_decode(take_attribute(c, 'a'), &out->authzid))
        return false;
    cursor_expect(c, ',');
    return !c->failed;
}

/* *("," attr-val) up to the end */
static bool extensions(struct cursor *c)
{
    while (cursor_take(c, ',')) {
        uint8_t name = cursor_byte(c) | 0x20;
        cursor_expect(c, '=');
        if (take_value(c).len == 0 || name < 'a' || name > 'z')
            return false;
    }
    return cursor_done(c);
}

int scram_client_first_parse(struct view message, struct scram_client_first *out)
{
    struct scram_client_first m = {0};
    struct cursor c = cursor_make(message);
    if (message.len > SCRAM_MESSAGE_MAX || view_find(message, '\0') < message.len || !gs2_parse(&c, &m))
        return ERR_SYNTAX;
    m.bare = cursor_rest(&c);
    m.gs2_header = view_sub(message, 0, message.len - m.bare.len);
    /* "m=" comes where the name should: an extension that we would have to know. */
    struct view name = take_attribute(&c, 'n');
    cursor_expect(&c, ',');
    m.nonce = take_attribute(&c, 'r');
    if (c.failed || !extensions(&c) || !name_decode(name, &m.authcid) || !is_nonce(m.nonce) || m.nonce.len > SCRAM_NONCE_MAX)
        return ERR_SYNTAX;
    *out = m;
    return 0;
}

int scram_client_final_parse(struct view message, struct scram_client_final *out)
{
    struct scram_client_final m = {0};
    struct cursor c = cursor_make(message);
    if (message.len > SCRAM_MESSAGE_MAX || view_find(message, '\0') < message.len)
        return ERR_SYNTAX;
    m.binding = take_attribute(&c, 'c');
    cursor_expect(&c, ',');
    m.nonce = take_attribute(&c, 'r');
    /* Extensions, then the proof, which is the last. */
    for (;;) {
        size_t before = message.len - cursor_left(&c);
        cursor_expect(&c, ',');
        if (c.failed)
            return ERR_SYNTAX;
        if (cursor_peek(&c) == 'p') {
            m.without_proof = view_sub(message, 0, before);
            m.proof = take_attribute(&c, 'p');
            break;
        }
        uint8_t name = cursor_byte(&c) | 0x20;
        cursor_expect(&c, '=');
        if (take_value(&c).len == 0 || name < 'a' || name > 'z')
            return ERR_SYNTAX;
    }
    if (!cursor_done(&c) || !is_nonce(m.nonce))
        return ERR_SYNTAX;
    *out = m;
    return 0;
}
