/*
 * The process table: every kind of process that master starts, as whom, from which program, with which part of the configuration,
 * and which other kinds it has a channel to. The one place that says so; `culver --process-table` prints it for the
 * documentation.
 */
#ifndef CULVER_MASTER_ROLES_H
#define CULVER_MASTER_ROLES_H

#include "common/conf/settings.h"
#include "common/ipc/proto.h"

enum role_id {
    ROLE_ID_KEYS,
    ROLE_ID_AUTH,
    ROLE_ID_IMAP_LOGIN,
    ROLE_ID_POP3_LOGIN,
    ROLE_ID_LMTP,
    ROLE_ID_SMTP_AUTH,
    ROLE_ID_SERVICES, /* the above run all the time; the following are started for one user or one request */
    ROLE_ID_WORKER = ROLE_ID_SERVICES,
    ROLE_ID_HELPER,
    ROLE_ID_SQLITE,
    ROLE_ID_PGSQL,
    ROLE_ID_LDAP,
    ROLE_ID_OAUTH2,
    ROLE_ID_COUNT
};

#define ROLE_COMPONENTS_MAX 3

struct role {
    enum role_id id;
    const char *name;    /* "imap-login" */
    const char *program; /* in libexec_dir */
    enum ipc_role ipc_role;
    enum proto_protocol protocol;                                 /* of its listeners; 0: none */
    const char *user_setting;                                     /* name of the setting that says as whom; NULL: see `runs_as` */
    size_t user_offset;                                           /* of that setting in struct set_master */
    const char *runs_as;                                          /* in words, where no setting says it */
    bool chroot;                                                  /* to the empty folder of run_dir */
    const struct conf_component *components[ROLE_COMPONENTS_MAX]; /* besides general; NULL ends */
    unsigned peers;                                               /* bit mask of 1u << role_id; symmetric */
    const char *job;
};

const struct role *role_get(enum role_id id);
/* The table as Markdown. */
void role_print_table(struct buf *out);

#endif
