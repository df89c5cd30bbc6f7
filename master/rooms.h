/*
 * How much mail still fits into users' quotas, as their workers said last: what a recipient is told before there is a message.
 * It is never the last word: the worker that stores a message is. Master only.
 *
 * What a worker said holds while it lives, and ROOMS_KEEP_MS longer when it left in order, kept its mail in our own format, where
 * nobody else changes it, and had little room: a full mailbox then costs no worker and no message. A worker's start, its death
 * and an administrator's tool end it, and so does another quota or folder in the user's record.
 */
#ifndef CULVER_MASTER_ROOMS_H
#define CULVER_MASTER_ROOMS_H

#include "common/ipc/proto.h"
#include "master/user.h"

#define ROOMS_KEEP_MS 600000

struct rooms;

struct rooms *rooms_new(size_t max);
void rooms_free(struct rooms **r);
/* A worker's word. Nothing is kept where there is no place for it. */
void rooms_told(struct rooms *r, const struct user *user, const struct msg_worker_room *room);
/* It has left: what it said is kept up to this moment (loop_now), or, with 0, forgotten. little: what counts as little room. */
void rooms_left(struct rooms *r, const struct user *user, uint64_t until, uint64_t little);
/* False when it is known that a message of this size (0: unknown) does not fit. */
bool rooms_fit(struct rooms *r, const struct user *user, uint64_t size, uint64_t now);

#endif
