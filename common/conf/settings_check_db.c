/* What the bounds of single settings cannot say of databases, and of what is asked of them. */
#include "common/conf/settings.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/ipc/proto.h"
#include "common/text/params.h"

struct db_check {
    struct buf *errors;
    unsigned n;
};

static void found(struct db_check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void found(struct db_check *c, const char *fmt, ...)
{
    char line[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    buf_put_str(c->errors, line);
    buf_put_byte(c->errors, '\n');
    c->n++;
}

/* "ldap://localhost:389", "http://[::1]/x" and the like: no network can see what goes there. */
static bool uri_is_here(struct view uri, struct view scheme)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", "[::1]"};
    struct view host = view_sub(uri, scheme.len, uri.len);
    host = view_sub(host, 0, view_find(host, '/'));
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct view name = view_str(hosts[i]);
        if (view_starts_nocase(host, name) && (host.len == name.len || host.ptr[name.len] == ':'))
            return true;
    }
    return false;
}

static void check_uris(struct db_check *c, const struct set_database *db)
{
    struct view rest = view_str(db->connect);
    while ((rest = view_trim(rest)).len > 0) {
        struct view uri = view_sub(rest, 0, view_find(rest, ' '));
        rest = view_sub(rest, uri.len, rest.len);
        bool plain = view_starts(uri, VIEW("ldap://"));
        if (!plain && !view_starts(uri, VIEW("ldaps://")) && !view_starts(uri, VIEW("ldapi://")))
            found(c, "database %s: connect: '%.*s' is not an ldaps://, ldap:// or ldapi:// URI", db->name, (int)uri.len,
                  (const char *)uri.ptr);
        else if (plain && !db->start_tls && !uri_is_here(uri, VIEW("ldap://")))
            found(c, "database %s: connect: '%.*s' sends passwords in the clear; use ldaps:// or start_tls = yes", db->name,
                  (int)uri.len, (const char *)uri.ptr);
        else if (!plain && db->start_tls)
            found(c, "database %s: start_tls is for ldap:// URIs", db->name);
    }
}

static void check_introspection(struct db_check *c, const struct set_database *db)
{
    struct view url = view_str(db->connect);
    if (view_starts(url, VIEW("http://")) ? !uri_is_here(url, VIEW("http://")) : !view_starts(url, VIEW("https://")))
        found(c, "database %s: connect: '%.200s' is not an https:// URL", db->name, db->connect);
    /* RFC 7662 section 2.1: nobody may try out tokens there without saying who he is. */
    if (db->password_file[0] == '\0')
        found(c, "database %s: password_file is needed", db->name);
}

static void check_database(struct db_check *c, const struct set_database *db)
{
    bool sqlite = db->driver == SET_DATABASE_SQLITE;
    if (strlen(db->name) > PROTO_LABEL_MAX)
        found(c, "database %s: the label has more than %d octets", db->name, PROTO_LABEL_MAX);
    if (sqlite && db->file[0] == '\0')
        found(c, "database %s: file is needed", db->name);
    if (!sqlite && db->connect[0] == '\0')
        found(c, "database %s: connect is needed", db->name);
    if (db->driver == SET_DATABASE_LDAP)
        check_uris(c, db);
    if (db->driver == SET_DATABASE_OAUTH2)
        check_introspection(c, db);
    if (db->driver == SET_DATABASE_LDAP && (db->bind_dn[0] == '\0') != (db->password_file[0] == '\0') &&
        !view_starts(view_str(db->connect), VIEW("ldapi://")))
        found(c, "database %s: bind_dn and password_file: one without the other", db->name);
}

static bool attribute_good(const char *item)
{
    const char *eq = strchr(item, '=');
    return eq != NULL && eq != item && eq[1] != '\0' && strlen(eq + 1) <= 32;
}

static void check_sql(struct db_check *c, const char *where, const struct set_ask *ask)
{
    struct params_sql places;
    struct buf sql;
    buf_init(&sql, 8192);
    if (ask->query[0] == '\0')
        found(c, "%s: query is needed", where);
    else if (params_sql(view_str(ask->query), &places, &sql) != 0)
        found(c, "%s: query: quotes that are not closed, a ; or $, or a parameter that is not :user, :name or :domain", where);
    else if (places.nplaces == 0)
        found(c, "%s: query: without :user or :name it is the same for all users", where);
    buf_free(&sql);
}

static void check_ldap(struct db_check *c, const char *where, const struct set_ask *ask)
{
    const struct view values[PARAM_COUNT] = {VIEW("a@b"), VIEW("a"), VIEW("b")};
    struct buf filter;
    buf_init(&filter, 8192);
    if (ask->base[0] == '\0')
        found(c, "%s: base is needed", where);
    if (params_ldap_filter(view_str(ask->filter), values, &filter) != 0)
        found(c, "%s: filter: '%.100s' is not one filter in parentheses", where, ask->filter);
    else if (view_eq(buf_view(&filter), view_str(ask->filter)))
        found(c, "%s: filter: without :user or :name it is the same for all users", where);
    for (size_t i = 0; i < ask->attributes.n; i++)
        if (!attribute_good(ask->attributes.items[i]))
            found(c, "%s: attributes: '%.64s' is not attribute=field", where, ask->attributes.items[i]);
    buf_free(&filter);
}

static void check_ask(struct db_check *c, const struct set_auth *a, const char *where, const struct set_ask *ask, bool ldap)
{
    if (strlen(where) > sizeof("passdb ") - 1 + PROTO_LABEL_MAX)
        found(c, "%s: the label has more than %d octets", where, PROTO_LABEL_MAX);
    for (size_t i = 0; i < a->ndatabases; i++) {
        if (strcmp(a->databases[i].name, ask->database) != 0)
            continue;
        if (a->databases[i].driver == SET_DATABASE_OAUTH2 || (a->databases[i].driver == SET_DATABASE_LDAP) != ldap)
            found(c, "%s: database %s is of another kind", where, ask->database);
        if (ldap)
            check_ldap(c, where, ask);
        else
            check_sql(c, where, ask);
        return;
    }
    found(c, "%s: database: there is no section 'database %.64s'", where, ask->database);
}

static void check_tokens(struct db_check *c, const struct set_auth *a)
{
    bool there = false;
    if (a->oauth2_database[0] == '\0')
        return;
    for (size_t i = 0; i < a->ndatabases; i++)
        there |= strcmp(a->databases[i].name, a->oauth2_database) == 0 && a->databases[i].driver == SET_DATABASE_OAUTH2;
    if (!there)
        found(c, "oauth2_database: there is no section 'database %.64s' with driver = oauth2", a->oauth2_database);
    if (a->oauth2_jwks[0] != '\0')
        found(c, "oauth2_jwks and oauth2_database: only one of them says what a token is worth");
}

unsigned set_check_databases(const struct set_auth *a, struct buf *errors)
{
    struct db_check c = {errors, 0};
    char where[300];
    for (size_t i = 0; i < a->ndatabases; i++)
        check_database(&c, &a->databases[i]);
    check_tokens(&c, a);
    for (size_t i = 0; i < a->npassdbs; i++) {
        const struct set_passdb *db = &a->passdbs[i];
        (void)snprintf(where, sizeof(where), "passdb %s", db->name);
        if (db->driver == SET_PASSDB_SQL || db->driver == SET_PASSDB_LDAP)
            check_ask(&c, a, where, &db->ask, db->driver == SET_PASSDB_LDAP);
        if (db->bind && db->driver != SET_PASSDB_LDAP)
            found(&c, "%s: bind is for driver = ldap", where);
    }
    for (size_t i = 0; i < a->nuserdbs; i++) {
        const struct set_userdb *db = &a->userdbs[i];
        (void)snprintf(where, sizeof(where), "userdb %s", db->name);
        if (db->driver == SET_USERDB_SQL || db->driver == SET_USERDB_LDAP)
            check_ask(&c, a, where, &db->ask, db->driver == SET_USERDB_LDAP);
    }
    return c.n;
}
