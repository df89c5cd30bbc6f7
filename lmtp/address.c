#include "lmtp/address.h"

#include "common/text/text.h"

/* A quoted local part: anything printable, with backslash pairs (RFC 5321 4.1.2 Quoted-string). */
static void skip_quoted(struct cursor *c)
{
    cursor_expect(c, '"');
    while (!c->failed && cursor_peek(c) != '"') {
        uint8_t byte = cursor_byte(c);

        if (byte == '\\')
            byte = cursor_byte(c);
        if (byte < ' ' || byte == 0x7f)
            cursor_fail(c);
    }
    cursor_expect(c, '"');
}

static void skip_address(struct cursor *c)
{
    for (int byte = cursor_peek(c); !c->failed && byte >= 0 && byte != '>'; byte = cursor_peek(c)) {
        if (byte == '"')
            skip_quoted(c);
        else if (byte <= ' ' || byte == 0x7f || byte == '<')
            cursor_fail(c);
        else
            cursor_skip(c, 1);
    }
}

/* "@a,@b:" in front of an address means nothing any more (RFC 5321 appendix C). */
static void skip_route(struct cursor *c)
{
    if (cursor_peek(c) != '@')
        return;
    while (!c->failed && cursor_peek(c) != ':') {
        if (cursor_peek(c) <= ' ' || cursor_peek(c) == '>')
            cursor_fail(c);
        else
            cursor_skip(c, 1);
    }
    cursor_expect(c, ':');
}

void lmtp_take_path(struct cursor *c, bool allow_empty, struct view *address_out)
{
    const uint8_t *start;
    struct view address;

    cursor_expect(c, '<');
    allow_empty = allow_empty && cursor_peek(c) != '@'; /* a route leads to somebody */
    skip_route(c);
    start = c->cur;
    skip_address(c);
    if (c->failed)
        return;
    address = view_make(start, (size_t)(c->cur - start));
    cursor_expect(c, '>');
    if ((address.len == 0 && !allow_empty) || address.len > PROTO_ADDR_MAX || !utf8_valid(address))
        cursor_fail(c);
    if (!c->failed)
        *address_out = address;
}

bool lmtp_is_ascii(struct view address)
{
    for (size_t i = 0; i < address.len; i++) {
        if (address.ptr[i] >= 0x80)
            return false;
    }
    return true;
}

struct view lmtp_domain(struct view address)
{
    for (size_t i = address.len; i > 0 && address.ptr[i - 1] != '"'; i--) {
        if (address.ptr[i - 1] == '@')
            return view_sub(address, i, address.len);
    }
    return view_make(NULL, 0);
}

bool lmtp_take_param(struct cursor *c, struct view *name_out, struct view *value_out)
{
    struct view param;
    const uint8_t *start;
    size_t eq;

    if (c->failed || cursor_left(c) == 0)
        return false;
    cursor_expect(c, ' ');
    while (cursor_take(c, ' '))
        ;
    if (!c->failed && cursor_left(c) == 0)
        return false;
    start = c->cur;
    while (!c->failed && cursor_left(c) > 0 && cursor_peek(c) != ' ') {
        if (cursor_peek(c) < ' ' || cursor_peek(c) == 0x7f)
            cursor_fail(c);
        else
            cursor_skip(c, 1);
    }
    if (c->failed)
        return false;
    param = view_make(start, (size_t)(c->cur - start));
    eq = view_find(param, '=');
    if (eq == 0) {
        cursor_fail(c);
        return false;
    }
    *name_out = view_sub(param, 0, eq);
    *value_out = view_sub(param, eq + 1, param.len);
    return true;
}
