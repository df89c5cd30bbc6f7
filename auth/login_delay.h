/*
 * LOGIN-DELAY of POP3 (RFC 2449 6.5) as a soft queue: a client that comes back too early is not refused but waits. Bounded
 * memory: of users whose entries collide only the later one is remembered.
 */
#ifndef CULVER_AUTH_LOGIN_DELAY_H
#define CULVER_AUTH_LOGIN_DELAY_H

#include "common/base/view.h"

struct login_delay;

/* delay_ms: time to be left between log-ins of a user; wait_max_ms: the longest wait. NULL when there is no delay. */
struct login_delay *login_delay_new(uint64_t delay_ms, uint64_t wait_max_ms);
void login_delay_free(struct login_delay **d);
/* A log-in of this user: how long it has to wait, in ms. d may be NULL. */
uint64_t login_delay_take(struct login_delay *d, uint64_t now, struct view user);

#endif
