/*
 * The host's accounts through NSS, asked by a helper. Where NSS knows the account by another name than the one that was asked for
 * (aliases of directory services), that name is who the user is: two names for one store would be two workers on it.
 */
#include "auth/userdb.h"

static enum userdb_result system_find(struct lookup *l, const struct userdb *db)
{
    (void)db;
    return lookup_request_nss(l);
}

static enum userdb_result system_answered(struct lookup *l, const struct userdb *db, const struct msg_helper_result *answer)
{
    const struct set_auth *set = l->dbs->set;
    if (answer->name.len > 0 && !view_eq_nocase(answer->name, auth_name_account(set, &l->user.name)) &&
        auth_name_normalise(set, answer->name, &l->user.name) != 0)
        return lookup_unusable(l, db, "the account's name has characters that are not allowed");
    l->user.uid = answer->uid;
    l->user.gid = answer->gid;
    /* A home that is none ("/", "", relative) is only a problem for a mail path that needs it. */
    if (!lookup_copy_path(l->user.home, answer->home))
        l->user.home[0] = '\0';
    return lookup_mail(l, db, view_make(NULL, 0));
}

const struct userdb_driver userdb_system_driver = {.name = "system", .find = system_find, .answered = system_answered};
