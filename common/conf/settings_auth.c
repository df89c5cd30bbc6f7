/* Who the users are: mechanisms, password databases, user databases. */
#include "common/conf/settings.h"

static const struct conf_word database_words[] = {
    {"sqlite", SET_DATABASE_SQLITE},
    {"pgsql", SET_DATABASE_PGSQL},
    {"ldap", SET_DATABASE_LDAP},
    {"oauth2", SET_DATABASE_OAUTH2},
    {NULL, 0},
};
static const struct conf_word passdb_words[] = {
    {"passwd-file", SET_PASSDB_FILE}, {"pam", SET_PASSDB_PAM}, {"sql", SET_PASSDB_SQL}, {"ldap", SET_PASSDB_LDAP}, {NULL, 0},
};
/* What a wrong password or a database that cannot say is turned into is never a success: that word comes last and is for
 * result_success only. */
static const struct conf_word success_words[] = {
    {"return-ok", SET_PASSDB_RETURN_OK},
    {"return-fail", SET_PASSDB_RETURN_FAIL},
    {"return", SET_PASSDB_RETURN},
    {"continue", SET_PASSDB_CONTINUE},
    {"continue-ok", SET_PASSDB_CONTINUE_OK},
    {"continue-fail", SET_PASSDB_CONTINUE_FAIL},
    {NULL, 0},
};
static const struct conf_word failure_words[] = {
    {"return-fail", SET_PASSDB_RETURN_FAIL},
    {"return", SET_PASSDB_RETURN},
    {"continue", SET_PASSDB_CONTINUE},
    {"continue-fail", SET_PASSDB_CONTINUE_FAIL},
    {NULL, 0},
};
static const struct conf_word client_name_words[] = {
    {"common-name", SET_CLIENT_NAME_COMMON_NAME},
    {"user-id", SET_CLIENT_NAME_USER_ID},
    {"email-address", SET_CLIENT_NAME_EMAIL_ADDRESS},
    {"san-email", SET_CLIENT_NAME_SAN_EMAIL},
    {"san-upn", SET_CLIENT_NAME_SAN_UPN},
    {NULL, 0},
};
static const struct conf_word userdb_words[] = {
    {"passwd-file", SET_USERDB_FILE}, {"system", SET_USERDB_SYSTEM}, {"static", SET_USERDB_STATIC},
    {"sql", SET_USERDB_SQL},          {"ldap", SET_USERDB_LDAP},     {NULL, 0},
};

#define END                                        \
    {                                              \
        NULL, CONF_BOOL, 0, 0, 0, NULL, NULL, NULL \
    }

#define AT(field) offsetof(struct set_database, field)
static const struct conf_setting database_settings[] = {
    {"driver", CONF_ENUM, AT(driver), 0, 0, "sqlite", database_words,
     "sqlite: a file. pgsql: a PostgreSQL server. ldap: a directory. oauth2: where the issuer of tokens tells what they "
     "are worth (introspection, RFC 7662). Each needs its program beside the others: culver-auth-sqlite, culver-auth-pgsql, "
     "culver-auth-ldap, culver-auth-oauth2."},
    {"file", CONF_PATH, AT(file), 0, 1024, "", NULL, "sqlite: the file. It is only read."},
    {"connect", CONF_STRING, AT(connect), 0, 1024, "", NULL,
     "pgsql: a connection string, such as host=/run/postgresql dbname=mail. ldap: one or more URIs, ldaps://, ldap:// or "
     "ldapi://, tried in their order. oauth2: an https:// URL."},
    {"password_file", CONF_PATH, AT(password_file), 0, 1024, "", NULL,
     "pgsql, ldap, oauth2: a file whose first line is the password of our own account there. It is read as root."},
    {"connections", CONF_UINT, AT(connections), 1, 64, "4", NULL,
     "Connections at the same time, each held by a process of its own."},
    {"timeout", CONF_TIME, AT(timeout), 500, 60000, "5s", NULL,
     "Time for an answer, connecting included. After it the log-in fails for now."},
    {"bind_dn", CONF_STRING, AT(bind_dn), 0, 1024, "", NULL, "ldap: as whom users are searched. Empty: anonymously."},
    {"start_tls", CONF_BOOL, AT(start_tls), 0, 0, "no", NULL,
     "ldap: protect ldap:// connections with StartTLS. Without it they are possible to this host only."},
    {"ca_file", CONF_PATH, AT(ca_file), 0, 1024, "", NULL,
     "ldap, oauth2: the certification authorities (PEM) one of which the server's certificate must come from. Empty: the "
     "system's."},
    {"client_id", CONF_STRING, AT(client_id), 0, 256, "", NULL,
     "oauth2: as whom tokens are asked about. Empty: the password is a bearer token itself."},
    END,
};
#undef AT

/* Of passdb and userdb alike. */
#define ASK_SETTINGS                                                                                                          \
    {"database", CONF_STRING, AT(ask.database), 0, 64, "", NULL, "sql, ldap: the label of a database section."},              \
        {"query",                                                                                                             \
         CONF_STRING,                                                                                                         \
         AT(ask.query),                                                                                                       \
         0,                                                                                                                   \
         4096,                                                                                                                \
         "",                                                                                                                  \
         NULL,                                                                                                                \
         "sql: one SELECT. :user is the whole name, :name the part before the @, :domain what is behind it; each is a bound " \
         "parameter, never text. The columns' names say what they are: see the manual."},                                     \
        {"base", CONF_STRING, AT(ask.base), 0,                                                                                \
         1024,   "",          NULL,         "ldap: where the search begins. :user, :name and :domain as above."},             \
        {"filter", CONF_STRING, AT(ask.filter), 0, 1024, "(uid=:name)", NULL, "ldap: the search filter, in the same way."},   \
    {                                                                                                                         \
        "attributes", CONF_LIST, AT(ask.attributes), 0, 64, "", NULL,                                                         \
            "ldap: attributes and what they are to us, such as userPassword=password homeDirectory=home."                     \
    }

#define AT(field) offsetof(struct set_passdb, field)
static const struct conf_setting passdb_settings[] = {
    {"driver", CONF_ENUM, AT(driver), 0, 0, "passwd-file", passdb_words,
     "passwd-file: a file with a line for each user, in Dovecot's format. pam: the system's PAM. sql, ldap: a database section."},
    {"file", CONF_PATH, AT(file), 0, 1024, "", NULL, "passwd-file: the file. It is read again when it changes."},
    {"scheme", CONF_STRING, AT(scheme), 1, 32, "CRYPT", NULL, "The scheme of hashes that do not begin with {SCHEME}."},
    {"service", CONF_STRING, AT(service), 1, 64, "culver", NULL, "pam: the name of the service, a file in /etc/pam.d."},
    {"deny", CONF_BOOL, AT(deny), 0, 0, "no", NULL,
     "passwd-file: the users in this file may not log in, whatever other databases say. Only the names in it count."},
    {"master", CONF_BOOL, AT(master), 0, 0, "no", NULL,
     "The users in this database may log in as other users, and as those only: see auth_master_separator."},
    {"allow_nets", CONF_LIST, AT(allow_nets), 0, 64, "", NULL,
     "Networks of the clients for whom this database is asked; for others it is not there. Empty: all."},
    {"result_success", CONF_ENUM, AT(result_success), 0, 0, "return-ok", success_words,
     "After a right password. return-ok: the log-in is good. return-fail: it fails. return: it is what the databases before this "
     "one left. continue-ok, continue-fail, continue: the next database is asked, and where none decides it is good, or fails, "
     "or "
     "is as it was before."},
    {"result_failure", CONF_ENUM, AT(result_failure), 0, 0, "return-fail", failure_words,
     "After a wrong password, in the same words."},
    {"result_internalfail", CONF_ENUM, AT(result_internalfail), 0, 0, "return-fail", failure_words,
     "When the database cannot say. return-fail: the log-in fails for now. continue: the next database is asked; where none says "
     "yes, it fails for now all the same."},
    ASK_SETTINGS,
    {"bind", CONF_BOOL, AT(bind), 0, 0, "no", NULL,
     "ldap: the directory checks the password, by a bind as the user who was found. Otherwise the attribute that is our password "
     "is read and compared."},
    END,
};
#undef AT

#define AT(field) offsetof(struct set_userdb, field)
static const struct conf_setting userdb_settings[] = {
    {"driver", CONF_ENUM, AT(driver), 0, 0, "system", userdb_words,
     "system: accounts of this host (NSS). passwd-file: the fields of a file in Dovecot's format. sql, ldap: a database section. "
     "static: the same rules for every user that a password database knows."},
    {"file", CONF_PATH, AT(file), 0, 1024, "", NULL, "passwd-file: the file. It is read again when it changes."},
    {"uid", CONF_STRING, AT(uid), 0, 64, "virtual", NULL,
     "For users for whom the database says nothing: a number, the name of a system account, or virtual for a uid each from the "
     "configured range."},
    {"gid", CONF_STRING, AT(gid), 0, 64, "virtual", NULL, "The group, in the same way."},
    {"home", CONF_STRING, AT(home), 0, 1024, "", NULL,
     "The same for the home folder. %u is the whole name, %n the part before the @, %d the "
     "domain."},
    {"mail_path", CONF_STRING, AT(mail_path), 0, 1024, "", NULL,
     "Where the mail of this database's users is. Empty: the general mail_path."},
    ASK_SETTINGS,
    END,
};
#undef AT

static const struct conf_section sections[] = {
    {"database", true, database_settings, sizeof(struct set_database), offsetof(struct set_database, name),
     offsetof(struct set_auth, databases), offsetof(struct set_auth, ndatabases), 16,
     "A server or a file that sections passdb and userdb with driver = sql or ldap ask.",
     "database accounts {\n    driver = pgsql\n    connect = host=/run/postgresql dbname=mail\n}\n"},
    {"passdb", true, passdb_settings, sizeof(struct set_passdb), offsetof(struct set_passdb, name),
     offsetof(struct set_auth, passdbs), offsetof(struct set_auth, npassdbs), 16,
     "A database that checks passwords. They are asked in the order in which they stand here until one knows the user.",
     "passdb users {\n    driver = passwd-file\n    file = /etc/culver/users\n}\n"
     "passdb system {\n    driver = pam\n}\n"},
    {"userdb", true, userdb_settings, sizeof(struct set_userdb), offsetof(struct set_userdb, name),
     offsetof(struct set_auth, userdbs), offsetof(struct set_auth, nuserdbs), 16,
     "A database that says where a user's mail is and whose it is. They are asked in the order in which they stand here.",
     "userdb users {\n    driver = passwd-file\n    file = /etc/culver/users\n    mail_path = /var/mail/culver/%d/%n\n}\n"
     "userdb system {\n    driver = system\n}\n"},
    {NULL, false, NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

#define AT(field) offsetof(struct set_auth, field)
static const struct conf_setting settings[] = {
    {"mail_path", CONF_STRING, AT(mail_path), 1, 1024, "~/culver", NULL,
     "The folder with a user's mail. %u is the whole name, %n the part before the @, %d the domain, %h or ~ the home folder."},
    {"quota_bytes", CONF_SIZE, AT(quota_bytes), 0, UINT64_MAX >> 1, "0", NULL,
     "Size of all mail of a user for whom the database says nothing else. 0: no limit."},
    {"quota_messages", CONF_UINT, AT(quota_messages), 0, UINT64_MAX >> 1, "0", NULL, "Number of messages, in the same way."},
    {"recipient_delimiter", CONF_STRING, AT(recipient_delimiter), 0, 1, "+", NULL,
     "The character that ends the user's name in a mail address: with + mail for jo+lists is jo's, and goes into the folder "
     "lists "
     "(detail_mailbox). Empty: none."},
    {"pop3_login_detail", CONF_BOOL, AT(pop3_login_detail), 0, 0, "yes", NULL,
     "A name at POP3 log-in may name a folder in the same way: jo+lists gets the folder lists as maildrop."},
    {"auth_default_domain", CONF_STRING, AT(auth_default_domain), 0, 253, "", NULL,
     "Appended with an @ to names that have no domain. Empty: they stay as they are."},
    {"auth_master_separator", CONF_STRING, AT(auth_master_separator), 0, 1, "", NULL,
     "Between the user and the master user who logs in as that user, such as * in jo*admin. Without it only SASL's authorisation "
     "identity can say so."},
    {"auth_lowercase", CONF_BOOL, AT(auth_lowercase), 0, 0, "yes", NULL, "Turn user names into lower case before anything else."},
    {"auth_name_chars", CONF_STRING, AT(auth_name_chars), 1, 255,
     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@+=", NULL,
     "The characters that may occur in a user name; a name with any other is an unknown user."},
    {"auth_failure_delay", CONF_TIME, AT(auth_failure_delay), 0, 60000, "2s", NULL,
     "Time before a failed log-in is answered; it grows with further failures from the same address or for the same user."},
    {"auth_helpers_max", CONF_UINT, AT(auth_helpers_max), 1, 1000, "16", NULL,
     "Processes that check a password (PAM, hashes) or look up a user at the same time. One Argon2id check may take 64 MiB."},
    {"auth_helper_timeout", CONF_TIME, AT(auth_helper_timeout), 1000, 300000, "30s", NULL, "Time that one such check may take."},
    {"auth_cache_ttl", CONF_TIME, AT(auth_cache_ttl), 0, 86400000, "0", NULL,
     "Time for which a password that was right is right again, from the same address, without asking a database. 0: every log-in "
     "asks."},
    {"auth_cache_size", CONF_UINT, AT(auth_cache_size), 8, 1000000, "10000", NULL,
     "Users of whom that is remembered, 72 octets each."},
    {"auth_dir", CONF_PATH, AT(auth_dir), 0, 1024, "", NULL,
     "Folder for app passwords and second factors, which culver-auth alone reads and writes. Empty: the folder auth in "
     "state_dir."},
    {"oauth2_jwks", CONF_PATH, AT(oauth2_jwks), 0, 1024, "", NULL,
     "File with the public keys (JWKS) that sign the tokens of oauthbearer and xoauth2. It is read for each check."},
    {"oauth2_database", CONF_STRING, AT(oauth2_database), 0, 64, "", NULL,
     "In place of oauth2_jwks: the label of a database section with driver = oauth2, which is asked about every token."},
    {"oauth2_cache_ttl", CONF_TIME, AT(oauth2_cache_ttl), 0, 3600000, "60s", NULL,
     "Time for which a token that it called good is good again without a question, at most until the token's end. 0: every "
     "log-in asks."},
    {"oauth2_issuer", CONF_STRING, AT(oauth2_issuer), 0, 512, "", NULL,
     "What a token's claim iss must be. With oauth2_database it may be empty, which is not to look at it; so may "
     "oauth2_audience."},
    {"oauth2_audience", CONF_LIST, AT(oauth2_audience), 0, 16, "", NULL, "One of these must be in a token's claim aud."},
    {"oauth2_scope", CONF_LIST, AT(oauth2_scope), 0, 16, "", NULL, "All of these must be in a token's claim scope."},
    {"oauth2_user_claim", CONF_STRING, AT(oauth2_user_claim), 1, 64, "email", NULL, "The claim that is the user's name."},
    {"oauth2_openid_configuration", CONF_STRING, AT(oauth2_openid_configuration), 0, 512, "", NULL,
     "Address at which a client whose token is refused learns how to get a better one."},
    {"tls_client_ca", CONF_PATH, AT(tls_client_ca), 0, 1024, "", NULL,
     "File (PEM) with the certificates of the authorities that issue the certificates of users, for auth_mechanisms = external. "
     "Each of them is trusted. It is read as root, for each log-in."},
    {"tls_client_crl", CONF_PATH, AT(tls_client_crl), 0, 1024, "", NULL,
     "File (PEM) with the revocation lists of all these authorities and those below them, read in the same way. A list that is "
     "missing or "
     "past its time refuses whoever it is about. Empty: what is revoked is not looked at."},
    {"tls_client_name", CONF_ENUM, AT(tls_client_name), 0, 0, "common-name", client_name_words,
     "Where the name of the user is: in the subject (common-name, user-id, email-address) or among the alternative names "
     "(san-email, "
     "san-upn) of the certificate. One without it, or with two, opens nothing."},
    {"auth_allow_weak_schemes", CONF_BOOL, AT(auth_allow_weak_schemes), 0, 0, "no", NULL,
     "Accept password schemes that no longer protect a stolen file: PLAIN, traditional DES, MD5, unsalted hashes."},
    END,
};

const struct conf_component set_auth_component = {
    "auth", settings, sections, sizeof(struct set_auth), "Users: how they prove who they are, and where their mail is.",
};
