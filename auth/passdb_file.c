/*
 * passwd-file. Cheap hashes are checked here, slow ones by a helper. Accounts whose password can match nothing (locked, none,
 * log-in from this network not allowed) are checked against another line's hash and refused: they take as long as everybody's.
 */
#include "auth/passdb.h"
#include "auth/passdb_scram.h"
#include "common/log/log.h"
#include "common/secret/password.h"

static enum passdb_result hash_error(struct verify *v, const struct passdb *db, int err)
{
    if (v->discard)
        return PASSDB_WRONG; /* it is another user's hash, and will be complained of in its turn */
    LOG_ERROR(v->sid, "stored password cannot be checked", F_STR("passdb", db->set->name),
              F_VIEW("user", auth_name_view(v->name)), F_ERR(err));
    v->reason = "stored password cannot be checked";
    return PASSDB_TEMPORARY;
}

enum passdb_result passdb_hash_check(struct verify *v, const struct passdb *db, struct view hash)
{
    struct view scheme = view_str(db->set->scheme);
    bool weak = v->dbs->set->auth_allow_weak_schemes, slow;
    /* What no hash was ever made of costs no helper; it is the same for every user. */
    if (v->password.len == 0 || v->password.len > PASSWORD_MAX)
        return PASSDB_WRONG;
    int err = password_cost(hash, scheme, weak, &slow);
    if (err == 0 && slow) {
        struct msg_check_hash msg = {.hash = hash, .scheme = scheme, .password = v->password};
        struct buf body;
        buf_init_secret(&body, IPC_MAX_BODY);
        msg_check_hash_encode(&body, &msg);
        return verify_request(v, IPC_AUTH_CHECK_HASH, &body);
    }
    if (err == 0)
        err = password_verify(hash, scheme, weak, v->password);
    return err == 0 ? PASSDB_MATCH : err == ERR_DENIED ? PASSDB_WRONG : hash_error(v, db, err);
}

static enum passdb_result file_pretend(struct verify *v, const struct passdb *db)
{
    struct passwd_line line;
    v->discard = true;
    if (passwd_file_pick(db->file, auth_name_view(v->name), NULL, NULL, &line) != 0 || password_locked(line.password))
        return PASSDB_UNKNOWN;
    return passdb_hash_check(v, db, line.password);
}

static enum passdb_result line_refuse(struct verify *v, const struct passdb *db, const char *reason)
{
    v->reason = reason;
    if (v->account)
        return PASSDB_WRONG;
    enum passdb_result r = db->driver->pretend(v, db);
    return r == PASSDB_UNKNOWN ? PASSDB_WRONG : r;
}

int passdb_file_find(const struct auth_dbs *dbs, struct passwd_file *file, const struct auth_name *name, struct passwd_line *out)
{
    struct view whole = auth_name_view(name), account = auth_name_account(dbs->set, name);
    int err = passwd_file_find(file, whole, out);
    if (err == ERR_NOTFOUND && account.len < whole.len)
        err = passwd_file_find(file, account, out);
    return err;
}

struct view passdb_line_hash(const struct auth_dbs *dbs, const struct passdb *db, const struct passwd_line *line)
{
    struct view scheme = view_str(db->set->scheme);
    bool weak = dbs->set->auth_allow_weak_schemes, slow;
    if (password_cost(line->password, scheme, weak, &slow) == 0)
        return line->password;
    for (unsigned i = 0; i < line->nforms; i++) {
        if (password_cost(line->forms[i], scheme, weak, &slow) == 0)
            return line->forms[i];
    }
    return line->password;
}

enum passdb_result passdb_check_line(struct verify *v, const struct passdb *db, const struct passwd_line *line)
{
    if (line->has_allow_nets && !passwd_nets_match(line->allow_nets, &v->peer))
        return line_refuse(v, db, "address not allowed for this user");
    if (password_locked(line->password))
        return line_refuse(v, db, "no password or locked");
    v->disabled = line->nologin;
    return v->account ? PASSDB_MATCH : passdb_hash_check(v, db, passdb_line_hash(v->dbs, db, line));
}

static enum passdb_result file_check(struct verify *v, const struct passdb *db)
{
    struct passwd_line line;
    int err = passdb_file_find(v->dbs, db->file, v->name, &line);
    if (err == ERR_NOTFOUND)
        return PASSDB_UNKNOWN;
    if (err != 0) {
        v->reason = "passwd-file cannot be read";
        return PASSDB_TEMPORARY;
    }
    return v->x != NULL ? passdb_scram_line(v, db, &line) : passdb_check_line(v, db, &line);
}

enum passdb_result passdb_hash_answered(struct verify *v, const struct passdb *db, const struct msg_helper_result *answer)
{
    switch (answer->result) {
    case HELPER_OK:
        return PASSDB_MATCH;
    case HELPER_WRONG:
        return PASSDB_WRONG;
    case HELPER_TEMPORARY:
        v->reason = "helper failed";
        return PASSDB_TEMPORARY;
    case HELPER_UNKNOWN: /* the hash or its scheme */
    case HELPER_EXPIRED:
        break;
    }
    return hash_error(v, db, ERR_UNSUPPORTED);
}

int passdb_files_find(const struct auth_dbs *dbs, const struct auth_name *name, struct passwd_line *out)
{
    int result = ERR_NOTFOUND;
    for (size_t i = 0; i < dbs->set->npassdbs; i++) {
        const struct set_passdb *set = dbs->passdbs[i].set;
        if (dbs->passdbs[i].file == NULL || set->deny || set->master)
            continue;
        int err = passdb_file_find(dbs, dbs->passdbs[i].file, name, out);
        if (err == 0)
            return 0;
        if (err != ERR_NOTFOUND)
            result = err;
    }
    return result;
}

const struct passdb_driver passdb_file_driver = {
    .name = "passwd-file",
    .check = file_check,
    .account = file_check,
    .keys = file_check,
    .answered = passdb_hash_answered,
    .pretend = file_pretend,
};
