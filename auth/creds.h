/*
 * What users have besides the passwords of the databases: app passwords and second factors. culver-auth alone reads and writes
 * them, in a folder of its own (auth_dir); administrators change them through master (creds_admin.c).
 *
 * One file a user, named by a hash of the user's name, so that no name is ever part of a path:
 *
 *   culver-credentials 1
 *   user <name>
 *   totp <secret, hex> <1 confirmed, 0 not yet> <last step whose code was used>      at most one
 *   app <id, hex> <keyed hash, hex> <scopes> <created> <expires, 0 never> <label>     any number, CREDS_APPS_MAX at most
 *   end
 *
 * It is replaced as a whole: written beside, synced, renamed, the folder synced; after a crash there is the old one or the new
 * one. What has no "end" or names somebody else is damage, and the user cannot log in until it is mended: never does damage take
 * a second factor away. When a password was last used stands in a second file (".used", lines "<id> <time> <address>"), which is
 * written now and then, without sync, and whose loss means nothing.
 */
#ifndef CULVER_AUTH_CREDS_H
#define CULVER_AUTH_CREDS_H

#include "auth/name.h"
#include "common/secret/app_password.h"
#include "common/secret/totp.h"

#define CREDS_APPS_MAX 32
#define CREDS_LABEL_MAX 64
#define CREDS_HASH 32
#define CREDS_FILE_MAX 16384

/* For what an app password is good; bits. */
enum creds_scope { CREDS_IMAP = 1, CREDS_POP3 = 2, CREDS_SMTP = 4, CREDS_ALL = 7 };

struct app_password {
    uint32_t id; /* not 0 */
    char label[CREDS_LABEL_MAX + 1];
    uint8_t hash[CREDS_HASH];
    unsigned scopes;
    uint64_t created, expires; /* seconds since 1970; expires 0: never */
};

enum creds_totp { CREDS_TOTP_NONE, CREDS_TOTP_ENROLLED, CREDS_TOTP_CONFIRMED };

struct creds { /* wipe after use */
    struct app_password apps[CREDS_APPS_MAX];
    size_t napps;
    enum creds_totp totp;
    uint8_t secret[TOTP_SECRET];
    uint64_t step; /* the last one whose code was used */
};

struct creds_use {
    uint32_t id;
    uint64_t time;
    char from[46];
};

struct creds_store;

/* In the sandbox. Makes the key of the hashes where there is none. Errors were logged. */
MUST_CHECK int creds_store_open(const char *dir, struct creds_store **out);
/* Writes down what is not written yet. */
void creds_store_free(struct creds_store **store);

/* *out is empty for a user who has none. ERR_CORRUPT, ERR_IO ...: cannot say (logged). */
MUST_CHECK int creds_load(struct creds_store *store, const struct auth_name *name, struct creds *out);
/* A change: load, and nobody else changes anything until creds_end. ERR_BUSY: another process does. */
MUST_CHECK int creds_begin(struct creds_store *store, const struct auth_name *name, struct creds *out);
/* Writes what creds_begin has loaded and the caller has changed. Durable when 0 is returned. */
MUST_CHECK int creds_write(struct creds_store *store, const struct auth_name *name, const struct creds *creds);
void creds_end(struct creds_store *store);

/* The keyed hash of an app password of this user. */
void creds_hash(const struct creds_store *store, const struct auth_name *name, struct view digest,
                uint8_t out[static CREDS_HASH]);

/* Remembers a use; it is written by creds_flush. */
void creds_used(struct creds_store *store, const struct auth_name *name, uint32_t id, uint64_t time, const struct net_addr *from);
void creds_flush(struct creds_store *store);
/* Fills uses, and sets *n_out. What cannot be read is not there. */
void creds_uses(struct creds_store *store, const struct auth_name *name, struct creds_use uses[static CREDS_APPS_MAX],
                size_t *n_out);

/* creds_text.c: the file's form. ERR_CORRUPT. */
void creds_put(const struct auth_name *name, const struct creds *creds, struct buf *out);
MUST_CHECK int creds_parse(struct view text, const struct auth_name *name, struct creds *out);

#endif
