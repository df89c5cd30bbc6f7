#include "auth/login_delay.h"

#include <sodium.h>
#include <stdlib.h>

#include "common/base/mem.h"

#define USERS 65536

struct login_delay {
    uint64_t delay, wait_max;
    uint8_t key[crypto_shorthash_KEYBYTES];
    struct {
        uint64_t user; /* hash; 0: free */
        uint64_t until;
    } users[USERS];
};

struct login_delay *login_delay_new(uint64_t delay_ms, uint64_t wait_max_ms)
{
    if (delay_ms == 0)
        return NULL;
    struct login_delay *d = xcalloc(1, sizeof(*d));
    d->delay = delay_ms;
    d->wait_max = wait_max_ms;
    randombytes_buf(d->key, sizeof(d->key));
    return d;
}

void login_delay_free(struct login_delay **d)
{
    free(*d);
    *d = NULL;
}

uint64_t login_delay_take(struct login_delay *d, uint64_t now, struct view user)
{
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t id, wait = 0;
    if (d == NULL)
        return 0;
    (void)crypto_shorthash(hash, user.ptr, user.len, d->key);
    memcpy(&id, hash, sizeof(id));
    id |= 1; /* not 0 */
    size_t slot = (size_t)(id >> 32) % USERS;
    if (d->users[slot].user == id && now < d->users[slot].until)
        wait = MIN_OF(d->users[slot].until - now, d->wait_max);
    d->users[slot].user = id;
    d->users[slot].until = now + wait + d->delay;
    return wait;
}
