/*
 * Who has how many connections before log-in, and who is not served for a while. A hash table with chains, keyed with a secret,
 * because clients choose the addresses (an IPv6 network has many). Its size is bounded by the limit on all connections plus the
 * bounded number of penalties.
 */
#include <stdlib.h>

#include <sodium.h>

#include "common/base/mem.h"
#include "common/login/login_int.h"

#define PENALTIES_MAX 4096
#define BUCKETS_MAX 65536

/* The part of an address that counts. */
struct key {
    uint8_t bytes[9];
};

struct entry {
    struct entry *next;
    struct key key;
    uint64_t count;
    uint64_t penalty_until; /* 0: none */
};

struct login_limits {
    uint64_t per_address, max, total;
    size_t penalties;
    uint8_t secret[crypto_shorthash_KEYBYTES];
    struct entry **buckets;
    size_t nbuckets; /* a power of two */
};

struct login_limits *login_limits_new(uint64_t per_address, uint64_t total)
{
    struct login_limits *l = xcalloc(1, sizeof(*l));

    l->per_address = per_address;
    l->max = total;
    l->nbuckets = 64;
    while (l->nbuckets < total && l->nbuckets < BUCKETS_MAX)
        l->nbuckets *= 2;
    l->buckets = xcalloc(l->nbuckets, sizeof(struct entry *));
    randombytes_buf(l->secret, sizeof(l->secret));
    return l;
}

void login_limits_free(struct login_limits **lp)
{
    struct login_limits *l = *lp;

    if (l == NULL)
        return;
    for (size_t i = 0; i < l->nbuckets; i++) {
        while (l->buckets[i] != NULL) {
            struct entry *e = l->buckets[i];

            l->buckets[i] = e->next;
            free(e);
        }
    }
    free(l->buckets);
    free(l);
    *lp = NULL;
}

uint64_t login_limits_total(const struct login_limits *l)
{
    return l->total;
}

static struct key key_of(const struct net_addr *addr)
{
    struct key key = {{addr->family}};

    /* One IPv6 customer has at least a /64. */
    memcpy(key.bytes + 1, addr->ip, addr->family == 4 ? 4 : 8);
    return key;
}

/* Where the entry of this address is, or would be. */
static struct entry **find(struct login_limits *l, const struct key *key)
{
    uint64_t hash = 0;
    struct entry **at;

    (void)crypto_shorthash((uint8_t *)&hash, key->bytes, sizeof(key->bytes), l->secret);
    at = &l->buckets[hash & (l->nbuckets - 1)];
    while (*at != NULL && memcmp((*at)->key.bytes, key->bytes, sizeof(key->bytes)) != 0)
        at = &(*at)->next;
    return at;
}

static struct entry *find_or_make(struct login_limits *l, const struct key *key)
{
    struct entry **at = find(l, key);

    if (*at == NULL) {
        *at = xcalloc(1, sizeof(**at));
        (*at)->key = *key;
    }
    return *at;
}

static void drop_if_unused(struct login_limits *l, const struct key *key)
{
    struct entry **at = find(l, key), *e = *at;

    if (e == NULL || e->count > 0 || e->penalty_until > 0)
        return;
    *at = e->next;
    free(e);
}

enum limits_verdict login_limits_add(struct login_limits *l, const struct net_addr *peer, uint64_t now)
{
    struct key key;
    struct entry *e;

    if (l->total >= l->max)
        return LIMITS_TOTAL;
    if (peer != NULL && peer->family != 0) {
        key = key_of(peer);
        e = *find(l, &key);
        if (e != NULL && e->penalty_until > now)
            return LIMITS_PENALTY;
        if (e != NULL && e->penalty_until > 0) {
            e->penalty_until = 0;
            l->penalties--;
        }
        if ((e != NULL ? e->count : 0) >= l->per_address)
            return LIMITS_ADDRESS;
        find_or_make(l, &key)->count++;
    }
    l->total++;
    return LIMITS_OK;
}

void login_limits_remove(struct login_limits *l, const struct net_addr *peer)
{
    struct key key;
    struct entry *e;

    l->total--;
    if (peer == NULL || peer->family == 0)
        return;
    key = key_of(peer);
    e = *find(l, &key);
    if (e == NULL)
        return;
    e->count--;
    drop_if_unused(l, &key);
}

/* Removes the penalties that are over. */
static void sweep(struct login_limits *l, uint64_t now)
{
    for (size_t i = 0; i < l->nbuckets; i++) {
        struct entry **at = &l->buckets[i];

        while (*at != NULL) {
            struct entry *e = *at;

            if (e->penalty_until > 0 && e->penalty_until <= now) {
                e->penalty_until = 0;
                l->penalties--;
            }
            if (e->count == 0 && e->penalty_until == 0) {
                *at = e->next;
                free(e);
            } else {
                at = &e->next;
            }
        }
    }
}

void login_limits_penalise(struct login_limits *l, const struct net_addr *peer, uint64_t now, uint64_t until)
{
    struct key key = key_of(peer);
    struct entry *e;

    if (peer->family == 0)
        return;
    if (l->penalties >= PENALTIES_MAX)
        sweep(l, now);
    if (l->penalties >= PENALTIES_MAX)
        return;
    e = find_or_make(l, &key);
    if (e->penalty_until == 0)
        l->penalties++;
    e->penalty_until = MAX_OF(until, now + 1);
}
