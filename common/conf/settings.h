/*
 * Every setting of Culver as plain structs, one a component, and the tables that describe them (settings_*.c). They live here
 * and not in the components' folders because master must check and print all of them and may include nothing but common.
 */
#ifndef CULVER_COMMON_CONF_SETTINGS_H
#define CULVER_COMMON_CONF_SETTINGS_H

#include "common/conf/conf.h"

/* --- general: every process gets it ------------------------------------------------------------------- */
enum set_log_to { SET_LOG_STDERR, SET_LOG_SYSLOG, SET_LOG_FILE };
enum set_sandbox { SET_SANDBOX_REQUIRED, SET_SANDBOX_BEST_EFFORT };
struct set_general {
    int log_to;           /* enum set_log_to; log = stderr|syslog|file */
    const char *log_file; /* with log = file */
    int log_level;        /* enum log_level: debug, info, warn, error */
    const char *hostname; /* shown in greetings and Received; "" = the machine's name, filled in by master */
    int sandbox;          /* enum set_sandbox: required (default), best-effort: on a kernel without Landlock */
};

/* --- master -------------------------------------------------------------------------------------------- */
struct set_listener {
    const char *name; /* label */
    int protocol;     /* imap, pop3, lmtp, smtp-auth: enum proto_protocol */
    struct conf_list
        address;   /* IP addresses ("127.0.0.1", "::", "*" = both families) or one absolute socket path (lmtp, smtp-auth) */
    uint64_t port; /* 0: the usual one, see set_listener_port */
    int tls;       /* none, starttls, implicit: enum listener_tls */
    bool proxy_protocol;
    const char *socket_user, *socket_group; /* for a socket path: its owner and group; "" = root (master's), none */
    const char *socket_mode;                /* octal; "": 0600, with a group 0660 */
};
struct set_tls_host { /* a further certificate: tls_host mail.example.org { certificate = …; key = … } */
    const char *name;
    const char *certificate, *key;
};
struct set_master {
    const char *state_dir;                 /* /var/lib/culver: uid allotments */
    const char *run_dir;                   /* /run/culver: control socket, pid file, empty chroot */
    const char *libexec_dir;               /* where the other programs are; default: compiled in */
    const char *tls_certificate, *tls_key; /* default certificate (chain) and key, PEM; "" = no TLS */
    const char *auth_user, *keys_user, *imap_login_user, *pop3_login_user, *lmtp_user, *smtp_auth_user; /* _culver_* */
    uint64_t first_valid_uid;                     /* no worker below this uid; never 0 */
    uint64_t virtual_uid_first, virtual_uid_last; /* the range for virtual users */
    const char *virtual_uid; /* "" = one uid each from the range; else a system user name that all virtual users share */
    uint64_t workers_max;
    uint64_t sessions_per_user, sessions_per_user_address, sessions_max;
    uint64_t shutdown_grace; /* ms that workers get at SIGTERM */
    struct set_listener *listeners;
    size_t nlisteners;
    struct set_tls_host *tls_hosts;
    size_t ntls_hosts;
};

/* --- login services (imap and pop3) and lmtp's front --------------------------------------------------- */
enum set_isolation { SET_ISOLATION_CONNECTION, SET_ISOLATION_SHARED };
struct set_login {
    int login_isolation;              /* connection, shared */
    bool cleartext_auth;              /* allow log-in without TLS from anywhere; loopback always may */
    struct conf_list auth_mechanisms; /* plain login; auth, which checks it, gets this component too */
    uint64_t login_timeout;           /* ms, 60 s in all */
    uint64_t tls_handshake_timeout;   /* 10 s */
    uint64_t login_line_max;          /* 8192 octets, line and literals of one command together */
    uint64_t login_bad_commands;      /* 3 */
    uint64_t login_failures;          /* 5 */
    uint64_t connections_per_address; /* 20, before log-in */
    uint64_t connections_max;         /* 1000, before log-in, a service */
    struct conf_list proxy_networks;  /* networks (CIDR) whose PROXY headers are believed */
    int tls_min;                      /* tls1.2, tls1.3 : 0x0303 / 0x0304 */
    const char *tls_ciphers;          /* TLS 1.2 cipher list */
    const char *greeting;             /* text of the greeting */
    uint64_t pop3_login_delay;        /* ms between log-ins of one user; 0: none. auth sees to it */
    uint64_t pop3_login_wait;         /* ms that a log-in before that may be held */
};

/* --- auth ------------------------------------------------------------------------------------------------ */
enum set_database_driver { SET_DATABASE_SQLITE, SET_DATABASE_PGSQL, SET_DATABASE_LDAP, SET_DATABASE_OAUTH2 };
enum set_passdb_driver { SET_PASSDB_FILE, SET_PASSDB_PAM, SET_PASSDB_SQL, SET_PASSDB_LDAP };
enum set_userdb_driver { SET_USERDB_FILE, SET_USERDB_SYSTEM, SET_USERDB_STATIC, SET_USERDB_SQL, SET_USERDB_LDAP };
enum set_passdb_result {
    SET_PASSDB_RETURN_OK,
    SET_PASSDB_RETURN_FAIL,
    SET_PASSDB_RETURN,
    SET_PASSDB_CONTINUE,
    SET_PASSDB_CONTINUE_OK,
    SET_PASSDB_CONTINUE_FAIL
};
/* A server or file that passdb and userdb sections ask, through helpers that hold connections to it. */
struct set_database {
    const char *name;
    int driver;                /* sqlite, pgsql, ldap, oauth2 */
    const char *file;          /* sqlite */
    const char *connect;       /* pgsql: libpq's connection string; ldap: URIs; oauth2: a URL */
    const char *password_file; /* pgsql, ldap, oauth2; "" = none */
    uint64_t connections;      /* at most, 4 */
    uint64_t timeout;          /* ms for one answer */
    const char *bind_dn;       /* ldap; "" = anonymous */
    bool start_tls;
    const char *ca_file;   /* ldap, oauth2; "" = the system's */
    const char *client_id; /* oauth2; "" = the password is a bearer token */
};
/* What is asked of a database: sql has a query, ldap the rest. */
struct set_ask {
    const char *database;
    const char *query;
    const char *base, *filter;
    struct conf_list attributes; /* "uidNumber=uid" */
};
struct set_passdb {
    const char *name;                                        /* label; tried in the order of the file */
    int driver;                                              /* passwd-file, pam, sql, ldap */
    const char *file;                                        /* passwd-file: path */
    const char *scheme;                                      /* default scheme of hashes without {SCHEME} */
    const char *service;                                     /* pam: service name, default culver */
    bool deny;                                               /* passwd-file: its users may not log in; asked before all others */
    bool master;                                             /* of users who may log in as others; for nothing else */
    struct conf_list allow_nets;                             /* clients for whom it is asked; none: all */
    int result_success, result_failure, result_internalfail; /* enum set_passdb_result */
    struct set_ask ask;                                      /* sql, ldap */
    bool bind;                                               /* ldap: the directory checks the password */
};
struct set_userdb {
    const char *name;
    int driver; /* passwd-file, system, static, sql, ldap */
    const char *file;
    const char *uid, *gid; /* static: number, name or "virtual" */
    const char *home;      /* template */
    const char *mail_path; /* template; "" = the general mail_path */
    struct set_ask ask;
};
/* Which field of a client's certificate names the user. */
enum set_client_name {
    SET_CLIENT_NAME_COMMON_NAME,
    SET_CLIENT_NAME_USER_ID,
    SET_CLIENT_NAME_EMAIL_ADDRESS,
    SET_CLIENT_NAME_SAN_EMAIL,
    SET_CLIENT_NAME_SAN_UPN
};
struct set_auth {
    const char *auth_default_domain;   /* appended to names without one; "" = none */
    const char *auth_master_separator; /* "*": user*master; "" = none */
    bool auth_lowercase;               /* default yes */
    const char *auth_name_chars;       /* allowed characters */
    const char *mail_path; /* template: ~/culver, /var/mail/culver/%d/%n (%u whole name, %n local part, %d domain, %h home) */
    const char *recipient_delimiter;      /* "+" */
    bool pop3_login_detail;               /* user+folder at POP3 log-in */
    uint64_t auth_helpers_max;            /* helpers at once, 16 */
    uint64_t auth_helper_timeout;         /* ms */
    uint64_t auth_failure_delay;          /* ms before a failure is answered */
    uint64_t auth_cache_ttl;              /* ms; 0: no cache */
    uint64_t auth_cache_size;             /* users */
    const char *auth_dir;                 /* "" = auth in state_dir, filled in by master */
    bool auth_allow_weak_schemes;         /* PLAIN, MD5-CRYPT, DES-CRYPT … */
    uint64_t quota_bytes, quota_messages; /* defaults for users without their own; 0 = none */
    const char *oauth2_jwks;              /* file with the keys of tokens' issuer; "" = none */
    const char *oauth2_database;          /* the section that is asked about tokens; "" = none */
    uint64_t oauth2_cache_ttl;            /* ms for which its answer holds; 0: no cache */
    const char *oauth2_issuer;            /* claim iss */
    struct conf_list oauth2_audience, oauth2_scope;
    const char *oauth2_user_claim;
    const char *oauth2_openid_configuration; /* told to clients whose token is refused; "" = nothing */
    const char *tls_client_ca;               /* who issues the certificates of users (PEM); "" = nobody */
    const char *tls_client_crl;              /* what they have revoked (PEM); "" = not looked at */
    int tls_client_name;                     /* enum set_client_name */
    struct set_database *databases;
    size_t ndatabases;
    struct set_passdb *passdbs;
    size_t npassdbs;
    struct set_userdb *userdbs;
    size_t nuserdbs;
};

/* --- worker, storage, the protocols' sessions --------------------------------------------------------- */
enum set_pop3_delete { SET_POP3_EXPUNGE, SET_POP3_HIDE };
enum set_pop3_8bit { SET_POP3_8BIT_SEND, SET_POP3_8BIT_REFUSE };
enum set_detail { SET_DETAIL_IGNORE, SET_DETAIL_EXISTING, SET_DETAIL_CREATE };
enum set_quota_full { SET_QUOTA_FULL_REJECT, SET_QUOTA_FULL_DEFER };
struct set_client_network { /* clients that need something of their own: client_network old-phones { networks = …; … } */
    const char *name;
    struct conf_list networks; /* CIDR */
    struct conf_list capability_disable;
};
enum set_mail_format { SET_MAIL_CULVER, SET_MAIL_MAILDIR };
struct set_worker {
    int mail_format;                     /* enum set_mail_format; culver, maildir */
    uint64_t worker_linger;              /* ms, 30 s; 2 s after a delivery only is fixed */
    uint64_t worker_memory;              /* RLIMIT_DATA, 512 MiB */
    uint64_t flag_sync;                  /* ms within which flags are synced; 0: before OK */
    uint64_t output_stall_timeout;       /* ms without output progress, 2 min */
    uint64_t imap_idle_timeout;          /* 30 min */
    uint64_t pop3_idle_timeout;          /* 10 min */
    uint64_t message_size_max;           /* 64 MiB; APPENDLIMIT and LMTP SIZE */
    uint64_t imap_line_max;              /* 64 KiB */
    uint64_t imap_literal_max;           /* 256 KiB a command outside APPEND */
    uint64_t imap_bad_commands;          /* 20 */
    uint64_t mailboxes_max;              /* 10000 */
    struct conf_list auto_mailboxes;     /* "Drafts:\Drafts" … created and subscribed for a new account */
    int hierarchy_separator;             /* '/' or '.' : words "/" and "." */
    uint64_t imap_progress_interval;     /* ms, 10 s; 0: no INPROGRESS */
    uint64_t imap_message_limit;         /* messages a command; 0: no MESSAGELIMIT */
    uint64_t imap_save_limit;            /* messages a COPY or APPEND; 0: no SAVELIMIT */
    bool imap_literal_minus;             /* LITERAL- instead of LITERAL+ */
    struct conf_list imap_id;            /* "name=value" answered to ID, before and after log-in; default name=Culver */
    bool acl_anyone;                     /* access control lists may have the identifier "anyone" */
    const char *imap_server_comment;     /* "/shared/comment" of the server; "" = none */
    const char *imap_server_admin;       /* "/shared/admin": a URI; "" = none */
    struct conf_list capability_disable; /* capabilities not to announce */
    bool pop3_mark_seen;                 /* RETR sets \Seen */
    int pop3_delete;                     /* enum set_pop3_delete: what DELE and QUIT do */
    const char *pop3_hidden_keyword;     /* of messages that pop3_delete = hide hides */
    const char *pop3_uidl_format;        /* uidl_format.h */
    int pop3_8bit_headers;               /* enum set_pop3_8bit: for clients without UTF8 */
    uint64_t pop3_expire;                /* days announced; 0: NEVER */
    int detail_mailbox;                  /* enum set_detail: what user+folder in an address does */
    int quota_full;                      /* enum set_quota_full */
    struct conf_list quota_warnings;     /* "80%" … */
    const char *quota_warning_subject, *quota_warning_text;
    uint64_t deliveries_per_user; /* staged at once */
    uint64_t duplicate_window;    /* ms; 0: duplicates are delivered */
    struct set_client_network *client_networks;
    size_t nclient_networks;
};

struct set_lmtp {
    uint64_t lmtp_timeout;         /* ms without a word from the client, 5 min */
    uint64_t lmtp_recipients_max;  /* 1000 */
    uint64_t lmtp_line_max;        /* 4096 */
    uint64_t lmtp_connections_max; /* 500 */
    bool lmtp_received;            /* add Received */
    bool lmtp_delivered_to;        /* add Delivered-To */
    struct conf_list lmtp_domains; /* of recipients; empty: any */
};

extern const struct conf_component set_general_component; /* struct set_general */
extern const struct conf_component set_master_component;
extern const struct conf_component set_login_component;
extern const struct conf_component set_auth_component;
extern const struct conf_component set_worker_component;
extern const struct conf_component set_lmtp_component;

/* All of them, in the order of conf/culver.conf. */
extern const struct conf_component *const set_all_components[];
extern const size_t set_all_ncomponents;
/* The port of a listener on an IP address: what is set, else the usual one of its protocol and TLS. */
uint16_t set_listener_port(const struct set_listener *listener);
/* True when the listener is a local socket with a path in the file system (its only address). */
bool set_listener_is_path(const struct set_listener *listener);
/* The permissions of its socket, from socket_mode and socket_group. */
unsigned set_listener_mode(const struct set_listener *listener);
/* settings_check_db.c: the part of set_check about databases. Returns the number of lines added. */
unsigned set_check_databases(const struct set_auth *a, struct buf *errors);
/* Checks what one setting's bounds cannot say (keys without certificates, no listener …); adds lines to errors: ERR_SYNTAX.
 * Components that the conf does not have are not checked. */
MUST_CHECK int set_check(const struct conf *conf, struct buf *errors);

#endif
