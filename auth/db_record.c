#include "auth/db_record.h"

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/secret/password.h"

enum field {
    F_PASSWORD,
    F_USER,
    F_UID,
    F_GID,
    F_HOME,
    F_MAIL,
    F_QUOTA_RULE,
    F_QUOTA_BYTES,
    F_QUOTA_MESSAGES,
    F_CAPABILITIES,
    F_FORMAT,
    F_SESSIONS,
    F_SESSIONS_ADDRESS,
    F_NETS,
    F_NOLOGIN,
    F_ALIAS,
    F_COUNT
};

static enum field field_find(struct view name)
{
    static const struct {
        const char *name;
        enum field field;
    } names[] = {
        {"password", F_PASSWORD},
        {"user", F_USER},
        {"uid", F_UID},
        {"gid", F_GID},
        {"home", F_HOME},
        {"mail", F_MAIL},
        {"mail_path", F_MAIL},
        {"quota_rule", F_QUOTA_RULE},
        {"quota_bytes", F_QUOTA_BYTES},
        {"quota_messages", F_QUOTA_MESSAGES},
        {"capability_disable", F_CAPABILITIES},
        {"mail_format", F_FORMAT},
        {"sessions_max", F_SESSIONS},
        {"sessions_per_address", F_SESSIONS_ADDRESS},
        {"allow_nets", F_NETS},
        {"nologin", F_NOLOGIN},
        {"alias", F_ALIAS},
    };
    if (view_starts_nocase(name, VIEW("userdb_")))
        name = view_sub(name, sizeof("userdb_") - 1, name.len);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (view_eq_nocase(name, view_str(names[i].name)))
            return names[i].field;
    }
    return F_COUNT;
}

static bool truth(struct view v)
{
    static const char *const no[] = {"", "0", "no", "n", "false", "f"};
    for (size_t i = 0; i < ARRAY_LEN(no); i++) {
        if (view_eq_nocase(v, view_str(no[i])))
            return false;
    }
    return true;
}

static bool number(struct view v, bool *has, uint64_t *out)
{
    struct cursor c = cursor_make(v);
    *out = cursor_dec(&c, 0, INT64_MAX);
    *has = cursor_done(&c);
    return *has;
}

/* The same password may be there in several forms, as hash and as keys; one that locks the user counts, wherever it stands. */
static const char *password_take(struct view value, struct passwd_line *l)
{
    if (l->password.ptr == NULL || password_locked(value)) {
        l->password = value;
        return NULL;
    }
    if (password_locked(l->password))
        return NULL;
    if (l->nforms == PASSWD_FORMS_MAX)
        return "it has too many passwords";
    l->forms[l->nforms++] = value;
    return NULL;
}

static const char *field_take(enum field field, struct view value, struct passwd_line *l)
{
    switch (field) {
    case F_PASSWORD:
        return password_take(value, l);
    case F_USER:
        l->user = value;
        return NULL;
    case F_UID:
        return passwd_id_parse(value, &l->uid) ? NULL : "uid is not a number";
    case F_GID:
        return passwd_id_parse(value, &l->gid) ? NULL : "gid is not a number";
    case F_HOME:
        l->home = value;
        return value.len == 0 || value.ptr[0] == '/' ? NULL : "home is not an absolute path";
    case F_MAIL:
        l->mail = value;
        return NULL;
    case F_QUOTA_RULE:
        passwd_quota_rule(value, l);
        return NULL;
    case F_QUOTA_BYTES:
        return number(value, &l->has_quota_bytes, &l->quota_bytes) ? NULL : "quota_bytes is not a number";
    case F_QUOTA_MESSAGES:
        return number(value, &l->has_quota_messages, &l->quota_messages) ? NULL : "quota_messages is not a number";
    case F_CAPABILITIES:
        l->capability_disable = value;
        return NULL;
    case F_FORMAT:
        return passwd_format_parse(value, &l->format) ? NULL : "mail_format is neither culver nor maildir";
    case F_SESSIONS:
        return passwd_sessions_parse(value, &l->sessions_max) ? NULL : "sessions_max is not a number from 1 to 10000";
    case F_SESSIONS_ADDRESS:
        return passwd_sessions_parse(value, &l->sessions_per_address) ? NULL
                                                                      : "sessions_per_address is not a number from 1 to 10000";
    case F_NETS:
        l->has_allow_nets = value.len > 0;
        l->allow_nets = value;
        return NULL;
    case F_NOLOGIN:
        l->nologin = l->nologin || truth(value);
        return NULL;
    case F_ALIAS:
        l->alias = value;
        l->nologin = l->nologin || value.len > 0;
        return NULL;
    case F_COUNT:
        break;
    }
    return NULL;
}

int db_record_parse(struct view record, struct passwd_line *out, const char **why_out)
{
    struct cursor c = cursor_make(record);
    struct passwd_line l = {0};
    struct view name, value;
    unsigned seen = 0;
    *why_out = NULL;
    while (*why_out == NULL && db_field_next(&c, &name, &value)) {
        enum field field = field_find(name);
        if (field == F_PASSWORD || (seen & (1u << field)) == 0)
            *why_out = field_take(field, value, &l);
        seen |= 1u << field;
    }
    if (*why_out == NULL && !cursor_done(&c))
        *why_out = "no record";
    if (*why_out != NULL)
        return ERR_SYNTAX;
    *out = l;
    return 0;
}
