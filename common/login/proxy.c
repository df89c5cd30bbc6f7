/*
 * The PROXY protocol header (haproxy.org, doc/proxy-protocol.txt), versions 1 and 2: who the client is, told by a load
 * balancer in front. Read only where the listener expects it and only from trusted networks; still parsed as strictly as
 * anything.
 */
#include <arpa/inet.h>

#include "common/base/mem.h"
#include "common/login/login_int.h"

#define V1_MAX 107 /* with CRLF, section 2.1 */
#define V2_FIXED 16

static const uint8_t v2_signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
static const uint8_t v1_signature[6] = {'P', 'R', 'O', 'X', 'Y', ' '};

enum { V2_LOCAL = 0, V2_PROXY = 1 };
enum { V2_UNSPEC = 0x00, V2_TCP4 = 0x11, V2_TCP6 = 0x21, V2_UNIX = 0x31 };
enum { V2_TLV_SSL = 0x20, V2_SSL_CLIENT = 0x01 };

/* --- version 1 ------------------------------------------------------------------------------------------------------------ */

static struct view v1_word(struct cursor *c)
{
    struct view rest = cursor_rest(c);

    return cursor_bytes(c, view_find(rest, ' '));
}

static void v1_addr(struct cursor *c, struct net_addr *out)
{
    struct view word = v1_word(c);
    char text[INET6_ADDRSTRLEN];

    if (word.len == 0 || word.len >= sizeof(text) || view_find(word, '\0') < word.len) {
        cursor_fail(c);
        return;
    }
    memcpy(text, word.ptr, word.len);
    text[word.len] = '\0';
    if (inet_pton(out->family == 4 ? AF_INET : AF_INET6, text, out->ip) != 1)
        cursor_fail(c);
}

static uint16_t v1_port(struct cursor *c)
{
    size_t before = cursor_left(c);
    uint64_t port = cursor_dec(c, 0, 65535);

    if (before - cursor_left(c) > 5)
        cursor_fail(c);
    return (uint16_t)port;
}

/* line: without the signature and CRLF. */
static bool v1_parse(struct view line, struct proxy_header *h)
{
    struct cursor c = cursor_make(line);

    /* What follows UNKNOWN is to be ignored, and LF cannot be in it. */
    if (view_eq(line, VIEW("UNKNOWN")) || view_starts(line, VIEW("UNKNOWN ")))
        return true;
    if (cursor_take_view(&c, VIEW("TCP4 ")))
        h->peer.family = h->local.family = 4;
    else if (cursor_take_view(&c, VIEW("TCP6 ")))
        h->peer.family = h->local.family = 6;
    else
        return false;
    v1_addr(&c, &h->peer);
    cursor_expect(&c, ' ');
    v1_addr(&c, &h->local);
    cursor_expect(&c, ' ');
    h->peer.port = v1_port(&c);
    cursor_expect(&c, ' ');
    h->local.port = v1_port(&c);
    h->has_addr = true;
    return cursor_done(&c);
}

static enum proxy_result v1_header(struct view in, struct proxy_header *h, size_t *used)
{
    struct view window = view_sub(in, 0, V1_MAX);
    size_t lf = view_find(window, '\n');

    if (lf == window.len)
        return window.len == V1_MAX ? PROXY_BAD : PROXY_MORE;
    if (lf < sizeof(v1_signature) + 1 || window.ptr[lf - 1] != '\r')
        return PROXY_BAD;
    *used = lf + 1;
    return v1_parse(view_sub(window, sizeof(v1_signature), lf - 1 - sizeof(v1_signature)), h) ? PROXY_DONE : PROXY_BAD;
}

/* --- version 2 ------------------------------------------------------------------------------------------------------------ */

/* Network byte order. */
static uint16_t v2_u16(struct cursor *c)
{
    unsigned high = cursor_byte(c), low = cursor_byte(c);

    return (uint16_t)(high << 8 | low);
}

static void v2_addrs(struct cursor *c, struct proxy_header *h, uint8_t family, size_t len)
{
    struct view peer = cursor_bytes(c, len), local = cursor_bytes(c, len);

    h->peer.port = v2_u16(c);
    h->local.port = v2_u16(c);
    if (c->failed)
        return;
    h->peer.family = h->local.family = family;
    memcpy(h->peer.ip, peer.ptr, len);
    memcpy(h->local.ip, local.ptr, len);
    h->has_addr = true;
}

static void v2_tlvs(struct cursor *c, struct proxy_header *h)
{
    while (cursor_left(c) > 0) {
        uint8_t type = cursor_byte(c);
        struct view value = cursor_bytes(c, v2_u16(c));

        if (type != V2_TLV_SSL || c->failed)
            continue;
        /* client bits, then 4 bytes of the verification's result */
        if (value.len < 5)
            cursor_fail(c);
        else
            h->tls = (value.ptr[0] & V2_SSL_CLIENT) != 0;
    }
}

static enum proxy_result v2_header(struct view in, struct proxy_header *h, size_t *used)
{
    struct cursor c;
    uint8_t version, family;
    size_t len;

    if (in.len < V2_FIXED)
        return PROXY_MORE;
    c = cursor_make(view_sub(in, sizeof(v2_signature), in.len));
    version = cursor_byte(&c);
    family = cursor_byte(&c);
    len = v2_u16(&c);
    if ((version >> 4) != 2 || V2_FIXED + len > PROXY_HEADER_MAX)
        return PROXY_BAD;
    if (in.len < V2_FIXED + len)
        return PROXY_MORE;
    *used = V2_FIXED + len;
    if ((version & 15) == V2_LOCAL)
        return PROXY_DONE;
    if ((version & 15) != V2_PROXY)
        return PROXY_BAD;
    c = cursor_make(view_sub(in, V2_FIXED, len));
    switch (family) {
    case V2_TCP4:
        v2_addrs(&c, h, 4, 4);
        break;
    case V2_TCP6:
        v2_addrs(&c, h, 6, 16);
        break;
    case V2_UNIX:
        cursor_skip(&c, 216);
        break;
    case V2_UNSPEC:
        return PROXY_DONE;
    default:
        return PROXY_BAD;
    }
    v2_tlvs(&c, h);
    return cursor_done(&c) ? PROXY_DONE : PROXY_BAD;
}

/* An IPv4 address in IPv6 clothes is the IPv4 address, as for connections that come directly. */
static void unmap(struct net_addr *addr)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

    if (addr->family != 6 || memcmp(addr->ip, prefix, sizeof(prefix)) != 0)
        return;
    addr->family = 4;
    memmove(addr->ip, addr->ip + 12, 4);
    memset(addr->ip + 4, 0, 12);
}

enum proxy_result login_proxy_parse(struct view in, struct proxy_header *out, size_t *used_out)
{
    struct view v1 = view_make(v1_signature, sizeof(v1_signature)), v2 = view_make(v2_signature, sizeof(v2_signature));
    struct proxy_header h = {0};
    enum proxy_result r;
    size_t used = 0;

    if (view_starts(in, v1))
        r = v1_header(in, &h, &used);
    else if (view_starts(in, v2))
        r = v2_header(in, &h, &used);
    else
        return view_starts(v1, in) || view_starts(v2, in) ? PROXY_MORE : PROXY_BAD;
    if (r == PROXY_DONE) {
        unmap(&h.peer);
        unmap(&h.local);
        *out = h;
        *used_out = used;
    }
    return r;
}
