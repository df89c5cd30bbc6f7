/* What stands between a claim and the databases: SCRAM keys, the cache, databases that deny, pass on or know masters. */
#include "tests/unit/auth/world.h"

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

static void write_beside(const char *suffix, const char *text)
{
    char path[96];
    snprintf(path, sizeof(path), "%s%s", users, suffix);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void remove_beside(const char *suffix)
{
    char path[96];
    snprintf(path, sizeof(path), "%s%s", users, suffix);
    (void)unlink(path);
}

/* One log-in on a connection of its own: 0 is a pass. */
static enum auth_fail try_plain(struct view message)
{
    struct conn *c = conn_new();
    plain(c, message);
    enum auth_fail fail = c->last == IPC_AUTH_PASS ? 0 : c->fail;
    assert_true(c->last == IPC_AUTH_PASS || c->last == IPC_AUTH_FAIL);
    conn_free(c);
    turns(2);
    return fail;
}

#define CHAIN_SET "auth_failure_delay = 5ms\nauth_allow_weak_schemes = yes\nmail_path = /mail/%n\n"
#define CHAIN_USERDB "userdb f {\n driver = passwd-file\n file = @\n}\n"
#define CHAIN_FILE(label, suffix, more) \
    "passdb " label " {\n driver = passwd-file\n file = @" suffix "\n scheme = PLAIN\n" more "}\n"

static void test_deny(void **state)
{
    char first[256];
    (void)state;
    write_beside(".deny", "mallory\nroot:x:::\n");
    /* It is asked first wherever it stands. */
    world_new(CHAIN_SET "auth_mechanisms = plain scram-sha-256\n" CHAIN_FILE("f", "", "")
                  CHAIN_FILE("d", ".deny", " deny = yes\n") CHAIN_USERDB,
              "alice:pw\nmallory:" STORED "\n", ROLE_LOGIN);
    w.answer.result = HELPER_WRONG; /* a slow hash stands in for those who have none */
    assert_int_equal(try_plain(BYTES("\0alice\0pw")), 0);
    assert_int_equal(try_plain(BYTES("\0Mallory\0pencil")), AUTH_FAIL_CREDENTIALS);
    assert_int_equal(try_plain(BYTES("\0root\0x")), AUTH_FAIL_CREDENTIALS);
    scram_first("mallory", true, first, sizeof(first));
    assert_string_not_equal(first, "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
    /* A list that cannot be read allows nobody. */
    remove_beside(".deny");
    assert_int_equal(try_plain(BYTES("\0alice\0pw")), AUTH_FAIL_TEMPORARY);
    world_free();
}

/* Clients of the tests come from 192.0.2.1. */
static void test_passdb_nets(void **state)
{
    (void)state;
    write_beside(".two", "alice:two\n");
    world_new(CHAIN_SET CHAIN_FILE("a", "", " allow_nets = 10.0.0.0/8, 2001:db8::/32\n")
                  CHAIN_FILE("b", ".two", " allow_nets = 192.0.2.0/24\n") CHAIN_USERDB,
              "alice:one\nbob:one\n", ROLE_LOGIN);
    assert_int_equal(try_plain(BYTES("\0alice\0one")), AUTH_FAIL_CREDENTIALS);
    assert_int_equal(try_plain(BYTES("\0bob\0one")), AUTH_FAIL_CREDENTIALS);
    assert_int_equal(try_plain(BYTES("\0alice\0two")), 0);
    remove_beside(".two");
    world_free();
}

static void test_results(void **state)
{
    (void)state;
    write_beside(".two", "alice:two\nbob:two\n");
    world_new(CHAIN_SET CHAIN_FILE("a", "", " result_failure = continue\n result_internalfail = continue\n")
                  CHAIN_FILE("b", ".two", "") CHAIN_USERDB,
              "alice:one\nbob:!\n", ROLE_LOGIN);
    assert_int_equal(try_plain(BYTES("\0alice\0one")), 0);
    assert_int_equal(try_plain(BYTES("\0alice\0two")), 0);
    assert_int_equal(try_plain(BYTES("\0alice\0three")), AUTH_FAIL_CREDENTIALS);
    /* Locked is no wrong password: it is not passed by. */
    assert_int_equal(try_plain(BYTES("\0bob\0two")), AUTH_FAIL_CREDENTIALS);
    world_free();
    remove_beside(".two");

    /* A database that cannot say, and one that can; who is unknown to that may be known to the other. */
    write_beside(".gone", "");
    world_new(CHAIN_SET CHAIN_FILE("a", ".gone", " result_internalfail = continue\n") CHAIN_FILE("b", "", "") CHAIN_USERDB,
              "alice:pw\n", ROLE_LOGIN);
    remove_beside(".gone");
    assert_int_equal(try_plain(BYTES("\0alice\0pw")), 0);
    assert_int_equal(try_plain(BYTES("\0alice\0no")), AUTH_FAIL_CREDENTIALS);
    assert_int_equal(try_plain(BYTES("\0nobody\0x")), AUTH_FAIL_TEMPORARY);
    world_free();
}

static void test_masters(void **state)
{
    (void)state;
    write_beside(".masters", "admin:{PLAIN}boss\n");
    world_new(CHAIN_SET "auth_master_separator = *\nauth_cache_ttl = 1min\n" CHAIN_FILE("m", ".masters", " master = yes\n")
                  CHAIN_FILE("f", "", "") CHAIN_USERDB,
              "alice:pw\nadmin:own\n", ROLE_LOGIN);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(try_plain(BYTES("\0Alice*Admin\0boss")), 0);
        assert_string_equal(w.grant_name, "alice");
        assert_true(w.grant_admin);
        assert_int_equal(try_plain(BYTES("alice\0admin\0boss")), 0);
        assert_string_equal(w.grant_name, "alice");
        assert_true(w.grant_admin);
        assert_int_equal(try_plain(BYTES("\0admin\0own")), 0);
        assert_string_equal(w.grant_name, "admin");
        assert_false(w.grant_admin);
        assert_int_equal(try_plain(BYTES("alice\0alice\0pw")), 0);
        assert_string_equal(w.grant_name, "alice");
        assert_false(w.grant_admin);
    }
    world_free();
    /* Each in a world of its own: failures make an address wait. */
    const struct view bad[] = {
        BYTES("\0alice*admin\0own"), /* admin's own password is not the master's */
        BYTES("\0alice*alice\0pw"),  /* who is no master */
        BYTES("alice\0admin\0own"),        BYTES("admin\0alice\0pw"),     BYTES("\0admin\0boss"), /* a master is nobody by himself
                                                                                                   */
        BYTES("\0nobody*admin\0boss"),     BYTES("\0*admin\0boss"),       BYTES("\0alice*\0boss"), BYTES("\0alice*admin*x\0boss"),
        BYTES("admin\0alice*admin\0boss"), /* two users at once */
        BYTES("\0al/ice*admin\0boss"),     BYTES("\0alice*ad/min\0boss"),
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        world_new(CHAIN_SET "auth_master_separator = *\n" CHAIN_FILE("m", ".masters", " master = yes\n")
                      CHAIN_FILE("f", "", "") "userdb s {\n driver = static\n}\n",
                  "alice:pw\nadmin:own\n", ROLE_LOGIN);
        assert_int_equal(try_plain(bad[i]), AUTH_FAIL_CREDENTIALS);
        assert_int_equal(w.grants, 0);
        world_free();
    }
    /* Without the separator, and without masters. */
    world_new(CHAIN_SET CHAIN_FILE("m", ".masters", " master = yes\n") CHAIN_FILE("f", "", "") CHAIN_USERDB, "alice:pw\n",
              ROLE_LOGIN);
    assert_int_equal(try_plain(BYTES("\0alice*admin\0boss")), AUTH_FAIL_CREDENTIALS);
    assert_int_equal(try_plain(BYTES("alice\0admin\0boss")), 0);
    world_free();
    world_new(CHAIN_SET "auth_master_separator = *\n" CHAIN_FILE("f", "", "") CHAIN_USERDB, "alice:pw\nadmin:boss\n", ROLE_LOGIN);
    assert_int_equal(try_plain(BYTES("\0alice*admin\0boss")), AUTH_FAIL_CREDENTIALS);
    world_free();
    remove_beside(".masters");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scram_feigned),  cmocka_unit_test(test_scram_wrong),     cmocka_unit_test(test_scram_pam_first),
        cmocka_unit_test(test_cache_crossing), cmocka_unit_test(test_cache_asks_once), cmocka_unit_test(test_cache_file_changes),
        cmocka_unit_test(test_deny),           cmocka_unit_test(test_passdb_nets),     cmocka_unit_test(test_results),
        cmocka_unit_test(test_masters),
    };
    return world_main(tests, ARRAY_LEN(tests));
}
