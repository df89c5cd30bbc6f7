/*
 * What the password databases have for SCRAM: keys, or the password itself. They are looked for by verify_keys_start (passdb.h),
 * database by database; here is what becomes of a user's record, and of a user who has none that serves.
 */
#ifndef CULVER_AUTH_PASSDB_SCRAM_H
#define CULVER_AUTH_PASSDB_SCRAM_H

#include "auth/passdb.h"

/* The keys of this record, which db has for v->name. PASSDB_MATCH: in v->x, unless v->keyed. PASSDB_WRONG: none that the
 * mechanism or the client may use, v->reason says why. With either, v->disabled: the user may not log in. */
enum passdb_result passdb_scram_line(struct verify *v, const struct passdb *db, const struct passwd_line *line);
/* Made-up keys for v->x. */
void passdb_scram_feign(struct verify *v);

#endif
