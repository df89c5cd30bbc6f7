/*
 * SQL and LDAP. A helper brings the user's record, and the hash in it is checked as one of a passwd-file is; or, with bind, the
 * directory has checked the password. No passwd-file is there from which an unknown user could borrow a hash: the one that was
 * seen last stands in.
 */
#include "auth/db_record.h"
#include "auth/passdb.h"
#include "auth/passdb_scram.h"
#include "common/log/log.h"
#include "common/secret/password.h"

static enum passdb_result db_check(struct verify *v, const struct passdb *db)
{
    /* No server gets to see an empty one: to a directory it would mean nobody (RFC 4513 section 5.1.2). */
    if (v->password.len == 0 || v->password.len > PASSWORD_MAX)
        return PASSDB_WRONG;
    bool bind = db->set->bind;
    return verify_ask_db(v, bind ? ASK_DB_BIND : ASK_DB_PASSDB, bind ? v->password : view_make(NULL, 0));
}

static enum passdb_result db_account(struct verify *v, const struct passdb *db)
{
    (void)db;
    return verify_ask_db(v, ASK_DB_PASSDB, view_make(NULL, 0));
}

static enum passdb_result record_check(struct verify *v, const struct passdb *db, const struct msg_helper_db *answer)
{
    struct passwd_line line;
    const char *why;
    if (db_record_parse(answer->record, &line, &why) != 0) {
        LOG_ERROR(v->sid, "record of a user cannot be used", F_STR("passdb", db->set->name),
                  F_VIEW("user", auth_name_view(v->name)), F_STR("reason", why));
        v->reason = "record cannot be used";
        return PASSDB_TEMPORARY;
    }
    if (v->x != NULL)
        return passdb_scram_line(v, db, &line);
    if (!db->set->bind) {
        sample_remember(db->sample, passdb_line_hash(v->dbs, db, &line));
        return passdb_check_line(v, db, &line);
    }
    v->disabled = line.nologin;
    if (!line.has_allow_nets || passwd_nets_match(line.allow_nets, &v->peer))
        return PASSDB_MATCH;
    v->reason = "address not allowed for this user";
    return PASSDB_WRONG;
}

static enum passdb_result db_told(struct verify *v, const struct passdb *db, const struct msg_helper_db *answer)
{
    switch (answer->result) {
    case HELPER_OK:
        return record_check(v, db, answer);
    case HELPER_WRONG:
        return PASSDB_WRONG;
    case HELPER_UNKNOWN:
        return PASSDB_UNKNOWN;
    case HELPER_EXPIRED:
        v->reason = "account expired or not allowed";
        return PASSDB_DISABLED;
    case HELPER_TEMPORARY:
        break;
    }
    v->reason = "database unavailable";
    return PASSDB_TEMPORARY;
}

static enum passdb_result db_pretend(struct verify *v, const struct passdb *db)
{
    v->discard = true;
    return db->sample->len == 0 ? PASSDB_UNKNOWN : passdb_hash_check(v, db, view_make(db->sample->hash, db->sample->len));
}

void sample_remember(struct passdb_sample *sample, struct view hash)
{
    if (hash.len > sizeof(sample->hash) || password_locked(hash))
        return;
    memcpy(sample->hash, hash.ptr, hash.len);
    sample->len = hash.len;
}

const struct passdb_driver passdb_db_driver = {
    .name = "database",
    .check = db_check,
    .account = db_account,
    .keys = db_account,
    .answered = passdb_hash_answered,
    .told = db_told,
    .pretend = db_pretend,
};
