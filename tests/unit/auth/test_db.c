/* Users in databases behind helpers: records, the pool of helpers, and what several databases together say. */
#include "tests/unit/auth/world.h"

#include "auth/db_record.h"

static struct buf record;

static struct view rec(const char *name, const char *value, ...)
{
    va_list args;
    buf_free(&record);
    buf_init(&record, PROTO_RECORD_MAX);
    va_start(args, value);
    for (; name != NULL; name = va_arg(args, const char *), value = name != NULL ? va_arg(args, const char *) : NULL)
        db_field_put(&record, view_str(name), view_str(value));
    va_end(args);
    assert_true(buf_ok(&record));
    return buf_view(&record);
}

static void test_record(void **state)
{
    struct passwd_line l;
    const char *why;
    (void)state;
    assert_int_equal(
        db_record_parse(rec("Password", "{PLAIN}x", "password", "other", "UID", "1000", "gid", "100", "home", "/home/a",
                            "userdb_mail", "~/m", "quota_bytes", "5", "userdb_quota_messages", "6", "capability_disable", "IDLE",
                            "nologin", "No", "allow_nets", "10.0.0.0/8", "colour", "red", "user", "b", "mail_format", "Maildir",
                            "sessions_max", "9", "sessions_per_address", "10000", NULL),
                        &l, &why),
        0);
    assert_view(l.password, "{PLAIN}x");
    assert_true(l.uid.number && l.uid.value == 1000 && l.gid.number && l.gid.value == 100 && !l.nologin && l.has_allow_nets);
    assert_view(l.home, "/home/a");
    assert_view(l.mail, "~/m");
    assert_view(l.user, "b");
    assert_view(l.capability_disable, "IDLE");
    assert_true(l.format == USER_FORMAT_MAILDIR && l.sessions_max == 9 && l.sessions_per_address == 10000);
    assert_true(l.has_quota_bytes && l.quota_bytes == 5 && l.has_quota_messages && l.quota_messages == 6);
    assert_int_equal(db_record_parse(rec("nologin", "1", "quota_rule", "*:storage=1K", NULL), &l, &why), 0);
    assert_true(l.nologin && l.quota_bytes == 1024);
    assert_int_equal(db_record_parse(view_make(NULL, 0), &l, &why), 0);
    static const char *const bad[][2] = {{"uid", "1x"},
                                         {"gid", "4294967295"},
                                         {"home", "here"},
                                         {"quota_bytes", ""},
                                         {"quota_messages", "99999999999999999999"},
                                         {"mail_format", "mbox"},
                                         {"sessions_max", "0"},
                                         {"sessions_max", ""},
                                         {"sessions_per_address", "10001"}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(db_record_parse(rec(bad[i][0], bad[i][1], NULL), &l, &why), ERR_SYNTAX);
    assert_int_equal(db_record_parse(VIEW("\1\0a"), &l, &why), ERR_SYNTAX);
    buf_free(&record);
}

#define DB(more) "database d {\n driver = sqlite\n file = /x\n connections = 2\n timeout = 500ms\n}\n" more
#define PASSDB(label, more) \
    "passdb " label " {\n driver = sql\n database = d\n query = SELECT :user\n scheme = PLAIN\n" more "}\n"
#define USERDB "userdb u {\n driver = sql\n database = d\n query = SELECT :user\n mail_path = /mail/%n\n uid = 5\n gid = 5\n}\n"
#define CONF(passdbs) "auth_failure_delay = 40ms\nauth_allow_weak_schemes = yes\n" DB(passdbs USERDB)

/* The beginning of CONF, up to further settings of passdb a. */
#define CONF_OF_A                                                    \
    "auth_failure_delay = 40ms\nauth_allow_weak_schemes = yes\n" DB( \
        "passdb a {\n driver = sql\n database = d\n query = SELECT :user\n scheme = PLAIN\n")

/* What the databases say of alice: "ok:password", "no", "down". */
static void says(const char *label, const char *what)
{
    struct db_script *s = &w.scripts[w.nscripts++];
    s->section = label;
    s->result = strcmp(what, "no") == 0 ? HELPER_UNKNOWN : strcmp(what, "down") == 0 ? HELPER_TEMPORARY : HELPER_OK;
    if (s->result == HELPER_OK) {
        struct view r = rec("password", what + 3, NULL);
        memcpy(s->record, r.ptr, r.len);
        s->len = r.len;
    }
}

static struct conn *log_in(void)
{
    struct conn *c = conn_new();
    plain(c, BYTES("\0alice\0secret"));
    return c;
}

static void expect(const char *conf, const char *a, const char *b, enum auth_fail want)
{
    world_new(conf, "", ROLE_LOGIN);
    says("a", a);
    says("b", b);
    says("u", "ok:");
    struct conn *c = log_in();
    enum auth_fail got = c->last == IPC_AUTH_FAIL ? c->fail : 0;
    if (got != want || (want == 0 && c->last != IPC_AUTH_PASS))
        fail_msg("%s\na %s, b %s: %d instead of %d", conf, a, b, got, want);
    conn_free(c);
    world_free();
}

#define GOOD 0
#define BAD AUTH_FAIL_CREDENTIALS
#define DOWN AUTH_FAIL_TEMPORARY

static void test_chain(void **state)
{
    static const struct {
        const char *a_settings, *a, *b;
        enum auth_fail result;
    } rows[] = {
        {"", "ok:secret", "down", GOOD},
        {"", "ok:other", "ok:secret", BAD},
        {"", "down", "ok:secret", DOWN},
        {"", "no", "ok:secret", GOOD},
        {"", "no", "no", BAD},
        {"", "no", "down", DOWN},
        {"result_failure = continue\n", "ok:other", "ok:secret", GOOD},
        {"result_failure = continue\n", "ok:other", "no", BAD},
        {"result_failure = continue\n", "ok:other", "down", DOWN},
        {"result_internalfail = continue\n", "down", "ok:secret", GOOD},
        {"result_internalfail = continue\n", "down", "no", DOWN},
        {"result_internalfail = continue\n", "down", "ok:other", BAD},
        {"result_internalfail = continue-fail\n", "down", "no", DOWN},
        {"result_success = continue\n", "ok:secret", "no", BAD},
        {"result_success = continue\n", "ok:secret", "ok:secret", GOOD},
        {"result_success = continue\n", "ok:secret", "ok:other", BAD},
        {"result_success = continue-ok\n", "ok:secret", "no", GOOD},
        {"result_success = continue-ok\n", "ok:secret", "ok:other", BAD},
        {"result_success = continue-ok\n", "ok:secret", "down", DOWN},
        {"result_success = continue-fail\n", "ok:secret", "no", BAD},
        {"result_success = return-fail\n", "ok:secret", "ok:secret", BAD},
        {"result_success = return\n", "ok:secret", "ok:secret", BAD},
    };
    char conf[2048];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        snprintf(conf, sizeof(conf), "%s%s}\n%s", CONF_OF_A, rows[i].a_settings, PASSDB("b", "") USERDB);
        expect(conf, rows[i].a, rows[i].b, rows[i].result);
    }
    /* The result so far is what counts. */
    expect(CONF(PASSDB("a", "result_success = continue-ok\n") PASSDB("b", "result_failure = return\n")), "ok:secret", "ok:x",
           GOOD);
    expect(CONF(PASSDB("a", "result_success = continue-ok\n") PASSDB("b", "result_internalfail = return\n")), "ok:secret", "down",
           GOOD);
    expect(CONF(PASSDB("a", "result_success = continue-ok\n") PASSDB("b", "result_failure = continue-fail\n")), "ok:secret",
           "ok:x", BAD);
    buf_free(&record);
}

/* Records that limit, and those that cannot be used. */
static void test_records(void **state)
{
    static const struct {
        const char *name, *value;
        enum auth_fail result;
    } rows[] = {
        {"x", "", GOOD},
        {"nologin", "1", AUTH_FAIL_DISABLED},
        {"allow_nets", "198.51.100.0/24", BAD},
        {"allow_nets", "192.0.2.0/24", GOOD},
        {"uid", "x y", GOOD},
        {"uid", "1x", DOWN},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        world_new(CONF(PASSDB("a", "")), "", ROLE_LOGIN);
        says("a", "ok:");
        struct view r = rec("password", "secret", rows[i].name, rows[i].value, NULL);
        memcpy(w.scripts[0].record, r.ptr, r.len);
        w.scripts[0].len = r.len;
        says("u", "ok:");
        struct conn *c = log_in();
        enum auth_fail got = c->last == IPC_AUTH_FAIL ? c->fail : 0;
        if (got != rows[i].result)
            fail_msg("%s=%s: %d", rows[i].name, rows[i].value, got);
        conn_free(c);
        world_free();
    }
    buf_free(&record);
}

/* The record's own name for the user is who logs in; where it cannot be one, nobody does. */
static void test_other_name(void **state)
{
    static const char *const names[] = {"Bob", "no such/name"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        world_new(CONF(PASSDB("a", "")), "", ROLE_LOGIN);
        says("a", "ok:secret");
        says("u", "ok:");
        struct view r = rec("user", names[i], NULL);
        memcpy(w.scripts[1].record, r.ptr, r.len);
        w.scripts[1].len = r.len;
        struct conn *c = log_in();
        if (i == 0) {
            assert_int_equal(c->last, IPC_AUTH_PASS);
            assert_string_equal(w.grant_name, "bob");
            assert_string_equal(w.grant_mail, "/mail/bob");
        } else {
            assert_int_equal(c->fail, DOWN);
        }
        conn_free(c);
        world_free();
    }
    buf_free(&record);
}

/* Questions beyond the connections wait; helpers that hang or die cost their own questions, and are not started without end. */
static void test_pool(void **state)
{
    const struct view claim = BYTES("\0alice\0secret");
    struct conn *c[6];
    (void)state;
    world_new(CONF(PASSDB("a", "")), "", ROLE_LOGIN);
    says("a", "ok:secret");
    says("u", "ok:");
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        c[i] = conn_new();
        send_auth(c[i], "PLAIN", true, &claim);
    }
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        await(c[i], 1, 2000);
        assert_int_equal(c[i]->last, IPC_AUTH_PASS);
        conn_free(c[i]);
    }
    assert_true(w.nhelpers <= 2);
    assert_int_equal(w.living, w.nhelpers);
    /* They hang. */
    w.mode = MODE_HANG;
    struct conn *hung = conn_new(), *left = conn_new();
    send_auth(left, "PLAIN", true, &claim);
    turns(5);
    conn_free(left); /* nobody waits for the answer any more */
    send_auth(hung, "PLAIN", true, &claim);
    await(hung, 1, 5000);
    assert_int_equal(hung->fail, DOWN);
    conn_free(hung);
    w.mode = MODE_ANSWER;
    struct conn *again = log_in();
    assert_int_equal(again->last, IPC_AUTH_PASS);
    conn_free(again);
    /* They die as soon as they are asked. */
    w.mode = MODE_DIE;
    unsigned before = w.nhelpers;
    for (unsigned i = 0; i < 8; i++) {
        struct conn *d = log_in();
        assert_int_equal(d->fail, DOWN);
        conn_free(d);
    }
    assert_true(w.nhelpers - before <= 5);
    w.mode = MODE_ANSWER;
    uint64_t end = loop_now(w.loop) + 5000;
    bool good = false;
    while (!good && loop_now(w.loop) < end) {
        struct conn *d = log_in();
        good = d->last == IPC_AUTH_PASS;
        conn_free(d);
    }
    assert_true(good);
    world_free();
    buf_free(&record);
}

/* A recipient of a static userdb: who the password databases know, without a password. */
static void test_static_recipients(void **state)
{
    static const struct {
        const char *a, *b;
        enum rcpt_result result;
    } rows[] = {{"no", "ok:x", RCPT_OK}, {"ok:x", "down", RCPT_OK}, {"no", "no", RCPT_UNKNOWN}, {"down", "ok:x", RCPT_TEMPORARY}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        world_new("auth_allow_weak_schemes = yes\nmail_path = /mail/%n\n" DB(
                      PASSDB("a", "") PASSDB("b", "")) "userdb s {\n driver = static\n uid = 5\n gid = 5\n}\n",
                  "", ROLE_LMTP);
        says("a", rows[i].a);
        says("b", rows[i].b);
        struct conn *c = xcalloc(1, sizeof(*c));
        struct buf body;
        c->id = 7;
        struct msg_conn msg = conn_msg(c, PROTO_LMTP);
        conn_open(c, &msg);
        buf_init(&body, IPC_MAX_BODY);
        msg_rcpt_encode(&body, &(struct msg_rcpt){.rcpt_id = 1, .address = VIEW("alice")});
        assert_int_equal(ipc_send(c->ch, IPC_LCONN_RCPT, &body, NULL, 0), 0);
        buf_free(&body);
        await(c, 1, 2000);
        assert_int_equal(c->rcpts[1], rows[i].result);
        conn_free(c);
        world_free();
    }
    buf_free(&record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record),     cmocka_unit_test(test_chain), cmocka_unit_test(test_records),
        cmocka_unit_test(test_other_name), cmocka_unit_test(test_pool),  cmocka_unit_test(test_static_recipients),
    };
    return world_main(tests, ARRAY_LEN(tests));
}
