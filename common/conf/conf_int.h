/* What the files of the configuration parser share; nobody else includes it. */
#ifndef CULVER_COMMON_CONF_CONF_INT_H
#define CULVER_COMMON_CONF_CONF_INT_H

#include "common/conf/conf.h"

#define CONF_NAME_MAX 64 /* octets of a name that are looked at */
#define CONF_LABEL_MAX 255

struct conf_chunk; /* one allocation that lives as long as the configuration */

struct conf {
    const struct conf_component **components;
    void **values; /* values[i] belongs to components[i] */
    size_t n;
    struct conf_chunk *chunks;
};

/* A zeroed allocation that conf_free releases. */
void *conf_keep(struct conf *conf, size_t size);
/* A NUL-terminated copy that conf_free releases. */
const char *conf_keep_view(struct conf *conf, struct view v);
/* A conf with every default set and no section. */
struct conf *conf_new(const struct conf_component *const *components, size_t n);

/* Start of one section's struct in its component's array. */
static inline void *conf_section_at(const void *values, const struct conf_section *section, size_t index)
{
    char *elements;

    memcpy(&elements, (const char *)values + section->array_offset, sizeof(elements));
    return elements + index * section->size;
}
static inline size_t conf_section_count(const void *values, const struct conf_section *section)
{
    size_t count;

    memcpy(&count, (const char *)values + section->count_offset, sizeof(count));
    return count;
}

/* Parses raw (what followed the '=', trimmed, without a comment) into the setting's place in base. folder: where relative paths
 * start, NULL where they are not allowed. On ERR_SYNTAX or ERR_RANGE `why` says what is wrong and base is unchanged. */
MUST_CHECK int conf_value_parse(struct conf *conf, const struct conf_setting *setting, struct view raw, const char *folder,
                                void *base, struct buf *why);
/* Sets every setting of a table to its default; a default that does not parse is our bug (panic). */
void conf_value_defaults(struct conf *conf, const struct conf_setting *settings, void *base);
/* Writes the value in base the way the file has it. */
void conf_value_write(const struct conf_setting *setting, const void *base, struct buf *out);
/* "from 1 to 65535", "one of: a, b": what the table says of the values; nothing where there is nothing to say. */
void conf_value_bounds(const struct conf_setting *setting, struct buf *out);

/* Edit distance of two names, counted up to `most` (then most + 1). Names longer than CONF_NAME_MAX are never near. */
unsigned conf_name_distance(struct view a, struct view b, unsigned most);

#endif
