/*
 * A configuration that is fit for use: parsed, checked, its names resolved to ids. Made at the start and at each reload; nothing
 * in the running server changes while one is made.
 */
#ifndef CULVER_MASTER_SETUP_H
#define CULVER_MASTER_SETUP_H

#include "master/roles.h"

struct ids {
    uint32_t uid, gid;
};

struct setup {
    struct conf *conf;
    const struct set_general *general;
    const struct set_master *master;
    const struct set_login *login;
    const struct set_auth *auth;
    const struct set_worker *worker;
    const struct set_lmtp *lmtp;
    bool rootless;
    uint64_t generation;
    char hostname[256];
    char *libexec;                 /* folder of the programs */
    char *chroot_dir;              /* the empty folder; NULL in rootless mode */
    struct ids ids[ROLE_ID_COUNT]; /* of the services; unused for worker and helper */
    bool virtual_shared;           /* virtual_uid names a user: */
    struct ids virtual_ids;
};

struct setup_params {
    const char *conf_path;
    const char *libexec;  /* --libexec; NULL: from the configuration, or beside ourselves */
    const char *self_dir; /* folder of our own executable; NULL: unknown */
    bool rootless;
    uint64_t generation;
};

/* ERR_SYNTAX: `errors` has one line for each thing that is wrong. */
MUST_CHECK int setup_load(const struct setup_params *p, struct setup **out, struct buf *errors);
/* Only the parsing and the checks that need no look-up of users: for -t and -n, which anybody may run. */
MUST_CHECK int setup_parse(const char *conf_path, struct conf **out, struct buf *errors);
void setup_free(struct setup **s);

/* Where auth keeps app passwords and second factors; the caller frees it. */
char *setup_auth_dir(const struct setup *s);
bool setup_has_tls(const struct setup *s);
bool setup_has_protocol(const struct setup *s, enum proto_protocol protocol);
/* True when uid is the one of a service (which no worker may have). */
bool setup_is_service_uid(const struct setup *s, uint32_t uid);
/* A sealed memfd with what a process of this role may see of the configuration. ERR_SYSTEM, ERR_LIMIT. */
MUST_CHECK int setup_memfd(const struct setup *s, const struct role *role, int *fd_out);

#endif
