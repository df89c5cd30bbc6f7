/* Texts in texts: against a search that maps everything and compares at every place; whole mails against what they were made of.
 */
#include <inttypes.h>

#include "common/text/text.h"
#include "imap/find.h"
#include "tests/unit/imap/imap_fixture.h"

static uint64_t seed;

static uint32_t rnd(uint32_t below)
{
    seed += 0x9e3779b97f4a7c15u;
    uint64_t z = seed;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) % below);
}

static enum collation collation;

static bool naive(struct view text, struct view needle)
{
    struct buf t, n;
    struct view a, b;
    bool found = false;

    buf_init(&t, SIZE_MAX / 4);
    buf_init(&n, SIZE_MAX / 4);
    collation_put(collation, &t, text);
    collation_put(collation, &n, needle);
    a = buf_view(&t);
    b = buf_view(&n);
    for (size_t i = 0; i + b.len <= a.len && !found; i++)
        found = b.len == 0 || memcmp(a.ptr + i, b.ptr, b.len) == 0;
    buf_free(&t);
    buf_free(&n);
    return found;
}

static struct imap_find_work work;

/* Fed in pieces of random sizes up to piece. */
static bool fast(struct view text, struct view needle, uint32_t piece)
{
    struct imap_pool pool;
    struct imap_find f;
    bool found = false;

    imap_pool_init(&pool, 8 * 1024 * 1024);
    assert_true(imap_find_init(&f, &pool, &work, collation, needle));
    for (int again = 0; again < 2; again++) { /* nothing is left of the first time */
        struct view rest = text;

        imap_find_reset(&f);
        found = imap_find_feed(&f, VIEW(""));
        while (rest.len > 0 && !found) {
            size_t n = 1 + rnd(piece);

            found = imap_find_feed(&f, view_sub(rest, 0, n));
            rest = view_sub(rest, n, rest.len);
        }
    }
    imap_pool_free(&pool);
    return found;
}

/* Few different characters, so that needles nearly match all the time. */
static const char *const letters[] = {"a",
                                      "A",
                                      "b",
                                      "\xc3\xa4",
                                      "\xc3\x84",
                                      "A\xcc\x88",
                                      "\xef\xac\x81",
                                      "\xe2\x84\xaa",
                                      "k",
                                      " ",
                                      "\xf0\x9f\x98\x80",
                                      "\xd1\x89",
                                      "\xed\x95\x9c"};
static const char *const broken[] = {"\xc3", "\xe2\x84", "\x80", "\xff", "\xc0\x80", "\xed\xa0\x80"};

static void put_random(struct buf *out, uint32_t n, uint32_t kinds, bool bad)
{
    while (n-- > 0)
        buf_put_str(out, bad && rnd(8) == 0 ? broken[rnd(ARRAY_LEN(broken))] : letters[rnd(kinds)]);
}

static void check(struct view text, struct view needle)
{
    static const uint32_t pieces[] = {1, 3, 20, 5000, 1000000};
    bool want = naive(text, needle);

    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        if (fast(text, needle, pieces[i]) != want) {
            print_error("seed %" PRIu64 " needle of %zu in text of %zu, pieces up to %u: should be %d\n", seed, needle.len,
                        text.len, pieces[i], want);
            fail();
        }
    }
}

static void test_random(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 4000; round++) {
        struct buf text, needle;
        bool bad = rnd(3) == 0;

        seed = round;
        collation = round % COLLATIONS;
        buf_init(&text, SIZE_MAX / 4);
        buf_init(&needle, SIZE_MAX / 4);
        put_random(&text, rnd(round % 50 == 0 ? 9000 : 60), 1 + rnd(ARRAY_LEN(letters)), bad);
        buf_put_str(&text, "."); /* no unfinished character at the end */
        put_random(&needle, rnd(6), 1 + rnd(ARRAY_LEN(letters)), bad);
        check(buf_view(&text), buf_view(&needle));
        if (buf_len(&text) > 40 && !bad) { /* one that is there */
            struct view there = view_sub(buf_view(&text), rnd(20), 1 + rnd(20));

            if (utf8_valid(there))
                check(buf_view(&text), there);
        }
        buf_free(&text);
        buf_free(&needle);
    }
    collation = COLLATION_UNICODE_CASEMAP;
}

/* Around the ends of chunks, and with needles that make the first idea slow. */
static void test_long(void **state)
{
    size_t size = 3 * sizeof(work.chunk) + 100;
    uint8_t *text = malloc(size);

    (void)state;
    for (size_t at = sizeof(work.chunk) - 40; at < sizeof(work.chunk) + 8; at++) {
        memset(text, 'x', size);
        memcpy(text + at, "Needle of thirty-two characters.", 32);
        check(view_make(text, size), VIEW("NEEDLE OF THIRTY-TWO CHARACTERS."));
        check(view_make(text, size), VIEW("NEEDLE OF THIRTY-TWO CHARACTERS!"));
        check(view_make(text, at + 31), VIEW("NEEDLE OF THIRTY-TWO CHARACTERS."));
    }
    memset(text, 'a', size);
    text[size - 1] = 'b';
    check(view_make(text, size), view_make(text + size - 9000, 9000));
    check(view_make(text, size), view_make(text + size - 300, 300));
    text[size - 200] = 'c';
    check(view_make(text, size), view_make(text + size - 150, 150));
    check(view_make(text, size - 200), view_make(text + size - 150, 150));
    free(text);
}

/* --- whole mails
 * ---------------------------------------------------------------------------------------------------------------- */

static const char *const words[] = {"alpha", "Beta",   "f\xc3\xbcr", "caf\xc3\xa9", "G\xc3\xbcte",   "gamma",
                                    "x=3D",  "line  ", "--",         "0123456789",  "=?utf-8?q?no?="};

static void put_words(struct buf *out, unsigned n)
{
    while (n-- > 0) {
        buf_put_str(out, words[rnd(ARRAY_LEN(words))]);
        buf_put_str(out, rnd(6) == 0 ? "\r\n" : rnd(9) == 0 ? "" : " ");
    }
    buf_put_str(out, "end\r\n");
}

/* Latin-1 of UTF-8 that has nothing else. */
static void put_latin1(struct buf *out, struct view v)
{
    while (v.len > 0) {
        uint32_t cp;
        unsigned n = utf8_decode(v, &cp);

        assert_true(n > 0 && cp < 0x100);
        buf_put_byte(out, (uint8_t)cp);
        v = view_sub(v, n, v.len);
    }
}

static void put_quoted(struct buf *out, struct view v)
{
    unsigned column = 0;

    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.ptr[i];
        bool eol = c == '\r' && i + 1 < v.len && v.ptr[i + 1] == '\n';

        if (eol) {
            buf_put_str(out, "\r\n");
            column = 0;
            i++;
        } else if (c >= 0x7f || c == '=' || (c == ' ' && (i + 1 == v.len || v.ptr[i + 1] == '\r')) || rnd(10) == 0) {
            buf_put_fmt(out, rnd(2) == 0 ? "=%02X" : "=%02x", c);
            column += 3;
        } else {
            buf_put_byte(out, c);
            column++;
        }
        if (!eol && (column > 70 || rnd(30) == 0)) { /* soft */
            buf_put_str(out, rnd(4) == 0 ? "= \t\r\n" : "=\r\n");
            column = 0;
        }
    }
}

static void put_base64(struct buf *out, struct view v)
{
    struct buf all;

    buf_init(&all, 4 * v.len + 64);
    base64_encode(&all, v);
    for (struct view rest = buf_view(&all); rest.len > 0;) {
        size_t n = 1 + rnd(76);

        buf_put_view(out, view_sub(rest, 0, n));
        buf_put_str(out, "\r\n");
        rest = view_sub(rest, n, rest.len);
    }
    buf_free(&all);
}

static void put_part(struct buf *out, struct view text)
{
    bool latin1 = rnd(2) == 0;
    struct buf coded;

    buf_init(&coded, SIZE_MAX / 4);
    if (latin1)
        put_latin1(&coded, text);
    else
        buf_put_view(&coded, text);
    buf_put_fmt(out, "Content-Type: text/plain; charset=%s\r\n", latin1 ? "iso-8859-1" : "utf-8");
    switch (rnd(3)) {
    case 0:
        buf_put_str(out, "Content-Transfer-Encoding: base64\r\n\r\n");
        put_base64(out, buf_view(&coded));
        break;
    case 1:
        buf_put_str(out, "Content-Transfer-Encoding: Quoted-Printable\r\n\r\n");
        put_quoted(out, buf_view(&coded));
        break;
    default:
        buf_put_str(out, "Content-Transfer-Encoding: 8bit\r\n\r\n");
        buf_put_view(out, buf_view(&coded));
    }
    buf_free(&coded);
}

#define PARTS 3

/* Two text parts, and a third in a message within the message. */
static void make_mail(struct buf *mail, struct buf texts[PARTS])
{
    buf_init(mail, SIZE_MAX / 4);
    buf_put_str(mail, "Subject: outer\r\nContent-Type: multipart/mixed; boundary=bnd\r\n\r\n");
    for (unsigned i = 0; i < PARTS; i++) {
        buf_init(&texts[i], SIZE_MAX / 4);
        put_words(&texts[i], rnd(30));
        buf_put_str(mail, "--bnd\r\n");
        if (i == PARTS - 1)
            buf_put_str(mail,
                        "Content-Type: message/rfc822\r\n\r\nSubject: inner =?utf-8?q?gr=C3=BCn?=\r\n\ttopic\r\nX-Other: y\r\n");
        put_part(mail, buf_view(&texts[i]));
        buf_put_str(mail, "\r\n");
    }
    buf_put_str(mail, "--bnd--\r\n");
}

static void flip_case(struct buf *b)
{
    for (size_t i = b->off; i < b->len; i++)
        if (rnd(2) == 0 && b->data[i] < 0x80)
            b->data[i] = ascii_lower(b->data[i]) != b->data[i] ? ascii_lower(b->data[i]) : ascii_upper(b->data[i]);
}

static void pick_needle(struct buf *needle, const struct buf texts[PARTS])
{
    struct view text = buf_view(&texts[rnd(PARTS)]);

    buf_init(needle, 4096);
    do {
        buf_reset(needle);
        buf_put_view(needle, view_sub(text, rnd((uint32_t)text.len), 1 + rnd(12)));
        if (rnd(4) == 0)
            buf_put_byte(needle, (uint8_t)('a' + rnd(26)));
    } while (!utf8_valid(buf_view(needle)));
    flip_case(needle);
}

static bool search_says(struct client *c, const char *key, struct view needle)
{
    struct buf command;

    buf_init(&command, 8192);
    buf_put_fmt(&command, "s SEARCH CHARSET UTF-8 %s {%zu+}\r\n", key, needle.len);
    buf_put_view(&command, needle);
    buf_put_str(&command, "\r\n");
    client_send_view(c, buf_view(&command), SIZE_MAX);
    buf_free(&command);
    return strncmp(client_received(c), "* SEARCH 1\r\n", 12) == 0;
}

static void check_mail(struct client *c, unsigned round)
{
    struct buf mail, texts[PARTS], command;

    seed = round;
    make_mail(&mail, texts);
    buf_init(&command, SIZE_MAX / 4);
    buf_put_fmt(&command, "d CREATE r%u\r\na APPEND r%u {%zu+}\r\n", round, round, buf_len(&mail));
    buf_put_view(&command, buf_view(&mail));
    buf_put_fmt(&command, "\r\ne SELECT r%u\r\n", round);
    client_send_view(c, buf_view(&command), SIZE_MAX);
    assert_non_null(strstr(client_received(c), "* 1 EXISTS"));
    for (unsigned i = 0; i < 12; i++) {
        struct buf needle;
        bool want = false, got;

        pick_needle(&needle, texts);
        for (unsigned p = 0; p < PARTS; p++)
            want |= naive(buf_view(&texts[p]), buf_view(&needle));
        want |=
            naive(VIEW("Subject: inner gr\xc3\xbcn\ttopic"), buf_view(&needle)) || naive(VIEW("X-Other: y"), buf_view(&needle));
        got = search_says(c, "BODY", buf_view(&needle));
        if (got != want) /* what else is in that header does not match any word */
            want |= naive(buf_view(&mail), buf_view(&needle)) &&
                    naive(VIEW("Content-Type: text/plain; charset=utf-8\nContent-Type: "
                               "text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: "
                               "Quoted-Printable\nContent-Transfer-Encoding: base64\n8bit"),
                          buf_view(&needle));
        if (got != want) {
            print_error("seed %u, needle %u \"%s\": should be %d\n", round, i, view_dup(buf_view(&needle)), want);
            fail();
        }
        if (got)
            assert_true(search_says(c, "TEXT", buf_view(&needle)));
        buf_free(&needle);
    }
    for (unsigned p = 0; p < PARTS; p++)
        buf_free(&texts[p]);
    buf_free(&command);
    buf_free(&mail);
}

static void test_mails(void **state)
{
    struct fixture f = {.vfs = NULL};
    struct client c;

    (void)state;
    fixture_open(&f);
    client_open(&c, &f);
    client_received(&c);
    for (unsigned round = 1; round <= 150; round++)
        check_mail(&c, round);
    client_close(&c);
    fixture_close(&f);
}

/* Parts and header fields end where they end. */
static void test_borders(void **state)
{
    struct fixture f = {.vfs = NULL};
    struct client c;

    (void)state;
    fixture_open(&f);
    client_open(&c, &f);
    client_append(&c, "INBOX",
                  "Subject: one\r\n two\r\nX-A: three\r\nX-A: four\r\nContent-Type: multipart/mixed; "
                  "boundary=q\r\n\r\npre\r\n--q\r\n\r\nleft"
                  "\r\n--q\r\n\r\nright\r\n--q\r\nContent-Type: application/x\r\n\r\nhidden\r\n--q--\r\npost\r\n");
    client_send(&c, "s SELECT INBOX\r\n");
    client_received(&c);
    EXPECT_HAS(&c, "a SEARCH TEXT \"one two\"", "* SEARCH 1\r\n");
    EXPECT_HAS(&c, "a SEARCH SUBJECT \"ONE TWO\"", "* SEARCH 1\r\n");
    EXPECT_HAS(&c, "a SEARCH HEADER subject \"e t\"", "* SEARCH 1\r\n");
    EXPECT_HAS(&c, "a SEARCH HEADER x-a four", "* SEARCH 1\r\n");
    EXPECT_HAS(&c, "a SEARCH HEADER X-A \"\"", "* SEARCH 1\r\n");
    EXPECT_HAS(&c, "a SEARCH HEADER X-B \"\"", "* SEARCH\r\n");
    EXPECT_HAS(&c, "a SEARCH HEADER Date \"\"", "* SEARCH\r\n");
    EXPECT_HAS(&c, "a SEARCH HEADER X-A \"threefour\"", "* SEARCH\r\n");
    EXPECT_HAS(&c, "a SEARCH HEADER X-A {10+}\r\nthree\nfour", "* SEARCH\r\n");
    EXPECT_HAS(&c, "a SEARCH TEXT {12+}\r\nthree\r\nX-A:", "* SEARCH\r\n");
    EXPECT_HAS(&c, "a SEARCH BODY one", "* SEARCH\r\n");
    EXPECT_HAS(&c, "a SEARCH BODY leftright", "* SEARCH\r\n");
    EXPECT_HAS(&c, "a SEARCH BODY right", "* SEARCH 1\r\n");
    EXPECT_HAS(&c, "a SEARCH BODY hidden", "* SEARCH\r\n");
    EXPECT_HAS(&c, "a SEARCH BODY post", "* SEARCH\r\n");
    EXPECT_HAS(&c, "a SEARCH BODY \"\"", "* SEARCH 1\r\n");
    client_append(&c, "INBOX", "Subject: first\r\nSubject: second\r\nTo: \"A, B\" <a@b>\r\nMessage-ID: <x@y>\r\n\r\nx\r\n");
    EXPECT_HAS(&c, "a SEARCH HEADER Subject second", "* SEARCH 2\r\n");
    EXPECT_HAS(&c, "a SEARCH SUBJECT second", "* SEARCH\r\n");
    EXPECT_HAS(&c, "a SEARCH HEADER To \"\\\"a, b\\\" <A\"", "* SEARCH 2\r\n");
    EXPECT_HAS(&c, "a SEARCH TO \"a, b <a@b>\"", "* SEARCH 2\r\n");
    EXPECT_HAS(&c, "a SEARCH HEADER Message-ID <X@", "* SEARCH 2\r\n");
    client_close(&c);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_long), cmocka_unit_test(test_mails),
                                       cmocka_unit_test(test_borders)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
