/* The master: listeners, certificates, accounts of the system, numbers of processes and sessions. */
#include "common/conf/settings.h"

#include "common/ipc/proto.h"

static const struct conf_word protocol_words[] = {
    {"imap", PROTO_IMAP}, {"pop3", PROTO_POP3}, {"lmtp", PROTO_LMTP}, {"smtp-auth", PROTO_SMTP}, {NULL, 0},
};
static const struct conf_word tls_words[] = {
    {"none", LISTENER_TLS_NONE},
    {"starttls", LISTENER_TLS_STARTTLS},
    {"implicit", LISTENER_TLS_IMPLICIT},
    {NULL, 0},
};

#define END                                        \
    {                                              \
        NULL, CONF_BOOL, 0, 0, 0, NULL, NULL, NULL \
    }

#define AT(field) offsetof(struct set_listener, field)
static const struct conf_setting listener_settings[] = {
    {"protocol", CONF_ENUM, AT(protocol), 0, 0, "imap", protocol_words,
     "What is spoken here. smtp-auth: the socket on which mail servers ask who may send mail (the client protocol of Dovecot's "
     "authentication)."},
    {"address", CONF_LIST, AT(address), 1, 64, "*", NULL,
     "IP addresses to listen on (* is every address of both families), or for lmtp and smtp-auth one absolute path of a socket."},
    {"port", CONF_UINT, AT(port), 0, 65535, "0", NULL,
     "TCP port. 0 takes the usual one: imap 143 or 993 (implicit TLS), pop3 110 or 995, lmtp 24; smtp-auth has none."},
    {"tls", CONF_ENUM, AT(tls), 0, 0, "none", tls_words,
     "none: no TLS here. starttls: clients may switch to it. implicit: TLS from the first octet. The last two need a "
     "certificate."},
    {"proxy_protocol", CONF_BOOL, AT(proxy_protocol), 0, 0, "no", NULL,
     "Every connection begins with a PROXY protocol header (version 1 or 2) and comes from proxy_networks; others are refused."},
    {"socket_group", CONF_STRING, AT(socket_group), 0, 64, "", NULL,
     "With a socket path: the group whose members may connect. Empty: only root and the socket's owner."},
    {"socket_user", CONF_STRING, AT(socket_user), 0, 64, "", NULL, "With a socket path: its owner. Empty: who runs culver."},
    {"socket_mode", CONF_STRING, AT(socket_mode), 0, 4, "", NULL,
     "With a socket path: its permissions, in octal. Empty: 0600, with socket_group 0660."},
    END,
};
#undef AT

#define AT(field) offsetof(struct set_tls_host, field)
static const struct conf_setting tls_host_settings[] = {
    {"certificate", CONF_PATH, AT(certificate), 0, 1024, "", NULL, "The certificate with its chain (PEM)."},
    {"key", CONF_PATH, AT(key), 0, 1024, "", NULL,
     "The private key (PEM, without passphrase). Only root needs to be able to read it."},
    END,
};
#undef AT

static const struct conf_section sections[] = {
    {"listener", true, listener_settings, sizeof(struct set_listener), offsetof(struct set_listener, name),
     offsetof(struct set_master, listeners), offsetof(struct set_master, nlisteners), 64,
     "A place where clients connect. The label names it in the log. Without any listener Culver does not start.",
     "listener imap {\n    protocol = imap\n    tls = starttls\n}\n"
     "listener imaps {\n    protocol = imap\n    tls = implicit\n}\n"
     "listener pop3s {\n    protocol = pop3\n    tls = implicit\n}\n"
     "listener lmtp {\n    protocol = lmtp\n    address = /run/culver/lmtp\n    socket_group = postfix\n}\n"
     "listener smtp-auth {\n    protocol = smtp-auth\n    address = /var/spool/postfix/private/auth\n    socket_user = postfix\n"
     "    socket_group = postfix\n}\n"},
    {"tls_host", true, tls_host_settings, sizeof(struct set_tls_host), offsetof(struct set_tls_host, name),
     offsetof(struct set_master, tls_hosts), offsetof(struct set_master, ntls_hosts), 256,
     "A further certificate, for clients that ask for the server name in the label (*.example.org covers one level).",
     "tls_host mail.example.org {\n    certificate = /etc/ssl/mail.example.org.pem\n    key = "
     "/etc/ssl/private/mail.example.org.key\n}\n"},
    {NULL, false, NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

#define AT(field) offsetof(struct set_master, field)
static const struct conf_setting settings[] = {
    {"state_dir", CONF_PATH, AT(state_dir), 1, 1024, CULVER_STATEDIR, NULL,
     "Folder for what must outlive a restart: the uids that were given to virtual users."},
    {"run_dir", CONF_PATH, AT(run_dir), 1, 80, CULVER_RUNDIR, NULL,
     "Folder for the control socket, the pid file and the empty folder that processes are locked into."},
    {"libexec_dir", CONF_PATH, AT(libexec_dir), 1, 1024, CULVER_LIBEXECDIR, NULL, "Folder of Culver's other programs."},
    {"tls_certificate", CONF_PATH, AT(tls_certificate), 0, 1024, "", NULL,
     "The default certificate with its chain (PEM). Empty: no TLS. Further ones: sections tls_host."},
    {"tls_key", CONF_PATH, AT(tls_key), 0, 1024, "", NULL,
     "Its private key (PEM, without passphrase). Only root needs to be able to read it."},
    {"auth_user", CONF_STRING, AT(auth_user), 1, 64, "_culver_auth", NULL,
     "System account of the process that checks passwords. Each of these six accounts must be used for nothing else."},
    {"keys_user", CONF_STRING, AT(keys_user), 1, 64, "_culver_keys", NULL,
     "System account of the process that holds the TLS keys."},
    {"imap_login_user", CONF_STRING, AT(imap_login_user), 1, 64, "_culver_imap", NULL,
     "System account of the processes that talk to IMAP clients before log-in."},
    {"pop3_login_user", CONF_STRING, AT(pop3_login_user), 1, 64, "_culver_pop3", NULL,
     "System account of the processes that talk to POP3 clients before log-in."},
    {"lmtp_user", CONF_STRING, AT(lmtp_user), 1, 64, "_culver_lmtp", NULL,
     "System account of the processes that take deliveries."},
    {"smtp_auth_user", CONF_STRING, AT(smtp_auth_user), 1, 64, "_culver_smtp", NULL,
     "System account of the process that answers mail servers (protocol smtp-auth); needed only where there is such a listener."},
    {"first_valid_uid", CONF_UINT, AT(first_valid_uid), 1, 4294967293, "1000", NULL,
     "No user whose uid is below this one gets mail."},
    {"virtual_uid_first", CONF_UINT, AT(virtual_uid_first), 1, 4294967293, "600000", NULL,
     "First uid of the range from which each virtual user gets one of its own. Nothing else on the host may use the range."},
    {"virtual_uid_last", CONF_UINT, AT(virtual_uid_last), 1, 4294967293, "699999", NULL, "Last uid of that range."},
    {"virtual_uid", CONF_STRING, AT(virtual_uid), 0, 64, "", NULL,
     "A system account that all virtual users share, in place of a uid each. Empty: a uid each, which also lets the kernel keep "
     "their mail apart."},
    {"workers_max", CONF_UINT, AT(workers_max), 1, 100000, "4096", NULL,
     "Worker processes at once; there is one for each user who is connected or was a moment ago."},
    {"sessions_max", CONF_UINT, AT(sessions_max), 1, 1000000, "20000", NULL, "Sessions after log-in, of all users together."},
    {"sessions_per_user", CONF_UINT, AT(sessions_per_user), 1, 10000, "50", NULL, "Sessions of one user."},
    {"sessions_per_user_address", CONF_UINT, AT(sessions_per_user_address), 1, 10000, "25", NULL,
     "Sessions of one user from one address."},
    {"shutdown_grace", CONF_TIME, AT(shutdown_grace), 0, 600000, "10s", NULL,
     "How long workers may take to say good-bye and write down what they have in memory when Culver is stopped."},
    END,
};

const struct conf_component set_master_component = {
    "master", settings, sections, sizeof(struct set_master), "Listeners, certificates, system accounts and overall limits.",
};
