/*
 * The same rules for every user. At log-in a password database has just known the user; for a recipient somebody must be asked:
 * the passwd-files among the password databases, then those behind helpers, and, where PAM is one, the system's accounts.
 */
#include "auth/db_record.h"
#include "auth/passdb.h"
#include "auth/userdb.h"

static enum userdb_result static_take(struct lookup *l, const struct userdb *db)
{
    l->user.virtual_uid = db->uid.virtual_id;
    l->user.uid = db->uid.value;
    l->user.gid = db->gid.value;
    enum userdb_result result = lookup_home(l, db);
    return result == USERDB_FOUND ? lookup_mail(l, db, view_make(NULL, 0)) : result;
}

/* What a password database says of a recipient. */
static enum userdb_result static_take_line(struct lookup *l, const struct userdb *db, const struct passwd_line *line)
{
    return line->alias.len > 0 ? lookup_follow(l, db, line->alias) : static_take(l, db);
}

static bool has_pam(const struct set_auth *set)
{
    for (size_t i = 0; i < set->npassdbs; i++) {
        if (set->passdbs[i].driver == SET_PASSDB_PAM && !set->passdbs[i].master)
            return true;
    }
    return false;
}

/* The databases that only a helper can ask, from l->passdb on, and PAM's accounts at last. */
static enum userdb_result static_ask(struct lookup *l)
{
    for (; l->passdb < l->dbs->set->npassdbs; l->passdb++) {
        const struct passdb *p = &l->dbs->passdbs[l->passdb];
        if (p->pool != NULL && !p->set->master)
            return lookup_ask_db(l, p->pool, ASK_DB_PASSDB, p->set->name);
    }
    return has_pam(l->dbs->set) ? lookup_request_nss(l) : USERDB_UNKNOWN;
}

static enum userdb_result static_find(struct lookup *l, const struct userdb *db)
{
    if (!l->recipient)
        return static_take(l, db);
    struct passwd_line line;
    int err = passdb_files_find(l->dbs, &l->user.name, &line);
    if (err == 0)
        return static_take_line(l, db, &line);
    l->passdb = 0;
    return err != ERR_NOTFOUND ? USERDB_TEMPORARY : static_ask(l);
}

static enum userdb_result static_told(struct lookup *l, const struct userdb *db, const struct msg_helper_db *answer)
{
    struct passwd_line line;
    const char *why;
    if (answer->result == HELPER_OK)
        return db_record_parse(answer->record, &line, &why) == 0 ? static_take_line(l, db, &line) : lookup_unusable(l, db, why);
    if (answer->result != HELPER_UNKNOWN)
        return USERDB_TEMPORARY;
    l->passdb++;
    return static_ask(l);
}

static enum userdb_result static_answered(struct lookup *l, const struct userdb *db, const struct msg_helper_result *answer)
{
    (void)answer; /* the account exists; its ids and home are not asked for */
    return static_take(l, db);
}

const struct userdb_driver userdb_static_driver = {
    .name = "static", .find = static_find, .told = static_told, .answered = static_answered};
