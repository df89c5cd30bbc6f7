/*
 * Keys for SCRAM from the password databases. Only passwd-files have what it takes: SCRAM keys, or the password itself. Asked in
 * their order up to the first that knows the user; a PAM database ends the search, because nobody can ask it without a password
 * and what stands behind it must not overrule it.
 */
#ifndef CULVER_AUTH_PASSDB_SCRAM_H
#define CULVER_AUTH_PASSDB_SCRAM_H

#include "auth/mech.h"
#include "auth/passdb.h"

/* Fills x->keys (and x->plain) for the user; name empty: no user can have the name x->authcid. master: as in struct verify.
 * PASSDB_MATCH: real keys.
 * PASSDB_DISABLED: real keys of somebody who may not log in. PASSDB_WRONG, PASSDB_UNKNOWN: made-up keys, the same ones each time
 * the same name comes, x->keys_false set, *reason_out for the log. PASSDB_TEMPORARY: no keys; logged. */
MUST_CHECK enum passdb_result passdb_scram_keys(const struct auth_dbs *dbs, const struct auth_name *name, bool master,
                                                const struct net_addr *peer, uint64_t sid, struct mech_exchange *x,
                                                const char **reason_out);

#endif
