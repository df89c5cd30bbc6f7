/*
 * The payload of every message: one struct, one encode, one decode, side by side in proto_*.c and used by both ends, the tests
 * and the fuzzers.
 *
 * Encoding: fields in the order of the struct; uN little-endian, view as u16 length + bytes (cursor.h/buf.h), bool as a u8
 * that must be 0 or 1. Decode checks every bound given here, that enums are known, that strings marked "no NUL" have none,
 * and that all bytes are consumed; on ERR_PROTO *out is untouched. Views in a decoded struct point into the body.
 */
#ifndef CULVER_COMMON_IPC_PROTO_H
#define CULVER_COMMON_IPC_PROTO_H

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/ipc/kinds.h"

#define PROTO_VERSION 1
#define PROTO_NAME_MAX 255    /* user name, without NUL or control bytes */
#define PROTO_PATH_MAX 1024   /* no NUL, begins with '/' */
#define PROTO_TEXT_MAX 512    /* a human-readable reason */
#define PROTO_SASL_MAX 12288  /* one decoded SASL message */
#define PROTO_INPUT_MAX 8192  /* unread client input handed over */
#define PROTO_TAG_MAX 512     /* IMAP tag (worst case of a pre-log-in line is cut there) */
#define PROTO_ADDR_MAX 998    /* an SMTP path */
#define PROTO_DETAIL_MAX 255  /* what followed the recipient delimiter in a name or address */
#define PROTO_CAPS_MAX 512    /* names of capabilities, separated by commas */
#define PROTO_PREFIX_MAX 4096 /* trace header fields put before a delivered message */
#define PROTO_SIG_MAX 1024    /* signature bytes (RSA-8192) */
#define PROTO_LINE_MAX 4096   /* one line of culverctl's output */
#define PROTO_BINDING_MAX 64  /* channel binding data */
#define PROTO_LINES_MAX 12288 /* lines for culverctl in one message */
#define PROTO_TBS_MAX 256     /* bytes to be signed: a digest, or the TLS 1.3 input for Ed25519 */
#define PROTO_RECORD_MAX 8192 /* a user's record as a database has it */
#define PROTO_LABEL_MAX 64    /* of a section of the configuration */
#define PROTO_TOKEN_MAX 8192  /* a bearer token */
#define PROTO_VALUE_MAX 1024  /* a value in it */
#define PROTO_NONCE_LEN 32    /* what a connection's TLS handshake must hold to prove anything to auth */
#define PROTO_PIECE_MAX 12288 /* a piece of a TLS handshake */
#define PROTO_DIGEST_LEN 32   /* SHA-256 of a certificate of ours */
/* A TLS handshake; the digests of all certificates. */
#define PROTO_HANDSHAKE_MAX 49152
#define PROTO_DIGESTS_MAX 8192
/* A frozen session as a file, with its unsent output. */
#define PROTO_FROZEN_MAX ((uint64_t)256 << 20)

/* What the table says of one kind; NULL for an unknown one. */
struct ipc_rule {
    enum ipc_kind kind;
    const char *name; /* "conn.take" */
    unsigned from;    /* bit mask of 1u << role */
    unsigned to;
    unsigned states; /* bit mask of 1u << state of the receiving end's channel */
    unsigned min_body, max_body;
    unsigned fds; /* exactly this many */
    bool secret;  /* wipe buffers that held it */
};
const struct ipc_rule *proto_rule(unsigned kind);
/* 0, or ERR_PROTO when the table does not allow this message. */
MUST_CHECK int proto_check(unsigned kind, enum ipc_role from, enum ipc_role to, enum ipc_state state, size_t body_len,
                           unsigned nfds);
/* The same but for the state, which only the receiving end knows: what a sender checks. */
MUST_CHECK int proto_check_send(unsigned kind, enum ipc_role from, enum ipc_role to, size_t body_len, unsigned nfds);
const char *proto_role_name(enum ipc_role role);

enum proto_protocol { PROTO_IMAP = 1, PROTO_POP3 = 2, PROTO_LMTP = 3, PROTO_SMTP = 4 /* authentication for MTAs */ };

/* An IP endpoint (family 4 or 6), or a local socket (family 0, all zero). */
struct net_addr {
    uint8_t family;
    uint8_t ip[16]; /* IPv4 in the first 4 bytes */
    uint16_t port;
};

/* IPC_MASTER_CONFIG */
struct msg_config {
    uint32_t version; /* PROTO_VERSION */
    bool rootless;
    uint32_t uid, gid;   /* what the process must become (its own ids in rootless mode) */
    uint64_t generation; /* of the configuration, rising with each reload */
    uint8_t log_sink, log_level;
    struct view chroot_dir; /* empty: none */
};
/* IPC_MASTER_PEER */
struct msg_peer {
    enum ipc_role role;
    uint32_t instance; /* which login or lmtp service, for log lines: PROTO_IMAP ... */
};
/* IPC_MASTER_LISTENER */
enum listener_tls { LISTENER_TLS_NONE, LISTENER_TLS_STARTTLS, LISTENER_TLS_IMPLICIT };
struct msg_listener {
    uint32_t index;
    enum proto_protocol protocol;
    enum listener_tls tls;
    bool proxy; /* PROXY protocol expected from trusted networks */
    struct net_addr local;
    struct view name; /* of the listener, for log lines; <= 64 */
};
/* IPC_MASTER_CERT, IPC_MASTER_KEY */
struct msg_cert {
    uint32_t index;   /* cert i belongs to key i; 0 is the default certificate */
    struct view name; /* server name it is for; empty: the default. <= 255 */
};
/* IPC_MASTER_TAKEN, IPC_WORKER_ENDED, IPC_WORKER_THAWED, IPC_MASTER_KICK: a connection or session id (they are the same number).
 */
struct msg_id {
    uint64_t id;
};
/* IPC_LOGIN_CONN */
struct msg_conn {
    uint64_t conn_id; /* random, never 0 */
    enum proto_protocol protocol;
    uint32_t listener;
    bool proxy; /* an IPC_CONN_PROXIED must come first */
    struct net_addr peer, local;
};
/* IPC_SMTP_CONN */
struct msg_smtp_conn {
    uint64_t conn_id;            /* random, never 0 */
    bool counted;                /* failures count for the peer */
    struct net_addr peer, local; /* as the MTA says */
};
/* IPC_CONN_PROXIED */
struct msg_proxied {
    struct net_addr peer, local;
    bool tls; /* the proxy says that it ended TLS (PP2_TYPE_SSL) */
};
/* IPC_CONN_AUTH */
struct msg_auth {
    bool secured; /* TLS, or loopback, or a proxy's word */
    bool has_initial;
    struct view mechanism; /* upper case, <= 32 */
    struct view initial;   /* decoded, <= PROTO_SASL_MAX */
    struct view client_id; /* reserved for client facts that the log shows; <= 255, may be empty */
    /* Channel bindings of this connection's TLS, from the TLS layer (RFC 9266, RFC 5929 section 4); empty: there is none. */
    struct view binding_exporter;  /* tls-exporter, <= PROTO_BINDING_MAX */
    struct view binding_end_point; /* tls-server-end-point, <= PROTO_BINDING_MAX */
};
/* IPC_CONN_RESPONSE, IPC_AUTH_CHALLENGE: the decoded bytes (<= PROTO_SASL_MAX); IPC_AUTH_PASS: data of the last server
 * message for the client (usually empty). */
struct msg_sasl {
    struct view data;
};
/* IPC_AUTH_NAMED */
struct msg_named {
    struct view name; /* of the user; 1..PROTO_NAME_MAX */
    struct view data; /* of the last server message, as in IPC_AUTH_PASS */
};
/* IPC_AUTH_NONCE */
struct msg_nonce {
    struct view nonce; /* PROTO_NONCE_LEN bytes */
};
/* IPC_CONN_HANDSHAKE, IPC_AUTH_HANDSHAKE */
struct msg_handshake {
    struct view piece; /* 1..PROTO_PIECE_MAX */
};
/* IPC_AUTH_FAIL */
enum auth_fail {
    AUTH_FAIL_CREDENTIALS = 1, /* unknown user or wrong password, on purpose the same */
    AUTH_FAIL_TEMPORARY,       /* a database is down */
    AUTH_FAIL_DISABLED,        /* known good password, but the account is expired or disabled */
    AUTH_FAIL_MECHANISM,       /* not offered */
    AUTH_FAIL_MALFORMED,       /* not what the mechanism's grammar allows */
    AUTH_FAIL_CANCELLED,
    AUTH_FAIL_LIMIT /* too many failures: the connection should be closed */
};
struct msg_auth_fail {
    enum auth_fail code;
    struct view text; /* may be empty; printable */
};
/* IPC_LCONN_RCPT */
struct msg_rcpt {
    uint32_t rcpt_id;    /* chosen by the connection, unique in it */
    struct view address; /* local@domain as given, without <>; <= PROTO_ADDR_MAX */
};
/* IPC_AUTH_RCPT */
enum rcpt_result { RCPT_OK = 1, RCPT_UNKNOWN, RCPT_TEMPORARY, RCPT_DISABLED };
struct msg_rcpt_result {
    uint32_t rcpt_id;
    enum rcpt_result result;
};
/* A user as auth describes it to master, and master to the worker. */
enum user_format { USER_FORMAT_GENERAL, USER_FORMAT_CULVER, USER_FORMAT_MAILDIR }; /* GENERAL: the setting mail_format */
#define PROTO_SESSIONS_MAX 10000
struct user_record {
    struct view name; /* normalised; 1..PROTO_NAME_MAX */
    bool virtual_uid; /* uid and gid are to be allotted by master; both 0 here then */
    uint32_t uid, gid;
    struct view home;      /* may be empty */
    struct view mail_path; /* absolute, expanded */
    enum user_format format;
    uint32_t sessions_max, sessions_per_address; /* 0: the general limits; <= PROTO_SESSIONS_MAX */
    uint64_t quota_bytes;                        /* 0: none */
    uint64_t quota_messages;
    struct view capability_disable; /* capabilities that this user is not to see, separated by commas; may be empty */
};
/* IPC_LCONN_ROOM */
struct msg_room_ask {
    uint32_t rcpt_id; /* not 0 */
    uint64_t size;    /* what the sender says of the message; 0: nothing */
};
/* IPC_MASTER_ROOM */
enum room_result {
    ROOM_FITS = 1, /* or nobody knows: the user's worker has the last word when the message is there */
    ROOM_FULL,
    ROOM_FULL_NOW /* the same, to be tried again */
};
struct msg_room {
    uint32_t rcpt_id;
    enum room_result result;
};
/* IPC_WORKER_ROOM */
struct msg_worker_room {
    uint64_t bytes, messages; /* UINT64_MAX: any number */
};
/* IPC_AUTH_GRANT */
struct msg_grant {
    uint64_t conn_id;
    uint32_t rcpt_id;   /* 0: a log-in; otherwise a recipient of an LMTP connection */
    struct view detail; /* the folder that the name or address asks for; may be empty; <= PROTO_DETAIL_MAX */
    bool admin;         /* a master user has proved to be one; of a log-in only */
    struct user_record user;
};
/* IPC_MASTER_LOOKUP */
struct msg_lookup {
    uint32_t id;      /* of the request, not 0 */
    struct view name; /* as an administrator writes it; <= PROTO_NAME_MAX */
};
/* IPC_AUTH_FOUND */
struct msg_found {
    uint32_t id;
    enum rcpt_result result;
    struct user_record user; /* RCPT_OK only */
};
/* IPC_CTL_CREDENTIAL (id 0), IPC_MASTER_CREDENTIAL */
enum credential_verb {
    CREDENTIAL_ADD = 1,
    CREDENTIAL_LIST,
    CREDENTIAL_REVOKE,
    CREDENTIAL_ENROL,
    CREDENTIAL_CONFIRM,
    CREDENTIAL_REMOVE
};
struct msg_credential {
    uint32_t id; /* of the request */
    enum credential_verb verb;
    struct view user;   /* as an administrator writes it; 1..PROTO_NAME_MAX */
    struct view label;  /* ADD, REVOKE (empty: all); <= 64 */
    struct view secret; /* ADD: the digest of the password; ENROL: the secret; <= 32 */
    struct view code;   /* CONFIRM; <= 16 */
    uint8_t scopes;     /* ADD */
    uint64_t expires;   /* ADD: seconds since 1970; 0: never */
};
/* IPC_AUTH_CREDENTIAL */
struct msg_credential_done {
    uint32_t id;
    uint8_t status;   /* 0, or culverctl's exit status */
    struct view text; /* lines; <= PROTO_LINES_MAX */
};
/* IPC_MASTER_USER */
struct msg_user {
    struct user_record user;
};
/* IPC_AUTH_HELPER */
enum helper_kind {
    HELPER_PAM = 1,
    HELPER_HASH,
    HELPER_NSS,
    HELPER_SQLITE,
    HELPER_PGSQL,
    HELPER_LDAP,
    HELPER_OAUTH2,
    HELPER_TOKEN,
    HELPER_CERT
};
struct msg_helper {
    enum helper_kind kind;
    struct view database; /* the section of the configuration, for the kinds that hold a connection to one; else empty */
};
/* IPC_AUTH_CHECK_PAM */
struct msg_check_pam {
    struct view service;  /* <= 64 */
    struct view user;     /* <= 255, no NUL */
    struct view rhost;    /* textual address, <= 64 */
    struct view password; /* <= 1024, no NUL */
    bool account;         /* only whether the account may be used; no password */
};
/* IPC_AUTH_CHECK_HASH */
struct msg_check_hash {
    struct view hash;     /* with or without {SCHEME}; <= 1024 */
    struct view scheme;   /* default scheme when hash has none; <= 32 */
    struct view password; /* <= 1024 */
};
/* IPC_AUTH_LOOKUP_NSS */
struct msg_lookup_nss {
    struct view user;
};
/* IPC_AUTH_CHECK_TOKEN */
struct msg_check_token {
    struct view token; /* 1..PROTO_TOKEN_MAX */
};
/* IPC_AUTH_CHECK_CERT */
struct msg_check_cert {
    struct view nonce;   /* PROTO_NONCE_LEN bytes */
    struct view digests; /* of the certificates by which this server is known: PROTO_DIGEST_LEN bytes each, one at least */
};
/* IPC_HELPER_RESULT */
enum helper_result { HELPER_OK = 1, HELPER_WRONG, HELPER_UNKNOWN, HELPER_EXPIRED, HELPER_TEMPORARY };
struct msg_helper_result {
    enum helper_result result;
    uint32_t uid, gid; /* of an NSS look-up */
    struct view name;  /* canonical name (PAM may change it, NSS gives pw_name, a token or certificate names it); of one of these
                          that is refused: why */
    struct view home;
};
/* IPC_AUTH_ASK_DB */
enum ask_db { ASK_DB_PASSDB = 1, ASK_DB_BIND, ASK_DB_USERDB, ASK_DB_TOKEN };
struct msg_ask_db {
    enum ask_db what;     /* the record of a passdb, the same and a check of the password by the database, that of a userdb, a
                             token's user */
    struct view section;  /* the passdb or userdb of the configuration, for a token the database; 1..PROTO_LABEL_MAX */
    struct view user;     /* normalised; 1..PROTO_NAME_MAX; of ASK_DB_TOKEN empty */
    struct view password; /* of ASK_DB_BIND (<= 1024) and the token (<= PROTO_TOKEN_MAX), never empty there; else empty; no NUL */
};
/* IPC_HELPER_DB */
struct msg_helper_db {
    enum helper_result result;
    struct view record; /* HELPER_OK only: fields, see db_field_put; <= PROTO_RECORD_MAX */
};
/* IPC_CONN_TAKE */
struct msg_take {
    bool tls;
    struct view tls_info; /* "TLSv1.3 TLS_AES_256_GCM_SHA384", for the log; <= 128 */
    struct view tag;      /* IMAP tag of the log-in command; for POP3 what pop3/login_capa.h says */
    struct view input;    /* client bytes read but not yet used */
    struct view final; /* last SASL server message to send before the answer (base64-encoded by the worker); <= PROTO_TEXT_MAX */
};
/* IPC_MASTER_TAKE_FAIL */
enum take_fail { TAKE_FAIL_NO_GRANT = 1, TAKE_FAIL_LIMIT, TAKE_FAIL_UNAVAILABLE, TAKE_FAIL_SHUTDOWN };
struct msg_take_fail {
    enum take_fail code;
    struct view text;
};
/* IPC_MASTER_SESSION */
struct msg_session {
    uint64_t session_id; /* = conn_id */
    enum proto_protocol protocol;
    struct net_addr peer, local;
    bool tls;
    struct view tag, input, final;
    struct view detail; /* of the grant */
    bool admin;         /* of the grant */
};
/* IPC_WORKER_FROZEN */
struct msg_frozen {
    uint64_t session_id;
    uint64_t size; /* of the record in the memfd; <= PROTO_FROZEN_MAX */
    bool quiet;    /* nothing is unsent, so a farewell may be put */
};
/* IPC_MASTER_THAW: the session's facts are master's own. */
struct msg_thaw {
    uint64_t session_id;
    enum proto_protocol protocol;
    struct net_addr peer, local;
    bool tls, admin;
    uint64_t size;
    bool quiet;
};
/* IPC_LCONN_DELIVER (rcpt_id names the grant) and IPC_MASTER_DELIVER (session_id = the LMTP connection's id) */
struct msg_deliver {
    uint64_t session_id; /* 0 in IPC_LCONN_DELIVER */
    uint32_t rcpt_id;
    uint64_t size;      /* of the message in the memfd */
    struct view sender; /* envelope sender, for the log; may be empty */
    struct view prefix; /* trace fields, CRLF ends; <= PROTO_PREFIX_MAX */
    struct view detail; /* of the grant; empty in IPC_LCONN_DELIVER */
};
/* IPC_WORKER_DELIVERED: an SMTP reply */
struct msg_delivered {
    uint16_t code;        /* 250, 452, 451 ... */
    struct view enhanced; /* "2.0.0"; <= 16 */
    struct view text;
};
/* IPC_CONN_SIGN */
enum sign_scheme { SIGN_RSA_PKCS1 = 1, SIGN_RSA_PSS, SIGN_ECDSA, SIGN_EDDSA };
enum sign_hash { SIGN_SHA1 = 1, SIGN_SHA256, SIGN_SHA384, SIGN_SHA512, SIGN_NONE };
struct msg_sign {
    uint32_t key; /* index of IPC_MASTER_KEY */
    enum sign_scheme scheme;
    enum sign_hash hash;
    struct view tbs; /* the digest (its length must fit the hash), or for SIGN_EDDSA the TLS 1.3 input */
};
/* IPC_KEYS_SIGNED: empty signature = refused */
struct msg_signed {
    struct view signature;
};
/* IPC_CTL_REQUEST */
enum ctl_verb {
    CTL_STATUS = 1,
    CTL_WHO,
    CTL_KICK,
    CTL_RELOAD,
    CTL_STOP,
    CTL_LOOKUP, /* a user's name, uid, gid and mail path */
    CTL_HOLD,   /* the same; and nobody else has the user's mail until this connection ends */
    CTL_UPGRADE /* a fresh process in place of a user's worker, which hands over its sessions */
};
struct msg_ctl_request {
    enum ctl_verb verb;
    struct view argument; /* KICK: user name or session id in hex; LOOKUP, HOLD: user name; UPGRADE: user name, or --all */
};
/* IPC_CTL_LINE: one line of output */
struct msg_ctl_line {
    struct view text;
};
/* IPC_CTL_END */
struct msg_ctl_end {
    uint8_t status; /* 0 good; else culverctl's exit status */
};

#define PROTO_CODEC(name)                                                  \
    void msg_##name##_encode(struct buf *out, const struct msg_##name *m); \
    MUST_CHECK int msg_##name##_decode(struct view body, struct msg_##name *out)

PROTO_CODEC(config);
PROTO_CODEC(peer);
PROTO_CODEC(listener);
PROTO_CODEC(cert);
PROTO_CODEC(id);
PROTO_CODEC(conn);
PROTO_CODEC(smtp_conn);
PROTO_CODEC(proxied);
PROTO_CODEC(auth);
PROTO_CODEC(sasl);
PROTO_CODEC(named);
PROTO_CODEC(nonce);
PROTO_CODEC(handshake);
PROTO_CODEC(auth_fail);
PROTO_CODEC(rcpt);
PROTO_CODEC(rcpt_result);
PROTO_CODEC(room_ask);
PROTO_CODEC(room);
PROTO_CODEC(worker_room);
PROTO_CODEC(grant);
PROTO_CODEC(lookup);
PROTO_CODEC(found);
PROTO_CODEC(credential);
PROTO_CODEC(credential_done);
PROTO_CODEC(user);
PROTO_CODEC(helper);
PROTO_CODEC(check_pam);
PROTO_CODEC(check_hash);
PROTO_CODEC(lookup_nss);
PROTO_CODEC(check_token);
PROTO_CODEC(check_cert);
PROTO_CODEC(helper_result);
PROTO_CODEC(ask_db);
PROTO_CODEC(helper_db);
PROTO_CODEC(take);
PROTO_CODEC(take_fail);
PROTO_CODEC(session);
PROTO_CODEC(frozen);
PROTO_CODEC(thaw);
PROTO_CODEC(deliver);
PROTO_CODEC(delivered);
PROTO_CODEC(sign);
PROTO_CODEC(signed);
PROTO_CODEC(ctl_request);
PROTO_CODEC(ctl_line);
PROTO_CODEC(ctl_end);

/* The fields of a record, each a name (letters, digits, _ and -; 1..32) and a value (no NUL; <= PROTO_VALUE_MAX). What is no
 * field marks the buffer as failed. db_field_next: false at the end; a record that came through msg_helper_db_decode has nothing
 * else. */
void db_field_put(struct buf *record, struct view name, struct view value);
bool db_field_next(struct cursor *record, struct view *name_out, struct view *value_out);

/* "192.0.2.1", "2001:db8::1" or "local"; at least 46 bytes. */
void net_addr_format(const struct net_addr *a, char out[static 46]);
/* From accept4/getsockname results. IPv4-mapped IPv6 becomes IPv4. */
struct sockaddr;
void net_addr_from_sockaddr(struct net_addr *out, const struct sockaddr *sa);
bool net_addr_is_loopback(const struct net_addr *a);                     /* 127.0.0.0/8, ::1 and local sockets */
bool net_addr_equal(const struct net_addr *a, const struct net_addr *b); /* address only, not the port */

#endif
