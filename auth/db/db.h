/*
 * The programs that hold one connection to a database each: culver-auth-sqlite, culver-auth-pgsql, culver-auth-ldap,
 * culver-auth-oauth2. One blocking
 * process, one question at a time; culver-auth has as many of them as it may have connections. Here is what they share: their
 * start, the loop over questions, connecting again with growing pauses, and the end of one that a library does not let go on (a
 * timer whose signal ends the process).
 */
#ifndef CULVER_AUTH_DB_DB_H
#define CULVER_AUTH_DB_DB_H

#include "common/conf/settings.h"
#include "common/ipc/proto.h"
#include "common/sandbox/sandbox.h"
#include "common/secret/secret.h"
#include "common/text/params.h"

struct db_link {
    const struct set_auth *auth;
    const struct set_database *set;
    struct secret *password; /* of our account there; NULL: none */
    void *handle;            /* the driver's, NULL: not connected */
    bool broken;             /* set by ask: the connection is of no more use */
    uint64_t deadline;       /* for what is being done now, db_now() */
};

struct db_query {
    const struct set_ask *ask;       /* of a token NULL */
    bool bind;                       /* the directory is to check the password */
    struct view values[PARAM_COUNT]; /* of the parameters */
    char user[PROTO_NAME_MAX + 1];   /* what they point into */
    struct view password;            /* of bind, a NUL follows it; or the token */
};

struct db_driver {
    const char *proc; /* "auth-pgsql" */
    enum helper_kind kind;
    enum sandbox_profile profile;
    bool reads_file; /* database.file, with the folder it is in */
    /* Connects: sets l->handle. Anything but 0 was logged. */
    int (*open)(struct db_link *l);
    /* Appends the fields of the user's record. HELPER_TEMPORARY was logged, except with l->broken. */
    enum helper_result (*ask)(struct db_link *l, const struct db_query *q, struct buf *record);
    void (*close)(struct db_link *l);
};

/* The whole life of the program. Returns its exit status. */
int db_main(const struct db_driver *driver);

/* Monotonic milliseconds; what is left until the deadline, at least 1. */
uint64_t db_now(void);
int db_left(const struct db_link *l);
/* Logs what went wrong with this database. text: the library's words, of which the first line is taken. */
void db_complain(const struct db_link *l, const char *what, const char *text);

#endif
