/*
 * A bounded hash table from short byte keys to pointers, keyed with a random SipHash key so that nobody who can choose keys (user
 * names, connection ids) can choose collisions. Keys are copied, values are borrowed. Master only.
 */
#ifndef CULVER_MASTER_TABLE_H
#define CULVER_MASTER_TABLE_H

#include "common/base/err.h"
#include "common/base/view.h"

struct table;

/* max: most entries at any time. */
struct table *table_new(size_t max);
/* Frees the table, not the values. */
void table_free(struct table **t);
size_t table_count(const struct table *t);
/* NULL when there is none. */
void *table_get(const struct table *t, struct view key);
/* value must not be NULL. ERR_EXISTS, ERR_LIMIT. */
MUST_CHECK int table_put(struct table *t, struct view key, void *value);
/* Removes and returns the value; NULL when there was none. */
void *table_del(struct table *t, struct view key);
/* All values of this moment in a heap array that the caller frees: the table may change while it is walked. */
void **table_values(const struct table *t, size_t *n_out);

#endif
