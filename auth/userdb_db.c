/*
 * SQL and LDAP as user databases. Where the record names the user otherwise than asked for (another spelling, an alias), that is
 * who the user is: two names for one store would be two workers on it.
 */
#include "auth/db_record.h"
#include "auth/userdb.h"

static enum userdb_result db_find(struct lookup *l, const struct userdb *db)
{
    return lookup_ask_db(l, db->pool, ASK_DB_USERDB, db->set->name);
}

static enum userdb_result record_take(struct lookup *l, const struct userdb *db, struct view record)
{
    struct passwd_line line;
    const char *why;
    if (db_record_parse(record, &line, &why) != 0)
        return lookup_unusable(l, db, why);
    if (line.user.len > 0 && auth_name_normalise(l->dbs->set, line.user, &l->user.name) != 0)
        return lookup_unusable(l, db, "the user's name in it has characters that are not allowed");
    return lookup_take_line(l, db, &line);
}

static enum userdb_result db_told(struct lookup *l, const struct userdb *db, const struct msg_helper_db *answer)
{
    switch (answer->result) {
    case HELPER_OK:
        return record_take(l, db, answer->record);
    case HELPER_UNKNOWN:
        return USERDB_UNKNOWN;
    case HELPER_WRONG:
    case HELPER_EXPIRED:
    case HELPER_TEMPORARY:
        break;
    }
    return USERDB_TEMPORARY;
}

const struct userdb_driver userdb_db_driver = {.name = "database", .find = db_find, .told = db_told};
