/*
 * Attempts under way: of one source only as many are looked at at once as it has failures left before its attempts are spaced
 * (penalty.h), for until one has ended nobody knows whether it was a failure. The others wait, and the next one is called when
 * one leaves. Memory: one entry for each source that has somebody inside or waiting, so never more than PENALTY_SOURCES for each
 * connection.
 *
 * Users have no gate: behind guesses at a user's password from everywhere the user would have to wait.
 */
#ifndef CULVER_AUTH_GATE_H
#define CULVER_AUTH_GATE_H

#include "auth/penalty.h"

struct gate;
struct gate_source;

/* One attempt; zeroed: neither inside nor waiting. Owned by the caller, who must leave before it goes. */
struct gate_place {
    struct gate_source *inside[PENALTY_SOURCES];
    size_t ninside;
    struct gate_source *waits; /* NULL: does not */
    struct gate_place *next, *prev;
    bool called;
    void (*call)(void *arg);
    void *arg;
};

struct gate *gate_new(void);
/* Nobody may be inside or waiting. */
void gate_free(struct gate **g);

/* True: inside. False: waits, in the order of coming; call(arg) is called once when it is worth to enter again (it must not do so
 * itself), which may again be in vain; sources are the same then, with the room that they have now. A source without room has
 * turns instead, and lets everybody in. */
bool gate_enter(struct gate *g, const struct penalty_source *sources, size_t n, struct gate_place *place);
/* Accepts a place that is neither inside nor waiting. */
void gate_leave(struct gate *g, struct gate_place *place);

#endif
