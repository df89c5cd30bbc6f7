/* Structure: trees, offsets, types, parameters, limits, and that none of it costs more than linear time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/unit/storage/message_check.h"

#ifdef CULVER_SANITIZED
#define SECONDS 8.0 /* sanitizers cost that much */
#else
#define SECONDS 1.0
#endif

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* "type/subtype[children]" of the tree below part i, kinds as m( ) for messages; body text of leaves in braces. */
static void put_tree(struct buf *out, struct view message, const struct mime_msg *m, uint32_t i)
{
    const struct mime_part *p = &m->parts[i];
    buf_put_view(out, p->type);
    buf_put_byte(out, '/');
    buf_put_view(out, p->subtype);
    if (p->kind == MIME_LEAF) {
        buf_put_byte(out, '{');
        buf_put_view(out, view_sub(message, p->body_off, p->body_len));
        buf_put_byte(out, '}');
        return;
    }
    buf_put_byte(out, p->kind == MIME_MESSAGE ? '(' : '[');
    for (uint32_t c = p->first_child; c != 0; c = m->parts[c].next_sibling) {
        if (m->parts[c].number > 1)
            buf_put_byte(out, ' ');
        put_tree(out, message, m, c);
    }
    buf_put_byte(out, p->kind == MIME_MESSAGE ? ')' : ']');
}

static void assert_tree(const char *text, const char *want)
{
    struct view message = view_str(text);
    struct mime_msg m;
    struct buf b;
    buf_init(&b, 100000);
    mime_parse(message, &message_limits_default, &m);
    const char *why = check_mime(message, &m);
    if (why != NULL)
        fail_msg("%s: %s", text, why);
    put_tree(&b, message, &m, 0);
    buf_put_byte(&b, 0);
    assert_string_equal((const char *)b.data, want);
    buf_free(&b);
    mime_msg_free(&m);
    assert_null(check_message(message, &message_limits_default, NULL));
}

#define MIXED(b) "Content-Type: multipart/mixed; boundary=" b "\r\n\r\n"

static void test_trees(void **state)
{
    (void)state;
    static const struct {
        const char *text, *tree;
    } cases[] = {
        {"", "text/plain{}"},
        {"\r\n", "text/plain{}"},
        {"\n", "text/plain{}"},
        {"body", "text/plain{}"}, /* a line of the header that is no field */
        {"\r\nbody", "text/plain{body}"},
        {"A: b\r\n\r\nbody\r\n", "text/plain{body\r\n}"},
        {"A: b\n\nbody\n", "text/plain{body\n}"},
        {"A: b\r\n\nbody\n", "text/plain{body\n}"},
        {"A: b\r\n \r\nC: d\r\n\r\nx", "text/plain{x}"}, /* a blank continuation does not end the header */
        {"Content-Type: image/PNG\r\n\r\nx", "image/PNG{x}"},
        {"content-type : TEXT / html (why not)\r\n\r\nx", "TEXT/html{x}"},
        {"Content-Type: text\r\n\r\nx", "text/plain{x}"},
        {"Content-Type: /html\r\n\r\nx", "text/plain{x}"},
        {"Content-Type:\r\n\r\nx", "text/plain{x}"},
        {"Content-Type: image/png\r\nContent-Type: text/html\r\n\r\nx", "image/png{x}"},
        /* RFC 2046 5.1.1: preamble, epilogue, the line end before a delimiter */
        {MIXED("b") "pre\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n\r\n--b--\r\nepilogue\r\n",
         "multipart/mixed[text/plain{one} text/plain{two\r\n}]"},
        {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n--b--\n",
         "multipart/mixed[text/plain{one} text/plain{two}]"},
        {"Content-Type: multipart/mixed; boundary=b\r\n\n--b\n\r\none\r\n--b\n\ntwo\n--b--",
         "multipart/mixed[text/plain{one} text/plain{two}]"},
        {MIXED("\"simple boundary\"") "--simple boundary \t \r\n\r\nx\r\n--simple boundary-- ", "multipart/mixed[text/plain{x}]"},
        {MIXED("b") "--b\r\n--b\r\n\r\n--b\r\nA: b\r\n--b--", "multipart/mixed[text/plain{} text/plain{} text/plain{}]"},
        {MIXED("b") "--b\r\n\r\nnever closed", "multipart/mixed[text/plain{never closed}]"},
        {MIXED("b") "--b", "multipart/mixed[text/plain{}]"},
        {MIXED("b") "--b\r\n\r\n--\r\n-b\r\n --b\r\nx--b\r\n--b--", "multipart/mixed[text/plain{--\r\n-b\r\n --b\r\nx--b}]"},
        /* nothing in it: shown as text */
        {MIXED("b") "no part", "text/plain{no part}"},
        {MIXED("b") "--b--\r\nx", "text/plain{--b--\r\nx}"},
        {MIXED("b"), "text/plain{}"},
        {"Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nx\r\n--b--", "text/plain{--b\r\n\r\nx\r\n--b--}"},
        {MIXED("\"\"") "--\r\n\r\nx\r\n----", "text/plain{--\r\n\r\nx\r\n----}"},
        /* nesting: an outer delimiter ends the inner parts; the longest boundary wins; a closed one is forgotten */
        {MIXED("a") "--a\r\n" MIXED("b") "--b\r\n\r\nx\r\n--a\r\n\r\ny\r\n--a--",
         "multipart/mixed[multipart/mixed[text/plain{x}] text/plain{y}]"},
        {MIXED("a") "--a\r\n" MIXED("ab") "--ab\r\n\r\nx\r\n--ab--\r\n--a\r\n\r\ny\r\n--a--",
         "multipart/mixed[multipart/mixed[text/plain{x}] text/plain{y}]"},
        {MIXED("ab") "--ab\r\n" MIXED("a") "--a\r\n\r\nx\r\n--a--\r\n--ab\r\n\r\ny\r\n--ab--",
         "multipart/mixed[multipart/mixed[text/plain{x}] text/plain{y}]"},
        {MIXED("a") "--a\r\n" MIXED("a") "--a\r\n\r\nx\r\n--a--\r\n--a\r\n\r\ny\r\n--a--",
         "multipart/mixed[multipart/mixed[text/plain{x}] text/plain{y}]"},
        {MIXED("a--") "--a--\r\n" MIXED("a----") "--a----\r\n\r\nx\r\n--a------\r\n--a----",
         "multipart/mixed[multipart/mixed[text/plain{x}]]"},
        {MIXED("a") "--a\r\n" MIXED("b") "--a--", "multipart/mixed[text/plain{}]"},
        /* messages */
        {"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ny", "message/rfc822(text/plain{y})"},
        {"Content-Type: message/rfc822\r\n\r\n", "message/rfc822(text/plain{})"},
        {"Content-Type: message/rfc822\r\n", "message/rfc822(text/plain{})"},
        {"Content-Type: Message/Global\r\n\r\n\r\ny", "Message/Global(text/plain{y})"},
        {"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==", "application/octet-stream{QQ==}"},
        {"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\r\ny", "message/rfc822(text/plain{y})"},
        {"Content-Type: message/delivery-status\r\n\r\nx", "message/delivery-status{x}"},
        {MIXED("b") "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n--b\r\n\r\ny\r\n--b--",
         "multipart/mixed[message/rfc822(text/plain{}) text/plain{y}]"},
        {MIXED("b") "--b\r\nContent-Type: message/rfc822\r\n\r\n" MIXED("c") "--c\r\n\r\nx\r\n--b--",
         "multipart/mixed[message/rfc822(multipart/mixed[text/plain{x}])]"},
        {"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: x\r\n\r\none\r\n--b\r\nContent-Type: "
         "text/html\r\n\r\ntwo\r\n--b\r\n\r\n--b--",
         "multipart/digest[message/rfc822(text/plain{one}) text/html{two} message/rfc822(text/plain{})]"},
        {"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\nContent-Type: broken\r\n\r\nx\r\n--b--",
         "multipart/digest[text/plain{x}]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_tree(cases[i].text, cases[i].tree);
}

static void assert_view(struct view v, const char *want)
{
    if (want == NULL) {
        assert_null(v.ptr);
        return;
    }
    assert_non_null(v.ptr);
    if (!view_eq(v, view_str(want)))
        fail_msg("\"%.*s\" is not \"%s\"", (int)v.len, (const char *)v.ptr, want);
}

/* Parameters of a Content-Type whose part after the type is given, as "name=value|name=value". */
static void assert_params(const char *params, const char *want)
{
    struct buf text, got;
    struct mime_msg m;
    buf_init(&text, 1 << 20);
    buf_init(&got, 1 << 20);
    buf_put_fmt(&text, "Content-Type: x/y%s\r\n\r\n", params);
    mime_parse(buf_view(&text), &message_limits_default, &m);
    for (size_t i = 0; i < m.parts[0].nparams; i++) {
        if (i > 0)
            buf_put_byte(&got, '|');
        buf_put_view(&got, m.parts[0].params[i].name);
        buf_put_byte(&got, '=');
        buf_put_view(&got, m.parts[0].params[i].value);
    }
    buf_put_byte(&got, 0);
    assert_string_equal((const char *)got.data, want);
    assert_null(check_message(buf_view(&text), &message_limits_default, NULL));
    mime_msg_free(&m);
    buf_free(&text);
    buf_free(&got);
}

static void test_params(void **state)
{
    (void)state;
    static const struct {
        const char *params, *want;
    } cases[] = {
        {"", ""},
        {";", ""},
        {"; a=b", "a=b"},
        {" ; A = b ;c=\"d e\"", "A=b|c=d e"},
        {"; a=b; A=c", "a=b"},
        {"; charset=us-ascii (Plain text)", "charset=us-ascii"},
        {"; charset=\"us\\-ascii\"", "charset=us-ascii"},
        {"; name=\"a\\\"b\\\\c\"", "name=a\"b\\c"},
        {"; name=\"a;\r\n b\"; x=y", "name=a; b|x=y"},
        {"; name=\"never closed", "name=never closed"},
        {"; name=\"trailing\\", "name=trailing\\"},
        {"; name=two words.pdf; x=y", "name=two words.pdf|x=y"},
        {"; charset=utf-8 format=flowed", "charset=utf-8|format=flowed"},
        {"; charset=\"utf-8\" format=flowed", "charset=utf-8|format=flowed"},
        {" charset=utf-8", "charset=utf-8"},
        {"; boundary==_a=b", "boundary==_a=b"},
        {"; name=[x].txt", "name=[x].txt"},
        {"; flag; a=b", "a=b"},
        {"; =b; a=c", "a=c"},
        {";;; ;a=b;;", "a=b"},
        {"; name==?utf-8?Q?f=C3=BC?=", "name==?utf-8?Q?f=C3=BC?="},
        {"; (comment (nested \\) ) ) a=(x) b", "a=b"},
        {"; a=b (unclosed", "a=b"},
        {"; name=", "name="},
        {"; name=\"\"", "name="},
        /* RFC 2231 3, 4 and their mixture */
        {"; URL*0=\"ftp://\"; URL*1=\"cs.utk.edu/pub/moore\"", "URL=ftp://cs.utk.edu/pub/moore"},
        {"; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A", "title=This is ***fun***"},
        {"; title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"",
         "title=This is even more ***fun*** isn't it!"},
        {"; name*=iso-8859-1''%e4%f6", "name=\xc3\xa4\xc3\xb6"},
        {"; name*=utf-8''%e2%82%ac; name=EUR", "name=\xe2\x82\xac"},
        {"; name=EUR; name*=utf-8''%e2%82%ac", "name=\xe2\x82\xac"},
        {"; a*1=two; a*0=one; a*3=four", "a=onetwo"},
        {"; a*1=one; a*2=two", "a=onetwo"},
        {"; a*0*=utf-8''%c3; a*1*=%bc", "a=\xc3\xbc"},
        {"; a*=nonsense''%ff", "a=\xef\xbf\xbd"},
        {"; a*=%41%zz%4", "a=A%zz%4"},
        {"; a*=utf-8''%00%0d%0ab", "a=b"},
        {"; a**=b", "a**=b"},
        {"; a*99999999999=b", "a*99999999999=b"},
        {"; *=b", "*=b"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_params(cases[i].params, cases[i].want);
}

static void test_fields(void **state)
{
    (void)state;
    struct mime_msg m;
    mime_parse(VIEW("Content-Type: image/png; name=x\r\n"
                    "Content-Transfer-Encoding: BASE64 (really)\r\n"
                    "Content-ID: <a\r\n b@c>\r\n"
                    "Content-Description: two\r\n\tlines \r\n"
                    "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\r\n"
                    "Content-Disposition: attachment; filename=\"x y\"; size=5\r\n"
                    "Content-Language: de, en-GB (British),, fr\r\n"
                    "Content-Location: http://example.org/\r\n a/very/long\r\n"
                    "Content-ID: <second>\r\n"
                    "\r\nx"),
               &message_limits_default, &m);
    const struct mime_part *p = &m.parts[0];
    assert_int_equal(m.nparts, 1);
    assert_view(p->encoding, "BASE64");
    assert_view(p->id, "<a b@c>");
    assert_view(p->description, "two\tlines");
    assert_view(p->md5, "Q2hlY2sgSW50ZWdyaXR5IQ==");
    assert_view(p->location, "http://example.org/a/very/long");
    assert_view(p->disposition, "attachment");
    assert_int_equal(p->ndisposition_params, 2);
    assert_view(p->disposition_params[0].value, "x y");
    assert_int_equal(p->nlanguages, 3);
    assert_view(p->languages[1], "en-GB");
    assert_false(m.truncated);
    mime_msg_free(&m);

    mime_parse(VIEW("Content-Disposition:\r\nContent-Language: ,\r\nContent-Transfer-Encoding:\r\nContent-ID:\r\n\r\n"),
               &message_limits_default, &m);
    assert_null(m.parts[0].disposition.ptr);
    assert_int_equal(m.parts[0].nlanguages, 0);
    assert_view(m.parts[0].encoding, "7bit");
    assert_view(m.parts[0].id, "");
    assert_null(m.parts[0].description.ptr);
    assert_view(m.parts[0].params[0].value, "us-ascii");
    mime_msg_free(&m);
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        uint64_t lines;
    } cases[] = {{"", 0}, {"x", 1}, {"x\r\n", 1}, {"x\r\ny", 2}, {"\r\n", 1}, {"\n\n\n", 3}, {"x\r", 1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b;
        struct mime_msg m;
        buf_init(&b, 1000);
        buf_put_fmt(&b, "A: b\r\n\r\n%s", cases[i].body);
        mime_parse(buf_view(&b), &message_limits_default, &m);
        assert_int_equal(m.parts[0].body_lines, cases[i].lines);
        mime_msg_free(&m);
        buf_free(&b);
    }
}

static bool collect(void *arg, struct view name, struct view value, struct view whole)
{
    struct buf *b = arg;
    buf_put_view(b, name);
    buf_put_byte(b, '|');
    buf_put_view(b, value);
    buf_put_byte(b, '|');
    buf_put_dec(b, whole.len);
    buf_put_byte(b, ';');
    return name.len != 4;
}

static void test_header_each(void **state)
{
    (void)state;
    static const struct view header = {
        (const uint8_t *)"A: b\r\nFrom me\r\nC : d\r\n e\r\nX:\n\tfold\r\n y\nStop:1\r\nN: o\r\n\r\nB: body", 68};
    struct buf b;
    buf_init(&b, 1000);
    header_each(header, collect, &b);
    assert_view(buf_view(&b), "A| b|6;|From me|9;C| d\r\n e|11;X|\n\tfold\r\n y|13;Stop|1|8;");
    assert_view(header_find(header, VIEW("x")), "\n\tfold\r\n y");
    assert_view(header_find(header, VIEW("n")), " o");
    assert_view(header_find(header, VIEW("B")), NULL);
    buf_reset(&b);
    header_unfold(&b, header_find(header, VIEW("x")));
    assert_view(buf_view(&b), "fold y");
    buf_free(&b);
}

/* --- hostile sizes --- */

static void put_many(struct buf *b, const char *text, size_t n)
{
    struct view v = view_str(text);
    uint8_t *room = buf_reserve(b, v.len * n);
    assert_non_null(room);
    for (size_t i = 0; i < n; i++)
        memcpy(room + i * v.len, v.ptr, v.len);
    buf_commit(b, v.len * n);
}

/* Parses and builds the digest within the time; returns the number of parts. */
static size_t assert_fast(struct buf *b, const char *what, bool *truncated_out)
{
    struct buf out;
    struct mime_msg m;
    double start = now();
    mime_parse(buf_view(b), &message_limits_default, &m);
    double parsed = now() - start;
    buf_init(&out, 2 << 20);
    digest_build(buf_view(b), &message_limits_default, &out);
    double built = now() - start - parsed;
    assert_true(buf_ok(&out));
    if (parsed > SECONDS || built > SECONDS)
        fail_msg("%s: parsed in %.3f s, digest in %.3f s", what, parsed, built);
    print_message("  %-28s %9zu octets: parsed in %6.1f ms, digest in %6.1f ms, %7zu octets\n", what, buf_len(b), parsed * 1e3,
                  built * 1e3, buf_len(&out));
    size_t n = m.nparts;
    if (truncated_out != NULL)
        *truncated_out = m.truncated;
    const char *why = check_mime(buf_view(b), &m);
    if (why != NULL)
        fail_msg("%s: %s", what, why);
    mime_msg_free(&m);
    buf_free(&out);
    return n;
}

static void test_hostile(void **state)
{
    (void)state;
    struct buf b;
    bool truncated;
    buf_init(&b, (size_t)256 << 20);
    buf_put_str(&b, "Content-Type: text/plain\r\n");
    put_many(&b, "X-Header: some value of a field\r\n", 100000);
    put_many(&b, "\r\nDGVzdA0KdGVzdA0KdGVzdA0KdGVzdA0KdGVzdA0KdGVzdA0KdGVzdA0KdGVzdA0KdGVzdA0K", 640000);
    assert_int_equal(assert_fast(&b, "50 MB, 100 000 fields", NULL), 1);

    buf_reset(&b);
    put_many(&b, "A: b\r\n", 1000000);
    assert_int_equal(assert_fast(&b, "1 000 000 fields", NULL), 1);

    buf_reset(&b);
    for (unsigned i = 0; i < 10000; i++)
        buf_put_fmt(&b, "Content-Type: multipart/mixed; boundary=b%05u\r\n\r\n--b%05u\r\n", i, i);
    assert_int_equal(assert_fast(&b, "10 000 nested multiparts", &truncated), 101);
    assert_true(truncated);

    buf_reset(&b);
    for (unsigned i = 0; i < 1000000; i++)
        buf_put_fmt(&b, "--b%07u\nContent-Type: multipart/mixed; boundary=b%07u\n\n", i, i + 1);
    (void)assert_fast(&b, "1 000 000 nested, no start", NULL);

    buf_reset(&b);
    buf_put_str(&b, "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
    put_many(&b, "--b\r\n", 1000000);
    assert_int_equal(assert_fast(&b, "1 000 000 parts", &truncated), 10000);
    assert_true(truncated);

    buf_reset(&b);
    put_many(&b, "Content-Type: message/rfc822\r\n\r\n", 300000);
    assert_int_equal(assert_fast(&b, "300 000 nested messages", &truncated), 101);
    assert_true(truncated);

    buf_reset(&b);
    put_many(&b, "To: ", 500000);
    buf_put_str(&b, "\r\n");
    put_many(&b, "To: a@b, c@d\r\n", 500000);
    put_many(&b, "Cc:", 1);
    put_many(&b, " x@y,\r\n", 500000);
    (void)assert_fast(&b, "1 500 000 addresses", NULL);
    buf_free(&b);
}

static void test_hostile_boundaries(void **state)
{
    (void)state;
    struct buf b;
    char common[181];
    buf_init(&b, (size_t)256 << 20);
    memset(common, 'x', 180);
    common[180] = 0;
    for (unsigned i = 0; i < 100; i++)
        buf_put_fmt(&b, "Content-Type: multipart/mixed; boundary=%s%u\r\n\r\n--%s%u\r\n", common, i, common, i);
    buf_put_str(&b, "\r\n");
    for (unsigned i = 0; i < 200000; i++)
        buf_put_fmt(&b, "--%sy\r\n", common);
    (void)assert_fast(&b, "100 open, long alike", NULL);

    buf_reset(&b);
    for (unsigned i = 1; i <= 100; i++)
        buf_put_fmt(&b, "Content-Type: multipart/mixed; boundary=%.*s\r\n\r\n--%.*s\r\n", (int)i, common, (int)i, common);
    buf_put_str(&b, "\r\n");
    for (unsigned i = 0; i < 200000; i++)
        buf_put_fmt(&b, "--y%s\r\n-%s\r\n", common, common);
    (void)assert_fast(&b, "100 open, prefixes", NULL);

    /* with limits that let thousands be open at once */
    struct message_limits limits = message_limits_default;
    struct mime_msg m;
    limits.depth = 20000;
    limits.parts = 50000;
    buf_reset(&b);
    for (unsigned i = 0; i < 5000; i++)
        buf_put_fmt(&b, "Content-Type: multipart/mixed; boundary=boundary%08u\r\n\r\n--boundary%08u\r\n", i, i);
    buf_put_str(&b, "\r\n");
    for (unsigned i = 0; i < 500000; i++)
        buf_put_fmt(&b, "--boundary9%07u\r\n", i);
    double start = now();
    mime_parse(buf_view(&b), &limits, &m);
    double took = now() - start;
    print_message("  5 000 open boundaries, 500 000 candidate lines: %.1f ms\n", took * 1e3);
    assert_true(took < SECONDS);
    assert_int_equal(m.nparts, 5001);
    assert_null(check_mime(buf_view(&b), &m));
    mime_msg_free(&m);
    buf_free(&b);
}

static void test_hostile_params(void **state)
{
    (void)state;
    struct buf b;
    struct mime_msg m;
    struct message_limits limits = message_limits_default;
    buf_init(&b, (size_t)64 << 20);
    buf_put_str(&b, "Content-Type: text/plain");
    for (unsigned i = 0; buf_len(&b) < (10u << 20); i++)
        buf_put_fmt(&b, "; a*%u*=x", i);
    buf_put_str(&b, "\r\n\r\n");
    limits.header_kept = 64 << 20;
    double start = now();
    mime_parse(buf_view(&b), &limits, &m);
    double took = now() - start;
    print_message("  10 MiB of a*N*=: %.1f ms\n", took * 1e3);
    assert_true(took < SECONDS / 5);
    assert_true(m.truncated);
    mime_msg_free(&m);
    (void)assert_fast(&b, "10 MiB of a*N*=", NULL);

    static const char *const fills[] = {"; a*0*=x",   "; a=b", ";(",   "; a=\"", "(", "\"", "\\",
                                        "; a*0=\"\\", " a",    "=?=?", "[",      "*", "'"};
    for (size_t i = 0; i < ARRAY_LEN(fills); i++) {
        buf_reset(&b);
        buf_put_str(&b, "Subject: ");
        put_many(&b, fills[i], 300000);
        buf_put_str(&b, "\r\nTo: ");
        put_many(&b, fills[i], 300000);
        buf_put_str(&b, "\r\nReferences: ");
        put_many(&b, fills[i], 300000);
        buf_put_str(&b, "\r\nContent-Type: text/plain");
        put_many(&b, fills[i], 1000000);
        (void)assert_fast(&b, fills[i], NULL);
    }
    buf_free(&b);
}

static void test_limits(void **state)
{
    (void)state;
    struct message_limits limits = {.depth = 2, .parts = 4, .params = 2, .addresses = 3, .header_kept = 1000, .boundary = 5};
    struct mime_msg m;
    struct view text = VIEW(MIXED("b") "--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b\r\n\r\n3\r\n--b\r\n\r\n4\r\n--b--\r\n");
    mime_parse(text, &limits, &m);
    assert_int_equal(m.nparts, 4);
    assert_true(m.truncated);
    assert_null(check_mime(text, &m));
    assert_view(m.parts[3].type, "application");
    assert_int_equal(m.parts[3].header_len, 0);
    assert_int_equal(m.parts[3].body_off + m.parts[3].body_len, text.len);
    mime_msg_free(&m);

    text = VIEW(MIXED("abcdef") "--abcdef\r\n\r\nx\r\n--abcdef--");
    mime_parse(text, &limits, &m);
    assert_int_equal(m.nparts, 1);
    assert_true(m.truncated);
    mime_msg_free(&m);

    text = VIEW("Content-Type: text/plain; a=1; b=2; c=3\r\n\r\n");
    mime_parse(text, &limits, &m);
    assert_int_equal(m.parts[0].nparams, 2);
    assert_true(m.truncated);
    mime_msg_free(&m);

    limits.parts = 1;
    text = VIEW(MIXED("b") "--b\r\n\r\n1\r\n--b--");
    mime_parse(text, &limits, &m);
    assert_int_equal(m.nparts, 1);
    assert_null(check_mime(text, &m));
    mime_msg_free(&m);
}

/* What is kept between two pieces is bounded, whatever comes. */
static void test_memory(void **state)
{
    (void)state;
    static const char *const fills[] = {"Content-Type: x", "X-Y: z\r\n", "Content-Type: a/b\r\n c\r\n", "-", "--\r", "C"};
    struct message_limits limits = message_limits_default;
    for (size_t i = 0; i < ARRAY_LEN(fills); i++) {
        struct mime_parser *p = mime_parser_new(&limits);
        struct buf b;
        struct mime_msg m;
        buf_init(&b, 2 << 20);
        put_many(&b, fills[i], (1 << 20) / strlen(fills[i]));
        mime_parser_feed(p, VIEW("Content-Type: multipart/mixed; boundary=b\r\n"));
        if (fills[i][0] == '-')
            mime_parser_feed(p, VIEW("\r\n"));
        for (unsigned n = 0; n < 64; n++) {
            mime_parser_feed(p, buf_view(&b));
            assert_true(mime_parser_memory(p) < 16384 + limits.header_kept / 4 * 2);
        }
        mime_parser_finish(&p, &m);
        assert_int_equal(m.nparts, 1);
        mime_msg_free(&m);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees),          cmocka_unit_test(test_params),
        cmocka_unit_test(test_fields),         cmocka_unit_test(test_lines),
        cmocka_unit_test(test_header_each),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_hostile),        cmocka_unit_test(test_hostile_boundaries),
        cmocka_unit_test(test_hostile_params), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
