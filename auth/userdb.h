/*
 * Looking users up in the databases in their order: unknown: the next one; cannot say: a temporary failure. What is found is
 * complete (ids, home, expanded mail path, quota) and has passed the checks: never uid 0 or gid 0, only clean paths.
 */
#ifndef CULVER_AUTH_USERDB_H
#define CULVER_AUTH_USERDB_H

#include "auth/dbs.h"
#include "auth/name.h"

enum userdb_result {
    USERDB_PENDING, /* a helper is at work (drivers only) */
    USERDB_FOUND,
    USERDB_UNKNOWN,
    USERDB_TEMPORARY
};

struct user_entry {
    struct auth_name name;
    bool virtual_uid;
    uint32_t uid, gid;
    char home[PROTO_PATH_MAX + 1]; /* "" or absolute */
    char mail[PROTO_PATH_MAX + 1];
    enum user_format format;
    uint32_t sessions_max, sessions_per_address; /* 0: the general limits */
    uint64_t quota_bytes, quota_messages;
    char capability_disable[PROTO_CAPS_MAX + 1]; /* separated by commas */
};

/* The record for a message; its views borrow from user. */
struct user_record user_entry_record(const struct user_entry *user);

struct lookup;
/* user is NULL unless found. The struct lookup is not touched after this call. */
typedef void lookup_done_fn(void *arg, enum userdb_result result, const struct user_entry *user);

struct lookup { /* owned by the caller */
    const struct auth_dbs *dbs;
    bool recipient; /* nobody has proved to be this user: a static userdb must ask whether there is one */
    uint64_t sid;
    size_t index;
    struct user_entry user; /* in the making; user.name is who is looked up */
    struct auth_request *request;
    struct db_question *question;
    bool aliased;  /* user.name is whom an alias named */
    size_t passdb; /* static: the password database that is asked for the user */
    lookup_done_fn *done;
    void *arg;
};

struct userdb_driver {
    const char *name;
    enum userdb_result (*find)(struct lookup *l, const struct userdb *db);
    /* For drivers that call lookup_ask_db. */
    enum userdb_result (*told)(struct lookup *l, const struct userdb *db, const struct msg_helper_db *answer);
    /* For those that call lookup_request_nss. */
    enum userdb_result (*answered)(struct lookup *l, const struct userdb *db, const struct msg_helper_result *answer);
};

extern const struct userdb_driver userdb_file_driver;
extern const struct userdb_driver userdb_system_driver;
extern const struct userdb_driver userdb_static_driver;
extern const struct userdb_driver userdb_db_driver; /* sql, ldap */

/* Calls done exactly once, possibly before it returns, unless lookup_cancel comes first. */
void lookup_start(struct lookup *l, const struct auth_dbs *dbs, const struct auth_name *name, bool recipient, uint64_t sid,
                  lookup_done_fn *done, void *arg);
/* Accepts a struct lookup that is zeroed or done. */
void lookup_cancel(struct lookup *l);

/* --- for the drivers ---------------------------------------------------------------------------------- */
enum userdb_result lookup_request_nss(struct lookup *l);
/* section: of the passdb (ASK_DB_PASSDB) or userdb whose question it is. */
enum userdb_result lookup_ask_db(struct lookup *l, struct db_pool *pool, enum ask_db what, const char *section);
/* Takes ids, home, mail and quota from the record of a user, and from the section what it leaves out. */
enum userdb_result lookup_take_line(struct lookup *l, const struct userdb *db, const struct passwd_line *line);
/* The record says that somebody else gets the mail: goes on with that name, from the first database on. Once, so that there are
 * no loops, and never for who logs in. */
enum userdb_result lookup_follow(struct lookup *l, const struct userdb *db, struct view target);
/* Logs why the record of this user cannot be used. Always USERDB_TEMPORARY. */
enum userdb_result lookup_unusable(const struct lookup *l, const struct userdb *db, const char *reason);
/* Sets the user's home from the configured template; nothing when it is empty. */
enum userdb_result lookup_home(struct lookup *l, const struct userdb *db);
/* Sets the mail path: mail (may be empty) or the configured template, in the user's home. USERDB_FOUND or _TEMPORARY. */
enum userdb_result lookup_mail(struct lookup *l, const struct userdb *db, struct view mail);
/* Copies an absolute path; false when it is not clean. Empty is allowed. */
bool lookup_copy_path(char out[static PROTO_PATH_MAX + 1], struct view path);

#endif
