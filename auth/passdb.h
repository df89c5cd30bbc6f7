/*
 * Checking a password against the databases in their order: unknown user: the next one; right password: good; wrong password:
 * refused at once; a database that cannot say: a temporary failure, never a wrong password (unless result_success, result_failure
 * and result_internalfail say otherwise). Databases that deny come before all others; those of master users are asked for master
 * users, and nothing else is. Where no database knows the user, a check is made against somebody else's hash and thrown away, so
 * that an unknown user costs what a known one costs.
 *
 * Looking for a user's SCRAM keys goes the same way (passdb_scram.c).
 */
#ifndef CULVER_AUTH_PASSDB_H
#define CULVER_AUTH_PASSDB_H

#include "auth/dbs.h"
#include "auth/mech.h"
#include "auth/name.h"

enum passdb_result {
    PASSDB_PENDING, /* a helper is at work (drivers only) */
    PASSDB_MATCH,
    PASSDB_WRONG,
    PASSDB_UNKNOWN,
    PASSDB_DISABLED, /* the password is right, but the account may not be used */
    PASSDB_TEMPORARY
};

struct verify;
/* reason: for the log. The struct verify is not touched any more after this call, so it may be freed in it. */
typedef void verify_done_fn(void *arg, enum passdb_result result, const char *reason);

struct verify { /* owned by the caller; set up by verify_start, which never reads it */
    const struct auth_dbs *dbs;
    const struct auth_name *name; /* borrowed until the end */
    struct view password;         /* borrowed until the end */
    struct net_addr peer;
    uint64_t sid;
    size_t index;            /* the passdb that is being asked */
    bool master;             /* the databases of master users are asked, and no others */
    bool account;            /* not the password, only whether the account may be used */
    bool known;              /* the same, and who is in no database has nothing against it */
    bool far;                /* a database was not asked because of where the client is */
    bool discard;            /* whatever comes out, the answer is no */
    bool disabled;           /* a match means PASSDB_DISABLED */
    bool good;               /* the result so far, where no database has the last word */
    bool wrong;              /* the same: one said no */
    bool failed;             /* one could not say */
    struct mech_exchange *x; /* not the password is checked: keys for this exchange are looked for; borrowed. NULL otherwise */
    bool keyed;              /* x->keys are a user's */
    const char *reason;
    struct auth_request *request;
    struct db_question *question;
    verify_done_fn *done;
    void *arg;
};

/* A kind of database. */
struct passdb_driver {
    const char *name;
    /* Anything but PASSDB_PENDING is the result; with PENDING, v->request is set and `answered` turns its answer into the result.
     */
    enum passdb_result (*check)(struct verify *v, const struct passdb *db);
    enum passdb_result (*answered)(struct verify *v, const struct passdb *db, const struct msg_helper_result *answer);
    /* The same with v->question, for drivers that call verify_ask_db. */
    enum passdb_result (*told)(struct verify *v, const struct passdb *db, const struct msg_helper_db *answer);
    /* As check, with v->account: may the account be used? PASSDB_MATCH: yes. */
    enum passdb_result (*account)(struct verify *v, const struct passdb *db);
    /* As check, with v->x: PASSDB_MATCH: its keys are there, or v->keyed they were before; PASSDB_WRONG: they are not to be had
     * of this user. */
    enum passdb_result (*keys)(struct verify *v, const struct passdb *db);
    /* A check of equal cost for a user that nobody knows; results are thrown away. NULL: none is needed. */
    enum passdb_result (*pretend)(struct verify *v, const struct passdb *db);
};

extern const struct passdb_driver passdb_file_driver;
extern const struct passdb_driver passdb_pam_driver;
extern const struct passdb_driver passdb_db_driver; /* sql, ldap */

/* Calls done exactly once, possibly before it returns, unless verify_cancel comes first. An empty name: what was tried is no
 * possible name, and fails as an unknown one does. */
void verify_start(struct verify *v, const struct auth_dbs *dbs, const struct auth_name *name, bool master, struct view password,
                  const struct net_addr *peer, uint64_t sid, verify_done_fn *done, void *arg);
/* The same for who has proved to be the user in another way: PASSDB_MATCH when the first database that knows the user has nothing
 * against it. */
void verify_account_start(struct verify *v, const struct auth_dbs *dbs, const struct auth_name *name, const struct net_addr *peer,
                          uint64_t sid, verify_done_fn *done, void *arg);
/* Fills x->keys (and x->plain), of x->mech->hash, for the user. master: as in verify_start. name empty: no user can have the name
 * x->authcid. PASSDB_MATCH: real keys. PASSDB_DISABLED: real keys of somebody who may not log in. PASSDB_WRONG, PASSDB_UNKNOWN:
 * made-up keys, the same ones each time the same name comes, and x->keys_false is set. PASSDB_TEMPORARY: no keys. */
void verify_keys_start(struct verify *v, const struct auth_dbs *dbs, const struct auth_name *name, bool master,
                       struct mech_exchange *x, const struct net_addr *peer, uint64_t sid, verify_done_fn *done, void *arg);
/* The same for who need not be in any of these databases, as its name comes from elsewhere: PASSDB_MATCH too for a user whom none
 * of them knows, if all were asked. master: for a master user, whom one must know. */
void verify_known_start(struct verify *v, const struct auth_dbs *dbs, const struct auth_name *name, bool master,
                        const struct net_addr *peer, uint64_t sid, verify_done_fn *done, void *arg);
/* Accepts a struct verify that is zeroed or done. */
void verify_cancel(struct verify *v);

/* For the drivers: asks a helper; body is taken over. */
enum passdb_result verify_request(struct verify *v, enum ipc_kind kind, struct buf *body);
/* For the drivers: asks the database of the passdb at v->index. */
enum passdb_result verify_ask_db(struct verify *v, enum ask_db what, struct view password);
/* For the drivers: the password against the record of the user; what may limit it (networks, locks, nologin) is heeded. */
enum passdb_result passdb_check_line(struct verify *v, const struct passdb *db, const struct passwd_line *line);
/* Which of the forms a password is checked against: the first that can be. */
struct view passdb_line_hash(const struct auth_dbs *dbs, const struct passdb *db, const struct passwd_line *line);
enum passdb_result passdb_hash_check(struct verify *v, const struct passdb *db, struct view hash);
enum passdb_result passdb_hash_answered(struct verify *v, const struct passdb *db, const struct msg_helper_result *answer);
/* Keeps this hash for users who have none, unless it is one that nothing matches. */
void sample_remember(struct passdb_sample *sample, struct view hash);
/* The line of this user: the whole name first, in the default domain also the local part alone. As passwd_file_find. */
MUST_CHECK int passdb_file_find(const struct auth_dbs *dbs, struct passwd_file *file, const struct auth_name *name,
                                struct passwd_line *out);
/* Whether this database is asked for passwords of a client there. */
bool passdb_asked(const struct passdb *db, bool master, const struct net_addr *peer);
/* 0: a database denies the user. ERR_NOTFOUND: none does. Others: one cannot say. */
MUST_CHECK int passdb_denies(const struct auth_dbs *dbs, const struct auth_name *name);
/* The line of this user in a passdb of files (for recipients of a static userdb). ERR_NOTFOUND; other errors: cannot say. */
MUST_CHECK int passdb_files_find(const struct auth_dbs *dbs, const struct auth_name *name, struct passwd_line *out);

#endif
