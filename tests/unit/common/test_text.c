#include "tests/unit/common/unit.h"

#include "common/secret/secret.h"
#include "common/text/text.h"

static struct buf out;

static struct view fresh(void)
{
    return buf_view(&out);
}

#define assert_out(text)            \
    do {                            \
        assert_view(fresh(), text); \
        buf_reset(&out);            \
    } while (0)

static void test_utf8(void **state)
{
    (void)state;
    assert_true(utf8_valid(view_make(NULL, 0)));
    assert_true(
        utf8_valid(VIEW("a\0b\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")));
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2\x61",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xfe",
                                      "\xff",
                                      "\xf0\x90\x80",
                                      "\xe1\x80"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(utf8_valid(view_str(bad[i])));
    for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
        if (cp >= 0xd800 && cp <= 0xdfff)
            continue;
        uint32_t back = 0;
        utf8_encode(&out, cp);
        assert_int_equal(utf8_decode(fresh(), &back), buf_len(&out));
        assert_int_equal(back, cp);
        buf_reset(&out);
    }
    utf8_encode(&out, 0xd800);
    utf8_encode(&out, 0x110000);
    assert_out("\xef\xbf\xbd\xef\xbf\xbd");
    /* Unicode 3.9, table of maximal subparts. */
    utf8_sanitize(&out, VIEW("a\xf1\x80\x80\xe1\x80\xc2"
                             "b\x80"
                             "c\x80\xbf"
                             "d\xed\xa0\x80"));
    assert_out("a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
               "b\xef\xbf\xbd"
               "c\xef\xbf\xbd\xef\xbf\xbd"
               "d\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

static void test_base64(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        base64_encode(&out, view_str(pairs[i][0]));
        assert_true(view_eq(fresh(), view_str(pairs[i][1])));
        buf_reset(&out);
        assert_int_equal(base64_decode(&out, view_str(pairs[i][1])), 0);
        assert_true(view_eq(fresh(), view_str(pairs[i][0])));
        buf_reset(&out);
    }
    static const char *const bad[] = {"Z",      "Zg",   "Zg=",   "Zh==", "Zm9=",     "====", "Zg==Zg==", "Z===",
                                      "Zm9v\n", " Zm9", "Zm9v=", "Zm-v", "Zm9v====", "=m9v", "Zg=a",     "\xc3\xbcm9"};
    buf_put_str(&out, "kept");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(base64_decode(&out, view_str(bad[i])), ERR_SYNTAX);
    assert_out("kept");
    /* Sizes: ceil(n/3)*4 out, and back. */
    uint8_t bytes[4096];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 37 + i / 256);
    for (size_t n = 0; n <= sizeof(bytes); n += n < 64 ? 1 : 97) {
        struct buf back;
        buf_init(&back, n);
        base64_encode(&out, view_make(bytes, n));
        assert_int_equal(buf_len(&out), (n + 2) / 3 * 4);
        assert_int_equal(base64_decode(&back, fresh()), 0);
        assert_true(view_eq(buf_view(&back), view_make(bytes, n)));
        buf_free(&back);
        buf_reset(&out);
    }
    struct buf small;
    buf_init(&small, 2);
    assert_int_equal(base64_decode(&small, VIEW("Zm9v")), ERR_LIMIT);
    buf_free(&small);
}

static void test_mutf7(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"INBOX", "INBOX"},
        {"a&b", "a&-b"},
        {"~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"},
        {"\xe2\x98\xba!", "&Jjo-!"},
        {"\xe2\x98\xba&", "&Jjo-&-"},
        {"\xf0\x9f\x98\x80", "&2D3eAA-"},
        {"\xc3\xa9", "&AOk-"},
        {"Entw\xc3\xbcrfe", "Entw&APw-rfe"},
        {"\x01", "&AAE-"},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        assert_int_equal(mutf7_encode(&out, view_str(pairs[i][0])), 0);
        assert_true(view_eq(fresh(), view_str(pairs[i][1])));
        buf_reset(&out);
        assert_int_equal(mutf7_decode(&out, view_str(pairs[i][1])), 0);
        assert_true(view_eq(fresh(), view_str(pairs[i][0])));
        buf_reset(&out);
    }
    static const char *const bad[] = {
        "&",   "&Jjo",  "&Jjo!", "&Jjo!-",   "&U,BTFw-&ZeVnLIqe-", "&AGE-", "&AC8-", "&ACY-", "&AOl-",  "&AO-",    "&AOkA-",
        "&A-", "&2D0-", "&3gA-", "&2D0AOk-", "\xc3\xa9",           "a\x01", "a\x7f", "&AOk=", "&AOk/-", "&AOkAA-", "&2D3YPQ-"};
    buf_put_str(&out, "kept");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(mutf7_decode(&out, view_str(bad[i])), ERR_SYNTAX);
    assert_int_equal(mutf7_encode(&out, VIEW("a\xff")), ERR_SYNTAX);
    assert_out("kept");
}

static void test_ascii(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        assert_int_equal(ascii_lower((uint8_t)c), c >= 'A' && c <= 'Z' ? c + 32 : c);
        assert_int_equal(ascii_upper((uint8_t)c), c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    hex_encode(&out, VIEW("\x00\x7f\xff"));
    assert_out("007fff");
}

static void test_time(void **state)
{
    (void)state;
    assert_int_equal(time_from_civil(1970, 1, 1, 0, 0, 0), 0);
    assert_int_equal(time_from_civil(2026, 11, 23, 5, 11, 34), 1795410694);
    assert_int_equal(time_from_civil(1969, 12, 31, 23, 59, 59), -1);
    assert_int_equal(time_from_civil(2000, 2, 29, 0, 0, 0), 951782400);
    for (int64_t day = -800000; day < 3000000; day += 7) {
        struct civil_time c;
        int64_t t = day * 86400 + 12345;
        time_to_civil(t, 0, &c);
        assert_int_equal(time_from_civil(c.year, c.month, c.day, c.hour, c.minute, c.second), t);
        assert_int_equal(c.weekday, ((day + 4) % 7 + 7) % 7);
    }
    struct civil_time c;
    time_to_civil(INT64_MAX, 720, &c);
    time_to_civil(INT64_MIN, -720, &c);
    time_put_rfc5322(&out, 1795410694, 0);
    assert_out("Mon, 23 Nov 2026 05:11:34 +0000");
    time_put_rfc5322(&out, 0, -90);
    assert_out("Wed, 31 Dec 1969 22:30:00 -0130");
    time_put_imap(&out, 1795410694, 0);
    assert_out("23-Nov-2026 05:11:34 +0000");
    time_put_imap(&out, 0, 330);
    assert_out(" 1-Jan-1970 05:30:00 +0530");
    time_put_imap(&out, INT64_MAX, INT32_MIN);
    assert_out(" 1-Jan-1970 00:00:00 +0000");
}

static void test_parse_imap_date(void **state)
{
    (void)state;
    int64_t t = 7;
    int zone = 7;
    assert_int_equal(time_parse_imap(VIEW(" 1-jan-1970 05:30:00 +0530"), &t, &zone), 0);
    assert_int_equal(t, 0);
    assert_int_equal(zone, 330);
    assert_int_equal(time_parse_imap(VIEW("29-Feb-2024 23:59:60 -0800"), &t, &zone), 0);
    assert_int_equal(t, time_from_civil(2024, 3, 1, 8, 0, 0));
    static const char *const bad[] = {"",
                                      "1-Jan-1970 00:00:00 +0000",
                                      " 1-Jan-1970 00:00:00 +000",
                                      " 1-Jan-1970 00:00:00 0000",
                                      " 1-Jan-1970 00:00:00 +00000",
                                      "29-Feb-2023 00:00:00 +0000",
                                      "00-Jan-1970 00:00:00 +0000",
                                      "31-Apr-1970 00:00:00 +0000",
                                      " 1-Jan-1970 24:00:00 +0000",
                                      " 1-Jan-1970 00:60:00 +0000",
                                      " 1-Jan-1970 00:00:61 +0000",
                                      " 1-Jan-1970 00:00:00 +0060",
                                      " 1-Jan-1970 00:00:00 +2400",
                                      " 1-Foo-1970 00:00:00 +0000",
                                      " 1-Jan-70 00:00:00 +0000",
                                      " 1-Jan-1970T00:00:00 +0000"};
    int64_t kept = t;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_true(time_parse_imap(view_str(bad[i]), &t, &zone) < 0);
    assert_int_equal(t, kept);
    for (int64_t at = -60000000000; at < 250000000000; at += 12345678901) {
        time_put_imap(&out, at, -345);
        assert_int_equal(time_parse_imap(fresh(), &t, &zone), 0);
        assert_int_equal(t, at);
        assert_int_equal(zone, -345);
        buf_reset(&out);
    }
}

static void test_secret(void **state)
{
    (void)state;
    struct secret *s = secret_new(VIEW("pass\0word"));
    assert_non_null(s);
    assert_view(secret_view(s), "pass\0word");
    assert_int_equal(secret_view(s).ptr[9], 0);
    assert_true(secret_equal(secret_view(s), VIEW("pass\0word")));
    assert_false(secret_equal(secret_view(s), VIEW("pass\0worx")));
    assert_false(secret_equal(secret_view(s), VIEW("pass")));
    secret_free(&s);
    assert_null(s);
    secret_free(&s);
    s = secret_new(view_make(NULL, 0));
    assert_true(secret_equal(secret_view(s), view_make(NULL, 0)));
    secret_free(&s);
    char x[4] = "abc";
    secret_wipe(x, sizeof(x));
    assert_memory_equal(x, "\0\0\0\0", 4);
    secret_wipe(NULL, 0);
}

static int setup(void **state)
{
    (void)state;
    buf_init(&out, 1 << 16);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_free(&out);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_mutf7),
        cmocka_unit_test(test_ascii),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_secret),
        cmocka_unit_test(test_parse_imap_date),
    };
    return cmocka_run_group_tests_name("text", tests, setup, teardown);
}
