/*
 * The table: which process may send which message to which other, in which state of the receiving end's channel, how long, with
 * how many descriptors. docs/processes.md says the same with fields, replies and errors; a test holds the two together.
 *
 * States. On a service's channel to master both ends begin in NEW: the service takes the start sequence there and moves to READY
 * after IPC_MASTER_GO; master moves to READY with IPC_SERVICE_READY. On a connection's channels the serving end (auth, master,
 * keys) moves NEW -> READY after IPC_CONN_PROXIED, or at once when none must come; to BUSY while it works on a request; the
 * connection's end goes to BUSY when it has sent a request and back to READY when the answer that ends it came.
 */
#include "common/ipc/proto.h"
#include "common/ipc/ipc.h"

#define R(role) (1u << (role))
#define MASTER R(ROLE_MASTER)
#define AUTH R(ROLE_AUTH)
#define HELPER R(ROLE_HELPER)
#define KEYS R(ROLE_KEYS)
#define LOGIN R(ROLE_LOGIN)
#define CONN R(ROLE_CONN)
#define LMTP R(ROLE_LMTP)
#define LCONN R(ROLE_LCONN)
#define WORKER R(ROLE_WORKER)
#define CTL R(ROLE_CTL)
#define SMTP R(ROLE_SMTP)
#define SCONN R(ROLE_SCONN)
/* What master executes. */
#define SERVICES (AUTH | HELPER | KEYS | LOGIN | LMTP | WORKER | SMTP)

#define NEW (1u << IPC_STATE_NEW)
#define READY (1u << IPC_STATE_READY)
#define BUSY (1u << IPC_STATE_BUSY)

/* Encoded sizes: a view of at most n bytes, an address, the least and the greatest user record. */
#define V(n) (2 + (n))
#define ADDR 19
#define USER_FIXED (1 + 4 + 4 + 1 + 4 + 4 + 8 + 8)
#define USER_MIN (USER_FIXED + V(1) + V(0) + V(1) + V(0))
#define USER_MAX (USER_FIXED + V(PROTO_NAME_MAX) + 2 * V(PROTO_PATH_MAX) + V(PROTO_CAPS_MAX))

#define CREDENTIAL_MIN (4 + 1 + V(1) + 3 * V(0) + 1 + 8)
#define CREDENTIAL_MAX (4 + 1 + V(PROTO_NAME_MAX) + V(64) + V(32) + V(16) + 1 + 8)

#define ROW(kind, name, from, to, states, min, max, fds, secret) [kind] = {kind, name, from, to, states, min, max, fds, secret}

static const struct ipc_rule rules[IPC_KIND_COUNT] = {
    /* kind, name, from, to, states, least body, greatest body, descriptors, secret */
    ROW(IPC_MASTER_CONFIG, "master.config", MASTER, SERVICES, NEW, 23 + V(0), 23 + V(PROTO_PATH_MAX), 1, false),
    ROW(IPC_MASTER_PEER, "master.peer", MASTER, AUTH | KEYS | LOGIN | LMTP | SMTP, NEW | READY, 5, 5, 1, false),
    ROW(IPC_MASTER_LISTENER, "master.listener", MASTER, LOGIN | LMTP | SMTP, NEW, 7 + ADDR + V(0), 7 + ADDR + V(64), 1, false),
    ROW(IPC_MASTER_CERT, "master.cert", MASTER, LOGIN | LMTP | AUTH, NEW | READY, 4 + V(0), 4 + V(255), 1, false),
    ROW(IPC_MASTER_KEY, "master.key", MASTER, KEYS, NEW | READY, 4 + V(0), 4 + V(255), 1, false),
    ROW(IPC_MASTER_GO, "master.go", MASTER, SERVICES, NEW, 0, 0, 0, false),
    ROW(IPC_MASTER_LOG, "master.log", MASTER, SERVICES, NEW | READY, 0, 0, 1, false),
    ROW(IPC_MASTER_STOP, "master.stop", MASTER, SERVICES, NEW | READY, 0, 0, 0, false),
    ROW(IPC_MASTER_TAKEN, "master.taken", MASTER, LOGIN, NEW | READY, 8, 8, 0, false),
    ROW(IPC_MASTER_HELPER, "master.helper", MASTER, HELPER, NEW, 1 + V(0), 1 + V(PROTO_LABEL_MAX), 1, false),
    ROW(IPC_SERVICE_READY, "service.ready", SERVICES, MASTER, NEW, 0, 0, 0, false),

    ROW(IPC_LOGIN_CONN, "login.conn", LOGIN | LMTP, AUTH | MASTER | KEYS, NEW | READY, 14 + 2 * ADDR, 14 + 2 * ADDR, 1, false),
    ROW(IPC_SMTP_CONN, "smtp.conn", SMTP, AUTH, NEW | READY, 9 + 2 * ADDR, 9 + 2 * ADDR, 1, false),
    ROW(IPC_CONN_PROXIED, "conn.proxied", CONN | LCONN, AUTH | MASTER, NEW, 2 * ADDR + 1, 2 * ADDR + 1, 0, false),

    ROW(IPC_CONN_AUTH, "conn.auth", CONN | SCONN, AUTH, NEW | READY, 2 + V(1) + 4 * V(0),
        2 + V(32) + V(PROTO_SASL_MAX) + V(255) + 2 * V(PROTO_BINDING_MAX), 0, true),
    ROW(IPC_CONN_RESPONSE, "conn.response", CONN | SCONN, AUTH, BUSY, V(0), V(PROTO_SASL_MAX), 0, true),
    ROW(IPC_CONN_CANCEL, "conn.cancel", CONN | SCONN, AUTH, BUSY, 0, 0, 0, false),
    ROW(IPC_CONN_NONCE, "conn.nonce", CONN, AUTH, NEW | READY, 0, 0, 0, false),
    ROW(IPC_AUTH_NONCE, "auth.nonce", AUTH, CONN, BUSY, V(PROTO_NONCE_LEN), V(PROTO_NONCE_LEN), 0, false),
    ROW(IPC_CONN_HANDSHAKE, "conn.handshake", CONN, AUTH, NEW | READY, V(1), V(PROTO_PIECE_MAX), 0, false),
    ROW(IPC_AUTH_CHALLENGE, "auth.challenge", AUTH, CONN | SCONN, BUSY, V(0), V(PROTO_SASL_MAX), 0, false),
    ROW(IPC_AUTH_FAIL, "auth.fail", AUTH, CONN | SCONN, BUSY, 1 + V(0), 1 + V(PROTO_TEXT_MAX), 0, false),
    ROW(IPC_AUTH_PASS, "auth.pass", AUTH, CONN, BUSY, V(0), V(PROTO_SASL_MAX), 0, false),
    ROW(IPC_AUTH_NAMED, "auth.named", AUTH, SCONN, BUSY, V(1) + V(0), V(PROTO_NAME_MAX) + V(PROTO_SASL_MAX), 0, false),
    /* Recipients carry an id: several may be under way. */
    ROW(IPC_LCONN_RCPT, "lconn.rcpt", LCONN, AUTH, NEW | READY | BUSY, 4 + V(1), 4 + V(PROTO_ADDR_MAX), 0, false),
    ROW(IPC_AUTH_RCPT, "auth.rcpt", AUTH, LCONN, BUSY, 5, 5, 0, false),

    ROW(IPC_AUTH_GRANT, "auth.grant", AUTH, MASTER, READY, 13 + V(0) + USER_MIN, 13 + V(PROTO_DETAIL_MAX) + USER_MAX, 0, false),
    ROW(IPC_MASTER_LOOKUP, "master.lookup", MASTER, AUTH, READY, 4 + V(1), 4 + V(PROTO_NAME_MAX), 0, false),
    ROW(IPC_AUTH_FOUND, "auth.found", AUTH, MASTER, READY, 5, 5 + USER_MAX, 0, false),
    ROW(IPC_MASTER_CREDENTIAL, "master.credential", MASTER, AUTH, READY, CREDENTIAL_MIN, CREDENTIAL_MAX, 0, true),
    ROW(IPC_AUTH_CREDENTIAL, "auth.credential", AUTH, MASTER, READY, 5 + V(0), 5 + V(PROTO_LINES_MAX), 0, false),
    ROW(IPC_AUTH_HELPER, "auth.helper", AUTH, MASTER, READY, 1 + V(0), 1 + V(PROTO_LABEL_MAX), 1, false),
    ROW(IPC_AUTH_CHECK_PAM, "auth.check_pam", AUTH, HELPER, NEW | READY, V(1) + V(1) + V(0) + V(0) + 1,
        V(64) + V(PROTO_NAME_MAX) + V(64) + V(1024) + 1, 0, true),
    ROW(IPC_AUTH_CHECK_HASH, "auth.check_hash", AUTH, HELPER, NEW | READY, 3 * V(0), V(1024) + V(32) + V(1024), 0, true),
    ROW(IPC_AUTH_LOOKUP_NSS, "auth.lookup_nss", AUTH, HELPER, NEW | READY, V(1), V(PROTO_NAME_MAX), 0, false),
    ROW(IPC_AUTH_CHECK_TOKEN, "auth.check_token", AUTH, HELPER, NEW | READY, V(1), V(PROTO_TOKEN_MAX), 0, true),
    ROW(IPC_AUTH_HANDSHAKE, "auth.handshake", AUTH, HELPER, NEW | READY, V(1), V(PROTO_PIECE_MAX), 0, false),
    ROW(IPC_AUTH_CHECK_CERT, "auth.check_cert", AUTH, HELPER, NEW | READY, V(PROTO_NONCE_LEN) + V(PROTO_DIGEST_LEN),
        V(PROTO_NONCE_LEN) + V(PROTO_DIGESTS_MAX), 0, false),
    ROW(IPC_HELPER_RESULT, "helper.result", HELPER, AUTH, BUSY, 9 + V(0) + V(0), 9 + V(PROTO_NAME_MAX) + V(PROTO_PATH_MAX), 0,
        false),
    ROW(IPC_AUTH_ASK_DB, "auth.ask_db", AUTH, HELPER, READY, 1 + V(1) + V(1) + V(0),
        1 + V(PROTO_LABEL_MAX) + V(0) + V(PROTO_TOKEN_MAX), 0, true),
    ROW(IPC_HELPER_DB, "helper.db", HELPER, AUTH, BUSY, 1 + V(0), 1 + V(PROTO_RECORD_MAX), 0, true),

    ROW(IPC_CONN_TAKE, "conn.take", CONN, MASTER, NEW | READY, 1 + 4 * V(0),
        1 + V(128) + V(PROTO_TAG_MAX) + V(PROTO_INPUT_MAX) + V(PROTO_TEXT_MAX), 1, true),
    ROW(IPC_MASTER_TAKE_OK, "master.take_ok", MASTER, CONN, BUSY, 0, 0, 0, false),
    ROW(IPC_MASTER_TAKE_FAIL, "master.take_fail", MASTER, CONN, BUSY, 1 + V(0), 1 + V(PROTO_TEXT_MAX), 0, false),
    ROW(IPC_LCONN_ROOM, "lconn.room", LCONN, MASTER, NEW | READY, 12, 12, 0, false),
    ROW(IPC_MASTER_ROOM, "master.room", MASTER, LCONN, BUSY, 5, 5, 0, false),
    /* The answer comes on the reply channel, so this one is free for the next recipient at once. */
    ROW(IPC_LCONN_DELIVER, "lconn.deliver", LCONN, MASTER, NEW | READY, 20 + 3 * V(0),
        20 + V(PROTO_ADDR_MAX) + V(PROTO_PREFIX_MAX) + V(PROTO_DETAIL_MAX), 2, false),

    ROW(IPC_MASTER_USER, "master.user", MASTER, WORKER, NEW, USER_MIN, USER_MAX, 0, false),
    ROW(IPC_MASTER_SESSION, "master.session", MASTER, WORKER, READY, 11 + 2 * ADDR + 4 * V(0),
        11 + 2 * ADDR + V(PROTO_TAG_MAX) + V(PROTO_INPUT_MAX) + V(PROTO_TEXT_MAX) + V(PROTO_DETAIL_MAX), 1, true),
    ROW(IPC_MASTER_DELIVER, "master.deliver", MASTER, WORKER, READY, 20 + 3 * V(0),
        20 + V(PROTO_ADDR_MAX) + V(PROTO_PREFIX_MAX) + V(PROTO_DETAIL_MAX), 2, false),
    ROW(IPC_MASTER_KICK, "master.kick", MASTER, WORKER, READY, 8, 8, 0, false),
    ROW(IPC_MASTER_UPGRADE, "master.upgrade", MASTER, WORKER, READY, 0, 0, 0, false),
    ROW(IPC_MASTER_THAW, "master.thaw", MASTER, WORKER, READY, 20 + 2 * ADDR, 20 + 2 * ADDR, 3, false),
    /* A session of a worker that was asked to hand over; what it said before it read that is still on its way. */
    ROW(IPC_WORKER_FROZEN, "worker.frozen", WORKER, MASTER, BUSY, 17, 17, 3, false),
    ROW(IPC_WORKER_THAWED, "worker.thawed", WORKER, MASTER, READY | BUSY, 8, 8, 0, false),
    ROW(IPC_WORKER_ENDED, "worker.ended", WORKER, MASTER, READY | BUSY, 8, 8, 0, false),
    ROW(IPC_WORKER_ROOM, "worker.room", WORKER, MASTER, READY | BUSY, 16, 16, 0, false),
    ROW(IPC_WORKER_IDLE, "worker.idle", WORKER, MASTER, READY | BUSY, 0, 0, 0, false),
    ROW(IPC_WORKER_DELIVERED, "worker.delivered", WORKER | MASTER, LCONN, NEW | READY | BUSY, 2 + 2 * V(0),
        2 + V(16) + V(PROTO_TEXT_MAX), 0, false),

    ROW(IPC_CONN_SIGN, "conn.sign", CONN | LCONN, KEYS, NEW | READY, 6 + V(1), 6 + V(PROTO_TBS_MAX), 0, false),
    ROW(IPC_KEYS_SIGNED, "keys.signed", KEYS, CONN | LCONN, BUSY, V(0), V(PROTO_SIG_MAX), 0, false),

    ROW(IPC_CTL_REQUEST, "ctl.request", CTL, MASTER, NEW, 1 + V(0), 1 + V(PROTO_NAME_MAX), 0, false),
    ROW(IPC_CTL_CREDENTIAL, "ctl.credential", CTL, MASTER, NEW, CREDENTIAL_MIN, CREDENTIAL_MAX, 0, true),
    ROW(IPC_CTL_LINE, "ctl.line", MASTER, CTL, BUSY, V(0), V(PROTO_LINE_MAX), 0, false),
    ROW(IPC_CTL_END, "ctl.end", MASTER, CTL, BUSY, 1, 1, 0, false),
};

const struct ipc_rule *proto_rule(unsigned kind)
{
    if (kind >= IPC_KIND_COUNT || rules[kind].name == NULL)
        return NULL;
    return &rules[kind];
}

int proto_check_send(unsigned kind, enum ipc_role from, enum ipc_role to, size_t body_len, unsigned nfds)
{
    const struct ipc_rule *rule = proto_rule(kind);
    if (rule == NULL || (unsigned)from >= ROLE_COUNT || (unsigned)to >= ROLE_COUNT)
        return ERR_PROTO;
    if ((rule->from & R(from)) == 0 || (rule->to & R(to)) == 0)
        return ERR_PROTO;
    if (body_len < rule->min_body || body_len > rule->max_body || nfds != rule->fds)
        return ERR_PROTO;
    return 0;
}

int proto_check(unsigned kind, enum ipc_role from, enum ipc_role to, enum ipc_state state, size_t body_len, unsigned nfds)
{
    int err = proto_check_send(kind, from, to, body_len, nfds);
    if (err != 0)
        return err;
    return (unsigned)state <= IPC_STATE_DONE && (rules[kind].states & (1u << state)) != 0 ? 0 : ERR_PROTO;
}

const char *proto_role_name(enum ipc_role role)
{
    static const char *const names[ROLE_COUNT] = {
        [ROLE_MASTER] = "master", [ROLE_AUTH] = "auth", [ROLE_HELPER] = "helper", [ROLE_KEYS] = "keys",
        [ROLE_LOGIN] = "login",   [ROLE_CONN] = "conn", [ROLE_LMTP] = "lmtp",     [ROLE_LCONN] = "lconn",
        [ROLE_WORKER] = "worker", [ROLE_CTL] = "ctl",   [ROLE_SMTP] = "smtp",     [ROLE_SCONN] = "sconn",
    };
    return (unsigned)role < ROLE_COUNT ? names[role] : "unknown";
}
