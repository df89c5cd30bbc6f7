/* passwd-file as a user database: uid, gid, home and the userdb_ fields of a line, the section's settings for what it leaves out.
 */
#include "auth/userdb.h"
#include "common/base/mem.h"
#include "common/log/log.h"

/* A number, or the account name that the section names too (it was looked up before the sandbox); nothing: the section's. */
static bool id_take(const struct passwd_id *line, const struct userdb_id *section, const char *section_name,
                    struct userdb_id *out)
{
    *out = *section;
    if (line->number)
        *out = (struct userdb_id){.value = line->value};
    else if (line->given && view_eq(line->text, VIEW("virtual")))
        *out = (struct userdb_id){.virtual_id = true};
    else if (line->given)
        return view_eq(line->text, view_str(section_name));
    return true;
}

/* "culver:/path", "maildir:~/Maildir" or a path. The folders of formats that we do not have ("mdbox:~/mdbox"), and Maildirs with
 * parts elsewhere ("maildir:~/Maildir:INDEX=/var/x"), are no place for ours: the section's path is used then. */
static struct view mail_location(const struct lookup *l, struct view mail, enum user_format *format_out)
{
    size_t colon = view_find(mail, ':');
    struct view prefix = view_sub(mail, 0, colon), path = view_sub(mail, colon + 1, mail.len);
    *format_out = USER_FORMAT_GENERAL;
    if (mail.len == 0 || mail.ptr[0] == '/' || mail.ptr[0] == '~' || mail.ptr[0] == '%')
        return mail;
    if (colon > 0 && path.len > 0 && view_find(path, ':') == path.len && passwd_format_parse(prefix, format_out))
        return path;
    *format_out = USER_FORMAT_GENERAL;
    LOG_DEBUG(l->sid, "userdb_mail names another format and is left out", F_VIEW("user", auth_name_view(&l->user.name)));
    return view_make(mail.ptr, 0);
}

/* One that cannot be read is no reason to show all of them. */
static bool copy_capabilities(struct lookup *l, struct view names)
{
    if (names.len >= sizeof(l->user.capability_disable))
        return false;
    for (size_t i = 0; i < names.len; i++)
        if (names.ptr[i] <= ' ' || names.ptr[i] > '~')
            return false;
    if (names.len > 0)
        memcpy(l->user.capability_disable, names.ptr, names.len);
    l->user.capability_disable[names.len] = '\0';
    return true;
}

/* Where the mail is, and in which form. */
static enum userdb_result take_mail(struct lookup *l, const struct userdb *db, const struct passwd_line *line)
{
    enum user_format format;
    struct view mail = mail_location(l, line->mail, &format);
    l->user.format = line->format != USER_FORMAT_GENERAL ? line->format : format;
    if (format != USER_FORMAT_GENERAL && format != l->user.format)
        return lookup_unusable(l, db, "its mail is in one format and its mail_format another");
    return lookup_mail(l, db, mail);
}

enum userdb_result lookup_take_line(struct lookup *l, const struct userdb *db, const struct passwd_line *line)
{
    struct userdb_id uid, gid;
    enum userdb_result result = USERDB_FOUND;
    if (line->alias.len > 0)
        return lookup_follow(l, db, line->alias);
    if (!id_take(&line->uid, &db->uid, db->set->uid, &uid) || !id_take(&line->gid, &db->gid, db->set->gid, &gid))
        return lookup_unusable(l, db, "uid or gid is a name; only numbers and the section's own are known");
    if (uid.virtual_id != gid.virtual_id)
        return lookup_unusable(l, db, "one of uid and gid is virtual");
    l->user.virtual_uid = uid.virtual_id;
    l->user.uid = uid.value;
    l->user.gid = gid.value;
    l->user.sessions_max = line->sessions_max;
    l->user.sessions_per_address = line->sessions_per_address;
    if (line->has_quota_bytes)
        l->user.quota_bytes = line->quota_bytes;
    if (line->has_quota_messages)
        l->user.quota_messages = line->quota_messages;
    if (!copy_capabilities(l, line->capability_disable))
        return lookup_unusable(l, db, "userdb_capability_disable is too long, or not printable");
    if (line->home.len == 0)
        result = lookup_home(l, db);
    else if (!lookup_copy_path(l->user.home, line->home))
        result = lookup_unusable(l, db, "the home folder is not a clean path");
    return result == USERDB_FOUND ? take_mail(l, db, line) : result;
}

static enum userdb_result file_find(struct lookup *l, const struct userdb *db)
{
    struct passwd_line line;
    struct view whole = auth_name_view(&l->user.name), account = auth_name_account(l->dbs->set, &l->user.name);
    int err = passwd_file_find(db->file, whole, &line);
    if (err == ERR_NOTFOUND && account.len < whole.len)
        err = passwd_file_find(db->file, account, &line);
    if (err == ERR_NOTFOUND)
        return USERDB_UNKNOWN;
    return err != 0 ? USERDB_TEMPORARY : lookup_take_line(l, db, &line);
}

const struct userdb_driver userdb_file_driver = {.name = "passwd-file", .find = file_find};
