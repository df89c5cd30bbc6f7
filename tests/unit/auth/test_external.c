/* EXTERNAL over culver-auth's channels; a fake helper says whose certificate it is (what the real one thinks:
 * test_client_cert.c). */
#include "tests/unit/auth/world.h"

#define CONF                                                             \
    "auth_mechanisms = plain external\ntls_client_ca = /ca.pem\n"        \
    "auth_failure_delay = 1ms\nauth_allow_weak_schemes = yes\n"          \
    "mail_path = /mail/%n\n"                                             \
    "passdb f {\n driver = passwd-file\n file = @\n scheme = PLAIN\n}\n" \
    "userdb f {\n driver = passwd-file\n file = @\n}\n"
#define USERS                                                                                                   \
    "alice:pw\nbob:pw\nlocked:!pw\nnear:pw:::::: allow_nets=192.0.2.0/24\nfar:pw:::::: allow_nets=10.0.0.0/8\n" \
    "nologin:pw:::::: nologin\n"

static void send_piece(struct conn *c, size_t len)
{
    static const uint8_t bytes[PROTO_PIECE_MAX];
    const struct msg_handshake msg = {view_make(bytes, len)};
    struct buf body;
    buf_init(&body, IPC_MAX_BODY);
    msg_handshake_encode(&body, &msg);
    assert_int_equal(ipc_send(c->ch, IPC_CONN_HANDSHAKE, &body, NULL, 0), 0);
    buf_free(&body);
}

static void ask_nonce(struct conn *c)
{
    unsigned before = c->messages;
    assert_int_equal(ipc_send(c->ch, IPC_CONN_NONCE, NULL, NULL, 0), 0);
    await(c, before + 1, 2000);
}

static struct conn *conn_with_nonce(void)
{
    struct conn *c = conn_new();
    ask_nonce(c);
    assert_int_equal(c->last, IPC_AUTH_NONCE);
    assert_int_equal(c->len, PROTO_NONCE_LEN);
    return c;
}

/* The helper says that the certificate is name's (NULL: as w.answer is). */
static void external(struct conn *c, const char *name, struct view authzid)
{
    unsigned before = c->messages;
    if (name != NULL)
        w.answer = (struct msg_helper_result){.result = HELPER_OK, .name = view_str(name)};
    send_piece(c, 1000);
    send_auth(c, "EXTERNAL", true, &authzid);
    await(c, before + 1, 5000);
}

static void certificates(void)
{
    static const uint8_t digests[2 * PROTO_DIGEST_LEN];
    auth_server_set_certificates(w.server, view_make(digests, sizeof(digests)));
}

static void world(const char *more)
{
    char text[2048];
    snprintf(text, sizeof(text), "%s%s", more, CONF);
    world_new(text, USERS, ROLE_LOGIN);
    certificates();
}

static void test_pass(void **state)
{
    struct view none = VIEW("");
    (void)state;
    world("");
    struct conn *c = conn_with_nonce();
    char nonce[PROTO_NONCE_LEN];
    memcpy(nonce, c->data, sizeof(nonce));
    send_piece(c, PROTO_PIECE_MAX);
    send_piece(c, 1);
    w.answer = (struct msg_helper_result){.result = HELPER_OK, .name = VIEW("Alice")};
    send_auth(c, "EXTERNAL", true, &none);
    await(c, 2, 2000);
    assert_int_equal(c->last, IPC_AUTH_PASS);
    assert_string_equal(w.grant_name, "alice");
    assert_int_equal(w.asked, IPC_AUTH_CHECK_CERT);
    assert_int_equal(w.asked_handshake, PROTO_PIECE_MAX + 1);
    assert_memory_equal(w.asked_nonce, nonce, sizeof(nonce));
    assert_int_equal(w.asked_digests, 2 * PROTO_DIGEST_LEN);
    assert_int_equal(w.server->handshake_bytes, 0);
    /* The proof is not good twice. */
    send_piece(c, 1000);
    await(c, 3, 500);
    assert_true(c->closed);
    assert_int_equal(w.grants, 1);
    conn_free(c);
    world_free();
}

static void test_nonces_differ(void **state)
{
    (void)state;
    world("");
    struct conn *a = conn_with_nonce(), *b = conn_with_nonce();
    assert_memory_not_equal(a->data, b->data, PROTO_NONCE_LEN);
    conn_free(a);
    conn_free(b);
    world_free();
}

static void test_answers(void **state)
{
    const struct {
        const char *name;
        struct view authzid;
        enum auth_fail fail; /* 0: passes as */
        const char *as;
    } rows[] = {
        {"alice", VIEW("alice"), 0, "alice"},
        {"alice", VIEW("ALICE"), 0, "alice"},
        {"near", VIEW(""), 0, "near"},
        {"alice", VIEW("bob"), AUTH_FAIL_CREDENTIALS, NULL},
        {"alice", VIEW("al/ice"), AUTH_FAIL_CREDENTIALS, NULL},
        {"al/ice", VIEW(""), AUTH_FAIL_CREDENTIALS, NULL},
        {"al/ice", VIEW("alice"), AUTH_FAIL_CREDENTIALS, NULL},
        {"locked", VIEW(""), AUTH_FAIL_CREDENTIALS, NULL},
        {"far", VIEW(""), AUTH_FAIL_CREDENTIALS, NULL},
        {"nologin", VIEW(""), AUTH_FAIL_DISABLED, NULL},
        {"nobody", VIEW(""), AUTH_FAIL_CREDENTIALS, NULL},
        {"alice", view_make("a\0b", 3), AUTH_FAIL_MALFORMED, NULL},
        {"alice", VIEW("\xff"), AUTH_FAIL_MALFORMED, NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        world("");
        struct conn *c = conn_with_nonce();
        external(c, rows[i].name, rows[i].authzid);
        assert_int_equal(c->last, rows[i].fail == 0 ? IPC_AUTH_PASS : IPC_AUTH_FAIL);
        if (rows[i].fail == 0)
            assert_string_equal(w.grant_name, rows[i].as);
        else
            assert_int_equal(c->fail, rows[i].fail);
        assert_int_equal(w.grants, rows[i].fail == 0);
        assert_int_equal(w.server->handshake_bytes, 0);
        conn_free(c);
        world_free();
    }
}

static void test_helper_says_no(void **state)
{
    static const enum helper_result results[] = {HELPER_WRONG, HELPER_UNKNOWN, HELPER_EXPIRED, HELPER_TEMPORARY};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(results); i++) {
        world("");
        struct conn *c = conn_with_nonce();
        w.answer = (struct msg_helper_result){.result = results[i], .name = VIEW("alice")};
        external(c, NULL, VIEW("alice"));
        assert_int_equal(c->last, IPC_AUTH_FAIL);
        assert_int_equal(c->fail, results[i] == HELPER_WRONG ? AUTH_FAIL_CREDENTIALS : AUTH_FAIL_TEMPORARY);
        /* The next exchange needs a proof of its own. */
        struct view none = VIEW("");
        send_auth(c, "EXTERNAL", true, &none);
        await(c, 3, 500);
        assert_int_equal(c->fail, AUTH_FAIL_MECHANISM);
        assert_int_equal(w.grants, 0);
        conn_free(c);
        world_free();
    }
}

/* RFC 4422 3.4.1: who may be another is in a database of master users. */
static void test_master(void **state)
{
    static const struct {
        const char *name;
        struct view authzid;
        bool good;
    } rows[] = {
        {"alice", {(const uint8_t *)"bob", 3}, true},     /* alice is in that file too */
        {"guest", {(const uint8_t *)"bob", 3}, false},    /* unknown there */
        {"alice", {(const uint8_t *)"nobody", 6}, false}, /* nobody to be */
        {"bob*alice", {NULL, 0}, false},                  /* a certified name is not taken apart */
        {"alice", {(const uint8_t *)"bob*alice", 9}, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        world("auth_master_separator = *\npassdb m {\n driver = passwd-file\n file = @\n master = yes\n}\n");
        struct conn *c = conn_with_nonce();
        external(c, rows[i].name, rows[i].authzid);
        assert_int_equal(c->last, rows[i].good ? IPC_AUTH_PASS : IPC_AUTH_FAIL);
        if (rows[i].good)
            assert_string_equal(w.grant_name, "bob");
        conn_free(c);
        world_free();
    }
}

/* A user of no passdb; but not past one that is for clients elsewhere. */
static void test_unknown_to_passdbs(void **state)
{
    (void)state;
    for (int far = 0; far <= 1; far++) {
        char text[1024];
        snprintf(text, sizeof(text),
                 "auth_mechanisms = external\ntls_client_ca = /ca.pem\nauth_failure_delay = 1ms\n"
                 "passdb f {\n driver = passwd-file\n file = @\n%s}\nuserdb s {\n driver = static\n mail_path = /mail/%%n\n}\n",
                 far ? " allow_nets = 10.0.0.0/8\n" : "");
        world_new(text, "alice:{PLAIN}pw\n", ROLE_LOGIN);
        certificates();
        struct conn *c = conn_with_nonce();
        external(c, "guest", VIEW(""));
        assert_int_equal(c->last, far ? IPC_AUTH_FAIL : IPC_AUTH_PASS);
        conn_free(c);
        world_free();
    }
}

/* What a connection may not say costs it its channel, or is no proof. */
static void test_protocol(void **state)
{
    struct view none = VIEW("");
    (void)state;
    world("");
    struct conn *c = conn_with_nonce();
    ask_nonce(c); /* a second one */
    assert_true(c->closed);
    conn_free(c);
    c = conn_new();
    send_piece(c, 10); /* without a nonce */
    await(c, 1, 500);
    assert_true(c->closed);
    conn_free(c);
    c = conn_with_nonce(); /* more than a handshake */
    for (size_t n = 0; n <= PROTO_HANDSHAKE_MAX; n += PROTO_PIECE_MAX)
        send_piece(c, PROTO_PIECE_MAX);
    await(c, 2, 500);
    assert_true(c->closed);
    conn_free(c);
    turns(2);
    assert_int_equal(w.server->handshake_bytes, 0);
    c = conn_with_nonce(); /* within an exchange */
    send_piece(c, 10);
    send_auth(c, "EXTERNAL", true, NULL);
    await(c, 2, 500);
    assert_int_equal(c->last, IPC_AUTH_CHALLENGE);
    send_piece(c, 10);
    await(c, 3, 500);
    assert_true(c->closed);
    conn_free(c);
    turns(2);
    assert_int_equal(w.server->handshake_bytes, 0);
    c = conn_with_nonce(); /* no proof */
    send_auth(c, "EXTERNAL", true, &none);
    await(c, 2, 500);
    assert_int_equal(c->fail, AUTH_FAIL_MECHANISM);
    /* What came for another exchange is not there any more. */
    send_piece(c, 10);
    struct view wrong = BYTES("\0alice\0wrong");
    send_auth(c, "PLAIN", true, &wrong);
    await(c, 3, 2000);
    send_auth(c, "EXTERNAL", true, &none);
    await(c, 4, 500);
    assert_int_equal(c->fail, AUTH_FAIL_MECHANISM);
    assert_int_equal(w.nhelpers, 0);
    conn_free(c);
    world_free();
}

static void test_challenge_and_cancel(void **state)
{
    (void)state;
    world("");
    struct conn *c = conn_with_nonce();
    w.answer = (struct msg_helper_result){.result = HELPER_OK, .name = VIEW("alice")};
    send_piece(c, 10);
    send_auth(c, "EXTERNAL", true, NULL);
    await(c, 2, 500);
    assert_int_equal(c->last, IPC_AUTH_CHALLENGE);
    assert_int_equal(c->len, 0);
    assert_int_equal(ipc_send(c->ch, IPC_CONN_CANCEL, NULL, NULL, 0), 0);
    await(c, 3, 500);
    assert_int_equal(c->fail, AUTH_FAIL_CANCELLED);
    send_piece(c, 10);
    send_auth(c, "EXTERNAL", true, NULL);
    await(c, 4, 500);
    send_response(c, VIEW(""));
    await(c, 5, 2000);
    assert_int_equal(c->last, IPC_AUTH_PASS);
    conn_free(c);
    world_free();
}

static void test_not_offered(void **state)
{
    (void)state;
    world_new(FILE_CONF, USERS, ROLE_LOGIN);
    struct conn *c = conn_with_nonce();
    external(c, "alice", VIEW(""));
    assert_int_equal(c->fail, AUTH_FAIL_MECHANISM);
    assert_int_equal(w.nhelpers, 0);
    conn_free(c);
    world_free();
}

/* Without a certificate of this server (no TLS, or none that could be read) nothing is a proof. */
static void test_without_certificates(void **state)
{
    (void)state;
    world_new(CONF, USERS, ROLE_LOGIN);
    struct conn *c = conn_with_nonce();
    external(c, "alice", VIEW(""));
    assert_int_equal(c->last, IPC_AUTH_FAIL);
    assert_int_equal(c->fail, AUTH_FAIL_TEMPORARY);
    assert_int_equal(w.nhelpers, 0);
    conn_free(c);
    world_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pass),        cmocka_unit_test(test_nonces_differ),
        cmocka_unit_test(test_answers),     cmocka_unit_test(test_helper_says_no),
        cmocka_unit_test(test_master),      cmocka_unit_test(test_unknown_to_passdbs),
        cmocka_unit_test(test_protocol),    cmocka_unit_test(test_challenge_and_cancel),
        cmocka_unit_test(test_not_offered), cmocka_unit_test(test_without_certificates),
    };
    return world_main(tests, ARRAY_LEN(tests));
}
