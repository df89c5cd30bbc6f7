/* SCRAM for users behind helpers: which record a proof is held against, what several databases together make of it, and what is
 * shown for users whom none of them knows. */
#include "tests/unit/auth/world.h"

#include "tests/unit/auth/scram_client.h"

#define SALT_A "W22ZaJ0SNY7soEsUEjb6gQ=="
#define SALT_B "QSXCR+Q6sek8bf92gRLqFA=="

#define DB "database d {\n driver = sqlite\n file = /x\n connections = 2\n timeout = 500ms\n}\n"
#define PASSDB(label, more) "passdb " label " {\n driver = sql\n database = d\n query = SELECT :user\n" more "}\n"
#define USERDB "userdb u {\n driver = sql\n database = d\n query = SELECT :user\n mail_path = /mail/%n\n uid = 5\n gid = 5\n}\n"
#define HEAD "auth_mechanisms = plain scram-sha-256 scram-sha-1\nauth_failure_delay = 40ms\nauth_allow_weak_schemes = yes\n" DB
#define CONF(passdbs) HEAD passdbs USERDB

/* "{SCRAM-SHA-256}..." of this password. */
static void stored(enum scram_hash hash, const char *salt, unsigned rounds, const char *password, char *out, size_t size)
{
    struct scram_keys keys = {.hash = hash, .rounds = rounds};
    struct buf b;
    buf_init(&b, 1024);
    assert_int_equal(base64_decode(&b, view_str(salt)), 0);
    keys.salt_len = buf_len(&b);
    memcpy(keys.salt, buf_view(&b).ptr, keys.salt_len);
    assert_int_equal(scram_keys_derive(&keys, view_str(password)), 0);
    buf_reset(&b);
    buf_put_fmt(&b, "{%s}", scram_hash_name(hash));
    scram_keys_put(&keys, &b);
    snprintf(out, size, "%.*s", (int)buf_len(&b), (const char *)buf_view(&b).ptr);
    buf_free(&b);
}

static void field_add(struct db_script *s, const char *name, const char *value)
{
    struct buf b;
    buf_init(&b, sizeof(s->record) - s->len);
    db_field_put(&b, view_str(name), view_str(value));
    assert_true(buf_ok(&b));
    memcpy(s->record + s->len, buf_view(&b).ptr, buf_len(&b));
    s->len += buf_len(&b);
    buf_free(&b);
}

/* What a database says of every user: "no", "down", "a:password" and "b:password" for keys with one or the other salt,
 * "hash:..." for something else, "off:password" and "off-hash:..." for those of one who may not log in. */
static struct db_script *says(const char *label, const char *what)
{
    struct db_script *s = &w.scripts[w.nscripts++];
    char text[256];
    const char *password = strchr(what, ':');
    s->section = label;
    s->result = strcmp(what, "no") == 0 ? HELPER_UNKNOWN : strcmp(what, "down") == 0 ? HELPER_TEMPORARY : HELPER_OK;
    if (password == NULL)
        return s;
    if (what[0] == 'h' || strncmp(what, "off-", 4) == 0)
        snprintf(text, sizeof(text), "%s", password + 1);
    else
        stored(SCRAM_SHA256, what[0] == 'b' ? SALT_B : SALT_A, 4096, password + 1, text, sizeof(text));
    field_add(s, "password", text);
    if (what[0] == 'o')
        field_add(s, "nologin", "1");
    return s;
}

/* A whole exchange. 0: passed; else the failure. shown: the server's first answer behind its nonce; may be NULL. */
static enum auth_fail scram(const char *mech, const char *user, const char *password, char *shown, size_t size)
{
    char bare[64], first[256];
    struct conn *c = conn_new();
    struct buf out, expected;
    const EVP_MD *md = strcmp(mech, "SCRAM-SHA-1") == 0 ? EVP_sha1() : EVP_sha256();
    snprintf(bare, sizeof(bare), "n=%s,r=clientnonce", user);
    snprintf(first, sizeof(first), "n,,%s", bare);
    struct view v = view_str(first);
    send_auth(c, mech, true, &v);
    await(c, 1, 2000);
    if (c->last == IPC_AUTH_CHALLENGE) {
        buf_init(&out, 1024);
        buf_init(&expected, 256);
        client_final(md, password, bare, view_str(c->data), VIEW("n,,"), &out, &expected);
        if (shown != NULL)
            snprintf(shown, size, "%s", strchr(c->data, ',') + 1);
        send_response(c, buf_view(&out));
        await(c, 2, 2000);
        if (c->last == IPC_AUTH_CHALLENGE) {
            assert_view(buf_view(&expected), c->data);
            send_response(c, VIEW(""));
            await(c, 3, 2000);
        }
        buf_free(&out);
        buf_free(&expected);
    }
    assert_true(c->last == IPC_AUTH_FAIL || c->last == IPC_AUTH_PASS);
    enum auth_fail result = c->last == IPC_AUTH_FAIL ? c->fail : 0;
    conn_free(c);
    turns(2);
    return result;
}

#define GOOD 0
#define BAD AUTH_FAIL_CREDENTIALS
#define DOWN AUTH_FAIL_TEMPORARY

/* Databases a and b in this order. A client proves one record. */
static void test_chain(void **state)
{
    static const struct {
        const char *a_settings, *b_settings, *a, *b;
        enum auth_fail result;
    } rows[] = {
        {"", "", "a:secret", "down", GOOD},
        {"", "", "a:other", "b:secret", BAD},
        {"", "", "down", "b:secret", DOWN},
        {"", "", "no", "b:secret", GOOD},
        {"", "", "no", "no", BAD},
        {"", "", "no", "down", DOWN},
        {"", "", "hash:{SSHA}x", "b:secret", BAD},
        {"", "", "hash:!", "b:secret", BAD},
        {"", "", "off:secret", "b:secret", AUTH_FAIL_DISABLED},
        {"", "", "off:other", "b:secret", BAD},
        {"result_internalfail = continue\n", "", "down", "b:secret", GOOD},
        {"result_internalfail = continue\n", "", "down", "no", DOWN},
        {"result_internalfail = continue\n", "", "down", "b:other", BAD},
        /* Who has no keys there is as one with a wrong password. */
        {"result_failure = continue\n", "", "hash:{SSHA}x", "b:secret", GOOD},
        {"result_failure = continue\n", "", "hash:{SSHA}x", "no", BAD},
        {"result_failure = continue\n", "", "hash:{SSHA}x", "down", DOWN},
        {"result_failure = continue\n", "", "a:secret", "b:other", GOOD},
        {"result_failure = continue\n", "", "a:other", "b:secret", BAD}, /* one exchange, one record */
        {"result_failure = continue-fail\n", "", "hash:{SSHA}x", "b:secret", GOOD},
        {"result_failure = return\n", "", "hash:{SSHA}x", "b:secret", BAD},
        /* Who is barred by one record is not let in by another, whose password may be the same. */
        {"result_failure = continue\n", "", "off-hash:{SSHA}x", "b:secret", BAD},
        {"result_failure = continue\n", "", "off-hash:!", "b:secret", GOOD}, /* no password is right there */
        {"result_success = continue\nresult_failure = continue\n", "", "off:other", "b:secret", BAD},
        {"result_success = continue-ok\n", "result_failure = continue\n", "a:secret", "off:x", AUTH_FAIL_DISABLED},
        {"result_success = continue-ok\n", "result_failure = continue\n", "a:secret", "off-hash:{SSHA}x", AUTH_FAIL_DISABLED},
        {"result_success = continue-ok\n", "result_failure = continue\n", "a:other", "off:secret", BAD},
        /* A right password there does not count: another record has to be proven, unless that one would have to be too. */
        {"result_success = continue\n", "", "a:secret", "b:secret", BAD},
        {"result_success = continue\nresult_failure = continue\n", "", "a:other", "b:secret", GOOD},
        {"result_success = continue\nresult_failure = continue\n", "", "a:secret", "no", BAD},
        {"result_success = return-fail\n", "", "a:secret", "b:secret", BAD},
        {"result_success = return-fail\nresult_failure = continue\n", "", "a:other", "b:secret", BAD},
        {"result_success = return\n", "", "a:secret", "b:secret", BAD},
        {"result_success = continue-fail\nresult_failure = continue\n", "", "a:secret", "b:secret", GOOD},
        /* A right one counts, unless a later database has something against it; whether it is right there cannot be known. */
        {"result_success = continue-ok\n", "", "a:secret", "no", GOOD},
        {"result_success = continue-ok\n", "", "a:other", "no", BAD},
        {"result_success = continue-ok\n", "", "a:secret", "b:secret", BAD},
        {"result_success = continue-ok\n", "", "a:secret", "hash:{SSHA}x", BAD},
        {"result_success = continue-ok\n", "", "a:secret", "down", DOWN},
        {"result_success = continue-ok\n", "result_internalfail = return\n", "a:secret", "down", GOOD},
        {"result_success = continue-ok\n", "result_failure = return\n", "a:secret", "b:secret", GOOD},
        {"result_success = continue-ok\n", "result_failure = continue\n", "a:secret", "b:other", GOOD},
        {"result_success = continue-ok\n", "result_failure = continue\n", "a:other", "b:secret", BAD},
        {"result_success = continue-ok\n", "result_failure = continue-fail\n", "a:secret", "b:secret", BAD},
        {"result_success = continue-ok\n", "result_failure = continue\nresult_success = return-fail\n", "a:secret", "b:x", BAD},
        {"result_success = continue-ok\n", "result_failure = continue\nresult_success = continue-fail\n", "a:secret", "b:x", BAD},
    };
    char conf[2048];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        snprintf(conf, sizeof(conf), HEAD PASSDB("a", "%s") PASSDB("b", "%s") "%s", rows[i].a_settings, rows[i].b_settings,
                 USERDB);
        world_new(conf, "", ROLE_LOGIN);
        says("a", rows[i].a);
        says("b", rows[i].b);
        says("u", "ok");
        enum auth_fail got = scram("SCRAM-SHA-256", "alice", "secret", NULL, 0);
        if (got != rows[i].result)
            fail_msg("%sa %s; %sb %s: %d instead of %d", rows[i].a_settings, rows[i].a, rows[i].b_settings, rows[i].b, got,
                     rows[i].result);
        assert_int_equal(w.grants, rows[i].result == GOOD ? 1 : 0);
        world_free();
    }
}

/* Several forms of one password: each mechanism takes its own. */
static void test_forms(void **state)
{
    char text[256], shown[128];
    (void)state;
    world_new(CONF(PASSDB("a", "")), "", ROLE_LOGIN);
    struct db_script *s = says("a", "hash:{SSHA}+RsuSTrEcIi8C6kPYWVF79KkcYVzYWx0c2FsdA==");
    stored(SCRAM_SHA1, SALT_B, 5000, "secret", text, sizeof(text));
    field_add(s, "password", text);
    says("u", "ok");
    assert_int_equal(scram("SCRAM-SHA-256", "alice", "secret", shown, sizeof(shown)), BAD);
    assert_int_equal(scram("SCRAM-SHA-1", "alice", "secret", shown, sizeof(shown)), GOOD);
    assert_string_equal(shown, "s=" SALT_B ",i=5000");
    stored(SCRAM_SHA256, SALT_A, 6000, "secret", text, sizeof(text));
    s->len = 0;
    /* Keys before the password itself; a form that cannot be read takes nothing from the others. */
    field_add(s, "password", "{PLAIN}secret");
    field_add(s, "password", "{SCRAM-SHA-1}nothing");
    field_add(s, "password", text);
    assert_int_equal(scram("SCRAM-SHA-256", "alice", "secret", shown, sizeof(shown)), GOOD);
    assert_string_equal(shown, "s=" SALT_A ",i=6000");
    assert_int_equal(scram("SCRAM-SHA-1", "alice", "secret", shown, sizeof(shown)), GOOD);
    assert_string_equal(shown + strlen(shown) - 7, ",i=4096");
    struct conn *c = conn_new();
    plain(c, BYTES("\0alice\0secret"));
    assert_int_equal(c->last, IPC_AUTH_PASS);
    conn_free(c);
    /* One that locks the user does, wherever it stands. */
    field_add(s, "password", "!");
    assert_int_equal(scram("SCRAM-SHA-256", "alice", "secret", NULL, 0), BAD);
    c = conn_new();
    plain(c, BYTES("\0alice\0secret"));
    assert_int_equal(c->last, IPC_AUTH_FAIL);
    assert_int_equal(c->fail, BAD);
    conn_free(c);
    world_free();
}

/* With bind the directory has the passwords, and nobody else. */
static void test_bind(void **state)
{
    (void)state;
    world_new("auth_mechanisms = plain scram-sha-256\nauth_failure_delay = 40ms\n"
              "database d {\n driver = ldap\n connect = ldap://127.0.0.1/\n}\n"
              "passdb a {\n driver = ldap\n database = d\n base = dc=x\n bind = yes\n}\n"
              "userdb s {\n driver = static\n mail_path = /mail/%n\n}\n",
              "", ROLE_LOGIN);
    says("a", "a:secret");
    assert_int_equal(scram("SCRAM-SHA-256", "alice", "secret", NULL, 0), BAD);
    world_free();
}

static void rounds_of(const char *user, char *out, size_t size)
{
    char shown[128];
    assert_int_equal(scram("SCRAM-SHA-256", user, "wrong", shown, sizeof(shown)), BAD);
    snprintf(out, size, "%s", shown);
}

/* What is made up looks as what users were seen with, and stays. */
static void test_feigned(void **state)
{
    char first[128], again[128];
    (void)state;
    world_new(CONF(PASSDB("a", "")), "", ROLE_LOGIN);
    struct db_script *s = says("a", "a:secret");
    char text[256];
    s->len = 0;
    stored(SCRAM_SHA256, "c2FsdHNhbHQ=", 7000, "secret", text, sizeof(text));
    field_add(s, "password", text);
    rounds_of("alice", first, sizeof(first));
    assert_string_equal(first, "s=c2FsdHNhbHQ=,i=7000");
    s->result = HELPER_UNKNOWN;
    s->len = 0;
    rounds_of("nobody", first, sizeof(first));
    assert_int_equal(strlen(first), strlen("s=c2FsdHNhbHQ=,i=7000"));
    assert_string_equal(first + strlen(first) - 7, ",i=7000");
    rounds_of("Nobody", again, sizeof(again));
    assert_string_equal(first, again);
    /* The same for a user whose record does not serve, and for a name that cannot be. */
    rounds_of("no/body", again, sizeof(again));
    assert_string_equal(again + strlen(again) - 7, ",i=7000");
    assert_string_not_equal(first, again);
    s->result = HELPER_OK;
    field_add(s, "password", "{SSHA}x");
    rounds_of("nobody", again, sizeof(again));
    assert_string_equal(first, again);
    world_free();
}

/* A client that leaves while a database is asked, and one whose database dies. */
static void test_interrupted(void **state)
{
    struct view v = VIEW("n,,n=alice,r=clientnonce");
    (void)state;
    world_new(CONF(PASSDB("a", "")), "", ROLE_LOGIN);
    says("a", "a:secret");
    w.mode = MODE_HANG;
    struct conn *c = conn_new();
    send_auth(c, "SCRAM-SHA-256", true, &v);
    turns(4);
    send_response(c, VIEW("x")); /* no answer was asked for: the channel ends */
    await(c, 1, 500);
    assert_true(c->closed);
    conn_free(c);
    turns(2);
    w.mode = MODE_DIE;
    c = conn_new();
    send_auth(c, "SCRAM-SHA-256", true, &v);
    await(c, 1, 4000);
    assert_int_equal(c->last, IPC_AUTH_FAIL);
    assert_int_equal(c->fail, DOWN);
    conn_free(c);
    world_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),   cmocka_unit_test(test_forms),       cmocka_unit_test(test_bind),
        cmocka_unit_test(test_feigned), cmocka_unit_test(test_interrupted),
    };
    return world_main(tests, ARRAY_LEN(tests));
}
