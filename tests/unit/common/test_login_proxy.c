/* The PROXY protocol header, whole and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/login/login_int.h"

#define SIG "\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a"

static const char tail[] = "A1 NOOP\r\n";

/* The result must not depend on how much of the client's own bytes is there already, and no part of the header is enough. */
static enum proxy_result parse(struct view header, struct proxy_header *out, size_t *used)
{
    struct proxy_header part = {0}, whole = {0};
    enum proxy_result r, final;
    size_t n = 0;
    struct buf b;

    buf_init(&b, header.len + sizeof(tail));
    buf_put_view(&b, header);
    buf_put(&b, tail, sizeof(tail) - 1);
    final = login_proxy_parse(buf_view(&b), &whole, used);
    if (final == PROXY_DONE) {
        for (size_t i = 0; i < *used; i++)
            assert_int_equal(login_proxy_parse(view_sub(buf_view(&b), 0, i), &part, &n), PROXY_MORE);
        r = login_proxy_parse(view_sub(buf_view(&b), 0, *used), &part, &n);
        assert_int_equal(r, PROXY_DONE);
        assert_int_equal(n, *used);
        assert_memory_equal(&part, &whole, sizeof(part));
        *out = whole;
    }
    buf_free(&b);
    return final;
}

static void good(struct view header, const char *peer, uint16_t peer_port, const char *local, uint16_t local_port, bool tls)
{
    struct proxy_header h = {0};
    char text[46];
    size_t used = 0;

    assert_int_equal(parse(header, &h, &used), PROXY_DONE);
    assert_int_equal(used, header.len);
    assert_int_equal(h.tls, tls);
    assert_int_equal(h.has_addr, peer != NULL);
    if (peer == NULL)
        return;
    net_addr_format(&h.peer, text);
    assert_string_equal(text, peer);
    net_addr_format(&h.local, text);
    assert_string_equal(text, local);
    assert_int_equal(h.peer.port, peer_port);
    assert_int_equal(h.local.port, local_port);
}

static void bad(struct view header)
{
    struct proxy_header h;
    size_t used;

    assert_int_equal(parse(header, &h, &used), PROXY_BAD);
}

static void test_v1(void **state)
{
    (void)state;
    good(VIEW("PROXY TCP4 192.0.2.1 198.51.100.2 56324 993\r\n"), "192.0.2.1", 56324, "198.51.100.2", 993, false);
    good(VIEW("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"), "2001:db8::1", 1, "2001:db8::2", 65535, false);
    good(VIEW("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\n"), "192.0.2.1", 1, "192.0.2.2", 2, false);
    good(VIEW("PROXY UNKNOWN\r\n"), NULL, 0, NULL, 0, false);
    good(VIEW("PROXY UNKNOWN ffff::1 whatever 1 2\r\n"), NULL, 0, NULL, 0, false);
    bad(VIEW("PROXY TCP4 192.0.2.1 198.51.100.2 56324 993\n"));
    bad(VIEW("PROXY TCP4  192.0.2.1 198.51.100.2 56324 993\r\n"));
    bad(VIEW("PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n"));
    bad(VIEW("PROXY TCP4 192.0.2.1 198.51.100.2 56324 993 \r\n"));
    bad(VIEW("PROXY TCP4 192.0.2.1 198.51.100.2 56324 65536\r\n"));
    bad(VIEW("PROXY TCP4 192.0.2.1 198.51.100.2 000001 993\r\n"));
    bad(VIEW("PROXY TCP4 192.0.2 198.51.100.2 1 993\r\n"));
    bad(VIEW("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"));
    bad(VIEW("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n"));
    bad(VIEW("PROXY TCP4 192.0.2.1\x00 192.0.2.2 1 2\r\n"));
    bad(VIEW("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n"));
    bad(VIEW("PROXY UNKNOWNx\r\n"));
    bad(VIEW("PROXY \r\n"));
    bad(VIEW("proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n"));
    bad(VIEW("A1 NOOP\r\n"));
    bad(VIEW("PROXY UNKNOWN 000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\r\n"));
}

static void test_v2(void **state)
{
    (void)state;
    good(VIEW(SIG "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x03\xe1"), "192.0.2.1", 56324, "198.51.100.2", 993,
         false);
    good(VIEW(SIG "\x21\x21\x00\x24"
                  "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
                  "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"
                  "\x00\x01\xff\xff"),
         "2001:db8::1", 1, "2001:db8::2", 65535, false);
    /* TLVs: an unknown one, then TLS that the proxy ended. */
    good(VIEW(SIG "\x21\x11\x00\x1b\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x03\xe1"
                  "\x04\x00\x04mail"
                  "\x20\x00\x05\x01\0\0\0\0"),
         "192.0.2.1", 56324, "198.51.100.2", 993, true);
    good(VIEW(SIG "\x21\x11\x00\x14\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x03\xe1"
                  "\x20\x00\x05\x02\0\0\0\0"),
         "192.0.2.1", 56324, "198.51.100.2", 993, false);
    good(VIEW(SIG "\x20\x00\x00\x00"), NULL, 0, NULL, 0, false);
    good(VIEW(SIG "\x20\x11\x00\x03"
                  "abc"),
         NULL, 0, NULL, 0, false);
    good(VIEW(SIG "\x21\x00\x00\x02"
                  "xx"),
         NULL, 0, NULL, 0, false);
    bad(VIEW(SIG "\x11\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x03\xe1"));                 /* version */
    bad(VIEW(SIG "\x22\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x03\xe1"));                 /* command */
    bad(VIEW(SIG "\x21\x12\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x03\xe1"));                 /* UDP */
    bad(VIEW(SIG "\x21\x11\x00\x0b\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x03"));                     /* too short */
    bad(VIEW(SIG "\x21\x11\x00\x0d\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x03\xe1\x04"));             /* half a TLV */
    bad(VIEW(SIG "\x21\x11\x00\x10\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x03\xe1\x20\x00\x01\x01")); /* short TLS TLV */
    bad(VIEW(SIG "\x21\x11\x00\x0f\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x03\xe1\x04\x00\x09"));     /* TLV beyond the end */
    bad(VIEW(SIG "\x21\x11\xff\xff\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x03\xe1"));                 /* over our limit */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_v1), cmocka_unit_test(test_v2)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
