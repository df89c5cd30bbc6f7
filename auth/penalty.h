/*
 * Remembers failed log-ins by address (IPv6: by /64, and by /48, which has 65536 of them) and by user, in tables of fixed size,
 * to slow guessing down:
 *  - every failure is answered late, and later with each further one;
 *  - an address with several recent failures has its attempts looked at one at a time, some seconds apart.
 * A user is never locked out by others' failures: for a user only the answer to a failure becomes slower. Addresses of this host
 * are not counted: behind them is a webmail with all its users. The same guess repeated (a phone with an old password) counts
 * once.
 */
#ifndef CULVER_AUTH_PENALTY_H
#define CULVER_AUTH_PENALTY_H

#include "auth/name.h"

#define PENALTY_FREE 5       /* failures of an address after which its attempts are spaced */
#define PENALTY_FREE_SITE 20 /* the same for an IPv6 /48 */
#define PENALTY_SPACE_MS 2000
#define PENALTY_BACKLOG_MS 15000 /* an attempt that would have to wait longer is refused */
#define PENALTY_REFUSED UINT64_MAX
#define PENALTY_CODES_FREE 5
#define PENALTY_CODE_MS 30000

struct penalty;

/* delay_ms: before a first failure is answered. */
struct penalty *penalty_new(uint64_t delay_ms);
void penalty_free(struct penalty **p);

/* How long an attempt from peer must wait before it is looked at (its turn is then taken), or PENALTY_REFUSED where it would be
 * more than backlog_ms. */
uint64_t penalty_admit(struct penalty *p, uint64_t now, uint64_t backlog_ms, const struct net_addr *peer);
/* A failed log-in. user: as tried, whether it exists or not. password: only a keyed hash of it is kept. */
void penalty_failed(struct penalty *p, uint64_t now, const struct net_addr *peer, struct view user, struct view password);
/* What the attempts of peer are counted for, and how many of them may be looked at at once: as many as would all be free if all
 * failed. None: they have turns (penalty_admit). Returns how many sources, 0 for an address that is not counted. */
#define PENALTY_SOURCES 2
struct penalty_source {
    uint64_t key;
    uint32_t room;
};
size_t penalty_sources(const struct penalty *p, uint64_t now, const struct net_addr *peer,
                       struct penalty_source out[static PENALTY_SOURCES]);
/* When the answer to a failure should leave, counted from now, for an attempt that was begun at `started`. The time since then is
 * rounded up to whole delays, so that how long the check took does not show. */
uint64_t penalty_hold(struct penalty *p, uint64_t now, uint64_t started, const struct net_addr *peer, struct view user);
/* Second factors of a user whose password was right: after PENALTY_CODES_FREE wrong codes one is looked at in PENALTY_CODE_MS. */
bool penalty_code_admit(struct penalty *p, uint64_t now, struct view user);
void penalty_code_failed(struct penalty *p, uint64_t now, struct view user);

#endif
