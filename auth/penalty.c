/*
 * Set-associative tables; the entry with the fewest failures gives way, of several the oldest, so that who fails often is not
 * forgotten for a flood of others. Keys are SipHash values under a random key, so nobody can aim at an entry, and no name or
 * address is kept. Counts halve with every quiet minute.
 */
#include "auth/penalty.h"

#include <sodium.h>
#include <stdlib.h>

#include "common/base/mem.h"

#define SETS 8192
#define WAYS 4
#define HALF_LIFE_MS 60000
#define COUNT_MAX 1000
#define DELAY_MAX_MS 15000

struct entry {
    uint64_t key; /* 0: free */
    uint64_t last;
    uint64_t turn;       /* addresses: when the next attempt may be looked at */
    uint64_t guesses[2]; /* the last two, so that a repetition is known */
    uint32_t count;
};

struct table {
    struct entry sets[SETS][WAYS];
};

struct penalty {
    uint64_t delay_ms;
    uint8_t hash_key[crypto_shorthash_KEYBYTES];
    struct table *peers, *users, *codes;
};

struct penalty *penalty_new(uint64_t delay_ms)
{
    struct penalty *p = xcalloc(1, sizeof(*p));
    p->delay_ms = delay_ms;
    p->peers = xcalloc(1, sizeof(*p->peers));
    p->users = xcalloc(1, sizeof(*p->users));
    p->codes = xcalloc(1, sizeof(*p->codes));
    randombytes_buf(p->hash_key, sizeof(p->hash_key));
    return p;
}

void penalty_free(struct penalty **p)
{
    if (*p == NULL)
        return;
    free((*p)->peers);
    free((*p)->users);
    free((*p)->codes);
    sodium_memzero((*p)->hash_key, sizeof((*p)->hash_key));
    free(*p);
    *p = NULL;
}

static uint64_t hash(const struct penalty *p, struct view v)
{
    uint8_t out[crypto_shorthash_BYTES];
    uint64_t h;
    crypto_shorthash(out, v.ptr, v.len, p->hash_key);
    memcpy(&h, out, sizeof(h));
    return h == 0 ? 1 : h;
}

/* What an address is counted as. A host has an IPv6 /64 for itself, and who has a /48 has many of those. */
struct peer_key {
    uint64_t key;
    uint32_t nfree; /* failures before its attempts are spaced */
};
#define KEYS PENALTY_SOURCES

static size_t peer_keys(const struct penalty *p, const struct net_addr *peer, struct peer_key keys[static KEYS])
{
    uint8_t bytes[10] = {peer->family, peer->family == 4 ? 32 : 64};
    if (peer->family == 0 || net_addr_is_loopback(peer))
        return 0;
    memcpy(bytes + 2, peer->ip, peer->family == 4 ? 4 : 8);
    keys[0] = (struct peer_key){hash(p, view_make(bytes, sizeof(bytes))), PENALTY_FREE};
    if (peer->family == 4)
        return 1;
    bytes[1] = 48;
    memset(bytes + 2 + 6, 0, 2);
    keys[1] = (struct peer_key){hash(p, view_make(bytes, sizeof(bytes))), PENALTY_FREE_SITE};
    return 2;
}

static uint32_t count_now(const struct entry *e, uint64_t now)
{
    uint64_t halvings = (now - e->last) / HALF_LIFE_MS;
    return halvings >= 32 ? 0 : e->count >> halvings;
}

/* Before the other one. */
static bool gives_way(const struct entry *e, const struct entry *other, uint64_t now)
{
    if (e->key == 0 || other->key == 0)
        return e->key == 0;
    uint32_t count = count_now(e, now), others = count_now(other, now);
    return count != others ? count < others : e->last < other->last;
}

/* The entry for key; with make, one is made when there is none. */
static struct entry *table_find(struct table *t, uint64_t key, uint64_t now, bool make)
{
    struct entry *set = t->sets[key % SETS], *victim = &set[0];
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
        if (gives_way(&set[i], victim, now))
            victim = &set[i];
    }
    if (!make)
        return NULL;
    *victim = (struct entry){.key = key, .last = now};
    return victim;
}

uint64_t penalty_admit(struct penalty *p, uint64_t now, uint64_t backlog_ms, const struct net_addr *peer)
{
    struct peer_key keys[KEYS];
    struct entry *spaced[KEYS];
    size_t n = peer_keys(p, peer, keys), nspaced = 0;
    uint64_t turn = now;
    for (size_t i = 0; i < n; i++) {
        struct entry *e = table_find(p->peers, keys[i].key, now, false);
        if (e == NULL || count_now(e, now) < keys[i].nfree)
            continue;
        spaced[nspaced++] = e;
        turn = MAX_OF(turn, e->turn);
    }
    if (turn - now > backlog_ms)
        return PENALTY_REFUSED;
    for (size_t i = 0; i < nspaced; i++)
        spaced[i]->turn = turn + PENALTY_SPACE_MS;
    return turn - now;
}

size_t penalty_sources(const struct penalty *p, uint64_t now, const struct net_addr *peer,
                       struct penalty_source out[static PENALTY_SOURCES])
{
    struct peer_key keys[KEYS];
    size_t n = peer_keys(p, peer, keys);
    for (size_t i = 0; i < n; i++) {
        const struct entry *e = table_find(p->peers, keys[i].key, now, false);
        uint32_t count = e == NULL ? 0 : count_now(e, now);
        out[i] = (struct penalty_source){keys[i].key, keys[i].nfree - MIN_OF(count, keys[i].nfree)};
    }
    return n;
}

static void entry_count(struct entry *e, uint64_t now, uint64_t guess)
{
    if (e->guesses[0] == guess || e->guesses[1] == guess)
        return;
    e->guesses[1] = e->guesses[0];
    e->guesses[0] = guess;
    e->count = MIN_OF(count_now(e, now) + 1, COUNT_MAX);
    e->last = now;
}

void penalty_failed(struct penalty *p, uint64_t now, const struct net_addr *peer, struct view user, struct view password)
{
    struct peer_key keys[KEYS];
    size_t n = peer_keys(p, peer, keys);
    uint64_t parts[2] = {hash(p, user), hash(p, password)};
    uint64_t guess = hash(p, view_make(parts, sizeof(parts)));
    for (size_t i = 0; i < n; i++)
        entry_count(table_find(p->peers, keys[i].key, now, true), now, guess);
    entry_count(table_find(p->users, parts[0], now, true), now, guess);
    sodium_memzero(parts, sizeof(parts));
}

/* The first two failures cost one delay, then 2, 4, 8 of them. */
static uint64_t delay_of(const struct penalty *p, uint32_t count)
{
    uint64_t factor = count <= 2 ? 1 : count <= 5 ? 1u << (count - 2) : 8;
    return MIN_OF(p->delay_ms * factor, MAX_OF(p->delay_ms, DELAY_MAX_MS));
}

uint64_t penalty_hold(struct penalty *p, uint64_t now, uint64_t started, const struct net_addr *peer, struct view user)
{
    struct peer_key keys[KEYS];
    size_t n = peer_keys(p, peer, keys);
    const struct entry *by_user = table_find(p->users, hash(p, user), now, false);
    uint32_t count = by_user == NULL ? 0 : count_now(by_user, now);
    for (size_t i = 0; i < n; i++) {
        const struct entry *e = table_find(p->peers, keys[i].key, now, false);
        uint32_t failed = e == NULL ? 0 : count_now(e, now);
        count = MAX_OF(count, failed * PENALTY_FREE / keys[i].nfree);
    }
    uint64_t delay = delay_of(p, count), spent = now - started;
    if (delay == 0)
        return 0;
    uint64_t total = spent <= delay ? delay : (spent + p->delay_ms - 1) / p->delay_ms * p->delay_ms;
    return total - spent;
}

bool penalty_code_admit(struct penalty *p, uint64_t now, struct view user)
{
    struct entry *e = table_find(p->codes, hash(p, user), now, false);
    if (e == NULL || count_now(e, now) < PENALTY_CODES_FREE)
        return true;
    if (e->turn > now)
        return false;
    e->turn = now + PENALTY_CODE_MS;
    return true;
}

void penalty_code_failed(struct penalty *p, uint64_t now, struct view user)
{
    struct entry *e = table_find(p->codes, hash(p, user), now, true);
    e->count = MIN_OF(count_now(e, now) + 1, COUNT_MAX);
    e->last = now;
}
