/* Opening the databases in two steps: what needs NSS before the sandbox, what the sandbox must allow inside it. */
#include "auth/dbs.h"

#include <grp.h>
#include <pwd.h>
#include <sodium.h>
#include <stdlib.h>

#include "auth/passdb.h"
#include "auth/userdb.h"
#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/secret/password.h"
#include "common/secret/secret.h"

#define NSS_BUF 16384

static int id_resolve(const char *text, bool group, struct userdb_id *out)
{
    char buf[NSS_BUF];
    struct passwd pw, *pwp = NULL;
    struct group gr, *grp = NULL;
    struct cursor c = cursor_make(view_str(text));
    *out = (struct userdb_id){.virtual_id = view_eq(view_str(text), VIEW("virtual"))};
    if (out->virtual_id)
        return 0;
    out->value = (uint32_t)cursor_dec(&c, 1, UINT32_MAX - 1);
    if (cursor_done(&c))
        return 0;
    if (group) {
        if (getgrnam_r(text, &gr, buf, sizeof(buf), &grp) != 0 || grp == NULL)
            return ERR_NOTFOUND;
        out->value = gr.gr_gid;
    } else {
        if (getpwnam_r(text, &pw, buf, sizeof(buf), &pwp) != 0 || pwp == NULL)
            return ERR_NOTFOUND;
        out->value = pw.pw_uid;
    }
    return out->value == 0 ? ERR_DENIED : 0;
}

static int userdb_init(struct userdb *db, const struct set_userdb *set)
{
    static const struct userdb_driver *const drivers[] = {
        [SET_USERDB_FILE] = &userdb_file_driver,     [SET_USERDB_SYSTEM] = &userdb_system_driver,
        [SET_USERDB_STATIC] = &userdb_static_driver, [SET_USERDB_SQL] = &userdb_db_driver,
        [SET_USERDB_LDAP] = &userdb_db_driver,
    };
    db->driver = drivers[set->driver];
    db->set = set;
    if (set->driver == SET_USERDB_SYSTEM)
        return 0;
    int err = id_resolve(set->uid, false, &db->uid);
    if (err == 0)
        err = id_resolve(set->gid, true, &db->gid);
    if (err == 0 && db->uid.virtual_id != db->gid.virtual_id)
        err = ERR_DENIED;
    if (err != 0)
        LOG_ERROR(0, "uid or gid of userdb cannot be used", F_STR("userdb", set->name), F_STR("uid", set->uid),
                  F_STR("gid", set->gid), F_ERR(err));
    return err;
}

static int passdb_init(struct passdb *db, const struct set_passdb *set, bool allow_weak)
{
    static const struct passdb_driver *const drivers[] = {
        [SET_PASSDB_FILE] = &passdb_file_driver,
        [SET_PASSDB_PAM] = &passdb_pam_driver,
        [SET_PASSDB_SQL] = &passdb_db_driver,
        [SET_PASSDB_LDAP] = &passdb_db_driver,
    };
    db->driver = drivers[set->driver];
    db->set = set;
    db->sample = xcalloc(1, sizeof(*db->sample));
    if (set->driver != SET_PASSDB_PAM && password_scheme_check(view_str(set->scheme), allow_weak) != 0) {
        LOG_ERROR(0, "scheme of passdb is unknown or not allowed", F_STR("passdb", set->name), F_STR("scheme", set->scheme));
        return ERR_UNSUPPORTED;
    }
    return 0;
}

int auth_dbs_init(struct auth_dbs *dbs, const struct set_auth *set)
{
    int err = 0;
    *dbs = (struct auth_dbs){.set = set};
    randombytes_buf(dbs->feign_key, sizeof(dbs->feign_key));
    dbs->passdbs = xcalloc(set->npassdbs + 1, sizeof(*dbs->passdbs));
    dbs->userdbs = xcalloc(set->nuserdbs + 1, sizeof(*dbs->userdbs));
    dbs->files = xcalloc(set->npassdbs + set->nuserdbs + 1, sizeof(struct passwd_file *));
    for (size_t i = 0; i < set->npassdbs && err == 0; i++)
        err = passdb_init(&dbs->passdbs[i], &set->passdbs[i], set->auth_allow_weak_schemes);
    for (size_t i = 0; i < set->nuserdbs && err == 0; i++)
        err = userdb_init(&dbs->userdbs[i], &set->userdbs[i]);
    if (err != 0)
        auth_dbs_close(dbs);
    return err;
}

/* The file at this path, read once however many sections name it. */
static int file_get(struct auth_dbs *dbs, const char *path, struct passwd_file **out)
{
    for (size_t i = 0; i < dbs->nfiles; i++) {
        if (view_eq(view_str(passwd_file_path(dbs->files[i])), view_str(path))) {
            *out = dbs->files[i];
            return 0;
        }
    }
    int err = passwd_file_open(path, out);
    if (err != 0)
        LOG_ERROR(0, "passwd-file cannot be read", F_STR("file", path), F_ERR(err));
    else
        dbs->files[dbs->nfiles++] = *out;
    return err;
}

int auth_dbs_open(struct auth_dbs *dbs)
{
    int err = 0;
    for (size_t i = 0; i < dbs->set->npassdbs && err == 0; i++) {
        if (dbs->set->passdbs[i].driver == SET_PASSDB_FILE)
            err = file_get(dbs, dbs->set->passdbs[i].file, &dbs->passdbs[i].file);
    }
    for (size_t i = 0; i < dbs->set->nuserdbs && err == 0; i++) {
        if (dbs->set->userdbs[i].driver == SET_USERDB_FILE)
            err = file_get(dbs, dbs->set->userdbs[i].file, &dbs->userdbs[i].file);
    }
    return err;
}

struct db_pool *auth_dbs_pool(const struct auth_dbs *dbs, const char *database)
{
    size_t i = 0;
    while (i < dbs->set->ndatabases && strcmp(dbs->set->databases[i].name, database) != 0)
        i++;
    return i < dbs->set->ndatabases ? dbs->pools[i] : NULL;
}

void auth_dbs_connect(struct auth_dbs *dbs, struct loop *loop, struct ipc *master)
{
    dbs->pools = xcalloc(dbs->set->ndatabases + 1, sizeof(struct db_pool *));
    for (size_t i = 0; i < dbs->set->ndatabases; i++)
        dbs->pools[i] = db_pool_new(loop, master, &dbs->set->databases[i]);
    for (size_t i = 0; i < dbs->set->npassdbs; i++)
        dbs->passdbs[i].pool = auth_dbs_pool(dbs, dbs->set->passdbs[i].ask.database);
    for (size_t i = 0; i < dbs->set->nuserdbs; i++)
        dbs->userdbs[i].pool = auth_dbs_pool(dbs, dbs->set->userdbs[i].ask.database);
}

uint64_t auth_dbs_generation(const struct auth_dbs *dbs)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < dbs->nfiles; i++)
        sum += passwd_file_generation(dbs->files[i]);
    return sum;
}

void auth_dbs_close(struct auth_dbs *dbs)
{
    for (size_t i = 0; i < dbs->nfiles; i++)
        passwd_file_close(&dbs->files[i]);
    for (size_t i = 0; dbs->pools != NULL && i < dbs->set->ndatabases; i++)
        db_pool_free(&dbs->pools[i]);
    for (size_t i = 0; dbs->passdbs != NULL && i < dbs->set->npassdbs; i++) {
        if (dbs->passdbs[i].sample != NULL)
            secret_wipe(dbs->passdbs[i].sample, sizeof(*dbs->passdbs[i].sample));
        free(dbs->passdbs[i].sample);
    }
    free(dbs->pools);
    free(dbs->files);
    free(dbs->passdbs);
    free(dbs->userdbs);
    *dbs = (struct auth_dbs){0};
}
