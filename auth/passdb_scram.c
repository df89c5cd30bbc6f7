/*
 * What a client is shown before it has proved anything is salt and number of rounds. For a user who has none, unknown or known,
 * they are made up: the salt by a keyed hash of the name, the rounds and the length of the salt as some user has them, of a
 * passwd-file, or of those whom a server has told of.
 */
#include "auth/passdb_scram.h"

#include <sodium.h>

#include "common/log/log.h"
#include "common/secret/password.h"

/* Salt length for passwords that are stored as they are, and where no user has keys. */
#define FEIGNED_SALT 16

enum name_use { USE_SALT, USE_LOOK };

/* SCRAM_SALT_MAX bytes that depend on the name, the hash function and what they are for. */
static void name_hash(const struct auth_dbs *dbs, struct view name, enum scram_hash hash, enum name_use use, uint8_t *out)
{
    const uint8_t kind[2] = {(uint8_t)hash, (uint8_t)use};
    crypto_generichash_state st;
    _Static_assert(SCRAM_SALT_MAX <= crypto_generichash_BYTES_MAX, "one output is enough");
    if (crypto_generichash_init(&st, dbs->feign_key, sizeof(dbs->feign_key), SCRAM_SALT_MAX) != 0 ||
        crypto_generichash_update(&st, kind, sizeof(kind)) != 0 || crypto_generichash_update(&st, name.ptr, name.len) != 0 ||
        crypto_generichash_final(&st, out, SCRAM_SALT_MAX) != 0)
        PANIC("a hash cannot be computed");
}

static void feign_salt(const struct auth_dbs *dbs, struct view name, struct scram_keys *keys)
{
    uint8_t out[SCRAM_SALT_MAX];
    name_hash(dbs, name, keys->hash, USE_SALT, out);
    memcpy(keys->salt, out, keys->salt_len);
}

/* --- how others' keys look ------------------------------------------------------------------------------------------------ */

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

/* Of a server's users the first few kinds stand for all: what an unknown user is shown must not change with who logs in. */
static void look_remember(struct passdb_sample *sample, const struct scram_keys *keys)
{
    struct passdb_looks *l = &sample->looks[keys->hash];
    for (unsigned i = 0; i < l->n; i++) {
        if (l->at[i].rounds == keys->rounds && l->at[i].salt_len == keys->salt_len)
            return;
    }
    if (l->n < PASSDB_LOOKS_MAX)
        l->at[l->n++] = (struct passdb_look){.rounds = keys->rounds, .salt_len = keys->salt_len};
}

static bool look_pick(const struct auth_dbs *dbs, const struct passdb *db, struct view name, struct scram_keys *keys)
{
    const struct passdb_looks *l = &db->sample->looks[keys->hash];
    uint8_t hash[SCRAM_SALT_MAX];
    if (l->n == 0)
        return false;
    name_hash(dbs, name, keys->hash, USE_LOOK, hash);
    keys->rounds = l->at[hash[0] % l->n].rounds;
    keys->salt_len = l->at[hash[0] % l->n].salt_len;
    return true;
}

void passdb_scram_feign(struct verify *v)
{
    const struct auth_dbs *dbs = v->dbs;
    struct scram_keys *keys = &v->x->keys;
    struct view name = v->name->len > 0 ? auth_name_view(v->name) : mech_name_view(&v->x->authcid);
    struct passwd_line line;
    bool found = false;
    secret_free(&v->x->plain);
    *keys = (struct scram_keys){.hash = keys->hash, .rounds = SCRAM_ROUNDS_MIN, .salt_len = FEIGNED_SALT};
    for (size_t i = 0; i < dbs->set->npassdbs && !found; i++) {
        struct pick p = {dbs, &dbs->passdbs[i], keys};
        if (!passdb_asked(p.db, v->master, &v->peer))
            continue;
        found =
            p.db->file != NULL ? passwd_file_pick(p.db->file, name, pick_fits, &p, &line) == 0 : look_pick(dbs, p.db, name, keys);
    }
    feign_salt(dbs, name, keys);
    randombytes_buf(keys->stored_key, sizeof(keys->stored_key));
    v->x->keys_false = true;
}

/* --- a user's own --------------------------------------------------------------------------------------------------------- */

/* 0: the keys are in v->x, or *plain_out is the password. Keys come first: they are as strong as they were made. */
static int keys_of_line(const struct verify *v, const struct passdb *db, const struct passwd_line *line, struct view *plain_out)
{
    int err = ERR_NOTFOUND;
    bool weak = v->dbs->set->auth_allow_weak_schemes;
    for (unsigned i = 0; i <= line->nforms; i++) {
        struct view plain = view_make(NULL, 0), form = i == 0 ? line->password : line->forms[i - 1];
        int e = password_scram_keys(form, view_str(db->set->scheme), weak, v->x->keys.hash, &v->x->keys, &plain);
        if (e == 0)
            *plain_out = plain;
        if (e == 0 && plain.len == 0)
            return 0;
        err = e == 0 || (e == ERR_CORRUPT && err != 0) ? e : err;
    }
    return err;
}

enum passdb_result passdb_scram_line(struct verify *v, const struct passdb *db, const struct passwd_line *line)
{
    struct view plain;
    v->reason = "address not allowed for this user";
    if (line->has_allow_nets && !passwd_nets_match(line->allow_nets, &v->peer))
        return PASSDB_WRONG;
    v->reason = "no password or locked";
    if (!db->set->bind && password_locked(line->password))
        return PASSDB_WRONG;
    v->disabled = line->nologin;
    v->reason = "the directory checks passwords itself";
    if (db->set->bind)
        return PASSDB_WRONG;
    if (v->keyed)
        return PASSDB_MATCH; /* they may be there, and are of no more use */
    int err = keys_of_line(v, db, line, &plain);
    v->reason = err == ERR_CORRUPT ? "stored password cannot be read" : "stored password is no use to this mechanism";
    if (err != 0)
        return PASSDB_WRONG;
    v->reason = NULL;
    if (plain.len > 0) {
        v->x->keys.rounds = SCRAM_ROUNDS_MIN;
        v->x->keys.salt_len = FEIGNED_SALT;
        feign_salt(v->dbs, auth_name_view(v->name), &v->x->keys);
        v->x->plain = secret_new(plain);
        v->reason = v->x->plain != NULL ? NULL : "out of guarded memory";
        return v->x->plain != NULL ? PASSDB_MATCH : PASSDB_TEMPORARY;
    }
    if (db->pool != NULL)
        look_remember(db->sample, &v->x->keys);
    return PASSDB_MATCH;
}
