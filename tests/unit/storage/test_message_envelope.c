/* Envelopes, addresses, dates, base subjects, message identifiers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/text/text.h"
#include "storage/message/casemap.h"
#include "tests/unit/storage/message_check.h"

static void put_nstring(struct buf *out, struct view v)
{
    if (v.ptr == NULL)
        buf_put_byte(out, '-');
    else
        buf_put_view(out, v);
}

/* "name|route|mailbox|host, ..." with "-" for NIL. */
static void put_list(struct buf *out, struct address_list list)
{
    for (size_t i = 0; i < list.n; i++) {
        const struct address *a = &list.items[i];
        if (i > 0)
            buf_put_str(out, ", ");
        put_nstring(out, a->name);
        buf_put_byte(out, '|');
        put_nstring(out, a->route);
        buf_put_byte(out, '|');
        put_nstring(out, a->mailbox);
        buf_put_byte(out, '|');
        put_nstring(out, a->host);
    }
}

static void assert_buf(struct buf *b, const char *want)
{
    buf_put_byte(b, 0);
    assert_true(buf_ok(b));
    assert_string_equal((const char *)b->data, want);
    buf_free(b);
}

static void assert_list(const char *value, const char *want)
{
    struct envelope e;
    struct buf header, got;
    buf_init(&header, 100000);
    buf_init(&got, 100000);
    buf_put_fmt(&header, "To: %s\r\n", value);
    envelope_parse(buf_view(&header), &message_limits_default, &e);
    assert_null(check_envelope(&e));
    put_list(&got, e.to);
    assert_buf(&got, want);
    envelope_free(&e);
    buf_free(&header);
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *value, *want;
    } cases[] = {
        {"", ""},
        {"a@b", "-|-|a|b"},
        {"<a@b>", "-|-|a|b"},
        {"Fred Foo <a@b>", "Fred Foo|-|a|b"},
        {"\"Foo, Fred\" <a@b>, c@d", "Foo, Fred|-|a|b, -|-|c|d"},
        {"\"a\\\"b\\\\\" <a@b>", "a\"b\\|-|a|b"},
        {"John Q. Public <a@b>", "John Q. Public|-|a|b"},
        {"\"\" <a@b>", "-|-|a|b"},
        {"Who? <one@y.test>", "Who?|-|one|y.test"},
        /* comments */
        {"a@b (Fred Foo)", "Fred Foo|-|a|b"},
        {"a@b (Fred (not \\) Bar) Foo)", "Fred (not ) Bar) Foo|-|a|b"},
        {"(c)Fred(d) <(e)a(f)@(g)b(h)>", "Fred|-|a|b"},
        {"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "Pete|-|pete|silly.test"},
        {"(only a comment)", ""},
        /* RFC 5322 A.1.3, A.5, A.6.1: groups, blanks, routes */
        {"A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
         "-|-|A Group|-, Ed Jones|-|c|a.test, -|-|joe|where.test, John|-|jdoe|one.test, -|-|-|-"},
        {"Undisclosed recipients:;", "-|-|Undisclosed recipients|-, -|-|-|-"},
        {"undisclosed-recipients:", "-|-|undisclosed-recipients|-, -|-|-|-"},
        {"A:a@b;, B:c@d;, e@f", "-|-|A|-, -|-|a|b, -|-|-|-, -|-|B|-, -|-|c|d, -|-|-|-, -|-|e|f"},
        {"A: B: a@b", "-|-|A|-, -|-|-|-, -|-|B|-, -|-|a|b, -|-|-|-"},
        {"Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
         "Mary Smith|@node.test|mary|example.net, -|-|jdoe|test.example"},
        {"<@a,@b:c@d>", "-|@a,@b|c|d"},
        {"<jdoe@test  . example>", "-|-|jdoe|test.example"},
        {"< a . b @ c . d >", "-|-|a.b|c.d"},
        /* local parts and domains */
        {"\"foo bar\"@b", "-|-|foo bar|b"},
        {"<\"foo@bar\"@b>", "-|-|foo@bar|b"},
        {"a@[127.0.0.1], <b@[IPv6:::1]>", "-|-|a|[127.0.0.1], -|-|b|[IPv6:::1]"},
        {"<a@b@c>", "-|-|a@b|c"},
        {"a@b@c", "-|-|a@b|c"},
        {"\xc3\xbc@\xc3\xb6.test", "-|-|\xc3\xbc|\xc3\xb6.test"},
        {"a'b+c=d/e@f", "-|-|a'b+c=d/e|f"},
        /* what is not an address but occurs */
        {"root", "-|-|root|"},
        {"Fred Foo", "Fred Foo|-||"},
        {"\"Fred Foo\"", "Fred Foo|-||"},
        {"<root>", "-|-|root|"},
        {"Fred <>", "Fred|-||"},
        {"<>", "-|-||"},
        {"@", "-|-||"},
        {"a@", "-|-|a|"},
        {"@b", "-|-||b"},
        {"Fred Foo foo@bar", "Fred Foo|-|foo|bar"},
        {"foo @ bar", "-|-|foo|bar"},
        {"foo@bar Fred", "-|-|foo|bar"},
        {"foo@bar <foo@bar>", "foo@bar|-|foo|bar"},
        {"'foo@bar' <foo@bar>", "'foo@bar'|-|foo|bar"},
        {"a@b; c@d;", "-|-|a|b, -|-|c|d"},
        {"a@b,,,c@d,", "-|-|a|b, -|-|c|d"},
        {"<a@b, c@d>", "-|-|a|b, -|-|c|d"},
        {"<<a@b>>", "-|-|a|b"},
        {"Fred <a@b", "Fred|-|a|b"},
        {"Fred a@b>", "Fred|-|a|b"},
        {"<a@b> <c@d>", "-|-|a|b, -|-|c|d"},
        {"A <a@b> B <c@d>", "A|-|a|b, B|-|c|d"},
        {"<a@b> stray, c@d", "-|-|a|b, -|-|c|d"},
        {"\"Fred <a@b>, c@d", "Fred|-|a|b, -|-|c|d"},
        {"Fred (oops <a@b>, c@d", "Fred oops|-|a|b, -|-|c|d"},
        {"a@[b, c@d", "-|-|a|[b, -|-|c|d"},
        {"\\", "-|-|\\|"},
        {"=?utf-8?q?Foo,_Bar?= <a@b>", "=?utf-8?q?Foo,_Bar?=|-|a|b"},
        {"=?utf-8?B?Rm9v?= =?utf-8?B?QmFy?= <a@b>", "=?utf-8?B?Rm9v?= =?utf-8?B?QmFy?=|-|a|b"},
        {"=?utf-8?Q?a@b?= <a@b>", "=?utf-8?Q?a@b?=|-|a|b"},
        {"a@b,\r\n\tc@d,\n e@f", "-|-|a|b, -|-|c|d, -|-|e|f"},
        {"Fred\r\n Foo <a@b>", "Fred Foo|-|a|b"},
        {"a@b:25", "-|-|a|b:25"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_list(cases[i].value, cases[i].want);
}

static void assert_nstring(struct view v, const char *want)
{
    if (want == NULL) {
        assert_null(v.ptr);
        return;
    }
    assert_non_null(v.ptr);
    assert_true(view_eq(v, view_str(want)));
}

static void test_envelope(void **state)
{
    (void)state;
    struct envelope e;
    struct buf got;
    envelope_parse(VIEW("Subject: a\r\n folded =?utf-8?q?x?=\r\nsubject: second\r\nFrom: a@b\r\nFrom: second@b\r\nTO: a@b\r\nTo: "
                        "c@d\r\nCc : e@f\r\n"
                        "Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nSender:\r\nMessage-ID: "
                        "<x@y>\r\nIn-Reply-To:\r\nBcc:;\r\n\r\nCc: body@x\r\n"),
                   &message_limits_default, &e);
    assert_nstring(e.subject, "a folded =?utf-8?q?x?=");
    assert_nstring(e.date, "Mon, 7 Feb 1994 21:52:25 -0800");
    assert_nstring(e.message_id, "<x@y>");
    assert_nstring(e.in_reply_to, "");
    assert_int_equal(e.bcc.n, 0);
    buf_init(&got, 1000);
    put_list(&got, e.from);
    buf_put_byte(&got, ';');
    put_list(&got, e.sender);
    buf_put_byte(&got, ';');
    put_list(&got, e.reply_to);
    buf_put_byte(&got, ';');
    put_list(&got, e.to);
    buf_put_byte(&got, ';');
    put_list(&got, e.cc);
    assert_buf(&got, "-|-|a|b;-|-|a|b;-|-|a|b;-|-|a|b, -|-|c|d;-|-|e|f");
    envelope_free(&e);

    envelope_parse(VIEW(""), &message_limits_default, &e);
    assert_null(e.date.ptr);
    assert_null(e.subject.ptr);
    assert_null(e.in_reply_to.ptr);
    assert_null(e.message_id.ptr);
    assert_int_equal(e.from.n + e.sender.n + e.reply_to.n + e.to.n + e.cc.n + e.bcc.n, 0);
    envelope_free(&e);
}

static void test_limits(void **state)
{
    (void)state;
    struct message_limits limits = message_limits_default;
    struct envelope e;
    struct buf header;
    limits.addresses = 5;
    envelope_parse(VIEW("To: a@b, c@d, G: e@f, g@h, i@j, k@l;\r\nCc: x@y\r\n"), &limits, &e);
    assert_int_equal(e.to.n, 6); /* the fifth address and the end of the group */
    assert_int_equal(e.cc.n, 0);
    assert_null(check_envelope(&e));
    envelope_free(&e);

    /* a field larger than what is kept does not hide the others */
    buf_init(&header, 8 << 20);
    buf_put_str(&header, "To: ");
    while (buf_len(&header) < 4 << 20)
        buf_put_str(&header, "someone@example.org,\r\n ");
    buf_put_str(&header, "x@y\r\nSubject: still here\r\n");
    envelope_parse(buf_view(&header), &message_limits_default, &e);
    assert_nstring(e.subject, "still here");
    assert_true(e.to.n > 5000);
    envelope_free(&e);
    buf_free(&header);
}

static void test_dates(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"Fri, 21 Nov 1997 09:55:06 -0600", "Fri, 21 Nov 1997 09:55:06 -0600"},
        {"21 Nov 1997 09:55:06 -0600", "Fri, 21 Nov 1997 09:55:06 -0600"},
        {"21 Nov 97 09:55:06 GMT", "Fri, 21 Nov 1997 09:55:06 +0000"},
        {"21 Nov 07 09:55 EST", "Wed, 21 Nov 2007 09:55:00 -0500"},
        {"21 Nov 107 09:55 PDT", "Wed, 21 Nov 2007 09:55:00 -0700"},
        {"Thu,\r\n 13\r\n Feb\r\n 1969\r\n 23:32\r\n -0330 (Newfoundland Time)", "Thu, 13 Feb 1969 23:32:00 -0330"},
        {"fri, 21 nov 1997 09:55:06 z", "Fri, 21 Nov 1997 09:55:06 +0000"},
        {"Fri, 21 Nov 1997 09:55:06", "Fri, 21 Nov 1997 09:55:06 +0000"},
        {"Fri, 21 Nov 1997", "Fri, 21 Nov 1997 00:00:00 +0000"},
        {"Fri, 21 November 1997 9:5:6 +0100", "Fri, 21 Nov 1997 09:05:06 +0100"},
        {"Friday, 21-Nov-97 09:55:06 GMT", "Fri, 21 Nov 1997 09:55:06 +0000"},
        {"21-Nov-1997 09:55:06 -0600", "Fri, 21 Nov 1997 09:55:06 -0600"},
        {"Fri Nov 21 09:55:06 1997", "Fri, 21 Nov 1997 09:55:06 +0000"},
        {"Fri Nov  1 09:55:06 EST 1997", "Sat, 01 Nov 1997 09:55:06 -0500"},
        {"Fri Nov 21 09:55:06 -0600 1997", "Fri, 21 Nov 1997 09:55:06 -0600"},
        {"Nov 21, 1997 09:55:06", "Fri, 21 Nov 1997 09:55:06 +0000"},
        {"1997-11-21T09:55:06Z", "Fri, 21 Nov 1997 09:55:06 +0000"},
        {"1997-11-21T09:55:06.123+02:00", "Fri, 21 Nov 1997 09:55:06 +0200"},
        {"1997-11-21 09:55", "Fri, 21 Nov 1997 09:55:00 +0000"},
        {"1997/11/21 09:55:06 +0200", "Fri, 21 Nov 1997 09:55:06 +0200"},
        {"11/21/1997 9:55:06 PM", "Fri, 21 Nov 1997 21:55:06 +0000"},
        {"21/11/97 12:55 AM", "Fri, 21 Nov 1997 00:55:00 +0000"},
        {"Fri, 21 Nov 1997 09.55.06 +0100", "Fri, 21 Nov 1997 09:55:06 +0100"},
        {"Fri, 21 Nov 1997 09:55:06 GMT+0200", "Fri, 21 Nov 1997 09:55:06 +0200"},
        {"Fri, 21 Nov 1997 09:55:06 +0200 (CEST)", "Fri, 21 Nov 1997 09:55:06 +0200"},
        {"Fri, 21 Nov 1997 09:55:06 +02:00", "Fri, 21 Nov 1997 09:55:06 +0200"},
        {"Fri, 21 Nov 1997 09:55:06 +02", "Fri, 21 Nov 1997 09:55:06 +0200"},
        {"Fri, 21 Nov 1997 09:55:06 -0000", "Fri, 21 Nov 1997 09:55:06 +0000"},
        {"Fri, 21 Nov 1997 09:55:06 A", "Fri, 21 Nov 1997 09:55:06 +0000"},
        {"Fri, 21 Nov 1997 09:55:06 XYZ", "Fri, 21 Nov 1997 09:55:06 +0000"},
        {"Fri, 21 Nov 1997 09:55:60 +0000", "Fri, 21 Nov 1997 09:56:00 +0000"},
        {"Sat, 29 Feb 2020 24:00:00 +0000", "Sun, 01 Mar 2020 00:00:00 +0000"},
        {"29 Feb 2020 99:99:99 +9999", "Sat, 29 Feb 2020 00:00:00 +0000"},
        {"5 Jan 1997 10:00 -2400", "Sun, 05 Jan 1997 10:00:00 +0000"}, /* a zone that cannot be written again */
        {"31 Dec 9999 23:59:59 +0000", "Fri, 31 Dec 9999 23:59:59 +0000"},
        {"12 Mar 49", "Fri, 12 Mar 2049 00:00:00 +0000"},
        {"12 Mar 50", "Sun, 12 Mar 1950 00:00:00 +0000"},
        {"", NULL},
        {"garbage", NULL},
        {"29 Feb 2021 09:55:06 +0000", NULL},
        {"32 Jan 2021", NULL},
        {"0 Jan 2021", NULL},
        {"1 Foo 2021", NULL},
        {"1 Jan", NULL},
        {"Jan 2021", NULL},
        {"99999999999999999999 Jan 2021", NULL},
        {"1 Jan 99999999999999999999", NULL},
        {"((((((", NULL},
        {"2021-13-01", NULL},
        {"1-", NULL},
        {"1 Jan 2021 10:", "Fri, 01 Jan 2021 00:00:00 +0000"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t t = 0;
        int zone = 0;
        struct buf b;
        int err = date_parse_header(view_str(cases[i].text), &t, &zone);
        if (cases[i].want == NULL) {
            assert_int_equal(err, ERR_SYNTAX);
            continue;
        }
        if (err != 0)
            fail_msg("%s: %s", cases[i].text, err_str(err));
        buf_init(&b, 100);
        time_put_rfc5322(&b, t, zone);
        buf_put_byte(&b, 0);
        if (strcmp((const char *)b.data, cases[i].want) != 0)
            fail_msg("%s: %s", cases[i].text, (const char *)b.data);
        buf_free(&b);
    }
}

static void test_base_subject(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *base;
        bool reply;
    } cases[] = {
        {"", "", false},
        {"Hello", "HELLO", false},
        {"  a\t b\r\n  c ", "A B C", false},
        {"Re: hello", "HELLO", true},
        {"RE : hello", "HELLO", true},
        {"fw: fwd: re: hello", "HELLO", true},
        {"Re[2]: hello", "HELLO", true},
        {"Re [list] : hello", "HELLO", true},
        {"[list] Re: hello", "HELLO", true},
        {"[a][b] re: [c] hello", "HELLO", true},
        {"[list] hello", "HELLO", false},
        {"[list]", "[LIST]", false},
        {"[a] [b]", "[B]", false},
        {"Re: [a]", "[A]", true},
        {"hello (fwd)", "HELLO", true},
        {"hello (fwd) (FWD) ", "HELLO", true},
        {"(fwd)", "", true},
        {"[fwd: hello]", "HELLO", true},
        {"[fwd: [fwd: re: hello (fwd)]]", "HELLO", true},
        {"Re: [fwd: hello", "[FWD: HELLO", true},
        {"Re", "RE", false},
        {"Re:", "", true},
        {"Reply: x", "REPLY: X", false},
        {"Rehello: x", "REHELLO: X", false},
        {"[unclosed re: x", "[UNCLOSED RE: X", false},
        {"=?utf-8?q?Re=3A_h=C3=A9llo?=", "HE\xcc\x81LLO", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b;
        bool reply = !cases[i].reply;
        buf_init(&b, 100000);
        subject_base(&b, view_str(cases[i].raw), &reply);
        assert_int_equal(reply, cases[i].reply);
        assert_buf(&b, cases[i].base);
    }
}

static void test_casemap(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"hello", "HELLO"},
        {"\xd0\xbf\xd1\x80\xd0\xb8", "\xd0\x9f\xd0\xa0\xd0\x98"},
        {"\xe2\x84\xab", "A\xcc\x8a"}, /* ANGSTROM SIGN */
        {"\xc3\xa5", "A\xcc\x8a"},
        {"\xef\xbc\xa1", "A"}, /* FULLWIDTH A */
        {"\xff", "\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct buf b;
        buf_init(&b, 1000);
        casemap_put(&b, view_str(pairs[i][0]));
        assert_buf(&b, pairs[i][1]);
    }
}

/* Piece by piece, with ways of its own for what is usual, against character by character. */
static void test_casemap_pieces(void **state)
{
    static const uint32_t scripts[][2] = {{0x20, 0x7f},     {0x80, 0x24f},    {0x370, 0x52f},   {0x20, 0x7ff},
                                          {0x4e00, 0x9fff}, {0xac00, 0xd7a3}, {0x20, 0x10ffff}, {0x61, 0x7a}};
    static struct casemap_cache cache;
    (void)state;
    srandom(1);
    for (unsigned round = 0; round < 3000; round++) {
        struct buf text, want, got;
        buf_init(&text, 1 << 16);
        buf_init(&want, 1 << 20);
        buf_init(&got, 1 << 20);
        for (long n = random() % (round % 10 == 0 ? 2000 : 60); n > 0; n--) {
            const uint32_t *script = scripts[(unsigned)(random() % 3 == 0 ? random() : round) % ARRAY_LEN(scripts)];
            if (random() % 100 == 0)
                buf_put_byte(&text, (uint8_t)(0x80 + random() % 0x80));
            else
                utf8_encode(&text, script[0] + (uint32_t)random() % (script[1] - script[0] + 1));
        }
        buf_put_byte(&text, '.'); /* no unfinished character at the end */
        casemap_put(&want, buf_view(&text));
        for (struct view rest = buf_view(&text); rest.len > 0;) {
            size_t room = CASEMAP_CHAR_MAX + (size_t)random() % 300;
            uint8_t *to = malloc(room);
            assert_non_null(to);
            buf_put(&got, to, casemap_some(&cache, &rest, to, room));
            free(to);
        }
        assert_true(view_eq(buf_view(&want), buf_view(&got)));
        buf_free(&text);
        buf_free(&want);
        buf_free(&got);
    }
}

static void test_message_ids(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *want;
    } cases[] = {
        {"", ""},
        {"<a@b>", "<a@b>,"},
        {"<a@b>\r\n <c@d><e@f>", "<a@b>,<c@d>,<e@f>,"},
        {"Your message of Monday <a@b> (x)", "<a@b>,"},
        {"<\"01KF8JCEOCBS0045PS\"@xxx.yyy.test>", "<01KF8JCEOCBS0045PS@xxx.yyy.test>,"},
        {"<a b@c>", "<ab@c>,"},
        {"<unclosed <a@b>", "<a@b>,"},
        {"<>", ""},
        {"<a@b", ""},
        {"<\"a", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b;
        struct view rest = view_str(cases[i].raw);
        buf_init(&b, 1000);
        while (message_id_next(&rest, &b))
            buf_put_byte(&b, ',');
        if (cases[i].want[0] == 0) {
            assert_int_equal(buf_len(&b), 0);
            buf_free(&b);
        } else {
            assert_buf(&b, cases[i].want);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),      cmocka_unit_test(test_envelope),     cmocka_unit_test(test_limits),
        cmocka_unit_test(test_dates),          cmocka_unit_test(test_base_subject), cmocka_unit_test(test_casemap),
        cmocka_unit_test(test_casemap_pieces), cmocka_unit_test(test_message_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
