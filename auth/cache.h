/*
 * Remembers passwords that were right, so that webmail and phones do not cost a slow check each time. Holds no password and no
 * name: for a user the keyed hash of (user, password, kind of mechanism, client's address), the key made at the start and never
 * written. Everything that the answer depends on is in that hash, each part with its length before it.
 *
 * One entry a user: another password that is right takes the place of the old one, and any "no" of the databases for the user
 * removes it. All entries go when a passwd-file changes. The size is fixed; what has no room pushes out what expires first.
 */
#ifndef CULVER_AUTH_CACHE_H
#define CULVER_AUTH_CACHE_H

#include "auth/name.h"
#include "common/base/view.h"

struct auth_cache;

enum cache_class { CACHE_PASSWORD = 1 }; /* mechanisms that hand the password over */

struct cache_claim { /* borrowed for a call */
    const struct auth_name *user;
    struct view password;
    enum cache_class class;
    const struct net_addr *peer;
};

/* ttl_ms 0: none, NULL is returned, which all functions accept. */
struct auth_cache *auth_cache_new(uint64_t ttl_ms, size_t size);
void auth_cache_free(struct auth_cache **cache);

/* generation: of what the databases are made of; another one than before empties the cache. now: ms. */
bool auth_cache_hit(struct auth_cache *cache, uint64_t now, uint64_t generation, const struct cache_claim *claim);
void auth_cache_put(struct auth_cache *cache, uint64_t now, uint64_t generation, const struct cache_claim *claim);
void auth_cache_forget(struct auth_cache *cache, const struct auth_name *user);

#endif
