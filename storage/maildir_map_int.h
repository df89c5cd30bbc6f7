/* The files of a folder by the hash of their base name. */
#ifndef CULVER_STORAGE_MAILDIR_MAP_INT_H
#define CULVER_STORAGE_MAILDIR_MAP_INT_H

#include "storage/maildir_fs_int.h"

struct md_file {
    uint64_t hash; /* 0: the slot is free */
    char *name;    /* as it is in its place now */
    uint32_t uid;  /* 0: no message yet */
    uint32_t gen;  /* of the listing that saw it last */
    uint8_t place; /* enum md_place; MD_TMP: committed, not yet moved to where others see it */
    bool bad;      /* cannot be a message as long as it is called so */
};
struct md_map {
    struct md_file *v; /* open addressing, power of two */
    size_t n, cap;
};
void md_map_free(struct md_map *map);
/* Pointers are good until the next md_map_add or md_map_remove. */
struct md_file *md_map_find(const struct md_map *map, uint64_t hash);
struct md_file *md_map_add(struct md_map *map, uint64_t hash, enum md_place place, const char *name);
void md_map_remove(struct md_map *map, uint64_t hash);
void md_file_set(struct md_file *f, enum md_place place, const char *name);

#endif
