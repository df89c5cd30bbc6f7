/* Comparators (RFC 5255 4): their names, and that SEARCH, SORT and THREAD compare by the active one, whatever they read it from.
 */
#include "imap/collation.h"
#include "tests/unit/imap/imap_fixture.h"

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern;
        bool valid;
        unsigned matches; /* a mask */
    } cases[] = {
        {"i;octet", true, 4},     {"I;Octet", true, 4},     {"default", true, 1},
        {"*", true, 7},           {"i;*", true, 7},         {"*casemap", true, 3},
        {"i;*casemap*", true, 3}, {"*e*", true, 7},         {"i;*c*i*casemap", true, 2},
        {"i;u*e-c*p", true, 1},   {"i;octet*", true, 4},    {"i;octet*t", true, 0},
        {"octet", true, 0},       {"de;*", true, 0},        {"i", true, 0},
        {"a=1.2", true, 0},       {"", false, 0},           {"**", false, 0},
        {"i;**", false, 0},       {";octet", false, 0},     {"1", false, 0},
        {"i octet", false, 0},    {"i;\xc3\xa4", false, 0},
    };
    char longest[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct view pattern = view_str(cases[i].pattern);

        if (collation_pattern_valid(pattern) != cases[i].valid)
            fail_msg("%s", cases[i].pattern);
        for (unsigned c = 0; c < COLLATIONS && cases[i].valid; c++)
            if (collation_matches((enum collation)c, pattern) != ((cases[i].matches >> c & 1) != 0))
                fail_msg("%s %s", cases[i].pattern, collation_name((enum collation)c));
    }
    memset(longest, 'a', sizeof(longest));
    assert_true(collation_pattern_valid(view_make(longest, 254)));
    assert_false(collation_pattern_valid(view_make(longest, 255)));
}

static void test_record(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        struct comparator c;

        if (comparator_decode((uint8_t)byte, &c))
            assert_int_equal(comparator_encode(c), byte);
        else
            assert_true((byte & 0x7f) >= COLLATIONS);
    }
}

/* Two fields of one name keep HEADER from answering out of the digest. */
#define ONE                                                                                    \
    "From: =?utf-8?q?J=C3=BCrgen?= <b@x>\r\nSubject: =?utf-8?b?w7xiZXI=?=\r\n\r\nStra\xc3\x9f" \
    "e Apfel\r\n"
#define TWO "From: JUERGEN <a@x>\r\nSubject: Re: Zebra\r\nX-A: One\r\nX-A: Two\r\n\r\nSTRASSE apfel\r\n"
#define THREE "From: C@x\r\nSubject: zebra\r\n\r\nx\r\n"
#define FOUR "From: d@x\r\nSubject: =?utf-8?b?w5xCRVI=?=\r\nSubject: two of them\r\n\r\n\r\n"

static void fill(struct client *c)
{
    client_append(c, "INBOX", ONE);
    client_append(c, "INBOX", TWO);
    client_append(c, "INBOX", THREE);
    client_append(c, "INBOX", FOUR);
    EXPECT_HAS(c, "s SELECT INBOX", "s OK");
}

static void expect_all(struct client *c, const char *const (*cases)[2], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char command[256], want[256];

        snprintf(command, sizeof(command), "q %s\r\n", cases[i][0]);
        snprintf(want, sizeof(want), "%s\r\nq OK ", cases[i][1]);
        client_send(c, command);
        expect_has_at(c, want, cases[i][0], (int)i);
    }
}

static void test_honoured(void **state)
{
    static const char *const unicode[][2] = {
        {"SEARCH SUBJECT {5+}\r\n\xc3\x9c"
         "ber",
         "* SEARCH 1 4"},
        {"SEARCH HEADER Subject ZEBRA", "* SEARCH 2 3"},
        {"SEARCH FROM {7+}\r\nJ\xc3\xbcrGEN", "* SEARCH 1"},
        {"SEARCH BODY {7+}\r\nstra\xc3\x9f"
         "e",
         "* SEARCH 1"},
        {"SEARCH TEXT aPFEL", "* SEARCH 1 2"},
        {"SEARCH HEADER X-A tWO", "* SEARCH 2"},
        {"SORT (SUBJECT) UTF-8 ALL", "* SORT 1 4 2 3"},
        {"SORT (FROM) UTF-8 ALL", "* SORT 2 1 3 4"},
        {"THREAD ORDEREDSUBJECT UTF-8 ALL", "* THREAD (1 4)(2 3)"},
    };
    static const char *const ascii[][2] = {
        {"SEARCH SUBJECT {5+}\r\n\xc3\x9c"
         "ber",
         "* SEARCH 4"},
        {"SEARCH SUBJECT {5+}\r\n\xc3\xbc"
         "BER",
         "* SEARCH 1"},
        {"SEARCH HEADER Subject ZEBRA", "* SEARCH 2 3"},
        {"SEARCH TEXT aPFEL", "* SEARCH 1 2"},
        {"SORT (SUBJECT) UTF-8 ALL", "* SORT 2 3 4 1"},
        {"THREAD ORDEREDSUBJECT UTF-8 ALL", "* THREAD (1)(2 3)(4)"},
        {"THREAD REFERENCES UTF-8 ALL", "* THREAD (1)(3 2)(4)"},
    };
    static const char *const octet[][2] = {
        {"SEARCH SUBJECT zebra", "* SEARCH 3"},
        {"SEARCH SUBJECT Zebra", "* SEARCH 2"},
        {"SEARCH HEADER Subject zebra", "* SEARCH 3"},
        {"SEARCH HEADER X-A two", "* SEARCH"},
        {"SEARCH HEADER x-a Two", "* SEARCH 2"},
        {"SEARCH TEXT apfel", "* SEARCH 2"},
        {"SEARCH BODY Apfel", "* SEARCH 1"},
        {"SEARCH FROM JUERGEN", "* SEARCH 2"},
        {"SEARCH FROM juergen", "* SEARCH"},
        {"SORT (SUBJECT) UTF-8 ALL", "* SORT 2 3 4 1"},
        {"SORT (FROM) UTF-8 ALL", "* SORT 3 2 1 4"},
        {"SORT (REVERSE FROM) UTF-8 ALL", "* SORT 4 1 2 3"},
        {"THREAD ORDEREDSUBJECT UTF-8 ALL", "* THREAD (1)(2)(3)(4)"},
        {"THREAD REFERENCES UTF-8 ALL", "* THREAD (1)(2)(3)(4)"},
    };
    struct fixture f;
    struct client c;

    (void)state;
    fixture_open(&f);
    client_open(&c, &f);
    fill(&c);
    expect_all(&c, unicode, ARRAY_LEN(unicode));
    EXPECT_HAS(&c, "c COMPARATOR i;ascii-casemap", "* COMPARATOR i;ascii-casemap\r\nc OK ");
    expect_all(&c, ascii, ARRAY_LEN(ascii));
    EXPECT_HAS(&c, "c COMPARATOR i;octet", "* COMPARATOR i;octet\r\nc OK ");
    expect_all(&c, octet, ARRAY_LEN(octet));
    EXPECT_HAS(&c, "c COMPARATOR default", "* COMPARATOR i;unicode-casemap\r\nc OK ");
    expect_all(&c, unicode, ARRAY_LEN(unicode));
    client_close(&c);
    fixture_close(&f);
}

/* The session in another process. */
static void renew(struct client *c)
{
    struct buf record;
    int spool = -1;

    imap_session_park(c->session);
    while (!imap_session_parked(c->session))
        client_tick(c);
    buf_init(&record, 1 << 20);
    assert_int_equal(imap_session_freeze(c->session, &record, &spool), 0);
    imap_session_free(&c->session);
    assert_int_equal(imap_session_thaw(&c->host, c->f->acc, buf_view(&record), &spool, &c->session), 0);
    c->run = SESSION_AGAIN;
    buf_free(&record);
}

/* The active one goes along, and a search that goes on keeps the one that it was given under. */
static void test_kept(void **state)
{
    struct fixture f;
    struct client c;

    (void)state;
    fixture_open(&f);
    client_open(&c, &f);
    fill(&c);
    EXPECT_HAS(&c, "c COMPARATOR -i;octet", "* COMPARATOR -i;octet\r\nc OK ");
    EXPECT_HAS(&c, "u UID SORT RETURN (UPDATE COUNT) (SUBJECT) UTF-8 SUBJECT ebra UNSEEN", "COUNT 2\r\n");
    EXPECT_HAS(&c, "q UID SORT (SUBJECT) UTF-8 SUBJECT ebra", "* SORT 3 2\r\n");
    renew(&c);
    EXPECT_HAS(&c, "c COMPARATOR", "* COMPARATOR -i;octet\r\nc OK ");
    EXPECT_HAS(&c, "c COMPARATOR \"*;unicode*\"", "* COMPARATOR i;unicode-casemap\r\nc OK ");
    renew(&c);
    client_append(&c, "INBOX", THREE);
    client_append(&c, "INBOX", "Subject: zEBRA\r\n\r\n\r\n");
    EXPECT_HAS(&c, "n STORE 2,3 +FLAGS.SILENT (\\Seen)", "* ESEARCH (TAG \"u\") UID REMOVEFROM (1 3 2 2)\r\n");
    EXPECT_HAS(&c, "n STORE 2,3 -FLAGS.SILENT (\\Seen)", "* ESEARCH (TAG \"u\") UID ADDTO (1 3 3 2)\r\n");
    client_close(&c);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_honoured),
        cmocka_unit_test(test_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
