/* Chained buckets, doubled when they hold more than one entry on average; never shrunk (the bound keeps it small). */
#include "master/table.h"

#include <sodium.h>
#include <stdlib.h>

#include "common/base/mem.h"

struct entry {
    struct entry *next;
    uint64_t hash;
    void *value;
    size_t key_len;
    uint8_t key[];
};

struct table {
    struct entry **buckets;
    size_t nbuckets; /* a power of two */
    size_t count, max;
    uint8_t seed[crypto_shorthash_KEYBYTES];
};

struct table *table_new(size_t max)
{
    struct table *t = xcalloc(1, sizeof(*t));

    t->nbuckets = 16;
    t->buckets = xcalloc(t->nbuckets, sizeof(struct entry *));
    t->max = max;
    randombytes_buf(t->seed, sizeof(t->seed));
    return t;
}

void table_free(struct table **tp)
{
    struct table *t = *tp;

    if (t == NULL)
        return;
    for (size_t i = 0; i < t->nbuckets; i++) {
        struct entry *e = t->buckets[i];
        while (e != NULL) {
            struct entry *next = e->next;
            free(e);
            e = next;
        }
    }
    free(t->buckets);
    free(t);
    *tp = NULL;
}

size_t table_count(const struct table *t)
{
    return t->count;
}

static uint64_t key_hash(const struct table *t, struct view key)
{
    uint8_t out[crypto_shorthash_BYTES];
    static const uint8_t none[1];
    uint64_t h;

    crypto_shorthash(out, key.len != 0 ? key.ptr : none, key.len, t->seed);
    memcpy(&h, out, sizeof(h));
    return h;
}

/* The link that points to the entry of key, or to the end of its chain. */
static struct entry **find_link(const struct table *t, struct view key, uint64_t hash)
{
    struct entry **link = &t->buckets[hash & (t->nbuckets - 1)];

    while (*link != NULL && ((*link)->hash != hash || !view_eq(view_make((*link)->key, (*link)->key_len), key)))
        link = &(*link)->next;
    return link;
}

static void grow(struct table *t)
{
    size_t n = t->nbuckets * 2;
    struct entry **buckets = xcalloc(n, sizeof(struct entry *));

    for (size_t i = 0; i < t->nbuckets; i++) {
        struct entry *e = t->buckets[i];
        while (e != NULL) {
            struct entry *next = e->next;
            struct entry **head = &buckets[e->hash & (n - 1)];
            e->next = *head;
            *head = e;
            e = next;
        }
    }
    free(t->buckets);
    t->buckets = buckets;
    t->nbuckets = n;
}

void *table_get(const struct table *t, struct view key)
{
    struct entry *e = *find_link(t, key, key_hash(t, key));

    return e != NULL ? e->value : NULL;
}

int table_put(struct table *t, struct view key, void *value)
{
    uint64_t hash = key_hash(t, key);
    struct entry **link = find_link(t, key, hash);
    struct entry *e;

    if (*link != NULL)
        return ERR_EXISTS;
    if (t->count >= t->max)
        return ERR_LIMIT;
    e = xmalloc(sizeof(*e) + key.len);
    e->next = NULL;
    e->hash = hash;
    e->value = value;
    e->key_len = key.len;
    if (key.len != 0)
        memcpy(e->key, key.ptr, key.len);
    *link = e;
    if (++t->count > t->nbuckets)
        grow(t);
    return 0;
}

void *table_del(struct table *t, struct view key)
{
    struct entry **link = find_link(t, key, key_hash(t, key));
    struct entry *e = *link;
    void *value;

    if (e == NULL)
        return NULL;
    value = e->value;
    *link = e->next;
    free(e);
    t->count--;
    return value;
}

void **table_values(const struct table *t, size_t *n_out)
{
    void **values = xcalloc(t->count + 1, sizeof(*values));
    size_t n = 0;

    for (size_t i = 0; i < t->nbuckets; i++)
        for (const struct entry *e = t->buckets[i]; e != NULL; e = e->next)
            values[n++] = e->value;
    *n_out = n;
    return values;
}
