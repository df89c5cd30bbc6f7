/* Sets of SET entries; the user's hash says which set, and the search ends there. */
#include "auth/cache.h"

#include <sodium.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/secret/secret.h"

#define SET 8
#define HASH 32

struct entry {
    uint8_t user[HASH], claim[HASH];
    uint64_t expires; /* 0: free */
};

struct auth_cache {
    uint64_t ttl;
    uint64_t generation;
    size_t nsets;
    struct entry *entries;
    uint8_t key[crypto_generichash_KEYBYTES];
};

struct auth_cache *auth_cache_new(uint64_t ttl_ms, size_t size)
{
    if (ttl_ms == 0)
        return NULL;
    struct auth_cache *c = xcalloc(1, sizeof(*c));
    c->ttl = ttl_ms;
    c->nsets = MAX_OF((size + SET - 1) / SET, (size_t)1);
    c->entries = xcalloc(c->nsets * SET, sizeof(*c->entries));
    randombytes_buf(c->key, sizeof(c->key));
    return c;
}

static void cache_clear(struct auth_cache *c)
{
    secret_wipe(c->entries, c->nsets * SET * sizeof(*c->entries));
}

void auth_cache_free(struct auth_cache **cache)
{
    struct auth_cache *c = *cache;
    *cache = NULL;
    if (c == NULL)
        return;
    cache_clear(c);
    secret_wipe(c->key, sizeof(c->key));
    free(c->entries);
    free(c);
}

static void add(crypto_generichash_state *st, struct view v)
{
    uint64_t len = v.len;
    if (crypto_generichash_update(st, (const uint8_t *)&len, sizeof(len)) != 0 ||
        (v.len > 0 && crypto_generichash_update(st, v.ptr, v.len) != 0))
        PANIC("a hash cannot be computed");
}

/* what: keeps the hashes of users and those of claims apart. */
static void begin(const struct auth_cache *c, crypto_generichash_state *st, uint8_t what)
{
    if (crypto_generichash_init(st, c->key, sizeof(c->key), HASH) != 0)
        PANIC("a hash cannot be computed");
    add(st, view_make(&what, 1));
}

static void finish(crypto_generichash_state *st, uint8_t out[static HASH])
{
    if (crypto_generichash_final(st, out, HASH) != 0)
        PANIC("a hash cannot be computed");
    secret_wipe(st, sizeof(*st));
}

static void hash_user(const struct auth_cache *c, const struct auth_name *user, uint8_t out[static HASH])
{
    crypto_generichash_state st;
    begin(c, &st, 'u');
    add(&st, auth_name_view(user));
    finish(&st, out);
}

static void hash_claim(const struct auth_cache *c, const struct cache_claim *claim, uint8_t out[static HASH])
{
    uint8_t class = (uint8_t)claim->class;
    crypto_generichash_state st;
    begin(c, &st, 'c');
    add(&st, auth_name_view(claim->user));
    add(&st, claim->password);
    add(&st, view_make(&class, 1));
    /* Whether a user may log in depends on where from. */
    add(&st, view_make(&claim->peer->family, 1));
    add(&st, view_make(claim->peer->ip, sizeof(claim->peer->ip)));
    finish(&st, out);
}

static struct entry *set_of(struct auth_cache *c, const uint8_t user[static HASH])
{
    uint64_t n;
    memcpy(&n, user, sizeof(n));
    return &c->entries[n % c->nsets * SET];
}

static struct entry *find(struct auth_cache *c, const uint8_t user[static HASH])
{
    struct entry *set = set_of(c, user);
    for (size_t i = 0; i < SET; i++) {
        if (set[i].expires != 0 && secret_equal(view_make(set[i].user, HASH), view_make(user, HASH)))
            return &set[i];
    }
    return NULL;
}

static void check_generation(struct auth_cache *c, uint64_t generation)
{
    if (generation != c->generation)
        cache_clear(c);
    c->generation = generation;
}

bool auth_cache_hit(struct auth_cache *c, uint64_t now, uint64_t generation, const struct cache_claim *claim)
{
    uint8_t user[HASH], hash[HASH];
    if (c == NULL)
        return false;
    check_generation(c, generation);
    hash_user(c, claim->user, user);
    const struct entry *e = find(c, user);
    if (e == NULL || e->expires <= now)
        return false;
    hash_claim(c, claim, hash);
    return secret_equal(view_make(e->claim, HASH), view_make(hash, HASH));
}

void auth_cache_put(struct auth_cache *c, uint64_t now, uint64_t generation, const struct cache_claim *claim)
{
    uint8_t user[HASH];
    if (c == NULL)
        return;
    check_generation(c, generation);
    hash_user(c, claim->user, user);
    struct entry *e = find(c, user), *set = set_of(c, user);
    for (size_t i = 0; e == NULL && i < SET; i++) {
        if (set[i].expires <= now)
            e = &set[i];
    }
    if (e == NULL) {
        e = set;
        for (size_t i = 1; i < SET; i++) {
            if (set[i].expires < e->expires)
                e = &set[i];
        }
    }
    memcpy(e->user, user, HASH);
    hash_claim(c, claim, e->claim);
    e->expires = now + c->ttl;
}

void auth_cache_forget(struct auth_cache *c, const struct auth_name *user)
{
    uint8_t hash[HASH];
    if (c == NULL)
        return;
    hash_user(c, user, hash);
    struct entry *e = find(c, hash);
    if (e != NULL)
        secret_wipe(e, sizeof(*e));
}
