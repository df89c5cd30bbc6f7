/*
 * The parsed configuration as an object: storage of values, strings and defaults. Everything that belongs to one configuration
 * hangs on one list of allocations and goes with it, so values can be plain structs with plain pointers.
 */
#include "common/conf/conf_int.h"

#include <stdlib.h>

#include "common/base/mem.h"

struct conf_chunk {
    struct conf_chunk *next;
    max_align_t data[];
};

void *conf_keep(struct conf *conf, size_t size)
{
    struct conf_chunk *chunk = xcalloc(1, sizeof(*chunk) + size);

    chunk->next = conf->chunks;
    conf->chunks = chunk;
    return chunk->data;
}

const char *conf_keep_view(struct conf *conf, struct view v)
{
    char *copy = conf_keep(conf, v.len + 1);

    if (v.len > 0)
        memcpy(copy, v.ptr, v.len);
    return copy;
}

struct conf *conf_new(const struct conf_component *const *components, size_t n)
{
    struct conf *conf = xcalloc(1, sizeof(*conf));
    size_t i;

    conf->components = xcalloc(n + 1, sizeof(*conf->components));
    conf->values = xcalloc(n + 1, sizeof(*conf->values));
    conf->n = n;
    for (i = 0; i < n; i++) {
        conf->components[i] = components[i];
        conf->values[i] = conf_keep(conf, components[i]->size);
        conf_value_defaults(conf, components[i]->settings, conf->values[i]);
    }
    return conf;
}

void conf_free(struct conf **conf)
{
    struct conf_chunk *chunk, *next;

    if (*conf == NULL)
        return;
    for (chunk = (*conf)->chunks; chunk != NULL; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free((*conf)->components);
    free((*conf)->values);
    free(*conf);
    *conf = NULL;
}

const void *conf_get(const struct conf *conf, const struct conf_component *component)
{
    size_t i;

    for (i = 0; i < conf->n; i++)
        if (conf->components[i] == component)
            return conf->values[i];
    return NULL;
}
