/* Two tables of counters: by user name, and by address octets followed by the name. */
#include "master/limits.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "master/table.h"

#define LIMITS_TABLE_MAX 1000000

struct session_limits {
    struct table *users;  /* name -> struct count */
    struct table *places; /* address + name -> struct count */
    uint64_t per_user, per_user_address, total_max, total;
};

struct count {
    uint64_t n;
};

/* The key of a user at an address, in storage of 17 octets and the name. */
struct place_key {
    uint8_t bytes[1 + 16 + PROTO_NAME_MAX];
    size_t len;
};

struct session_limits *session_limits_new(void)
{
    struct session_limits *l = xcalloc(1, sizeof(*l));

    l->users = table_new(LIMITS_TABLE_MAX);
    l->places = table_new(LIMITS_TABLE_MAX);
    return l;
}

static void counts_free(struct table **t)
{
    size_t n;
    void **all = table_values(*t, &n);

    for (size_t i = 0; i < n; i++)
        free(all[i]);
    free(all);
    table_free(t);
}

void session_limits_free(struct session_limits **lp)
{
    struct session_limits *l = *lp;

    if (l == NULL)
        return;
    counts_free(&l->users);
    counts_free(&l->places);
    free(l);
    *lp = NULL;
}

void session_limits_set(struct session_limits *l, uint64_t per_user, uint64_t per_user_address, uint64_t total)
{
    l->per_user = per_user;
    l->per_user_address = per_user_address;
    l->total_max = total;
}

static bool place_key_make(struct place_key *k, struct view user, const struct net_addr *peer)
{
    if (user.len == 0 || user.len > PROTO_NAME_MAX)
        return false;
    memset(k->bytes, 0, 17);
    k->bytes[0] = peer->family;
    memcpy(k->bytes + 1, peer->ip, peer->family == 4 ? 4 : 16);
    memcpy(k->bytes + 17, user.ptr, user.len);
    k->len = 17 + user.len;
    return true;
}

static uint64_t count_get(const struct table *t, struct view key)
{
    const struct count *c = table_get(t, key);

    return c != NULL ? c->n : 0;
}

static bool count_up(struct table *t, struct view key)
{
    struct count *c = table_get(t, key);

    if (c == NULL) {
        c = xcalloc(1, sizeof(*c));
        if (table_put(t, key, c) != 0) {
            free(c);
            return false;
        }
    }
    c->n++;
    return true;
}

static void count_down(struct table *t, struct view key)
{
    struct count *c = table_get(t, key);

    ASSERT(c != NULL && c->n > 0);
    if (--c->n == 0)
        free(table_del(t, key));
}

enum limit_hit session_limits_acquire(struct session_limits *l, const struct user *u, const struct net_addr *peer)
{
    struct place_key k;
    struct view place, user = view_str(u->name);

    if (!place_key_make(&k, user, peer))
        return LIMIT_TOTAL;
    place = view_make(k.bytes, k.len);
    if (l->total >= l->total_max)
        return LIMIT_TOTAL;
    if (count_get(l->users, user) >= (u->sessions_max != 0 ? u->sessions_max : l->per_user))
        return LIMIT_USER;
    if (count_get(l->places, place) >= (u->sessions_per_address != 0 ? u->sessions_per_address : l->per_user_address))
        return LIMIT_USER_ADDRESS;
    if (!count_up(l->users, user))
        return LIMIT_TOTAL;
    if (!count_up(l->places, place)) {
        count_down(l->users, user);
        return LIMIT_TOTAL;
    }
    l->total++;
    return LIMIT_NONE;
}

void session_limits_release(struct session_limits *l, struct view user, const struct net_addr *peer)
{
    struct place_key k;

    ASSERT(place_key_make(&k, user, peer) && l->total > 0);
    count_down(l->users, user);
    count_down(l->places, view_make(k.bytes, k.len));
    l->total--;
}

uint64_t session_limits_total(const struct session_limits *l)
{
    return l->total;
}

const char *limit_text(enum limit_hit hit)
{
    switch (hit) {
    case LIMIT_NONE:
        break;
    case LIMIT_TOTAL:
        return "Too many sessions on this server";
    case LIMIT_USER:
        return "Too many sessions of this user";
    case LIMIT_USER_ADDRESS:
        return "Too many sessions of this user from this address";
    }
    return "No limit reached";
}
