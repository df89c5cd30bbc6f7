/*
 * Who waits, waits at one source, the first that had no room. The first of a line keeps its place when it was called in vain: a
 * source without room has somebody inside, whose leaving calls again, so nobody waits for nothing.
 */
#include "auth/gate.h"

#include <stdlib.h>

#include "common/base/mem.h"

#define BUCKETS 4096

struct gate_source {
    struct gate_source *next; /* in its bucket */
    uint64_t key;
    uint32_t inside;
    struct gate_place *first, *last; /* waiting */
};

struct gate {
    struct gate_source *buckets[BUCKETS]; /* the keys are hash values under a secret key */
};

struct gate *gate_new(void)
{
    return xcalloc(1, sizeof(struct gate));
}

void gate_free(struct gate **g)
{
    free(*g);
    *g = NULL;
}

static struct gate_source *source_get(struct gate *g, uint64_t key)
{
    struct gate_source **bucket = &g->buckets[key % BUCKETS], *s = *bucket;
    while (s != NULL && s->key != key)
        s = s->next;
    if (s == NULL) {
        s = xcalloc(1, sizeof(*s));
        s->key = key;
        s->next = *bucket;
        *bucket = s;
    }
    return s;
}

static void source_put(struct gate *g, struct gate_source *s)
{
    struct gate_source **p = &g->buckets[s->key % BUCKETS];
    if (s->inside > 0 || s->first != NULL)
        return;
    while (*p != s)
        p = &(*p)->next;
    *p = s->next;
    free(s);
}

static void source_call(struct gate_source *s)
{
    struct gate_place *first = s->first;
    if (first == NULL || first->called)
        return;
    first->called = true;
    first->call(first->arg);
}

static void wait_begin(struct gate_source *s, struct gate_place *place)
{
    place->waits = s;
    place->next = NULL;
    place->prev = s->last;
    if (s->last != NULL)
        s->last->next = place;
    else
        s->first = place;
    s->last = place;
}

/* The source may be left without anybody. */
static void wait_end(struct gate_place *place)
{
    struct gate_source *s = place->waits;
    if (s == NULL)
        return;
    if (place->prev != NULL)
        place->prev->next = place->next;
    else
        s->first = place->next;
    if (place->next != NULL)
        place->next->prev = place->prev;
    else
        s->last = place->prev;
    place->next = place->prev = NULL;
    place->waits = NULL;
    source_call(s);
}

static bool has_turns(const struct penalty_source *sources, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (sources[i].room == 0)
            return true;
    }
    return false;
}

static bool source_full(const struct gate_source *s, uint32_t room, const struct gate_place *place)
{
    return s->inside >= room || (s->first != NULL && s->first != place);
}

bool gate_enter(struct gate *g, const struct penalty_source *sources, size_t n, struct gate_place *place)
{
    struct gate_source *found[PENALTY_SOURCES], *full = NULL;
    place->called = false;
    if (has_turns(sources, n)) {
        gate_leave(g, place);
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        found[i] = source_get(g, sources[i].key);
        if (full == NULL && source_full(found[i], sources[i].room, place))
            full = found[i];
    }
    for (size_t i = 0; i < n && full == NULL; i++) {
        found[i]->inside++;
        place->inside[place->ninside++] = found[i];
    }
    if (full == NULL || full != place->waits) {
        wait_end(place);
        if (full != NULL)
            wait_begin(full, place);
    }
    for (size_t i = 0; i < n; i++)
        source_put(g, found[i]);
    return full == NULL;
}

void gate_leave(struct gate *g, struct gate_place *place)
{
    struct gate_source *waited = place->waits;
    size_t n = place->ninside;
    place->ninside = 0;
    wait_end(place);
    if (waited != NULL)
        source_put(g, waited);
    for (size_t i = 0; i < n; i++) {
        place->inside[i]->inside--;
        source_call(place->inside[i]);
        source_put(g, place->inside[i]);
    }
}
