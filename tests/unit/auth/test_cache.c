/* The cache of right passwords: every part of a claim counts, nobody is taken for somebody else, and what was refused is gone. */
#include "tests/unit/auth/unit.h"

#include <stdio.h>

#include "auth/cache.h"

static struct auth_name name_of(const char *text)
{
    struct auth_name n = {.len = strlen(text), .at = strlen(text)};
    memcpy(n.text, text, n.len);
    return n;
}

static const struct net_addr here = {.family = 4, .ip = {192, 0, 2, 1}}, there = {.family = 4, .ip = {192, 0, 2, 2}};

static bool hit(struct auth_cache *c, uint64_t now, uint64_t generation, const char *user, const char *password,
                const struct net_addr *peer)
{
    struct auth_name n = name_of(user);
    const struct cache_claim claim = {&n, view_str(password), CACHE_PASSWORD, peer};
    return auth_cache_hit(c, now, generation, &claim);
}

static void put(struct auth_cache *c, uint64_t now, uint64_t generation, const char *user, const char *password)
{
    struct auth_name n = name_of(user);
    const struct cache_claim claim = {&n, view_str(password), CACHE_PASSWORD, &here};
    auth_cache_put(c, now, generation, &claim);
}

static void test_parts(void **state)
{
    (void)state;
    struct auth_cache *c = auth_cache_new(1000, 100);
    put(c, 5, 1, "alice", "pw");
    assert_true(hit(c, 5, 1, "alice", "pw", &here));
    assert_true(hit(c, 1004, 1, "alice", "pw", &here));
    assert_false(hit(c, 1005, 1, "alice", "pw", &here)); /* expired */
    assert_false(hit(c, 5, 1, "alice", "pW", &here));
    assert_false(hit(c, 5, 1, "alice", "pw", &there));
    assert_false(hit(c, 5, 1, "bob", "pw", &here));
    /* Where one part ends and the next begins counts. */
    assert_false(hit(c, 5, 1, "alicep", "w", &here));
    assert_false(hit(c, 5, 1, "alic", "epw", &here));
    assert_false(hit(c, 5, 1, "alice", "", &here));
    auth_cache_free(&c);
    auth_cache_free(&c);
    assert_null(auth_cache_new(0, 100));
    assert_false(hit(NULL, 5, 1, "alice", "pw", &here));
}

static void test_forgotten(void **state)
{
    struct auth_name alice = name_of("alice");
    (void)state;
    struct auth_cache *c = auth_cache_new(1000, 100);
    put(c, 5, 1, "alice", "old");
    put(c, 6, 1, "bob", "pw");
    put(c, 6, 1, "alice", "new"); /* the old one is no longer good */
    assert_false(hit(c, 7, 1, "alice", "old", &here));
    assert_true(hit(c, 7, 1, "alice", "new", &here));
    auth_cache_forget(c, &alice);
    assert_false(hit(c, 7, 1, "alice", "new", &here));
    assert_true(hit(c, 7, 1, "bob", "pw", &here));
    assert_false(hit(c, 7, 2, "bob", "pw", &here)); /* a file has changed */
    assert_false(hit(c, 7, 1, "bob", "pw", &here));
    auth_cache_free(&c);
}

static void test_full(void **state)
{
    char user[32];
    unsigned hits = 0;
    (void)state;
    struct auth_cache *c = auth_cache_new(1000, 64);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(user, sizeof(user), "user%u", i);
        put(c, i, 1, user, "same password");
        assert_true(hit(c, i, 1, user, "same password", &here));
    }
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(user, sizeof(user), "user%u", i);
        hits += hit(c, 1000, 1, user, "same password", &here);
    }
    assert_true(hits > 32 && hits <= 64);
    auth_cache_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_forgotten),
        cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
