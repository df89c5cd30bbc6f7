/* The grammar of arguments: tokens, sets, flags, dates, SEARCH and FETCH programs, and their bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "imap/fetch.h"
#include "imap/input.h"
#include "imap/search.h"

static struct imap_pool pool;
static struct imap_parse p;

static void begin(const char *text)
{
    imap_pool_free(&pool);
    imap_pool_init(&pool, 4 * 1024 * 1024);
    imap_parse_init(&p, view_str(text), &pool);
}

static void check_view(struct view got, const char *want)
{
    assert_true(imap_parse_ok(&p));
    if (!view_eq(got, view_str(want)))
        fail_msg("got '%.*s', wanted '%s'", (int)got.len, (const char *)got.ptr, want);
}

static void test_strings(void **state)
{
    (void)state;
    begin("abc] x");
    check_view(imap_parse_astring(&p), "abc]");
    begin("\"a\\\"b\\\\c\" x");
    check_view(imap_parse_astring(&p), "a\"b\\c");
    begin("{3}\r\na\nb rest");
    check_view(imap_parse_astring(&p), "a\nb");
    begin("{0+}\r\n");
    check_view(imap_parse_string(&p), "");
    begin("NIL");
    assert_null(imap_parse_nstring(&p).ptr);
    assert_true(imap_parse_ok(&p));
    begin("\"\"");
    assert_non_null(imap_parse_nstring(&p).ptr);
    begin("NIL");
    assert_null(imap_parse_octets(&p).ptr);
    begin("~{2+}\r\n\"x rest");
    check_view(imap_parse_octets(&p), "\"x");
    begin("a*b%");
    check_view(imap_parse_pattern(&p), "a*b%");
}

static void test_octets(void **state)
{
    static const char text[] = "~{3}\r\na\0b rest";
    struct view v;

    (void)state;
    begin("");
    imap_parse_init(&p, view_make(text, sizeof(text) - 1), &pool);
    v = imap_parse_octets(&p);
    assert_true(imap_parse_ok(&p) && v.len == 3 && memcmp(v.ptr, "a\0b", 3) == 0);
    imap_parse_init(&p, view_make(text + 1, sizeof(text) - 2), &pool);
    (void)imap_parse_octets(&p);
    assert_false(imap_parse_ok(&p)); /* NUL in what is no literal8 */
}

static void test_bad_strings(void **state)
{
    static const char *const bad[] = {"\"abc", "\"a\\x\"", "\"a\rb\"", "{5}\r\nabc", "{99999999999}\r\n", "{-1}\r\n",
                                      "(a",    "",         "\"\xff\"", "{1}x",       "~{1}\r\na"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        begin(bad[i]);
        (void)imap_parse_astring(&p);
        imap_parse_end(&p);
        assert_false(imap_parse_ok(&p));
        assert_non_null(imap_parse_error(&p));
    }
    begin("x");
    imap_parse_init(&p, view_make("{1}\r\n\0", 6), &pool);
    (void)imap_parse_astring(&p);
    assert_false(imap_parse_ok(&p)); /* NUL */
    imap_parse_init(&p, view_make("a\0b", 3), &pool);
    (void)imap_parse_astring(&p);
    imap_parse_end(&p);
    assert_false(imap_parse_ok(&p));
}

static void check_set(const char *text, uint32_t count, const char *want, int err)
{
    struct imap_seq_set set;
    struct uidset out;
    struct buf b;

    begin(text);
    imap_parse_set(&p, &set);
    imap_parse_end(&p);
    assert_true(imap_parse_ok(&p));
    uidset_init(&out);
    buf_init(&b, 1000);
    assert_int_equal(imap_set_resolve(&set, count, &out), err);
    if (err == 0) {
        uidset_put(&b, &out);
        check_view(buf_view(&b), want);
    }
    buf_free(&b);
    uidset_free(&out);
}

static void test_sets(void **state)
{
    static const char *const bad[] = {"0", "1:", ":1", "1,,2", ",", "1,", "*:0", "4294967296", "x", "", "01", "1:02"};
    struct imap_seq_set set;
    struct uidset out;

    (void)state;
    check_set("1:3,5", 9, "1:3,5", 0);
    check_set("9,1,4:2,3", 9, "1:4,9", 0);
    check_set("*", 9, "9", 0);
    check_set("*:3", 9, "3:9", 0);
    check_set("3:*", 3, "3", 0);
    check_set("4:*", 3, "", ERR_RANGE);
    check_set("4", 3, "", ERR_RANGE);
    check_set("1:*", 0, "", ERR_RANGE);
    check_set("*", 0, "", ERR_RANGE);
    check_set("1", 0, "", ERR_RANGE);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        begin(bad[i]);
        imap_parse_set(&p, &set);
        imap_parse_end(&p);
        assert_false(imap_parse_ok(&p));
    }
    begin("4294967295,7:*");
    imap_parse_set(&p, &set);
    uidset_init(&out);
    imap_set_resolve_uids(&set, 5, &out);
    assert_true(uidset_has(&out, 5) && uidset_has(&out, 7) && uidset_has(&out, UINT32_MAX));
    assert_int_equal(uidset_count(&out), 4);
    uidset_free(&out);
}

static void test_flags_and_dates(void **state)
{
    static const char *const bad_dates[] = {"29-Feb-2023", "001-Feb-2023", "0-Feb-2023", "1-Feb-23", "1-Feb-02023", "1-Foo-2023"};
    struct imap_flags f;
    int64_t t = 0;
    int zone = 0;

    (void)state;
    begin("(\\seen \\DRAFT $Fwd x)");
    imap_parse_flags(&p, true, &f);
    assert_true(imap_parse_ok(&p));
    assert_int_equal(f.flags, MSG_SEEN | MSG_DRAFT);
    assert_int_equal(f.nkeywords, 2);
    begin("()");
    imap_parse_flags(&p, true, &f);
    assert_true(imap_parse_ok(&p));
    begin("\\Seen \\Nope");
    imap_parse_flags(&p, true, &f);
    assert_false(imap_parse_ok(&p));
    begin("1-Jan-1970");
    assert_int_equal(imap_parse_date(&p), 0);
    begin("\"29-feb-2024\"");
    assert_int_equal(imap_parse_date(&p), 19782);
    assert_true(imap_parse_ok(&p));
    for (size_t i = 0; i < sizeof(bad_dates) / sizeof(bad_dates[0]); i++) {
        begin(bad_dates[i]);
        (void)imap_parse_date(&p);
        assert_false(imap_parse_ok(&p));
    }
    begin("\" 1-Jan-1970 01:00:00 +0100\"");
    imap_parse_date_time(&p, &t, &zone);
    assert_true(imap_parse_ok(&p));
    assert_int_equal(t, 0);
    assert_int_equal(zone, 60);
}

static void fill(char *to, size_t n, const char *piece, const char *end)
{
    size_t len = strlen(piece);

    for (size_t i = 0; i < n; i++)
        memcpy(to + i * len, piece, len);
    memcpy(to + n * len, end, strlen(end) + 1);
}

static bool search_ok(const char *text)
{
    struct imap_search_program prog = {0};

    begin(text);
    imap_search_parse(&p, &prog, false);
    imap_parse_end(&p);
    imap_search_free(&prog);
    return imap_parse_ok(&p);
}

static void test_search_bounds(void **state)
{
    char *text = malloc(100000);

    (void)state;
    assert_true(search_ok(" 1:* (OR SEEN (NOT FROM x)) HEADER a \"\" OLDER 5"));
    assert_false(search_ok(" FOO"));
    assert_false(search_ok(" OR SEEN"));
    assert_false(search_ok(" ()"));
    assert_false(search_ok(" SEEN "));
    fill(text, 64, "(", "");
    text[0] = ' ';
    memcpy(text + strlen(text), "SEEN", 5);
    fill(text + strlen(text), 63, ")", "");
    assert_true(search_ok(text));
    fill(text, 70, "(", "SEEN");
    text[0] = ' ';
    assert_false(search_ok(text));
    assert_string_equal(imap_parse_error(&p), "Too many nested parentheses");
    text[0] = ' ';
    fill(text + 1, 1000, "NOT ", "SEEN");
    assert_true(search_ok(text));
    fill(text, 1030, " SEEN", "");
    assert_false(search_ok(text));
    fill(text + 1, 20000, "OR ", "");
    text[0] = ' ';
    assert_false(search_ok(text));
    free(text);
}

static bool fetch_ok(const char *text, struct imap_fetch_request *r)
{
    *r = (struct imap_fetch_request){0};
    begin(text);
    imap_fetch_parse(&p, r, false);
    imap_parse_end(&p);
    return imap_parse_ok(&p);
}

static void test_fetch_items(void **state)
{
    static struct imap_fetch_request r;
    static const char *const bad[] = {" ()",
                                      " BODY[",
                                      " BODY[MIME]",
                                      " BODY[0]",
                                      " BODY[1.HEADER.FIELDS ()]",
                                      " BODY[]<0>",
                                      " BODY[]<0.0>",
                                      " BODY[1.]",
                                      " BODY[1TEXT]",
                                      " BINARY[1.]",
                                      " BODY[1..2]",
                                      " BINARY[HEADER]",
                                      " RFC822.NOPE",
                                      " (FLAGS",
                                      " FLAGS)",
                                      " BODYX",
                                      " BODY[HEADER.FIELDS (a:b)]"};

    (void)state;
    assert_true(fetch_ok(" (FLAGS UID FLAGS BODY.PEEK[1.2.HEADER.FIELDS (to \"x\\\"y\")]<5.7>)", &r));
    assert_int_equal(r.nitems, 3);
    check_view(r.items[2].label, "BODY[1.2.HEADER.FIELDS (to \"x\\\"y\")]<5>");
    assert_int_equal(r.items[2].npart, 2);
    assert_int_equal(r.items[2].nfields, 2);
    assert_false(r.items[2].seen);
    assert_true(fetch_ok(" BODY[1.TEXT]", &r));
    check_view(r.items[0].label, "BODY[1.TEXT]");
    assert_true(r.items[0].seen);
    assert_true(fetch_ok(" FULL", &r));
    assert_int_equal(r.nitems, 5);
    assert_true(fetch_ok(" FLAGS (CHANGEDSINCE 5)", &r));
    assert_int_equal(r.nitems, 2);
    assert_true(fetch_ok(" (RFC822 RFC822.HEADER RFC822.SIZE PREVIEW (LAZY) BODY BODYSTRUCTURE)", &r));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (fetch_ok(bad[i], &r))
            fail_msg("accepted '%s'", bad[i]);
}

static void test_literal_header(void **state)
{
    struct imap_literal l;
    bool bad;

    (void)state;
    assert_true(imap_input_literal(VIEW("a LOGIN {12}"), &l, &bad) && !bad);
    assert_true(l.size == 12 && l.sync && !l.literal8);
    assert_true(imap_input_literal(VIEW("x ~{3+}"), &l, &bad) && !bad);
    assert_true(l.size == 3 && !l.sync && l.literal8);
    assert_true(imap_input_literal(VIEW("x {4294967295}"), &l, &bad) && !bad);
    assert_true(imap_input_literal(VIEW("x {4294967296}"), &l, &bad) && bad);
    assert_true(imap_input_literal(VIEW("x {00000000000000000000001}"), &l, &bad) && bad);
    assert_false(imap_input_literal(VIEW("x {-1}"), &l, &bad));
    assert_false(imap_input_literal(VIEW("x {}"), &l, &bad));
    assert_false(imap_input_literal(VIEW("x {+}"), &l, &bad));
    assert_false(imap_input_literal(VIEW("5}"), &l, &bad));
    assert_false(imap_input_literal(VIEW("x {5} "), &l, &bad));
    assert_false(imap_input_literal(VIEW(""), &l, &bad));
}

static bool find_in(const char *needle, const char *text, size_t piece)
{
    static struct imap_find_work work;
    struct imap_find f;
    struct view v = view_str(text);
    bool found = v.len == 0 && needle[0] == '\0';

    begin("");
    assert_true(imap_find_init(&f, &pool, &work, COLLATION_UNICODE_CASEMAP, view_str(needle)));
    imap_find_reset(&f);
    while (v.len > 0 && !found) {
        struct view part = view_sub(v, 0, piece);

        found = imap_find_feed(&f, part);
        v = view_sub(v, part.len, v.len);
    }
    return found;
}

static void test_find(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 30; piece++) {
        assert_true(find_in("abcabd", "xABCABCABDy", piece));
        assert_false(find_in("abcabd", "abcabcabc", piece));
        assert_true(find_in("m\xc3\xbcller", "Hans M\xc3\x9cLLER", piece));
        assert_true(find_in("mu\xcc\x88ller", "Hans M\xc3\x9cLLER", piece)); /* decomposed */
        assert_true(find_in("STRA\xc3\x9f"
                            "E",
                            "Lange Stra\xc3\x9f"
                            "e 5",
                            piece));
        assert_false(find_in("strasse",
                             "Lange Stra\xc3\x9f"
                             "e 5",
                             piece)); /* RFC 5051 maps to title case, and there is none for it */
        assert_true(find_in("\xf0\x9f\x98\x80", "smile \xf0\x9f\x98\x80!", piece));
        assert_true(find_in("b",
                            "\xff\xc3\xe2\x82"
                            "b",
                            piece));
        assert_false(find_in("zz", "\xc3", piece));
    }
}

static int done(void **state)
{
    (void)state;
    imap_pool_free(&pool);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),     cmocka_unit_test(test_octets),          cmocka_unit_test(test_bad_strings),
        cmocka_unit_test(test_sets),        cmocka_unit_test(test_flags_and_dates), cmocka_unit_test(test_search_bounds),
        cmocka_unit_test(test_fetch_items), cmocka_unit_test(test_literal_header),  cmocka_unit_test(test_find),
    };

    return cmocka_run_group_tests(tests, NULL, done);
}
