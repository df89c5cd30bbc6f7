/*
 * culver-auth over its channels: a fake master that records grants and plays the helpers, a fake login service, and connections.
 * All ends live in one loop.
 */
#ifndef CULVER_TESTS_UNIT_AUTH_WORLD_H
#define CULVER_TESTS_UNIT_AUTH_WORLD_H

#include "tests/unit/auth/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth/conn.h"
#include "auth/server.h"
#include "common/log/log.h"
#include "common/secret/password.h"

#define BYTES(lit) view_make(lit, sizeof(lit) - 1)
#define HELPERS 64

enum helper_mode { MODE_ANSWER, MODE_DIE, MODE_HANG };

struct fake_helper {
    struct ipc *ch;
};

/* What the fake database says to a question of this passdb or userdb. */
struct db_script {
    const char *section;
    enum helper_result result;
    uint8_t record[512];
    size_t len;
};

struct conn {
    uint64_t id;
    struct ipc *ch;
    bool closed;
    enum ipc_kind last; /* 0: nothing came */
    unsigned messages;
    enum auth_fail fail;
    char data[256];
    size_t len;
    enum rcpt_result rcpts[8];
};

static struct {
    struct conf *conf;
    struct loop *loop;
    struct ipc *auth_master, *master; /* auth's end, ours */
    struct ipc *login;
    struct auth_server *server;
    bool login_closed;
    /* what the fake master does and saw */
    enum helper_mode mode;
    struct msg_helper_result answer;
    struct fake_helper helpers[HELPERS];
    struct db_script scripts[8];
    unsigned nscripts;
    unsigned nhelpers, living;
    enum ipc_kind asked;
    bool asked_account;
    char asked_password[64];
    char asked_user[256], asked_rhost[64], asked_hash[256];
    unsigned grants;
    uint64_t grant_conn;
    bool grant_admin;
    uint32_t grant_rcpt;
    char grant_name[256], grant_mail[256], grant_home[256];
    struct user_record grant;
    size_t asked_handshake; /* bytes of it that a helper got */
    uint8_t asked_nonce[PROTO_NONCE_LEN];
    size_t asked_digests;
    struct conn *passed_before_grant;
    uint64_t next_id;
} w;

static char dir[] = "/tmp/culver-auth-XXXXXX";
static char users[64];

/* --- the fake master --------------------------------------------------------------------------------------------------- */

static inline void copy(char *out, size_t size, struct view v)
{
    size_t n = MIN_OF(v.len, size - 1);
    if (n > 0)
        memcpy(out, v.ptr, n);
    out[n] = '\0';
}

static inline void helper_gone(struct fake_helper *h)
{
    ipc_free(&h->ch);
    w.living--;
}

static inline void helper_note(struct ipc_msg *msg)
{
    struct msg_check_pam pam;
    struct msg_check_hash hash;
    struct msg_lookup_nss nss;
    w.asked = msg->kind;
    if (msg->kind == IPC_AUTH_CHECK_PAM) {
        assert_int_equal(msg_check_pam_decode(msg->body, &pam), 0);
        w.asked_account = pam.account;
        copy(w.asked_password, sizeof(w.asked_password), pam.password);
        copy(w.asked_user, sizeof(w.asked_user), pam.user);
        copy(w.asked_rhost, sizeof(w.asked_rhost), pam.rhost);
    } else if (msg->kind == IPC_AUTH_CHECK_HASH) {
        assert_int_equal(msg_check_hash_decode(msg->body, &hash), 0);
        copy(w.asked_hash, sizeof(w.asked_hash), hash.hash);
    } else if (msg->kind == IPC_AUTH_HANDSHAKE) {
        struct msg_handshake piece;
        assert_int_equal(msg_handshake_decode(msg->body, &piece), 0);
        w.asked_handshake += piece.piece.len;
    } else if (msg->kind == IPC_AUTH_CHECK_CERT) {
        struct msg_check_cert cert;
        assert_int_equal(msg_check_cert_decode(msg->body, &cert), 0);
        memcpy(w.asked_nonce, cert.nonce.ptr, cert.nonce.len);
        w.asked_digests = cert.digests.len;
    } else {
        assert_int_equal(msg_lookup_nss_decode(msg->body, &nss), 0);
        copy(w.asked_user, sizeof(w.asked_user), nss.user);
    }
}

static inline void db_answer(struct ipc *ch, struct view question)
{
    struct msg_ask_db ask;
    struct msg_helper_db answer = {.result = HELPER_UNKNOWN};
    struct buf body;
    assert_int_equal(msg_ask_db_decode(question, &ask), 0);
    for (unsigned i = 0; i < w.nscripts; i++) {
        const struct db_script *s = &w.scripts[i];
        if (view_eq(view_str(s->section), ask.section))
            answer = (struct msg_helper_db){s->result, view_make(s->record, s->len)};
    }
    buf_init(&body, IPC_MAX_BODY);
    msg_helper_db_encode(&body, &answer);
    assert_int_equal(ipc_send(ch, IPC_HELPER_DB, &body, NULL, 0), 0);
    buf_free(&body);
}

static inline void on_helper(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct fake_helper *h = arg;
    struct buf body;
    if (msg->kind != IPC_AUTH_ASK_DB)
        helper_note(msg);
    if (w.mode == MODE_HANG || msg->kind == IPC_AUTH_HANDSHAKE)
        return;
    if (msg->kind == IPC_AUTH_ASK_DB && w.mode == MODE_ANSWER) {
        db_answer(ch, msg->body);
        return;
    }
    if (w.mode == MODE_ANSWER) {
        buf_init(&body, IPC_MAX_BODY);
        msg_helper_result_encode(&body, &w.answer);
        assert_int_equal(ipc_send(ch, IPC_HELPER_RESULT, &body, NULL, 0), 0);
        buf_free(&body);
    }
    helper_gone(h);
}

static inline void on_helper_closed(void *arg, struct ipc *ch, int err)
{
    (void)ch;
    (void)err;
    helper_gone(arg);
}

static inline void on_master(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct msg_grant grant;
    (void)arg;
    (void)ch;
    if (msg->kind == IPC_AUTH_GRANT) {
        assert_int_equal(msg_grant_decode(msg->body, &grant), 0);
        w.grants++;
        w.grant_conn = grant.conn_id;
        w.grant_admin = grant.admin;
        w.grant_rcpt = grant.rcpt_id;
        copy(w.grant_name, sizeof(w.grant_name), grant.user.name);
        copy(w.grant_mail, sizeof(w.grant_mail), grant.user.mail_path);
        copy(w.grant_home, sizeof(w.grant_home), grant.user.home);
        w.grant = grant.user;
        return;
    }
    assert_int_equal(msg->kind, IPC_AUTH_HELPER);
    assert_true(w.nhelpers < HELPERS);
    struct fake_helper *h = &w.helpers[w.nhelpers++];
    w.living++;
    h->ch = ipc_new(w.loop, msg->fds[0], ROLE_HELPER, ROLE_AUTH, on_helper, on_helper_closed, h);
    msg->fds[0] = -1;
    ipc_set_state(h->ch, IPC_STATE_READY);
}

static inline void on_closed(void *arg, struct ipc *ch, int err)
{
    (void)ch;
    (void)err;
    if (arg != NULL)
        *(bool *)arg = true;
}

static inline void on_login(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    (void)arg;
    (void)ch;
    (void)msg;
    fail_msg("a message for the login service");
}

static inline void on_auth_master(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    (void)arg;
    (void)ch;
    auth_server_on_master(w.server, msg);
}

/* --- connections ------------------------------------------------------------------------------------------------------- */

static inline void on_conn(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct conn *c = arg;
    struct msg_sasl sasl;
    struct msg_auth_fail failed;
    struct msg_rcpt_result rcpt;
    (void)ch;
    c->last = msg->kind;
    c->messages++;
    c->len = 0;
    if (msg->kind == IPC_AUTH_FAIL) {
        assert_int_equal(msg_auth_fail_decode(msg->body, &failed), 0);
        c->fail = failed.code;
    } else if (msg->kind == IPC_AUTH_RCPT) {
        assert_int_equal(msg_rcpt_result_decode(msg->body, &rcpt), 0);
        assert_true(rcpt.rcpt_id < ARRAY_LEN(c->rcpts));
        c->rcpts[rcpt.rcpt_id] = rcpt.result;
        /* Master learns of a recipient before its connection does. */
        ipc_poll(w.master);
        assert_true(rcpt.result != RCPT_OK || w.grants > 0);
    } else if (msg->kind == IPC_AUTH_NONCE) {
        struct msg_nonce nonce;
        assert_int_equal(msg_nonce_decode(msg->body, &nonce), 0);
        memcpy(c->data, nonce.nonce.ptr, nonce.nonce.len);
        c->len = nonce.nonce.len;
    } else {
        assert_int_equal(msg_sasl_decode(msg->body, &sasl), 0);
        copy(c->data, sizeof(c->data), sasl.data);
        c->len = sasl.data.len;
        if (msg->kind == IPC_AUTH_PASS) {
            ipc_poll(w.master);
            if (w.grant_conn != c->id)
                w.passed_before_grant = c;
        }
    }
}

static inline struct msg_conn conn_msg(struct conn *c, enum proto_protocol protocol)
{
    return (struct msg_conn){.conn_id = c->id,
                             .protocol = protocol,
                             .peer = {.family = 4, .ip = {192, 0, 2, 1}, .port = 1000},
                             .local = {.family = 4, .ip = {192, 0, 2, 9}, .port = 143}};
}

static inline void conn_closed(void *arg, struct ipc *ch, int err)
{
    struct conn *c = arg;
    (void)ch;
    (void)err;
    c->closed = true;
}

static inline void conn_open(struct conn *c, const struct msg_conn *msg)
{
    int fds[2];
    struct buf body;
    assert_int_equal(ipc_pair(fds), 0);
    buf_init(&body, IPC_MAX_BODY);
    msg_conn_encode(&body, msg);
    assert_int_equal(ipc_send(w.login, IPC_LOGIN_CONN, &body, &fds[1], 1), 0);
    buf_free(&body);
    close(fds[1]);
    c->ch = ipc_new(w.loop, fds[0], msg->protocol == PROTO_LMTP ? ROLE_LCONN : ROLE_CONN, ROLE_AUTH, on_conn, conn_closed, c);
    ipc_set_state(c->ch, IPC_STATE_BUSY);
}

static inline struct conn *conn_new(void)
{
    struct conn *c = xcalloc(1, sizeof(*c));
    c->id = ++w.next_id;
    struct msg_conn msg = conn_msg(c, PROTO_IMAP);
    conn_open(c, &msg);
    return c;
}

static inline void conn_free(struct conn *c)
{
    ipc_free(&c->ch);
    free(c);
}

static inline void turns(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(loop_turn(w.loop, 0), 0);
}

/* Turns until a message has come, the connection was closed, or ms have passed. */
static inline void await(struct conn *c, unsigned messages, unsigned ms)
{
    uint64_t end = loop_now(w.loop) + ms;
    while (c->messages < messages && !c->closed && loop_now(w.loop) < end)
        assert_int_equal(loop_turn(w.loop, 5), 0);
}

static inline void send_auth(struct conn *c, const char *mech, bool secured, const struct view *initial)
{
    struct msg_auth msg = {.secured = secured, .has_initial = initial != NULL, .mechanism = view_str(mech)};
    struct buf body;
    if (initial != NULL)
        msg.initial = *initial;
    buf_init(&body, IPC_MAX_BODY);
    msg_auth_encode(&body, &msg);
    assert_int_equal(ipc_send(c->ch, IPC_CONN_AUTH, &body, NULL, 0), 0);
    buf_free(&body);
}

static inline void send_response(struct conn *c, struct view data)
{
    struct msg_sasl msg = {.data = data};
    struct buf body;
    buf_init(&body, IPC_MAX_BODY);
    msg_sasl_encode(&body, &msg);
    assert_int_equal(ipc_send(c->ch, IPC_CONN_RESPONSE, &body, NULL, 0), 0);
    buf_free(&body);
}

static inline void plain(struct conn *c, struct view message)
{
    unsigned before = c->messages;
    send_auth(c, "PLAIN", true, &message);
    await(c, before + 1, 2000);
}

/* --- a world ------------------------------------------------------------------------------------------------------------- */

static inline void world_new(const char *conf_text, const char *user_lines, enum ipc_role parent)
{
    int fds[2];
    struct auth_dbs dbs;
    struct msg_peer peer = {.role = parent, .instance = PROTO_IMAP};
    FILE *f = fopen(users, "w");
    assert_non_null(f);
    fputs(user_lines, f);
    fclose(f);
    memset(&w, 0, sizeof(w));
    struct buf text;
    buf_init(&text, 4096);
    for (const char *p = conf_text; *p != '\0'; p++) { /* '@' stands for the passwd-file */
        if (*p == '@')
            buf_put_str(&text, users);
        else
            buf_put_byte(&text, (uint8_t)*p);
    }
    buf_put_byte(&text, '\0');
    const struct set_auth *set = unit_settings((const char *)buf_view(&text).ptr, &w.conf);
    buf_free(&text);
    w.loop = loop_new();
    assert_int_equal(loop_turn(w.loop, 0), 0);
    assert_int_equal(ipc_pair(fds), 0);
    w.auth_master = ipc_new(w.loop, fds[0], ROLE_AUTH, ROLE_MASTER, on_auth_master, on_closed, NULL);
    w.master = ipc_new(w.loop, fds[1], ROLE_MASTER, ROLE_AUTH, on_master, on_closed, NULL);
    ipc_set_state(w.auth_master, IPC_STATE_READY);
    ipc_set_state(w.master, IPC_STATE_READY);
    assert_int_equal(auth_dbs_init(&dbs, set), 0);
    assert_int_equal(auth_dbs_open(&dbs), 0);
    w.server = auth_server_new(w.loop, w.auth_master, &dbs, conf_get(w.conf, &set_login_component));
    assert_int_equal(ipc_pair(fds), 0);
    assert_int_equal(auth_server_add_parent(w.server, &peer, fds[0]), 0);
    w.login = ipc_new(w.loop, fds[1], parent, ROLE_AUTH, on_login, on_closed, &w.login_closed);
    ipc_set_state(w.login, IPC_STATE_READY);
}

static inline void world_free(void)
{
    auth_server_free(&w.server);
    ipc_free(&w.login);
    ipc_free(&w.auth_master);
    for (unsigned i = 0; i < w.nhelpers; i++)
        ipc_free(&w.helpers[i].ch);
    ipc_free(&w.master);
    loop_free(&w.loop);
    conf_free(&w.conf);
}

#define FILE_CONF                                                        \
    "auth_failure_delay = 40ms\n"                                        \
    "auth_allow_weak_schemes = yes\n"                                    \
    "mail_path = /mail/%n\n"                                             \
    "passdb f {\n driver = passwd-file\n file = @\n scheme = PLAIN\n}\n" \
    "userdb f {\n driver = passwd-file\n file = @\n}\n"
#define PAM_CONF                                                                  \
    "auth_failure_delay = 40ms\nauth_helpers_max = 2\nauth_helper_timeout = 1s\n" \
    "passdb p {\n driver = pam\n}\n"                                              \
    "userdb s {\n driver = system\n}\n"
#define SLOW_HASH "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"

/* The tests in a folder of their own. VERBOSE in the environment shows the log. */
static inline int world_main(const struct CMUnitTest *tests, size_t n)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (mkdtemp(dir) == NULL || password_init() != 0 || null < 0)
        return 1;
    if (getenv("VERBOSE") == NULL)
        log_init("test", null, LOG_SINK_STREAM, LOG_LVL_DEBUG);
    snprintf(users, sizeof(users), "%s/users", dir);
    int rc = _cmocka_run_group_tests("auth", tests, n, NULL, NULL);
    unlink(users);
    rmdir(dir);
    return rc;
}

#endif
