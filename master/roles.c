#include "master/roles.h"

#include <stddef.h>

#include "common/base/mem.h"

#define BIT(id) (1u << (id))
#define FRONTS (BIT(ROLE_ID_IMAP_LOGIN) | BIT(ROLE_ID_POP3_LOGIN) | BIT(ROLE_ID_LMTP))
#define ASKERS (FRONTS | BIT(ROLE_ID_SMTP_AUTH))
#define USER(field) .user_setting = #field, .user_offset = offsetof(struct set_master, field)

static const struct role roles[ROLE_ID_COUNT] = {
    [ROLE_ID_KEYS] = {.id = ROLE_ID_KEYS,
                      .name = "keys",
                      .program = "culver-keys",
                      .ipc_role = ROLE_KEYS,
                      USER(keys_user),
                      .chroot = true,
                      .peers = FRONTS,
                      .job = "holds the TLS private keys, signs handshake digests"},
    [ROLE_ID_AUTH] = {.id = ROLE_ID_AUTH,
                      .name = "auth",
                      .program = "culver-auth",
                      .ipc_role = ROLE_AUTH,
                      USER(auth_user),
                      .components = {&set_auth_component, &set_login_component},
                      .peers = ASKERS,
                      .job = "checks passwords, looks users up, tells master whom a connection belongs to"},
    [ROLE_ID_IMAP_LOGIN] = {.id = ROLE_ID_IMAP_LOGIN,
                            .name = "imap-login",
                            .program = "culver-imap-login",
                            .ipc_role = ROLE_LOGIN,
                            .protocol = PROTO_IMAP,
                            USER(imap_login_user),
                            .chroot = true,
                            .components = {&set_login_component, &set_worker_component},
                            .peers = BIT(ROLE_ID_KEYS) | BIT(ROLE_ID_AUTH),
                            .job = "IMAP clients before log-in, and the TLS end afterwards"},
    [ROLE_ID_POP3_LOGIN] = {.id = ROLE_ID_POP3_LOGIN,
                            .name = "pop3-login",
                            .program = "culver-pop3-login",
                            .ipc_role = ROLE_LOGIN,
                            .protocol = PROTO_POP3,
                            USER(pop3_login_user),
                            .chroot = true,
                            .components = {&set_login_component, &set_worker_component},
                            .peers = BIT(ROLE_ID_KEYS) | BIT(ROLE_ID_AUTH),
                            .job = "POP3 clients before log-in, and the TLS end afterwards"},
    [ROLE_ID_LMTP] = {.id = ROLE_ID_LMTP,
                      .name = "lmtp",
                      .program = "culver-lmtp",
                      .ipc_role = ROLE_LMTP,
                      .protocol = PROTO_LMTP,
                      USER(lmtp_user),
                      .chroot = true,
                      .components = {&set_login_component, &set_worker_component, &set_lmtp_component},
                      .peers = BIT(ROLE_ID_KEYS) | BIT(ROLE_ID_AUTH),
                      .job = "takes messages from the MTA"},
    [ROLE_ID_SMTP_AUTH] = {.id = ROLE_ID_SMTP_AUTH,
                           .name = "smtp-auth",
                           .program = "culver-smtp-auth",
                           .ipc_role = ROLE_SMTP,
                           .protocol = PROTO_SMTP,
                           USER(smtp_auth_user),
                           .chroot = true,
                           .components = {&set_login_component},
                           .peers = BIT(ROLE_ID_AUTH),
                           .job = "asks auth on behalf of mail servers"},
    [ROLE_ID_WORKER] = {.id = ROLE_ID_WORKER,
                        .name = "worker",
                        .program = "culver-worker",
                        .ipc_role = ROLE_WORKER,
                        .runs_as = "the user",
                        .components = {&set_worker_component},
                        .job = "everything of one user: sessions, deliveries, the mail itself"},
    [ROLE_ID_HELPER] =
        {.id = ROLE_ID_HELPER,
         .name = "auth-helper",
         .program = "culver-auth-helper",
         .ipc_role = ROLE_HELPER,
         .runs_as = "root for PAM, else as auth",
         .components = {&set_auth_component},
         .job = "one request to PAM or to the system's user database, or one hash, token or client certificate to check"},
#define DATABASE(role_id, which, what)                \
    [role_id] = {.id = (role_id),                     \
                 .name = "auth-" which,               \
                 .program = "culver-auth-" which,     \
                 .ipc_role = ROLE_HELPER,             \
                 .runs_as = "as auth",                \
                 .components = {&set_auth_component}, \
                 .job = "holds one connection to " what " that auth asks about users"}
    DATABASE(ROLE_ID_SQLITE, "sqlite", "an SQLite file"),
    DATABASE(ROLE_ID_PGSQL, "pgsql", "a PostgreSQL server"),
    DATABASE(ROLE_ID_LDAP, "ldap", "a directory"),
    DATABASE(ROLE_ID_OAUTH2, "oauth2", "the issuer of tokens"),
#undef DATABASE
};

const struct role *role_get(enum role_id id)
{
    return &roles[id];
}

static void print_row(struct buf *out, const struct role *r)
{
    bool first = true;

    buf_put_fmt(out, "| `%s` | %s%s%s | %s | general", r->program, r->user_setting != NULL ? "`" : "",
                r->user_setting != NULL ? r->user_setting : r->runs_as, r->user_setting != NULL ? "`" : "",
                r->chroot ? "empty" : "none");
    for (size_t i = 0; i < ROLE_COMPONENTS_MAX && r->components[i] != NULL; i++)
        buf_put_fmt(out, ", %s", r->components[i]->name);
    buf_put_str(out, " | ");
    for (size_t i = 0; i < ROLE_ID_COUNT; i++) {
        if ((r->peers & BIT(i)) == 0)
            continue;
        buf_put_fmt(out, "%s%s", first ? "" : ", ", roles[i].name);
        first = false;
    }
    buf_put_fmt(out, "%s | %s |\n", first ? "-" : "", r->job);
}

void role_print_table(struct buf *out)
{
    buf_put_str(out, "| program | runs as | chroot | configuration | channels besides master | job |\n");
    buf_put_str(out, "| --- | --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < ROLE_ID_COUNT; i++)
        print_row(out, &roles[i]);
}
