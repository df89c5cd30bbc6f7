/*
 * What a client is shown before it has proved anything is salt and number of rounds. For a user who has none, unknown or known,
 * they are made up: the salt by a keyed hash of the name, the rounds and the length of the salt as some user of the file has
 * them.
 */
#include "auth/passdb_scram.h"

#include <sodium.h>

#include "common/log/log.h"
#include "common/secret/password.h"

/* Salt length for passwords that are stored as they are, and where no user has keys. */
#define FEIGNED_SALT 16

static void feign_salt(const struct auth_dbs *dbs, struct view name, struct scram_keys *keys)
{
    uint8_t out[SCRAM_SALT_MAX], hash = (uint8_t)keys->hash;
    crypto_generichash_state st;
    _Static_assert(sizeof(out) <= crypto_generichash_BYTES_MAX, "one output is enough");
    if (crypto_generichash_init(&st, dbs->feign_key, sizeof(dbs->feign_key), sizeof(out)) != 0 ||
        crypto_generichash_update(&st, &hash, 1) != 0 || crypto_generichash_update(&st, name.ptr, name.len) != 0 ||
        crypto_generichash_final(&st, out, sizeof(out)) != 0)
        PANIC("a hash cannot be computed");
    memcpy(keys->salt, out, keys->salt_len);
}

struct pick {
    const struct auth_dbs *dbs;
    const struct passdb *db;
    struct scram_keys *keys;
};

/* Whether this line's user can use SCRAM; then keys' rounds and salt_len are what that user's are. */
static bool pick_fits(void *arg, const struct passwd_line *line)
{
    struct pick *p = arg;
    struct scram_keys keys = {.rounds = SCRAM_ROUNDS_MIN, .salt_len = FEIGNED_SALT};
    struct view plain;
    if (password_locked(line->password) ||
        password_scram_keys(line->password, view_str(p->db->set->scheme), p->dbs->set->auth_allow_weak_schemes, p->keys->hash,
                            &keys, &plain) != 0)
        return false;
    p->keys->rounds = keys.rounds;
    p->keys->salt_len = keys.salt_len;
    secret_wipe(&keys, sizeof(keys));
    return true;
}

static void feign(const struct auth_dbs *dbs, struct view name, bool master, const struct net_addr *peer, struct mech_exchange *x)
{
    struct scram_keys *keys = &x->keys;
    struct passwd_line line;
    keys->rounds = SCRAM_ROUNDS_MIN;
    keys->salt_len = FEIGNED_SALT;
    for (size_t i = 0; i < dbs->set->npassdbs; i++) {
        struct pick p = {dbs, &dbs->passdbs[i], keys};
        if (p.db->file != NULL && passdb_asked(p.db, master, peer) &&
            passwd_file_pick(p.db->file, name, pick_fits, &p, &line) == 0)
            break;
    }
    feign_salt(dbs, name, keys);
    randombytes_buf(keys->stored_key, sizeof(keys->stored_key));
    x->keys_false = true;
}

static enum passdb_result keys_of_line(const struct auth_dbs *dbs, const struct passdb *db, const struct passwd_line *line,
                                       const struct auth_name *name, struct mech_exchange *x, const char **reason_out)
{
    struct view plain;
    int err = password_scram_keys(line->password, view_str(db->set->scheme), dbs->set->auth_allow_weak_schemes, x->keys.hash,
                                  &x->keys, &plain);
    if (err == ERR_NOTFOUND || err == ERR_UNSUPPORTED) {
        *reason_out = "stored password is no use to this mechanism";
        return PASSDB_WRONG;
    }
    if (err != 0) {
        *reason_out = "stored password cannot be read";
        return PASSDB_WRONG;
    }
    if (plain.len == 0)
        return PASSDB_MATCH;
    x->keys.rounds = SCRAM_ROUNDS_MIN;
    x->keys.salt_len = FEIGNED_SALT;
    feign_salt(dbs, auth_name_view(name), &x->keys);
    x->plain = secret_new(plain);
    return x->plain != NULL ? PASSDB_MATCH : PASSDB_TEMPORARY;
}

static enum passdb_result user_keys(const struct auth_dbs *dbs, const struct passdb *db, const struct passwd_line *line,
                                    const struct auth_name *name, const struct net_addr *peer, struct mech_exchange *x,
                                    const char **reason_out)
{
    if (line->has_allow_nets && !passwd_nets_match(line->allow_nets, peer)) {
        *reason_out = "address not allowed for this user";
        return PASSDB_WRONG;
    }
    if (password_locked(line->password)) {
        *reason_out = "no password or locked";
        return PASSDB_WRONG;
    }
    enum passdb_result result = keys_of_line(dbs, db, line, name, x, reason_out);
    return result == PASSDB_MATCH && line->nologin ? PASSDB_DISABLED : result;
}

static enum passdb_result find(const struct auth_dbs *dbs, const struct auth_name *name, bool master, const struct net_addr *peer,
                               struct mech_exchange *x, const char **reason_out)
{
    struct passwd_line line;
    bool failed = false;
    for (size_t i = 0; i < dbs->set->npassdbs; i++) {
        const struct passdb *db = &dbs->passdbs[i];
        if (!passdb_asked(db, master, peer))
            continue;
        if (db->file == NULL) {
            *reason_out = "unknown to the databases before PAM";
            return PASSDB_UNKNOWN;
        }
        int err = passdb_file_find(dbs, db->file, name, &line);
        if (err == ERR_NOTFOUND)
            continue;
        if (err == 0)
            return user_keys(dbs, db, &line, name, peer, x, reason_out);
        failed = true;
        if (db->set->result_internalfail != SET_PASSDB_CONTINUE)
            break;
    }
    *reason_out = failed ? "passwd-file cannot be read" : "unknown user";
    return failed ? PASSDB_TEMPORARY : PASSDB_UNKNOWN;
}

/* The same for a user who may be denied, or none. */
static enum passdb_result find_allowed(const struct auth_dbs *dbs, const struct auth_name *name, bool master,
                                       const struct net_addr *peer, struct mech_exchange *x, const char **reason_out)
{
    *reason_out = "unknown user";
    if (name->len == 0)
        return PASSDB_UNKNOWN;
    int denied = master ? ERR_NOTFOUND : passdb_denies(dbs, name);
    if (denied == ERR_NOTFOUND)
        return find(dbs, name, master, peer, x, reason_out);
    *reason_out = denied == 0 ? "denied by a database" : "passwd-file cannot be read";
    return denied == 0 ? PASSDB_WRONG : PASSDB_TEMPORARY;
}

enum passdb_result passdb_scram_keys(const struct auth_dbs *dbs, const struct auth_name *name, bool master,
                                     const struct net_addr *peer, uint64_t sid, struct mech_exchange *x, const char **reason_out)
{
    x->keys = (struct scram_keys){.hash = x->mech->hash};
    enum passdb_result result = find_allowed(dbs, name, master, peer, x, reason_out);
    if (result == PASSDB_WRONG || result == PASSDB_UNKNOWN)
        feign(dbs, name->len > 0 ? auth_name_view(name) : mech_name_view(&x->authcid), master, peer, x);
    else if (result == PASSDB_TEMPORARY)
        LOG_ERROR(sid, "keys for SCRAM cannot be had", F_STR("reason", *reason_out));
    else
        *reason_out = "wrong password";
    return result;
}
