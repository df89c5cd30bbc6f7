/* Transfer encodings, charsets, encoded words, previews. */
#include <iconv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/text/text.h"
#include "storage/message/body.h"
#include "storage/message/charset_int.h"
#include "storage/message/preview.h"
#include "storage/message/transfer.h"

static bool append(void *arg, struct view piece)
{
    buf_put_view(arg, piece);
    return true;
}

static void assert_buf(struct buf *b, const char *want, size_t len)
{
    assert_true(buf_ok(b));
    if (!view_eq(buf_view(b), view_make(want, len)))
        fail_msg("\"%.*s\" is not \"%s\"", (int)buf_len(b), (const char *)buf_view(b).ptr, want);
    buf_free(b);
}

/* RFC 2045 6.7, octet by octet. */
static void quoted_slowly(struct view in, struct buf *out)
{
    for (size_t i = 0; i < in.len; i++) {
        size_t end = i + (in.ptr[i] == '=');
        while (end < in.len && (in.ptr[end] == ' ' || in.ptr[end] == '\t'))
            end++;
        bool eol = end == in.len || in.ptr[end] == '\n' || (in.ptr[end] == '\r' && end + 1 < in.len && in.ptr[end + 1] == '\n');
        char hex[3] = {0};
        if (in.ptr[i] == '=' && i + 2 < in.len)
            memcpy(hex, in.ptr + i + 1, 2);
        if (strspn(hex, "0123456789abcdefABCDEF") == 2) {
            buf_put_byte(out, (uint8_t)strtoul(hex, NULL, 16));
            i += 2;
        } else if (in.ptr[i] == '=' && eol) {
            i = end + (end < in.len && in.ptr[end] == '\r');
        } else if ((in.ptr[i] == ' ' || in.ptr[i] == '\t') && eol) {
            i = end - 1;
        } else {
            buf_put_byte(out, in.ptr[i]);
        }
    }
}

static void base64_slowly(struct view in, struct buf *out)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t acc = 0, bits = 0;
    for (size_t i = 0; i < in.len; i++) {
        const char *at = in.ptr[i] == 0 ? NULL : strchr(alphabet, in.ptr[i]);
        if (in.ptr[i] == '=')
            acc = bits = 0;
        if (at == NULL)
            continue;
        acc = acc << 6 | (uint32_t)(at - alphabet);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buf_put_byte(out, (uint8_t)(acc >> bits));
        }
        if (bits == 0)
            acc = 0;
    }
}

/* The decoders have ways of their own for what is usual. */
static void test_transfer_random(void **state)
{
    static const char quoted[] = "= \t\r\n4aF=x\r\n=", words[] = "a=3D=c3=BC  ", base64[] = "QUJD QUJD\r\nabcd=+/!";
    (void)state;
    srandom(1);
    for (unsigned round = 0; round < 20000; round++) {
        bool is_quoted = round % 2 == 0;
        const char *from = is_quoted ? quoted : base64;
        uint8_t in[5000];
        size_t n = (size_t)random() % (round % 10 == 0 ? sizeof(in) : 30), run = 0;
        const char *usual = is_quoted && round % 4 == 0 ? words : "QUJDQUJD";
        size_t longest = round % 3 == 0 ? 20 : round % 3 == 1 ? 200 : 1500;
        struct buf want, got;
        for (size_t i = 0; i<n; i++, run -= run> 0) { /* runs of what is usual, too */
            if (run == 0 && random() % 8 == 0)
                run = (size_t)random() % longest;
            in[i] = run > 0 ? (uint8_t)usual[i % strlen(usual)] : (uint8_t)from[(size_t)random() % strlen(from)];
        }
        buf_init(&want, sizeof(in));
        buf_init(&got, sizeof(in));
        if (is_quoted)
            quoted_slowly(view_make(in, n), &want);
        else
            base64_slowly(view_make(in, n), &want);
        assert_true(transfer_decode(is_quoted ? TRANSFER_QUOTED : TRANSFER_BASE64, view_make(in, n), append, &got));
        if (!view_eq(buf_view(&want), buf_view(&got)))
            print_error("round %u: %.*s\n", round, (int)n, (const char *)in);
        assert_true(view_eq(buf_view(&want), buf_view(&got)));
        buf_free(&want);
        buf_free(&got);
    }
}

/* A table's charset in pieces, with runs of ASCII between its own characters, against octet by octet. */
static void test_single_octets(void **state)
{
    static const char *const charsets[] = {"iso-8859-1", "koi8-r", "windows-1251", "windows-874", "macintosh", "nonsense"};
    (void)state;
    srandom(2);
    for (unsigned round = 0; round < 3000; round++) {
        struct charset_conv c;
        uint8_t in[3000];
        size_t n = (size_t)random() % (round % 10 == 0 ? sizeof(in) : 100);
        struct buf want, got;
        bool known = charset_open(&c, view_str(charsets[round % ARRAY_LEN(charsets)])) == 0;
        buf_init(&want, sizeof(in) * 3);
        buf_init(&got, sizeof(in) * 3);
        for (size_t i = 0; i < n; i++) {
            in[i] = (uint8_t)(random() % 20 < (long)(round % 20) ? 0x80 + random() % 0x80 : random() % 0x80);
            utf8_encode(&want, in[i] < 0x80 ? in[i] : known ? c.table[in[i] - 0x80] : 0xfffd);
        }
        for (size_t at = 0, some; at < n; at += some) {
            some = view_sub(view_make(in, n), at, 1 + (size_t)random() % (round % 2 == 0 ? sizeof(in) : 20)).len;
            charset_feed(&c, view_make(in + at, some), &got);
        }
        charset_close(&c, &got);
        assert_true(buf_ok(&got) && view_eq(buf_view(&want), buf_view(&got)));
        buf_free(&want);
        buf_free(&got);
    }
}

/* The same text for one who reads octets that are no character as U+FFFD. No octet at its end has them wait for more. */
static void test_unchecked(void **state)
{
    static const char *const pieces[] = {"a",        "word ",        "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                         "\xe2\x82", "\xf0\x9f\x98", "\xff",     "\xed\xa0",     "\xe0\x80",
                                         "\xf4\x90", "\xc3",         "\xf0\x9f", "\x80"};
    (void)state;
    srandom(3);
    for (unsigned round = 0; round < 5000; round++) {
        struct mime_param param = {VIEW("charset"), VIEW("utf-8")};
        struct mime_part part = {.params = &param, .nparams = 1, .encoding = round % 2 == 0 ? VIEW("8bit") : VIEW("base64")};
        struct buf raw, body, want, got, sane;
        buf_init(&raw, 1 << 20);
        buf_init(&body, 1 << 20);
        buf_init(&want, 1 << 20);
        buf_init(&got, 1 << 20);
        buf_init(&sane, 1 << 20);
        for (long n = random() % (round % 50 == 0 ? 30000 : 40); n > 0; n--)
            buf_put_str(&raw, pieces[(size_t)random() % (round % 3 == 0 ? 5 : ARRAY_LEN(pieces))]);
        if (round % 2 == 0)
            buf_put_view(&body, buf_view(&raw));
        else
            base64_encode(&body, buf_view(&raw));
        part.body_len = buf_len(&body);
        assert_true(body_text(buf_view(&body), &part, append, &want));
        assert_true(body_text_unchecked(buf_view(&body), &part, append, &got));
        assert_int_equal(charset_utf8_tail(buf_view(&got)), 0);
        for (struct view rest = buf_view(&got); rest.len > 0;) {
            uint32_t cp;
            unsigned len = utf8_decode(rest, &cp);
            utf8_encode(&sane, len == 0 ? 0xfffd : cp);
            rest = view_sub(rest, len == 0 ? 1 : len, rest.len);
        }
        assert_true(view_eq(buf_view(&want), buf_view(&sane)));
        buf_free(&raw);
        buf_free(&body);
        buf_free(&want);
        buf_free(&got);
        buf_free(&sane);
    }
}

static void test_transfer(void **state)
{
    (void)state;
    static const struct {
        const char *encoding, *in, *want;
    } cases[] = {
        {"7bit", "as it is\r\n", "as it is\r\n"},
        {"nonsense", "QUJD", "QUJD"},
        {"BASE64", "QUJD", "ABC"},
        {"base64", "QUJDRA==", "ABCD"},
        {"base64", "QUJDREU=", "ABCDE"},
        {"base64", "QU\r\nJD\r\n", "ABC"},
        {"base64", "Q!U*J-D", "ABC"},
        {"base64", "QUJDRA", "ABCD"},
        {"base64", "QUJDR", "ABC"},
        {"base64", "QQ==QUJD", "AABC"},
        {"base64", "====", ""},
        {"base64", "", ""},
        {"quoted-printable", "a=3Db=c3=BC", "a=b\xc3\xbc"},
        {"quoted-printable", "soft=\r\nbreak=\nagain= \t\r\n.", "softbreakagain."},
        {"quoted-printable", "trailing  \r\nblanks\t\nand  inner \t", "trailing\r\nblanks\nand  inner"},
        {"quoted-printable", "=ZZ =4 =", "=ZZ =4 "},
        {"quoted-printable", "a= b", "a= b"},
        {"quoted-printable", "=\r\n=\r\n", ""},
        {"x-uuencode", "text\r\nbegin 644 x\r\n#0V%T\r\n`\r\nend\r\nmore", "Cat"},
        {"uuencode", "begin 644 x\n#0V%T\n", "Cat"},
        {"x-uue", "no such line", "no such line"},
        {"x-uue", "begin 644 x\nM\n", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b;
        buf_init(&b, 1000);
        assert_true(transfer_decode(transfer_find(view_str(cases[i].encoding)), view_str(cases[i].in), append, &b));
        assert_buf(&b, cases[i].want, strlen(cases[i].want));
    }
}

static bool stop(void *arg, struct view piece)
{
    (void)piece;
    ++*(int *)arg;
    return false;
}

static void test_stops(void **state)
{
    (void)state;
    static uint8_t many[100000];
    static const enum transfer all[] = {TRANSFER_IDENTITY, TRANSFER_BASE64, TRANSFER_QUOTED};
    memset(many, 'A', sizeof(many));
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        int calls = 0;
        assert_false(transfer_decode(all[i], view_make(many, sizeof(many)), stop, &calls));
        assert_int_equal(calls, 1);
    }
}

static void test_linear(void **state)
{
    (void)state;
    static const char *const fills[] = {" ", "=", "= ", "=\r\n", "\t=", "begin \n", "QQ==", "\r"};
    static const enum transfer all[] = {TRANSFER_BASE64, TRANSFER_QUOTED, TRANSFER_UUENCODE};
    struct buf in, out;
    buf_init(&in, 20 << 20);
    clock_t start = clock();
    for (size_t i = 0; i < ARRAY_LEN(fills); i++) {
        buf_reset(&in);
        while (buf_len(&in) < 4 << 20)
            buf_put_str(&in, fills[i]);
        for (size_t k = 0; k < ARRAY_LEN(all); k++) {
            buf_init(&out, 20 << 20);
            assert_true(transfer_decode(all[k], buf_view(&in), append, &out));
            buf_free(&out);
        }
    }
    double took = (double)(clock() - start) / CLOCKS_PER_SEC;
    assert_true(took < 8);
    buf_free(&in);
}

static void assert_charset(const char *charset, struct view in, struct view want)
{
    struct buf b;
    buf_init(&b, 1000);
    assert_int_equal(charset_to_utf8(&b, view_str(charset), in), 0);
    assert_buf(&b, (const char *)want.ptr, want.len);
    for (size_t cut = 0; cut <= in.len; cut++) { /* in two pieces, and byte by byte */
        struct charset_conv c;
        buf_init(&b, 1000);
        assert_int_equal(charset_open(&c, view_str(charset)), 0);
        for (size_t i = 0; i < cut; i++)
            charset_feed(&c, view_sub(in, i, 1), &b);
        charset_feed(&c, view_sub(in, cut, in.len), &b);
        charset_close(&c, &b);
        assert_buf(&b, (const char *)want.ptr, want.len);
    }
}

static void test_charsets(void **state)
{
    (void)state;
    charset_preload();
    assert_charset("us-ascii", VIEW("abc"), VIEW("abc"));
    assert_charset("UTF-8", VIEW("a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80"), VIEW("a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80"));
    assert_charset("utf8", VIEW("\xff\xc3(\xe2\x82"), VIEW("\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd"));
    assert_charset("iso-8859-1", VIEW("\xe4\x80"), VIEW("\xc3\xa4\xe2\x82\xac"));
    assert_charset("ISO_8859-15", VIEW("\xa4"), VIEW("\xe2\x82\xac"));
    assert_charset("windows-1252", VIEW("\x93x\x94\x81"), VIEW("\xe2\x80\x9cx\xe2\x80\x9d\xef\xbf\xbd"));
    assert_charset("KOI8-R", VIEW("\xf0\xd2\xc9"), VIEW("\xd0\x9f\xd1\x80\xd0\xb8"));
    assert_charset("cp1251", VIEW("\xcf\xf0\xe8"), VIEW("\xd0\x9f\xd1\x80\xd0\xb8"));
    assert_charset("gb2312", VIEW("\xc4\xe3\xba\xc3"), VIEW("\xe4\xbd\xa0\xe5\xa5\xbd"));
    assert_charset("big5", VIEW("\xa7\x41\xa6\x6e"), VIEW("\xe4\xbd\xa0\xe5\xa5\xbd"));
    assert_charset("Shift_JIS", VIEW("\x93\xfa\x96\x7b"), VIEW("\xe6\x97\xa5\xe6\x9c\xac"));
    assert_charset("iso-2022-jp", VIEW("\x1b$BF|K\\\x1b(B."), VIEW("\xe6\x97\xa5\xe6\x9c\xac."));
    assert_charset("euc-kr", VIEW("\xc7\xd1"), VIEW("\xed\x95\x9c"));
    assert_charset("utf-7", VIEW("a+APw-b"),
                   VIEW("a\xc3\xbc"
                        "b"));
    assert_charset("utf-16le", VIEW("a\0\xfc\0"), VIEW("a\xc3\xbc"));
    assert_true(charset_known(VIEW("x-sjis")));
    assert_true(charset_known(VIEW("utf-8*en")));
    assert_false(charset_known(VIEW("x-unknown")));
    assert_false(charset_known(VIEW("")));
    assert_false(charset_known(VIEW("a-charset-name-that-is-longer-than-any")));
    struct buf b;
    buf_init(&b, 10);
    assert_int_equal(charset_to_utf8(&b, VIEW("nonsense"), VIEW("x")), ERR_UNSUPPORTED);
    assert_int_equal(buf_len(&b), 0);
}

/* The built-in tables say what the C library's converters say. */
static void test_tables(void **state)
{
    (void)state;
    static const char *const names[] = {
        "WINDOWS-1250", "WINDOWS-1251", "WINDOWS-1252", "WINDOWS-1253", "WINDOWS-1254", "WINDOWS-1256", "WINDOWS-1257",
        "ISO-8859-2",   "ISO-8859-3",   "ISO-8859-4",   "ISO-8859-5",   "ISO-8859-6",   "ISO-8859-7",   "ISO-8859-8",
        "ISO-8859-10",  "ISO-8859-13",  "ISO-8859-14",  "ISO-8859-15",  "ISO-8859-16",  "KOI8-R",       "KOI8-U",
        "IBM866",       "IBM437",       "IBM850",       "IBM852",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        iconv_t cd = iconv_open("UTF-8", names[i]);
        assert_true(cd != (iconv_t)-1);
        unsigned differ = 0;
        for (unsigned byte = 0xa0; byte < 0x100; byte++) {
            char in[1] = {(char)byte}, out[16], *from = in, *to = out;
            size_t left = 1, room = sizeof(out);
            struct buf b;
            buf_init(&b, 16);
            assert_int_equal(charset_to_utf8(&b, view_str(names[i]), view_make(in, 1)), 0);
            if (iconv(cd, &from, &left, &to, &room) != (size_t)-1)
                differ += !view_eq(buf_view(&b), view_make(out, sizeof(out) - room));
            buf_free(&b);
            iconv(cd, NULL, NULL, NULL, NULL);
        }
        iconv_close(cd);
        if (differ > 0)
            fail_msg("%s: %u differ", names[i], differ);
    }
}

static void test_body_text(void **state)
{
    (void)state;
    struct mime_msg m;
    struct buf b;
    struct view message =
        VIEW("Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nf=FCr=\r\n x");
    mime_parse(message, &message_limits_default, &m);
    buf_init(&b, 100);
    assert_true(body_text(message, &m.parts[0], append, &b));
    assert_buf(&b, "f\xc3\xbcr x", 6);
    mime_msg_free(&m);
    message = VIEW("Content-Type: text/plain; charset=nonsense\r\n\r\na\xfc");
    mime_parse(message, &message_limits_default, &m);
    buf_init(&b, 100);
    assert_true(body_text(message, &m.parts[0], append, &b));
    assert_buf(&b, "a\xef\xbf\xbd", 4);
    /* offsets beyond the message, as a damaged digest could have them */
    m.parts[0].body_off = 1000;
    buf_init(&b, 100);
    assert_true(body_decode(message, &m.parts[0], append, &b));
    assert_int_equal(buf_len(&b), 0);
    mime_msg_free(&m);
}

static void test_header_decode(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *want;
    } cases[] = {
        {"plain", "plain"},
        {" folded\r\n text ", "folded text"},
        {"=?ISO-8859-1?Q?a?=", "a"}, /* RFC 2047 8 */
        {"(=?ISO-8859-1?Q?a?= b)", "(a b)"},
        {"=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"},
        {"=?ISO-8859-1?Q?a?=\r\n  =?ISO-8859-1?Q?b?=", "ab"},
        {"=?ISO-8859-1?Q?a_b?=", "a b"},
        {"=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"},
        {"=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"},
        {"=?utf-8?B?w7w=?= x", "\xc3\xbc x"},
        {"=?utf-8?Q?=C3?= =?utf-8?Q?=BC?=", "\xc3\xbc"}, /* a character in two words */
        {"=?UTF-8?B?4oI=?=\r\n =?utf-8?b?rA==?=", "\xe2\x82\xac"},
        {"a=?utf-8?q?b?=c", "abc"},
        {"=?utf-8?q?two words?=", "two words"},
        {"=?utf-8?q?\?=", ""},
        {"=?utf-8?q?=41?=", "A"},
        {"=?utf-8?q?a?b?=", "a?b"},
        {"=?utf-8?x?a?=", "=?utf-8?x?a?="},
        {"=?utf-8?q?unclosed", "=?utf-8?q?unclosed"},
        {"=?=?utf-8?q?a?=", "=?a"},
        {"=?nonsense?q?=C3=BC?=", "\xc3\xbc"},
        {"=?utf-8?q?a=0D=0Ab=00?=", "a  b "},
        {"f\xc3\xbcr", "f\xc3\xbcr"},
        {"f\xfcr", "f\xc3\xbcr"},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b;
        buf_init(&b, 1000);
        header_decode(&b, view_str(cases[i].raw));
        assert_buf(&b, cases[i].want, strlen(cases[i].want));
    }
}

static void test_preview(void **state)
{
    (void)state;
    static const struct {
        const char *message, *want;
    } cases[] = {
        {"\r\n  Hello \r\n\r\n world\t!", "Hello world !"},
        {"\r\nMe wrote:\r\n> a\r\n>b\r\n\r\nc\r\n-- \r\nsig", "c"},
        {"\r\nOn Monday X wrote:\r\n\r\n> a\r\nb: \r\nc", "b: c"},
        {"\r\n> only\r\n> quotes", "> only > quotes"},
        {"Content-Type: text/html\r\n\r\n<head><title>t</title><style>p{}</style></head><!-- c --><body>a<b>b</b>c<br>d &amp; "
         "e&nbsp;&#8364;&#x41;&bogus; 1 < 2</body>",
         "abc d & e \xe2\x82\xac"
         "A&bogus; 1 < 2"},
        {"Content-Type: text/html\r\n\r\n<script>x</notscript></script>y<p", "y"},
        {"Content-Type: text/html\r\n\r\n\xe2\x80\x8b&zwnj;&shy;x", "x"},
        {"Content-Type: image/png\r\n\r\nx", ""},
        {"Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nx", ""},
        {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n \r\n--b\r\nContent-Type: text/html\r\n\r\n<p>x\r\n--b--",
         "x"},
        {"\r\n", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct mime_msg m;
        struct buf b;
        buf_init(&b, PREVIEW_CHARS * 4);
        mime_parse(view_str(cases[i].message), &message_limits_default, &m);
        bool ok = preview_make(view_str(cases[i].message), &m, &b);
        assert_int_equal(ok, cases[i].want[0] != 0);
        assert_buf(&b, cases[i].want, strlen(cases[i].want));
        mime_msg_free(&m);
    }
}

static void test_preview_length(void **state)
{
    (void)state;
    struct buf message, b;
    struct mime_msg m;
    buf_init(&message, 100000);
    buf_init(&b, PREVIEW_CHARS * 4);
    buf_put_str(&message, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
    for (unsigned i = 0; i < 1000; i++)
        buf_put_str(&message, "\xf0\x9f\x98\x80");
    mime_parse(buf_view(&message), &message_limits_default, &m);
    assert_true(preview_make(buf_view(&message), &m, &b));
    assert_true(buf_ok(&b));
    assert_int_equal(buf_len(&b), PREVIEW_CHARS * 4);
    assert_true(utf8_valid(buf_view(&b)));
    mime_msg_free(&m);
    buf_free(&message);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transfer),        cmocka_unit_test(test_single_octets), cmocka_unit_test(test_unchecked),
        cmocka_unit_test(test_transfer_random), cmocka_unit_test(test_stops),         cmocka_unit_test(test_linear),
        cmocka_unit_test(test_charsets),        cmocka_unit_test(test_tables),        cmocka_unit_test(test_body_text),
        cmocka_unit_test(test_header_decode),   cmocka_unit_test(test_preview),       cmocka_unit_test(test_preview_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
