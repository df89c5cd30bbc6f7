/* The databases of the configuration, opened: one for each passdb and userdb section, in their order, sharing files and helpers.
 */
#ifndef CULVER_AUTH_DBS_H
#define CULVER_AUTH_DBS_H

#include "auth/db_pool.h"
#include "auth/passwd_file.h"
#include "auth/request.h"
#include "common/conf/settings.h"

struct passdb_driver;
struct userdb_driver;

/* How SCRAM keys look from outside: a few kinds that users of a server's were seen with. */
#define PASSDB_LOOKS_MAX 4
struct passdb_look {
    uint32_t rounds;
    size_t salt_len;
};
struct passdb_looks {
    struct passdb_look at[PASSDB_LOOKS_MAX];
    unsigned n;
};

/* A stored hash, whoever's: checked for users who have none, so that they take as long. */
struct passdb_sample {
    uint8_t hash[1024];
    size_t len;                   /* 0: none was seen yet */
    struct passdb_looks looks[2]; /* by enum scram_hash */
};

struct passdb {
    const struct passdb_driver *driver;
    const struct set_passdb *set;
    struct passwd_file *file; /* passwd-file; this and what follows is owned by the struct auth_dbs */
    struct db_pool *pool;     /* sql, ldap */
    struct passdb_sample *sample;
};

/* What a configured uid or gid means. */
struct userdb_id {
    bool virtual_id;
    uint32_t value;
};

struct userdb {
    const struct userdb_driver *driver;
    const struct set_userdb *set;
    struct passwd_file *file;
    struct db_pool *pool;
    struct userdb_id uid, gid; /* static, and passwd-file for lines without one */
};

struct auth_dbs {
    const struct set_auth *set;
    struct auth_request_pool *requests; /* borrowed */
    struct passdb *passdbs;
    struct userdb *userdbs;
    struct passwd_file **files;
    size_t nfiles;
    struct db_pool **pools; /* one for each database section; from auth_dbs_connect on */
    uint8_t feign_key[32];  /* of what is shown for users who have no SCRAM keys */
};

/* Before the sandbox: account names in the configuration become numbers (NSS). set must outlive dbs. ERR_NOTFOUND, logged. */
MUST_CHECK int auth_dbs_init(struct auth_dbs *dbs, const struct set_auth *set);
/* In the sandbox: reads the files. Anything but 0 was logged. The owner sets dbs->requests before the first look-up. */
MUST_CHECK int auth_dbs_open(struct auth_dbs *dbs);
/* Sets up the connections to database servers, which are made when they are needed. */
void auth_dbs_connect(struct auth_dbs *dbs, struct loop *loop, struct ipc *master);
/* The connections to this database section; NULL: there is none. */
struct db_pool *auth_dbs_pool(const struct auth_dbs *dbs, const char *database);
/* Another number whenever a file of the databases may say something else than before. */
uint64_t auth_dbs_generation(const struct auth_dbs *dbs);
void auth_dbs_close(struct auth_dbs *dbs);

#endif
