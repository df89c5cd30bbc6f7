/*
 * culver-auth over its channels: a fake master that records grants and plays the helpers, a fake login service, and connections.
 * All ends live in one loop.
 */
#include "tests/unit/auth/unit.h"

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
    unsigned nhelpers, living;
    enum ipc_kind asked;
    char asked_user[256], asked_rhost[64], asked_hash[256];
    unsigned grants;
    uint64_t grant_conn;
    uint32_t grant_rcpt;
    char grant_name[256], grant_mail[256], grant_home[256];
    struct user_record grant;
    struct conn *passed_before_grant;
    uint64_t next_id;
} w;

static char dir[] = "/tmp/culver-auth-XXXXXX";
static char users[64];

/* --- the fake master --------------------------------------------------------------------------------------------------- */

static void copy(char *out, size_t size, struct view v)
{
    size_t n = MIN_OF(v.len, size - 1);
    if (n > 0)
        memcpy(out, v.ptr, n);
    out[n] = '\0';
}

static void helper_gone(struct fake_helper *h)
{
    ipc_free(&h->ch);
    w.living--;
}

static void helper_note(struct ipc_msg *msg)
{
    struct msg_check_pam pam;
    struct msg_check_hash hash;
    struct msg_lookup_nss nss;
    w.asked = msg->kind;
    if (msg->kind == IPC_AUTH_CHECK_PAM) {
        assert_int_equal(msg_check_pam_decode(msg->body, &pam), 0);
        copy(w.asked_user, sizeof(w.asked_user), pam.user);
        copy(w.asked_rhost, sizeof(w.asked_rhost), pam.rhost);
    } else if (msg->kind == IPC_AUTH_CHECK_HASH) {
        assert_int_equal(msg_check_hash_decode(msg->body, &hash), 0);
        copy(w.asked_hash, sizeof(w.asked_hash), hash.hash);
    } else {
        assert_int_equal(msg_lookup_nss_decode(msg->body, &nss), 0);
        copy(w.asked_user, sizeof(w.asked_user), nss.user);
    }
}

static void on_helper(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct fake_helper *h = arg;
    struct buf body;
    helper_note(msg);
    if (w.mode == MODE_HANG)
        return;
    if (w.mode == MODE_ANSWER) {
        buf_init(&body, IPC_MAX_BODY);
        msg_helper_result_encode(&body, &w.answer);
        assert_int_equal(ipc_send(ch, IPC_HELPER_RESULT, &body, NULL, 0), 0);
        buf_free(&body);
    }
    helper_gone(h);
}

static void on_helper_closed(void *arg, struct ipc *ch, int err)
{
    (void)ch;
    (void)err;
    helper_gone(arg);
}

static void on_master(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct msg_grant grant;
    (void)arg;
    (void)ch;
    if (msg->kind == IPC_AUTH_GRANT) {
        assert_int_equal(msg_grant_decode(msg->body, &grant), 0);
        w.grants++;
        w.grant_conn = grant.conn_id;
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

static void on_closed(void *arg, struct ipc *ch, int err)
{
    (void)ch;
    (void)err;
    if (arg != NULL)
        *(bool *)arg = true;
}

static void on_login(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    (void)arg;
    (void)ch;
    (void)msg;
    fail_msg("a message for the login service");
}

static void on_auth_master(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    (void)arg;
    (void)ch;
    auth_server_on_master(w.server, msg);
}

/* --- connections ------------------------------------------------------------------------------------------------------- */

static void on_conn(void *arg, struct ipc *ch, struct ipc_msg *msg)
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

static struct msg_conn conn_msg(struct conn *c, enum proto_protocol protocol)
{
    return (struct msg_conn){.conn_id = c->id,
                             .protocol = protocol,
                             .peer = {.family = 4, .ip = {192, 0, 2, 1}, .port = 1000},
                             .local = {.family = 4, .ip = {192, 0, 2, 9}, .port = 143}};
}

static void conn_closed(void *arg, struct ipc *ch, int err)
{
    struct conn *c = arg;
    (void)ch;
    (void)err;
    c->closed = true;
}

static void conn_open(struct conn *c, const struct msg_conn *msg)
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

static struct conn *conn_new(void)
{
    struct conn *c = xcalloc(1, sizeof(*c));
    c->id = ++w.next_id;
    struct msg_conn msg = conn_msg(c, PROTO_IMAP);
    conn_open(c, &msg);
    return c;
}

static void conn_free(struct conn *c)
{
    ipc_free(&c->ch);
    free(c);
}

static void turns(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(loop_turn(w.loop, 0), 0);
}

/* Turns until a message has come, the connection was closed, or ms have passed. */
static void await(struct conn *c, unsigned messages, unsigned ms)
{
    uint64_t end = loop_now(w.loop) + ms;
    while (c->messages < messages && !c->closed && loop_now(w.loop) < end)
        assert_int_equal(loop_turn(w.loop, 5), 0);
}

static void send_auth(struct conn *c, const char *mech, bool secured, const struct view *initial)
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

static void send_response(struct conn *c, struct view data)
{
    struct msg_sasl msg = {.data = data};
    struct buf body;
    buf_init(&body, IPC_MAX_BODY);
    msg_sasl_encode(&body, &msg);
    assert_int_equal(ipc_send(c->ch, IPC_CONN_RESPONSE, &body, NULL, 0), 0);
    buf_free(&body);
}

static void plain(struct conn *c, struct view message)
{
    unsigned before = c->messages;
    send_auth(c, "PLAIN", true, &message);
    await(c, before + 1, 2000);
}

/* --- a world ------------------------------------------------------------------------------------------------------------- */

static void world_new(const char *conf_text, const char *user_lines, enum ipc_role parent)
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

static void world_free(void)
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

static void test_plain_pass(void **state)
{
    (void)state;
    world_new(FILE_CONF, "alice:{SSHA}+RsuSTrEcIi8C6kPYWVF79KkcYVzYWx0c2FsdA==:::::: userdb_quota_rule=*:bytes=77\n", ROLE_LOGIN);
    struct conn *c = conn_new();
    plain(c, BYTES("\0Alice\0secret Pass1"));
    assert_int_equal(c->last, IPC_AUTH_PASS);
    assert_int_equal(c->len, 0);
    assert_null(w.passed_before_grant);
    assert_int_equal(w.grants, 1);
    assert_int_equal(w.grant_conn, c->id);
    assert_int_equal(w.grant_rcpt, 0);
    assert_string_equal(w.grant_name, "alice");
    assert_string_equal(w.grant_mail, "/mail/alice");
    assert_true(w.grant.virtual_uid);
    assert_int_equal(w.grant.quota_bytes, 77);
    /* Nothing may come after it. */
    struct view again = BYTES("\0alice\0secret Pass1");
    send_auth(c, "PLAIN", true, &again);
    await(c, 2, 200);
    assert_true(c->closed);
    assert_int_equal(w.grants, 1);
    conn_free(c);
    world_free();
}

static void test_failures_equal(void **state)
{
    const struct view messages[] = {
        BYTES("\0alice\0wrong"), BYTES("\0nobody\0wrong"), BYTES("\0alice\0"),  BYTES("\0al/ice\0pw"),
        BYTES("bob\0alice\0pw"), BYTES("\0locked\0x"),     BYTES("\0nopass\0"), BYTES("\0nets\0pw"),
    };
    (void)state;
    world_new(FILE_CONF, "alice:pw\nbob:pw\nlocked:!pw\nnopass:\nnets:pw:::::: allow_nets=10.0.0.0/8\n", ROLE_LOGIN);
    for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
        struct conn *c = conn_new();
        turns(3);
        uint64_t start = loop_now(w.loop);
        send_auth(c, "PLAIN", true, &messages[i]);
        await(c, 1, 20000);
        assert_int_equal(c->last, IPC_AUTH_FAIL);
        assert_int_equal(c->fail, AUTH_FAIL_CREDENTIALS);
        assert_true(loop_now(w.loop) - start >= 40);
        conn_free(c);
        turns(2);
        assert_int_equal(w.grants, 0);
        /* The address would be slowed down: a new server each time. */
        world_free();
        world_new(FILE_CONF, "alice:pw\nbob:pw\nlocked:!pw\nnopass:\nnets:pw:::::: allow_nets=10.0.0.0/8\n", ROLE_LOGIN);
    }
    world_free();
}

static void test_again_after_failure(void **state)
{
    (void)state;
    world_new(FILE_CONF, "alice:pw:1000:100::/home/alice\n", ROLE_LOGIN);
    struct conn *c = conn_new();
    plain(c, BYTES("\0alice\0wrong"));
    assert_int_equal(c->last, IPC_AUTH_FAIL);
    /* The authorisation identity may be the user. */
    plain(c, BYTES("alice\0alice\0pw"));
    assert_int_equal(c->last, IPC_AUTH_PASS);
    assert_int_equal(w.grant.uid, 1000);
    assert_int_equal(w.grant.gid, 100);
    assert_string_equal(w.grant_home, "/home/alice");
    conn_free(c);
    world_free();
}

static void test_mechanisms(void **state)
{
    const struct view good = BYTES("\0alice\0pw"), bad = BYTES("alice pw");
    (void)state;
    world_new(FILE_CONF "auth_mechanisms = plain\n", "alice:pw\n", ROLE_LOGIN);
    struct conn *c = conn_new();
    send_auth(c, "PLAIN", false, &good); /* not protected */
    await(c, 1, 500);
    assert_int_equal(c->fail, AUTH_FAIL_MECHANISM);
    send_auth(c, "LOGIN", true, &good); /* not offered */
    await(c, 2, 500);
    assert_int_equal(c->fail, AUTH_FAIL_MECHANISM);
    send_auth(c, "NONE", true, &good);
    await(c, 3, 500);
    assert_int_equal(c->fail, AUTH_FAIL_MECHANISM);
    send_auth(c, "PLAIN", true, &bad);
    await(c, 4, 500);
    assert_int_equal(c->fail, AUTH_FAIL_MALFORMED);
    assert_int_equal(c->messages, 4);
    assert_false(c->closed);
    send_auth(c, "PLAIN", true, NULL);
    await(c, 5, 500);
    assert_int_equal(c->last, IPC_AUTH_CHALLENGE);
    assert_int_equal(ipc_send(c->ch, IPC_CONN_CANCEL, NULL, NULL, 0), 0);
    await(c, 6, 500);
    assert_int_equal(c->fail, AUTH_FAIL_CANCELLED);
    send_auth(c, "PLAIN", true, NULL);
    await(c, 7, 500);
    send_response(c, good);
    await(c, 8, 500);
    assert_int_equal(c->last, IPC_AUTH_PASS);
    conn_free(c);
    world_free();
}

#define STORED                                                                                   \
    "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=," \
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define SCRAM_USERS \
    "alice:" STORED "\nbob:{SSHA}+RsuSTrEcIi8C6kPYWVF79KkcYVzYWx0c2FsdA==\nnets:" STORED ":::::: allow_nets=10.0.0.0/8\n"

/* The answer to a first message: without the nonce, what a user's keys show. */
static void scram_first(const char *user, bool secured, char *out, size_t size)
{
    char text[128];
    struct conn *c = conn_new();
    snprintf(text, sizeof(text), "n,,n=%s,r=clientnonce", user);
    struct view v = view_str(text);
    send_auth(c, "SCRAM-SHA-256", secured, &v);
    await(c, 1, 500);
    assert_int_equal(c->last, IPC_AUTH_CHALLENGE);
    snprintf(out, size, "%s", strchr(c->data, ',') + 1);
    conn_free(c);
    turns(2);
}

static void test_scram_feigned(void **state)
{
    char first[256], again[256], other[256];
    (void)state;
    world_new(FILE_CONF "auth_mechanisms = scram-sha-256\n", SCRAM_USERS, ROLE_LOGIN);
    scram_first("alice", true, first, sizeof(first));
    assert_string_equal(first, "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
    /* Nobody, nobody possible, a hash that does not serve, an address that may not: the same each time, and the same form. */
    const char *const names[] = {"nobody", "no/body", "bob", "nets"};
    other[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        scram_first(names[i], i % 2 == 0, first, sizeof(first));
        scram_first(names[i], true, again, sizeof(again));
        assert_string_equal(first, again);
        assert_int_equal(strlen(first), strlen("s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
        assert_string_equal(first + strlen(first) - 7, ",i=4096");
        assert_string_not_equal(first, other);
        memcpy(other, first, sizeof(other));
    }
    scram_first("Nobody", true, again, sizeof(again)); /* another spelling of the same */
    scram_first("nobody", true, first, sizeof(first));
    assert_string_equal(first, again);
    world_free();
}

static void test_scram_wrong(void **state)
{
    char text[512];
    (void)state;
    world_new(FILE_CONF "auth_mechanisms = scram-sha-256\n", SCRAM_USERS, ROLE_LOGIN);
    static const char *const names[] = {"alice", "nobody", "bob"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct conn *c = conn_new();
        snprintf(text, sizeof(text), "n,,n=%s,r=clientnonce", names[i]);
        struct view v = view_str(text);
        uint64_t start = loop_now(w.loop);
        send_auth(c, "SCRAM-SHA-256", true, &v);
        await(c, 1, 500);
        snprintf(text, sizeof(text), "c=biws,%.*s,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", (int)strcspn(c->data, ","),
                 c->data);
        send_response(c, view_str(text));
        await(c, 2, 2000);
        assert_int_equal(c->last, IPC_AUTH_FAIL);
        assert_int_equal(c->fail, AUTH_FAIL_CREDENTIALS);
        assert_true(loop_now(w.loop) - start >= 40);
        /* PLAIN is not on offer, binding without data is not. */
        v = BYTES("\0alice\0pencil");
        send_auth(c, "PLAIN", true, &v);
        await(c, 3, 500);
        assert_int_equal(c->fail, AUTH_FAIL_MECHANISM);
        send_auth(c, "SCRAM-SHA-256-PLUS", true, NULL);
        await(c, 4, 500);
        assert_int_equal(c->fail, AUTH_FAIL_MECHANISM);
        send_auth(c, "SCRAM-SHA-1", true, NULL);
        await(c, 5, 500);
        assert_int_equal(c->fail, AUTH_FAIL_MECHANISM);
        conn_free(c);
        turns(2);
    }
    assert_int_equal(w.grants, 0);
    world_free();
}

/* A PAM database cannot be asked, and is not passed by. */
static void test_scram_pam_first(void **state)
{
    char first[256];
    (void)state;
    world_new("auth_mechanisms = scram-sha-256\npassdb p {\n driver = pam\n}\npassdb f {\n driver = passwd-file\n file = @\n}\n"
              "userdb f {\n driver = passwd-file\n file = @\n}\n",
              SCRAM_USERS, ROLE_LOGIN);
    scram_first("alice", true, first, sizeof(first));
    assert_string_not_equal(first, "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
    world_free();
}

/* 1000 users with one password, one after another and again: everybody gets a session as nobody but himself. */
static void test_cache_crossing(void **state)
{
    enum { N = 1000 };
    struct buf lines;
    char text[64];
    (void)state;
    buf_init(&lines, 1 << 20);
    for (unsigned i = 0; i < N; i++)
        buf_put_fmt(&lines, "user%u:same\n", i);
    buf_put_byte(&lines, '\0');
    world_new(FILE_CONF "auth_cache_ttl = 1min\n", (const char *)buf_view(&lines).ptr, ROLE_LOGIN);
    buf_free(&lines);
    for (unsigned i = 0; i < 3 * N; i++) {
        unsigned user = i * 7 % N;
        struct conn *c = conn_new();
        text[0] = '\0';
        int n = snprintf(text + 1, sizeof(text) - 1, "user%u", user);
        memcpy(text + 1 + n + 1, "same", 4);
        plain(c, view_make(text, 1 + (size_t)n + 1 + 4));
        assert_int_equal(c->last, IPC_AUTH_PASS);
        assert_int_equal(w.grant_conn, c->id);
        assert_string_equal(w.grant_name, text + 1);
        conn_free(c);
        turns(2);
    }
    assert_int_equal(w.grants, 3 * N);
    struct conn *c = conn_new();
    plain(c, BYTES("\0user1000\0same"));
    assert_int_equal(c->fail, AUTH_FAIL_CREDENTIALS);
    conn_free(c);
    world_free();
}

static void test_cache_asks_once(void **state)
{
    (void)state;
    world_new(PAM_CONF "auth_cache_ttl = 1min\n", "", ROLE_LOGIN);
    const struct view good = BYTES("\0alice\0pw"), bad = BYTES("\0alice\0other");
    const struct {
        struct view message;
        enum helper_result says;
        enum ipc_kind asked, answer; /* asked: last of all; NSS is asked for every log-in */
        unsigned helpers;
    } rows[] = {
        {good, HELPER_OK, IPC_AUTH_LOOKUP_NSS, IPC_AUTH_PASS, 2},
        {good, HELPER_OK, IPC_AUTH_LOOKUP_NSS, IPC_AUTH_PASS, 3},       /* from the cache */
        {bad, HELPER_WRONG, IPC_AUTH_CHECK_PAM, IPC_AUTH_FAIL, 4},      /* never the cached user's session for another password */
        {good, HELPER_WRONG, IPC_AUTH_CHECK_PAM, IPC_AUTH_FAIL, 5},     /* and the cache has forgotten */
        {good, HELPER_TEMPORARY, IPC_AUTH_CHECK_PAM, IPC_AUTH_FAIL, 6}, /* nothing is remembered of that */
        {good, HELPER_OK, IPC_AUTH_LOOKUP_NSS, IPC_AUTH_PASS, 8},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conn *c = conn_new();
        w.answer = (struct msg_helper_result){.result = rows[i].says, .uid = 1000, .gid = 1000, .home = VIEW("/home/alice")};
        plain(c, rows[i].message);
        assert_int_equal(c->last, rows[i].answer);
        assert_int_equal(w.asked, rows[i].asked);
        assert_int_equal(w.nhelpers, rows[i].helpers);
        conn_free(c);
        turns(4);
    }
    world_free();
}

static void test_cache_file_changes(void **state)
{
    (void)state;
    world_new(FILE_CONF "auth_cache_ttl = 1min\n", "alice:old\n", ROLE_LOGIN);
    struct conn *c = conn_new();
    plain(c, BYTES("\0alice\0old"));
    assert_int_equal(c->last, IPC_AUTH_PASS);
    conn_free(c);
    FILE *f = fopen(users, "w");
    assert_non_null(f);
    fputs("alice:newer\n", f);
    fclose(f);
    c = conn_new();
    plain(c, BYTES("\0alice\0old"));
    assert_int_equal(c->fail, AUTH_FAIL_CREDENTIALS);
    plain(c, BYTES("\0alice\0newer"));
    assert_int_equal(c->last, IPC_AUTH_PASS);
    conn_free(c);
    world_free();
}

/* cleartext_auth = yes */
static void test_cleartext(void **state)
{
    const struct view good = BYTES("\0alice\0pw");
    (void)state;
    world_new(FILE_CONF "cleartext_auth = yes\n", "alice:pw\n", ROLE_LOGIN);
    struct conn *c = conn_new();
    send_auth(c, "PLAIN", false, &good);
    await(c, 1, 500);
    assert_int_equal(c->last, IPC_AUTH_PASS);
    conn_free(c);
    world_free();
}

static void test_login_mechanism(void **state)
{
    (void)state;
    world_new(FILE_CONF, "alice:pw\n", ROLE_LOGIN);
    struct conn *c = conn_new();
    send_auth(c, "LOGIN", true, NULL);
    await(c, 1, 500);
    assert_string_equal(c->data, "Username:");
    send_response(c, VIEW("alice"));
    await(c, 2, 500);
    assert_string_equal(c->data, "Password:");
    send_response(c, VIEW("pw"));
    await(c, 3, 500);
    assert_int_equal(c->last, IPC_AUTH_PASS);
    conn_free(c);
    world_free();
}

/* What the table or the state does not allow costs the connection, and only it. */
static void test_protocol_errors(void **state)
{
    const struct view good = BYTES("\0alice\0pw"), wrong = BYTES("\0alice\0no");
    struct conn *bad[5], *other;
    (void)state;
    world_new(FILE_CONF, "alice:pw\n", ROLE_LOGIN);
    other = conn_new();
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        bad[i] = conn_new();
    send_response(bad[0], good); /* nothing was asked */
    assert_int_equal(ipc_send(bad[1]->ch, IPC_CONN_CANCEL, NULL, NULL, 0), 0);
    send_auth(bad[2], "PLAIN", true, &wrong);
    send_auth(bad[2], "PLAIN", true, &wrong); /* while the first is under way */
    send_auth(bad[3], "PLAIN", true, &wrong);
    assert_int_equal(ipc_send(bad[3]->ch, IPC_CONN_CANCEL, NULL, NULL, 0), 0); /* cannot cut the delay short */
    assert_int_equal(write(ipc_fd(bad[4]->ch), "\x63\x00\x00\x00", 4), 4);     /* no such kind */
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        await(bad[i], 99, 300);
        assert_true(bad[i]->closed);
        assert_int_equal(bad[i]->messages, 0);
        conn_free(bad[i]);
    }
    assert_int_equal(w.server->nconns, 1);
    plain(other, good);
    assert_int_equal(other->last, IPC_AUTH_PASS);
    conn_free(other);
    turns(5);
    assert_int_equal(w.server->nconns, 0);
    world_free();
}

static void test_conn_ids(void **state)
{
    struct conn *c, twin = {0}, lmtp = {0};
    (void)state;
    world_new(FILE_CONF, "alice:pw\n", ROLE_LOGIN);
    c = conn_new();
    twin.id = c->id;
    struct msg_conn msg = conn_msg(&twin, PROTO_IMAP);
    conn_open(&twin, &msg);
    await(&twin, 1, 300);
    assert_true(twin.closed);
    plain(c, BYTES("\0alice\0pw"));
    assert_int_equal(c->last, IPC_AUTH_PASS);
    assert_false(w.login_closed);
    /* A login service has no LMTP connections. */
    lmtp.id = 77;
    msg = conn_msg(&lmtp, PROTO_LMTP);
    conn_open(&lmtp, &msg);
    turns(5);
    assert_true(w.login_closed);
    ipc_free(&lmtp.ch);
    ipc_free(&twin.ch);
    conn_free(c);
    world_free();
}

static void proxied(struct conn *c, bool tls)
{
    struct msg_proxied msg = {.peer = {.family = 6, .ip = {0x20, 1}}, .local = {.family = 6, .ip = {0x20, 1}}, .tls = tls};
    struct buf body;
    buf_init(&body, IPC_MAX_BODY);
    msg_proxied_encode(&body, &msg);
    assert_int_equal(ipc_send(c->ch, IPC_CONN_PROXIED, &body, NULL, 0), 0);
    buf_free(&body);
}

static void test_proxied(void **state)
{
    const struct view good = BYTES("\0alice\0pw");
    struct conn c[4] = {{.id = 1}, {.id = 2}, {.id = 3}, {.id = 4}};
    (void)state;
    world_new(PAM_CONF, "", ROLE_LOGIN);
    w.answer = (struct msg_helper_result){.result = HELPER_WRONG};
    for (unsigned i = 0; i < 4; i++) {
        struct msg_conn msg = conn_msg(&c[i], PROTO_IMAP);
        msg.proxy = i != 3;
        conn_open(&c[i], &msg);
    }
    proxied(&c[0], true);
    send_auth(&c[0], "PLAIN", false, &good); /* the proxy's word counts */
    await(&c[0], 1, 500);
    assert_int_equal(c[0].fail, AUTH_FAIL_CREDENTIALS);
    assert_string_equal(w.asked_rhost, "2001::");
    proxied(&c[0], true); /* twice */
    await(&c[0], 2, 300);
    assert_true(c[0].closed);
    send_auth(&c[1], "PLAIN", true, &good); /* without it */
    await(&c[1], 1, 300);
    assert_true(c[1].closed);
    assert_int_equal(c[1].messages, 0);
    proxied(&c[2], false);
    send_auth(&c[2], "PLAIN", false, &good);
    await(&c[2], 1, 300);
    assert_int_equal(c[2].fail, AUTH_FAIL_MECHANISM);
    proxied(&c[3], true); /* where none is due */
    await(&c[3], 1, 300);
    assert_true(c[3].closed);
    for (unsigned i = 0; i < 4; i++)
        ipc_free(&c[i].ch);
    world_free();
}

static void test_pam(void **state)
{
    (void)state;
    world_new(PAM_CONF, "", ROLE_LOGIN);
    struct conn *c = conn_new();
    w.answer = (struct msg_helper_result){.result = HELPER_WRONG};
    plain(c, BYTES("\0alice\0no"));
    assert_int_equal(c->fail, AUTH_FAIL_CREDENTIALS);
    assert_string_equal(w.asked_user, "alice");
    assert_string_equal(w.asked_rhost, "192.0.2.1");
    w.answer.result = HELPER_UNKNOWN;
    plain(c, BYTES("\0alice\0no2"));
    assert_int_equal(c->fail, AUTH_FAIL_CREDENTIALS);
    w.answer.result = HELPER_EXPIRED;
    plain(c, BYTES("\0alice\0pw"));
    assert_int_equal(c->fail, AUTH_FAIL_DISABLED);
    w.answer.result = HELPER_TEMPORARY;
    plain(c, BYTES("\0alice\0pw"));
    assert_int_equal(c->fail, AUTH_FAIL_TEMPORARY);
    w.mode = MODE_DIE;
    plain(c, BYTES("\0alice\0pw"));
    assert_int_equal(c->fail, AUTH_FAIL_TEMPORARY);
    assert_int_equal(w.grants, 0);
    /* PAM and then NSS, which the same answer serves. */
    w.mode = MODE_ANSWER;
    w.answer = (struct msg_helper_result){
        .result = HELPER_OK, .uid = 1000, .gid = 1000, .name = VIEW("alice"), .home = VIEW("/home/alice")};
    plain(c, BYTES("\0alice\0pw"));
    assert_int_equal(c->last, IPC_AUTH_PASS);
    assert_int_equal(w.asked, IPC_AUTH_LOOKUP_NSS);
    assert_int_equal(w.grant.uid, 1000);
    assert_string_equal(w.grant_mail, "/home/alice/culver");
    conn_free(c);
    world_free();
}

static void test_pam_strange(void **state)
{
    (void)state;
    world_new(PAM_CONF, "", ROLE_LOGIN);
    struct conn *c = conn_new();
    /* A module that makes somebody else of the user. */
    w.answer = (struct msg_helper_result){.result = HELPER_OK, .name = VIEW("root")};
    plain(c, BYTES("\0alice\0pw"));
    assert_int_equal(c->fail, AUTH_FAIL_TEMPORARY);
    /* uid 0 */
    w.answer = (struct msg_helper_result){.result = HELPER_OK, .gid = 5, .name = VIEW("alice"), .home = VIEW("/root")};
    plain(c, BYTES("\0alice\0pw"));
    assert_int_equal(c->fail, AUTH_FAIL_TEMPORARY);
    /* No home, and the mail path needs one. */
    w.answer = (struct msg_helper_result){.result = HELPER_OK, .uid = 5, .gid = 5, .name = VIEW("alice"), .home = VIEW("/")};
    plain(c, BYTES("\0alice\0pw"));
    assert_int_equal(c->fail, AUTH_FAIL_TEMPORARY);
    assert_int_equal(w.grants, 0);
    conn_free(c);
    world_free();
}

static void test_slow_hash(void **state)
{
    (void)state;
    world_new(FILE_CONF, "alice:" SLOW_HASH "\n", ROLE_LOGIN);
    struct conn *c = conn_new();
    w.answer = (struct msg_helper_result){.result = HELPER_OK};
    plain(c, BYTES("\0alice\0password"));
    assert_int_equal(c->last, IPC_AUTH_PASS);
    assert_string_equal(w.asked_hash, SLOW_HASH);
    conn_free(c);
    /* Nobody's password is checked against somebody's hash, and never right. */
    c = conn_new();
    w.asked_hash[0] = '\0';
    plain(c, BYTES("\0nobody\0password"));
    assert_int_equal(c->fail, AUTH_FAIL_CREDENTIALS);
    assert_string_equal(w.asked_hash, SLOW_HASH);
    /* A hash that the helper cannot read is no wrong password. */
    w.answer.result = HELPER_UNKNOWN;
    plain(c, BYTES("\0alice\0password"));
    assert_int_equal(c->fail, AUTH_FAIL_TEMPORARY);
    assert_int_equal(w.grants, 1);
    conn_free(c);
    world_free();
}

/* At most auth_helpers_max at once; who waits too long, and who went away, is cleaned up. */
static void test_helper_limit(void **state)
{
    const struct view message = BYTES("\0alice\0pw");
    struct conn *c[5];
    (void)state;
    world_new(PAM_CONF, "", ROLE_LOGIN);
    w.mode = MODE_HANG;
    for (unsigned i = 0; i < 5; i++) {
        c[i] = conn_new();
        send_auth(c[i], "PLAIN", true, &message);
    }
    turns(20);
    assert_int_equal(w.nhelpers, 2);
    /* A client that goes away leaves the queue, but a running helper keeps its place. */
    conn_free(c[4]);
    conn_free(c[0]);
    turns(10);
    assert_int_equal(w.nhelpers, 2);
    /* The first helper ends: the next request runs. */
    helper_gone(&w.helpers[0]);
    turns(10);
    assert_int_equal(w.nhelpers, 3);
    await(c[1], 1, 6000);
    await(c[2], 1, 6000);
    await(c[3], 1, 6000);
    assert_int_equal(c[1]->fail, AUTH_FAIL_TEMPORARY);
    assert_int_equal(c[2]->fail, AUTH_FAIL_TEMPORARY);
    assert_int_equal(c[3]->fail, AUTH_FAIL_TEMPORARY);
    for (unsigned i = 1; i < 4; i++)
        conn_free(c[i]);
    world_free();
}

static void test_master_gone(void **state)
{
    (void)state;
    world_new(FILE_CONF, "alice:pw\n", ROLE_LOGIN);
    struct conn *c = conn_new();
    ipc_free(&w.master);
    turns(3);
    plain(c, BYTES("\0alice\0pw"));
    assert_int_equal(c->fail, AUTH_FAIL_TEMPORARY);
    conn_free(c);
    world_free();
}

static void test_chain(void **state)
{
    static const char conf[] = "auth_failure_delay = 40ms\nauth_allow_weak_schemes = yes\n"
                               "passdb f {\n driver = passwd-file\n file = @\n scheme = PLAIN\n}\n"
                               "passdb p {\n driver = pam\n}\n"
                               "userdb x {\n driver = static\n uid = 500\n gid = 501\n home = /srv/%n\n}\n";
    (void)state;
    world_new(conf, "alice:pw\noff:pw:::::: nologin\n", ROLE_LOGIN);
    struct conn *c = conn_new();
    w.answer = (struct msg_helper_result){.result = HELPER_OK, .name = VIEW("bob")};
    /* Known to the first: the second is not asked. */
    plain(c, BYTES("\0alice\0wrong"));
    assert_int_equal(c->fail, AUTH_FAIL_CREDENTIALS);
    assert_int_equal(w.nhelpers, 0);
    plain(c, BYTES("\0off\0pw"));
    assert_int_equal(c->fail, AUTH_FAIL_DISABLED);
    plain(c, BYTES("\0bob\0pw"));
    assert_int_equal(c->last, IPC_AUTH_PASS);
    assert_int_equal(w.nhelpers, 1);
    assert_int_equal(w.grant.uid, 500);
    assert_int_equal(w.grant.gid, 501);
    assert_string_equal(w.grant_mail, "/srv/bob/culver");
    conn_free(c);
    /* The file gone: a temporary failure, and PAM is not asked in its stead. */
    c = conn_new();
    assert_int_equal(unlink(users), 0);
    plain(c, BYTES("\0bob\0pw"));
    assert_int_equal(c->fail, AUTH_FAIL_TEMPORARY);
    assert_int_equal(w.nhelpers, 1);
    conn_free(c);
    world_free();
}

static void send_rcpt(struct conn *c, uint32_t id, const char *address)
{
    struct msg_rcpt msg = {.rcpt_id = id, .address = view_str(address)};
    struct buf body;
    buf_init(&body, IPC_MAX_BODY);
    msg_rcpt_encode(&body, &msg);
    assert_int_equal(ipc_send(c->ch, IPC_LCONN_RCPT, &body, NULL, 0), 0);
    buf_free(&body);
}

static struct conn *lconn_new(void)
{
    struct conn *c = xcalloc(1, sizeof(*c));
    c->id = ++w.next_id;
    struct msg_conn msg = conn_msg(c, PROTO_LMTP);
    conn_open(c, &msg);
    return c;
}

static void test_rcpt(void **state)
{
    (void)state;
    world_new(FILE_CONF, "alice@example.org:!locked\nroot@example.org:x:0:0\n", ROLE_LMTP);
    struct conn *c = lconn_new();
    send_rcpt(c, 1, "Alice+lists@example.org");
    await(c, 1, 500);
    assert_int_equal(c->rcpts[1], RCPT_OK);
    assert_int_equal(w.grants, 1);
    assert_int_equal(w.grant_conn, c->id);
    assert_int_equal(w.grant_rcpt, 1);
    assert_string_equal(w.grant_name, "alice@example.org");
    send_rcpt(c, 2, "bob@example.org");
    send_rcpt(c, 3, "a b@example.org");
    send_rcpt(c, 4, "root@example.org");
    await(c, 4, 500);
    assert_int_equal(c->rcpts[2], RCPT_UNKNOWN);
    assert_int_equal(c->rcpts[3], RCPT_UNKNOWN);
    assert_int_equal(c->rcpts[4], RCPT_TEMPORARY);
    assert_int_equal(w.grants, 1);
    conn_free(c);
    world_free();
}

static void test_rcpt_static(void **state)
{
    static const char conf[] = "auth_allow_weak_schemes = yes\n"
                               "passdb f {\n driver = passwd-file\n file = @\n scheme = PLAIN\n}\n"
                               "passdb p {\n driver = pam\n}\n"
                               "userdb x {\n driver = static\n uid = 500\n gid = 501\n home = /srv/%n\n}\n";
    (void)state;
    world_new(conf, "alice:pw\n", ROLE_LMTP);
    struct conn *c = lconn_new();
    send_rcpt(c, 1, "alice");
    await(c, 1, 500);
    assert_int_equal(c->rcpts[1], RCPT_OK);
    assert_int_equal(w.nhelpers, 0);
    w.answer = (struct msg_helper_result){.result = HELPER_UNKNOWN};
    send_rcpt(c, 2, "nobody");
    await(c, 2, 500);
    assert_int_equal(c->rcpts[2], RCPT_UNKNOWN);
    w.answer =
        (struct msg_helper_result){.result = HELPER_OK, .uid = 7, .gid = 7, .name = VIEW("bob"), .home = VIEW("/home/bob")};
    send_rcpt(c, 3, "bob");
    await(c, 3, 500);
    assert_int_equal(c->rcpts[3], RCPT_OK);
    assert_int_equal(w.grant.uid, 500);
    assert_string_equal(w.grant_mail, "/srv/bob/culver");
    /* Gone while a look-up runs. */
    w.mode = MODE_HANG;
    send_rcpt(c, 4, "carol");
    turns(10);
    conn_free(c);
    turns(10);
    assert_int_equal(w.server->nconns, 0);
    world_free();
}

static void test_domain(void **state)
{
    static const char conf[] = "auth_failure_delay = 40ms\nauth_default_domain = example.org\nmail_path = /m/%d/%n\n"
                               "passdb p {\n driver = pam\n}\nuserdb s {\n driver = system\n}\n";
    (void)state;
    world_new(conf, "", ROLE_LOGIN);
    struct conn *c = conn_new();
    w.answer =
        (struct msg_helper_result){.result = HELPER_OK, .uid = 7, .gid = 7, .name = VIEW("alice"), .home = VIEW("/home/a")};
    plain(c, BYTES("\0ALICE\0pw"));
    assert_int_equal(c->last, IPC_AUTH_PASS);
    assert_string_equal(w.asked_user, "alice");
    assert_string_equal(w.grant_name, "alice@example.org");
    assert_string_equal(w.grant_mail, "/m/example.org/alice");
    conn_free(c);
    world_free();
}

static void test_too_many_failures(void **state)
{
    const struct view bad = BYTES("x");
    (void)state;
    world_new(FILE_CONF, "alice:pw\n", ROLE_LOGIN);
    struct conn *c = conn_new();
    for (unsigned i = 1; i <= CONN_FAILURES_MAX; i++) {
        send_auth(c, "PLAIN", true, &bad);
        await(c, i, 500);
        assert_int_equal(c->fail, i < CONN_FAILURES_MAX ? AUTH_FAIL_MALFORMED : AUTH_FAIL_LIMIT);
    }
    send_auth(c, "PLAIN", true, &bad);
    await(c, CONN_FAILURES_MAX + 1, 300);
    assert_true(c->closed);
    conn_free(c);
    world_free();
}

static void test_penalty(void **state)
{
    const struct net_addr a = {.family = 4, .ip = {192, 0, 2, 1}}, b = {.family = 4, .ip = {192, 0, 2, 2}};
    const struct net_addr n1 = {.family = 6, .ip = {0x20, 1, 0, 0, 0, 0, 0, 1, 5}},
                          n2 = {.family = 6, .ip = {0x20, 1, 0, 0, 0, 0, 0, 1, 9}};
    const struct net_addr home = {.family = 4, .ip = {127, 0, 0, 1}};
    struct penalty *p = penalty_new(2000);
    char pw[16];
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        snprintf(pw, sizeof(pw), "guess%u", i);
        penalty_failed(p, 1000, &a, VIEW("alice"), view_str(pw));
        penalty_failed(p, 1000, &n1, VIEW("carol"), view_str(pw));
        penalty_failed(p, 1000, &home, VIEW("dave"), view_str(pw));
        /* An old password, again and again. */
        penalty_failed(p, 1000, &b, VIEW("bob"), VIEW("old"));
    }
    assert_int_equal(penalty_admit(p, 1000, &a), 0);
    assert_int_equal(penalty_admit(p, 1000, &a), 2000);
    assert_int_equal(penalty_admit(p, 1000, &a), 4000);
    assert_int_equal(penalty_admit(p, 1000, &b), 0);
    assert_int_equal(penalty_admit(p, 1000, &b), 0);
    assert_int_equal(penalty_admit(p, 1000, &n2), 0);
    assert_int_equal(penalty_admit(p, 1000, &n2), 2000);
    assert_int_equal(penalty_admit(p, 1000, &home), 0);
    assert_int_equal(penalty_admit(p, 1000, &home), 0);
    for (unsigned i = 0; i < 5; i++)
        assert_true(penalty_admit(p, 1000, &a) <= PENALTY_BACKLOG_MS);
    assert_int_equal(penalty_admit(p, 1000, &a), PENALTY_REFUSED);
    /* Answers: whole delays since the start, longer for the address and the user that failed often. */
    assert_int_equal(penalty_hold(p, 1500, 1000, &b, VIEW("bob")), 1500);
    assert_int_equal(penalty_hold(p, 3500, 1000, &b, VIEW("bob")), 1500);
    assert_int_equal(penalty_hold(p, 1000, 1000, &a, VIEW("x")), 15000);
    assert_int_equal(penalty_hold(p, 1000, 1000, &b, VIEW("alice")), 15000);
    /* And forgotten after some quiet minutes. */
    assert_int_equal(penalty_admit(p, 1000 + 10 * 60000, &a), 0);
    assert_int_equal(penalty_admit(p, 1000 + 10 * 60000, &a), 0);
    penalty_free(&p);
}

static void test_stop(void **state)
{
    (void)state;
    world_new(FILE_CONF, "alice:pw\n", ROLE_LOGIN);
    struct conn *c = conn_new();
    turns(3);
    assert_int_equal(ipc_send(w.master, IPC_MASTER_STOP, NULL, NULL, 0), 0);
    turns(3);
    /* Still served. */
    plain(c, BYTES("\0alice\0pw"));
    assert_int_equal(c->last, IPC_AUTH_PASS);
    conn_free(c);
    uint64_t start = loop_now(w.loop);
    assert_int_equal(loop_run(w.loop), 0);
    assert_true(loop_now(w.loop) - start < 5000);
    world_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_pass),
        cmocka_unit_test(test_failures_equal),
        cmocka_unit_test(test_again_after_failure),
        cmocka_unit_test(test_mechanisms),
        cmocka_unit_test(test_login_mechanism),
        cmocka_unit_test(test_cache_crossing),
        cmocka_unit_test(test_cache_asks_once),
        cmocka_unit_test(test_cache_file_changes),
        cmocka_unit_test(test_scram_feigned),
        cmocka_unit_test(test_scram_wrong),
        cmocka_unit_test(test_scram_pam_first),
        cmocka_unit_test(test_cleartext),
        cmocka_unit_test(test_protocol_errors),
        cmocka_unit_test(test_conn_ids),
        cmocka_unit_test(test_proxied),
        cmocka_unit_test(test_pam),
        cmocka_unit_test(test_pam_strange),
        cmocka_unit_test(test_slow_hash),
        cmocka_unit_test(test_helper_limit),
        cmocka_unit_test(test_master_gone),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_rcpt),
        cmocka_unit_test(test_rcpt_static),
        cmocka_unit_test(test_domain),
        cmocka_unit_test(test_too_many_failures),
        cmocka_unit_test(test_penalty),
        cmocka_unit_test(test_stop),
    };
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (mkdtemp(dir) == NULL || password_init() != 0 || null < 0)
        return 1;
    if (getenv("VERBOSE") == NULL)
        log_init("test", null, LOG_SINK_STREAM, LOG_LVL_DEBUG);
    snprintf(users, sizeof(users), "%s/users", dir);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(users);
    rmdir(dir);
    return rc;
}
