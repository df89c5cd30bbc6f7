/* LIST patterns against a plain recursive matcher, and the time that hostile ones take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "imap/match.h"

static bool match(const char *pattern, const char *name)
{
    struct imap_match *m = imap_match_new(view_str(pattern));
    bool yes = imap_match_name(m, view_str(name));

    imap_match_free(&m);
    assert_null(m);
    return yes;
}

static bool naive(const char *p, const char *n)
{
    if (*p == '\0')
        return *n == '\0';
    if (*p == '*' || *p == '%')
        return naive(p + 1, n) || (*n != '\0' && (*p == '*' || *n != '/') && naive(p, n + 1));
    return *n == *p && naive(p + 1, n + 1);
}

static void test_examples(void **state)
{
    (void)state;
    assert_true(match("*", "a/b/c"));
    assert_false(match("%", "a/b"));
    assert_true(match("%", "a"));
    assert_true(match("a/%", "a/b"));
    assert_false(match("a/%", "a"));
    assert_true(match("a*", "a"));
    assert_true(match("%/%", "a/b"));
    assert_true(match("*%", "a/b"));
    assert_true(match("%*", "a/b"));
    assert_true(match("", ""));
    assert_false(match("", "a"));
    assert_true(match("inBox", "INBOX"));
    assert_true(match("inb%/x", "INBOX/x"));
    assert_false(match("inb%/X", "INBOX/x"));
    assert_false(match("sent", "Sent"));
    assert_false(match("inboxes", "INBOXES"));
}

static void test_against_naive(void **state)
{
    static const char alphabet[] = "ab/*%";
    char pattern[8], name[8];
    uint32_t seed = 1;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        unsigned np, nn;

        seed = seed * 1664525 + 1013904223;
        np = seed >> 29;
        for (unsigned k = 0; k < np; k++) {
            seed = seed * 1664525 + 1013904223;
            pattern[k] = alphabet[(seed >> 16) % 5];
        }
        pattern[np] = '\0';
        seed = seed * 1664525 + 1013904223;
        nn = seed >> 29;
        for (unsigned k = 0; k < nn; k++) {
            seed = seed * 1664525 + 1013904223;
            name[k] = alphabet[(seed >> 16) % 3];
        }
        name[nn] = '\0';
        if (match(pattern, name) != naive(pattern, name))
            fail_msg("pattern '%s' name '%s'", pattern, name);
    }
}

static void test_long_patterns(void **state)
{
    char pattern[1025], name[1001];
    struct imap_match *m;
    clock_t begin = clock();

    (void)state;
    for (size_t i = 0; i < 1024; i++)
        pattern[i] = i % 2 == 0 ? '*' : 'a';
    pattern[1024] = '\0';
    for (size_t i = 0; i < 1000; i++)
        name[i] = 'a';
    name[1000] = '\0';
    m = imap_match_new(view_str(pattern));
    for (int i = 0; i < 1000; i++)
        assert_false(imap_match_name(m, view_str(i % 2 == 0 ? "" : "b")));
    for (int i = 0; i < 1000; i++) {
        name[999] = 'b'; /* the pattern ends with "a" */
        assert_false(imap_match_name(m, view_str(name)));
        name[999] = 'a';
        assert_true(imap_match_name(m, view_str(name)));
    }
    imap_match_free(&m);
    assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 5.0);
    for (size_t len = 60; len < 70; len++) { /* around the word size */
        memset(pattern, 'x', len);
        pattern[len] = '\0';
        assert_true(match(pattern, pattern));
        pattern[len - 1] = '%';
        name[len] = '\0';
        memset(name, 'x', len);
        assert_true(match(pattern, name));
        name[len - 2] = 'y';
        assert_false(match(pattern, name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_against_naive),
        cmocka_unit_test(test_long_patterns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
