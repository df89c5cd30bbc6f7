/*
 * What the bounds of single settings cannot say: settings that need each other, and texts with a form of their own. Every
 * finding is one line; the words say which setting to look at, since defaults have no place in a file.
 */
#include "common/conf/settings.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/conf/uidl_format.h"
#include "common/ipc/proto.h"
#include "common/text/text.h"

#define SOCKET_PATH_MAX 107 /* sun_path less its NUL */
#define LISTENER_NAME_MAX 64

struct check {
    struct buf *errors;
    unsigned n;
};

static void found(struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void found(struct check *c, const char *fmt, ...)
{
    char line[512];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    buf_put_str(c->errors, line);
    buf_put_byte(c->errors, '\n');
    c->n++;
}

static bool is_empty(const char *s)
{
    return s[0] == '\0';
}

static bool is_printable_ascii(const char *s)
{
    for (; *s != '\0'; s++)
        if (*s < ' ' || *s > '~')
            return false;
    return true;
}

/* Letters, digits, dots, hyphens: a host name as it may stand in a greeting. */
static bool is_host_name(const char *s)
{
    for (; *s != '\0'; s++)
        if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || *s == '.' || *s == '-'))
            return false;
    return true;
}

static bool is_number(const char *s, uint64_t *out)
{
    struct cursor c = cursor_make(view_str(s));

    *out = cursor_dec(&c, 0, UINT32_MAX);
    return cursor_done(&c);
}

/* --- listeners ---------------------------------------------------------------------------------------------------- */

static bool is_address(const char *s)
{
    unsigned char ip[16];

    return inet_pton(AF_INET, s, ip) == 1 || inet_pton(AF_INET6, s, ip) == 1;
}

/* Empty, or three or four octal digits. */
static bool is_mode(const char *s)
{
    size_t n = strlen(s);

    if (n == 0)
        return true;
    return n >= 3 && strspn(s, "01234567") == n && (n == 3 || s[0] == '0') && (s[n - 3] - '0') >= 6;
}

static void check_socket_path(struct check *c, const struct set_listener *l)
{
    if (l->protocol != PROTO_LMTP && l->protocol != PROTO_SMTP)
        found(c, "listener %s: a socket path is only possible with protocol = lmtp or smtp-auth", l->name);
    if (!is_mode(l->socket_mode))
        found(c, "listener %s: socket_mode is like 0660: octal, without set-id bits, readable and writable for its owner",
              l->name);
    if (strlen(l->address.items[0]) > SOCKET_PATH_MAX)
        found(c, "listener %s: a socket path has at most %d octets", l->name, SOCKET_PATH_MAX);
    if (l->port != 0 || l->proxy_protocol || l->tls != LISTENER_TLS_NONE)
        found(c, "listener %s: port, tls and proxy_protocol do not go with a socket path", l->name);
}

static void check_addresses(struct check *c, const struct set_listener *l)
{
    size_t i;

    for (i = 0; i < l->address.n; i++)
        if (strcmp(l->address.items[i], "*") != 0 && !is_address(l->address.items[i]))
            found(c, "listener %s: address '%s' is not an IP address (nor *, nor the only address and a path)", l->name,
                  l->address.items[i]);
    if (!is_empty(l->socket_group) || !is_empty(l->socket_user) || !is_empty(l->socket_mode))
        found(c, "listener %s: socket_group needs a socket path as address, socket_user and socket_mode too", l->name);
    if (l->protocol != PROTO_SMTP)
        return;
    if (l->port == 0)
        found(c, "listener %s: with protocol = smtp-auth an IP address needs a port", l->name);
    if (l->tls != LISTENER_TLS_NONE || l->proxy_protocol)
        found(c, "listener %s: tls and proxy_protocol do not go with protocol = smtp-auth", l->name);
}

static bool same_place(const struct set_listener *a, const struct set_listener *b)
{
    size_t i, j;

    if (set_listener_is_path(a) != set_listener_is_path(b))
        return false;
    if (!set_listener_is_path(a) && set_listener_port(a) != set_listener_port(b))
        return false;
    for (i = 0; i < a->address.n; i++)
        for (j = 0; j < b->address.n; j++)
            if (strcmp(a->address.items[i], b->address.items[j]) == 0)
                return true;
    return false;
}

static void check_listener(struct check *c, const struct set_master *m, size_t index)
{
    const struct set_listener *l = &m->listeners[index];
    size_t i;

    if (strlen(l->name) > LISTENER_NAME_MAX)
        found(c, "listener %s: the label has more than %d octets", l->name, LISTENER_NAME_MAX);
    if (set_listener_is_path(l))
        check_socket_path(c, l);
    else
        check_addresses(c, l);
    if (l->tls != LISTENER_TLS_NONE && is_empty(m->tls_certificate))
        found(c, "listener %s: tls needs tls_certificate and tls_key", l->name);
    for (i = 0; i < index; i++)
        if (same_place(&m->listeners[i], l))
            found(c, "listener %s: the same address and port as listener %s", l->name, m->listeners[i].name);
}

static void check_proxies(struct check *c, const struct set_master *m, const struct set_login *login)
{
    size_t i;

    for (i = 0; i < m->nlisteners; i++)
        if (m->listeners[i].proxy_protocol && login->proxy_networks.n == 0)
            found(c, "listener %s: proxy_protocol needs proxy_networks", m->listeners[i].name);
}

/* --- master ------------------------------------------------------------------------------------------------------- */

static void check_accounts(struct check *c, const struct set_master *m)
{
    const char *const names[] = {m->auth_user,       m->keys_user, m->imap_login_user,
                                 m->pop3_login_user, m->lmtp_user, m->smtp_auth_user};
    static const char *const settings[] = {"auth_user",       "keys_user", "imap_login_user",
                                           "pop3_login_user", "lmtp_user", "smtp_auth_user"};
    size_t i, j;

    for (i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i], "root") == 0)
            found(c, "%s: not root", settings[i]);
        for (j = 0; j < i; j++)
            if (strcmp(names[i], names[j]) == 0)
                found(c, "%s: the same account as %s; each needs one of its own", settings[i], settings[j]);
    }
}

static void check_certificates(struct check *c, const struct set_master *m)
{
    size_t i;

    if (is_empty(m->tls_certificate) != is_empty(m->tls_key))
        found(c, "tls_certificate and tls_key: one without the other");
    if (m->ntls_hosts > 0 && is_empty(m->tls_certificate))
        found(c, "tls_host %s: tls_certificate, the default one, is needed too", m->tls_hosts[0].name);
    for (i = 0; i < m->ntls_hosts; i++) {
        const struct set_tls_host *host = &m->tls_hosts[i];

        if (is_empty(host->certificate) || is_empty(host->key))
            found(c, "tls_host %s: certificate and key are both needed", host->name);
        if (!is_host_name(strncmp(host->name, "*.", 2) == 0 ? host->name + 2 : host->name))
            found(c, "tls_host %s: the label is not a host name", host->name);
    }
}

static void check_master(struct check *c, const struct set_master *m)
{
    size_t i;

    if (m->nlisteners == 0)
        found(c, "no listener: nobody could connect; add a section 'listener'");
    for (i = 0; i < m->nlisteners; i++)
        check_listener(c, m, i);
    check_certificates(c, m);
    check_accounts(c, m);
    if (m->virtual_uid_first > m->virtual_uid_last)
        found(c, "virtual_uid_first is above virtual_uid_last");
    if (m->virtual_uid_first < m->first_valid_uid)
        found(c, "virtual_uid_first is below first_valid_uid");
    if (strcmp(m->virtual_uid, "root") == 0)
        found(c, "virtual_uid: not root");
    if (m->sessions_per_user_address > m->sessions_per_user)
        found(c, "sessions_per_user_address is above sessions_per_user");
}

/* --- auth --------------------------------------------------------------------------------------------------------- */

/* A path template: absolute or in the home folder, with the known variables only, and never the folder of everybody. */
static void check_template(struct check *c, const char *where, const char *what, const char *s)
{
    const char *p;
    bool varies = s[0] == '~';

    if (s[0] != '/' && strncmp(s, "~/", 2) != 0 && strncmp(s, "%h/", 3) != 0)
        found(c, "%s%s: '%s' must begin with / or ~/ or %%h/", where, what, s);
    for (p = s; *p != '\0'; p++) {
        if (*p != '%')
            continue;
        p++;
        if (*p != 'u' && *p != 'n' && *p != 'd' && *p != 'h' && *p != '%') {
            found(c, "%s%s: in '%s' only %%u %%n %%d %%h and %%%% may follow a %%", where, what, s);
            return;
        }
        varies |= *p == 'u' || *p == 'n' || *p == 'h';
    }
    if (!varies)
        found(c, "%s%s: '%s' would be the same for all users; it needs %%u, %%n, %%h or ~", where, what, s);
    if (strstr(s, "/../") != NULL || (strlen(s) >= 3 && strcmp(s + strlen(s) - 3, "/..") == 0))
        found(c, "%s%s: '%s' must not have '..' in it", where, what, s);
}

static void check_id(struct check *c, const struct set_userdb *db, const char *what, const char *value, uint64_t least)
{
    uint64_t n;

    if (is_empty(value))
        found(c, "userdb %s: %s is needed", db->name, what);
    else if (is_number(value, &n) ? n < least : strcmp(value, "root") == 0)
        found(c, "userdb %s: %s = %s is not allowed", db->name, what, value);
}

static void check_userdb(struct check *c, const struct set_userdb *db, uint64_t first_uid)
{
    char where[300];

    (void)snprintf(where, sizeof(where), "userdb %s: ", db->name);
    if (db->driver == SET_USERDB_FILE && is_empty(db->file))
        found(c, "%sfile is needed", where);
    if (!is_empty(db->mail_path))
        check_template(c, where, "mail_path", db->mail_path);
    if (!is_empty(db->home))
        check_template(c, where, "home", db->home);
    if (strncmp(db->home, "~", 1) == 0 || strstr(db->home, "%h") != NULL)
        found(c, "%shome cannot be made from itself", where);
    if (db->driver == SET_USERDB_SYSTEM)
        return;
    check_id(c, db, "uid", db->uid, first_uid);
    check_id(c, db, "gid", db->gid, 1);
    if ((strcmp(db->uid, "virtual") == 0) != (strcmp(db->gid, "virtual") == 0))
        found(c, "%suid and gid: virtual is possible for both only", where);
}

static bool is_network(const char *s)
{
    const char *slash = strchr(s, '/');
    char address[INET6_ADDRSTRLEN];
    unsigned char ip[16];
    uint64_t bits = 0;
    size_t len = slash != NULL ? (size_t)(slash - s) : strlen(s);

    if (len >= sizeof(address))
        return false;
    memcpy(address, s, len);
    address[len] = '\0';
    if (slash != NULL && !is_number(slash + 1, &bits))
        return false;
    if (inet_pton(AF_INET, address, ip) == 1)
        return bits <= 32;
    return inet_pton(AF_INET6, address, ip) == 1 && bits <= 128;
}

static void check_passdb(struct check *c, const struct set_passdb *db)
{
    if (db->driver == SET_PASSDB_FILE && is_empty(db->file))
        found(c, "passdb %s: file is needed", db->name);
    if (db->driver == SET_PASSDB_PAM && strchr(db->service, '/') != NULL)
        found(c, "passdb %s: service is the name of a file in /etc/pam.d, not a path", db->name);
    if (db->deny && db->driver != SET_PASSDB_FILE)
        found(c, "passdb %s: deny is for passwd-files", db->name);
    if (db->deny && db->master)
        found(c, "passdb %s: deny and master exclude each other", db->name);
    for (size_t i = 0; i < db->allow_nets.n; i++)
        if (!is_network(db->allow_nets.items[i]))
            found(c, "passdb %s: allow_nets: '%.64s' is not a network like 192.0.2.0/24", db->name, db->allow_nets.items[i]);
}

/* Not in a name: else a user could be called like somebody's master. */
static void check_master_separator(struct check *c, const struct set_auth *a)
{
    const char *p = a->auth_master_separator;

    if (!is_empty(p) && (*p <= ' ' || *p > '~' || *p == '@' || strchr(a->auth_name_chars, *p) != NULL))
        found(c, "auth_master_separator: '%s' is not allowed, or one of auth_name_chars", p);
}

static bool has_user_passdb(const struct set_auth *a)
{
    for (size_t i = 0; i < a->npassdbs; i++)
        if (!a->passdbs[i].deny && !a->passdbs[i].master)
            return true;
    return false;
}

static bool has_logins(const struct set_master *m)
{
    size_t i;

    for (i = 0; m != NULL && i < m->nlisteners; i++)
        if (m->listeners[i].protocol != PROTO_LMTP)
            return true;
    return false;
}

static void check_auth(struct check *c, const struct set_auth *a, const struct set_master *m)
{
    const char *p;
    size_t i;

    if (has_logins(m) && !has_user_passdb(a) && is_empty(a->oauth2_jwks) && is_empty(a->oauth2_database) &&
        is_empty(a->tls_client_ca))
        found(c, "no passdb: nobody could log in; add a section 'passdb'");
    if (m != NULL && a->nuserdbs == 0)
        found(c, "no userdb: nobody has mail; add a section 'userdb'");
    for (i = 0; i < a->npassdbs; i++)
        check_passdb(c, &a->passdbs[i]);
    c->n += set_check_databases(a, c->errors);
    for (i = 0; i < a->nuserdbs; i++)
        check_userdb(c, &a->userdbs[i], m != NULL ? m->first_valid_uid : 1);
    check_template(c, "", "mail_path", a->mail_path);
    if (!is_host_name(a->auth_default_domain))
        found(c, "auth_default_domain: '%s' is not a domain", a->auth_default_domain);
    check_master_separator(c, a);
    if (!is_empty(a->oauth2_jwks) && (is_empty(a->oauth2_issuer) || a->oauth2_audience.n == 0))
        found(c, "oauth2_jwks needs oauth2_issuer and oauth2_audience: a token for somebody else must not be good here");
    for (p = a->auth_name_chars; *p != '\0'; p++)
        if (*p <= ' ' || *p > '~' || *p == '/' || *p == '%' || *p == '*')
            break;
    if (*p != '\0')
        found(c, "auth_name_chars: blanks, / %% * and characters outside of ASCII are not allowed");
    p = a->recipient_delimiter;
    if (!is_printable_ascii(p) || (!is_empty(p) && strchr("@/ ", *p) != NULL))
        found(c, "recipient_delimiter: '%s' is not allowed", p);
}

/* --- login -------------------------------------------------------------------------------------------------------- */

static void check_login(struct check *c, const struct set_login *l)
{
    size_t i;

    for (i = 0; i < l->proxy_networks.n; i++)
        if (!is_network(l->proxy_networks.items[i]))
            found(c, "proxy_networks: '%s' is not a network like 192.0.2.0/24", l->proxy_networks.items[i]);
    if (!is_printable_ascii(l->greeting))
        found(c, "greeting: only printable ASCII characters are possible");
    if (l->tls_handshake_timeout > l->login_timeout)
        found(c, "tls_handshake_timeout is above login_timeout");
}

static void check_mechanisms(struct check *c, const struct set_login *l, const struct set_auth *a)
{
    for (size_t i = 0; i < l->auth_mechanisms.n; i++) {
        const char *word = l->auth_mechanisms.items[i];

        if (strstr(word, "oauth") != NULL && is_empty(a->oauth2_jwks) && is_empty(a->oauth2_database))
            found(c, "auth_mechanisms: %s needs oauth2_jwks or oauth2_database", word);
        if (view_eq_nocase(view_str(word), VIEW("external")) && is_empty(a->tls_client_ca))
            found(c, "auth_mechanisms: external needs tls_client_ca");
    }
    if (!is_empty(a->tls_client_crl) && is_empty(a->tls_client_ca))
        found(c, "tls_client_crl without tls_client_ca");
}

/* --- worker ------------------------------------------------------------------------------------------------------- */

static void check_auto_mailbox(struct check *c, const struct set_worker *w, size_t index)
{
    static const char *const uses[] = {"\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash"};
    const char *item = w->auto_mailboxes.items[index], *colon = strrchr(item, ':');
    struct view name = colon != NULL ? view_make(item, (size_t)(colon - item)) : view_str(item);
    bool known = colon == NULL;
    size_t i;

    for (i = 0; i < ARRAY_LEN(uses) && colon != NULL; i++)
        known |= view_eq_nocase(view_str(colon + 1), view_str(uses[i]));
    if (!known)
        found(c, "auto_mailboxes: '%.64s': after the colon \\Archive, \\Drafts, \\Junk, \\Sent or \\Trash", item);
    if (name.len == 0 || view_eq_nocase(name, VIEW("INBOX")))
        found(c, "auto_mailboxes: '%.64s' has no name that could be created", item);
}

static void check_imap_id(struct check *c, const struct set_worker *w)
{
    for (size_t i = 0; i < w->imap_id.n; i++) {
        const char *pair = w->imap_id.items[i], *eq = strchr(pair, '=');

        /* RFC 2971 3.3: field names up to 30 octets, values up to 1024. */
        if (eq == NULL || eq == pair || eq - pair > 30 || strlen(eq + 1) > 1024 || !is_printable_ascii(pair))
            found(c, "imap_id: '%.64s' is not name=value (names up to 30, values up to 1024 ASCII characters)", pair);
    }
}

/* RFC 5464 3.2.1.1: /shared/admin is a URI. RFC 3986 3.1: it begins with a scheme. */
static bool is_uri(const char *v)
{
    size_t n = 0;

    while ((v[n] >= 'a' && v[n] <= 'z') || (v[n] >= 'A' && v[n] <= 'Z') ||
           (n > 0 && ((v[n] >= '0' && v[n] <= '9') || (v[n] != '\0' && strchr("+-.", v[n]) != NULL))))
        n++;
    return n > 0 && v[n] == ':' && is_printable_ascii(v);
}

static void check_pop3(struct check *c, const struct set_worker *w)
{
    struct uidl_format format;
    int err = uidl_format_parse(w->pop3_uidl_format, &format);

    if (err == ERR_SYNTAX)
        found(c, "pop3_uidl_format: '%.64s' is not understood", w->pop3_uidl_format);
    else if (err != 0)
        found(c, "pop3_uidl_format: it must have %%u, or be %%f alone, and give %d characters at most", UIDL_MAX);
    else if (uidl_format_has(&format, UIDL_FILE_NAME) && w->mail_format != SET_MAIL_MAILDIR)
        found(c, "pop3_uidl_format: names of files need mail_format = maildir");
    if (!is_printable_ascii(w->pop3_hidden_keyword) || strpbrk(w->pop3_hidden_keyword, " (){%*\"\\]") != NULL)
        found(c, "pop3_hidden_keyword: '%.64s' is no keyword", w->pop3_hidden_keyword);
}

static void check_capabilities(struct check *c, const struct conf_list *names)
{
    for (size_t i = 0; i < names->n; i++)
        if (!is_printable_ascii(names->items[i]))
            found(c, "capability_disable: '%.64s' is not a capability", names->items[i]);
}

static void check_client_network(struct check *c, const struct set_client_network *n)
{
    check_capabilities(c, &n->capability_disable);
    for (size_t i = 0; i < n->networks.n; i++)
        if (!is_network(n->networks.items[i]))
            found(c, "client_network %s: '%s' is not a network like 192.0.2.0/24", n->name, n->networks.items[i]);
}

static void check_quota_warnings(struct check *c, const struct set_worker *w)
{
    for (size_t i = 0; i < w->quota_warnings.n; i++) {
        struct cursor cur = cursor_make(view_str(w->quota_warnings.items[i]));

        (void)cursor_dec(&cur, 1, 100);
        cursor_expect(&cur, '%');
        if (!cursor_done(&cur))
            found(c, "quota_warnings: '%.64s' is not a percentage like 80%%", w->quota_warnings.items[i]);
    }
    if (!utf8_valid(view_str(w->quota_warning_subject)) || !utf8_valid(view_str(w->quota_warning_text)))
        found(c, "quota_warning_subject and quota_warning_text must be UTF-8");
}

static void check_worker(struct check *c, const struct set_worker *w)
{
    size_t i;

    for (i = 0; i < w->auto_mailboxes.n; i++)
        check_auto_mailbox(c, w, i);
    check_imap_id(c, w);
    if (w->imap_server_admin[0] != '\0' && !is_uri(w->imap_server_admin))
        found(c, "imap_server_admin: '%.64s' is not a URI", w->imap_server_admin);
    if (w->imap_message_limit > 0 && w->imap_save_limit > 0) /* RFC 9738 3: one or the other */
        found(c, "imap_save_limit cannot be given beside imap_message_limit, which is for COPY and APPEND too");
    check_pop3(c, w);
    check_quota_warnings(c, w);
    if (w->auto_mailboxes.n >= w->mailboxes_max)
        found(c, "mailboxes_max is too low for auto_mailboxes");
    if (w->message_size_max > w->worker_memory)
        found(c, "message_size_max is above worker_memory");
    check_capabilities(c, &w->capability_disable);
    for (i = 0; i < w->nclient_networks; i++)
        check_client_network(c, &w->client_networks[i]);
}

static void check_general(struct check *c, const struct set_general *g)
{
    if (g->log_to == SET_LOG_FILE && is_empty(g->log_file))
        found(c, "log = file needs log_file");
    if (!is_host_name(g->hostname))
        found(c, "hostname: '%s' is not a host name", g->hostname);
}

int set_check(const struct conf *conf, struct buf *errors)
{
    struct check c = {errors, 0};
    const struct set_general *general = conf_get(conf, &set_general_component);
    const struct set_master *master = conf_get(conf, &set_master_component);
    const struct set_login *login = conf_get(conf, &set_login_component);
    const struct set_auth *auth = conf_get(conf, &set_auth_component);
    const struct set_worker *worker = conf_get(conf, &set_worker_component);

    if (general != NULL)
        check_general(&c, general);
    if (master != NULL)
        check_master(&c, master);
    if (login != NULL)
        check_login(&c, login);
    if (auth != NULL && login != NULL)
        check_mechanisms(&c, login, auth);
    if (master != NULL && login != NULL)
        check_proxies(&c, master, login);
    if (auth != NULL)
        check_auth(&c, auth, master);
    if (worker != NULL)
        check_worker(&c, worker);
    return c.n == 0 ? 0 : ERR_SYNTAX;
}
