/* How many sessions there are: in all, of each user, of each user from each address. Every failure counts as "too many". Master
 * only. */
#ifndef CULVER_MASTER_LIMITS_H
#define CULVER_MASTER_LIMITS_H

#include "common/ipc/proto.h"
#include "master/user.h"

struct session_limits;

enum limit_hit { LIMIT_NONE, LIMIT_TOTAL, LIMIT_USER, LIMIT_USER_ADDRESS };

struct session_limits *session_limits_new(void);
void session_limits_free(struct session_limits **l);
/* May change at a reload; sessions above a lowered limit stay. */
void session_limits_set(struct session_limits *l, uint64_t per_user, uint64_t per_user_address, uint64_t total);
/* Counts one session of this user, or says what forbids it (nothing is counted then). What the user's record has as limits goes
 * before the general ones. */
MUST_CHECK enum limit_hit session_limits_acquire(struct session_limits *l, const struct user *user, const struct net_addr *peer);
/* Takes back one session_limits_acquire for the user of this name. */
void session_limits_release(struct session_limits *l, struct view user, const struct net_addr *peer);
uint64_t session_limits_total(const struct session_limits *l);
/* For the client. Never NULL. */
const char *limit_text(enum limit_hit hit);

#endif
