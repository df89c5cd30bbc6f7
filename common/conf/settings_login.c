/* The services that talk to clients before log-in, and the front of LMTP, which shares their limits of connections. */
#include "common/conf/settings.h"

static const struct conf_word isolation_words[] = {
    {"connection", SET_ISOLATION_CONNECTION},
    {"shared", SET_ISOLATION_SHARED},
    {NULL, 0},
};
static const struct conf_word mechanism_words[] = {{"plain", 0},       {"login", 1},   {"scram-sha-256", 2}, {"scram-sha-1", 3},
                                                   {"oauthbearer", 4}, {"xoauth2", 5}, {"external", 6},      {NULL, 0}};
static const struct conf_word tls_min_words[] = {{"tls1.2", 0x0303}, {"tls1.3", 0x0304}, {NULL, 0}};

#define AT(field) offsetof(struct set_login, field)
static const struct conf_setting settings[] = {
    {"login_isolation", CONF_ENUM, AT(login_isolation), 0, 0, "connection", isolation_words,
     "connection: a process for each client until it is logged in, thrown away afterwards. shared: one process for all clients "
     "of a "
     "protocol; faster, but a client that takes it over sees the others."},
    {"cleartext_auth", CONF_BOOL, AT(cleartext_auth), 0, 0, "no", NULL,
     "Accept passwords over connections without TLS. Connections from this host itself always may."},
    {"auth_mechanisms", CONF_LIST, AT(auth_mechanisms), 1, 16, "plain login", mechanism_words,
     "SASL mechanisms on offer: plain, login, scram-sha-256, scram-sha-1, oauthbearer, xoauth2, external. With TLS a scram "
     "mechanism is offered with channel binding (-PLUS) too. scram needs SCRAM keys or plain passwords in the passdbs; "
     "oauthbearer "
     "and xoauth2 need oauth2_jwks. external asks clients for a certificate (TLS 1.3 only) and needs tls_client_ca."},
    {"login_timeout", CONF_TIME, AT(login_timeout), 1000, 600000, "60s", NULL, "Time that a client has to log in, all in all."},
    {"tls_handshake_timeout", CONF_TIME, AT(tls_handshake_timeout), 1000, 120000, "10s", NULL,
     "Time that a TLS handshake may take."},
    {"login_line_max", CONF_SIZE, AT(login_line_max), 1024, 8192, "8K", NULL,
     "Octets of one command before log-in, its literals counted."},
    {"login_bad_commands", CONF_UINT, AT(login_bad_commands), 1, 100, "3", NULL,
     "Commands that are not understood before a client that has not logged in is cut off."},
    {"login_failures", CONF_UINT, AT(login_failures), 1, 100, "5", NULL, "Failed log-ins before a connection is closed."},
    {"connections_per_address", CONF_UINT, AT(connections_per_address), 1, 100000, "20", NULL,
     "Connections that are not logged in yet, from one address (IPv6: from one /64)."},
    {"connections_max", CONF_UINT, AT(connections_max), 1, 100000, "1000", NULL,
     "Connections that are not logged in yet, for each of IMAP and POP3."},
    {"proxy_networks", CONF_LIST, AT(proxy_networks), 0, 64, "", NULL,
     "Networks of the load balancers whose PROXY headers are believed, such as 192.0.2.0/24 or 2001:db8::/32."},
    {"tls_min", CONF_ENUM, AT(tls_min), 0, 0, "tls1.2", tls_min_words, "The oldest TLS version that is accepted."},
    {"tls_ciphers", CONF_STRING, AT(tls_ciphers), 1, 1024, "ECDHE+AESGCM:ECDHE+CHACHA20", NULL,
     "Ciphers for TLS 1.2, as OpenSSL writes them. TLS 1.3 has only good ones."},
    {"greeting", CONF_STRING, AT(greeting), 1, 200, "Culver ready.", NULL, "Text of the first line that a client sees."},
    {"pop3_login_delay", CONF_TIME, AT(pop3_login_delay), 0, 86400000, "0", NULL,
     "Time that a POP3 client is asked to leave between two log-ins (LOGIN-DELAY). One that comes earlier is served all the "
     "same, "
     "after a wait. 0: none."},
    {"pop3_login_wait", CONF_TIME, AT(pop3_login_wait), 0, 10000, "3s", NULL, "The longest such wait."},
    {NULL, CONF_BOOL, 0, 0, 0, NULL, NULL, NULL},
};

const struct conf_component set_login_component = {
    "login", settings, NULL, sizeof(struct set_login), "Clients before log-in.",
};
