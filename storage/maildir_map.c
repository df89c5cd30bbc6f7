/* A hash table that costs one allocation and the names. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "storage/maildir_int.h"

void md_map_free(struct md_map *map)
{
    for (size_t i = 0; i < map->cap; i++)
        free(map->v[i].name);
    free(map->v);
    memset(map, 0, sizeof(*map));
}

/* Where hash is, or would be. */
static size_t slot_of(const struct md_map *map, uint64_t hash)
{
    size_t i = (size_t)hash & (map->cap - 1);

    while (map->v[i].hash != 0 && map->v[i].hash != hash)
        i = (i + 1) & (map->cap - 1);
    return i;
}

struct md_file *md_map_find(const struct md_map *map, uint64_t hash)
{
    struct md_file *f = map->cap > 0 ? &map->v[slot_of(map, hash)] : NULL;

    return f != NULL && f->hash != 0 ? f : NULL;
}

static void grow(struct md_map *map)
{
    struct md_map larger = {.n = map->n, .cap = MAX_OF(map->cap * 2, (size_t)16)};

    larger.v = xcalloc(larger.cap, sizeof(*larger.v));
    for (size_t i = 0; i < map->cap; i++) {
        if (map->v[i].hash != 0)
            larger.v[slot_of(&larger, map->v[i].hash)] = map->v[i];
    }
    free(map->v);
    *map = larger;
}

void md_file_set(struct md_file *f, enum md_place place, const char *name)
{
    char *copy = name != NULL ? xstrdup(name) : NULL;

    free(f->name);
    f->name = copy;
    f->place = (uint8_t)place;
}

struct md_file *md_map_add(struct md_map *map, uint64_t hash, enum md_place place, const char *name)
{
    struct md_file *f;

    if (map->n >= map->cap / 4 * 3)
        grow(map);
    f = &map->v[slot_of(map, hash)];
    map->n += f->hash == 0;
    f->hash = hash;
    md_file_set(f, place, name);
    return f;
}

/* Those behind it that would no longer be found move up. */
void md_map_remove(struct md_map *map, uint64_t hash)
{
    size_t mask = map->cap - 1, hole, i;

    if (md_map_find(map, hash) == NULL)
        return;
    hole = slot_of(map, hash);
    free(map->v[hole].name);
    map->n--;
    for (i = (hole + 1) & mask; map->v[i].hash != 0; i = (i + 1) & mask) {
        size_t home = (size_t)map->v[i].hash & mask;

        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->v[hole] = map->v[i];
            hole = i;
        }
    }
    memset(&map->v[hole], 0, sizeof(map->v[hole]));
}
