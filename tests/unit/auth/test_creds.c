/* App passwords and second factors: their files, and log-ins with them. */
#include "tests/unit/auth/world.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include <sodium.h>

#include "auth/creds.h"
#include "auth/factor.h"
#include "common/text/text.h"

static char folder[64];

static struct auth_name name_of(const char *text)
{
    struct auth_name n = {.len = strlen(text), .at = strlen(text)};
    memcpy(n.text, text, n.len);
    return n;
}

static void path_of(const char *user, const char *suffix, char out[static 128])
{
    uint8_t hash[16];
    struct buf b;
    crypto_generichash(hash, sizeof(hash), (const uint8_t *)user, strlen(user), NULL, 0);
    buf_init(&b, 128);
    buf_put_fmt(&b, "%s/", folder);
    hex_encode(&b, view_make(hash, sizeof(hash)));
    buf_put_str(&b, suffix);
    copy(out, 128, buf_view(&b));
    buf_free(&b);
}

static void folder_clear(void)
{
    static const char *const names[] = {"key", "lock", "new"};
    char path[128];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    for (unsigned i = 0; i < 2; i++) {
        path_of(i == 0 ? "alice" : "bob", "", path);
        unlink(path);
        path_of(i == 0 ? "alice" : "bob", ".used", path);
        unlink(path);
    }
    rmdir(folder);
}

static struct creds_store *store_new(void)
{
    struct creds_store *s = NULL;
    snprintf(folder, sizeof(folder), "%s/auth", dir);
    mkdir(folder, 0700);
    assert_int_equal(creds_store_open(folder, &s), 0);
    return s;
}

static struct creds sample(void)
{
    struct creds c = {.napps = 2, .totp = CREDS_TOTP_CONFIRMED, .step = 41};
    memset(c.secret, 0xa5, sizeof(c.secret));
    c.apps[0] = (struct app_password){.id = 1, .label = "my phone", .scopes = CREDS_IMAP | CREDS_SMTP, .created = 100};
    c.apps[1] = (struct app_password){.id = 0xffffffff, .label = "x", .scopes = CREDS_ALL, .created = 5, .expires = 9};
    memset(c.apps[1].hash, 0x3c, CREDS_HASH);
    return c;
}

static void test_text(void **state)
{
    struct auth_name alice = name_of("alice"), bob = name_of("bob");
    struct creds c = sample(), got;
    struct buf b;
    (void)state;
    buf_init(&b, CREDS_FILE_MAX);
    creds_put(&alice, &c, &b);
    assert_int_equal(creds_parse(buf_view(&b), &alice, &got), 0);
    assert_memory_equal(&got, &c, sizeof(c));
    /* Of somebody else; any part of it; any other byte in it. */
    assert_int_equal(creds_parse(buf_view(&b), &bob, &got), ERR_CORRUPT);
    for (size_t n = 0; n < buf_len(&b); n++)
        assert_int_equal(creds_parse(view_sub(buf_view(&b), 0, n), &alice, &got), ERR_CORRUPT);
    for (size_t i = 0; i < buf_len(&b); i++) {
        b.data[i] ^= 0x80;
        assert_int_equal(creds_parse(buf_view(&b), &alice, &got), ERR_CORRUPT);
        b.data[i] ^= 0x80;
    }
    buf_put_str(&b, "x");
    assert_int_equal(creds_parse(buf_view(&b), &alice, &got), ERR_CORRUPT);
    buf_free(&b);
}

static void test_store(void **state)
{
    struct auth_name alice = name_of("alice");
    struct creds c = sample(), got;
    struct stat st;
    char path[128];
    struct creds_store *s = store_new();
    (void)state;
    assert_int_equal(creds_load(s, &alice, &got), 0);
    assert_int_equal(got.napps, 0);
    assert_int_equal(creds_begin(s, &alice, &got), 0);
    assert_int_equal(creds_write(s, &alice, &c), 0);
    creds_end(s);
    creds_store_free(&s);
    s = store_new();
    assert_int_equal(creds_load(s, &alice, &got), 0);
    assert_memory_equal(&got, &c, sizeof(c));
    path_of("alice", "", path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    /* What a kill in the middle leaves is not looked at; damage is no absence. */
    char half[128];
    snprintf(half, sizeof(half), "%s/new", folder);
    int fd = open(half, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "culver-cred", 11), 11);
    close(fd);
    assert_int_equal(creds_load(s, &alice, &got), 0);
    assert_int_equal(truncate(path, st.st_size - 1), 0);
    assert_int_equal(creds_load(s, &alice, &got), ERR_CORRUPT);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(creds_load(s, &alice, &got), ERR_CORRUPT);
    assert_int_equal(factor_of(s, &alice, CREDS_ALL, VIEW("x"), 1).kind, FACTOR_ERROR);
    assert_int_equal(factor_none(s, &alice), ERR_CORRUPT);
    /* Nothing left is no file. */
    c = (struct creds){.napps = 0};
    assert_int_equal(creds_write(s, &alice, &c), 0);
    assert_int_equal(stat(path, &st), -1);
    creds_store_free(&s);
    folder_clear();
}

/* Two processes, as after a reload: one changes at a time, and nobody waits. */
static void test_lock(void **state)
{
    struct auth_name alice = name_of("alice");
    struct creds c;
    struct creds_store *a = store_new(), *b = store_new();
    (void)state;
    assert_int_equal(creds_begin(a, &alice, &c), 0);
    assert_int_equal(creds_begin(b, &alice, &c), ERR_BUSY);
    assert_int_equal(creds_load(b, &alice, &c), 0);
    creds_end(a);
    assert_int_equal(creds_begin(b, &alice, &c), 0);
    creds_end(b);
    creds_store_free(&a);
    creds_store_free(&b);
    folder_clear();
}

static void test_key_is_kept(void **state)
{
    struct auth_name alice = name_of("alice"), bob = name_of("bob");
    uint8_t one[CREDS_HASH], two[CREDS_HASH], third[CREDS_HASH], other[CREDS_HASH];
    struct creds_store *s = store_new();
    (void)state;
    creds_hash(s, &alice, VIEW("digest"), one);
    creds_hash(s, &bob, VIEW("digest"), other);
    creds_store_free(&s);
    s = store_new();
    creds_hash(s, &alice, VIEW("digest"), two);
    assert_memory_equal(one, two, sizeof(one));
    assert_memory_not_equal(one, other, sizeof(one));
    creds_store_free(&s);
    folder_clear();
    s = store_new(); /* another key */
    creds_hash(s, &alice, VIEW("digest"), third);
    assert_memory_not_equal(one, third, sizeof(one));
    creds_store_free(&s);
    folder_clear();
}

static void test_uses(void **state)
{
    struct auth_name alice = name_of("alice"), bob = name_of("bob");
    struct net_addr peer = {.family = 4, .ip = {192, 0, 2, 1}};
    struct creds_use uses[CREDS_APPS_MAX];
    struct creds_store *s = store_new();
    size_t n;
    (void)state;
    creds_used(s, &alice, 7, 1000, &peer);
    creds_used(s, &bob, 8, 1001, &peer);
    creds_used(s, &alice, 7, 1002, &peer);
    creds_used(s, &alice, 9, 1003, &peer);
    creds_uses(s, &alice, uses, &n); /* before it is written */
    assert_int_equal(n, 2);
    creds_store_free(&s);
    s = store_new();
    creds_uses(s, &alice, uses, &n);
    assert_int_equal(n, 2);
    assert_int_equal(uses[0].id, 7);
    assert_int_equal(uses[0].time, 1002);
    assert_string_equal(uses[0].from, "192.0.2.1");
    assert_int_equal(uses[1].id, 9);
    /* Any number of them between two writes. */
    for (unsigned i = 1; i <= 3000; i++)
        creds_used(s, i % 2 == 0 ? &alice : &bob, i, i, &peer);
    creds_uses(s, &bob, uses, &n);
    assert_int_equal(n, CREDS_APPS_MAX);
    creds_store_free(&s);
    folder_clear();
}

/* --- log-ins ---------------------------------------------------------------------------------------------------------------- */

static void creds_world_new(const char *conf, const char *lines)
{
    world_new(conf, lines, ROLE_LOGIN);
    auth_server_set_creds(w.server, store_new());
}

static void creds_world_free(void)
{
    world_free();
    folder_clear();
}

/* The text of a new app password of alice's. */
static void app_add(unsigned scopes, uint64_t expires, char text[static APP_PASSWORD_TEXT])
{
    struct auth_name alice = name_of("alice");
    uint8_t bytes[APP_PASSWORD_BYTES], digest[APP_PASSWORD_DIGEST];
    struct creds c;
    app_password_make(bytes, text);
    app_password_digest(bytes, digest);
    assert_int_equal(creds_begin(w.server->creds, &alice, &c), 0);
    struct app_password *a = &c.apps[c.napps++];
    *a = (struct app_password){.id = (uint32_t)c.napps, .label = "test", .scopes = scopes, .created = 1, .expires = expires};
    creds_hash(w.server->creds, &alice, view_make(digest, sizeof(digest)), a->hash);
    assert_int_equal(creds_write(w.server->creds, &alice, &c), 0);
    creds_end(w.server->creds);
}

static const uint8_t secret[TOTP_SECRET] = "12345678901234567890";

static void totp_on(void)
{
    struct auth_name alice = name_of("alice");
    struct creds c;
    assert_int_equal(creds_begin(w.server->creds, &alice, &c), 0);
    c.totp = CREDS_TOTP_CONFIRMED;
    memcpy(c.secret, secret, sizeof(secret));
    assert_int_equal(creds_write(w.server->creds, &alice, &c), 0);
    creds_end(w.server->creds);
}

/* A log-in on a new connection: IPC_AUTH_PASS, or the reason of the failure. */
static int login(const char *user, const char *password, enum proto_protocol protocol)
{
    char message[256];
    struct conn *c = xcalloc(1, sizeof(*c));
    c->id = ++w.next_id;
    struct msg_conn msg = conn_msg(c, protocol);
    /* Failures are not what is looked at here. */
    msg.peer = (struct net_addr){.family = 4, .ip = {127, 0, 0, 1}, .port = 1};
    conn_open(c, &msg);
    int n = snprintf(message, sizeof(message), "%c%s%c%s", 0, user, 0, password);
    send_auth(c, "PLAIN", true, &(struct view){(const uint8_t *)message, (size_t)n});
    await(c, 1, 3000);
    int result = c->last == IPC_AUTH_PASS ? 0 : (int)c->fail;
    conn_free(c);
    turns(3);
    return result;
}

static void test_app_login(void **state)
{
    char all[APP_PASSWORD_TEXT], pop[APP_PASSWORD_TEXT], old[APP_PASSWORD_TEXT];
    (void)state;
    creds_world_new(FILE_CONF "auth_cache_ttl = 1h\n", "alice:pw\nbob:pw\n");
    app_add(CREDS_ALL, 0, all);
    app_add(CREDS_POP3, (uint64_t)time(NULL) + 1000, pop);
    app_add(CREDS_ALL, (uint64_t)time(NULL) - 1, old);
    assert_int_equal(login("alice", all, PROTO_IMAP), 0);
    assert_int_equal(login("ALICE", all, PROTO_POP3), 0);
    assert_int_equal(login("alice", "pw", PROTO_IMAP), 0);
    assert_int_equal(login("alice", pop, PROTO_POP3), 0);
    assert_int_equal(login("alice", pop, PROTO_IMAP), AUTH_FAIL_CREDENTIALS);
    assert_int_equal(login("alice", old, PROTO_IMAP), AUTH_FAIL_CREDENTIALS);
    assert_int_equal(login("bob", all, PROTO_IMAP), AUTH_FAIL_CREDENTIALS);
    all[0] = all[0] == 'a' ? 'b' : 'a';
    assert_int_equal(login("alice", all, PROTO_IMAP), AUTH_FAIL_CREDENTIALS);
    creds_world_free();
}

/* Who may not log in may not with an app password either. */
static void test_app_account(void **state)
{
    static const struct {
        const char *lines;
        int result;
    } rows[] = {
        {"alice:pw:::::: nologin\n", AUTH_FAIL_DISABLED},
        {"alice:!pw\n", AUTH_FAIL_CREDENTIALS},
        {"alice:pw:::::: allow_nets=192.0.2.0/24\n", AUTH_FAIL_CREDENTIALS},
        {"bob:pw\n", AUTH_FAIL_CREDENTIALS},
    };
    char text[APP_PASSWORD_TEXT];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        creds_world_new(FILE_CONF, rows[i].lines);
        app_add(CREDS_ALL, 0, text);
        assert_int_equal(login("alice", text, PROTO_IMAP), rows[i].result);
        creds_world_free();
    }
}

static void test_app_pam(void **state)
{
    static const struct {
        enum helper_result answer;
        int result;
    } rows[] = {{HELPER_OK, 0},
                {HELPER_EXPIRED, AUTH_FAIL_DISABLED},
                {HELPER_UNKNOWN, AUTH_FAIL_CREDENTIALS},
                {HELPER_TEMPORARY, AUTH_FAIL_TEMPORARY}};
    char text[APP_PASSWORD_TEXT];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        creds_world_new("auth_failure_delay = 40ms\nmail_path = /m/%n\npassdb p {\n driver = pam\n}\n"
                        "userdb s {\n driver = static\n uid = 1000\n gid = 1000\n}\n",
                        "");
        app_add(CREDS_ALL, 0, text);
        w.answer = (struct msg_helper_result){.result = rows[i].answer};
        assert_int_equal(login("alice", text, PROTO_IMAP), rows[i].result);
        assert_int_equal(w.asked, IPC_AUTH_CHECK_PAM);
        assert_true(w.asked_account);
        assert_string_equal(w.asked_password, "");
        creds_world_free();
    }
}

static void with_code(char out[static 64], const char *password, int64_t steps_away)
{
    char code[TOTP_DIGITS + 1];
    totp_code(secret, (uint64_t)((int64_t)time(NULL) / TOTP_STEP + steps_away), code);
    snprintf(out, 64, "%s%s", password, code);
}

static void test_totp_login(void **state)
{
    char good[64], next[64], far[64], wrong[64], app[APP_PASSWORD_TEXT];
    (void)state;
    creds_world_new(FILE_CONF "auth_cache_ttl = 1h\n", "alice:pw\nbob:pw\n");
    assert_int_equal(login("alice", "pw", PROTO_IMAP), 0); /* the cache knows it now */
    totp_on();
    app_add(CREDS_ALL, 0, app);
    with_code(good, "pw", 0);
    with_code(next, "pw", 1);
    with_code(far, "pw", 3);
    with_code(wrong, "no", 1);
    assert_int_equal(login("alice", "pw", PROTO_IMAP), AUTH_FAIL_CREDENTIALS);
    assert_int_equal(login("alice", far, PROTO_IMAP), AUTH_FAIL_CREDENTIALS);
    assert_int_equal(login("alice", wrong, PROTO_IMAP), AUTH_FAIL_CREDENTIALS);
    assert_int_equal(login("alice", good, PROTO_IMAP), 0);
    assert_int_equal(login("alice", good, PROTO_IMAP), AUTH_FAIL_CREDENTIALS); /* once */
    assert_int_equal(login("alice", next, PROTO_POP3), 0);
    assert_int_equal(login("alice", good, PROTO_IMAP), AUTH_FAIL_CREDENTIALS); /* nor after a later one */
    assert_int_equal(login("alice", app, PROTO_IMAP), 0);
    assert_int_equal(login("bob", "pw", PROTO_IMAP), 0);
    creds_world_free();
}

/* A used code stays used when the server comes back. */
static void test_totp_restart(void **state)
{
    struct auth_name alice = name_of("alice");
    char good[64];
    (void)state;
    creds_world_new(FILE_CONF, "alice:pw\n");
    totp_on();
    with_code(good, "pw", 0);
    struct factor f = factor_of(w.server->creds, &alice, 0, view_str(good), (uint64_t)time(NULL));
    assert_int_equal(f.kind, FACTOR_CODE);
    assert_int_equal(f.cut, TOTP_DIGITS);
    assert_true(f.step != 0);
    struct creds_store *second = store_new(); /* two that have found the same code good */
    assert_int_equal(factor_use(w.server->creds, &alice, f.step), 0);
    assert_int_equal(factor_use(second, &alice, f.step), ERR_DENIED);
    assert_int_equal(factor_of(second, &alice, 0, view_str(good), (uint64_t)time(NULL)).step, 0);
    creds_store_free(&second);
    creds_world_free();
}

/* Somebody who has the password guesses codes: few of them are looked at. */
static void test_totp_guessing(void **state)
{
    struct penalty *p = penalty_new(0);
    (void)state;
    for (unsigned i = 0; i < PENALTY_CODES_FREE; i++) {
        assert_true(penalty_code_admit(p, 1000, VIEW("alice")));
        penalty_code_failed(p, 1000, VIEW("alice"));
    }
    assert_true(penalty_code_admit(p, 1000, VIEW("alice")));
    assert_false(penalty_code_admit(p, 1000, VIEW("alice")));
    assert_false(penalty_code_admit(p, 1000 + PENALTY_CODE_MS - 1, VIEW("alice")));
    assert_true(penalty_code_admit(p, 1000 + PENALTY_CODE_MS, VIEW("alice")));
    assert_true(penalty_code_admit(p, 1000, VIEW("bob")));
    penalty_free(&p);
}

/* SCRAM has no place for a code: the exchange goes to its end, and fails there like any other. */
static void test_totp_scram(void **state)
{
    struct auth_name alice = name_of("alice");
    struct conn *c;
    const struct view first = BYTES("n,,n=alice,r=abcdefghijklmnopqrst");
    (void)state;
    creds_world_new(FILE_CONF "auth_mechanisms = scram-sha-256\n", "alice:pw\n");
    totp_on();
    assert_int_equal(factor_none(w.server->creds, &alice), ERR_DENIED);
    c = conn_new();
    send_auth(c, "SCRAM-SHA-256", true, &first);
    await(c, 1, 1000);
    assert_int_equal(c->last, IPC_AUTH_CHALLENGE);
    conn_free(c);
    creds_world_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),         cmocka_unit_test(test_store),         cmocka_unit_test(test_lock),
        cmocka_unit_test(test_key_is_kept),  cmocka_unit_test(test_uses),          cmocka_unit_test(test_app_login),
        cmocka_unit_test(test_app_account),  cmocka_unit_test(test_app_pam),       cmocka_unit_test(test_totp_login),
        cmocka_unit_test(test_totp_restart), cmocka_unit_test(test_totp_guessing), cmocka_unit_test(test_totp_scram),
    };
    return world_main(tests, ARRAY_LEN(tests));
}
