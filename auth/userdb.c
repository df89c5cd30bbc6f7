/* The chain of user databases, and what all of them do with a record before it is believed. */
#include "auth/userdb.h"

#include "auth/template.h"
#include "common/base/mem.h"
#include "common/log/log.h"

struct user_record user_entry_record(const struct user_entry *user)
{
    return (struct user_record){.name = auth_name_view(&user->name),
                                .virtual_uid = user->virtual_uid,
                                .uid = user->uid,
                                .gid = user->gid,
                                .home = view_str(user->home),
                                .mail_path = view_str(user->mail),
                                .format = user->format,
                                .sessions_max = user->sessions_max,
                                .sessions_per_address = user->sessions_per_address,
                                .quota_bytes = user->quota_bytes,
                                .quota_messages = user->quota_messages,
                                .capability_disable = view_str(user->capability_disable)};
}

static void lookup_end(struct lookup *l, enum userdb_result result)
{
    lookup_done_fn *done = l->done;
    l->done = NULL;
    done(l->arg, result, result == USERDB_FOUND ? &l->user : NULL);
}

static enum userdb_result lookup_check(struct lookup *l, const struct userdb *db)
{
    if (!l->user.virtual_uid && (l->user.uid == 0 || l->user.gid == 0))
        return lookup_unusable(l, db, "uid or gid is 0");
    if (l->user.virtual_uid)
        l->user.uid = l->user.gid = 0;
    if (l->user.mail[0] == '\0')
        return lookup_unusable(l, db, "no mail path");
    return USERDB_FOUND;
}

/* Whatever an earlier database left there is forgotten. */
static void lookup_reset(struct lookup *l)
{
    struct auth_name name = l->user.name;
    l->user = (struct user_entry){
        .name = name,
        .quota_bytes = l->dbs->set->quota_bytes,
        .quota_messages = l->dbs->set->quota_messages,
    };
}

static void lookup_go_on(struct lookup *l, enum userdb_result result)
{
    while (result == USERDB_UNKNOWN && l->index + 1 < l->dbs->set->nuserdbs) {
        const struct userdb *db = &l->dbs->userdbs[++l->index];
        lookup_reset(l);
        result = db->driver->find(l, db);
    }
    if (result == USERDB_FOUND)
        result = lookup_check(l, &l->dbs->userdbs[l->index]);
    if (result != USERDB_PENDING)
        lookup_end(l, result);
}

static void on_answer(void *arg, const struct msg_helper_result *answer)
{
    struct lookup *l = arg;
    const struct userdb *db = &l->dbs->userdbs[l->index];
    l->request = NULL;
    if (answer->result == HELPER_UNKNOWN)
        lookup_go_on(l, USERDB_UNKNOWN);
    else if (answer->result != HELPER_OK)
        lookup_go_on(l, USERDB_TEMPORARY);
    else
        lookup_go_on(l, db->driver->answered(l, db, answer));
}

void lookup_start(struct lookup *l, const struct auth_dbs *dbs, const struct auth_name *name, bool recipient, uint64_t sid,
                  lookup_done_fn *done, void *arg)
{
    *l = (struct lookup){.dbs = dbs, .recipient = recipient, .sid = sid, .done = done, .arg = arg};
    l->user.name = *name;
    lookup_reset(l);
    if (dbs->set->nuserdbs == 0)
        lookup_end(l, USERDB_UNKNOWN);
    else
        lookup_go_on(l, dbs->userdbs[0].driver->find(l, &dbs->userdbs[0]));
}

void lookup_cancel(struct lookup *l)
{
    auth_request_cancel(&l->request);
    db_pool_cancel(&l->question);
    l->done = NULL;
}

enum userdb_result lookup_request_nss(struct lookup *l)
{
    struct msg_lookup_nss msg = {.user = auth_name_account(l->dbs->set, &l->user.name)};
    struct buf body;
    buf_init_secret(&body, IPC_MAX_BODY);
    msg_lookup_nss_encode(&body, &msg);
    int err = auth_request_start(l->dbs->requests, IPC_AUTH_LOOKUP_NSS, &body, l->sid, on_answer, l, &l->request);
    if (err == 0)
        return USERDB_PENDING;
    LOG_ERROR(l->sid, "no auth helper for a user look-up", F_STR("userdb", l->dbs->userdbs[l->index].set->name), F_ERR(err));
    return USERDB_TEMPORARY;
}

static void on_told(void *arg, const struct msg_helper_db *answer)
{
    struct lookup *l = arg;
    const struct userdb *db = &l->dbs->userdbs[l->index];
    l->question = NULL;
    lookup_go_on(l, db->driver->told(l, db, answer));
}

enum userdb_result lookup_ask_db(struct lookup *l, struct db_pool *pool, enum ask_db what, const char *section)
{
    const struct msg_ask_db msg = {.what = what, .section = view_str(section), .user = auth_name_view(&l->user.name)};
    int err = pool == NULL ? ERR_NOTFOUND : db_pool_ask(pool, &msg, l->sid, on_told, l, &l->question);
    if (err == 0)
        return USERDB_PENDING;
    LOG_ERROR(l->sid, "database cannot be asked", F_STR("userdb", l->dbs->userdbs[l->index].set->name), F_ERR(err));
    return USERDB_TEMPORARY;
}

enum userdb_result lookup_unusable(const struct lookup *l, const struct userdb *db, const char *reason)
{
    LOG_ERROR(l->sid, "user record cannot be used", F_VIEW("user", auth_name_view(&l->user.name)), F_STR("userdb", db->set->name),
              F_STR("reason", reason));
    return USERDB_TEMPORARY;
}

enum userdb_result lookup_follow(struct lookup *l, const struct userdb *db, struct view target)
{
    struct auth_name name;
    if (!l->recipient)
        return lookup_unusable(l, db, "it is an alias, which cannot log in");
    if (l->aliased)
        return lookup_unusable(l, db, "it is an alias that an alias named");
    if (auth_name_normalise(l->dbs->set, target, &name) != 0)
        return lookup_unusable(l, db, "its alias is no user name");
    LOG_DEBUG(l->sid, "alias", F_VIEW("name", auth_name_view(&l->user.name)), F_VIEW("user", auth_name_view(&name)));
    l->aliased = true;
    l->user.name = name;
    l->index = 0;
    lookup_reset(l);
    return l->dbs->userdbs[0].driver->find(l, &l->dbs->userdbs[0]);
}

bool lookup_copy_path(char out[static PROTO_PATH_MAX + 1], struct view path)
{
    if (path.len > 0 && !template_path_clean(path))
        return false;
    if (path.len > 0)
        memcpy(out, path.ptr, path.len);
    out[path.len] = '\0';
    return true;
}

/* Expands tmpl into out. */
static enum userdb_result expand(struct lookup *l, const struct userdb *db, struct view tmpl, char out[static PROTO_PATH_MAX + 1])
{
    struct buf b;
    enum userdb_result result = USERDB_FOUND;
    buf_init(&b, PROTO_PATH_MAX);
    int err = template_expand(tmpl, &l->user.name, view_str(l->user.home), &b);
    if (err == ERR_NOTFOUND)
        result = lookup_unusable(l, db, "the path needs a home folder or a domain, and the user has none");
    else if (err != 0 || !lookup_copy_path(out, buf_view(&b)))
        result = lookup_unusable(l, db, "the user's name or home cannot be part of this path");
    buf_free(&b);
    return result;
}

enum userdb_result lookup_home(struct lookup *l, const struct userdb *db)
{
    struct view tmpl = view_str(db->set->home);
    return tmpl.len == 0 ? USERDB_FOUND : expand(l, db, tmpl, l->user.home);
}

enum userdb_result lookup_mail(struct lookup *l, const struct userdb *db, struct view mail)
{
    if (mail.len == 0)
        mail = view_str(db->set->mail_path);
    if (mail.len == 0)
        mail = view_str(l->dbs->set->mail_path);
    return expand(l, db, mail, l->user.mail);
}
